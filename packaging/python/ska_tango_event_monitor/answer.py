"""What ``QueryEventSystem`` and ``QueryEventAgent`` answer, as plain dataclasses.

:func:`parse` reads the three formats there are: our agent's, that of the command built into
cppTango 10.1 and later, and that of the older patched servers. What an answer doesn't say is
``None``, never a guess. Times are aware :class:`datetime.datetime` s where the answer gives an
offset, naive (the server's local time) where it gives none, and ``None`` where Python can't read
them. Durations are in microseconds.

It accepts and rejects the same answers as the monitor (``src/response``).
"""

from __future__ import annotations

import datetime
import json
import sys
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any, Dict, List, Optional, Tuple, Union, overload

if TYPE_CHECKING:
    from .recordings import Poll, Reply

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
    """This is not an answer of ``QueryEventSystem``; the message says what is wrong, and where."""


@dataclass(frozen=True)
class Histogram:
    """Durations, counted in buckets. All bounds in nanoseconds."""

    #: (from, below, count); ``None``: unbounded on that side. Empty buckets are omitted.
    buckets: List[Tuple[Optional[float], Optional[float], Optional[int]]] = field(default_factory=list)
    count: Optional[int] = None
    sum_nanos: Optional[float] = None
    max_nanos: Optional[float] = None

    @property
    def mean_nanos(self) -> Optional[float]:
        """The mean; ``None`` if nothing was counted."""
        if not self.count or self.sum_nanos is None:
            return None
        return self.sum_nanos / self.count


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
    #: "ATT_VALUE", "ATT_CONF" and the like; only from the older patched servers.
    event_type: Optional[str] = None


@dataclass(frozen=True)
class EventStream:
    """One published event stream, e.g. ``tango://host:10000/a/b/c/attr.change``."""

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
    """One subscribed event topic, e.g. ``.../attr.idl5_change``."""

    topic: str
    channel_name: Optional[str] = None
    callback_count: Optional[int] = None
    server_counter: Optional[int] = None
    event_count: Optional[int] = None
    missed_event_count: Optional[int] = None
    discarded_event_count: Optional[int] = None
    #: Of event_count, those that carry an error instead of a value; only the agent counts them.
    error_event_count: Optional[int] = None
    #: How many events are missing, if that is known; only the agent counts them.
    lost_event_count: Optional[int] = None
    #: At least this many are missing.
    known_lost_event_count: Optional[int] = None
    outage_lost_event_count: Optional[int] = None
    publisher_restart_count: Optional[int] = None
    byte_count: Optional[int] = None
    last_resubscribed: Optional[datetime.datetime] = None
    last_event: Optional[datetime.datetime] = None
    last_error_event: Optional[datetime.datetime] = None
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
    """A subscription that Tango could not make yet and keeps retrying."""

    device: str = ""
    attribute: str = ""
    event_type: str = ""
    last_heartbeat: Optional[datetime.datetime] = None
    tango_host: Optional[str] = None


@dataclass(frozen=True)
class ConsumerThread:
    """What the event consumer thread is doing."""

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
    #: ``"at start"``, or ``"late"`` if it came into a process that had been running.
    loaded: Optional[str] = None
    #: When the process began.
    process_started: Optional[datetime.datetime] = None
    #: When it answered, by its host's clock.
    time: Optional[datetime.datetime] = None
    uncounted: Optional[int] = None
    #: How many events arrived under names that the server has no subscription for.
    unknown_topic_event_count: Optional[int] = None
    #: {list: number of its entries that the answer omits}; empty if there are none.
    truncated: Dict[str, int] = field(default_factory=dict)
    #: What the agent can't watch in that process, in words.
    unwatched: Optional[str] = None


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


#: As in the monitor: how deeply objects and lists may be nested.
_MAX_DEPTH = 200
#: Numbers beyond have no value for readers that know only floating point numbers.
_MAX_NUMBER = int(sys.float_info.max)
#: Counts have to be less.
_END_OF_COUNTS = 2**63
#: The lists of which an answer may omit entries, according to "truncated".
_LISTS = ("event_counters", "event_streams", "event_callbacks", "not_connected", "event_channels")


