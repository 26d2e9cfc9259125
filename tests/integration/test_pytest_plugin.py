"""The wheel's pytest plugin: real pytest in processes of its own, over real servers and test contexts."""

import contextlib
import copy
import json
import os
import random
import re
import signal
import subprocess
import sys
import textwrap
import time
import xml.etree.ElementTree
from pathlib import Path

import agent_answers
import pytest
from python_environments import Environment, our_wheel
from tango_servers import ROOT, SERVERS, clean_environment, die_with_parent, free_port, run_monitor, wait_for

pytestmark = pytest.mark.xdist_group("wheel")

sys.path.insert(0, str(ROOT / "packaging" / "python"))

from ska_tango_event_monitor._event_counts import Tracker  # noqa: E402
from ska_tango_event_monitor._recorder import merge  # noqa: E402

# What each of the tests that pytest runs begins with.
BEGIN = f"""
import os, sys
sys.path.insert(0, {str(SERVERS)!r})
import pytest
import tango
from tango.test_context import DeviceTestContext, MultiDeviceTestContext
from publisher import Publisher
from subscriber import Subscriber
from ska_tango_event_monitor.pytest_plugin import EventsLost, no_events_lost

BOTH = [
    {{"class": Publisher, "devices": [{{"name": "test/pub/1"}}]}},
    {{"class": Subscriber, "devices": [{{"name": "test/sub/1"}}]}},
]

@pytest.fixture
def context():
    with MultiDeviceTestContext(BOTH, process=True, timeout=30) as context:
        yield context

@pytest.fixture
def pub(context):
    pub = context.get_device("test/pub/1")
    pub.set_timeout_millis(60000)
    return pub

@pytest.fixture
def sub(context, pub):
    sub = context.get_device("test/sub/1")
    burst = context.get_device_access("test/pub/1").replace("#", "/burst#")
    sub.Subscribe([burst, "change"])
    for _ in range(100):
        if sub.received > 1:
            break
        pub.PushBurst(1)
        import time; time.sleep(0.1)
    return sub
"""


@pytest.fixture(scope="module")
def environment(tmp_path_factory):
    """An environment with our wheel in it."""
    bare = Environment(tmp_path_factory.mktemp("bare") / "env")
    environment = Environment(tmp_path_factory.mktemp("plugin") / "env", pip=bare)
    environment.install(our_wheel())
    return environment


class Project:
    """A folder with tests, and what pytest makes of them."""

    def __init__(self, environment, folder):
        self.environment = environment
        self.folder = folder
        self.events = folder / "events"
        self.junit = folder / "junit.xml"

    def write(self, tests, name="test_it.py", begin=BEGIN):
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(begin + textwrap.dedent(tests), encoding="utf-8")
        return path

    def command(self, *arguments):
        options = ["-p", "no:cacheprovider", f"--junitxml={self.junit}", "--tango-events=events"]
        return [str(word) for word in (self.environment.python, "-m", "pytest", *options, *arguments)]

    def run(self, *arguments, status=0, **env):
        """pytest's output; fails if its status is another."""
        done = subprocess.run(
            self.command(*arguments), cwd=self.folder, env=clean_environment(**env), stdin=subprocess.DEVNULL,
            capture_output=True, text=True, timeout=240, check=False,
        )
        assert done.returncode == status, done.stdout + done.stderr
        return done.stdout

    def start(self, *arguments, **env):
        return subprocess.Popen(
            self.command(*arguments), cwd=self.folder, env=clean_environment(**env), stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, preexec_fn=die_with_parent,
        )

    def recordings(self):
        return sorted(self.events.glob("*.jsonl"))

    def properties(self, test):
        """{name: value} of a test in the JUnit XML."""
        tree = xml.etree.ElementTree.parse(self.junit)
        (case,) = [case for case in tree.iter("testcase") if case.get("name") == test]
        return {each.get("name"): each.get("value") for each in case.iter("property")}


@pytest.fixture
def project(environment, tmp_path):
    """A Project, which leaves no process behind."""
    project = Project(environment, tmp_path / "project")
    project.folder.mkdir()
    yield project
    wait_for(lambda: not monitors_of(project.events), 10, "the monitors to end")


