"""An answer of ``QueryEventSystem`` under the names that scripts for the older tool use.

They are the same as those of :func:`parse`, but for two things: the classes' names, and
:attr:`ServerResponse.event_counters`, which has the answer's own numbers. All three formats of answers
are read. New scripts do better with :func:`parse`, which has what the agent tells beyond.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any, Dict, Iterable, List, Optional, Tuple, Union

from .answer import AgentInfo, Client, EventSystem, PushSample, ReceiveSample, Subscription, _loaded, _parsed

__all__ = [
    "ClientPerfSample",
    "ClientPerfSummary",
    "ClientResponse",
    "QueryEventSystemResponse",
    "ResponseChangeSummary",
    "SampleStatistics",
    "ServerPerfSample",
    "ServerPerfSummary",
    "ServerResponse",
]

ServerPerfSample = PushSample
ClientPerfSample = ReceiveSample
ClientResponse = Client


@dataclass(frozen=True)
class ServerResponse:
    """What the process publishes."""

    #: {stream: its number in the answer}: of cppTango's own command that of the event to come, so one more
    #: than were pushed; the agent's is how many were pushed.
    event_counters: Dict[str, Optional[int]] = field(default_factory=dict)
    #: The newest samples; ``None`` while monitoring is off.
    perf: Optional[List[PushSample]] = None


@dataclass(frozen=True)
class QueryEventSystemResponse:
    """An answer."""

    #: 1, or 0 for the older patched servers, which give none.
    version: int
    #: ``None``: this process has no event supplier.
    server: Optional[ServerResponse] = None
    #: ``None``: this process has never subscribed.
    client: Optional[Client] = None
    #: ``None``: it wasn't the agent that answered.
    agent: Optional[AgentInfo] = None

    @classmethod
    def from_json(cls, json_object: Union[str, bytes, Dict[str, Any]]) -> "QueryEventSystemResponse":
        """Of the answer's text, or of the dict that ``json.loads()`` makes of it.

        Raises :class:`AnswerError`, a ``ValueError``, if it is no answer.
        """
        values = _loaded(json_object)
        answer: EventSystem = _parsed(values)
        server = None
        if answer.server:
            counters = values["server"].get("event_counters") or {}
            server = ServerResponse({name: _known(count) for name, count in counters.items()}, answer.server.perf)
        return cls(answer.version, server, answer.client, answer.agent)


def _known(count: Any) -> Optional[int]:
    return None if count is None or count < 0 else int(count)


# ---- what samples say ----


@dataclass(frozen=True)
class SampleStatistics:
    """Of measured values, in their unit; ``None``: there are too few (2 for the error, 10 and 100 for the
    percentiles). As in the monitor's tables."""

    count: int = 0
    mean: Optional[float] = None
    #: Of the mean.
    standard_error: Optional[float] = None
    minimum: Optional[float] = None
    percentile_1: Optional[float] = None
    percentile_10: Optional[float] = None
    median: Optional[float] = None
    percentile_90: Optional[float] = None
    percentile_99: Optional[float] = None
    maximum: Optional[float] = None

    @classmethod
    def from_values(cls, values: Iterable[Optional[float]]) -> "SampleStatistics":
        """Those that are ``None`` are left out."""
        known = sorted(value for value in values if value is not None)
        count = len(known)
        if count == 0:
            return cls()
        mean = math.fsum(known) / count
        squares = math.fsum((value - mean) ** 2 for value in known)
        deciles, percentiles = count >= 10, count >= 100
        return cls(
            count=count,
            mean=mean,
            standard_error=math.sqrt(squares / (count - 1) / count) if count > 1 else None,
            minimum=known[0],
            percentile_1=_percentile(known, 1) if percentiles else None,
            percentile_10=_percentile(known, 10) if deciles else None,
            median=_percentile(known, 50),
            percentile_90=_percentile(known, 90) if deciles else None,
            percentile_99=_percentile(known, 99) if percentiles else None,
            maximum=known[-1],
        )


def _percentile(known: List[float], percent: float) -> float:
    position = percent / 100 * (len(known) - 1)
    below = int(position)
    if below + 1 >= len(known):
        return known[-1]
    return known[below] + (position - below) * (known[below + 1] - known[below])


@dataclass(frozen=True)
class ServerPerfSummary:
    """What the samples of pushed events say; durations in microseconds."""

    micros_since_last_event: SampleStatistics = SampleStatistics()
    push_event_micros: SampleStatistics = SampleStatistics()

    @classmethod
    def from_samples(cls, samples: Optional[Iterable[PushSample]]) -> "ServerPerfSummary":
        """``None``, as of a server whose monitoring is off, is no sample."""
        samples = list(samples or [])
        return cls(
            SampleStatistics.from_values(sample.micros_since_last_event for sample in samples),
            SampleStatistics.from_values(sample.push_event_micros for sample in samples),
        )


