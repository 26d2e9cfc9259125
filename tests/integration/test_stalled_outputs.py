"""The monitor goes on whatever happens to its outputs, and shuts down cleanly on any signal."""

import contextlib
import fcntl
import json
import os
import re
import resource
import signal
import socket
import subprocess
import termios
import time
from pathlib import Path

import pytest
from tango_servers import MONITOR, clean_environment, die_with_parent, free_port, need, wait_for
from watching import END_S, LONG_S, PROGRAM, end_of, in_time, lines, message, perf_is_on, thaw


@pytest.fixture(autouse=True)
def _programs(monitor_bin, agent_lib):
    """All of these need the monitor and the agent."""


@pytest.fixture
def telling(start, tmp_path):
    """Starts the monitor like start(); its ``said()`` returns its messages on standard error so far."""

    def run(*args, **options):
        errors = tmp_path / "errors"
        with errors.open("w") as file:
            monitor = start(*args, stderr=file, **options)
        monitor.said = errors.read_text
        return monitor

    return run


def polls(path):
    """How many polls are in a recording so far; its last line may just be being written."""
    return path.read_bytes().count(b"\n") if path.exists() else 0


# Signals ------------------------------------------------------------------------------------

STOPS = [
    signal.SIGQUIT, signal.SIGUSR1, signal.SIGUSR2, signal.SIGALRM, signal.SIGVTALRM, signal.SIGPROF,
    signal.SIGXCPU, signal.SIGIO, signal.SIGPWR, signal.SIGSTKFLT, signal.SIGRTMIN, signal.SIGRTMAX,
]


def test_whatever_could_kill_it_stops_it_in_order(publisher, start, tmp_path):
    for number in STOPS:
        recording = tmp_path / f"{number}.jsonl"
        monitor = start("-qm", "--poll-period", LONG_S, "-o", recording, publisher.name())
        wait_for(lambda path=recording: polls(path), what="the first poll")
        assert perf_is_on(publisher)
        monitor.send_signal(number)
        assert end_of(monitor) == (0, "", ""), number
        assert not perf_is_on(publisher), number


def test_what_it_was_started_to_ignore_stays_ignored(publisher, tmp_path):
    """As nohup does."""
    output = tmp_path / "output.txt"
    ignored = [signal.SIGHUP, signal.SIGUSR1]

    def ignore():
        die_with_parent()
        for number in ignored:
            signal.signal(number, signal.SIG_IGN)

    with output.open("w") as file:
        monitor = subprocess.Popen(
            [str(need(MONITOR)), "--poll-period", "0.05", publisher.name()],
            env=clean_environment(), stdin=subprocess.DEVNULL, stdout=file, stderr=file, preexec_fn=ignore,
        )
    try:
        for number in ignored:
            wait_for(lambda: "no change" in output.read_text(), what="a poll")
            size = output.stat().st_size
            monitor.send_signal(number)
            wait_for(lambda n=size: output.stat().st_size > n + 500, what="polls after that")
        monitor.terminate()
        assert monitor.wait(END_S) == 0
    finally:
        monitor.kill()
        monitor.wait()


def test_a_stopped_monitor_ends_in_order_when_it_goes_on(publisher, start, recording):
    """Ctrl-Z, then kill: as shells and systemd do it, followed by SIGCONT."""
    monitor = start("-qm", "--poll-period", LONG_S, "-o", recording, publisher.name())
    wait_for(lambda: polls(recording), what="the first poll")
    # Not SIGTSTP, which the kernel keeps from a process whose session has no terminal.
    for number in (signal.SIGSTOP, signal.SIGTERM, signal.SIGCONT):
        monitor.send_signal(number)
    assert end_of(monitor) == (0, "", "")
    assert not perf_is_on(publisher)


@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGTERM])
def test_a_signal_that_is_sent_twice_is_one(publisher, telling, freeze, tmp_path, number):
    """timeout(1) does so; and when a terminal is closed, both the kernel and the shell send SIGHUP."""
    output = tmp_path / "output"
    with output.open("w") as file:
        monitor = telling("-m", "--poll-period", 0.1, "--timeout", END_S, publisher.name(), stdout=file)
    wait_for(lambda: perf_is_on(publisher) and output.read_text().count("answered") > 1, what="summaries")
    freeze(publisher)
    monitor.send_signal(number)
    # While it waits for the server.
    wait_for(lambda: "In all:" in output.read_text(), what="the totals", period=0.001)
    if number == signal.SIGHUP:
        time.sleep(0.3)  # a shell that is slow
    monitor.send_signal(number)
    status = Path(f"/proc/{monitor.pid}/status")
    wait_for(lambda: re.search(r"^ShdPnd:\s*0+$", status.read_text(), re.M), what="the signal to be taken")
    thaw(publisher)
    assert monitor.wait(END_S) == 0
    assert "performance monitoring" not in monitor.said()
    assert not perf_is_on(publisher)


