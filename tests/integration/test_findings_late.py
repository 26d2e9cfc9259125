"""What the monitor finds with agents that are attached to servers while these run: nothing that isn't
wrong, and what is wrong from then on as with an agent from the start."""

import json
import subprocess

import pytest
import tango
from agent_answers import ask, pub, sub, topic
from findings import describe
from tango_servers import AGENT_LIB, LAUNCHER, need, run_monitor, wait_for
from test_findings_losses import drain, overflow, push_until_one_comes
from test_losses import received

STUCK_S = 2


def has_agent(server):
    try:
        return ask(server)
    except tango.DevFailed:
        return None


def launcher(command, server):
    done = subprocess.run(
        [need(LAUNCHER), command, str(server.pid)], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def attach(server):
    """Load the agent into a server; returns its first answer."""
    launcher("attach", server)
    answer = wait_for(lambda: has_agent(server), 30, f"the agent in {server.server_name}")
    assert answer["agent"]["loaded"] == "late"
    return answer


@pytest.fixture
def pair(servers, database, launcher_bin, agent_lib, monitor_bin):
    """A publisher, and a subscriber that receives its events; neither has an agent."""
    publisher = servers.publisher("late/pub/1", instance="late", database=database)
    subscriber = servers.subscriber("late/sub/1", instance="late", database=database)
    sub(subscriber).Subscribe([publisher.attribute("burst"), "change"])
    push_until_one_comes(publisher, subscriber)
    push(publisher, subscriber, 200)
    return publisher, subscriber


def push(publisher, subscriber, count):
    """Fewer than a queue holds, and all of them arrive."""
    before = received(subscriber)
    pub(publisher).PushBurst(count)
    wait_for(lambda: received(subscriber) >= before + count, 60, f"{count} events")


def total_of(totals, subscriber):
    """What the subscriber received and lost; one that hasn't any yet has no row."""
    rows = [row for row in totals["subscriptions"] if row["server"].lower().endswith(subscriber.admin.lower())]
    return rows[0] if rows else {"received": 0, "lost": 0}


def restarts(totals):
    return sum(server["restarts"] for server in totals["servers"])


# ---- all is well ----


@pytest.mark.parametrize("order", ["pub", "sub", "pub sub", "sub pub"])
@pytest.mark.parametrize("flows", [False, True], ids=["silent", "flowing"])
def test_attached_to_a_healthy_system(pair, watch, order, flows):
    publisher, subscriber = pair
    servers = {"pub": publisher, "sub": subscriber}
    first, *others = (servers[name] for name in order.split())
    attach(first)
    monitor = watch(*(server.name() for server in (first, *others)))
    monitor.wait_for_polls(2)
    if flows:
        pub(publisher).PushPaced([2000, 200])
    for server in others:
        attach(server)
        monitor.wait_for_polls(3)
    for _ in range(3):
        if not flows:
            push(publisher, subscriber, 100)
        monitor.wait_for_polls(3)
    wait_for(lambda: not pub(publisher).pushing, 60, "the last event")
    drain(subscriber)
    monitor.wait_for_polls(4)
    found = monitor.end()
    assert found == [], describe(found)
    assert restarts(monitor.totals) == 0
    if subscriber in (first, *others):
        total = total_of(monitor.totals, subscriber)
        assert total["lost"] == 0
        # Totals begin with the monitor's first answer of it.
        count = topic(subscriber)["event_count"]
        assert total["received"] == 300 if not flows else 0 < total["received"] <= count
    # Not all that was ever pushed, as if it had been just now.
    for row in monitor.totals["published"]:
        assert row["pushed"] is None or row["pushed"] <= (300 if not flows else 2000)


def test_it_says_what_is_not_known(pair):
    publisher, subscriber = pair
    attach(subscriber)
    push(publisher, subscriber, 10)
    diagnosis = run_monitor("--diagnose=2", subscriber.name())
    assert diagnosis.stdout.startswith("Healthy: "), diagnosis.stdout + diagnosis.stderr
    words = " ".join(diagnosis.stdout.split())
    assert "Only known from when the agent was attached: " in words
    assert "in a process that has run since" in words
    verdict = json.loads(run_monitor("--diagnose=2", "--format", "json", subscriber.name()).stdout)
    assert len(verdict["servers_with_late_agent"]) == 1
    assert "attached " in run_monitor("-n", "1", subscriber.name()).stdout


def test_detached_and_attached_again(pair, watch):
    publisher, subscriber = pair
    for server in pair:
        attach(server)
    push(publisher, subscriber, 100)
    monitor = watch(publisher.name(), subscriber.name(), "--threshold", "no-answer=60")
    monitor.wait_for_polls(3)
    for server in pair:
        launcher("detach", server)
        push(publisher, subscriber, 100)
        attach(server)
        push(publisher, subscriber, 100)
        monitor.wait_for_polls(6)
    found = monitor.end()
    assert found == [], describe(found)
    assert restarts(monitor.totals) == 0
    assert total_of(monitor.totals, subscriber)["lost"] == 0


# ---- something is wrong ----


def test_an_overflow_after_it_was_attached(pair, watch):
    publisher, subscriber = pair
    for server in pair:
        attach(server)
    push(publisher, subscriber, 10)
    monitor = watch("-m", publisher.name(), subscriber.name())
    monitor.wait_for_polls(3)
    lost = overflow(publisher, subscriber)
    pub(publisher).PushBurst(1)
    (finding,) = wait_for(lambda: monitor.found("overflow", events=lost), 60, f"{lost} lost events")
    assert not finding["events_is_minimum"]


def test_attached_during_an_overflow(pair, watch):
    """What is lost from then on is counted, and the next overflow exactly."""
    publisher, subscriber = pair
    sub(subscriber).SetCallbackDelay(0.0005)
    pub(publisher).PushBurst(30_000)
    for server in pair:
        attach(server)
    monitor = watch(publisher.name(), subscriber.name())
    monitor.wait_for_polls(3)
    sub(subscriber).SetCallbackDelay(0)
    drain(subscriber)
    push(publisher, subscriber, 10)
    monitor.wait_for_polls(4)
    # The publisher numbers from the beginning, so the end of the burst is accounted for, too.
    known = topic(subscriber)
    lost_before = known["lost_event_count"]
    found = sum(f["events_in_all"] for f in monitor.found("overflow"))
    earlier = sum(f["events_in_all"] for f in monitor.found("earlier-losses"))
    assert found + earlier == lost_before <= 30_000
    lost = overflow(publisher, subscriber)
    push(publisher, subscriber, 1)
    wait_for(lambda: topic(subscriber)["lost_event_count"] == lost_before + lost, 30, f"{lost} more")
    wait_for(
        lambda: sum(f["events_in_all"] for f in monitor.found("overflow")) + earlier == lost_before + lost,
        30,
        "all of them to be found",
    )


def test_a_callback_that_gets_stuck(pair, watch):
    publisher, subscriber = pair
    attach(subscriber)
    push(publisher, subscriber, 10)
    monitor = watch(subscriber.name(), "--threshold", f"stuck-callback={STUCK_S}")
    monitor.wait_for_polls(2)
    sub(subscriber).SetCallbackDelay(3 * STUCK_S)
    pub(publisher).PushBurst(1)
    monitor.wait_for("stuck-callback")
    sub(subscriber).SetCallbackDelay(0)
    monitor.wait_until_over("stuck-callback")


def test_a_publisher_that_is_killed(pair, watch):
    publisher, subscriber = pair
    attach(subscriber)
    # Its channel is known with the next heartbeat.
    wait_for(lambda: (ask(subscriber)["client"] or {}).get("event_channels"), 30, "a heartbeat")
    monitor = watch(subscriber.name())
    publisher.kill()
    finding = monitor.wait_for("silent-channel", timeout=120)
    assert finding["severity"] == "fault" and "the publisher isn't running" in finding["text"]


def test_restarted_with_the_agent_and_without(pair, watch):
    publisher, subscriber = pair
    for server in pair:
        attach(server)
    push(publisher, subscriber, 10)
    monitor = watch(publisher.name(), subscriber.name(), "--threshold", "no-answer=1")
    monitor.wait_for_polls(3)
    subscriber.restart()
    finding = monitor.wait_for("no-answer", severity="warning")
    assert "attach" in finding["advice"]
    attach(subscriber)
    monitor.wait_until_over("no-answer")
    subscriber.agent = AGENT_LIB
    subscriber.restart()
    sub(subscriber).Subscribe([publisher.attribute("burst"), "change"])
    push_until_one_comes(publisher, subscriber)
    monitor.wait_for_polls(4)
    found = [f for f in monitor.end() if f["rule"] != "no-answer"]
    assert found == [], describe(found)
    assert restarts(monitor.totals) == 2
