"""Subscriptions, callbacks and channels that come, go and come back, in the agent's answers."""

from datetime import datetime, timezone

import pytest
import tango
from agent_answers import BURST, ask, join, only, pub, settle, stream, sub, topic
from tango_servers import wait_for

pytestmark = pytest.mark.sanitizers


def test_subscribe_unsubscribe_and_subscribe_again(servers, agent_lib, database):
    publisher = servers.publisher(agent=True, database=database)
    subscriber = servers.subscriber(agent=True, database=database)
    join(publisher, subscriber)
    pub(publisher).PushBurst(5)
    settle(publisher, subscriber)
    assert topic(subscriber)["event_count"] >= 6

    sub(subscriber).Unsubscribe([])
    client = ask(subscriber)["client"]
    assert client["event_callbacks"] == {} and client["event_channels"] == {}
    # Events pushed meanwhile don't matter.
    pub(publisher).PushBurst(7)

    join(publisher, subscriber)
    pub(publisher).PushBurst(3)
    settle(publisher, subscriber)
    now = topic(subscriber)
    assert 4 <= now["event_count"] < 20
    assert now["lost_event_count"] == 0
    assert now["publisher_restart_count"] == 0
    assert now["last_resubscribed"] is None
    assert pub(publisher).pushed == stream(publisher)["pushed_event_count"]


def test_two_subscriptions_of_one_channel(servers, agent_lib, database):
    publisher = servers.publisher(agent=True, database=database)
    subscriber = servers.subscriber(agent=True, database=database)
    join(publisher, subscriber)
    sub(subscriber).Subscribe([publisher.attribute("attr"), "change"])
    wait_for(lambda: topic(subscriber, "attr")["event_count"] > 2, what="polled events")
    client = ask(subscriber)["client"]
    names = {callback["channel_name"] for callback in client["event_callbacks"].values()}
    assert len(client["event_callbacks"]) == 2
    assert names == set(client["event_channels"]) and len(names) == 1


def test_callbacks_are_counted_as_they_come_and_go(servers, agent_lib, database):
    publisher = servers.publisher(agent=True, database=database)
    first, second = ("test/sub/1", "test/sub/2")
    subscriber = servers.python(
        "subscriber.py", {"Subscriber": [first, second]}, "two", agent=True, database=database
    )
    name = [publisher.attribute(BURST), "change"]
    subscriber.proxy(first).Subscribe(name)
    assert topic(subscriber)["callback_count"] == 1
    subscriber.proxy(second).Subscribe(name)
    assert topic(subscriber)["callback_count"] == 2
    subscriber.proxy(second).Subscribe([publisher.attribute("attr"), "change"])
    assert topic(subscriber)["callback_count"] == 2
    assert topic(subscriber, "attr")["callback_count"] == 1
    subscriber.proxy(first).Unsubscribe([])
    assert topic(subscriber)["callback_count"] == 1
    subscriber.proxy(second).Unsubscribe([])
    assert ask(subscriber)["client"]["event_callbacks"] == {}


def test_a_callback_that_subscribes_while_it_is_subscribed(servers, agent_lib, database):
    publisher = servers.publisher(agent=True, database=database)
    subscriber = servers.subscriber(agent=True, database=database)
    outer = [publisher.attribute(BURST), "change"]  # not the polled one: see tango_servers.py
    inner = [publisher.attribute("attr"), "change"]
    sub(subscriber).SubscribeNested(outer + inner)
    assert topic(subscriber, "attr")["callback_count"] == 1
    assert topic(subscriber, BURST)["callback_count"] == 1


def test_a_reconnected_channel_and_the_next_subscription(servers, agent_lib, database):
    first = servers.publisher("test/pub/1", "first", agent=True, database=database)
    second = servers.publisher("test/pub/2", "second", agent=True, database=database)
    subscriber = servers.subscriber(agent=True, database=database)
    sub(subscriber).Subscribe([first.attribute(BURST), "change"])
    sub(subscriber).Subscribe([second.attribute(BURST), "change"])
    first.restart()

    def reconnected():
        callbacks = ask(subscriber)["client"]["event_callbacks"]
        return only(callbacks, "pub/1/")["last_resubscribed"]

    wait_for(reconnected, 90, "the reconnection", 0.5)
    sub(subscriber).Subscribe([second.attribute("attr"), "change"])
    client = ask(subscriber)["client"]
    channel = only(client["event_callbacks"], "/attr")["channel_name"]
    assert channel.endswith(second.server_name.lower())
    endpoints = [channel["event_endpoint"] for channel in client["event_channels"].values()]
    assert len(set(endpoints)) == 2
    assert only(client["event_callbacks"], "pub/1/")["callback_count"] == 1


