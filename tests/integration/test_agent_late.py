"""An agent that is loaded into a server under way, switched off, and on again: from then on it counts
as if it had been there, and what it can't know it doesn't say."""

import json
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
import tango
from agent_answers import (
    BUILT_IN_COMMANDS,
    COMMANDS,
    after_restart,
    ask,
    only,
    overflow,
    pub,
    settle,
    stream,
    sub,
    topic,
)
from late_agents import addresses, attach, commands, has_commands, identity, request
from elf_files import libtango_path
from tango_servers import LAUNCHER, wait_for

OURS = set(COMMANDS) - BUILT_IN_COMMANDS


def join_unwatched(publisher, subscriber, attr="burst"):
    """Subscribe, and push until events arrive, with no agent to ask; leaves nothing under way."""
    sub(subscriber).Subscribe([publisher.attribute(attr), "change"])
    before = sub(subscriber).received

    def arrived():
        pub(publisher).PushBurst(1)
        return sub(subscriber).received > before

    wait_for(arrived, 30, "the first event", 0.5)
    push_unwatched(publisher, subscriber, 10)


# ZeroMQ's queue takes 1000, of which half may be taken already without its knowing.
AT_ONCE = 400


def push_unwatched(publisher, subscriber, count):
    def seen():
        return any(
            details["last_value"] == newest
            for details in json.loads(sub(subscriber).details).values()
        )

    for left in range(count, 0, -AT_ONCE):
        pub(publisher).PushBurst(min(left, AT_ONCE))
        newest = pub(publisher).pushed
        wait_for(seen, 60, f"event {newest}")


@pytest.fixture
def pair(servers, database):
    publisher = servers.publisher(database=database)
    subscriber = servers.subscriber(database=database)
    join_unwatched(publisher, subscriber)
    return publisher, subscriber


def test_it_counts_from_then_on(pair):
    publisher, subscriber = pair
    attach(publisher, subscriber)
    assert ask(publisher)["agent"]["loaded"] == "late"
    pub(publisher).PushBurst(100)
    wait_for(lambda: ask(subscriber)["client"], 20, "the consumer thread")
    settle(publisher, subscriber)
    # The counter tells what was pushed before, since the first subscription.
    assert stream(publisher)["pushed_event_count"] == topic(subscriber)["server_counter"] > 100
    assert stream(publisher)["has_subscribers"] is None
    here = topic(subscriber)
    assert here["event_count"] == 100
    assert here["lost_event_count"] == here["missed_event_count"] == 0
    assert here["callback_count"] is None and here["channel_name"] is None
    assert ask(subscriber)["client"]["not_connected"] is None

    # Another subscription is counted from its beginning; that from before goes on.
    sub(subscriber).Subscribe([publisher.attribute("attr"), "change"])
    wait_for(lambda: topic(subscriber, "attr")["event_count"] > 0, 20, "events of it")
    assert topic(subscriber, "attr")["callback_count"] == 1
    assert topic(subscriber, "burst") == here

    # So is one whose first event since then comes after that.
    channels = ask(subscriber)["client"]["event_channels"]
    wait_for(lambda: ask(subscriber)["client"]["event_channels"], 25, "a heartbeat", 0.5)
    channel = only(ask(subscriber)["client"]["event_channels"], "publisher")
    assert channels or channel["endpoint"] is None
    assert channel["missed_heartbeat_count"] == 0


def test_a_topic_from_before_is_added_also_after_a_new_subscription(pair):
    publisher, subscriber = pair
    attach(subscriber)
    sub(subscriber).Subscribe([publisher.attribute("attr"), "change"])
    wait_for(lambda: topic(subscriber, "attr")["event_count"] > 0, 20, "events of it")
    pub(publisher).PushBurst(5)
    newest = pub(publisher).pushed
    wait_for(lambda: topic(subscriber, "burst")["event_count"] == 5, 20, f"event {newest}")
    assert topic(subscriber, "burst")["callback_count"] is None
    assert topic(subscriber, "attr")["callback_count"] == 1
    # Unsubscribed, it goes.
    sub(subscriber).Unsubscribe([publisher.attribute("burst"), "change"])
    assert not [name for name in ask(subscriber)["client"]["event_callbacks"] if "burst" in name]


