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
