"""read() of the Python module reads what the monitor reads. No Tango is started."""

import bz2
import datetime
import gzip
import io
import json
import lzma
import os
import random
import subprocess
import sys
import time
import warnings
from pathlib import Path

import pytest
from tango_servers import BUILD, PYTHON, clean_environment, run_monitor

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "packaging" / "python"))

from ska_tango_event_monitor import (  # noqa: E402
    AnswerError,
    Poll,
    RecordingError,
    RecordingWarning,
    parse,
    read,
)

DATA = ROOT / "tests" / "data"
PACKERS = {"": ["cat"], ".gz": ["gzip"], ".zst": ["zstd", "-q"], ".xz": ["xz"]}


@pytest.fixture(autouse=True)
def _programs(monitor_bin):
    """All of these need the monitor."""


@pytest.fixture(autouse=True)
def _time_zone(monkeypatch):
    monkeypatch.setenv("TZ", "XYZ-5:30")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def answer(count=1, **more):
    counters = {"tango://h:1/a/b/c/x.change": count}
    return {"version": 1, "server": {"event_counters": counters, "perf": None}, "client": None, **more}


def poll(number, **replies):
    replies = {f"dserver/{name}/1": reply for name, reply in replies.items()}
    return {"time": f"2026-03-01T12:{number // 60:02}:{number % 60:02}.000000+00:00", "replies": replies}


def text_of(lines):
    return "".join(json.dumps(line) + "\n" for line in lines).encode()


def packed(text, ending):
    return subprocess.run(PACKERS[ending], input=text, stdout=subprocess.PIPE, check=True).stdout


def plain(reply):
    """A reply as a copy of the recording in full has it."""
    if reply.data is not None or reply.error.startswith("can't read its answer"):
        return {"data": reply.data}
    return {"error": reply.error, **({} if reply.text is None else {"text": reply.text})}


def by_python(path, **options):
    """[(time, {server: reply})], and what it warned of."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        polls = list(read(path, **options))
    assert all(warning.category is RecordingWarning for warning in caught)
    lines = [(p.time if p.replies else None, {name: plain(reply) for name, reply in p.replies.items()}) for p in polls]
    return lines, [str(warning.message) for warning in caught]


def by_the_monitor(path):
    """The same of a copy that the monitor made, and its messages."""
    result = run_monitor("--read", path, "-q", "-o", "-", TZ="XYZ-5:30")
    lines = []
    for line in result.stdout.splitlines():
        value = json.loads(line)
        for reply in value["replies"].values():
            reply.pop("answered", None)
        if value["replies"]:
            at = datetime.datetime.strptime(value["time"], "%Y-%m-%dT%H:%M:%S.%f%z")
        else:
            at = None  # the line is copied as it was
        lines.append((at, value["replies"]))
    return lines, result.stderr


def same(path):
    """Both read the same, and both complain or neither does; returns what was read and Python's warnings."""
    lines, said = by_python(path)
    expected, messages = by_the_monitor(path)
    assert lines == expected
    hints = ("lacks its last two braces", "snapshots were lost before it")
    complaints = [line for line in messages.splitlines() if not any(hint in line for hint in hints)]
    assert bool(said) == bool(complaints), (said, complaints)
    return lines, said


# ---- every kind of recording ----


