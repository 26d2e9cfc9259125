"""What was pushed, received, lost and is on its way, from the answers of one recording.

PYTEST_DONT_REWRITE
"""

import functools
from typing import NamedTuple, Optional

from .answer import AnswerError, EventSystem, parse


class EventCounts(NamedTuple):
    """Numbers of events since the recording began. ``None``: not known."""

    pushed: int
    received: int
    #: Pushed, and neither received nor known to be lost.
    waiting: Optional[int]
    lost: Optional[int]


class Pair(NamedTuple):
    """A stream, and a process that has subscribed to it."""

    server: str
    stream: str
    #: Whether it was there when the recording began.
    is_old: bool
    publisher_pid: Optional[int]
    #: By the publisher: the number of its newest event, or ``None`` if it isn't watched.
    pushed: Optional[int]
    #: The number of the newest event received; ``None`` where events have no number.
    number: Optional[int]
    events: int
    #: In all, or at least.
    lost: int
    #: What ``pushed`` was when the subscription was made, as far as that is known.
    base: int
    #: ``number`` is of a publisher before its restart.
    is_of_earlier: bool

    @property
    def key(self):
        """Who receives what."""
        return self.server, self.stream

    @property
    def newest(self):
        """The number of the newest event that the publisher is known to have pushed."""
        return max(self.pushed or 0, self.number or 0) if self.has_numbers else self.pushed

    @property
    def has_numbers(self):
        """Whether events of this stream have numbers: not in cppTango 9.3 with -nodb."""
        return bool(self.number)

    @property
    def waiting(self):
        """How many events were pushed after the newest one received; None: not known."""
        if self.pushed is None:
            return None
        if self.has_numbers:
            # The servers are asked one after the other: the subscriber may have more already.
            return self.pushed if self.is_of_earlier else max(0, self.pushed - self.number)
        return max(0, self.pushed - self.base - self.events - self.lost)


@functools.lru_cache(maxsize=1 << 16)
def stream_path(name):
    """``domain/family/member/attribute.event`` of a stream's or topic's name."""
    name = name.lower().replace("#dbase=no", "")
    if "://" in name:
        name = name.split("://", 1)[1].partition("/")[2]
    path, dot, event = name.rpartition(".")
    if event.startswith("idl") and "_" in event:
        event = event.split("_", 1)[1]
    return path + dot + event


def matches(stream, device):
    """Whether a stream (its path) is of that device, or of that attribute; ``None``: any."""
    if device is None:
        return True
    wanted = stream_path(device + ".x")[:-2]
    attribute = stream.rpartition(".")[0]
    return attribute == wanted or attribute.rpartition("/")[0] == wanted


def _dict(value, *keys):
    for key in keys:
        value = value.get(key) if isinstance(value, dict) else None
    return value if isinstance(value, dict) else {}


def _pushed_of(data, names=None):
    """{stream: number of events pushed} of an answer as JSON; of these names only, if there are some."""
    built_in = 1 if not _dict(data, "agent") else 0
    counters = _dict(data, "server", "event_counters")
    return {
        stream_path(name): counters[name] - built_in
        for name in (counters if names is None else names)
        if isinstance(counters.get(name), int)
    }


def _changed(changes, removed, *keys):
    """The names under these keys that a recording tells changes of; ``None``: perhaps all."""
    names = {}
    for part in (changes, removed or {}):
        for key in keys:
            if key not in part:
                break
            part = part[key]
            if not isinstance(part, dict):
                return None
        else:
            names.update(part)
    return names


def _parsed(data):
    try:
        return parse(data)
    except AnswerError:
        return EventSystem(version=1)


