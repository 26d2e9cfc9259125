"""Processes that only receive, with the agent in them, and how a test asks them: through the agent's socket."""

import json
import re
import socket
import subprocess
from pathlib import Path

import pytest
from tango_servers import BUILD, PYTHON, agent_environment, clean_environment, die_with_parent, wait_for

CLIENTS = Path(__file__).resolve().parent / "clients"
CPP_CLIENT = BUILD / "tests" / "cpp_client"
TIMEOUT_S = 30


def addresses(pid):
    """The addresses of agents' sockets that belong to that pid, listening or not."""
    # In the network namespace of the test: the process may have ended.
    lines = Path("/proc/self/net/unix").read_text(encoding="utf-8", errors="replace")
    return set(re.findall(rf"@(ska-tango-event-agent/{pid}/[0-9a-f]+)", lines))


class NoAgent(Exception):
    """There is no agent that could be asked."""


def ask_agent(pid, request="QueryEventAgent"):
    """What the agent in that process answers; raises NoAgent or ValueError."""
    found = addresses(pid)
    if not found:
        raise NoAgent(f"{pid} has no socket")
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(TIMEOUT_S)
        connection.connect("\0" + found.pop())
        connection.sendall(request.encode() + b"\n")
        with connection.makefile("rb") as reader:
            head = reader.readline().decode().rstrip("\n")
            if not head.startswith("ok "):
                raise ValueError(head)
            text = reader.read(int(head[3:])).decode()
    return json.loads(text) if text else None


class Client:
    """A process of a test; ``lines`` for its standard input, and an answer to each."""

    def __init__(self, argv, log, agent=True, **env):
        self.log = Path(log)
        environment = agent_environment(**env) if agent else clean_environment(**env)
        environment["PYTHONUNBUFFERED"] = "1"
        with self.log.open("ab") as errors:
            self.process = subprocess.Popen(
                [str(part) for part in argv],
                env=environment,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
                cwd=self.log.parent,
                preexec_fn=die_with_parent,
            )

    @property
    def pid(self):
        return self.process.pid

    def send(self, line):
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()

    def read(self):
        line = self.process.stdout.readline()
        assert line, f"it ended: {self.process.wait()}\n{self.output()}"
        return line

    def line(self, line=""):
        self.send(line)
        return self.read()

    def do(self, code):
        """Of a driven.py: executes it there, and returns the value of an expression."""
        value, error = json.loads(self.line(json.dumps(code)))
        assert error is None, f"{code}: {error}"
        return value

    def output(self):
        return self.log.read_text(errors="replace")

    def ask(self, request="QueryEventAgent"):
        return ask_agent(self.pid, request)

    def identity(self):
        return self.ask("Identify")

    def topics(self):
        return self.ask()["client"]["event_callbacks"]

    def topic(self, part="/burst"):
        (found,) = (value for name, value in self.topics().items() if part in name)
        return found

    @property
    def threads(self):
        return len(list(Path(f"/proc/{self.pid}/task").iterdir()))

    def end(self, timeout=TIMEOUT_S):
        """It reads no more, and ends; returns its status."""
        self.process.stdin.close()
        return self.process.wait(timeout)

    def kill(self):
        self.process.kill()
        self.process.wait()
        self.process.stdin.close()
        self.process.stdout.close()


@pytest.fixture
def clients(tmp_path):
    """Starts clients: ``clients(*argv, agent=True, **environment)``; they end with the test."""
    started = []

    def start(*argv, agent=True, **env):
        client = Client(argv, tmp_path / f"client-{len(started)}.log", agent, **env)
        started.append(client)
        return client

    yield start
    for client in started:
        client.kill()


@pytest.fixture
def driven(clients):
    """Starts clients that do what they are told: ``driven(**environment).do("1 + 1")``."""

    def start(*options, **env):
        client = clients(PYTHON, *options, CLIENTS / "driven.py", **env)
        client.do("import tango")
        return client

    return start


def subscribe(client, publisher, name="burst", attr="burst"):
    """A callback for change events, whose values are in received[name]; returns nothing."""
    client.do(
        f"{name}_proxy = tango.DeviceProxy({publisher.name()!r});"
        f" {name}_id = {name}_proxy.subscribe_event({attr!r}, tango.EventType.CHANGE_EVENT, collect({name!r}))"
    )


def push_until_one_arrives(publisher, arrived):
    """Events that are pushed before the connection is there are lost without a trace."""

    def pushed_one():
        publisher.proxy().PushBurst(1)
        return arrived()

    wait_for(pushed_one, 60, "the first event", 0.2)


def settled(publisher, last_value):
    """Waits until the newest event that was pushed has been seen; ``last_value`` says the newest one."""
    wait_for(lambda: last_value() == publisher.proxy().pushed, 60, "the newest event")
