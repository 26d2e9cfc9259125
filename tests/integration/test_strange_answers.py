"""Servers with unexpected answers: the monitor reports each in a line, records it, and goes on."""

import json
import select
import socket
import struct
import threading
import time
from pathlib import Path

import pytest
from tango_servers import run_monitor, start_monitor, wait_for

pytestmark = pytest.mark.sanitizers


@pytest.fixture(autouse=True)
def _programs(monitor_bin, agent_lib):
    """All of these need the monitor and the agent."""


@pytest.fixture
def good(servers):
    """A healthy server, which must not be affected."""
    return servers.publisher("test/good/1", agent=True)


def replies(path, server):
    return [json.loads(line)["replies"].get(server.admin) for line in path.read_text().splitlines()]


def check(servers_, recording, *options, **more):
    """Two polls of these servers; returns the recorded replies of the first one, and the output."""
    liar, good = servers_
    result = run_monitor("-n", 2, "--poll-period", 0.2, "-o", recording, *options, liar.admin, good.admin, **more)
    assert all("data" in reply for reply in replies(recording, good)), result.stdout
    assert result.returncode == 0
    # Nothing else, but that a poll took long if it did.
    assert all("a poll took" in line for line in result.stderr.splitlines()), result.stderr
    # Reported once, in one line.
    assert result.stdout.count("FAILED: ") == 1, result.stdout
    line = next(line for line in result.stdout.splitlines() if "FAILED: " in line)
    return replies(recording, liar), line.partition("FAILED: ")[2]


@pytest.mark.parametrize(
    "answer, error",
    [
        ("", "can't read its answer: not JSON: "),
        ("no JSON \x1b[31m at all", "can't read its answer: not JSON: "),
        ('{"version": 1, "server": {"event_counters": {"a', "can't read its answer: not JSON: "),
        ("caf\xe9", "can't read its answer: not JSON: line 1, column 3: not UTF-8"),
    ],
)
def test_no_json(servers, good, tmp_path, answer, error):
    liar = servers.liar()
    liar.proxy().Answer(answer)
    found, told = check((liar, good), tmp_path / "recording.jsonl")
    assert told.startswith(error)
    assert "\x1b" not in told
    for reply in found:
        assert reply["error"].startswith("the answer is not JSON: ")
        assert reply["text"] == answer.replace("\xe9", "\ufffd")


@pytest.mark.parametrize(
    "answer, error",
    [
        ({"version": 2}, "version: this program reads version 1 of the answer, not version 2"),
        ({"version": 1, "server": []}, "server: expected an object, found a list"),
        (
            {"version": 1, "client": {"event_callbacks": {"t": {"event_count": "many"}}}},
            'client.event_callbacks["t"].event_count: expected a count, found a string',
        ),
        ({}, 'not an answer of QueryEventSystem: none of "version", "server" and "client" is there'),
        ([1, 2], "answer: expected an object, found a list"),
    ],
)
def test_other_json(servers, good, tmp_path, answer, error):
    """It is recorded as it came, since it is JSON."""
    liar = servers.liar()
    liar.proxy().Answer(json.dumps(answer))
    found, told = check((liar, good), tmp_path / "recording.jsonl")
    assert told == f"can't read its answer: {error}"
    assert [reply["data"] for reply in found] == [answer] * 2
    assert all("error" not in reply and "text" not in reply for reply in found)


@pytest.mark.long
@pytest.mark.not_under_sanitizers("long, and with several times the memory")
def test_100_megabytes(servers, good, tmp_path):
    liar = servers.liar()
    liar.proxy().AnswerLarge(100)
    recording = tmp_path / "recording.jsonl"
    found, told = check((liar, good), recording, "--timeout", 30)
    assert told.startswith("can't read its answer: not JSON: ")
    for reply in found:
        assert len(reply["text"]) == 100_000_000
    recording.unlink()
    # It may also be JSON that some later version writes.
    liar.proxy().AnswerLargeList(100)
    result = run_monitor("-n", 2, "--poll-period", 0.1, "--timeout", 30, "-o", recording, liar.admin)
    assert result.returncode == 0 and "FAILED" not in result.stdout
    assert [len(json.dumps(reply)) > 100_000_000 for reply in replies(recording, liar)] == [True, True]


