"""--diagnose: the verdict on a system, its exit status, and its formats."""

import gzip
import json
import re
import signal
import subprocess
import xml.etree.ElementTree as ElementTree

import pytest
from tango_servers import MONITOR, ServerPool, clean_environment, free_port, run_monitor, start_monitor, wait_for
from test_losses import BURST, overflow, received, subscribe
from watching import lines, perf_is_on, thaw

pytestmark = pytest.mark.usefixtures("monitor_bin", "agent_lib")
RULES = [line.split()[0] for line in run_monitor("--explain").stdout.splitlines()[1:]]


def make_pair(pool, database, instance):
    """A publisher and a subscriber between which events flow."""
    options = {"instance": instance, "database": database, "agent": True}
    publisher = pool.publisher(f"{instance}/pub/1", **options)
    subscriber = pool.subscriber(f"{instance}/sub/1", **options)
    subscribe(subscriber, publisher)
    # What is pushed before the connection is made reaches nobody.
    wait_for(lambda: publisher.proxy().PushBurst(10) or received(subscriber) >= 10, 30, "events", 0.5)
    return publisher, subscriber


@pytest.fixture(scope="module")
def both(tmp_path_factory, database):
    """A pair for all tests here that leave it as it is."""
    with ServerPool(tmp_path_factory.mktemp("diagnosed")) as pool:
        yield make_pair(pool, database, "diagnosed")


@pytest.fixture
def pair(both):
    """The same, of which no performance monitoring is on."""
    for server in both:
        server.admin_proxy().EnableEventSystemPerfMon(False)
    return both


@pytest.fixture(scope="module")
def lossy_recording(tmp_path_factory, database):
    """A recording of a burst of which some events were lost; what was lost, and the servers."""
    folder = tmp_path_factory.mktemp("lossy")
    with ServerPool(folder) as pool:
        publisher, subscriber = make_pair(pool, database, "lossy")
        path = folder / "lossy.jsonl.gz"
        arguments = ["--poll-period", 0.3, "--changes", "-n", 2, "-q", "-o", path, publisher.name(), subscriber.name()]
        run_monitor(*arguments)
        overflow(publisher, subscriber)
        publisher.proxy().PushBurst(1)
        wait_for(lambda: received(subscriber) > 11, what="the event after it")
        run_monitor(*arguments, "-a")
        return path, 10 + BURST + 1 - received(subscriber), publisher.name(), subscriber.name()


def test_a_healthy_system(pair):
    """It says so in one line, with the numbers."""
    publisher, subscriber = pair
    done = run_monitor("--diagnose=1", publisher.name(), subscriber.name())
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("Healthy: 2 servers watched for 1 s (")
    assert "1 subscription: 0 events pushed, 0 received, 0 lost\n" in done.stdout
    assert done.stdout.count("\n") == 1


def test_it_polls_every_tenth_of_its_time(pair):
    done = run_monitor("--diagnose=2.05", "--format", "json", pair[0].name())
    assert json.loads(done.stdout)["polls"] in range(8, 12)


def test_what_was_lost(servers, database):
    """While it watches; each number is the truth."""
    publisher, subscriber = make_pair(servers, database, "losing")
    before = received(subscriber)
    monitor = start_monitor("--diagnose", "--poll-period", 0.3, "--format", "json", publisher.name(), subscriber.name())
    wait_for(lambda: perf_is_on(publisher) and perf_is_on(subscriber), what="the monitor")
    overflow(publisher, subscriber)
    publisher.proxy().PushBurst(1)
    wait_for(lambda: received(subscriber) > before, what="the last event")
    stdout, stderr = monitor.communicate(timeout=60)
    lost = BURST + 1 - (received(subscriber) - before)
    assert (monitor.returncode, stderr) == (3, "")
    told = json.loads(stdout)
    assert (told["verdict"], told["lost"]) == ("found", lost)
    found = [finding for finding in told["findings"] if finding["rule"] == "overflow"]
    assert [finding["events_in_all"] for finding in found] == [lost] and found[0]["counts"]
    assert found[0]["subscriber"].endswith("dserver/subscriber/losing")
    assert "EventBufferHwm" in told["explanations"]["overflow"]
    assert not perf_is_on(publisher) and not perf_is_on(subscriber)


