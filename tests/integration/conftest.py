"""Fixtures for tests against a real Tango. What they give is described in tango_servers.py."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent))

import tango_servers  # noqa: E402

pytest_plugins = ["network"]

# A shell's background job ignores SIGINT, and hands that down to all that the tests start; some of
# them are to be interrupted.
if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


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


@pytest.fixture(scope="session")
def database(tmp_path_factory):
    """A real Tango database, a LocalTango: ``database.tango_host``, ``database.port``.

    It is one for all tests of a run, so give servers names of your own in it. A test that
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
