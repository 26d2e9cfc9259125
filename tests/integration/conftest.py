"""Fixtures for tests against a real Tango. What they give is described in tango_servers.py."""

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent))

pytest.register_assert_rewrite("agent_answers")

import tango_servers  # noqa: E402

pytest_plugins = [
    "clients", "findings", "network", "prometheus", "exporting", "terminals", "tmux", "browser", "report_recordings",
]  # fmt: skip

# A shell's background job ignores SIGINT, and hands that down to all that the tests start; some of
# them are to be interrupted.
if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(items):
    """What marks ask for: see pytest.ini."""
    for item in items:
        mark = item.get_closest_marker("not_under_sanitizers")
        if mark and tango_servers.SANITIZERS:
            item.add_marker(pytest.mark.skip(reason=f"not under the sanitizers: {mark.args[0]}"))
    items.sort(key=lambda item: item.get_closest_marker("long") is None)


@pytest.fixture(autouse=True)
def _a_test_that_hangs_ends(request):
    """With its process, some minutes after all stacks were printed: the other tests are still to be run."""
    timer = threading.Timer(2 * float(request.config.getini("faulthandler_timeout")), os._exit, [70])
    timer.daemon = True
    timer.start()
    yield
    timer.cancel()


@pytest.fixture(scope="session")
def agent_lib():
    """The agent's path."""
    return tango_servers.need(tango_servers.AGENT_LIB)


@pytest.fixture(scope="session")
def monitor_bin():
    """The monitor's path."""
    return tango_servers.need(tango_servers.MONITOR)


@pytest.fixture(scope="session")
def launcher_bin():
    """The launcher's path."""
    return tango_servers.need(tango_servers.LAUNCHER)


@pytest.fixture
def servers(tmp_path):
    """A ServerPool for one test; every server ends with the test."""
    with tango_servers.ServerPool(tmp_path) as pool:
        yield pool


@pytest.fixture
def start():
    """start_monitor(), ended with the test, with signals as a terminal would deliver them."""
    started = []

    def run(*args, **env):
        # A shell's background job ignores SIGINT, and hands that down to pytest and to us.
        before = signal.signal(signal.SIGINT, signal.default_int_handler)
        try:
            monitor = tango_servers.start_monitor(*args, **env)
        finally:
            signal.signal(signal.SIGINT, before)
        started.append(monitor)
        return monitor

    yield run
    for monitor in started:
        monitor.kill()
        monitor.communicate()


@pytest.fixture
def recording(tmp_path):
    return tmp_path / "recording.jsonl"


@pytest.fixture
def freeze():
    """Freezes servers (SIGSTOP); continues them at the latest when the test ends."""
    frozen = []

    def is_stopped(server):
        tasks = Path(f"/proc/{server.pid}/task").iterdir()
        return all((task / "stat").read_text().rsplit(")", 1)[1].split()[0] == "T" for task in tasks)

    def stop(server):
        frozen.append(server)
        os.kill(server.pid, signal.SIGSTOP)
        # A thread that is running at that moment may answer one more request.
        tango_servers.wait_for(lambda: is_stopped(server), what="all threads to stop")

    yield stop
    for server in frozen:
        if server.running:
            os.kill(server.pid, signal.SIGCONT)


@pytest.fixture
def publisher(servers):
    """A publisher that has an event supplier, so that its performance monitoring can be seen."""
    pub = servers.publisher(agent=True)
    pub.admin_proxy().ZmqEventSubscriptionChange(["info"])
    return pub


@pytest.fixture(scope="session")
def database(tmp_path_factory):
    """A real Tango database, a LocalTango: ``database.tango_host``, ``database.port``.

    It is shared by all tests of a run, so give servers names of your own in it. A test that
    wants to stop its database starts one with tango_servers.start_database().
    """
    running = tango_servers.start_database(tmp_path_factory.mktemp("database"))
    yield running
    running.stop()


@pytest.fixture(scope="session")
def mount_namespace():
    """The beginning of a command that runs in a mount namespace of its own."""
    command = ["unshare", "--mount"]
    if subprocess.run([*command, "true"], capture_output=True, check=False).returncode != 0:
        pytest.skip("no mount namespace can be made here: that needs root, outside of a chroot")
    return command
