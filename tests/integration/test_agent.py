"""The agent in real servers that nobody rebuilt, against the truth that the test knows."""

import json
import os
import re
import shutil
import struct
import subprocess
import time
from datetime import datetime, timezone

import pytest
import tango

from tango_servers import PYTHON, SANITIZERS, TANGO_TEST, agent_environment, wait_for

BURST = "burst"
# Whether this Tango has QueryEventSystem itself; the agent then leaves it alone.
BUILT_IN = tuple(map(int, tango.constants.TgLibVers.split(".")[:2])) >= (10, 1)
COMMANDS = {
    "QueryEventSystem": ("DevVoid", "DevString"),
    "QueryEventAgent": ("DevVoid", "DevString"),
    "StartEventSystemPerfMon": ("DevVoid", "DevVoid"),
    "StopEventSystemPerfMon": ("DevVoid", "DevVoid"),
    "EnableEventSystemPerfMon": ("DevBoolean", "DevVoid"),
}


BUILT_IN_COMMANDS = {"QueryEventSystem", "EnableEventSystemPerfMon"} if BUILT_IN else set()


def ask(server, command="QueryEventAgent"):
    return json.loads(server.admin_proxy().command_inout(command))


def only(mapping, part):
    """The one value whose key holds ``part``."""
    found = [value for key, value in mapping.items() if part in key]
    assert len(found) == 1, f"{part} in {list(mapping)}"
    return found[0]


def stream(server, attr=BURST):
    """What the publisher says of the attribute's stream."""
    return only(ask(server)["server"]["event_streams"], f"/{attr}")


def topic(server, attr=BURST):
    """What the subscriber says of its topic."""
    return only(ask(server)["client"]["event_callbacks"], f"/{attr}")


def pub(server):
    """The proxy of the device that publishes, also in a server that subscribes, too."""
    return server.proxy(server.devices.get("Publisher", [None])[0])


def sub(server):
    return server.proxy(server.devices["Subscriber"][0])


def join(publisher, subscriber, attr=BURST, event_type="change"):
    """Subscribe, and push single events until one has come: from then on none is lost for want
    of a connection. Returns how many were pushed for that."""
    sub(subscriber).Subscribe([publisher.attribute(attr), event_type])
    pushed = 0

    def arrived():
        return topic(subscriber, attr)["event_count"] > 0

    for _ in range(50):
        pub(publisher).PushBurst(1)
        pushed += 1
        try:
            wait_for(arrived, 0.5, "the first event")
            break
        except AssertionError:
            continue
    assert arrived()
    return pushed


def settle(publisher, subscriber, attr=BURST):
    """Wait until the subscriber has what the publisher pushed last."""
    last = stream(publisher, attr)["pushed_event_count"]
    wait_for(lambda: topic(subscriber, attr)["server_counter"] == last, 60, f"event {last}")


def delivered(publisher, subscriber):
    """Wait until the subscriber's callback has seen the newest event, without a query: queries
    empty the samples."""
    newest = pub(publisher).pushed

    def seen():
        (details,) = json.loads(sub(subscriber).details).values()
        return details["last_value"] == newest

    wait_for(seen, 60, f"event {newest}")


# ---- the commands ----


def test_commands_are_there_and_describe_themselves(servers, agent_lib):
    server = servers.publisher(agent=True)
    infos = {info.cmd_name: info for info in server.admin_proxy().command_list_query()}
    for name, (in_type, out_type) in COMMANDS.items():
        info = infos[name]
        assert (str(info.in_type), str(info.out_type)) == (in_type, out_type)
        if name in BUILT_IN_COMMANDS:
            continue
        described = info.in_type_desc if in_type != "DevVoid" else info.out_type_desc
        if (in_type, out_type) != ("DevVoid", "DevVoid"):
            assert len(described) > 20 and described.isprintable(), described


def test_without_the_agent_there_are_no_commands(servers):
    server = servers.publisher(agent=False)
    names = {info.cmd_name for info in server.admin_proxy().command_list_query()}
    assert names & set(COMMANDS) == BUILT_IN_COMMANDS


def test_an_idle_server_answers_like_the_built_in_command(servers, agent_lib):
    """A client as people write them for cppTango 10.1 and later."""
    server = servers.publisher(agent=True)
    answer = json.loads(server.admin_proxy().QueryEventSystem())
    assert answer["version"] == 1
    assert answer["server"]["event_counters"] == {}
    assert answer["server"]["perf"] is None
    assert answer["client"] is None
    assert ("agent" in answer) != BUILT_IN
    agent = ask(server)["agent"]
    assert agent["pid"] == server.pid
    assert agent["tango_version"].count(".") == 2
    attached = datetime.fromisoformat(agent["attached"])
    assert abs((datetime.now(timezone.utc) - attached).total_seconds()) < 120


