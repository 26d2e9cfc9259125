"""Clients that want to stop the exporter, fill its memory, or keep others from their metrics.

Meanwhile a good client scrapes over and over, each time over a new connection, and from the same address: to the
exporter all of them could come from one proxy.
"""

import base64
import contextlib
import json
import os
import random
import resource
import select
import socket
import time

import pytest
import yaml
from exporting import read_all, scraping, statuses, trusting
from prometheus import BCRYPT, PASSWORD, USER, make_certificate
from tango_servers import SANITIZERS, wait_for

GET = b"GET /-/healthy HTTP/1.1\r\nHost: a\r\n"
SCRAPE = b"GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n"

# How long a good client may wait on a machine that is busy with an attack and other tests; Prometheus waits for 10 s.
PATIENCE_S = 30


@pytest.fixture(autouse=True)
def many_files():
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.fixture
def crowd():
    """A list of sockets, which are closed with the test."""
    sockets = []
    yield sockets
    for client in sockets:
        client.close()


def files_of(exporter):
    return len(os.listdir(f"/proc/{exporter.process.pid}/fd"))


def check(exporter, scraper):
    assert scraper.failures == [], exporter.output()
    assert max(scraper.seconds) < PATIENCE_S, scraper.seconds
    exporter.check_alive()


def is_closed(client):
    """Whether the exporter has closed a connection."""
    client.setblocking(False)
    try:
        while client.recv(65536):
            pass
        return True
    except BlockingIOError:
        return False
    except ConnectionError:
        return True


# ---- requests ----