@dataclass(frozen=True)
class ClientPerfSummary:
    """What the samples of received events say; durations in microseconds. Events that Tango discarded as
    duplicates are left out: no callback ran for them."""

    micros_since_last_event: SampleStatistics = SampleStatistics()
    sleep_micros: SampleStatistics = SampleStatistics()
    process_micros: SampleStatistics = SampleStatistics()
    first_callback_latency_micros: SampleStatistics = SampleStatistics()
    callback_count: SampleStatistics = SampleStatistics()
    wake_count: SampleStatistics = SampleStatistics()
    #: {attribute: how long its callbacks took}.
    process_micros_by_attribute: Dict[str, SampleStatistics] = field(default_factory=dict)
    discarded_count: int = 0

    @classmethod
    def from_samples(cls, samples: Optional[Iterable[ReceiveSample]]) -> "ClientPerfSummary":
        """``None``, as of a server whose monitoring is off, is no sample."""
        every = list(samples or [])
        kept = [sample for sample in every if not sample.discarded]
        by_attribute: Dict[str, List[Optional[float]]] = {}
        for sample in kept:
            by_attribute.setdefault(sample.attr_name or "", []).append(sample.process_micros)
        of_values = SampleStatistics.from_values
        return cls(
            micros_since_last_event=of_values(sample.micros_since_last_event for sample in kept),
            sleep_micros=of_values(sample.sleep_micros for sample in kept),
            process_micros=of_values(sample.process_micros for sample in kept),
            first_callback_latency_micros=of_values(sample.first_callback_latency_micros for sample in kept),
            callback_count=of_values(sample.callback_count for sample in kept),
            wake_count=of_values(sample.wake_count for sample in kept),
            process_micros_by_attribute={
                name: of_values(by_attribute[name]) for name in sorted(by_attribute)
            },
            discarded_count=len(every) - len(kept),
        )


# ---- what changed ----


@dataclass(frozen=True)
class ResponseChangeSummary:
    """What changed from one answer of a server to a later one. :func:`.render.render_report` shows it."""

    #: {stream: its counter}.
    new_publishers: Dict[str, Optional[int]] = field(default_factory=dict)
    #: {stream: (its counter before, and after)}.
    published_events: Dict[str, Tuple[Optional[int], Optional[int]]] = field(default_factory=dict)
    removed_publishers: List[str] = field(default_factory=list)
    new_subscriptions: Dict[str, Subscription] = field(default_factory=dict)
    #: {topic: (before, after)}, if anything of it is different.
    changed_subscriptions: Dict[str, Tuple[Subscription, Subscription]] = field(default_factory=dict)
    removed_subscriptions: List[str] = field(default_factory=list)
    #: Of the later answer; ``None``: it has no samples.
    server_perf: Optional[ServerPerfSummary] = None
    client_perf: Optional[ClientPerfSummary] = None

    @classmethod
    def from_responses(
        cls, response: QueryEventSystemResponse, previous: Optional[QueryEventSystemResponse] = None
    ) -> "ResponseChangeSummary":
        """The later one comes first. Without an earlier one, all is new."""
        counters, counters_before = _counters(response), _counters(previous)
        topics, topics_before = _topics(response), _topics(previous)
        pushed = response.server.perf if response.server else None
        received = response.client.perf if response.client else None
        return cls(
            new_publishers=_new(counters, counters_before),
            published_events=_changed(counters, counters_before),
            removed_publishers=sorted(counters_before.keys() - counters.keys()),
            new_subscriptions=_new(topics, topics_before),
            changed_subscriptions=_changed(topics, topics_before),
            removed_subscriptions=sorted(topics_before.keys() - topics.keys()),
            server_perf=ServerPerfSummary.from_samples(pushed) if pushed else None,
            client_perf=ClientPerfSummary.from_samples(received) if received else None,
        )


def _counters(response: Optional[QueryEventSystemResponse]) -> Dict[str, Optional[int]]:
    return response.server.event_counters if response and response.server else {}


def _topics(response: Optional[QueryEventSystemResponse]) -> Dict[str, Subscription]:
    return response.client.event_callbacks if response and response.client else {}


def _new(after: Dict[str, Any], before: Dict[str, Any]) -> Dict[str, Any]:
    return {name: after[name] for name in sorted(after.keys() - before.keys())}


def _changed(after: Dict[str, Any], before: Dict[str, Any]) -> Dict[str, Any]:
    both = sorted(after.keys() & before.keys())
    return {name: (before[name], after[name]) for name in both if before[name] != after[name]}
