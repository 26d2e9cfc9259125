"""What the documentation says, done as it is written there."""

import json
import os
import re
import shutil
import subprocess

import pytest
import yaml
from tango_servers import BUILD, PYTHON, ROOT, clean_environment, free_port, need, run_monitor, values_of
from test_local_tango import Runner

pytestmark = pytest.mark.xdist_group("demo")

DOCUMENTS = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]


@pytest.mark.parametrize("given", ["foo/bar/pub", "foo/*/*", "--all", "tango://{}/foo/bar/pub", "//{}/foo/*/*"])
def test_the_database_that_fails_has_the_users_name(given):
    """Not the one that Tango gives it: "localhost" is this host's own name there."""
    database = f"localhost:{free_port()}"
    given = given.format(database)
    result = run_monitor(given, TANGO_HOST=database)
    assert (result.returncode, result.stdout) == (1, "")
    assert result.stderr == (
        f"ska-tango-event-monitor: {given}: can't connect to the Tango database {database}: start it,"
        " or name the right one: TANGO_HOST=HOST:PORT, or tango://HOST:PORT/DEVICE\n"
    )


# ---- Python ----


def python_examples(document):
    """Its indented blocks that are Python."""
    blocks = indented_blocks((ROOT / document).read_text(encoding="utf-8"))
    return [block for block in blocks if re.match(r"(import|from|def) ", block)]


def indented_blocks(text):
    blocks = re.findall(r"(?:^    .*\n|^\n(?=    ))+", text, re.MULTILINE)
    return [re.sub(r"^    ", "", block, flags=re.MULTILINE).strip() + "\n" for block in blocks]


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    """TANGO_HOST of demo/local-tango, as it is right after its start."""
    runner = Runner(tmp_path_factory.mktemp("demo") / "local")
    try:
        assert runner("start", "--port", 0).returncode == 0
        yield f"127.0.0.1:{runner.state()['port']}"
    finally:
        runner("stop")


def run_python(script, folder, tango_host, *args, **more):
    """What it printed. The module is that of the sources."""
    env = clean_environment(TANGO_HOST=tango_host, PYTHONPATH=ROOT / "packaging" / "python", **more)
    done = subprocess.run(
        [PYTHON, "-c", script, *args], cwd=folder, env=env, capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.returncode, done.stderr) == (0, ""), script
    return done.stdout


def test_the_python_examples(demo, tmp_path):
    of_a_server, of_a_recording, _ = python_examples("docs/python.md")
    assert run_python(of_a_server, tmp_path, demo) == "it has never subscribed to anything\n"
    run_python('import tango; tango.DeviceProxy("foo/bar/sub").StartSubscription()', tmp_path, demo)
    shown = run_python(of_a_server, tmp_path, demo)
    assert "foo/bar/pub/burst.idl5_change 0 0\n" in shown and shown.count("\n") == 4
    recording = tmp_path / "recording.jsonl"
    run_monitor("-n", 2, "--poll-period", 0.2, "-q", "-o", recording, "foo/bar/pub", "foo/bar/sub", TANGO_HOST=demo)
    assert run_python(of_a_recording, tmp_path, demo).count("foo/bar/pub/uptime_ms.change") == 2


def test_a_night_in_pandas(troubled, tmp_path):
    """All of that section, from the recording to the picture; what it prints is the truth."""
    for module in ("pandas", "matplotlib"):
        done = subprocess.run([PYTHON, "-c", f"import {module}"], stderr=subprocess.DEVNULL, check=False)
        if done.returncode != 0:
            pytest.skip(f"{PYTHON} has no {module}")
    text = (ROOT / "docs" / "python.md").read_text(encoding="utf-8")
    section = text.split("\n## A night in pandas\n")[1].split("\n## ")[0]
    record, install, *script = indented_blocks(section)
    assert "night.jsonl.zst" in record and "pandas" in install
    shutil.copy(troubled.path, tmp_path / "night.jsonl.zst")
    path = f"{BUILD / 'bin'}:/usr/bin:/bin"
    environment = {"MPLBACKEND": "Agg", "MPLCONFIGDIR": tmp_path, "PATH": path}
    # It is only half a minute.
    shown = run_python("".join(script).replace('"1min"', '"1s"'), tmp_path, "", **environment)
    for stream in troubled.streams:
        (row,) = [line.split()[-3:] for line in shown.splitlines() if f"{stream.full_name}  subscriber" in line]
        # What waited for a publisher that was killed may be counted as not received.
        assert float(row[1]) == stream.received and float(row[2]) <= stream.lost, shown
    worst = max(troubled.streams, key=lambda stream: stream.lost)
    assert re.search(rf"^{re.escape(worst.full_name)} +{worst.lost}(\.0)?$", shown, re.MULTILINE), shown
    assert (tmp_path / "night.png").read_bytes().startswith(b"\x89PNG")


