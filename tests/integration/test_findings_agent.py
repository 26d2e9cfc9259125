"""What the monitor finds about servers that don't answer, and about agents that see less than they should."""

import json

import pytest
from agent_answers import ask, pub, sub, topic
from elf_files import call_own_functions_directly
from findings import of_rule
from tango_servers import wait_for
from test_hostile import own_libtango


@pytest.fixture(autouse=True)
def _programs(monitor_bin, agent_lib):
    """All of these need the monitor and the agent."""


def test_a_server_that_was_killed_and_one_that_was_stopped(servers, database, watch):
    killed = servers.cpp_publisher("noanswer/killed/1", instance="noanswer-killed", agent=True, database=database)
    stopped = servers.cpp_publisher("noanswer/stopped/1", instance="noanswer-stopped", agent=True, database=database)
    restarted = servers.cpp_publisher("noanswer/restarted/1", instance="noanswer-again", agent=True, database=database)
    monitor = watch(killed.name(), stopped.name(), restarted.name(), "--threshold", "no-answer=3")
    monitor.wait_for_polls(1)
    stopped.stop()
    killed.kill()
    restarted.restart()
    finding = monitor.wait_for("no-answer", server=killed.admin)
    assert finding["severity"] == "fault" and finding["seconds"] >= 3
    assert finding["text"] == f"no answer from {killed.admin}: its server is not running or can't be reached"
    killed.start()
    monitor.wait_until_over("no-answer", server=killed.admin)
    monitor.wait_for_polls(4)
    assert [f["server"] for f in of_rule(monitor.end(), "no-answer")] == [killed.admin]


def test_a_server_that_hangs(servers, watch, freeze):
    frozen = servers.cpp_publisher(agent=True)
    monitor = watch(frozen.name(), "--timeout", "0.3", "--threshold", "no-answer=1")
    monitor.wait_for_polls(1)
    freeze(frozen)
    finding = monitor.wait_for("no-answer", server=frozen.admin)
    assert finding["seconds"] >= 1


def test_events_under_names_that_nobody_subscribed_to(servers, database, watch):
    publisher = servers.cpp_publisher("unknown/cpp/1", instance="unknown", agent=True, database=database)
    subscriber = servers.subscriber("unknown/sub/1", "unknown", agent=True, database=database)
    monitor = watch(publisher.name(), subscriber.name(), "--threshold", "unknown-topics=1")

    def subscribe():
        sub(subscriber).Subscribe([publisher.attribute("burst"), "change"])
        wait_for(lambda: pub(publisher).PushBurst(1) or topic(subscriber)["event_count"], 20, "an event", 0.2)

    # In the middle of a burst: what is under way arrives for nobody.
    for _ in range(3):
        subscribe()
        pub(publisher).PushPaced([2000, 2000])
        sub(subscriber).Unsubscribe([])
        monitor.wait_for_polls(2)
        wait_for(lambda: not pub(publisher).pushing, 20, "the burst to end")
    assert monitor.found("unknown-topics") == []
    subscribe()
    (name,) = ask(subscriber)["client"]["event_callbacks"]

    def go_on():
        publisher.proxy().PushForged([f"{name}.", "20"])
        return monitor.found("unknown-topics")

    (finding,) = wait_for(go_on, 30, "a finding", 0.2)
    before = ask(subscriber)["agent"]["unknown_topic_event_count"]
    assert 0 < finding["events"] <= before
    assert (finding["subscriber"], finding["severity"]) == (subscriber.admin, "warning")
    monitor.wait_until_over("unknown-topics")


@pytest.mark.not_under_sanitizers("their libtango is another one")
def test_a_libtango_that_can_not_be_watched_as_a_whole(servers, database, tmp_path, watch):
    env, _ = own_libtango(tmp_path, call_own_functions_directly)
    half = servers.publisher("half/pub/1", "half", agent=True, database=database, env=env)
    whole = servers.cpp_publisher("half/cpp/2", instance="whole", agent=True, database=database)
    monitor = watch(half.name(), whole.name())
    finding = monitor.wait_for("unwatched")
    what = ask(half)["agent"]["unwatched"]
    assert "callbacks" in what and "received events" not in what
    assert finding["text"] == f"the agent in {half.admin} can't watch: {what}"
    assert ask(whole)["agent"]["unwatched"] is None
    assert len(of_rule(monitor.end(), "unwatched")) == 1


def test_monitoring_that_somebody_left_on(servers, watch):
    publisher = servers.publisher(agent=True)
    publisher.admin_proxy().ZmqEventSubscriptionChange(["info"])
    others = watch(publisher.name(), "--threshold", "monitoring-left-on=1")
    ours = watch(publisher.name(), "--threshold", "monitoring-left-on=1", "-m")
    ours.wait_for_polls(4)
    others.wait_for("monitoring-left-on", server=publisher.admin)
    assert ours.end() == []
    others.wait_until_over("monitoring-left-on")
    others.wait_for_polls(3)
    assert others.end()[0]["times"] == 1


# What would take a day to make in a server: a device that answers as such a server would.


def answer(**agent):
    defaults = {"version": "0.1.0", "pid": 1, "time": "2026-01-01T00:00:00.000000Z", "uncounted": 0}
    return json.dumps({"version": 1, "server": None, "client": None, "agent": {**defaults, **agent}})


@pytest.mark.parametrize(
    "rule, agent, text",
    [
        ("uncounted", {"uncounted": 3}, "more streams than its tables hold"),
        ("truncated", {"truncated": {"event_streams": 2, "event_callbacks": 1}}, "lacks 2 published streams and 1 sub"),
        ("old-agent", {"time": None, "version": "0.0.9"}, "is older than this monitor (0.0.9)"),
    ],
)
def test_what_an_agent_says_of_itself(servers, watch, rule, agent, text):
    liar = servers.liar()
    liar.proxy().Answer(answer())
    monitor = watch(liar.admin, "--threshold", "clocks=1e12")  # its time stands still
    monitor.wait_for_polls(3)
    assert monitor.latest == {}
    liar.proxy().Answer(answer(**agent))
    assert text in monitor.wait_for(rule)["text"]
    liar.proxy().Answer(answer())
    monitor.wait_until_over(rule)
    assert [f["rule"] for f in monitor.end()] == [rule]
