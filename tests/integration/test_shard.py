"""Exporters and monitors side by side, each with a part of the servers."""

import re

import pytest
import tango
from tango_servers import run_monitor, wait_for

PARTS = 5
NAMES = ["alpha", "Bravo", "charlie", "delta", "echo", "foxtrot", "golf", "hotel"]


def shard(admin, parts):
    """As docs/exporter.md has it."""
    value = 0xCBF29CE484222325
    for byte in admin.lower().encode():
        value = (value ^ byte) * 0x100000001B3 % 2**64
    return value % parts + 1


@pytest.fixture
def named(servers, database):
    """Servers in the shared database, by their names: two devices each, the first with an alias."""
    found = {}
    db = tango.Database("127.0.0.1", database.port)
    for name in NAMES:
        devices = [f"shard/{name}/1", f"shard/{name}/2"]
        server = servers.cpp_publisher(*devices, instance=f"shard_{name}", agent=True, database=database)
        db.put_device_alias(devices[0], f"shard_alias_{name}")
        found[server.server_name] = server
    yield found
    for name in NAMES:
        db.delete_device_alias(f"shard_alias_{name}")


def servers_of(exporter):
    """Which servers an exporter has metrics of, without tango://host:port/."""
    page = exporter.get("/metrics").text
    return {name.rpartition("dserver/")[2] for name in re.findall(r'^tango_event_server_up\{[^}]*\bserver="([^"]*)"', page, re.MULTILINE)}


def listed(*arguments, **env):
    result = run_monitor("--list", *arguments, **env)
    assert result.returncode == 0, result.stderr
    return {line.split()[0].rpartition("dserver/")[2] for line in result.stdout.splitlines()}


def test_each_server_is_in_exactly_one_of_five_exporters(export, named, database):
    host = f"tango://{database.tango_host}"
    ways = {
        1: ["shard/*/*"],
        2: [f"shard/{name}/2" for name in NAMES],
        3: [f"shard_alias_{name}" for name in reversed(NAMES)],
        4: [f"{host}/SHARD/*/1", f"{host}/shard/*/2"],
        5: [f"dserver/{server.upper()}" for server in named],
    }
    exporters = [
        export(*names, f"--shard={number}/{PARTS}", TANGO_HOST=database.tango_host) for number, names in ways.items()
    ]
    for exporter in exporters:
        exporter.wait_until_ready()
    expected = [
        {server.lower() for server in named if shard(f"dserver/{server}", PARTS) == number}
        for number in range(1, PARTS + 1)
    ]
    found = [{name.lower() for name in servers_of(exporter)} for exporter in exporters]
    assert found == expected
    assert sum(map(len, found)) == len(named) and sum(map(bool, found)) > 2
    for exporter in exporters:
        assert exporter.output().count("\n") <= 1 + len(NAMES), exporter.output()
        assert exporter.stop() == 0


def test_lists_of_shards(named, database):
    env = {"TANGO_HOST": database.tango_host}
    for parts in (1, 2, 3):
        found = [listed(f"--shard={number}/{parts}", "shard/*/*", **env) for number in range(1, parts + 1)]
        mixed = [
            listed(f"--shard={number}/{parts}", *(f"shard/{name}/1" for name in NAMES), "shard_alias_golf", **env)
            for number in range(1, parts + 1)
        ]
        assert found == mixed
        assert sum(map(len, found)) == len(named)
        assert {name.lower() for name in set().union(*found)} == {server.lower() for server in named}


def test_an_empty_shard(export, publisher):
    """Is none that an exporter minds; a monitor has nothing to do there."""
    number = shard("dserver/" + publisher.server_name, 3)
    other = number % 3 + 1
    exporter = export(publisher.name(), f"--shard={other}/3").wait_until_ready()
    assert servers_of(exporter) == set()
    assert f"no server is in shard {other}/3\n" in exporter.output()
    assert exporter.stop() == 0
    assert servers_of(export(publisher.name(), f"--shard={number}/3").wait_until_ready()) != set()
    result = run_monitor("-n1", f"--shard={other}/3", publisher.name())
    assert (result.returncode, result.stdout) == (1, "")
    assert result.stderr == f"ska-tango-event-monitor: no server is in shard {other}/3\n"
    assert listed(f"--shard={other}/3", publisher.name()) == set()


def test_a_server_that_is_down_is_in_one_shard(export, publisher):
    """And stays in that when it comes up, if that is its own; else it goes to the one where it belongs."""
    name = publisher.name()
    place = shard("dserver/" + publisher.server_name, 2)
    publisher.stop()
    exporters = [export(name, f"--shard={number}/2").wait_until_ready() for number in (1, 2)]
    assert sorted(len(servers_of(exporter)) for exporter in exporters) == [0, 1]
    publisher.start()
    up = exporters[place - 1]
    wait_for(lambda: "} 1\n" in "".join(re.findall(r"^tango_event_server_up\{.*\n", up.get("/metrics").text, re.MULTILINE)),
             60, "the server to be asked")
    wait_for(lambda: servers_of(exporters[2 - place]) == set(), 60, "the other exporter to drop it")
