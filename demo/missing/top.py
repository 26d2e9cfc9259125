#!/usr/bin/python3
"""The controller of the demo: follows the motor, and tells its clients when they may go on.

It has a mistake that is made every day: a callback that waits for another event. Callbacks run one
after the other, in the one thread of the process that receives events, so that event can't arrive.
With MENDED in its environment, the controller does the same without waiting.
"""

import os
import threading

import tango
from tango.server import Device, attribute, device_property, run

NEARLY = 2.0  # from here on the rest goes without saying


class Controller(Device):
    motor = device_property(dtype=str, default_value="demo/hw/1")

    def init_device(self):
        super().init_device()
        self._ready = False
        self._there = threading.Event()
        self.set_change_event("ready", True, False)
        self._motor = tango.DeviceProxy(self.motor)
        on_moving = self._on_moving_mended if "MENDED" in os.environ else self._on_moving
        self._ids = [
            self._motor.subscribe_event(name, tango.EventType.CHANGE_EVENT, callback)
            for name, callback in (("moving", on_moving), ("position", self._on_position))
        ]

    def delete_device(self):
        self._there.set()

    @attribute(dtype=bool)
    def ready(self):
        """Whether the motor is where it should be; clients wait for the event."""
        return self._ready

    def _set_ready(self, ready):
        self._ready = ready
        self.push_change_event("ready", ready)

    def _on_position(self, event):
        if event.err or event.attr_value.value < NEARLY:
            return
        self._there.set()
        if "MENDED" in os.environ and not self._ready:
            self._set_ready(True)

    def _on_moving(self, event):
        if event.err or not event.attr_value.value:
            return
        self._there.wait()  # for _on_position, which the same thread would have to call
        self._set_ready(True)

    def _on_moving_mended(self, event):
        """The rest is up to _on_position."""
        if not event.err and event.attr_value.value:
            self._set_ready(False)


if __name__ == "__main__":
    run((Controller,))
