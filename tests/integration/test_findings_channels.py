"""Event channels that are silent, can't be reached or bring no events any more are found; those that are
left, or come back, in an orderly way aren't."""

import ctypes
import json
import os
import re
import socket
import subprocess
from pathlib import Path

import pytest
from findings import describe, findings_of
from network import MONITOR as OTHER_ADDRESS
from network import start_distant
from tango_servers import PYTHON, SERVERS, agent_environment, clean_environment, die_with_parent, free_port, wait_for

# More than the 10 s from a heartbeat to the next, with which a rule can't be sure; less than by default.
SILENT_S = 14
THRESHOLDS = ["--threshold", f"silent-channel={SILENT_S}", "--threshold", f"unreachable-endpoint={SILENT_S}",
              "--threshold", "frozen-events=5"]
# Tango finds out after a heartbeat is missing for 11 s, and tries again every 10 s.
RECONNECTION_S = 60
CHANNEL_RULES = {"silent-channel", "unreachable-endpoint", "frozen-events"}


def client(server):
    return json.loads(server.admin_proxy().QueryEventAgent())["client"]


def channel(subscriber, publisher):
    """The subscriber's channel of a publisher; None: there is none."""
    end = f"/dserver/{publisher.server_name}".lower()
    return next((c for name, c in client(subscriber)["event_channels"].items() if end in name.lower()), None)


def of_channels(findings):
    return [finding for finding in findings if finding["rule"] in CHANNEL_RULES]


def is_about(finding, publisher):
    return finding["publisher"].lower().endswith(f"dserver/{publisher.server_name}".lower())


def test_publishers_that_end_or_hang(servers, database, watch, freeze, recording, tmp_path):
    """Only the subscriber is watched: the monitor finds out itself what became of its publishers."""
    killed, stopped, hanging, well, restarted, left = publishers = [
        servers.publisher(f"test/channels/{name}", instance=f"channels-{name}", database=database, agent=True)
        for name in ("killed", "stopped", "hanging", "well", "restarted", "left")
    ]
    sub = servers.subscriber("test/channels/sub", instance="channels", database=database, agent=True)
    for pub in publishers:
        sub.proxy().Subscribe([pub.attribute("burst"), "change"])
    wait_for(lambda: all(channel(sub, pub)["heartbeat_count"] > 0 for pub in publishers), 30, "heartbeats")
    monitor = watch(sub.name(), "-o", recording, *THRESHOLDS, TANGO_HOST=database.tango_host)
    monitor.wait_for_polls(2)
    unchecked = tmp_path / "unchecked.jsonl"
    passive = watch(sub.name(), "--no-checks", "-o", unchecked, *THRESHOLDS, TANGO_HOST=database.tango_host)
    passive.wait_for_polls(2)
    # In an orderly way, which is nothing to be found.
    sub.proxy().Unsubscribe([left.attribute("burst"), "change"])
    left.stop()
    restarted.restart()
    # And these aren't.
    killed.kill()
    stopped.stop()
    freeze(hanging)

    def found(publisher):
        """As soon as the reason is known, too."""
        texts = {killed: "isn't running", stopped: "was stopped", hanging: "doesn't answer"}
        return next((f for f in monitor.follow().now
                     if f["rule"] == "silent-channel" and is_about(f, publisher) and texts[publisher] in f["text"]), None)

    for publisher, severity in ((killed, "fault"), (stopped, "warning"), (hanging, "fault")):
        finding = wait_for(lambda publisher=publisher: found(publisher), 90, f"{publisher.server_name} to be found", 0.3)
        assert finding["severity"] == severity
        assert finding["subscriber"].endswith("dserver/subscriber/channels")
        assert finding["seconds"] >= SILENT_S
        assert any("isn't watched" in line for line in finding["evidence"])
        heartbeats = channel(sub, publisher)["heartbeat_count"]
        assert any(line.startswith(f"{heartbeats} heartbeat") for line in finding["evidence"])
    # The one that was restarted has its heartbeats again.
    wait_for(lambda: channel(sub, restarted)["missed_heartbeat_count"] + channel(sub, restarted)["heartbeat_count"] > 2,
             RECONNECTION_S, "heartbeats of the restarted publisher")
    # And so the killed one, once it is started again.
    killed.start()
    ended = monitor.wait_until_over("silent-channel", RECONNECTION_S, publisher=killed.server_name.lower())
    assert ended["seconds"] >= SILENT_S
    findings = of_channels(monitor.end())
    for publisher in (well, left, restarted):
        assert not [f for f in findings if is_about(f, publisher)], describe(findings)
    assert len(findings) == 3, describe(findings)
    # Who tries nothing out finds them, too, but not the reasons.
    assert len(of_channels(passive.end())) == 3
    assert all("(tcp://" in finding["text"] for finding in passive.found("silent-channel"))
    assert '"checks"' in recording.read_text() and '"checks"' not in unchecked.read_text()
    # A recording has what was tried out, and so yields the same.
    read = of_channels(findings_of("--read", recording, *THRESHOLDS))
    assert {(f["identity"], f["text"]) for f in read} == {(f["identity"], f["text"]) for f in findings}


# ---- a connection for events that is broken, while that for heartbeats isn't ----

PIDFD_OPEN, PIDFD_GETFD = 434, 438
_libc = ctypes.CDLL(None, use_errno=True)


