"""The agent is loaded into servers that run in containers: from outside, from a container beside, and from inside."""

import json
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest
import tango
import yaml
from conftest import BUILD, ENGINE, LIMITS, ROOT, run, wait_for
from local_tango import free_port

PREFIX = f"stem-attach-{os.getpid()}"
NETWORK = f"{PREFIX}-network"
AGENT = BUILD / "bin" / "ska-tango-event-agent"
PYTHON = "/usr/bin/python3"
SERVERS = ROOT / "tests" / "integration" / "servers"
# class: (how it is started in a container, its device)
KINDS = {
    "Publisher": (PYTHON, "/servers/publisher.py"),
    "Subscriber": (PYTHON, "/servers/subscriber.py"),
    "CppPublisher": ("/programs/cpp_publisher",),
}
MOUNTS = ["-v", f"{SERVERS}:/servers:ro", "-v", f"{BUILD / 'tests'}:/programs:ro", "-e", "PYTHONDONTWRITEBYTECODE=1"]
# The agent, with libzip, for where it isn't loaded from outside. Only the machine's root can read a container's
# seccomp filter, so that others have to say that they know that it allows enough.
PROGRAMS = ["-v", f"{BUILD / 'bin'}:/build/bin:ro", "-v", f"{BUILD / 'lib'}:/build/lib:ro"]
INSIDE = ["/build/bin/ska-tango-event-agent", "attach", "--yes-i-may-lose-it", "1"]
IMAGE = "localhost/ska-tango-event-monitor-test-attach"
TANGO = """
FROM {base}
RUN apt-get update -qq && apt-get install -qq -y --no-install-recommends python3-tango libzip4
USER 10000
"""
# Nothing can be written but /dev/shm, where omniORB wants to have a socket, and nothing is allowed.
STRICT = ["--read-only", "--read-only-tmpfs=false", "--cap-drop=all", "--security-opt=no-new-privileges"]
STRICT += ["-e", "ORBunixTransportDirectory=/dev/shm"]


class Container:
    """A device server in a container, without the agent."""

    count = 0

    def __init__(self, image, kind, *options):
        Container.count += 1
        self.name = f"{PREFIX}-{Container.count}"
        self.device = f"container/{kind}/1"
        server = [*KINDS[kind], "1", "-nodb", "-dlist", f"{kind}::{self.device}", "-ORBendPoint", "giop:tcp::11000"]
        where = ["--network", NETWORK, "--entrypoint", server.pop(0), *LIMITS, *MOUNTS, *options]
        run(*ENGINE, "run", "-d", "--name", self.name, *where, image, *server)
        (info,) = json.loads(run("podman", "inspect", self.name).stdout)
        self.pid = info["State"]["Pid"]
        self.address = info["NetworkSettings"]["Networks"][NETWORK]["IPAddress"]
        self.proxy = wait_for(lambda: self._proxy(self.device), 60, f"{kind}: {self.log()}")
        self.admin = self._proxy(f"dserver/{KINDS[kind][-1].split('/')[-1].removesuffix('.py')}/1")

    def full_name(self, path):
        return f"tango://{self.address}:11000/{path}#dbase=no"

    def _proxy(self, device):
        try:
            proxy = tango.DeviceProxy(self.full_name(device))
            proxy.ping()
        except tango.DevFailed:
            return None
        return proxy

    def log(self):
        done = run("podman", "logs", self.name, check=False)
        return done.stdout + done.stderr

    def inside(self, *command, user=None):
        return run("podman", "exec", *(["--user", user] if user else []), self.name, *command, check=False)

    def answer(self):
        return json.loads(self.admin.QueryEventAgent())

    def has_agent(self):
        # Its commands come a moment after the library.
        return any(command.cmd_name == "QueryEventAgent" for command in self.admin.command_list_query())

    def check_it_works(self):
        """It answers, has the agent, and has reported nothing."""
        wait_for(self.has_agent, 20, "the agent's commands")
        # In the container it is the first process.
        assert self.answer()["agent"]["pid"] == 1
        assert "ska-tango-event-agent" not in self.log()

    def remove(self):
        run("podman", "rm", "--force", "-t", "1", self.name, check=False)


@pytest.fixture(scope="module")
def network():
    run("podman", "network", "create", NETWORK)
    yield NETWORK
    run("podman", "network", "rm", "--force", NETWORK, check=False)


@pytest.fixture(scope="module")
def image(base, tmp_path_factory):
    """The name of an image that has Tango, and nothing of ours."""
    folder = tmp_path_factory.mktemp("image")
    (folder / "Containerfile").write_text(TANGO.format(base=base))
    run(*ENGINE, "build", "--isolation=chroot", *LIMITS, "--tag", IMAGE, folder)
    yield IMAGE
    run("podman", "rmi", "--force", IMAGE, check=False)


@pytest.fixture
def start(image, network):
    """Starts a server in a container: start(kind, option of podman run ...)."""
    started = []

    def start_one(kind, *options):
        started.append(Container(image, kind, *options))
        return started[-1]

    yield start_one
    for each in started:
        print(f"{each.name}:\n{each.log()}")
        each.remove()


def attach(pid):
    return run(AGENT, "attach", pid)