class _Server:
    """One server, perhaps several processes one after the other."""

    def __init__(self, data):
        self.pid = _dict(data, "agent").get("pid")
        self.began = _parsed(data)
        self.topics = _topics_of(data)
        # Of processes and subscriptions that have ended: (stream, pushed, received, lost)
        self.earlier = []
        self.latest = self.began

    def restarted(self):
        if isinstance(self.latest, _Later):
            self.latest = _parsed(self.latest.data)
        self.earlier.extend(self.steps())
        self.began = EventSystem(version=1)
        self.topics = {}

    def follow(self, topics, names):
        """Counts of a topic begin again with a new subscription. ``names``: of the topics that may have changed.
        Returns those that have a new one."""
        began = self.began.client.event_callbacks if self.began.client else {}
        new = []
        for topic in names:
            now, last = topics.get(topic), self.topics.pop(topic, None)
            if now is not None:
                self.topics[topic] = now
            if last is not None and (now is None or now[0] < last[0]):
                received, lost = last
                before = began.pop(topic, None)
                if before is not None and (before.event_count or 0) <= received:
                    received, lost = received - (before.event_count or 0), lost - _lost(before)
                self.earlier.append((stream_path(topic), 0, received, max(0, lost)))
            if now is not None and (last is None or now[0] < last[0]):
                new.append(topic)
        return new

    def steps(self):
        """(stream, pushed, received, lost) of this process, since the recording began."""
        now, began = self.latest, self.began
        first = began.server.event_streams if began.server else {}
        for name, stream in (now.server.event_streams if now.server else {}).items():
            before = first[name].pushed_event_count if name in first else 0
            count = stream.pushed_event_count or 0
            yield stream_path(name), count - before if before and before <= count else count, 0, 0
        first = began.client.event_callbacks if began.client else {}
        for topic, value in (now.client.event_callbacks if now.client else {}).items():
            before = first.get(topic)
            received, lost = value.event_count or 0, _lost(value)
            if before is not None and (before.event_count or 0) <= received:
                received, lost = received - (before.event_count or 0), lost - _lost(before)
            yield stream_path(topic), 0, received, max(0, lost)

    def since_begin(self):
        return [*self.earlier, *self.steps()]


def _count_of(value, *keys):
    for key in keys:
        if isinstance(value.get(key), int):
            return value[key]
    return 0


def _topics_of(data, names=None):
    """{topic: (received, lost)} of an answer as JSON; of these names only, if there are some."""
    callbacks = _dict(data, "client", "event_callbacks")
    return {
        topic: (
            _count_of(callbacks[topic], "event_count"),
            _count_of(callbacks[topic], "lost_event_count", "known_lost_event_count"),
        )
        for topic in (callbacks if names is None else names)
        if isinstance(callbacks.get(topic), dict)
    }


def _lost(subscription):
    known = subscription.lost_event_count
    return (subscription.known_lost_event_count or 0) if known is None else known


