"""Loads the agent into servers that run, and asks it through its socket."""

import json
import re
import socket
import subprocess
from pathlib import Path

import pytest
from tango_servers import LAUNCHER, wait_for


def attach(*servers):
    """Load the agent into servers that run, and wait until their commands are there."""
    done = subprocess.run(
        [LAUNCHER, "attach", *(str(server.pid) for server in servers)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    if "version `GLIBC_" in done.stderr:
        pytest.skip("the launcher, unlike the agent, is too new for this system")
    assert done.returncode == 0, done.stderr
    for server in servers:
        wait_for(lambda server=server: has_commands(server), 30, "the agent's commands")


def commands(server):
    return {info.cmd_name for info in server.admin_proxy().command_list_query()}


def has_commands(server):
    return "QueryEventAgent" in commands(server)


def addresses(pid):
    """The addresses of the agents in a process."""
    text = Path(f"/proc/{pid}/net/unix").read_text(errors="replace")
    return set(re.findall(rf"@(ska-tango-event-agent/{pid}/[0-9a-f]+)", text))


def request(pid, text):
    """The answer of the agent in that process; raises what it answers instead."""
    (address,) = addresses(pid)
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(30)
        client.connect("\0" + address)
        client.sendall(text.encode() + b"\n")
        with client.makefile("rb") as reply:
            head = reply.readline().decode().rstrip("\n")
            kind, _, rest = head.partition(" ")
            if kind != "ok":
                raise RuntimeError(rest)
            return reply.read(int(rest)).decode()


def identity(pid):
    return json.loads(request(pid, "Identify"))
