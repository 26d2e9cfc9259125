"""A real Prometheus scrapes the exporter, over TLS with a password: what it answers to queries is what was pushed,
received and lost."""

import re
import shlex
import subprocess

import pytest
from agent_answers import join, overflow, pub, settle, sub
from prometheus import EXPORTER, Process, Prometheus
from tango_servers import ROOT, free_port, wait_for

ALERTS = ROOT / "packaging" / "prometheus" / "alerts.yml"
BURST = 30_000
STREAM = 'device="metrics/pub/1", attribute="burst", event_type="change"'
PUSHED = f"tango_event_pushed_total{{{STREAM}}}"
RECEIVED = f"tango_event_received_total{{{STREAM}}}"
LOST = f"sum(tango_event_lost_total{{{STREAM}}})"


@pytest.fixture
def pair(servers, database):
    """A publisher, and a subscriber that has received its newest event."""
    publisher = servers.publisher("metrics/pub/1", instance="metrics", agent=True, database=database)
    subscriber = servers.subscriber("metrics/sub/1", instance="metrics", agent=True, database=database)
    join(publisher, subscriber)
    settle(publisher, subscriber)
    return publisher, subscriber


def received(subscriber):
    """Events that reached callbacks; subscribing makes one call without an event."""
    return sub(subscriber).received - 1


def increases(server, since):
    """(pushed, received, lost) since then, as Prometheus' increase() has them. It extrapolates by up to one scrape
    at either end, so this is about right."""
    seconds = int(server.value("time()") - since) + 3
    return [
        server.value(f"sum(increase({metric}{{{STREAM}}}[{seconds}s]))")
        for metric in ("tango_event_pushed_total", "tango_event_received_total", "tango_event_lost_total")
    ]


def test_a_lossy_burst_and_restarts(pair, exporters, prometheus):
    publisher, subscriber = pair
    exporter = exporters(publisher.name(), subscriber.name())
    server = prometheus([exporter], rules=[ALERTS])
    server.wait_until(LOST, 0)
    server.wait_for_scrapes(8)
    since = server.value("time()")
    pushed_before, received_before = pub(publisher).pushed, received(subscriber)
    first = {metric: server.value(metric) for metric in (PUSHED, RECEIVED, LOST)}
    assert first[RECEIVED] == received_before

    overflow(publisher, subscriber, BURST)
    pushed, arrived = pub(publisher).pushed - pushed_before, received(subscriber) - received_before
    lost = pushed - arrived
    assert pushed > BURST and lost > 0
    truth = [pushed, arrived, lost]

    # Exactly, as the difference of two values.
    for metric, count in zip((PUSHED, RECEIVED, LOST), truth):
        server.wait_until(metric, first[metric] + count)
    assert server.value(f'sum(tango_event_lost_total{{{STREAM}, cause="outage"}})') == 0
    (sample,) = server.query(RECEIVED)
    assert sample.labels["server"].lower().endswith(subscriber.admin.partition("/dserver/")[2].lower())
    assert sample.labels["publisher"].lower().endswith(publisher.admin.partition("/dserver/")[2].lower())
    # The alerts fire, with the words of the finding and the number.
    fired = wait_for(lambda: fires(server, "TangoEventsLost", "TangoEventOverflow"), 60, "the alerts to fire", 0.2)
    assert fired["TangoEventOverflow"]["annotations"]["summary"].startswith("events lost because a queue was full (")
    assert "EventBufferHwm" in fired["TangoEventOverflow"]["annotations"]["description"]
    server.wait_for_scrapes(4)
    summary = fires(server, "TangoEventsLost")["TangoEventsLost"]["annotations"]["summary"]
    number = int(re.match(r"(\d+) events of metrics/pub/1/burst\.change lost in 5 minutes", summary)[1])
    assert number == pytest.approx(lost, rel=0.1)
    assert increases(server, since) == pytest.approx(truth, rel=0.1)

    # Another exporter goes on where the first one ended.
    exporter.restart()
    server.wait_for_scrapes(4)
    for metric, count in zip((PUSHED, RECEIVED, LOST), truth):
        assert server.value(metric) == first[metric] + count
    assert increases(server, since) == pytest.approx(truth, rel=0.1)
    assert server.value(f"max(resets({RECEIVED}[5m]))") == 0

    # The subscriber's counts begin anew, and what it received before isn't forgotten.
    subscriber.restart()
    pushed_before = pub(publisher).pushed
    join(publisher, subscriber)
    pub(publisher).PushBurst(500)
    settle(publisher, subscriber)
    truth[0] += pub(publisher).pushed - pushed_before
    again = received(subscriber)
    truth[1] += again
    server.wait_until(RECEIVED, again)
    server.wait_until(PUSHED, first[PUSHED] + truth[0])
    server.wait_for_scrapes(4)
    assert server.value(f"max(resets({RECEIVED}[5m]))") == 1
    assert increases(server, since) == pytest.approx(truth, rel=0.1)
    check_page(exporter)


