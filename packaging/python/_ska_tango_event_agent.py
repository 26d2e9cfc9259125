# Copyright: see the project's LICENSE (BSD-3-Clause).
"""Opens the event agent before Tango does, so that this process's device server is watched.

This file is used in two places: next to the package ``ska_tango_event_monitor``, where a
start-up hook waits for ``import tango``; and inside a PyTango that was patched with
``ska-tango-event-agent patch-wheel``, where ``import tango`` itself calls :func:`load`.

Every Python process of the environment imports this when it starts: it imports nothing that Python
hasn't already loaded, and no failure here may ever reach the user's program.

If Python was told to ignore the environment (``python3 -E``, ``-I``), our variables are ignored too,
also by the agent: whoever can set them should not decide what happens there.

pytest rewrites the modules of packages with plugins, and warns of those that are imported already. The
next line keeps it from this one: PYTEST_DONT_REWRITE
"""

import _imp
import _thread
import os
import sys

AGENT = "libska-tango-event-agent.so"

# The agent's path relative to this file: next to it (in a patched PyTango), or in the environment that this
# file is installed in (PREFIX/lib/python3.X/site-packages).
_PLACES = (
    ("",),
    ("..", "..", "..", "lib", "ska-tango-event-monitor"),
)


def _setting(name):
    """An environment variable, or None."""
    return None if sys.flags.ignore_environment else os.environ.get(name)


def agent_path():
    """The absolute path of the agent's library; raises FileNotFoundError if it isn't there.

    ``SKA_TANGO_EVENT_AGENT_LIB`` names another one.
    """
    named = _setting("SKA_TANGO_EVENT_AGENT_LIB")
    return os.path.abspath(named) if named else installed_path()


def installed_path():
    """Like :func:`agent_path`, but always the library that belongs to this file."""
    here = os.path.dirname(os.path.abspath(__file__))
    for place in _PLACES:
        path = os.path.normpath(os.path.join(here, *place, AGENT))
        if os.path.isfile(path):
            return path
    raise FileNotFoundError("there is no %s for %s: install the package into an environment" % (AGENT, here))


def is_switched_off():
    """Whether the environment switches the agent off: ``SKA_TANGO_EVENT_AGENT=off``."""
    return (_setting("SKA_TANGO_EVENT_AGENT") or "").lower() in ("off", "0", "no", "false")


class _Module:
    """What ``_imp.create_dynamic`` needs to know about an extension module."""

    def __init__(self, name, origin):
        self.name = name
        self.origin = origin


def is_sub_interpreter():
    """Whether this isn't the process's main interpreter; false for a Python that doesn't say, up to 3.12
    or so, where opening the agent works in sub-interpreters too."""
    is_main = getattr(_thread, "_is_main_interpreter", None)
    return is_main is not None and not is_main()


def open_agent():
    """Open the agent's library for the whole process; raises OSError.

    The functions that it replaces have to be found in it before they are found in libtango.

    It is opened like an extension module, whose init function makes it visible to the whole process
    and creates no module (``python_entry.c``). Nothing else is imported here: a finder is called with
    a lock of importlib's held, and another thread may be waiting for that lock while it is importing
    what would be needed here. A second call changes nothing.
    """
    if is_sub_interpreter():
        # Python 3.14 prints what it means by opening it, as an exception, on standard error.
        raise OSError("a sub-interpreter can't open the event agent: open it in the main one")
    name = "ska_tango_event_agent"
    if sys.flags.ignore_environment:
        name += "_isolated"
    try:
        _imp.create_dynamic(_Module(name, agent_path()))
    except ImportError as error:
        raise OSError(str(error)) from error
    except SystemError as error:
        if name in str(error):
            return  # "initialization of NAME failed without raising an exception": it was called
        raise
    raise OSError("%s isn't the agent" % agent_path())


_tried = False


def load():
    """Open the agent, unless that is switched off, or in a sub-interpreter, where no server runs.

    A failure is one line on standard error, once.

    Two threads may do so at the same time. An interrupted call (Ctrl-C, stack overflow) counts as not
    tried.
    """
    global _tried
    if _tried or is_switched_off() or is_sub_interpreter():
        return
    try:
        open_agent()
    except (MemoryError, RecursionError):
        return
    except Exception as error:  # pylint: disable=broad-except
        _tried = True
        _say("not loaded: %s" % error)
    _tried = True


def _say(what):
    """Not through sys.stderr: it is the program's, and may import something or wait for a lock."""
    if sys.__stderr__ is None or _setting("SKA_TANGO_EVENT_AGENT_LOG") == "off":
        return  # without a standard error, its number may be that of another file
    line = "ska-tango-event-agent[%d]: %s\n" % (os.getpid(), what)
    try:
        os.write(2, line.encode("utf-8", "backslashreplace"))
    except OSError:
        pass


class _BeforeTango:
    """The first of the module finders, which finds nothing; the first time that Tango is looked for, it
    opens the agent.

    It stays there: other threads may be iterating over that list, and would miss the next finder
    if this one were removed.
    """

    @staticmethod
    def find_spec(fullname, path=None, target=None):
        if fullname in ("tango", "PyTango"):
            try:
                load()
            except Exception:  # pylint: disable=broad-except
                pass
        return None


def wait_for_tango():
    """Make sure that the agent is opened if this process ever imports Tango."""
    if not is_switched_off() and _BeforeTango not in sys.meta_path:
        sys.meta_path.insert(0, _BeforeTango)
