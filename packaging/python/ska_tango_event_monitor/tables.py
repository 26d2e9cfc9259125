"""What recordings say, as rows: what changed at each poll, what came of it, and what was found.

They are the tables of ``ska-tango-event-report --csv``, which this runs: docs/report.md explains their
columns. ``pandas.DataFrame(rows(FILE))`` is one of them.
"""

from __future__ import annotations

import contextlib
import datetime
import os
import re
import shutil
import subprocess
import tempfile
import warnings
from typing import Any, Dict, Generator, Iterable, Iterator, List, NamedTuple, Optional, Union

from .recordings import RecordingError, RecordingWarning, Time, _as_time, _parsed_time

__all__ = ["Row", "findings", "rows", "totals"]

Path = Union[str, "os.PathLike[str]"]
PROGRAM = "ska-tango-event-report"


class Row(NamedTuple):
    """What was counted between a server's answer and its previous one."""

    time: datetime.datetime
    #: The admin device of the server that counted it.
    server: str
    #: Without IDL level; "" if it is about the server itself.
    stream: str
    #: "pushed", "received", "lost", "latency_p99_seconds", ...
    what: str
    value: Union[int, float]


def rows(
    *files: Path, since: Optional[Time] = None, until: Optional[Time] = None, only: Union[str, Iterable[str]] = ()
) -> Iterator[Row]:
    """What changed at each poll of recordings, merged by time. Only what isn't 0 has a row.

    :param files: paths of recordings.
    :param since: without what came before, and
    :param until: without what came after. Both: a datetime, or as text.
    :param only: a pattern, or several, for the names of streams, such as ``lab/*/*/*``.

    What can't be read is passed over, with a :class:`RecordingWarning`; :class:`RecordingError` is raised if
    that is everything.
    """
    return _rows(_arguments(files, since, until, only))


def totals(
    *files: Path, since: Optional[Time] = None, until: Optional[Time] = None, only: Union[str, Iterable[str]] = ()
) -> List[Dict[str, Any]]:
    """What came of each stream: a dict for each server that publishes it, and each that receives it.

    Takes the same as :func:`rows`. ``None``: not known, or there is no such value in that row.
    """
    return list(_table("totals", _arguments(files, since, until, only)))


def findings(
    *files: Path, since: Optional[Time] = None, until: Optional[Time] = None, only: Union[str, Iterable[str]] = ()
) -> List[Dict[str, Any]]:
    """What was wrong, with begin, end, text and advice; the worst first. Takes the same as :func:`rows`."""
    return list(_table("findings", _arguments(files, since, until, only)))


# ---- the program ----


def _arguments(files: Iterable[Path], since: Optional[Time], until: Optional[Time], only: Any) -> List[str]:
    paths = [os.fspath(path) for path in files]
    if not paths:
        raise TypeError("no recording was given")
    arguments = []
    for name, value in (("since", since), ("until", until)):
        time = _as_time(name, value)
        if time is not None:
            arguments.append(f"--{name}={time.isoformat(timespec='microseconds')}")
    for pattern in [only] if isinstance(only, str) else only:
        arguments.append(f"--only={pattern}")
    for path in paths:
        if path != "-":
            os.stat(path)
    # Not "--" alone: a file may be called like an option.
    return [*arguments, "--", *paths]


def _program() -> str:
    """The one of the wheel, or, without a wheel, that on the PATH."""
    from . import program_path  # pylint: disable=import-outside-toplevel

    try:
        return program_path(PROGRAM)
    except FileNotFoundError as error:
        found = shutil.which(PROGRAM)
        if not found:
            raise FileNotFoundError(f"{error}; nor is {PROGRAM} on the PATH") from None
        return found


@contextlib.contextmanager
def _written(name: str, arguments: List[str]) -> Generator[Any, None, None]:
    """One of the tables: the cells of each row."""
    with tempfile.TemporaryDirectory(prefix="ska-tango-event-") as folder:
        command = [_program(), "-q", f"--csv={folder}", *arguments]
        done = subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, check=False)
        said = done.stderr.decode("utf-8", "replace").replace(f"{PROGRAM}: ", "").strip()
        try:
            file = open(os.path.join(folder, f"{name}.csv"), encoding="utf-8", newline="")
        except FileNotFoundError:
            raise RecordingError(said or f"{PROGRAM} wrote nothing: status {done.returncode}") from None
        if said:
            warnings.warn(said, RecordingWarning, stacklevel=5)
        with file:
            yield map(_cells, file)


# ---- cells ----

_CELL = re.compile(r'"((?:[^"]|"")*)"|([^",]*)')

_WHOLE = re.compile(r"-?\d+", re.ASCII)
_TIMES = {"time", "worst_time", "begin", "end"}
_TEXTS = {"server", "stream", "role", "publisher", "subscriber", "topic", "what", "rule", "group", "severity", "state",
          "object", "text", "advice", "identity"}


def _cells(line: str) -> List[str]:
    """By RFC 4180; a row is one line. csv.reader refuses cells as long as names may be."""
    line = line.rstrip("\n")
    if '"' not in line:
        return line.split(",")
    cells, place = [], 0
    while place <= len(line):
        match = _CELL.match(line, place)
        assert match
        cells.append(match[2] if match[1] is None else match[1].replace('""', '"'))
        place = match.end() + 1
    return cells


def _value(text: str) -> Union[int, float]:
    return int(text) if _WHOLE.fullmatch(text) else float(text)


def _cell(column: str, text: str) -> Any:
    if column in _TEXTS:
        return text
    if not text:
        return None
    if column in _TIMES:
        return _parsed_time(text)
    if text in ("TRUE", "FALSE"):
        return text == "TRUE"
    return float(text) if column.endswith(("seconds", "rate")) else _value(text)


def _rows(arguments: List[str]) -> Iterator[Row]:
    with _written("series", arguments) as lines:
        next(lines)
        last, time = "", None
        for text, server, stream, what, value in lines:
            if text != last:
                last, time = text, _parsed_time(text)
            assert time
            yield Row(time, server, stream, what, _value(value))


def _table(name: str, arguments: List[str]) -> Iterator[Dict[str, Any]]:
    with _written(name, arguments) as lines:
        columns = next(lines)
        for line in lines:
            yield {column: _cell(column, text) for column, text in zip(columns, line)}
