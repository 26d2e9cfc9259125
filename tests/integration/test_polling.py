"""Polls go on: whatever some servers, names and limits do, the others are asked in time."""

import datetime
import os
import re
import signal
import socket
import subprocess
import threading

import pytest
from tango_servers import (
    CPP_PUBLISHER,
    MONITOR,
    Server,
    clean_environment,
    need,
    run_monitor,
    start_database,
    wait_for,
)
from watching import (
    ASKED_AGAIN,
    IS_DOWN,
    LOAD_THE_AGENT,
    LONG_S,
    PROGRAM,
    end_of,
    has_data,
    has_error,
    lines,
    message,
    perf_is_on,
    replies_of,
    thaw,
    wait_for_replies,
)

pytestmark = pytest.mark.sanitizers


@pytest.fixture(autouse=True)
def _programs(monitor_bin, agent_lib):
    """All of these need the monitor and the agent."""


# More servers than files ---------------------------------------------------------------------

# The monitor itself has some 10 files open.
MANY = 35


@pytest.fixture
def many(servers):
    """That many small servers, started side by side."""
    made = []
    for number in range(MANY):
        devices = {"CppPublisher": [f"many/pub/{number}"]}
        log = servers.folder / f"many-{number}.log"
        made.append(Server([need(CPP_PUBLISHER)], f"many-{number}", devices, log, agent=True))
        servers.servers.append(made[-1])
        made[-1].launch()
    for server in made:
        server.wait_until_ready()
    return made


def run_limited(soft, hard, *args):
    """The monitor with a limit on open files."""
    return subprocess.run(
        ["prlimit", f"--nofile={soft}:{hard}", str(need(MONITOR)), *map(str, args)],
        env=clean_environment(), stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60, check=False,
    )


def test_more_servers_than_files(many, recording):
    """Of the two limits, the soft one is raised; the hard one is reported."""
    names = [server.admin for server in many]
    result = run_limited(40, 200, "-q", "-n", 1, "-o", recording, *names)
    assert (result.returncode, result.stderr) == (0, "")
    assert all(map(has_data, lines(recording)[0]["replies"].values()))

    result = run_limited(40, 40, "-q", "-n", 1, "-o", recording, *names)
    replies = lines(recording)[0]["replies"]
    assert set(replies) == set(names)
    failed = [name for name, reply in replies.items() if not has_data(reply)]
    assert 0 < len(failed) < MANY
    assert {replies[name]["error"] for name in failed} == {"too many open files: 40 are allowed"}
    assert IS_DOWN not in result.stderr
    for name in failed:
        assert f"{PROGRAM}{name}: too many open files: 40 are allowed: raise the limit (ulimit -Hn;" in result.stderr


@pytest.mark.not_under_sanitizers("they need files themselves")
def test_fewer_files_than_it_needs_itself(publisher):
    """However few there are: it says so, or goes."""
    for files in range(6, 20):
        result = run_limited(files, files, "-q", "-n", 1, publisher.name())
        said = result.stderr.splitlines()
        assert result.returncode in (0, 1) and (result.returncode == 0 or said), (files, result)
        assert all(line.startswith(PROGRAM) for line in said), (files, result)


# Servers that hang ---------------------------------------------------------------------------


