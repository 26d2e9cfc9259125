"""Findings of subscriptions that aren't made, or that nothing arrives for."""

import pytest
import tango
from agent_answers import ask, stream
from findings import findings_of
from tango_servers import AGENT_LIB, BUILD, wait_for

pytestmark = pytest.mark.not_under_sanitizers("what is found is counted by the agent, which is")

# Clients confirm their subscriptions every 200 s; a publisher stops pushing 600 s after the last one did.
LATER_CLOCK = BUILD / "tests" / "liblater_clock.so"


def received(sub):
    return {topic: entry["event_count"] for topic, entry in ask(sub)["client"]["event_callbacks"].items()}


def push_until_received(pub, sub, count=5):
    before = sub.proxy().received
    pub.proxy().PushBurst(count)
    wait_for(lambda: sub.proxy().received >= before + count, what="events")


# ---- not-connected ----


def test_subscriptions_that_cannot_be_made_and_why(servers, database, watch, recording):
    pub = servers.publisher("test/there/1", "there", database=database, agent=True)
    gone = servers.publisher("test/gone/1", "gone", database=database)
    removed = servers.publisher("test/removed/1", "removed", database=database)
    gone.stop()
    removed.stop()
    sub = servers.subscriber("test/there/2", "there", database=database, agent=True)
    for name, event_type in (
        (pub.attribute("nosuch"), "change"),
        (pub.attribute("pushed"), "change"),
        (pub.attribute("attr"), "archive"),
        (pub.attribute("pushed"), "periodic"),
        (pub.attribute("attr"), "data_ready"),
        (gone.attribute("burst"), "change"),
        (removed.attribute("burst"), "change"),
    ):
        sub.proxy().Subscribe([name, f"{event_type}:stateless"])
    sub.proxy().Subscribe([pub.attribute("attr"), "change:stateless"])
    tango.Database("127.0.0.1", database.port).delete_device("test/removed/1")
    options = ["--threshold", "not-connected=8"]
    monitor = watch(sub.name(), "-o", recording, *options, TANGO_HOST=database.tango_host)

    prefix = f"tango://{database.tango_host}/"
    for stream_name, reason in {
        "test/there/1/nosuch.change": "no such attribute",
        "test/there/1/pushed.change": "not polled, and neither abs_change nor rel_change is set",
        "test/there/1/attr.archive": "none of archive_abs_change, archive_rel_change",
        "test/there/1/pushed.periodic": "not polled",
        "test/there/1/attr.data_ready": "pushes no data_ready events",
        "test/gone/1/burst.change": "its server was stopped",
        "test/removed/1/burst.change": "no such device",
    }.items():
        finding = monitor.wait_for("not-connected", stream=prefix + stream_name)
        assert finding["severity"] == "fault"
        assert finding["subscriber"].endswith("dserver/subscriber/there")
        assert reason in finding["text"], finding["text"]
        assert finding["advice"]
    assert len(monitor.found("not-connected")) == 7

    gone.start()
    finding = monitor.wait_until_over("not-connected", stream=prefix + "test/gone/1/burst.change")
    assert finding["text"].startswith("not connected for ")
    # What the monitor has asked is in the recording.
    live = monitor.end()
    read = findings_of("--read", recording, *options)
    assert {(f["identity"], f["text"]) for f in read} == {(f["identity"], f["text"]) for f in live}
    assert len(read) == 7


def test_a_server_that_is_only_just_being_started(servers, database, watch):
    pub = servers.publisher("test/late/1", "late", database=database, agent=True)
    sub = servers.subscriber("test/late/2", "late", database=database, agent=True)
    pub.stop()
    sub.proxy().Subscribe([pub.attribute("burst"), "change:stateless"])
    monitor = watch(sub.name(), TANGO_HOST=database.tango_host)
    monitor.wait_for_polls(4)
    assert ask(sub)["client"]["not_connected"]
    pub.start()
    wait_for(lambda: not ask(sub)["client"]["not_connected"], 30, "the subscription", 0.2)
    push_until_received(pub, sub)
    monitor.wait_for_polls(2)
    assert [f for f in monitor.end() if f["group"] == "connection"] == []


