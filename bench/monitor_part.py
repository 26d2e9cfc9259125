"""What the monitor costs, compared with the same in Python (python_monitor.py)."""

import re
import statistics
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tango_servers import BUILD, MONITOR, clean_environment, wait_for

PYTHON_MONITOR = Path(__file__).resolve().with_name("python_monitor.py")


def peak_mib(pid):
    """The peak of a process's resident memory; None if it has ended."""
    found = re.search(r"VmHWM:\s+(\d+)", Path(f"/proc/{pid}/status").read_text())
    return int(found[1]) / 1024 if found else None


def processor_ns(pid):
    """Processor time of a process so far, of the threads that it has."""
    total = 0
    for task in Path(f"/proc/{pid}/task").iterdir():
        try:
            total += int((task / "schedstat").read_text().split()[0])
        except OSError:  # it has just ended
            pass
    return total


class Run:
    """One run of a monitor to its end."""

    memory = 0.0

    def __init__(self, command, database):
        begun = time.monotonic()
        process = subprocess.Popen(
            [str(part) for part in command],
            env=clean_environment(TANGO_HOST=database.tango_host),
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        )
        self.first_output = None
        moments = []
        text = b""
        for line in process.stdout:
            text += line
            if not re.match(rb"\d{4}-\d\d-\d\dT", line):
                continue
            # The heading of a poll, which is printed in one go.
            self.first_output = self.first_output or time.monotonic() - begun
            moments.append(processor_ns(process.pid))
            # Not ru_maxrss: that of a child begins with what its parent had at the fork.
            self.memory = peak_mib(process.pid) or self.memory
        process.stdout.close()
        assert process.wait() == 0, (command, process.returncode)
        assert b"FAILED" not in text, text[-2000:]
        self.text = text.decode()
        # The first poll connects, and has no samples yet; at the last one threads may have ended.
        self.cpu = (moments[-2] - moments[1]) / 1e9 / (len(moments) - 3)


def sample_counts(text):
    """How many samples are in the tables of all polls."""
    return [int(count) for count in re.findall(r"^  (?:push event|process) \[us\] +(\d+)", text, re.M)]


# The pool's threads live to the end: a server ends with the thread that started it.
starters = ThreadPoolExecutor(8)


def push_all(proxy, streams):
    """One event of each, all of them received."""
    for first in range(0, streams, 500):
        seen = proxy.Received()
        number = min(500, streams - first)
        proxy.Push([first, number])
        wait_for(lambda: proxy.Received() >= seen + number, 60, "the events")


def start_servers(pool, database, count, streams, name):
    """Servers that publish to themselves, 300 events every 1.5 s."""
    env = {"BENCH_ATTRIBUTES": streams}

    def one(number):
        instance = f"{name}-{number}"
        server = pool.add(
            [BUILD / "bench" / "bench_server"], instance, {"Bench": [f"bench/{instance}/1"]},
            database=database, agent=True, env=env,
        )
        proxy = server.proxy()
        proxy.set_timeout_millis(600_000)
        proxy.Subscribe(server.name())
        wait_for(lambda: (proxy.Burst(1), proxy.Received() > streams)[1], 60, "the first event", 0.2)
        push_all(proxy, streams)
        proxy.Keep([300, 1500])
        return server

    return list(starters.map(one, range(count)))


def compare(bench, database, servers, streams):
    """Both monitors, in turns, over these servers."""
    short = bench.short
    period = 2.0
    polls = 4 if short else 7
    names = [f"dserver/{server.server_name}" for server in servers]
    commands = {
        "C": [MONITOR, "-m", "--timeout", 60],
        "Python": [sys.executable, PYTHON_MONITOR],
    }
    found = {}
    runs = {monitor: [] for monitor in commands}
    for _ in range(1 if short else 3):
        for monitor, command in commands.items():
            command = [*command, "--poll-period", period, "-n", polls, *names]
            runs[monitor].append(Run(command, database))
    for monitor, some in runs.items():
        found[monitor] = {
            "cpu": statistics.median(run.cpu for run in some),
            "first": statistics.median(run.first_output for run in some),
            "memory": statistics.median(run.memory for run in some),
        }
    if not short:
        # Each answer had its 256 samples on both sides; a stream's first one lacks a time or two.
        counts = sample_counts(runs["C"][-1].text)
        full = sum(count >= 255 for count in counts)
        assert full > 0.95 * 2 * (polls - 1) * len(servers), (full, polls, len(servers))
    ours, theirs = found["C"], found["Python"]
    what = f"{len(servers)} x {streams}"
    for key, unit, factor, target in (
        ("cpu", "ms", 1e3, "<= 0.1"), ("memory", "MB", 1, "<= 0.333"), ("first", "ms", 1e3, ""),
    ):
        label = {"cpu": "processor time of a poll", "memory": "peak memory",
                 "first": "start to first output"}[key]
        bench.row(
            f"monitor, {what} streams: {label}",
            f"{factor * ours[key]:.1f} {unit}",
            f"Python: {factor * theirs[key]:.1f} {unit}, ratio {ours[key] / theirs[key]:.3f}",
            f"target {target}" if target else "",
        )


def monitor(bench, pool, database):
    servers = []
    counts = [1, 2] if bench.short else [1, 10, 100, 200]
    for count in counts:
        servers += start_servers(pool, database, count - len(servers), 1, f"mon{count}")
        print(f"bench: monitor: {count} servers", file=sys.stderr, flush=True)
        compare(bench, database, servers, 1)
    for server in servers:
        server.kill()
    for streams in [100] if bench.short else [100, 10_000]:
        servers = start_servers(pool, database, 1, streams, f"many{streams}")
        print(f"bench: monitor: {streams} streams", file=sys.stderr, flush=True)
        compare(bench, database, servers, streams)
        servers[0].kill()
