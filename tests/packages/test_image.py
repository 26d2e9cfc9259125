"""The image and tests/compose.yaml: the local test system as people know it, from a base of ours."""

import json
import os
import re
import shutil
import subprocess
import time

import pytest
from conftest import BUILD, ROOT, run
from local_tango import free_port

PUBLISHER = """
from tango.server import Device, attribute, run
class Publisher(Device):
    @attribute(dtype=int)
    def value(self):
        return 1
run((Publisher,))
"""
ENGINE = ["podman", "--runtime", "runc"]
LIMITS = ["--ulimit", "nofile=1024:1024", "--ulimit", "nproc=1024:1024"]
BASE = "localhost/ska-tango-event-monitor-test-base"
IMAGE = "localhost/ska-tango-event-monitor-test"
PROJECT = f"stem-test-{os.getpid()}"
PARTS = ("mariadb", "databaseds", "pub", "sub")
NETWORK = f"{PROJECT}-network"


def wait_for(condition, timeout_s, what):
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, f"waited {timeout_s} s in vain for {what}"
        time.sleep(0.2)


@pytest.fixture(scope="module")
def base(bookworm):
    """The name of a base image, made of a bare Debian 12."""
    for program in ("podman", "runc", "podman-compose"):
        if not shutil.which(program):
            pytest.skip(f"there is no {program} on this machine")
    pack = f"tar -C {bookworm} --exclude=./proc/* --exclude=./dev/* --one-file-system -c . | podman import - {BASE}"
    imported = run("sh", "-c", pack, check=False)
    if imported.returncode != 0:
        pytest.skip(f"podman can't import an image here: {imported.stderr.strip().splitlines()[-1]}")
    try:
        works = run(*ENGINE, "run", "--rm", *LIMITS, BASE, "true", check=False)
        if works.returncode != 0:
            pytest.skip(f"containers can't run here: {works.stderr.strip().splitlines()[-1]}")
        yield BASE
    finally:
        run("podman", "rmi", "--force", BASE, check=False)


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
    for program in ("ska-tango-event-monitor", "ska-tango-event-agent"):
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


def test_it_ends_with_its_containers(system):
    """The programs in them react to SIGTERM, so that nobody has to wait for "down"."""
    for part in ("monitor", "sub", "pub", "databaseds", "mariadb"):
        start = time.monotonic()
        stopped = subprocess.run(
            ["podman", "stop", "-t", "30", container(part)], capture_output=True, text=True, check=False
        )
        assert stopped.returncode == 0 and time.monotonic() - start < 25, (part, stopped.stderr)


# ---- the packages' unit, run by a systemd ----

MACHINE = """
FROM {base}
RUN apt-get update -qq && apt-get install -qq -y --no-install-recommends systemd systemd-sysv dbus \\
    python3-tango libyajl2 libzip4 libssl3
COPY *.deb Publisher.py /root/
RUN dpkg --install /root/*.deb
CMD ["/sbin/init"]
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


def test_servers_and_recorders_of_systemd(machine):
    """A server with the agent by a line in its unit, and the hardened recorder."""
    machine("cat > /etc/systemd/system/publisher.service", stdin=PUBLISHER_UNIT)
    settings = "DEVICES=tango://127.0.0.1:11000/a/b/c#dbase=no\nPOLL_PERIOD=0.2\n"
    machine("cat > /etc/default/ska-tango-event-monitor-night", stdin=settings)
    unit = "ska-tango-event-monitor@night"
    assert machine(f"systemctl is-enabled {unit}", check=False).stdout == "disabled\n"
    machine("systemctl daemon-reload && systemctl start publisher")
    listens = "bash -c 'exec 3<>/dev/tcp/127.0.0.1/11000' 2>&1"
    wait_for(lambda: machine(listens, check=False).returncode == 0, 30, "the server")
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
