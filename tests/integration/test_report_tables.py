"""ska-tango-event-report --csv, and --format json: against the truth, and with each other."""

import collections
import csv
import datetime
import json
import os
import re
import signal
import subprocess
import textwrap

import numpy
import pytest
from report_recordings import LATE_S, RECONNECTED_S
from tango_servers import BUILD, PYTHON, ROOT, clean_environment, need, wait_for

REPORT = BUILD / "bin" / "ska-tango-event-report"
TABLES = ["findings.csv", "incidents.csv", "series.csv", "servers.csv", "totals.csv"]


def run_report(*args, **options):
    command = [need(REPORT), *map(str, args)]
    return subprocess.run(
        command, env=clean_environment(), stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60,
        check=False, **options,
    )  # fmt: skip


def rows_of(path):
    with open(path, encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, strict=True))


def sums_of(path):
    """Of the values of series.csv: {(server, stream, what): sum}."""
    sums = collections.Counter()
    for row in rows_of(path):
        sums[row["server"], row["stream"], row["what"]] += float(row["value"])
    return sums


@pytest.fixture(scope="module")
def tables(troubled, tmp_path_factory):
    """The folder with those of the recording."""
    folder = tmp_path_factory.mktemp("report") / "tables"
    done = run_report("-q", *troubled.options, troubled.path, "--csv", folder)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert sorted(os.listdir(folder)) == TABLES
    return folder


@pytest.fixture(scope="module")
def report(troubled):
    done = run_report("--format", "json", *troubled.options, troubled.path)
    assert (done.returncode, done.stderr, done.stdout.count("\n")) == (0, "", 1)
    return json.loads(done.stdout)


# ---- the truth ----


def test_the_sums_of_the_series_are_the_truth(troubled, tables):
    sums = sums_of(tables / "series.csv")
    for stream in troubled.streams:
        assert sums[stream.publisher, stream.full_name, "pushed"] == stream.pushed
        assert sums[stream.subscriber, stream.full_name, "received"] == stream.received
        assert sums[stream.subscriber, stream.full_name, "lost"] == stream.lost
        assert sums[stream.subscriber, stream.full_name, "not_received"] == 0
    assert {server for server, _, what in sums if what == "answered"} == set(troubled.servers)
    assert [server for server, _, what in sums if what == "restarted"] == [troubled.restarted]
    failed = {server for server, _, what in sums if what == "failed"}
    assert {troubled.silent} <= failed <= {troubled.silent, troubled.restarted}


def test_the_totals_are_the_truth(troubled, tables):
    rows = {(row["role"], row["stream"]): row for row in rows_of(tables / "totals.csv")}
    assert len(rows) == 2 * len(troubled.streams)
    for stream in troubled.streams:
        publisher, subscriber = (rows[role, stream.full_name] for role in ("publisher", "subscriber"))
        assert (publisher["server"], publisher["pushed"]) == (stream.publisher, str(stream.pushed))
        assert (subscriber["server"], subscriber["publisher"]) == (stream.subscriber, stream.publisher)
        counts = [subscriber[name] for name in ("received", "lost", "not_received")]
        assert counts == [str(stream.received), str(stream.lost), "0"]


def test_each_fault_is_a_finding_at_its_time(troubled, tables):
    found = rows_of(tables / "findings.csv")
    for name, fault in troubled.faults.items():
        if not fault.rule:
            continue
        (row,) = [row for row in found if row["rule"] == fault.rule and row["server"] == fault.server]
        assert fault.stream is None or row["stream"].endswith("/" + fault.stream)
        if fault.events is not None:
            assert int(row["events"]) == fault.events
        begin, end = (datetime.datetime.fromisoformat(row[which]).timestamp() for which in ("begin", "end"))
        assert fault.begin - LATE_S < begin <= end
        if name == "killed":  # it shows when the first event of the new process arrives
            assert begin < fault.end + RECONNECTED_S
        else:
            assert begin < fault.end + LATE_S


