"""The agent does no harm: whatever else a server does, it behaves as it would without the agent."""

import ctypes.util
import json
import os
import re
import shutil
import signal
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import tango
from tango_servers import AGENT_LIB, PYTHON, SANITIZER_OPTIONS, agent_environment, wait_for

pytestmark = pytest.mark.sanitizers

COMMANDS = {
    "QueryEventAgent",
    "StartEventSystemPerfMon",
    "StopEventSystemPerfMon",
}
MANY = 200


def ask(server):
    return json.loads(server.admin_proxy().QueryEventAgent())


def guest(servers, **options):
    devices = {"Publisher": ["test/pub/1"], "Subscriber": ["test/sub/1"], "Guest": ["test/guest/1"]}
    return servers.python("guest.py", devices, **options)


def counts(server):
    """{stream: pushed}, {topic: received}."""
    answer = ask(server)
    streams = {k: v["pushed_event_count"] for k, v in answer["server"]["event_streams"].items()}
    topics = {k: v["event_count"] for k, v in answer["client"]["event_callbacks"].items()}
    return streams, topics


def subscribe(server):
    """To its own burst; returns when events flow."""
    server.proxy("test/sub/1").Subscribe([server.attribute("burst"), "change"])
    at_first = server.proxy("test/sub/1").received

    def arrived():
        server.proxy("test/pub/1").PushBurst(1)
        return server.proxy("test/sub/1").received > at_first

    wait_for(arrived, 30, "the first event", 0.1)
    newest(server)


def newest(server):
    """Wait until the callback has seen the newest event."""
    pushed = server.proxy("test/pub/1").pushed

    def seen():
        (details,) = json.loads(server.proxy("test/sub/1").details).values()
        return details["last_value"] == pushed

    wait_for(seen, 60, f"event {pushed}")


def push_and_compare(server, count=MANY):
    """Events, counted on both sides and compared with what was pushed and with the callbacks."""
    (pushed,), (received,) = (list(each.values()) for each in counts(server))
    called = server.proxy("test/sub/1").received
    # Fewer than the queues hold; and by no thread of its own, behind which a forked child of PyTango
    # ends with 1, with or without the agent.
    server.proxy("test/pub/1").PushBurst(count)
    newest(server)
    assert server.proxy("test/sub/1").received - called == count
    streams, topics = counts(server)
    assert list(streams.values()) == [pushed + count]
    assert list(topics.values()) == [received + count]


# ---- other users of ZeroMQ ----


def other_libzmq(folder):
    """A copy of libzmq that the loader takes for another library."""
    path = Path(f"/usr/lib/{os.uname().machine}-linux-gnu") / ctypes.util.find_library("zmq")
    copy = Path(folder) / "libother-zmq.so.5"
    shutil.copy(path, copy)
    subprocess.run(["patchelf", "--set-soname", copy.name, copy], check=True)
    return copy


def test_other_users_of_zeromq_are_untouched(servers, agent_lib, database, tmp_path):
    server = guest(servers, agent=True, database=database)
    subscribe(server)
    proxy = server.proxy("test/guest/1")
    copy = other_libzmq(tmp_path)
    proxy.StartTraffic("")
    proxy.StartTraffic(str(copy))
    with open(f"/proc/{server.pid}/maps", encoding="utf-8") as maps:
        loaded = maps.read()
    assert str(copy) in loaded and "libzmq.so.5" in loaded
    server.admin_proxy().StartEventSystemPerfMon()
    push_and_compare(server)
    wait_for(
        lambda: all(received > 500 for _, received, _ in json.loads(proxy.Traffic())),
        60,
        "messages of both",
    )
    # Messages that look like Tango's events: none of them is counted.
    for sent, received, wrong in json.loads(proxy.StopTraffic()):
        assert sent == received and wrong == 0
    streams, topics = counts(server)
    assert not any("nowhere" in name for name in [*streams, *topics])
    push_and_compare(server)


# ---- processes ----


def test_fork_and_exec(servers, agent_lib, database):
    server = guest(servers, agent=True, database=database)
    subscribe(server)
    proxy = server.proxy("test/guest/1")
    for _ in range(3):
        (child, number), status = json.loads(proxy.Fork())
        assert child != server.pid and number == 488_890 and status == 0
        push_and_compare(server)
    # Children that start with LD_PRELOAD as it is: none of them is a Tango server.
    assert json.loads(proxy.Execute(["/bin/echo", "hello"])) == [0, "hello\n"]
    script = "import sys, zmq; print('tango' in sys.modules)"
    assert json.loads(proxy.Execute([PYTHON, "-c", script])) == [0, "False\n"]
    assert json.loads(proxy.Execute(["/bin/sh", "-c", "exec false"])) == [1, ""]
    push_and_compare(server)
    assert server.stop() in (0, -signal.SIGTERM)


