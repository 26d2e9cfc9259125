"""--follow: the monitor adds the servers that watched ones receive events from."""

import json

import pytest
from tango_servers import run_monitor, start_database, wait_for
from watching import (
    ASKED_AGAIN,
    IS_DOWN,
    END_S,
    end_of,
    lines,
    message,
    perf_is_on,
    has_data,
)

PUSHED_BY_FIRST = 50
PUSHED_BY_MIDDLE = 70


@pytest.fixture(autouse=True)
def _programs(monitor_bin, agent_lib):
    """All of these need the monitor, and most of them the agent."""


class Chain:
    """``last`` receives from ``middle``, which receives from ``first``; in a database."""

    def __init__(self, servers, database, name, middle_agent=True):
        options = {"database": database, "agent": True}
        self.first = servers.publisher(f"{name}/pub/1", f"{name}-first", **options)
        self.middle = servers.both(f"{name}/pub/2", f"{name}/sub/2", f"{name}-middle",
                                   **{**options, "agent": middle_agent})
        self.last = servers.subscriber(f"{name}/sub/3", f"{name}-last", **options)
        self.env = {"TANGO_HOST": database.tango_host}
        self.middle_sub = self.middle.proxy(f"{name}/sub/2")

    def connect(self):
        self.middle_sub.Subscribe([self.first.attribute("burst"), "change"])
        self.last.proxy().Subscribe([self.middle.attribute("burst"), "change"])

    def push(self):
        self.first.proxy().PushBurst(PUSHED_BY_FIRST)
        self.middle.proxy().PushBurst(PUSHED_BY_MIDDLE)
        # Subscribing makes one call without an event.
        wait_for(lambda: self.middle_sub.received == PUSHED_BY_FIRST + 1, what="first's events")
        wait_for(lambda: self.last.proxy().received == PUSHED_BY_MIDDLE + 1, what="middle's events")


@pytest.fixture
def chain(servers, database, request):
    made = Chain(servers, database, request.node.name.removeprefix("test_")[:20])
    made.connect()
    made.push()
    return made


def path_of(server):
    return f"dserver/{server.server_name}"


def followed(*servers):
    one = len(servers) == 1
    return message(
        f"{len(servers)} more server{' is' if one else 's are'} watched, since events are received from"
        f" {'it' if one else 'them'}: {', '.join(servers)}"
    )


def polls_of(result):
    assert result.returncode == 0, result.stderr
    return [json.loads(line) for line in result.stdout.splitlines()]


def test_a_chain(chain):
    result = run_monitor("-n", 1, "--follow", "--format", "jsonl", path_of(chain.last), **chain.env)
    assert result.stderr == followed(path_of(chain.middle)) + followed(path_of(chain.first))
    poll, totals = polls_of(result)
    parts = {part["server"]: part for part in poll["servers"]}
    assert list(parts) == [path_of(server) for server in (chain.last, chain.middle, chain.first)]
    counts = {
        name: (
            {row["stream"]: row["pushed"] for row in part["published"]},
            {row["channel"]: (row["received"], row["lost"]) for row in part["subscriptions"]},
        )
        for name, part in parts.items()
    }
    assert counts == {
        path_of(chain.first): ({f"{chain.first.attribute('burst')}.change": PUSHED_BY_FIRST}, {}),
        path_of(chain.middle): (
            {f"{chain.middle.attribute('burst')}.change": PUSHED_BY_MIDDLE},
            {chain.first.admin.lower(): (PUSHED_BY_FIRST, 0)},
        ),
        path_of(chain.last): ({}, {chain.middle.admin.lower(): (PUSHED_BY_MIDDLE, 0)}),
    }
    assert {server["server"] for server in totals["totals"]["servers"]} == set(parts)

    # --list finds the same.
    result = run_monitor("--list", "--follow", path_of(chain.last), **chain.env)
    assert [line.split() for line in result.stdout.splitlines()] == [
        [name, "QueryEventAgent"] for name in parts
    ]


def test_excluded(chain, recording):
    for pattern in (path_of(chain.middle), f"{chain.middle.first_device.rpartition('/')[0]}/*"):
        result = run_monitor("-q", "-n", 2, "--poll-period", 0.3, "-o", recording, "--follow",
                             "--exclude", pattern, path_of(chain.last), **chain.env)
        assert (result.returncode, result.stderr) == (0, "")
        assert [list(line["replies"]) for line in lines(recording)] == 2 * [[path_of(chain.last)]]


def test_one_that_is_down_and_one_under_two_names(chain, recording):
    chain.first.stop()
    port = chain.env["TANGO_HOST"].rpartition(":")[2]
    result = run_monitor("-q", "-n", 1, "-o", recording, "--follow", path_of(chain.last),
                         f"tango://localhost:{port}/{path_of(chain.middle)}", **chain.env)
    assert result.returncode == 0
    down = path_of(chain.first)
    assert result.stderr == followed(down) + message(f"{down}: {IS_DOWN}; {ASKED_AGAIN}")
    (line,) = lines(recording)
    assert {name.rpartition("dserver/")[2] for name in line["replies"]} == {
        server.server_name for server in (chain.last, chain.middle, chain.first)
    }
    assert line["replies"][down]["error"] == IS_DOWN