def test_a_file_that_may_not_grow(publisher, telling, recording):
    """ulimit -f: like a full disk."""
    monitor = telling("-qm", "--poll-period", 0.05, "-o", recording, publisher.name())
    wait_for(lambda: polls(recording), what="the first poll")
    limit = resource.prlimit(monitor.pid, resource.RLIMIT_FSIZE)
    resource.prlimit(monitor.pid, resource.RLIMIT_FSIZE, (recording.stat().st_size + 100, limit[1]))
    wait_for(monitor.said, what="word of it")
    kept = polls(recording)
    resource.prlimit(monitor.pid, resource.RLIMIT_FSIZE, limit)
    wait_for(lambda: polls(recording) > kept + 1, what="a line after that")
    monitor.terminate()
    assert monitor.wait(END_S) == 1, "snapshots were lost"
    assert lines(recording)[kept]["lost_snapshots"] > 0
    full, again = monitor.said().splitlines()
    assert full == (
        f"{PROGRAM}{recording}: can't record: File too large (see ulimit -f, or --rotate):"
        " snapshots are lost until it works again"
    )
    assert again.startswith(f"{PROGRAM}{recording}: recording again; ")
    assert not perf_is_on(publisher)


# Nobody reads -------------------------------------------------------------------------------


STALLED = "standard output: nobody reads it: summaries are skipped until somebody does; all else goes on"


def dead_servers(count):
    """Names of servers that don't run; each has a line in every summary, and one on standard error."""
    port = free_port()
    return [f"tango://127.0.0.1:{port}/a/server/that_does_not_run_{n}#dbase=no" for n in range(count)]


class Pipe:
    """A pipe that is full already."""

    def __init__(self):
        self.end, self.side = os.pipe()
        fcntl.fcntl(self.side, fcntl.F_SETPIPE_SZ, 4096)
        os.write(self.side, b"#" * 4096)

    def let_go(self):
        """Close our copy of its writing end, so that its reader learns of the end."""
        os.close(self.side)
        self.side = None

    def read(self):
        """Everything written to it until the writer has ended."""
        with os.fdopen(self.end, "rb") as file:
            self.end = None
            return file.read()[4096:].decode()

    def close(self):
        for one in (self.end, self.side):
            if one is not None:
                os.close(one)


@pytest.fixture
def pipe():
    made = Pipe()
    yield made
    made.close()


def left_out_of(text, form):
    """(summaries in a text, summaries that it reports as left out)."""
    if form == "text":
        notes = re.findall(r"^(\d+) summar(?:y was|ies were) left out here: nobody read them$", text, re.M)
        return len(re.findall(r"servers? answered", text)), sum(map(int, notes))
    printed = json.loads(text) if form == "json" else [json.loads(line) for line in text.splitlines()]
    totals = printed.pop()["totals"]
    assert totals["summaries_left_out"] >= sum(poll["summaries_left_out"] for poll in printed)
    return len(printed), totals["summaries_left_out"]


@pytest.mark.parametrize("form", ["text", "json", "jsonl"])
def test_a_reader_that_does_not_read_the_summaries(publisher, telling, recording, pipe, form):
    """Polling and recording go on; what it reads later is whole, and says what is missing."""
    monitor = telling(
        "-m", "--poll-period", 0.02, "--format", form, "-o", recording, publisher.name(), *dead_servers(5),
        stdout=pipe.side,
    )
    pipe.let_go()
    wait_for(lambda: STALLED in monitor.said(), what="word of it")
    recorded = polls(recording)
    wait_for(lambda: polls(recording) > recorded + 10, what="polls after that")
    monitor.terminate()
    # It gives the reader a moment, at its end.
    text = pipe.read()
    assert monitor.wait(END_S) == 1, "summaries were lost"
    assert monitor.said().count(STALLED) == 1
    assert "not shown" not in monitor.said()
    assert not perf_is_on(publisher)
    shown, left_out = left_out_of(text, form)
    assert left_out >= 10
    assert shown + left_out == len(lines(recording))


