"""What clients of a server see of it while the agent is loaded into it, beside gdb's way and beside nothing;
and what the agent's thread and socket need."""

import itertools
import os
import statistics
import subprocess
import time
from pathlib import Path

import tango
from agent_answers import ask
from tango_servers import AGENT_LIB, BUILD, LAUNCHER, clean_environment, wait_for

ATTACHMENTS = int(os.environ.get("BENCH_ATTACHMENTS", "1000"))
# How long clients watch each time; with gdb as long as it takes.
WINDOW_S = 0.15
OPTIONS_MAGIC = b"SKA-TANGO-EVENT-AGENT-OPTIONS-1\0"

numbers = itertools.count(1)


def start(pool, database, **options):
    instance = f"attach-{next(numbers)}"
    devices = {"Bench": [f"bench/{instance}/1"]}
    return pool.add([BUILD / "bench" / "bench_server"], instance, devices, database=database, **options)


def late_agent(folder):
    """The agent as attach loads it, in a file: for gdb."""
    image = AGENT_LIB.read_bytes()
    at = image.index(OPTIONS_MAGIC) + len(OPTIONS_MAGIC)
    path = Path(folder) / "late-agent.so"
    path.write_bytes(image[:at] + b"\1" + image[at + 1 :])
    return path


def with_attach(server):
    return [LAUNCHER, "attach", str(server.pid)]


def with_gdb(library):
    dlopen = f'call ((void *(*)(const char *, int))dlopen)("{library}", 2)'
    # Signals to other threads are the process's own affair.
    quiet = "handle all nostop noprint pass"
    return lambda server: ["gdb", "-nx", "-p", str(server.pid), "-batch", "-ex", quiet, "-ex", dlopen]


def has_counted(server):
    try:
        streams = ask(server)["server"]["event_streams"].values()
    except tango.DevFailed:
        return False  # the command isn't there yet
    return any(stream["pushed_event_count"] > 0 for stream in streams)


class Way:
    """To load the agent, or to do nothing; and what clients saw meanwhile, in ms."""

    def __init__(self):
        self.gaps = {"answers": [], "events": []}
        self.first_counts = []

    def measure(self, client, server, command=None):
        client.proxy().Gaps()
        begun = time.monotonic()
        if command:
            done = subprocess.run(
                command, env=clean_environment(), capture_output=True, text=True, check=False, timeout=120
            )
            assert done.returncode == 0, done
            wait_for(lambda: has_counted(server), 60, "the first count", 0.001)
            self.first_counts.append(1e3 * (time.monotonic() - begun))
        time.sleep(max(0, WINDOW_S - (time.monotonic() - begun)))
        answers, events, _ = client.proxy().Gaps()
        self.gaps["answers"].append(answers / 1e3)
        self.gaps["events"].append(events / 1e3)


def watch(client, server):
    """The client calls the server as fast as it can, and receives events, in a steady flow."""
    server.proxy().Keep([10, 1])
    client.proxy().Watch(server.name())
    client.proxy().Gaps()

    def steady():
        time.sleep(0.05)
        answers, events, count = client.proxy().Gaps()
        return count > 10 and events < 50_000 and answers < 50_000

    wait_for(steady, 60, "a steady flow")


def spread(values):
    lower, _, upper = statistics.quantiles(values, n=4, method="inclusive")
    return f"[{lower:.2f} .. {upper:.2f}], longest {max(values):.2f}"


def resident(server):
    """What a process has in memory, in KiB: all of it, and its share."""
    rollup = Path(f"/proc/{server.pid}/smaps_rollup").read_text()
    fields = dict(line.split(":", 1) for line in rollup.splitlines()[1:])
    return [int(fields[name].split()[0]) for name in ("Rss", "Pss")]


def memory(bench, pool, database):
    sizes = {"off": [], "on": []}
    for _ in range(3 if bench.short else 10):
        for state, list_of in sizes.items():
            env = {"SKA_TANGO_EVENT_AGENT_SOCKET": "off"} if state == "off" else {}
            server = start(pool, database, agent=True, env=env)
            list_of.append(resident(server))
            server.stop()
    for place, name in enumerate(("RSS", "PSS")):
        off, on = ([size[place] for size in sizes[state]] for state in ("off", "on"))
        more = statistics.median(on) - statistics.median(off)
        bench.row(
            f"the agent's thread and socket: {name}",
            f"{more:+.0f} KiB",
            f"[{min(on) - max(off):+.0f} .. {max(on) - min(off):+.0f}] of {statistics.median(off):.0f} KiB",
        )


def attach(bench, pool, database):
    """The longest time that clients of a server wait while the agent is loaded into it."""
    attachments = 4 if bench.short else ATTACHMENTS
    by_gdb = attachments // 2 if bench.short else attachments // 10
    gdb = with_gdb(late_agent(pool.folder))
    client = start(pool, database)
    ways = {"attach": Way(), "gdb": Way()}
    nothing = Way()
    for number in range(attachments + by_gdb):
        is_gdb = number * by_gdb // (attachments + by_gdb) != (number + 1) * by_gdb // (attachments + by_gdb)
        server = start(pool, database)
        watch(client, server)
        nothing.measure(client, server)
        if is_gdb:
            ways["gdb"].measure(client, server, gdb(server))
        else:
            ways["attach"].measure(client, server, with_attach(server))
        client.proxy().Watch("")
        server.stop()
    bench.row("attachments, beside gdb's", str(attachments), str(by_gdb))
    for what in ("answers", "events"):
        base = statistics.median(nothing.gaps[what])
        bench.row(f"longest gap between {what}: nothing is done", f"{base:.2f} ms", spread(nothing.gaps[what]))
        for name, way in ways.items():
            middle = statistics.median(way.gaps[what])
            bench.row(
                f"longest gap between {what}: {name}",
                f"{middle:.2f} ms",
                spread(way.gaps[what]),
                f"{middle / base:.2f} of nothing's",
            )
    for name, way in ways.items():
        bench.row(
            f"until the first count: {name}", f"{statistics.median(way.first_counts):.0f} ms", spread(way.first_counts)
        )
    ratio = [statistics.median(ways[name].first_counts) for name in ("gdb", "attach")]
    bench.row("until the first count: gdb's of attach's", f"{ratio[0] / ratio[1]:.1f}")
    memory(bench, pool, database)