def monitors_of(folder):
    """The pids of the monitors that record into the folder."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = path.read_bytes().decode(errors="replace").split("\0")
        except OSError:
            continue
        if words[0].endswith("ska-tango-event-monitor") and any(str(folder) + "/" in word for word in words):
            found.append(int(path.parent.name))
    return found


# ---- counts, and blocks without losses ----


def test_a_context_in_a_process_of_its_own(project):
    project.write(
        """
        def test_counts(pub, sub, tango_events):
            before = pub.pushed
            with no_events_lost(pub):
                pub.PushBurst(300)
            with tango_events.no_events_lost():
                pub.PushBurst(40)
            pushed = before + 340
            assert tango_events.pushed(pub) == pub.pushed == pushed
            assert tango_events.counts("test/pub/1/burst") == tango_events.counts() == tango_events.counts(pub)
            assert tango_events.received() + tango_events.waiting() + tango_events.lost() == pushed
            assert (tango_events.waiting(), tango_events.lost("test/pub/1")) == (0, 0)
            assert tango_events.received("test/pub/1/burst") == sub.received - 1  # the first value is no event
            assert tango_events.counts("test/pub/1/attr") == (0, 0, 0, 0)
        """
    )
    output = project.run("-W", "error::pytest.PytestWarning")
    assert "1 passed" in output and "1 recordings in events" in output


def test_contexts_one_after_the_other(project):
    """Their devices have the same names; the block is about those that are open."""
    project.write(
        """
        import json, time

        def burst_to(sub, context):
            sub.Subscribe([context.get_device_access("test/pub/1").replace("#", "/burst#"), "change"])
            pub = context.get_device("test/pub/1")
            for _ in range(100):
                if sub.received > 1:
                    break
                pub.PushBurst(1)
                time.sleep(0.1)
            time.sleep(0.3)
            return pub

        def test_it(tango_events):
            for number in range(2):
                with MultiDeviceTestContext(BOTH, process=True, timeout=30) as context:
                    sub = context.get_device("test/sub/1")
                    pub = burst_to(sub, context)
                    with no_events_lost(pub):
                        pub.PushBurst(7)
                    with pytest.raises(EventsLost, match="[45] of 5 events of test/pub/1/burst.change"):
                        with no_events_lost(context, timeout=1):
                            sub.SetCallbackDelay(2)
                            pub.PushBurst(5)
                    sub.SetCallbackDelay(0)
                    with no_events_lost(pub):
                        pub.PushBurst(1)
            assert tango_events.pushed() == tango_events.received() > 26
            assert (tango_events.waiting(), tango_events.lost()) == (0, 0)
        """
    )
    assert "1 passed" in project.run()


def test_a_context_in_a_thread(project):
    """The server and the test are one process, whose events are all known."""
    project.write(
        """
        def test_counts(tango_events):
            with DeviceTestContext(Publisher, process=False, timeout=30) as device:
                got = []
                device.subscribe_event("burst", tango.EventType.CHANGE_EVENT, got.append)
                with no_events_lost(device):
                    device.PushBurst(250)
                assert tango_events.counts(device) == (250, 250, 0, 0)
                assert len(got) == 251
            assert tango_events.counts() == (250, 250, 0, 0)
        """
    )
    assert "1 passed" in project.run()
    (recording,) = project.recordings()
    shown = json.loads(run_monitor("--read", recording, "--diagnose", "--format", "json").stdout)
    assert (shown["verdict"], shown["pushed"], shown["lost"]) == ("healthy", 250, 0)


def test_a_database(project, servers, database):
    """Of named servers, and, by default, of all that are in it, also of those that a fixture starts."""
    pub = servers.publisher("plugin/pub/1", instance="plugin", agent=True, database=database)
    sub = servers.subscriber("plugin/sub/1", instance="plugin", agent=True, database=database)
    agent_answers.join(pub, sub)
    project.write(
        """
        def check(tango_events):
            pub = tango.DeviceProxy("plugin/pub/1")
            before = tango_events.counts("plugin/pub/1")
            with no_events_lost("plugin/pub/1"):
                pub.PushBurst(200)
            after = tango_events.counts(pub)
            assert (after.pushed - before.pushed, after.received - before.received) == (200, 200)
            assert after.lost == 0

        @pytest.mark.tango_events("plugin/pub/1", "plugin/sub/1")
        def test_marker(tango_events):
            check(tango_events)

        def test_all(tango_events):
            check(tango_events)

        @pytest.mark.tango_events(record=False)
        def test_nothing():
            pass
        """
    )
    output = project.run(TANGO_HOST=database.tango_host)
    assert "3 passed" in output
    assert [re.search("test_[a-z]+-", path.name.split(".py", 1)[1])[0] for path in project.recordings()] == [
        "test_all-", "test_marker-"
    ]
    marked = json.loads(project.recordings()[1].read_text().splitlines()[0])["replies"]
    assert sorted(marked) == [f"dserver/{kind}/plugin" for kind in ("publisher", "subscriber")]
    # Given for all tests.
    given = "--tango-events-devices=plugin/pub/1,plugin/sub/1"
    assert "1 passed" in project.run(given, "-k", "test_all", TANGO_HOST=database.tango_host)
    (recording,) = [path for path in project.recordings() if "test_all" in path.name]
    assert sorted(json.loads(recording.read_text().splitlines()[0])["replies"]) == sorted(marked)


def test_events_that_never_end(project, servers, database):
    """The block is about those that were pushed in it."""
    publisher = servers.publisher(database=database, agent=True)
    subscriber = servers.subscriber(database=database, agent=True)
    agent_answers.join(publisher, subscriber)
    project.write(
        f"""
        def test_it(tango_events):
            pub = tango.DeviceProxy({publisher.name()!r})
            pub.PushPaced([20000, 2000])
            for _ in range(3):
                before = pub.pushed
                with no_events_lost(pub, {subscriber.name()!r}, timeout=20):
                    while pub.pushed < before + 1000:
                        pass
                counts = tango_events.counts()
                assert counts.lost == 0 and counts.waiting < 2000
            assert pub.pushing
        """
    )
    assert "1 passed" in project.run()


def test_subscriptions_that_are_removed(project):
    """What they received still counts."""
    project.write(
        """
        def test_counts(tango_events):
            with DeviceTestContext(Publisher, process=False, timeout=30) as device:
                sent = 0
                for number in range(50, 53):
                    subscription = device.subscribe_event("burst", tango.EventType.CHANGE_EVENT, lambda event: None)
                    with no_events_lost(device):
                        device.PushBurst(number)
                    sent += number
                    assert tango_events.counts() == (sent, sent, 0, 0)
                    device.unsubscribe_event(subscription)
                    assert tango_events.counts() == (sent, sent, 0, 0)
                for number in range(3, 0, -1):
                    subscription = device.subscribe_event("burst", tango.EventType.CHANGE_EVENT, lambda event: None)
                    with no_events_lost(device):
                        device.PushBurst(number)
                    sent += number
                    device.unsubscribe_event(subscription)
            assert tango_events.counts(device) == tango_events.counts() == (sent, sent, 0, 0)
        """
    )
    assert "1 passed" in project.run()


STREAM = "tango://h:1/a/b/c/x.change"


def pushing(pushed, attached="2026-03-01T12:00:00.000000+00:00"):
    streams = {STREAM: {"pushed_event_count": pushed}}
    return {"version": 1, "agent": {"pid": 1, "attached": attached}, "server": {"event_streams": streams}}


def receiving(number, last_event="2026-03-01T12:00:01.000000+00:00"):
    counts = {"event_count": number, "server_counter": number, "lost_event_count": 0, "last_event": last_event}
    topics = {STREAM.replace(".change", ".idl5_change"): counts}
    return {"version": 1, "agent": {"pid": 2}, "client": {"event_callbacks": topics}}


def test_servers_that_are_asked_one_after_the_other():
    """The subscriber has events already that the publisher had not pushed yet when it was asked."""
    tracker = Tracker()
    for pushed, number, waiting in ((0, 0, 0), (1000, 1002, 0), (1010, 1007, 3), (1020, 1020, 0)):
        tracker.answered("dserver/pub/1", pushing(pushed))
        tracker.answered("dserver/sub/1", receiving(number))
        assert tracker.counts().waiting == waiting


def test_a_publisher_that_was_restarted():
    """The subscriber has numbers of the old one until Tango has connected it again."""
    tracker = Tracker()
    tracker.answered("dserver/sub/1", receiving(1000))
    tracker.answered("dserver/pub/1", pushing(998, attached="2026-03-01T12:00:02.000000+00:00"))
    assert tracker.counts().waiting == 998


def test_changes_are_taken_as_whole_answers_are():
    """Topics and streams come, go and begin again; sometimes all of them at once."""
    chance = random.Random(3)

    def change(before, value):
        if not (isinstance(before, dict) and isinstance(value, dict)):
            return value, None
        changes, removed = {}, {key: True for key in before if key not in value}
        for key, item in value.items():
            if key not in before or before[key] != item:
                changes[key], gone = change(before.get(key), item)
                if gone:
                    removed[key] = gone
        return changes, removed

    def answer(pid, number):
        names = [f"tango://h:1/a/b/{i}/x" for i in range(5) if chance.random() < 0.8]
        counters = {name + ".change": number + chance.randrange(9) for name in names}
        topics = {
            name + ".idl5_change": {"event_count": chance.randrange(number + 2), "server_counter": number,
                                    "lost_event_count": chance.choice([0, 3, None]), "known_lost_event_count": 1}
            for name in names if chance.random() < 0.8
        }
        streams = {name: {"pushed_event_count": count} for name, count in counters.items()}
        server = {"event_counters": counters, "event_streams": streams, "perf": None}
        client = {"event_callbacks": topics} if chance.random() < 0.9 else None
        return {"version": 1, "agent": {"version": "1", "pid": pid}, "server": server, "client": client}

    whole, changed, before, data = Tracker(), Tracker(), None, {}
    for number in range(300):
        value = answer(number // 40, number)
        whole.answered("dserver/s/1", copy.deepcopy(value))
        is_whole = before is None or number % 50 == 0 or before["agent"] != value["agent"]
        changes, removed = (None, None) if is_whole else change(before, value)
        if is_whole:
            data = copy.deepcopy(value)
        else:
            merge(data, copy.deepcopy(changes), removed)
        assert data == value
        changed.answered("dserver/s/1", data, changes, removed)
        before = value
        assert changed.counts() == whole.counts()
        assert sorted(map(str, changed.pairs([None]))) == sorted(map(str, whole.pairs([None])))
    assert whole.counts().received > 1000


def test_the_block_fails_if_nobody_who_receives_is_recorded(project):
    """It can't be told then whether the events arrive."""
    project.write(
        """
        def test_it(pub):
            pub.subscribe_event("burst", tango.EventType.CHANGE_EVENT, lambda event: None)
            with pytest.raises(EventsLost, match="3 events of test/pub/1/burst.change were pushed, but no server"):
                with no_events_lost(pub):
                    pub.PushBurst(3)
        """
    )
    project.run()