def changing(count):
    """Polls of which the monitor makes a recording of changes: streams come and go, answers fail."""
    for number in range(count):
        counters = {f"tango://h:1/a/b/c/{name}.change": number * (i + 1) for i, name in enumerate("xyz") if (number + i) % 4}
        pub = {"version": 1, "server": {"event_counters": counters, "perf": None}, "client": None, "new": [number // 3]}
        if number % 5 == 3:
            pub["agent"] = {"version": "1", "pid": 7}
        sub = {"error": "no answer"} if number % 4 == 2 else {"data": answer(number // 2)}
        if number == 9:
            sub = {"error": "the answer is not JSON: x", "text": 'a\0"b'}
        yield poll(number, Pub={"data": pub}, Sub=sub)


@pytest.mark.parametrize("ending", PACKERS)
@pytest.mark.parametrize("options", [[], ["--changes"], ["--changes=5"]], ids=["full", "changes", "changes5"])
def test_what_the_monitor_writes(tmp_path, ending, options):
    whole = tmp_path / "whole.jsonl"
    whole.write_bytes(text_of(changing(30)))
    recording = tmp_path / f"recording.jsonl{ending}"
    run_monitor("--read", whole, "-q", "-o", recording, *options, check=True)
    lines, said = same(recording)
    assert said == [] and len(lines) == 30
    assert [replies for _, replies in lines] == [line["replies"] for line in changing(30)]
    # And if it was compressed as a whole.
    recording.write_bytes(packed(whole.read_bytes(), ending))
    assert same(recording)[0] == lines


def test_earlier_polls_stay_as_they_were(tmp_path):
    """Answers of a recording of changes share what is the same in both."""
    whole, changes = tmp_path / "whole.jsonl", tmp_path / "changes.jsonl"
    whole.write_bytes(text_of(changing(30)))
    run_monitor("--read", whole, "-q", "-o", changes, "--changes", check=True)
    for written, found in zip(changing(30), list(read(changes))):
        assert {server: plain(reply) for server, reply in found.replies.items()} == written["replies"]


def legacy_line(number, replies, end=""):
    fraction = f".{number:06}" if number else ""
    text = ",".join(f'"{name}":{reply}' for name, reply in replies.items())
    return f'{{"time":"2025-02-20T10:00:{number:02}{fraction}", "replies":{{{text}{end}\n'


def legacy_recording(count=6):
    answers = json.loads((DATA / "legacy-both.json").read_text())
    error = "(DevError(desc = 'Failed\nIt was delayed.\n less than 1000 ms ago', reason = 'API_CantConnect'),)"
    lines = []
    for number in range(count):
        pub = json.dumps({"data": answers["publisher"]})
        sub = f'{{"error":"{error}"}}' if number in (2, 3) else json.dumps({"data": answers["subscriber"]})
        lines.append(legacy_line(number, {"dserver/Pub/1": pub, "dserver/Sub/1": sub}, "}}" if number == 4 else ""))
    return "".join(lines).encode()


@pytest.mark.parametrize("ending", PACKERS)
def test_what_the_older_tool_wrote(tmp_path, ending):
    recording = tmp_path / "old"
    recording.write_bytes(packed(legacy_recording(), ending))
    lines, said = same(recording)
    assert said == [] and len(lines) == 6
    assert lines[2][1]["dserver/Sub/1"]["error"].count("\n") == 2
    polls = list(read(recording))
    assert polls[1].time.isoformat() == "2025-02-20T10:00:01.000001+05:30"
    assert polls[0].replies["dserver/Sub/1"].answer.version == 0
    # Cut off in the middle of any line, it may look complete.
    text = legacy_recording(3)
    for size in range(len(text) - 2500, len(text), 97):
        recording.write_bytes(packed(text[:size], ending))
        same(recording)


# ---- damage ----

WHOLE = json.dumps(poll(1, Pub={"data": answer()}, Sub={"error": "down"}))

ODD_LINES = [
    "", " ", "null", "1", "[]", "{}", "x", WHOLE[:-1], WHOLE[:-2], WHOLE[:-3], WHOLE + "}", WHOLE + " ", " " + WHOLE, WHOLE + "\r",
    "\ufeff" + WHOLE, WHOLE + WHOLE, WHOLE[:-2] + "}", '{"time":"2025-02-20T10:00:00"', '{"time":"2025-02-20T10:00:00"}',
    '{"time":"2025-02-20T10:00:00","replies":[]}', '{"time":"2025-02-20T10:00:00","replies":{"a":{"error":"x',
    '{"time":"2025-02-20T10:00:00","replies":{"a":{"error":"x"}', '{"time":"2025-02-20T10:00:00","replies":{"a":{"data":1}',
    '{"time":"2025-02-20T10:00:00","x":{"a":{"data":1}', '{"time":"2025-02-20T10:00:00","replies":{"a":{"b\\',
    *(
        json.dumps({"time": time, "replies": {"a": {"error": "x"}}})
        for time in (
            "", "now", None, 5, "2026-03-01", "2026-03-01T12:00", "2026-03-01T12:00:00", "2026-03-01T12:00:00Z", "2026-03-01T12:00:00z",
            "2026-03-01T12:00:00.Z", "2026-03-01T12:00:00.1+01:00", "2026-03-01T12:00:00.1234567899-01:30", "2026-03-01T12:00:00+0100",
            "2026-03-01T12:00:00+25:00", "2026-03-01T12:00:00+01", "2026-03-01T12:00:00+1:2", "2026-02-29T12:00:00Z", "2028-02-29T12:00:00Z",
            "2026-03-01T24:00:00Z", "2026-03-01T23:59:60Z", "2026-03-01T23:60:00Z", "2026-13-01T12:00:00Z", "2026-3-1T2:0:0Z",
            "0999-01-01T00:00:00Z", "1001-01-01T00:00:00Z", "1001-01-03T00:00:00Z", "9998-12-31T00:00:00Z", "9999-12-31T00:00:00Z",
            "2026-03-01T12:00:00 Z", "2026-03-01 12:00:00", "\u0662026-03-01T12:00:00", "2026-03-01T12:00:00\0",
        )
    ),
    *(
        json.dumps({"time": "2026-03-01T12:00:00Z", "replies": {"a": reply}})
        for reply in (
            None, 1, [], {}, "x", {"data": None}, {"data": 1}, {"data": "x"}, {"data": '{"version":1}'}, {"data": []}, {"data": {}},
            {"error": None}, {"error": 1}, {"error": ""}, {"text": "x"}, {"error": "e", "text": "x\0y"}, {"error": "e", "text": 1},
            {"changes": {}}, {"changes": []}, {"changes": {"x": 1}, "removed": {"version": True}}, {"changes": {}, "removed": 1},
            {"removed": {}}, {"data": answer(), "error": "x"}, {"data": answer(), "changes": {}},
            {"changes": {"server": 1}, "removed": {"server": {"event_counters": True}}},
            {"changes": {"server": {"event_counters": 1}}}, {"changes": {}, "removed": {"server": {"event_counters": {"a": True}, "x": {}}}},
            {"changes": {}, "removed": {"server": {"perf": {"y": True}}, "nothing": True, "new": {"z": True}}},
        )
    ),
    '{"time":"2026-03-01T12:00:00Z","replies":{"a":{"data":{"version":1,"new":%s}}}}' % ("[" * 199 + "]" * 199),
    '{"time":"2026-03-01T12:00:00Z","replies":{"a":{"data":{"version":1,"new":%s}}}}' % ("[" * 200 + "]" * 200),
    '{"time":"2026-03-01T12:00:00Z","replies":{},"new":%s}' % ("[" * 202 + "]" * 202),
    '{"time":"2026-03-01T12:00:00Z","replies":{},"new":%s}' % ("[" * 203 + "]" * 203),
    '{"time":"2026-03-01T12:00:00Z","replies":{},"new":%s}' % ("[" * 5000 + "]" * 5000),
    *(
        '{"time":"2026-03-01T12:00:00Z","replies":{},"new":%s}' % value
        for value in ("NaN", "Infinity", "1e400", "-1e400", "1" + 400 * "0", "1" + 300 * "0", "1" + 5000 * "0", "1e-400", "01", '"\\ud800"',
                      '"\\ud83d\\ude00"', '"\\ude00"', '"\\u0000"', '"\t"', '"\x7f"', "'x'", "nan", "[1,]", '{"\\ud800":1}')
    ),
]


def odd_recordings():
    """Each odd line alone, after a good one, and between two; some without a line feed at their end."""
    for line in ODD_LINES:
        yield from (line, line + "\n", WHOLE + "\n" + line, WHOLE + "\n" + line + "\n" + WHOLE + "\n")
    after = json.dumps({"time": "2026-03-01T12:00:09Z", "replies": {"a": {"changes": {"k": 1}}, "dserver/Pub/1": {"changes": {"k": 2}}}})
    for line in ODD_LINES:
        first = json.dumps({"time": "2026-03-01T12:00:00Z", "replies": {"a": {"data": answer(3, new={"z": 1})}}})
        yield "\n".join((WHOLE, first, line, after, after, ""))
    old = legacy_recording(2).decode()
    yield from (old, old + "x\n" + old, old[:-2], old + '{"time":"2025-02-20T10:00:00","replies":{"a":{"error":"x\ny\nz\n' + old)


def test_odd_lines(tmp_path):
    texts = [text.encode("utf-8", "surrogatepass") for text in odd_recordings()]
    texts += [WHOLE.encode() + b"\n\xff\n" + WHOLE.encode(), b"\xff\xfe", b"\0\0\n" + WHOLE.encode() + b"\n", b"\n\n\n"]
    recording = tmp_path / "odd.jsonl"
    for text in texts:
        recording.write_bytes(text)
        try:
            same(recording)
        except AssertionError as error:
            raise AssertionError(text[:3000]) from error


@pytest.mark.parametrize("ending", [".gz", ".zst", ".xz"])
def test_compressed_and_damaged(tmp_path, ending):
    whole = tmp_path / "whole.jsonl"
    whole.write_bytes(text_of(changing(12)))
    recording = tmp_path / f"recording.jsonl{ending}"
    run_monitor("--read", whole, "-q", "-o", recording, "--changes=4", check=True)
    data = recording.read_bytes()
    chance = random.Random(17)
    variants = [data[: chance.randrange(len(data))] for _ in range(12)]
    for _ in range(12):
        place = chance.randrange(len(data))
        variants.append(data[:place] + bytes([data[place] ^ 1 << chance.randrange(8)]) + data[place + 1 :])
    variants += [data + b"\0" * 600, data + b"x", data[:3], data[:7], data + b"\0" * 600 + data]
    for variant in variants:
        recording.write_bytes(variant)
        same(recording)


def test_compressed_and_cut_off_after_a_line(tmp_path):
    """Its last line is whole, and there may have been others."""
    text = text_of(changing(4))
    for number, whole in enumerate((text, text[:-1], legacy_recording()[:-1])):
        path = tmp_path / f"{number}.jsonl.gz"
        path.write_bytes(packed(whole, ".gz")[:-8])
        _, said = same(path)
        assert [line for line in said if "cut off after line" in line]


def test_broken_lines_are_told_once(tmp_path):
    recording = tmp_path / "recording.jsonl"
    lines = [WHOLE, "x", "y", WHOLE, *["z"] * 15, WHOLE]
    recording.write_text("\n".join(lines) + "\n")
    polls, said = by_python(recording)
    assert len(polls) == 3
    assert said == [
        f"{recording}: lines 2, 3, 5, 6, 7, 8, 9, 10, 11, 12 and 7 more can't be read, and are passed over"
        " (the first: it is not JSON: Expecting value: line 1 column 1 (char 0))"
    ]
    with pytest.raises(RecordingError, match=r"recording\.jsonl: line 2: it is not JSON"):
        list(read(recording, strict=True))
    recording.write_text(WHOLE + "\n{}\n" + WHOLE[:50])
    assert by_python(recording)[1] == [
        f"{recording}: line 3, the last one, is cut off",
        f"{recording}: line 2 can't be read, and is passed over (it is not from a recording)",
    ]


def test_no_recording(tmp_path):
    letter = tmp_path / "letter"
    letter.write_text("a letter to somebody\n" * 2000)
    with pytest.raises(RecordingError, match="begins with 1000 lines that are not from a recording"):
        list(read(letter))
    letter.write_bytes(bz2.compress(b"x"))
    assert by_python(letter)[0] == []
    with pytest.raises(OSError, match="missing"):
        read(tmp_path / "missing")
    for wrong in ((), (7,), (None,)):
        with pytest.raises(TypeError):
            read(*wrong)
    with pytest.raises(ValueError, match="since"):
        read(letter, since="yesterday")


# ---- what a poll has ----


def test_what_a_poll_has(tmp_path):
    recording = tmp_path / "recording.jsonl"
    finding = {"rule": "loss", "text": "3 events lost"}
    check = {"endpoint": {"tcp://h:1": {"outcome": "refused", "text": "no", "time": "2026-03-01T12:00:00Z"}}}
    first = {**poll(1, Pub={"data": answer(5), "answered": 99.5}, Sub={"error": "down"}), "asked": 99.25}
    lost = {**poll(2), "lost_snapshots": 7, "lost_since": "2026-03-01T12:00:01.000000+00:00"}
    recording.write_bytes(text_of([{**first, "findings": [finding], "checks": check}, lost, {**poll(3), "cut_off": '{"time":'}]))
    one, two, three = read(recording)
    assert isinstance(one, Poll)
    assert one.time == datetime.datetime(2026, 3, 1, 12, 0, 1, tzinfo=datetime.timezone.utc)
    assert (one.asked, one.findings, one.checks) == (99.25, [finding], check)
    assert (one.file, one.line, two.line) == (str(recording), 1, 2)
    pub, sub = one.replies["dserver/Pub/1"], one.replies["dserver/Sub/1"]
    assert (pub.server, pub.error, pub.text, pub.answered, pub.data) == ("dserver/Pub/1", None, None, 99.5, answer(5))
    assert pub.answer.server.event_streams["tango://h:1/a/b/c/x.change"].pushed_event_count == 4
    assert (sub.answer, sub.error, sub.data, sub.answered) == (None, "down", None, None)
    assert one.answers == {"dserver/Pub/1": pub.answer} and one.errors == {"dserver/Sub/1": "down"}
    assert (two.replies, two.lost_snapshots, three.lost_snapshots) == ({}, 7, None)
    assert two.lost_since.isoformat() == "2026-03-01T12:00:01+00:00" and three.cut_off == '{"time":'
    # An answer that can't be read is no error of the recording's.
    recording.write_bytes(text_of([poll(1, Pub={"data": {"version": 2}})]))
    (one,) = read(recording)
    assert one.replies["dserver/Pub/1"].error == "can't read its answer: version: expected 1, found 2"


def test_parse_takes_what_was_recorded(tmp_path):
    recording = tmp_path / "recording.jsonl"
    line = poll(1, Pub={"data": answer(5)}, Sub={"error": "down"})
    recording.write_bytes(text_of([line]))
    (found,) = read(recording)
    expected = parse(answer(5))
    assert parse(found) == parse(line) == found.answers == {"dserver/Pub/1": expected}
    assert parse(found.replies["dserver/Pub/1"]) == parse(line["replies"]["dserver/Pub/1"]) == expected
    for failed in (found.replies["dserver/Sub/1"], line["replies"]["dserver/Sub/1"]):
        with pytest.raises(AnswerError, match="down"):
            parse(failed)


# ---- several ----


def test_several_files(tmp_path):
    paths = []
    for name, numbers in (("night-20260301T120002.jsonl", (0, 1, 2)), ("night.jsonl", (3, 4)), ("other.jsonl", (0, 2, 5, 1))):
        paths.append(tmp_path / name)
        paths[-1].write_bytes(text_of(poll(number, **{name[0].upper(): {"data": answer(number)}}) for number in numbers))

    def numbers(*files, **options):
        return [(found.time.second, Path(found.file).name[0]) for found in read(*files, **options)]

    night = [(number, "n") for number in range(5)]
    assert numbers(*paths[:2]) == night == numbers(*reversed(paths[:2]), merge=True)
    merged = [(0, "n"), (0, "o"), (1, "n"), (2, "n"), (2, "o"), (3, "n"), (4, "n"), (5, "o"), (1, "o")]
    assert numbers(*paths, merge=True) == merged
    # What files have in common comes once.
    assert numbers(paths[0], paths[0], merge=True) == [(0, "n"), (1, "n"), (2, "n")]
    common = tmp_path / "common.jsonl"
    common.write_bytes(text_of([poll(1, N={"data": answer(1)}), poll(2, N={"data": answer(2)}, O={"data": answer(2)}), poll(6, N={"data": answer(6)})]))
    assert numbers(paths[0], common, merge=True) == [(0, "n"), (1, "n"), (2, "n"), (2, "c"), (6, "c")]
    common.write_bytes(text_of([poll(0, N={"data": answer(0)}), {**poll(0), "lost_snapshots": 3}, poll(0, N={"data": answer(0)})]))
    assert numbers(common, common, merge=True) == 3 * [(0, "c")] == numbers(common)
    # Also of what can be read only once.
    assert numbers(paths[0], paths[1], io.BytesIO(paths[2].read_bytes()), merge=True)[:3] == [(0, "n"), (0, "t"), (1, "n")]
    since = datetime.datetime(2026, 3, 1, 12, 0, 1, tzinfo=datetime.timezone.utc)
    for begin in (since, since.astimezone().replace(tzinfo=None), "2026-03-01T12:00:01Z", "2026-03-01T17:30:01"):
        assert numbers(*paths[:2], since=begin, until="2026-03-01T12:00:03Z") == night[1:4]


def test_a_night_in_many_files(tmp_path):
    """More than a process may have open."""
    paths = []
    for number in range(60):
        paths.append(tmp_path / f"night-{number:03}.jsonl.gz")
        paths[-1].write_bytes(gzip.compress(text_of([poll(2 * number, Pub={"error": "x"}), poll(2 * number + 1, Pub={"error": "x"})])))
    script = "import resource, sys; resource.setrlimit(resource.RLIMIT_NOFILE, (20, 20))\n" \
             "from ska_tango_event_monitor import read\n" \
             "times = [poll.time for poll in read(*sys.argv[1:], merge=True)]\nassert times == sorted(times)\nprint(len(times))"
    random.Random(1).shuffle(paths)
    done = run_python(script, *paths)
    assert done.stdout == "120\n"


def run_python(script, *args, **more):
    env = clean_environment(PYTHONPATH=ROOT / "packaging" / "python", **more.pop("env", {}))
    return subprocess.run(
        [PYTHON, "-c", script, *map(str, args)], env=env, capture_output=True, text=True, timeout=60, check=True, **more
    )


def test_it_reads_as_it_goes(tmp_path):
    """From a pipe, whose next line isn't there yet; and its memory doesn't grow."""
    reading, writing = os.pipe()
    with os.fdopen(reading, "rb") as file:
        polls = read(file)
        for number in range(3):
            os.write(writing, text_of([poll(number, Pub={"data": answer(number)})]))
            assert next(polls).time.second == number
        os.close(writing)
        assert list(polls) == []
    recording = tmp_path / "large.jsonl.gz"
    line = text_of([poll(1, Pub={"data": answer(1, new="x" * 100_000)})])
    with gzip.open(recording, "wb", compresslevel=1) as out:
        for _ in range(2000):
            out.write(line)
    script = "import re, sys\nfrom ska_tango_event_monitor import read\n" \
             "print(sum(1 for _ in read(sys.argv[1])), re.search(r'VmHWM:\\s*([0-9]+)', open('/proc/self/status').read())[1])"
    count, memory = map(int, run_python(script, recording).stdout.split())
    assert count == 2000 and memory < 60_000  # KiB, of 200 MB


@pytest.mark.parametrize("path", ["/usr/bin:/bin", str(BUILD / "bin")], ids=["zstd", "our program"])
def test_zstd_by_a_program(tmp_path, path):
    """Python before 3.14 has no module for it. What is read from standard input works, too; no process is left, and
    nothing is closed that was never opened, which only newer or stricter Pythons tell."""
    recording = tmp_path / "recording.jsonl.zst"
    recording.write_bytes(packed(text_of(changing(2000)), ".zst"))
    script = "import sys\nfrom ska_tango_event_monitor import read\nfor given in sys.argv[1:]:\n" \
             "    first = next(read(given)) if given != '-' else None\n    print(sum(1 for _ in read(given)))"
    with recording.open("rb") as standard_input:
        done = run_python(script, recording, "-", stdin=standard_input, env={"PATH": path, "PYTHONDEVMODE": "1"})
    assert (done.stdout, done.stderr) == ("2000\n2000\n", "")
    recording.write_bytes(recording.read_bytes()[:-10])
    done = run_python(script, recording, env={"PATH": path, "PYTHONDEVMODE": "1"})
    assert 1000 < int(done.stdout) < 2000 and "cut off" in done.stderr


# A frame of it is zstd's magic number and an xz stream.
ZSTD_MODULE = """
import lzma
class ZstdError(Exception): pass
class DecompressionParameter: window_log_max = 7
class ZstdDecompressor:
    def __init__(self, zstd_dict=None, options=None):
        assert options == {7: 31}
        self.magic, self.xz = b"", lzma.LZMADecompressor()
    def decompress(self, data, max_length=-1):
        more = 4 - len(self.magic)
        self.magic, data = self.magic + data[:more], data[more:]
        try:
            return self.xz.decompress(data, max_length) if data or not self.xz.needs_input else b""
        except lzma.LZMAError as error:
            raise ZstdError(error)
    eof = property(lambda self: self.xz.eof)
    needs_input = property(lambda self: self.xz.needs_input)
    unused_data = property(lambda self: self.xz.unused_data)
"""


@pytest.mark.skipif(sys.version_info >= (3, 14), reason="Python has the real module, which all other tests use")
def test_zstd_by_pythons_own_module(tmp_path):
    """With something that has the methods of compression.zstd, which is in Python from 3.14 on."""
    (tmp_path / "compression").mkdir()
    (tmp_path / "compression" / "zstd.py").write_text(ZSTD_MODULE)
    recording = tmp_path / "recording.jsonl.zst"
    lines = text_of(changing(3000)).splitlines(keepends=True)
    magic = b"\x28\xb5\x2f\xfd"
    frames = [magic + lzma.compress(b"".join(lines[i : i + 1000]), preset=0) for i in range(0, 3000, 1000)]
    script = "import sys; sys.path.insert(0, sys.argv[1])\nfrom ska_tango_event_monitor import read\n" \
             "print(sum(1 for _ in read(sys.argv[2])))"
    for data, least, most, said in (
        (b"".join(frames), 3000, 3000, ""),
        (b"".join(frames)[:-3000], 2000, 2999, "cut off"),
        (frames[0] + frames[1][:1000] + b"x" + frames[1][1001:], 1000, 1999, "damaged after line"),
    ):
        recording.write_bytes(data)
        done = run_python(script, tmp_path, recording, env={"PATH": "/nowhere"})
        assert least <= int(done.stdout) <= most
        assert said in done.stderr and bool(said) == bool(done.stderr)


def test_importing_it_stays_cheap():
    """What isn't used isn't imported."""
    script = "import sys, ska_tango_event_monitor as m\n" \
             "print(sorted(n for n in sys.modules if n in ('lzma', 'subprocess', 'csv', 'tempfile', 'ska_tango_event_monitor.recordings')))\n" \
             "assert set(m.__all__) <= set(dir(m)) and all(getattr(m, name) for name in m.__all__)"
    assert run_python(script).stdout == "[]\n"
