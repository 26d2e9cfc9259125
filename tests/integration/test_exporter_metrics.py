"""What the exporter exposes, against the truth: how many events were pushed, received and lost.

Each page is judged by promtool and by Prometheus' Python client, in both formats.
"""

import json
import re
import subprocess
import urllib.request

import pytest
import tango
from agent_answers import BUILT_IN, ask, join, overflow, pub, settle, stream, sub
from prometheus_client.openmetrics.parser import text_string_to_metric_families as read_openmetrics
from prometheus_client.parser import text_string_to_metric_families as read_text
from tango_servers import wait_for

BURST = 30_000
OPENMETRICS = "application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.3"
needs_built_in = pytest.mark.skipif(not BUILT_IN, reason="this Tango has no QueryEventSystem of its own")
BOTH = pytest.mark.parametrize("agent", [True, pytest.param(False, marks=needs_built_in)], ids=["agent", "built-in"])


def fetch(exporter, accept=None):
    """(content type, text) of a page."""
    request = urllib.request.Request(f"http://{exporter.target}/metrics")
    if accept:
        request.add_header("Accept", accept)
    with urllib.request.urlopen(request, timeout=60) as answer:
        return answer.headers["Content-Type"], answer.read().decode()


class Page:
    """The samples of one page, which has to be right in both formats."""

    def __init__(self, exporter):
        kind, text = fetch(exporter)
        assert kind == "text/plain; version=0.0.4; charset=utf-8"
        checked = subprocess.run(
            ["promtool", "check", "metrics"], input=text.encode(), capture_output=True, check=False
        )
        assert (checked.returncode, checked.stdout + checked.stderr) == (0, b"")
        self.samples = [sample for family in read_text(text) for sample in family.samples]
        keys = [(sample.name, *sorted(sample.labels.items())) for sample in self.samples]
        assert len(keys) == len(set(keys)), "a series twice"
        kind, other = fetch(exporter, OPENMETRICS)
        assert kind == "application/openmetrics-text; version=1.0.0; charset=utf-8"
        families = list(read_openmetrics(other))
        assert len({family.name for family in families}) == len(families)

    def find(self, name, **labels):
        """The samples of that name with these labels; a label None: without it."""
        return [
            sample for sample in self.samples
            if sample.name == name and all(sample.labels.get(key) == value for key, value in labels.items())
        ]

    def value(self, name, **labels):
        """The one sample's value; None if there is none."""
        found = self.find(name, **labels)
        assert len(found) < 2, found
        return found[0].value if found else None

    def sum(self, name, **labels):
        return sum(sample.value for sample in self.find(name, **labels))


def wait_for_page(exporter, accepts, what):
    """The first page that accepts() says yes to."""

    def look():
        page = Page(exporter)
        return page if accepts(page) else None

    return wait_for(look, 60, what, 0.2)


def received(subscriber):
    """Events that reached callbacks; subscribing makes one call without an event."""
    return sub(subscriber).received - 1


@pytest.fixture
def start(exporters):
    """start(*arguments): an exporter without TLS."""
    return lambda *arguments: exporters(*arguments, tls=False)


@pytest.fixture
def pair(servers, database):
    """pair(agent): a publisher, and a subscriber that has received its newest event."""

    def run(agent=True):
        publisher = servers.publisher("page/pub/1", instance="page", agent=agent, database=database)
        subscriber = servers.subscriber("page/sub/1", instance="page", agent=agent, database=database)
        if agent:
            join(publisher, subscriber)
            settle(publisher, subscriber)
        else:
            sub(subscriber).Subscribe([publisher.attribute("burst"), "change"])
            wait_for(lambda: pub(publisher).PushBurst(1) or received(subscriber) > 0, 90, "an event", 0.2)
            drain(subscriber)
        return publisher, subscriber

    return run


def drain(subscriber):
    last = [None]

    def drained():
        previous, last[0] = last[0], received(subscriber)
        return previous == last[0]

    wait_for(drained, 120, "the events under way", 0.5)