def test_devices_of_the_same_name_are_not_confused(servers, agent_lib):
    """Without a database, any two servers may have a device of the same name."""
    first = servers.publisher("test/pub/1", "first", agent=True)
    second = servers.publisher("test/pub/1", "second", agent=True)
    subscriber = servers.subscriber(agent=True)
    for publisher in (first, second):
        sub(subscriber).Subscribe([publisher.attribute(BURST), "change"])
    assert len(ask(subscriber)["client"]["event_callbacks"]) == 2
    sub(subscriber).Unsubscribe([first.attribute(BURST), "change"])
    (left,) = ask(subscriber)["client"]["event_callbacks"]
    assert f":{second.port}/" in left


def test_a_subscription_that_waits_for_its_publisher(servers, agent_lib, database):
    publisher = servers.publisher(agent=True, database=database)
    subscriber = servers.subscriber(agent=True, database=database)
    publisher.kill()
    sub(subscriber).Subscribe([publisher.attribute(BURST), "change:stateless"])
    (waiting,) = ask(subscriber)["client"]["not_connected"]
    assert waiting["device"].lower() == publisher.first_device
    assert (waiting["attribute"], waiting["event_type"]) == (BURST, "change")
    assert datetime.fromisoformat(waiting["last_heartbeat"])

    publisher.start()
    wait_for(lambda: not ask(subscriber)["client"]["not_connected"], 60, "the connection", 0.5)
    assert topic(subscriber)["callback_count"] == 1
    sub(subscriber).Unsubscribe([])
    assert ask(subscriber)["client"]["event_callbacks"] == {}


def test_a_stream_is_known_from_its_first_subscription(servers, agent_lib, database):
    publisher = servers.publisher(agent=True, database=database)
    subscriber = servers.subscriber(agent=False, database=database)
    pub(publisher).PushBurst(5)
    assert ask(publisher)["server"]["event_streams"] == {}
    sub(subscriber).Subscribe([publisher.attribute(BURST), "change"])
    now = stream(publisher)
    assert (now["pushed_event_count"], now["byte_count"], now["last_event"]) == (0, 0, None)
    assert now["has_subscribers"] is True
    subscribed = datetime.fromisoformat(now["last_subscription"])
    assert abs((datetime.now(timezone.utc) - subscribed).total_seconds()) < 60

    # What a client's Tango sends every 200 s to say that it still listens; upper case is the same.
    names = [publisher.first_device.upper(), BURST, "idl5_change"]
    publisher.admin_proxy().EventConfirmSubscription(names)
    assert datetime.fromisoformat(stream(publisher)["last_subscription"]) > subscribed
    with pytest.raises(tango.DevFailed):
        publisher.admin_proxy().EventConfirmSubscription(["no/such/device", BURST, "idl5_change"])

    # A second stream that is pushed to nobody isn't there; the first stays when its client goes.
    sub(subscriber).Unsubscribe([])
    assert list(ask(publisher)["server"]["event_streams"].values()) == [stream(publisher)]


def test_heartbeats_are_seen(servers, agent_lib, database):
    publisher = servers.publisher(agent=True, database=database)
    subscriber = servers.subscriber(agent=True, database=database)
    join(publisher, subscriber)

    def channel():
        return only(ask(subscriber)["client"]["event_channels"], "/")

    wait_for(lambda: channel()["heartbeat_count"] > 0, 30, "a heartbeat")
    assert channel()["missed_heartbeat_count"] == 0
    last = datetime.fromisoformat(channel()["last_heartbeat"])
    assert abs((datetime.now(timezone.utc) - last).total_seconds()) < 15
