"""ska-tango-event-report: what it says of recordings, against the truth."""

import datetime
import gzip
import json
import os
import re
import resource
import signal
import stat
import subprocess

import pytest
from findings import describe, findings_of, of_rule
from report_recordings import LARGE_BURST, LATE_S, PERIOD_S
from tango_servers import BUILD, clean_environment, die_with_parent, need, run_monitor, wait_for

pytestmark = pytest.mark.usefixtures("monitor_bin", "agent_lib")
REPORT = BUILD / "bin" / "ska-tango-event-report"


def run_report(*arguments, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, **options):
    return subprocess.run(
        [str(need(REPORT)), *map(str, arguments)], env=clean_environment(TZ="UTC"), stdin=stdin, stdout=stdout,
        stderr=subprocess.PIPE, text=True, timeout=60, check=False, **options,
    )  # fmt: skip


def report_of(*arguments):
    """As JSON."""
    done = run_report("--format", "json", *arguments)
    assert (done.returncode, done.stderr) == (0, "")
    return json.loads(done.stdout)


def says(*arguments, status=1):
    """What it says on standard error, without its name, when it fails."""
    done = run_report(*arguments)
    assert done.returncode == status and done.stdout == "", done.stderr
    lines = done.stderr.splitlines()
    assert all(line.startswith("ska-tango-event-report: ") for line in lines)
    return "\n".join(line.split(": ", 1)[1] for line in lines)


def seconds(text):
    return datetime.datetime.fromisoformat(text).timestamp()


def iso(when):
    return datetime.datetime.fromtimestamp(when, datetime.timezone.utc).isoformat()


def test_the_recording_is_as_it_was_meant(troubled):
    """What the monitor says of it is the truth: totals, and a finding of each fault."""
    totals = json.loads(run_monitor("--format", "json", "--read", troubled.path).stdout)[-1]["totals"]
    assert totals["lost"] == troubled.lost > 0
    found = findings_of(*troubled.options, "--read", troubled.path)
    for fault in troubled.faults.values():
        if fault.rule:
            assert of_rule(found, fault.rule, server=fault.server), f"{fault}: {describe(found)}"


# ---- the truth ----


def test_totals_are_the_truth(troubled):
    report = report_of(troubled.path)
    assert (report["pushed"], report["received"], report["lost"]) == (
        troubled.pushed, troubled.received, troubled.lost,
    )  # fmt: skip
    assert {server["server"] for server in report["servers"]} == set(troubled.servers)
    assert len(report["streams"]) == len(troubled.streams)
    for truth in troubled.streams:
        (stream,) = [each for each in report["streams"] if each["stream"] == truth.full_name]
        assert (stream["pushed"], stream["received"], stream["lost"]) == (truth.pushed, truth.received, truth.lost)
        assert [each["server"] for each in stream["publishers"]] == [truth.publisher]
        assert [each["server"] for each in stream["subscriptions"]] == [truth.subscriber]


def test_each_fault_is_a_finding_with_its_time(troubled):
    found = report_of(*troubled.options, troubled.path)["findings"]
    for name, fault in troubled.faults.items():
        if not fault.rule:
            continue
        (finding,) = of_rule(found, fault.rule, server=fault.server)
        assert finding["events_in_all"] == fault.events, name
        if fault.stream:
            assert finding["stream"].endswith(fault.stream), name
        if name == "killed":  # it shows when the first event of the new process arrives
            assert fault.begin < seconds(finding["since"]), name
        else:
            assert abs(seconds(finding["since"]) - fault.begin) < LATE_S, name
            assert fault.begin < seconds(finding["seen"]) < fault.end + LATE_S, name


def test_restarts_and_outages(troubled):
    report = report_of(troubled.path)
    incidents = {(each["kind"], each["server"]): each for each in report["incidents"]}
    for kind, server, name in (
        ("restart", troubled.restarted, "killed"),
        ("outage", troubled.silent, "outage"),
    ):
        fault, incident = troubled.faults[name], incidents[kind, server]
        assert abs(seconds(incident["begin"]) - fault.begin) < LATE_S
        assert fault.end - LATE_S < seconds(incident["end"]) < fault.end + LATE_S
    assert report["restarts"] == 1