def test_more_than_the_library_takes(servers, good, tmp_path):
    """cppTango takes 256 MiB."""
    liar = servers.liar()
    liar.proxy().AnswerLarge(300)
    found, told = check((liar, good), tmp_path / "recording.jsonl", "--timeout", 30)
    assert told
    assert all("text" not in reply and reply["error"] for reply in found)


def peak_mib(pid):
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 1024
    raise AssertionError("no VmHWM")


class Proxy:
    """A proxy between a client and a server; once ``mode`` is set, it changes the answers."""

    def __init__(self, server):
        self.target = ("127.0.0.1", server.port)
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.mode = None
        self.sent = 0
        self.ended = False
        self.threads = [threading.Thread(target=self._accept, daemon=True)]
        self.threads[0].start()

    def close(self):
        self.ended = True
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        for thread in self.threads:
            thread.join(10)

    def _accept(self):
        while not self.ended:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            thread = threading.Thread(target=self._relay, args=(client,), daemon=True)
            self.threads.append(thread)
            thread.start()

    def _relay(self, client):
        server = socket.create_connection(self.target)
        with client, server:
            try:
                while not self.ended:
                    for ready in select.select([client, server], [], [], 0.1)[0]:
                        data = ready.recv(65536)
                        if not data:
                            return
                        if ready is server and self.mode:
                            self.mode(client, data)
                        else:
                            (server if ready is client else client).sendall(data)
            except OSError:
                pass

    def drop_by_drop(self, client, data):
        """Says that 100 MB are to come, and sends a byte now and then."""
        client.sendall(data[:8] + struct.pack("<I" if data[6] & 1 else ">I", 100_000_000) + data[12:])
        while not self.ended:
            client.sendall(b"x")
            self.sent += 1
            time.sleep(0.01)

    def flood(self, client, data):
        """Fragment after fragment (GIOP 1.2), as fast as it can."""
        order = "<I" if data[6] & 1 else ">I"
        client.sendall(data[:6] + bytes([data[6] | 2]) + data[7:])
        body = bytes(65536)
        fragment = data[:6] + bytes([data[6] | 2, 7]) + struct.pack(order, 4 + len(body))
        fragment += data[12:16] + body  # with the request's number
        while not self.ended:
            client.sendall(fragment)
            self.sent += len(fragment)


@pytest.mark.parametrize("mode", ["drop_by_drop", "flood"])
@pytest.mark.not_under_sanitizers("it bounds the memory, which they multiply")
def test_an_answer_that_never_ends(servers, good, tmp_path, mode):
    liar = servers.liar()
    proxy = Proxy(liar)
    recording = tmp_path / "recording.jsonl"
    name = f"tango://127.0.0.1:{proxy.port}/dserver/{liar.server_name}#dbase=no"
    liar.proxy().Answer('{"version": 1}')
    monitor = start_monitor(
        "--timeout", 1, "--poll-period", 1.5, "-o", recording, name, good.admin, stderr=None
    )
    try:

        def polls():
            text = recording.read_text() if recording.exists() else ""
            return [json.loads(line)["replies"] for line in text.splitlines()]

        wait_for(lambda: polls() and "data" in polls()[-1][name], what="a good answer")
        proxy.mode = getattr(proxy, mode)
        wait_for(lambda: sum("error" in poll[name] for poll in polls()) >= 3, 60, what="three bad ones")
        assert proxy.sent > 0
        # Whatever it is sent: cppTango takes up to 256 MiB for an answer.
        assert peak_mib(monitor.pid) < 600
        proxy.mode = None
        wait_for(lambda: "data" in polls()[-1][name], 60, what="a good answer again")
        assert all("data" in poll[good.admin] for poll in polls())
        monitor.terminate()
        output, _ = monitor.communicate(timeout=20)
        assert monitor.returncode == 0
        assert "answers again" in output
    finally:
        monitor.kill()
        monitor.communicate()
        proxy.close()
