"""The test servers themselves: a test is only as correct as its instruments."""

import json
import socket

import pytest
from tango_servers import Server, ServerPool, connects, free_port, wait_for


def connected(pub, sub):
    """Push until events arrive, and all that were pushed have: the first may come before the connection
    is made. Returns how many were pushed, and for how many the callback was called."""

    def newest_is_there():
        (details,) = json.loads(sub.details).values()
        return details["last_value"] == pub.pushed

    wait_for(lambda: pub.PushBurst(1) or sub.received > 1, what="the first event", period=0.2)
    wait_for(newest_is_there, what="the newest event")
    return pub.pushed, sub.received


def test_publisher_and_subscriber(servers):
    pub = servers.publisher()
    sub = servers.subscriber()
    sub.proxy().Subscribe([pub.attribute("burst"), "change", pub.attribute("attr"), "change"])
    wait_for(lambda: sub.proxy().received > 5, what="events of attr and burst")
    sub.proxy().Unsubscribe([pub.attribute("attr"), "change"])
    before = sub.proxy().received
    pub.proxy().PushBurst(100)
    # The first event after a subscription is sent twice, and may reach the callback twice.
    wait_for(lambda: sub.proxy().received - before in (100, 101), what="a hundred events of burst")


def test_paced_in_one_process(servers):
    both = servers.both()
    both.proxy("test/sub/1").Subscribe([both.attribute("burst"), "change"])
    pub, sub = both.proxy("test/pub/1"), both.proxy("test/sub/1")
    pushed, received = connected(pub, sub)
    pub.PushPaced([500, 1000])
    wait_for(lambda: not pub.pushing, what="the last paced event")
    assert pub.push_error == ""
    assert pub.pushed - pushed == 500
    # The first event is sent twice.
    wait_for(lambda: sub.received - received in (500, 501), what="all callbacks")


def test_restart_and_kill(servers):
    pub = servers.publisher()
    first = pub.pid
    pub.restart()
    assert pub.pid != first
    assert pub.kill() == -9
    pub.start()
    assert pub.proxy().pushed == 0
    assert pub.stop() is not None
    assert not pub.running


def test_all_are_told_to_end_once(tmp_path):
    """At a second SIGTERM cppTango 9.3 would shut down once more, and crash."""
    with ServerPool(tmp_path) as pool:
        started = [pool.publisher(), pool.subscriber()]
    assert [server.process.returncode for server in started] == [0, 0]


@pytest.mark.parametrize("restarted", [False, True])
def test_a_server_that_ends_by_itself(tmp_path, restarted):
    with pytest.raises(AssertionError) as caught, ServerPool(tmp_path) as pool:
        pub, other = pool.publisher(), pool.subscriber()
        pub.process.kill()  # by nothing that the pool knows of
        pub.process.wait()
        if restarted:
            pub.restart()
    message = str(caught.value)
    assert message.startswith("publisher/test ended by itself, with status -9; its log:\n")
    assert "Ready to accept request" in message
    assert not other.running, "the others are ended all the same"


def test_a_port_is_nobody_elses():
    """Not even that of who asks with the same options; but its owner's, as often as it likes."""
    port = free_port()
    assert not connects(port)
    with socket.socket() as other, pytest.raises(OSError):
        other.bind(("127.0.0.1", port))
    for _ in range(2):
        with socket.create_server(("127.0.0.1", port)):
            assert connects(port)
    many = [free_port() for _ in range(300)]
    assert len(set(many)) == len(many)


def test_a_server_that_ends_while_it_starts(tmp_path):
    """There is nothing to wait for, and what it said is shown."""
    server = Server(["/bin/sh", "-c", "echo the reason; exit 3", "sh"], "test", {"C": ["a/b/c"]}, tmp_path / "log")
    server.launch()
    with pytest.raises(AssertionError, match="with status 3; its log:\nthe reason"):
        server.wait_until_ready()
    with pytest.raises(AssertionError, match="ended with 3 while it started\nthe reason"):
        server.told_to_end = True
        server.start()


def test_tango_test(servers):
    server = servers.tango_test()
    assert server.admin_proxy().QueryDevice() == ["TangoTest::test/tangotest/1"]


def test_cpp_publisher(servers):
    pub = servers.cpp_publisher()
    sub = servers.subscriber()
    sub.proxy().Subscribe([pub.attribute("burst"), "change"])
    pushed, received = connected(pub.proxy(), sub.proxy())
    pub.proxy().PushBurst(50)
    pub.proxy().PushPaced([50, 1000])
    wait_for(lambda: pub.proxy().pushed - pushed == 100, what="the last paced event")
    wait_for(lambda: sub.proxy().received - received in (100, 101), what="all callbacks")
    wait_for(lambda: not pub.proxy().pushing, what="the end of the pushing")


def test_servers_in_a_database(servers, database):
    pub = servers.publisher("fixtures/pub/1", "fixtures", database=database)
    sub = servers.subscriber("fixtures/sub/1", "fixtures", database=database)
    test = servers.tango_test("fixtures/test/1", "fixtures", database=database)
    assert "#dbase=no" not in pub.name()
    sub.proxy().Subscribe(["fixtures/pub/1/burst", "change", "fixtures/pub/1/attr", "change"])
    wait_for(lambda: sub.proxy().received > 3, what="events of attr")
    assert test.proxy().State() is not None
    pub.restart()
    assert pub.admin_proxy().QueryDevice() == ["Publisher::fixtures/pub/1"]
