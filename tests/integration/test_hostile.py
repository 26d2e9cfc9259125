"""The agent with publishers, clients and libtangos that aren't as they should be."""

import json
import subprocess
from pathlib import Path

import pytest
import tango
import zmq
from agent_answers import COMMANDS, after_restart, ask, delivered, join, only, pub, settle, stream, sub, topic
from elf_files import call_own_functions_directly, libtango_path
from tango_servers import BUILD, SANITIZERS, wait_for

pytestmark = pytest.mark.sanitizers

PLUGIN = BUILD / "tests" / "libplugin.so"


def resident_kib(server):
    status = Path(f"/proc/{server.pid}/status").read_text()
    return int(status.split("VmRSS:")[1].split()[0])


# ---- peers ----


def test_a_publisher_can_not_fill_its_subscribers(servers, agent_lib, database):
    """ZeroMQ delivers everything that begins with a topic that was subscribed to."""
    publisher = servers.cpp_publisher(database=database)
    subscriber = servers.subscriber(agent=True, database=database)
    sub(subscriber).Subscribe([publisher.attribute("burst"), "change"])

    def arrived():
        pub(publisher).PushBurst(1)
        return topic(subscriber)["event_count"] > 0

    wait_for(arrived, 20, "the first event", 0.2)
    subscriber.admin_proxy().StartEventSystemPerfMon()
    (name,) = ask(subscriber)["client"]["event_callbacks"]
    before_kib = resident_kib(subscriber)
    sent = 0

    def unknown():
        return ask(subscriber)["agent"]["unknown_topic_event_count"]

    def flooded():
        nonlocal sent
        publisher.proxy().PushForged([f"{name}{sent}.", "5000"])
        sent += 5000
        return unknown() >= 20_000

    wait_for(flooded, 180, "20000 names")
    last = [None]

    def drained():
        previous, last[0] = last[0], unknown()
        return previous == last[0]

    wait_for(drained, 60, "what is under way", 0.5)
    answer = subscriber.admin_proxy().QueryEventAgent()
    assert len(answer) < 200_000
    assert list(json.loads(answer)["client"]["event_callbacks"]) == [name]
    if not SANITIZERS:
        assert resident_kib(subscriber) - before_kib < 20_000
    assert json.loads(answer)["agent"]["unknown_topic_event_count"] <= sent

    # It isn't blind: it goes on counting, also new subscriptions.
    before = topic(subscriber)["event_count"]
    pub(publisher).PushBurst(10)
    wait_for(lambda: topic(subscriber)["event_count"] == before + 10, 20, "the events")
    other = servers.publisher(agent=True, database=database, instance="other", device="test/pub/other")
    sub(subscriber).Subscribe([other.attribute("burst"), "change"])
    pub(other).PushBurst(1)
    assert len(ask(subscriber)["client"]["event_callbacks"]) == 2


def test_errors_are_told_from_values(servers, agent_lib, database):
    publisher = servers.python(
        "event_types.py", {"EventTypes": ["test/errors/1"]}, agent=True, database=database
    )
    subscriber = servers.subscriber(agent=True, database=database)
    device = publisher.proxy()
    sub(subscriber).Subscribe([publisher.attribute("double_scalar"), "change"])

    def arrived():
        device.Push(["change", "double_scalar", "1"])
        return topic(subscriber, "double_scalar")["event_count"] > 0

    wait_for(arrived, 20, "the first event", 0.2)
    first = topic(subscriber, "double_scalar")
    assert (first["error_event_count"], first["last_error_event"]) == (0, None)
    errors_before = sub(subscriber).errors
    device.Push(["change_error", "double_scalar", "7"])
    device.Push(["change", "double_scalar", "5"])
    device.Push(["change_error", "double_scalar", "2"])
    last = only(ask(publisher)["server"]["event_streams"], "double_scalar")["pushed_event_count"]
    wait_for(lambda: topic(subscriber, "double_scalar")["server_counter"] == last, 20, "all")
    now = topic(subscriber, "double_scalar")
    assert now["error_event_count"] == 9 == sub(subscriber).errors - errors_before
    assert now["last_error_event"] == now["last_event"]
    assert now["lost_event_count"] == 0


