"""The monitor: what it reports, records and returns when servers, databases and disks misbehave."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import tango_servers
from tango_servers import free_port, run_monitor, wait_for
from watching import (
    ASKED_AGAIN,
    END_S,
    IS_DOWN,
    LOAD_THE_AGENT,
    LONG_S,
    PROGRAM,
    WAS_STOPPED,
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
in_local_tango = pytest.mark.xdist_group("local_tango")

sys.path.insert(0, str(tango_servers.ROOT / "demo"))


@pytest.fixture(autouse=True)
def _programs(monitor_bin, agent_lib):
    """All of these need the monitor and the agent."""


def jq_takes(path):
    """Whether `jq -e .` accepts every line by itself."""
    assert shutil.which("jq"), "jq is missing"
    for line in path.read_bytes().splitlines():
        subprocess.run(["jq", "-e", "."], input=line, stdout=subprocess.DEVNULL, check=True)
    return True


def was_asked(server):
    """Whether a request waits in a socket of a frozen server: a poll is under way."""
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        fields = line.split()
        port = int(fields[1].split(":")[1], 16)
        received = int(fields[4].split(":")[1], 16)
        if port == server.port and fields[3] == "01" and received > 0:
            return True
    return False


# What it can't begin with -------------------------------------------------------------------


def test_names_that_do_not_exist(servers):
    pub = servers.publisher(agent=True)
    nothing_there = f"tango://127.0.0.1:{free_port()}/a/b/c#dbase=no"
    result = run_monitor(
        "-q", "-n", 1,
        pub.full_name("no/such/device"),
        nothing_there,
        pub.name(),
        "a/b/c/d",
        TANGO_HOST=f"127.0.0.1:{free_port()}",
    )
    assert result.returncode == 1
    assert result.stderr == message(
        f"{pub.full_name('no/such/device')}: its server has no such device: check the name; {ASKED_AGAIN}",
        f"{nothing_there}: {IS_DOWN}; {ASKED_AGAIN}",
        f"a/b/c/d: Wrong device name syntax (domain/family/member) in a/b/c/d: check the name; {ASKED_AGAIN}",
    )


def test_a_database_that_is_down():
    port = free_port()
    result = run_monitor("foo/bar/pub", TANGO_HOST=f"127.0.0.1:{port}")
    assert (result.returncode, result.stdout) == (1, "")
    assert result.stderr == message(
        f"foo/bar/pub: can't connect to the Tango database 127.0.0.1:{port}: start it,"
        " or name the right one: TANGO_HOST=HOST:PORT, or tango://HOST:PORT/DEVICE"
    )


def test_tango_host_that_names_nothing():
    result = run_monitor("foo/bar/pub", TANGO_HOST="nonsense")
    assert (result.returncode, result.stdout) == (1, "")
    assert result.stderr == message(
        "foo/bar/pub: TANGO_HOST is not set, or is not HOST:PORT: set it to that of the Tango"
        " database, or name tango://HOST:PORT/DEVICE"
    )


def test_a_server_without_the_commands(servers):
    bare = servers.publisher("test/pub/1", "bare", agent=False)
    watched = servers.publisher("test/pub/2", "watched", agent=True)
    result = run_monitor("-q", "-n", 1, bare.name(), watched.name(), bare.admin)
    assert (result.returncode, result.stdout) == (1, "")
    has_none = f"{bare.admin}: has neither QueryEventAgent nor QueryEventSystem: {LOAD_THE_AGENT}"
    assert result.stderr == message(
        f"{has_none}; {ASKED_AGAIN}", f"{bare.admin}: the server of {bare.name()}, {bare.admin}; it is polled once"
    )
    result = run_monitor(bare.name(), bare.admin)
    assert (result.returncode, result.stdout, result.stderr) == (1, "", message(has_none))


def test_a_server_that_does_not_talk(servers, freeze):
    """It is asked all the same; that nobody ever answered is no success."""
    pub = servers.publisher(agent=True)
    freeze(pub)
    result = run_monitor("--timeout", "0.5", "-n", 1, pub.name())
    assert result.returncode == 1
    assert "0 of 1 server answered, 1 FAILED" in result.stdout
    # Whichever came first: the library's failure or the monitor's timeout.
    assert result.stderr in [
        message(f"{pub.name()}: no answer within {seconds} s; {ASKED_AGAIN}") for seconds in ("0.5", "2")
    ]


def test_an_output_that_cannot_be_opened(servers, tmp_path):
    pub = servers.publisher(agent=True)
    missing = tmp_path / "no" / "such" / "folder"
    result = run_monitor("-n", 1, "-o", missing, pub.name())
    assert (result.returncode, result.stdout) == (1, "")
    assert result.stderr == message(f"{missing}: can't record there: No such file or directory")
    result = run_monitor("-n", 1, "-o", tmp_path, pub.name())
    assert (result.returncode, result.stdout) == (1, "")
    assert result.stderr == message(f"{tmp_path}: can't record there: Is a directory")


def test_a_recording_is_not_emptied_for_a_wrong_name(servers, recording):
    recording.write_text('{"time": "t", "replies": {}}\n')
    result = run_monitor("-o", recording, "a/b/c/d", TANGO_HOST="127.0.0.1:1")
    assert result.returncode == 1
    assert len(lines(recording)) == 1


# What came of it all ------------------------------------------------------------------------


def test_totals_at_the_end(servers, database, recording, start):
    """Events pushed while it watched, also over a restart; not those from before."""
    pub = servers.publisher("total/pub/1", "total", agent=True, database=database)
    sub = servers.subscriber("total/sub/1", "total", agent=True, database=database)
    sub.proxy().Subscribe([pub.attribute("burst"), "change"])

    def seen():
        (details,) = json.loads(sub.proxy().details).values()
        return details["last_value"] == pub.proxy().pushed

    def push(count):
        pub.proxy().PushBurst(count)
        wait_for(seen, what=f"{count} events")

    wait_for(lambda: (pub.proxy().PushBurst(1), seen())[1], what="the first event", period=0.1)
    push(30)
    monitor = start("--poll-period", 0.2, "-o", recording, pub.name(), sub.name())
    wait_for_replies(recording, pub, 2, has_data)
    push(20)
    push(40)
    since = len(lines(recording))
    wait_for_replies(recording, pub, 1, has_data, since)
    pub.kill()
    wait_for_replies(recording, pub, 2, has_error, len(lines(recording)))
    pub.start()
    wait_for_replies(recording, pub, 1, has_data, len(lines(recording)))
    wait_for_replies(recording, sub, 1, has_data, len(lines(recording)))
    monitor.terminate()
    status, output, _ = end_of(monitor)
    assert status == 0
    polls = lines(recording)
    failed = len([1 for line in polls for reply in line["replies"].values() if has_error(reply)])
    totals = output[output.index("In all:"):]
    assert re.match(rf"In all: {len(polls)} polls of 2 servers in [0-9.]+ s, {failed} failed; 0 events LOST\n", totals)
    (row,) = re.findall(r"dserver/publisher/total +(\d+) +(\d+) +(\d+)\n", totals)
    assert row == (str(len(polls)), str(failed), "1")
    assert re.search(r"total/pub/1/burst\.change +60 +[0-9.]+ ", totals), totals
    assert re.search(r"total/pub/1/burst\.idl5_change +60 +[0-9.]+ +0 +0 +\S*dserver/subscriber/total\n", totals), totals


# Choosing what to watch ---------------------------------------------------------------------


@pytest.fixture
def control_system(servers, local_tango):
    """Two servers with the agent, one without, in a database; gives them and TANGO_HOST."""
    one = servers.publisher("sel/pub/1", "sel-one", agent=True, database=local_tango)
    two = servers.publisher("sel/pub/2", "sel-two", agent=True, database=local_tango)
    bare = servers.publisher("sel/pub/bare", "sel-bare", agent=False, database=local_tango)
    return one, two, bare, {"TANGO_HOST": local_tango.tango_host}


def path_of_admin(server):
    return f"dserver/{server.server_name}"


def watched(recording):
    return [set(line["replies"]) for line in lines(recording)][-1]


def passed_over(*servers, of):
    """The line that says so."""
    names = ", ".join(path_of_admin(server) for server in servers)
    return message(f"{len(servers)} of {of} servers skipped, since they have no command to ask: {names}")


@in_local_tango
def test_a_pattern(control_system, recording):
    one, two, bare, env = control_system
    result = run_monitor("-q", "-n", 1, "-o", recording, "sel/*/*", **env)
    assert (result.returncode, result.stderr) == (0, passed_over(bare, of=3))
    assert watched(recording) == {path_of_admin(one), path_of_admin(two)}
    result = run_monitor("-q", "-n", 1, "-o", recording, "dserver/publisher/sel-t*", **env)
    assert (result.returncode, result.stderr) == (0, "")
    assert watched(recording) == {path_of_admin(two)}
    # As part of a full name, too, and beside what is named outright.
    full = f"tango://{env['TANGO_HOST']}/sel/pub/1*"
    result = run_monitor("-q", "-n", 1, "-o", recording, full, "sel/pub/2",
                         TANGO_HOST=env["TANGO_HOST"])
    assert (result.returncode, result.stderr) == (0, "")
    assert watched(recording) == {f"tango://{env['TANGO_HOST']}/{path_of_admin(one)}", path_of_admin(two)}


@in_local_tango
def test_all_and_exclude(control_system, recording):
    one, two, bare, env = control_system
    # The database itself is an exported server, without our commands.
    result = run_monitor("-q", "-n", 1, "-o", recording, "--all", **env)
    assert result.returncode == 0
    assert watched(recording) == {path_of_admin(one), path_of_admin(two)}
    assert "servers skipped" in result.stderr and result.stderr.count("\n") == 1
    assert path_of_admin(bare) in result.stderr
    result = run_monitor("-q", "-n", 1, "-o", recording, "sel/*/*", "--exclude", "SEL/pub/1",
                         "--exclude", "*/sel-bare", **env)
    assert (result.returncode, result.stderr) == (0, "")
    assert watched(recording) == {path_of_admin(two)}
    result = run_monitor("-n", 1, "sel/*/*", "--exclude", "sel/*", **env)
    assert (result.returncode, result.stderr) == (1, message("nothing is left to watch"))


@in_local_tango
def test_names_from_a_file(control_system, recording, tmp_path):
    one, two, bare, env = control_system
    names = tmp_path / "names"
    nodb = "tango://127.0.0.1:1/a/b/c#dbase=no"
    names.write_text(f"# the night's servers\n\n  sel/pub/1  # the first\n\tsel/pub/2\r\n{nodb}\nsel/pub/1")
    result = run_monitor("-q", "-n", 1, "-o", recording, f"@{names}", **env)
    assert (result.returncode, result.stderr) == (0, message(f"{nodb}: {IS_DOWN}; {ASKED_AGAIN}"))
    assert watched(recording) == {path_of_admin(one), path_of_admin(two), nodb}
    names.write_text("sel/pub/1 sel/pub/2\n")
    result = run_monitor("-n", 1, f"@{names}", **env)
    assert (result.returncode, result.stderr) == (1, message(f"{names}: line 1: only one name per line"))
    result = run_monitor("-n", 1, f"@{tmp_path / 'missing'}", **env)
    assert result.returncode == 1
    assert result.stderr == message(f"{tmp_path / 'missing'}: can't read it: No such file or directory")
    names.write_text("# nobody\n")
    result = run_monitor("-n", 1, f"@{names}", **env)
    assert (result.returncode, result.stderr) == (1, message("nothing is left to watch"))


@in_local_tango
def test_servers_without_the_commands(control_system, recording):
    one, _, bare, env = control_system
    # Named outright it is an error, unless one says otherwise.
    result = run_monitor("-q", "-n", 1, "-o", recording, "sel/pub/1", "sel/pub/bare", **env)
    assert result.returncode == 1 and LOAD_THE_AGENT in result.stderr
    result = run_monitor("-q", "-n", 1, "-o", recording, "--skip-unsupported", "sel/pub/1",
                         "sel/pub/bare", **env)
    assert (result.returncode, result.stderr) == (0, passed_over(bare, of=2))
    assert watched(recording) == {path_of_admin(one)}
    result = run_monitor("-n", 1, "sel/pub/bar*", **env)
    assert result.returncode == 1
    assert result.stderr == passed_over(bare, of=1) + message("nothing is left to watch")


@in_local_tango
def test_list(control_system, recording):
    one, two, bare, env = control_system
    two.stop()
    result = run_monitor("--list", "-o", recording, "sel/*/*", "sel/pub/2", **env)
    assert result.returncode == 0
    rows = dict(line.split(None, 1) for line in result.stdout.splitlines())
    assert rows == {
        path_of_admin(one): "QueryEventAgent",
        path_of_admin(bare): "none",
        path_of_admin(two): "not running",
    }
    assert not recording.exists()


@in_local_tango
def test_patterns_that_match_nothing_and_databases_that_are_away(control_system):
    *_, env = control_system
    result = run_monitor("-n", 1, "nobody/*", **env)
    assert result.returncode == 1
    assert result.stderr == message("nobody/*: the database has no exported device with that name")
    port = free_port()
    result = run_monitor("-n", 1, "--all", TANGO_HOST=f"127.0.0.1:{port}")
    assert result.returncode == 1
    assert f"can't connect to the Tango database 127.0.0.1:{port}" in result.stderr


# Servers that are down ----------------------------------------------------------------------


@pytest.mark.parametrize("named", ["device", "admin device"])
def test_a_server_of_a_database_that_is_down_at_the_start(servers, database, recording, start, named):
    """It is picked up when it comes, on a port that nobody could know, with its monitoring on."""
    other = servers.publisher("down/pub/other", f"down-{named.split()[0]}-other", agent=True, database=database)
    pub = servers.publisher("down/pub/1", f"down-{named.split()[0]}", agent=True, database=database)
    pub.stop()
    name = pub.name() if named == "device" else pub.admin
    monitor = start("-m", "--poll-period", 0.2, "-o", recording, name, other.name())
    died = wait_for_replies(recording, pub, 3, has_error)
    assert died[-1]["error"] in (IS_DOWN, WAS_STOPPED)
    assert all(has_data(reply) for reply in replies_of(recording, other))
    for _ in range(2):
        pub.port = free_port()
        pub.start()
        pub.admin_proxy().ZmqEventSubscriptionChange(["info"])
        since = len(lines(recording))
        wait_for_replies(
            recording, pub, 1,
            lambda r: has_data(r) and r["data"]["server"] and r["data"]["server"]["perf"] is not None,
            since,
        )
        pub.stop()
        wait_for_replies(recording, pub, 1, has_error, len(lines(recording)))
    monitor.terminate()
    status, output, errors = end_of(monitor)
    assert (status, errors) == (0, message(f"{name}: {IS_DOWN}; {ASKED_AGAIN}"))
    # Reported when it changes, not with every poll: three times down, and then known to be stopped.
    told = re.findall(r"FAILED: (.*)|(answers again)", output)
    assert all(one != other for one, other in zip(told, told[1:]))
    assert {reason for reason, _ in told} == {IS_DOWN, WAS_STOPPED, ""}
    assert output.count("answers again") == 2


def test_a_server_without_a_database_that_is_down_at_the_start(servers, recording, start):
    pub = servers.publisher(agent=True)
    pub.stop()
    monitor = start("--poll-period", 0.2, "-o", recording, pub.name())

    def replies():
        return [line["replies"][pub.name()] for line in lines(recording)]

    wait_for(lambda: len(replies()) > 2, what="three polls")
    assert all(has_error(reply) for reply in replies())
    pub.start()
    wait_for(lambda: has_data(replies()[-1]), what="an answer")
    monitor.terminate()
    status, output, errors = end_of(monitor)
    assert (status, errors) == (0, message(f"{pub.name()}: {IS_DOWN}; {ASKED_AGAIN}"))
    # While it starts, a server may answer before its devices are there.
    told = [line for line in output.splitlines() if "FAILED:" in line]
    assert told[0].endswith(f"FAILED: {IS_DOWN}")
    assert all(line.endswith("FAILED: its server has no such device") for line in told[1:]), told
    assert len(told) <= 2 and output.count("answers again") == 1, output


def test_a_server_that_hangs_at_the_start_is_switched_on_with_its_first_answer(
    servers, database, recording, start
):
    pub = servers.publisher("hanging/pub/1", "hanging-pub", agent=True, database=database)
    os.kill(pub.pid, signal.SIGSTOP)
    try:
        start("-m", "--poll-period", 0.2, "--timeout", 1, "-o", recording, pub.name())
        wait_for(lambda: len(lines(recording)) > 1, what="two polls")
    finally:
        os.kill(pub.pid, signal.SIGCONT)

    def is_on():
        reply = next(iter(lines(recording)[-1]["replies"].values()), {})
        return has_data(reply) and (reply["data"]["server"] or {}).get("perf") is not None

    pub.admin_proxy().ZmqEventSubscriptionChange(["info"])
    wait_for(is_on, what="performance samples")


def test_a_server_that_hangs_at_the_start_is_asked_once(servers, database, recording, start):
    pub = servers.publisher("twice/pub/1", "twice-pub", agent=True, database=database)
    os.kill(pub.pid, signal.SIGSTOP)
    try:
        monitor = start(
            "-m", "--poll-period", 0.2, "--timeout", 1, "-o", recording, "twice/pub/1", pub.admin,
            TANGO_HOST=database.tango_host,
        )
        wait_for(lambda: len(lines(recording)) > 1, what="two polls")
        assert set(lines(recording)[-1]["replies"]) == {"twice/pub/1", pub.admin}
    finally:
        os.kill(pub.pid, signal.SIGCONT)
    wait_for(lambda: all(map(has_data, lines(recording)[-1]["replies"].values())), what="answers")
    wait_for(lambda: len(lines(recording)[-1]["replies"]) == 1, what="one answer")
    count = len(lines(recording))
    wait_for(lambda: len(lines(recording)) > count + 2, what="further polls")
    monitor.terminate()
    status, output, errors = end_of(monitor)
    assert status == 0 and errors.count("it is polled once") == 1
    assert "twice/pub/1: answers again" in output or f"{pub.admin}: answers again" in output


def test_a_server_that_comes_up_without_the_agent(servers, database, recording, start):
    pub = servers.publisher("down/pub/bare", "down-bare", agent=False, database=database)
    pub.stop()
    monitor = start("-q", "--poll-period", 0.2, "-o", recording, pub.name())
    wait_for_replies(recording, pub, 1, has_error)
    pub.start()
    bare = {"error": f"has neither QueryEventAgent nor QueryEventSystem: {LOAD_THE_AGENT}"}
    wait_for_replies(recording, pub, 1, lambda reply: reply == bare)
    monitor.terminate()
    assert end_of(monitor)[0] == 0


def test_a_poll_that_takes_longer_than_the_period(servers, start, freeze, recording):
    """It is said, once, when it begins."""
    pub = servers.publisher(agent=True)
    monitor = start("-q", "--poll-period", 0.2, "--timeout", 0.7, "-o", recording, pub.name())
    wait_for_replies(recording, pub, 1, has_data)
    freeze(pub)
    wait_for_replies(recording, pub, 4, has_error)
    monitor.terminate()
    status, _, errors = end_of(monitor, late=True)
    (line,) = errors.splitlines()
    late = re.fullmatch(re.escape(PROGRAM) + r"a poll took ([0-9.]+) s longer than the period: .*", line)
    assert status == 0 and 0.4 < float(late[1]) < 5


@pytest.mark.parametrize(
    "args, text",
    [
        ([], "no device given"),
        (["--poll-period", "nan", "a/b/c"],
         "--poll-period nan: not a number of seconds from 0.01 to 1000000"),
        (["-n", "0", "a/b/c"], "--count 0: not a number of polls, 1 or more"),
        (["--nonsense", "a/b/c"], "--nonsense: no such option, or ambiguous"),
        (["-a", "a/b/c"], "--append: needs --output"),
    ],
)
def test_wrong_command_lines(args, text):
    result = run_monitor(*args)
    assert (result.returncode, result.stdout) == (2, "")
    assert result.stderr == message(f"{text} (try ska-tango-event-monitor --help)")


def test_help_and_version():
    result = run_monitor("--help")
    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout.startswith("Usage: ska-tango-event-monitor ")
    version = (tango_servers.ROOT / "VERSION").read_text().strip()
    result = run_monitor("--version")
    assert result.stdout == f"ska-tango-event-monitor {version}\n"


# Through a database -------------------------------------------------------------------------


@pytest.fixture(scope="module")
def local_tango(tmp_path_factory):
    """A database in which nobody but the tests of this file has servers."""
    database = tango_servers.start_database(tmp_path_factory.mktemp("tango"))
    yield database
    database.stop()


@in_local_tango
def test_names_in_a_database(servers, local_tango, recording):
    import tango

    pub = servers.publisher("test/pub/1", "db", agent=True, database=local_tango)
    tango.Database("127.0.0.1", local_tango.port).put_device_alias("test/pub/1", "publisher")
    result = run_monitor(
        "-q", "-n", 1, "-o", recording, "test/pub/1", "PUBLISHER", "TEST/pub/1",
        f"dserver/{pub.server_name}", f"tango://localhost:{local_tango.port}/test/pub/1",
        TANGO_HOST=local_tango.tango_host,
    )
    admin = f"dserver/{pub.server_name}"
    assert (result.returncode, result.stdout) == (0, "")
    assert result.stderr == message(
        f"{admin}: the server of test/pub/1, PUBLISHER, TEST/pub/1, {admin},"
        f" tango://localhost:{local_tango.port}/test/pub/1; it is polled once"
    )
    assert [list(line["replies"]) for line in lines(recording)] == [[admin]]
    pub.stop()
    result = run_monitor("test/pub/2", "nobody", TANGO_HOST=local_tango.tango_host)
    assert (result.returncode, result.stdout) == (1, "")
    unknown = "the Tango database has no such device or alias: check the name"
    assert result.stderr == message(f"test/pub/2: {unknown}", f"nobody: {unknown}")
    result = run_monitor("-q", "-n", 1, "test/pub/1", "test/pub/2", TANGO_HOST=local_tango.tango_host)
    assert (result.returncode, result.stdout) == (1, "")
    assert result.stderr == message(
        f"test/pub/1: {IS_DOWN}; {ASKED_AGAIN}", f"test/pub/2: {unknown}; {ASKED_AGAIN}"
    )


# What it records ----------------------------------------------------------------------------


def test_counts_its_polls(servers, recording):
    pub = servers.publisher("test/pub/1", "one", agent=True)
    other = servers.publisher("test/pub/2", "two", agent=True)
    recording.write_text("not a recording at all\n")
    result = run_monitor("-n", 3, "--poll-period", 0.3, "-o", recording, pub.name(), other.name())
    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout != ""
    seen = lines(recording)
    assert len(seen) == 3
    for line in seen:
        assert list(line) == ["time", "asked", "replies"]
        assert list(line["replies"]) == [pub.admin, other.admin]
        for server in (pub, other):
            data = line["replies"][server.admin]["data"]
            assert data["version"] == 1
            assert data["agent"]["pid"] == server.pid
    result = run_monitor("-qn", 1, "-ao", recording, pub.name())
    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")
    assert len(lines(recording)) == 4
    assert jq_takes(recording)


def test_two_devices_of_one_server(servers, recording):
    both = servers.both(agent=True)
    devices = both.name("test/pub/1"), both.name("test/sub/1")
    result = run_monitor("-qn", 1, "-o", recording, *devices)
    assert (result.returncode, result.stdout) == (0, "")
    assert result.stderr == message(
        f"{both.admin}: the server of {devices[0]}, {devices[1]}; it is polled once"
    )
    assert len(replies_of(recording, both)) == 1


def test_to_standard_output(servers):
    pub = servers.publisher(agent=True)
    result = run_monitor("-n", 2, "--poll-period", 0.1, "-o", "-", pub.name())
    assert (result.returncode, result.stderr) == (0, "")
    assert [list(json.loads(line)["replies"]) for line in result.stdout.splitlines()] == [
        [pub.admin]
    ] * 2


def test_a_server_that_dies_between_polls(servers, publisher, recording, start):
    other = servers.publisher("test/pub/2", "other", agent=True)
    monitor = start("-m", "--poll-period", 0.2, "-o", recording, publisher.name(), other.name())
    wait_for_replies(recording, publisher, 2, has_data)
    for end in (publisher.kill, publisher.stop):
        end()
        since = len(lines(recording))
        died = wait_for_replies(recording, publisher, 3, has_error, since)
        assert died[-1] == {"error": "its server is not running or can't be reached"}
        assert all(has_data(reply) for reply in replies_of(recording, other))
        publisher.start()
        publisher.admin_proxy().ZmqEventSubscriptionChange(["info"])
        since = len(lines(recording))
        # Started again by the monitor, not by anybody here.
        wait_for_replies(
            recording, publisher, 1,
            lambda r: has_data(r) and r["data"]["server"]
            and r["data"]["server"]["perf"] is not None,
            since,
        )
    monitor.send_signal(signal.SIGTERM)
    status, output, errors = end_of(monitor)
    assert (status, errors) == (0, "")
    assert "its server is not running or can't be reached" in output
    assert not perf_is_on(publisher)
    assert jq_takes(recording)


def test_a_server_that_comes_back_without_the_agent(servers, recording, start):
    pub = servers.publisher(agent=True)
    monitor = start("-q", "--poll-period", 0.2, "-o", recording, pub.name())
    wait_for_replies(recording, pub, 1, has_data)
    agent, pub.agent = pub.agent, None
    pub.restart()
    gone = {"error": "it was restarted without the agent: QueryEventSystem is gone"}
    wait_for_replies(recording, pub, 1, lambda reply: reply == gone)
    since = len(lines(recording))
    pub.agent = agent
    pub.restart()
    wait_for_replies(recording, pub, 1, has_data, since)
    monitor.terminate()
    assert end_of(monitor) == (0, "", "")


def test_a_server_that_hangs(servers, recording, start, freeze):
    pub = servers.publisher("test/pub/1", "one", agent=True)
    other = servers.publisher("test/pub/2", "two", agent=True)
    options = ["-q", "--poll-period", 0.2, "--timeout", 0.5, "-o", recording]
    monitor = start(*options, pub.name(), other.name())
    wait_for_replies(recording, pub, 1, has_data)
    freeze(pub)
    since = len(lines(recording))
    wait_for_replies(recording, pub, 3, has_error, since)
    errors = {r["error"] for r in replies_of(recording, pub) if has_error(r)}
    assert errors and all(re.fullmatch("no answer (within 0.5 s|since .*)", error) for error in errors)
    assert all(has_data(reply) for reply in replies_of(recording, other))
    thaw(pub)
    since = len(lines(recording))
    wait_for_replies(recording, pub, 1, has_data, since)
    monitor.terminate()
    status, output, errors = end_of(monitor, late=True)
    assert (status, output) == (0, "") and errors.count("longer than the period") == 1
    assert jq_takes(recording)


def test_a_callback_that_hangs(servers):
    pub = servers.publisher(agent=True)
    sub = servers.subscriber(agent=True)
    sub.proxy().Subscribe([pub.attribute("burst"), "change"])
    sub.proxy().SetCallbackDelay(8)

    def hangs():
        pub.proxy().PushBurst(1)
        client = json.loads(sub.admin_proxy().QueryEventAgent())["client"]
        consumer = client["consumer_thread"]
        return consumer["state"] == "callbacks" and consumer["state_micros"] > 1.2e6

    wait_for(hangs, what="a callback that hangs", period=0.3)
    result = run_monitor("-n", 1, "--threshold", "stuck-callback=1", sub.name())
    sub.proxy().SetCallbackDelay(0)
    assert (result.returncode, result.stderr) == (0, "")
    lines = result.stdout.splitlines()
    line = next(line for line in lines if line.startswith("FAULT "))
    assert "burst" in line and line.endswith("[stuck-callback]")
    assert "it receives nothing meanwhile" in line
    # Once more at the end.
    assert lines[lines.index("Found:") + 1].startswith("FAULT ")


def test_polls_keep_to_their_schedule(servers, recording):
    import datetime

    pub = servers.publisher(agent=True)
    period = 0.1
    result = run_monitor("-qn", 30, "--poll-period", period, "-o", recording, pub.name())
    assert result.returncode == 0
    times = [datetime.datetime.fromisoformat(line["time"]) for line in lines(recording)]
    assert all(time_of_poll.tzinfo is not None for time_of_poll in times)
    # Each one may be late on a busy machine; but if lateness added up, all of the last ones were.
    passed = [(time_of_poll - times[0]).total_seconds() for time_of_poll in times]
    assert min((seconds + 0.02) % period for seconds in passed[15:]) < 0.025


@pytest.fixture
def small_disk(tmp_path):
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(folder)]
    if os.geteuid() != 0:
        pytest.skip("only root can mount a small disk")
    if subprocess.run(mount, stderr=subprocess.DEVNULL, check=False).returncode != 0:
        pytest.skip("this root may not mount a small disk")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def test_a_full_disk(servers, small_disk, start):
    pub = servers.publisher(agent=True)
    recording = small_disk / "recording.jsonl"
    monitor = start("-q", "--poll-period", 0.1, "-o", recording, pub.name())
    wait_for(lambda: lines(recording), what="a first line")
    ballast = small_disk / "ballast"
    try:
        with ballast.open("wb", buffering=0) as file:
            while file.write(b"\0" * 1000):
                pass
    except OSError:
        pass  # that is what it is for
    # Its last page takes a few more lines; then it is full.
    message_line = wait_for(monitor.stderr.readline, what="a word about the full disk")
    assert message_line == message(
        f"{recording}: can't record: No space left on device:"
        " snapshots are lost until it works again"
    )
    kept = len(lines(recording))
    assert kept > 0
    ballast.unlink()
    wait_for(lambda: len(lines(recording)) > kept, what="a line after there was room again")
    monitor.send_signal(signal.SIGINT)
    status, output, errors = end_of(monitor)
    assert (status, output) == (1, "") and errors.count("\n") == 1
    assert f"{recording}: recording again; " in errors
    assert jq_takes(recording)


def test_what_a_full_disk_has_cost_is_in_the_recording(servers, small_disk, start):
    recording = small_disk / "recording.jsonl"
    pub = servers.publisher(agent=True)
    (small_disk / "ballast").write_bytes(b"x" * 60_000)
    monitor = start("-q", "--poll-period", 0.05, "-o", recording, pub.name())
    line = monitor.stderr.readline()
    assert line == message(f"{recording}: can't record: No space left on device: snapshots are lost until it works again")
    before = len(lines(recording))
    (small_disk / "ballast").unlink()
    wait_for(lambda: len(lines(recording)) >= before + 3, what="lines after that")
    monitor.terminate()
    status, _, errors = end_of(monitor)
    assert status == 1, "snapshots were lost"
    lost = lines(recording)[before]
    assert lost["replies"] == {} and lost["lost_snapshots"] > 0
    assert lost["lost_since"] <= lost["time"]
    count = lost["lost_snapshots"]
    lost_ones = f"{count} snapshot{' was' if count == 1 else 's were'} lost"
    assert errors == message(f"{recording}: recording again; {lost_ones}")
    assert jq_takes(recording)


def test_a_recording_that_is_moved_away(servers, recording, start):
    """As logrotate does: move it, SIGHUP; no snapshot is lost in between."""
    pub = servers.publisher(agent=True)
    monitor = start("--poll-period", 0.05, "-o", recording, pub.name(), stdout=subprocess.DEVNULL)
    moved = []
    for number in range(3):
        wait_for_replies(recording, pub, 3, has_data)
        moved.append(recording.with_suffix(f".{number}"))
        recording.rename(moved[-1])
        monitor.send_signal(signal.SIGHUP)
        wait_for(recording.exists, what="a new recording")
    wait_for_replies(recording, pub, 3, has_data)
    monitor.terminate()
    assert monitor.wait(END_S) == 0
    # On a busy machine a poll may be late, which is said.
    assert [line for line in monitor.stderr if "longer than the period" not in line] == []
    times = [line["time"] for path in [*moved, recording] for line in lines(path)]
    assert times == sorted(times) and len(set(times)) == len(times)
    assert all(jq_takes(path) for path in [*moved, recording])


def test_a_hangup_without_a_recording(servers, start):
    pub = servers.publisher(agent=True)
    monitor = start("--poll-period", LONG_S, pub.name())
    assert "1 of 1 server answered" in monitor.stdout.readline()
    monitor.send_signal(signal.SIGHUP)
    assert end_of(monitor)[0] == 0


def test_a_recording_that_is_removed(servers, recording, start):
    pub = servers.publisher(agent=True)
    monitor = start("-q", "--poll-period", 0.05, "-o", recording, pub.name())
    wait_for_replies(recording, pub, 2, has_data)
    recording.unlink()
    wait_for_replies(recording, pub, 2, has_data)
    # And its folder, which comes back later.
    away = recording.parent / "away"
    folder = recording.parent / "folder"
    folder.mkdir()
    monitor.terminate()
    assert end_of(monitor) == (0, "", "")
    inside = folder / "recording.jsonl"
    monitor = start("-q", "--poll-period", 0.05, "-o", inside, pub.name())
    wait_for_replies(inside, pub, 2, has_data)
    folder.rename(away)
    (away / "recording.jsonl").unlink()
    missing = message(f"{inside}: can't record: No such file or directory: snapshots are lost until it works again")
    assert monitor.stderr.readline() == missing
    folder.mkdir()
    wait_for(lambda: len(lines(inside)) > 2, what="lines after that")
    assert lines(inside)[0]["lost_snapshots"] > 0
    monitor.terminate()
    assert end_of(monitor)[0] == 1


def test_a_reader_that_goes_away(publisher, start):
    monitor = start("-m", "--poll-period", 0.1, publisher.name())
    assert monitor.stdout.readline() != ""
    monitor.stdout.close()
    assert monitor.wait(END_S) == 0
    assert monitor.stderr.read() == ""
    assert not perf_is_on(publisher)

    monitor = start("-m", "--poll-period", 0.1, "-o", "-", publisher.name())
    json.loads(monitor.stdout.readline())
    monitor.stdout.close()
    assert monitor.wait(END_S) == 1
    assert monitor.stderr.read() == message("standard output: its reader has gone: stopping")
    assert not perf_is_on(publisher)


# How it ends --------------------------------------------------------------------------------

# SIGHUP makes it reopen its recording; without one, it ends it too.
SIGNALS = [signal.SIGINT, signal.SIGTERM]


@pytest.mark.parametrize("number", SIGNALS)
def test_perf_starts_and_stops(publisher, recording, start, number):
    assert not perf_is_on(publisher)
    monitor = start("-m", "--poll-period", LONG_S, "-o", recording, publisher.name())
    wait_for(lambda: lines(recording), what="the first poll")
    assert perf_is_on(publisher)
    monitor.send_signal(number)
    status, _, errors = end_of(monitor)
    assert (status, errors) == (0, "")
    assert not perf_is_on(publisher)


def test_perf_stops_after_the_last_poll(publisher, recording):
    result = run_monitor("-qm", "-n", 2, "--poll-period", 0.1, "-o", recording, publisher.name())
    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")
    assert all(r["data"]["server"]["perf"] is not None for r in replies_of(recording, publisher))
    assert not perf_is_on(publisher)


@pytest.mark.parametrize("number", SIGNALS)
def test_ended_in_the_middle_of_a_poll(servers, recording, start, freeze, number):
    pub = servers.publisher("test/pub/1", "one", agent=True)
    other = servers.publisher("test/pub/2", "two", agent=True)
    options = ["-q", "--poll-period", 0.1, "--timeout", LONG_S, "-o", recording]
    monitor = start(*options, pub.name(), other.name())
    wait_for_replies(recording, pub, 1, has_data)
    freeze(pub)
    wait_for(lambda: was_asked(pub), what="a poll to be under way")
    monitor.send_signal(number)
    assert end_of(monitor) == (0, "", "")
    last = lines(recording)[-1]["replies"]
    assert last[pub.admin] == {"error": "not waited for: the monitor was told to stop"}
    assert jq_takes(recording)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_perf_is_stopped_in_the_middle_of_a_poll(publisher, recording, start, freeze, number):
    options = ["-qm", "--poll-period", 0.1, "--timeout", LONG_S, "-o", recording]
    monitor = start(*options, publisher.name())
    wait_for_replies(recording, publisher, 1, has_data)
    freeze(publisher)
    wait_for(lambda: was_asked(publisher), what="a poll to be under way")
    monitor.send_signal(number)
    wait_for(lambda: not signals_wait(monitor), what="the signal to be taken")
    assert monitor.poll() is None
    thaw(publisher)
    assert end_of(monitor) == (0, "", "")
    assert not perf_is_on(publisher)


def signals_wait(process):
    """Whether a signal was sent to a process that it hasn't taken yet."""
    for line in Path(f"/proc/{process.pid}/status").read_text().splitlines():
        if line.startswith("ShdPnd:"):
            return int(line.split()[1], 16) != 0
    return False


