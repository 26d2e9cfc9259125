"""The agent is loaded into processes that are as busy as can be, again and again: none may hang or crash, and
all counts from then on have to be right.

Servers push at full speed, and meanwhile allocate in several threads, load and unload libraries, start and end
threads, fork, execute, throw and take signals (servers/cpp_busy.cpp, servers/busy.py); each is a client of the
next. Others die while they are attached to, and the attacher is killed at each of its steps.

    HARM_ATTACHMENTS    how many to busy servers, if at least 100 (make soak); without it all of these tests are skipped
    HARM_SEED           repeats a run's decisions (printed by make soak, and by every run that fails)
"""

import json
import os
import random
import re
import signal
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
import tango
from agent_answers import ask, only
from tango_servers import BUILD, LAUNCHER, PYTHON, SERVERS, clean_environment, die_with_parent, need, wait_for

# They would take all of the machine from tests that run beside them.
pytestmark = pytest.mark.skipif("HARM_ATTACHMENTS" not in os.environ, reason="make test-harm and make soak have it")
ATTACHMENTS = int(os.environ.get("HARM_ATTACHMENTS", "8"))
# On two cores, such servers take minutes even for a few attachments.
only_in_soak = pytest.mark.skipif(ATTACHMENTS < 100, reason="make soak has it")
CPP_BUSY = BUILD / "tests" / "cpp_busy"
KINDS = ("allocate", "libraries", "threads", "fork", "execute", "throw", "signals")
# Of all that servers have to do in time; they share the machine with each other, and with other tests.
PATIENCE_S = 60
# Events at most that the consumer thread receives and hands to no callback, because Tango is connecting anew.
IN_RECONNECTION = 10


@pytest.fixture(autouse=True)
def _programs(agent_lib, launcher_bin):
    """All of these need the agent and the launcher."""


@pytest.fixture
def chance():
    """Random decisions that can be repeated."""
    seed = int(os.environ.get("HARM_SEED", random.SystemRandom().randrange(1_000_000)))
    print(f"\nharm: HARM_SEED={seed}", flush=True)
    return random.Random(seed)


# ---- servers ----


@pytest.fixture
def starters():
    """Threads that start servers; the servers end with these, so ask for them before ``servers``."""
    with ThreadPoolExecutor(4) as threads:
        yield threads


class Busy:
    """A busy server, what it is busy with, and the one whose events it receives."""

    def __init__(self, pool, database, name, program, kinds):
        argv = [need(CPP_BUSY)] if program == "cpp" else [PYTHON, SERVERS / "busy.py"]
        env = {} if program in ("cpp", "python") else {"GREEN_MODE": program.capitalize()}
        self.program, self.kinds = program, kinds
        self.device = f"harm/{name}/1"
        devices = {"CppBusy" if program == "cpp" else "Busy": [self.device, f"harm/{name}/2"]}
        self.server = pool.add(argv, name, devices, env=env, database=database)
        self.publisher = None
        self.proxy = self.server.proxy(f"harm/{name}/2")
        self.before = self.after = None

    def __repr__(self):
        return f"{self.program} {self.server.instance} [{' '.join(self.kinds)}]"

    def truth(self, tail=0):
        return json.loads(self.proxy.Truth(tail))

    def subscribe(self, publisher):
        self.publisher = publisher
        self.proxy.Subscribe(publisher.server.attribute("burst"))

    def receives(self):
        """Whether it has received the newest event that its publisher pushed; one more if it hasn't."""
        if 0 < self.truth()["last"] == self.publisher.truth()["pushed"]:
            return True
        self.publisher.proxy.Push(1)
        return False

    def ask(self):
        return ask(self.server)

    def is_watched(self):
        try:
            return self.ask()["agent"]
        except tango.DevFailed as error:
            assert error.args[0].reason == "API_CommandNotFound", error
            return None

    def check_truth(self):
        """What has nothing to do with the agent."""
        seen = self.truth()
        assert seen["backwards"] == 0, f"{self}: {seen}"

    def check_counts(self):
        """All counts, of a server at rest, since a moment between the two truths."""
        pushed_size = self.stream()["byte_count"]
        self.proxy.Push(1)
        stream = self.stream()
        truth = self.truth()
        assert stream["pushed_event_count"] == truth["pushed"], f"{self}: {stream} {truth}"
        count, rest = divmod(stream["byte_count"], stream["byte_count"] - pushed_size)
        assert rest == 0, f"{self}: {stream} {pushed_size}"
        first = truth["pushed"] - count
        assert self.before["pushed"] <= first <= self.after["pushed"], f"{self}: {stream} {truth}"

    def check_received_counts(self):
        wait_for(self.receives, PATIENCE_S, f"the newest event to reach {self}", 0.2)
        topic = only(self.ask()["client"]["event_callbacks"], f"/{self.publisher.device}/burst")
        seen = self.truth(topic["event_count"])
        what = f"{self}: {topic} {seen} {self.before} {self.after}"
        assert topic["server_counter"] == seen["last"] == self.publisher.truth()["pushed"], what
        first = seen["values"] - topic["event_count"]
        # One may have been received before, and be handed to its callback only after that.
        assert self.before["values"] <= first <= self.after["values"] + 1, what
        if topic["last_resubscribed"]:
            # What arrives just before a reconnection may be handed to no callback: it isn't lost for the agent.
            assert 0 <= seen["gaps_of_tail"] - topic["lost_event_count"] <= IN_RECONNECTION, what
        else:
            assert topic["lost_event_count"] == seen["gaps_of_tail"], what
        assert (topic["error_event_count"], topic["discarded_event_count"]) == (0, 0), what
        assert topic["publisher_restart_count"] == 0, what
        # On a machine that is too busy for heartbeats, Tango reconnects.
        assert seen["errors"] == 0 or topic["last_resubscribed"], what

    def stream(self):
        return only(self.ask()["server"]["event_streams"], f"/{self.device}/burst.change")