def lossy_burst(publisher, subscriber, agent):
    if agent:
        overflow(publisher, subscriber, BURST)
        return
    sub(subscriber).SetCallbackDelay(0.001)
    pub(publisher).PushBurst(BURST)
    sub(subscriber).SetCallbackDelay(0)
    drain(subscriber)
    before = received(subscriber)
    pub(publisher).PushBurst(1)
    wait_for(lambda: received(subscriber) > before, 60, "the event that shows what is lost")


OF_STREAM = {"device": "page/pub/1", "attribute": "burst", "event_type": "change"}


@BOTH
def test_counters_are_the_truth(pair, start, agent):
    publisher, subscriber = pair(agent)
    exporter = start("--poll-period", 0.3, publisher.name(), subscriber.name())
    first = wait_for_page(exporter, lambda page: page.find("tango_event_received_total"), "the subscription")
    pushed, arrived = pub(publisher).pushed, received(subscriber)
    assert first.value("tango_event_pushed_total", **OF_STREAM) == pushed
    assert first.value("tango_event_received_total", **OF_STREAM) == arrived
    before = first.sum("tango_event_lost_total", **OF_STREAM)
    lossy_burst(publisher, subscriber, agent)
    more_pushed, more_arrived = pub(publisher).pushed - pushed, received(subscriber) - arrived
    lost = more_pushed - more_arrived
    assert lost > 0, "the burst was meant to overflow"
    # A poll may ask the publisher just before its last event, and the subscriber just after it.
    page = wait_for_page(
        exporter,
        lambda page: page.sum("tango_event_lost_total", **OF_STREAM) == before + lost
        and page.value("tango_event_pushed_total", **OF_STREAM) == pushed + more_pushed,
        f"{lost} lost events",
    )
    assert page.value("tango_event_pushed_total", **OF_STREAM) == pushed + more_pushed
    assert page.value("tango_event_received_total", **OF_STREAM) == arrived + more_arrived
    assert page.sum("tango_event_lost_total", cause="outage") == 0
    by = "agent" if agent else "exporter"
    assert page.sum("tango_event_lost_total", cause="overflow", counted_by=by) == before + lost
    assert page.sum("tango_event_findings", rule="overflow", severity="fault") == 1
    assert page.value("tango_event_gaps_total", **OF_STREAM) >= 1
    (one,) = page.find("tango_event_received_total", **OF_STREAM)
    (other,) = page.find("tango_event_pushed_total", **OF_STREAM)
    assert one.labels["publisher"] == other.labels["server"]
    assert one.labels["tango_host"] == other.labels["tango_host"]
    assert one.labels["server"].lower() == subscriber.admin.lower()
    assert page.value("tango_event_server_up", server=one.labels["server"]) == 1
    (info,) = page.find("tango_event_agent_info", server=one.labels["server"])
    if agent:
        assert info.labels["source"] == "agent"
        assert info.labels["tango_version"] == tango.constants.TgLibVers
        assert page.value("tango_event_pushed_bytes_total", **OF_STREAM) > pushed + more_pushed
    else:
        assert info.labels["source"] == "built-in command"
        # What only the agent knows.
        assert not [s for s in page.samples if "_bytes" in s.name and s.name.startswith("tango_event")]
        assert not page.find("tango_event_consumer_busy_seconds") and not page.find("tango_event_heartbeats_total")


