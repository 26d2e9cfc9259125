"""What ``QueryEventSystem`` and ``QueryEventAgent`` answer, as plain dataclasses.

:func:`parse` reads the three formats there are: our agent's, that of the command built into
cppTango 10.1 and later, and that of the older patched servers. What an answer doesn't tell is
``None``, never a guess. Times are aware :class:`datetime.datetime` s where the answer gives an
offset, and naive (the server's local time) where it gives none. Durations are in microseconds.
"""

from __future__ import annotations

import datetime
import json
from dataclasses import dataclass, field
from typing import Any, Dict, List, Optional, Tuple

__all__ = [
    "AgentInfo",
    "AnswerError",
    "Client",
    "ConsumerThread",
    "EventChannel",
    "EventStream",
    "EventSystem",
    "Histogram",
    "NotConnected",
    "PushSample",
    "ReceiveSample",
    "Server",
    "Subscription",
    "parse",
]


class AnswerError(ValueError):
    """The text is no answer of ``QueryEventSystem``; says what is wrong, and where."""


@dataclass(frozen=True)
class Histogram:
    """Durations, counted. All bounds in nanoseconds."""

    #: (from, below, count); ``None``: unbounded on that side. Empty buckets are left out.
    buckets: List[Tuple[Optional[int], Optional[int], int]]
    count: int
    sum_nanos: int
    max_nanos: int

    @property
    def mean_nanos(self) -> Optional[float]:
        """The mean; ``None`` if nothing was counted."""
        return self.sum_nanos / self.count if self.count else None


@dataclass(frozen=True)
class PushSample:
    """One event that was pushed."""

    micros_since_last_event: Optional[float] = None
    push_event_micros: Optional[float] = None


@dataclass(frozen=True)
class ReceiveSample:
    """One event that was received."""

    attr_name: Optional[str] = None
    micros_since_last_event: Optional[float] = None
    sleep_micros: Optional[float] = None
    process_micros: Optional[float] = None
    first_callback_latency_micros: Optional[float] = None
    callback_count: Optional[int] = None
    wake_count: Optional[int] = None
    discarded: bool = False


@dataclass(frozen=True)
class EventStream:
    """What a server publishes under one name, e.g. ``tango://host:10000/a/b/c/attr.change``."""

    name: str
    #: Events pushed since the first subscriber came, whichever format the answer has.
    pushed_event_count: Optional[int] = None
    byte_count: Optional[int] = None
    last_event: Optional[datetime.datetime] = None
    last_subscription: Optional[datetime.datetime] = None
    has_subscribers: Optional[bool] = None
    push_event_histogram: Optional[Histogram] = None


@dataclass(frozen=True)
class Subscription:
    """What a server receives under one topic, e.g. ``.../attr.idl5_change``."""

    topic: str
    channel_name: Optional[str] = None
    callback_count: Optional[int] = None
    server_counter: Optional[int] = None
    event_count: Optional[int] = None
    missed_event_count: Optional[int] = None
    discarded_event_count: Optional[int] = None
    #: How many events are missing; only the agent counts them.
    lost_event_count: Optional[int] = None
    outage_lost_event_count: Optional[int] = None
    publisher_restart_count: Optional[int] = None
    byte_count: Optional[int] = None
    last_resubscribed: Optional[datetime.datetime] = None
    last_event: Optional[datetime.datetime] = None
    latency_histogram: Optional[Histogram] = None
    processing_histogram: Optional[Histogram] = None

    @property
    def stream(self) -> str:
        """The name of the publisher's stream: the topic without its IDL level."""
        device, dot, event = self.topic.rpartition(".")
        if event.startswith("idl") and "_" in event:
            event = event.split("_", 1)[1]
        return device + dot + event


@dataclass(frozen=True)
class EventChannel:
    """The connection to one publisher, by the name of its admin device."""

    name: str
    endpoint: Optional[str] = None
    event_endpoint: Optional[str] = None
    last_heartbeat: Optional[datetime.datetime] = None
    heartbeat_count: Optional[int] = None
    missed_heartbeat_count: Optional[int] = None


@dataclass(frozen=True)
class NotConnected:
    """A subscription that Tango could not make yet and keeps trying."""

    device: str = ""
    attribute: str = ""
    event_type: str = ""
    last_heartbeat: Optional[datetime.datetime] = None
    tango_host: Optional[str] = None


@dataclass(frozen=True)
class ConsumerThread:
    """What the one thread that receives events does now."""

    thread_id: Optional[int] = None
    state: Optional[str] = None
    topic: Optional[str] = None
    since: Optional[datetime.datetime] = None
    state_micros: Optional[float] = None
    longest_callback_micros: Optional[float] = None
    longest_callback_topic: Optional[str] = None
    delayed_since: Optional[datetime.datetime] = None
    delayed_micros: Optional[float] = None


@dataclass(frozen=True)
class Server:
    """What the process publishes."""

    event_streams: Dict[str, EventStream] = field(default_factory=dict)
    #: The newest samples; ``None`` while monitoring is off.
    perf: Optional[List[PushSample]] = None