def test_a_server_that_hangs_slows_no_other(servers, recording, start, freeze):
    """One poll waits for it as long as a server may take; the others stay in time."""
    pub = servers.publisher("test/pub/1", "one", agent=True)
    other = servers.publisher("test/pub/2", "two", agent=True)
    period, timeout = 0.2, 3
    monitor = start(
        "-q", "--poll-period", period, "--timeout", timeout, "-o", recording, pub.name(), other.name()
    )
    wait_for_replies(recording, pub, 1, has_data)
    freeze(pub)

    def hangs(reply):
        return reply.get("error", "").startswith("no answer since ")

    wait_for_replies(recording, pub, 30, hangs)
    thaw(pub)
    since = len(lines(recording))
    wait_for_replies(recording, pub, 5, has_data, since)
    monitor.terminate()
    status, output, errors = end_of(monitor, late=True)
    assert (status, output) == (0, "") and errors.count("longer than the period") == 1

    polls = lines(recording)
    assert all(has_data(line["replies"][other.admin]) for line in polls)
    hung = [line for line in polls if hangs(line["replies"][pub.admin])]
    # Always the same words: what doesn't change is reported once.
    (error,) = {line["replies"][pub.admin]["error"] for line in hung}
    since = datetime.datetime.fromisoformat(re.fullmatch("no answer since (.*); it is no longer waited for", error)[1])
    times = [datetime.datetime.fromisoformat(line["time"]) for line in hung]
    assert timeout - 1.5 < (times[0] - since).total_seconds() < timeout + 10
    # Waiting for it each time would take 30 times the timeout.
    assert (times[29] - times[0]).total_seconds() < 30 * period + 2 * timeout
    # Neither a poll waits for its answer when it goes on, nor is that answer lost.
    back = next(number for number, line in enumerate(polls) if line is hung[-1]) + 1
    assert all(has_data(line["replies"][pub.admin]) for line in polls[back:])


# Databases and servers that are none ---------------------------------------------------------


def test_a_silent_database_holds_up_no_server_of_another(servers, database, silent_database, recording, start):
    """However many names there are in it: the Tango library connects to one database at a time."""
    pub = servers.publisher("live/pub/1", "live", agent=True, database=database)
    host = f"tango://127.0.0.1:{silent_database.getsockname()[1]}"
    silent = [f"{host}/names/in/{number}" for number in range(20)]
    monitor = start("-q", "--poll-period", 0.2, "--timeout", 0.5, "-o", recording, *silent, pub.name())
    wait_for(lambda: lines(recording), what="the first poll")
    (name,) = set(lines(recording)[0]["replies"]) - set(silent)
    wait_for(lambda: has_data(lines(recording)[-1]["replies"][name]), what="its answer")
    monitor.terminate()
    assert end_of(monitor)[0] == 0


def test_a_database_that_ends_is_named(tmp_path, recording, start):
    """Not a server that nobody knows."""
    database = start_database(tmp_path)
    down = "tango://127.0.0.1:1/may/come/up#dbase=no"
    names = ["no/such/device", down]
    try:
        monitor = start("-q", "--poll-period", 0.1, "-o", recording, *names, TANGO_HOST=database.tango_host)
        unknown = "the Tango database has no such device or alias"

        def said(error):
            last = lines(recording)[-15:]
            return len(last) == 15 and all(line["replies"]["no/such/device"]["error"] == error for line in last)

        wait_for(lambda: said(unknown), what="the database to say so")
        database.end_databaseds()
        wait_for(lambda: said(f"can't connect to the Tango database {database.tango_host}"), what="word of its end")
        database.start_databaseds()
        wait_for(lambda: said(unknown), what="the database to say so again")
        monitor.terminate()
        assert end_of(monitor)[0] == 0
    finally:
        database.stop()


def test_what_talks_nonsense_floods_nothing(recording, start):
    """The ORB would print a message at every attempt; it must not reach our standard error."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def answer():
            try:
                while True:
                    with listener.accept()[0] as connection:
                        connection.recv(65536)
                        connection.sendall(b"GIOP\1\2\1\x09\x64\0\0\0" + b"?" * 100)
                        while connection.recv(65536):
                            pass
            except OSError:
                pass

        thread = threading.Thread(target=answer)
        thread.start()
        name = f"tango://127.0.0.1:{listener.getsockname()[1]}/talks/nonsense/1#dbase=no"
        monitor = start("-q", "--poll-period", 0.1, "--timeout", 0.5, "-o", recording, name)
        wait_for(lambda: len(lines(recording)) > 5, what="polls")
        monitor.terminate()
        status, _, errors = end_of(monitor)
        listener.shutdown(socket.SHUT_RDWR)
        thread.join()
    assert status == 0
    assert len(errors.splitlines()) == 1, errors
    assert has_error(lines(recording)[-1]["replies"][name])


# Names that take for ever --------------------------------------------------------------------


@pytest.fixture
def silent_database():
    """Takes connections, and doesn't talk."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(20)
        yield listener


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("names", [["--all"], ["a/b/*"], ["a/b/c"], ["--list", "a/*"], ["@FILE"]])
def test_ended_while_names_are_looked_up(silent_database, tmp_path, start, names, number):
    (tmp_path / "FILE").write_text("a/b/*\n")
    names = [name.replace("@", f"@{tmp_path}/") for name in names]
    monitor = start("--timeout", LONG_S, *names, TANGO_HOST=f"127.0.0.1:{silent_database.getsockname()[1]}")
    with silent_database.accept()[0]:
        monitor.send_signal(number)
        assert end_of(monitor) == (0, "", "")


