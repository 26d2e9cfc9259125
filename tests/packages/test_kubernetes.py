"""The manifest and the Helm chart: rendered, whole, and with options and paths that the exporter has."""

import json
import re
import shutil

import pytest
import yaml
from conftest import BUILD, ROOT, run

MANIFEST = ROOT / "packaging" / "kubernetes" / "exporter.yaml"
ATTACH_MANIFEST = ROOT / "packaging" / "kubernetes" / "attach.yaml"
CHART = ROOT / "packaging" / "helm" / "ska-tango-event-exporter"
CONTAINERFILE = (ROOT / "packaging" / "image" / "Containerfile").read_text(encoding="utf-8")
MANIFEST_IMAGE = "registry.example.org/tango/ska-tango-event-monitor:latest"
EXPORTER = BUILD / "bin" / "ska-tango-event-exporter"
ALERTS = yaml.safe_load((ROOT / "packaging" / "prometheus" / "alerts.yml").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def helm(tmp_path_factory):
    """helm(VALUES) renders the chart for a release "tango": all of its manifests. With Helm, or, as Debian has
    none, with what Helm is made of."""
    if shutil.which("helm"):
        command = ["helm", "template", "tango", CHART, "-f", "-"]
    else:
        if not shutil.which("go"):
            pytest.skip("there is neither helm nor go on this machine")
        folder = tmp_path_factory.mktemp("go")
        env = {"GO111MODULE": "off", "GOPATH": "/usr/share/gocode", "GOCACHE": str(folder / "cache")}
        run("go", "build", "-o", folder / "render", ROOT / "tests/packages/chart/render.go", env=env, cwd=folder)
        command = [folder / "render", CHART, "tango"]

    def render(values, check=True):
        done = run(*command, stdin=json.dumps(values), check=check)
        return list(yaml.safe_load_all(done.stdout)) if check else done

    return render


def of_kind(manifests, kind):
    return [each for each in manifests if each and each["kind"] == kind]


def only(manifests, kind):
    (found,) = of_kind(manifests, kind)
    return found


def check_deployment(deployment):
    """What matters of one that runs the exporter; returns its container."""
    user = int(re.search(r"^USER (\d+)$", CONTAINERFILE, re.MULTILINE)[1])
    assert deployment["apiVersion"] == "apps/v1" and deployment["spec"]["replicas"] == 1
    template = deployment["spec"]["template"]
    assert deployment["spec"]["selector"]["matchLabels"].items() <= template["metadata"]["labels"].items()
    pod = template["spec"]
    assert pod["securityContext"]["runAsNonRoot"] and pod["securityContext"]["runAsUser"] == user
    assert pod["automountServiceAccountToken"] is False
    (container,) = pod["containers"]
    security = container["securityContext"]
    assert security["readOnlyRootFilesystem"] and security["allowPrivilegeEscalation"] is False
    assert security["capabilities"] == {"drop": ["ALL"]}
    assert container["resources"]["limits"]["memory"]
    (port,) = container["ports"]
    program, *arguments = container["args"]
    assert program == EXPORTER.name
    assert f"--web.listen-address=:{port['containerPort']}" in arguments
    assert arguments[arguments.index("--") + 1 :]
    # It stops at the first option that it doesn't know or whose value is wrong; the help is the last one.
    run(EXPORTER, *arguments[: arguments.index("--")], "--help")
    for probe, path in (("livenessProbe", "/-/healthy"), ("readinessProbe", "/-/ready")):
        # Without a password all that can be seen is whether somebody listens.
        asks = container[probe].get("httpGet", {**container[probe].get("tcpSocket", {}), "path": path})
        assert asks["path"] == path and asks["port"] == port["name"]
    mounted = {mount["name"] for mount in container.get("volumeMounts", [])}
    assert mounted == {volume["name"] for volume in pod.get("volumes", [])}
    return container


def check_service(manifests):
    """That it selects the pods, and the monitor the service."""
    service, monitor = only(manifests, "Service"), only(manifests, "ServiceMonitor")
    for deployment in of_kind(manifests, "Deployment"):
        labels = deployment["spec"]["template"]["metadata"]["labels"]
        assert service["spec"]["selector"].items() <= labels.items()
    assert monitor["spec"]["selector"]["matchLabels"].items() <= service["metadata"]["labels"].items()
    (port,), (endpoint,) = service["spec"]["ports"], monitor["spec"]["endpoints"]
    assert endpoint["port"] == port["name"] and port["targetPort"] == "metrics"
    return endpoint


def test_the_manifest():
    manifests = list(yaml.safe_load_all(MANIFEST.read_text(encoding="utf-8")))
    assert [each["kind"] for each in manifests] == ["Deployment", "Service", "ServiceMonitor"]
    container = check_deployment(manifests[0])
    assert {each["name"]: each["value"] for each in container["env"]} == {"TANGO_HOST": "databaseds:10000"}
    assert check_service(manifests)["path"] == "/metrics"


def test_the_manifest_of_a_server_to_attach_to():
    """That the sidecar can do it is in test_attach_containers.py."""
    (deployment,) = yaml.safe_load_all(ATTACH_MANIFEST.read_text(encoding="utf-8"))
    template = deployment["spec"]["template"]
    assert deployment["spec"]["selector"]["matchLabels"].items() <= template["metadata"]["labels"].items()
    pod = template["spec"]
    assert pod["shareProcessNamespace"] is True and pod["automountServiceAccountToken"] is False
    server, events = pod["containers"]
    assert server["securityContext"]["capabilities"] == {"drop": ["ALL"]}
    # A capability is of no use to another user: neither the image's program has it, nor does Kubernetes hand it on.
    assert events["securityContext"]["runAsUser"] == 0
    assert set(events["securityContext"]["capabilities"]["add"]) == {"SYS_PTRACE", "DAC_OVERRIDE"}
    assert events["image"] == MANIFEST_IMAGE and events["resources"]["limits"]["memory"]


def test_the_chart(helm):
    manifests = helm({"devices": ["a/b/c", "sys/*/*"], "tangoHost": "databaseds:10000"})
    container = check_deployment(only(manifests, "Deployment"))
    assert container["args"][-3:] == ["--", "a/b/c", "sys/*/*"]
    assert container["env"] == [{"name": "TANGO_HOST", "value": "databaseds:10000"}]
    assert check_service(manifests)["scheme"] == "http"
    assert only(manifests, "PrometheusRule")["spec"] == ALERTS
    names = [each["metadata"]["name"] for each in manifests if each]
    assert all(re.fullmatch(r"[a-z][a-z0-9-]{0,62}", name) for name in names)
    assert not of_kind(manifests, "ConfigMap")


def test_shards_of_the_chart(helm):
    manifests = helm({"devices": ["a/b/c"], "shards": 5})
    deployments = of_kind(manifests, "Deployment")
    shards = [re.findall(r"--shard=(\S+)", " ".join(check_deployment(each)["args"])) for each in deployments]
    assert shards == [[f"{number}/5"] for number in range(1, 6)]
    # None of them takes another's pods.
    selectors = [each["spec"]["selector"]["matchLabels"] for each in deployments]
    for index, deployment in enumerate(deployments):
        labels = deployment["spec"]["template"]["metadata"]["labels"]
        assert [number for number, one in enumerate(selectors) if one.items() <= labels.items()] == [index]
    assert len({each["metadata"]["name"] for each in deployments}) == 5
    check_service(manifests)


def test_tls_and_the_rest_of_the_chart(helm):
    password = {"username": {"name": "web", "key": "user"}, "password": {"name": "web", "key": "password"}}
    ca = {"ca": {"secret": {"name": "web", "key": "ca.crt"}}}
    manifests = helm(
        {
            "devices": ["a/b/c"],
            "webConfig": {"secret": "web"},
            "serviceMonitor": {"basicAuth": password, "tlsConfig": ca, "labels": {"release": "prometheus"}},
            "dashboard": {"enabled": True},
            "imagePullSecrets": [{"name": "registry"}],
            "podAnnotations": {"why": "because"},
            "tolerations": [{"operator": "Exists"}],
            "nodeSelector": {"zone": "control"},
            "resources": {"limits": {"memory": "1Gi"}},
        }
    )
    deployment = only(manifests, "Deployment")
    container = check_deployment(deployment)
    (mount,) = container["volumeMounts"]
    assert f"--web.config.file={mount['mountPath']}/web.yml" in container["args"]
    assert container["livenessProbe"]["tcpSocket"] == container["readinessProbe"]["tcpSocket"] == {"port": "metrics"}
    pod = deployment["spec"]["template"]["spec"]
    assert pod["volumes"][0]["secret"]["secretName"] == "web" and pod["nodeSelector"] == {"zone": "control"}
    assert container["resources"]["limits"] == {"memory": "1Gi"}
    endpoint = check_service(manifests)
    assert (endpoint["scheme"], endpoint["basicAuth"], endpoint["tlsConfig"]) == ("https", password, ca)
    assert only(manifests, "ServiceMonitor")["metadata"]["labels"]["release"] == "prometheus"
    dashboard = only(manifests, "ConfigMap")
    assert dashboard["metadata"]["labels"]["grafana_dashboard"] == "1"
    assert json.loads(dashboard["data"]["tango-events.json"])["panels"]


def test_tls_without_users(helm):
    manifests = helm({"devices": ["a/b/c"], "webConfig": {"secret": "web", "onlyUsers": False}})
    container = check_deployment(only(manifests, "Deployment"))
    assert container["livenessProbe"]["httpGet"] == {"path": "/-/healthy", "port": "metrics", "scheme": "HTTPS"}


def test_what_can_be_left_out_of_the_chart(helm):
    manifests = helm({"devices": ["a/b/c"], "serviceMonitor": {"enabled": False}, "prometheusRule": {"enabled": False}})
    assert {each["kind"] for each in manifests if each} == {"Deployment", "Service"}


@pytest.mark.parametrize("values, words", [({}, "devices: say whom"), ({"devices": ["a/b/c"], "shards": 0}, "shards:")])
def test_wrong_values(helm, values, words):
    done = helm(values, check=False)
    assert done.returncode != 0 and words in done.stderr


def test_each_value_is_used():
    """And each that is used is there."""
    values = yaml.safe_load((CHART / "values.yaml").read_text(encoding="utf-8"))
    whole = {"resources", "podAnnotations", "nodeSelector", "tolerations", "affinity"}  # taken as they are
    leaves = set()
    for key, value in values.items():
        leaves |= {f"{key}.{inner}" for inner in value} if isinstance(value, dict) and key not in whole else {key}
    templates = "".join(path.read_text(encoding="utf-8") for path in sorted((CHART / "templates").iterdir()))
    used = set(re.findall(r"\.Values\.([\w.]+)", templates))
    assert leaves == used
