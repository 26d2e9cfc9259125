"""Recordings of the monitor, poll by poll: :func:`read`.

It accepts and rejects the same lines as ``ska-tango-event-monitor --read`` (``src/monitor/recording``),
and keeps one line of each open file in memory.
"""

from __future__ import annotations

import datetime
import heapq
import json
import os
import re
import sys
import warnings
from dataclasses import dataclass, field
from typing import IO, Any, Dict, Generator, Iterable, Iterator, List, Optional, Tuple, Union

from ._files import open_lines
from .answer import _MAX_NUMBER, AnswerError, EventSystem, _parsed

__all__ = ["Poll", "RecordingError", "RecordingWarning", "Reply", "read"]

#: What :func:`read` takes as a recording: its path, "-" for standard input, or an open binary file.
Source = Union[str, bytes, "os.PathLike[str]", "os.PathLike[bytes]", IO[bytes]]

#: A point in time: aware, or naive for the local time; or as text, in the way recordings have it.
Time = Union[datetime.datetime, str]


class RecordingError(ValueError):
    """A line that is not from a recording, if :func:`read` is to be strict; or no recording at all."""


class RecordingWarning(UserWarning):
    """What of a recording couldn't be read."""


# ---- polls ----


class Reply:
    """What one server answered, or why it didn't. The answer is parsed when it is first asked for."""

    __slots__ = ("server", "data", "text", "answered", "_error", "_answer")

    def __init__(
        self,
        server: str,
        data: Any = None,
        error: Optional[str] = None,
        text: Optional[str] = None,
        answered: Optional[float] = None,
    ):
        #: The name of its admin device.
        self.server = server
        #: The answer's JSON, as ``json.loads()`` has it; ``None`` if there is none. Don't change it: answers
        #: of a recording of changes share what is the same in both.
        self.data = data
        #: An answer that is not JSON.
        self.text = text
        #: When the answer arrived, in seconds of the same clock as :attr:`Poll.asked`.
        self.answered = answered
        self._error = error
        self._answer: Optional[EventSystem] = None

    def _parse(self) -> None:
        if self._answer is None and self._error is None:
            try:
                self._answer = _parsed(self.data)
            except AnswerError as error:
                self._error = f"can't read its answer: {error}"

    @property
    def answer(self) -> Optional[EventSystem]:
        """The answer, parsed; ``None`` if there is an :attr:`error`."""
        self._parse()
        return self._answer

    @property
    def error(self) -> Optional[str]:
        """Why there is no answer, or why it can't be read; ``None`` if there is one."""
        self._parse()
        return self._error

    def __repr__(self) -> str:
        what = f"error={self._error!r}" if self._error is not None else "..."
        return f"Reply({self.server!r}, {what})"


@dataclass(frozen=True)
class Poll:
    """What all watched servers answered at one moment: a line of a recording."""

    #: When they were asked.
    time: datetime.datetime
    #: {name of its admin device: reply}; empty in a line that only says what is missing.
    replies: Dict[str, Reply] = field(default_factory=dict)
    #: The same moment in seconds of the recorder's monotonic clock, which nobody sets; ``None``: not known.
    asked: Optional[float] = None
    #: What began, lasted or ended then, as the recorder found it (docs/findings.md has the keys).
    findings: List[Dict[str, Any]] = field(default_factory=list)
    #: {kind: {subject: {"outcome", "text", "time"}}}: what the recorder tried itself.
    checks: Dict[str, Dict[str, Dict[str, Any]]] = field(default_factory=dict)
    #: How many polls before this one couldn't be recorded; ``None``: it says nothing of that.
    lost_snapshots: Optional[int] = None
    #: Since when.
    lost_since: Optional[datetime.datetime] = None
    #: An incomplete line that somebody found here who continued the recording.
    cut_off: Optional[str] = None
    #: The recording, and the number of the line in it.
    file: str = ""
    line: int = 0

    @property
    def answers(self) -> Dict[str, EventSystem]:
        """The answers of those that answered."""
        answers = ((server, reply.answer) for server, reply in self.replies.items())
        return {server: answer for server, answer in answers if answer is not None}

    @property
    def errors(self) -> Dict[str, str]:
        """Why the others didn't."""
        errors = ((server, reply.error) for server, reply in self.replies.items())
        return {server: error for server, error in errors if error is not None}


# ---- times ----