@pytest.mark.skipif(
    not tango.constants.TgLibVers.startswith("9."), reason="10 takes no such device for an admin device"
)
def test_a_subscription_that_tango_refused_is_none(servers, agent_lib):
    """A publisher's admin device names an endpoint that ZeroMQ doesn't know."""
    liar = servers.liar()
    context = zmq.Context()
    heartbeats, events = context.socket(zmq.PUB), context.socket(zmq.PUB)
    ports = [each.bind_to_random_port("tcp://127.0.0.1") for each in (heartbeats, events)]
    subscriber = servers.subscriber(agent=True)
    channel = f"tango://127.0.0.1:{liar.port}/dserver/cpp_liar/test#dbase=no"

    def answer(attr, event_endpoint):
        name = f"tango://127.0.0.1:{liar.port}/test/liar/1/{attr}#dbase=no.idl5_change"
        liar.proxy().AnswerSubscription(
            [[tango_release, 5, 1000, 40, 100, 0], [f"tcp://127.0.0.1:{ports[0]}", event_endpoint, name, channel]]
        )
        return name

    tango_release = int(tango.constants.TgLibVers.replace(".", "")[:3])
    good = answer("one", f"tcp://127.0.0.1:{ports[1]}")
    sub(subscriber).Subscribe([liar.attribute("one"), "change"])
    (channel_before,) = ask(subscriber)["client"]["event_channels"].values()
    answer("two", "bogus://x:1")
    with pytest.raises(tango.DevFailed):
        sub(subscriber).Subscribe([liar.attribute("two"), "change"])
    client = ask(subscriber)["client"]
    assert list(client["event_callbacks"]) == [good]
    (channel_now,) = client["event_channels"].values()
    assert channel_now["event_endpoint"] == channel_before["event_endpoint"]
    context.destroy(linger=0)


def test_callbacks_that_subscribe_in_callbacks_that_subscribe(servers, agent_lib, database):
    devices = [f"test/nest/{i}" for i in range(8)]
    publisher = servers.cpp_publisher(*devices, agent=True, database=database)
    subscriber = servers.subscriber(agent=True, database=database)
    names = [[publisher.attribute("burst", device), "change"] for device in devices]
    sub(subscriber).SubscribeNested([part for name in names for part in name])
    wait_for(lambda: len(ask(subscriber)["client"]["event_callbacks"]) == len(devices), what="all")
    callbacks = ask(subscriber)["client"]["event_callbacks"]
    assert {value["callback_count"] for value in callbacks.values()} == {1}


# ---- what can't be known ----


def test_without_a_baseline_what_an_outage_took_is_unknown(servers, agent_lib, database):
    """A subscription that has had no event before its connection breaks."""
    publisher = servers.publisher(agent=True, database=database)
    subscriber = servers.subscriber(agent=True, database=database)
    sub(subscriber).Subscribe([publisher.attribute("burst"), "change"])
    first = topic(subscriber)
    assert (first["event_count"], first["lost_event_count"]) == (0, 0)
    channel = only(ask(subscriber)["client"]["event_channels"], publisher.server_name.lower())
    ports = [int(channel[key].rsplit(":", 1)[1]) for key in ("endpoint", "event_endpoint")]
    wait_for(lambda: sub(subscriber).BreakConnections(ports) == 2, 10, "connections to break")
    pub(publisher).PushBurst(20)
    wait_for(lambda: topic(subscriber)["last_resubscribed"], 90, "the reconnection", 0.5)
    assert topic(subscriber)["lost_event_count"] is None

    def arrived():
        pub(publisher).PushBurst(1)
        return topic(subscriber)["event_count"] > 0

    wait_for(arrived, 30, "an event through the new connection", 0.5)
    now = topic(subscriber)
    assert now["lost_event_count"] is None and now["outage_lost_event_count"] is None
    assert now["known_lost_event_count"] == 0
    assert pub(publisher).pushed > now["event_count"]

    # A new subscription starts from zero.
    sub(subscriber).Unsubscribe([])
    join(publisher, subscriber)
    assert topic(subscriber)["lost_event_count"] == 0


# ---- subscriptions ----