def test_a_client_of_the_built_in_command_works_unchanged(servers, agent_lib, database):
    server = servers.both(agent=True, database=database)
    join(server, server)
    pub(server).PushBurst(10)
    settle(server, server)
    server.admin_proxy().EnableEventSystemPerfMon(True)
    pub(server).PushBurst(5)
    settle(server, server)

    answer = json.loads(server.admin_proxy().QueryEventSystem())
    counters = answer["server"]["event_counters"]
    assert [type(count) for count in counters.values()] == [int]
    for sample in answer["server"]["perf"]:
        assert set(sample) == {"micros_since_last_event", "push_event_micros"}
    client = answer["client"]
    for name, callback in client["event_callbacks"].items():
        assert name.startswith("tango://") and name.endswith(".idl5_change")
        assert callback["channel_name"] in client["event_channels"]
        for key in ("server_counter", "event_count", "missed_event_count"):
            assert isinstance(callback[key], int)
        assert isinstance(callback["discarded_event_count"], int)
        assert callback["last_resubscribed"] is None
        assert callback["callback_count"] == 1
    assert client["not_connected"] == []
    for channel in client["event_channels"].values():
        assert channel["endpoint"].startswith("tcp://")
    samples = client["perf"]
    assert BUILT_IN or len(samples) == 5
    for sample in samples:
        assert set(sample) == {
            "attr_name",
            "micros_since_last_event",
            "sleep_micros",
            "process_micros",
            "first_callback_latency_micros",
            "callback_count",
            "wake_count",
            "discarded",
        }
    assert samples[0]["micros_since_last_event"] is None
    assert all(sample["attr_name"] == BURST for sample in samples)
    assert all(sample["callback_count"] == 1 for sample in samples)

    server.admin_proxy().EnableEventSystemPerfMon(False)
    answer = json.loads(server.admin_proxy().QueryEventSystem())
    assert answer["server"]["perf"] is None and answer["client"]["perf"] is None


@pytest.mark.skipif(BUILT_IN, reason="QueryEventSystem is built into this Tango")
def test_a_client_of_the_older_format_works_with_the_schema_variable(servers, agent_lib, database):
    env = {"SKA_TANGO_EVENT_AGENT_SCHEMA": "legacy"}
    server = servers.both(agent=True, database=database, env=env)
    idle = json.loads(server.admin_proxy().QueryEventSystem())
    assert "version" not in idle and "client" not in idle
    server.admin_proxy().StartEventSystemPerfMon()
    join(server, server)
    settle(server, server)
    answer = json.loads(server.admin_proxy().QueryEventSystem())
    first = answer["server"]["perf_stats"][0]
    assert first["micros_since_last_event"] == -1 and first["push_event_micros"] >= 0
    (callback,) = answer["client"]["event_callbacks"].values()
    assert datetime.fromisoformat(callback["last_resubscribed"])
    assert callback["event_count"] >= 1
    sample = answer["client"]["perf_stats"][-1]
    assert sample["event_type"] == "ATT_VALUE"
    assert {"att_name", "first_callback_lactency_micros", "wake_count"} <= set(sample)
    # The agent's own command keeps its own format.
    assert ask(server)["version"] == 1
    server.admin_proxy().StopEventSystemPerfMon()


def test_monitoring_can_be_on_from_the_start(servers, agent_lib):
    server = servers.publisher(agent=True, env={"SKA_TANGO_EVENT_AGENT_PERF": "1"})
    assert ask(server)["server"]["perf"] == []
    server.admin_proxy().StopEventSystemPerfMon()
    assert ask(server)["server"]["perf"] is None


def test_the_log_says_what_it_is_asked_for(servers, agent_lib):
    quiet = servers.publisher("test/pub/1", agent=True, instance="quiet")
    info = servers.publisher(
        "test/pub/2", agent=True, instance="info", env={"SKA_TANGO_EVENT_AGENT_LOG": "info"}
    )
    odd = servers.publisher(
        "test/pub/3", agent=True, instance="odd", env={"SKA_TANGO_EVENT_AGENT_LOG": "loud"}
    )
    assert "ska-tango-event-agent" not in quiet.output()
    assert "attached to Tango" in info.output()
    assert "use off, error, info or debug" in odd.output()


# ---- the counts ----


def test_100000_events_slow_enough_to_lose_none(servers, agent_lib, database):
    """One publisher, a subscriber in its own process and one in another."""
    here = servers.both(agent=True, database=database)
    there = servers.subscriber(
        "test/sub/2", instance="there", agent=True, database=database
    )
    pushed = join(here, there)
    sub_here = sub(here)
    sub_here.Subscribe([here.attribute(BURST), "change"])
    for _ in range(3):
        pub(here).PushBurst(1)
        pushed += 1
    settle(here, there)
    settle(here, here)
    before = {name: topic(server) for name, server in (("here", here), ("there", there))}
    callbacks_before = {"here": sub_here.received, "there": there.proxy().received}

    count = 100_000
    pub(here).PushPaced([count, 4000])
    wait_for(lambda: not pub(here).pushing, 180, "the last event to be pushed", 0.5)
    assert pub(here).push_error == ""
    settle(here, there)
    settle(here, here)

    assert pub(here).pushed == pushed + count
    published = stream(here)
    assert published["pushed_event_count"] == pushed + count
    assert only(ask(here)["server"]["event_counters"], BURST) == pushed + count
    # The built-in command shows the counter of the event to come.
    theirs = ask(here, "QueryEventSystem")["server"]["event_counters"]
    assert only(theirs, BURST) == pushed + count + (1 if BUILT_IN else 0)
    for name, server in (("here", here), ("there", there)):
        now = topic(server)
        assert now["lost_event_count"] == 0
        assert now["missed_event_count"] == 0
        assert now["publisher_restart_count"] == 0
        assert now["event_count"] - before[name]["event_count"] == count
        # Each new subscriber made the publisher send one event twice, before the count began.
        assert now["discarded_event_count"] == before[name]["discarded_event_count"]
        assert now["server_counter"] == pushed + count
    callbacks = {"here": sub_here.received, "there": there.proxy().received}
    assert callbacks == {name: number + count for name, number in callbacks_before.items()}

    # The same events have the same bytes on both sides.
    size = (topic(there)["byte_count"] - before["there"]["byte_count"]) / count
    assert size == int(size) > 100
    assert published["byte_count"] == size * (pushed + count)


