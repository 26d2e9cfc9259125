"""What is found of the thread that receives events, and runs all callbacks."""

import json
import os
import re
import time
from datetime import datetime, timezone

import pytest
from findings import describe
from tango_servers import wait_for

pytest_plugins = ["findings"]


@pytest.fixture(autouse=True)
def _programs(monitor_bin, agent_lib):
    """All of these need the monitor and the agent."""


def pub_and_sub(servers, database, name, script="subscriber.py", kind="Subscriber"):
    pub = servers.publisher(f"{name}/pub/1", instance=f"{name}-pub", agent=True, database=database)
    sub = servers.python(script, {kind: [f"{name}/sub/1"]}, f"{name}-sub", agent=True, database=database)
    return pub, sub


def client_of(server):
    return json.loads(server.admin_proxy().QueryEventAgent())["client"]


def consumer_of(server):
    return client_of(server)["consumer_thread"]


def push_until(pub, condition, what):
    """An event after the other: the first ones may come before the connection is made."""
    wait_for(lambda: (pub.proxy().PushBurst(1), condition())[1], what=what, period=0.2)


# ---- stuck-callback ----


def test_a_callback_that_never_returns(servers, database, watch):
    pub, sub = pub_and_sub(servers, database, "stuck", "clumsy.py", "Clumsy")
    sub.proxy().Subscribe([pub.attribute("attr"), "change"])
    sub.proxy().SubscribeAndBlock(pub.attribute("burst"))
    push_until(pub, lambda: consumer_of(sub)["state"] == "callbacks", "a callback that blocks")
    monitor = watch(pub.name(), sub.name(), "--threshold", "stuck-callback=2")
    finding = monitor.wait_for("stuck-callback", subscriber=f"dserver/{sub.server_name}")
    assert finding["severity"] == "fault" and finding["seconds"] >= 2
    assert finding["stream"].endswith("/stuck/pub/1/burst.change")
    assert finding["publisher"].endswith(f"dserver/{pub.server_name}")
    assert "1 other stream waits for it" in finding["text"]
    # Since the callback began, not since it was noticed.
    began = time.time() - consumer_of(sub)["state_micros"] / 1e6
    assert abs(datetime.fromisoformat(finding["since"]).timestamp() - began) < 0.5
    sub.proxy().Release()
    monitor.wait_until_over("stuck-callback")
    found = monitor.end()
    assert {each["rule"] for each in found} <= {"stuck-callback", "late-heartbeats", "not-received"}, describe(found)


def test_callbacks_that_take_a_second_are_not_stuck(servers, database, watch):
    pub, sub = pub_and_sub(servers, database, "unstuck")
    sub.proxy().Subscribe([pub.attribute("burst"), "change"])
    sub.proxy().SetCallbackDelay(1)
    push_until(pub, lambda: consumer_of(sub)["state"] == "callbacks", "a callback that sleeps")
    monitor = watch(sub.name(), "--threshold", "stuck-callback=2", "--poll-period", 0.2)
    pub.proxy().PushBurst(3)
    received = sub.proxy().received
    wait_for(lambda: sub.proxy().received >= received + 3, what="three callbacks")
    monitor.wait_for_polls(2)
    assert monitor.found("stuck-callback") == []


# ---- delayed ----


def test_subscribing_under_a_lock_that_a_callback_wants(servers, database, watch):
    """Errors are reported by Tango's keep-alive thread: the consumer thread isn't in a callback."""
    pub, sub = pub_and_sub(servers, database, "delayed", "clumsy.py", "Clumsy")
    other = servers.publisher("delayed/pub/2", instance="delayed-pub-2", agent=True, database=database)
    sub.proxy().SubscribeWithLockForErrors(pub.attribute("burst"))
    sub.proxy().SubscribeUnderLock(other.attribute("burst"))
    monitor = watch(other.name(), sub.name(), "--threshold", "delayed=2")
    pub.kill()
    finding = monitor.wait_for("delayed", subscriber=f"dserver/{sub.server_name}")
    assert sub.proxy().error_waits
    assert finding["severity"] == "fault" and finding["seconds"] >= 2
    assert "it is making a subscription, and that doesn't finish" in finding["text"]
    assert any("no callback is running" in line for line in finding["evidence"])
    assert monitor.found("stuck-callback") == []
    sub.kill()  # it would never end by itself