def break_connections(server, port):
    """Shut down the server's TCP connections to a port of this host; returns how many."""
    broken = 0
    inodes = {
        fields[9]
        for table in ("tcp", "tcp6")
        for fields in map(str.split, Path(f"/proc/{server.pid}/net/{table}").read_text().splitlines()[1:])
        if int(fields[2].rsplit(":", 1)[1], 16) == port
    }
    pidfd = _libc.syscall(PIDFD_OPEN, server.pid, 0)
    assert pidfd >= 0, os.strerror(ctypes.get_errno())
    for link in Path(f"/proc/{server.pid}/fd").iterdir():
        match = re.fullmatch(r"socket:\[(\d+)\]", os.readlink(link))
        if match and match[1] in inodes:
            fd = _libc.syscall(PIDFD_GETFD, pidfd, int(link.name), 0)
            if fd < 0:
                pytest.skip(f"no other process's sockets can be had here: {os.strerror(ctypes.get_errno())}")
            with socket.socket(fileno=fd) as connection:
                connection.shutdown(socket.SHUT_RDWR)
            broken += 1
    os.close(pidfd)
    return broken


def test_a_channel_that_brings_heartbeats_only(servers, database, watch):
    """As with libzmq 4.2.0: ZeroMQ doesn't connect again for events, and Tango sees no reason to."""
    pub = servers.publisher("test/frozen/pub", instance="frozen", database=database, agent=True)
    well = servers.publisher("test/frozen/well", instance="frozen-not", database=database, agent=True)
    sub = servers.subscriber("test/frozen/sub", instance="frozen", database=database, agent=True)
    for publisher in (pub, well):
        sub.proxy().Subscribe([publisher.attribute("burst"), "change", publisher.attribute("attr"), "change"])
    wait_for(lambda: all(channel(sub, each)["heartbeat_count"] > 0 for each in (pub, well)), 30, "heartbeats")
    monitor = watch(pub.name(), well.name(), sub.name(), *THRESHOLDS, TANGO_HOST=database.tango_host)
    monitor.wait_for_polls(12)
    assert of_channels(monitor.latest.values()) == []
    assert break_connections(sub, int(channel(sub, pub)["event_endpoint"].rsplit(":", 1)[1])) == 1
    finding = monitor.wait_for("frozen-events")
    assert is_about(finding, pub) and finding["severity"] == "fault" and finding["events"] > 10
    # Tango connects anew with the next subscription to the publisher's restart.
    pub.restart()
    monitor.wait_until_over("frozen-events", RECONNECTION_S)
    findings = of_channels(monitor.end())
    assert [f["rule"] for f in findings] == ["frozen-events"], describe(findings)


# ---- a publisher behind an address that its subscriber can't reach ----

CALL = "import sys, tango; tango.DeviceProxy(sys.argv[1]).command_inout(sys.argv[2], {})"


@pytest.mark.parametrize("where", ["beside the publisher", "beside the subscriber"])
def test_a_publisher_behind_the_loopback_address(wire, watch, tmp_path, where):
    """The subscriber's host isn't the publisher's: CORBA gets there all the same, through a Unix socket
    that both see, as through NAT. Wherever the monitor runs, it finds that; from the publisher's host it
    can connect to that address itself."""
    with start_distant(wire, tmp_path, "127.0.0.1") as ((publisher, *_), tango_host, _restart):
        port = free_port()
        sub = f"tango://{OTHER_ADDRESS}:{port}/test/far/sub#dbase=no"
        environment = {"TANGO_HOST": tango_host}
        command = [*wire.monitor.prefix, PYTHON, str(SERVERS / "subscriber.py"), "far", "-nodb", "-dlist",
                   "Subscriber::test/far/sub", "-ORBendPoint", f"giop:tcp:{OTHER_ADDRESS}:{port}"]
        log = tmp_path / "subscriber.log"
        with log.open("w") as out:
            subscriber = subprocess.Popen(command, env=agent_environment(**environment), stdin=subprocess.DEVNULL,
                                          stdout=out, stderr=subprocess.STDOUT, preexec_fn=die_with_parent)

        def call(namespace, device, command, argument):
            subprocess.run([*namespace.prefix, PYTHON, "-c", CALL.format(repr(argument)), device, command],
                           env=clean_environment(**environment), check=True)

        try:
            wait_for(lambda: "Ready to accept request" in log.read_text(), 30, "the subscriber")
            attribute = f"tango://{tango_host}/distant/pub/0/burst"
            call(wire.monitor, sub, "Subscribe", [attribute, "change"])
            call(wire.servers, f"tango://{tango_host}/distant/pub/0", "PushBurst", 118)
            namespace = wire.servers if where == "beside the publisher" else wire.monitor
            monitor = watch(publisher, sub, *THRESHOLDS, prefix=namespace.prefix, **environment)
            finding = monitor.wait_for("unreachable-endpoint")
            assert finding["publisher"].endswith(publisher) and finding["subscriber"].startswith(sub.split("/test")[0])
            assert "loopback, unreachable from another host" in finding["text"]
            assert any("118 events pushed by the publisher, 0 received" in line for line in finding["evidence"])
            tried = "takes connections" if where == "beside the publisher" else "connection refused"
            wait_for(lambda: any(tried in line for f in monitor.found("unreachable-endpoint") for line in f["evidence"]),
                     30, f"a check: {tried}")
            assert {f["rule"] for f in of_channels(monitor.end())} == {"unreachable-endpoint"}
        finally:
            subscriber.kill()
            subscriber.wait()
