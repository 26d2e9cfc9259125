"""The monitor over many servers for a long time, while they are killed, stopped, frozen, restarted and
moved at random, and so is the database.

    OPERATION_SEED      repeats a run's decisions (printed by make soak, and by every run that fails)
    OPERATION_SECONDS   how long (default: 60)
    OPERATION_SERVERS   how many (default: 50)
"""

import datetime
import json
import os
import random
import re
import signal
import time

import pytest
from tango_servers import free_port, run_monitor, start_database, start_monitor, wait_for

SECONDS = float(os.environ.get("OPERATION_SECONDS", "60"))
SERVERS = int(os.environ.get("OPERATION_SERVERS", "50"))
PERIOD_S = 1.0
TIMEOUT_S = 0.6
# What a server says before it ends when it finds no database, or one that has just been started.
NO_DATABASE = (
    "Can't build connection to TANGO database",
    "Failed to execute command_inout on device sys/database/2",
)


@pytest.fixture(autouse=True)
def _programs(monitor_bin, agent_lib):
    """All of these need the monitor and the agent."""


@pytest.fixture
def own_database(tmp_path):
    """A database that may be ended."""
    running = start_database(tmp_path / "database")
    yield running
    running.stop()


def merge(data, changes, removed):
    """As docs/monitor.md has it."""
    for key, value in changes.items():
        if isinstance(value, dict) and isinstance(data.get(key), dict):
            merge(data[key], value, {})
        else:
            data[key] = value
    for key, value in removed.items():
        if isinstance(value, dict):
            merge(data[key], {}, value)
        else:
            del data[key]


class Recording:
    """Follows a recording that is being written, with --changes."""

    def __init__(self, path):
        self.path = path
        self.offset = 0
        self.times = []
        self.data = {}  # {server: its last answer}
        self.failed = {}  # {server: whether it failed in the last poll}

    def follow(self):
        with self.path.open("rb") as file:
            file.seek(self.offset)
            text = file.read()
        # A line is written at once, and what can be seen of a file is always whole lines.
        assert text == b"" or text.endswith(b"\n")
        self.offset += len(text)
        for line in text.splitlines():
            self._take(json.loads(line))
        return self

    def _take(self, line):
        assert line["replies"], line
        self.times.append(datetime.datetime.fromisoformat(line["time"]).timestamp())
        for server, reply in line["replies"].items():
            assert set(reply) - {"answered"} in ({"data"}, {"changes"}, {"changes", "removed"}, {"error"}), reply
            self.failed[server] = "error" in reply
            if "data" in reply:
                self.data[server] = reply["data"]
            elif "changes" in reply:
                merge(self.data[server], reply["changes"], reply.get("removed", {}))

    def pid(self, server):
        """Of the process that answered the last poll; None if none did."""
        name = f"dserver/{server.server_name}"
        if self.failed.get(name, True) or name not in self.data:
            return None
        return self.data[name]["agent"]["pid"]