def test_the_duplicate_is_discarded_and_not_counted(servers, agent_lib, database):
    publisher = servers.publisher(agent=True, database=database)
    subscriber = servers.subscriber(agent=True, database=database)
    pushed = join(publisher, subscriber)
    settle(publisher, subscriber)
    pub(publisher).PushBurst(4)
    settle(publisher, subscriber)
    now = topic(subscriber)
    assert now["discarded_event_count"] == 1
    # Those that were pushed before the connection stood came before the first one received.
    assert 5 <= now["event_count"] <= pushed + 4
    assert now["lost_event_count"] == 0
    assert stream(publisher)["pushed_event_count"] == pushed + 4
    # The callback saw each once, and the value that subscribing reads.
    assert sub(subscriber).received == now["event_count"] + 1


def overflow(publisher, subscriber, burst):
    """Push more than fits into the queues of both sides and all the sockets' buffers between, then
    one event that shows what was dropped. Returns how many were pushed in all."""
    sub(subscriber).SetCallbackDelay(0.001)
    pub(publisher).PushBurst(burst)
    sub(subscriber).SetCallbackDelay(0)
    last = [None]

    def drained():
        previous, last[0] = last[0], topic(subscriber)["event_count"]
        return previous == last[0]

    wait_for(drained, 120, "the events under way", 0.5)
    pub(publisher).PushBurst(1)
    settle(publisher, subscriber)
    return stream(publisher)["pushed_event_count"]


@pytest.mark.parametrize("kind", ["python", "cpp"])
def test_a_burst_that_overflows_is_counted_to_the_event(servers, agent_lib, database, kind):
    if kind == "python":
        publisher = servers.publisher(agent=True, database=database)
    else:
        publisher = servers.cpp_publisher(agent=True, database=database)
    subscriber = servers.subscriber(agent=True, database=database)
    join(publisher, subscriber)
    settle(publisher, subscriber)
    before = topic(subscriber)
    assert before["lost_event_count"] == 0

    burst = 100_000
    total = overflow(publisher, subscriber, burst)
    now = topic(subscriber)
    assert pub(publisher).pushed == total == stream(publisher)["pushed_event_count"]
    received = now["event_count"] - before["event_count"]
    assert now["lost_event_count"] > 0, "the burst was meant to overflow"
    assert received + now["lost_event_count"] == burst + 1
    assert now["outage_lost_event_count"] == 0
    assert 1 <= now["missed_event_count"] <= now["lost_event_count"]
    # cppTango tells its callbacks of each jump, as an error before the event.
    assert sub(subscriber).errors == now["missed_event_count"]
    assert sub(subscriber).received - 1 == now["event_count"]


def test_publisher_killed_and_restarted(servers, agent_lib, database):
    publisher = servers.publisher(agent=True, database=database)
    subscriber = servers.subscriber(agent=True, database=database)
    pushed = join(publisher, subscriber)
    pub(publisher).PushBurst(100)
    settle(publisher, subscriber)
    before = topic(subscriber)
    assert before["last_resubscribed"] is None

    publisher.kill()
    publisher.start()
    wait_for(lambda: topic(subscriber)["last_resubscribed"], 90, "the reconnection", 0.5)

    def new_events():
        pub(publisher).PushBurst(1)
        return topic(subscriber)["event_count"] > before["event_count"]

    wait_for(new_events, 30, "events of the new process", 0.5)
    pub(publisher).PushBurst(10)
    settle(publisher, subscriber)
    now = topic(subscriber)
    assert now["publisher_restart_count"] == 1
    assert now["missed_event_count"] == before["missed_event_count"] == 0
    # All that the new process counted was either received or is counted as lost.
    received = now["event_count"] - before["event_count"]
    assert received + now["lost_event_count"] == stream(publisher)["pushed_event_count"]
    assert now["lost_event_count"] == now["outage_lost_event_count"] < 100
    assert before["event_count"] + before["lost_event_count"] <= pushed + 100
    resubscribed = datetime.fromisoformat(now["last_resubscribed"])
    assert abs((datetime.now(timezone.utc) - resubscribed).total_seconds()) < 120
    channel = only(ask(subscriber)["client"]["event_channels"], publisher.server_name.lower())
    assert channel["endpoint"].startswith("tcp://")


def test_the_server_counter_wraps(servers, agent_lib, database):
    """After 2^32 events, for which nobody can wait: the counter is set to shortly before."""
    publisher = servers.cpp_publisher(agent=True, database=database)
    subscriber = servers.subscriber(agent=True, database=database)
    sub(subscriber).Subscribe([publisher.attribute(BURST), "change"])
    start = 2**32 - 50
    pub(publisher).SetServerCounter(start)

    def arrived():
        pub(publisher).PushBurst(1)
        return topic(subscriber)["event_count"] > 0

    wait_for(arrived, 20, "the first event", 0.2)
    first = topic(subscriber)
    assert start <= first["server_counter"] < 2**32 - 1, "not wrapped yet"
    before = pub(publisher).pushed
    pub(publisher).PushPaced([200, 1000])
    wait_for(lambda: not pub(publisher).pushing, what="the last event")
    pushed = pub(publisher).pushed
    newest = (start + pushed - 1) % 2**32
    assert newest < 1000, "wrapped"
    wait_for(lambda: topic(subscriber)["server_counter"] == newest, what="the last event")
    now = topic(subscriber)
    # 200, and what was still on its way before.
    assert now["event_count"] - first["event_count"] >= 200
    assert now["event_count"] <= pushed - before + first["event_count"] + 1
    assert now["lost_event_count"] == now["publisher_restart_count"] == 0
    # As if those before had been pushed, too, before the agent came.
    assert stream(publisher)["pushed_event_count"] == start + pushed - 1

    # A loss across the wrap is counted right as well.
    pub(publisher).SetServerCounter(2**32 - 2)
    pub(publisher).PushBurst(1)
    wait_for(lambda: topic(subscriber)["server_counter"] == 2**32 - 2, what="the jump")
    lost = topic(subscriber)["lost_event_count"]
    pub(publisher).SetServerCounter(3)
    pub(publisher).PushBurst(1)
    wait_for(lambda: topic(subscriber)["server_counter"] == 3, what="the jump across the wrap")
    assert topic(subscriber)["lost_event_count"] - lost == 4, "2^32 - 1, 0, 1 and 2"