def test_ended_while_a_pipe_says_nothing(tmp_path, start):
    fifo = tmp_path / "names"
    os.mkfifo(fifo)
    monitor = start(f"@{fifo}")

    def is_read():
        try:
            return os.open(fifo, os.O_WRONLY | os.O_NONBLOCK)
        except OSError:
            return None

    writer = wait_for(is_read, what="somebody who reads the pipe")
    try:
        monitor.terminate()
        assert end_of(monitor) == (0, "", "")
    finally:
        os.close(writer)


# Names that can't be asked -------------------------------------------------------------------


def test_one_wrong_name_does_not_stop_the_others(servers, database, recording, start):
    """As documented for the recorder: a server with the agent, and DataBaseds without."""
    pub = servers.publisher("wrong/pub/1", "wrong-pub", agent=True, database=database)
    bare, unknown = "dserver/DataBaseds/2", "wrong/pub/2"
    env = {"TANGO_HOST": database.tango_host}
    told = message(
        f"{bare}: has neither QueryEventAgent nor QueryEventSystem: {LOAD_THE_AGENT}; {ASKED_AGAIN}",
        f"{unknown}: the Tango database has no such device or alias: check the name; {ASKED_AGAIN}",
    )
    names = ["wrong/pub/1", bare, unknown]
    admin = f"dserver/{pub.server_name}"
    # With an end of its own it says that something is wrong in its status, too.
    result = run_monitor("-q", "-n", 1, "-o", recording, *names, **env)
    assert (result.returncode, result.stderr) == (1, told)
    listed = run_monitor("--list", *names, **env)
    assert listed.returncode == 1
    rows = dict(line.split(None, 1) for line in listed.stdout.splitlines())
    assert rows == {admin: "QueryEventAgent", bare: "none", unknown: "no such device"}

    monitor = start("-q", "--poll-period", 0.1, "-o", recording, *names, **env)
    wait_for(lambda: len(lines(recording)) > 2, what="three polls")
    for line in lines(recording):
        assert has_data(line["replies"][admin])
        assert line["replies"][bare]["error"].startswith("has neither QueryEventAgent nor QueryEventSystem")
        assert line["replies"][unknown]["error"] == "the Tango database has no such device or alias"
    # It is watched from the moment that there is such a device.
    late = servers.publisher("wrong/pub/2", "wrong-late", agent=True, database=database)
    wait_for(lambda: has_data(lines(recording)[-1]["replies"][unknown]), what="its answer")
    late.stop()
    monitor.terminate()
    assert end_of(monitor) == (0, "", told)


def test_list_shows_no_control_characters(servers):
    """What stands there comes from servers, which name themselves."""
    devices = {"CppPublisher": ["test/hostile/1"]}
    hostile = Server([need(CPP_PUBLISHER)], "red\x1b[31m", devices, servers.folder / "hostile.log", agent=True)
    servers.servers.append(hostile)
    hostile.launch()
    hostile.wait_until_ready()
    result = run_monitor("--list", hostile.name())
    assert "\x1b" not in result.stdout + result.stderr
    assert result.stdout.startswith(hostile.admin.replace("\x1b", "?") + "  ")


# Performance monitoring of several -----------------------------------------------------------

