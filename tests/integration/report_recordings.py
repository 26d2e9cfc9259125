"""A recording of real servers to which all kinds of trouble happens, and what the test itself knows of it.

A test asks for the fixture ``troubled``:

    def test_something(troubled, tmp_path):
        run_report(*troubled.options, troubled.path, "--csv", tmp_path)
        (stream,) = [s for s in troubled.streams if s.name == "report/burst/1/burst.change"]
        assert stream.pushed == stream.received + stream.lost

It takes about half a minute to make, once for all tests of a run, whichever worker comes first. What
happens, each between ``begin`` and ``end`` (seconds since 1970) of ``troubled.faults[NAME]``:

    bursts      of 200 events, and all arrive
    overflow    more events at once than the queues hold: some are lost
    stuck       a callback takes 5 s, and events wait for it
    killed      a publisher is killed while events wait for a slow callback, and started again: those
                that waited are lost, and new ones arrive
    outage      a subscriber doesn't answer for 6 s (SIGSTOP); it loses nothing

``troubled.options`` are the thresholds with which each of them is a finding of ``fault.rule``; ``bursts``
is none. All numbers are of what came since the first poll: nothing was under way then, nor at the last.
"""

import concurrent.futures
import fcntl
import gzip
import itertools
import json
import lzma
import os
import signal
import time
from pathlib import Path
from typing import NamedTuple, Optional

import agent_answers
import pytest
from tango_servers import ServerPool, run_monitor, start_database, start_monitor, wait_for

PERIOD_S = 0.5
TIMEOUT_S = 1
# A fault shows at the first poll after it.
LATE_S = 2 * (PERIOD_S + TIMEOUT_S)
# Tango tries to connect again every 10 s; with some reserve.
RECONNECTED_S = 40
SMALL_BURST = 200
LARGE_BURST = 30_000
WAITING = 100  # events when the publisher is killed
STUCK_S = 5
SILENT_S = 6
OPTIONS = ["--threshold", "stuck-callback=2", "--threshold", "no-answer=2"]


class Fault(NamedTuple):
    rule: Optional[str]  # that finds it
    begin: float
    end: float
    stream: Optional[str]
    publisher: Optional[str]  # admin devices, as they are in the recording
    subscriber: Optional[str]
    server: str  # the one whose answers show it
    events: Optional[int]  # lost


class Stream(NamedTuple):
    """Each has one publisher and one subscriber."""

    name: str  # as in short names: without tango://host:port/
    full_name: str
    publisher: str
    subscriber: str
    pushed: int
    received: int
    lost: int


class Troubled:
    """What the fixture gives; see above."""

    options = OPTIONS

    def __init__(self, folder):
        self.folder = folder
        self.path = folder / "troubled.jsonl.zst"  # with --changes, as the monitor recorded it
        self.plain = folder / "troubled.jsonl"  # the same, all polls in full
        truth = json.loads((folder / "truth.json").read_text())
        self.servers = truth["servers"]  # admin devices
        self.restarted = truth["restarted"]  # the one that was
        self.silent = truth["silent"]  # the one that didn't answer
        self.streams = [Stream(**each) for each in truth["streams"]]
        self.faults = {name: Fault(**each) for name, each in truth["faults"].items()}

    @property
    def pushed(self):
        return sum(stream.pushed for stream in self.streams)

    @property
    def received(self):
        return sum(stream.received for stream in self.streams)

    @property
    def lost(self):
        return sum(stream.lost for stream in self.streams)

    def lines(self):
        """Of the plain one, as text with its line feeds."""
        return self.plain.read_text().splitlines(keepends=True)

    def polls(self):
        """Of the plain one, parsed."""
        return [json.loads(line) for line in self.lines()]

    # ---- the same in other files: lists of paths, in no good order ----

    def gzipped(self, folder):
        path = folder / "troubled.jsonl.gz"
        path.write_bytes(gzip.compress(self.plain.read_bytes()))
        return [path]

    def rotated(self, folder):
        """As three files of one recorder, the newest first."""
        lines = self.lines()
        third = len(lines) // 3
        parts = [lines[:third], lines[third : 2 * third], lines[2 * third :]]
        paths = [folder / name for name in ("troubled.1.jsonl", "troubled.2.jsonl.xz", "troubled.jsonl")]
        for path, part in zip(paths, parts):
            content = "".join(part).encode()
            path.write_bytes(lzma.compress(content, preset=0) if path.suffix == ".xz" else content)
        return paths[::-1]

    def by_server(self, folder, late=0.0):
        """As if two recorders had shared the servers; the times of the second are later by as much."""
        paths = [folder / "even.jsonl", folder / "odd.jsonl"]
        for number, path in enumerate(paths):
            with path.open("w") as out:
                for poll in self.polls():
                    poll["replies"] = dict(itertools.islice(poll["replies"].items(), number, None, 2))
                    if number:
                        poll["time"] = later(poll["time"], late)
                    out.write(json.dumps(poll) + "\n")
        return paths

    def overlapping(self, folder):
        """Two files that have some polls in common."""
        lines = self.lines()
        half, more = len(lines) // 2, len(lines) // 6
        paths = [folder / "second.jsonl", folder / "first.jsonl"]
        paths[0].write_text("".join(lines[half:]))
        paths[1].write_text("".join(lines[: half + more]))
        return paths

    def of_2025(self, folder):
        """Without the two last braces of each line, as the older tool wrote them."""
        path = folder / "older.jsonl"
        path.write_text("".join(json.dumps(of_older_tool(poll))[:-2] + "\n" for poll in self.polls()))
        return [path]


