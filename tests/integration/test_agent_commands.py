"""The agent's commands in real servers that nobody rebuilt, and what clients of them see."""

import json
from datetime import datetime, timezone

import pytest
from agent_answers import BUILT_IN, BUILT_IN_COMMANDS, BURST, COMMANDS, ask, join, pub, settle

pytestmark = pytest.mark.sanitizers


def test_commands_are_there_and_describe_themselves(servers, agent_lib):
    server = servers.publisher(agent=True)
    infos = {info.cmd_name: info for info in server.admin_proxy().command_list_query()}
    for name, (in_type, out_type) in COMMANDS.items():
        info = infos[name]
        assert (str(info.in_type), str(info.out_type)) == (in_type, out_type)
        if name in BUILT_IN_COMMANDS:
            continue
        described = info.in_type_desc if in_type != "DevVoid" else info.out_type_desc
        if (in_type, out_type) != ("DevVoid", "DevVoid"):
            assert len(described) > 20 and described.isprintable(), described


def test_without_the_agent_there_are_no_commands(servers):
    server = servers.publisher(agent=False)
    names = {info.cmd_name for info in server.admin_proxy().command_list_query()}
    assert names & set(COMMANDS) == BUILT_IN_COMMANDS


def test_an_idle_server_answers_like_the_built_in_command(servers, agent_lib):
    """A client as people write them for cppTango 10.1 and later."""
    server = servers.publisher(agent=True)
    answer = json.loads(server.admin_proxy().QueryEventSystem())
    assert answer["version"] == 1
    assert answer["server"]["event_counters"] == {}
    assert answer["server"]["perf"] is None
    assert answer["client"] is None
    assert ("agent" in answer) != BUILT_IN
    before = datetime.now(timezone.utc)
    agent = ask(server)["agent"]
    assert agent["pid"] == server.pid
    assert agent["tango_version"].count(".") == 2
    attached = datetime.fromisoformat(agent["attached"])
    assert abs((datetime.now(timezone.utc) - attached).total_seconds()) < 120
    assert before <= datetime.fromisoformat(agent["time"]) <= datetime.now(timezone.utc)


def test_a_client_of_the_built_in_command_works_unchanged(servers, agent_lib, database):
    server = servers.both(agent=True, database=database)
    join(server, server)
    pub(server).PushBurst(10)
    settle(server, server)
    server.admin_proxy().EnableEventSystemPerfMon(True)
    pub(server).PushBurst(5)
    settle(server, server)

    answer = json.loads(server.admin_proxy().QueryEventSystem())
    counters = answer["server"]["event_counters"]
    assert [type(count) for count in counters.values()] == [int]
    for sample in answer["server"]["perf"]:
        assert set(sample) == {"micros_since_last_event", "push_event_micros"}
    client = answer["client"]
    for name, callback in client["event_callbacks"].items():
        assert name.startswith("tango://") and name.endswith(".idl5_change")
        assert callback["channel_name"] in client["event_channels"]
        for key in ("server_counter", "event_count", "missed_event_count"):
            assert isinstance(callback[key], int)
        assert isinstance(callback["discarded_event_count"], int)
        assert callback["last_resubscribed"] is None
        assert callback["callback_count"] == 1
    assert client["not_connected"] == []
    for channel in client["event_channels"].values():
        assert channel["endpoint"].startswith("tcp://")
    samples = client["perf"]
    assert BUILT_IN or len(samples) == 5
    for sample in samples:
        assert set(sample) == {
            "attr_name",
            "micros_since_last_event",
            "sleep_micros",
            "process_micros",
            "first_callback_latency_micros",
            "callback_count",
            "wake_count",
            "discarded",
        }
    assert samples[0]["micros_since_last_event"] is None
    assert all(sample["attr_name"] == BURST for sample in samples)
    assert all(sample["callback_count"] == 1 for sample in samples)

    server.admin_proxy().EnableEventSystemPerfMon(False)
    answer = json.loads(server.admin_proxy().QueryEventSystem())
    assert answer["server"]["perf"] is None and answer["client"]["perf"] is None


@pytest.mark.skipif(BUILT_IN, reason="QueryEventSystem is built into this Tango")
def test_a_client_of_the_older_format_works_with_the_schema_variable(servers, agent_lib, database):
    env = {"SKA_TANGO_EVENT_AGENT_SCHEMA": "legacy"}
    server = servers.both(agent=True, database=database, env=env)
    idle = json.loads(server.admin_proxy().QueryEventSystem())
    assert "version" not in idle and "client" not in idle
    server.admin_proxy().StartEventSystemPerfMon()
    join(server, server)
    settle(server, server)
    answer = json.loads(server.admin_proxy().QueryEventSystem())
    first = answer["server"]["perf_stats"][0]
    assert first["micros_since_last_event"] == -1 and first["push_event_micros"] >= 0
    (callback,) = answer["client"]["event_callbacks"].values()
    assert datetime.fromisoformat(callback["last_resubscribed"])
    assert callback["event_count"] >= 1
    sample = answer["client"]["perf_stats"][-1]
    assert sample["event_type"] == "ATT_VALUE"
    assert {"att_name", "first_callback_lactency_micros", "wake_count"} <= set(sample)
    # The agent's own command keeps its own format.
    assert ask(server)["version"] == 1
    server.admin_proxy().StopEventSystemPerfMon()


def test_monitoring_can_be_on_from_the_start(servers, agent_lib):
    server = servers.publisher(agent=True, env={"SKA_TANGO_EVENT_AGENT_PERF": "1"})
    assert ask(server)["server"]["perf"] == []
    server.admin_proxy().StopEventSystemPerfMon()
    assert ask(server)["server"]["perf"] is None


def test_the_log_says_what_it_is_asked_for(servers, agent_lib):
    quiet = servers.publisher("test/pub/1", agent=True, instance="quiet")
    info = servers.publisher(
        "test/pub/2", agent=True, instance="info", env={"SKA_TANGO_EVENT_AGENT_LOG": "info"}
    )
    odd = servers.publisher(
        "test/pub/3", agent=True, instance="odd", env={"SKA_TANGO_EVENT_AGENT_LOG": "loud"}
    )
    assert "ska-tango-event-agent" not in quiet.output()
    assert "attached to Tango" in info.output()
    assert "use off, error, info or debug" in odd.output()
