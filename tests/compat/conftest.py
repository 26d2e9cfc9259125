"""Fixtures for Tango generations that run together. Servers of another generation than this machine's run in
the root file system of a Debian release that has it, which tests/compat/run prepares."""

import os
import sys
from pathlib import Path

import pytest
import tango

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "integration"))

import tango_servers  # noqa: E402

GENERATIONS = ("9.3", "10.0", "10.3")
CLASSES = {"publisher": "Publisher", "subscriber": "Subscriber"}


def root_of(generation):
    """The path of the root file system that has this Tango; None for this machine's own."""
    # GENERATION=PATH, separated by colons.
    roots = dict(root.split("=", 1) for root in os.environ.get("COMPAT_ROOTS", "").split(":") if root)
    version = tango.constants.TgLibVers
    assert generation in roots or version.startswith(f"{generation}."), (
        f"no Tango {generation} is prepared, and this machine's is {version}:"
        " run 'tests/compat/run generations'"
    )
    return roots.get(generation)


def start(pool, kind, generation, devices, database):
    """Start a publisher or a subscriber with the agent, in that Tango."""
    root = root_of(generation)
    sources = ROOT if root is None else Path("/source")
    argv = [tango_servers.PYTHON, sources / "tests" / "integration" / "servers" / f"{kind}.py"]
    if root is not None:
        # Its path inside the root file system; the programs on the way there must not load it.
        agent = "LD_PRELOAD=/build/lib/libska-tango-event-agent.so"
        argv = [ROOT / "scripts" / "in-debian-root", root, "/usr/bin/env", agent, *argv]
    instance = generation.replace(".", "_")
    return pool.add(
        argv,
        instance,
        {CLASSES[kind]: [f"{kind}/{instance}/{device}" for device in devices]},
        database=database,
        agent=root is None,
    )


@pytest.fixture(scope="session")
def database(tmp_path_factory):
    """The Tango database that all of them use."""
    running = tango_servers.start_database(tmp_path_factory.mktemp("database"))
    yield running
    running.stop()


@pytest.fixture(scope="session")
def publisher(tmp_path_factory):
    """Gives the publisher of a generation, without or with a database: one Server for all tests.

    It has a device for each generation of subscribers, so that the tests don't disturb each other, and the
    device ``marker``: in the order of GENERATIONS, the marker last.
    """
    devices = [*(generation.replace(".", "_") for generation in GENERATIONS), "marker"]
    started = {}
    with tango_servers.ServerPool(tmp_path_factory.mktemp("publishers")) as pool:

        def get(generation, database):
            key = generation, database is None
            if key not in started:
                started[key] = start(pool, "publisher", generation, devices, database)
            return started[key]

        yield get


@pytest.fixture
def subscriber(tmp_path):
    """Starts a subscriber of a generation, without or with a database, for one test. One of 9.3 without a
    database doesn't live longer: it recognises no heartbeat as its channels', reconnects after some 10 s,
    and has crashed 10 s later, with and without the agent."""
    with tango_servers.ServerPool(tmp_path) as pool:
        yield lambda generation, database: start(pool, "subscriber", generation, ["1"], database)