def test_without_the_option(project):
    """The fixture and the block still work, with a recording that is removed."""
    project.write(
        """
        def test_fixture(tango_events):
            with DeviceTestContext(Publisher, process=False, timeout=30) as device:
                subscription = device.subscribe_event("burst", tango.EventType.CHANGE_EVENT, lambda event: None)
                with no_events_lost(device):
                    device.PushBurst(25)
                assert tango_events.counts(device) == (25, 25, 0, 0)
                device.unsubscribe_event(subscription)
        """
    )
    done = project.environment.run("-m", "pytest", "-p", "no:cacheprovider", project.folder)
    assert "1 passed" in done.stdout and not project.events.exists()


# ---- losses ----

LOSSY = """
    import json, re

    BURST = 30000

    def lose(pub, sub):
        sub.SetCallbackDelay(0.05)  # so that hardly any is received meanwhile, however long that takes
        pub.PushBurst(BURST)
        sub.SetCallbackDelay(0)

    def settle(pub, sub):
        import time
        last = -1
        while sub.received != last:
            last = sub.received
            time.sleep(1)

    def test_lossy(pub, sub, tango_events):
        first = sub.received
        try:
            with no_events_lost(pub, timeout=15):
                lose(pub, sub)
        except EventsLost as error:
            missing, of = map(int, re.match(r"(\\d+) of (\\d+) events of test/pub/1/burst.change", str(error)).groups())
            assert of == BURST
            assert missing == BURST - (sub.received - first) > 0
            assert tango_events.pushed() == pub.pushed
            raise

    def test_fails_for_another_reason(pub, sub, tango_events):
        lose(pub, sub)
        settle(pub, sub)
        pub.PushBurst(1)
        settle(pub, sub)
        counts = tango_events.counts(pub)
        assert counts == (pub.pushed, sub.received - 1, 0, pub.pushed - sub.received + 1)
        assert counts.lost == 0
"""