def test_a_server_behind_exec(servers, agent_lib):
    """As start scripts do: the agent is preloaded into a shell that becomes the server."""
    server = servers.add(
        ["/bin/sh", "-c", f'exec {PYTHON} {Path(__file__).parent}/servers/both.py "$@"', "both"],
        "test",
        {"Publisher": ["test/pub/1"], "Subscriber": ["test/sub/1"]},
        agent=True,
    )
    names = {info.cmd_name for info in server.admin_proxy().command_list_query()}
    assert COMMANDS <= names


def test_to_open_and_close_the_agent(servers, agent_lib, database, tmp_path):
    copy = shutil.copy(agent_lib, tmp_path / "agent-copy.so")
    server = guest(servers, agent=True, database=database)
    subscribe(server)
    for path in (agent_lib, copy):
        server.proxy("test/guest/1").OpenAndClose(str(path))
        push_and_compare(server, 50)
    # And where there is neither Tango nor a preloaded agent.
    script = (
        "import ctypes, _ctypes, sys\n"
        "library = ctypes.CDLL(sys.argv[1])\n"
        "_ctypes.dlclose(library._handle)\n"
        "print('closed')\n"
    )
    environment = agent_environment(agent_lib)
    preload = environment.pop("LD_PRELOAD").split()[:-1]
    if preload:
        environment["LD_PRELOAD"] = " ".join(preload)
    done = subprocess.run(
        [PYTHON, "-c", script, str(agent_lib)],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "closed\n", "")


def test_an_agent_that_is_opened_late(servers, agent_lib, database, tmp_path):
    """As a start-up hook of Python does: opened, before tango is imported, for all to see."""
    script = tmp_path / "both.py"  # its name is the server's
    script.write_text(
        "import ctypes, os, runpy, sys\n"
        "ctypes.CDLL(os.environ['LATE_AGENT'], mode=ctypes.RTLD_GLOBAL)\n"
        "sys.path.insert(0, os.path.dirname(os.environ['LATE_SERVER']))\n"
        "sys.argv[0] = os.environ['LATE_SERVER']\n"
        "runpy.run_path(os.environ['LATE_SERVER'], run_name='__main__')\n"
    )
    environment = agent_environment(agent_lib)
    preload = " ".join(environment["LD_PRELOAD"].split()[:-1])
    devices = {"Publisher": ["test/pub/1"], "Subscriber": ["test/sub/1"]}
    env = {
        "LATE_AGENT": agent_lib,
        "LATE_SERVER": Path(__file__).parent / "servers" / "both.py",
        **({"LD_PRELOAD": preload} if preload else {}),
        **{k: v for k, v in environment.items() if k == "ASAN_OPTIONS"},
    }
    server = servers.add([PYTHON, script], "late", devices, database=None, env=env)
    names = {info.cmd_name for info in server.admin_proxy().command_list_query()}
    assert COMMANDS <= names


@pytest.mark.parametrize("with_agent", [False, True])
def test_kill(servers, agent_lib, with_agent):
    server = servers.cpp_publisher(agent=with_agent, env=SANITIZER_OPTIONS)
    assert server.end_by_command() in (0, -signal.SIGKILL, -signal.SIGTERM, 255)


# ---- exceptions and signals ----


@pytest.mark.parametrize("with_agent", [False, True])
def test_exceptions_of_push_event_reach_who_pushes(servers, agent_lib, database, with_agent):
    publisher = servers.cpp_publisher(agent=with_agent, database=database)
    subscriber = servers.subscriber(database=database)
    subscriber.proxy().Subscribe([publisher.attribute("burst"), "change"])
    if with_agent:
        publisher.admin_proxy().StartEventSystemPerfMon()
    publisher.proxy().PushBurst(10)
    publisher.proxy().BreakPublishing()
    for _ in range(50):
        with pytest.raises(tango.DevFailed) as caught:
            publisher.proxy().PushBurst(1)
        assert caught.value.args[0].reason == "API_ZmqFailed"
    if with_agent:
        (stream,) = ask(publisher)["server"]["event_streams"].values()
        assert stream["pushed_event_count"] == 10, "what was not sent is not counted"
        assert len(ask(publisher)["server"]["perf"]) == 0
    assert publisher.proxy().pushed == 60
    publisher.kill()


def test_signals_in_the_middle_of_hooks(servers, agent_lib, database):
    for attempt in range(5):
        try:
            push_under_signals(servers, database, f"signals-{attempt}")
            return
        except tango.DevFailed as error:
            # Where a signal meets ZeroMQ in a system call, cppTango gives the event up, with or
            # without the agent; what was pushed isn't known then.
            if "Interrupted system call" not in str(error):
                raise
        servers.servers[-1].stop()
        servers.servers[-2].stop()
    raise AssertionError("cppTango gave up an event each time")


