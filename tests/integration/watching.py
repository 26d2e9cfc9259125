"""Shared by tests of the monitor: its messages, its recordings, and how it ends."""

import json
import os
import signal

from tango_servers import wait_for

PROGRAM = "ska-tango-event-monitor: "
LOAD_THE_AGENT = (
    "load the agent with ska-tango-event-agent attach PID, or start it with the agent: "
    "ska-tango-event-agent run -- COMMAND"
    " (see docs/, or ska-tango-event-monitor(1))"
)
IS_DOWN = "its server is not running or can't be reached"
WAS_STOPPED = "its server was stopped (the Tango database lists it as not exported)"
ASKED_AGAIN = "it is tried again at every poll"
# Long: where it matters that the monitor ends before a server's time is up.
LONG_S = 100
# For the monitor to end; far below LONG_S, and far above what it takes.
END_S = 20


def thaw(server):
    os.kill(server.pid, signal.SIGCONT)


def lines(path):
    """A whole recording, each line read on its own; an incomplete line fails the test."""
    if not path.exists():
        return []
    text = path.read_text()
    assert text == "" or text.endswith("\n"), f"cut off: {text[-100:]!r}"
    return [json.loads(line) for line in text.splitlines()]


def replies_of(path, server):
    return [line["replies"][server.admin] for line in lines(path)]


def wait_for_replies(path, server, count, what, since=0):
    """Wait until the recording has ``count`` replies of a server since a line that satisfy."""
    return wait_for(
        lambda: [r for r in replies_of(path, server)[since:] if what(r)][count - 1 :],
        what=f"replies in {path.name}",
    )


def has_data(reply):
    return "data" in reply


def has_error(reply):
    return "error" in reply


def perf_is_on(server):
    """As the monitor sees it: where the agent stands beside the built-in command, it is the agent that is asked."""
    admin = server.admin_proxy()
    query = "QueryEventAgent" if "QueryEventAgent" in admin.get_command_list() else "QueryEventSystem"
    return json.loads(admin.command_inout(query))["server"]["perf"] is not None


def in_time(errors):
    """Standard error without the words about a poll that took long, as any may on a busy machine."""
    return "".join(line for line in errors.splitlines(True) if "s longer than the period: " not in line)


def end_of(monitor, late=False):
    """Wait for the monitor's end: (exit status, standard output, standard error), the last in_time()
    unless the test wants to know of polls that were late."""
    output, errors = monitor.communicate(timeout=END_S)
    return monitor.returncode, output, errors if late else in_time(errors)


def message(*texts):
    return "".join(f"{PROGRAM}{text}\n" for text in texts)
