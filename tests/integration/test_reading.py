"""Reading recordings: old ones, damaged ones, ones that other tools accept; and reading back our own."""

import fcntl
import gzip
import json
import lzma
import os
import re
import resource
import subprocess
import termios
from pathlib import Path

import pytest
from tango_servers import MONITOR, clean_environment, die_with_parent, run_monitor, start_monitor, wait_for

DATA = Path(__file__).resolve().parents[1] / "data"


@pytest.fixture(autouse=True)
def _programs(monitor_bin):
    """All of these need the monitor."""


def answer(count=1, **more):
    counters = {"tango://h:1/a/b/c/x.change": count}
    return {"version": 1, "server": {"event_counters": counters, "perf": None}, "client": None, **more}


def poll(number, **replies):
    replies = {f"dserver/{name}/1": reply for name, reply in replies.items()}
    return {"time": f"2026-03-01T12:00:{number % 60:02}.000000+00:00", "replies": replies}


def polls(count):
    return [poll(number, Pub={"data": answer(number + 1)}) for number in range(count)]


def text_of(lines):
    return "".join(json.dumps(line) + "\n" for line in lines).encode()


def shell(command, data):
    return subprocess.run(command, input=data, stdout=subprocess.PIPE, shell=True, check=True).stdout


def read(source, *options, **more):
    """The recording written again in full: its lines, and the messages."""
    result = run_monitor("--read", source, "-q", "-o", "-", *options, **more)
    return [json.loads(line) for line in result.stdout.splitlines()], result


def reads(source, expected):
    """It is read without a message."""
    lines, result = read(source)
    assert (result.returncode, result.stderr) == (0, "")
    assert [line["replies"] for line in lines] == [line["replies"] for line in expected]


# ---- the older tool ----


def older_line(number, replies, end=""):
    """A line as the script of early 2025 wrote it: no offset, no fraction of a whole second."""
    fraction = f".{number:06}" if number else ""
    text = ",".join(f'"{name}":{reply}' for name, reply in replies.items())
    return f'{{"time":"2025-02-20T10:00:{number:02}{fraction}", "replies":{{{text}{end}\n'


ERROR = (
    "(DevError(desc = 'Failed to connect to device dserver/Sub/1\nThe connection request was delayed.\n"
    "The last connection request was done less than 1000 ms ago', origin = 'Connection::reconnect',"
    " reason = 'API_CantConnectToDevice', severity = tango._tango.ErrSeverity.ERR),)"
)


def older_recording():
    legacy = json.loads((DATA / "legacy-both.json").read_text())
    lines = []
    expected = []
    for number in range(6):
        pub = {"data": legacy["publisher"]}
        pub["data"]["server"]["event_counters"]["tango://old:10000/foo/bar/pub/attr.change"] += 10
        replies = {"dserver/Pub/1": json.dumps(pub, separators=(",", ":"))}
        sub = {"error": ERROR} if number in (2, 3) else {"data": legacy["subscriber"]}
        # As it wrote an error: without escapes.
        replies["dserver/Sub/1"] = f'{{"error":"{ERROR}"}}' if "error" in sub else json.dumps(sub)
        # One was written whole, by a later one.
        lines.append(older_line(number, replies, "}}" if number == 4 else ""))
        expected.append({"dserver/Pub/1": json.loads(json.dumps(pub)), "dserver/Sub/1": sub})
    return "".join(lines).encode(), expected