@pytest.mark.parametrize("output", [[], ["-o", "recording.jsonl"]])
def test_nobody_ever_reads_anything(publisher, start, tmp_path, pipe, output):
    """Neither standard output nor standard error is read, with 40 servers down: SIGTERM shuts it down cleanly."""
    output = [tmp_path / word if word.endswith("jsonl") else word for word in output]
    monitor = start(
        "-m", "--poll-period", 0.05, *output, publisher.name(), *dead_servers(40), stdout=pipe.side, stderr=pipe.side,
    )
    wait_for(lambda: perf_is_on(publisher), what="its start")
    slept = times_slept(monitor)
    wait_for(lambda: polls(output[1]) > 20 if output else times_slept(monitor) > slept + 50, what="polls")
    monitor.terminate()
    begun = time.monotonic()
    assert monitor.wait(END_S) == 1
    assert time.monotonic() - begun < 10
    assert not perf_is_on(publisher)


def test_ctrl_s(publisher, recording, terminal):
    """A stopped terminal stops the display, and nothing else."""
    monitor = terminal("-m", "--poll-period", 0.02, "-o", recording, publisher.name())
    wait_for(lambda: "answered" in monitor.read(), what="a summary")
    monitor.type(b"\x13")  # Ctrl-S
    stopped = polls(recording)
    # Some wait for the terminal; these are more.
    wait_for(lambda: polls(recording) > stopped + 250, timeout=60, what="polls")
    monitor.read()
    before = len(monitor.text)
    monitor.type(b"\x11")  # Ctrl-Q
    wait_for(lambda: "left out here: nobody read them" in monitor.read()[before:], what="word of what was left out")
    assert monitor.read().count(STALLED) == 1
    assert monitor.end() == 1
    assert not perf_is_on(publisher)
    shown, left_out = left_out_of("\n".join(monitor.lines()), "text")
    assert shown + left_out == len(lines(recording))


def test_a_terminal_that_is_closed(publisher, recording, terminal):
    """It is a reader that has gone, and no loss: here of a monitor that isn't told (setsid, nohup)."""
    monitor = terminal("-m", "--poll-period", 0.05, "-o", recording, publisher.name())
    wait_for(lambda: "answered" in monitor.read(), what="a summary")
    os.close(monitor.side)
    monitor.side = os.open(os.devnull, os.O_RDONLY)
    closed = polls(recording)
    wait_for(lambda: polls(recording) > closed + 5, what="polls")
    monitor.process.terminate()
    assert monitor.process.wait(END_S) == 0
    assert not perf_is_on(publisher)


def test_ended_while_the_terminal_is_stopped(publisher, recording, terminal):
    monitor = terminal("-m", "--poll-period", 0.05, "-o", recording, publisher.name(), *dead_servers(40))
    wait_for(lambda: "answered" in monitor.read(), what="a summary")
    monitor.type(b"\x13")
    stopped = polls(recording)
    wait_for(lambda: polls(recording) > stopped + 5, what="polls")
    monitor.process.terminate()
    assert monitor.process.wait(END_S) == 1
    assert not perf_is_on(publisher)


def test_a_background_job_of_a_terminal_that_wants_no_output_of_it(publisher, recording, terminal):
    """stty tostop: it isn't stopped, and shows nothing."""

    def take_terminal():
        die_with_parent()
        os.setsid()
        fcntl.ioctl(0, termios.TIOCSCTTY, 0)

    shell = ["bash", "-c", 'set -m; stty tostop; "$@" & wait %1; stty -tostop; echo "ended: $?"', "bash"]
    monitor = terminal(
        "-m", "-n", 20, "--poll-period", 0.05, "-o", recording, publisher.name(), argv=shell, preexec_fn=take_terminal
    )
    wait_for(lambda: "ended: " in monitor.read(), what="its end")
    assert len(lines(recording)) == 20
    assert "answered" not in monitor.text
    assert not perf_is_on(publisher)