@pytest.mark.parametrize("options", [[], STRICT], ids=["ordinary", "strict"])
@pytest.mark.parametrize("kind", ["Publisher", "CppPublisher"])
def test_from_outside(start, kind, options):
    """A publisher, and a subscriber that has subscribed already; what they count from then on is the truth."""
    publisher, subscriber = start(kind, *options), start("Subscriber", *options)
    attribute = publisher.full_name(f"{publisher.device}/burst")
    attach(publisher.pid)
    publisher.check_it_works()
    subscriber.proxy.Subscribe([attribute, "change"])
    attach(subscriber.pid)
    subscriber.check_it_works()

    def seen():
        return json.loads(subscriber.proxy.details)[f"{attribute} change"]

    def push(count):
        last = publisher.proxy.pushed + count
        publisher.proxy.PushBurst(count)
        wait_for(lambda: seen()["last_value"] == last, 20, "the events")

    def counts():
        pushed = publisher.answer()["server"]["event_streams"]
        received = subscriber.answer()["client"]["event_callbacks"]
        (pushed,) = [each for name, each in pushed.items() if "burst" in name]
        (received,) = [each for name, each in received.items() if "burst" in name]
        # Without a database, how many there were before isn't known.
        return pushed["known_pushed_event_count"], received["event_count"]

    push(1)
    before = counts()
    push(100)
    assert [new - old for new, old in zip(counts(), before)] == [100, 100]


def sidecar_options():
    """How Kubernetes would start the sidecar of its manifest."""
    manifest = yaml.safe_load((ROOT / "packaging" / "kubernetes" / "attach.yaml").read_text(encoding="utf-8"))
    (security,) = [
        each["securityContext"]
        for each in manifest["spec"]["template"]["spec"]["containers"]
        if each["name"] == "events"
    ]
    assert security["readOnlyRootFilesystem"] and security["allowPrivilegeEscalation"] is False
    added = [f"--cap-add={name}" for name in security["capabilities"]["add"]]
    return ["--read-only", "--read-only-tmpfs=false", "--security-opt=no-new-privileges", "--cap-drop=all", *added]


def beside(server, image, *options):
    """What attaches from a container beside, which shares the process ids, as a sidecar in Kubernetes."""
    where = ["--network", f"container:{server.name}", "--pid", f"container:{server.name}", "--user", "0"]
    command = ["--entrypoint", INSIDE[0], image, *INSIDE[1:]]
    return run(*ENGINE, "run", "--rm", *where, *LIMITS, *PROGRAMS, *options, *command, check=False)


@pytest.mark.parametrize("options", [[], STRICT], ids=["ordinary", "strict"])
def test_from_a_container_beside(start, image, options):
    server = start("Publisher", *options)
    refused = beside(server, image)
    assert refused.returncode == 1 and refused.stderr.count("\n") == 1, refused
    assert "CAP_SYS_PTRACE is missing" in refused.stderr, refused
    assert not server.has_agent()
    done = beside(server, image, *sidecar_options())
    assert done.returncode == 0, done
    server.check_it_works()


def test_from_inside(start):
    """As the same user; no capability is needed where ptrace_scope is 0, and SYS_PTRACE where it is 1."""
    server = start("Publisher", "--cap-add=SYS_PTRACE", *PROGRAMS)
    done = server.inside(*INSIDE)
    assert done.returncode == 0, done
    server.check_it_works()


@pytest.fixture
def rootless():
    """A server in a user namespace that belongs to a user who isn't root, as in rootless containers; gives its pid,
    its port, and how to run the agent's launcher as that user."""
    user = 54321
    as_user = ["setpriv", f"--reuid={user}", f"--regid={user}", "--clear-groups"]
    folder = Path(tempfile.mkdtemp(prefix=PREFIX))
    folder.chmod(0o755)
    for path in (AGENT, BUILD / "lib" / "libska-tango-event-agent.so", SERVERS / "publisher.py"):
        (folder / path.parent.name).mkdir(exist_ok=True)
        shutil.copy(path, folder / path.parent.name)
    (folder / "run").mkdir()
    os.chown(folder / "run", user, user)
    port = free_port()
    namespaces = [*as_user, "unshare", "--user", "--map-root-user", "--pid", "--mount-proc", "--fork", "--kill-child"]
    works = run(*namespaces, "true", check=False)
    if works.returncode != 0:
        pytest.skip(f"users can't make namespaces here: {works.stderr.strip()}")
    server = [PYTHON, folder / "servers" / "publisher.py", "1", "-nodb", "-dlist", "Publisher::rootless/pub/1"]
    with open(folder / "log", "wb") as log:
        outer = subprocess.Popen(
            [*namespaces, *server, "-ORBendPoint", f"giop:tcp:127.0.0.1:{port}"],
            env={**os.environ, "ORBunixTransportDirectory": folder / "run", "PYTHONDONTWRITEBYTECODE": "1"},
            stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd="/",
        )  # fmt: skip
    try:
        children = Path(f"/proc/{outer.pid}/task/{outer.pid}/children")
        wait_for(lambda: "Ready" in (folder / "log").read_text() or outer.poll() is not None, 60, "the server")
        pid = int(children.read_text())
        yield pid, port, lambda *command: run(*as_user, folder / "bin" / AGENT.name, *command, check=False)
    finally:
        outer.kill()
        outer.wait()
        print((folder / "log").read_text())
        shutil.rmtree(folder)


def test_by_the_user_whose_container_it_is(rootless):
    pid, port, agent = rootless
    done = agent("attach", pid)
    assert done.returncode == 0, done
    admin = tango.DeviceProxy(f"tango://127.0.0.1:{port}/dserver/publisher/1#dbase=no")
    wait_for(lambda: "QueryEventAgent" in admin.get_command_list(), 20, "the agent's commands")
    assert json.loads(admin.QueryEventAgent())["agent"]["pid"] == 1