def test_the_text_is_a_page(troubled):
    done = run_report(*troubled.options, troubled.path)
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert len(lines) < 60
    assert f"{troubled.pushed} events pushed, {troubled.received} received, >={troubled.lost} LOST" in lines[2]
    prefix = troubled.streams[0].full_name[: -len(troubled.streams[0].name)]
    assert done.stdout.count(prefix) == 1 and f"Names are without {prefix}" in lines
    for truth in troubled.streams:
        cells = next(line.split() for line in lines if line.startswith(f"  {truth.name} "))
        assert cells[2:5] == ["1", str(truth.pushed), str(truth.received)]
        assert cells[5].strip(">=*") == str(truth.lost)
    for fault in troubled.faults.values():
        assert not fault.rule or any(line.endswith(f"[{fault.rule}]") for line in lines)
    lost = [line for line in lines if re.search(r"\[(overflow|outage)\]$", line)]
    assert len(lost) == 2 and all(re.search(r"\((from|at) \d\d:\d\d:\d\d", line) for line in lost)


def test_what_text_leaves_out_is_said(troubled):
    done = run_report(*troubled.options, "--top", 1, troubled.path)
    assert "  and 3 more streams (--top 4 shows all)\n" in done.stdout
    assert re.search(r"^  and \d more findings \(--top \d shows all\)$", done.stdout, re.MULTILINE)
    assert sum(stream.name in done.stdout.split("\nStreams\n")[1].split("\n\n")[0] for stream in troubled.streams) == 1


@pytest.mark.parametrize("variant", ["gzipped", "rotated", "by_server", "overlapping", "of_2025"])
def test_the_same_in_other_files(troubled, tmp_path, variant):
    """Compressed, rotated, by two recorders, overlapping, of the older tool: it makes no difference."""
    expected = report_of(*troubled.options, troubled.path)
    paths = getattr(troubled, variant)(tmp_path)
    done = run_report(*troubled.options, "--format=json", *paths)
    assert done.returncode == 0 and ("braces" in done.stderr) == (variant == "of_2025")
    given = json.loads(done.stdout)
    for report in (given, expected):
        report["servers"].sort(key=lambda server: server["server"])
    assert given == expected


def test_recorders_that_ask_at_different_moments(troubled, tmp_path):
    given = report_of(*troubled.options, *troubled.by_server(tmp_path, late=0.6 * PERIOD_S))
    assert (given["pushed"], given["received"], given["lost"]) == (troubled.pushed, troubled.received, troubled.lost)
    expected = report_of(*troubled.options, troubled.path)
    # A poll that came late may be two.
    assert expected["polls"] <= given["polls"] <= 1.1 * expected["polls"]
    assert [f["rule"] for f in given["findings"]] == [f["rule"] for f in expected["findings"]]


def test_standard_input(troubled):
    with troubled.path.open("rb") as file:
        done = run_report("--format=json", "-", stdin=file)
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout) == report_of(troubled.path)
    with subprocess.Popen(["cat", troubled.path], stdout=subprocess.PIPE) as pipe:
        done = run_report("--format=json", "-", "-", stdin=pipe.stdout)
    assert json.loads(done.stdout) == report_of(troubled.path)


# ---- a part of it ----


def test_since_and_until(troubled):
    overflow = troubled.faults["overflow"]
    since = iso(overflow.begin)
    report = report_of("--since", since, "--only=report/burst/*", troubled.path)
    (stream,) = report["streams"]
    assert stream["lost"] == overflow.events and LARGE_BURST <= stream["pushed"] < troubled.streams[0].pushed
    assert seconds(report["begin"]) <= overflow.begin < seconds(report["begin"]) + LATE_S
    before = report_of("--until", since, troubled.path)
    assert before["lost"] == 0 and seconds(before["end"]) <= overflow.begin
    # What is between two polls isn't lost.
    assert before["pushed"] + report_of("--since", since, troubled.path)["pushed"] == troubled.pushed
    assert says("--since=2100-01-01", troubled.path).startswith("nothing to report: the recording has no polls")


def test_only_some_streams(troubled):
    report = report_of("--only=*/stuck/*", *troubled.options, troubled.path)
    assert [stream["stream"] for stream in report["streams"]] == [troubled.streams[1].full_name]
    assert {finding["rule"] for finding in report["findings"]} >= {"stuck-callback"}
    assert "overflow" not in {finding["rule"] for finding in report["findings"]}