_TIME = re.compile(
    r" *(\d{1,4})- *(\d{1,2})- *(\d{1,2})T *(\d{1,2}): *(\d{1,2}): *(\d{1,2})(?:\.(\d*))?"
    r"(?:(Z)|([+-]) *(\d{1,2}): *(\d{1,2}))?",
    re.ASCII,
)
#: Seconds since 1970 of the years that have four digits in every time zone.
_TIME_MIN, _TIME_END = -30578688000, 253370764800


def _parsed_time(text: Any) -> Optional[datetime.datetime]:
    """As the monitor reads it: without an offset it is local time. ``None``: it is none."""
    match = _TIME.fullmatch(text) if isinstance(text, str) else None
    if not match:
        return None
    year, month, day, hour, minute, second = (int(match[i]) for i in range(1, 7))
    offset_hour, offset_minute = int(match[10] or 0), int(match[11] or 0)
    if second > 61 or offset_hour > 23 or offset_minute > 59:
        return None
    micros = int((match[7] or "")[:6].ljust(6, "0"))
    try:
        time = datetime.datetime(year, month, day, hour, minute, min(second, 59), micros)
        time += datetime.timedelta(seconds=second - min(second, 59))  # a leap second
        if match[8]:
            time = time.replace(tzinfo=datetime.timezone.utc)
        elif match[9]:
            offset = datetime.timedelta(hours=offset_hour, minutes=offset_minute)
            time = time.replace(tzinfo=datetime.timezone(-offset if match[9] == "-" else offset))
        else:
            time = time.astimezone()
        return time if _TIME_MIN <= time.timestamp() < _TIME_END else None
    except (ValueError, OverflowError, OSError):
        return None


def _as_time(name: str, value: Optional[Time]) -> Optional[datetime.datetime]:
    if isinstance(value, str):
        time = _parsed_time(value)
        if time is None:
            raise ValueError(f"{name}: expected a time such as 2026-03-01T12:00:00+01:00, found {value!r}")
        return time
    if value is not None and not isinstance(value, datetime.datetime):
        raise TypeError(f"{name}: expected a datetime or its text, found {value!r}")
    return value if value is None or value.tzinfo else value.astimezone()


# ---- lines ----

#: As in the monitor: how deeply a line may be nested, three levels more than an answer.
_MAX_DEPTH = 203
#: No line of the older tool is longer, or consists of more.
_JOINED_MAX = 64 << 20
#: How many lines that can't be read are named, and with how many a file begins that is no recording.
_NAMED_MAX = 10
_DAMAGED_MAX = 1000
#: More seconds than any machine has been running.
_CLOCK_MAX = 1e12

#: Finds a number of so many digits, which may be too large, faster than a pattern does.
_DIGITS = bytes(ord("0") if chr(byte) in "0123456789" else ord(" ") for byte in range(256))
_LARGE_NUMBER = b"0" * 300
_CONTAINERS = {dict, list}
_STRING = re.compile(rb'"(?:[^"\\]+|\\.|\\\Z)*("?)', re.DOTALL)


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is no number")


def _float(text: str) -> float:
    number = float(text)
    if not -sys.float_info.max <= number <= sys.float_info.max:
        raise ValueError("the number is too large")
    return number


def _is_deeper(value: Any, most: int) -> bool:
    level = [value] if type(value) in _CONTAINERS else []
    while level and most > 0:
        most -= 1
        level = [
            item
            for container in level
            for item in (container.values() if type(container) is dict else container)
            if type(item) in _CONTAINERS
        ]
    return bool(level)


def _int(text: str) -> int:
    """Of a text with very long numbers, which older Pythons take very long to read."""
    number = int(text) if len(text) < 2 * len(_LARGE_NUMBER) else _MAX_NUMBER + 1
    if not -_MAX_NUMBER <= number <= _MAX_NUMBER:
        raise ValueError("the number is too large")
    return number


def _json(line: bytes) -> Any:
    """Strict JSON, as the monitor takes it; raises ValueError, which says what is wrong."""
    text = line.decode("utf-8")
    parse_int = _int if _LARGE_NUMBER in line.translate(_DIGITS) else None
    try:
        value = json.loads(text, parse_constant=_no_constant, parse_float=_float, parse_int=parse_int)
    except RecursionError:
        raise ValueError(f"more than {_MAX_DEPTH} levels deep") from None
    if _is_deeper(value, _MAX_DEPTH):
        raise ValueError(f"more than {_MAX_DEPTH} levels deep")
    if ("\\ud" in text or "\\uD" in text) and _has_lone_surrogate(value):
        raise ValueError("half of a surrogate pair in a string")
    return value


def _has_lone_surrogate(value: Any) -> bool:
    try:
        json.dumps(value, ensure_ascii=False).encode("utf-8")
    except UnicodeEncodeError:
        return True
    return False