class Tracker:
    """Is given each answer, in the order of the recording."""

    def __init__(self):
        self.servers = {}
        self._pushed = {}  # by stream, as of the answers before
        self._bases = {}  # by server and topic: what had been pushed when it was subscribed to

    def answered(self, server, data, changes=None, removed=None):
        """``data`` is the answer as JSON, which later may be changed in its place. ``changes`` and ``removed``, as
        the recording has them: all else is as it was in the server's previous answer."""
        known = self.servers.get(server)
        pid = _dict(data, "agent").get("pid")
        is_new = known is None
        if is_new:
            known = self.servers[server] = _Server(data)
        elif pid != known.pid and pid is not None:
            known.restarted()
            known.pid = pid
            is_new = True
        topics = streams = None
        if changes is not None and not is_new:
            topics = _changed(changes, removed, "client", "event_callbacks")
            streams = _changed(changes, removed, "server", "event_counters")
        pushed = _pushed_of(data, streams)
        now = _topics_of(data, topics)
        names = {**known.topics, **now} if topics is None else topics
        for topic in known.follow(now, names):
            path = stream_path(topic)
            self._bases[server, topic] = self._pushed.get(path, 0)
        if known.latest is known.began:
            for topic in now:
                path = stream_path(topic)
                self._bases[server, topic] = pushed.get(path, self._pushed.get(path, 0))
        known.latest = _Later(data)
        self._pushed.update(pushed)

    def _parse(self):
        for server in self.servers.values():
            if isinstance(server.latest, _Later):
                server.latest = _parsed(server.latest.data)

    def counts(self, device=None):
        """EventCounts of a device, an attribute, an admin device, or all."""
        self._parse()
        pushed = received = lost = 0
        lost_is_known = True
        for name, server in self.servers.items():
            is_it = is_server(name, device)
            for stream, *numbers in server.since_begin():
                if is_it or matches(stream, device):
                    pushed, received, lost = pushed + numbers[0], received + numbers[1], lost + numbers[2]
            for topic, value in (server.latest.client.event_callbacks if server.latest.client else {}).items():
                if (is_it or matches(stream_path(topic), device)) and value.event_count:
                    lost_is_known = lost_is_known and value.lost_event_count is not None
        waiting = [pair.waiting for pair in self.pairs([device])]
        known = [number for number in waiting if number is not None]
        return EventCounts(
            pushed, received, sum(known) if known or not waiting else None, lost if lost or lost_is_known else None
        )

    def pairs(self, devices, current=None):
        """Each stream of these devices (or of all, or from or to these servers) with each of its subscribers.

        ``current``: the names of the servers that matter, if not all do."""
        self._parse()
        publishers = {}
        for name, server in self.servers.items():
            for stream, value in (server.latest.server.event_streams if server.latest.server else {}).items():
                publishers.setdefault(stream_path(stream), []).append((name, server, value, stream))
        found = []
        for name, server in self.servers.items():
            if current is not None and name not in current:
                continue
            began = server.began.client.event_callbacks if server.began.client else {}
            for topic, value in (server.latest.client.event_callbacks if server.latest.client else {}).items():
                stream = stream_path(topic)
                source = _source_of(name, topic, publishers.get(stream, []), current)
                if not any(
                    matches(stream, device) or is_server(name, device) or (source and is_server(source[0], device))
                    for device in devices
                ):
                    continue
                old = began.get(topic)
                events, lost = value.event_count or 0, _lost(value)
                base = self._bases.get((name, topic), 0)
                if old is not None and not value.server_counter:
                    # Without numbers, only what came since the beginning can be compared.
                    base -= (old.event_count or 0) + _lost(old)
                found.append(
                    Pair(
                        server=name, stream=stream, is_old=old is not None,
                        publisher_pid=source[1].pid if source else None,
                        pushed=source[2].pushed_event_count if source else None,
                        number=value.server_counter if events else None, events=events, lost=lost, base=base,
                        is_of_earlier=bool(source) and _is_of_earlier(source[1].latest, source[2], value),
                    )
                )
        return found

    def pushed(self, devices):
        """{(server, stream): number of its newest event} of these devices."""
        self._parse()
        return {
            (name, stream_path(stream)): value.pushed_event_count or 0
            for name, server in self.servers.items()
            for stream, value in (server.latest.server.event_streams if server.latest.server else {}).items()
            if any(matches(stream_path(stream), device) or is_server(name, device) for device in devices)
        }


def _source_of(name, topic, publishers, current):
    """The one of (server, ..., its stream) that the server's topic is from: test contexts, one after the other or
    at once, have the same names. ``None``: not known."""
    for is_it in (
        lambda publisher: publisher[0] == name,
        lambda publisher: _host(publisher[3]) == _host(topic) and (current is None or publisher[0] in current),
        lambda publisher: current is None or publisher[0] in current,
        lambda _: True,
    ):
        sources = [publisher for publisher in publishers if is_it(publisher)]
        if len(sources) == 1:
            return sources[0]
    return None


def _is_of_earlier(publisher, stream, subscription):
    """Whether the newest event that was received is of a process before this one of the publisher."""
    number, pushed = subscription.server_counter or 0, stream.pushed_event_count or 0
    if not subscription.event_count or number <= pushed:
        return False
    began = _process_began(publisher.agent) if publisher.agent else None
    if began is not None and subscription.last_event is not None:
        return subscription.last_event < began
    return number > 2 * pushed + 1000


def _process_began(agent):
    """``None``: not known."""
    return agent.process_started or (None if agent.loaded == "late" else agent.attached)


def _host(name):
    return name.partition("://")[2].partition("/")[0].lower()


class _Later(NamedTuple):
    """An answer that is parsed when somebody asks for it."""

    data: dict


def is_server(server, device):
    """Whether a device's name is that of a server's admin device."""
    return device is not None and stream_path(server + ".x") == stream_path(device + ".x")