def test_restarts(pair, start):
    """Counters go on with another exporter, and begin anew with another server."""
    publisher, subscriber = pair()
    exporter = start("--poll-period", 0.3, publisher.name(), subscriber.name())
    lossy_burst(publisher, subscriber, True)
    truth = stream(publisher)["pushed_event_count"]
    arrived = received(subscriber)

    def is_true(page):
        return page.value("tango_event_received_total", **OF_STREAM) == arrived

    first = wait_for_page(exporter, is_true, "the burst")
    lost = first.sum("tango_event_lost_total", counted_by="agent")
    assert lost == truth - arrived
    exporter.restart()
    again = Page(exporter)
    assert again.value("tango_event_received_total", **OF_STREAM) == arrived
    assert again.sum("tango_event_lost_total", counted_by="agent") == lost
    assert again.sum("tango_event_lost_total", counted_by="exporter") == 0
    assert again.value("tango_event_exporter_polls_total") < first.value("tango_event_exporter_polls_total") + 1

    subscriber.stop()
    down = wait_for_page(exporter, lambda page: page.value("tango_event_servers_failed") == 1, "the failure")
    server = subscriber.admin.lower()
    (gone,) = [s for s in down.find("tango_event_server_up") if s.value == 0]
    assert gone.labels["server"].lower() == server
    assert not down.find("tango_event_received_total")
    assert not down.find("tango_event_heartbeats_total")
    assert [s.labels["server"].lower() for s in down.find("tango_event_agent_info")] == [publisher.admin.lower()]
    assert down.value("tango_event_server_last_answer_timestamp_seconds", server=gone.labels["server"]) > 0
    assert down.value("tango_event_pushed_total", **OF_STREAM) == truth
    subscriber.start()
    join(publisher, subscriber)
    settle(publisher, subscriber)
    wait_for_page(
        exporter,
        lambda page: page.value("tango_event_received_total", **OF_STREAM) == received(subscriber),
        "the new subscription",
    )


def test_histograms(pair, start):
    """Those of -m, with the agent's counts in wider buckets."""
    publisher, subscriber = pair()
    exporter = start("-m", "--poll-period", 0.3, publisher.name(), subscriber.name())
    wait_for(lambda: ask(subscriber)["client"]["perf"] is not None, 30, "monitoring")
    pub(publisher).PushBurst(200)
    settle(publisher, subscriber)
    answer = ask(publisher)["server"]["event_streams"]
    (pushing,) = [one["push_event_histogram"] for name, one in answer.items() if "/burst" in name]
    page = wait_for_page(
        exporter,
        lambda page: page.value("tango_event_callback_seconds_count", **OF_STREAM) == 200
        and page.value("tango_event_push_seconds_count", **OF_STREAM) == 200,
        "the histograms",
    )
    buckets = page.find("tango_event_push_seconds_bucket", **OF_STREAM)
    assert len(buckets) == 15
    for bucket in buckets:
        bound = float(bucket.labels["le"]) * 1e9
        # Exact: no bucket of the agent's reaches over a bound.
        inside = [count for _, below, count in pushing["buckets"] if below is not None and below <= bound * 1.000001]
        assert bucket.value == (200 if bucket.labels["le"] == "+Inf" else sum(inside))
    assert page.value("tango_event_push_seconds_sum", **OF_STREAM) == pytest.approx(pushing["sum_nanos"] / 1e9)
    assert page.value("tango_event_latency_seconds_count", **OF_STREAM) == 200


def test_a_callback_that_runs(pair, start):
    publisher, subscriber = pair()
    exporter = start("--poll-period", 0.3, publisher.name(), subscriber.name())
    sub(subscriber).SetCallbackDelay(3.0)
    pub(publisher).PushBurst(2)
    page = wait_for_page(exporter, lambda page: page.sum("tango_event_consumer_busy_seconds") > 0.5, "a callback")
    assert page.sum("tango_event_consumer_delayed_seconds") == 0
    sub(subscriber).SetCallbackDelay(0)
    wait_for_page(exporter, lambda page: page.sum("tango_event_consumer_busy_seconds") == 0, "its end")


def test_what_is_not_connected(servers, database, start):
    publisher = servers.publisher("page/gone/1", instance="gone", agent=True, database=database)
    subscriber = servers.subscriber("page/sub/2", instance="alone", agent=True, database=database)
    exporter = start("--poll-period", 0.3, subscriber.name())
    other = start("--poll-period", 0.3, "--only", "page/other/*", subscriber.name())
    page = Page(exporter)
    # It has never subscribed, so there is nothing to say about that.
    assert not page.find("tango_event_not_connected") and not page.find("tango_event_received_total")
    publisher.stop()
    sub(subscriber).Subscribe([publisher.attribute("burst"), "change:stateless"])
    wait_for_page(exporter, lambda page: page.sum("tango_event_not_connected") == 1, "the subscription")
    page = wait_for_page(other, lambda page: page.find("tango_event_not_connected"), "a client")
    assert page.sum("tango_event_not_connected") == 0
    assert not page.find("tango_event_pushed_total") and not page.find("tango_event_push_seconds_bucket")