def _ends_in_string(text: bytes, in_string: bool = False) -> bool:
    """Whether a text that began within a string (or not) ends within one."""
    last = None
    for last in _STRING.finditer(b'"' + text if in_string else text):
        pass
    return last is not None and not last[1]


class _Line:
    """What there is to do about one line, or about those that belong together."""

    __slots__ = ("first", "last", "value", "wrong", "cut_off")

    def __init__(self, first: int, last: int, value: Any = None, wrong: str = "", cut_off: bool = False):
        self.first = first
        self.last = last
        self.value = value
        self.wrong = wrong
        self.cut_off = cut_off


class _Lines:
    """The lines of a recording, as JSON; those of the script of 2025 repaired.

    It left out the last two braces of each line, and wrote errors with the line feeds in them.
    """

    def __init__(self, lines: Iterator[Tuple[int, bytes, bool, bool]]):
        self.lines = lines
        self.mends = False  # there was one: what was cut off may look the same
        self.kept: Optional[Tuple[int, bytes, bool, bool]] = None

    def _next(self) -> Optional[Tuple[int, bytes, bool, bool]]:
        """(number, text, whether it is the last one and incomplete, whether it is too long)"""
        kept, self.kept = self.kept, None
        if kept:
            return kept
        return next(self.lines, None)

    def __iter__(self) -> Iterator[_Line]:
        while True:
            found = self._next()
            if found is None:
                return
            number, text, partial, too_long = found
            if too_long:
                yield _Line(number, number, wrong="it is longer than any line of a recording")
            elif text:
                yield self._parsed(number, text, partial)

    def _parsed(self, number: int, text: bytes, partial: bool) -> _Line:
        try:
            return _Line(number, number, _json(text))
        except ValueError as error:
            wrong = f"it is not JSON: {error}"
        last = number
        if text.startswith(b'{"time":') and len(text) <= _JOINED_MAX:
            if not partial and _ends_in_string(text):
                text, last, partial = self._joined(number, text)
            value = None if partial and not self.mends else _with_braces(text)
            if value is not None:
                self.mends = True
                return _Line(number, last, value)
        return _Line(number, last, wrong=wrong, cut_off=partial)

    def _joined(self, number: int, text: bytes) -> Tuple[bytes, int, bool]:
        """A string with line feeds in it, with escapes for them; its last line, and whether that is cut off."""
        parts = [text]
        size = len(text)
        in_string, partial = True, False
        while in_string and size < _JOINED_MAX:
            found = self._next()
            if found is None:
                break
            if found[1].startswith(b"{"):
                self.kept = found
                break
            number, text, partial, too_long = found
            if too_long:
                break
            parts.append(text)
            in_string = _ends_in_string(text, in_string=True)
            size += len(text)
        return b"\\n".join(parts), number, partial


def _with_braces(text: bytes) -> Any:
    """The line with the two braces that the script left out; ``None`` if that isn't a line either."""
    try:
        whole = _json(text + b"}}")
        # The last one has to be that of the whole, the one before that of the replies: without it there is
        # one object that isn't closed, and with a string in the replies' place there is none.
        replies = whole.get("replies") if isinstance(whole, dict) else None
        if not isinstance(replies, dict) or list(whole)[-1] != "replies":
            return None
        return whole
    except ValueError:
        return None


# ---- what a line says ----


def _object(value: Any) -> Dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _monotonic(value: Any) -> Optional[float]:
    known = isinstance(value, (int, float)) and not isinstance(value, bool) and 0 < value < _CLOCK_MAX
    return float(value) if known else None


def _count(value: Any) -> Optional[int]:
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None


def _changed(before: Dict[str, Any], changes: Dict[str, Any], removed: Dict[str, Any]) -> Dict[str, Any]:
    """An answer after it changed; the one before stays as it was, and shares what is the same."""
    result = dict(before)
    for key, change in changes.items():
        old, gone = before.get(key), removed.get(key)
        if isinstance(old, dict) and (isinstance(change, dict) or isinstance(gone, dict)):
            result[key] = _changed(old, _object(change), _object(gone))
        else:
            result[key] = change
    for key, gone in removed.items():
        if key in changes or key not in before:
            continue
        if not isinstance(gone, dict):
            del result[key]
        elif isinstance(before[key], dict):
            result[key] = _changed(before[key], {}, gone)
    return result