@pytest.mark.parametrize("workers", [0, 2])
def test_losses_are_in_the_report(project, workers):
    """With the numbers of the truth, in the terminal and in JUnit XML; also from workers of pytest-xdist."""
    project.write(LOSSY)
    output = project.run("-n", workers, status=1)
    assert "2 failed" in output
    # The truth is compared in the tests; what fails has to be the loss.
    assert "EventsLost: " in output and re.search(r"assert \d+ == 0\n", output), output
    assert output.count("- Tango events -") == 3
    assert len(re.findall(r"^fault (overflow|unnoticed-loss): ", output, re.MULTILINE)) >= 2
    for test in ("test_lossy", "test_fails_for_another_reason"):
        properties = project.properties(test)
        assert re.search("^fault (overflow|unnoticed-loss): ", properties["tango_events_findings"], re.MULTILINE)
        assert (project.folder / properties["tango_events_recording"]).is_file()
    tree = xml.etree.ElementTree.parse(project.junit)
    texts = [failure.text for failure in tree.iter("failure")]
    assert len(texts) == 2 and all("Tango events" in text for text in texts)
    # In the recording, the same.
    (recording,) = [path for path in project.recordings() if "another" in path.name]
    lost = int(re.search(r"assert (\d+) == 0\n", output)[1])
    shown = json.loads(run_monitor("--read", recording, "--diagnose", "--format", "json").stdout)
    assert shown["lost"] == lost