ON_BY_OTHERS = (
    "performance monitoring was switched on by somebody else, or by a monitor that was killed, and stays on: {}:"
    " to switch it off, call StopEventSystemPerfMon, or else EnableEventSystemPerfMon with false"
)
A_PART = "; each monitor gets only a part of the samples"


def test_what_was_on_stays_on(publisher, recording):
    publisher.admin_proxy().StartEventSystemPerfMon()
    publisher.proxy().PushBurst(10)
    result = run_monitor("-qm", "-n", 1, "-o", recording, publisher.name())
    assert (result.returncode, result.stdout) == (0, "")
    assert result.stderr == message(ON_BY_OTHERS.format(publisher.admin) + A_PART)
    assert perf_is_on(publisher)


def test_what_is_on_after_a_restart_stays_on(publisher, recording, start):
    """A server that begins with it on takes it from somebody else."""
    monitor = start("-qm", "--poll-period", 0.1, "-o", recording, publisher.name())
    wait_for_replies(recording, publisher, 2, has_data)
    publisher.env["SKA_TANGO_EVENT_AGENT_PERF"] = 1
    publisher.restart()
    publisher.admin_proxy().ZmqEventSubscriptionChange(["info"])
    wait_for_replies(recording, publisher, 2, has_data, len(lines(recording)))
    monitor.terminate()
    assert end_of(monitor)[:2] == (0, "")
    assert perf_is_on(publisher)


def test_samples_from_before_are_not_lost(servers, recording):
    """Asking whether it is on removes the samples: they are in the first poll."""
    pub = servers.cpp_publisher(agent=True)
    sub = servers.cpp_subscriber(agent=True)
    sub.proxy().Subscribe(pub.attribute("burst"))
    pub.admin_proxy().StartEventSystemPerfMon()
    pub.proxy().PushBurst(10)
    result = run_monitor("-qm", "-n", 1, "-o", recording, pub.name())
    assert result.returncode == 0
    (reply,) = replies_of(recording, pub)
    assert len(reply["data"]["server"]["perf"]) == 10


def test_two_monitors(publisher, tmp_path, start):
    """The one that comes later and goes first switches nothing off; the other way around it is on again
    with the next poll, and off when both have gone."""
    first, second = tmp_path / "first.jsonl", tmp_path / "second.jsonl"

    def run(path):
        path.unlink(missing_ok=True)
        monitor = start("-qm", "--poll-period", 0.1, "-o", path, publisher.name())
        wait_for_replies(path, publisher, 2, has_data)
        return monitor

    def is_on(reply):
        return reply["data"]["server"]["perf"] is not None

    note = message(ON_BY_OTHERS.format(publisher.admin) + A_PART)
    one, two = run(first), run(second)
    two.terminate()
    assert end_of(two) == (0, "", note)
    assert all(map(is_on, replies_of(first, publisher)))
    assert perf_is_on(publisher)

    two = run(second)
    one.terminate()
    assert end_of(one) == (0, "", "")
    since = len(lines(second))
    wait_for_replies(second, publisher, 3, is_on, since)
    two.terminate()
    assert end_of(two) == (0, "", note)
    assert not perf_is_on(publisher)


def test_what_a_killed_monitor_left_on_is_told(servers, publisher, recording, start):
    other = servers.publisher("test/pub/2", "other", agent=True)
    other.admin_proxy().ZmqEventSubscriptionChange(["info"])
    monitor = start("-qm", "--poll-period", 0.1, "-o", recording, publisher.name(), other.name())
    wait_for_replies(recording, publisher, 1, has_data)
    monitor.kill()
    monitor.wait()
    told = message(ON_BY_OTHERS.format(f"{publisher.admin}, {other.admin}"))
    result = run_monitor("-q", "-n", 3, "--poll-period", 0.1, publisher.name(), other.name())
    assert (result.returncode, result.stderr) == (0, told)
    # Its advice helps.
    for server in (publisher, other):
        server.admin_proxy().StopEventSystemPerfMon()
    result = run_monitor("-q", "-n", 1, publisher.name(), other.name())
    assert (result.returncode, result.stderr) == (0, "")