def test_restarts_and_outages_are_incidents(troubled, tables):
    rows = rows_of(tables / "incidents.csv")
    assert [row["server"] for row in rows if row["kind"] == "restart"] == [troubled.restarted]
    (outage,) = [row for row in rows if row["kind"] == "outage" and row["server"] == troubled.silent]
    fault = troubled.faults["outage"]
    begin, end = (datetime.datetime.fromisoformat(outage[name]).timestamp() for name in ("begin", "end"))
    assert outage["lasts"] == "FALSE"
    assert fault.begin - 3 < begin < fault.end < end < fault.end + 5
    assert float(outage["seconds"]) == pytest.approx(end - begin, abs=0.001)
    servers = {row["server"]: row for row in rows_of(tables / "servers.csv")}
    assert set(servers) == set(troubled.servers)
    assert servers[troubled.restarted]["restarts"] == "1"
    for row in servers.values():
        assert int(row["polls"]) == int(row["answered"]) + int(row["failed"])


# ---- with each other ----


def test_totals_are_the_sums_of_the_series(tables):
    sums = sums_of(tables / "series.csv")
    columns = collections.Counter()
    for row in rows_of(tables / "totals.csv"):
        for name, cell in row.items():
            if (row["server"], row["stream"], name) in sums and not name.endswith("_seconds"):
                columns[name] += 1
                assert float(cell) == sums[row["server"], row["stream"], name], (row, name)
    counted = {"pushed", "received", "lost", "pushed_bytes", "received_bytes", "latency_events", "push_events"}
    assert set(columns) >= counted, columns


def test_json_and_tables_agree(tables, report):
    rows = {(row["role"], row["server"], row["stream"]): row for row in rows_of(tables / "totals.csv")}
    for stream in report["streams"]:
        for role, key in (("publisher", "publishers"), ("subscriber", "subscriptions")):
            for one in stream[key]:
                row = rows.pop((role, one["server"], stream["stream"]))
                for name, value in one.items():
                    if name in row and isinstance(value, int) and not isinstance(value, bool):
                        assert row[name] == str(value), name
                    elif name in row and value is None:
                        assert row[name] == "", name
                for name in ("push", "latency", "processing"):
                    cells = [row[f"{name}_{each}"] for each in ("events", "p50_seconds", "p99_seconds")]
                    told = one[name] and [one[name][each] for each in ("events", "p50_seconds", "p99_seconds")]
                    assert [float(cell) for cell in cells if cell] == (told or [])
    assert not rows
    for name, keys in (("findings", ("rule", "server", "text")), ("servers", ("server", "polls", "restarts")),
                       ("incidents", ("kind", "begin", "end"))):  # fmt: skip
        table = [[row[key] for key in keys] for row in rows_of(tables / f"{name}.csv")]
        assert table == [[str(one[key]) for key in keys] for one in report[name]]


def test_json_has_the_truth(troubled, report):
    assert (report["pushed"], report["received"], report["lost"]) == (troubled.pushed, troubled.received, troubled.lost)
    assert report["polls"] == len(troubled.polls())
    assert report["restarts"] == 1
    streams = {stream["stream"]: stream for stream in report["streams"]}
    for stream in troubled.streams:
        told = streams[stream.full_name]
        assert (told["pushed"], told["received"], told["lost"]) == (stream.pushed, stream.received, stream.lost)
        assert told["not_received"] == 0
    assert sum(column["pushed"] for column in report["columns"]) == troubled.pushed
    assert sum(column["lost"] for column in report["columns"]) == troubled.lost
    assert sum(column["polls"] for column in report["columns"]) == report["polls"]
    assert sum(minute["lost"] for minute in report["minutes"]) == troubled.lost
    begin, end = (datetime.datetime.fromisoformat(report[name]) for name in ("begin", "end"))
    assert (end - begin).total_seconds() == pytest.approx(report["seconds"], abs=0.001)
    assert set(report["left_out"].values()) == {0, False}


def test_text_and_tables_agree(troubled):
    """Where the text has the numbers is up to it."""
    shown = run_report(*troubled.options, troubled.path).stdout
    for stream in troubled.streams:
        (line,) = [line for line in shown.splitlines() if stream.name in line and f" {stream.received}" in line
                   and not line.startswith(("FAULT", "WARNING"))]  # fmt: skip
        assert f"{stream.pushed} " in line
        assert stream.lost == 0 or f"{stream.lost}" in line


