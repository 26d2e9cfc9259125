"""The page of the last hour, which the exporter serves at /: over HTTP, and in a real browser."""

import base64
import contextlib
import gzip
import http.client
import json
import re
import socket
import time

import pytest
import yaml
from agent_answers import join, overflow, pub, settle, stream, topic
from exporting import scraping, trusting
from prometheus import BCRYPT, PASSWORD, USER, make_certificate
from tango_servers import SANITIZERS, LocalTango, die_with_parent, free_port, wait_for

GOOD = f"{USER}:{PASSWORD}"


def basic(user):
    return "Basic " + base64.b64encode(user.encode()).decode()


def polls_of(exporter):
    text = exporter.get("/metrics").text
    return int(re.search(r"^tango_event_exporter_polls_total (\d+)", text, re.M)[1])


# ---- over HTTP ----


def test_what_a_browser_is_sent(export):
    exporter = export("--poll-period=60").wait_until_ready()
    page = exporter.get("/")
    assert page.status == 200
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert page.text.startswith("<!DOCTYPE html>") and page.text.endswith("</html>\n")
    assert int(page.headers["content-length"]) == len(page.text.encode())
    policy = page.headers["content-security-policy"].split("; ")
    assert {"default-src 'none'", "frame-ancestors 'none'"} <= set(policy)
    assert not any("unsafe" in part or "*" in part for part in policy)
    assert page.headers["x-content-type-options"] == "nosniff"
    assert page.headers["cache-control"] == "no-store"
    assert page.headers["referrer-policy"] == "no-referrer"
    head = exporter.get("/", "HEAD")
    assert (head.status, head.text) == (200, "")
    assert {**head.headers, "date": ""} == {**page.headers, "date": ""}


def test_compressed_for_who_can_take_it(export):
    exporter = export("--poll-period=60").wait_until_ready()
    plain = exporter.get("/")
    assert "content-encoding" not in plain.headers and plain.headers["vary"] == "Accept-Encoding"
    for accepted, packed in (("gzip, deflate, br", True), ("identity", False), ("gzip;q=0", False)):
        with contextlib.closing(exporter.connection()) as connection:
            connection.request("GET", "/", headers={"Accept-Encoding": accepted})
            answer = connection.getresponse()
            body = answer.read()
        assert (answer.getheader("Content-Encoding") == "gzip") == packed
        assert int(answer.getheader("Content-Length")) == len(body)
        assert (gzip.decompress(body) if packed else body).decode() == plain.text


def test_it_is_sent_again_only_when_there_is_news(export):
    exporter = export("--poll-period=60").wait_until_ready()
    page = exporter.get("/")
    tag = page.headers["etag"]
    for known in (tag, tag[2:], f'"another", {tag}', "*"):
        answer = exporter.get("/", **{"If-None-Match": known})
        assert (answer.status, answer.text, answer.headers["etag"]) == (304, "", tag)
    assert exporter.get("/", **{"If-None-Match": 'W/"another"'}).status == 200

    another = export("--poll-period=0.2").wait_until_ready()
    assert another.get("/", **{"If-None-Match": tag}).status == 200  # another run
    tag = another.get("/").headers["etag"]
    wait_for(lambda: another.get("/", **{"If-None-Match": tag}).status == 200, what="the next poll's page")


def test_tls_and_passwords(export, tmp_path):
    certificates = make_certificate(tmp_path)
    config = tmp_path / "web.yml"
    config.write_text(yaml.safe_dump({
        "tls_server_config": {"cert_file": str(certificates.certificate), "key_file": str(certificates.key)},
        "basic_auth_users": {USER: BCRYPT},
    }))
    exporter = export(f"--web.config.file={config}")
    exporter.tls = trusting(certificates.certificate)
    for user in (None, f"{USER}:wrong", "nobody:" + PASSWORD):
        answer = exporter.get("/", user=user)
        assert (answer.status, "html" in answer.text) == (401, False)
    exporter.wait_until_ready(user=GOOD)
    assert exporter.get("/", user=GOOD).status == 200
    # Over one connection, as browsers do: the password is known by now, the page not written yet.
    with contextlib.closing(exporter.connection()) as connection:
        for _ in range(20):
            connection.request("GET", "/", headers={"Authorization": basic(GOOD)})
            answer = connection.getresponse()
            assert (answer.status, answer.read()[-8:]) == (200, b"</html>\n")
            time.sleep(0.05)  # some of them are the first after a poll