def test_a_second_signal_ends_it_at_once(publisher, recording, start, freeze):
    options = ["-qm", "--poll-period", 0.1, "--timeout", LONG_S, "-o", recording]
    monitor = start(*options, publisher.name())
    wait_for_replies(recording, publisher, 1, has_data)
    freeze(publisher)
    wait_for(lambda: was_asked(publisher), what="a poll to be under way")
    monitor.send_signal(signal.SIGINT)
    wait_for(lambda: not signals_wait(monitor), what="the first signal to be taken")
    time.sleep(0.3)  # sooner it would be the first one again
    monitor.send_signal(signal.SIGTERM)
    assert end_of(monitor) == (
        -signal.SIGTERM,
        "",
        message("stopped at once: performance monitoring may still be on"),
    )
    assert jq_takes(recording)


def test_perf_that_cannot_be_stopped(publisher, recording, start, freeze):
    options = ["-qm", "--poll-period", LONG_S, "--timeout", 1, "-o", recording]
    monitor = start(*options, publisher.name())
    wait_for_replies(recording, publisher, 1, has_data)
    freeze(publisher)
    monitor.send_signal(signal.SIGINT)
    status, output, errors = end_of(monitor)
    assert (status, output) == (1, "")
    assert errors.startswith(
        message(f"{publisher.admin}: performance monitoring may still be on: no answer")[:-1]
    )
    assert errors.endswith(": call its StopEventSystemPerfMon when it answers again\n")
    assert errors.count("\n") == 1


def test_perf_of_a_server_that_is_gone(publisher, recording, start):
    monitor = start("-qm", "--poll-period", LONG_S, "-o", recording, publisher.name())
    wait_for_replies(recording, publisher, 1, has_data)
    publisher.kill()
    monitor.send_signal(signal.SIGINT)
    assert end_of(monitor) == (0, "", "")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ended_while_it_starts(servers, start, freeze, number):
    pub = servers.publisher(agent=True)
    freeze(pub)
    monitor = start("-m", "--timeout", LONG_S, pub.name())
    wait_for(lambda: was_asked(pub), what="the monitor to ask")
    monitor.send_signal(number)
    assert end_of(monitor) == (0, "", "")
