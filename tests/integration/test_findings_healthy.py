"""A system in which all is well: the monitor finds nothing in it, not even something to remark.

Twenty servers on a real database: publishers, subscribers, both in one, of C++ and of Python; polled
attributes and such that code pushes, every type of event, bursts that the queues hold. They start,
subscribe, unsubscribe, end and start again, each in its turn and in an orderly way: who ends has no
subscribers then. Every fourth has its agent attached after it was started.

    HEALTHY_SECONDS     how long (default: 40; make soak: 600)
    HEALTHY_SEED        repeats a run's decisions
"""

import os
import random
import sys
import time

import pytest
from findings import Watch, describe, findings_of
from tango_servers import CPP_PUBLISHER, CPP_SUBSCRIBER, PYTHON, SERVERS, TANGO_TEST, Server, need, run_monitor, start_monitor
from test_findings_late import attach

sys.path.insert(0, str(SERVERS))
from event_types import HAS_PIPES, VALUES  # noqa: E402

SECONDS = float(os.environ.get("HEALTHY_SECONDS", "40"))
SEED = int(os.environ.get("HEALTHY_SEED", str(random.SystemRandom().randrange(1 << 30))))
# Far below the 1000 that a queue holds: how fast a subscriber reads depends on the machine.
BURST = 300
# Of the members, one in so many has its agent attached while it runs.
LATE = 4
# Until it is, the monitor calls it a server without the agent; on a busy machine that takes a while.
PATIENCE = ["--threshold", "no-answer=60"]
# For a server that is ended for a while.
REST_S = 15


class Subscription:
    """Of a subscriber, to one type of event of an attribute."""

    def __init__(self, subscriber, publisher, attribute, event_type):
        self.subscriber, self.publisher = subscriber, publisher
        self.attribute, self.event_type = attribute, event_type
        self.identifier = None

    def _name(self):
        return self.publisher.server.attribute(self.attribute)

    def begin(self):
        proxy = self.subscriber.subscribing()
        if self.subscriber.is_cpp:
            self.identifier = proxy.Subscribe(self._name())
        else:
            proxy.Subscribe([self._name(), self.event_type])

    def end(self):
        proxy = self.subscriber.subscribing()
        if self.subscriber.is_cpp:
            proxy.Unsubscribe(self.identifier)
        else:
            proxy.Unsubscribe([self._name(), self.event_type])


class Member:
    """A server of the system, and what it does."""

    def __init__(self, server, publishes=(), pusher=None, subscriber=None):
        """``publishes``: [(attribute, event type)], the first one pushed by code."""
        self.server = server
        self.publishes = list(publishes)
        self.pusher = pusher  # pushes a number of events, given the attribute and type
        self.subscriber = subscriber  # its device that subscribes
        self.is_cpp = server.server_name.startswith("cpp")
        self.subscriptions = []
        self.asleep_until = None

    def subscribing(self):
        return self.server.proxy(self.subscriber)

    def load_agent(self):
        """Attach the agent, if it wasn't there from the start."""
        if not self.server.agent:
            attach(self.server)

    @property
    def up(self):
        return self.asleep_until is None


def push_burst(member, _stream, count):
    member.server.proxy().PushBurst(count)


def push_typed(member, stream, count):
    attribute, event_type = stream
    member.server.proxy().Push([event_type, attribute, str(count)])


TYPED = [("double_scalar", "change")]
TYPED += [(name, "change") for name in VALUES if name.endswith(("spectrum", "encoded_scalar"))]
TYPED += [("long_scalar", kind) for kind in ("archive", "user_event", "data_ready", "attr_conf")]
if HAS_PIPES:
    TYPED.append(("a_pipe", "pipe"))
POLLED = [("polled", kind) for kind in ("change", "archive", "periodic")]


