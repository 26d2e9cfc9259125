"""The image and tests/compose.yaml: the local test system as people know it, from a base of ours."""

import json
import os
import re
import shutil
import subprocess
import time
import urllib.request

import pytest
from conftest import BUILD, ENGINE, LIMITS, ROOT, run, wait_for
from local_tango import free_port

PUBLISHER = """
from tango.server import Device, attribute, run
class Publisher(Device):
    @attribute(dtype=int)
    def value(self):
        return 1
run((Publisher,))
"""
IMAGE = "localhost/ska-tango-event-monitor-test"
PROJECT = f"stem-test-{os.getpid()}"
PARTS = ("mariadb", "databaseds", "pub", "sub")
NETWORK = f"{PROJECT}-network"


@pytest.fixture(scope="module")
def image(base):
    """The name of our image."""
    build = run(
        ROOT / "tests" / "build.sh",
        "--isolation=chroot",
        *LIMITS,
        env={"BASE": base, "IMAGE": IMAGE, "ENGINE": " ".join(ENGINE)},
        timeout=1800,
    )
    assert IMAGE in build.stdout + build.stderr
    yield IMAGE
    run("podman", "rmi", "--force", IMAGE, check=False)
    run("podman", "image", "prune", "--force", check=False)


def test_the_image_runs_the_programs(image):
    version = (ROOT / "VERSION").read_text().strip()
    for program in (f"ska-tango-event-{name}" for name in ("monitor", "report", "exporter", "agent")):
        done = run(*ENGINE, "run", "--rm", *LIMITS, image, program, "--version")
        assert done.stdout == f"{program} {version}\n"
    user = run(*ENGINE, "run", "--rm", *LIMITS, image, "sh", "-c", "id -u; echo $HOME").stdout.split()
    assert user == ["10000", "/var/lib/local-tango"]
    assert "databaseds" in run(*ENGINE, "run", "--rm", *LIMITS, image).stdout


def container(part):
    return f"{PROJECT}_{part}_1"


@pytest.fixture(scope="module")
def system(image):
    """tests/compose.yaml, up; gives its TANGO_HOST."""
    port = free_port()
    compose = ["podman-compose", "-p", PROJECT, "-f", ROOT / "tests" / "compose.yaml"]
    env = {"TANGO_PORT": str(port), "IMAGE": image, "TANGO_NETWORK": NETWORK}
    # On a machine without systemd, podman starts no health checks by itself, and says so.
    up = run(*compose, "--podman-run-args=--runtime runc", "up", "-d", env=env, check=False)
    try:
        assert up.returncode == 0, up.stderr
        yield f"localhost:{port}"
    except BaseException:
        for part in (*PARTS, "monitor"):
            print(run("podman", "logs", container(part), check=False))
        raise
    finally:
        run(*compose, "down", "-t", "2", env=env, check=False)
        run("podman", "network", "rm", "--force", NETWORK, check=False)


def test_each_part_is_healthy(system):
    for part in PARTS:
        wait_for(
            lambda part=part: run("podman", "healthcheck", "run", container(part), check=False).returncode == 0,
            120,
            f"{part} to be healthy",
        )


def test_each_has_a_container_of_its_own_on_a_network_of_their_own(system):
    networks, addresses = set(), set()
    for part in PARTS:
        (info,) = json.loads(run("podman", "inspect", container(part)).stdout)
        ((name, network),) = info["NetworkSettings"]["Networks"].items()
        networks.add(name)
        addresses.add(network["IPAddress"])
    assert networks == {NETWORK} and len(addresses) == len(PARTS)


def test_the_readmes_words_from_the_host(system):
    test_each_part_is_healthy(system)
    script = 'import tango; tango.DeviceProxy("foo/bar/sub").StartSubscription()'
    run("/usr/bin/python3", "-c", script, env={"TANGO_HOST": system})
    monitor = run(
        BUILD / "bin" / "ska-tango-event-monitor",
        *("foo/bar/pub", "foo/bar/sub", "--poll-period", "2", "-n", "2"),
        env={"TANGO_HOST": system},
    )
    second = monitor.stdout.split("2 of 2 servers answered")[2]
    pushed = re.search(r"foo/bar/pub/uptime_ms\.change +\d+ +\(\+(\d+)\)", second)
    received = re.search(r"foo/bar/pub/uptime_ms\.idl5_change(?: +\d+)+ +\(\+(\d+)\)", second)
    assert int(pushed[1]) > 0 and abs(int(pushed[1]) - int(received[1])) <= 1, monitor.stdout


