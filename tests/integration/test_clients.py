"""Programs that only receive: what the agent in them counts, compared with what was pushed and what their
callbacks saw; and that nothing is opened in programs that have not subscribed.

None of the programs in Debian's tango packages subscribes (tango_admin, Starter, DataBaseds, TangoTest).
"""

import os
import re
import signal
import subprocess
import textwrap
import threading
from pathlib import Path

import pytest
import tango
from agent_answers import ask, stream
from clients import (
    CLIENTS,
    CPP_CLIENT,
    NoAgent,
    addresses,
    ask_agent,
    push_until_one_arrives,
    settled,
    subscribe,
)
from elf_files import call_own_functions_directly, libtango_path
from tango_servers import (
    AGENT_LIB,
    LAUNCHER,
    MONITOR,
    PYTHON,
    ROOT,
    SERVERS,
    agent_environment,
    clean_environment,
    free_port,
    need,
    wait_for,
)

BURST = 300


def received(client, name="burst"):
    return client.do(f"len(received[{name!r}])")


def newest(client, name="burst"):
    return client.do(f"received[{name!r}][-1] if received[{name!r}] else None")


def with_subscription(driven, publisher, **env):
    client = driven(**env)
    subscribe(client, publisher)
    at_first = received(client)  # the value that Tango reads when it subscribes is no event
    push_until_one_arrives(publisher, lambda: received(client) > at_first)
    return client, at_first


def answers(proxy):
    try:
        return proxy.State() is not None
    except tango.DevFailed:
        return False