@pytest.mark.parametrize("fail_on, status", [("loss", 3), ("stuck", 3), ("channel", 0), ("none", 0), ("fault", 3)])
def test_what_makes_it_fail(troubled, fail_on, status):
    done = run_report("-q", *troubled.options, "--fail-on", fail_on, troubled.path)
    assert (done.returncode, done.stdout, done.stderr) == (status, "", "")


# ---- what can't be read ----


def test_broken_lines_are_counted_and_passed_over(troubled, tmp_path):
    lines = troubled.lines()
    broken = tmp_path / "broken.jsonl"
    broken.write_text("".join([*lines[:5], "rubbish\n", *lines[5:9], '{"time": "x"}\n', *lines[9:]]))
    done = run_report("--format=json", broken)
    assert done.returncode == 0
    assert [line.split(" is ")[0] for line in done.stderr.splitlines()] == [
        f"ska-tango-event-report: {broken}: line {number}" for number in (6, 11)
    ]
    report, expected = json.loads(done.stdout), report_of(troubled.plain)
    assert report.pop("broken_lines") == 2 and expected.pop("broken_lines") == 0
    assert report == expected
    assert "Missing in the recording:\n  2 lines that can't be read\n" in run_report(broken).stdout


def test_broken_lines_of_standard_input(troubled):
    """Those before the first poll, too."""
    done = run_report("--format=json", "-", input="rubbish\n" + "".join(troubled.lines()), stdin=None)
    assert done.returncode == 0 and "standard input: line 1 is not JSON" in done.stderr
    assert json.loads(done.stdout)["broken_lines"] == 1


def test_a_damaged_end(troubled, tmp_path):
    """What comes before it is reported, and it is no success."""
    damaged = tmp_path / "damaged.jsonl.gz"
    lines = troubled.lines()
    half = len(lines) // 2
    first, second = (bytearray(gzip.compress("".join(part).encode())) for part in (lines[:half], lines[half:]))
    first[-8] ^= 1  # of its checksum
    damaged.write_bytes(first + second)
    done = run_report("--format=json", damaged)
    assert done.returncode == 1 and f"{damaged}: damaged after line" in done.stderr
    assert json.loads(done.stdout)["polls"] == half


def test_what_is_no_recording(troubled, tmp_path):
    text, empty = tmp_path / "letter.txt", tmp_path / "empty.jsonl"
    text.write_text("Dear John\n")
    empty.touch()
    assert says(text).startswith(f"{text}: isn't a recording: name files that ska-tango-event-monitor")
    assert says(troubled.path, text).startswith(f"{text}: isn't a recording")
    assert says(tmp_path / "none") == f"{tmp_path / 'none'}: can't read it: No such file or directory"
    assert says(tmp_path).startswith(f"{tmp_path}: ") and "directory" in says(tmp_path)
    assert says(empty) == "nothing to report: the recording has no polls"
    assert report_of(empty, troubled.path) == report_of(troubled.path)
    assert says(status=2).startswith("no recording given")


# ---- what is written ----


def test_a_page_replaces_the_one_before(troubled, tmp_path):
    page, link = tmp_path / "page.html", tmp_path / "link.html"
    page.write_text("old")
    page.chmod(0o640)
    link.symlink_to(page)
    assert run_report("-q", "--html", link, troubled.path).returncode == 0
    assert page.read_text().startswith("<!DOCTYPE html>") and link.is_symlink()
    assert stat.S_IMODE(page.stat().st_mode) == 0o640
    assert sorted(path.name for path in tmp_path.iterdir()) == ["link.html", "page.html"]
    printed = run_report("--html", "-", troubled.path).stdout
    assert printed == run_report("--html=-", "-q", troubled.path).stdout
    assert printed.startswith("<!DOCTYPE html>") and printed.rstrip().endswith("</html>")


def test_a_recording_is_not_overwritten(troubled, tmp_path):
    (path,) = troubled.gzipped(tmp_path)
    before, link = path.read_bytes(), tmp_path / "link"
    link.symlink_to(path)
    for name in (path, link):
        assert says(troubled.path, path, "--html", name) == (
            f"--html {name}: would overwrite a recording that is read"
        )
    assert path.read_bytes() == before


