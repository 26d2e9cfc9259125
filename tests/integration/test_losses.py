"""What the monitor reports as lost, compared with what was pushed and what reached callbacks.

The monitor derives losses if the servers don't count them. On a Tango with a built-in command, that
command is asked, without our agent. Everywhere, the agent's own answers are also stripped of what no
other server has, and have to lead to the agent's numbers.
"""

import json
import re

import pytest
import tango
from tango_servers import run_monitor, start_monitor, wait_for
from watching import end_of, lines, wait_for_replies, has_data

VERSION = tuple(int(part) for part in re.findall(r"\d+", tango.constants.TgLibVers)[:2])
BUILT_IN = VERSION >= (10, 1)
BURST = 30_000


@pytest.fixture(autouse=True)
def _programs(monitor_bin, agent_lib):
    """All of these need the monitor, and most of them the agent."""


def subscribe(subscriber, publisher):
    subscriber.proxy().Subscribe([publisher.attribute("burst"), "change"])


def received(subscriber):
    """Events that reached callbacks; subscribing makes one call without an event."""
    return subscriber.proxy().received - 1


def overflow(publisher, subscriber):
    """Push more than fits in all queues; its end is lost too, and nothing shows that yet."""
    subscriber.proxy().SetCallbackDelay(0.001)
    publisher.proxy().PushBurst(BURST)
    subscriber.proxy().SetCallbackDelay(0)
    last = [None]

    def drained():
        previous, last[0] = last[0], received(subscriber)
        return previous == last[0]

    wait_for(drained, 120, "the events under way", 0.5)


class Watched:
    """A monitor of some servers, and what it prints as JSON lines."""

    def __init__(self, folder, *args):
        self.path = folder / "printed.jsonl"
        with self.path.open("w") as out:
            self.process = start_monitor("--poll-period", 0.3, "--format", "jsonl", *args, stdout=out)

    def printed(self):
        text = self.path.read_text()
        return [json.loads(line) for line in text[: text.rfind("\n") + 1].splitlines()]

    def rows(self):
        """The rows of all subscriptions so far."""
        return [
            row
            for poll in self.printed()
            for server in poll.get("servers", [])
            for row in server.get("subscriptions", [])
        ]

    def lost(self):
        """Lost since the first poll, as the sum of the steps; and not received."""
        rows = self.rows()
        lost = sum(row["lost_step"] or 0 for row in rows)
        return lost, (rows[-1]["not_received"] or 0) if rows else 0

    def wait_for_polls(self, count):
        since = len(self.printed())
        wait_for(lambda: len(self.printed()) >= since + count, 60, "polls")

    def end(self):
        self.process.terminate()
        status, _, errors = end_of(self.process)
        return status, errors, self.printed()[-1]["totals"]


def totals_agree(totals, rows):
    """The totals are the sums of what each poll said."""
    (row,) = totals["subscriptions"]
    assert row["received"] == sum(r["received_step"] or 0 for r in rows)
    assert row["missed"] == sum(r["missed_step"] or 0 for r in rows)
    assert (row["lost"] or 0) == sum(r["lost_step"] or 0 for r in rows)
    assert totals["lost"] == row["lost"]


