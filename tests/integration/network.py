"""Two network namespaces with a wire between them, which can be cut; and servers that run in one.

Run as a program, it is those servers: it starts a database and device servers that listen on the
address that it is given, says on standard output what their names are, restarts one for each line of standard input
(its number), on another port, and ends with that.
"""

import contextlib
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from tango_servers import (
    CPP_PUBLISHER,
    PYTHON,
    Server,
    ServerPool,
    die_with_parent,
    free_port,
    need,
    start_database,
    wait_for,
)

HERE = Path(__file__).resolve()
SERVERS, MONITOR = "10.99.0.1", "10.99.0.2"


class Namespace:
    """A network namespace, for as long as this lives."""

    def __init__(self):
        self.holder = subprocess.Popen(
            ["unshare", "--net", "sleep", "infinity"], preexec_fn=die_with_parent
        )
        mine = os.readlink("/proc/self/ns/net")
        wait_for(lambda: os.readlink(f"/proc/{self.holder.pid}/ns/net") != mine, what="a namespace")
        self.run("ip", "link", "set", "lo", "up")

    @property
    def prefix(self):
        """The beginning of a command that runs in it."""
        return ["nsenter", f"--net=/proc/{self.holder.pid}/ns/net", "--"]

    def run(self, *command):
        subprocess.run([*self.prefix, *command], check=True)

    def close(self):
        self.holder.kill()
        self.holder.wait()


class Wire:
    """Between a namespace with servers and one with a monitor."""

    def __init__(self):
        self.servers, self.monitor = Namespace(), Namespace()
        self.servers.run(
            "ip", "link", "add", "wire", "type", "veth", "peer", "name", "wire",
            "netns", str(self.monitor.holder.pid),
        )
        for namespace, address in ((self.servers, SERVERS), (self.monitor, MONITOR)):
            namespace.run("ip", "address", "add", f"{address}/24", "dev", "wire")
            namespace.run("ip", "link", "set", "wire", "up")

    def cut(self, how):
        """"unplugged": both ends know; "silent": everything sent is silently lost."""
        if how == "unplugged":
            self.servers.run("ip", "link", "set", "wire", "down")
        else:
            self.servers.run("ip", "route", "add", "blackhole", f"{MONITOR}/32")

    def heal(self, how):
        if how == "unplugged":
            self.servers.run("ip", "link", "set", "wire", "up")
        else:
            self.servers.run("ip", "route", "del", "blackhole", f"{MONITOR}/32")

    def close(self):
        self.servers.close()
        self.monitor.close()


@pytest.fixture
def wire():
    if subprocess.run(["unshare", "--net", "true"], capture_output=True, check=False).returncode != 0:
        pytest.skip("no network namespace can be made here: that needs root")
    made = Wire()
    yield made
    made.close()


@contextlib.contextmanager
def start_distant(wire, tmp_path, address):
    """Servers of the publishers distant/pub/0 to 2, which listen on that address, in the namespace for
    servers; the database listens on SERVERS. Yields (names of the admin devices, TANGO_HOST, a function
    that restarts server i)."""
    log = (tmp_path / "distant.log").open("w")
    process = subprocess.Popen(
        [*wire.servers.prefix, PYTHON, str(HERE), address],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True, preexec_fn=die_with_parent,
    )

    def answer():
        line = process.stdout.readline()
        assert line, (tmp_path / "distant.log").read_text()
        return json.loads(line)

    def restart(number):
        process.stdin.write(f"{number}\n")
        process.stdin.flush()
        return answer()

    try:
        started = answer()
        yield started["names"], started["tango_host"], restart
    finally:
        process.stdin.close()
        process.wait(60)
        log.close()


@pytest.fixture
def distant(wire, tmp_path):
    """start_distant(), where the other namespace can reach the servers."""
    with start_distant(wire, tmp_path, SERVERS) as started:
        yield started


def serve(address):
    with tempfile.TemporaryDirectory(prefix="distant-") as folder:
        database = start_database(Path(folder) / "database", SERVERS)
        try:
            with ServerPool(folder) as pool:
                for number in range(3):
                    devices = {"CppPublisher": [f"distant/pub/{number}"]}
                    server = Server(
                        [need(CPP_PUBLISHER)], f"distant-{number}", devices, f"{folder}/{number}.log",
                        database=database, agent=True,
                    )
                    server.address = address
                    pool.servers.append(server)
                    database.register(server.server_name, devices)
                    server.start()
                names = [f"dserver/{server.server_name}" for server in pool.servers]
                print(json.dumps({"names": names, "tango_host": database.tango_host}), flush=True)
                for line in sys.stdin:
                    server = pool.servers[int(line)]
                    server.kill()
                    server.port = free_port()
                    server.start()
                    print(json.dumps({"pid": server.pid}), flush=True)
        finally:
            database.stop()


if __name__ == "__main__":
    serve(sys.argv[1])
