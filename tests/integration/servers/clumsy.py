#!/usr/bin/python3
"""A test subscriber whose callbacks do what callbacks shouldn't: block, wait for locks, subscribe."""

import threading

import tango
from subscriber import EVENT_TYPES, Subscriber
from tango.server import attribute, command, run


def parts_of(name):
    """The device and the attribute of tango://host:port/a/b/c/attr#dbase=no."""
    path, hash_sign, tail = name.partition("#")
    device, _, attr = path.rpartition("/")
    return device + hash_sign + tail, attr


class Clumsy(Subscriber):
    def init_device(self):
        super().init_device()
        self._proxies = []
        self._users_lock = threading.Lock()
        self._released = threading.Event()
        self._error_waits = threading.Event()
        self._thread = None

    @attribute(dtype=bool)
    def error_waits(self):
        """Whether a callback with an error waits for the lock."""
        return self._error_waits.is_set()

    def _subscribe(self, name, callback, stateless=False):
        device, attr = parts_of(name)
        proxy = tango.DeviceProxy(device)
        self._proxies.append(proxy)
        proxy.subscribe_event(attr, EVENT_TYPES["change"], callback, [], stateless)

    @command(dtype_in=str, doc_in="an attribute, whose callbacks block from the second one on until Release")
    def SubscribeAndBlock(self, name):
        seen = []

        def on_event(event):
            seen.append(event.err)
            if len(seen) > 1:
                self._released.wait()

        self._subscribe(name, on_event)

    @command
    def Release(self):
        self._released.set()

    @command(
        dtype_in="DevVarStringArray",
        doc_in="two attributes: the second one is subscribed to by the second callback of the first",
    )
    def SubscribeInCallback(self, names):
        seen = []

        def on_event(_):
            seen.append(True)
            if len(seen) == 2:
                # Tango doesn't allow another one there.
                self._subscribe(names[1], lambda event: None, stateless=True)

        self._subscribe(names[0], on_event)

    @command(dtype_in=str, doc_in="an attribute, whose callbacks with errors take the lock")
    def SubscribeWithLockForErrors(self, name):
        def on_event(event):
            if event.err:
                self._error_waits.set()
                with self._users_lock:
                    pass

        self._subscribe(name, on_event)

    @command(dtype_in=str, doc_in="an attribute, to be subscribed to under the lock once an error waits for it")
    def SubscribeUnderLock(self, name):
        def subscribe():
            with tango.EnsureOmniThread(), self._users_lock:
                self._error_waits.wait()
                self._subscribe(name, lambda event: None)

        self._thread = threading.Thread(target=subscribe, daemon=True)
        self._thread.start()


if __name__ == "__main__":
    run((Clumsy,))
