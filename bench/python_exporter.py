#!/usr/bin/python3
"""The exporter as one would write it in Python, to compare ska-tango-event-exporter with.

    python_exporter.py --port PORT [--poll-period S] [-m] ADMIN-DEVICE...

Asks all servers at the same time, a thread each, keeps their parsed answers, and makes metrics of them when it
is scraped, with Prometheus' Python client: the same series as ours, but for losses that have to be derived,
findings and limits.
"""

import argparse
import json
import time
from concurrent.futures import ThreadPoolExecutor

import tango
from prometheus_client import start_http_server
from prometheus_client.core import REGISTRY, CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily

BOUNDS = [2.0**power for power in range(10, 38, 2)]  # nanoseconds
STREAM = ["server", "tango_host", "device", "attribute", "event_type"]
RECEIVED = {
    "tango_event_received": "event_count",
    "tango_event_gaps": "missed_event_count",
    "tango_event_discarded": "discarded_event_count",
    "tango_event_received_errors": "error_event_count",
    "tango_event_publisher_restarts": "publisher_restart_count",
    "tango_event_received_bytes": "byte_count",
}


def ask(proxy):
    try:
        return json.loads(proxy.command_inout("QueryEventAgent"))
    except (tango.DevFailed, ValueError):
        return None


def labels_of(server, name):
    host, _, path = name.removeprefix("tango://").partition("/")
    device, _, attribute = path.rpartition("/")
    attribute, _, event_type = attribute.rpartition(".")
    level, _, rest = event_type.partition("_")
    if level.startswith("idl") and rest:
        event_type = rest
    return [server, host, device, attribute, event_type]


def buckets_of(histogram):
    counts = [0] * (len(BOUNDS) + 1)
    place = 0
    for _, below, count in histogram["buckets"]:
        while place < len(BOUNDS) and (below is None or below > BOUNDS[place]):
            place += 1
        counts[place] += count
    total = 0
    buckets = []
    for bound, count in zip([*(bound / 1e9 for bound in BOUNDS), float("inf")], counts):
        total += count
        buckets.append(("+Inf" if bound == float("inf") else repr(bound), total))
    return buckets


class Exporter:
    def __init__(self, names, histograms):
        self.proxies = {name: tango.DeviceProxy(name) for name in names}
        self.pool = ThreadPoolExecutor(len(names))
        self.histograms = histograms
        self.answers = {}
        self.polls = 0
        if histograms:
            list(self.pool.map(lambda proxy: proxy.command_inout("StartEventSystemPerfMon"), self.proxies.values()))

    def poll(self):
        self.answers = dict(zip(self.proxies, self.pool.map(ask, self.proxies.values())))
        self.polls += 1

    def histogram(self, name, label_names, rows):
        family = HistogramMetricFamily(name, name, labels=label_names)
        for labels, histogram in rows:
            if histogram:
                family.add_metric(labels, buckets_of(histogram), histogram["sum_nanos"] / 1e9)
        return family

    def published(self, answers):
        rows = [
            (labels_of(server, name), stream)
            for server, answer in answers.items() for name, stream in answer["server"]["event_streams"].items()
        ]
        for name, key in (("tango_event_pushed", "pushed_event_count"), ("tango_event_pushed_bytes", "byte_count")):
            family = CounterMetricFamily(name, name, labels=STREAM)
            for labels, stream in rows:
                if stream[key] is not None:
                    family.add_metric(labels, stream[key])
            yield family
        if self.histograms:
            yield self.histogram(
                "tango_event_push_seconds", STREAM, [(labels, one["push_event_histogram"]) for labels, one in rows]
            )

    def subscribed(self, answers):
        names = [*STREAM, "publisher"]
        rows = [
            ([*labels_of(server, name), topic["channel_name"] or ""], topic)
            for server, answer in answers.items() if answer["client"]
            for name, topic in answer["client"]["event_callbacks"].items()
        ]
        for name, key in RECEIVED.items():
            family = CounterMetricFamily(name, name, labels=names)
            for labels, topic in rows:
                if topic[key] is not None:
                    family.add_metric(labels, topic[key])
            yield family
        family = CounterMetricFamily("tango_event_lost", "lost", labels=[*names, "cause", "counted_by"])
        for labels, topic in rows:
            if topic["known_lost_event_count"] is not None:
                outage = topic["outage_lost_event_count"]
                family.add_metric([*labels, "overflow", "agent"], topic["known_lost_event_count"] - outage)
                family.add_metric([*labels, "outage", "agent"], outage)
        yield family
        family = GaugeMetricFamily("tango_event_callbacks", "callbacks", labels=names)
        for labels, topic in rows:
            if topic["callback_count"] is not None:
                family.add_metric(labels, topic["callback_count"])
        yield family
        if self.histograms:
            for name, key in (("latency", "latency_histogram"), ("callback", "processing_histogram")):
                yield self.histogram(
                    f"tango_event_{name}_seconds", names, [(labels, topic[key]) for labels, topic in rows]
                )

    def collect(self):
        yield CounterMetricFamily("tango_event_exporter_polls", "polls", self.polls)
        up = GaugeMetricFamily("tango_event_server_up", "up", labels=["server"])
        for server, answer in self.answers.items():
            up.add_metric([server], answer is not None)
        yield up
        answers = {server: answer for server, answer in self.answers.items() if answer}
        yield from self.published(answers)
        yield from self.subscribed(answers)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--poll-period", type=float, default=1.0)
    parser.add_argument("-m", action="store_true", help="start performance monitoring, and expose histograms")
    parser.add_argument("servers", nargs="+")
    arguments = parser.parse_args()
    exporter = Exporter(arguments.servers, arguments.m)
    exporter.poll()
    REGISTRY.register(exporter)
    start_http_server(arguments.port, "127.0.0.1")
    due = time.monotonic()
    while True:
        due += arguments.poll_period
        time.sleep(max(0, due - time.monotonic()))
        exporter.poll()


main()