class Operation:
    def __init__(self, servers, database, seed):
        self.random = random.Random(seed)
        self.database = database
        self.database_up = True
        self.frozen = {}  # {server: when it goes on}
        self.counts = {}
        self.servers = []
        for number in range(SERVERS):
            self.servers.append(self.make(servers, number))
        # Not all at once: the database answers one after the other, and Tango waits 3 s for it.
        for some in range(0, SERVERS, 10):
            for server in self.servers[some : some + 10]:
                server.launch()
            for server in self.servers[some : some + 10]:
                server.wait_until_ready()

    def make(self, pool, number):
        """Not started yet: several are, together."""
        from tango_servers import CPP_PUBLISHER, Server, need

        instance = f"operation-{number}"
        devices = {"CppPublisher": [f"operation/pub/{number}"]}
        log = pool.folder / f"operation-{number}.log"
        server = Server([need(CPP_PUBLISHER)], instance, devices, log, database=self.database, agent=True)
        pool.servers.append(server)
        self.database.register(server.server_name, devices)
        return server

    def some(self, condition):
        fitting = [server for server in self.servers if condition(server)]
        return self.random.choice(fitting) if fitting else None

    def is_up(self, server):
        return server.running and server not in self.frozen

    def kill(self):
        server = self.some(self.is_up)
        if server:
            server.kill()

    def stop(self):
        server = self.some(self.is_up)
        if server:
            server.stop()

    def launch(self):
        server = self.some(lambda s: not s.running)
        if server and self.database_up:
            server.launch()

    def move(self):
        server = self.some(lambda s: s not in self.frozen)
        if server and self.database_up:
            server.kill()
            server.address = f"127.0.0.{self.random.randint(1, 200)}"
            server.port = free_port()
            server.launch()

    def freeze(self):
        server = self.some(self.is_up)
        if server:
            os.kill(server.pid, signal.SIGSTOP)
            self.frozen[server] = time.monotonic() + self.random.choice([0.1, 1, 3, 8])

    def thaw(self, all_of_them=False):
        for server, until in list(self.frozen.items()):
            if all_of_them or time.monotonic() > until:
                os.kill(server.pid, signal.SIGCONT)
                del self.frozen[server]

    def switch_database(self):
        if self.database_up:
            self.database.end_databaseds(self.random.choice([signal.SIGKILL, signal.SIGTERM]))
        else:
            self.database.start_databaseds()
        self.database_up = not self.database_up

    def excuse(self):
        """Those that exited by themselves because the database went away while they started."""
        for server in self.servers:
            said = "" if server.running else server.output()[server.log_start:]
            if any(reason in said for reason in NO_DATABASE):
                server.told_to_end = True

    def step(self):
        self.thaw()
        self.excuse()
        actions = [self.kill, self.stop, self.freeze] + 4 * [self.launch] + 2 * [self.move]
        # Up for most of the time.
        if self.random.random() < (0.02 if self.database_up else 0.2):
            actions = [self.switch_database]
        action = self.random.choice(actions)
        self.counts[action.__name__] = self.counts.get(action.__name__, 0) + 1
        action()

    def settle(self):
        """Everything is repaired, except that some servers are down."""
        self.thaw(all_of_them=True)
        if not self.database_up:
            self.switch_database()
        self.excuse()
        down = [server for server in self.servers if not server.running]
        for server in self.random.sample(down, max(0, len(down) - 3)):
            server.launch()
        return [
            server
            for server in self.servers
            if server.running and wait_for(lambda s=server: s.ready or not s.running, 60, server.server_name)
            and server.running
        ]


def check_schedule(times, errors):
    """Polls stay on multiples of the period after the first one; skipped ones were reported."""
    skipped = 0
    for number, moment in enumerate(times[1:], 1):
        passed = (moment - times[0]) / PERIOD_S
        assert passed - int(passed + 0.5) < 0.5
        skipped += round((moment - times[number - 1]) / PERIOD_S) - 1
    late = [line for line in errors.splitlines() if "longer than the period" in line]
    assert skipped == 0 or late, f"{skipped} polls were skipped without a word"


@pytest.mark.long
def test_random_failures(servers, own_database, tmp_path):
    seed = int(os.environ.get("OPERATION_SEED", str(random.SystemRandom().randrange(1 << 30))))
    print(f"OPERATION_SEED={seed}")
    operation = Operation(servers, own_database, seed)
    # One of those that are named outright is down at the start.
    operation.servers[0].stop()
    recording_path, summaries = tmp_path / "recording.jsonl", tmp_path / "summaries.txt"
    with summaries.open("w") as output, (tmp_path / "errors.txt").open("w") as errors:
        monitor = start_monitor(
            "-m", "--poll-period", PERIOD_S, "--timeout", TIMEOUT_S, "--changes=7", "-o", recording_path,
            "operation/pub/0", "dserver/cpp_publisher/*", stdout=output, stderr=errors,
            TANGO_HOST=own_database.tango_host,
        )
    try:
        recording = Recording(recording_path)
        wait_for(recording_path.exists, 30, "the recording")
        wait_for(lambda: len(recording.follow().times) > 1, 30, "two polls")
        end = time.monotonic() + SECONDS
        while time.monotonic() < end:
            operation.step()
            recording.follow()
            assert monitor.poll() is None, (tmp_path / "errors.txt").read_text()
            # How fast things happen, not a wait for something.
            time.sleep(operation.random.random() * 0.3)
        up = operation.settle()
        print(operation.counts, f"{len(up)} servers are up")
        assert len(up) > SERVERS / 2
        wait_for(
            lambda: all(recording.follow().pid(server) == server.pid for server in up),
            120,
            "all that are up: " + ", ".join(s.server_name for s in up if recording.pid(s) != s.pid),
            0.2,
        )
        monitor.terminate()
        assert monitor.wait(20) == 0
    finally:
        monitor.kill()
        monitor.wait()
    recording.follow()
    check_schedule(recording.times, (tmp_path / "errors.txt").read_text())
    check_summaries(summaries.read_text())
    check_reading(recording, recording_path, tmp_path / "full.jsonl.gz")


