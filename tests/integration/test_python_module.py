"""parse() of the Python module, on recorded answers of every format. No Tango is started."""

import dataclasses
import datetime
import json
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "packaging" / "python"))

from ska_tango_event_monitor import AnswerError, parse  # noqa: E402

DATA = ROOT / "tests" / "data"


def recorded(name):
    """{"publisher": answer, "subscriber": answer}, each parsed."""
    answers = json.loads((DATA / name).read_text())
    return {k: parse(json.dumps(v)) for k, v in answers.items() if v is not None}


def test_the_built_in_answer():
    answers = recorded("native-10.3.3-lossy-detected.json")
    publisher, subscriber = answers["publisher"], answers["subscriber"]
    assert publisher.version == 1 and publisher.agent is None and publisher.client is None
    (stream,) = [s for n, s in publisher.server.event_streams.items() if "burst" in n]
    # It shows the counter of the event to come: 30,001 were pushed.
    assert stream.pushed_event_count == 30001
    assert stream.has_subscribers is None and stream.last_event is None
    assert publisher.server.perf[0].micros_since_last_event == 199599
    (topic,) = [t for n, t in subscriber.client.event_callbacks.items() if "burst" in n]
    assert topic.stream == stream.name
    assert (topic.event_count, topic.missed_event_count, topic.lost_event_count) == (23488, 2, None)
    assert subscriber.client.event_channels[topic.channel_name].endpoint.startswith("tcp://")


def test_monitoring_that_is_off_and_on():
    assert recorded("native-10.3.3-idle.json")["publisher"].server.perf is None
    steady = recorded("native-10.3.3-steady.json")
    assert steady["publisher"].server.perf[0].micros_since_last_event is None
    assert steady["subscriber"].server.perf == []


def test_the_agents_answer():
    answers = recorded("agent-full.json")
    publisher, subscriber = answers["publisher"], answers["subscriber"]
    raw = json.loads((DATA / "agent-full.json").read_text())
    assert publisher.agent.pid == raw["publisher"]["agent"]["pid"]
    for name, count in raw["publisher"]["server"]["event_counters"].items():
        assert publisher.server.event_streams[name].pushed_event_count == count
    for topic, value in raw["subscriber"]["client"]["event_callbacks"].items():
        parsed = subscriber.client.event_callbacks[topic]
        for key in ("event_count", "lost_event_count", "outage_lost_event_count", "channel_name"):
            assert getattr(parsed, key) == value.get(key), key
    assert isinstance(publisher.agent.attached, datetime.datetime)
    assert publisher.agent.attached.utcoffset() == datetime.timedelta(0)


def test_the_older_answer():
    answers = recorded("legacy-both.json")
    raw = json.loads((DATA / "legacy-both.json").read_text())
    subscriber = answers["subscriber"]
    assert subscriber.version == 0
    samples = raw["subscriber"]["client"]["perf_stats"]
    for parsed, sample in zip(subscriber.client.perf, samples):
        assert parsed.attr_name == sample["att_name"]
        latency = sample["first_callback_lactency_micros"]
        assert parsed.first_callback_latency_micros == (None if latency == -1 else latency)
    assert len(subscriber.client.perf) == len(samples)
    for name, count in raw["publisher"]["server"]["event_counters"].items():
        assert answers["publisher"].server.event_streams[name].pushed_event_count == max(count - 1, 0)


def test_histograms():
    value = {"buckets": [[None, 1024, 1], [1024, 1152, 3]], "count": 4, "sum_nanos": 4000, "max_nanos": 1100}
    stream = {"pushed_event_count": 4, "push_event_histogram": value}
    answer = parse(json.dumps({"version": 1, "server": {"event_streams": {"a.change": stream}}}))
    histogram = answer.server.event_streams["a.change"].push_event_histogram
    assert histogram.buckets == [(None, 1024, 1), (1024, 1152, 3)]
    assert histogram.mean_nanos == 1000.0


@pytest.mark.parametrize(
    "text, where",
    [
        ("", "no JSON"),
        ("[]", "expected an object"),
        ("{}", "neither"),
        ('{"version": 2}', "version"),
        ('{"version": true}', "version"),
        ('{"version": 1, "server": []}', "server: expected an object"),
        ('{"version": 1, "server": {"event_counters": {"a": -1}}}', "server.event_counters.a: expected a count"),
        ('{"version": 1, "server": {"event_counters": {"a": "x"}}}', "expected a count"),
        ('{"version": 1, "server": {"event_counters": {"a": NaN}}}', "expected a count"),
        ('{"version": 1, "client": {"event_callbacks": {"t": {"event_count": 1.5}}}}', 'event_callbacks["t"].event_count'),
        ('{"version": 1, "client": {"event_callbacks": {"t": {"last_event": "noon"}}}}', "expected a time"),
        ('{"version": 1, "server": {"perf": [1]}}', "server.perf[0]"),
        ('{"version": 1, "server": {"event_streams": {"s": {"push_event_histogram": {"buckets": [1]}}}}}', "buckets"),
    ],
)
def test_no_answers(text, where):
    with pytest.raises(AnswerError) as caught:
        parse(text)
    assert where in str(caught.value) and "\n" not in str(caught.value)


def test_unknown_keys_are_passed_over_and_results_are_plain():
    answer = parse('{"version": 1, "server": {"event_counters": {"a": 1.0}, "more": 1}, "new": {}}')
    assert dataclasses.asdict(answer)["server"]["event_streams"]["a"]["pushed_event_count"] == 0