def test_losses_of_an_outage_are_told_from_overflows(servers, agent_lib, database):
    publisher = servers.publisher(agent=True, database=database)
    subscriber = servers.subscriber(agent=True, database=database)
    join(publisher, subscriber)
    settle(publisher, subscriber)
    before = topic(subscriber)
    channel = only(ask(subscriber)["client"]["event_channels"], publisher.server_name.lower())
    endpoints = (channel["endpoint"], channel["event_endpoint"])
    assert sub(subscriber).BreakConnections([int(e.rsplit(":", 1)[1]) for e in endpoints]) == 2

    gone = 50
    pub(publisher).PushBurst(gone)
    wait_for(lambda: topic(subscriber)["last_resubscribed"], 90, "the reconnection", 0.5)

    def new_events():
        nonlocal gone
        pub(publisher).PushBurst(1)
        gone += 1
        return topic(subscriber)["event_count"] > before["event_count"]

    wait_for(new_events, 30, "an event through the new connection", 0.5)
    settle(publisher, subscriber)
    now = topic(subscriber)
    received = now["event_count"] - before["event_count"]
    assert now["lost_event_count"] == now["outage_lost_event_count"] == gone - received >= 50
    assert now["publisher_restart_count"] == 0

    burst = 50_000
    overflow(publisher, subscriber, burst)
    after = topic(subscriber)
    overflowed = after["lost_event_count"] - now["lost_event_count"]
    assert overflowed > 0, "the burst was meant to overflow"
    assert overflowed + after["event_count"] - now["event_count"] == burst + 1
    assert after["outage_lost_event_count"] == now["outage_lost_event_count"]


def test_subscribe_unsubscribe_and_subscribe_again(servers, agent_lib, database):
    publisher = servers.publisher(agent=True, database=database)
    subscriber = servers.subscriber(agent=True, database=database)
    join(publisher, subscriber)
    pub(publisher).PushBurst(5)
    settle(publisher, subscriber)
    assert topic(subscriber)["event_count"] >= 6

    sub(subscriber).Unsubscribe([])
    client = ask(subscriber)["client"]
    assert client["event_callbacks"] == {} and client["event_channels"] == {}
    # What is pushed meanwhile concerns nobody.
    pub(publisher).PushBurst(7)

    join(publisher, subscriber)
    pub(publisher).PushBurst(3)
    settle(publisher, subscriber)
    now = topic(subscriber)
    assert 4 <= now["event_count"] < 20
    assert now["lost_event_count"] == 0
    assert now["publisher_restart_count"] == 0
    assert now["last_resubscribed"] is None
    assert pub(publisher).pushed == stream(publisher)["pushed_event_count"]


def test_two_subscriptions_of_one_channel(servers, agent_lib, database):
    publisher = servers.publisher(agent=True, database=database)
    subscriber = servers.subscriber(agent=True, database=database)
    join(publisher, subscriber)
    sub(subscriber).Subscribe([publisher.attribute("attr"), "change"])
    wait_for(lambda: topic(subscriber, "attr")["event_count"] > 2, what="polled events")
    client = ask(subscriber)["client"]
    names = {callback["channel_name"] for callback in client["event_callbacks"].values()}
    assert len(client["event_callbacks"]) == 2
    assert names == set(client["event_channels"]) and len(names) == 1


def test_callbacks_are_counted_as_they_come_and_go(servers, agent_lib, database):
    publisher = servers.publisher(agent=True, database=database)
    first, second = ("test/sub/1", "test/sub/2")
    subscriber = servers.python(
        "subscriber.py", {"Subscriber": [first, second]}, "two", agent=True, database=database
    )
    name = [publisher.attribute(BURST), "change"]
    subscriber.proxy(first).Subscribe(name)
    assert topic(subscriber)["callback_count"] == 1
    subscriber.proxy(second).Subscribe(name)
    assert topic(subscriber)["callback_count"] == 2
    subscriber.proxy(second).Subscribe([publisher.attribute("attr"), "change"])
    assert topic(subscriber)["callback_count"] == 2
    assert topic(subscriber, "attr")["callback_count"] == 1
    subscriber.proxy(first).Unsubscribe([])
    assert topic(subscriber)["callback_count"] == 1
    subscriber.proxy(second).Unsubscribe([])
    assert ask(subscriber)["client"]["event_callbacks"] == {}


