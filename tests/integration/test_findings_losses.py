"""What the monitor finds of lost events, against the truth: each fault made to happen, and near misses."""

import json
import os
import signal
import subprocess

import pytest
from agent_answers import BUILT_IN, ask, join, only, pub, settle, stream, sub, topic
from findings import describe, findings_of
from tango_servers import PYTHON, clean_environment, wait_for
from test_losses import VERSION, received

BURST = 30_000
HAS_COUNTERS_WITHOUT_DATABASE = VERSION >= (9, 4)
# With the agent on every Tango, there in a database; without it where Tango can be asked itself.
needs_built_in = pytest.mark.skipif(not BUILT_IN, reason="this Tango has no QueryEventSystem of its own")
BOTH = pytest.mark.parametrize("agent", [True, pytest.param(False, marks=needs_built_in)], ids=["agent", "built-in"])


@pytest.fixture
def pair(servers, database, monitor_bin):
    """pair(agent): a publisher, and a subscriber that has received its newest event."""

    def start(agent):
        publisher = servers.publisher("losses/pub/1", instance="losses", agent=agent, database=database)
        subscriber = servers.subscriber("losses/sub/1", instance="losses", agent=agent, database=database)
        sub(subscriber).Subscribe([publisher.attribute("burst"), "change"])
        push_until_one_comes(publisher, subscriber)
        return publisher, subscriber

    return start


def push_until_one_comes(publisher, subscriber):
    before = received(subscriber)
    wait_for(lambda: pub(publisher).PushBurst(1) or received(subscriber) > before, 90, "an event", 0.2)
    drain(subscriber)


def drain(subscriber):
    """Wait until nothing comes any more."""
    last = [None]

    def drained():
        previous, last[0] = last[0], received(subscriber)
        return previous == last[0]

    wait_for(drained, 120, "the events under way", 0.5)


def overflow(publisher, subscriber, slow_to_the_end=False):
    """Push more than fits in all queues, its end included; returns how many were lost."""
    before = received(subscriber)
    sub(subscriber).SetCallbackDelay(0.0005)
    pub(publisher).PushBurst(BURST)
    if slow_to_the_end:
        drain(subscriber)
    sub(subscriber).SetCallbackDelay(0)
    drain(subscriber)
    lost = BURST - (received(subscriber) - before)
    assert lost > 0, "the burst was meant to overflow"
    return lost


def names_both(finding, publisher, subscriber):
    return (
        finding["stream"].endswith("losses/pub/1/burst.change")
        and finding["publisher"].lower() == publisher.admin.lower()
        and finding["subscriber"].lower() == subscriber.admin.lower()
    )


def of_losses(findings):
    return [f for f in findings if f["group"] == "loss"]


def named(publisher, subscriber):
    """How the monitor is told to watch both."""
    return publisher.name(), subscriber.name()


# ---- queues ----


@BOTH
def test_a_burst_and_its_end(pair, watch, agent):
    publisher, subscriber = pair(agent)
    monitor = watch("-m", *named(publisher, subscriber))
    monitor.wait_for_polls(3)
    lost = overflow(publisher, subscriber, slow_to_the_end=True)

    def all_are_found():
        found = monitor.found("overflow") + monitor.found("unnoticed-loss")
        return sum(f["events"] for f in found) == lost and found

    for finding in wait_for(all_are_found, 30, f"{lost} lost events to be found"):
        assert names_both(finding, publisher, subscriber)
        assert finding["severity"] == "fault"
    # Mostly, the end of the burst is lost; on a busy machine it may have come.
    tail = sum(f["events"] for f in monitor.found("unnoticed-loss"))
    # The next event shows the end, and it isn't counted twice.
    pub(publisher).PushBurst(1)
    (found,) = wait_for(lambda: monitor.found("overflow", events=lost), 30, f"an overflow of {lost}")
    assert not found["events_is_minimum"]
    # Without those that came before something was missed.
    assert lost < found["of_events"] <= BURST + 1
    assert f"lost {lost} of {found['of_events']} on " in found["text"]
    assert f"publisher faster than {found['subscriber']}'s callbacks" in found["text"]
    if tail:
        over = monitor.wait_until_over("unnoticed-loss")
        assert over["text"].startswith(f"{tail} events of ") and f"noticed since then that {tail} w" in over["text"]
    whole = of_losses(monitor.end())
    assert sum(f["events_in_all"] or 0 for f in whole) == lost, describe(whole)