@pytest.mark.skipif(not BUILT_IN, reason="this Tango has no QueryEventSystem of its own")
def test_losses_of_servers_without_the_agent(servers, tmp_path):
    publisher = servers.publisher()
    subscriber = servers.subscriber()
    subscribe(subscriber, publisher)
    watched = Watched(tmp_path, publisher.name(), subscriber.name())
    # Where a busy machine lets one of them answer late, the publisher's count is of the next poll.
    watched.wait_for_polls(3)
    try:
        # The end of the burst shows at the publisher alone.
        overflow(publisher, subscriber)
        missing = BURST - received(subscriber)
        assert missing > 0
        wait_for(lambda: sum(watched.lost()) == missing, 30, f"{missing} missing events")
        assert watched.lost()[1] > 0
        publisher.proxy().PushBurst(1)
        wait_for(lambda: watched.lost() == (missing, 0), 30, f"{missing} lost events")
        assert all(row["lost_source"] in (None, "derived") for row in watched.rows())
        assert not any(row["lost_is_minimum"] for row in watched.rows())

        # A new subscription, without a loss.
        subscriber.proxy().Unsubscribe([])
        subscribe(subscriber, publisher)
        before = received(subscriber)
        wait_for(
            lambda: publisher.proxy().PushBurst(1) or received(subscriber) > before, 30, "events"
        )
        watched.wait_for_polls(3)
        assert watched.lost() == (missing, 0)

        # A restart of the publisher: events of the new process before Tango has renewed the subscription
        # don't arrive.
        publisher.restart()
        before = received(subscriber)
        wait_for(
            lambda: publisher.proxy().PushBurst(1) or received(subscriber) > before + 3,
            90,
            "the reconnection",
            0.2,
        )
        counters = json.loads(publisher.admin_proxy().QueryEventSystem())["server"]["event_counters"]
        (numbered,) = [n - 1 for name, n in counters.items() if "burst" in name]
        # A new subscription reads a value too: one call without an event.
        came = received(subscriber) - before - 1
        expected = missing + numbered - came
        wait_for(
            lambda: watched.lost()[0] == expected, 30, f"{expected} lost of {numbered}, {came} came"
        )
    finally:
        status, errors, totals = watched.end()
    assert (status, errors) == (0, "")
    totals_agree(totals, watched.rows())
    assert totals["lost_is_minimum"] and totals["lost_is_derived"]


def without_the_agent(answer):
    """An answer of QueryEventAgent as the built-in command would have given it."""
    if answer["server"]:
        streams = answer["server"].pop("event_streams")
        counts = {name: stream["pushed_event_count"] + 1 for name, stream in streams.items()}
        answer["server"]["event_counters"] = counts
    if answer["client"]:
        for callback in answer["client"]["event_callbacks"].values():
            for key in set(callback) - {
                "channel_name",
                "callback_count",
                "server_counter",
                "event_count",
                "missed_event_count",
                "discarded_event_count",
                "last_resubscribed",
            }:
                del callback[key]
        answer["client"].pop("consumer_thread")
        for channel in answer["client"]["event_channels"].values():
            channel["endpoint"] = channel.get("event_endpoint")
    del answer["agent"]
    return answer


def test_what_is_derived_is_what_the_agent_counts(servers, database, tmp_path):
    publisher = servers.publisher(agent=True, database=database)
    subscriber = servers.subscriber(agent=True, database=database)
    recording = tmp_path / "r.jsonl"
    subscribe(subscriber, publisher)
    monitor = start_monitor(
        "-q", "--poll-period", 0.3, "-o", recording, publisher.name(), subscriber.name()
    )
    wait_for_replies(recording, publisher, 3, has_data)
    overflow(publisher, subscriber)
    missing = BURST - received(subscriber)
    wait_for_replies(recording, subscriber, 2, has_data, len(lines(recording)))
    tail = len(lines(recording))
    publisher.proxy().PushBurst(1)
    wait_for(lambda: received(subscriber) + missing == BURST + 1, 30, "the last event")
    wait_for_replies(recording, subscriber, 2, has_data, len(lines(recording)))
    monitor.terminate()
    assert end_of(monitor)[0] == 0
    polls = lines(recording)

    def counted(poll):
        answer = poll["replies"][subscriber.admin]["data"]
        (callback,) = answer["client"]["event_callbacks"].values()
        return callback["lost_event_count"]

    assert counted(polls[-1]) <= missing

    def read(what, count):
        path = tmp_path / f"{what.__name__}-{count}.jsonl"
        with path.open("w") as out:
            for poll in polls[:count]:
                replies = {
                    name: {**reply, "data": what(json.loads(json.dumps(reply["data"])))}
                    for name, reply in poll["replies"].items()
                }
                out.write(json.dumps({**poll, "replies": replies}) + "\n")
        result = run_monitor("--read", path, "--format", "jsonl")
        assert (result.returncode, result.stderr) == (0, "")
        printed = [json.loads(line) for line in result.stdout.splitlines()]
        rows = [
            row for p in printed[:-1] for s in p["servers"] for row in s.get("subscriptions", [])
        ]
        totals_agree(printed[-1]["totals"], rows)
        return printed[-1]["totals"]

    def as_it_is(answer):
        return answer

    for what in (as_it_is, without_the_agent):
        # The whole truth, as soon as it shows anywhere; and finally, as lost.
        early = read(what, tail)
        assert (early["lost"] or 0) + early["not_received"] == missing
        # Mostly the end of the burst is lost; on a busy machine it may have come.
        assert early["not_received"] > 0 or counted(polls[tail - 1]) == missing
        late = read(what, len(polls))
        assert (late["lost"], late["not_received"], late["lost_is_minimum"]) == (missing, 0, False)
    assert late["lost_is_derived"]


