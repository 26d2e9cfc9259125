"""Real Tango device servers for tests: starts them, waits for them, restarts them, and always ends them.

A test asks for the fixture ``servers`` (conftest.py) and gets a :class:`ServerPool`:

    def test_something(servers):
        pub = servers.publisher(agent=True)           # test/pub/1
        sub = servers.subscriber(agent=True)          # test/sub/1
        sub.proxy().Subscribe([pub.attribute("attr"), "change"])
        wait_for(lambda: sub.proxy().received > 3, what="events")
        answer = json.loads(pub.admin_proxy().QueryEventAgent())

Everything listens on 127.0.0.1 only. Without ``database=`` a server runs without one; with
``database=database``, the fixture of that name, it is registered there and started from it:

        pub = servers.publisher("test/pub/7", database=database)   # tango://127.0.0.1:.../test/pub/7
        run_monitor("test/pub/7", TANGO_HOST=database.tango_host)

A server that exits though no test told it to (a crash) fails the test, with its status and its log.

On a server that nobody has subscribed to yet, first subscribe to something that is pushed by code, not
to something that Tango polls: Tango registers a subscription before it has created the socket for its
events, and a poll in between crashes the server (cppTango's issue 631, open; 10.0.2 does the same).
This happens with and without the agent; on 9.3.4 at one first subscription in 150 with a polling period
of 200 ms, at one in 15 with 5 ms. Code that pushes checks for the socket first.

A server, or client, that has subscribed to a device without a database must end, or unsubscribe, within
10 s on cppTango 9.3.4: it hears no heartbeats of that device, and reconnects every 10 s. The first time it
deletes its proxy of the admin device, can't make a new one, and keeps the pointer: it crashes the second
time (reconnect_to_zmq_channel), or when it is ended in between (cleanup_EventChannel_map); with and without
the agent. On a busy machine, 20 s are soon over: what takes several steps uses the database. And whoever
is ended while events arrive may crash in push_zmq_event, with a database, too: stop pushing first.

A ``tango.DeviceProxy`` is only ever made from a full name here: the test process itself has no
TANGO_HOST, and PyTango would remember the first one it saw.
"""

import collections
import ctypes
import itertools
import os
import re
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import tango

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "demo"))

from local_tango import LocalTango, connects  # noqa: E402

BUILD = Path(os.environ.get("BUILD_DIR", ROOT / "build")).resolve()
SERVERS = Path(__file__).resolve().parent / "servers"

AGENT_LIB = BUILD / "lib" / "libska-tango-event-agent.so"
MONITOR = BUILD / "bin" / "ska-tango-event-monitor"
LAUNCHER = BUILD / "bin" / "ska-tango-event-agent"
CPP_PUBLISHER = BUILD / "tests" / "cpp_publisher"
CPP_SUBSCRIBER = BUILD / "tests" / "cpp_subscriber"
CPP_LIAR = BUILD / "tests" / "cpp_liar"

# To be loaded before the agent: the runtime of the sanitizers that it was built with. Leaks are checked in
# the unit tests; Python and libtango leave much allocated at their end.
SANITIZERS = os.environ.get("TEST_PRELOAD", "").split()
SANITIZER_OPTIONS = {"ASAN_OPTIONS": "detect_leaks=0"} if SANITIZERS else {}

# The Python whose PyTango is tested; a python3 that is earlier on PATH may have none.
PYTHON = os.environ.get("TEST_PYTHON", "/usr/bin/python3")
TANGO_TEST = "/usr/lib/tango/TangoTest"

START_TIMEOUT_S = 30.0
STOP_TIMEOUT_S = 15.0
# Proxies have a long timeout, so that no test fails on a busy machine; no test measures it.
PROXY_TIMEOUT_MS = 60_000

_PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None)


def wait_for(predicate, timeout=20.0, what="a condition", period=0.02):
    """Call ``predicate`` until its answer is true; return that answer, or fail the test."""
    deadline = time.monotonic() + timeout
    while True:
        answer = predicate()
        if answer:
            return answer
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {timeout:g} s in vain for {what}; last: {answer!r}")
        time.sleep(period)


