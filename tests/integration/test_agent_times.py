"""How long things take: the consumer thread, samples and histograms of the agent."""

import os
import time
from datetime import datetime, timezone

import pytest
from agent_answers import BUILT_IN, BURST, ask, delivered, join, pub, settle, stream, sub, topic
from tango_servers import wait_for

pytestmark = pytest.mark.sanitizers


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

    # A new subscription starts from zero; the publisher's stream goes on.
    sub(server).Unsubscribe([])
    join(server, server)
    assert histograms(server)[0] == push
    assert histograms(server)[2]["count"] == 0
