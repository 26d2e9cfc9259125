#!/usr/bin/python3
"""A test server that subscribes on request, and counts what reaches its callbacks."""

import json
import os
import socket
import threading
import time

import tango
from tango.server import Device, attribute, command, run

EVENT_TYPES = {
    "change": tango.EventType.CHANGE_EVENT,
    "periodic": tango.EventType.PERIODIC_EVENT,
    "archive": tango.EventType.ARCHIVE_EVENT,
    "user_event": tango.EventType.USER_EVENT,
    "attr_conf": tango.EventType.ATTR_CONF_EVENT,
    "data_ready": tango.EventType.DATA_READY_EVENT,
    "intr_change": tango.EventType.INTERFACE_CHANGE_EVENT,
}
# Pipes went with cppTango 10.1, alarm events came with 10.0.
for _name in ("pipe", "alarm"):
    if hasattr(tango.EventType, f"{_name.upper()}_EVENT"):
        EVENT_TYPES[_name] = getattr(tango.EventType, f"{_name.upper()}_EVENT")


class Subscription:
    """One subscription and what its callback saw. Kept by whoever made it until unsubscribed."""

    def __init__(self, name, event_type):
        kind, _, option = event_type.partition(":")
        if option not in ("", "stateless", "async"):
            raise ValueError(f"{event_type}: the option after ':' can be 'stateless' or 'async'")
        # tango://host:port/a/b/c/attr#dbase=no: the attribute is before the '#'.
        path, hash_sign, tail = name.partition("#")
        device, _, attr = path.rpartition("/")
        self.received = 0
        self.errors = 0
        self.last_value = None
        self.last_error = ""
        self.delay_s = 0.0
        self._proxy = tango.DeviceProxy(device + hash_sign + tail)
        if kind == "intr_change":  # of the whole device
            self._id = self._proxy.subscribe_event(EVENT_TYPES[kind], self._on_event)
        elif option == "async":  # from 10.1 on
            self._id = self._proxy.subscribe_event(
                attr, EVENT_TYPES[kind], self._on_event, tango.EventSubMode.Async
            )
        else:
            self._id = self._proxy.subscribe_event(
                attr, EVENT_TYPES[kind], self._on_event, [], option == "stateless"
            )

    def _on_event(self, event):
        if event.err:
            self.errors += 1
            self.last_error = event.errors[0].desc if event.errors else "unknown"
        else:
            self.received += 1
            value = getattr(event, "attr_value", None)
            self.last_value = None if value is None else value.value
        if self.delay_s > 0:
            time.sleep(self.delay_s)

    def unsubscribe(self):
        self._proxy.unsubscribe_event(self._id)


class Subscriber(Device):
    def init_device(self):
        super().init_device()
        self._subscriptions = {}
        self._nested = []
        self._gone_received = 0
        self._gone_errors = 0
        self._delay_s = 0.0
        self._lock = threading.Lock()
        self.set_state(tango.DevState.ON)

    def _all(self):
        with self._lock:
            return dict(self._subscriptions)

    @attribute(dtype="DevLong64")
    def received(self):
        """Callbacks with a value, over all subscriptions made since the server started."""
        return self._gone_received + sum(s.received for s in self._all().values())

    @attribute(dtype="DevLong64")
    def errors(self):
        """Callbacks with an error, over all subscriptions made since the server started."""
        return self._gone_errors + sum(s.errors for s in self._all().values())

    @attribute(dtype=str)
    def details(self):
        """JSON: {"attribute event type": {"received", "errors", "last_value", "last_error"}}."""
        return json.dumps(
            {
                key: {
                    "received": s.received,
                    "errors": s.errors,
                    "last_value": s.last_value,
                    "last_error": s.last_error,
                }
                for key, s in self._all().items()
            },
            default=str,
        )

    @command(
        dtype_in="DevVarStringArray",
        doc_in="pairs: full attribute name, event type (change, periodic, archive, user_event,"
        " attr_conf, data_ready, intr_change, pipe, alarm; ':stateless' or ':async' may follow)",
    )
    def Subscribe(self, names_and_types):
        for name, event_type in zip(names_and_types[0::2], names_and_types[1::2]):
            key = f"{name} {event_type}"
            if key in self._all():
                raise RuntimeError(f"already subscribed: {key}")
            subscription = Subscription(name, event_type)
            subscription.delay_s = self._delay_s
            with self._lock:
                self._subscriptions[key] = subscription

    @command(
        dtype_in="DevVarStringArray",
        doc_in="two pairs as for Subscribe: the first fails, whereupon the same thread makes the second",
    )
    def SubscribeAfterFailure(self, names_and_types):
        try:
            self.Subscribe(names_and_types[:2])
        except tango.DevFailed:
            self.Subscribe(names_and_types[2:])
        else:
            raise RuntimeError(f"{names_and_types[0]} was meant to fail")

    @command(
        dtype_in="DevVarStringArray",
        doc_in="pairs as for Subscribe: each is subscribed to by the callback of the one before,"
        " which Tango calls while it subscribes to that",
    )
    def SubscribeNested(self, names_and_types):
        outer, inner = names_and_types[:2], names_and_types[2:]
        if not inner:
            self.Subscribe(outer)
            return
        device, _, attr = outer[0].rpartition("/")
        proxy = tango.DeviceProxy(device)
        done = []

        def on_event(_):
            if not done:
                done.append(True)
                self.SubscribeNested(inner)

        proxy.subscribe_event(attr, EVENT_TYPES[outer[1]], on_event)
        self._nested.append(proxy)

    @command(
        dtype_in="DevVarStringArray",
        doc_in="pairs as for Subscribe, or nothing: unsubscribe from all",
    )
    def Unsubscribe(self, names_and_types):
        pairs = zip(names_and_types[0::2], names_and_types[1::2])
        keys = [f"{name} {event_type}" for name, event_type in pairs] or list(self._all())
        for key in keys:
            with self._lock:
                subscription = self._subscriptions.pop(key)
            subscription.unsubscribe()
            self._gone_received += subscription.received
            self._gone_errors += subscription.errors

    @command(dtype_in=float, doc_in="seconds that every callback sleeps: a slow consumer")
    def SetCallbackDelay(self, seconds):
        self._delay_s = seconds
        for subscription in self._all().values():
            subscription.delay_s = seconds

    @command(
        dtype_in="DevVarLongArray",
        dtype_out="DevLong",
        doc_in="ports: this process's connections to them break, as when a cable is pulled",
        doc_out="how many did",
    )
    def BreakConnections(self, ports):
        broken = 0
        for name in os.listdir("/proc/self/fd"):
            try:
                with socket.socket(fileno=os.dup(int(name))) as its_copy:
                    peer = its_copy.getpeername()
                    if isinstance(peer, tuple) and peer[1] in ports:
                        its_copy.shutdown(socket.SHUT_RDWR)
                        broken += 1
            except OSError:
                pass  # closed meanwhile, no socket, or not connected
        return broken


if __name__ == "__main__":
    run((Subscriber,))
