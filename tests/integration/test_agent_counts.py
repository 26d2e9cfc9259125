"""The agent's counts, compared with the truth that the test knows: pushed, received, lost."""

from datetime import datetime, timezone

import pytest
from agent_answers import BUILT_IN, BURST, after_restart, ask, join, only, overflow, pub, settle, stream, sub, topic
from tango_servers import wait_for

pytestmark = pytest.mark.sanitizers


def test_100000_events_few_enough_at_a_time_to_lose_none(servers, agent_lib, database):
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

    # Half of what the queues on the way hold, each time.
    count, at_once = 100_000, 500
    publishing, subscribers = pub(here), (sub_here, there.proxy())
    for done in range(at_once, count + 1, at_once):
        publishing.PushBurst(at_once)
        for proxy, at_first in zip(subscribers, callbacks_before.values()):
            wait_for(lambda p=proxy, n=at_first + done: p.received >= n, 60, f"event {done}", 0.002)
    settle(here, there)
    settle(here, here)

    assert pub(here).pushed == pushed + count
    published = stream(here)
    assert published["pushed_event_count"] == pushed + count
    assert only(ask(here)["server"]["event_counters"], BURST) == pushed + count
    # The built-in command gives the counter of the next event.
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
    # Those that were pushed before the connection was made came before the first one received.
    assert 5 <= now["event_count"] <= pushed + 4
    assert now["lost_event_count"] == 0
    assert stream(publisher)["pushed_event_count"] == pushed + 4
    # The callback saw each once, and the value that subscribing reads.
    assert sub(subscriber).received == now["event_count"] + 1


@pytest.mark.parametrize("kind", ["python", "cpp"])
@pytest.mark.not_under_sanitizers("they decide what overflows")
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
    # cppTango reports each gap to its callbacks, as an error before the event.
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
    now = after_restart(publisher, subscriber, before)
    assert now["missed_event_count"] == before["missed_event_count"] == 0
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

    # A loss across the wrap is counted correctly too.
    pub(publisher).SetServerCounter(2**32 - 2)
    pub(publisher).PushBurst(1)
    wait_for(lambda: topic(subscriber)["server_counter"] == 2**32 - 2, what="the jump")
    lost = topic(subscriber)["lost_event_count"]
    pub(publisher).SetServerCounter(3)
    pub(publisher).PushBurst(1)
    wait_for(lambda: topic(subscriber)["server_counter"] == 3, what="the jump across the wrap")
    assert topic(subscriber)["lost_event_count"] - lost == 4, "2^32 - 1, 0, 1 and 2"


@pytest.mark.not_under_sanitizers("they decide what overflows")
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

    def all_came():
        now = topic(subscriber)
        if now["server_counter"] == 0:
            return now["event_count"] > 99
        return now["server_counter"] == pushed + 100

    wait_for(all_came, what="the events")
    now = topic(subscriber)
    if now["server_counter"] == 0:
        assert now["lost_event_count"] is None
        assert now["missed_event_count"] == 0
    else:
        assert now["lost_event_count"] == 0
        assert now["server_counter"] == pushed + 100
    assert len(ask(publisher)["server"]["event_counters"]) == 1


def test_events_of_short_lived_threads_without_a_database(servers, agent_lib):
    """Each of them may get the memory of the one before it."""
    publisher = servers.cpp_publisher(agent=True)
    subscriber = servers.subscriber(agent=True)
    sub(subscriber).Subscribe([publisher.attribute(BURST), "change"])
    for _ in range(10):
        pub(publisher).PushPaced([1, 1000])
        wait_for(lambda: not pub(publisher).pushing, what="the thread's end")
    wait_for(lambda: stream(publisher)["pushed_event_count"] == 10, 5, "the count")