def test_a_limit(pair, start):
    """The subscriber's streams are summed up, from 0 on."""
    publisher, subscriber = pair()
    sub(subscriber).Subscribe([publisher.attribute("attr"), "change"])
    exporter = start("--poll-period", 0.3, "--limit", 20, publisher.name(), subscriber.name())
    page = wait_for_page(exporter, lambda page: page.value("tango_event_exporter_summed_streams"), "sums")
    assert not page.find("tango_event_received_total", **OF_STREAM)
    (one,) = page.find("tango_event_received_total")
    assert set(one.labels) == {"server"}
    server = one.labels["server"]
    assert page.value("tango_event_server_summed_streams", server=server) == 2
    assert page.value("tango_event_server_streams", server=server, direction="subscribed") == 2
    assert page.value("tango_event_exporter_stream_series") <= 20
    pub(publisher).PushBurst(10)
    wait_for_page(exporter, lambda page: page.sum("tango_event_received_total") >= one.value + 10, "the events")


@pytest.mark.skipif(BUILT_IN, reason="this Tango answers QueryEventSystem itself")
def test_hostile_names(servers, start):
    """A server that answers with names that nobody would give."""
    liar = servers.liar()
    names = [
        'a"b\\c/d/e/f.change', "line\nfeed\r/x/y/z.change", "\x1b]0;title\x07/x/y/z.change", "n" * 1_000_000,
        "n" * 999_999 + "m", "", "/", ".", "tango:///", "{}", 'a="b",c/d/e/f.change', "ä/中/😀/\u202e.change",
        "A/b/c/D.change", "a/B/c/d.change", "tango://h:1/a/b/c/x.idl4_change", "tango://h:1/a/b/c/x.idl5_change",
        "tango://h:1/a/b/c/x.change",
    ]
    liar.proxy().Answer(
        json.dumps({
            "version": 1,
            "agent": {"version": '"\\\n', "tango_version": "9" * 500, "pid": 1},
            "server": {"event_streams": {name: {"pushed_event_count": 1} for name in names}},
            "client": {
                "event_callbacks": {
                    name: {"event_count": 1, "channel_name": name.partition(".")[0], "lost_event_count": 0, "server_counter": 1}
                    for name in names
                },
                "event_channels": {name: {"heartbeat_count": 1} for name in names},
                "not_connected": [],
            },
        })
    )
    exporter = start("--poll-period", 0.3, liar.admin)
    page = wait_for_page(exporter, lambda page: page.find("tango_event_pushed_total"), "an answer")
    _, text = fetch(exporter)
    assert max(map(len, text.splitlines())) < 3000
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f\u202e]", text)
    assert page.sum("tango_event_pushed_total") == len(names) == page.sum("tango_event_received_total")
    assert page.value("tango_event_received_total", tango_host="h:1", attribute="x") == 3
    assert page.find("tango_event_pushed_total", device='a"b\\c/d/e')


def test_the_age_of_what_is_shown(servers, start, freeze):
    """A page doesn't wait for a server that hangs, and says how old it is."""
    publisher = servers.publisher(agent=True)
    exporter = start("--poll-period", 0.3, "--timeout", 5, publisher.name())
    before = Page(exporter)
    assert before.value("tango_event_exporter_last_observation_age_seconds") < 5
    freeze(publisher)
    wait_for_page(
        exporter, lambda page: page.value("tango_event_exporter_last_observation_age_seconds") > 1.5, "an old page"
    )
    wait_for_page(exporter, lambda page: page.value("tango_event_servers_failed") == 1, "the failure")
