"""What the monitor prints: on a terminal, into a pipe, for programs; for all streams or for some."""

import json
import re
import subprocess

import pytest
from agent_answers import stream, topic
from tango_servers import MONITOR, clean_environment, die_with_parent, run_monitor, wait_for
from terminals import COLOR

pytestmark = pytest.mark.sanitizers


@pytest.fixture(autouse=True)
def _programs(monitor_bin, agent_lib):
    """All of these need the monitor and the agent."""


LONG = "test/a_family_whose_name_takes_much_of_a_line/and_a_member_that_takes_the_rest_of_it"


def subscribed(servers, database, name="display", device=LONG):
    """A publisher and a subscriber to it, with an event or more under way."""
    pub = servers.cpp_publisher(device, instance=f"{name}-pub", agent=True, database=database)
    sub = servers.cpp_subscriber(f"{name}/sub/1", instance=f"{name}-sub", agent=True, database=database)
    sub.proxy().Subscribe(pub.attribute("burst"))

    def received():
        answer = json.loads(sub.admin_proxy().QueryEventAgent())
        topics = (answer["client"] or {}).get("event_callbacks", {}).values()
        return sum(topic["event_count"] for topic in topics)

    # The first ones may come before the connection is made.
    wait_for(lambda: (pub.proxy().PushBurst(1), received() > 1)[1], what="the first event", period=0.2)
    return pub, sub, received


def test_on_a_terminal(servers, database, terminal):
    pub, sub, _ = subscribed(servers, database)
    monitor = terminal("--poll-period", 1.5, pub.name(), sub.name(), columns=70)
    wait_for(lambda: "next poll in" in monitor.read(), what="a status line")
    pub.proxy().PushBurst(50)
    wait_for(lambda: "(+50)" in monitor.read(), what="the next poll")
    sub.kill()
    wait_for(lambda: "1 FAILED" in monitor.read(), what="a failure")
    wait_for(lambda: "2 servers, 1 FAILED" in monitor.read(), what="a status line that says so")
    assert monitor.end() == 0
    assert f"\x1b[1;31mdserver/{sub.server_name}: FAILED" in monitor.text.replace(
        f"tango://{database.tango_host}/", "")
    lines = monitor.lines()
    tables = [line for line in lines if line.startswith("  ")]
    assert any("…" in line for line in tables), lines
    assert max(map(len, tables)) <= 70, tables
    assert any(line.startswith("In all: ") for line in lines)
    # The status line has gone.
    assert not any("next poll in" in line for line in lines)


@pytest.mark.parametrize(
    "options, env", [(["--no-color"], {}), ([], {"NO_COLOR": "1"}), ([], {"TERM": "dumb"})]
)
def test_without_colour(servers, terminal, options, env):
    pub = servers.publisher(agent=True)
    monitor = terminal("-n", 2, "--poll-period", 0.5, *options, pub.name(), **env)
    wait_for(lambda: monitor.read() is None or monitor.process.poll() is not None, what="its end")
    assert monitor.end() == 0
    assert not COLOR.search(monitor.text)
    assert ("\x1b" in monitor.text) == ("TERM" not in env)
    assert "dserver/publisher/test" in monitor.text


def test_in_a_pipe_it_is_plain(servers, database):
    pub, sub, _ = subscribed(servers, database, "plain", LONG + "_too")
    result = run_monitor("-n", 2, "--poll-period", 0.1, pub.name(), sub.name(), TERM="xterm")
    assert result.returncode == 0
    assert "\x1b" not in result.stdout and "\r" not in result.stdout
    assert LONG + "_too/burst.change" in result.stdout


def test_numbers_for_programs(servers, database):
    """The same numbers in each format, and those that were pushed."""
    pub, sub, received = subscribed(servers, database, "json", "json/pub/1")
    outputs = {}
    pushed = 0
    for form in ("jsonl", "json", "text"):
        monitor = subprocess.Popen(
            [str(MONITOR), "-m", "-n", "2", "--poll-period", "1.2", "--format", form, pub.name(), sub.name()],
            env=clean_environment(), stdout=subprocess.PIPE, text=True,
        )
        first = monitor.stdout.readline()
        if form == "json":
            first += monitor.stdout.readline()
        before = received()
        pushed += 1
        pub.proxy().PushBurst(100 * pushed)
        wait_for(lambda: received() == before + 100 * pushed, what="the events")
        outputs[form] = first + monitor.communicate(timeout=30)[0]
        assert monitor.returncode == 0
    polls = [json.loads(line) for line in outputs["jsonl"].splitlines()]
    lists = json.loads(outputs["json"])
    for count, (one, two, totals) in ((100, polls), (200, lists)):
        assert one["servers_asked"] == 2 and two["servers_failed"] == 0
        servers_ = {server["server"]: server for server in two["servers"]}
        publisher = servers_[pub.admin if pub.admin in servers_ else f"dserver/{pub.server_name}"]
        subscriber = servers_[sub.admin if sub.admin in servers_ else f"dserver/{sub.server_name}"]
        (stream,) = publisher["published"]
        assert stream["pushed_step"] == count and stream["state"] == "changed"
        assert stream["rate"] == pytest.approx(count / publisher["seconds"], rel=1e-4)
        (topic,) = subscriber["subscriptions"]
        assert topic["received_step"] == count and topic["lost_step"] == 0
        # For all events, not only the newest 256.
        assert topic["latency_micros"]["count"] == count
        assert 0 < topic["latency_micros"]["median"] <= topic["latency_micros"]["maximum"]
        assert topic["processing_micros"]["count"] == count
        assert publisher["pushed_samples"]["push_event_micros"]["count"] == count
        assert totals["totals"]["polls"] == 2
        assert [total["pushed"] for total in totals["totals"]["published"]] == [count]
        assert [total["lost"] for total in totals["totals"]["subscriptions"]] == [0]
    assert re.search(r"burst\.change +\d+ +\(\+300\)", outputs["text"])