def push_under_signals(servers, database, instance):
    publisher = servers.cpp_publisher(agent=True, database=database, instance=instance)
    subscriber = servers.cpp_subscriber(agent=True, database=database, instance=instance)
    number = subscriber.proxy().Subscribe(publisher.attribute("burst"))
    publisher.admin_proxy().StartEventSystemPerfMon()
    publisher.proxy().StartSignals(50)

    def seen():
        threads = json.loads(subscriber.proxy().Truth())[str(number)]["threads"].values()
        return max(each["last"] for each in threads)

    def arrived():
        publisher.proxy().PushBurst(1)
        return seen() == publisher.proxy().pushed

    wait_for(arrived, 30, "the first event", 0.1)
    before = publisher.proxy().pushed
    (stream,) = ask(publisher)["server"]["event_streams"].values()
    for _ in range(200):
        publisher.proxy().PushBurst(500)
    wait_for(arrived, 60, "the last event", 0.1)
    assert publisher.proxy().Signals() > 20, "signals came while it pushed"
    (now,) = ask(publisher)["server"]["event_streams"].values()
    pushed = publisher.proxy().pushed - before
    assert now["pushed_event_count"] - stream["pushed_event_count"] == pushed
    (topic,) = ask(subscriber)["client"]["event_callbacks"].values()
    assert topic["server_counter"] == now["pushed_event_count"]


# ---- queries ----


def test_queries_in_a_loop_disturb_no_event(servers, agent_lib, database):
    """Clients that ask as fast as they can, while events come as fast as they can."""
    publisher = servers.cpp_publisher(agent=True, database=database)
    subscriber = servers.cpp_subscriber(agent=True, database=database)
    number = str(subscriber.proxy().Subscribe(publisher.attribute("burst")))
    for server in (publisher, subscriber):
        server.admin_proxy().StartEventSystemPerfMon()
    done = []

    def query(server):
        proxy = server.admin_proxy()
        asked = 0
        while not done:
            answer = json.loads(proxy.QueryEventAgent())
            asked += 1
            for stream in answer["server"]["event_streams"].values():
                # Consistent numbers: all events have the same size, so a torn read would show.
                if stream["pushed_event_count"]:
                    assert stream["byte_count"] % stream["pushed_event_count"] == 0
            for topic in (answer["client"] or {"event_callbacks": {}})["event_callbacks"].values():
                if topic["event_count"]:
                    assert topic["byte_count"] % topic["event_count"] == 0
        return asked

    def truth():
        return json.loads(subscriber.proxy().Truth())[number]["threads"]

    def arrived():
        publisher.proxy().PushBurst(1)
        pushed = publisher.proxy().pushed
        return any(each["last"] == pushed for each in truth().values())

    wait_for(arrived, 30, "the first event", 0.1)
    with ThreadPoolExecutor(4) as pool:
        queries = [pool.submit(query, server) for server in (publisher, subscriber) * 2]
        try:
            for _ in range(20):
                publisher.proxy().PushBurst(5000)
            wait_for(arrived, 60, "the last event", 0.1)
        finally:
            done.append(True)
        assert all(each.result() > 10 for each in queries)
    (stream,) = ask(publisher)["server"]["event_streams"].values()
    (topic,) = ask(subscriber)["client"]["event_callbacks"].values()
    thread = str(ask(subscriber)["client"]["consumer_thread"]["thread_id"])
    assert topic["event_count"] == truth()[thread]["values"]
    assert topic["lost_event_count"] == truth()[thread]["gaps"]
    assert stream["push_event_histogram"]["count"] >= 100_000


# ---- a libtango that lacks something ----


def used_symbols():
    """The names of libtango's and libzmq's that the built agent looks for, or hooks."""
    if not AGENT_LIB.exists():
        return []
    names = re.findall(rb"\0(_Z[A-Za-z0-9_]+|zmq_[a-z_]+)\0", AGENT_LIB.read_bytes().replace(b"\0", b"\0\0"))
    # What the unstripped file says of its own types and sources isn't looked for.
    own = {"zmq_msg_t", "zmq_pollitem_t", "zmq_message", "zmq_msg"}
    return sorted({name.decode() for name in names} - own)