@dataclass(frozen=True)
class Client:
    """What the process has subscribed to."""

    event_callbacks: Dict[str, Subscription] = field(default_factory=dict)
    #: ``None`` if they aren't known.
    not_connected: Optional[List[NotConnected]] = None
    event_channels: Dict[str, EventChannel] = field(default_factory=dict)
    #: The newest samples; ``None`` while monitoring is off.
    perf: Optional[List[ReceiveSample]] = None
    consumer_thread: Optional[ConsumerThread] = None


@dataclass(frozen=True)
class AgentInfo:
    """Which agent answered."""

    version: Optional[str] = None
    tango_version: Optional[str] = None
    pid: Optional[int] = None
    attached: Optional[datetime.datetime] = None
    uncounted: Optional[int] = None


@dataclass(frozen=True)
class EventSystem:
    """An answer."""

    #: 1, or 0 for the older patched servers, which give none.
    version: int
    #: ``None``: this process has no event supplier.
    server: Optional[Server] = None
    #: ``None``: this process has never subscribed.
    client: Optional[Client] = None
    #: ``None``: it wasn't the agent that answered.
    agent: Optional[AgentInfo] = None


def _fail(where: str, expected: str, value: Any) -> AnswerError:
    return AnswerError(f"{where}: expected {expected}, found {json.dumps(value)[:60]}")


class _Reader:
    """One JSON object of an answer; its values by key, checked and converted."""

    def __init__(self, values: Any, where: str, legacy: bool):
        if not isinstance(values, dict):
            raise _fail(where or "the answer", "an object", values)
        self.values = values
        self.where = where
        self.legacy = legacy

    def _value(self, key: str) -> Any:
        return self.values.get(key)

    def _place(self, key: str) -> str:
        return f"{self.where}.{key}" if self.where else key

    def _typed(self, key: str, types: Any, expected: str) -> Any:
        value = self._value(key)
        if value is None:
            return None
        if not isinstance(value, types) or (isinstance(value, bool) and types is not bool):
            raise _fail(self._place(key), expected, value)
        return value

    def text(self, key: str) -> Optional[str]:
        return self._typed(key, str, "a string")

    def flag(self, key: str) -> Optional[bool]:
        return self._typed(key, bool, "true or false")

    def count(self, key: str) -> Optional[int]:
        value = self._typed(key, (int, float), "a count")
        if value is None or (self.legacy and value == -1):
            return None
        if value != value or value < 0 or value != int(value):
            raise _fail(self._place(key), "a count", value)
        return int(value)

    def micros(self, key: str) -> Optional[float]:
        value = self._typed(key, (int, float), "a number")
        return None if self.legacy and value == -1 else value

    def time(self, key: str) -> Optional[datetime.datetime]:
        value = self.text(key)
        if value is None:
            return None
        try:
            return datetime.datetime.fromisoformat(value)
        except ValueError:
            raise _fail(self._place(key), "a time", value) from None

    def section(self, key: str) -> Optional["_Reader"]:
        value = self._value(key)
        return None if value is None else _Reader(value, self._place(key), self.legacy)

    def sections(self, key: str) -> Dict[str, "_Reader"]:
        """{name: object}."""
        values = self._typed(key, dict, "an object") or {}
        place = self._place(key)
        return {name: _Reader(v, f'{place}["{name}"]', self.legacy) for name, v in values.items()}

    def items(self, key: str) -> Optional[List["_Reader"]]:
        """[object, ...]."""
        values = self._typed(key, list, "a list")
        if values is None:
            return None
        place = self._place(key)
        return [_Reader(v, f"{place}[{i}]", self.legacy) for i, v in enumerate(values)]

    def histogram(self, key: str) -> Optional[Histogram]:
        histogram = self.section(key)
        if histogram is None:
            return None
        buckets = histogram._typed("buckets", list, "a list") or []
        for bucket in buckets:
            if not isinstance(bucket, list) or len(bucket) != 3:
                raise _fail(histogram._place("buckets"), "[from, below, count]", bucket)
        return Histogram(
            buckets=[(start, below, count) for start, below, count in buckets],
            count=histogram.count("count") or 0,
            sum_nanos=histogram._typed("sum_nanos", int, "a number") or 0,
            max_nanos=histogram._typed("max_nanos", int, "a number") or 0,
        )


def _streams(server: _Reader, is_agent: bool) -> Dict[str, EventStream]:
    counters = server._typed("event_counters", dict, "an object") or {}
    streams = server.sections("event_streams")
    result = {}
    for name in [*counters, *(name for name in streams if name not in counters)]:
        stream = streams.get(name) or _Reader({}, "", server.legacy)
        pushed = stream.count("pushed_event_count")
        if pushed is None and name in counters:
            pushed = _Reader(counters, server._place("event_counters"), server.legacy).count(name)
            # Who has it built in shows the counter of the event to come.
            if pushed is not None and not is_agent:
                pushed = max(pushed - 1, 0)
        result[name] = EventStream(
            name=name,
            pushed_event_count=pushed,
            byte_count=stream.count("byte_count"),
            last_event=stream.time("last_event"),
            last_subscription=stream.time("last_subscription"),
            has_subscribers=stream.flag("has_subscribers"),
            push_event_histogram=stream.histogram("push_event_histogram"),
        )
    return result


