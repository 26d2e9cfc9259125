"""Notices when the devices of PyTango's test contexts start, and before they end.

PYTEST_DONT_REWRITE
"""

import functools
import importlib.machinery
import sys

MODULE = "tango.test_context"

#: The admin devices of the contexts that are open, by the contexts' ids.
open_contexts = {}
#: Objects whose ``context_started(name)``, ``context_ends(name)`` and ``context_ended(name)`` are called.
listeners = []


def _tell(what, name):
    for listener in list(listeners):
        try:
            getattr(listener, what)(name)
        except Exception as error:  # pylint: disable=broad-except
            listener.failed(error)


def _name_of(context):
    try:
        return context.get_server_access()
    except Exception:  # pylint: disable=broad-except
        return None


def _wrap(module):
    context_class = getattr(module, "MultiDeviceTestContext", None)
    if context_class is None or hasattr(context_class, "_tango_events_wrapped"):
        return
    start, stop = context_class.start, context_class.stop

    @functools.wraps(start)
    def started(self, *args, **kwargs):
        result = start(self, *args, **kwargs)
        name = _name_of(self)
        if name is not None:
            open_contexts[id(self)] = name
            _tell("context_started", name)
        return result

    @functools.wraps(stop)
    def stopped(self, *args, **kwargs):
        name = open_contexts.pop(id(self), None)
        if name is not None:
            _tell("context_ends", name)
        try:
            return stop(self, *args, **kwargs)
        finally:
            if name is not None:
                _tell("context_ended", name)

    context_class.start, context_class.stop = started, stopped
    context_class._tango_events_wrapped = True


class _WhenImported:
    """A module finder that finds ``tango.test_context`` where it is, and wraps it once it is executed."""

    @staticmethod
    def find_spec(fullname, path=None, target=None):
        if fullname != MODULE:
            return None
        spec = importlib.machinery.PathFinder.find_spec(fullname, path, target)
        execute = getattr(spec and spec.loader, "exec_module", None)
        if execute is None:
            return None

        def exec_module(module):
            execute(module)
            _wrap(module)

        try:
            spec.loader.exec_module = exec_module
        except AttributeError:
            return None
        return spec


def install():
    """From now on; a second call does nothing. Imports nothing."""
    if MODULE in sys.modules:
        _wrap(sys.modules[MODULE])
    elif _WhenImported not in sys.meta_path:
        sys.meta_path.insert(0, _WhenImported)
