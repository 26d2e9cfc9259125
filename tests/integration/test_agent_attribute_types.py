"""The agent with each type of attribute, in a C++ server that nobody here wrote."""

import pytest
import tango
from agent_answers import ask, sub
from tango_servers import wait_for

pytestmark = pytest.mark.sanitizers


def publishable(proxy):
    """The attributes that can be polled, and so have periodic events."""
    names = []
    for info in proxy.attribute_list_query():
        if info.writable == tango.AttrWriteType.WRITE or info.name in ("throw_exception",):
            continue
        names.append(info.name)
    return names


def test_every_attribute_type_of_tangotest(servers, agent_lib, database):
    server = servers.tango_test(agent=True, database=database)
    subscriber = servers.subscriber(agent=True, database=database)
    proxy = server.proxy()
    for name in publishable(proxy):
        config = proxy.get_attribute_config(name)
        config.events.per_event.period = "500"
        try:
            proxy.set_attribute_config(config)
            proxy.poll_attribute(name, 500)
        except tango.DevFailed:
            continue
    polled = [name for name in publishable(proxy) if proxy.is_attribute_polled(name)]
    types = {
        tango.CmdArgType.values[number].name
        for number in {proxy.get_attribute_config(name).data_type for name in polled}
    }
    wanted = {"DevBoolean", "DevDouble", "DevFloat", "DevLong", "DevLong64", "DevShort"}
    wanted |= {"DevString", "DevUChar", "DevULong", "DevULong64", "DevUShort", "DevState"}
    assert wanted <= types, f"missing: {wanted - types}"

    subscriber.admin_proxy().StartEventSystemPerfMon()
    server.admin_proxy().StartEventSystemPerfMon()
    not_polled = [server.attribute("State"), "attr_conf"]  # first: see tango_servers.py
    sub(subscriber).Subscribe(not_polled)
    pairs = []
    for name in polled:
        pairs += [server.attribute(name), "periodic"]
    sub(subscriber).Subscribe(pairs)
    sub(subscriber).Unsubscribe(not_polled)

    latencies = {name.lower(): [] for name in polled}
    # Reading this one fails, so its events are errors, which carry no time.
    without = latencies.pop("no_value")

    def collect():
        for sample in ask(subscriber)["client"]["perf"]:
            latency = sample["first_callback_latency_micros"]
            if sample["attr_name"] == "no_value":
                without.append(latency)
            elif latency is not None:
                latencies[sample["attr_name"]].append(latency)
        # A value that could not be read in time makes an error event now and then, on a slow
        # machine; another one follows.
        return without and all(latencies.values())

    wait_for(collect, 120, f"an event with a time of each of {len(polled)} attributes")
    assert set(without) == {None}
    for name, values in latencies.items():
        assert all(0 <= value < 30_000_000 for value in values), (name, values)

    # Publisher and subscriber agree, stream by stream: stop the stream, then compare.
    for name in polled:
        proxy.stop_poll_attribute(name)

    def agree():
        streams = ask(server)["server"]["event_streams"]
        callbacks = ask(subscriber)["client"]["event_callbacks"]
        assert len(callbacks) == len(polled)
        for key, callback in callbacks.items():
            if not streams[key.replace("idl5_", "")]["pushed_event_count"]:
                return False
            if callback["server_counter"] != streams[key.replace("idl5_", "")][
                "pushed_event_count"
            ]:
                return False
            assert callback["lost_event_count"] == 0
        return True

    wait_for(agree, 20, "both sides to agree")
