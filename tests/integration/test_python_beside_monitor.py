"""parse() of the Python module accepts and rejects what the monitor's parser does. No Tango is started."""

import json
import subprocess
import sys
from pathlib import Path

from tango_servers import BUILD, need

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "packaging" / "python"))

from ska_tango_event_monitor import AnswerError, parse  # noqa: E402


def nested(depth):
    return '{"version": 1, "new": ' + "[" * (depth - 1) + "]" * (depth - 1) + "}"


def counters_of_the_monitor():
    program = need(BUILD / "tests" / "parse_answers")
    done = subprocess.run([program, "--counters"], stdout=subprocess.PIPE, check=True)
    return done.stdout.decode().split()


ODD = [None, True, False, 0, -0.0, -1, -1.0, -2, 12.0, 1.5, -1.5, 1e18, 2**63 - 1, 2**63, -(2**63), 1e300, 10**300,
       "", "x", "2026-03-01T12:00:00+01:00", "\u00e9\u202e\U0001f600", "\x7f", [], [None], [1], [[]], [{}],
       [[1, 2, 3]], [[None, None, None]], [[1, 2]], [[1, 2, 3, 4]], [[1.5, -1, 3.0]], [["1", 2, 3]], [[-1, 2, -1]],
       {}, {"a": None}, {"a": {}}, {"a": 1}, {"a": -1}, {"a": []}, {"event_count": "x"}, {"buckets": [[1]]}]

HISTOGRAM = {"buckets": [[None, 1024, 1], [1024, 1152, 3]], "count": 4, "sum_nanos": 4000, "max_nanos": 1100}
TIME = "2026-03-01T12:00:00.000000+01:00"
# Every key that there is.
SERVER = {
    "event_counters": {"a": 1},
    "event_streams": {
        "a": {"pushed_event_count": 1, "byte_count": 1, "last_event": TIME, "last_subscription": None,
              "has_subscribers": True, "push_event_histogram": HISTOGRAM}
    },
    "perf": [{"micros_since_last_event": 1, "push_event_micros": 1}],
}
SUBSCRIPTION = {
    "channel_name": "c", **dict.fromkeys(counters_of_the_monitor(), 1), "last_resubscribed": TIME, "last_event": TIME,
    "last_error_event": TIME, "latency_histogram": HISTOGRAM, "processing_histogram": None,
}
CLIENT = {
    "event_callbacks": {"a": SUBSCRIPTION},
    "not_connected": [{"device": "a", "attribute": "b", "event_type": "c", "last_heartbeat": TIME, "tango_host": "h"}],
    "event_channels": {"c": {"endpoint": "e", "event_endpoint": "e", "last_heartbeat": TIME, "heartbeat_count": 1,
                             "missed_heartbeat_count": 1}},
    "perf": [{"attr_name": "a", "micros_since_last_event": 1, "sleep_micros": 1, "process_micros": 1,
              "first_callback_latency_micros": 1, "callback_count": 1, "wake_count": 1, "discarded": False,
              "event_type": "e"}],
    "consumer_thread": {"thread_id": 1, "state": "s", "topic": "t", "since": TIME, "state_micros": 1,
                        "longest_callback_micros": 1, "longest_callback_topic": "t", "delayed_since": TIME,
                        "delayed_micros": 1},
}
AGENT = {
    "version": "1", "tango_version": "9", "pid": 1, "attached": TIME, "time": TIME, "uncounted": 1,
    "unknown_topic_event_count": 1,
    "truncated": {"event_counters": 1, "event_streams": 1, "event_callbacks": 1, "not_connected": 1, "event_channels": 1},
    "unwatched": "u",
}
# The monitor takes any type for what it doesn't read.
UNREAD = {"last_subscription", "thread_id", "delayed_since"}