# Reserves the newest ports: more than any test takes, and far fewer than files may be open.
_keepers = collections.deque()
_MOST_KEEPERS = 400


def free_port():
    """A TCP port of 127.0.0.1 on which nobody listens, reserved for the caller.

    A socket is bound to it that never listens: nobody else is given the port meanwhile, neither by
    this function, in whatever process, nor by the kernel for a connection. A server binds it all the
    same, as often as it is started: the socket allows that (SO_REUSEADDR), and so do servers' own.
    """
    keeper = socket.socket()
    keeper.bind(("127.0.0.1", 0))
    # Only now: where both sides allow it beforehand, the kernel may hand out one port twice.
    keeper.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    _keepers.append(keeper)
    if len(_keepers) > _MOST_KEEPERS:
        _keepers.popleft().close()
    return keeper.getsockname()[1]


def clean_environment(**extra):
    """This environment without the variables that would affect where a server registers or what it loads."""
    env = {
        name: value
        for name, value in os.environ.items()
        if name not in ("LD_PRELOAD", "TANGO_HOST") and not name.startswith("SKA_TANGO_EVENT_")
    }
    env.update({name: str(value) for name, value in extra.items()})
    return env


def agent_environment(agent=AGENT_LIB, **extra):
    """clean_environment() with the agent to be loaded, and what it needs."""
    preload = " ".join([*SANITIZERS, str(agent)])
    return clean_environment(LD_PRELOAD=preload, **SANITIZER_OPTIONS, **extra)


def die_with_parent():
    """For Popen(preexec_fn=...): the child ends when pytest is killed without a teardown."""
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