def test_losses_are_exact_from_then_on(pair):
    publisher, subscriber = pair
    attach(publisher, subscriber)
    pub(publisher).PushBurst(1)
    wait_for(lambda: ask(subscriber)["client"], 20, "the consumer thread")
    settle(publisher, subscriber)
    before = stream(publisher)["pushed_event_count"]
    after = overflow(publisher, subscriber, 50_000)
    here = topic(subscriber)
    assert here["event_count"] - 1 + here["lost_event_count"] == after - before
    assert here["lost_event_count"] > 0 and here["outage_lost_event_count"] == 0


def test_a_restart_of_the_publisher_is_seen(pair):
    publisher, subscriber = pair
    attach(publisher, subscriber)
    pub(publisher).PushBurst(3)
    wait_for(lambda: ask(subscriber)["client"], 20, "the consumer thread")
    settle(publisher, subscriber)
    before = topic(subscriber)
    publisher.restart()
    wait_for(lambda: topic(subscriber)["last_resubscribed"], 90, "the reconnection", 0.5)
    attach(publisher)
    after_restart(publisher, subscriber, before)
    assert topic(subscriber)["channel_name"] is not None


def test_a_stream_without_counters_is_listed_with_what_is_known(servers):
    publisher = servers.publisher()
    subscriber = servers.subscriber()
    join_unwatched(publisher, subscriber)
    attach(publisher)
    push_unwatched(publisher, subscriber, 20)
    here = stream(publisher)
    if tango.constants.TgLibVers.startswith("9."):
        assert here["pushed_event_count"] is None
        assert here["known_pushed_event_count"] == 20
        assert ask(publisher)["server"]["event_counters"] == {}
    else:
        assert here["pushed_event_count"] == here["known_pushed_event_count"] > 20


def test_it_can_be_switched_off_and_on_again(pair):
    publisher, subscriber = pair
    attach(publisher, subscriber)
    pub(publisher).PushBurst(10)
    wait_for(lambda: ask(subscriber)["client"], 20, "the consumer thread")
    settle(publisher, subscriber)
    first = identity(subscriber.pid)
    assert (first["state"], first["loaded"]) == ("watching", "late")
    for server in pair:
        request(server.pid, "Detach")
        assert not OURS & commands(server)
        assert identity(server.pid)["state"] == "detached"
        with pytest.raises(RuntimeError, match="detached"):
            request(server.pid, "QueryEventAgent")
        request(server.pid, "Detach")  # again changes nothing
    push_unwatched(publisher, subscriber, 1000)
    for server in pair:
        request(server.pid, "Attach")
        assert OURS <= commands(server)
        assert identity(server.pid)["state"] == "watching"
    assert identity(subscriber.pid)["attached"] > first["attached"]
    pub(publisher).PushBurst(10)
    wait_for(lambda: ask(subscriber)["client"], 20, "the consumer thread")
    settle(publisher, subscriber)
    here = topic(subscriber)
    assert here["event_count"] == 10
    assert here["lost_event_count"] == here["missed_event_count"] == 0
    there = stream(publisher)
    assert there["pushed_event_count"] == here["server_counter"] > 1000
    # Of the ten, neither of those from before nor of those that weren't watched.
    assert there["byte_count"] == here["byte_count"] > 0


def test_a_preloaded_agent_can_be_switched_off_and_on_again(servers, database):
    both = servers.both(agent=True, database=database)
    assert ask(both)["agent"]["loaded"] == "at start"
    request(both.pid, "Detach")
    assert not OURS & commands(both)
    request(both.pid, "Attach")
    assert OURS <= commands(both)
    assert ask(both)["agent"]["loaded"] == "late"
    assert len(addresses(both.pid)) == 1