def _push_samples(server: _Reader) -> Optional[List[PushSample]]:
    samples = server.items("perf_stats" if "perf_stats" in server.values else "perf")
    return samples and [
        PushSample(s.micros("micros_since_last_event"), s.micros("push_event_micros"))
        for s in samples
    ]


def _receive_sample(sample: _Reader) -> ReceiveSample:
    misspelled = "first_callback_lactency_micros"  # by the patched servers
    latency = misspelled if misspelled in sample.values else "first_callback_latency_micros"
    return ReceiveSample(
        attr_name=sample.text("att_name" if "att_name" in sample.values else "attr_name"),
        micros_since_last_event=sample.micros("micros_since_last_event"),
        sleep_micros=sample.micros("sleep_micros"),
        process_micros=sample.micros("process_micros"),
        first_callback_latency_micros=sample.micros(latency),
        callback_count=sample.count("callback_count"),
        wake_count=sample.count("wake_count"),
        discarded=bool(sample.flag("discarded")),
    )


def _subscription(topic: str, value: _Reader) -> Subscription:
    return Subscription(
        topic=topic,
        channel_name=value.text("channel_name"),
        callback_count=value.count("callback_count"),
        server_counter=value.count("server_counter"),
        event_count=value.count("event_count"),
        missed_event_count=value.count("missed_event_count"),
        discarded_event_count=value.count("discarded_event_count"),
        lost_event_count=value.count("lost_event_count"),
        outage_lost_event_count=value.count("outage_lost_event_count"),
        publisher_restart_count=value.count("publisher_restart_count"),
        byte_count=value.count("byte_count"),
        last_resubscribed=value.time("last_resubscribed"),
        last_event=value.time("last_event"),
        latency_histogram=value.histogram("latency_histogram"),
        processing_histogram=value.histogram("processing_histogram"),
    )


def _channel(name: str, value: _Reader) -> EventChannel:
    return EventChannel(
        name=name,
        endpoint=value.text("endpoint"),
        event_endpoint=value.text("event_endpoint"),
        last_heartbeat=value.time("last_heartbeat"),
        heartbeat_count=value.count("heartbeat_count"),
        missed_heartbeat_count=value.count("missed_heartbeat_count"),
    )


def _not_connected(value: _Reader) -> NotConnected:
    return NotConnected(
        device=value.text("device") or "",
        attribute=value.text("attribute") or "",
        event_type=value.text("event_type") or "",
        last_heartbeat=value.time("last_heartbeat"),
        tango_host=value.text("tango_host"),
    )


def _consumer_thread(value: Optional[_Reader]) -> Optional[ConsumerThread]:
    return value and ConsumerThread(
        thread_id=value.count("thread_id"),
        state=value.text("state"),
        topic=value.text("topic"),
        since=value.time("since"),
        state_micros=value.micros("state_micros"),
        longest_callback_micros=value.micros("longest_callback_micros"),
        longest_callback_topic=value.text("longest_callback_topic"),
        delayed_since=value.time("delayed_since"),
        delayed_micros=value.micros("delayed_micros"),
    )


def _client(client: _Reader) -> Client:
    missing = client.items("not_connected")
    samples = client.items("perf_stats" if "perf_stats" in client.values else "perf")
    return Client(
        event_callbacks={
            topic: _subscription(topic, value)
            for topic, value in client.sections("event_callbacks").items()
        },
        not_connected=missing and [_not_connected(value) for value in missing],
        event_channels={
            name: _channel(name, value) for name, value in client.sections("event_channels").items()
        },
        perf=samples and [_receive_sample(sample) for sample in samples],
        consumer_thread=_consumer_thread(client.section("consumer_thread")),
    )


def parse(text: str) -> EventSystem:
    """Parse an answer of ``QueryEventSystem`` or ``QueryEventAgent``.

    Raises :class:`AnswerError`, a ``ValueError``, if the text isn't one. Keys that aren't known are
    passed over: newer servers may have more.
    """
    try:
        values = json.loads(text)
    except ValueError as error:
        raise AnswerError(f"no JSON: {error}") from None
    legacy = isinstance(values, dict) and "version" not in values
    top = _Reader(values, "", legacy)
    version = 0 if legacy else top.values["version"]
    if version not in (0, 1) or isinstance(version, bool):
        raise _fail("version", "1", version)
    if legacy and not ({"server", "client"} & set(values)):
        raise AnswerError('no answer of QueryEventSystem: neither "version", "server" nor "client"')
    server, client, agent = (top.section(key) for key in ("server", "client", "agent"))
    return EventSystem(
        version=version,
        server=server and Server(_streams(server, agent is not None), _push_samples(server)),
        client=client and _client(client),
        agent=agent
        and AgentInfo(
            version=agent.text("version"),
            tango_version=agent.text("tango_version"),
            pid=agent.count("pid"),
            attached=agent.time("attached"),
            uncounted=agent.count("uncounted"),
        ),
    )
