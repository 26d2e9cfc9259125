"""pid:, client: and --local: processes of this machine, asked by their agents' sockets, beside devices.

Other tests run on this machine as well, and --local sees their processes: what is named here has names of
its own, and of what --local finds a test looks at its own part.
"""

import json
import os
import re
import shutil
import signal
import subprocess

import pytest
from clients import CLIENTS, push_until_one_arrives, settled, subscribe
from tango_servers import (
    MONITOR,
    PYTHON,
    clean_environment,
    run_monitor,
    wait_for,
)
from watching import ASKED_AGAIN, PROGRAM, end_of, has_data, has_error, lines, message

BURST = 30_000
TIMEOUT_S = 1
STRANGER = 65534
ENDED = "its process has ended"
NO_CLIENT = "no process of that name has an agent"


@pytest.fixture(autouse=True)
def _programs(monitor_bin, agent_lib):
    """All of these need the monitor and the agent."""


class Local:
    """A publisher in the database, and clients that receive from it, which all run one program."""

    def __init__(self, servers, database, clients, folder):  # noqa: F811
        self.program = f"client-{folder.parent.name}-{folder.name}-{os.getpid()}.py"
        self.script = folder / self.program
        shutil.copy(CLIENTS / "driven.py", self.script)
        instance = f"local-{os.getpid()}-{folder.name}"
        self.publisher = servers.publisher(
            f"local/pub/{instance}", instance, agent=True, database=database
        )
        self.clients = clients
        self.env = {"TANGO_HOST": database.tango_host}
        self.name = f"client:{self.program}"

    def client(self, **env):
        """One that has received an event."""
        client = self.clients(PYTHON, self.script, **{**self.env, **env})
        client.do("import tango")
        subscribe(client, self.publisher)
        at_first = client.do("len(received['burst'])")
        push_until_one_arrives(self.publisher, lambda: client.do("len(received['burst'])") > at_first)
        settled(self.publisher, lambda: client.do("received['burst'][-1]"))
        client.at_first = at_first
        return client

    def name_of(self, client):
        return f"{self.name}:{client.pid}"

    @property
    def admin(self):
        return self.publisher.admin.lower()


@pytest.fixture
def local(servers, database, clients, tmp_path):  # noqa: F811
    return Local(servers, database, clients, tmp_path)


def listed(*names, **options):
    """What --list prints, as {name: command or reason}, and its messages."""
    result = run_monitor("--list", *names, **options)
    return dict(line.split(None, 1) for line in result.stdout.splitlines()), result.stderr


def one_poll(*arguments, **env):
    """The servers of one poll by their names, and the messages."""
    result = run_monitor("-n", 1, "--format", "jsonl", *arguments, **env)
    poll = json.loads(result.stdout.splitlines()[0])
    return {part["server"].lower(): part for part in poll["servers"]}, result.stderr


# ---- a client beside its publisher ----


def test_losses_of_a_client(local, watch, recording):
    client = local.client()
    monitor = watch("-m", "-o", recording, local.publisher.name(), local.name)
    monitor.wait_for_polls(3)
    before = local.publisher.proxy().pushed - client.do("len(received['burst'])")
    client.do("delay[0] = 0.0005")
    local.publisher.proxy().PushBurst(BURST)
    client.do("delay[0] = 0")
    push_until_one_arrives(
        local.publisher, lambda: client.do("received['burst'][-1]") == local.publisher.proxy().pushed
    )
    lost = local.publisher.proxy().pushed - client.do("len(received['burst'])") - before
    assert lost > 0, "the burst was meant to overflow"

    def is_found():
        found = monitor.found("overflow")
        return found and found[0]["events"] == lost and found

    (finding,) = wait_for(is_found, 30, f"{lost} lost events to be found")
    assert finding["subscriber"] == local.name
    assert finding["publisher"].lower().endswith(f"dserver/{local.publisher.server_name}".lower())
    assert local.name in finding["text"]
    run = monitor.end()
    # The recording says the same.
    replayed = run_monitor("--read", recording, "--format", "jsonl")
    assert replayed.returncode == 0, replayed.stderr
    totals = json.loads(replayed.stdout.splitlines()[-1])["totals"]
    # Whether it has ended by the last poll that was recorded is another matter.
    numbers = [[(each["rule"], each["stream"], each["events"]) for each in findings] for findings in (totals["findings"], run)]
    assert numbers[0] == numbers[1]
    # Performance monitoring was on, by the socket, and is off again.
    replies = [line["replies"][local.name] for line in lines(recording)]
    assert replies[-1]["data"]["client"]["perf"] is not None
    assert client.ask()["client"]["perf"] is None