def test_a_check_that_nobody_wants_is_not_made(servers, database, watch):
    pub = servers.publisher("test/unasked/1", "unasked", database=database)
    sub = servers.subscriber("test/unasked/2", "unasked", database=database, agent=True)
    sub.proxy().Subscribe([pub.attribute("nosuch"), "change:stateless"])
    monitor = watch(sub.name(), "--no-checks", "--threshold", "not-connected=8")
    assert "the reason isn't known" in monitor.wait_for("not-connected")["text"]


# ---- name-mismatch ----


def test_a_publisher_that_comes_back_under_another_host_name(servers, database, watch):
    pub = servers.publisher("test/alias/1", "alias", database=database, agent=True)
    sub = servers.subscriber("test/alias/2", "alias", database=database, agent=True)
    sub.proxy().Subscribe([pub.attribute("burst"), "change"])
    push_until_received(pub, sub)
    monitor = watch(pub.name(), sub.name(), "--threshold", "name-mismatch=5")
    monitor.wait_for_polls(2)

    pub.stop()
    pub.env["TANGO_HOST"] = f"localhost:{database.port}"
    pub.start()
    # Tango connects anew, and the publisher has the subscription: under its own name.
    wait_for(lambda: ask(pub)["server"], 40, "the publisher's event supplier", 0.2)
    wait_for(lambda: ask(pub)["server"]["event_streams"], 40, "the new subscription", 0.2)
    pub.proxy().PushBurst(12)

    finding = monitor.wait_for("name-mismatch")
    assert finding["severity"] == "fault"
    assert finding["stream"] == f"tango://{database.tango_host}/test/alias/1/burst.change"
    assert finding["publisher"].endswith("dserver/publisher/alias")
    assert finding["subscriber"].endswith("dserver/subscriber/alias")
    pushed = ask(pub)["server"]["event_streams"]
    assert len(pushed) == 1 and database.tango_host not in next(iter(pushed))
    assert sum(stream["pushed_event_count"] for stream in pushed.values()) == 12
    assert any("12 events so far" in line for line in finding["evidence"])
    assert received(sub) == {f"tango://{database.tango_host}/test/alias/1/burst.idl5_change": 5}

    # That is the cause, and not an endpoint that can't be reached.
    monitor.wait_for_polls(40)
    assert not monitor.found("unreachable-endpoint")

    # The advice helps.
    sub.restart()
    sub.proxy().Subscribe([pub.attribute("burst"), "change"])
    push_until_received(pub, sub)
    monitor.wait_until_over("name-mismatch")


def test_spellings_of_the_host_do_not_matter(servers, database, watch):
    hosts = ["127.0.0.1", "localhost", "LocalHost"]
    pubs = []
    subs = []
    for number, host in enumerate(hosts):
        env = {"TANGO_HOST": f"{host}:{database.port}"}
        name = f"spelling{number}"
        pubs.append(
            servers.publisher(f"Test/{name}/Pub", name, database=database, agent=True, env=env)
        )
        subs.append(
            servers.subscriber(f"test/{name}/sub", name, database=database, agent=True, env=env)
        )
    for sub in subs:
        for pub, host in zip(pubs, hosts):
            sub.proxy().Subscribe([f"tango://{host}:{database.port}/{pub.first_device.upper()}/Burst", "change"])
    names = [f"tango://{host}:{database.port}/{s.first_device}" for s in pubs + subs for host in hosts[:2]]
    monitor = watch(*names)
    monitor.wait_for_polls(2)
    for pub in pubs:
        pub.proxy().PushBurst(7)
    for sub in subs:
        wait_for(lambda s=sub: set(received(s).values()) == {7}, what="events")
    monitor.wait_for_polls(2)
    assert monitor.end() == []