def small_files():
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))


def test_a_full_disk(troubled, tmp_path):
    """Nothing is left that isn't complete."""
    page = tmp_path / "page.html"
    page.write_text("old")
    done = run_report("-q", "--html", page, troubled.path, preexec_fn=small_files)
    assert (done.returncode, done.stderr) == (
        1, f"ska-tango-event-report: {page}: can't write it: File too large\n",
    )  # fmt: skip
    assert page.read_text() == "old" and list(tmp_path.iterdir()) == [page]
    full = "can't write it: No space left on device"
    assert says("-q", "--html=/dev/full", troubled.path) == f"/dev/full: {full}"
    for arguments in ([], ["--format=json"], ["--html=-"]):
        with open("/dev/full", "w") as out:
            done = run_report(*arguments, troubled.path, stdout=out)
        assert done.returncode == 1
        assert re.fullmatch(r"ska-tango-event-report: standard output: .*No space left on device\n", done.stderr)


def test_a_reader_that_has_gone(troubled):
    read, write = os.pipe()
    os.close(read)
    with os.fdopen(write, "w") as out:
        done = run_report(troubled.path, stdout=out)
    assert (done.returncode, done.stderr) == (1, "ska-tango-event-report: standard output: Broken pipe\n")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_at_once(troubled, tmp_path, number):
    """While it waits for more: nothing is left of what was begun."""
    page, tables = tmp_path / "page.html", tmp_path / "tables"
    with subprocess.Popen(
        [str(need(REPORT)), "--html", page, "--csv", tables, "-"], env=clean_environment(), stdin=subprocess.PIPE,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, preexec_fn=die_with_parent,
    ) as process:  # fmt: skip
        process.stdin.write("".join(troubled.lines()[:10]).encode())
        process.stdin.flush()
        wait_for(lambda: tables.exists(), what="the first polls")
        process.send_signal(number)
        assert process.wait(10) == -number
        assert process.stdout.read() == b"" and process.stderr.read() == b""
    assert list(tmp_path.iterdir()) == []


# ---- on a terminal ----


def seen(shown):
    """The lines that are left on it."""
    shown.read()
    return [re.sub(r".*\r\x1b\[K", "", line) for line in shown.text.replace("\r\n", "\n").split("\n")]


def test_progress_on_a_terminal(troubled, tmp_path, terminal):
    """While it takes long; nothing of it is left, and a message doesn't get into it."""
    lines = "".join(troubled.lines())
    large = tmp_path / "large.jsonl"
    with large.open("w") as out:
        for _ in range(150):
            out.write(lines)
        out.write("rubbish\n")
    shown = terminal("--top=1", large, program=REPORT, columns=100)
    wait_for(lambda: shown.read() is not None and shown.process.poll() is not None, 120, "its end")
    bars = re.findall(r"\rReading \[[# ]*\] +(\d+) %  [\d.]+ MB/s(?:  \d+ s left)?\x1b\[K", shown.text)
    assert len(bars) > 2 and bars == sorted(bars, key=int)
    assert not any("Reading" in line for line in seen(shown))
    assert any(line.startswith("ska-tango-event-report: ") and " is skipped" in line for line in seen(shown))
    assert shown.process.returncode == 0 and "\x1b[1;31mFAULT" in shown.text
    quiet = terminal("-q", "--no-color", large, program=REPORT)
    wait_for(lambda: quiet.read() is not None and quiet.process.poll() is not None, 120, "its end")
    assert "Reading" not in quiet.text and "\x1b" not in quiet.text


def test_on_a_narrow_terminal(troubled, terminal):
    shown = terminal(*troubled.options, troubled.path, program=REPORT, columns=80)
    wait_for(lambda: shown.read() is not None and shown.process.poll() is not None, what="its end")
    table = "\n".join(shown.lines()).split("\nStreams\n")[1].split("\n\n")[0].splitlines()
    assert all(len(line) <= 80 for line in table)
    for truth in troubled.streams:
        assert any({str(truth.pushed), str(truth.received)} <= set(line.split()) for line in table[1:])