def fires(server, *names):
    """{name: alert} of those, if all of them fire."""
    firing = {alert["labels"]["alertname"]: alert for alert in server.alerts()}
    return {name: firing[name] for name in names} if set(names) <= set(firing) else None


def check_page(exporter):
    status, page = exporter.get("/metrics")
    assert status == 200
    checked = subprocess.run(["promtool", "check", "metrics"], input=page, capture_output=True, text=True, check=False)
    assert (checked.returncode, checked.stdout + checked.stderr) == (0, "")


def test_a_server_that_is_down(pair, exporters, prometheus):
    """Its series end; the other's go on."""
    publisher, subscriber = pair
    server = prometheus([exporters(publisher.name(), subscriber.name())], rules=[ALERTS])
    server.wait_until("sum(tango_event_server_up)", 2)
    server.wait_for(RECEIVED, bool)
    subscriber.stop()
    server.wait_until("sum(tango_event_server_up)", 1)
    server.wait_for(f"absent({RECEIVED})", bool)
    assert server.query(PUSHED)
    pending = wait_for(lambda: server.alerts("pending"), 30, "an alert", 0.2)
    assert [alert["labels"]["alertname"] for alert in pending] == ["TangoServerNotAnswering"]
    subscriber.start()
    server.wait_until("sum(tango_event_server_up)", 2)


def test_an_exporter_that_is_down(servers, exporters, prometheus):
    publisher = servers.publisher(agent=True)
    exporter = exporters(publisher.name())
    server = prometheus([exporter], rules=[ALERTS])
    server.wait_until("up", 1)
    exporter.kill()
    server.wait_until("up", 0)
    server.wait_for("absent(tango_event_server_up)", bool)
    names = wait_for(lambda: [each["labels"]["alertname"] for each in server.alerts("pending")], 30, "an alert", 0.2)
    assert names == ["TangoEventExporterDown"]


def test_a_site_in_five_shards(servers, database, exporters, prometheus):
    """Each server is in exactly one exporter, and sums over all of them are right."""
    pubs = [servers.publisher(f"shards/pub/{n}", instance=f"shard{n}", agent=True, database=database) for n in range(8)]
    for number, each in enumerate(pubs):
        each.admin_proxy().ZmqEventSubscriptionChange(["info"])
        each.admin_proxy().ZmqEventSubscriptionChange([each.first_device, "burst", "subscribe", "change", "5"])
        pub(each).PushBurst(10 * (number + 1))
    shards = [
        exporters("--shard", f"{number}/5", "shards/pub/*", TANGO_HOST=database.tango_host) for number in range(1, 6)
    ]
    server = prometheus(shards)
    server.wait_until("count(up == 1)", 5)
    up = server.wait_for("tango_event_server_up == 1", lambda found: len(found) == len(pubs))
    assert len({sample.labels["server"] for sample in up}) == len(pubs)
    assert len({sample.labels["instance"] for sample in up}) > 1
    pushed = sum(pub(each).pushed for each in pubs)
    server.wait_until('sum(tango_event_pushed_total{attribute="burst"})', pushed)


@pytest.mark.parametrize("document", ["README.md", "docs/prometheus.md"])
def test_the_three_lines(pair, database, tmp_path, document):
    """As they are written, but on ports of our own, and with the test's servers."""
    text = (ROOT / document).read_text(encoding="utf-8")
    block = re.search(r"^    apt install prometheus\n    (.*) &\n    (prometheus .*)$", text, re.MULTILINE)
    exporter_line, prometheus_line = (shlex.split(line) for line in block.groups())
    configuration = next(each for each in prometheus_line if each.startswith("--config.file="))
    port, listens = free_port(), free_port()
    for path in (ROOT / configuration.partition("=")[2]).parent.glob("*.yml"):
        (tmp_path / path.name).write_text(path.read_text(encoding="utf-8").replace(":9751", f":{port}"))
    swap = {
        "build/bin/ska-tango-event-exporter": str(EXPORTER),
        "foo/*/*": "metrics/*/*",
        configuration: f"--config.file={tmp_path}/prometheus.yml",
        "--storage.tsdb.path=/tmp/tango-metrics": f"--storage.tsdb.path={tmp_path}/data",
    }
    exporter_line = [swap.get(word, word) for word in exporter_line] + [f"--web.listen-address=127.0.0.1:{port}"]
    prometheus_line = [swap.get(word, word) for word in prometheus_line] + [f"--web.listen-address=127.0.0.1:{listens}"]
    exporter = Process(exporter_line, tmp_path / "exporter.log", {"TANGO_HOST": database.tango_host})
    server = Prometheus(prometheus_line, tmp_path / "prometheus.log", listens)
    try:
        exporter.launch()
        server.start()
        server.wait_for(RECEIVED, bool)
        assert len(server.api("rules")["groups"]) == 2
    finally:
        exporter.kill()
        server.kill()