def test_subscriptions_that_are_made(servers, database, watch, freeze):
    """In a callback, in one that Tango calls while it subscribes, and to a server that hangs."""
    pub, sub = pub_and_sub(servers, database, "undelayed", "clumsy.py", "Clumsy")
    hung = servers.publisher("undelayed/pub/2", instance="undelayed-pub-2", agent=True, database=database)
    monitor = watch(sub.name(), "--poll-period", 0.2)
    sub.proxy().SubscribeInCallback([pub.attribute("burst"), pub.attribute("attr")])
    push_until(pub, lambda: len(client_of(sub)["event_callbacks"]) == 2, "the second subscription")
    sub.proxy().SubscribeNested([pub.attribute("pushed"), "attr_conf", pub.attribute("pushing"), "attr_conf"])
    freeze(hung)
    with pytest.raises(Exception, match="undelayed/pub/2"):
        sub.proxy().Subscribe([hung.attribute("burst"), "change"])
    os.kill(hung.pid, 18)  # SIGCONT
    monitor.wait_for_polls(2)
    assert monitor.found("delayed") == []


# ---- slow-callback ----


@pytest.mark.parametrize("seconds, slow", [(0.03, True), (0.003, False)])
def test_callbacks_that_take_the_time_of_others(servers, database, watch, seconds, slow):
    name = f"slow{int(slow)}"
    pub, sub = pub_and_sub(servers, database, name)
    sub.proxy().Subscribe([pub.attribute("burst"), "change"])
    push_until(pub, lambda: sub.proxy().received > 1, "the first event")
    sub.proxy().SetCallbackDelay(seconds)
    pub.proxy().PushPaced([30 * 8, 30])
    monitor = watch("-m", pub.name(), sub.name())
    if slow:
        finding = monitor.wait_for("slow-callback", subscriber=f"dserver/{sub.server_name}")
        assert finding["severity"] == "warning"
        assert f"/{name}/pub/1/burst.change" in finding["text"]
        mean = float(finding["text"].split(" ms each")[0].rpartition(" ")[2])
        assert 1e3 * seconds <= mean < 1.3e3 * seconds
    else:
        wait_for(lambda: not pub.proxy().pushing, what="the end of the events")
        monitor.wait_for_polls(2)
        assert monitor.found("slow-callback") == []


@pytest.mark.parametrize("seconds, slow", [(0.05, True), (0, False)])
def test_the_same_without_monitoring(servers, database, watch, seconds, slow):
    """A burst that the queues hold, and callbacks that take long or don't."""
    pub, sub = pub_and_sub(servers, database, f"unmeasured{int(slow)}")
    sub.proxy().Subscribe([pub.attribute("burst"), "change"])
    push_until(pub, lambda: sub.proxy().received > 1, "the first event")
    monitor = watch(pub.name(), sub.name())
    monitor.wait_for_polls(1)
    sub.proxy().SetCallbackDelay(seconds)
    for _ in range(5):
        pub.proxy().PushBurst(60)
        monitor.wait_for_polls(1)
    if slow:
        finding = monitor.wait_for("slow-callback", subscriber=f"dserver/{sub.server_name}")
        assert "was in a callback at each of the last polls" in finding["text"]
        assert "-m" in finding["advice"]
    else:
        monitor.wait_for_polls(3)
        assert monitor.found("slow-callback") == []


# ---- late-heartbeats ----


def silent_for(server):
    """Of each channel: how long ago the last heartbeat came, in seconds."""
    now = datetime.now(timezone.utc)
    channels = client_of(server)["event_channels"].values()
    if any(not channel["last_heartbeat"] for channel in channels):
        return []
    return [(now - datetime.fromisoformat(channel["last_heartbeat"])).total_seconds() for channel in channels]