def test_from_containers_alone(system, image):
    """With neither a Tango nor the monitor on this machine: by the service, and by a separate container."""
    test_each_part_is_healthy(system)
    subscribe = 'import tango; tango.DeviceProxy("foo/bar/sub").StartSubscription()'
    run("podman", "exec", container("sub"), "python3", "-c", subscribe)
    shown = run(
        *(*ENGINE, "run", "--rm", *LIMITS, "--network", NETWORK, image),
        *("ska-tango-event-monitor", "foo/bar/pub", "foo/bar/sub", "-n", "2", "--poll-period", "1"),
    ).stdout
    assert "2 of 2 servers answered" in shown and "foo/bar/pub/uptime_ms.idl5_change" in shown

    def its_log():
        return run("podman", "logs", container("monitor"), check=False).stdout

    wait_for(lambda: "foo/bar/pub/uptime_ms.idl5_change" in its_log(), 60, "the service monitor to show events")


def test_an_exporter_in_a_container(system, image):
    """As docs/prometheus.md has it, and as strict as the manifests."""
    test_each_part_is_healthy(system)
    port, name = free_port(), f"{PROJECT}-exporter"
    strict = ["--read-only", "--cap-drop=all", "--security-opt=no-new-privileges"]
    where = ["-p", f"127.0.0.1:{port}:9751", "-e", "TANGO_HOST=databaseds:10000", "--network", NETWORK]
    run(*ENGINE, "run", "-d", "--name", name, *LIMITS, *strict, *where, image,
        "ska-tango-event-exporter", "--web.listen-address=:9751", "--poll-period=1", "foo/*/*")

    def has_metrics():
        try:
            page = urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10).read().decode()
        except OSError:
            return False
        return re.search(r'^tango_event_server_up\{server="dserver/pub/demo"\} 1$', page, re.MULTILINE)

    try:
        wait_for(has_metrics, 60, "metrics")
        start = time.monotonic()
        run("podman", "stop", "-t", "30", name)
        assert time.monotonic() - start < 25
    finally:
        print(run("podman", "logs", name, check=False))
        run("podman", "rm", "--force", "-t", "1", name, check=False)


def test_it_ends_with_its_containers(system):
    """The programs in them react to SIGTERM, so that nobody has to wait for "down"."""
    for part in ("monitor", "sub", "pub", "databaseds", "mariadb"):
        start = time.monotonic()
        stopped = subprocess.run(
            ["podman", "stop", "-t", "30", container(part)], capture_output=True, text=True, check=False
        )
        assert stopped.returncode == 0 and time.monotonic() - start < 25, (part, stopped.stderr)


# ---- the packages' units, run by a systemd ----

# systemd makes the folder of a unit's credentials in a mount namespace of its own, from which it comes to the unit
# only where mounts are shared: on a machine they always are, in a container of podman's they aren't.
MACHINE = """
FROM {base}
RUN apt-get update -qq && apt-get install -qq -y --no-install-recommends systemd systemd-sysv dbus \\
    python3-tango libyajl2 libzip4 libssl3 libmicrohttpd12 libyaml-0-2 libncursesw6
COPY *.deb Publisher.py /root/
RUN dpkg --install /root/*.deb
CMD ["sh", "-c", "mount --make-rshared / && exec /sbin/init"]
"""

PUBLISHER_UNIT = """
[Service]
ExecStart=/usr/bin/python3 /root/Publisher.py 1 -nodb -dlist Publisher::a/b/c -ORBendPoint giop:tcp:127.0.0.1:11000
Environment=LD_PRELOAD=/usr/lib/x86_64-linux-gnu/ska-tango-event-monitor/libska-tango-event-agent.so
"""