def test_losses_of_before_are_told_as_that(servers, database):
    publisher = servers.publisher(agent=True, database=database)
    subscriber = servers.subscriber(agent=True, database=database)
    subscribe(subscriber, publisher)
    wait_for(
        lambda: publisher.proxy().PushBurst(1) or received(subscriber) > 0, 30, "the first event"
    )
    overflow(publisher, subscriber)
    publisher.proxy().PushBurst(1)
    answer = json.loads(subscriber.admin_proxy().QueryEventAgent())
    wait_for(lambda: received(subscriber) > 0, 30, "the last event")
    (callback,) = answer["client"]["event_callbacks"].values()
    assert callback["lost_event_count"] > 0
    result = run_monitor("-n", 2, "--poll-period", 0.1, publisher.name(), subscriber.name())
    first, _, rest = result.stdout.partition("\n\n")
    assert re.search(r"  lost before .*burst", first)
    assert "LOST" not in first
    assert "0 events LOST" in rest
    top = run_monitor("-n", 1, "--top", 3, "--by", "loss", publisher.name(), subscriber.name()).stdout
    assert "lost before" in top and "LOST" not in top


def test_what_nobody_knows_is_not_zero(servers):
    """A publisher of 9.3 without a database numbers no event."""
    publisher = servers.publisher(agent=True)
    subscriber = servers.subscriber(agent=True)
    subscribe(subscriber, publisher)
    wait_for(
        lambda: publisher.proxy().PushBurst(1) or received(subscriber) > 0, 30, "the first event"
    )
    result = run_monitor("-n", 2, "--poll-period", 0.1, subscriber.name())
    numbered = VERSION >= (9, 4)
    assert ("0 events LOST" in result.stdout) == numbered
    assert ("whether events were LOST isn't known" in result.stdout) != numbered
    if not numbered:
        assert re.search(r"received +missed +lost .*\n.* 0 +- ", result.stdout), result.stdout


def test_why_there_is_nothing_to_show(servers):
    publisher = servers.publisher(agent=True)
    subscriber = servers.subscriber(agent=True)
    name = publisher.name()
    said = run_monitor("-n", 1, "--top", 3, "--by", "latency", name).stdout
    assert "no durations: they are measured with --monitor-perf (-m)" in said
    said = run_monitor("-n", 1, "--top", 3, "--by", "rate", name).stdout
    assert "no rates yet: they need two answers of a server" in said
    said = run_monitor("-n", 2, "--poll-period", 0.1, "--top", 3, name).stdout
    assert "no known losses before this poll" in said
    assert "no known losses since the previous poll" in said
    subscribe(subscriber, publisher)
    said = run_monitor("-n", 1, "--only", "no/such/*", name, subscriber.name()).stdout
    assert said.count("no stream of it matches --only") == 2