def test_merging_a_recording_of_changes(demo, tmp_path):
    _, merge = python_examples("docs/monitor.md")
    changes, whole = tmp_path / "changes.jsonl", tmp_path / "whole.jsonl"
    run_monitor(*("-n", 4, "--poll-period", 0.2, "--changes", "-q", "-o", changes, "foo/bar/pub"), TANGO_HOST=demo)
    run_monitor("--read", changes, "-q", "-o", whole)
    script = merge + """
import json, sys
data, merged = {}, 0
with open(sys.argv[1]) as changed, open(sys.argv[2]) as whole:
    for line, expected in zip(changed, whole):
        (reply,), (answer,) = (json.loads(text)["replies"].values() for text in (line, expected))
        if "data" in reply:
            data = reply["data"]
        else:
            merge(data, reply["changes"], reply.get("removed", {}))
            merged += 1
        assert data == answer["data"]
print(merged)
"""
    assert run_python(script, tmp_path, demo, changes, whole) == "3\n"


def test_telling_totals_from_polls(demo, tmp_path):
    shown = run_monitor("-n", 2, "--poll-period", 0.2, "--format", "jsonl", "foo/bar/pub", TANGO_HOST=demo).stdout
    (tmp_path / "shown.jsonl").write_text(shown, encoding="utf-8")
    lines = [json.loads(line) for line in shown.splitlines()]
    assert [set(line) >= {"time"} for line in lines] == 3 * [True]
    assert lines[-1]["time"] == lines[-2]["time"]
    telling, _ = python_examples("docs/monitor.md")
    printed = run_python(telling, tmp_path, demo).splitlines()
    assert [line.partition(" ")[2] for line in printed] == ["1 0", "1 0", "all: 2 polls, events lost: None"]


def test_the_modules_own_example(demo, tmp_path):
    text = (ROOT / "packaging" / "python" / "ska_tango_event_monitor" / "__init__.py").read_text(encoding="utf-8")
    example = re.search(r"^    import tango\n(.*\n)+?(?=\"\"\")", text, re.MULTILINE)[0]
    run_python(re.sub(r"^    ", "", example, flags=re.MULTILINE), tmp_path, demo)


# ---- links ----