# ---- readers ----


def test_numpy_reads_the_series(troubled, tables):
    series = numpy.genfromtxt(
        tables / "series.csv", delimiter=",", names=True, dtype=None, encoding="utf-8", comments=None
    )
    assert series.dtype.names == ("time", "server", "stream", "what", "value")
    lost = series[series["what"] == "lost"]
    assert lost["value"].sum() == troubled.lost


@pytest.mark.parametrize("environment", [{}, {"LC_ALL": "C"}, {"TZ": "America/St_Johns"}])
def test_tables_are_the_same_everywhere(troubled, tables, tmp_path, environment):
    """But for the offset of times."""
    command = [REPORT, "-q", *troubled.options, troubled.plain, "--csv", tmp_path / "again"]
    subprocess.run(command, env=clean_environment(**environment), check=True, timeout=60)
    for name in TABLES:
        some, others = rows_of(tables / name), rows_of(tmp_path / "again" / name)
        assert len(some) == len(others)
        for one, other in zip(some, others):
            for column in one:
                if column in ("time", "begin", "end", "worst_time", "first_answer", "last_answer") and one[column]:
                    times = [datetime.datetime.fromisoformat(row[column]) for row in (one, other)]
                    assert times[0] == times[1] and other[column][-6] in "+-"
                elif column not in ("text", "error"):  # which have times
                    assert one[column] == other[column]


# ---- what may go wrong ----

HOSTILE = ['=HYPERLINK("http://example.org/?"&A1,"x")', "+1", "-2+3", "@SUM(1,1)", 'a "b", c', "a\nb\rc\td",
           "\x1b[31mred", "<script>", "\u202egnp", "'quoted", " blank ", "\x00"[:0] + "\u00e9\u4e16"]  # fmt: skip


def hostile_line(second, count):
    topics = {f"{name}.change": {"event_count": count, "lost_event_count": count} for name in HOSTILE}
    answer = {"version": 1, "agent": {"pid": 1}, "client": {"event_callbacks": topics}}
    time = f"2026-03-01T12:00:0{second}.000000+00:00"
    return json.dumps({"time": time, "replies": {name: {"data": answer} for name in HOSTILE}}) + "\n"


def test_hostile_names(tmp_path):
    recording = tmp_path / "hostile.jsonl"
    recording.write_text(hostile_line(1, 1) + hostile_line(2, 3), encoding="utf-8")
    done = run_report("-q", recording, "--csv", tmp_path / "tables")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    for name in TABLES:
        text = (tmp_path / "tables" / name).read_text(encoding="utf-8")
        rows = rows_of(tmp_path / "tables" / name)
        assert len(rows) == text.count("\n") - 1  # each is a line
        assert "\x1b" not in text and "\r" not in text and "\u202e" not in text
        cells = [cell for row in rows for column, cell in row.items() if column != "value"]
        assert not [cell for cell in cells if cell.startswith(("=", "+", "@")) or cell.startswith("-2")]
    rows = rows_of(tmp_path / "tables" / "totals.csv")
    assert len(rows) == len(HOSTILE) ** 2 and {row["lost"] for row in rows} == {"2"}
    assert {row["server"] for row in rows} >= {"'+1", 'a "b", c', "a?b?c?d", " blank ", "<script>", "\u00e9\u4e16"}
    # JSON has them as they are.
    report = json.loads(run_report(recording, "--format", "json").stdout)
    assert {server["server"] for server in report["servers"]} == set(HOSTILE)
    assert {stream["stream"] for stream in report["streams"]} == {f"{name}.change" for name in HOSTILE}


