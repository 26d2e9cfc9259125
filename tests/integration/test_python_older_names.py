"""Scripts that were written for the older tool's module. No Tango is started."""

import json
import math
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "packaging" / "python"))

import ska_tango_event_monitor as stem  # noqa: E402
from ska_tango_event_monitor.render import render_report  # noqa: E402

DATA = ROOT / "tests" / "data"


def recorded(name):
    return {k: v for k, v in json.loads((DATA / name).read_text()).items() if v is not None}


@pytest.mark.parametrize("path", sorted(DATA.glob("*.json")), ids=lambda path: path.stem)
def test_every_format_of_answers(path):
    for answer in recorded(path.name).values():
        response = stem.QueryEventSystemResponse.from_json(answer)
        assert response == stem.QueryEventSystemResponse.from_json(json.dumps(answer))
        parsed = stem.parse(answer)
        assert response.version == answer.get("version", 0)
        assert (response.server is None) == (answer.get("server") is None)
        assert response.client == parsed.client and response.agent == parsed.agent
        if response.server:
            assert isinstance(response.server, stem.ServerResponse)
            assert response.server.event_counters == answer["server"]["event_counters"]
            assert response.server.perf == parsed.server.perf
        if response.client:
            assert isinstance(response.client, stem.ClientResponse)


def test_what_is_no_answer():
    for wrong in ("", "[]", {}, {"version": 2}, {"version": 1, "server": {"event_counters": {"a": "x"}}}, None):
        with pytest.raises(ValueError):
            stem.QueryEventSystemResponse.from_json(wrong)
    odd = stem.QueryEventSystemResponse.from_json('{"server": {"event_counters": {"a": -1, "b": null, "c": 3.0}}}')
    assert odd.server.event_counters == {"a": None, "b": None, "c": 3}
    assert stem.QueryEventSystemResponse.from_json('{"version": 1, "server": {}}').server.event_counters == {}


def test_what_a_script_reads():
    subscriber = stem.QueryEventSystemResponse.from_json(recorded("native-10.3.3-lossy-detected.json")["subscriber"])
    topic = subscriber.client.event_callbacks["tango://vm:11000/foo/bar/pub/burst#dbase=no.idl5_change"]
    assert (topic.callback_count, topic.server_counter, topic.event_count) == (1, 30001, 23488)
    assert (topic.missed_event_count, topic.discarded_event_count, topic.last_resubscribed) == (2, 0, None)
    assert subscriber.client.event_channels[topic.channel_name].endpoint == "tcp://127.0.0.1:42713"
    assert subscriber.client.not_connected == []
    sample = subscriber.client.perf[0]
    assert isinstance(sample, stem.ClientPerfSample)
    assert (sample.attr_name, sample.sleep_micros, sample.process_micros, sample.wake_count, sample.discarded) == (
        "attr#dbase=no", 199146, 276, 1, False,
    )


def test_summaries_of_samples():
    answers = {name: stem.QueryEventSystemResponse.from_json(v) for name, v in recorded("native-10.3.3-steady.json").items()}
    pushed = stem.ServerPerfSummary.from_samples(answers["publisher"].server.perf)
    times = [149, 45, 141, 37, 204, 36, 165, 41, 151, 44, 195, 60]
    mean = sum(times) / 12
    assert (pushed.push_event_micros.count, pushed.push_event_micros.mean) == (12, mean)
    error = math.sqrt(sum((time - mean) ** 2 for time in times) / 11 / 12)
    assert pushed.push_event_micros.standard_error == pytest.approx(error)
    assert (pushed.push_event_micros.minimum, pushed.push_event_micros.median, pushed.push_event_micros.maximum) == (36, 100.5, 204)
    assert pushed.push_event_micros.percentile_10 == pytest.approx(37.4)
    assert pushed.push_event_micros.percentile_1 is None
    assert pushed.micros_since_last_event.count == 11  # nothing was before the first one
    received = stem.ClientPerfSummary.from_samples(answers["subscriber"].client.perf)
    assert (received.discarded_count, received.process_micros.count, received.wake_count.maximum) == (1, 12, 8)
    assert received.process_micros_by_attribute == {"attr#dbase=no": received.process_micros}
    for none in (None, []):
        assert stem.ServerPerfSummary.from_samples(none).push_event_micros == stem.SampleStatistics()
        assert stem.ClientPerfSummary.from_samples(none).process_micros_by_attribute == {}
    many = stem.SampleStatistics.from_values([*range(101), None])
    assert (many.count, many.percentile_1, many.median, many.percentile_99) == (101, 1, 50, 99)
    assert stem.SampleStatistics.from_values([5]) == stem.SampleStatistics(1, 5.0, None, 5, None, None, 5, None, None, 5)


def test_what_changed():
    """As a test's fixture compares the answers before and after it."""
    before = stem.QueryEventSystemResponse.from_json(recorded("native-10.3.3-steady.json")["subscriber"])
    after = stem.QueryEventSystemResponse.from_json(recorded("native-10.3.3-lossy-detected.json")["subscriber"])
    shown = render_report(stem.ResponseChangeSummary.from_responses(after, before))
    row = next(line.split("  ") for line in shown.splitlines() if "burst#dbase=no.idl5_change" in line)
    assert [cell.strip() for cell in row if cell] == [
        "foo/bar/pub/burst#dbase=no.idl5_change", "23488 (+23488)", "30001 (+30001)", "2 (+2)", "0", "1",
    ]
    assert "Process by attribute [us]\n" in shown
    before = stem.QueryEventSystemResponse.from_json({"version": 1, "server": {"event_counters": {"a": 1, "b": 2, "c": 3}}})
    after = stem.QueryEventSystemResponse.from_json({"version": 1, "server": {"event_counters": {"b": 2, "c": 5, "d\x1b[2J": 1}}})
    change = stem.ResponseChangeSummary.from_responses(after, before)
    assert (change.new_publishers, change.removed_publishers) == ({"d\x1b[2J": 1}, ["a"])
    assert change.published_events == {"c": (3, 5)}
    assert render_report(change) == (
        "New publishers\n         counter\n  d?[2J        1\nPublished events\n     counter\n  c   5 (+2)\nRemoved publishers\n  a\n"
    )
    assert render_report(stem.ResponseChangeSummary.from_responses(after, after)) == "no change\n"
    new = stem.ResponseChangeSummary.from_responses(before)
    assert (list(new.new_publishers), new.server_perf, new.client_perf) == (["a", "b", "c"], None, None)
