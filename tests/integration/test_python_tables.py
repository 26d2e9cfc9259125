"""rows(), totals() and findings() of the Python module: a recording as tables."""

import collections
import datetime
import json
import subprocess
import sys
from pathlib import Path

import pytest
from tango_servers import BUILD, need

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "packaging" / "python"))

from ska_tango_event_monitor import RecordingError, RecordingWarning, Row, findings, read, rows, totals  # noqa: E402

BURST = "tango://h:1/a/b/c/burst.change"


@pytest.fixture(autouse=True)
def _program(monkeypatch):
    need(BUILD / "bin" / "ska-tango-event-report")
    monkeypatch.setenv("PATH", f"{BUILD / 'bin'}:/usr/bin:/bin")


def recording(folder, name="night.jsonl", counts=((10, 0), (10, 0), (30, 5)), hour=12):
    """A publisher's and a subscriber's (pushed, lost) at each poll, all in seconds."""
    lines = []
    for number, (pushed, lost) in enumerate(counts):
        agent = {"version": "1", "pid": 7}
        pub = {"version": 1, "agent": agent, "server": {"event_streams": {BURST: {"pushed_event_count": pushed}},
                                                        "event_counters": {BURST: pushed}}}
        topic = {"event_count": pushed - lost, "lost_event_count": lost, "known_lost_event_count": lost, "missed_event_count": int(lost > 0)}
        sub = {"version": 1, "agent": agent, "client": {"event_callbacks": {BURST.replace("change", "idl5_change"): topic}}}
        replies = {"dserver/Pub/1": {"data": pub}, "dserver/Sub/1": {"data": sub}}
        lines.append(json.dumps({"time": f"2026-03-01T{hour}:00:{number:02}.000000+00:00", "replies": replies}) + "\n")
    path = folder / name
    path.write_text("".join(lines))
    return path


def at(second, hour=12):
    return datetime.datetime(2026, 3, 1, hour, 0, second, tzinfo=datetime.timezone.utc)


def test_rows(tmp_path):
    found = list(rows(recording(tmp_path)))
    assert all(isinstance(row, Row) and row.time.tzinfo for row in found)
    assert [row for row in found if row.stream] == [
        (at(2), "dserver/Pub/1", BURST, "pushed", 20),
        (at(2), "dserver/Sub/1", BURST, "received", 15),
        (at(2), "dserver/Sub/1", BURST, "gaps", 1),
        (at(2), "dserver/Sub/1", BURST, "lost", 5),
    ]
    assert [(row.server, row.value) for row in found if row.what == "answered"] == 3 * [("dserver/Pub/1", 1), ("dserver/Sub/1", 1)]


def test_totals_and_findings(tmp_path):
    path = recording(tmp_path)
    published, received = totals(path)
    assert (published["role"], published["pushed"], published["lost"], published["worst_time"]) == ("publisher", 20, None, None)
    assert (received["server"], received["stream"], received["publisher"]) == ("dserver/Sub/1", BURST, "dserver/Pub/1")
    assert (received["received"], received["lost"], received["lost_is_minimum"], received["pushed"]) == (15, 5, False, None)
    assert isinstance(received["worst_time"], datetime.datetime) and isinstance(received["peak_rate"], float)
    loss = findings(path)[0]
    assert (loss["rule"], loss["severity"], loss["begin"], loss["events"]) == ("overflow", "fault", at(2), 5)


def test_any_name(tmp_path):
    """Whatever the network says, a row has its cells."""
    path = recording(tmp_path)
    for name in ('tango://h:1/a/b/c/x,"y"".change', '"', ",", '""', "x" * 200_000 + ".change", "'\\\u00e9\U0001f600.change"):
        path.write_text(recording(tmp_path).read_text().replace(json.dumps(BURST), json.dumps(name)))
        streams = {row.stream for row in rows(path) if row.what == "pushed"}
        (stream,) = streams
        # The middle of a name that is very long is left out, in all tables alike.
        assert stream == name if len(name) < 1000 else stream.startswith(name[:400]) and stream.endswith(".change")
        assert {stream} <= {row["stream"] for row in totals(path)}


def test_what_is_asked_for(tmp_path):
    first = recording(tmp_path)
    second = recording(tmp_path, "-later.jsonl", ((30, 5), (40, 5)), 13)

    def pushed(*files, **options):
        return [(row.time, row.value) for row in rows(*files, **options) if row.what == "pushed"]

    assert pushed(second, first) == [(at(2), 20), (at(1, 13), 10)]
    assert pushed(second, first, only="*/nothing") == [] == pushed(first, only=["x", "y"])
    assert pushed(first, only=["x", "a/b/c/burst"]) == [(at(2), 20)]
    usage = subprocess.run([BUILD / "bin" / "ska-tango-event-report", "--help"], stdout=subprocess.PIPE, check=True).stdout
    if b"--since" not in usage:
        pytest.skip("it can't be asked for a part of the time")
    assert pushed(first, second, since=at(0, 13)) == [(at(1, 13), 10)]
    assert pushed(first, second, until="2026-03-01T12:30:00Z") == [(at(2), 20)]


def test_a_file_that_is_called_like_an_option(tmp_path, monkeypatch):
    recording(tmp_path, "--help")
    monkeypatch.chdir(tmp_path)
    assert len(totals("--help")) == 2


def test_what_can_not_be_read(tmp_path):
    with pytest.raises(FileNotFoundError):
        rows(tmp_path / "missing")
    with pytest.raises(TypeError):
        rows()
    letter = tmp_path / "letter"
    letter.write_text("a letter to somebody\n" * 2000)
    with pytest.raises(RecordingError, match="^/.*letter: isn't a recording"):
        list(rows(letter))
    broken = recording(tmp_path)
    broken.write_text(broken.read_text() + "x\n")
    with pytest.warns(RecordingWarning, match="line 4"):
        assert len(list(rows(broken))) > 4


def test_without_the_program(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(FileNotFoundError, match="ska-tango-event-report"):
        list(rows(recording(tmp_path)))


def test_rows_of_a_night_add_up(troubled):
    """To the truth, and to what a script of one's own makes of read()."""
    sums = collections.Counter()
    for row in rows(troubled.path):
        sums[row.stream, row.what] += row.value
    for stream in troubled.streams:
        assert sums[stream.full_name, "pushed"] == stream.pushed
        assert sums[stream.full_name, "received"] == stream.received
        assert sums[stream.full_name, "lost"] + sums[stream.full_name, "not_received"] == stream.lost
    by_hand = collections.Counter()
    before = {}
    for poll in read(troubled.path):
        for server, answer in poll.answers.items():
            process = answer.agent.pid
            for name, stream in (answer.server.event_streams if answer.server else {}).items():
                last_process, count = before.get((server, name), (None, 0))
                now = stream.pushed_event_count
                if server in seen_servers(before):
                    by_hand[name] += now - count if process == last_process else now
                before[server, name] = (process, now)
            before[server, ""] = (process, 0)
    assert {stream.full_name: by_hand[stream.full_name] for stream in troubled.streams} == {
        stream.full_name: stream.pushed for stream in troubled.streams
    }
    received = [row for row in totals(troubled.path) if row["role"] == "subscriber"]
    assert {row["stream"]: row["received"] for row in received} == {stream.full_name: stream.received for stream in troubled.streams}


def seen_servers(before):
    return {server for server, name in before if not name}
