"""Recordings that are compressed, rotated, hold only changes, and are read again."""

import gzip
import json
import os
import re
import signal
import subprocess
from pathlib import Path

import pytest
from tango_servers import run_monitor, start_monitor, wait_for

pytestmark = pytest.mark.sanitizers

TOOLS = {"gz": "zcat", "zst": "zstdcat", "xz": "xzcat"}


@pytest.fixture(autouse=True)
def _programs(monitor_bin, agent_lib):
    """All of these need the monitor and the agent."""


def read_with(tool, path):
    """Everything that the tool reads; it must not complain about the file."""
    result = subprocess.run([tool, path], capture_output=True, text=True, check=False)
    assert (result.returncode, result.stderr) == (0, "")
    return [json.loads(line) for line in result.stdout.splitlines()]


@pytest.mark.parametrize("ending", TOOLS)
def test_a_compressed_recording_of_a_killed_monitor(servers, tmp_path, ending):
    pub = servers.publisher(agent=True)
    recording = tmp_path / f"recording.jsonl.{ending}"
    tool = TOOLS[ending]
    monitor = start_monitor("-q", "--poll-period", 0.05, "-o", recording, pub.name())
    try:
        # It can be read while it is written.
        wait_for(lambda: recording.exists() and recording.stat().st_size > 0, what="a poll")
        wait_for(lambda: len(read_with(tool, recording)) > 5, what="some polls")
    finally:
        monitor.kill()
        monitor.communicate()
    polls = read_with(tool, recording)
    assert all("data" in poll["replies"][pub.admin] for poll in polls)
    result = run_monitor("-n", 2, "--poll-period", 0.05, "-a", "-o", recording, pub.name())
    assert result.returncode == 0
    assert read_with(tool, recording)[: len(polls)] == polls
    assert len(read_with(tool, recording)) == len(polls) + 2
    result = run_monitor("--read", recording, "-q", "-o", tmp_path / "full.jsonl")
    assert (result.returncode, result.stderr) == (0, "")
    full = [json.loads(line) for line in (tmp_path / "full.jsonl").read_text().splitlines()]
    assert full == read_with(tool, recording)


def test_a_compressed_recording_that_is_cut_off(servers, tmp_path):
    """By a crash of the machine, say: the complete lines are read, and it can be appended to."""
    pub = servers.publisher(agent=True)
    recording = tmp_path / "recording.jsonl.gz"
    run_monitor("-n", 3, "--poll-period", 0.05, "-o", recording, pub.name())
    polls = read_with("zcat", recording)
    recording.write_bytes(recording.read_bytes()[:-20])
    result = run_monitor("--read", recording, "-q", "-o", tmp_path / "full.jsonl")
    assert result.returncode == 0
    assert re.fullmatch(r".*: .*recording\.jsonl\.gz: (line 3, the last one, is )?cut off.*\n", result.stderr)
    assert len((tmp_path / "full.jsonl").read_text().splitlines()) == 2
    result = run_monitor("-n", 1, "-a", "-o", recording, pub.name())
    assert result.returncode == 0 and "cut_off" in result.stderr
    again = read_with("zcat", recording)
    assert again[:2] == polls[:2] and len(again) == 4
    assert again[2]["replies"] == {} and again[2]["cut_off"].startswith('{"time":')
    # What is no recording at all is left alone.
    recording.write_text("a letter to somebody\n")
    result = run_monitor("-n", 1, "-a", "-o", recording, pub.name())
    assert result.returncode == 1 and "move it away" in result.stderr
    assert recording.read_text() == "a letter to somebody\n"


def test_rotation(servers, tmp_path):
    pub = servers.publisher(agent=True)
    recording = tmp_path / "night.jsonl.gz"
    result = run_monitor(
        "-q", "-n", 12, "--poll-period", 0.05, "--rotate", "1k", "--changes=4", "-o", recording, pub.name()
    )
    assert (result.returncode, result.stderr) == (0, "")
    files = sorted(tmp_path.glob("night*.gz"), key=lambda path: path.stat().st_mtime_ns)
    assert len(files) > 1 and files[-1] == recording
    for path in files[:-1]:
        assert re.fullmatch(r"night-\d{8}T\d{6}(n\d{6})?\.jsonl\.gz", path.name)
        assert path.stat().st_size >= 1024
    times = []
    for path in files:
        polls = [json.loads(line) for line in gzip.open(path, "rt")]
        # Each file can be read by itself.
        assert "data" in polls[0]["replies"][pub.admin]
        times += [poll["time"] for poll in polls]
    assert len(times) == 12 and times == sorted(times)
    # All of them in one go.
    whole = tmp_path / "whole.gz"
    whole.write_bytes(b"".join(path.read_bytes() for path in files))
    with whole.open("rb") as standard_input:
        result = run_monitor("--read", "-", "-q", "-o", "-", stdin=standard_input)
    assert (result.returncode, result.stderr) == (0, "")
    polls = [json.loads(line) for line in result.stdout.splitlines()]
    assert [poll["time"] for poll in polls] == times
    assert all("data" in poll["replies"][pub.admin] for poll in polls)


