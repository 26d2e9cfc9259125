"""A :class:`.responses.ResponseChangeSummary` as text."""

from __future__ import annotations

import re
from typing import Any, Dict, Iterable, List, Optional, Sequence

from .responses import ResponseChangeSummary, SampleStatistics

__all__ = ["render_report"]

_COUNTS = (
    ("event_count", "received"),
    ("server_counter", "last server counter"),
    ("missed_event_count", "missed"),
    ("lost_event_count", "lost"),
    ("discarded_event_count", "discarded"),
    ("error_event_count", "errors"),
    ("callback_count", "callbacks"),
)
_STATISTICS = (
    ("count", "count"),
    ("mean", "mean"),
    ("standard_error", "std error"),
    ("minimum", "min"),
    ("percentile_1", "1 %"),
    ("percentile_10", "10 %"),
    ("median", "median"),
    ("percentile_90", "90 %"),
    ("percentile_99", "99 %"),
    ("maximum", "max"),
)


def _short(name: str) -> str:
    """Without tango://host:port/, and without anything that a terminal would take for a command."""
    name = re.sub(r"^tango://[^/]*/", "", name)
    return "".join(char if char.isprintable() else "?" for char in name)


def _number(value: Any) -> str:
    if value is None:
        return "-"
    return f"{value:.1f}" if isinstance(value, float) else str(value)


def _step(before: Optional[int], after: Optional[int]) -> str:
    if before is None or after is None or before == after:
        return _number(after)
    return f"{after} ({after - before:+})"


def _table(title: str, headings: Sequence[str], rows: Iterable[Sequence[str]]) -> List[str]:
    """Lines; none if there are no rows."""
    rows = [[_short(row[0]), *row[1:]] for row in rows]
    if not rows:
        return []
    # Columns in which nothing is known are left out.
    shown = [0] + [i for i in range(1, len(headings)) if any(row[i] != "-" for row in rows)]
    cells = [[row[i] for i in shown] for row in rows]
    if len(shown) > 1:
        cells.insert(0, [headings[i] for i in shown])
    widths = [max(len(line[i]) for line in cells) for i in range(len(shown))]
    lines = [title]
    for line in cells:
        others = [cell.rjust(width) for cell, width in zip(line[1:], widths[1:])]
        lines.append("  ".join(["", line[0].ljust(widths[0]), *others]).rstrip())
    return lines


def _counts(subscription: Any) -> List[str]:
    return [_number(getattr(subscription, key)) for key, _ in _COUNTS]


def _steps(before: Any, after: Any) -> List[str]:
    return [_step(getattr(before, key), getattr(after, key)) for key, _ in _COUNTS]


def _statistics(rows: Dict[str, SampleStatistics]) -> List[List[str]]:
    return [
        [label, *(_number(getattr(statistics, key)) for key, _ in _STATISTICS)]
        for label, statistics in rows.items()
        if statistics.count
    ]


def render_report(summary: ResponseChangeSummary) -> str:
    """What changed, as tables; "no change" if nothing did."""
    headings = ["", *(heading for _, heading in _COUNTS)]
    measures = ["", *(heading for _, heading in _STATISTICS)]
    lines = _table("New publishers", ["", "counter"], ([n, _number(c)] for n, c in summary.new_publishers.items()))
    lines += _table("Published events", ["", "counter"], ([n, _step(*c)] for n, c in summary.published_events.items()))
    lines += _table("Removed publishers", [""], ([name] for name in summary.removed_publishers))
    if summary.server_perf:
        pushed = summary.server_perf
        rows = {"since last event [us]": pushed.micros_since_last_event, "push event [us]": pushed.push_event_micros}
        lines += _table("Events pushed", measures, _statistics(rows))
    lines += _table("New subscriptions", headings, ([n, *_counts(s)] for n, s in summary.new_subscriptions.items()))
    changed = summary.changed_subscriptions.items()
    lines += _table("Received events", headings, ([name, *_steps(*pair)] for name, pair in changed))
    lines += _table("Removed subscriptions", [""], ([name] for name in summary.removed_subscriptions))
    if summary.client_perf:
        received = summary.client_perf
        rows = {
            "since last event [us]": received.micros_since_last_event,
            "sleep [us]": received.sleep_micros,
            "process [us]": received.process_micros,
            "first callback latency [us]": received.first_callback_latency_micros,
            "callbacks [1/event]": received.callback_count,
            "wake-ups [1/event]": received.wake_count,
        }
        lines += _table("Events received", measures, _statistics(rows))
        lines += _table("Process by attribute [us]", measures, _statistics(received.process_micros_by_attribute))
    return "\n".join(lines or ["no change"]) + "\n"