def test_a_callback_that_subscribes_while_it_is_subscribed(servers, agent_lib, database):
    publisher = servers.publisher(agent=True, database=database)
    subscriber = servers.subscriber(agent=True, database=database)
    outer = [publisher.attribute("attr"), "change"]
    inner = [publisher.attribute(BURST), "change"]
    sub(subscriber).SubscribeNested(outer + inner)
    assert topic(subscriber, "attr")["callback_count"] == 1
    assert topic(subscriber, BURST)["callback_count"] == 1


def test_a_reconnected_channel_and_the_next_subscription(servers, agent_lib, database):
    first = servers.publisher("test/pub/1", "first", agent=True, database=database)
    second = servers.publisher("test/pub/2", "second", agent=True, database=database)
    subscriber = servers.subscriber(agent=True, database=database)
    sub(subscriber).Subscribe([first.attribute(BURST), "change"])
    sub(subscriber).Subscribe([second.attribute(BURST), "change"])
    first.restart()

    def reconnected():
        callbacks = ask(subscriber)["client"]["event_callbacks"]
        return only(callbacks, "pub/1/")["last_resubscribed"]

    wait_for(reconnected, 90, "the reconnection", 0.5)
    sub(subscriber).Subscribe([second.attribute("attr"), "change"])
    client = ask(subscriber)["client"]
    channel = only(client["event_callbacks"], "/attr")["channel_name"]
    assert channel.endswith(second.server_name.lower())
    endpoints = [channel["event_endpoint"] for channel in client["event_channels"].values()]
    assert len(set(endpoints)) == 2
    assert only(client["event_callbacks"], "pub/1/")["callback_count"] == 1


def test_devices_of_the_same_name_are_not_confused(servers, agent_lib):
    """Without a database, any two servers may have a device of the same name."""
    first = servers.publisher("test/pub/1", "first", agent=True)
    second = servers.publisher("test/pub/1", "second", agent=True)
    subscriber = servers.subscriber(agent=True)
    for publisher in (first, second):
        sub(subscriber).Subscribe([publisher.attribute(BURST), "change"])
    assert len(ask(subscriber)["client"]["event_callbacks"]) == 2
    sub(subscriber).Unsubscribe([first.attribute(BURST), "change"])
    (left,) = ask(subscriber)["client"]["event_callbacks"]
    assert f":{second.port}/" in left


def test_a_subscription_that_waits_for_its_publisher(servers, agent_lib, database):
    publisher = servers.publisher(agent=True, database=database)
    subscriber = servers.subscriber(agent=True, database=database)
    publisher.kill()
    sub(subscriber).Subscribe([publisher.attribute(BURST), "change:stateless"])
    (waiting,) = ask(subscriber)["client"]["not_connected"]
    assert waiting["device"].lower() == publisher.first_device
    assert (waiting["attribute"], waiting["event_type"]) == (BURST, "change")
    assert datetime.fromisoformat(waiting["last_heartbeat"])

    publisher.start()
    wait_for(lambda: not ask(subscriber)["client"]["not_connected"], 60, "the connection", 0.5)
    assert topic(subscriber)["callback_count"] == 1
    sub(subscriber).Unsubscribe([])
    assert ask(subscriber)["client"]["event_callbacks"] == {}


def test_a_stream_is_known_from_its_first_subscription(servers, agent_lib, database):
    publisher = servers.publisher(agent=True, database=database)
    subscriber = servers.subscriber(agent=False, database=database)
    pub(publisher).PushBurst(5)
    assert ask(publisher)["server"]["event_streams"] == {}
    sub(subscriber).Subscribe([publisher.attribute(BURST), "change"])
    now = stream(publisher)
    assert (now["pushed_event_count"], now["byte_count"], now["last_event"]) == (0, 0, None)
    assert now["has_subscribers"] is True
    subscribed = datetime.fromisoformat(now["last_subscription"])
    assert abs((datetime.now(timezone.utc) - subscribed).total_seconds()) < 60

    # What a client's Tango sends every 200 s to say that it still listens; upper case is the same.
    names = [publisher.first_device.upper(), BURST, "idl5_change"]
    publisher.admin_proxy().EventConfirmSubscription(names)
    assert datetime.fromisoformat(stream(publisher)["last_subscription"]) > subscribed
    with pytest.raises(tango.DevFailed):
        publisher.admin_proxy().EventConfirmSubscription(["no/such/device", BURST, "idl5_change"])

    # A second stream that is pushed to nobody isn't there; the first stays when its client goes.
    sub(subscriber).Unsubscribe([])
    assert list(ask(publisher)["server"]["event_streams"].values()) == [stream(publisher)]


def test_events_for_clients_of_an_older_layout_too_are_counted_once(servers, agent_lib, database):
    """They are sent in both layouts, by two calls, and the second carries the next counter."""
    publisher = servers.publisher(
        "test/layouts/pub", instance="layouts", agent=True, database=database
    )
    subscriber = servers.subscriber(
        "test/layouts/sub", instance="layouts", agent=True, database=database
    )
    pushed = join(publisher, subscriber)
    # How a client that knows nothing newer than IDL 4 subscribes.
    publisher.admin_proxy().ZmqEventSubscriptionChange(
        ["test/layouts/pub", BURST, "subscribe", "change", "4"]
    )
    pub(publisher).PushBurst(10)
    assert stream(publisher)["pushed_event_count"] == pushed + 10


