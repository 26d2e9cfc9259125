#!/usr/bin/python3
"""The subscribing device of the demo: subscribes when it is told, and counts what arrives."""

import threading

import tango
from tango.server import Device, attribute, command, device_property, run

# Not a polled one first: a poll that meets the first subscription of all crashes the publisher
# (cppTango's issue 631).
ATTRIBUTES = ("burst", "temperature", "uptime_ms", "waveform")


class EventSubscriber(Device):
    publisher = device_property(dtype=str, default_value="foo/bar/pub")

    def init_device(self):
        super().init_device()
        self._lock = threading.Lock()
        self._proxy = None
        self._ids = []
        self._received = 0
        self._errors = 0
        self.set_state(tango.DevState.ON)

    def delete_device(self):
        self.CleanSubscription()

    def _on_event(self, event):
        if event.err:
            self._errors += 1
        else:
            self._received += 1

    @attribute(dtype="DevLong64")
    def received(self):
        """Callbacks that brought a value."""
        return self._received

    @attribute(dtype="DevLong64")
    def errors(self):
        """Callbacks that brought an error."""
        return self._errors

    @command
    def StartSubscription(self):
        """Subscribe to the change events of every attribute of the publisher; once is enough."""
        with self._lock:
            if self._ids:
                return
            self._proxy = tango.DeviceProxy(self.publisher)
            for name in ATTRIBUTES:
                self._ids.append(
                    self._proxy.subscribe_event(
                        name, tango.EventType.CHANGE_EVENT, self._on_event
                    )
                )

    @command
    def StartSubscriptions(self):
        """The same as StartSubscription, under the name that the older tool's demo gave it."""
        self.StartSubscription()

    @command
    def CleanSubscription(self):
        """Unsubscribe from everything."""
        with self._lock:
            while self._ids:
                self._proxy.unsubscribe_event(self._ids.pop())


if __name__ == "__main__":
    run((EventSubscriber,))