@pytest.mark.parametrize("packer", ["cat", "gzip", "zstd -q", "xz"])
def test_what_the_older_tool_recorded(tmp_path, packer):
    text, expected = older_recording()
    recording = tmp_path / "old"
    recording.write_bytes(shell(packer, text))
    lines, result = read(recording, TZ="XYZ-5:30")
    assert result.returncode == 0
    assert re.fullmatch(r".*/old: line 1 lacks its last two braces, like all lines of an older tool: .*\n", result.stderr)
    assert [line["replies"] for line in lines] == expected
    assert [line["time"] for line in lines[:2]] == [
        "2025-02-20T10:00:00.000000+05:30",
        "2025-02-20T10:00:01.000001+05:30",
    ]
    # And it is shown: from the second poll on, what changed.
    result = run_monitor("--read", recording, "--format", "jsonl")
    steps = [
        [stream["pushed_step"] for stream in server["published"] if stream["stream"].endswith("attr.change")]
        for line in result.stdout.splitlines()[1:-1]
        for server in json.loads(line)["servers"]
        if server["server"] == "dserver/Pub/1"
    ]
    assert steps == [[10]] * 5


def test_a_line_that_only_looks_like_the_older_tools(tmp_path):
    """Cut off where a server's answer ends: that a server is missing would be a guess."""
    recording = tmp_path / "recording.jsonl"
    whole = json.dumps(poll(1, Pub={"data": answer()}, Sub={"error": "down"}))
    recording.write_text(whole + "\n" + whole[: whole.index(', "dserver/Sub')])
    lines, result = read(recording)
    assert len(lines) == 1 and result.returncode == 0
    assert re.fullmatch(r".*: line 2, the last one, is cut off\n", result.stderr)
    for wrong in (whole[:-3], whole[:-1], whole[:-2] + "}", whole + "}", '{"time":"2025-02-20T10:00:00"'):
        recording.write_text(wrong + "\n" + whole + "\n")
        lines, result = read(recording)
        assert len(lines) == 1 and result.returncode == 1, wrong
        assert re.fullmatch(r".*: line 1 is not JSON, and is skipped: .*\n", result.stderr)
    # An error text without an end damages no other poll.
    recording.write_text('{"time":"2025-02-20T10:00:00","replies":{"a":{"error":"x\ny\nz\n' + whole + "\n")
    lines, result = read(recording)
    assert len(lines) == 1 and result.returncode == 1
    assert re.fullmatch(r".*: lines 1 to 3 are not JSON, and are skipped: .*\n", result.stderr)


# ---- what is recorded reads back ----


@pytest.mark.parametrize("options", [[], ["--changes"]])
def test_a_deep_answer_costs_no_other_server_its_line(servers, agent_lib, tmp_path, options):
    good = servers.publisher("test/good/1", agent=True)
    liar = servers.liar()
    recording = tmp_path / "recording.jsonl"
    for depth, whole in ((197, True), (198, True), (200, True), (201, False)):
        deep = '{"version":1,"x":' + "[" * (depth - 1) + "]" * (depth - 1) + "}"
        liar.proxy().Answer(deep)
        run_monitor("-q", "-n", 2, "--poll-period", 0.05, "-o", recording, *options, liar.admin, good.admin)
        lines, result = read(recording)
        assert (result.returncode, result.stderr) == (0, "")
        assert len(lines) == 2
        for line in lines:
            assert "data" in line["replies"][good.admin]
            assert ("data" in line["replies"][liar.admin]) == whole
        copy = tmp_path / "copy.jsonl"
        run_monitor("--read", recording, "-q", "-o", copy, *options)
        reads(copy, lines)


def test_a_copy_says_what_the_recording_says(tmp_path):
    """Answers that were not JSON are kept, and so are the lines about losses."""
    lines = [
        poll(1, Pub={"data": answer()}, Sub={"error": "the answer is not JSON: not UTF-8", "text": '{"a":"\ufffd"}'}),
        {**poll(2), "lost_snapshots": 7, "lost_since": "2026-03-01T12:00:01.000000+00:00"},
        poll(3, Pub={"error": "down"}, Sub={"error": "the answer is not JSON: x", "text": 'a\0"b'}),
        {**poll(4), "cut_off": '{"time":'},
    ]
    recording = tmp_path / "recording.jsonl"
    recording.write_bytes(text_of(lines))
    for options in ([], ["--changes"]):
        copy = tmp_path / "copy.jsonl.gz"
        result = run_monitor("--read", recording, "-q", "-o", copy, *options, TZ="UTC")
        assert result.returncode == 0
        assert re.fullmatch(r".*: line 2: 7 snapshots were lost before it\n", result.stderr)
        assert [json.loads(line) for line in gzip.open(copy, "rt")] == lines


