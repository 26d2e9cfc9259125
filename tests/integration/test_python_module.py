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
    # It gives the counter of the next event: 30,001 were pushed.
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
        assert parsed.event_type == sample["event_type"]
        latency = sample["first_callback_lactency_micros"]
        assert parsed.first_callback_latency_micros == (None if latency == -1 else latency)
    assert len(subscriber.client.perf) == len(samples)
    for name, count in raw["publisher"]["server"]["event_counters"].items():
        assert answers["publisher"].server.event_streams[name].pushed_event_count == max(count - 1, 0)


def test_what_the_agent_can_not_know_and_leaves_out():
    callback = {"lost_event_count": None, "known_lost_event_count": 7, "error_event_count": 2}
    agent = {"unknown_topic_event_count": 9, "truncated": {"event_callbacks": 12}}
    answer = parse(
        json.dumps({"version": 1, "agent": agent, "client": {"event_callbacks": {"a.change": callback}}})
    )
    subscription = answer.client.event_callbacks["a.change"]
    assert (subscription.lost_event_count, subscription.known_lost_event_count) == (None, 7)
    assert (subscription.error_event_count, subscription.last_error_event) == (2, None)
    assert answer.agent.truncated == {"event_callbacks": 12}
    assert answer.agent.unknown_topic_event_count == 9
    whole = parse('{"version": 1, "agent": {"truncated": null}, "client": null}')
    assert whole.agent.truncated == {}


def test_histograms():
    value = {"buckets": [[None, 1024, 1], [1024, 1152, 3]], "count": 4, "sum_nanos": 4000, "max_nanos": 1100}
    stream = {"pushed_event_count": 4, "push_event_histogram": value}
    answer = parse(json.dumps({"version": 1, "server": {"event_streams": {"a.change": stream}}}))
    histogram = answer.server.event_streams["a.change"].push_event_histogram
    assert histogram.buckets == [(None, 1024, 1), (1024, 1152, 3)]
    assert histogram.mean_nanos == 1000.0


def nested(depth):
    return '{"version": 1, "new": ' + "[" * (depth - 1) + "]" * (depth - 1) + "}"


BUCKETS = '{"version": 1, "server": {"event_streams": {"s": {"push_event_histogram": {"buckets": %s}}}}}'


@pytest.mark.parametrize(
    "text, where",
    [
        ("", "not JSON"),
        ("[]", "found a list"),
        ("{}", "none of"),
        ('{"version": 0}', "version: expected 1, found 0"),
        ('{"version": 2}', "version"),
        ('{"version": true}', "version"),
        ('{"version": null}', "version"),
        ('{"version": 1, "server": []}', "server: expected an object"),
        ('{"version": 1, "server": {"event_counters": {"a": -1}}}', 'server.event_counters["a"]: expected a count'),
        ('{"version": 1, "server": {"event_counters": {"a": "x"}}}', "expected a count"),
        ('{"version": 1, "server": {"event_counters": {"a": NaN}}}', "not JSON"),
        ('{"version": 1, "server": {"event_counters": {"a": 1e400}}}', "not JSON"),
        ('{"version": 1, "new": -1e400}', "not JSON"),
        ('{"version": 1, "new": 1' + 400 * "0" + "}", "not JSON"),
        ('{"version": 1, "new": 1' + 9000 * "0" + "}", "not JSON"),
        ('{"version": 1, "server": {"event_counters": {"a": 9223372036854775808}}}', "expected a count"),
        ('{"version": 1, "client": {"event_callbacks": {"t": {"event_count": 1.5}}}}', 'event_callbacks["t"].event_count'),
        ('{"version": 1, "client": {"event_callbacks": {"a\\n\\u001b[2J": 1}}}', 'event_callbacks["a\\n\\u001b[2J"]'),
        ('{"version": 1, "server": {"perf": [1]}}', "server.perf[0]"),
        (BUCKETS % "[1]", "buckets"),
        (BUCKETS % "[[1, 2]]", "buckets"),
        (BUCKETS % "[[1, 2, 3, 4]]", "buckets"),
        (BUCKETS % '[[1, "2", 3]]', "buckets"),
        (BUCKETS % "[[1, 2, -3]]", "buckets"),
        (BUCKETS % "[[1, 2, true]]", "buckets"),
        ('{"version": 1, "new": "\\u0000"}', "NUL"),
        ('{"version": 1, "new": "\\ud800"}', "surrogate"),
        (nested(201), "deep"),
        (nested(100000), "deep"),
        (b'{"version": 1, "new": "\xff"}', "not JSON"),
        (b"\xff\xfe" + '{"version": 1}'.encode("utf-16-le"), "not JSON"),
        (None, "expected its text"),
        (7, "expected its text"),
        ({"version": 1, "new": {1: 2}}, "a key"),
        ({"version": 1, "new": {2, 3}}, "set"),
        ({"version": 1, "new": float("nan")}, "number"),
    ],
    ids=lambda value: repr(value)[:40],
)
def test_no_answers(text, where):
    with pytest.raises(AnswerError) as caught:
        parse(text)
    assert where in str(caught.value) and str(caught.value).isprintable() and len(str(caught.value)) < 200


def test_a_dict_that_holds_itself():
    endless = {"version": 1}
    endless["new"] = [endless, endless]
    with pytest.raises(AnswerError):
        parse(endless)


def test_what_a_line_of_a_recording_holds():
    """A dict instead of the command's text: both give the same."""
    for path in DATA.glob("*.json"):
        for answer in json.loads(path.read_text()).values():
            if answer is not None:
                text = json.dumps(answer)
                assert parse(answer) == parse(text) == parse(text.encode())
                assert answer == json.loads(text)


def test_what_is_not_told_is_not_guessed():
    text = BUCKETS.replace('"buckets": %s', "") % ()
    histogram = parse(text).server.event_streams["s"].push_event_histogram
    assert (histogram.buckets, histogram.count, histogram.sum_nanos, histogram.mean_nanos) == ([], None, None, None)
    # A time that Python doesn't understand.
    stream = '{"version": 1, "server": {"event_streams": {"s": {"last_event": "noon"}, "t": null}}}'
    assert parse(stream).server.event_streams["s"].last_event is None
    assert parse(stream).server.event_streams["t"].pushed_event_count is None


def test_unknown_keys_are_passed_over_and_results_are_plain():
    answer = parse('{"version": 1, "server": {"event_counters": {"a": 1.0}, "more": 1}, "new": {}}')
    assert dataclasses.asdict(answer)["server"]["event_streams"]["a"]["pushed_event_count"] == 0