@pytest.mark.parametrize("again", ["Detach", "Identify", "QueryEventAgent"])
def test_commands_of_a_busy_admin_device_are_removed_later(servers, again):
    """Tango waits for 3.2 s for the device, and gives up."""
    publisher = servers.cpp_publisher(agent=True)
    wait_for(lambda: addresses(publisher.pid), 30, "its socket")
    pub(publisher).HoldAdminDevice(6)
    request(publisher.pid, "Detach")
    assert OURS <= commands(publisher)
    time.sleep(4)
    if again == "QueryEventAgent":
        with pytest.raises(RuntimeError, match="detached"):
            request(publisher.pid, again)
    else:
        request(publisher.pid, again)
    if again == "Identify":
        publisher.admin_proxy().State()
    assert not OURS & commands(publisher)
    request(publisher.pid, "Attach")
    assert OURS <= commands(publisher)


class Clients:
    """Threads that use an admin device as fast as they can."""

    def __init__(self, server, count=8):
        self.server = server
        self.ending = threading.Event()
        self.errors = []
        self.calls = 0
        self.threads = [threading.Thread(target=self.run, args=(i,)) for i in range(count)]

    def run(self, number):
        proxy = self.server.admin_proxy()
        uses = [
            proxy.command_list_query,
            lambda: proxy.get_command_config("State"),
            proxy.get_command_list,
            proxy.state,
        ]
        while not self.ending.is_set():
            try:
                uses[number % len(uses)]()
                self.calls += 1
            except tango.DevFailed as error:
                self.errors.append(str(error))

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.ending.set()
        for thread in self.threads:
            thread.join()


def asyncio_publisher(servers):
    """In its serialization model, NO_SYNC, Tango takes no monitor for a change of the commands."""
    env = {"GREEN_MODE": "Asyncio"}
    return servers.python("green.py", {"GreenPublisher": ["late/green/1"]}, "late", env=env)


@pytest.mark.parametrize("kind", ["publisher", "cpp_publisher", "asyncio"])
def test_commands_come_and_go_while_clients_read_them(servers, kind, request_count=60):
    server = asyncio_publisher(servers) if kind == "asyncio" else getattr(servers, kind)()
    attach(server)
    with Clients(server) as clients:
        for _ in range(request_count):
            request(server.pid, "Detach")
            request(server.pid, "Attach")
    assert not clients.errors
    assert clients.calls > request_count
    server.check_alive()
    assert has_commands(server)


def test_a_process_may_exit_at_any_moment(servers):
    for number in range(12):
        server = servers.cpp_publisher(instance=f"exit{number}")
        attaching = subprocess.Popen(
            [LAUNCHER, "attach", str(server.pid)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        time.sleep(0.002 * number)
        server.terminate()
        status = server.stop()
        attaching.wait(30)
        assert status in (0, -15), (number, status, server.output())


TWO_COPIES = """
import ctypes, sys, threading, time
ctypes.CDLL(sys.argv[1])
load = [threading.Thread(target=ctypes.CDLL, args=(path,)) for path in sys.argv[2:]]
for thread in load:
    thread.start()
for thread in load:
    thread.join()
print("loaded", flush=True)
sys.stdin.read()
"""


def test_of_two_copies_the_second_does_nothing(agent_lib, tmp_path):
    """As two attachers at the same moment may load them."""
    magic = b"SKA-TANGO-EVENT-AGENT-OPTIONS-1\0"
    late = agent_lib.read_bytes().replace(magic + b"\0", magic + b"\1", 1)
    copies = [tmp_path / f"{number}.so" for number in range(2)]
    for copy in copies:
        copy.write_bytes(late)
    with subprocess.Popen(
        [sys.executable, "-c", TWO_COPIES, libtango_path()[0], *map(str, copies)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout.readline() == "loaded\n"
        wait_for(lambda: addresses(process.pid), 20, "the first one's socket")
        time.sleep(0.5)
        assert len(addresses(process.pid)) == 1
        threads = Path(f"/proc/{process.pid}/task").glob("*/comm")
        assert [name.read_text() for name in threads].count("event-agent\n") == 1
        process.stdin.close()
        assert process.wait(10) == 0