class Server:
    """One device server process. Its devices are known by the names given in ``devices``."""

    def __init__(
        self, argv, instance, devices, log, database=None, agent=False, launcher=None, env=None
    ):
        """``argv``: the program, without its instance. ``devices``: {class: [device, ...]}.

        ``agent``: preload the agent; True for the built one, or a path. ``launcher``: start
        it through that launcher instead. ``env``: further environment variables.
        ``database``: a LocalTango whose database knows the server, or None for ``-nodb``.
        """
        self.argv = [str(part) for part in argv]
        self.instance = instance
        self.devices = devices
        self.log = Path(log)
        self.database = database
        self.agent = AGENT_LIB if agent is True else agent
        self.launcher = launcher
        self.env = dict(env or {})
        self.port = free_port()
        self.address = "127.0.0.1"  # of a server in a database, any of 127.0.0.0/8
        self.process = None
        self.told_to_end = False  # its latest start by the test
        self.log_start = 0  # where in its log its latest start begins

    @property
    def server_name(self):
        return f"{Path(self.argv[-1]).stem}/{self.instance}"

    @property
    def pid(self):
        return self.process.pid

    @property
    def host(self):
        """``host:port`` as it is in the names of the devices."""
        return self.database.tango_host if self.database else f"127.0.0.1:{self.port}"

    @property
    def first_device(self):
        return next(iter(self.devices.values()))[0]

    def full_name(self, path):
        return f"tango://{self.host}/{path}" + ("" if self.database else "#dbase=no")

    def name(self, device=None):
        """The full name of a device, by default of the first one."""
        return self.full_name(device or self.first_device)

    def attribute(self, attr, device=None):
        """The full name of an attribute: what Subscribe of the test subscriber takes."""
        return self.full_name(f"{device or self.first_device}/{attr}")

    @property
    def admin(self):
        """The full name of the admin device."""
        return self.full_name(f"dserver/{self.server_name}")

    def proxy(self, device=None):
        return self._proxy(self.name(device))

    def admin_proxy(self):
        return self._proxy(self.admin)

    @staticmethod
    def _proxy(name):
        proxy = tango.DeviceProxy(name)
        proxy.set_timeout_millis(PROXY_TIMEOUT_MS)
        return proxy

    def output(self):
        """The output of the process so far, of all its starts, standard error included."""
        return self.log.read_text(errors="replace") if self.log.exists() else ""

    @property
    def running(self):
        return self.process is not None and self.process.poll() is None

    def start(self):
        """Start it and return when all its devices answer."""
        self.launch()
        try:
            wait_for(self._answers, START_TIMEOUT_S, f"{self.server_name} to answer", 0.05)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.output()}") from None
        return self

    def launch(self):
        """Start it, and don't wait for it."""
        assert not self.running, f"{self.server_name} runs already"
        self.check_alive()
        self.told_to_end = False
        self.log_start = len(self.output())
        argv = self.argv + [self.instance]
        if self.agent:
            env = agent_environment(need(Path(self.agent)))
        else:
            env = clean_environment()
        env["PYTHONUNBUFFERED"] = "1"
        if self.database:
            env["TANGO_HOST"] = self.database.tango_host
        else:
            names = [f"{cls}::{dev}" for cls, devs in self.devices.items() for dev in devs]
            argv += ["-nodb", "-dlist", ",".join(names)]
        argv += ["-ORBendPoint", f"giop:tcp:{self.address}:{self.port}"]
        if self.launcher:
            argv = [str(self.launcher), "run", "--", *argv]
        env.update({name: str(value) for name, value in self.env.items()})
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                argv,
                env=env,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd=self.log.parent,
                preexec_fn=die_with_parent,
            )

    @property
    def ready(self):
        """Whether it has reported since this start that it is ready."""
        return self.running and "Ready to accept request" in self.output()[self.log_start :]

    def wait_until_ready(self, timeout=60.0):
        """After launch(); fails at once, with its log, if it ends instead."""
        wait_for(lambda: self.ready or not self.running, timeout, f"{self.server_name} to be ready")
        self.check_alive()

    def _answers(self):
        if not self.running:
            raise AssertionError(
                f"{self.server_name} ended with {self.process.returncode} while it started"
            )
        # Its devices answer before it is ready: before all commands of the admin device are there.
        if not self.ready:
            return False
        # A proxy that failed to connect doesn't try again for a second: try the port first.
        if not connects(self.port, self.address):
            return False
        try:
            for name in [self.admin] + [self.name(d) for ds in self.devices.values() for d in ds]:
                tango.DeviceProxy(name).ping()
        except tango.DevFailed:
            return False
        return True

    def check_alive(self):
        """Fail, with its log, if it exited though no test told it to."""
        assert self.process is None or self.told_to_end or self.running, (
            f"{self.server_name} ended by itself, with status {self.process.returncode};"
            f" its log:\n{self.output()}"
        )

    def terminate(self):
        """SIGTERM, once: at a second one cppTango 9.3 shuts down again, and crashes."""
        if self.running and not self.told_to_end:
            self.told_to_end = True
            self.process.terminate()

    def stop(self):
        """SIGTERM, and SIGKILL when that doesn't help; returns the exit status."""
        self.terminate()
        return self._ended(STOP_TIMEOUT_S)

    def kill(self):
        """SIGKILL: no subscriber is notified, no socket is closed cleanly."""
        if self.running:
            self.told_to_end = True
            self.process.kill()
        return self._ended()

    def end_by_command(self, timeout=30.0):
        """The admin device's Kill; returns the exit status, or fails when that doesn't end it."""
        self.told_to_end = True
        self.admin_proxy().Kill()
        return self.process.wait(timeout)

    def _ended(self, timeout=None):
        if self.process is None:
            return None
        try:
            return self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            self.process.kill()
        return self.process.wait()

    def restart(self):
        """Stop, and start again under the same name on the same port."""
        self.stop()
        return self.start()