# ---- files that change under the monitor ----


@pytest.mark.parametrize("left", [0, 100])
def test_after_somebody_has_emptied_the_file_the_next_line_is_whole(servers, agent_lib, tmp_path, left):
    """As logrotate's copytruncate does; with a part of a line that is left in it, too."""
    pub = servers.publisher(agent=True)
    recording = tmp_path / "recording.jsonl"
    monitor = start_monitor("-q", "--poll-period", 0.2, "--changes", "-o", recording, pub.name())

    def lines():
        return recording.read_text().splitlines() if recording.exists() else []

    try:
        wait_for(lambda: len(lines()) > 3, what="some polls")
        os.truncate(recording, left)
        wait_for(lambda: len(lines()) > 3, what="more polls")
    finally:
        monitor.terminate()
        _, errors = monitor.communicate(timeout=30)
    assert (monitor.returncode, errors) == (0, "")
    found = [json.loads(line) for line in lines()]
    if left:
        assert len(found.pop(0)["cut_off"]) == left
    assert "data" in found[0]["replies"][pub.admin]
    assert not any("data" in line["replies"][pub.admin] for line in found[1:])
    copied, result = read(recording)
    assert result.returncode == 0 and len(copied) == len(lines())
    assert all("data" in line["replies"][pub.admin] for line in copied if line["replies"])


def test_rotated_files_in_order(tmp_path):
    """Sorted by their names they are in the order of time, however many there are within a second."""
    recording = tmp_path / "source.jsonl"
    recording.write_bytes(text_of(polls(200)))
    result = run_monitor("--read", recording, "-q", "-o", tmp_path / "night.jsonl.gz", "--rotate", "1k", "--changes=2")
    assert (result.returncode, result.stderr) == (0, "")
    whole = subprocess.run(
        'for file in night*; do echo "$file" >&2; done; cat night*',
        shell=True, cwd=tmp_path, capture_output=True, env={**os.environ, "LC_ALL": "C"}, check=True,
    )
    names = whole.stderr.decode().split()
    assert len(names) > 12 and names[-1] == "night.jsonl.gz"
    assert all(re.fullmatch(r"night-\d{8}T\d{6}(n\d{6})?\.jsonl\.gz", name) for name in names[:-1])
    all_of_them = tmp_path / "whole"
    all_of_them.write_bytes(whole.stdout)
    lines, _ = read(all_of_them)
    assert [line["replies"] for line in lines] == [line["replies"] for line in polls(200)]


def test_rotation_through_a_symbolic_link(tmp_path):
    recording = tmp_path / "source.jsonl"
    recording.write_bytes(text_of(polls(60)))
    disk = tmp_path / "disk"
    disk.mkdir()
    link = tmp_path / "live.jsonl"
    link.symlink_to("disk/night.jsonl")
    result = run_monitor("--read", recording, "-q", "-o", link, "--rotate", "1k")
    assert (result.returncode, result.stderr) == (0, "")
    assert link.is_symlink() and link.resolve() == disk / "night.jsonl"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["disk", "live.jsonl", "source.jsonl"]
    files = sorted(disk.iterdir())
    assert len(files) > 3 and files[-1] == disk / "night.jsonl"
    lines = [json.loads(line)["replies"] for path in files for line in path.read_text().splitlines()]
    assert lines == [line["replies"] for line in polls(60)]