class System:
    def __init__(self, pool, database):
        self.pool, self.database = pool, database
        self.random = random.Random(SEED)
        self.counts = {}
        self.members = []
        for number in range(4):
            self.add([need(CPP_PUBLISHER)], number, {"CppPublisher": [f"healthy/cpp/{number}"]},
                     publishes=[("burst", "change")], pusher=push_burst)
        for number in range(3):
            self.add_python("publisher.py", number, {"Publisher": [f"healthy/pub/{number}"]},
                            publishes=[("burst", "change"), ("attr", "change")], pusher=push_burst)
        for number in range(2):
            self.add_python("event_types.py", number, {"EventTypes": [f"healthy/types/{number}"]},
                            publishes=TYPED + POLLED, pusher=push_typed)
        self.add([TANGO_TEST], 0, {"TangoTest": ["healthy/tangotest/0"]},
                 publishes=[("double_scalar", "attr_conf"), ("long_scalar", "attr_conf")])
        for number in range(2):
            devices = {"Publisher": [f"healthy/both/{number}"], "Subscriber": [f"healthy/bothsub/{number}"]}
            self.add_python("both.py", number, devices, publishes=[("burst", "change"), ("attr", "change")],
                            pusher=push_burst, subscriber=f"healthy/bothsub/{number}")
        for number in range(4):
            device = f"healthy/sub/{number}"
            self.add_python("subscriber.py", number, {"Subscriber": [device]}, subscriber=device)
        for number in range(4):
            device = f"healthy/cppsub/{number}"
            self.add([need(CPP_SUBSCRIBER)], number, {"CppSubscriber": [device]}, subscriber=device)
        for some in range(0, len(self.members), 5):
            for member in self.members[some : some + 5]:
                member.server.launch()
            for member in self.members[some : some + 5]:
                member.server.wait_until_ready()
                member.load_agent()
        # Callbacks that do something, far from what would be too much.
        for member in self.members:
            if member.subscriber:
                member.subscribing().SetCallbackDelay(2000 if member.is_cpp else 0.002)

    def add_python(self, script, number, devices, **what):
        self.add([PYTHON, SERVERS / script], number, devices, **what)

    def add(self, argv, number, devices, **what):
        instance = f"healthy-{number}"
        late = (len(self.members) + 1) % LATE == 0
        log = self.pool.folder / f"healthy-{len(self.members)}.log"
        server = Server(argv, instance, devices, log, database=self.database, agent=not late)
        self.pool.servers.append(server)
        self.database.register(server.server_name, devices)
        self.members.append(Member(server, **what))

    # What happens -------------------------------------------------------------------------------

    def some(self, condition):
        fitting = [member for member in self.members if condition(member)]
        return self.random.choice(fitting) if fitting else None

    def subscribe(self):
        subscriber = self.some(lambda m: m.up and m.subscriber and len(m.subscriptions) < 12)
        if not subscriber:
            return
        publisher = self.some(
            lambda m: m.up and m.publishes and (not subscriber.is_cpp or ("burst", "change") in m.publishes)
        )
        # Not a polled one first: see tango_servers.py.
        first = not any(s.publisher is publisher for s in self.subscriptions())
        stream = publisher.publishes[0] if first or subscriber.is_cpp else self.random.choice(publisher.publishes)
        if any(s.publisher is publisher and (s.attribute, s.event_type) == stream for s in subscriber.subscriptions):
            return
        subscription = Subscription(subscriber, publisher, *stream)
        subscription.begin()
        subscriber.subscriptions.append(subscription)

    def subscriptions(self):
        return [s for member in self.members for s in member.subscriptions]

    def unsubscribe(self):
        subscriber = self.some(lambda m: len(m.subscriptions) > 2)
        if subscriber:
            self.drop(self.random.choice(subscriber.subscriptions))

    @staticmethod
    def drop(subscription):
        subscription.subscriber.subscriptions.remove(subscription)
        subscription.end()

    def push(self):
        member = self.some(lambda m: m.up and m.pusher)
        stream = self.random.choice([each for each in member.publishes if each not in POLLED])
        member.pusher(member, stream, self.random.randint(1, 20))

    def burst(self):
        member = self.some(lambda m: m.up and m.pusher is push_burst)
        push_burst(member, None, BURST)

    def pace(self):
        member = self.some(lambda m: m.up and m.pusher is push_burst)
        if not member.server.proxy().pushing:
            member.server.proxy().PushPaced([200, 50])

    def retire(self, member):
        """Nobody is subscribed to it any more; it may still be subscribed to others."""
        for subscription in [s for s in self.subscriptions() if s.publisher is member]:
            self.drop(subscription)
        if self.random.random() < 0.5:
            for subscription in list(member.subscriptions):
                self.drop(subscription)
        member.subscriptions.clear()

    def restart(self):
        member = self.some(lambda m: m.up)
        self.retire(member)
        member.server.restart()
        member.load_agent()

    def stop(self):
        if sum(not m.up for m in self.members) < 2:
            member = self.some(lambda m: m.up)
            self.retire(member)
            member.server.stop()
            member.asleep_until = time.monotonic() + REST_S

    def wake(self):
        for member in self.members:
            if not member.up and time.monotonic() > member.asleep_until:
                member.server.start()
                member.load_agent()
                member.asleep_until = None

    def step(self):
        self.wake()
        actions = 8 * [self.subscribe] + 4 * [self.unsubscribe] + 8 * [self.push] + 2 * [self.burst]
        action = self.random.choice(actions + 2 * [self.pace] + [self.restart, self.stop])
        self.counts[action.__name__] = self.counts.get(action.__name__, 0) + 1
        action()


@pytest.mark.long
def test_nothing_is_found_in_a_healthy_system(servers, database, agent_lib, monitor_bin, tmp_path):
    print(f"HEALTHY_SEED={SEED}")
    system = System(servers, database)
    recording = tmp_path / "recording.jsonl.gz"
    names = [member.server.name() for member in system.members]
    watch = Watch(tmp_path, ["--poll-period", "1", *PATIENCE, "-o", str(recording), *names], {})
    # It also switches on performance monitoring, for 15 s. A server that was restarted and is not yet attached to at
    # its end would make it incomplete.
    from_the_start = [member.server.name() for member in system.members if member.server.agent]
    diagnosis = start_monitor("--diagnose", *PATIENCE, *from_the_start)
    try:
        watch.wait_for_polls(1)
        end = time.monotonic() + SECONDS
        while time.monotonic() < end:
            system.step()
            # How fast things happen, not a wait for something.
            time.sleep(system.random.random() * 0.4)
        found = watch.end()
        verdict, errors = diagnosis.communicate(timeout=60)
    finally:
        watch.kill()
        diagnosis.kill()
        diagnosis.communicate()
    print(system.counts, f"{watch.polls} polls")
    assert found == [], describe(found)
    assert diagnosis.returncode == 0 and verdict.startswith("Healthy"), verdict + errors
    # It did watch something.
    totals = watch.totals
    assert len(totals["servers"]) == 20 and watch.polls > SECONDS / 4
    assert totals["lost"] == 0 and sum(s["received"] or 0 for s in totals["subscriptions"]) > 10 * SECONDS
    assert sum(server["restarts"] for server in totals["servers"]) > 0 or SECONDS < 30
    # The same from the recording, and for people.
    assert findings_of("--read", recording, *PATIENCE) == []
    text = run_monitor("--read", recording, *PATIENCE).stdout
    assert not any(line.startswith(("FAULT ", "WARNING ", "remark ", "Found:")) for line in text.splitlines())
