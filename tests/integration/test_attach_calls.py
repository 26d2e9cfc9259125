"""The system calls that attach looks for in seccomp filters, beside those that an attachment makes in a server.

One that is missing in the launcher's list would be a server that its own filter kills, weeks later perhaps."""

import os
import re
import socket
import subprocess

import pytest
from late_agents import addresses
from tango_servers import BUILD, LAUNCHER, PYTHON, ROOT, clean_environment, need

RECORDER = BUILD / "tests" / "call_recorder.so"
CHECK = ROOT / "src" / "launcher" / "attach" / "seccomp_check.c"
# Of the loader that attach starts, and of what that starts; they have the first one's until they have their own.
AGENT_NAMES = {"ska-event-agent", "event-agent"}
# Whose answer is larger than what a socket takes at once.
PUBLISHERS = 130
SOCKET_TAKES = 212992
NOBODY = 65534


def looked_for():
    text = CHECK.read_text(encoding="utf-8")
    return set(re.findall(r"\b(?:OPTIONAL_)?CALL\((\w+)", text))


def names_of_calls():
    done = subprocess.run(
        ["cc", "-E", "-dM", "-include", "sys/syscall.h", "-x", "c", "/dev/null"],
        capture_output=True,
        text=True,
        check=True,
    )
    return {int(number): name for name, number in re.findall(r"^#define __NR_(\w+) (\d+)$", done.stdout, re.M)}


def calls_by_agent(record):
    """The names of all system calls of the threads that came with the agent."""
    names = names_of_calls()
    lines = [line.split(" ", 2) for line in record.read_text(encoding="utf-8").splitlines()]
    threads = {thread for thread, _, name in lines if name in AGENT_NAMES}
    return {names[int(number)] for thread, number, _ in lines if thread in threads}


def launch(*arguments):
    done = subprocess.run(
        [LAUNCHER, *map(str, arguments)],
        env=clean_environment(),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done
    return done.stdout


def ask_as(user, address):
    """As another user; None: as this one. Who asks gets an answer, or is turned away."""
    ask = f"""import socket
client = socket.socket(socket.AF_UNIX)
client.settimeout(30)
client.connect("\\0{address}")
client.sendall(b"Identify\\n")
client.recv(1)"""
    subprocess.run([PYTHON, "-c", ask], check=False, timeout=60, user=user, stderr=subprocess.DEVNULL)


def read_late(pid, address):
    """The size of its answer, of which it can send only a part at first."""
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(30)
        client.connect("\0" + address)
        client.sendall(b"QueryEventSystem\n")
        launch("query", pid, "Identify")  # by then this one's answer is being sent
        with client.makefile("rb") as reply:
            return len(reply.read(int(reply.readline().split()[1])))


def test_everything_is_looked_for(servers, database, launcher_bin, agent_lib, tmp_path):
    record = tmp_path / "calls"
    publishers = [f"calls/pub/{number}" for number in range(PUBLISHERS)]
    server = servers.python(
        "both.py",
        {"Publisher": publishers, "Subscriber": ["calls/sub/1"]},
        database=database,
        env={"LD_PRELOAD": need(RECORDER), "CALL_RECORDER_FILE": record},
    )
    if not record.exists() or not record.stat().st_size:
        pytest.skip("no filter can ask here")
    assert not calls_by_agent(record)
    pid = server.pid
    for publisher in publishers:
        server.proxy("calls/sub/1").Subscribe([server.attribute("burst", publisher), "change"])
    launch("attach", "--yes-i-may-lose-it", "--perf", pid)
    for publisher in publishers:
        server.proxy(publisher).PushBurst(10)
    (address,) = addresses(pid)
    assert read_late(pid, address) > SOCKET_TAKES
    ask_as(NOBODY if os.geteuid() == 0 else None, address)
    launch("detach", pid)
    launch("attach", pid)
    launch("query", pid)
    needed = calls_by_agent(record)
    assert {"memfd_create", "mmap", "bind", "epoll_wait", "sendmsg", "getresuid"} <= needed
    assert not needed - looked_for()