def test_where_there_is_none(export):
    exporter = export("--web.telemetry-path=/").wait_until_ready()
    answer = exporter.get("/")
    assert answer.headers["content-type"].startswith("text/plain")
    assert "tango_event_exporter_polls_total" in answer.text
    exporter = export("--no-page").wait_until_ready()
    assert "http-equiv" not in exporter.get("/").text
    assert "etag" not in exporter.get("/").headers


# ---- many, and slow ones ----


@pytest.fixture
def crowd():
    """Sockets; all are closed with the test."""
    clients = []
    yield clients
    for client in clients:
        client.close()


def test_a_thousand_slow_readers(export, crowd):
    """Nobody waits for them: neither polls, nor scrapes, nor others who want the page."""
    exporter = export("--poll-period=0.5").wait_until_ready()
    exporter.get("/")
    before = exporter.memory()
    first, begun = polls_of(exporter), time.monotonic()
    pages = []
    with scraping(exporter) as scraper:
        for i in range(1000):
            client = socket.socket()
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            client.connect(exporter.addresses[0])
            client.sendall(b"GET / HTTP/1.1\r\n" + (b"Host: a\r\nAccept-Encoding: gzip\r\n\r\n" if i % 3 else b""))
            crowd.append(client)
            if i % 50 == 0:
                asked = time.monotonic()
                pages.append((exporter.get("/").status, time.monotonic() - asked))
                time.sleep(0.2)  # polls go on meanwhile
        elapsed = time.monotonic() - begun
        polls = polls_of(exporter) - first
    assert scraper.failures == []
    assert [status for status, _ in pages] == [200] * 20
    assert max(seconds for _, seconds in pages) < 5
    assert max(scraper.seconds) < 5
    assert polls > 0.8 * elapsed / 0.5 - 2, (polls, elapsed)
    assert exporter.memory() - before < 60e6 * (4 if SANITIZERS else 1)