def test_a_client_that_begins_ends_and_comes_again(local, recording, start):
    monitor = start("-q", "--poll-period", 0.2, "-o", recording, local.name)

    def newest(what):
        def is_so():
            polls = lines(recording)
            reply = polls[-1]["replies"][local.name] if polls else None
            return reply and what(reply) and reply

        return wait_for(is_so, what="a reply")

    def pid_of(reply):
        return reply["data"]["agent"]["pid"]

    assert newest(has_error)["error"] == NO_CLIENT
    first = local.client()
    assert pid_of(newest(has_data)) == first.pid
    first.kill()
    newest(lambda reply: reply.get("error") == NO_CLIENT)
    second = local.client()
    assert pid_of(newest(has_data)) == second.pid
    monitor.send_signal(signal.SIGINT)
    assert end_of(monitor)[0::2] == (0, message(f"{local.name}: {NO_CLIENT}; {ASKED_AGAIN}"))


def test_two_of_one_name(local):
    clients = [local.client(), local.client()]
    names = {local.name_of(client): "QueryEventAgent" for client in clients}
    assert listed(local.name) == (names, "")
    assert listed(f"{local.name[:-4]}*") == (names, "")
    one, other = names
    assert listed(local.name, "--exclude", other) == ({one: "QueryEventAgent"}, "")
    assert listed(other) == ({other: "QueryEventAgent"}, "")
    assert listed(f"pid:{clients[0].pid}") == ({local.name_of(clients[0]): "QueryEventAgent"}, "")
    servers, errors = one_poll(one, other, f"pid:{clients[1].pid}")
    assert list(servers) == [one.lower(), other.lower()]
    assert errors == message(f"{other}: the server of {other}, pid:{clients[1].pid}; it is polled once")


# ---- servers ----


def test_a_server_by_its_device_and_its_number(local):
    server = local.publisher
    path = f"dserver/{server.server_name}"
    for names in (
        [server.first_device, f"pid:{server.pid}"],
        [f"pid:{server.pid}", server.first_device],
        [f"pid:{server.pid}", f"tango://localhost:{server.database.port}/{path}"],
    ):
        servers, errors = one_poll(*names, **local.env)
        assert len(servers) == 1
        assert "it is polled once" in errors
    assert listed(f"pid:{server.pid}") == ({server.admin: "QueryEventAgent"}, "")


def test_a_server_without_a_database(servers):
    pub = servers.publisher(agent=True)
    pub.admin_proxy().ZmqEventSubscriptionChange(["info"])
    for names in ([pub.name(), f"pid:{pub.pid}"], [f"pid:{pub.pid}", pub.name()]):
        found, errors = one_poll(*names)
        assert len(found) == 1
        assert errors.count("it is polled once") == 1


def test_follows_from_a_client_and_from_a_server_by_its_number(local, servers, database):
    client = local.client()
    path = f"dserver/{local.publisher.server_name}"
    servers_of, errors = one_poll("--follow", local.name, **local.env)
    assert list(servers_of) == [local.name.lower(), local.admin]
    assert f"1 more server is watched, since events are received from it: {local.publisher.admin}" in errors.replace(
        local.admin, local.publisher.admin
    )
    # It is there already.
    servers_of, errors = one_poll("--follow", local.name, f"pid:{local.publisher.pid}", **local.env)
    assert (len(servers_of), errors) == (2, "")
    assert path.lower() in local.admin
    assert client.ask()["client"]