def test_some_streams_only(servers, database):
    pub = servers.cpp_publisher("only/pub/1", "only/pub/2", instance="only-pub", agent=True, database=database)
    sub = servers.cpp_subscriber("only/sub/1", instance="only-sub", agent=True, database=database)
    for device in ("only/pub/1", "only/pub/2"):
        sub.proxy().Subscribe(pub.attribute("burst", device))
        pub.proxy(device).PushBurst(3)
    names = [pub.name(), sub.name()]
    every = run_monitor("-n", 1, *names).stdout
    assert "only/pub/1/burst" in every and "only/pub/2/burst" in every
    for pattern in ("*/PUB/1/*", f"tango://{database.tango_host}/only/pub/1/burst.change", "only/pub/1/burst"):
        some = run_monitor("-n", 1, "--only", pattern, *names).stdout
        assert "only/pub/1/burst" in some and "only/pub/2/burst" not in some
    none = run_monitor("-n", 1, "--only", "*/3/*", *names).stdout
    assert "burst" not in none


@pytest.mark.not_under_sanitizers("they decide what overflows")
def test_the_top_of_all_streams_when_a_queue_overflows(servers, database):
    """By rate; and by loss, of a burst that no queue can hold."""
    pub, sub, _ = subscribed(servers, database, "top", "top/pub/1")
    monitor = subprocess.Popen(
        [str(MONITOR), "--poll-period", "0.5", "--top", "1", "--format", "jsonl", pub.name(), sub.name()],
        env=clean_environment(), stdout=subprocess.PIPE, text=True, preexec_fn=die_with_parent,
    )
    try:
        assert json.loads(monitor.stdout.readline())["top"] == []
        sub.proxy().SetCallbackDelay(1000)
        # More than all queues on the way hold, however large TCP's buffers are.
        count = 100_000
        pub.proxy().PushBurst(count)
        sub.proxy().SetCallbackDelay(0)
        tops = []
        while not tops or not tops[-1]:
            # What was lost at the end shows with an event that comes later.
            pub.proxy().PushBurst(1)
            tops.append(json.loads(monitor.stdout.readline())["top"])
            assert len(tops) < 100
        (top,) = tops[-1]
        assert "top/pub/1/burst" in top["topic"]
        assert top["direction"] == "received" and 0 < top["lost_step"] < count
    finally:
        monitor.kill()
        monitor.communicate()

    def drained():
        pub.proxy().PushBurst(1)
        return topic(sub)["server_counter"] == stream(pub)["pushed_event_count"]

    wait_for(drained, 60, "the end of the burst", 0.2)
    pub.proxy().PushPaced([5000, 500])
    by_rate = run_monitor("-n", 2, "--poll-period", 1, "--top", 5, "--by", "rate", pub.name(), sub.name())
    assert by_rate.returncode == 0
    second = by_rate.stdout.split("\n\n")[1]
    assert "stream (highest rate first)" in second
    for direction in ("pushed", "received"):
        (row,) = [line for line in second.splitlines() if f"  {direction}  " in line]
        _, _, _, rate, *_ = row.split()
        # Not the rate of the burst; on a busy machine some come late, and then more at a time.
        assert 200 < float(rate) < 1200, row


def test_many_servers_without_a_change_share_a_line(servers, database):
    pubs = [
        servers.cpp_publisher(f"quiet/pub/{number}", instance=f"quiet-{number}", agent=True, database=database)
        for number in range(10)
    ]
    result = run_monitor("-n", 2, "--poll-period", 0.2, *[pub.name() for pub in pubs])
    assert result.returncode == 0
    assert result.stdout.count("10 servers: no change") == 1
    result = run_monitor("-n", 2, "--poll-period", 0.2, *[pub.name() for pub in pubs[:3]])
    assert result.stdout.count(": no change") == 3