def test_changes_only(servers, database, tmp_path):
    """What is read back equals what another monitor recorded in full."""
    pub = servers.cpp_publisher("changes/pub/1", instance="changes-pub", agent=True, database=database)
    sub = servers.cpp_subscriber("changes/sub/1", instance="changes-sub", agent=True, database=database)
    sub.proxy().Subscribe(pub.attribute("burst"))
    recording = tmp_path / "changes.jsonl"
    monitor = start_monitor(
        "-q", "--poll-period", 0.2, "--changes", "-o", recording, pub.admin, sub.admin
    )
    try:
        for count in range(1, 5):
            pub.proxy().PushBurst(10)

            def pushed(wanted=10 * count):
                text = recording.read_text() if recording.exists() else ""
                return f":{wanted}," in text.splitlines()[-1] if text else False

            wait_for(pushed, what="a poll of what was pushed")
    finally:
        monitor.send_signal(signal.SIGTERM)
        monitor.communicate(timeout=30)
    assert monitor.returncode == 0
    lines = recording.read_text().splitlines()
    assert '"data":' in lines[0] and not any('"data":' in line for line in lines[1:])
    result = run_monitor("--read", recording, "-q", "-o", "-")
    assert (result.returncode, result.stderr) == (0, "")
    full = [json.loads(line)["replies"] for line in result.stdout.splitlines()]
    assert len(full) == len(lines)
    counts = [
        next(iter(poll[pub.admin]["data"]["server"]["event_counters"].values()), 0) for poll in full
    ]
    assert counts == sorted(counts) and counts[-1] == 40
    assert all(set(poll[name]) == {"data", "answered"} for poll in full for name in poll)
    when = [poll[pub.admin]["answered"] for poll in full]
    assert when == sorted(set(when))
    # As they are now; but for what a query finds each time anew.
    last = full[-1][pub.admin]["data"]
    now = json.loads(pub.admin_proxy().QueryEventAgent())
    assert last["agent"].pop("time") < now["agent"].pop("time")
    assert last == now
    assert len(lines[-1]) < len(lines[0]) / 2


def test_reading_what_is_no_recording(tmp_path):
    result = run_monitor("--read", tmp_path / "nothing")
    assert result.returncode == 1 and "nothing: can't read it: No such file" in result.stderr
    path = tmp_path / "text"
    path.write_text("hello\n")
    result = run_monitor("--read", path, "-q")
    assert result.returncode == 1
    assert re.fullmatch(r".*/text: line 1 is not JSON, and is skipped: .*\n", result.stderr)
    for wrong in (["--read", path, "a/b/c"], ["--read", path, "--all"], ["--read", path, "--list"]):
        assert run_monitor(*wrong).returncode == 2


def one_poll(tmp_path):
    recording = tmp_path / "recording.jsonl"
    recording.write_text(
        '{"time": "2026-03-01T12:00:00.000000+01:00", "replies": {"dserver/a/1": {"error": "down"}}}\n'
    )
    return recording


@pytest.mark.parametrize("append", [[], ["-a"]])
def test_a_recording_is_not_read_into_itself(tmp_path, append):
    recording = one_poll(tmp_path)
    text = recording.read_text()
    link = tmp_path / "link"
    link.symlink_to(recording)
    for name in (recording, link):
        result = run_monitor("--read", recording, "-o", name, *append)
        assert (result.returncode, result.stdout) == (1, "")
        assert result.stderr == f"ska-tango-event-monitor: {name}: this file is being read: record into another one\n"
        assert recording.read_text() == text


def test_a_recording_that_can_not_be_read(tmp_path):
    result = run_monitor("--read", tmp_path, "-q")
    assert result.returncode == 1
    assert result.stderr == f"ska-tango-event-monitor: {tmp_path}: can't read it: Is a directory\n"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_pipe_is_read_as_it_comes_and_can_be_ended(tmp_path, number):
    text = one_poll(tmp_path).read_bytes()
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    output = tmp_path / "output.txt"
    with output.open("w") as stdout:
        monitor = start_monitor("--read", fifo, stdout=stdout)
    try:
        with fifo.open("wb", buffering=0) as writer:
            for count in (1, 2):
                writer.write(text)
                wait_for(lambda n=count: output.read_text().count("1 FAILED") == n, what="the poll")
            writer.write(text[:20])
            monitor.send_signal(number)
            _, errors = monitor.communicate(timeout=30)
            assert (monitor.returncode, errors) == (0, "")
    finally:
        monitor.kill()
        monitor.communicate()
    assert "In all: 2 polls" in output.read_text()


@pytest.mark.parametrize(("pattern", "shown"), [("*/away/*", ["away"]), ("nothing", [])])
def test_only_some_of_what_is_not_connected(tmp_path, pattern, shown):
    answers = Path(__file__).resolve().parents[1] / "data" / "agent-full.json"
    recording = tmp_path / "recording.jsonl"
    poll = json.loads(one_poll(tmp_path).read_text())
    poll["replies"] = {"dserver/a/1": {"data": json.loads(answers.read_text())["subscriber"]}}
    recording.write_text(json.dumps(poll) + "\n")
    result = run_monitor("--read", recording, "--only", pattern, "--format", "jsonl")
    server = json.loads(result.stdout.splitlines()[0])["servers"][0]
    assert [entry["device"].rpartition("/")[2] for entry in server["not_connected"]] == shown
