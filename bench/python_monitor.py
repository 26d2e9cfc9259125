#!/usr/bin/python3
"""The monitor as one would write it in Python, to compare ska-tango-event-monitor with.

    python_monitor.py ADMIN-DEVICE... [-n COUNT] [--poll-period S]

Asks all servers at the same time (a thread each, as PyTango's own calls wait without the GIL), parses
their answers, and prints what changed since the last poll: what ska-tango-event-monitor -m prints, in
the same tables. Written to be fast where that takes no extra effort: statistics by numpy, one write per poll.
"""

import argparse
import json
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import numpy
import tango

PERCENTS = [0, 1, 10, 50, 90, 99, 100]
PUSHED = ["micros_since_last_event", "push_event_micros"]
RECEIVED = [
    "micros_since_last_event", "sleep_micros", "process_micros", "first_callback_latency_micros",
    "callback_count", "wake_count",
]
COUNTS = ["event_count", "missed_event_count", "lost_event_count", "discarded_event_count"]


def ask(proxy):
    try:
        return json.loads(proxy.command_inout("QueryEventAgent"))
    except (tango.DevFailed, ValueError) as error:
        return error


def table(out, heading, rows):
    """Columns as wide as their widest cell."""
    rows = [heading, *rows]
    widths = [max(map(len, column)) for column in zip(*rows)]
    for row in rows:
        cells = [row[0].ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(row[1:], widths[1:]))]
        out.append("  " + "  ".join(cells).rstrip())


def print_published(out, before, after, seconds):
    rows = []
    for name, count in sorted(after.items()):
        last = before.get(name)
        if last != count:
            step = count - last if last is not None else 0
            rate = f"{step / seconds:.1f}" if seconds and last is not None else "-"
            rows.append([name, str(count), f"(+{step})", rate])
    if rows:
        table(out, ["published event stream", "pushed", "", "rate [1/s]"], rows)


def print_subscribed(out, before, after, seconds):
    rows = []
    for topic, now in sorted(after.items()):
        last = before.get(topic)
        if last == now:
            continue
        row = [topic]
        for key in COUNTS:
            row.append(str(now[key]))
            step = (now[key] or 0) - (last[key] or 0) if last else 0
            row.append(f"(+{step})" if step else "")
        row.append(str(now["callback_count"]))
        step = now["event_count"] - last["event_count"] if last else 0
        row.append(f"{step / seconds:.1f}" if last and seconds else "-")
        rows.append(row)
    if rows:
        heading = ["subscription", "received", "", "missed", "", "lost", "", "discarded", "", "callbacks",
                   "rate [1/s]"]
        table(out, heading, rows)


def print_samples(out, heading, samples, keys):
    rows = []
    for key in keys:
        values = numpy.array([sample[key] for sample in samples if sample[key] is not None], float)
        if not len(values):
            continue
        error = values.std(ddof=1) / len(values) ** 0.5 if len(values) > 1 else 0
        rows.append([key, str(len(values)), f"{values.mean():.1f}", f"{error:.1f}",
                     *(f"{value:.0f}" for value in numpy.percentile(values, PERCENTS))])
    if rows:
        table(out, [heading, "count", "mean", "error", "min", "1 %", "10 %", "median", "90 %", "99 %", "max"],
              rows)


def print_server(out, name, before, after, seconds):
    out.append(name)
    if isinstance(after, Exception):
        out.append(f"  FAILED: {after}")
        return
    before = before if isinstance(before, dict) else {}
    server, client = after["server"] or {}, after["client"] or {}
    last_server, last_client = before.get("server") or {}, before.get("client") or {}
    print_published(out, last_server.get("event_counters", {}), server.get("event_counters", {}), seconds)
    print_subscribed(out, last_client.get("event_callbacks", {}), client.get("event_callbacks", {}), seconds)
    print_samples(out, "events pushed", server.get("perf") or [], PUSHED)
    samples = [sample for sample in client.get("perf") or [] if not sample["discarded"]]
    print_samples(out, "events received", samples, RECEIVED)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("devices", nargs="+")
    parser.add_argument("-n", type=int, default=0)
    parser.add_argument("--poll-period", type=float, default=10.0)
    arguments = parser.parse_args()
    with ThreadPoolExecutor(len(arguments.devices)) as executor:
        proxies = list(executor.map(tango.DeviceProxy, arguments.devices))
        for _ in executor.map(lambda proxy: proxy.command_inout("StartEventSystemPerfMon"), proxies):
            pass
        begun = time.monotonic()
        before, last = [None] * len(proxies), None
        poll = 0
        while True:
            now = time.monotonic()
            answers = list(executor.map(ask, proxies))
            out = [f"{time.strftime('%Y-%m-%dT%H:%M:%S%z')}  {len(answers)} servers"]
            for proxy, old, new in zip(arguments.devices, before, answers):
                print_server(out, proxy, old, new, now - last if last else None)
            sys.stdout.write("\n".join(out) + "\n\n")
            sys.stdout.flush()
            before, last = answers, now
            poll += 1
            if poll == arguments.n:
                break
            time.sleep(max(0.0, begun + poll * arguments.poll_period - time.monotonic()))


if __name__ == "__main__":
    main()
