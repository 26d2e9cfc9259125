# Copyright: see the project's LICENSE (BSD-3-Clause).
"""Opens the event agent before Tango does, so that this process's device server is watched.

This one file does so in two places: beside the package ``ska_tango_event_monitor``, where a
start-up hook waits for ``import tango``; and inside a PyTango that was patched with
``ska-tango-event-agent patch-wheel``, where ``import tango`` itself calls :func:`load`.

Every Python of the environment imports this at its start: it imports nothing that a Python hasn't
loaded by then, and nothing that fails here may ever reach the user's program.
"""

import os
import sys

AGENT = "libska-tango-event-agent.so"

# Where the agent lies, seen from this file: beside it (in a patched PyTango), or in the environment
# that this is installed in (PREFIX/lib/python3.X/site-packages).
_PLACES = (
    ("",),
    ("..", "..", "..", "lib", "ska-tango-event-monitor"),
)


def agent_path():
    """The absolute path of the agent's library; raises FileNotFoundError if it isn't there.

    ``SKA_TANGO_EVENT_AGENT_LIB`` names another one.
    """
    named = os.environ.get("SKA_TANGO_EVENT_AGENT_LIB")
    return os.path.abspath(named) if named else installed_path()


def installed_path():
    """As :func:`agent_path`, but always the one that belongs to this file."""
    here = os.path.dirname(os.path.abspath(__file__))
    for place in _PLACES:
        path = os.path.normpath(os.path.join(here, *place, AGENT))
        if os.path.isfile(path):
            return path
    raise FileNotFoundError("no %s belongs to %s: install it into an environment" % (AGENT, here))


def is_switched_off():
    """Whether the environment says ``SKA_TANGO_EVENT_AGENT=off``."""
    return os.environ.get("SKA_TANGO_EVENT_AGENT") == "off"


def open_agent():
    """Open the agent's library for the whole process; raises OSError or ImportError.

    It has to be found before libtango by whoever looks for the functions that it stands in for.
    """
    import ctypes

    ctypes.CDLL(agent_path(), mode=ctypes.RTLD_GLOBAL)


def load():
    """Open the agent, unless that is switched off. Whatever fails is one line on standard error."""
    if is_switched_off():
        return
    try:
        open_agent()
    except Exception as error:  # pylint: disable=broad-except
        if os.environ.get("SKA_TANGO_EVENT_AGENT_LOG") != "off":
            try:
                sys.stderr.write("ska-tango-event-agent[%d]: not loaded: %s\n" % (os.getpid(), error))
            except Exception:  # pylint: disable=broad-except
                pass  # there is no standard error


class _BeforeTango:
    """Stands first among the finders of modules until somebody imports Tango; finds nothing."""

    @staticmethod
    def find_spec(name, path=None, target=None):
        if name in ("tango", "PyTango"):
            try:
                sys.meta_path.remove(_BeforeTango)
            except ValueError:
                return None  # another thread has been here
            load()
        return None


def wait_for_tango():
    """Have the agent opened when this process imports Tango, if it ever does."""
    if not is_switched_off() and _BeforeTango not in sys.meta_path:
        sys.meta_path.insert(0, _BeforeTango)
