"""What the exporter costs, for each poll and for each scrape, compared with the same in Python (python_exporter.py)."""

import gzip
import re
import statistics
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

from monitor_part import peak_mib, push_all, start_servers
from tango_servers import BUILD, clean_environment, die_with_parent, free_port, wait_for

EXPORTER = BUILD / "bin" / "ska-tango-event-exporter"
PYTHON_EXPORTER = Path(__file__).resolve().with_name("python_exporter.py")


class Run:
    """One exporter, measured and ended."""

    def __init__(self, command, port, database, names, period, short, prepare):
        self.root = f"http://127.0.0.1:{port}/"
        self.url = self.root + "metrics"
        self.has_page = command[0] == EXPORTER
        self.process = subprocess.Popen(
            [str(part) for part in [*command, "--poll-period", period, *names]],
            env=clean_environment(TANGO_HOST=database.tango_host),
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            preexec_fn=die_with_parent,
        )
        try:
            wait_for(lambda: self.polls() > 1, 300, "the first polls", 0.2)
            prepare()
            self.measure_polls(2 if short else 5)
            self.measure_scrapes(period, 2 if short else 20)
            self.memory = peak_mib(self.process.pid)
            if self.has_page:
                self.measure_page(2 if short else 5)
                self.page_memory = peak_mib(self.process.pid)
        finally:
            self.process.kill()
            self.process.wait()

    def scrape(self):
        with urllib.request.urlopen(self.url, timeout=300) as answer:
            return answer.read()

    def polls(self):
        """So many polls so far; the scrape that says so costs something itself."""
        try:
            found = re.search(rb"^tango_event_exporter_polls_total (\S+)", self.scrape(), re.M)
        except urllib.error.URLError:
            return 0
        return float(found[1])

    def wait_for_poll(self):
        last = self.polls()
        wait_for(lambda: self.polls() > last, 300, "the next poll", 0.05)

    def cpu(self):
        """Processor time of the process so far, its threads that have ended included, in ms. (The number of its
        clock is made of its pid: clock_getcpuclockid(3).)"""
        return time.clock_gettime_ns((~self.process.pid << 3) | 2) / 1e6

    def measure_polls(self, count):
        """From one moment without a scrape to another, with as many polls in between as that needs."""
        self.wait_for_poll()
        first, begun = self.polls(), self.cpu()
        # Nothing to wait for without a scrape: polls keep to their schedule.
        time.sleep(count * float(self.process.args[self.process.args.index("--poll-period") + 1]))
        ended = self.cpu()
        self.poll_ms = (ended - begun) / (self.polls() - first)

    def measure_scrapes(self, period, count):
        """Between two polls."""
        times, costs = [], []
        text = b""
        while len(times) < count:
            self.wait_for_poll()
            until = time.monotonic() + 0.5 * period
            while time.monotonic() < until and len(times) < count:
                before, begun = self.cpu(), time.monotonic()
                text = self.scrape()
                times.append(1e3 * (time.monotonic() - begun))
                costs.append(self.cpu() - before)
        self.scrape_ms = statistics.median(times)
        self.scrape_cpu_ms = statistics.median(costs)
        self.size = len(text)
        self.series = sum(not line.startswith(b"#") for line in text.splitlines())

    def measure_page(self, count):
        """That of the last hour, written anew after each of some polls."""
        times, costs = [], []
        request = urllib.request.Request(self.root, headers={"Accept-Encoding": "gzip"})
        while len(times) < count:
            self.wait_for_poll()
            before, begun = self.cpu(), time.monotonic()
            with urllib.request.urlopen(request, timeout=300) as answer:
                packed = answer.read()
            times.append(1e3 * (time.monotonic() - begun))
            costs.append(self.cpu() - before)
        self.page_ms = statistics.median(times)
        self.page_cpu_ms = statistics.median(costs)
        self.page_size, self.packed_size = len(gzip.decompress(packed)), len(packed)


def compare(bench, database, servers, streams, perf):
    short = bench.short
    period = 1.0 if short else 10.0 if streams > 1000 else 3.0
    names = [f"dserver/{server.server_name}" for server in servers]
    options = ["-m"] if perf else []
    found = {}

    def prepare():
        """An event of each stream, so that it has histograms."""
        for server in servers if perf and streams > 1 else []:
            push_all(server.proxy(), streams)

    for which in ("C", "Python"):
        port = free_port()
        if which == "C":
            # Python has no limit, so ours has to show all as well.
            command = [EXPORTER, f"--web.listen-address=127.0.0.1:{port}", "--timeout", 60, "--limit", 10_000_000]
        else:
            command = [sys.executable, PYTHON_EXPORTER, "--port", port]
        found[which] = Run([*command, *options], port, database, names, period, short, prepare)
    ours, theirs = found["C"], found["Python"]
    what = f"exporter, {len(servers)} x {streams} streams{', -m' if perf else ''}"
    large = streams >= 10_000 and not perf
    for attribute, label, unit, target in (
        ("poll_ms", "processor time of a poll", "ms", ""),
        ("scrape_cpu_ms", "processor time of a scrape", "ms", ""),
        ("scrape_ms", "a scrape", "ms", "< 50 ms" if large else ""),
        ("memory", "peak memory", "MB", "< 100 MB" if large else ""),
    ):
        one, other = getattr(ours, attribute), getattr(theirs, attribute)
        bench.row(
            f"{what}: {label}", f"{one:.1f} {unit}", f"Python: {other:.1f} {unit}, ratio {one / other:.3f}",
            f"target {target}" if target else "",
        )
    bench.row(f"{what}: the page of the last hour", f"{ours.page_ms:.1f} ms",
              f"processor time {ours.page_cpu_ms:.1f} ms",
              f"{ours.page_size / 1e6:.2f} MB, as gzip {ours.packed_size / 1e6:.2f} MB")
    bench.row(f"{what}: peak memory with that page", f"{ours.page_memory:.1f} MB", "", "")
    bench.row(f"{what}: a page of metrics", f"{ours.size / 1e6:.2f} MB", f"{ours.series} series", "")


def exporter(bench, pool, database):
    servers = []
    for count in [1, 2] if bench.short else [1, 10, 100, 200]:
        servers += start_servers(pool, database, count - len(servers), 1, f"exp{count}")
        for perf in (False, True):
            print(f"bench: exporter: {count} servers", file=sys.stderr, flush=True)
            compare(bench, database, servers, 1, perf)
    for server in servers:
        server.kill()
    for streams in [100] if bench.short else [10_000]:
        servers = start_servers(pool, database, 1, streams, f"expmany{streams}")
        for perf in (False, True):
            print(f"bench: exporter: {streams} streams", file=sys.stderr, flush=True)
            compare(bench, database, servers, streams, perf)
        servers[0].kill()