FLEETS = [
    ["cpp", "python", "cpp", "gevent"],
    ["cpp", "asyncio", "cpp", "python"],
]


def kinds_of(chance, number):
    """All at once, or one that it does all the time."""
    return list(KINDS) if number == 0 else [chance.choice(KINDS)]


def start_fleet(starters, pool, database, chance, generation, programs):
    """Servers at work, each of which receives the events of the next."""

    def start(number):
        name = f"h{generation}n{number}"
        return Busy(pool, database, name, programs[number], kinds[number])

    kinds = [kinds_of(chance, number) for number in range(len(programs))]
    fleet = list(starters.map(start, range(len(programs))))
    for each, following in zip(fleet, [*fleet[1:], fleet[0]]):
        each.subscribe(following)
    for each in fleet:
        wait_for(each.receives, PATIENCE_S, f"the first event of {each}", 0.2)
    for each in fleet:
        each.proxy.Load(["push", *each.kinds])
    return fleet


def end_fleet(fleet):
    for each in fleet:
        each.server.terminate()
    for each in fleet:
        status = each.server.stop()
        assert status in (0, -signal.SIGTERM), f"{each} ended with {status}:\n{each.server.output()}"


def rest(fleet):
    """They stop what they do, which each of them has done."""
    for each in fleet:
        done = json.loads(each.proxy.Rest())
        assert all(done.get(kind, 0) > 0 for kind in ["push", *each.kinds]), f"{each}: {done}"


# ---- attaching ----


def run_launcher(*arguments, prefix=()):
    """To its end."""
    return subprocess.run(
        [*prefix, str(LAUNCHER), *map(str, arguments)],
        env=clean_environment(),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )


def attach(*pids, prefix=()):
    return run_launcher("attach", *pids, prefix=prefix)


# What it may say of a process that is too busy, or that somebody else attaches to: that it has left it
# alone; or that the process goes on by itself.
LEFT_ALONE = ("try again",)
GOES_ON = ("takes longer than", "by itself", "doesn't answer within", "the agent is there already")


def complaints(said):
    """{pid: line} of what the attacher couldn't do."""
    lines = re.findall(r"^ska-tango-event-agent: (\d+)(?: \(.*?\))?: (.*)$", said, re.M)
    return {int(pid): line for pid, line in lines}


def attach_to_all(pids):
    """Once, or again to those that it has left alone."""

    def attached():
        nonlocal pids
        done = attach(*pids)
        lines = complaints(done.stderr)
        assert (done.returncode == 0) == (not lines), done
        for line in lines.values():
            assert any(text in line for text in LEFT_ALONE + GOES_ON), done.stderr
        pids = [pid for pid, line in lines.items() if any(text in line for text in LEFT_ALONE)]
        return not pids

    wait_for(attached, PATIENCE_S, "all servers to be attached to", 0.1)


def attach_to_fleet(fleet):
    for each in fleet:
        each.before = each.truth()
    attach_to_all([each.server.pid for each in fleet])
    for each in fleet:
        wait_for(each.is_watched, PATIENCE_S, f"the agent in {each}")
        each.after = each.truth()


@only_in_soak
@pytest.mark.long
def test_busy_servers(starters, servers, database, chance):
    attached, generation = 0, 0
    while attached < ATTACHMENTS:
        fleet = start_fleet(starters, servers, database, chance, generation, FLEETS[generation % 2])
        attach_to_fleet(fleet)
        rest(fleet)
        for each in fleet:
            each.check_counts()
            each.check_received_counts()
            each.check_truth()
        end_fleet(fleet)
        attached += len(fleet)
        generation += 1
    print(f"harm: {attached} attachments, none hung, none crashed, all counts right")