def anchors(document):
    """As the usual viewers make them out of the headings."""
    headings = re.findall(r"^#+ (.*)$", document.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_links_lead_somewhere(document):
    for link in re.findall(r"\]\(([^)\s]+)\)", document.read_text(encoding="utf-8")):
        if "://" in link:
            continue
        path, _, anchor = link.partition("#")
        target = document.parent / path if path else document
        assert target.exists(), link
        assert not anchor or anchor in anchors(target), link


# ---- images and manifests ----

CONTAINERFILE = (ROOT / "packaging" / "image" / "Containerfile").read_text(encoding="utf-8")


def manifests():
    text = (ROOT / "docs" / "installing.md").read_text(encoding="utf-8")
    return [yaml.safe_load(block) for block in re.findall(r"^```yaml\n(.*?)^```", text, re.MULTILINE | re.DOTALL)]


def test_the_kubernetes_manifests_are_whole():
    user = int(re.search(r"^USER (\d+)$", CONTAINERFILE, re.MULTILINE)[1])
    server, monitor = manifests()
    for manifest in (server, monitor):
        assert (manifest["apiVersion"], manifest["kind"]) == ("apps/v1", "Deployment")
        assert manifest["metadata"]["name"]
        template = manifest["spec"]["template"]
        assert manifest["spec"]["selector"]["matchLabels"] == template["metadata"]["labels"]
        pod = template["spec"]
        assert pod["securityContext"]["runAsNonRoot"] and pod["securityContext"]["runAsUser"] == user
        volumes = {volume["name"] for volume in pod.get("volumes", [])}
        for container in pod.get("initContainers", []) + pod["containers"]:
            assert container["image"].startswith("registry.example.org/") and ":" in container["image"]
            assert container["securityContext"]["allowPrivilegeEscalation"] is False
            assert {mount["name"] for mount in container.get("volumeMounts", [])} <= volumes
    (init,), (container,) = server["spec"]["template"]["spec"]["initContainers"], server["spec"]["template"]["spec"]["containers"]
    preload = {variable["name"]: variable["value"] for variable in container["env"]}["LD_PRELOAD"]
    assert preload == init["command"][2] + os.path.basename(init["command"][1])


def test_the_services_of_compose():
    compose = yaml.safe_load((ROOT / "tests" / "compose.yaml").read_text(encoding="utf-8"))
    assert set(compose["services"]) == {"mariadb", "databaseds", "pub", "sub", "monitor"}
    for name, service in compose["services"].items():
        assert service["networks"] == ["tango"] and service["image"], name
        assert set(service.get("depends_on", {})) <= set(compose["services"])


def test_the_images_help_is_what_users_want_to_know():
    script = ROOT / "packaging" / "image" / "local-tango"
    done = subprocess.run([script, "help"], capture_output=True, text=True, check=True)
    described = re.findall(r"^  ([a-z]+)", done.stdout, re.MULTILINE)
    assert described == ["mariadb", "databaseds", "pub", "healthy"]
    assert done.stdout.splitlines()[-1].startswith("MARIADB_PASSWORD ")


@pytest.mark.parametrize("works, taken", [("podman docker", "podman"), ("podman", "podman"), ("docker", "docker"), ("", "")])
def test_an_image_is_made_with_an_engine_that_works(tmp_path, works, taken):
    """docker needs a daemon; podman may lack what it runs containers with."""
    for name in ("podman", "docker"):
        engine = tmp_path / name
        status = 0 if name in works.split() else 1
        engine.write_text(f'#!/bin/sh\ncase $1 in build) echo {name} "$@" ;; esac\nexit {status}\n')
        engine.chmod(0o755)
    env = {**clean_environment(), "PATH": f"{tmp_path}:{os.environ['PATH']}"}
    env.pop("ENGINE", None)
    done = subprocess.run([ROOT / "tests" / "build.sh"], env=env, capture_output=True, text=True, check=False)
    if taken:
        assert done.returncode == 0 and done.stdout.startswith(f"{taken} build --tag localhost/ska-tango-event-monitor ")
    else:
        assert done.returncode == 1 and done.stdout == "" and done.stderr.startswith("build.sh: neither ")


# ---- what is installed, and the rest ----


def test_uninstall_takes_away_what_install_put_there(tmp_path):
    def make(target):
        command = ["make", "-C", ROOT, f"BUILD={BUILD}", f"DESTDIR={tmp_path}", target]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr

    if "asan" in BUILD.name:
        pytest.skip("make would configure it anew")
    other = tmp_path / "usr" / "local" / "bin" / "other"
    other.parent.mkdir(parents=True)
    other.touch()
    make("uninstall")
    make("install")
    assert (other.parent / "ska-tango-event-monitor").exists()
    make("uninstall")
    assert [path for path in tmp_path.rglob("*") if not path.is_dir()] == [other]
    assert list(tmp_path.rglob("ska-tango-event-monitor")) == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_python_has_the_name_that_debian_gives_it(document):
    found = re.findall(r"^.*(?:`|^    |[ /])python -.*", document.read_text(encoding="utf-8"), re.MULTILINE)
    assert found == []


@pytest.mark.parametrize("program", ["monitor", "exporter", "report"])
def test_each_option_is_described(program):
    """And no other one, in the tables and in the man page; text may have those of other programs."""
    command = [need(BUILD / "bin" / f"ska-tango-event-{program}"), "--help"]
    usage = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    in_help = set(re.findall(r"(?<![\w-])--[a-z][a-z.-]+", usage))
    tables = re.findall(r"^\|.*$", (ROOT / "docs" / f"{program}.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert set(re.findall(r"(?<![\w-])--[a-z][a-z.-]+", "\n".join(tables))) == in_help
    man = (ROOT / "docs" / "man" / f"ska-tango-event-{program}.1").read_text(encoding="utf-8")
    assert {f"-{name}" for name in re.findall(r"(?:Fl |, )(-[a-z][a-z.-]+)", man)} == in_help


@pytest.mark.parametrize("option", ["--format", "--by"])
def test_each_value_is_described(option):
    values = values_of(option)
    usage = run_monitor("--help").stdout
    table = re.search(rf"^\|.*`{option} .*$", (ROOT / "docs" / "monitor.md").read_text(encoding="utf-8"), re.MULTILINE)
    man = (ROOT / "docs" / "man" / "ska-tango-event-monitor.1").read_text(encoding="utf-8")
    described = man.split(f".It Fl {option[1:]} ")[1].split("\n.It ")[0]
    for value in values:
        assert re.search(rf"\b{value}\b", usage.split(f"\n      {option} ")[1].split("\n      -")[0])
        assert f"`{value}`" in table[0]
        assert re.search(rf"^\.(Ql|Cm|Ic|Li) {value}\b", described, re.MULTILINE)


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_what_make_is_asked_for_can_be_made(document):
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z_-]+%?):", makefile, re.MULTILINE))
    text = document.read_text(encoding="utf-8")
    for name in re.findall(r"(?:`|^    )(?:[A-Z]+=\S+ )*make ([a-z_0-9-]+)", text, re.MULTILINE):
        assert re.sub(r"^(build_pytango)\d+$", r"\1%", name) in targets, name
