"""Two processes under random load, and every counter compared with a truth that is independent of the agent.

The publisher's attributes count up with each push, so the values that the subscriber's callbacks saw
show which events were delivered and which are missing. Random: what is pushed and how fast, who
subscribes to what and when, how slow the callbacks are, who is killed, and which connections break.

    SOAK_SEED      repeats a run's decisions (printed by make soak, and by every run that fails)
    SOAK_SECONDS   how long, at least (default: 45)
    SOAK_EVENTS    how many events, at least (default: 0)
"""

import json
import os
import random
import time

import pytest
from tango_servers import wait_for

DEVICES = ["test/soak/1", "test/soak/2", "test/soak/3"]
SECONDS = float(os.environ.get("SOAK_SECONDS", "45"))
EVENTS = int(os.environ.get("SOAK_EVENTS", "0"))
# A failed channel is reconnected after some heartbeats, which are due every 10 s.
RECONNECTION_S = 120


def only(items, what):
    items = list(items)
    assert len(items) == 1, f"{what}: {items}"
    return items[0]


class Soak:
    def __init__(self, servers, database, seed):
        self.random = random.Random(seed)
        self.seed = seed
        self.servers, self.database = servers, database
        self.log = []
        self.publisher = servers.cpp_publisher(
            *DEVICES, instance="soak", agent=True, database=database
        )
        self.subscriber = servers.cpp_subscriber(
            "test/soak/sub", instance="soak", agent=True, database=database
        )
        self.total_pushed = 0
        # Of the publisher's present process: what each device had pushed when it was first subscribed to.
        self.base = {}
        # Of the subscriber's present process: {number of a callback: device}, in their order.
        self.callbacks = {}
        # Of each subscribed topic: restarts of its publisher, and what was lost in outages.
        self.restarts = {}
        self.outages = {}
        # Topics whose first callback is gone: their counts are older than what those left have seen.
        self.orphaned = set()

    # ---- what the two sides say ----

    def ask(self, server):
        return json.loads(server.admin_proxy().QueryEventAgent())

    def stream(self, device, answer=None):
        streams = (answer or self.ask(self.publisher))["server"]["event_streams"]
        return only((v for k, v in streams.items() if f"/{device}/burst.change" in k), device)

    def topic(self, device, answer=None):
        topics = (answer or self.ask(self.subscriber))["client"]["event_callbacks"]
        return only((v for k, v in topics.items() if f"/{device}/burst." in k), device)

    def pushed(self, device):
        return self.publisher.proxy(device).pushed

    def truth(self):
        """{device: [what each callback saw of events, oldest first]}."""
        if not self.callbacks:
            return {}
        answer = self.ask(self.subscriber)
        consumer = str(answer["client"]["consumer_thread"]["thread_id"])
        nothing = dict.fromkeys(
            ("values", "missed", "errors", "first", "last", "gaps", "backwards"), 0
        )
        seen = json.loads(self.subscriber.proxy().Truth())
        found = {}
        for number in sorted(seen, key=int):
            device = self.callbacks[int(number)]
            found.setdefault(device, []).append(seen[number]["threads"].get(consumer, nothing))
        return found

    # ---- what is done ----

    def push(self, device, count, per_second=0):
        proxy = self.publisher.proxy(device)
        if per_second:
            self.wait_pushed(device)
            proxy.PushPaced([count, per_second])
        else:
            proxy.PushBurst(count)
        self.total_pushed += count

    def wait_pushed(self, *devices):
        for device in devices or DEVICES:
            wait_for(lambda: not self.publisher.proxy(device).pushing, 120, "the pushing to end")

    def subscribed(self):
        return sorted(set(self.callbacks.values()))

    def subscribe(self, device):
        new = device not in self.callbacks.values()
        if device not in self.base:
            self.base[device] = self.pushed(device)
        number = self.subscriber.proxy().Subscribe(self.publisher.attribute("burst", device))
        self.callbacks[number] = device
        if new:
            self.restarts[device] = 0
            self.outages[device] = 0

    def unsubscribe(self, number):
        self.subscriber.proxy().Unsubscribe(number)
        del self.callbacks[number]

    def settle(self):
        """All that is under way has arrived: events that were pushed last have been seen."""
        self.wait_pushed()
        for device in self.subscribed():

            def arrived():
                # The queues may be full still, or the connection just being made: once more.
                self.push(device, 1)
                newest = self.pushed(device)

                def seen():
                    return all(each["last"] == newest for each in self.truth()[device])

                try:
                    return wait_for(seen, 0.5, "a marker") or True
                except AssertionError:
                    return False

            wait_for(arrived, 120, f"an event of {device}")

    def reconnected(self, before):
        """Tango has reconnected all channels. before: last_resubscribed of each topic."""

        def anew():
            answer = self.ask(self.subscriber)
            return all(
                self.topic(device, answer)["last_resubscribed"] != before[device]
                for device in self.subscribed()
            )

        wait_for(anew, RECONNECTION_S, "the channel to be made anew", 0.2)

    def resubscribed(self):
        answer = self.ask(self.subscriber)
        return {d: self.topic(d, answer)["last_resubscribed"] for d in self.subscribed()}

    def restart_publisher(self):
        before = self.resubscribed()
        self.random.choice([self.publisher.kill, self.publisher.stop])()
        self.publisher.start()
        self.base = {device: 0 for device in self.subscribed()}
        self.reconnected(before)
        for device in self.subscribed():
            self.restarts[device] += 1

    def restart_subscriber(self):
        self.random.choice([self.subscriber.kill, self.subscriber.stop])()
        self.subscriber.start()
        self.callbacks = {}

    def break_connections(self):
        # So that nothing overflows meanwhile: everything missing then was lost in the outage.
        self.subscriber.proxy().SetCallbackDelay(0)
        self.settle()
        channels = self.ask(self.subscriber)["client"]["event_channels"]
        channel = only((c for name, c in channels.items() if "cpp_publisher/soak" in name), "channel")
        ports = [int(channel[key].rpartition(":")[2]) for key in ("endpoint", "event_endpoint")]
        before = self.resubscribed()
        at = {device: self.truth()[device][0]["gaps"] for device in self.subscribed()}
        assert self.subscriber.proxy().BreakConnections(ports) >= 2
        gone = self.random.randrange(1, 300)
        for device in self.subscribed():
            self.push(device, gone)
        self.reconnected(before)
        self.settle()
        for device in self.subscribed():
            lost = self.truth()[device][0]["gaps"] - at[device]
            assert lost >= gone
            self.outages[device] += lost

    # ---- the comparison ----

    def compare(self):
        pushing, receiving = self.ask(self.publisher), self.ask(self.subscriber)
        truth = self.truth()
        for device, base in self.base.items():
            stream = self.stream(device, pushing)
            assert stream["pushed_event_count"] == self.pushed(device) - base, device
        if not self.callbacks:
            assert receiving["client"] is None or receiving["client"]["event_callbacks"] == {}
            return
        client = receiving["client"]
        assert len(client["event_callbacks"]) == len(self.subscribed())
        assert client["not_connected"] == []
        for device in self.subscribed():
            topic, seen = self.topic(device, receiving), truth[device]
            oldest = max(seen, key=lambda each: each["values"])
            what = f"{device}: {topic} {seen}"
            assert topic["callback_count"] == len(seen), what
            assert all(each["errors"] == 0 for each in seen), what
            if seen[0] is oldest and device not in self.orphaned:
                assert topic["event_count"] == oldest["values"], what
                assert topic["missed_event_count"] == oldest["missed"], what
                assert topic["publisher_restart_count"] == self.restarts[device], what
                if self.restarts[device] == 0:
                    assert topic["lost_event_count"] == oldest["gaps"], what
                    assert topic["outage_lost_event_count"] == self.outages[device], what
                else:
                    # A new process's counter begins with its first subscription, not its first push.
                    assert topic["lost_event_count"] >= oldest["gaps"], what
            assert topic["event_count"] >= oldest["values"], what
            stream = self.stream(device, pushing)
            assert topic["server_counter"] == stream["pushed_event_count"], what
            # All of these events are of one size.
            if stream["pushed_event_count"] and topic["event_count"]:
                size = topic["byte_count"] / topic["event_count"]
                assert size == stream["byte_count"] / stream["pushed_event_count"], what

    # ---- the run ----

    def step(self, slow):
        """One random operation; returns what it was. slow: those that take 10 s are allowed."""
        pick = self.random.random()
        devices = self.subscribed()
        if not devices or pick < 0.12:
            device = self.random.choice(DEVICES)
            self.subscribe(device)
            return f"subscribe {device}"
        if pick < 0.20 and len(self.callbacks) > 1:
            number = self.random.choice(list(self.callbacks))
            device = self.callbacks[number]
            self.unsubscribe(number)
            if device in self.callbacks.values():
                self.orphaned.add(device)
            else:
                self.orphaned.discard(device)
            return f"unsubscribe {number}"
        if pick < 0.28:
            micros = self.random.choice([0, 0, 50, 500])
            self.subscriber.proxy().SetCallbackDelay(micros)
            return f"delay {micros} us"
        if pick < 0.32:
            self.restart_subscriber()
            self.orphaned.clear()
            return "restart subscriber"
        if slow and pick < 0.36:
            self.restart_publisher()
            return "restart publisher"
        if slow and pick < 0.40:
            self.break_connections()
            return "break connections"
        device = self.random.choice(devices)
        if pick < 0.70:
            count = self.random.choice([1, 10, 900, 5000, 30_000, 100_000 if EVENTS else 10_000])
            self.push(device, count)
            return f"burst of {count} at {device}"
        count, rate = self.random.randrange(1, 3000), self.random.choice([500, 3000, 20_000])
        self.push(device, count, rate)
        return f"{count} at {rate}/s at {device}"

    def run(self):
        begun = time.monotonic()
        slow_steps = 0
        while time.monotonic() - begun < SECONDS or self.total_pushed < EVENTS:
            # What takes long has a quarter of the time.
            elapsed = time.monotonic() - begun
            slow = slow_steps * 20 <= elapsed / 2
            for _ in range(self.random.randrange(1, 5)):
                before = time.monotonic()
                did = self.step(slow)
                if did in ("restart publisher", "break connections"):
                    slow_steps += 1
                    slow = False
                self.log.append(f"{did} ({time.monotonic() - before:.1f} s)")
            self.settle()
            self.compare()
            self.log.append("all agrees")


@pytest.mark.long
def test_soak(servers, agent_lib, database):
    seed = int(os.environ.get("SOAK_SEED", random.SystemRandom().randrange(1_000_000)))
    print(f"\nsoak: SOAK_SEED={seed}", flush=True)
    soak = Soak(servers, database, seed)
    begun = time.monotonic()
    try:
        soak.run()
    except BaseException:
        print("\n".join(soak.log[-60:]))
        for server in (soak.publisher, soak.subscriber):
            if server.running:
                print(json.dumps(soak.ask(server), indent=1))
        raise
    agreed = soak.log.count("all agrees")
    print(
        f"soak: {soak.total_pushed} events, {len(soak.log) - agreed} operations, all counters"
        f" compared {agreed} times, {time.monotonic() - begun:.0f} s"
    )