def test_a_server_that_is_stopped_answers_neither_way(local):
    os.kill(local.publisher.pid, signal.SIGSTOP)
    try:
        servers_of, _ = one_poll("--timeout", TIMEOUT_S, f"pid:{local.publisher.pid}", local.publisher.admin)
        assert [part["error"] for part in servers_of.values()]
    finally:
        os.kill(local.publisher.pid, signal.SIGCONT)


# ---- --local ----


def test_local(local):
    first, second = local.client(), local.client()
    for exclude, rest in (
        ([], {local.name_of(first), local.name_of(second), local.publisher.admin}),
        (["--exclude", local.name], {local.publisher.admin}),
        (["--exclude", f"pid:{first.pid}"], {local.name_of(second), local.publisher.admin}),
        (["--exclude", f"dserver/{local.publisher.server_name}"], {local.name_of(first), local.name_of(second)}),
    ):
        names, _ = listed("--local", "--timeout", TIMEOUT_S, *exclude)
        mine = {name for name in names if local.program in name or name == local.publisher.admin}
        assert mine == rest


def test_local_goes_on(local, recording, start):
    first = local.client()
    monitor = start("-q", "--poll-period", 0.3, "--timeout", TIMEOUT_S, "-o", recording, "--local")

    def reply(name):
        polls = lines(recording)
        return polls[-1]["replies"].get(name) if polls else None

    def pid_of(name):
        answer = reply(name)
        return answer and has_data(answer) and answer["data"]["agent"]["pid"]

    wait_for(lambda: pid_of(local.name) == first.pid, what="the first client")
    second = local.client()
    wait_for(lambda: pid_of(local.name_of(second)) == second.pid, what="the second one")
    first.kill()
    wait_for(lambda: reply(local.name) is None, what="its end")
    third = local.client()
    wait_for(lambda: pid_of(local.name) == third.pid, what="one that takes its name")
    # A server is looked for.
    before = local.publisher.pid
    assert pid_of(local.publisher.admin) == before
    local.publisher.stop()
    wait_for(lambda: has_error(reply(local.publisher.admin)), what="the server's end")
    assert reply(local.publisher.admin)["error"] == ENDED
    local.publisher.start()
    local.publisher.admin_proxy().ZmqEventSubscriptionChange(["info"])
    wait_for(lambda: pid_of(local.publisher.admin) == local.publisher.pid, what="its return")
    polls = lines(recording)[-1]["replies"]
    assert len([name for name in polls if local.publisher.server_name in name]) == 1
    monitor.send_signal(signal.SIGINT)
    status, _, errors = end_of(monitor)
    assert status == 0
    assert f"{PROGRAM}{local.name} has ended; it is no longer watched\n" in errors
    assert local.name_of(second) in errors


# ---- what can't be asked ----


def test_what_is_wrong_with_a_name(local):
    gone = subprocess.Popen(["true"])
    gone.wait()
    sleeping = subprocess.Popen(["sleep", "100"])
    try:
        result = run_monitor("--list", f"pid:{gone.pid}", f"pid:{sleeping.pid}", local.name)
    finally:
        sleeping.kill()
        sleeping.wait()
    assert result.returncode == 1
    assert result.stderr == message(
        f"pid:{gone.pid}: no such process: ska-tango-event-agent list shows those that use Tango; {ASKED_AGAIN}",
        f"pid:{sleeping.pid}: it has no agent that can be asked: ska-tango-event-agent attach {sleeping.pid};"
        f" {ASKED_AGAIN}",
        f"{local.name}: {NO_CLIENT}; {ASKED_AGAIN}",
    )
    for name, reason in (
        ("pid:x", "must be pid:NUMBER, client:NAME or client:NAME:NUMBER"),
        ("client:", "must be pid:NUMBER, client:NAME or client:NAME:NUMBER"),
        (f"{local.name}*", NO_CLIENT),
    ):
        result = run_monitor(name)
        assert (result.returncode, result.stderr) == (1, message(f"{name}: {reason}"))