class ServerPool:
    """Starts servers and ends them all, whatever happened in between."""

    def __init__(self, folder):
        self.folder = Path(folder)
        self.servers = []
        self.numbers = itertools.count(1)  # also for tests that start servers in several threads

    def __enter__(self):
        return self

    def __exit__(self, *_):
        """End them all; fail if one had ended by itself, whatever else the test found."""
        for server in self.servers:
            server.terminate()
        for server in self.servers:
            server.stop()
        for server in self.servers:
            server.check_alive()

    def add(self, argv, instance, devices, **options):
        """Start any server; returns its :class:`Server` once it answers."""
        log = self.folder / f"server-{next(self.numbers)}.log"
        server = Server(argv, instance, devices, log, **options)
        self.servers.append(server)
        if server.database:
            server.database.register(server.server_name, devices)
        return server.start()

    def python(self, script, devices, instance="test", **options):
        return self.add([PYTHON, SERVERS / script], instance, devices, **options)

    def publisher(self, device="test/pub/1", instance="test", **options):
        return self.python("publisher.py", {"Publisher": [device]}, instance, **options)

    def subscriber(self, device="test/sub/1", instance="test", **options):
        return self.python("subscriber.py", {"Subscriber": [device]}, instance, **options)

    def both(self, pub="test/pub/1", sub="test/sub/1", instance="test", **options):
        """Publisher and subscriber in one process."""
        devices = {"Publisher": [pub], "Subscriber": [sub]}
        return self.python("both.py", devices, instance, **options)

    def cpp_publisher(self, *devices, instance="test", **options):
        devices = {"CppPublisher": list(devices or ["test/cpp/1"])}
        return self.add([CPP_PUBLISHER], instance, devices, **options)

    def cpp_subscriber(self, device="test/cpp/sub", instance="test", **options):
        return self.add([CPP_SUBSCRIBER], instance, {"CppSubscriber": [device]}, **options)

    def liar(self, device="test/liar/1", instance="test", **options):
        """A server that answers QueryEventSystem with whatever the test wants."""
        return self.add([CPP_LIAR], instance, {"Liar": [device]}, **options)

    def tango_test(self, device="test/tangotest/1", instance="test", env=None, **options):
        # Its own code frees by "delete" what it allocated by "new []".
        env = {**SANITIZER_OPTIONS, **(env or {})}
        for name in SANITIZER_OPTIONS:
            env[name] += ":alloc_dealloc_mismatch=0"
        return self.add([TANGO_TEST], instance, {"TangoTest": [device]}, env=env, **options)


def start_database(folder, address="127.0.0.1"):
    """A LocalTango with nothing but the database; ``stop()`` ends it."""
    database = LocalTango(folder, preexec_fn=die_with_parent)
    database.address = address
    database.make_folder()
    try:
        database.start_database(free_port(), free_port())
    except BaseException:
        database.stop()
        raise
    return database


def need(path):
    """``path``, or a test failure that says what to do."""
    assert path.exists(), f"{path} is missing: run 'make build', or set BUILD_DIR"
    return path


def run_monitor(*args, timeout=60, stdin=subprocess.DEVNULL, **env):
    """The monitor, run to its end; returns the CompletedProcess with text output."""
    return subprocess.run(
        [str(need(MONITOR)), *map(str, args)],
        env=clean_environment(**env),
        stdin=stdin,
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )


def values_of(option):
    """The values of an option of the monitor, from its message about a wrong one."""
    line = run_monitor(option, "?").stderr
    return set(re.findall(r"[a-z]+", line.split("must be ")[1].split(" (try")[0])) - {"or"}


def start_monitor(*args, stdout=subprocess.PIPE, stderr=subprocess.PIPE, prefix=(), **env):
    """The monitor, started; whoever calls ends it. Returns the Popen, with text pipes.

    ``prefix``: the beginning of a command, of a Namespace, say.
    """
    return subprocess.Popen(
        [*prefix, str(need(MONITOR)), *map(str, args)],
        env=clean_environment(**env),
        stdin=subprocess.DEVNULL,
        stdout=stdout,
        stderr=stderr,
        text=True,
        preexec_fn=die_with_parent,
    )


if __name__ == "__main__":
    sys.exit("this is a module for the tests: run 'make test-integration'")