@pytest.fixture(scope="module")
def machine(base, tmp_path_factory):
    """A container in which a systemd runs, with the packages; gives what runs a command in it."""
    folder = tmp_path_factory.mktemp("machine")
    run("make", "deb", cwd=ROOT)
    for package in (ROOT / "dist").glob("*.deb"):
        shutil.copy(package, folder)
    (folder / "Publisher.py").write_text(PUBLISHER)
    (folder / "Containerfile").write_text(MACHINE.format(base=base))
    name, tag = f"{PROJECT}-machine", f"{IMAGE}-machine"
    run(*ENGINE, "build", "--isolation=chroot", *LIMITS, "--tag", tag, folder)
    try:
        run(*ENGINE, "run", "-d", "--name", name, "--systemd=always", "--privileged", *LIMITS, tag)

        def inside(script, **options):
            return run("podman", "exec", "-i", name, "sh", "-c", script, **options)

        up = "systemctl is-system-running"
        for _ in range(100):
            if inside(up, check=False).stdout.strip() in ("running", "degraded"):
                break
            time.sleep(0.2)
        else:
            pytest.skip("no systemd can run in a container here")
        yield inside
    finally:
        run("podman", "rm", "--force", "-t", "1", name, check=False)
        run("podman", "rmi", "--force", tag, check=False)


@pytest.fixture(scope="module")
def server(machine):
    """A server with the agent, by a line in its unit."""
    machine("cat > /etc/systemd/system/publisher.service", stdin=PUBLISHER_UNIT)
    machine("systemctl daemon-reload && systemctl start publisher")
    listens = "bash -c 'exec 3<>/dev/tcp/127.0.0.1/11000' 2>&1"
    wait_for(lambda: machine(listens, check=False).returncode == 0, 30, "the server")
    return "tango://127.0.0.1:11000/a/b/c#dbase=no"


def test_recorders_of_systemd(machine, server):
    """Hardened, as the package has them."""
    settings = f"DEVICES={server}\nPOLL_PERIOD=0.2\n"
    machine("cat > /etc/default/ska-tango-event-monitor-night", stdin=settings)
    unit = "ska-tango-event-monitor@night"
    assert machine(f"systemctl is-enabled {unit}", check=False).stdout == "disabled\n"
    recording = f"/var/lib/{unit.split('@')[0]}/night.jsonl"
    # A server answers before it is ready; a recorder that finds it so is started again after 30 s.
    count = f"systemctl is-active --quiet {unit} || systemctl start {unit}; wc -l < {recording}"

    def recorded():
        done = machine(count, check=False)
        return done.returncode == 0 and int(done.stdout) >= 3

    wait_for(recorded, 60, "three lines in the recording")
    machine(f"systemctl stop {unit}")
    shown = machine(f"systemctl show -p Result,ExecMainStatus {unit}").stdout
    assert set(shown.split()) == {"Result=success", "ExecMainStatus=0"}
    for line in machine(f"cat {recording}").stdout.splitlines():
        json.loads(line)
    # Without DEVICES it says so, and isn't tried again.
    machine("systemctl start ska-tango-event-monitor@nothing", check=False)
    wait_for(
        lambda: "Result=exit-code" in machine("systemctl show ska-tango-event-monitor@nothing").stdout,
        20,
        "the failure",
    )


HARDENED_UNIT = """
[Service]
ExecStart=/usr/bin/python3 /root/Publisher.py 2 -nodb -dlist Publisher::a/b/c -ORBendPoint giop:tcp:127.0.0.1:{port}
Environment=PYTHONDONTWRITEBYTECODE=1
User=nobody
NoNewPrivileges=yes
CapabilityBoundingSet=
MemoryDenyWriteExecute=yes
ProtectSystem=strict
ProtectHome=read-only
PrivateTmp=yes
PrivateDevices=yes
ProtectProc=invisible
RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX AF_NETLINK
NoExecPaths=/
ExecPaths=/usr
SystemCallArchitectures=native
SystemCallFilter={filter}
"""