class _Recording:
    """One file, while it is read."""

    def __init__(self, source: Source, strict: bool, quiet: bool = False):
        self.source = source
        self.name = _name_of(source)
        self.strict = strict
        self.quiet = quiet
        self.answers: Dict[str, Any] = {}  # the last one of each server: what changes refer to
        self.good = 0
        self.damaged = 0
        self.named: List[str] = []
        self.why = ""
        self.is_cut_off = False

    def polls(self) -> Generator[Poll, None, None]:
        """All of them; warns at the end of what was passed over."""
        with open_lines(self.source) as lines:
            try:
                for line in _Lines(lines):
                    poll = self._poll(line)
                    if poll:
                        yield poll
                    elif self._is_none():
                        break
                self._end(lines)
            finally:
                self._warn()

    def _poll(self, line: _Line) -> Optional[Poll]:
        if line.cut_off:
            self.is_cut_off = True
            self._tell(f"{self.name}: line {line.first}, the last one, is cut off")
            return None
        if not line.wrong:
            poll = self._poll_of(line)
            if poll:
                self.good += 1
                return poll
            line.wrong = "it is not from a recording"
        self._pass_over(line)
        return None

    def _pass_over(self, line: _Line) -> None:
        """What the line changed isn't known: changes can't be applied until the next full answers."""
        place = f"{line.first}" if line.first == line.last else f"{line.first} to {line.last}"
        if self.strict:
            raise RecordingError(f"{self.name}: line {place}: {line.wrong}")
        self.answers.clear()
        self.damaged += 1
        self.why = self.why or line.wrong
        if len(self.named) < _NAMED_MAX:
            self.named.append(place)

    def _is_none(self) -> bool:
        return self.good == 0 and self.damaged == _DAMAGED_MAX

    def _end(self, lines: Any) -> None:
        """How the file ended, if that says that something is missing."""
        if self._is_none():
            raise RecordingError(
                f"{self.name}: it begins with {_DAMAGED_MAX} lines that are not from a recording: the first: {self.why}"
            )
        problem = lines.problem(self.is_cut_off)
        if problem:
            text = f"{self.name}: {problem}"
            if self.strict and not lines.is_cut_off():
                raise RecordingError(text)
            self._tell(text)

    def _warn(self) -> None:
        if not self.damaged or self._is_none():
            return
        more = self.damaged - len(self.named)
        places = ", ".join(self.named) + (f" and {more} more" if more else "")
        one = self.damaged == 1
        self._tell(
            f"{self.name}: line{'' if one else 's'} {places} can't be read, and {'is' if one else 'are'} passed over"
            f" ({'' if one else 'the first: '}{self.why})"
        )

    def _tell(self, text: str) -> None:
        if not self.quiet:
            warnings.warn(text, RecordingWarning, stacklevel=3)

    def _poll_of(self, line: _Line) -> Optional[Poll]:
        value = _object(line.value)
        replies = value.get("replies")
        time = _parsed_time(value.get("time"))
        if not isinstance(replies, dict) or time is None:
            return None
        cut_off = value.get("cut_off")
        findings = value.get("findings")
        return Poll(
            time=time,
            replies={server: self._reply(server, _object(reply)) for server, reply in replies.items()},
            asked=_monotonic(value.get("asked")),
            findings=[item for item in findings if isinstance(item, dict)] if isinstance(findings, list) else [],
            checks={kind: _object(checks) for kind, checks in _object(value.get("checks")).items()},
            lost_snapshots=_count(value.get("lost_snapshots")),
            lost_since=_parsed_time(value.get("lost_since")),
            cut_off=cut_off if isinstance(cut_off, str) else None,
            file=self.name,
            line=line.first,
        )

    def _reply(self, server: str, reply: Dict[str, Any]) -> Reply:
        answered = _monotonic(reply.get("answered"))
        if "data" in reply:
            data = self.answers[server] = reply["data"]
            return _reply_of(server, data, answered)
        if "changes" in reply:
            before, changes, removed = self.answers.pop(server, None), reply["changes"], reply.get("removed", {})
            if not (isinstance(before, dict) and isinstance(changes, dict) and isinstance(removed, dict)):
                error = "the recording has what changed, but no answer to apply it to"
                return Reply(server, error=error, answered=answered)
            data = self.answers[server] = _changed(before, changes, removed)
            return _reply_of(server, data, answered)
        why, text = reply.get("error"), reply.get("text")
        return Reply(
            server,
            error=why if isinstance(why, str) else "no answer",
            text=text if isinstance(text, str) else None,
            answered=answered if isinstance(text, str) else None,
        )


def _reply_of(server: str, data: Any, answered: Optional[float]) -> Reply:
    error = None if isinstance(data, dict) else "can't read its answer: expected an object"
    return Reply(server, data, error, answered=answered)