@pytest.mark.parametrize("ending, unpack", [("gz", "zcat"), ("zst", "zstdcat"), ("xz", "xzcat")])
def test_going_on_behind_a_block_of_which_nothing_can_be_read(tmp_path, ending, unpack):
    recording = tmp_path / f"recording.jsonl.{ending}"
    source = tmp_path / "source.jsonl"
    source.write_bytes(text_of(polls(2)))
    run_monitor("--read", source, "-q", "-o", recording)
    whole = recording.read_bytes()
    run_monitor("--read", source, "-q", "-n", 1, "-o", recording)
    size = recording.stat().st_size
    recording.write_bytes(whole[: size + 14])
    result = run_monitor("--read", source, "-q", "-a", "-o", recording)
    assert result.returncode == 0
    assert "its last block was cut off, and nothing of it can be read" in result.stderr
    lines = shell(unpack, recording.read_bytes()).splitlines()
    lines = [json.loads(line) for line in lines]
    assert [line.get("cut_off") for line in lines] == [None, "", None, None]


def test_changes_with_its_number_behind_a_blank(tmp_path):
    result = run_monitor("-o", tmp_path / "x", "--changes", 50, "a/b/c")
    assert result.returncode == 2
    assert "--changes 50: the number follows an equals sign: --changes=50" in result.stderr
    text = " ".join(run_monitor("--help").stdout.split())
    assert "compressed if it ends in .gz, .zst or .xz; - is standard output: then no" in text


# ---- what others take for whole ----


def xz_with_padding(text):
    return lzma.compress(text) + bytes(8) + lzma.compress(text) + bytes(4)


@pytest.mark.parametrize(
    "pack, times",
    [
        pytest.param(lambda text: shell("pzstd -q -p 2", text), 1, id="pzstd"),
        pytest.param(lambda text: shell("zstd -q --long=31", text), 1, id="zstd with a large window"),
        pytest.param(lambda text: shell("zstd -q --ultra -22 --long=28 --no-content-size", text), 1, id="zstd -22"),
        pytest.param(xz_with_padding, 2, id="xz with padding"),
        pytest.param(lambda text: gzip.compress(text) + bytes(1000), 1, id="gzip with zeros behind"),
        pytest.param(lambda text: b"\xef\xbb\xbf" + text, 1, id="a byte order mark"),
        pytest.param(lambda text: gzip.compress(b"\xef\xbb\xbf" + text) * 2, 2, id="more of them, compressed"),
        pytest.param(lambda text: text.replace(b"\n", b"\r\n"), 1, id="CRLF"),
        pytest.param(lambda text: b"", 0, id="nothing"),
    ],
)
def test_what_others_take_for_whole(tmp_path, pack, times):
    recording = tmp_path / "recording"
    recording.write_bytes(pack(text_of(polls(3))))
    reads(recording, polls(3) * times)


def test_a_large_window_is_not_a_small_file(tmp_path):
    """One whose frame says that it needs 4 GiB; and with more data than the default allows."""
    recording = tmp_path / "recording"
    recording.write_bytes(b"\x28\xb5\x2f\xfd\x00" + bytes([(32 - 10) << 3]) + b"\x01\x00\x00")
    result = run_monitor("--read", recording, "-q")
    assert result.returncode == 1
    assert "can't decompress the data after line 0: that takes more than 2 GiB of memory" in result.stderr


@pytest.mark.parametrize("packer", ["cat", "gzip", "zstd -q", "xz", "pzstd -q"])
def test_standard_input_that_comes_byte_by_byte(packer):
    data = shell(packer, text_of(polls(2)))
    process = subprocess.Popen(
        [MONITOR, "--read", "-", "-q", "-o", "-"],
        env=clean_environment(), bufsize=0, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )

    def is_read():
        return fcntl.ioctl(process.stdin, termios.FIONREAD, bytes(4)) == bytes(4)

    try:
        for byte in data[:8]:
            process.stdin.write(bytes([byte]))
            wait_for(is_read, what="the byte to be read")
        output, errors = process.communicate(data[8:], timeout=30)
    finally:
        process.kill()
    assert (process.returncode, errors) == (0, b"")
    assert [json.loads(line)["replies"] for line in output.splitlines()] == [p["replies"] for p in polls(2)]


