"""For tests of the exporter's web server: exporters on ports that they choose themselves, and clients of all kinds.

A test asks for the fixture ``export``:

    def test_something(export, ...):
        exporter = export(pub.name(), "--web.listen-address=[::1]:0")     # listens, when it returns
        assert exporter.get("/-/healthy").status == 200
        assert exporter.raw(b"GET / HTTP/1.0\\r\\n\\r\\n").startswith(b"HTTP/1.1 200 OK")
        with scraping(exporter) as scraper:     # as a Prometheus does, meanwhile
            ...
        assert scraper.failures == []

Without a device among the arguments it watches a server that is down.
"""

import base64
import contextlib
import http.client
import re
import socket
import ssl
import subprocess
import threading
import time
from typing import NamedTuple

import pytest
from prometheus import EXPORTER, Process
from tango_servers import clean_environment, free_port, need, wait_for


def run_exporter(*args, stdout=subprocess.PIPE, timeout=60, **env):
    """The exporter, run to its end."""
    return subprocess.run(
        [str(need(EXPORTER)), *map(str, args)], env=clean_environment(**env), stdin=subprocess.DEVNULL,
        stdout=stdout, stderr=subprocess.PIPE, text=True, timeout=timeout, check=False,
    )


class Answer(NamedTuple):
    status: int
    headers: dict  # with names in lower case
    text: str


class WebExporter(Process):
    def __init__(self, folder, arguments, env):
        arguments = list(map(str, arguments))
        if not any(argument.startswith("--web.listen-address") for argument in arguments):
            arguments.insert(0, "--web.listen-address=127.0.0.1:0")
        if not any("/" in argument and not argument.startswith("--") for argument in arguments):
            arguments.append(f"tango://127.0.0.1:{free_port()}/no/such/device#dbase=no")
        super().__init__([need(EXPORTER), "--poll-period=0.5", *arguments], folder / "exporter.log", env)
        self.addresses = []  # (host, port)
        self.tls = None  # an ssl.SSLContext for clients

    def start(self, addresses=1):
        """Start it, and return when it listens on that many addresses."""
        self.launch()

        def listens():
            self.check_alive()
            found = re.findall(r"listening on https?://(\S+):(\d+)\n", self.output())
            self.addresses = [(host.strip("[]"), int(port)) for host, port in found]
            return len(found) >= addresses

        wait_for(listens, 30, "the exporter to listen")
        return self

    def connection(self, timeout=20):
        host, port = self.addresses[0]
        if self.tls:
            return http.client.HTTPSConnection(host, port, timeout=timeout, context=self.tls)
        return http.client.HTTPConnection(host, port, timeout=timeout)

    def get(self, path="/metrics", method="GET", user=None, timeout=20, **headers):
        """Asks over a connection of its own; user: "name:password"."""
        if user:
            headers["Authorization"] = "Basic " + base64.b64encode(user.encode()).decode()
        connection = self.connection(timeout)
        try:
            connection.request(method, path, headers=headers)
            answer = connection.getresponse()
            names = {name.lower(): value for name, value in answer.getheaders()}
            return Answer(answer.status, names, answer.read().decode())
        finally:
            connection.close()

    def is_ready(self, **options):
        return self.get("/-/ready", **options).status == 200

    def wait_until_ready(self, **options):
        wait_for(lambda: self.is_ready(**options), 30, "the exporter to be ready")
        return self

    def connect(self, timeout=20):
        """A TCP connection."""
        return socket.create_connection(self.addresses[0], timeout=timeout)

    def raw(self, data, timeout=20):
        """Sends bytes, and no more; all that is answered until the connection is closed."""
        with self.connect(timeout) as client:
            with contextlib.suppress(OSError):  # what was answered before counts all the same
                client.sendall(data)
                client.shutdown(socket.SHUT_WR)
            return read_all(client)

    def memory(self):
        """Its resident memory, in bytes."""
        with open(f"/proc/{self.process.pid}/status", encoding="ascii") as status:
            return int(re.search(r"^VmRSS:\s+(\d+) kB$", status.read(), re.MULTILINE)[1]) * 1024

    def cpu(self):
        """The processor time that it has taken, in seconds."""
        with open(f"/proc/{self.process.pid}/stat", encoding="ascii") as stat:
            fields = stat.read().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / 100


def read_all(client):
    """All that comes until a connection is closed or reset."""
    data = b""
    with contextlib.suppress(ConnectionError):
        while part := client.recv(65536):
            data += part
    return data


def statuses(data):
    """Those of several answers, one after the other."""
    return [int(status) for status in re.findall(rb"HTTP/1\.1 (\d{3}) ", data)]


def trusting(certificate, **options):
    """An SSLContext of a client that trusts that certificate alone."""
    context = ssl.create_default_context(cafile=certificate)
    for name, value in options.items():
        setattr(context, name, value)
    return context


class Scraper(threading.Thread):
    """Scrapes again and again, each time over a connection of its own."""

    def __init__(self, exporter, period, user):
        super().__init__()
        self.exporter, self.period, self.user = exporter, period, user
        self.seconds = []  # that each scrape has taken
        self.failures = []
        self.ends = threading.Event()

    def scrape(self):
        begun = time.monotonic()
        try:
            answer = self.exporter.get("/metrics", user=self.user, timeout=10)
            if answer.status != 200 or len(answer.text) != int(answer.headers["content-length"]):
                self.failures.append(answer)
        except (OSError, http.client.HTTPException) as error:
            self.failures.append(repr(error))
        self.seconds.append(time.monotonic() - begun)

    def run(self):
        while not self.ends.wait(self.period):
            self.scrape()


@contextlib.contextmanager
def scraping(exporter, period=0.1, user=None):
    scraper = Scraper(exporter, period, user)
    scraper.start()
    try:
        wait_for(lambda: len(scraper.seconds) >= 2, what="scrapes")
        yield scraper
        count = len(scraper.seconds)
        wait_for(lambda: len(scraper.seconds) >= count + 2, what="scrapes")
    finally:
        scraper.ends.set()
        scraper.join()


@pytest.fixture
def export(tmp_path):
    """Starts a WebExporter; all end with the test, and none by itself."""
    started = []

    def start(*arguments, addresses=1, **env):
        folder = tmp_path / f"web-exporter-{len(started)}"
        folder.mkdir()
        exporter = WebExporter(folder, arguments, env)
        started.append(exporter)
        return exporter.start(addresses)

    yield start
    alive = [exporter.process.poll() is None or exporter.process.returncode == 0 for exporter in started]
    for exporter in started:
        exporter.kill()
    assert all(alive), "\n".join(exporter.output() for exporter in started)
