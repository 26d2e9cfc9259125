"""What a second of the live view costs, compared with the text output of the same servers at the same time."""

import fcntl
import os
import pty
import re
import select
import statistics
import struct
import subprocess
import sys
import termios
import threading
import time

from monitor_part import peak_mib, processor_ns, start_servers
from tango_servers import MONITOR, clean_environment, wait_for

ROWS, COLUMNS = 50, 160
PERIOD_S = 1


class Reader(threading.Thread):
    """Reads everything that comes from a descriptor, and counts it."""

    def __init__(self, fd):
        super().__init__(daemon=True)
        self.fd = fd
        self.bytes = 0
        self.polls = 0  # headings of the text output
        self.start()

    def run(self):
        while True:
            select.select([self.fd], [], [])
            try:
                data = os.read(self.fd, 65536)
            except OSError:  # a terminal that nobody holds any more
                return
            if not data:
                return
            self.bytes += len(data)
            self.polls += len(re.findall(rb"^\d{4}-\d\d-\d\dT", data, re.M))


class Watched:
    """A run of the monitor, and what it has used so far."""

    def __init__(self, options, names, database, on_terminal):
        env = clean_environment(TANGO_HOST=database.tango_host, TERM="xterm-256color", LC_ALL="C.UTF-8")
        command = [str(MONITOR), *options, "--timeout", "60", "--poll-period", str(PERIOD_S), *names]
        if on_terminal:
            self.side, other = pty.openpty()
            fcntl.ioctl(other, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
            self.process = subprocess.Popen(
                command, env=env, stdin=other, stdout=other, stderr=other, start_new_session=True
            )
        else:
            self.side, other = os.pipe()
            self.process = subprocess.Popen(command, env=env, stdin=subprocess.DEVNULL, stdout=other)
        os.close(other)
        self.on_terminal = on_terminal
        self.reader = Reader(self.side)

    def used(self):
        """Nanoseconds of processor time, and bytes written."""
        assert self.process.poll() is None, (self.process.args, self.process.returncode)
        return processor_ns(self.process.pid), self.reader.bytes

    def end(self):
        """Ends it; returns the peak of its memory in MiB."""
        memory = peak_mib(self.process.pid)
        if self.on_terminal:
            os.write(self.side, b"q")
        else:
            self.process.terminate()
        status = self.process.wait(60)
        self.reader.join(10)
        os.close(self.side)
        assert status == 0, (self.process.args, status)
        return memory


def pair(names, database, seconds):
    """Both at once: {"text" or "live": (processor ms a second, kB a second, MiB)}."""
    both = {"text": Watched([], names, database, False), "live": Watched(["--live"], names, database, True)}
    # All are connected to, and caches are warm.
    wait_for(lambda: both["text"].reader.polls > 2 and both["live"].reader.bytes, 120, "the third poll", 0.2)
    before, begun = {name: run.used() for name, run in both.items()}, time.monotonic()
    time.sleep(seconds)
    after, lasted = {name: run.used() for name, run in both.items()}, time.monotonic() - begun
    rates = {name: [(now - then) / lasted for now, then in zip(after[name], before[name])] for name in both}
    return {name: (rates[name][0] / 1e6, rates[name][1] / 1e3, run.end()) for name, run in both.items()}


def compare(bench, database, servers, streams):
    names = [f"dserver/{server.server_name}" for server in servers]
    pairs = [pair(names, database, 3 if bench.short else 10) for _ in range(1 if bench.short else 3)]
    what = f"live view, {len(servers)} x {streams}"
    for place, (label, unit) in enumerate((("processor time of a second", "ms"), ("to the terminal, a second", "kB"),
                                           ("peak memory", "MB"))):
        live, text = ([each[name][place] for each in pairs] for name in ("live", "text"))
        ratios = [one / other for one, other in zip(live, text)]
        spread = f" [{min(ratios):.2f} .. {max(ratios):.2f}]" if len(ratios) > 1 else ""
        bench.row(
            f"{what}: {label}", f"{statistics.median(live):.1f} {unit}",
            f"text: {statistics.median(text):.1f} {unit}, ratio {statistics.median(ratios):.2f}{spread}",
        )


def live(bench, pool, database):
    servers = []
    for count in [1, 2] if bench.short else [1, 10, 100, 200]:
        servers += start_servers(pool, database, count - len(servers), 1, f"live{count}")
        print(f"bench: live: {count} servers", file=sys.stderr, flush=True)
        compare(bench, database, servers, 1)
    for server in servers:
        server.kill()
    streams = 100 if bench.short else 10_000
    servers = start_servers(pool, database, 1, streams, "live-many")
    print(f"bench: live: {streams} streams", file=sys.stderr, flush=True)
    compare(bench, database, servers, streams)
    servers[0].kill()
