"""The test servers themselves: a test can only be as right as what it measures with."""

from tango_servers import wait_for


def test_publisher_and_subscriber(servers):
    pub = servers.publisher()
    sub = servers.subscriber()
    sub.proxy().Subscribe([pub.attribute("attr"), "change", pub.attribute("burst"), "change"])
    wait_for(lambda: sub.proxy().received > 5, what="events of attr and burst")
    sub.proxy().Unsubscribe([pub.attribute("attr"), "change"])
    before = sub.proxy().received
    pub.proxy().PushBurst(100)
    # The first event after a subscription is sent twice, and may reach the callback twice.
    wait_for(lambda: sub.proxy().received - before in (100, 101), what="a hundred events of burst")


def test_paced_in_one_process(servers):
    both = servers.both()
    both.proxy("test/sub/1").Subscribe([both.attribute("burst"), "change"])
    pub = both.proxy("test/pub/1")
    pub.PushPaced([500, 1000])
    wait_for(lambda: not pub.pushing, what="the last paced event")
    assert pub.push_error == ""
    assert pub.pushed == 500
    # One callback for the subscription itself; the first event is sent twice.
    wait_for(lambda: both.proxy("test/sub/1").received in (501, 502), what="all callbacks")


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


def test_tango_test(servers):
    server = servers.tango_test()
    assert server.admin_proxy().QueryDevice() == ["TangoTest::test/tangotest/1"]


def test_cpp_publisher(servers):
    pub = servers.cpp_publisher()
    sub = servers.subscriber()
    sub.proxy().Subscribe([pub.attribute("burst"), "change"])
    pub.proxy().PushBurst(50)
    pub.proxy().PushPaced([50, 1000])
    wait_for(lambda: pub.proxy().pushed == 100, what="the last paced event")
    wait_for(lambda: sub.proxy().received in (101, 102), what="all callbacks")
    wait_for(lambda: not pub.proxy().pushing, what="the end of the pushing")


def test_servers_in_a_database(servers, database):
    pub = servers.publisher("fixtures/pub/1", "fixtures", database=database)
    sub = servers.subscriber("fixtures/sub/1", "fixtures", database=database)
    test = servers.tango_test("fixtures/test/1", "fixtures", database=database)
    assert "#dbase=no" not in pub.name()
    sub.proxy().Subscribe(["fixtures/pub/1/attr", "change"])
    wait_for(lambda: sub.proxy().received > 2, what="events of attr")
    assert test.proxy().State() is not None
    pub.restart()
    assert pub.admin_proxy().QueryDevice() == ["Publisher::fixtures/pub/1"]