def test_a_full_disk(troubled, tmp_path):
    folder = tmp_path / "tables"
    limited = ["bash", "-c", f'ulimit -f 1; trap "" XFSZ; exec {REPORT} "$@"', "-", "-q", troubled.path, "--csv", folder]
    done = subprocess.run(limited, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == f"ska-tango-event-report: {folder}/series.csv: can't write it: File too large\n"
    assert not folder.exists()
    with open("/dev/full", "w", encoding="utf-8") as full:
        done = subprocess.run(
            [REPORT, "--format", "json", troubled.path], stdout=full, stderr=subprocess.PIPE, text=True, timeout=60,
            check=False,
        )  # fmt: skip
    assert done.returncode == 1
    assert "No space left on device" in done.stderr and done.stderr.count("\n") == 1


@pytest.mark.parametrize("folder, reason", [
    ("/dev/full", "it is no directory for tables"),
    ("/proc/tables", "can't make the directory for tables: No such file or directory"),
])  # fmt: skip
def test_a_directory_that_cannot_be_made(troubled, folder, reason):
    done = run_report("-q", troubled.path, "--csv", folder)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == f"ska-tango-event-report: {folder}: {reason}\n"


def test_tables_replace_older_ones_and_nothing_else(troubled, tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    (tmp_path / "series.csv").write_text("old")
    assert run_report("-q", troubled.path, "--csv", tmp_path).returncode == 0
    assert sorted(os.listdir(tmp_path)) == sorted([*TABLES, "notes.txt"])
    assert (tmp_path / "notes.txt").read_text() == "mine"
    assert (tmp_path / "series.csv").read_text().startswith("time,server,stream,what,value\n")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_nothing_half_is_left_by_a_signal(troubled, tmp_path, number):
    """While it waits for more of a recording that is written meanwhile."""
    folder = tmp_path / "tables"
    folder.mkdir()
    (folder / "series.csv").write_text("old")
    command = [REPORT, "-q", "-", "--csv", folder]
    with subprocess.Popen(
        command, env=clean_environment(), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        try:
            process.stdin.write(troubled.plain.read_bytes())
            process.stdin.flush()
            wait_for(lambda: len(os.listdir(folder)) > 1, 10, "the file that is being written", 0.05)
            process.send_signal(number)
            assert process.wait(20) == -number
            assert process.stderr.read() == b""
        finally:
            process.kill()
    assert (folder / "series.csv").read_text() == "old"
    assert not [name for name in os.listdir(folder) if name in TABLES and name != "series.csv"]
    if number != signal.SIGKILL:
        assert os.listdir(folder) == ["series.csv"]


# ---- docs/report.md ----


def documented(begin, end):
    text = (ROOT / "docs" / "report.md").read_text(encoding="utf-8")
    return text[text.index(f"\n{begin}\n") : text.index(f"\n{end}\n")]


def test_each_column_is_documented(tables):
    text = documented("## Tables", "## JSON")
    for name in TABLES:
        with open(tables / name, encoding="utf-8") as file:
            columns = file.readline().strip().split(",")
        for column in columns:
            told = column.replace("latency_", "push_").replace("processing_", "push_")
            assert re.search(rf"`([a-z_]+,)*{told}(,[a-z_]+)*`", text), (name, column)
    for what in {row["what"] for row in rows_of(tables / "series.csv")}:
        told = re.sub("^(push|processing)_(?=.*seconds|events)", "latency_", what)
        assert f"`{told}`" in text, what


def test_each_key_is_documented(tables, report):
    text = documented("## JSON", "## Which recordings")
    columns = set()
    for name in TABLES:
        with open(tables / name, encoding="utf-8") as file:
            columns.update(file.readline().strip().split(","))

    def check(value):
        if isinstance(value, list) and value:
            check(value[0])
        for key, below in value.items() if isinstance(value, dict) else ():
            assert f"`{key}`" in text or f'"{key}"' in text or key in columns, key
            check(below)

    check({key: value for key, value in report.items() if key != "findings"})


def test_the_example_for_pandas(troubled, tables, tmp_path):
    example = re.search(r"(?:^    .*\n|^\n(?=    ))+", documented("### In pandas", "### In R"), re.MULTILINE)[0]
    if subprocess.run([PYTHON, "-c", "import pandas"], capture_output=True, check=False).returncode:
        pytest.skip("there is no pandas")
    (tmp_path / "night").symlink_to(tables)
    done = subprocess.run(
        [PYTHON, "-c", textwrap.dedent(example)], cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    (burst,) = [stream for stream in troubled.streams if stream.name == "report/burst/1/burst.change"]
    assert f" {burst.lost}.0 " in done.stdout