@pytest.mark.skipif(not hasattr(tango, "EventSubMode"), reason="this Tango has no EventSubMode")
def test_a_failed_subscription_and_an_asynchronous_one(servers, agent_lib, database):
    """The first one's failure is not the second one's."""
    publisher = servers.publisher(agent=True, database=database)
    subscriber = servers.subscriber(agent=True, database=database)
    failing = [publisher.attribute("no_such_attribute"), "change"]
    sub(subscriber).SubscribeAfterFailure([*failing, publisher.attribute("burst"), "change:async"])

    def connected():
        client = ask(subscriber)["client"]
        return client and any("/burst" in name for name in client["event_callbacks"])

    wait_for(connected, 40, "the asynchronous subscription", 0.2)
    for command in ("QueryEventAgent", "QueryEventSystem"):
        assert ask(subscriber, command)["client"]["not_connected"] == []
    assert topic(subscriber)["callback_count"] == 1
    pub(publisher).PushBurst(3)
    wait_for(lambda: topic(subscriber)["event_count"] >= 3, 20, "events")


@pytest.mark.skipif(not hasattr(tango, "EventSubMode"), reason="this Tango has no EventSubMode")
def test_an_asynchronous_subscription_that_waits(servers, agent_lib, database):
    publisher = servers.publisher(agent=True, database=database)
    subscriber = servers.subscriber(agent=True, database=database)
    publisher.kill()
    sub(subscriber).Subscribe([publisher.attribute("burst"), "change:async"])
    (waiting,) = ask(subscriber)["client"]["not_connected"]
    assert waiting["device"].lower() == publisher.first_device
    assert (waiting["attribute"], waiting["event_type"]) == ("burst", "change")
    assert len(ask(subscriber, "QueryEventSystem")["client"]["not_connected"]) == 1
    publisher.start()
    wait_for(lambda: ask(subscriber)["client"]["not_connected"] == [], 60, "the connection", 0.5)
    assert topic(subscriber)["callback_count"] == 1


# ---- libtangos ----


def own_libtango(folder, change=lambda image: image):
    """A libtango of its own for a server; returns the server's environment, and the file."""
    path, soname = libtango_path()
    (folder / soname).write_bytes(change(Path(path).read_bytes()))
    return {"LD_LIBRARY_PATH": folder}, folder / soname


def agent_lines(server):
    return [line for line in server.output().splitlines() if "ska-tango-event-agent" in line]


def test_a_libtango_that_calls_its_own_functions_directly(servers, agent_lib, tmp_path, database):
    """As Ubuntu's default flags make it: only ZeroMQ's functions can be watched."""
    env, library = own_libtango(tmp_path, call_own_functions_directly)
    publisher = servers.publisher(agent=True, database=database, env=env)
    subscriber = servers.subscriber(agent=True, database=database, env=env)
    for server in (publisher, subscriber):
        assert str(library) in Path(f"/proc/{server.pid}/maps").read_text()
        (line,) = agent_lines(server)
        for what in ("callbacks", "how long pushing takes", "whether clients are still subscribed"):
            assert what in line
    assert set(COMMANDS) <= {c.cmd_name for c in publisher.admin_proxy().command_list_query()}

    pushed = join(publisher, subscriber)
    pub(publisher).PushBurst(80)
    settle(publisher, subscriber)
    before = topic(subscriber)
    assert stream(publisher)["pushed_event_count"] == pushed + 80
    assert before["lost_event_count"] == 0
    assert before["event_count"] == sub(subscriber).received - 1
    # What can't be seen isn't known.
    assert before["callback_count"] is None
    assert ask(subscriber)["client"]["not_connected"] is None
    assert stream(publisher)["has_subscribers"] is None
    assert stream(publisher)["last_subscription"] is None
    publisher.admin_proxy().StartEventSystemPerfMon()
    subscriber.admin_proxy().StartEventSystemPerfMon()
    pub(publisher).PushBurst(1)
    delivered(publisher, subscriber)
    pub(publisher).PushBurst(1)
    delivered(publisher, subscriber)
    assert ask(publisher)["server"]["perf"] is None
    sample = ask(subscriber)["client"]["perf"][0]
    assert sample["callback_count"] is None and sample["process_micros"] >= 0

    # A restart of the publisher is one, and takes no count away.
    before = topic(subscriber)
    publisher.restart()
    after_restart(publisher, subscriber, before)

    # A client's new subscription starts from zero, also after a failed one.
    sub(subscriber).Unsubscribe([])
    assert ask(subscriber)["client"]["event_callbacks"] == {}
    join(publisher, subscriber)
    now = topic(subscriber)
    assert now["publisher_restart_count"] == 0 and now["event_count"] < 20
    assert now["last_resubscribed"] is None