def test_whoever_has_seen_enough_does_not_end_the_recording(publisher, telling, recording):
    """-o FILE | head -1"""
    monitor = telling("-m", "--poll-period", 0.05, "-o", recording, publisher.name())
    assert monitor.stdout.readline()
    monitor.stdout.close()
    monitor.stdout = None
    wait_for(monitor.said, what="word of it")
    recorded = polls(recording)
    wait_for(lambda: polls(recording) > recorded + 5, what="polls after that")
    monitor.terminate()
    assert monitor.wait(END_S) == 0
    assert monitor.said() == message("standard output: its reader has gone: no more summaries; recording goes on")
    assert not perf_is_on(publisher)


def test_a_reader_that_does_not_read_the_recording(publisher, start, pipe):
    """It polls on; a signal ends it, and it reports what nobody has read."""
    monitor = start("-m", "--poll-period", 0.05, "-o", "-", publisher.name(), stdout=pipe.side)
    wait_for(lambda: perf_is_on(publisher), what="its start")
    slept = times_slept(monitor)
    wait_for(lambda: times_slept(monitor) > slept + 50, what="polls")
    monitor.terminate()
    assert monitor.wait(END_S) == 1
    lost = re.fullmatch(
        PROGRAM + r"standard output: its reader has stopped reading: the last (\d+) snapshots are lost\n",
        in_time(monitor.stderr.read()),
    )
    assert int(lost[1]) > 2
    assert not perf_is_on(publisher)


def times_slept(process):
    """How often its main thread has waited for something; each poll adds to that."""
    status = Path(f"/proc/{process.pid}/task/{process.pid}/status").read_text()
    return int(re.search(r"^voluntary_ctxt_switches:\s*(\d+)", status, re.M)[1])


def writes_to_standard_output(process):
    """Whether one of its threads is blocked in write(1, ...): system call 1, descriptor 1."""
    for task in Path(f"/proc/{process.pid}/task").iterdir():
        with contextlib.suppress(FileNotFoundError):  # it has ended meanwhile
            if (task / "syscall").read_text().startswith("1 0x1 "):
                return True
    return False


def test_a_list_that_nobody_reads(publisher, start, pipe):
    monitor = start("--list", publisher.name(), stdout=pipe.side)
    wait_for(lambda: writes_to_standard_output(monitor), what="the list")
    monitor.terminate()
    assert monitor.wait(END_S) == 0


# JSON ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", ["json", "jsonl"])
def test_json_after_a_full_disk(publisher, start, tmp_path, form):
    """An object that was begun is finished when there is space again: the whole output is JSON."""
    output = tmp_path / "output"
    with output.open("w") as file:
        monitor = start(
            "-m", "--poll-period", 0.05, "--format", form, publisher.name(), *dead_servers(40), stdout=file
        )
    wait_for(lambda: output.stat().st_size > 0, what="a summary")
    limit = resource.prlimit(monitor.pid, resource.RLIMIT_FSIZE)
    resource.prlimit(monitor.pid, resource.RLIMIT_FSIZE, (output.stat().st_size + 100, limit[1]))
    slept = times_slept(monitor)
    # Some summaries wait for space, others don't.
    wait_for(lambda: times_slept(monitor) > slept + 1000, what="polls")
    size = output.stat().st_size
    resource.prlimit(monitor.pid, resource.RLIMIT_FSIZE, limit)
    wait_for(lambda: output.stat().st_size > size, what="summaries after that")
    monitor.terminate()
    status, _, errors = end_of(monitor)
    assert status == 1, "summaries were lost"
    assert errors.count(message("standard output: can't print summaries: File too large")) == 1
    shown, left_out = left_out_of(output.read_text(), form)
    assert left_out > 0
    text = output.read_text()
    totals = json.loads(text)[-1] if form == "json" else json.loads(text.splitlines()[-1])
    assert shown + left_out == totals["totals"]["polls"]


def test_json_that_is_ended_while_it_connects(start):
    """A list of nothing is a list."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(END_S)
        host = f"tango://127.0.0.1:{listener.getsockname()[1]}"
        for words, output in (
            ([f"{host}/a/silent/server#dbase=no"], "[]\n"),
            ([f"{host}/names/*/*"], "[]\n"),
            (["--list", f"{host}/a/silent/server#dbase=no"], ""),
            (["-q", f"{host}/a/silent/server#dbase=no"], ""),
            (["-o", "-", f"{host}/a/silent/server#dbase=no"], ""),
        ):
            monitor = start("--format", "json", "--timeout", LONG_S, *words)
            with listener.accept()[0]:
                monitor.terminate()
                assert end_of(monitor) == (0, output, ""), words