def test_a_burst_that_is_larger_than_the_queues(servers, database, watch, freeze):
    """The callbacks are fast, but nobody reads for a moment."""
    publisher = servers.cpp_publisher("losses/cpp/1", instance="losses", agent=True, database=database)
    subscriber = servers.cpp_subscriber("losses/cpp/sub", instance="losses", agent=True, database=database)
    subscriber.proxy().Subscribe(publisher.attribute("burst"))

    def arrived():
        publisher.proxy().PushBurst(1)
        return topic(subscriber)["event_count"] > 0

    wait_for(arrived, 30, "the first event", 0.2)
    settle(publisher, subscriber)
    monitor = watch("-m", "--poll-period", 1, *named(publisher, subscriber))
    monitor.wait_for_polls(2)
    missed = topic(subscriber)["missed_event_count"]
    freeze(subscriber)
    publisher.proxy().PushBurst(BURST)
    subscriber.process.send_signal(signal.SIGCONT)

    def noticed():
        """The queues may still be full when the next event comes."""
        publisher.proxy().PushBurst(1)
        return topic(subscriber)["missed_event_count"] > missed

    wait_for(noticed, 30, "the gap", 0.2)
    finding = monitor.wait_for("overflow")
    settle(publisher, subscriber)
    lost = topic(subscriber)["lost_event_count"]
    wait_for(lambda: monitor.found("overflow", events=lost), 30, f"an overflow of {lost}")
    assert "a burst larger than the queues" in finding["text"], describe([finding])
    assert "EventBufferHwm" in finding["advice"]


@BOTH
def test_losses_of_before_the_monitor(pair, agent):
    publisher, subscriber = pair(agent)
    lost = overflow(publisher, subscriber)
    found = of_losses(findings_of("-n", 6, "--poll-period", 1, *named(publisher, subscriber)))
    events = {f["rule"]: f["events_in_all"] for f in found}
    assert set(events) <= {"earlier-losses", "unnoticed-loss"}, describe(found)
    if agent:
        assert sum(events.values()) == lost, describe(found)
    answer = json.loads(subscriber.admin_proxy().QueryEventSystem())
    (callback,) = answer["client"]["event_callbacks"].values()
    assert events.get("unnoticed-loss", 0) == pub(publisher).pushed - callback["server_counter"]
    for finding in found:
        assert names_both(finding, publisher, subscriber)
    if not agent and "earlier-losses" in events:
        (finding,) = [f for f in found if f["rule"] == "earlier-losses"]
        assert finding["events_is_minimum"] and finding["events"] == callback["missed_event_count"]


def test_what_waits_behind_a_callback(pair, watch):
    publisher, subscriber = pair(True)
    monitor = watch(*named(publisher, subscriber))
    monitor.wait_for_polls(3)
    before = received(subscriber)
    sub(subscriber).SetCallbackDelay(3)
    pub(publisher).PushBurst(20)
    finding = monitor.wait_for("not-received")
    assert names_both(finding, publisher, subscriber)
    assert finding["severity"] == "warning"
    assert 0 < finding["events"] <= 20
    assert f"{finding['events']} of {pub(publisher).pushed} events pushed on " in finding["text"]
    # It depends on whether the next one has just begun.
    words = ("waiting behind a callback for", "waiting for callbacks, now one for")
    assert any(each in finding["text"] for each in words)
    assert f"{finding['publisher']} has pushed {pub(publisher).pushed} " in finding["evidence"][0]
    sub(subscriber).SetCallbackDelay(0)
    over = monitor.wait_until_over("not-received")
    assert "arrived since" in over["text"]
    wait_for(lambda: received(subscriber) == before + 20, 30, "all events")
    assert [f["rule"] for f in of_losses(monitor.end())] == ["not-received"]
    assert over["events_in_all"] == 0


# ---- connections ----


def test_a_connection_that_was_down(pair, watch):
    publisher, subscriber = pair(True)
    settle(publisher, subscriber)
    monitor = watch(*named(publisher, subscriber))
    monitor.wait_for_polls(2)
    before = topic(subscriber)
    channel = only(ask(subscriber)["client"]["event_channels"], publisher.server_name.lower())
    endpoints = (channel["endpoint"], channel["event_endpoint"])
    assert sub(subscriber).BreakConnections([int(e.rsplit(":", 1)[1]) for e in endpoints]) == 2
    pushed = pub(publisher).pushed
    pub(publisher).PushBurst(50)
    wait_for(lambda: topic(subscriber)["last_resubscribed"], 90, "the reconnection", 0.5)
    push_until_one_comes(publisher, subscriber)
    lost = pub(publisher).pushed - pushed - (topic(subscriber)["event_count"] - before["event_count"])
    assert lost >= 50
    finding = monitor.wait_for("outage", events=lost)
    assert names_both(finding, publisher, subscriber)
    assert f"lost {lost} of " in finding["text"] and "was down" in finding["text"]
    assert not monitor.found("overflow")
    assert sum(f["events_in_all"] or 0 for f in of_losses(monitor.end())) == lost


# A client that subscribes at once, so that the new process pushes, while the subscriber is still blind.
OTHER_CLIENT = """
import sys, tango
tango.DeviceProxy(sys.argv[1]).ZmqEventSubscriptionChange([sys.argv[2], "burst", "subscribe", "change", "5"])
"""