@pytest.mark.parametrize(
    "filter, allowed", [("@system-service", True), ("~memfd_create", False)], ids=["service", "no-memory-file"]
)
def test_attaching_to_a_hardened_server_of_systemd(machine, filter, allowed):
    """What systemd's filter forbids kills who does it: then nobody may be made to."""
    name, port = ("service", 11001) if allowed else ("killed", 11002)
    unit = HARDENED_UNIT.format(filter=filter, name=name, port=port)
    machine(f"cat > /etc/systemd/system/{name}.service", stdin=unit)
    machine(f"chmod 755 /root && systemctl daemon-reload && systemctl start {name}")
    listens = f"bash -c 'exec 3<>/dev/tcp/127.0.0.1/{port}' 2>&1"
    wait_for(lambda: machine(listens, check=False).returncode == 0, 30, "the server")
    pid = machine(f"systemctl show --value -p MainPID {name}").stdout.strip()
    done = machine(f"ska-tango-event-agent attach {pid}", check=False)
    assert (done.returncode == 0) == allowed, done
    assert allowed or "seccomp" in done.stderr and done.stderr.count("\n") == 1, done
    device = f"tango://127.0.0.1:{port}/dserver/publisher/2#dbase=no"
    script = f"import tango; print(tango.DeviceProxy('{device}').get_command_list())"

    def has_agent():
        return "QueryEventAgent" in machine(f'/usr/bin/python3 -c "{script}"').stdout

    if allowed:
        wait_for(has_agent, 20, "the agent's commands")
    else:
        assert not has_agent()
    assert machine(f"systemctl show --value -p MainPID {name}").stdout.strip() == pid
    machine(f"systemctl stop {name}")


SCRAPE = """
import base64, ssl, sys, urllib.request
request = urllib.request.Request("https://localhost:9751/metrics")
request.add_header("Authorization", "Basic " + base64.b64encode(b"prometheus:correct horse").decode())
context = ssl.create_default_context(cafile="/etc/ska-tango-event-exporter/tls.crt")
sys.stdout.write(urllib.request.urlopen(request, timeout=10, context=context).read().decode())
"""


def test_an_exporter_of_systemd(machine, server, tmp_path):
    """Hardened, with a key that root alone can read."""
    folder, unit = "/etc/ska-tango-event-exporter", "ska-tango-event-exporter@night"
    key, certificate = tmp_path / "key", tmp_path / "crt"
    run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
        "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost", "-keyout", key, "-out", certificate)
    machine(f"umask 077 && mkdir -p {folder} /etc/systemd/system/{unit}.service.d && cat > {folder}/tls.key",
            stdin=key.read_text())
    machine(f"cat > {folder}/tls.crt", stdin=certificate.read_text())
    # The password is "correct horse".
    machine(f"umask 077; cat > {folder}/web.yml", stdin="""
tls_server_config: {cert_file: tls.crt, key_file: tls.key}
basic_auth_users: {prometheus: $2b$05$pF90/lnJKCXudghBeal4DuiiPnx20xRweQD5LzXkQysbGipkuADle}
""")
    loaded = "".join(f"LoadCredential={name}:{folder}/{name}\n" for name in ("web.yml", "tls.crt", "tls.key"))
    machine(f"cat > /etc/systemd/system/{unit}.service.d/web.conf", stdin=f"[Service]\n{loaded}")
    options = f"--web.config.file /run/credentials/{unit}.service/web.yml"
    machine("cat > /etc/default/ska-tango-event-exporter-night",
            stdin=f'DEVICES={server}\nPOLL_PERIOD=0.2\nOPTIONS="{options}"\n')
    assert machine(f"systemctl is-enabled {unit}", check=False).stdout == "disabled\n"
    machine("cat > /root/scrape.py", stdin=SCRAPE)
    machine(f"systemctl daemon-reload && systemctl start {unit}")

    def scraped():
        done = machine("python3 /root/scrape.py", check=False)
        return "tango_event_agent_info{" in done.stdout

    try:
        wait_for(scraped, 60, "metrics over TLS")
    finally:
        print(machine(f"systemctl status {unit}; journalctl --no-pager -n 60", check=False).stdout)
    owner = f"stat -c %u /proc/$(systemctl show -p MainPID --value {unit})"
    assert int(machine(owner).stdout) >= 61184  # of those that systemd makes up
    machine(f"systemctl reload {unit}")  # with what a bare Debian has
    assert scraped()
    machine(f"systemctl stop {unit}")
    shown = machine(f"systemctl show -p Result,ExecMainStatus {unit}").stdout
    assert set(shown.split()) == {"Result=success", "ExecMainStatus=0"}