@pytest.mark.parametrize(
    "request_, expected",
    [
        pytest.param(GET + b"\r\n" + GET + b"\r\n" + GET + b"\r\n", [200, 200, 200], id="pipelined"),
        pytest.param(b"GET / HTTP/1.1\r\n\r\n", [400], id="no host"),
        pytest.param(b"GET / HTTP/9.9\r\nHost: a\r\n\r\n", [505], id="version"),
        pytest.param(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", [505], id="HTTP/2"),
        pytest.param(bytes(range(256)) * 100, [400], id="bytes"),
        pytest.param(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"a" * 512, [], id="TLS"),
        pytest.param(b"", [], id="nothing"),
        pytest.param(b"GET /-/hea", [], id="half a line"),
        pytest.param(GET, [], id="half a request"),
        pytest.param(GET + b"X: " + b"a" * 1_000_000 + b"\r\n\r\n", [431], id="long header"),
        pytest.param(GET + b"X: a\r\n" * 200_000 + b"\r\n", [431], id="many headers"),
        pytest.param(b"GET /" + b"a" * 1_000_000 + b" HTTP/1.1\r\nHost: a\r\n\r\n", [414], id="long path"),
        pytest.param(GET + b"Content-Length: 4\r\n\r\nGET " + GET + b"\r\n", [413], id="body"),
        pytest.param(GET + b"Content-Length: 99999999999999999999\r\n\r\n", [413], id="huge body"),
        pytest.param(GET + b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + GET + b"\r\n", [413],
                     id="two lengths"),
        pytest.param(GET + b"Content-Length: 0\r\nContent-Length: 60\r\n\r\n" + GET + b"\r\n", [413], id="lengths differ"),
        pytest.param(GET + b"Transfer-Encoding: xchunked\r\n\r\n" + GET + b"\r\n", [413], id="strange encoding"),
        pytest.param(GET + b"Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n" + GET + b"\r\n", [413], id="blank in a name"),
        pytest.param(GET + b"Transfer-Encoding\x0b: chunked\r\n\r\n0\r\n\r\n" + GET + b"\r\n", [413], id="tab in a name"),
        pytest.param(GET + b"Transfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n" + GET + b"\r\n", [413], id="two lines"),
        pytest.param(GET + b"Content-Length: 6\r\n\t0\r\n\r\n" + GET + b"\r\n", [413], id="a length in two lines"),
        pytest.param(GET + b"X: a\rContent-Length: 60\r\n\r\n" + GET + b"\r\n", [413], id="CR in a header"),
        pytest.param(b"POST /metrics HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 9\r\n\r\n", [405],
                     id="expect"),
    ],
)
def test_strange_requests(export, request_, expected):
    """None of them makes it answer what wasn't asked. What is answered an error is closed."""
    exporter = export()
    before = exporter.memory()
    for _ in range(5):
        with exporter.connect() as client:
            with contextlib.suppress(OSError):
                client.sendall(request_)
            answer = b""
            while statuses(answer).count(200) < expected.count(200) or (expected and not answer):
                answer += client.recv(65536)
            if any(status != 200 for status in expected):
                with contextlib.suppress(ConnectionError):
                    answer += read_all(client)
            # libmicrohttpd may say of one request that it is bad, and of its rest as well.
            assert sorted(set(statuses(answer))) == sorted(set(expected)), answer
            assert statuses(answer).count(200) == expected.count(200)
    assert exporter.get("/-/healthy").status == 200
    assert exporter.memory() - before < 20e6


def test_random_requests(export):
    """Parts of requests in any order, and broken at any place."""
    exporter = export().wait_until_ready()
    seed = int(os.environ.get("HOSTILE_SEED", random.randrange(2**32)))
    print(f"HOSTILE_SEED={seed}")
    dice = random.Random(seed)
    parts = [b"GET ", b"HEAD ", b"POST ", b"/metrics", b"/", b" HTTP/1.1", b"\r\n", b"\n", b"\r", b"\0", b": ", b":", b"Host: a\r\n",
             b"Content-Length: 5\r\n", b"Transfer-Encoding: chunked\r\n", b"Connection: close\r\n", b"\r\n\r\n", b"5\r\nabcde\r\n0\r\n",
             b"Accept: application/openmetrics-text;q=1,*/*\r\n", b"Authorization: Basic AAAA\r\n", b"\xff" * 10, b"%00", b"?a=b&c",
             b"Accept-Encoding: gzip\r\n", b"Expect: 100-continue\r\n", SCRAPE]
    with scraping(exporter) as scraper:
        for _ in range(300):
            with exporter.connect() as client, contextlib.suppress(OSError):
                client.settimeout(0.05)
                for _ in range(dice.randrange(1, 4)):
                    client.sendall(b"".join(dice.choices(parts, k=dice.randrange(1, 30))))
                if dice.random() < 0.5:
                    client.recv(65536)
    check(exporter, scraper)


# ---- many, and slow ones ----


def test_requests_that_never_end(export, crowd):
    """Each sends a byte now and then, so that no connection is idle (slowloris)."""
    exporter = export().wait_until_ready()
    begun = time.monotonic()
    with scraping(exporter) as scraper:
        crowd += [exporter.connect() for _ in range(150)]
        for client in crowd:
            client.sendall(GET)
        alive = list(crowd)
        while alive and time.monotonic() - begun < 40:
            for client in list(alive):
                with contextlib.suppress(OSError):
                    client.settimeout(1)
                    client.sendall(b"X: a\r\n")
                if is_closed(client):
                    alive.remove(client)
            select.select([], [], [], 0.2)
    assert not alive
    # It is given 10 s, and looked at every second.
    assert 9 < time.monotonic() - begun < 25
    check(exporter, scraper)


def test_ten_thousand_connections(export, crowd):
    """They come as fast as they can, and stay."""
    exporter = export().wait_until_ready()
    before = exporter.memory()
    files = files_of(exporter)
    with scraping(exporter) as scraper:
        for i in range(10_000):
            client = socket.socket()
            client.setblocking(False)
            client.connect_ex(exporter.addresses[0])
            crowd.append(client)
            if i % 2:
                with contextlib.suppress(OSError):
                    client.send(GET)
        wait_for(lambda: sum(map(is_closed, crowd)) > 5_000, 60, "most of them to be dropped", 1)
        assert files_of(exporter) - files < 400
    check(exporter, scraper)
    assert exporter.memory() - before < 60e6 * (4 if SANITIZERS else 1)


@pytest.fixture
def big(servers):
    """A server whose metrics are several megabytes."""
    liar = servers.liar()

    def name(i, idl=""):
        return f"tango://host:10000/test/liar/{i // 100}/attribute_number_{i % 100}.{idl}change"

    liar.proxy().Answer(json.dumps({
        "version": 1,
        "server": {"event_counters": {name(i): i for i in range(10_000)}},
        "client": {"event_callbacks": {
            name(i, "idl5_"): {"event_count": i, "missed_event_count": 0, "discarded_event_count": 0} for i in range(10_000)
        }},
    }))
    return liar


def test_readers_that_never_read(export, crowd, big):
    exporter = export(big.name(), "--limit=1000000", "--poll-period=2").wait_until_ready()
    size = len(exporter.get("/metrics").text)
    assert size > 4e6
    before = exporter.memory()
    most = 0
    with scraping(exporter, period=0.3) as scraper:
        for _ in range(500):
            client = socket.socket()
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            client.connect(exporter.addresses[0])
            client.sendall(SCRAPE)
            crowd.append(client)
            most = max(most, exporter.memory())
        # Those beyond 128 make room for newer ones; these stay for the 60 s that an answer may take.
        wait_for(lambda: len(scraper.seconds) > 20, 60, "scrapes")
        most = max(most, exporter.memory())
    check(exporter, scraper)
    assert most - before < 100e6 * (4 if SANITIZERS else 1)


# ---- with TLS and passwords ----


def test_half_of_what_tls_and_passwords_need(export, crowd, tmp_path):
    certificates = make_certificate(tmp_path)
    config = tmp_path / "web.yml"
    config.write_text(yaml.safe_dump({
        "tls_server_config": {"cert_file": str(certificates.certificate), "key_file": str(certificates.key)},
        "basic_auth_users": {USER: BCRYPT},
    }))
    exporter = export(f"--web.config.file={config}")
    exporter.tls = trusting(certificates.certificate)
    user = f"{USER}:{PASSWORD}"
    exporter.wait_until_ready(user=user)
    dice = random.Random(1)
    hello = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"
    with scraping(exporter, user=user) as scraper:
        for i in range(600):
            client = exporter.connect()
            crowd.append(client)
            with contextlib.suppress(OSError):
                client.sendall([dice.randbytes(1000), hello, hello + dice.randbytes(511), SCRAPE, b""][i % 5])
            if i % 10 == 0:
                token = base64.b64encode(f"{USER}:{i}".encode())
                with contextlib.suppress(OSError):
                    guess = exporter.tls.wrap_socket(exporter.connect(), server_hostname="localhost")
                    crowd.append(guess)
                    guess.sendall(b"GET /metrics HTTP/1.1\r\nHost: a\r\nAuthorization: Basic " + token + b"\r\n\r\n")
    check(exporter, scraper)
