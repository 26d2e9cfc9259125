"""Publishers and subscribers of different Tango generations, as on a site that is migrating: compares the
answers of the agents at both ends, and of the built-in command, with what the test knows."""

import json
import subprocess

import pytest

from conftest import GENERATIONS
from findings import describe, findings_of
from tango_servers import PYTHON, clean_environment, wait_for

PUSHED = 200
NEW_CLIENT = """
import sys, tango
subscription = [sys.argv[2], "burst", "subscribe", "change", "5"]
tango.DeviceProxy(sys.argv[1]).ZmqEventSubscriptionChange(subscription)
"""


def only(mapping, part):
    """The one value whose key holds ``part``."""
    found = [value for key, value in mapping.items() if part in key]
    assert len(found) == 1, f"{part} in {list(mapping)}"
    return found[0]


class Pair:
    """A publisher's device and a subscriber that has subscribed to its ``burst``."""

    def __init__(self, publisher, subscriber, device, marker):
        self.publisher = publisher
        self.subscriber = subscriber
        self.device = device
        self.source = publisher.proxy(device)
        self.sink = subscriber.proxy()
        self.burst = publisher.attribute("burst", device)
        self.marker = publisher.attribute("burst", marker)
        self.marker_source = publisher.proxy(marker)
        self.sink.Subscribe([self.burst, "change", self.marker, "change"])
        self.settle()

    def callbacks(self, name=None):
        """What the callback of ``burst``, or of another attribute, has seen."""
        return json.loads(self.sink.details)[f"{name or self.burst} change"]

    def settle(self):
        """Wait until the subscriber has all that was pushed so far, also what it discarded: the events
        of a publisher arrive in the order in which they were pushed, and the marker after them."""
        before = self.marker_source.pushed

        def marker_came():
            # Repeatedly: the first ones may be pushed before the connection is made, and of a stream whose
            # events all have the counter 0, newer subscribers discard every other one.
            self.marker_source.PushBurst(1)
            return self.callbacks(self.marker)["last_value"] > before

        wait_for(marker_came, 30, "the marker")

    def push(self, count):
        """Push so slowly that none is lost, and the first one twice: a publisher does that after the
        first subscription of a client, of whichever device, so it takes a client that is new."""
        subprocess.run(
            [PYTHON, "-c", NEW_CLIENT, self.publisher.admin, self.device],
            env=clean_environment(),
            timeout=60,
            check=True,
        )
        self.source.PushPaced([count, 1000])
        wait_for(lambda: not self.source.pushing, what="the last event to be pushed")
        assert self.source.push_error == ""
        self.settle()

    def stream(self):
        """What the publisher's agent says."""
        answer = json.loads(self.publisher.admin_proxy().QueryEventAgent())
        return only(answer["server"]["event_streams"], f"{self.device}/burst")

    def topic(self, command="QueryEventAgent"):
        """What the subscriber's agent says, or what is built into its Tango."""
        answer = json.loads(self.subscriber.admin_proxy().command_inout(command))
        return only(answer["client"]["event_callbacks"], f"{self.device}/burst")


@pytest.mark.parametrize("with_database", [True, False], ids=["database", "no-database"])
@pytest.mark.parametrize("subscribing", GENERATIONS, ids="to-{}".format)
@pytest.mark.parametrize("publishing", GENERATIONS, ids="from-{}".format)
def test_generations(publisher, subscriber, database, publishing, subscribing, with_database):
    its_database = database if with_database else None
    source = publisher(publishing, its_database)
    devices = source.devices["Publisher"]
    device, marker = devices[GENERATIONS.index(subscribing)], devices[-1]
    pair = Pair(source, subscriber(subscribing, its_database), device, marker)
    pair.push(PUSHED)
    sent = PUSHED + 1
    counted = with_database or publishing != "9.3"
    if counted:
        received = PUSHED
    elif subscribing == "9.3":
        received = sent
    else:
        # All have the counter 0, and cppTango 10.0 and later takes every other event, from the first
        # on, for the duplicate of the one before.
        received = sent // 2

    callbacks = pair.callbacks()
    # One of them was called with the value that subscribing reads.
    assert callbacks["received"] == received + 1
    assert callbacks["errors"] == 0
    assert pair.stream()["pushed_event_count"] == PUSHED
    truth = {
        "server_counter": PUSHED if counted else 0,
        "event_count": received,
        "discarded_event_count": sent - received,
        "missed_event_count": 0,
    }
    if subscribing == "10.3":
        built_in = pair.topic("QueryEventSystem")
        assert {key: built_in[key] for key in truth} == truth
    truth["lost_event_count"] = 0 if counted else None
    topic = pair.topic()
    assert {key: topic[key] for key in truth} == truth


@pytest.mark.parametrize("subscribing", GENERATIONS, ids="to-{}".format)
def test_what_is_found_of_events_without_a_number(publisher, subscriber, subscribing):
    """Of a publisher of 9.3 without a database: newer subscribers discard every second one."""
    source = publisher("9.3", None)
    devices = source.devices["Publisher"]
    device = devices[GENERATIONS.index(subscribing)]
    pair = Pair(source, subscriber(subscribing, None), device, devices[-1])
    pair.source.PushPaced([2000, 200])
    found = findings_of("-n", 5, "--poll-period", 0.7, source.name(device), pair.subscriber.name())
    wait_for(lambda: not pair.source.pushing, what="the last event to be pushed")
    rules = {finding["rule"]: finding for finding in found if finding["group"] == "loss"}
    assert "no-counter" in rules, describe(found)
    assert ("duplicates" in rules) == (subscribing != "9.3"), describe(found)
    if "duplicates" in rules:
        duplicates = rules["duplicates"]
        assert duplicates["severity"] == "fault"
        assert "discards every second event" in duplicates["text"]
        assert duplicates["events"] >= 30
        assert abs(duplicates["of_events"] - 2 * duplicates["events"]) <= 4