# ---- files ----


def test_names_of_recordings(project):
    """Whatever is in a test's name, in each worker its own."""
    project.write(
        r"""
        HOSTILE = ["../../x", "a/b", "a b", "\x1b[31m", "n\nl", "-rf", ".", "x" * 300, "ü", "a\udc80", "$(id)", ""]

        @pytest.mark.parametrize("value", HOSTILE)
        @pytest.mark.tango_events("tango://127.0.0.1:9/no/such/device#dbase=no")
        def test_it(value):
            pass
        """
    )
    project.run("--tx", "2*popen", "--dist", "each", "-q")
    names = [path.name for path in project.recordings()]
    assert len(names) == len(set(names)) == 24
    assert all(re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.=-]{0,200}\.jsonl", name) for name in names)
    assert sorted(path.name for path in project.folder.parent.iterdir() if path.suffix == ".jsonl") == []
    # The same names at the next run, which replaces them.
    project.run("--tx", "2*popen", "--dist", "each", "-q")
    assert [path.name for path in project.recordings()] == names


@pytest.mark.parametrize("how", ["option", "ini"])
def test_only_those_of_failed_tests_are_kept(project, how):
    project.write(
        """
        def test_good(context):
            pass

        def test_bad(context):
            assert 0
        """
    )
    if how == "ini":
        (project.folder / "pytest.ini").write_text("[pytest]\ntango_events_keep = failed\n")
    project.run(*(["--tango-events-keep=failed"] if how == "option" else []), status=1)
    (recording,) = project.recordings()
    assert "test_bad" in recording.name


# ---- what goes wrong around it ----


def test_no_agent(project):
    """One line says what to do; nothing fails."""
    project.write(
        """
        def test_it(pub, tango_events):
            with no_events_lost(pub):
                pub.PushBurst(3)
            assert tango_events.counts() == (0, 0, 0, 0)
        """
    )
    output = project.run(SKA_TANGO_EVENT_AGENT="off")
    lines = [line for line in output.splitlines() if "install ska-tango-event-monitor into the environment" in line]
    assert len(lines) == 1 and "1 passed" in output


def test_a_database_that_is_away(project):
    """Test contexts are recorded all the same."""
    project.write(
        """
        def test_it(pub, sub, tango_events):
            with no_events_lost(pub):
                pub.PushBurst(30)
            assert tango_events.pushed() == pub.pushed

        def test_plain():
            pass
        """
    )
    output = project.run(TANGO_HOST=f"127.0.0.1:{free_port()}")
    assert "2 passed" in output and output.count("can't connect to the Tango database") == 1


@pytest.mark.parametrize("what", ["dies", "hangs", "is missing", "prints garbage"])
def test_the_monitor(project, what):
    """Whatever becomes of it, the tests go on."""
    program = project.folder / "monitor"
    scripts = {"dies": "kill -9 $$", "hangs": "trap '' TERM; while :; do sleep 0.1; done",
               "prints garbage": "head -c 100000 /dev/urandom >&2; exit 1"}
    if what in scripts:
        program.write_text(f"#!/bin/sh\n{scripts[what]}\n")
        program.chmod(0o755)
    project.write(
        """
        @pytest.mark.parametrize("number", range(8))
        @pytest.mark.tango_events("tango://127.0.0.1:9/no/such/device#dbase=no")
        def test_it(number, tango_events):
            with no_events_lost("no/such/device"):
                pass
            tango_events.counts()
        """
    )
    begin = time.monotonic()
    output = project.run(SKA_TANGO_EVENT_MONITOR_PROGRAM=program)
    assert "8 passed" in output and "\x1b" not in output
    assert ("nothing more is recorded" in output) == (what == "hangs")
    assert time.monotonic() - begin < 90
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            assert str(program) not in path.read_bytes().decode(errors="replace")