def test_without_a_database_and_without_slots(servers, agent_lib, tmp_path):
    """On 9.3 the publisher sends no counters then, and which of two frames is a copy of the other
    isn't known."""
    env, _ = own_libtango(tmp_path, call_own_functions_directly)
    publisher = servers.publisher(agent=True, env=env)
    subscriber = servers.subscriber(agent=True, env=env)
    pushed = join(publisher, subscriber)
    pub(publisher).PushBurst(50)
    wait_for(lambda: sub(subscriber).received >= 50, 20, "the events")
    now = stream(publisher)
    assert now["pushed_event_count"] in (None, pushed + 50) and now["last_event"]
    assert (now["pushed_event_count"] is None) == (topic(subscriber)["server_counter"] == 0)
    known = [count for count in (now["pushed_event_count"],) if count is not None]
    assert list(ask(publisher)["server"]["event_counters"].values()) == known
    wait_for(lambda: topic(subscriber)["event_count"] == sub(subscriber).received - 1, 5, "both")


def second_libtango(folder):
    second = folder / "libtango-of-another.so"
    second.write_bytes(Path(libtango_path()[0]).read_bytes())
    # Of another name, or the loader would take it for the one that PyTango asks for.
    subprocess.run(["patchelf", "--set-soname", second.name, second], check=True)
    return second


@pytest.mark.skipif(not PLUGIN.exists(), reason="the plugin wasn't built")
@pytest.mark.parametrize("switch", ["on", "off"])
def test_a_plugin_that_starts_a_server_by_its_last_call(servers, agent_lib, tmp_path, switch):
    """Then nobody can tell from the stack who called; and another libtango was loaded before."""
    env = {"SECOND_LIBTANGO": second_libtango(tmp_path), "PLUGIN": PLUGIN}
    env["SKA_TANGO_EVENT_AGENT"] = switch
    devices = {"Plugged": ["test/plugged/1"]}
    server = servers.python("plugged.py", devices, agent=True, env=env)
    assert agent_lines(server) == []
    names = {info.cmd_name for info in server.admin_proxy().command_list_query()}
    assert ("QueryEventAgent" in names) == (switch == "on")
    assert server.proxy().State() == tango.DevState.ON


@pytest.mark.parametrize("word", ["OFF", "0", "No", "false"])
def test_words_that_switch_off(servers, agent_lib, word):
    server = servers.publisher(agent=True, env={"SKA_TANGO_EVENT_AGENT": word})
    names = {info.cmd_name for info in server.admin_proxy().command_list_query()}
    assert "QueryEventAgent" not in names


def test_two_libtangos_in_one_process(servers, agent_lib, tmp_path, database):
    """The server's is the one that is watched, not the one that was loaded first."""
    second = second_libtango(tmp_path)
    env = {"SECOND_LIBTANGO": second}
    devices = {"Publisher": ["test/pub/1"]}
    publisher = servers.python("second_libtango.py", devices, agent=True, database=database, env=env)
    maps = Path(f"/proc/{publisher.pid}/maps").read_text()
    assert str(second) in maps and libtango_path()[0] in maps
    assert agent_lines(publisher) == []
    subscriber = servers.subscriber(agent=True, database=database)
    pushed = join(publisher, subscriber)
    pub(publisher).PushBurst(20)
    settle(publisher, subscriber)
    assert stream(publisher)["pushed_event_count"] == pushed + 20
    assert topic(subscriber)["lost_event_count"] == 0


def test_commands_come_when_the_admin_device_was_busy(servers, agent_lib, database):
    """For longer than Tango waits, just when the commands should be added. They are added with the next
    command that it executes; until then no thread of ours waits for it, which would also delay the end."""
    busy_s = 6
    publisher = servers.cpp_publisher(
        agent=True,
        database=database,
        env={"TEST_BUSY_S": busy_s, "SKA_TANGO_EVENT_AGENT_LOG": "info"},
    )
    assert "added with the next" in publisher.output()

    def there():
        publisher.admin_proxy().State()
        names = [info.cmd_name for info in publisher.admin_proxy().command_list_query()]
        return set(COMMANDS) <= set(names) and names

    names = wait_for(there, 60, "the commands", 0.5)
    assert len(names) == len(set(names))
    subscriber = servers.subscriber(agent=True, database=database)
    pushed = join(publisher, subscriber)
    assert stream(publisher)["pushed_event_count"] == pushed
    assert publisher.stop() in (0, -15)