def launch(verb, client):
    return subprocess.run(
        [need(LAUNCHER), verb, str(client.pid)],
        env=clean_environment(), capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip


def check_why_it_is_asleep(client, reason):
    """Each command says in one line why the agent that is there doesn't answer."""
    for verb in ("attach", "query", "detach"):
        done = launch(verb, client)
        assert (done.returncode, done.stdout) == (1, ""), verb
        assert done.stderr.count("\n") == 1 and reason in done.stderr


def attach(client):
    done = launch("attach", client)
    assert done.returncode == 0, done.stdout + done.stderr
    wait_for(lambda: addresses(client.pid), 30, "its socket")


def check_counts(client, publisher, at_first):
    settled(publisher, lambda: newest(client))
    topic = client.topic()
    assert topic["event_count"] == received(client) - at_first
    assert topic["lost_event_count"] == 0
    assert topic["callback_count"] == 1
    return topic


# ---- what is counted ----


def test_a_script(servers, driven, database):
    pub = servers.publisher("test/clients_script/1", "clients_script", database=database, agent=True)
    client, at_first = with_subscription(driven, pub)
    pub.proxy().PushBurst(BURST)
    topic = check_counts(client, pub, at_first)
    assert topic["event_count"] > BURST
    assert topic["server_counter"] == stream(pub)["pushed_event_count"] == pub.proxy().pushed

    identity = client.identity()
    assert identity["pid"] == client.pid
    assert identity["program"] == "driven.py"
    assert identity["admin_device"] is None
    assert re.match(r"\d+\.\d+\.\d+$", identity["tango_version"])
    answer = client.ask()
    assert answer["server"]["event_streams"] == {}
    assert answer["agent"]["pid"] == client.pid
    assert answer["client"]["consumer_thread"]["state"] == "polling"
    (channel,) = answer["client"]["event_channels"].values()
    assert channel["event_endpoint"].startswith("tcp://")
    assert client.end() == 0
    assert addresses(client.pid) == set()


def test_subscribing_again_and_again(servers, driven, database):
    pub = servers.publisher("test/clients_again/1", "clients_again", database=database)
    client = driven()
    for _ in range(5):
        subscribe(client, pub)
        at_first = received(client)
        push_until_one_arrives(pub, lambda: received(client) > at_first)
        pub.proxy().PushBurst(10)
        check_counts(client, pub, at_first)
        client.do("burst_proxy.unsubscribe_event(burst_id)")
        client.do("received.clear()")
        assert client.topics() == {}
    threads = client.threads
    for _ in range(20):
        subscribe(client, pub)
        client.do("burst_proxy.unsubscribe_event(burst_id)")
    assert client.threads <= threads
    assert len(addresses(client.pid)) == 1


def test_lost_events(servers, driven, database):
    """An overflow: what the callback didn't see is what is counted as lost."""
    pub = servers.publisher("test/clients_lost/1", "clients_lost", database=database)
    client, at_first = with_subscription(driven, pub, TANGO_EVENT_BUFFER_HWM=10)
    first = client.do("[value for value in received['burst'] if value > 0][0]")
    for number in (20000, 40000, 80000):
        client.do("delay[0] = 0.002")
        pub.proxy().PushBurst(number)
        client.do("delay[0] = 0")

        def drained(seen=[None]):
            before, seen[0] = seen[0], received(client)
            return before == seen[0]

        wait_for(drained, 60, "the events under way", 0.5)
        pub.proxy().PushBurst(1)
        settled(pub, lambda: newest(client))
        if client.topic()["lost_event_count"]:
            break
    topic = client.topic()
    values = client.do("sorted({value for value in received['burst'] if value >= %r})" % first)
    missing = values[-1] - values[0] + 1 - len(values)
    assert topic["lost_event_count"] == missing > 0
    assert topic["missed_event_count"] == client.do("errors.count('API_MissedEvents')")
    assert topic["event_count"] == received(client) - at_first


def test_an_event_queue(servers, driven, database):
    """Events that are pulled, without a callback."""
    pub = servers.publisher("test/clients_queue/1", "clients_queue", database=database)
    client = driven()
    client.do(
        f"proxy = tango.DeviceProxy({pub.name()!r});"
        " queue = proxy.subscribe_event('burst', tango.EventType.CHANGE_EVENT, 5000, [], False); events = []"
    )
    pull = "events.extend(event.attr_value.value for event in proxy.get_events(queue)) or len(events)"
    at_first = client.do(pull)
    push_until_one_arrives(pub, lambda: client.do(pull) > at_first)
    pub.proxy().PushBurst(BURST)
    settled(pub, lambda: client.do(pull) and client.do("events[-1]"))
    topic = client.topic()
    assert topic["event_count"] == client.do("len(events)") - at_first > BURST
    assert (topic["lost_event_count"], topic["callback_count"]) == (0, 1)


def test_devices_of_several_hosts(servers, driven):
    pubs = [
        servers.publisher(f"test/clients_host/{number}", f"clients_host{number}") for number in range(2)
    ]
    client = driven()
    for number, pub in enumerate(pubs):
        subscribe(client, pub, f"host{number}")
        name, at_first = f"host{number}", received(client, f"host{number}")
        push_until_one_arrives(pub, lambda: received(client, name) > at_first)
        pub.proxy().PushBurst(10 * (number + 1))
        settled(pub, lambda: newest(client, name))
        topic = client.topic(f"test/clients_host/{number}")
        assert topic["event_count"] == received(client, name) - at_first
    assert len(client.topics()) == len(client.ask()["client"]["event_channels"]) == 2


@pytest.mark.parametrize("loop", ["asyncio", "gevent"])
def test_an_event_loop(servers, clients, database, loop):
    pub = servers.publisher(f"test/clients_{loop}/1", f"clients_{loop}", database=database)
    client = clients(PYTHON, CLIENTS / "coroutines.py", loop, pub.name(), "burst")
    count, _ = map(int, client.line().split())
    at_first = count
    push_until_one_arrives(pub, lambda: int(client.line().split()[0]) > at_first)
    pub.proxy().PushBurst(BURST)
    settled(pub, lambda: int(client.line().split()[1]))
    assert client.topic()["event_count"] == int(client.line().split()[0]) - at_first > BURST
    assert client.identity()["program"] == "coroutines.py"
    assert client.end() == 0


def test_a_cpp_program(servers, clients, database):
    pub = servers.publisher("test/clients_cpp/1", "clients_cpp", database=database)
    client = clients(need(CPP_CLIENT), pub.attribute("burst"))
    at_first = int(client.line().split()[0])
    push_until_one_arrives(pub, lambda: int(client.line().split()[0]) > at_first)
    pub.proxy().PushBurst(BURST)
    settled(pub, lambda: int(client.line().split()[2]))
    values, errors, _ = map(int, client.line().split())
    assert (client.topic()["event_count"], errors) == (values - at_first, 0)
    assert client.identity()["program"] == "cpp_client"
    assert client.end() == 0


# ---- processes ----


def test_nothing_is_opened_without_a_subscription(servers, driven, database):
    pub = servers.publisher("test/clients_none/1", "clients_none", database=database)
    seen = []
    for agent in (False, True):
        client = driven(agent=agent, SKA_TANGO_EVENT_AGENT_LOG="debug")
        client.do(f"proxy = tango.DeviceProxy({pub.name()!r}); proxy.read_attribute('burst')")
        client.do("proxy.State(); proxy.get_attribute_config('burst')")
        seen.append((client.threads, len(os.listdir(f"/proc/{client.pid}/fd")), addresses(client.pid)))
        assert client.output() == ""
    check_why_it_is_asleep(client, "it begins by itself with the first subscription")
    assert seen[0] == seen[1] and seen[1][2] == set()


def test_programs_of_debian(servers, database):
    pub = servers.publisher("test/clients_admin/1", "clients_admin", database=database)
    done = subprocess.run(
        ["tango_admin", "--ping-device", pub.first_device, "5"],
        env=agent_environment(TANGO_HOST=database.tango_host, SKA_TANGO_EVENT_AGENT_LOG="debug"),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_a_client_that_becomes_a_server(servers, driven, database):
    pub = servers.publisher("test/clients_later/1", "clients_later", database=database)
    client, at_first = with_subscription(driven, pub, TANGO_HOST=database.tango_host)
    before = addresses(client.pid)
    assert client.identity()["admin_device"] is None
    client.do("from tango.server import Device, run")
    client.send(
        '"class Late(Device): pass\\n'
        f"run((Late,), args=['late', 'one', '-nodb', '-dlist', 'test/late/1',"
        f" '-ORBendPoint', 'giop:tcp:127.0.0.1:{free_port()}'])\""
    )
    wait_for(lambda: client.identity()["admin_device"] == "dserver/late/one", 30, "the server")
    assert addresses(client.pid) == before
    pub.proxy().PushBurst(BURST)
    wait_for(lambda: client.topic()["server_counter"] == pub.proxy().pushed, 30, "the events")


def test_a_detached_client_that_becomes_a_server_gets_no_commands(servers, driven, database):
    pub = servers.publisher("test/clients_latest/1", "clients_latest", database=database)
    client, _ = with_subscription(driven, pub, TANGO_HOST=database.tango_host)
    client.ask("Detach")
    port = free_port()
    client.do("from tango.server import Device, run")
    client.send(
        '"class Late(Device): pass\\n'
        f"run((Late,), args=['late', 'two', '-nodb', '-dlist', 'test/late/2',"
        f" '-ORBendPoint', 'giop:tcp:127.0.0.1:{port}'])\""
    )
    wait_for(lambda: client.identity()["admin_device"] == "dserver/late/two", 30, "the server")
    admin = tango.DeviceProxy(f"tango://127.0.0.1:{port}/dserver/late/two#dbase=no")
    wait_for(lambda: answers(admin), 30, "the admin device")

    def ours():
        admin.State()
        return {info.cmd_name for info in admin.command_list_query()} & {"QueryEventAgent"}

    for _ in range(3):
        assert not ours()
    client.ask("Attach")
    assert ours()


def test_a_child_neither_answers_nor_keeps_the_address(servers, driven, database):
    pub = servers.publisher("test/clients_fork/1", "clients_fork", database=database)
    client, _ = with_subscription(driven, pub)
    client.do("import os, subprocess")
    children = [
        client.do("os.fork() or time.sleep(60) or os._exit(0)"),
        client.do("subprocess.Popen(['sleep', '60']).pid"),
    ]
    try:
        for child in children:
            assert addresses(child) == set()
            with pytest.raises(NoAgent):
                ask_agent(child)
        assert client.identity()["pid"] == client.pid
        client.process.kill()
        client.process.wait()
        assert all(Path(f"/proc/{child}").exists() for child in children)
        assert addresses(client.pid) == set()
    finally:
        for child in children:
            os.kill(child, signal.SIGKILL)


def test_exec_ends_it(servers, driven, database):
    pub = servers.publisher("test/clients_exec/1", "clients_exec", database=database)
    client, _ = with_subscription(driven, pub)
    assert addresses(client.pid)
    client.send("\"import os; os.execvp('cat', ['cat'])\"")
    # What comes before that, Python may read in advance.
    wait_for(lambda: Path(f"/proc/{client.pid}/comm").read_text() == "cat\n", 30, "the other program")
    assert client.line("hello") == "hello\n"
    assert addresses(client.pid) == set()


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_a_process_of_multiprocessing(servers, clients, database, tmp_path, method):
    """It subscribes, and so does its parent: each answers for itself."""
    pub = servers.publisher(f"test/clients_{method}/1", f"clients_{method}", database=database)
    script = tmp_path / "parallel.py"
    script.write_text(
        textwrap.dedent(
            f"""
            import ctypes, multiprocessing, os, signal, sys
            import tango

            def receive(lines, answers):
                ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG: it ends with its parent
                values = []
                def callback(event):
                    if not event.err:
                        values.append(event.attr_value.value)
                proxy = tango.DeviceProxy({pub.name()!r})
                proxy.subscribe_event("burst", tango.EventType.CHANGE_EVENT, callback)
                answers.send((os.getpid(), len(values)))
                while lines.recv():
                    answers.send((len(values), int(values[-1])))

            if __name__ == "__main__":
                context = multiprocessing.get_context({method!r})
                mine, theirs = context.Pipe()
                child = context.Process(target=receive, args=(theirs, theirs), daemon=True)
                child.start()
                print(*mine.recv(), flush=True)
                values = []
                proxy = tango.DeviceProxy({pub.name()!r})
                proxy.subscribe_event("burst", tango.EventType.CHANGE_EVENT,
                                      lambda event: event.err or values.append(event.attr_value.value))
                print(len(values), flush=True)
                for line in sys.stdin:
                    mine.send(True)
                    print(*mine.recv(), len(values), int(values[-1]), flush=True)
            """
        )
    )
    client = clients(PYTHON, script)
    child, child_first = map(int, client.read().split())
    first = int(client.read())

    def counts():
        return list(map(int, client.line().split()))

    push_until_one_arrives(pub, lambda: counts()[0] > child_first and counts()[2] > first)
    pub.proxy().PushBurst(BURST)
    settled(pub, lambda: counts()[1])
    settled(pub, lambda: counts()[3])
    seen = counts()
    for pid, count in ((child, seen[0] - child_first), (client.pid, seen[2] - first)):
        (topic,) = ask_agent(pid)["client"]["event_callbacks"].values()
        assert (topic["event_count"], topic["lost_event_count"]) == (count, 0)
        assert ask_agent(pid, "Identify")["pid"] == pid


def late_copy(folder, wanted):
    """The agent as attach loads it: attach itself needs a thread of Tango's, and none goes with a fork."""
    magic = b"SKA-TANGO-EVENT-AGENT-OPTIONS-1\0"
    path = folder / "late.so"
    path.write_bytes(AGENT_LIB.read_bytes().replace(magic + b"\0", magic + b"\1", 1))
    return [path] if wanted else []


@pytest.mark.parametrize("loaded", ["late", "at start"])
def test_a_child_that_subscribes(servers, clients, database, tmp_path, loaded):
    """Its parent is watched; the child begins when it subscribes."""
    pub = servers.publisher("test/clients_child/1", "clients_child", database=database)
    script = tmp_path / "parent.py"
    script.write_text(
        textwrap.dedent(
            f"""
            import ctypes, os, sys, time
            import tango

            for path in sys.argv[1:]:
                ctypes.CDLL(path)
            print("ready", flush=True)
            sys.stdin.readline()
            if os.fork():
                os.wait()
            print(os.getpid(), flush=True)
            values = []
            for line in sys.stdin:
                if not values:
                    proxy = tango.DeviceProxy({pub.name()!r})
                    proxy.subscribe_event("burst", tango.EventType.CHANGE_EVENT,
                                          lambda event: event.err or values.append(event.attr_value.value))
                print(len(values), int(values[-1]), flush=True)
            """
        )
    )
    client = clients(PYTHON, script, *late_copy(tmp_path, loaded == "late"), agent=loaded == "at start")
    assert client.read() == "ready\n"
    if loaded == "late":
        wait_for(lambda: addresses(client.pid), 20, "its parent's socket")
    child = int(client.line())
    assert addresses(child) == set()
    at_first, _ = map(int, client.line().split())
    wait_for(lambda: addresses(child), 20, "its socket")
    push_until_one_arrives(pub, lambda: int(client.line().split()[0]) > at_first)
    pub.proxy().PushBurst(BURST)
    settled(pub, lambda: int(client.line().split()[1]))
    (topic,) = ask_agent(child)["client"]["event_callbacks"].values()
    assert topic["event_count"] == int(client.line().split()[0]) - at_first > BURST
    identity = ask_agent(child, "Identify")
    assert (identity["pid"], identity["loaded"]) == (child, loaded)


# ---- settings ----


def test_only_servers(servers, driven, database):
    pub = servers.publisher(
        "test/clients_only/1", "clients_only", database=database, agent=True,
        env={"SKA_TANGO_EVENT_AGENT": "Servers"},
    )  # fmt: skip
    client = driven(SKA_TANGO_EVENT_AGENT="servers", SKA_TANGO_EVENT_AGENT_LOG="debug")
    subscribe(client, pub)
    assert addresses(client.pid) == set() and client.output() == ""
    check_why_it_is_asleep(client, "watches servers only (SKA_TANGO_EVENT_AGENT=servers)")
    assert ask(pub)["agent"]["pid"] == pub.pid == ask_agent(pub.pid, "Identify")["pid"]
    assert ask_agent(pub.pid, "Identify")["admin_device"] == "dserver/publisher/clients_only"


def test_no_socket(servers, driven, database):
    env = {"SKA_TANGO_EVENT_AGENT_SOCKET": "OFF"}
    pub = servers.publisher("test/clients_off/1", "clients_off", database=database, agent=True, env=env)
    client = driven(**env)
    subscribe(client, pub)
    assert ask(pub)["agent"]["pid"] == pub.pid
    assert addresses(pub.pid) == addresses(client.pid) == set()
    assert client.output() == ""
    check_why_it_is_asleep(pub, "ska-tango-event-monitor dserver/publisher/clients_off\n")
    check_why_it_is_asleep(client, "(SKA_TANGO_EVENT_AGENT_SOCKET=off): restart it without")


def test_the_agent_is_off(servers, driven, database):
    pub = servers.publisher("test/clients_no/1", "clients_no", database=database)
    client = driven(SKA_TANGO_EVENT_AGENT="off")
    subscribe(client, pub)
    assert addresses(client.pid) == set() and client.output() == ""
    check_why_it_is_asleep(client, "switched off since it was started (SKA_TANGO_EVENT_AGENT=off)")


# ---- the hook of the wheel ----


def by_hook(clients, tmp_path, *options, agent=AGENT_LIB, **env):
    """A driven client in which the wheel's start-up hook waits for Tango, as its .pth file has it."""
    program = tmp_path / "hooked.py"
    program.write_text(
        f"import sys; sys.path.insert(0, {str(ROOT / 'packaging' / 'python')!r})\n"
        "import _ska_tango_event_agent as agent\n"
        f"agent.installed_path = agent.agent_path = lambda: {str(agent)!r}\n"
        "agent.wait_for_tango()\n"
        f"exec(compile(open({str(CLIENTS / 'driven.py')!r}).read(), 'driven.py', 'exec'))\n"
    )
    client = clients(PYTHON, *options, program, agent=False, **env)
    client.do("import tango")
    return client


@pytest.mark.not_under_sanitizers("their runtime has to be loaded first")
def test_the_wheels_hook(servers, clients, database, tmp_path):
    pub = servers.publisher("test/clients_hook/1", "clients_hook", database=database)
    client = by_hook(clients, tmp_path)
    assert addresses(client.pid) == set()
    subscribe(client, pub)
    at_first = received(client)
    push_until_one_arrives(pub, lambda: received(client) > at_first)
    pub.proxy().PushBurst(BURST)
    check_counts(client, pub, at_first)
    assert client.identity()["program"] == "hooked.py"


@pytest.mark.not_under_sanitizers("their runtime has to be loaded first")
def test_an_environment_that_is_ignored(servers, clients, database, tmp_path):
    """python3 -E: the agent is there, whatever the variables say."""
    pub = servers.publisher("test/clients_e/1", "clients_e", database=database)
    for name, value in (("SKA_TANGO_EVENT_AGENT", "servers"), ("SKA_TANGO_EVENT_AGENT_SOCKET", "off")):
        client = by_hook(clients, tmp_path, **{name: value})
        subscribe(client, pub)
        assert addresses(client.pid) == set()
        client = by_hook(clients, tmp_path, "-E", **{name: value})
        subscribe(client, pub)
        assert client.identity()["program"] == "hooked.py"


def test_who_it_says_it_is(servers, clients, database, tmp_path):
    """By its module, its title, or what an interpreter was told."""
    pub = servers.publisher("test/clients_name/1", "clients_name", database=database)
    package = tmp_path / "pack"
    package.mkdir()
    source = (CLIENTS / "driven.py").read_text(encoding="utf-8")
    for path in ("__init__.py", "__main__.py", "k\u00e4se.py"):
        (package / path).write_text("" if path == "__init__.py" else source)
    ways = {
        "pack": [PYTHON, "-u", "-m", "pack"],
        "k\u00e4se.py": [PYTHON, package / "k\u00e4se.py"],
        "python3": [PYTHON, "-c", source],
    }
    for name, argv in ways.items():
        client = clients(*argv)
        client.do("import tango")
        subscribe(client, pub)
        assert client.identity()["program"] == name


def test_a_client_that_is_attached_to(servers, driven, database):
    """It had subscribed before: its counts begin with the next event."""
    pub = servers.publisher("test/clients_attach/1", "clients_attach", database=database)
    client, _ = with_subscription(driven, pub, agent=False)
    assert addresses(client.pid) == set()
    attach(client)
    before = received(client)
    pub.proxy().PushBurst(BURST)
    settled(pub, lambda: newest(client))
    topic = client.topic()
    assert topic["event_count"] == received(client) - before == BURST
    assert topic["callback_count"] is None
    assert client.identity()["program"] == "driven.py"


def test_a_libtango_that_calls_its_own_functions_directly(servers, driven, database, tmp_path):
    """As Ubuntu's: an agent in it from the start doesn't notice a client; one that is attached does."""
    path, soname = libtango_path()
    (tmp_path / soname).write_bytes(call_own_functions_directly(Path(path).read_bytes()))
    pub = servers.publisher("test/clients_direct/1", "clients_direct", database=database)
    client, _ = with_subscription(driven, pub, LD_LIBRARY_PATH=tmp_path)
    assert str(tmp_path / soname) in Path(f"/proc/{client.pid}/maps").read_text(encoding="utf-8")
    assert addresses(client.pid) == set() and client.output() == ""
    check_why_it_is_asleep(client, "its libtango calls its own functions directly")

    client, _ = with_subscription(driven, pub, agent=False, LD_LIBRARY_PATH=tmp_path)
    attach(client)
    before = received(client)
    pub.proxy().PushBurst(BURST)
    settled(pub, lambda: newest(client))
    assert client.topic()["event_count"] == received(client) - before == BURST


def test_ending_while_it_is_asked(servers, driven, database):
    """It ends as it would have, and whoever asks gets an answer, a refusal, or nothing."""
    pub = servers.publisher("test/clients_end/1", "clients_end", database=database)
    for _ in range(3):
        client = driven()
        subscribe(client, pub)
        ends = threading.Thread(target=client.process.stdin.close)
        asked = 0
        while client.process.poll() is None:
            try:
                ask_agent(client.pid)
                asked += 1
            except (NoAgent, ValueError, OSError):
                continue
            if asked == 20:
                ends.start()
        ends.join()
        assert asked >= 20 and client.process.returncode == 0, client.output()


def test_the_subscription_of_a_test_itself(tmp_path):
    """The pytest plugin records the test's own process, if it is told to: docs/testing.md."""
    (tmp_path / "test_it.py").write_text(
        textwrap.dedent(
            f"""
            import os, sys, time
            import tango
            from tango.test_context import DeviceTestContext
            sys.path.insert(0, {str(SERVERS)!r})
            from publisher import Publisher
            from ska_tango_event_monitor.pytest_plugin import no_events_lost

            def test_own(tango_events):
                with DeviceTestContext(Publisher, process=True, timeout=60) as pub:
                    values = []
                    pub.subscribe_event("burst", tango.EventType.CHANGE_EVENT, values.append)
                    for _ in range(100):
                        if len(values) > 1:
                            break
                        pub.PushBurst(1)
                        time.sleep(0.1)
                    tango_events.watch(f"pid:{{os.getpid()}}")
                    with no_events_lost(pub):
                        pub.PushBurst(100)
                    assert tango_events.received() == 100
            """
        )
    )
    done = subprocess.run(
        [PYTHON, "-m", "pytest", "-p", "_ska_tango_event_pytest", "-q", "--tango-events=events"],
        env=agent_environment(
            PYTHONPATH=ROOT / "packaging" / "python", SKA_TANGO_EVENT_MONITOR_PROGRAM=need(MONITOR)
        ),
        cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
