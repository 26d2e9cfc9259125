"""Shared by the tests of the agent: queries of servers, and pushing until events have arrived."""

import json

import tango
from tango_servers import wait_for

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
    """Subscribe, and push single events until one has arrived: after that, none is lost for lack of a
    connection. Returns how many were pushed for that."""
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


def after_restart(publisher, subscriber, before):
    """The publisher was restarted, once since the topic was as ``before``: wait for its events,
    check that each is received or lost, and return the topic."""
    wait_for(lambda: topic(subscriber)["last_resubscribed"], 90, "the reconnection", 0.5)

    def new_events():
        pub(publisher).PushBurst(1)
        return topic(subscriber)["event_count"] > before["event_count"]

    wait_for(new_events, 30, "events of the new process", 0.5)
    pub(publisher).PushBurst(10)
    settle(publisher, subscriber)
    now = topic(subscriber)
    assert now["publisher_restart_count"] == 1
    # Every event that the new process counted was either received or is counted as lost.
    received = now["event_count"] - before["event_count"]
    assert received + now["lost_event_count"] == stream(publisher)["pushed_event_count"]
    return now


def delivered(publisher, subscriber):
    """Wait until the subscriber's callback has seen the newest event, without a query: queries
    empty the samples."""
    newest = pub(publisher).pushed

    def seen():
        (details,) = json.loads(sub(subscriber).details).values()
        return details["last_value"] == newest

    wait_for(seen, 60, f"event {newest}")


def overflow(publisher, subscriber, burst):
    """Push more than fits into the queues of both sides and all the sockets' buffers between, then
    one event that shows what was dropped; more each time until something was, since the kernel gives
    a connection larger buffers the more goes through it. Returns how many were pushed in all."""
    before = topic(subscriber)["lost_event_count"]
    for number in (burst, 2 * burst, 4 * burst):
        sub(subscriber).SetCallbackDelay(0.001)
        pub(publisher).PushBurst(number)
        sub(subscriber).SetCallbackDelay(0)
        last = [None]

        def drained():
            previous, last[0] = last[0], topic(subscriber)["event_count"]
            return previous == last[0]

        wait_for(drained, 120, "the events under way", 0.5)
        pub(publisher).PushBurst(1)
        settle(publisher, subscriber)
        if topic(subscriber)["lost_event_count"] > before:
            return stream(publisher)["pushed_event_count"]
    raise AssertionError(f"nothing was lost of {number} events at once")