def test_without_a_database_nothing_is_guessed(servers, agent_lib):
    """cppTango 9.3 sends the server counter 0 with every event then; later versions count."""
    publisher = servers.publisher(agent=True)
    subscriber = servers.subscriber(agent=True)
    pushed = join(publisher, subscriber)
    pub(publisher).PushBurst(100)
    wait_for(lambda: stream(publisher)["pushed_event_count"] == pushed + 100, what="the count")
    wait_for(lambda: topic(subscriber)["event_count"] > 99, what="the events")
    now = topic(subscriber)
    if now["server_counter"] == 0:
        assert now["lost_event_count"] is None
        assert now["missed_event_count"] == 0
    else:
        assert now["lost_event_count"] == 0
        assert now["server_counter"] == pushed + 100
    assert len(ask(publisher)["server"]["event_counters"]) == 1


# ---- the consumer thread ----


def test_a_callback_that_hangs_is_seen_while_it_hangs(servers, agent_lib, database):
    publisher = servers.publisher(agent=True, database=database)
    subscriber = servers.subscriber(agent=True, database=database)
    join(publisher, subscriber)
    settle(publisher, subscriber)
    consumer = ask(subscriber)["client"]["consumer_thread"]
    assert consumer["state"] == "polling" and consumer["topic"] is None
    assert os.path.exists(f"/proc/{subscriber.pid}/task/{consumer['thread_id']}")
    assert consumer["delayed_since"] is None

    sub(subscriber).SetCallbackDelay(4)
    pub(publisher).PushBurst(1)

    def hanging():
        started = time.monotonic()
        state = ask(subscriber)["client"]["consumer_thread"]
        # The query does not wait for it.
        assert time.monotonic() - started < 2
        return state if state["state"] == "callbacks" else None

    state = wait_for(hanging, 3, "the callback", 0.05)
    assert state["topic"].endswith(f"/{BURST}.idl5_change")
    since = datetime.fromisoformat(state["since"])
    assert 0 <= (datetime.now(timezone.utc) - since).total_seconds() < 5
    sub(subscriber).SetCallbackDelay(0)
    consumer = wait_for(
        lambda: not hanging() and ask(subscriber)["client"]["consumer_thread"], 20, "its end"
    )
    assert 3_900_000 < consumer["longest_callback_micros"] < 10_000_000
    assert consumer["longest_callback_topic"] == state["topic"]


def test_heartbeats_are_seen(servers, agent_lib, database):
    publisher = servers.publisher(agent=True, database=database)
    subscriber = servers.subscriber(agent=True, database=database)
    join(publisher, subscriber)

    def channel():
        return only(ask(subscriber)["client"]["event_channels"], "/")

    wait_for(lambda: channel()["heartbeat_count"] > 0, 30, "a heartbeat")
    assert channel()["missed_heartbeat_count"] == 0
    last = datetime.fromisoformat(channel()["last_heartbeat"])
    assert abs((datetime.now(timezone.utc) - last).total_seconds()) < 15


def test_events_of_short_lived_threads_without_a_database(servers, agent_lib):
    """Each of them may get the memory of the one before it."""
    publisher = servers.cpp_publisher(agent=True)
    subscriber = servers.subscriber(agent=True)
    sub(subscriber).Subscribe([publisher.attribute(BURST), "change"])
    for _ in range(10):
        pub(publisher).PushPaced([1, 1000])
        wait_for(lambda: not pub(publisher).pushing, what="the thread's end")
    wait_for(lambda: stream(publisher)["pushed_event_count"] == 10, 5, "the count")


# ---- samples ----


