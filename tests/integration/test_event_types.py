"""Every event type of Tango, counted on both sides and compared with what the test did."""

import json
import re
import sys

import pytest
import tango
from tango_servers import SERVERS, wait_for

sys.path.insert(0, str(SERVERS))
from event_types import HAS_PIPES, VALUES  # noqa: E402

pytestmark = pytest.mark.sanitizers

HAS_ALARMS = hasattr(tango.EventType, "ALARM_EVENT")
MANY = 12

# (type of event, attribute or pipe, it has a timestamp)
PUSHED = [("change", name, True) for name in VALUES] + [
    ("archive", "double_scalar", True),
    ("user_event", "double_scalar", True),
    ("data_ready", "double_scalar", False),
    ("attr_conf", "long_scalar", False),
]
if HAS_PIPES:
    PUSHED.append(("pipe", "a_pipe", True))
if HAS_ALARMS:
    PUSHED.append(("alarm", "double_scalar", True))


def ask(server, command="QueryEventAgent"):
    return json.loads(getattr(server.admin_proxy(), command)())


def only(mapping, *parts):
    """The value of the one key that has all of the parts in it."""
    keys = [key for key in mapping if all(part in key for part in parts)]
    assert len(keys) == 1, f"{parts} in {list(mapping)}"
    return mapping[keys[0]]


def stream_and_topic(pushing, receiving, attr, event):
    """What the answers of both sides say of an event."""
    stream = only(pushing["server"]["event_streams"], f"/{attr}.{event}")
    topics = receiving["client"]["event_callbacks"]
    # For most types, the IDL level of the data is in the topic only.
    pattern = re.compile(rf"/{attr}\.(idl\d_)?{event}$")
    topic = [value for key, value in topics.items() if pattern.search(key)]
    assert len(topic) <= 1, (attr, event, list(topics))
    return stream, topic[0] if topic else None


def details(subscriber, publisher, attr, event_type):
    seen = json.loads(subscriber.proxy().details)
    return seen[f"{publisher.attribute(attr)} {event_type}"]


class Pair:
    """A publisher of every type, a subscriber, and one kind of event between them."""

    def __init__(self, publisher, subscriber, event, attr):
        self.publisher, self.subscriber = publisher, subscriber
        self.event, self.attr = event, attr

    def push(self, count, kind=None):
        self.publisher.proxy().Push([kind or self.event, self.attr, str(count)])

    def both(self):
        pushing, receiving = ask(self.publisher), ask(self.subscriber)
        return stream_and_topic(pushing, receiving, self.attr, self.event)

    def callbacks(self):
        return details(self.subscriber, self.publisher, self.attr, self.event)

    def connect(self):
        """Subscribe, and push until the first event comes through."""
        self.subscriber.proxy().Subscribe([self.publisher.attribute(self.attr), self.event])

        def arrived():
            self.push(1)
            return self.both()[1]["event_count"] > 0

        wait_for(arrived, 30, f"the first {self.event} of {self.attr}", 0.3)
        self.settle()

    def deliver(self, count, kind=None, counted="received"):
        """Push, and wait for the callbacks, without a query: those empty the samples."""
        wanted = self.callbacks()[counted] + count
        self.push(count, kind)
        what = f"{count} callbacks of {kind or self.event} of {self.attr}"
        wait_for(lambda: self.callbacks()[counted] >= wanted, 30, what)
        assert self.callbacks()[counted] == wanted

    def settle(self):
        def same():
            stream, topic = self.both()
            return topic["server_counter"] == stream["pushed_event_count"]

        wait_for(same, 30, f"all {self.event} of {self.attr}")


@pytest.fixture
def pair(servers, agent_lib, database):
    devices = {"EventTypes": ["test/types/1"]}
    publisher = servers.python("event_types.py", devices, agent=True, database=database)
    subscriber = servers.subscriber(agent=True, database=database)

    def make(event, attr):
        return Pair(publisher, subscriber, event, attr)

    return make