def test_a_process_of_another_user(local, tmp_path):
    if os.geteuid() != 0:
        pytest.skip("root has to become somebody else")
    client = local.client()

    def list_as_stranger(what):
        return subprocess.run(
            ["setpriv", f"--reuid={STRANGER}", f"--regid={STRANGER}", "--clear-groups", "--", MONITOR, "--list", what],
            env=clean_environment(), capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip

    result = list_as_stranger(f"pid:{client.pid}")
    if result.returncode == 126 or "ermission denied" in result.stderr:
        pytest.skip("the monitor lies where others can't get at it")
    assert result.returncode == 1
    assert f"pid:{client.pid}: it belongs to user root: run this as that user, or as root" in result.stderr
    # Without its number, that it isn't watched is told.
    said = list_as_stranger("--local").stderr
    assert re.search(r"--local: (\d+ more process|this user may ask none of the)", said)


IMPOSTOR = """
import json, os, socket, sys
listening = socket.socket(socket.AF_UNIX)
listening.bind(f"\\0ska-tango-event-agent/{os.getpid()}/0123456789abcdef")
listening.listen()
print("ready", flush=True)
identity = {"program": "impostor", "admin_device": sys.argv[1], "tango_host": sys.argv[2], "state": "watching"}
while True:
    client = listening.accept()[0]
    answer = json.dumps(identity if client.recv(100) == b"Identify\\n" else {"version": 1})
    client.sendall(f"ok {len(answer)}\\n{answer}".encode())
    client.close()
"""


def test_a_process_of_another_user_that_says_that_it_is_a_server(local, database):
    if os.geteuid() != 0:
        pytest.skip("root has to become somebody else")
    admin = local.publisher.admin
    impostor = subprocess.Popen(
        ["setpriv", f"--reuid={STRANGER}", f"--regid={STRANGER}", "--clear-groups", "--", PYTHON, "-c", IMPOSTOR,
         admin[admin.index("dserver/"):], database.tango_host],
        stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        assert impostor.stdout.readline() == "ready\n"
        (named,) = [each for each in listed(f"pid:{local.publisher.pid}")[0]]
        servers, said = listed(named, "--local", f"pid:{impostor.pid}")
        assert f"pid:{impostor.pid}" in servers
        assert [name.lower() for name in servers].count(named.lower()) == 1
        found = re.search(r"process (\d+) says that it is (\S+), and so does process (\d+), of another user", said)
        assert {int(found.group(1)), int(found.group(3))} == {impostor.pid, local.publisher.pid}
    finally:
        impostor.kill()
        impostor.wait()
        impostor.stdout.close()


def test_one_that_is_stopped_delays_nobody(local, freeze, recording):
    stopped, running = local.client(), local.client()
    stopped.running = True
    freeze(stopped)
    names = [f"pid:{stopped.pid}", local.name_of(running)]
    result = run_monitor("-q", "-n", 6, "--poll-period", 0.2, "--timeout", TIMEOUT_S, "-o", recording, *names)
    assert result.returncode == 0, result.stderr
    assert f"pid:{stopped.pid}: no answer within {TIMEOUT_S} s; {ASKED_AGAIN}" in result.stderr
    polls = lines(recording)
    assert all(has_data(poll["replies"][names[1]]) for poll in polls)
    assert all(has_error(poll["replies"][names[0]]) for poll in polls)
    # --local shows it without a name.
    assert listed("--local", "--timeout", TIMEOUT_S)[0][f"pid:{stopped.pid}"] == "no answer"


# ---- the exporter ----


def test_exporter(local, export):
    local.client()
    running = export(local.name, f"pid:{local.publisher.pid}", local.publisher.name())
    running.wait_until_ready()
    page = running.get().text
    assert f'server="{local.name}"' in page
    assert f'server="{local.publisher.admin}"' in page