def test_samples_tell_how_long_things_take(servers, agent_lib, database):
    publisher = servers.publisher(agent=True, database=database)
    subscriber = servers.subscriber(agent=True, database=database)
    join(publisher, subscriber)
    settle(publisher, subscriber)
    publisher.admin_proxy().StartEventSystemPerfMon()
    subscriber.admin_proxy().StartEventSystemPerfMon()
    delay = 0.02
    sub(subscriber).SetCallbackDelay(delay)
    # Slower than the callbacks, so that the thread sleeps between two events.
    pub(publisher).PushPaced([20, 10])
    wait_for(lambda: not pub(publisher).pushing, 30, "the last event")
    delivered(publisher, subscriber)
    sub(subscriber).SetCallbackDelay(0)
    pub(publisher).PushBurst(1)
    delivered(publisher, subscriber)

    samples = ask(publisher)["server"]["perf"]
    assert len(samples) == 21
    assert samples[0]["micros_since_last_event"] is None
    gaps = [sample["micros_since_last_event"] for sample in samples[1:20]]
    assert 80_000 < sorted(gaps)[len(gaps) // 2] < 120_000
    assert all(0 < sample["push_event_micros"] < 1_000_000 for sample in samples)

    samples = ask(subscriber)["client"]["perf"]
    assert len(samples) >= 20
    slow = samples[1:20]
    assert all(sample["attr_name"] == BURST and not sample["discarded"] for sample in slow)
    assert all(sample["process_micros"] >= delay * 1e6 for sample in slow)
    for sample in slow:
        # The thread sleeps when it doesn't work.
        accounted = sample["sleep_micros"] + delay * 1e6
        assert sample["micros_since_last_event"] >= accounted - 1000
        assert sample["wake_count"] >= 1
        assert 0 <= sample["first_callback_latency_micros"] < 1_000_000
    # Each query empties them.
    assert ask(subscriber)["client"]["perf"] == []


def test_only_the_256_newest_samples_are_kept(servers, agent_lib, database):
    server = servers.both(agent=True, database=database)
    join(server, server)
    server.admin_proxy().StartEventSystemPerfMon()
    pub(server).PushPaced([600, 2000])
    wait_for(lambda: not pub(server).pushing, 30, "the last event")
    delivered(server, server)
    answer = ask(server)
    assert len(answer["server"]["perf"]) == 256
    assert len(answer["client"]["perf"]) == 256
    # QueryEventSystem has its own place among them.
    if not BUILT_IN:
        assert len(ask(server, "QueryEventSystem")["server"]["perf"]) == 256
    assert ask(server)["server"]["perf"] == []


def histograms(server):
    """Of the burst: push, latency and processing times."""
    return (
        stream(server)["push_event_histogram"],
        topic(server)["latency_histogram"],
        topic(server)["processing_histogram"],
    )


def longer_than(histogram, nanos):
    """How many surely took so long."""
    return sum(count for start, _, count in histogram["buckets"] if (start or 0) >= nanos)


def test_histograms_forget_nothing(servers, agent_lib, database):
    server = servers.both(agent=True, database=database)
    join(server, server)
    settle(server, server)
    assert histograms(server) == (None, None, None)

    server.admin_proxy().StartEventSystemPerfMon()
    # More than the samples can hold; some of them slow.
    slow, quick = 100, 900
    sub(server).SetCallbackDelay(0.005)
    pub(server).PushPaced([slow, 150])
    wait_for(lambda: not pub(server).pushing, 30, "the last slow event")
    delivered(server, server)
    sub(server).SetCallbackDelay(0)
    pub(server).PushPaced([quick, 1000])
    wait_for(lambda: not pub(server).pushing, 30, "the last event")
    delivered(server, server)
    settle(server, server)

    for histogram in histograms(server):
        # The last event is counted when the consumer thread has gone on to wait for more.
        assert histogram["count"] in (slow + quick - 1, slow + quick)
        assert histogram["count"] == sum(count for _, _, count in histogram["buckets"])
        assert all(count > 0 for _, _, count in histogram["buckets"])
        ends = [end for start, end, _ in histogram["buckets"] if start and end]
        assert ends == sorted(set(ends)), "ranges in their order, none twice"
        assert all(end <= 1.125 * start for start, end, _ in histogram["buckets"] if start and end)
        lowest = sum((start or 0) * count for start, _, count in histogram["buckets"])
        assert lowest <= histogram["sum_nanos"] <= histogram["count"] * histogram["max_nanos"]
    push, latency, processing = histograms(server)
    assert push["count"] == slow + quick
    assert longer_than(processing, 4_500_000) >= slow
    # A machine that is busy makes some of the quick ones slow, too, but not most of them.
    assert longer_than(processing, 4_500_000) < slow + quick // 2
    assert processing["max_nanos"] >= 5_000_000
    assert longer_than(latency, 60_000_000_000) == 0

    server.admin_proxy().StopEventSystemPerfMon()
    pub(server).PushBurst(10)
    delivered(server, server)
    settle(server, server)
    assert histograms(server)[0] == push, "what was measured stays, and nothing is added"
    assert histograms(server)[2]["count"] <= slow + quick

    # A new subscription begins anew; the publisher's stream goes on.
    sub(server).Unsubscribe([])
    join(server, server)
    assert histograms(server)[0] == push
    assert histograms(server)[2]["count"] == 0


# ---- a C++ server that nobody here wrote ----


def publishable(proxy):
    """The attributes that can be polled, so that periodic events come of them."""
    names = []
    for info in proxy.attribute_list_query():
        if info.writable == tango.AttrWriteType.WRITE or info.name in ("throw_exception",):
            continue
        names.append(info.name)
    return names


def test_every_attribute_type_of_tangotest(servers, agent_lib, database):
    server = servers.tango_test(agent=True, database=database)
    subscriber = servers.subscriber(agent=True, database=database)
    proxy = server.proxy()
    for name in publishable(proxy):
        config = proxy.get_attribute_config(name)
        config.events.per_event.period = "500"
        try:
            proxy.set_attribute_config(config)
            proxy.poll_attribute(name, 500)
        except tango.DevFailed:
            continue
    polled = [name for name in publishable(proxy) if proxy.is_attribute_polled(name)]
    types = {
        tango.CmdArgType.values[number].name
        for number in {proxy.get_attribute_config(name).data_type for name in polled}
    }
    wanted = {"DevBoolean", "DevDouble", "DevFloat", "DevLong", "DevLong64", "DevShort"}
    wanted |= {"DevString", "DevUChar", "DevULong", "DevULong64", "DevUShort", "DevState"}
    assert wanted <= types, f"missing: {wanted - types}"

    subscriber.admin_proxy().StartEventSystemPerfMon()
    server.admin_proxy().StartEventSystemPerfMon()
    pairs = []
    for name in polled:
        pairs += [server.attribute(name), "periodic"]
    sub(subscriber).Subscribe(pairs)

    latencies = {name.lower(): [] for name in polled}
    # Reading this one fails, so its events are errors, which carry no time.
    without = latencies.pop("no_value")

    def collect():
        for sample in ask(subscriber)["client"]["perf"]:
            latency = sample["first_callback_latency_micros"]
            if sample["attr_name"] == "no_value":
                without.append(latency)
            elif latency is not None:
                latencies[sample["attr_name"]].append(latency)
        # A value that could not be read in time makes an error event now and then, on a slow
        # machine; another one follows.
        return without and all(latencies.values())

    wait_for(collect, 120, f"an event with a time of each of {len(polled)} attributes")
    assert set(without) == {None}
    for name, values in latencies.items():
        assert all(0 <= value < 30_000_000 for value in values), (name, values)

    # Publisher and subscriber agree, stream by stream: stop the stream, then compare.
    for name in polled:
        proxy.stop_poll_attribute(name)

    def agree():
        streams = ask(server)["server"]["event_streams"]
        callbacks = ask(subscriber)["client"]["event_callbacks"]
        assert len(callbacks) == len(polled)
        for key, callback in callbacks.items():
            if not streams[key.replace("idl5_", "")]["pushed_event_count"]:
                return False
            if callback["server_counter"] != streams[key.replace("idl5_", "")][
                "pushed_event_count"
            ]:
                return False
            assert callback["lost_event_count"] == 0
        return True

    wait_for(agree, 20, "both sides to agree")


# ---- beside the built-in command ----


def differences(publisher, subscriber):
    """What the built-in command and the agent's say of the same process that isn't the same."""
    found = []
    theirs = ask(publisher, "QueryEventSystem")["server"]["event_counters"]
    ours = ask(publisher)["server"]["event_counters"]
    # Theirs is the counter of the event to come.
    expected = {name: count - 1 for name, count in theirs.items()}
    if ours != expected:
        found.append(("event_counters", expected, ours))
    theirs = ask(subscriber, "QueryEventSystem")["client"]
    ours = ask(subscriber)["client"]
    if set(theirs["event_callbacks"]) != set(ours["event_callbacks"]):
        found.append(("topics", list(theirs["event_callbacks"]), list(ours["event_callbacks"])))
    for name, callback in theirs["event_callbacks"].items():
        for key, value in callback.items():
            mine = ours["event_callbacks"].get(name, {}).get(key)
            # The built-in command's stays null also when the subscription was made anew.
            if value != mine and key != "last_resubscribed":
                found.append((name, key, value, mine))
    for name, channel in theirs["event_channels"].items():
        if ours["event_channels"].get(name, {}).get("endpoint") != channel["endpoint"]:
            found.append((name, channel, ours["event_channels"].get(name)))
    if len(theirs["not_connected"]) != len(ours["not_connected"]):
        found.append(("not_connected", theirs["not_connected"], ours["not_connected"]))
    return found


@pytest.mark.skipif(not BUILT_IN, reason="this Tango has no QueryEventSystem of its own")
def test_the_built_in_command_says_the_same(servers, agent_lib, database):
    publisher = servers.publisher(agent=True, database=database)
    subscriber = servers.subscriber(agent=True, database=database)

    def agree(what):
        last = []

        def same():
            last[:] = differences(publisher, subscriber)
            return not last

        try:
            wait_for(same, 20, "agreement", 0.3)
        except AssertionError:
            raise AssertionError(f"after {what}: {last}") from None

    join(publisher, subscriber)
    settle(publisher, subscriber)
    agree("a quiet run")

    subscriber.proxy().SetCallbackDelay(0.001)
    publisher.proxy().PushBurst(100_000)
    subscriber.proxy().SetCallbackDelay(0)
    wait_for(
        lambda: publisher.proxy().PushBurst(1)
        or topic(subscriber)["server_counter"] == stream(publisher)["pushed_event_count"],
        120,
        "the end of the burst",
        0.5,
    )
    assert topic(subscriber)["lost_event_count"] > 0
    settle(publisher, subscriber)
    agree("a lossy burst")

    subscriber.proxy().Unsubscribe([])
    agree("unsubscribing")
    join(publisher, subscriber)
    settle(publisher, subscriber)
    agree("subscribing again")

    publisher.restart()
    wait_for(lambda: topic(subscriber)["last_resubscribed"], 90, "the reconnection", 0.5)
    publisher.proxy().PushBurst(5)
    agree("a restart of the publisher")


# ---- harmless ----


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


def libtango_path():
    """The file that TangoTest is linked to."""
    listing = subprocess.run(
        ["ldd", TANGO_TEST], capture_output=True, text=True, check=True
    ).stdout
    (line,) = [line for line in listing.splitlines() if "libtango.so" in line]
    return os.path.realpath(line.split("=>")[1].split("(")[0].strip()), line.split()[0]


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


def bind_lazily(image):
    """A shared library as it is without "-z now" and "-z relro"."""
    image = bytearray(image)
    (headers,) = struct.unpack_from("<Q", image, 32)
    size, count = struct.unpack_from("<HH", image, 54)
    for header in range(headers, headers + size * count, size):
        (kind,) = struct.unpack_from("<I", image, header)
        if kind == 0x6474E552:  # PT_GNU_RELRO
            struct.pack_into("<I", image, header, 0)
        if kind != 2:  # PT_DYNAMIC
            continue
        (offset,) = struct.unpack_from("<Q", image, header + 8)
        (length,) = struct.unpack_from("<Q", image, header + 32)
        for entry in range(offset, offset + length, 16):
            tag, value = struct.unpack_from("<QQ", image, entry)
            if tag == 30:  # DT_FLAGS
                struct.pack_into("<Q", image, entry + 8, value & ~8)
            elif tag == 0x6FFFFFFB:  # DT_FLAGS_1
                struct.pack_into("<Q", image, entry + 8, value & ~1)
    return bytes(image)


def test_a_libtango_that_is_bound_lazily(servers, agent_lib, tmp_path, database):
    path, soname = libtango_path()
    (tmp_path / soname).write_bytes(bind_lazily(open(path, "rb").read()))
    env = {"LD_LIBRARY_PATH": tmp_path}
    publisher = servers.cpp_publisher(agent=True, database=database, env=env)
    with open(f"/proc/{publisher.pid}/maps", encoding="utf-8") as maps:
        assert str(tmp_path / soname) in maps.read()
    first = servers.subscriber(agent=True, database=database)
    # A slot that was bound behind our back would show only the first of these.
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