def test_monitoring_that_was_on_stays_on(pair):
    publisher, subscriber = pair
    publisher.admin_proxy().EnableEventSystemPerfMon(True)
    done = run_monitor("--diagnose=0.5", publisher.name(), subscriber.name())
    assert done.returncode == 0 and perf_is_on(publisher) and not perf_is_on(subscriber)


def test_nobody_answers():
    """There is no verdict then."""
    name = f"tango://127.0.0.1:{free_port()}/test/pub/1#dbase=no"
    for form in ("text", "json", "junit"):
        done = run_monitor("--diagnose=0.5", "--format", form, name)
        assert done.returncode == 1, form
        assert {"text": "No verdict: no server answered", "json": '"verdict":"unknown"', "junit": 'type="unanswered"'}[
            form
        ] in done.stdout
    assert len(ElementTree.fromstring(done.stdout).findall("testsuite/testcase/failure")) == len(RULES)


def test_one_of_them_does_not_answer(pair, freeze):
    publisher, subscriber = pair
    freeze(subscriber)
    arguments = ["--diagnose=2", "--timeout", 0.3, publisher.name(), subscriber.name()]
    # Not for long enough to be called a fault, but it isn't healthy either.
    unsure = run_monitor(*arguments)
    sure = run_monitor(*arguments, "--threshold", "no-answer=0.5")
    junit = run_monitor(*arguments, "--format", "junit")
    thaw(subscriber)
    assert unsure.returncode == 1
    assert unsure.stdout.startswith("Not every server answered: 2 servers (1 never answered)")
    assert "dserver/subscriber/diagnosed didn't answer: no answer within 0.3 s\n" in unsure.stdout
    assert sure.returncode == 3 and "[no-answer]" in sure.stdout
    assert junit.returncode == 1
    (error,) = ElementTree.fromstring(junit.stdout).findall("testsuite/testcase/failure/..")
    assert error.get("name").startswith("no-answer: ")


def test_one_of_them_crashes_meanwhile(servers, database, recording):
    """Nothing that is gone is healthy; one that was stopped on purpose is no matter."""
    publisher, subscriber = make_pair(servers, database, "crashes")
    names = [publisher.name(), subscriber.name()]

    def diagnosis_while(end):
        recording.unlink(missing_ok=True)
        monitor = start_monitor("--diagnose=5", "-o", recording, *names)
        wait_for(lambda: lines(recording), what="a poll")
        end()
        verdict, _ = monitor.communicate(timeout=30)
        return monitor.returncode, verdict

    status, verdict = diagnosis_while(subscriber.kill)
    assert status == 1 and verdict.startswith("Not every server went on answering: 2 servers watched"), verdict
    assert f"{subscriber.admin} stopped answering: its server is not running" in verdict
    subscriber.start()
    status, verdict = diagnosis_while(subscriber.stop)
    assert status == 0 and verdict.startswith("Healthy"), verdict


def test_one_without_a_command_to_ask(pair, servers, database):
    """It runs, so there is nothing to find; but nothing is known of it either."""
    bare = servers.subscriber("diagnosed/bare/1", instance="bare", database=database)
    done = run_monitor("--diagnose=1", "--threshold", "no-answer=0", pair[0].name(), bare.name())
    assert done.returncode == 1
    assert done.stdout.startswith("Not every server answered: 2 servers (1 never answered)"), done.stdout
    assert f"{bare.admin} didn't answer: has neither QueryEventAgent nor" in done.stdout


def test_one_with_a_wrong_name(pair):
    wrong = pair[0].full_name("no/such/device")
    done = run_monitor("--diagnose=1", "--threshold", "no-answer=0", pair[0].name(), wrong)
    assert done.returncode == 1
    assert f"{wrong} didn't answer: the Tango database has no such device or alias\n" in done.stdout


def test_interrupted_it_still_gives_its_verdict(pair, start, recording):
    publisher, subscriber = pair
    monitor = start("--diagnose=600", "-o", recording, publisher.name(), subscriber.name())
    wait_for(lambda: len(lines(recording)) >= 2, what="polls")
    assert perf_is_on(publisher) and perf_is_on(subscriber)
    monitor.send_signal(signal.SIGINT)
    stdout, stderr = monitor.communicate(timeout=30)
    assert (monitor.returncode, stderr) == (0, "")
    assert stdout.startswith("Healthy: 2 servers watched for ")
    assert not perf_is_on(publisher) and not perf_is_on(subscriber)