def _found(value: Any) -> str:
    """A value's type, in JSON's terms; never long."""
    if isinstance(value, dict):
        return "an object"
    if isinstance(value, list):
        return "a list"
    if isinstance(value, str):
        return _quoted(value)
    return json.dumps(value)[:60]


def _quoted(text: str) -> str:
    """A name or text from the network, in printable ASCII, on one line."""
    return json.dumps(text if len(text) <= 60 else text[:60] + "...")


def _fail(where: str, expected: str, value: Any) -> AnswerError:
    return AnswerError(f"{where}: expected {expected}, found {_found(value)}")


def _check_text(text: str) -> None:
    if "\0" in text:
        raise AnswerError("not JSON: a NUL in a string")
    if not text.isascii():
        try:
            text.encode()
        except UnicodeEncodeError:
            raise AnswerError("not JSON: half of a surrogate pair in a string") from None


def _check_json(values: Any) -> None:
    """Rejects what strict JSON readers don't accept, wherever it is: also under keys that nobody reads."""
    containers = [(values, 0)]
    while containers:
        container, depth = containers.pop()
        if depth > _MAX_DEPTH:
            raise AnswerError(f"not JSON: more than {_MAX_DEPTH} levels deep")
        if isinstance(container, dict):
            for key in container:
                if not isinstance(key, str):
                    raise AnswerError(f"not JSON: a key of the type {type(key).__name__}, not a string")
                _check_text(key)
            container = container.values()
        for value in container:
            if isinstance(value, str):
                _check_text(value)
            elif isinstance(value, (dict, list)):
                containers.append((value, depth + 1))
            elif isinstance(value, (int, float)):
                if not -_MAX_NUMBER <= value <= _MAX_NUMBER:  # NaN isn't either
                    raise AnswerError("not JSON: a number that is too large, or NaN")
            elif value is not None:
                raise AnswerError(f"not JSON: a value of the type {type(value).__name__}")