def test_every_type_of_event_is_counted(pair):
    for event, attr, has_time in PUSHED:
        one = pair(event, attr)
        one.connect()
        what = f"{event} of {attr}"
        stream_before, topic_before = one.both()
        for server in (one.publisher, one.subscriber):
            server.admin_proxy().StartEventSystemPerfMon()
        one.deliver(MANY)

        pushing, receiving = ask(one.publisher), ask(one.subscriber)
        stream, topic = stream_and_topic(pushing, receiving, attr, event)
        assert stream["pushed_event_count"] - stream_before["pushed_event_count"] == MANY, what
        assert topic["event_count"] - topic_before["event_count"] == MANY, what
        pushed_bytes = stream["byte_count"] - stream_before["byte_count"]
        assert topic["byte_count"] - topic_before["byte_count"] == pushed_bytes > 0, what
        assert (topic["lost_event_count"], topic["missed_event_count"]) == (0, 0), what
        assert topic["callback_count"] == 1 and topic["channel_name"].endswith("event_types/test")
        assert topic["last_event"] and stream["last_event"] and stream["has_subscribers"]

        # The last sample may not be there yet: its callback has only just begun.
        samples = receiving["client"]["perf"]
        assert [sample["attr_name"] for sample in samples] == [attr] * len(samples), what
        assert MANY - 1 <= len(samples) <= MANY, what
        for sample in samples:
            latency = sample["first_callback_latency_micros"]
            assert (0 <= latency < 60e6) if has_time else (latency is None), what
            assert sample["callback_count"] == 1 and not sample["discarded"], what
        assert len(pushing["server"]["perf"]) == MANY, what
        assert (topic["latency_histogram"]["count"] > 0) == has_time, what
        for server in (one.publisher, one.subscriber):
            server.admin_proxy().StopEventSystemPerfMon()

        one.subscriber.proxy().Unsubscribe([])
        assert one.both()[1] is None, f"{what} is not subscribed any more"
        assert one.both()[0]["pushed_event_count"] == stream["pushed_event_count"]


def test_interface_changes_are_counted(pair):
    one = pair("intr_change", "1")
    name = one.publisher.full_name("test/types/1/-")
    one.subscriber.proxy().Subscribe([name, "intr_change"])

    def both():
        streams = ask(one.publisher)["server"]["event_streams"]
        topics = ask(one.subscriber)["client"]["event_callbacks"]
        return only(streams, "types/1.intr_change"), only(topics, "types/1.intr_change")

    def received():
        return json.loads(one.subscriber.proxy().details)[f"{name} intr_change"]["received"]

    at_first = received()
    # Tango takes changes that follow each other quickly together: one at a time.
    for number in range(1, 4):
        one.publisher.proxy().Push(["intr_change", "-", "1"])
        wait_for(lambda: both()[0]["pushed_event_count"] == number, 30, f"change {number}")
        wait_for(lambda: both()[1]["server_counter"] == number, 30, f"change {number} to arrive")
    stream, topic = both()
    assert topic["event_count"] + topic["lost_event_count"] <= 3
    assert topic["event_count"] >= 2 and topic["callback_count"] == 1
    wait_for(lambda: received() == at_first + topic["event_count"], what="the callbacks")
    if topic["event_count"] == 3:
        assert topic["byte_count"] == stream["byte_count"]


def test_errors_are_events(pair):
    one = pair("change", "double_scalar")
    one.connect()
    one.subscriber.admin_proxy().StartEventSystemPerfMon()
    before = one.both()[1]
    one.deliver(MANY, "change_error", "errors")
    pushing, receiving = ask(one.publisher), ask(one.subscriber)
    _, after = stream_and_topic(pushing, receiving, one.attr, one.event)
    assert after["event_count"] - before["event_count"] == MANY
    assert after["lost_event_count"] == after["missed_event_count"] == 0
    samples = receiving["client"]["perf"]
    assert all(sample["first_callback_latency_micros"] is None for sample in samples)
    assert len(samples) >= MANY - 1
    assert after["latency_histogram"]["count"] == 0
    assert after["processing_histogram"]["count"] >= MANY - 1

    # A value of any quality is not an error, even INVALID, which has no value.
    for kind in ("alarm_quality", "invalid_quality", "change"):
        before, errors = one.both()[1], one.callbacks()["errors"]
        one.deliver(MANY, kind)
        assert one.both()[1]["event_count"] - before["event_count"] == MANY, kind
        assert one.callbacks()["errors"] == errors, kind