def test_a_reader_that_has_gone(pair):
    publisher, subscriber = pair
    command = '"$0" --diagnose=0.5 "$@" | true; exit ${PIPESTATUS[0]}'
    done = subprocess.run(
        ["bash", "-c", command, MONITOR, publisher.name(), subscriber.name()],
        env=clean_environment(),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert not perf_is_on(publisher)


# ---- of a recording ----


def test_of_a_recording(lossy_recording):
    path, lost, publisher, subscriber = lossy_recording
    done = run_monitor("--diagnose", "--read", path)
    assert (done.returncode, done.stderr) == (3, "")
    assert done.stdout.startswith("FOUND 1 fault")
    assert f"lost {lost} " in done.stdout and "[overflow]" in done.stdout
    assert f"\n{9 * ' '}What to do: " in done.stdout


@pytest.mark.parametrize(
    "fail_on, status",
    [
        ("overflow", 3),
        ("loss", 3),
        ("fault", 3),
        ("stuck,loss", 3),
        ("remark", 3),
        ("stuck", 0),
        ("none", 0),
        ("none,loss", 3),
    ],
)
def test_what_counts(lossy_recording, fail_on, status):
    done = run_monitor("--diagnose", "--fail-on", fail_on, "--read", lossy_recording[0])
    assert (done.returncode, done.stderr) == (status, "")
    assert "[overflow]" in done.stdout
    assert done.stdout.startswith("FOUND" if status else "Healthy, not counting 1 fault")
    quiet = run_monitor("-q", "--diagnose", "--fail-on", fail_on, "--read", lossy_recording[0])
    assert (quiet.returncode, quiet.stdout) == (status, "")


def test_a_recording_of_nothing(recording):
    recording.write_text("")
    done = run_monitor("--diagnose", "--read", recording)
    assert done.returncode == 1 and "No verdict" in done.stdout


def test_findings_of_a_recording_are_made_anew(lossy_recording, tmp_path):
    """What its lines say of findings isn't read, nor a key that nobody knows; compressed, and with changes."""
    path, lost, _, _ = lossy_recording
    with gzip.open(path, "rt", encoding="utf-8") as file:
        polls = [json.loads(line) for line in file]
    assert any("changes" in reply for poll in polls for reply in poll["replies"].values())
    assert any(poll.get("findings") for poll in polls)
    for poll in polls:
        poll["findings"] = [{"rule": "stuck-callback", "text": "forged"}, None, 7]
        poll["unheard-of"] = {"findings": []}
    forged = tmp_path / "forged.jsonl.gz"
    with gzip.open(forged, "wt", encoding="utf-8") as file:
        file.writelines(json.dumps(poll) + "\n" for poll in polls)
    told = json.loads(run_monitor("--diagnose", "--format", "json", "--read", forged).stdout)
    assert [(finding["rule"], finding["events"]) for finding in told["findings"]] == [("overflow", lost)]
    again = tmp_path / "again.jsonl.zst"
    assert run_monitor("-q", "--read", forged, "-o", again).returncode == 0
    told_again = json.loads(run_monitor("--diagnose", "--format", "json", "--read", again).stdout)
    assert told_again == told


def test_before_the_tables_and_at_the_end(lossy_recording):
    """When it begins, as one short line while it lasts, and in the list of all."""
    path, lost, _, _ = lossy_recording
    lines_of_text = run_monitor("--read", path).stdout.splitlines()
    found = [line for line in lines_of_text if line.startswith("FAULT ")]
    assert len(found) == 3 and all(f"lost {lost} " in line and line.endswith("  [overflow]") for line in found)
    assert "(since " not in found[0] and "(since " in found[1] and "(at " in found[2]
    heading = max(at for at, line in enumerate(lines_of_text) if line.startswith("Found"))
    assert lines_of_text.index(found[2]) == heading + 1
    first = lines_of_text.index(found[0])
    assert lines_of_text[first - 1].startswith("(names without tango://") and "dserver/" in lines_of_text[first + 1]


def test_on_a_terminal_lines_fit_and_numbers_stay(lossy_recording, terminal):
    path, lost, _, _ = lossy_recording
    shown = terminal("--read", path, columns=140)
    wait_for(lambda: shown.read() is not None and shown.process.poll() is not None, what="its end")
    found = [line for line in shown.lines() if line.startswith("FAULT ")]
    assert len(found) == 3
    for line in found:
        assert len(line) <= 140 and f"lost {lost} of {BURST + 1} on " in line and line.endswith("[overflow]")
    assert "\x1b[1;31mFAULT " in shown.text


def test_its_progress_on_a_terminal(pair, terminal):
    shown = terminal("--diagnose=2.5", *(server.name() for server in pair), columns=100)
    wait_for(lambda: shown.read() is not None and shown.process.poll() is not None, what="its end")
    assert shown.process.wait() == 0
    assert re.search(r"watching for [12] of 2.5 s; 2 servers; nothing found so far", shown.read())
    assert shown.lines()[0].startswith("Healthy: 2 servers watched for ")


def test_junit(lossy_recording):
    """A test case for each rule, of which one fails."""
    path, lost, publisher, subscriber = lossy_recording
    done = run_monitor("--diagnose", "--format", "junit", "--read", path)
    assert done.returncode == 3
    root = ElementTree.fromstring(done.stdout)
    (suite,) = root
    # What the schema of Ant's JUnit task demands, in this order.
    assert (root.tag, root.attrib, suite.tag) == ("testsuites", {}, "testsuite")
    tags = [child.tag for child in suite]
    assert tags == ["properties", *len(RULES) * ["testcase"], "system-out", "system-err"]
    demanded = {"id", "package", "name", "timestamp", "hostname", "tests", "failures", "errors", "skipped", "time"}
    assert set(suite.attrib) == demanded and all(suite.attrib.values())
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d", suite.get("timestamp"))
    cases = suite.findall("testcase")
    assert all(set(case.attrib) == {"classname", "name", "time"} and len(case) <= 1 for case in cases)
    assert [case.get("name").split(":")[0] for case in cases] == RULES
    assert (suite.get("tests"), suite.get("failures"), suite.get("errors")) == (str(len(RULES)), "1", "0")
    (failed,) = [case for case in cases if len(case)]
    (failure,) = failed
    assert failed.get("classname") == "events.loss" and failed.get("name").startswith("overflow: ")
    assert f"lost {lost} " in failure.get("message") and failure.get("type") == "fault"
    assert "What to do: " in failure.text
    servers = [each.get("value") for each in suite.iter("property") if each.get("name") == "server"]
    assert [value.split(": ")[1] for value in servers] == 2 * ["agent; 4 of 4 polls answered"]


# ---- the command line ----


@pytest.mark.parametrize(
    "arguments, message",
    [
        (["--fail-on", "los", "--diagnose", "a/b/c"], "--fail-on: 'los' is neither a rule nor a group"),
        (["--fail-on", "", "--diagnose", "a/b/c"], "--fail-on: '' is neither"),
        (["--fail-on", "loss", "a/b/c"], "--fail-on: needs --diagnose"),
        (["--format", "junit", "a/b/c"], "--format junit: needs --diagnose"),
        (["--diagnose", "30", "a/b/c"], "--diagnose=30"),
        (["--diagnose=never", "a/b/c"], "--diagnose never: not a number of seconds"),
        (["--diagnose=5", "--read", "x"], "a recording is read as a whole"),
        (["--diagnose", "--top", "3", "a/b/c"], "so --top can't be given"),
        (["--diagnose", "--list", "a/b/c"], "so --list can't be given"),
        (["--diagnose"], "no device given"),
        (["--explain", "nonsense"], "--explain: there is no rule 'nonsense'"),
        (["--explain", "overflwo"], "perhaps overflow"),
    ],
)
def test_a_wrong_command_line(arguments, message):
    done = run_monitor(*arguments)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert message in done.stderr


def test_each_rule_is_explained():
    assert len(RULES) >= 3
    for rule in RULES:
        done = run_monitor("--explain", rule)
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout.startswith(f"{rule}: ") and max(map(len, done.stdout.splitlines())) <= 100