def test_one_that_appears_later(servers, database, recording, start):
    chain = Chain(servers, database, "later")
    chain.first.stop()
    monitor = start("-q", "-m", "--follow", "--changes=3", "--poll-period", 0.2, "-o", recording,
                    path_of(chain.last), **chain.env)
    wait_for(lambda: len(lines(recording)) > 2, what="polls")
    chain.last.proxy().Subscribe([chain.middle.attribute("burst"), "change"])

    def answers(server, count):
        return wait_for(
            lambda: [
                reply
                for reply in (line["replies"].get(path_of(server), {}) for line in lines(recording))
                if "data" in reply or "changes" in reply
            ][count:],
            what=f"answers of {server.server_name}",
        )

    answers(chain.middle, 4)
    wait_for(lambda: perf_is_on(chain.middle), what="performance monitoring")
    chain.first.start()
    chain.middle_sub.Subscribe([chain.first.attribute("burst"), "change"])
    answers(chain.first, 0)
    chain.push()
    answers(chain.first, 4)
    monitor.terminate()
    assert end_of(monitor) == (
        0, "", followed(path_of(chain.middle)) + followed(path_of(chain.first))
    )
    assert not perf_is_on(chain.middle) and not perf_is_on(chain.first)

    # What was added meanwhile is in the recording like the others, from its first answer on.
    *polls, totals = polls_of(run_monitor("--read", recording, "--format", "jsonl"))
    assert {server["server"] for server in totals["totals"]["servers"]} == {
        path_of(server) for server in (chain.last, chain.middle, chain.first)
    }
    assert {row["stream"]: row["pushed"] for row in totals["totals"]["published"]} == {
        f"{chain.first.attribute('burst')}.change": PUSHED_BY_FIRST,
        f"{chain.middle.attribute('burst')}.change": PUSHED_BY_MIDDLE,
    }
    assert sorted(row["received"] for row in totals["totals"]["subscriptions"]) == [
        PUSHED_BY_FIRST, PUSHED_BY_MIDDLE
    ]
    assert totals["totals"]["lost"] == 0
    assert polls[-1]["servers_failed"] == 0


def test_another_tango_host_and_one_without_the_agent(servers, database, tmp_path, recording):
    other = start_database(tmp_path / "other")
    try:
        chain = Chain(servers, database, "hosts", middle_agent=False)
        far = servers.publisher("hosts/pub/9", "hosts-far", agent=True, database=other)
        chain.last.proxy().Subscribe([far.attribute("burst"), "change",
                                      chain.middle.attribute("burst"), "change"])
        result = run_monitor("-q", "-n", 3, "--poll-period", 0.3, "-o", recording, "--follow",
                             path_of(chain.last), timeout=END_S, **chain.env)
        assert result.returncode == 0
        name = f"tango://{other.tango_host}/{path_of(far)}"
        assert sorted(result.stderr.splitlines(True)) == sorted(
            [
                message("1 server that events are received from can't be watched, for lack of a"
                        f" command to ask: {path_of(chain.middle)}"),
                followed(name),
            ]
        )
        assert [list(line["replies"]) for line in lines(recording)] == 3 * [[path_of(chain.last), name]]
        assert all(has_data(line["replies"][name]) for line in lines(recording))
    finally:
        for server in servers.servers:
            server.stop()
        other.stop()


def test_a_finding_names_the_publisher_that_is_not_watched(servers, database, watch):
    """And a system of which a part is watched is no finding."""
    publisher = servers.publisher("seen/pub/1", "seen", agent=True, database=database)
    subscriber = servers.subscriber("seen/sub/1", "seen", agent=True, database=database)
    subscriber.proxy().Subscribe([publisher.attribute("burst"), "change"])
    env = {"TANGO_HOST": database.tango_host}
    alone = watch(path_of(subscriber), **env)
    following = watch("--follow", path_of(subscriber), **env)
    publisher.proxy().PushBurst(100)
    alone.wait_for_polls(4)
    following.wait_for_polls(4)
    assert alone.latest == following.latest == {}

    subscriber.proxy().SetCallbackDelay(0.001)
    publisher.proxy().PushBurst(30_000)
    subscriber.proxy().SetCallbackDelay(0)

    def lost_some():
        publisher.proxy().PushBurst(1)
        return alone.found("overflow") and following.found("overflow")

    wait_for(lost_some, 60, "losses", 0.5)
    unwatched = f"{publisher.admin.lower()} isn't watched: name it, too, or use --follow, to see its side"
    (found,) = alone.found("overflow")
    assert unwatched in found["evidence"]
    (found,) = following.found("overflow")
    assert not [line for line in found["evidence"] if "isn't watched" in line]
    assert found["publisher"] == path_of(publisher)
