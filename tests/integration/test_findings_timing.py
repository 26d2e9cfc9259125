"""What is found of clocks, and of pushing."""

import json

import pytest
from tango_servers import AGENT_LIB, BUILD, need

pytest_plugins = ["findings"]


@pytest.fixture(autouse=True)
def _programs(monitor_bin, agent_lib):
    """All of these need the monitor and the agent."""


def pub_and_sub(servers, database, name):
    pub = servers.python("timed.py", {"Timed": [f"{name}/pub/1"]}, f"{name}-pub", agent=True, database=database)
    sub = servers.subscriber(f"{name}/sub/1", instance=f"{name}-sub", agent=True, database=database)
    return pub, sub


def subscribe(pub, sub, attribute):
    sub.proxy().Subscribe([pub.attribute(attribute), "change"])


# ---- slow-push ----


def push_some(pub, monitor, command, count):
    """At several polls, so many events between two of them."""
    for _ in range(4):
        getattr(pub.proxy(), command)(count)
        monitor.wait_for_polls(1)


def test_pushing_a_million_doubles(servers, database, watch):
    pub, sub = pub_and_sub(servers, database, "image")
    subscribe(pub, sub, "image")
    subscribe(pub, sub, "burst")
    monitor = watch("-m", pub.name(), "--threshold", "slow-push=0.002", "--poll-period", 1)
    monitor.wait_for_polls(2)
    push_some(pub, monitor, "PushImages", 12)
    finding = monitor.wait_for("slow-push", stream="/image/pub/1/image.change")
    assert finding["severity"] == "warning"
    assert finding["publisher"].endswith(f"dserver/{pub.server_name}")
    assert "with 8 MB per event" in finding["text"]
    push_some(pub, monitor, "PushBurst", 200)
    assert monitor.found("slow-push", stream="/image/pub/1/burst.change") == []


# ---- clocks ----


def with_shifted_clock(servers, database, name, seconds):
    """A publisher that sees another time of day, and a subscriber. (Without polling: Tango's polling
    thread waits until a time of day, and for that the kernel's clock counts.)"""
    env = {"LD_PRELOAD": f"{need(BUILD / 'tests' / 'shifted_clock.so')} {AGENT_LIB}", "SHIFT_SECONDS": seconds}
    pub = servers.cpp_publisher(f"{name}/pub/1", instance=f"{name}-pub", agent=True, database=database, env=env)
    sub = servers.subscriber(f"{name}/sub/1", instance=f"{name}-sub", agent=True, database=database)
    subscribe(pub, sub, "burst")
    return pub, sub


@pytest.mark.parametrize("shift", [-7, 5])
def test_a_clock_that_is_wrong(servers, database, watch, shift):
    pub, sub = with_shifted_clock(servers, database, f"clock{shift}", shift)
    monitor = watch("-m", pub.name(), sub.name())
    finding = monitor.wait_for("clocks", server=f"dserver/{pub.server_name}")
    assert finding["severity"] == "warning"
    seconds = float(finding["text"].split(" is ")[1].split(" s ")[0])
    assert ("ahead of" in finding["text"]) == (shift > 0) and abs(seconds - abs(shift)) < 0.3, finding["text"]
    # Each cause once.
    for _ in range(4):
        pub.proxy().PushBurst(20)
        monitor.wait_for_polls(1)
    assert len(monitor.found("clocks")) == 1


def test_the_clock_of_a_publisher_that_is_not_watched(servers, database, watch):
    pub, sub = with_shifted_clock(servers, database, "unseen", 5)
    monitor = watch("-m", sub.name())
    monitor.wait_for_polls(2)
    push_some(pub, monitor, "PushBurst", 20)
    finding = monitor.wait_for("clocks", publisher=f"dserver/{pub.server_name}")
    assert finding["subscriber"].endswith(f"dserver/{sub.server_name}")
    assert "before their own timestamps: the clocks differ, or the publisher's code sets them" in finding["text"]


def test_timestamps_that_the_code_sets(servers, database, watch):
    pub, sub = pub_and_sub(servers, database, "own")
    subscribe(pub, sub, "burst")
    monitor = watch("-m", pub.name(), sub.name())
    monitor.wait_for_polls(2)
    for _ in range(4):
        pub.proxy().PushAsOf([20, 3])
        monitor.wait_for_polls(1)
    finding = monitor.wait_for("clocks", subscriber=f"dserver/{sub.server_name}")
    assert "before their own timestamps: the publisher's code sets them, since the clocks agree" in finding["text"]
    assert finding["text"].split(" s before")[0].rpartition(" ")[2] in ("2.99", "3"), finding["text"]


def test_clocks_that_agree(servers, database, watch):
    """Also with events of some seconds ago, as a device that is asked slowly makes them."""
    pub, sub = pub_and_sub(servers, database, "agree")
    subscribe(pub, sub, "burst")
    subscribe(pub, sub, "image")
    monitor = watch("-m", pub.name(), sub.name())
    monitor.wait_for_polls(2)
    for _ in range(4):
        pub.proxy().PushBurst(20)
        pub.proxy().PushAsOf([20, -5])
        monitor.wait_for_polls(1)
    topics = json.loads(sub.admin_proxy().QueryEventAgent())["client"]["event_callbacks"]
    assert any(topic["event_count"] > 100 for topic in topics.values())
    assert monitor.found("clocks") == []