def two_publishers(servers, database, name):
    pub, sub = pub_and_sub(servers, database, name, "clumsy.py", "Clumsy")
    other = servers.publisher(f"{name}/pub/2", instance=f"{name}-pub-2", agent=True, database=database)
    sub.proxy().Subscribe([pub.attribute("attr"), "attr_conf", other.attribute("attr"), "attr_conf"])
    sub.proxy().SubscribeAndBlock(pub.attribute("burst"))
    wait_for(lambda: len(silent_for(sub)) == 2, what="heartbeats of both")
    return pub, other, sub


def test_all_heartbeats_are_late_because_of_a_callback(servers, database, watch):
    pub, _, sub = two_publishers(servers, database, "late")
    monitor = watch(sub.name())
    push_until(pub, lambda: consumer_of(sub)["state"] == "callbacks", "a callback that blocks")
    # One is counted as missed after 15 s.
    wait_for(lambda: min(silent_for(sub)) > 15.5, timeout=40, what="no heartbeats")
    sub.proxy().Release()
    finding = monitor.wait_for("late-heartbeats", subscriber=f"dserver/{sub.server_name}")
    assert finding["severity"] == "warning"
    assert "/late/pub/1/burst.change took" in finding["text"]
    # Of one channel or of both: Tango may have connected the other one again meanwhile.
    assert re.match(r"[1-9] heartbeats? hadn't arrived", finding["evidence"][0])


def test_late_heartbeats_of_one_publisher_are_no_matter_of_callbacks(servers, database, watch, freeze):
    pub, other, sub = two_publishers(servers, database, "unlate")
    monitor = watch(sub.name())
    freeze(other)
    wait_for(lambda: max(silent_for(sub)) > 15.5, timeout=40, what="no heartbeats of one")
    os.kill(other.pid, 18)  # SIGCONT

    def missed():
        return sum(channel["missed_heartbeat_count"] for channel in client_of(sub)["event_channels"].values())

    wait_for(missed, what="the heartbeat after those that are missing")
    monitor.wait_for_polls(2)
    assert monitor.found("late-heartbeats") == []


# ---- error-events ----


def types_and_sub(servers, database, name):
    pub = servers.python("event_types.py", {"EventTypes": [f"{name}/pub/1"]}, f"{name}-pub", agent=True,
                         database=database)
    sub = servers.subscriber(f"{name}/sub/1", instance=f"{name}-sub", agent=True, database=database)
    sub.proxy().Subscribe([pub.attribute("double_scalar"), "change"])
    wait_for(lambda: (pub.proxy().Push(["change", "double_scalar", "1"]), sub.proxy().received > 2)[1],
             what="the first event", period=0.2)
    return pub, sub


def test_errors_instead_of_values(servers, database, watch):
    pub, sub = types_and_sub(servers, database, "errors")
    monitor = watch(pub.name(), sub.name())
    monitor.wait_for_polls(1)
    before = sub.proxy().errors
    pub.proxy().Push(["change_error", "double_scalar", "2"])
    monitor.wait_for_polls(3)
    assert monitor.found("error-events") == []
    pub.proxy().Push(["change_error", "double_scalar", "3"])
    finding = monitor.wait_for("error-events", stream="/errors/pub/1/double_scalar.change")
    assert finding["events"] == 5 and finding["severity"] == "warning"
    assert finding["publisher"].endswith(f"dserver/{pub.server_name}")
    wait_for(lambda: sub.proxy().errors == before + 5, what="the same at the callbacks")


def test_an_attribute_that_cannot_be_read_makes_one_event_of_change(servers, database, watch):
    pub, sub = types_and_sub(servers, database, "failing")
    monitor = watch(pub.name(), sub.name())
    sub.proxy().Subscribe([pub.attribute("failing"), "change:stateless"])

    def errors():
        topics = client_of(sub)["event_callbacks"].items()
        return sum(counts["error_event_count"] for topic, counts in topics if "/failing." in topic)

    wait_for(errors, timeout=40, what="an error")
    monitor.wait_for_polls(10)
    assert errors() < 3 and monitor.found("error-events") == []