@pytest.mark.parametrize("loses", [True, False], ids=["losing", "orderly"])
def test_a_publisher_that_was_restarted(pair, watch, loses):
    publisher, subscriber = pair(True)
    settle(publisher, subscriber)
    strict = watch("--threshold", "publisher-restart=0.01", *named(publisher, subscriber))
    usual = watch(*named(publisher, subscriber))
    usual.wait_for_polls(2)
    before = topic(subscriber)["event_count"]
    (publisher.kill if loses else publisher.stop)()
    publisher.start()
    if loses:
        subprocess.run(
            [PYTHON, "-c", OTHER_CLIENT, publisher.admin, publisher.first_device],
            env=clean_environment(), timeout=60, check=True,
        )
        pub(publisher).PushBurst(20)
    wait_for(lambda: topic(subscriber)["last_resubscribed"], 90, "the reconnection", 0.5)
    push_until_one_comes(publisher, subscriber)
    settle(publisher, subscriber)
    lost = stream(publisher)["pushed_event_count"] - (topic(subscriber)["event_count"] - before)
    finding = strict.wait_for("publisher-restart")
    assert names_both(finding, publisher, subscriber)
    usual.wait_for_polls(3)
    if loses:
        assert lost >= 20
    if lost:  # also one that was pushed just before the connection was made
        assert "was restarted" in usual.wait_for("outage", events=lost)["text"]
    found = of_losses(usual.end())
    assert {f["rule"] for f in found} <= ({"outage", "not-received"} if lost else set()), describe(found)
    assert sum(f["events_in_all"] or 0 for f in found) == lost


# ---- duplicates, and events without a number ----

# Clients that come one after another: each makes the publisher send its next event twice.
MANY_CLIENTS = """
import os, sys, tango
while os.getppid() == int(sys.argv[3]):
    pid = os.fork()
    if pid == 0:
        subscription = [sys.argv[2], "burst", "subscribe", "change", "5"]
        tango.DeviceProxy(sys.argv[1]).ZmqEventSubscriptionChange(subscription)
        tango.DeviceProxy(sys.argv[1].replace(sys.argv[4], sys.argv[2])).PushBurst(1)
        os._exit(0)
    os.waitpid(pid, 0)
"""


def test_duplicates(pair, watch):
    publisher, subscriber = pair(True)
    few, many = (watch("--poll-period", 1.5, "--threshold", f"duplicates={threshold}", *named(publisher, subscriber))
                 for threshold in (1000, 3))
    discarded = topic(subscriber)["discarded_event_count"]
    clients = subprocess.Popen(
        [PYTHON, "-c", MANY_CLIENTS, publisher.admin, publisher.first_device, str(os.getpid()),
         f"dserver/{publisher.server_name}"],
        env=clean_environment(),
    )
    try:
        finding = many.wait_for("duplicates", 90)
        few.wait_for_polls(3)
    finally:
        clients.terminate()
        clients.wait()
    many.wait_for_polls(2)
    finding = many.found("duplicates")[0]
    assert names_both(finding, publisher, subscriber)
    assert finding["severity"] == "warning"
    drain(subscriber)
    assert 9 <= finding["events"] <= topic(subscriber)["discarded_event_count"] - discarded
    assert not of_losses(few.end())


@pytest.mark.parametrize("with_database", [True, False], ids=["database", "no-database"])
def test_events_without_a_number(servers, database, watch, with_database):
    its_database = database if with_database else None
    publisher = servers.publisher("numbers/pub/1", instance="numbers", agent=True, database=its_database)
    subscriber = servers.subscriber("numbers/sub/1", instance="numbers", agent=True, database=its_database)
    join(publisher, subscriber)
    monitor = watch(*named(publisher, subscriber))
    for _ in range(5):
        pub(publisher).PushBurst(2)
        monitor.wait_for_polls(1)
    if with_database or HAS_COUNTERS_WITHOUT_DATABASE:
        assert not of_losses(monitor.end())
        return
    finding = monitor.wait_for("no-counter")
    assert finding["severity"] == "remark"
    assert finding["publisher"].lower() == publisher.admin.lower()
    assert [f["rule"] for f in of_losses(monitor.end())] == ["no-counter"]


# ---- all is well ----


def test_nothing_is_lost(servers, database, pair, watch):
    """Events that each poll finds under way, bursts that fit, callbacks that take some time, clients that come
    and go."""
    publisher, subscriber = pair(True)
    other = servers.subscriber("losses/sub/2", instance="losses2", agent=True, database=database)
    monitor = watch("--poll-period", 0.1, *named(publisher, subscriber), other.name())
    monitor.wait_for_polls(2)
    pub(publisher).PushPaced([4000, 1000])
    for _ in range(4):
        sub(other).Subscribe([publisher.attribute("burst"), "change"])
        monitor.wait_for_polls(2)
        sub(other).Unsubscribe([])
        monitor.wait_for_polls(1)
    wait_for(lambda: not pub(publisher).pushing, 30, "the last event to be pushed")
    drain(subscriber)
    for _ in range(5):
        pub(publisher).PushBurst(500)
        drain(subscriber)
    # So short a wait is none.
    before = received(subscriber)
    sub(subscriber).SetCallbackDelay(0.3)
    pub(publisher).PushBurst(3)
    wait_for(lambda: received(subscriber) == before + 3, 30, "three events")
    sub(subscriber).SetCallbackDelay(0)
    other.stop()
    monitor.wait_for_polls(3)
    found = of_losses(monitor.end())
    assert not found, describe(found)