def of_older_tool(poll):
    return {"time": poll["time"].partition("+")[0], "replies": poll["replies"]}


def later(text, seconds):
    """An ISO time in UTC, with microseconds."""
    whole, _, rest = text.partition(".")
    micros = int(rest[:6]) + round(seconds * 1e6)
    parsed = time.strptime(whole, "%Y-%m-%dT%H:%M:%S")
    moment = time.gmtime(time.mktime(parsed) - time.timezone + micros // 1_000_000)
    return time.strftime("%Y-%m-%dT%H:%M:%S", moment) + f".{micros % 1_000_000:06}+00:00"


class Disturbed(AssertionError):
    """Tango has done something else meanwhile, as it does on a very busy machine: what is known isn't true."""


# ---- the servers ----


def details(server):
    """What the callback of the server's only subscription has seen."""
    (seen,) = json.loads(server.proxy().details).values()
    return seen


class Pair:
    """A publisher's device and the only subscriber to its events: what was pushed, and what arrived."""

    def __init__(self, publisher, device, subscriber):
        self.publisher, self.device, self.subscriber = publisher, device, subscriber

    def proxy(self):
        return self.publisher.proxy(self.device)

    def push(self, count=1):
        self.proxy().PushBurst(count)

    def seen(self):
        return details(self.subscriber)

    def settle(self):
        """Wait until the newest event has arrived."""
        newest = self.proxy().pushed
        wait_for(lambda: self.seen()["last_value"] == newest, 60, f"event {newest} of {self.device}")

    def join(self):
        """Subscribe, and push events until one arrives; what comes from now on counts."""
        self.subscriber.proxy().Subscribe([self.publisher.attribute("burst", self.device), "change"])

        def arrived():
            self.push()
            return self.seen()["last_value"] > 0

        wait_for(arrived, 30, f"an event of {self.device}", 0.3)
        self.settle()
        self.pushed_before = self.proxy().pushed
        self.received_before = self.seen()["received"]

    def count(self):
        """Pushed and received since join()."""
        return self.proxy().pushed - self.pushed_before, self.seen()["received"] - self.received_before


def start_servers(pool, database, starting):
    """Publishers and subscribers in processes of their own, except for three devices in one publisher."""
    options = {"database": database, "agent": True}
    devices = ["report/burst/1", "report/stuck/1", "report/steady/1"]
    publisher = starting.submit(pool.python, "publisher.py", {"Publisher": devices}, "report", **options)
    doomed = starting.submit(pool.publisher, "report/doomed/1", "report-doomed", **options)
    subscribers = [
        starting.submit(pool.subscriber, f"report/sub/{name}", f"report-{name}", **options)
        for name in ("burst", "stuck", "steady", "doomed")
    ]
    burst, stuck, steady, last = (each.result() for each in subscribers)
    publisher, doomed = publisher.result(), doomed.result()
    pairs = [Pair(publisher, device, sub) for device, sub in zip(devices, (burst, stuck, steady))]
    pairs.append(Pair(doomed, "report/doomed/1", last))
    list(starting.map(Pair.join, pairs))
    return pairs


# ---- what happens to them; each returns what it knows ----


class Times:
    """For a "with": when it began and ended."""

    def __enter__(self):
        self.begin = time.time()
        return self

    def __exit__(self, *_):
        self.end = time.time()


def make_bursts(pair):
    with Times() as times:
        for _ in range(5):
            pair.push(SMALL_BURST)
            pair.settle()
            time.sleep(PERIOD_S)
    return {"rule": None, "times": times}


def make_overflow(pair):
    before = pair.count()
    with Times() as times:
        for number in (LARGE_BURST, 2 * LARGE_BURST, 4 * LARGE_BURST):
            pair.subscriber.proxy().SetCallbackDelay(0.001)
            pair.push(number)
            pair.subscriber.proxy().SetCallbackDelay(0)
            last = [None]

            def drained():
                previous, last[0] = last[0], pair.seen()["received"]
                return previous == last[0]

            wait_for(drained, 120, "the events under way", 0.5)
            pair.push()
            pair.settle()
            pushed, received = (now - then for now, then in zip(pair.count(), before))
            if pushed > received:
                break
    assert pushed > received, "nothing was lost"
    return {"rule": "overflow", "times": times, "events": pushed - received}


def await_heartbeat(pair):
    """Before a subscriber receives nothing for some seconds.

    Heartbeats come every 9 s. Tango takes a channel for dead if the last one came more than 10 s ago, and
    throws away the events that wait.
    """

    def count():
        (channel,) = agent_answers.ask(pair.subscriber)["client"]["event_channels"].values()
        return channel["heartbeat_count"]

    before = count()
    wait_for(lambda: count() > before, 30, "a heartbeat", 0.1)


def make_stuck(pair):
    await_heartbeat(pair)
    before = pair.seen()["received"]
    pair.subscriber.proxy().SetCallbackDelay(STUCK_S)
    with Times() as times:
        pair.push()
        wait_for(lambda: pair.seen()["received"] > before, what="the callback")
        pair.subscriber.proxy().SetCallbackDelay(0)
        pair.push(20)
        pair.settle()
    return {"rule": "stuck-callback", "times": times}


def make_outage(pair):
    """Of a subscriber, while its events go on."""
    await_heartbeat(pair)
    pair.proxy().PushPaced([int((SILENT_S + 2) * 20), 20])
    time.sleep(1)
    with Times() as times:
        os.kill(pair.subscriber.pid, signal.SIGSTOP)
        try:
            time.sleep(SILENT_S)
        finally:
            os.kill(pair.subscriber.pid, signal.SIGCONT)
    wait_for(lambda: not pair.proxy().pushing, what="the end of the events")
    pair.settle()
    return {"rule": "no-answer", "times": times}


def kill_the_publisher(pair):
    """While events wait for callbacks, and a poll has seen that they were pushed."""
    pair.subscriber.proxy().SetCallbackDelay(0.1)
    pair.push(WAITING)
    time.sleep(LATE_S)
    pushed = pair.proxy().pushed - pair.pushed_before
    with Times() as times:
        pair.publisher.kill()
        pair.publisher.start()
    return {"rule": "outage", "times": times, "pushed": pushed}


def wait_for_the_new_one(pair, fault):
    """Tango subscribes again, and then calls callbacks with a value that it has read: it is 0."""
    wait_for(lambda: pair.seen()["last_value"] == 0, 60, "the new subscription", 0.1)
    pair.subscriber.proxy().SetCallbackDelay(0)
    received = pair.seen()["received"] - pair.received_before - 1
    again = agent_answers.topic(pair.subscriber)["event_count"]

    def arrived():
        pair.push()
        return agent_answers.topic(pair.subscriber)["event_count"] > again

    wait_for(arrived, 30, "the first event of the new process", 0.3)
    pair.push(20)
    pair.settle()
    # Its callbacks have seen what arrived before, the value that was read, and the new ones.
    new = pair.seen()["received"] - pair.received_before - 1 - received
    pair.received, pair.pushed = received + new, fault["pushed"] + pair.proxy().pushed
    pair.count = lambda: (pair.pushed, pair.received)
    fault["events"] = pair.pushed - pair.received
    assert fault["events"] > 0


def make_trouble(pairs):
    burst, stuck, steady, doomed = pairs
    faults = {"killed": kill_the_publisher(doomed)}
    with concurrent.futures.ThreadPoolExecutor(2) as waiting:
        others = {"stuck": waiting.submit(make_stuck, stuck), "outage": waiting.submit(make_outage, steady)}
        faults["bursts"] = make_bursts(burst)
        faults.update({name: each.result() for name, each in others.items()})
    faults["overflow"] = make_overflow(burst)
    wait_for_the_new_one(doomed, faults["killed"])
    of = {"bursts": burst, "overflow": burst, "stuck": stuck, "outage": steady, "killed": doomed}
    return {name: truth_of_fault(fault, of[name]) for name, fault in faults.items()}


def truth_of_fault(fault, pair):
    about_server = fault["rule"] == "no-answer"
    return {
        "rule": fault["rule"], "begin": fault["times"].begin, "end": fault["times"].end,
        "stream": None if about_server else stream_name(pair),
        "publisher": None if about_server else pair.publisher.admin,
        "subscriber": None if about_server else pair.subscriber.admin,
        "server": pair.subscriber.admin, "events": fault.get("events"),
    }  # fmt: skip


def stream_name(pair):
    return f"{pair.device}/burst.change"


def truth_of_stream(pair):
    pushed, received = pair.count()
    return {
        "name": stream_name(pair), "full_name": pair.publisher.full_name(stream_name(pair)),
        "publisher": pair.publisher.admin, "subscriber": pair.subscriber.admin,
        "pushed": pushed, "received": received, "lost": pushed - received,
    }  # fmt: skip


def check_undisturbed(pairs):
    """A channel whose heartbeats come late is connected again, and callbacks get a value that was read."""
    for pair in pairs[:-1]:
        if agent_answers.topic(pair.subscriber)["last_resubscribed"]:
            raise Disturbed(f"{pair.device} was connected again")
    pushed, received = pairs[-1].count()
    lost = agent_answers.topic(pairs[-1].subscriber)["lost_event_count"]
    if pushed - received < WAITING // 2 or lost:
        raise Disturbed(f"{pushed} pushed, {received} received, {lost} lost on {pairs[-1].device}")


def polls_of(path):
    """How many polls a recording that is being written has, by what the monitor reads of it."""
    done = run_monitor("--format", "jsonl", "--no-color", "--read", path)
    return sum('"servers"' in line for line in done.stdout.splitlines())


def record(folder):
    database = start_database(folder)
    try:
        # The threads stay: a server ends with the thread that started it (die_with_parent).
        with concurrent.futures.ThreadPoolExecutor(3) as starting, ServerPool(folder) as pool:
            pairs = start_servers(pool, database, starting)
            servers = list({server.admin: server for pair in pairs for server in (pair.publisher, pair.subscriber)})
            path = folder / "troubled.jsonl.zst"
            monitor = start_monitor(
                "-q", "-m", "--changes=20", "--poll-period", PERIOD_S, "--timeout", TIMEOUT_S, "--no-checks",
                "-o", path, *servers,
            )  # fmt: skip
            try:
                wait_for(lambda: path.exists() and polls_of(path) > 2, 30, "the first polls", 0.5)
                faults = make_trouble(pairs)
                check_undisturbed(pairs)
                streams = [truth_of_stream(pair) for pair in pairs]
                time.sleep(3 * PERIOD_S + TIMEOUT_S)
                monitor.send_signal(signal.SIGINT)
                assert monitor.wait(30) == 0, monitor.communicate()
            finally:
                monitor.kill()
                monitor.communicate()
    finally:
        database.stop()
    assert run_monitor("-q", "--read", path, "-o", folder / "troubled.jsonl").returncode == 0
    doomed, steady = pairs[3], pairs[2]
    return {
        "servers": servers, "restarted": doomed.publisher.admin, "silent": steady.subscriber.admin,
        "streams": streams, "faults": faults,
    }  # fmt: skip


def record_undisturbed(folder, attempts=3):
    """Where, and the truth."""
    for attempt in itertools.count(1):
        made = folder / f"attempt-{attempt}"
        if made.exists():
            continue
        made.mkdir()
        attempts -= 1
        try:
            return made, record(made)
        except Disturbed:
            if attempts == 0:
                raise


def shared_folder(tmp_path_factory):
    """One for all workers of a run, if there are some."""
    base = tmp_path_factory.getbasetemp()
    folder = (base.parent if os.environ.get("PYTEST_XDIST_WORKER") else base) / "report-recording"
    folder.mkdir(exist_ok=True)
    return Path(folder)


@pytest.fixture(scope="session")
def troubled(tmp_path_factory, monitor_bin, agent_lib):
    """See above; a :class:`Troubled`."""
    folder = shared_folder(tmp_path_factory)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / "truth.json").exists():
            made, truth = record_undisturbed(folder)
            for name in ("troubled.jsonl.zst", "troubled.jsonl"):
                (made / name).rename(folder / name)
            (folder / "truth.json").write_text(json.dumps(truth, indent=2))
    return Troubled(folder)
