"""The pytest plugin's options and fixture. Every pytest of the environment imports this.

It imports nothing else unless it is asked to: what works is in ``ska_tango_event_monitor.pytest_plugin``.

PYTEST_DONT_REWRITE
"""

import os

import pytest


def pytest_addoption(parser):
    """The options, and what stands for them in pytest.ini."""
    group = parser.getgroup("tango-events", "events of Tango device servers")
    group.addoption(
        "--tango-events",
        metavar="DIR",
        help="record the events of Tango device servers during each test, in a file for each test in DIR, and"
        " add what is found to the report of a test that fails",
    )
    group.addoption(
        "--tango-events-devices",
        metavar="NAMES",
        action="append",
        help="the devices whose servers are recorded, separated by commas or white space; may be repeated."
        " By default all servers of the database of TANGO_HOST. Those of PyTango's test contexts always are",
    )
    group.addoption(
        "--tango-events-keep",
        metavar="{all,failed}",
        choices=("all", "failed"),
        help="which tests' recordings are kept: all (default), or those of tests that failed",
    )
    parser.addini("tango_events_devices", "like --tango-events-devices", default="")
    parser.addini("tango_events_keep", "like --tango-events-keep", default="all")
    parser.addini("tango_events_poll_period", "seconds from one poll of the servers to the next", default="0.2")
    parser.addini("tango_events_monitor_options", "more options for ska-tango-event-monitor", default="")


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config):
    """Begins the plugin, if it is asked for."""
    config.addinivalue_line(
        "markers",
        "tango_events(*devices, record=True): the devices whose servers --tango-events records during this test;"
        " with record=False none",
    )
    if config.getoption("tango_events", None):
        # Also for the workers of pytest-xdist, which may have another current directory.
        config.option.tango_events = os.path.abspath(config.option.tango_events)
        from ska_tango_event_monitor import pytest_plugin

        pytest_plugin.begin(config)


@pytest.fixture
def tango_events(request):
    """The events pushed, received, waiting and lost during this test: docs/testing.md.

    Without --tango-events, a recording is made all the same, and removed after the test.
    """
    from ska_tango_event_monitor import pytest_plugin

    with pytest_plugin.events_of(request.node) as events:
        yield events