# ---- several attachers ----


def agents_in(server):
    """How many agents are loaded there."""
    with open(f"/proc/{server.pid}/maps", encoding="utf-8") as maps:
        inodes = {line.split()[4] for line in maps if "ska-tango-event-agent" in line}
    return len(inodes)


def start_attacher(*pids, prefix=()):
    return subprocess.Popen(
        [*prefix, str(LAUNCHER), "attach", *map(str, pids)],
        env=clean_environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        preexec_fn=die_with_parent,
    )
def test_several_attachers_at_once(starters, servers, database, chance):
    fleet = start_fleet(starters, servers, database, chance, "s", ["cpp", "python", "cpp", "gevent"])
    pids = [each.server.pid for each in fleet]
    for each in fleet:
        each.before = each.truth()
    attachers = [start_attacher(*order) for order in (pids, pids, pids[::-1], pids[::-1])]
    said = [attacher.communicate(timeout=PATIENCE_S)[0] for attacher in attachers]
    # And once more, where an agent is.
    said.append(attach(*pids).stderr)
    for each in fleet:
        wait_for(each.is_watched, PATIENCE_S, f"the agent in {each}: {said}")
        each.after = each.truth()
    rest(fleet)
    for each in fleet:
        assert agents_in(each.server) == 1, f"{each}: {said}"
        each.check_counts()
        each.check_received_counts()
        each.check_truth()
    end_fleet(fleet)


# ---- attachers that are killed, and servers that die ----


def traced(action, syscall, number):
    """The beginning of a command that is sent a signal at its so manieth such system call."""
    tracing = f"inject={syscall}:signal={action}:when={number}"
    return ["strace", "-f", "-qq", "-o", "/dev/null", "-e", f"trace={syscall}", "-e", tracing]


def start_victim(pool, database, name):
    """A server at work that receives its own events."""
    victim = Busy(pool, database, name, "cpp", ["libraries"])
    victim.subscribe(victim)
    wait_for(victim.receives, PATIENCE_S, f"the first event of {victim}", 0.2)
    victim.proxy.Load(["push", *victim.kinds])
    return victim


def is_loaded(victim):
    """Whether the agent is there, or about to be."""
    return agents_in(victim.server) > 0


@pytest.mark.long
@pytest.mark.parametrize("syscall", ["ptrace", "wait4", "pwrite64", "write", "close"])
def test_the_attacher_is_killed_at_each_step(servers, database, syscall):
    number, generation = 0, 0
    victim = start_victim(servers, database, f"k{syscall}0")
    while True:
        number += 1
        done = attach(victim.server.pid, prefix=traced("KILL", syscall, number))
        victim.truth()
        victim.check_truth()
        # The agent of the attempt before may have come late.
        is_late = "attached already" in done.stdout
        if done.returncode == 0 and not is_late:
            break
        # It, or a process of its own that traces for it.
        assert is_late or done.returncode == -signal.SIGKILL or victim.server.pid in complaints(done.stderr), done
        if is_loaded(victim):
            # All went well already.
            wait_for(victim.is_watched, PATIENCE_S, f"the agent in {victim}")
            rest([victim])
            end_fleet([victim])
            generation += 1
            victim = start_victim(servers, database, f"k{syscall}{generation}")
    assert number > 1, done
    attach_to_all([victim.server.pid])
    wait_for(victim.is_watched, PATIENCE_S, f"the agent in {victim}: {done}")
    victim.before = {"pushed": 0, "values": 0}
    victim.after = victim.truth()
    rest([victim])
    victim.check_counts()
    victim.check_received_counts()
    end_fleet([victim])


@pytest.mark.long
def test_servers_die_while_they_are_attached_to(starters, servers, database, chance):
    victims = list(starters.map(lambda n: start_victim(servers, database, f"d{n}"), range(6)))
    for victim in victims:
        attacher = start_attacher(victim.server.pid)
        time.sleep(chance.uniform(0, 0.03))
        victim.server.kill()
        said = attacher.communicate(timeout=PATIENCE_S)[0]
        assert attacher.returncode in (0, 1), said
        assert re.search(rf"\b{victim.server.pid}\b.*: ", said), said


@only_in_soak
@pytest.mark.long
def test_detached_and_attached_again_and_again(starters, servers, database, chance):
    fleet = start_fleet(starters, servers, database, chance, "a", ["cpp", "python"])
    pids = [each.server.pid for each in fleet]
    attach_to_all(pids)
    for _ in range(ATTACHMENTS // len(fleet)):
        done = run_launcher("detach", *pids)
        assert done.returncode == 0, done
        attach_to_fleet(fleet)
    rest(fleet)
    for each in fleet:
        assert agents_in(each.server) == 1, each
        each.check_counts()
        each.check_received_counts()
        each.check_truth()
    end_fleet(fleet)
