#!/usr/bin/python3
"""What the agent costs a publisher: a C++ server pushes bursts of events to one subscriber, in turn
without the agent, with it, and with its performance monitoring on.

Prints events per second for each, and the ratio to the run without the agent just before it, so that
a machine that changes its speed changes both. Usage: bench/agent_push.py [ROUNDS [EVENTS]]
"""

import statistics
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "integration"))

from tango_servers import ServerPool, start_database  # noqa: E402

KINDS = ("without the agent", "with the agent", "with monitoring on")


def rate(server, events):
    """Events per second that one burst is pushed with."""
    proxy = server.proxy()
    start = time.perf_counter()
    proxy.PushBurst(events)
    return events / (time.perf_counter() - start)


def main():
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 15
    events = int(sys.argv[2]) if len(sys.argv) > 2 else 100_000
    with tempfile.TemporaryDirectory() as folder:
        database = start_database(Path(folder) / "database")
        try:
            with ServerPool(folder) as pool:
                servers = {}
                for number, kind in enumerate(KINDS):
                    agent = number > 0
                    servers[kind] = pool.cpp_publisher(
                        f"bench/cpp/{number}", f"bench{number}", agent=agent, database=database
                    )
                    subscriber = pool.subscriber(
                        f"bench/sub/{number}", f"bench{number}", database=database
                    )
                    subscriber.proxy().Subscribe([servers[kind].attribute("burst"), "change"])
                    if kind == KINDS[2]:
                        servers[kind].admin_proxy().StartEventSystemPerfMon()
                measure(servers, rounds, events)
        finally:
            database.stop()


def measure(servers, rounds, events):
    rates = {kind: [] for kind in KINDS}
    ratios = {kind: [] for kind in KINDS}
    for server in servers.values():
        rate(server, events)  # the first one warms up
    for _ in range(rounds):
        for kind in KINDS:
            rates[kind].append(rate(servers[kind], events))
            ratios[kind].append(rates[kind][-1] / rates[KINDS[0]][-1])
    print(f"{rounds} rounds of {events} events; median, and smallest to largest ratio")
    for kind in KINDS:
        low, high = min(ratios[kind]), max(ratios[kind])
        print(
            f"{kind:20} {statistics.median(rates[kind]):10.0f} events/s"
            f"   ratio {statistics.median(ratios[kind]):.3f}  ({low:.3f} to {high:.3f})"
        )


if __name__ == "__main__":
    main()
