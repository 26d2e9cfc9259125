"""The agent's command compared with the one built into cppTango 10.1 and later."""

import pytest
from agent_answers import BUILT_IN, ask, join, settle, stream, topic
from tango_servers import wait_for

pytestmark = pytest.mark.sanitizers


def differences(publisher, subscriber):
    """The differences between the built-in command's answer and the agent's, from the same process."""
    found = []
    theirs = ask(publisher, "QueryEventSystem")["server"]["event_counters"]
    ours = ask(publisher)["server"]["event_counters"]
    # Theirs is the counter of the next event.
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
            # The built-in command's stays null even if Tango renewed the subscription.
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
