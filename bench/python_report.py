#!/usr/bin/python3
"""Totals of a recording, as a script over `json` has them: what `bench/run --only report` compares with.

    bench/python_report.py [FILE]          FILE: uncompressed; without one, standard input

Written to be fast where that takes no effort: one json.loads() a line, and plain dictionaries. It knows nothing of
findings, incidents, outages or histograms over time, for which the report takes a good part of its time.
"""

import json
import sys

PUBLISHED = ("pushed_event_count", "byte_count")
RECEIVED = (
    "event_count", "lost_event_count", "outage_lost_event_count", "missed_event_count", "discarded_event_count",
    "error_event_count", "publisher_restart_count", "byte_count",
)


def applied(before, changes, removed):
    """What changes make of an answer, as `--changes` records them."""
    for key, gone in removed.items():
        if gone is True:
            before.pop(key, None)
        elif not isinstance(changes.get(key), dict):
            applied(before[key], {}, gone)
    for key, change in changes.items():
        old = before.get(key)
        if isinstance(change, dict) and isinstance(old, dict):
            gone = removed.get(key, {})
            applied(old, change, gone if isinstance(gone, dict) else {})
        else:
            before[key] = change
    return before


def add(totals, last, server, name, counters, keys):
    """Adds what came since the answer before; a counter that is lower began again."""
    place = (server, name)
    now = [counters.get(key) or 0 for key in keys]
    was = last.get(place)
    last[place] = now
    if was is None:
        return
    total = totals.get(place)
    if total is None:
        total = totals[place] = [0] * len(keys)
    for at, count in enumerate(now):
        total[at] += count - was[at] if count >= was[at] else count


def main():
    lines = open(sys.argv[1], "rb") if len(sys.argv) > 1 else sys.stdin.buffer
    answers = {}
    published, received = {}, {}
    last_published, last_received = {}, {}
    polls = errors = 0
    for line in lines:
        replies = json.loads(line)["replies"]
        polls += 1
        for server, reply in replies.items():
            if "data" in reply:
                answer = reply["data"]
            elif "changes" in reply and server in answers:
                answer = applied(answers[server], reply["changes"], reply.get("removed", {}))
            else:
                errors += 1
                continue
            answers[server] = answer
            for name, counters in ((answer.get("server") or {}).get("event_streams") or {}).items():
                add(published, last_published, server, name, counters, PUBLISHED)
            for name, counters in ((answer.get("client") or {}).get("event_callbacks") or {}).items():
                add(received, last_received, server, name, counters, RECEIVED)
    print(f"{polls} polls, {errors} errors")
    for keys, totals in ((PUBLISHED, published), (RECEIVED, received)):
        print("\t".join(("server", "stream", *keys)))
        for (server, name), total in sorted(totals.items()):
            print("\t".join((server, name, *map(str, total))))


if __name__ == "__main__":
    main()
