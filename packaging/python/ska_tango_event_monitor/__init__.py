"""The event agent and the monitor, from Python: shows where Tango's events get lost.

Every PyTango device server of the environment that this package is installed in has the agent
loaded, by a start-up hook: nothing needs to be imported or called for that.
``SKA_TANGO_EVENT_AGENT=off`` in the environment switches it off.

:func:`parse` reads an answer, :func:`read` the polls of recordings; :func:`rows` tells what changed in
them. ::

    import tango
    from ska_tango_event_monitor import parse

    admin = tango.DeviceProxy(tango.DeviceProxy("foo/bar/sub").adm_name())
    answer = parse(admin.QueryEventSystem())
    if answer.client is None:
        print("it has never subscribed to anything")
    else:
        for topic, subscription in answer.client.event_callbacks.items():
            print(topic, subscription.event_count, subscription.lost_event_count)
"""

import os
import sys
from typing import TYPE_CHECKING, Any, List

import _ska_tango_event_agent

from .answer import (
    AgentInfo,
    AnswerError,
    Client,
    ConsumerThread,
    EventChannel,
    EventStream,
    EventSystem,
    Histogram,
    NotConnected,
    PushSample,
    ReceiveSample,
    Server,
    Subscription,
    parse,
)

if TYPE_CHECKING:
    from .recordings import Poll, RecordingError, RecordingWarning, Reply, read
    from .responses import (
        ClientPerfSample,
        ClientPerfSummary,
        ClientResponse,
        QueryEventSystemResponse,
        ResponseChangeSummary,
        SampleStatistics,
        ServerPerfSample,
        ServerPerfSummary,
        ServerResponse,
    )
    from .tables import Row, findings, rows, totals

__version__ = "@VERSION@"

__all__ = [
    "AgentInfo",
    "AnswerError",
    "Client",
    "ClientPerfSample",
    "ClientPerfSummary",
    "ClientResponse",
    "ConsumerThread",
    "EventChannel",
    "EventStream",
    "EventSystem",
    "Histogram",
    "NotConnected",
    "Poll",
    "PushSample",
    "QueryEventSystemResponse",
    "ReceiveSample",
    "RecordingError",
    "RecordingWarning",
    "Reply",
    "ResponseChangeSummary",
    "Row",
    "SampleStatistics",
    "Server",
    "ServerPerfSample",
    "ServerPerfSummary",
    "ServerResponse",
    "Subscription",
    "agent_path",
    "enable",
    "findings",
    "parse",
    "program_path",
    "read",
    "rows",
    "totals",
]

#: Imported when it is first used: every server that asks parse() imports this package.
_LATER = {
    "ClientPerfSample": "responses",
    "ClientPerfSummary": "responses",
    "ClientResponse": "responses",
    "Poll": "recordings",
    "QueryEventSystemResponse": "responses",
    "RecordingError": "recordings",
    "RecordingWarning": "recordings",
    "Reply": "recordings",
    "ResponseChangeSummary": "responses",
    "Row": "tables",
    "SampleStatistics": "responses",
    "ServerPerfSample": "responses",
    "ServerPerfSummary": "responses",
    "ServerResponse": "responses",
    "findings": "tables",
    "read": "recordings",
    "rows": "tables",
    "totals": "tables",
}


def __getattr__(name: str) -> Any:
    if name not in _LATER:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    import importlib  # pylint: disable=import-outside-toplevel

    value = getattr(importlib.import_module("." + _LATER[name], __name__), name)
    globals()[name] = value
    return value


def __dir__() -> List[str]:
    return sorted({*globals(), *_LATER})


def agent_path() -> str:
    """The absolute path of the agent's library, for ``LD_PRELOAD`` and the like.

    ``SKA_TANGO_EVENT_AGENT_LIB`` in the environment names another one. Raises
    :class:`FileNotFoundError` if the installation isn't complete.
    """
    return _ska_tango_event_agent.agent_path()


def enable() -> bool:
    """Load the agent into this process if the start-up hook didn't (``python3 -S``, a zipped
    application). Call it before ``import tango``.

    Returns whether the agent is loaded: false if the environment switches it off. Raises
    :class:`RuntimeError` if Tango is already imported, and :class:`OSError` if the agent can't be
    opened.
    """
    if _ska_tango_event_agent.is_switched_off():
        return False
    if "tango" in sys.modules and not _is_loaded():
        raise RuntimeError("tango is already imported: call enable() before importing it")
    _ska_tango_event_agent.open_agent()
    return True


def _is_loaded() -> bool:
    name = os.path.basename(agent_path())
    with open("/proc/self/maps", encoding="utf-8", errors="replace") as maps:
        return any(line.rstrip().endswith(name) for line in maps)


def program_path(name: str = "ska-tango-event-monitor") -> str:
    """The absolute path of a program of this package: the monitor, or ``ska-tango-event-agent``.

    Raises :class:`FileNotFoundError` if it isn't where it was installed.
    """
    folder = os.path.dirname(_ska_tango_event_agent.installed_path())
    prefix = os.path.dirname(os.path.dirname(folder))
    path = os.path.join(prefix, "bin", name)
    if not os.path.isfile(path):
        raise FileNotFoundError(f"{path} is missing: reinstall the package")
    return path