@pytest.mark.parametrize("how", ["SIGINT", "SIGTERM", "SIGKILL", "os._exit"])
def test_a_run_that_is_ended(project, how):
    """The monitor ends with it: the fixture ``project`` waits for that."""
    script = """
        def test_it(tango_events):
            with DeviceTestContext(Publisher, process=False, daemon=True, timeout=30):
                open("ready", "w").close()
                import time
                while not os.path.exists("exit"):
                    time.sleep(0.05)
                os._exit(3)
        """
    project.write(script)
    process = project.start("-s")
    try:
        wait_for(lambda: (project.folder / "ready").exists() or process.poll() is not None, 60, "the test")
        assert len(monitors_of(project.events)) == 1
        if how == "os._exit":
            (project.folder / "exit").touch()
        else:
            os.kill(process.pid, getattr(signal, how))
        process.communicate(timeout=60)
    finally:
        process.kill()
        process.communicate()


def test_a_server_that_the_test_kills(project, servers):
    pub = servers.publisher(agent=True)
    sub = servers.subscriber(agent=True)
    agent_answers.join(pub, sub)
    pub.told_to_end = True
    project.write(
        f"""
        import signal, time

        @pytest.mark.tango_events({pub.name()!r}, {sub.name()!r})
        def test_it(tango_events):
            before = tango_events.counts()
            os.kill({pub.pid}, signal.SIGKILL)
            time.sleep(1)
            assert tango_events.counts().received >= before.received
            assert 0
        """
    )
    output = project.run(status=1)
    report = output.split("- Tango events -")[1]
    assert re.search(r"^tango://\S+/dserver/publisher/test(#dbase=no)?: .+", report, re.MULTILINE), output


# ---- what it costs ----


def test_it_costs_nothing_unless_asked_for(project):
    """Neither Tango nor anything of ours is imported but the module with the options."""
    project.write(
        """
        def test_it():
            import sys
            assert not [name for name in sys.modules if name.split(".")[0] in ("tango", "ska_tango_event_monitor")]
        """,
        begin="",
    )
    done = project.environment.run("-W", "error", "-m", "pytest", "-p", "no:cacheprovider", project.folder)
    assert "1 passed" in done.stdout
    # Asked for, and nothing to record: no Tango, no process, no file.
    assert "1 failed" in project.run(status=1)
    assert project.recordings() == []


# ---- docs/testing.md ----


def documented():
    return (ROOT / "docs" / "testing.md").read_text(encoding="utf-8")


def test_options_and_settings_are_documented(project):
    project.write("def test_it(): pass\n", begin="")
    text = project.environment.run("-m", "pytest", "--help").stdout
    names = set(re.findall(r"--tango-events[a-z-]*|tango_events_[a-z_]+", text))
    assert len(names) == 7
    for name in names:
        assert f"`{name}" in documented(), name


def test_the_example_for_gitlab(project):
    """It is valid YAML, and its commands work."""
    yaml = pytest.importorskip("yaml")
    (block,) = re.findall(r"```yaml\n(.*?)```", documented(), re.DOTALL)
    job = yaml.safe_load(block)["test"]
    assert job["artifacts"]["when"] == "always"
    assert job["artifacts"]["reports"]["junit"] == "junit.xml"
    script = [*job["script"], *job["after_script"]]
    project.write(
        """
        def test_it(pub, sub):
            pub.PushBurst(5)
        """,
        name="tests/test_it.py",
    )
    path = f"{project.environment.folder / 'bin'}:{os.environ['PATH']}"
    ran = []
    for line in script:
        if "pip install" in line:
            continue
        ran.append(line)
        done = subprocess.run(
            ["bash", "-eo", "pipefail", "-c", line], cwd=project.folder, env=clean_environment(PATH=path),
            capture_output=True, text=True, timeout=120, check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
    assert len(ran) >= 2
    for pattern in job["artifacts"]["paths"]:
        assert list(project.folder.glob(pattern.rstrip("/"))), pattern
    assert project.junit.is_file()