def test_polled_attributes_that_fail_and_that_work(pair):
    """Here the truth is the callbacks': how often Tango polls isn't known."""
    one = pair("periodic", "polled")
    subscriptions = [("polled", "periodic"), ("polled", "change"), ("polled", "archive")]
    subscriptions += [("failing", "periodic")]
    proxy = one.subscriber.proxy()
    proxy.Subscribe([one.publisher.attribute("double_scalar"), "change"])  # see tango_servers.py
    for attr, event_type in subscriptions:
        proxy.Subscribe([one.publisher.attribute(attr), event_type])

    def seen(attr, event_type):
        callbacks = details(one.subscriber, one.publisher, attr, event_type)
        return callbacks["received"] + callbacks["errors"]

    # Each is called once while it is subscribed to.
    wait_for(lambda: all(seen(*each) >= 8 for each in subscriptions), 60, "some events of each")

    def topic_of(attr, event_type):
        pushing, receiving = ask(one.publisher), ask(one.subscriber)
        return stream_and_topic(pushing, receiving, attr, event_type)[1]

    for each in subscriptions:

        def agrees():
            before, callbacks, after = topic_of(*each), seen(*each), topic_of(*each)
            # Between two events.
            return before == after and before["event_count"] == callbacks - 1

        wait_for(agrees, 30, f"events and callbacks of {each} to agree")
        assert topic_of(*each)["lost_event_count"] == 0
    callbacks = details(one.subscriber, one.publisher, "failing", "periodic")
    assert callbacks["errors"] > 0 and callbacks["received"] == 0


def test_event_types_of_one_attribute_are_not_mixed_up(pair):
    kinds = ["change", "archive", "user_event", "data_ready"]
    pairs = {kind: pair(kind, "double_scalar") for kind in kinds}
    for one in pairs.values():
        one.connect()
    before = {kind: one.both() for kind, one in pairs.items()}
    for count, one in enumerate(pairs.values(), 3):
        one.push(count)
    for count, (kind, one) in enumerate(pairs.items(), 3):
        one.settle()
        stream, topic = one.both()
        assert stream["pushed_event_count"] - before[kind][0]["pushed_event_count"] == count, kind
        assert topic["event_count"] - before[kind][1]["event_count"] == count, kind


def test_a_forwarded_attribute_is_counted_at_each_step(servers, agent_lib, database):
    root = servers.publisher("test/root/1", "root", agent=True, database=database)
    host, port = database.tango_host.split(":")
    tango.Database(host, int(port)).put_device_attribute_property(
        "test/fwd/1", {"burst": {"__root_att": ["test/root/1/burst"]}}
    )
    devices = {"Forwarder": ["test/fwd/1"]}
    forwarder = servers.python("forwarder.py", devices, agent=True, database=database)
    subscriber = servers.subscriber(agent=True, database=database)
    subscriber.proxy().Subscribe([forwarder.attribute("burst"), "change"])

    def steps():
        """Pushed by the root, received by the forwarder, pushed by it, received at the end."""
        middle = ask(forwarder)
        return (
            only(ask(root)["server"]["event_streams"], "root/1/burst.change"),
            only(middle["client"]["event_callbacks"], "root/1/burst.", "change"),
            only(middle["server"]["event_streams"], "fwd/1/burst.change"),
            only(ask(subscriber)["client"]["event_callbacks"], "fwd/1/burst.", "change"),
        )

    def arrived():
        root.proxy().PushBurst(1)
        return steps()[3]["event_count"] > 0

    def settled():
        pushed, taken, forwarded, received = steps()
        return (
            taken["server_counter"] == pushed["pushed_event_count"]
            and received["server_counter"] == forwarded["pushed_event_count"]
        )

    wait_for(arrived, 30, "the first event", 0.3)
    wait_for(settled, 30, "what was pushed to arrive")
    before = steps()
    root.proxy().PushBurst(MANY)
    wait_for(settled, 30, "the events to arrive")
    wait_for(lambda: steps()[3]["event_count"] - before[3]["event_count"] == MANY, what="all steps")
    now = steps()
    counts = [
        each.get("pushed_event_count", each.get("event_count"))
        - earlier.get("pushed_event_count", earlier.get("event_count"))
        for each, earlier in zip(now, before)
    ]
    assert counts == [MANY] * 4
    assert now[3]["channel_name"].endswith("dserver/forwarder/test")
    assert now[1]["channel_name"].endswith("dserver/publisher/root")
    assert now[1]["lost_event_count"] == now[3]["lost_event_count"] == 0