def check_summaries(text):
    """Nothing is negative: counters that start again are a restart."""
    assert not re.search(r"\(\+?-|\s-\d", text), re.search(r".*(\(\+?-|\s-\d).*", text)[0]
    assert "FAILED" in text and "answers again" in text and "restarted" in text
    assert "In all: " in text


def check_reading(recording, path, full):
    """It can be read back, as if it were full."""
    result = run_monitor("--read", path, "-q", "-o", full)
    assert (result.returncode, result.stderr) == (0, "")
    result = run_monitor("--read", full, "--format", "jsonl")
    assert (result.returncode, result.stderr) == (0, "")
    polls = [json.loads(line) for line in result.stdout.splitlines()]
    assert len(polls) == len(recording.times) + 1
    assert polls[-1]["totals"]["polls"] == len(recording.times)
    failed = {server["server"] for server in polls[-2]["servers"] if server["state"] == "failed"}
    assert failed == {server for server, failed in recording.failed.items() if failed}


# Memory -------------------------------------------------------------------------------------

POLLS = int(os.environ.get("OPERATION_POLLS", "3000"))


def resident_kib(pid):
    for line in open(f"/proc/{pid}/status", encoding="ascii"):
        if line.startswith("VmRSS"):
            return int(line.split()[1])
    raise AssertionError("no VmRSS")


@pytest.mark.long
def test_memory_stays_flat(servers, database, tmp_path):
    """However often it polls, with servers and streams that come and go."""
    pubs = [
        servers.cpp_publisher(f"memory/pub/{number}", instance=f"memory-{number}", agent=True, database=database)
        for number in range(2)
    ]
    sub = servers.cpp_subscriber("memory/sub/1", instance="memory", agent=True, database=database)
    recording = tmp_path / "recording.jsonl.gz"
    with (tmp_path / "summaries.txt").open("w") as output:
        monitor = start_monitor(
            "-m", "--poll-period", 0.01, "-n", POLLS, "--changes", "--rotate", "200k", "-o", recording,
            *[server.admin for server in [*pubs, sub]], stdout=output, stderr=output,
        )
    try:
        sizes = []
        number = 0
        while monitor.poll() is None:
            number += 1
            pub = pubs[number % 2]
            ids = [sub.proxy().Subscribe(pub.attribute("burst")) for _ in range(2)]
            pub.proxy().PushBurst(100)
            for identifier in ids:
                sub.proxy().Unsubscribe(identifier)
            if number % 10 == 0:
                pub.restart()
            if number % 37 == 0:
                sub.restart()
            try:
                sizes.append(resident_kib(monitor.pid))
            except (AssertionError, OSError):
                break  # it has just ended
        assert monitor.wait(60) == 0, (tmp_path / "summaries.txt").read_text()[-2000:]
    finally:
        monitor.kill()
        monitor.wait()
    print(f"{len(sizes)} samples, {sizes[0]} .. {max(sizes)} KiB")
    # The first part fills caches and pools; growth with each poll shows in the rest.
    early, late = max(sizes[: len(sizes) // 3]), max(sizes[-len(sizes) // 3 :])
    assert late - early < 1500, sizes
