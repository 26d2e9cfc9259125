"""Writes a large recording such as a night makes, without servers: the same bytes for the same arguments.

    bench/night_recording.py FILE MEGABYTES

100 servers, each of which publishes ten streams and subscribes to the ten of the next one, are polled once a minute
with monitoring on, so that the answers contain histograms. Some streams lose events, a publisher restarts now and
then, and a server in a hundred polls doesn't answer.
"""

import datetime
import random
import sys

SERVERS = 100
STREAMS = 10
PERIOD = 60
BEGIN = datetime.datetime(2026, 3, 1, 18, tzinfo=datetime.timezone.utc)

# Bounds of consecutive buckets, an eighth of a power of two each, as the agent has them.
BOUNDS = [int(1024 * 2 ** (place // 8) * (1 + place % 8 / 8)) for place in range(8 * 14)]


def text_of(moment):
    return moment.isoformat(timespec="microseconds")


class Histogram:
    """The buckets of a duration: most events in one of a few, some late ones far from them."""

    def __init__(self, chance, median):
        self.first = median
        self.counts = {}
        self.chance = chance
        self.total = self.sum = self.maximum = 0

    def add(self, events):
        left = events
        shares = [self.first + self.chance.choice((0, 0, 1, 2, 3, 4, 6, 9, 14)) for _ in range(4)]
        for place, bucket in enumerate(shares):
            some = left if place == len(shares) - 1 else left // 2
            left -= some
            if some == 0:
                continue
            self.counts[bucket] = self.counts.get(bucket, 0) + some
            self.sum += some * BOUNDS[bucket]
            self.maximum = max(self.maximum, BOUNDS[bucket] + 17)
        self.total += events

    def text(self):
        if not self.total:
            return "null"
        buckets = ",".join(f"[{BOUNDS[at]},{BOUNDS[at + 1]},{self.counts[at]}]" for at in sorted(self.counts))
        return (
            f'{{"buckets":[{buckets}],"count":{self.total},"sum_nanos":{self.sum},"max_nanos":{self.maximum}}}'
        )


class Stream:
    def __init__(self, chance, server, number):
        self.chance = chance
        self.device = f"tango://database.facility.example:10000/bench/server-{server:03}/1"
        self.name = f"{self.device}/attribute_{number:02}"
        self.channel = f"tango://database.facility.example:10000/dserver/bench/{server:03}"
        self.rate = chance.choice((0, 1, 1, 10, 60, 600, 6000))
        self.loses = number == 0 and server % 10 == 0
        self.restarts = self.lost = self.missed = self.received = 0
        self.pushing = Histogram(chance, 24)
        self.latency = Histogram(chance, 56)
        self.processing = Histogram(chance, 16)
        self.begin()

    def begin(self):
        """The publisher's process begins."""
        self.pushed = 0
        self.last = None

    def poll(self, now):
        events = self.rate and max(0, int(self.chance.gauss(self.rate, self.rate / 10)))
        if not events:
            return
        lost = self.chance.randrange(events) if self.loses and self.chance.random() < 0.05 else 0
        self.pushed += events
        self.received += events - lost
        self.lost += lost
        self.missed += lost > 0
        self.last = text_of(now - datetime.timedelta(microseconds=self.chance.randrange(10**6)))
        self.pushing.add(events)
        self.latency.add(events - lost)
        self.processing.add(events - lost)

    def last_text(self):
        return f'"{self.last}"' if self.last else "null"

    def published(self, subscribed):
        return (
            f'"{self.name}.change":{{"pushed_event_count":{self.pushed},"byte_count":{145 * self.pushed},'
            f'"has_subscribers":true,"last_event":{self.last_text()},"last_subscription":"{subscribed}",'
            f'"push_event_histogram":{self.pushing.text()}}}'
        )

    def subscribed(self, begun):
        resubscribed = f'"{begun}"' if self.restarts else "null"
        return (
            f'"{self.name}.idl5_change":{{"channel_name":"{self.channel}","callback_count":1,'
            f'"server_counter":{self.pushed},"event_count":{self.received},"error_event_count":0,'
            f'"last_error_event":null,"missed_event_count":{self.missed},"discarded_event_count":0,'
            f'"last_resubscribed":{resubscribed},"lost_event_count":{self.lost},'
            f'"known_lost_event_count":{self.lost},"outage_lost_event_count":0,'
            f'"publisher_restart_count":{self.restarts},"byte_count":{145 * self.received},'
            f'"last_event":{self.last_text()},"latency_histogram":{self.latency.text()},'
            f'"processing_histogram":{self.processing.text()}}}'
        )


class Server:
    def __init__(self, chance, number):
        self.number = number
        self.streams = [Stream(chance, number, stream) for stream in range(STREAMS)]
        self.begin(BEGIN)

    def begin(self, now):
        self.begun = text_of(now)
        self.started = now
        for stream in self.streams:
            stream.begin()

    def answer(self, publisher, now):
        counters = ",".join(f'"{stream.name}.change":{stream.pushed}' for stream in self.streams)
        subscribed = text_of(now - datetime.timedelta(seconds=int(now.timestamp()) % 200))
        published = ",".join(stream.published(subscribed) for stream in self.streams)
        received = ",".join(stream.subscribed(publisher.begun) for stream in publisher.streams)
        beats = int((now - publisher.started).total_seconds() / 9)
        return (
            f'{{"version":1,"agent":{{"version":"0.9.0","tango_version":"9.3.4","pid":{4000 + self.number},'
            f'"attached":"{self.begun}","time":"{text_of(now)}","uncounted":0,"unknown_topic_event_count":0}},'
            f'"server":{{"event_counters":{{{counters}}},"event_streams":{{{published}}},"perf":[]}},'
            f'"client":{{"event_callbacks":{{{received}}},"not_connected":[],"event_channels":{{'
            f'"{publisher.streams[0].channel}":{{"endpoint":"tcp://10.0.0.{self.number}:42713",'
            f'"event_endpoint":"tcp://10.0.0.{self.number}:42714","last_heartbeat":"{text_of(now)}",'
            f'"heartbeat_count":{beats},"missed_heartbeat_count":0}}}},"perf":[],'
            f'"consumer_thread":{{"thread_id":{4100 + self.number},"state":"polling","topic":null,'
            f'"since":"{text_of(now)}","state_micros":1250,"longest_callback_micros":412,'
            f'"longest_callback_topic":null,"delayed_since":null,"delayed_micros":null}}}}}}'
        )


def write_night(path, size):
    """Polls until the file has that many bytes; returns how many."""
    chance = random.Random(1)
    servers = [Server(chance, number) for number in range(SERVERS)]
    written = poll = 0
    with open(path, "w", encoding="ascii") as out:
        while written < size:
            now = BEGIN + datetime.timedelta(seconds=PERIOD * poll, microseconds=1000)
            asked = 100000 + PERIOD * poll
            if poll % 100 == 99:
                servers[poll // 100 % SERVERS].begin(now)
                for stream in servers[poll // 100 % SERVERS].streams:
                    stream.restarts += 1
            replies = []
            for server in servers:
                for stream in server.streams:
                    stream.poll(now)
            for server in servers:
                if chance.random() < 0.0001:
                    reply = '{"error":"no answer within 3 s"}'
                else:
                    publisher = servers[(server.number + 1) % SERVERS]
                    reply = f'{{"data":{server.answer(publisher, now)},"answered":{asked}.012345}}'
                replies.append(f'"dserver/bench/{server.number:03}":{reply}')
            line = f'{{"time":"{text_of(now)}","asked":{asked}.001000,"replies":{{{",".join(replies)}}}}}\n'
            written += out.write(line)
            poll += 1
    return written


if __name__ == "__main__":
    write_night(sys.argv[1], int(sys.argv[2]) * 1_000_000)