# Of these it makes no difference on this Tango, or none that is worth a line.
OPTIONAL = {
    "zmq_recvmsg",
    "zmq_getsockopt",
    "_ZTVN5Tango22DevQueryEventSystemCmdE",
    # By either of these it knows libtango.
    "_ZN5Tango4Util8instanceEb",
    "_ZN5Tango4Util10server_runEv",
    "_ZN5Tango28EventConsumerKeepAliveThread29stateless_subscription_failed",
    "_ZN5Tango26_convert_tango_lib_releaseEv",
    "_ZN5Tango11DeviceProxy8dev_nameB5cxx11Ev",
    "_ZN5Tango11DeviceProxy8dev_nameEv",
    "_ZN5Tango13EventConsumer18subscribe_event_idE",
    "_ZN5Tango13EventConsumer23add_not_connected_event",
    "_ZdlPv",
    "_ZdlPvm",
    # Of 10.1 and later.
    "_ZN5Tango13EventConsumer24async_event_subscription",
    # Each of them tells where libtango is.
    "_ZN5Tango4Util4initEiPPc",
    "_ZN5Tango4Util10server_runEv",
    # Only where the admin device was busy at the start.
    "_ZN5Tango11DeviceClass15command_handlerEPNS_10DeviceImpl",
    # Of several libtangos it tells which one is meant.
    "_ZN5Tango4Util9_instanceE",
    # What an agent is asked that has been loaded late, or is to be removed; what makes clients wait who list commands
    # while ours are added; and what lets a server's end wait for that.
    "_ZN5Tango10DeviceImpl4nameEv",
    "_ZN5Tango16AutoTangoMonitorC1EPNS_10DeviceImplEb",
    "_ZN5Tango16AutoTangoMonitorD1Ev",
    "_ZN5Tango10DeviceImpl14remove_commandEPNS_7CommandEbb",
    "_ZN5Tango10DeviceImpl18command_list_queryEv",
    "_ZN5Tango12Device_2Impl20command_list_query_2Ev",
    "_ZN5Tango12Device_6Impl20command_list_query_6Ev",
    "_ZN5Tango10DeviceImpl13command_queryEPKc",
    "_ZN5Tango12Device_2Impl15command_query_2EPKc",
    "_ZN5Tango12Device_6Impl15command_query_6EPKc",
    "_ZTv0_n",
    "_ZN5Tango12TangoMonitor11get_monitorEv",
    "_ZN5Tango4Util11shutdown_dsEv",
    # Only for programs that start no server.
    "_ZN5Tango7ApiUtil25create_zmq_event_consumerEv",
    # Only for a thread that isn't known to omniORB yet.
    "_ZN11omni_thread12create_dummyEv",
    "_ZN11omni_thread13release_dummyEv",
}
# Without this it doesn't get in at all.
DOORS = {"_ZN5Tango4Util11server_initEb"}


def nowhere(symbol):
    """A name of the same length that nobody has."""
    if "Tango" in symbol:
        return symbol.replace("Tango", "Tonga", 1)
    return "?" + symbol[1:]


def without_symbol(symbol, folder):
    """The agent, looking for another name."""
    name, instead = (b"\0" + text.encode() + b"\0" for text in (symbol, nowhere(symbol)))
    image = AGENT_LIB.read_bytes()
    assert name in image and name != instead
    path = Path(folder) / f"without-{symbol[:60]}.so"
    path.write_bytes(image.replace(name, instead))
    return path


def check_without(servers, symbol, folder):
    server = servers.both(agent=without_symbol(symbol, folder), instance=f"s{abs(hash(symbol))}")
    subscribe(server)
    before = server.proxy("test/sub/1").received
    server.proxy("test/pub/1").PushPaced([20, 1000])
    wait_for(lambda: server.proxy("test/sub/1").received >= before + 20, what=f"events, {symbol}")
    lines = [line for line in server.output().splitlines() if "ska-tango-event-agent" in line]
    names = {info.cmd_name for info in server.admin_proxy().command_list_query()}
    if "QueryEventAgent" in names:
        # What is left is still right, or says that it isn't known.
        ask(server)
    status = server.stop()
    return lines, names, status


@pytest.mark.long
def test_each_symbol_that_is_missing(servers, agent_lib, tmp_path):
    symbols = used_symbols()
    assert len(symbols) > 20 and OPTIONAL | DOORS >= {s for s in OPTIONAL | DOORS if s in symbols}
    with ThreadPoolExecutor(2) as pool:
        results = pool.map(lambda symbol: check_without(servers, symbol, tmp_path), symbols)
        for symbol, (lines, names, status) in zip(symbols, results):
            what = f"without {symbol}: {lines}"
            assert status in (0, -signal.SIGTERM), what
            constructor = symbol.startswith("_ZN5Tango7CommandC2")
            if symbol in DOORS:
                assert not COMMANDS & names, what
                assert len(lines) <= 1, what
            elif symbol in OPTIONAL or constructor:
                # There are four constructors, of which each Tango has one.
                assert len(lines) <= 1, what
            else:
                assert len(lines) == 1, what
                assert nowhere(symbol) in lines[0] or symbol in lines[0], what