def test_everybody_who_waits_for_the_same_page_gets_it(export, crowd):
    """They ask at once, and it is written once."""
    exporter = export("--poll-period=60").wait_until_ready()
    crowd += [exporter.connect() for _ in range(100)]
    for client in crowd:
        client.sendall(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
    answers = []
    for client in crowd:
        answer = http.client.HTTPResponse(client)
        answer.begin()
        answers.append((answer.status, answer.getheader("ETag"), answer.read()))
    assert len(set(answers)) == 1 and answers[0][0] == 200


# ---- in a real browser ----

in_browser = pytest.mark.not_under_sanitizers("the page is the same, and test_page_writer.c is there")
BURST = 30_000
UPDATED = "document.querySelector('#live').textContent"


class Watched:
    """An exporter over TLS with a password, a publisher and a subscriber, and what has happened to their events
    since its first poll."""

    def __init__(self, export, servers, database, folder):
        certificates = make_certificate(folder)
        config = folder / "web.yml"
        config.write_text(yaml.safe_dump({
            "tls_server_config": {"cert_file": str(certificates.certificate), "key_file": str(certificates.key)},
            "basic_auth_users": {USER: BCRYPT},
        }))
        self.publisher = servers.publisher("hour/pub/1", instance="hour", agent=True, database=database)
        self.subscriber = servers.subscriber("hour/sub/1", instance="hour", agent=True, database=database)
        join(self.publisher, self.subscriber)
        settle(self.publisher, self.subscriber)
        self.port = free_port()  # the same one after a restart
        self.exporter = export(f"--web.config.file={config}", f"--web.listen-address=127.0.0.1:{self.port}",
                               self.publisher.name(), self.subscriber.name())
        self.exporter.tls = trusting(certificates.certificate)
        self.exporter.wait_until_ready(user=GOOD)
        self.begin = self.counts()

    def counts(self):
        at = topic(self.subscriber)
        return stream(self.publisher)["pushed_event_count"], at["event_count"], at["lost_event_count"]

    @property
    def truth(self):
        """(pushed, received, lost)"""
        return tuple(now - before for now, before in zip(self.counts(), self.begin))

    def push(self, count):
        pub(self.publisher).PushBurst(count)
        settle(self.publisher, self.subscriber)

    def open(self, browser, **options):
        return browser.open(f"https://127.0.0.1:{self.port}/", headers={"Authorization": basic(GOOD)}, **options)


@pytest.fixture
def watched(export, servers, database, tmp_path):
    return Watched(export, servers, database, tmp_path)


def tiles(page):
    """What the page says of everything: {"pushed": 12, ...}; None: it isn't known."""
    texts = (text.split(" ", 1) for text in page.texts(".tiles li"))
    return {name: int(re.sub(r"[,≥*]", "", count)) if re.search(r"\d", count) else None for count, name in texts}


def wait_for_tiles(page, pushed, received, lost):
    """Until the page, which refreshes itself, has these numbers."""
    wait_for(lambda: (tiles(page)["pushed"], tiles(page)["received"], tiles(page)["lost"]) == (pushed, received, lost),
             60, f"{pushed} pushed, {received} received, {lost} lost on the page", 0.2)


def row_of(page, table, name):
    """The cells of the first row of a table with that text: {heading: text}."""
    return page.run(f"""(() => {{
        const table = document.querySelector("#t-{table}");
        const heads = Array.from(table.tHead.rows[0].cells, (cell) => cell.textContent);
        const row = Array.from(table.tBodies[0].rows).find((row) => row.textContent.includes({json.dumps(name)}));
        return row && Object.fromEntries(Array.from(row.cells, (cell, i) => [heads[i], cell.textContent.trim()]));
    }})()""")


@in_browser
def test_it_shows_the_truth_and_refreshes_itself(watched, browser):
    page = watched.open(browser)
    assert watched.truth == (0, 0, 0)
    wait_for_tiles(page, 0, 0, 0)
    watched.push(123)
    wait_for_tiles(page, 123, 123, 0)
    overflow(watched.publisher, watched.subscriber, BURST)
    pushed, received, lost = watched.truth
    assert lost > 0 and received + lost == pushed
    wait_for_tiles(page, pushed, received, lost)
    row = row_of(page, "streams", "hour/pub/1/burst.change")
    assert [row[what] for what in ("Pushed", "Received", "Lost")] == [f"{n:,}" for n in (pushed, received, lost)]
    assert any("overflow" in text for text in page.texts(".finding"))
    # Also for whoever comes now, and the links lead to where they say.
    other = watched.open(browser, width=400)
    wait_for_tiles(other, pushed, received, lost)
    for link in other.run("Array.from(document.querySelectorAll('#foot a'), (a) => a.getAttribute('href'))"):
        assert watched.exporter.get(link, user=GOOD).status == 200
    assert "/metrics" in other.run("document.querySelector('#foot').innerHTML")
    assert page.complaints == [] and other.complaints == []


@in_browser
def test_refreshing_keeps_what_one_has_done(watched, browser):
    watched.push(10)
    page = watched.open(browser, height=500)
    wait_for_tiles(page, *watched.truth)
    page.click("#t-servers th:first-child button")
    page.click("#t-servers th:first-child button")
    order = page.texts("#t-servers tbody tr td:first-child")
    assert order == sorted(order, reverse=True) and len(order) == 2
    page.click("#t-streams-filter")
    page.type("burst")
    page.drag("#c-timeline svg.plot", 0.2, 0.9)
    zoom = page.run("document.querySelector('#bar').innerText")
    assert "Charts show" in zoom
    page.click("#t-streams-filter")
    page.run("document.querySelector('#streams').scrollIntoView({behavior: 'instant'})")
    where = "document.querySelector('#t-streams-filter').getBoundingClientRect().top"
    place = page.run(where)
    page.run("window.isTheSame = true")

    watched.push(77)
    wait_for_tiles(page, *watched.truth)
    watched.push(5)
    wait_for_tiles(page, *watched.truth)

    assert page.run("window.isTheSame")
    assert page.texts("#t-servers tbody tr td:first-child") == order
    assert page.run("document.querySelector('#t-streams-filter').value") == "burst"
    assert page.run("document.activeElement.id") == "t-streams-filter"
    assert page.run("document.querySelector('#bar').innerText") == zoom
    assert page.run(where) == pytest.approx(place, abs=2)
    assert page.complaints == []


@in_browser
def test_it_says_when_the_exporter_is_away_and_goes_on_afterwards(watched, browser):
    watched.push(10)
    page = watched.open(browser)
    wait_for_tiles(page, *watched.truth)
    page.wait_for(UPDATED + ".startsWith('Live')")
    watched.exporter.kill()
    page.wait_for(UPDATED + ".startsWith('Not reached since')")
    wait_for_tiles(page, *watched.truth)  # what was known stays
    watched.exporter.start(addresses=2)  # says so for the second time
    watched.exporter.wait_until_ready(user=GOOD)
    watched.begin = watched.counts()  # the hour begins anew
    page.wait_for(UPDATED + ".startsWith('Live')")
    watched.push(4)
    wait_for_tiles(page, 4, 4, 0)
    # It couldn't connect: the browser says so, and nothing else went wrong.
    assert page.complaints != []
    assert {re.sub(r".*(ERR_\w+).*", r"\1", text) for text in page.complaints} <= {
        "ERR_CONNECTION_REFUSED", "ERR_CONNECTION_RESET", "ERR_EMPTY_RESPONSE", "ERR_SOCKET_NOT_CONNECTED"}


@in_browser
def test_before_the_first_poll_it_waits(export, browser, tmp_path):
    """And becomes the page by itself."""
    port = free_port()
    exporter = export("--all", TANGO_HOST=f"127.0.0.1:{port}")
    page = browser.open(f"http://127.0.0.1:{exporter.addresses[0][1]}/")
    assert "whether servers were asked: not yet" in page.run("document.body.innerText")
    database = LocalTango(tmp_path / "database", preexec_fn=die_with_parent)
    database.make_folder()
    try:
        database.start_database(port, free_port())
        page.wait_for("document.querySelector('#live') !== null", 60)
    finally:
        database.stop()
    assert page.complaints == []


@in_browser
def test_without_the_password(watched, browser):
    page = browser.open("about:blank")
    page.command("Security.setIgnoreCertificateErrors", ignore=True)
    page.command("Page.navigate", url=f"https://127.0.0.1:{watched.port}/")
    assert page.run("document.querySelector('#data')") is None


HOSTILE = [
    "<script>window.hacked = 1</script>",
    "</script><script>window.hacked = 2</script>",
    "\"><img src=x onerror='window.hacked = 3'>",
    "</title></style><svg onload=window.hacked=4>",
    "javascript:window.hacked=5",
    "a\u2028b\u202ec\x1b[31m\r\nSet-Cookie: x=1",
    "<!--", "]]>", "&lt;b&gt;", "x" * 100_000,
]


@in_browser
def test_names_are_never_markup(export, servers, browser):
    liar = servers.liar()

    def answer(count):
        names = [f"tango://host:10000/test/liar/1/{name}" for name in HOSTILE]
        return json.dumps({
            "version": 1,
            "server": {"event_counters": {f"{name}.change": count for name in names}},
            "client": {"event_callbacks": {
                f"{name}.idl5_change": {
                    "event_count": count, "missed_event_count": count // 10, "discarded_event_count": 0,
                } for name in names
            }},
        })

    liar.proxy().Answer(answer(10))
    exporter = export(liar.name())
    exporter.wait_until_ready()
    page = browser.open(f"http://127.0.0.1:{exporter.addresses[0][1]}/")
    scripts = page.run("document.scripts.length")
    for count in (50, 90):
        liar.proxy().Answer(answer(count))
        wait_for(lambda wanted=count - 10: tiles(page)["pushed"] == wanted * len(HOSTILE), 30, "the answer on the page")
    assert "</script><script>window.hacked = 2" in page.run("document.querySelector('#t-streams').textContent")
    assert page.run("window.hacked") is None
    assert page.run("document.scripts.length") == scripts
    assert page.run("document.querySelectorAll('img, iframe, object, embed, base, form').length") == 0
    assert exporter.get("/").headers.get("set-cookie") is None
    assert page.complaints == []