def _name_of(source: Source) -> str:
    if isinstance(source, (str, bytes, os.PathLike)):
        path = os.fsdecode(source)
        return "standard input" if path == "-" else path
    return str(getattr(source, "name", "the file"))


# ---- several ----


def _can_be_opened_again(source: Source) -> bool:
    return isinstance(source, (str, bytes, os.PathLike)) and os.path.isfile(os.fsdecode(source))


def _in_time(sources: Iterable[Source], strict: bool) -> Iterator[Poll]:
    """The polls of all, by their times; of the same time, in the order of the files. A poll that is in
    several files comes once.

    A file is open only while its polls are due, so a night in a thousand files is no problem.
    """
    waiting: List[Tuple[datetime.datetime, int, Source]] = []
    running: List[Tuple[datetime.datetime, int, Poll, Generator[Poll, None, None]]] = []

    moment = _Moment()

    def begin(order: int, polls: Generator[Poll, None, None]) -> None:
        poll = next(polls, None)
        if poll is not None:
            heapq.heappush(running, (poll.time, order, poll, polls))

    try:
        for order, source in enumerate(sources):
            first = _first(source, strict) if _can_be_opened_again(source) else None
            if first is not None:
                waiting.append((first.time, order, source))
            else:
                begin(order, _Recording(source, strict).polls())
        waiting.sort(key=lambda entry: entry[:2], reverse=True)
        while waiting or running:
            if waiting and (not running or waiting[-1][:2] <= running[0][:2]):
                _, order, source = waiting.pop()
                begin(order, _Recording(source, strict).polls())
                continue
            _, order, poll, polls = running[0]
            if moment.is_new(order, poll):
                yield poll
            following = next(polls, None)
            if following is None:
                heapq.heappop(running)
            else:
                heapq.heapreplace(running, (following.time, order, following, polls))
    finally:
        for entry in running:
            entry[3].close()


class _Moment:
    """What there was of one time so far."""

    def __init__(self) -> None:
        self.time: Optional[datetime.datetime] = None
        self.seen: Dict[Any, int] = {}

    def is_new(self, order: int, poll: Poll) -> bool:
        """Whether a poll has anything that no other file had."""
        if poll.time != self.time:
            self.time, self.seen = poll.time, {}
        keys: List[Any] = list(poll.replies) or [(poll.lost_snapshots, poll.cut_off)]
        is_new = any(self.seen.get(key, order) == order for key in keys)
        for key in keys:
            self.seen.setdefault(key, order)
        return is_new


def _first(source: Source, strict: bool) -> Optional[Poll]:
    polls = _Recording(source, strict, quiet=True).polls()
    try:
        return next(polls, None)
    finally:
        polls.close()


def _one_by_one(sources: Iterable[Source], strict: bool) -> Iterator[Poll]:
    for source in sources:
        yield from _Recording(source, strict).polls()


def read(
    *files: Source,
    merge: bool = False,
    since: Optional[Time] = None,
    until: Optional[Time] = None,
    strict: bool = False,
) -> Iterator[Poll]:
    """The polls of recordings, one at a time: plain, compressed (gzip, xz, zstd), of changes only
    (``--changes``), and those of the older tool's script of 2025.

    :param files: paths, "-" for standard input, or open binary files; one after the other, unless
    :param merge: is true: then all of them by their times, and a poll that is in several of them once.
    :param since: without polls before this time, and
    :param until: without polls after this time. Both: a datetime, or as text.
    :param strict: raise :class:`RecordingError` for the first line that can't be read. Otherwise such
        lines are passed over, with one :class:`RecordingWarning` for each file.

    A line that says that polls are missing is a poll without replies (:attr:`Poll.lost_snapshots`).
    Raises :class:`OSError` if a file can't be opened.
    """
    if not files:
        raise TypeError("read() needs a recording")
    for source in files:
        if isinstance(source, (str, bytes, os.PathLike)):
            if os.fsdecode(source) != "-":
                os.stat(source)
        elif not hasattr(source, "read"):
            raise TypeError(f"expected a path or an open binary file, found {source!r}")
    begin, end = _as_time("since", since), _as_time("until", until)
    polls = _in_time(files, strict) if merge else _one_by_one(files, strict)
    return _within(polls, begin, end)


def _within(
    polls: Iterator[Poll], begin: Optional[datetime.datetime], end: Optional[datetime.datetime]
) -> Iterator[Poll]:
    for poll in polls:
        if (begin is None or poll.time >= begin) and (end is None or poll.time <= end):
            yield poll