def _whole(value: Any) -> Any:
    """A number; those without a fraction are int."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


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
        return self._checked(self._value(key), types, expected, key)

    def _checked(self, value: Any, types: Any, expected: str, key: str) -> Any:
        if value is None:
            return None
        if not isinstance(value, types) or (isinstance(value, bool) and types is not bool):
            raise _fail(self._place(key), expected, value)
        return value

    def either(self, key: str, legacy_key: str) -> str:
        """The older patched servers spell some keys differently."""
        return legacy_key if self.legacy and legacy_key in self.values else key

    def text(self, key: str) -> Optional[str]:
        return self._typed(key, str, "a string")

    def flag(self, key: str) -> Optional[bool]:
        return self._typed(key, bool, "true or false")

    def count(self, key: str) -> Optional[int]:
        return self._as_count(self._value(key), key)

    def _as_count(self, value: Any, key: str) -> Optional[int]:
        count = _whole(self._checked(value, (int, float), "a count", key))
        if count is None or (self.legacy and count == -1):
            return None
        if not isinstance(count, int) or not 0 <= count < _END_OF_COUNTS:
            raise _fail(self._place(key), "a count", value)
        return count

    def micros(self, key: str) -> Optional[float]:
        """A duration; may be negative between the clocks of two machines."""
        return self._as_number(self._value(key), key)

    def _as_number(self, value: Any, key: str) -> Optional[float]:
        number = self._checked(value, (int, float), "a number", key)
        return None if self.legacy and number == -1 else number

    def time(self, key: str) -> Optional[datetime.datetime]:
        value = self.text(key)
        if value is None:
            return None
        try:
            return datetime.datetime.fromisoformat(value)
        except ValueError:
            return None

    def section(self, key: str) -> Optional["_Reader"]:
        value = self._value(key)
        return None if value is None else _Reader(value, self._place(key), self.legacy)

    def sections(self, key: str, may_be_null: bool = False) -> Dict[str, "_Reader"]:
        """{name: object}."""
        values = self._typed(key, dict, "an object") or {}
        place = self._place(key)
        return {
            name: _Reader(
                {} if value is None and may_be_null else value,
                f"{place}[{_quoted(name)}]",
                self.legacy,
            )
            for name, value in values.items()
        }

    def counts(self, key: str) -> Dict[str, Optional[int]]:
        """{name: count}."""
        values = self._typed(key, dict, "an object") or {}
        return {name: self._as_count(v, f"{key}[{_quoted(name)}]") for name, v in values.items()}

    def items(self, key: str) -> Optional[List["_Reader"]]:
        """[object, ...]."""
        values = self._typed(key, list, "a list")
        if values is None:
            return None
        place = self._place(key)
        return [_Reader(v, f"{place}[{i}]", self.legacy) for i, v in enumerate(values)]

    def histogram(self, key: str) -> Optional[Histogram]:
        histogram = self.section(key)
        return histogram and Histogram(
            buckets=histogram._buckets("buckets"),
            count=histogram.count("count"),
            sum_nanos=_whole(histogram.micros("sum_nanos")),
            max_nanos=_whole(histogram.micros("max_nanos")),
        )

    def _buckets(self, key: str) -> List[Tuple[Optional[float], Optional[float], Optional[int]]]:
        buckets = self._typed(key, list, "a list") or []
        for bucket in buckets:
            if not isinstance(bucket, list) or len(bucket) != 3:
                raise AnswerError(f"{self._place(key)}: expected buckets of three numbers")
        return [
            (
                _whole(self._as_number(start, key)),
                _whole(self._as_number(below, key)),
                self._as_count(count, key),
            )
            for start, below, count in buckets
        ]


def _streams(server: _Reader, is_agent: bool) -> Dict[str, EventStream]:
    counters = server.counts("event_counters")
    streams = server.sections("event_streams", may_be_null=True)
    result = {}
    for name in [*counters, *(name for name in streams if name not in counters)]:
        stream = streams.get(name) or _Reader({}, "", server.legacy)
        pushed = stream.count("pushed_event_count")
        if pushed is None and counters.get(name) is not None:
            # The built-in command gives the counter of the next event.
            pushed = counters[name] if is_agent else max(counters[name] - 1, 0)
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


def _truncated(agent: _Reader) -> Dict[str, int]:
    section = agent.section("truncated")
    left_out = {key: section.count(key) for key in _LISTS} if section else {}
    return {key: count for key, count in left_out.items() if count is not None}


def _push_samples(server: _Reader) -> Optional[List[PushSample]]:
    samples = server.items(server.either("perf", "perf_stats"))
    return samples and [
        PushSample(s.micros("micros_since_last_event"), s.micros("push_event_micros"))
        for s in samples
    ]


def _receive_sample(sample: _Reader) -> ReceiveSample:
    latency = sample.either("first_callback_latency_micros", "first_callback_lactency_micros")
    return ReceiveSample(
        attr_name=sample.text(sample.either("attr_name", "att_name")),
        micros_since_last_event=sample.micros("micros_since_last_event"),
        sleep_micros=sample.micros("sleep_micros"),
        process_micros=sample.micros("process_micros"),
        first_callback_latency_micros=sample.micros(latency),
        callback_count=sample.count("callback_count"),
        wake_count=sample.count("wake_count"),
        discarded=bool(sample.flag("discarded")),
        event_type=sample.text("event_type"),
    )


#: The counters of a topic: a new one is a line of :class:`Subscription`.
_SUBSCRIPTION_COUNTS = [f.name for f in fields(Subscription) if f.type == "Optional[int]"]


def _subscription(topic: str, value: _Reader) -> Subscription:
    counts = {key: value.count(key) for key in _SUBSCRIPTION_COUNTS}
    return Subscription(
        topic=topic,
        channel_name=value.text("channel_name"),
        last_resubscribed=value.time("last_resubscribed"),
        last_event=value.time("last_event"),
        last_error_event=value.time("last_error_event"),
        latency_histogram=value.histogram("latency_histogram"),
        processing_histogram=value.histogram("processing_histogram"),
        **counts,
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
    samples = client.items(client.either("perf", "perf_stats"))
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


def _loaded(answer: Union[str, bytes, Dict[str, Any]]) -> Any:
    """The JSON of an answer, parsed unless it already is."""
    if isinstance(answer, (str, bytes)):
        try:
            return json.loads(answer.decode() if isinstance(answer, bytes) else answer)
        except ValueError as error:
            raise AnswerError(f"not JSON: {error}") from None
        except RecursionError:
            raise AnswerError(f"not JSON: more than {_MAX_DEPTH} levels deep") from None
    if not isinstance(answer, dict):
        kind = type(answer).__name__
        raise AnswerError(f"the answer: expected its text, or a dict parsed from it, found a {kind}")
    return answer


@overload
def parse(answer: Union[str, bytes, "Reply"]) -> EventSystem: ...


@overload
def parse(answer: "Poll") -> Dict[str, EventSystem]: ...


@overload
def parse(answer: Dict[str, Any]) -> Any: ...


def parse(answer: Any) -> Any:
    """Parse an answer of ``QueryEventSystem`` or ``QueryEventAgent``: its text, or the result of
    ``json.loads``.

    What was recorded is taken, too: a :class:`Reply` of a recording, or the dict that it is in a line
    (``{"data": ...}``); and a whole :class:`Poll`, or line, whose result is {server: answer} of those
    that answered.

    Raises :class:`AnswerError`, a ``ValueError``, if it isn't one, or if a reply has none. Unknown
    keys are ignored: newer servers may have more.
    """
    if isinstance(answer, dict):
        if not {"version", "server", "client"} & set(answer):
            if isinstance(answer.get("replies"), dict):
                replies = answer["replies"].items()
                return {server: parse(reply) for server, reply in replies if isinstance(reply, dict) and "data" in reply}
            if isinstance(answer.get("data"), dict):
                return _parsed(answer["data"])
            if isinstance(answer.get("error"), str):
                raise AnswerError(answer["error"])
        return _parsed(answer)
    if hasattr(answer, "replies") and hasattr(answer, "answers"):
        return answer.answers
    if hasattr(answer, "answer") and hasattr(answer, "error"):
        if answer.answer is None:
            raise AnswerError(answer.error)
        return answer.answer
    return _parsed(answer)


def _parsed(answer: Union[str, bytes, Dict[str, Any]]) -> EventSystem:
    values = _loaded(answer)
    _check_json([values])
    legacy = isinstance(values, dict) and "version" not in values
    top = _Reader(values, "", legacy)
    version = 0 if legacy else top.values["version"]
    if not legacy and (version != 1 or isinstance(version, bool)):
        raise _fail("version", "1", version)
    if legacy and not ({"server", "client"} & set(values)):
        raise AnswerError('not an answer of QueryEventSystem: none of "version", "server" and "client" is there')
    server, client, agent = (top.section(key) for key in ("server", "client", "agent"))
    return EventSystem(
        version=int(version),
        server=server and Server(_streams(server, agent is not None), _push_samples(server)),
        client=client and _client(client),
        agent=agent
        and AgentInfo(
            version=agent.text("version"),
            tango_version=agent.text("tango_version"),
            pid=agent.count("pid"),
            attached=agent.time("attached"),
            loaded=agent.text("loaded"),
            process_started=agent.time("process_started"),
            time=agent.time("time"),
            uncounted=agent.count("uncounted"),
            unknown_topic_event_count=agent.count("unknown_topic_event_count"),
            truncated=_truncated(agent),
            unwatched=agent.text("unwatched"),
        ),
    )
