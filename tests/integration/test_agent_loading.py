"""The agent in processes of all kinds: it finds what it needs, or leaves them as they are."""

import re
import shutil
import subprocess
import time

import pytest
import tango
from agent_answers import BUILT_IN_COMMANDS, COMMANDS, ask, join, pub, settle, stream, sub, topic
from elf_files import bind_lazily, libtango_path
from tango_servers import PYTHON, SANITIZERS, agent_environment, wait_for

pytestmark = pytest.mark.sanitizers


def test_it_asks_for_no_newer_glibc_than_manylinux2014_has(agent_lib):
    symbols = subprocess.run(
        ["objdump", "-T", str(agent_lib)], capture_output=True, text=True, check=True
    ).stdout
    versions = {
        tuple(map(int, version.split("."))) for version in re.findall(r"GLIBC_([0-9.]+)", symbols)
    }
    # The sanitizers' runtime asks for more.
    assert versions and max(versions) <= ((2, 36) if SANITIZERS else (2, 17))


def run_with_agent(argv, **env):
    return subprocess.run(
        [str(part) for part in argv],
        env=agent_environment(**env),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_a_process_without_tango_is_as_without_the_agent(agent_lib):
    for argv in (["/bin/true"], ["/bin/sh", "-c", "echo hello; exit 3"], ["/bin/false"]):
        plain = subprocess.run(argv, capture_output=True, text=True, check=False)
        agent = run_with_agent(argv, SKA_TANGO_EVENT_AGENT_LOG="error")
        assert (agent.returncode, agent.stdout, agent.stderr) == (
            plain.returncode,
            plain.stdout,
            plain.stderr,
        )
    python = run_with_agent([PYTHON, "-c", "import json, ssl; print('fine')"])
    assert (python.returncode, python.stdout, python.stderr) == (0, "fine\n", "")
    client = run_with_agent([PYTHON, "-c", "import tango; print('fine')"])
    assert (client.returncode, client.stdout, client.stderr) == (0, "fine\n", "")


@pytest.mark.parametrize(
    "symbol",
    [
        # Of those that are needed, the ones that libtango can start without.
        "_ZN5Tango7Command6insertEPKc",
        "_ZN5Tango10DeviceImpl11add_commandEPNS_7CommandEb",
    ],
)
def test_a_renamed_symbol_costs_the_commands_and_nothing_else(
    servers, agent_lib, tmp_path, symbol
):
    path, soname = libtango_path()
    image = open(path, "rb").read()
    name = b"\0" + symbol.encode() + b"\0"
    assert image.count(name) == 1
    # Of the same length: only the name in the table of strings is another.
    renamed = name.replace(b"Tango", b"Tonga", 1)
    (tmp_path / soname).write_bytes(image.replace(name, renamed))

    server = servers.tango_test(agent=True, env={"LD_LIBRARY_PATH": tmp_path})
    with open(f"/proc/{server.pid}/maps", encoding="utf-8") as maps:
        assert str(tmp_path / soname) in maps.read()
    names = {info.cmd_name for info in server.admin_proxy().command_list_query()}
    assert names & set(COMMANDS) == BUILT_IN_COMMANDS
    lines = [line for line in server.output().splitlines() if "ska-tango-event-agent" in line]
    assert len(lines) == 1 and symbol in lines[0]
    assert server.proxy().read_attribute("double_scalar").value is not None
    assert server.stop() in (0, -15)


def test_a_libtango_that_is_bound_lazily(servers, agent_lib, tmp_path, database):
    path, soname = libtango_path()
    (tmp_path / soname).write_bytes(bind_lazily(open(path, "rb").read()))
    env = {"LD_LIBRARY_PATH": tmp_path}
    publisher = servers.cpp_publisher(agent=True, database=database, env=env)
    with open(f"/proc/{publisher.pid}/maps", encoding="utf-8") as maps:
        assert str(tmp_path / soname) in maps.read()
    first = servers.subscriber(agent=True, database=database)
    # If a slot had been bound behind our back, only the first of these would show.
    for attr in ("state", "status"):
        sub(first).Subscribe([publisher.attribute(attr), "attr_conf"])
        streams = ask(publisher)["server"]["event_counters"]
        assert any(f"/{attr}" in name for name in streams), streams
    join(publisher, first)
    pub(publisher).PushBurst(10)
    settle(publisher, first)
    assert topic(first)["lost_event_count"] == 0
    assert topic(first)["callback_count"] == 1


@pytest.mark.parametrize("order", [1, -1])
def test_two_copies_of_the_agent_are_as_one(servers, agent_lib, tmp_path, order):
    copy = tmp_path / "libska-tango-event-agent-2.so"
    shutil.copy(agent_lib, copy)
    both = " ".join([*SANITIZERS, *[str(copy), str(agent_lib)][::order]])
    server = servers.publisher(agent=True, env={"LD_PRELOAD": both})
    assert ask(server)["agent"]["pid"] == server.pid
    names = [info.cmd_name for info in server.admin_proxy().command_list_query()]
    assert names.count("QueryEventAgent") == 1
    assert "ska-tango-event-agent" not in server.output()


def test_a_server_ends_as_without_the_agent(servers, agent_lib):
    with_agent = servers.publisher("test/pub/1", instance="with", agent=True)
    without = servers.publisher("test/pub/2", instance="without", agent=False)
    assert with_agent.stop() == without.stop()


def test_restart_server_keeps_commands_and_counts(servers, agent_lib, database):
    """The admin device's RestartServer makes all devices anew, in the same process. (A server of
    PyTango 9.3 does not come back from it, with or without the agent, so it is a C++ one.)"""
    publisher = servers.cpp_publisher(agent=True, database=database)
    subscriber = servers.subscriber(agent=True, database=database)
    join(publisher, subscriber)
    settle(publisher, subscriber)
    before = stream(publisher)["pushed_event_count"]
    publisher.admin_proxy().RestartServer()
    started = time.monotonic()

    def pushed():
        try:
            pub(publisher).PushBurst(1)
            return stream(publisher)["pushed_event_count"] > before
        except (tango.DevFailed, AttributeError):
            return False

    wait_for(pushed, 60, "the restarted devices", 0.2)
    assert time.monotonic() - started < 60
    names = {info.cmd_name for info in publisher.admin_proxy().command_list_query()}
    assert set(COMMANDS) <= names
    settle(publisher, subscriber)
    assert topic(subscriber)["lost_event_count"] == 0