@pytest.mark.parametrize("ending, padding", [("gz", 3), ("xz", 4)])
def test_going_on_behind_zeros(tmp_path, ending, padding):
    """gzip would stop at them: they are removed."""
    recording = tmp_path / f"recording.jsonl.{ending}"
    source = tmp_path / "source.jsonl"
    source.write_bytes(text_of(polls(2)))
    run_monitor("--read", source, "-q", "-o", recording)
    recording.write_bytes(recording.read_bytes() + bytes(padding))
    result = run_monitor("--read", source, "-q", "-a", "-o", recording)
    assert (result.returncode, result.stderr) == (0, "")
    tool = {"gz": "zcat", "xz": "xzcat"}[ending]
    assert len(shell(tool, recording.read_bytes()).splitlines()) == 4
    reads(recording, polls(2) * 2)


@pytest.mark.parametrize("packer", ["gzip -9", "zstd -q -19", "xz -6"])
def test_a_small_file_of_a_large_recording_is_unpacked_as_it_is_read(tmp_path, packer):
    """60 MB of text in a few kilobytes: text that is decompressed but not yet read would be in memory."""
    recording = tmp_path / "recording"
    line = text_of([poll(1, Pub={"data": answer(unknown=" " * 10_000)})])
    count = 6_000
    with recording.open("wb") as out:
        process = subprocess.Popen(packer, shell=True, stdin=subprocess.PIPE, stdout=out)
        for _ in range(count // 100):
            process.stdin.write(line * 100)
        process.stdin.close()
        assert process.wait() == 0
    process = subprocess.Popen(
        [MONITOR, "--read", recording, "-q", "-o", "-"],
        env=clean_environment(), stdout=subprocess.PIPE, preexec_fn=die_with_parent,
    )
    lines = peak = 0
    try:
        while block := process.stdout.read(1 << 20):
            lines += block.count(b"\n")
            # Not ru_maxrss: that of a child begins with what its parent had at the fork.
            found = re.search(r"VmHWM:\s+(\d+)", Path(f"/proc/{process.pid}/status").read_text())
            peak = int(found[1]) if found else peak
        assert process.wait(timeout=30) == 0
    finally:
        process.kill()
        process.stdout.close()
    assert lines == count
    # A sanitizer keeps what was freed.
    assert 0 < peak < 60_000 or "TEST_PRELOAD" in os.environ


def test_a_string_too_long_for_any_message(tmp_path):
    """In the middle of others, which are read."""
    recording = tmp_path / "recording.zst"
    beginning, _, end = json.dumps(poll(2, Pub={"data": {"version": 1, "x": "@"}})).partition("@")
    with recording.open("wb") as out:
        process = subprocess.Popen("zstd -q -1", shell=True, stdin=subprocess.PIPE, stdout=out)
        process.stdin.write(text_of(polls(1)) + beginning.encode())
        for _ in range(257):
            process.stdin.write(b"x" * (1 << 20))
        process.stdin.write(end.encode() + b"\n" + text_of(polls(1)))
        process.stdin.close()
        assert process.wait() == 0
    lines, result = read(recording)
    assert len(lines) == 2 and result.returncode == 1
    assert "line 2 is not JSON, and is skipped: a string or number of more than 256 MiB" in result.stderr


# ---- damaged ones ----


def test_changes_behind_a_line_that_was_left_out_are_held_against_nothing(tmp_path):
    """What that line changed isn't known: the answers after it would be guesses."""
    recording = tmp_path / "recording.jsonl"
    lines = polls(1)
    for number in (1, 2):
        counters = {"tango://h:1/a/b/c/x.change": number} if number == 2 else {"y": 5}
        lines.append(poll(number, Pub={"changes": {"server": {"event_counters": counters}}}))
    lines += [*polls(4)[3:], poll(4, Pub={"changes": {"client": {}}})]
    text = text_of(lines)
    for damage in ((b'"y"', b"y"), (b'"replies": {"dserver/Pub/1": {"changes"', b'"replace": {"dserver/Pub/1": {"changes"')):
        recording.write_bytes(text.replace(*damage, 1))
        copied, result = read(recording)
        assert result.returncode == 1 and "line 2 is no" in result.stderr and result.stderr.count("\n") == 1
        replies = [line["replies"]["dserver/Pub/1"] for line in copied]
        assert replies[1] == {"error": "the recording has what changed, but no answer to apply it to"}
        assert [reply["data"] for reply in (replies[0], *replies[2:])] == [answer(1), answer(4), answer(4, client={})]


def test_what_is_no_recording_at_all_is_told_in_a_few_lines(tmp_path):
    recording = tmp_path / "recording.jsonl"
    noise = b"".join(b"\xff%d\n" % number for number in range(2000))
    recording.write_bytes(noise)
    lines, result = read(recording)
    assert (result.returncode, lines) == (1, [])
    said = result.stderr.splitlines()
    assert len(said) == 11 and "line 10 is not JSON" in said[9] and "only counted" in said[9]
    assert said[10].endswith(": it begins with 1000 lines that are not from a recording: reading stops")
    # After something good it goes on to the end, and reports how much there was.
    recording.write_bytes(text_of(polls(1)) + noise + text_of(polls(2)))
    lines, result = read(recording)
    assert (result.returncode, len(lines)) == (1, 3)
    assert len(result.stderr.splitlines()) == 11
    assert result.stderr.endswith(": 1990 more lines are skipped\n")


def run_within(megabytes, *args):
    """The monitor, which ends with an error where it wants more memory than that. A child's
    ru_maxrss won't do: it begins with what its parent had at the fork."""

    def limit():
        if not os.environ.get("TEST_PRELOAD"):  # sanitizers keep what is freed
            resource.setrlimit(resource.RLIMIT_DATA, (megabytes << 20, megabytes << 20))

    command = [MONITOR, *args]
    return subprocess.run(command, preexec_fn=limit, capture_output=True, text=True, check=False)


def test_a_line_that_is_no_object_takes_no_memory(tmp_path):
    """A disk that was full, or a device, has zeros without an end."""
    recording = tmp_path / "recording.jsonl"
    with recording.open("wb") as out:
        out.truncate(1 << 30)
        out.seek(0, os.SEEK_END)
        out.write(b"\n" + text_of(polls(1)))
    done = run_within(300, "--read", recording, "-q", "-o", "-")
    assert done.returncode == 1 and len(done.stdout.splitlines()) == 1
    assert "line 1 is longer than any line of a recording" in done.stderr


@pytest.mark.parametrize("zone", ["UTC", "XYZ+12", "XYZ-14"])
def test_times_that_no_calendar_has(tmp_path, zone):
    recording = tmp_path / "recording.jsonl"
    copy = tmp_path / "copy.jsonl"
    bad = ["0000-01-01T00:00:00Z", "9998-12-31T23:59:59-00:01", "2026-02-30T00:00:00Z", "2025-02-29T00:00:00"]
    bad += [f"2026-03-01T12:00:00{end}" for end in ("+99:99", "+-1:-1", "+01:00x", "Zx", "Z\0x", "+24:00", "+1")]
    good = ["2024-02-29T00:00:00Z", "1969-12-31T23:59:59.5Z", "1970-01-01T00:00:00", "9998-12-31T23:59:59Z"]
    recording.write_bytes(text_of([{**poll(0, Pub={"data": answer()}), "time": time} for time in bad + good]))
    result = run_monitor("--read", recording, "-q", "-o", copy, TZ=zone)
    assert result.returncode == 1 and result.stderr.count("\n") == 11
    assert len(copy.read_bytes().splitlines()) == len(good)
    again, result = read(copy, TZ=zone)
    assert (result.returncode, result.stderr) == (0, "")
    assert again == [json.loads(line) for line in copy.read_bytes().splitlines()]


def test_hostile_numbers_of_a_line(tmp_path):
    recording = tmp_path / "recording.jsonl"
    for lost, told in (("3", "3 snapshots"), ("-1", "snapshots"), ('{"a":"' + "x" * 99999 + '"}', "snapshots")):
        recording.write_text('{"time":"2026-03-01T12:00:00Z","replies":{},"lost_snapshots":' + lost + "}\n")
        lines, result = read(recording)
        assert result.returncode == 0 and len(lines) == 1
        assert result.stderr.endswith(f": line 1: {told} were lost before it\n")
    lines = [poll(number, Pub={"data": answer(number), "answered": 10.0**300 * number}) for number in range(3)]
    recording.write_bytes(text_of(lines))
    result = run_monitor("--read", recording)
    assert result.returncode == 0 and max(map(len, result.stdout.splitlines())) < 200


def test_a_copy_says_when_what_is_no_json_was_answered(tmp_path):
    recording = tmp_path / "recording.jsonl"
    reads_as = [poll(0, Pub={"error": "the answer is not JSON: x", "text": "a\0b", "answered": 12.5})]
    recording.write_bytes(text_of(reads_as))
    reads(recording, reads_as)


def test_a_server_that_is_in_a_line_twice(tmp_path):
    recording = tmp_path / "recording.jsonl"
    copy = tmp_path / "copy.jsonl"
    replies = [f'"dserver/Pub/1":{{"data":{json.dumps(answer(count, z=count))}}}' for count in (5, 7, 6, 5, 7, 9)]
    lines = [f'{{"time":"2026-03-01T12:00:00Z","replies":{{{",".join(replies[i:i + 2])}}}}}\n' for i in (0, 2, 4)]
    recording.write_text("".join(lines))
    assert run_monitor("--read", recording, "-q", "-o", copy, "--changes").returncode == 0
    assert copy.read_text().count('"changes"') == 2
    assert run_monitor("--read", copy).stdout == run_monitor("--read", recording).stdout != ""


# ---- appending to existing files ----


def append(source, recording):
    return run_monitor("--read", source, "-q", "-o", recording, "-a")


@pytest.mark.parametrize("packer, ending", [("gzip", ".gz"), ("zstd -q", ".zst"), ("xz", ".xz")])
def test_lines_are_not_appended_to_what_is_compressed(tmp_path, packer, ending):
    """Under another name: its last line would look incomplete, and be cut off."""
    source = tmp_path / "source"
    recording = tmp_path / "recording.jsonl"
    source.write_bytes(text_of(polls(3)))
    packed = shell(packer, text_of(polls(50)))
    recording.write_bytes(packed)
    result = append(source, recording)
    assert (result.returncode, recording.read_bytes()) == (1, packed)
    assert "recording.jsonl: can't record there: the existing file is compressed with" in result.stderr
    assert f"so its name must end in {ending}: rename it" in result.stderr
    renamed = recording.rename(tmp_path / f"recording.jsonl{ending}")
    assert append(source, renamed).returncode == 0
    reads(renamed, polls(50) + polls(3))


def test_appending_takes_memory_for_what_is_torn_alone(tmp_path):
    source = tmp_path / "source"
    source.write_bytes(text_of(polls(1)))
    recording = tmp_path / "recording.jsonl.zst"
    recording.write_bytes(shell("head -c 600M /dev/zero | tr '\\0' '\\n' | zstd -q", b""))
    done = run_within(256, "--read", source, "-q", "-o", recording, "-a")
    assert (done.returncode, done.stderr) == (0, "")
    # A line that never ends is left as it is.
    endless = tmp_path / "recording.jsonl"
    with endless.open("wb") as out:
        out.truncate((1 << 30) + 1)
    result = append(source, endless)
    assert result.returncode == 1 and endless.stat().st_size == (1 << 30) + 1
    assert "incomplete, and too long to be kept: move it away" in result.stderr