# ---- expired ----


@pytest.fixture
def forgetful(servers, database, tmp_path):
    """A publisher, and a file: while it exists, the publisher's clock is 700 s ahead."""
    ahead = tmp_path / "ahead"
    env = {"LD_PRELOAD": f"{LATER_CLOCK} {AGENT_LIB}", "LATER_CLOCK_FILE": ahead}
    pub = servers.publisher("test/forgetful/1", "forgetful", database=database, agent=True, env=env)
    return pub, ahead


def test_a_subscription_that_expired(servers, database, watch, forgetful):
    pub, ahead = forgetful
    sub = servers.subscriber("test/forgetful/2", "forgetful", database=database, agent=True)
    sub.proxy().Subscribe([pub.attribute("burst"), "change"])
    push_until_received(pub, sub)
    wait_for(
        lambda: all(c["heartbeat_count"] for c in ask(sub)["client"]["event_channels"].values()),
        what="a heartbeat",
    )
    monitor = watch(pub.name(), sub.name())
    monitor.wait_for_polls(2)
    ahead.touch()
    pub.proxy().PushBurst(3)

    finding = monitor.wait_for("expired", 20)
    assert finding["severity"] == "fault"
    assert finding["stream"] == f"tango://{database.tango_host}/test/forgetful/1/burst.change"
    assert finding["publisher"].endswith("dserver/publisher/forgetful")
    assert finding["subscriber"].endswith("dserver/subscriber/forgetful")
    assert sub.proxy().received == 6  # the value at the beginning and the first five events

    sub.proxy().Unsubscribe([])
    sub.proxy().Subscribe([pub.attribute("burst"), "change"])
    monitor.wait_until_over("expired", 20)
    push_until_received(pub, sub)


def test_what_nobody_listens_to_any_more_has_not_expired(servers, database, watch, forgetful):
    pub, ahead = forgetful
    sub = servers.subscriber("test/forgetful/3", "forgetful3", database=database, agent=True)
    sub.proxy().Subscribe([pub.attribute("burst"), "change"])
    push_until_received(pub, sub)
    sub.proxy().Unsubscribe([])
    monitor = watch(pub.name(), sub.name())
    monitor.wait_for_polls(2)
    ahead.touch()
    wait_for(
        lambda: stream(pub)["has_subscribers"] is False,
        what="the publisher to find that nobody listens",
    )
    monitor.wait_for_polls(4)
    assert {finding["rule"] for finding in monitor.end()} <= {"clocks"}  # which do disagree


# ---- never-pushed ----


def test_streams_that_are_never_pushed(servers, database, watch):
    pub = servers.publisher("test/quiet/1", "quiet", database=database, agent=True)
    sub = servers.subscriber("test/quiet/2", "quiet", database=database, agent=True)
    sub.proxy().Subscribe([pub.attribute("burst"), "change"])
    monitor = watch(pub.name(), sub.name(), "--threshold", "never-pushed=2")
    finding = monitor.wait_for("never-pushed")
    assert finding["severity"] == "remark"
    assert finding["publisher"].endswith("dserver/publisher/quiet")
    assert "test/quiet/1/burst.change" in finding["text"]
    pub.proxy().PushBurst(1)
    monitor.wait_until_over("never-pushed")


def test_a_stream_that_is_quiet_now_and_then_is_not_remarked(servers, database, watch):
    pub = servers.publisher("test/quiet/3", "quiet3", database=database, agent=True)
    sub = servers.subscriber("test/quiet/4", "quiet4", database=database, agent=True)
    sub.proxy().Subscribe([pub.attribute("burst"), "change"])
    push_until_received(pub, sub, 1)
    monitor = watch(pub.name(), sub.name(), "--threshold", "never-pushed=1")
    monitor.wait_for_polls(5)
    assert monitor.end() == []