ODD_TEXTS = [
    "", " ", "null", "1", '"x"', "[]", "{}", "{", '{"version": 1', '{"version": 1} ', '{"version": 1} 2', '{"version": 1}}',
    '\ufeff{"version": 1}', '{"version": 1,}', "{'version': 1}", '{"version": 1 /* */}', '{"version": 1}\f', '\v{"version": 1}',
    '{"version": 01}', '{"version": 1.}', '{"version": .1}', '{"version": +1}', '{"version": 1.0}', '{"version": 1e0}',
    '{"version": 10e-1}', '{"version": 0}', '{"version": -0}', '{"version": "1"}', '{"version": []}',
    '{"version": NaN}', '{"version": Infinity}', '{"version": 1, "a": -Infinity}', '{"version": 1, "a": nan}',
    '{"version": 1, "a": 1e400}', '{"version": 1, "a": -1e400}', '{"version": 1, "a": 1e-400}',
    '{"version": 1, "a": 1' + 308 * "0" + "}", '{"version": 1, "a": 1' + 309 * "0" + "}",
    '{"version": 1, "a": "\\u0000"}', '{"version": 1, "\\u0000": 1}', '{"version": 1, "a": "\t"}', '{"version": 1, "a": "\n"}',
    '{"version": 1, "a": "\x7f"}', '{"version": 1, "a": "\\q"}', '{"version": 1, "a": "\\u12"}', '{"version": 1, "a": "\\u 123"}',
    '{"version": 1, "a": "\\/\\b"}', '{"version": 1, "a": "\\ud83d\\ude00"}', '{"version": 1, "a": "\\ud83d"}',
    '{"version": 1, "a": "\\ude00\\ud83d"}', '{"version": 1, "a": "\\ud83dx\\ude00"}', '{"version": 1, "\\ud83d": 1}',
    '{"server": null}', '{"client": {}}', '{"agent": {}}', '{"agent": {}, "server": {}}', '{"servers": {}}',
    '{"Version": 1, "server": 1}', '{"client": {"version": 1}}',
    '{"version": 1, "server": {"perf_stats": 7}}', '{"server": {"perf_stats": 7}}', '{"server": {"perf_stats": [{}], "perf": null}}',
    '{"client": {"perf_stats": [{"att_name": "a", "first_callback_lactency_micros": -1, "callback_count": -1}]}}',
    '{"version": 1, "client": {"perf": [{"att_name": 7, "first_callback_lactency_micros": "x"}]}}',
    '{"client": {"perf_stats": [{"att_name": 7}]}}', '{"client": {"perf_stats": [{"first_callback_lactency_micros": "x"}]}}',
    nested(199), nested(200), nested(201), nested(900), nested(3000),
]


def is_unread(container, key):
    return key in UNREAD or (key == "last_heartbeat" and "heartbeat_count" in container)


def odd_answers():
    """Each value of a full answer in turn changed into each odd one."""
    def places(value):
        for key in value if isinstance(value, dict) else range(len(value)):
            yield value, key
            if isinstance(value[key], (dict, list)):
                yield from places(value[key])

    sections = {"server": SERVER, "client": CLIENT, "agent": AGENT}
    for answer in ({"version": 1, **sections}, sections):
        answer = json.loads(json.dumps(answer))
        for container, key in list(places(answer)):
            if is_unread(container, key):
                continue
            kept = container[key]
            for odd in ODD:
                container[key] = odd
                yield json.dumps(answer)
            container[key] = kept


def judged_by_the_monitor(texts):
    """"good", or what is wrong with it, of each text."""
    text = "".join(text + "\0" for text in texts)
    program = need(BUILD / "tests" / "parse_answers")
    done = subprocess.run([program], input=text.encode(), stdout=subprocess.PIPE, check=True)
    return done.stdout.decode().splitlines()


def judged_by_python(text):
    try:
        parse(text)
    except AnswerError as error:
        return str(error)
    return "good"


def test_it_knows_each_counter_that_the_monitor_does():
    counters = counters_of_the_monitor()
    assert "event_count" in counters
    answer = json.dumps({"version": 1, "client": {"event_callbacks": {"t": {key: 7 for key in counters}}}})
    subscription = parse(answer).client.event_callbacks["t"]
    assert [getattr(subscription, key) for key in counters] == [7] * len(counters)


def test_it_takes_and_refuses_what_the_monitor_does():
    texts = [*ODD_TEXTS, *odd_answers()]
    for path in (ROOT / "tests" / "fuzz" / "corpus" / "fuzz_response").iterdir():
        text = path.read_bytes()
        if b"\0" not in text:
            texts.append(text.decode("utf-8", "surrogateescape"))
    texts = [text for text in texts if text.isascii() or text.encode("utf-8", "replace").decode() == text]
    judgements = judged_by_the_monitor(texts)
    assert len(judgements) == len(texts) > 1000
    assert {"good"} < set(judgements)
    differ = [
        (text[:1000], monitor, python)
        for text, monitor, python in zip(texts, judgements, map(judged_by_python, texts))
        if (monitor == "good") != (python == "good")
    ]
    assert differ == [], f"{len(differ)} of {len(texts)}"
