#!/usr/bin/python3
"""The client of the demo: waits for the controller's event."""

import tango
from tango.server import Device, attribute, device_property, run


class Client(Device):
    controller = device_property(dtype=str, default_value="demo/top/1")

    def init_device(self):
        super().init_device()
        self._told = False
        self._controller = tango.DeviceProxy(self.controller)
        self._controller.subscribe_event("ready", tango.EventType.CHANGE_EVENT, self._on_ready)

    def _on_ready(self, event):
        self._told = self._told or not event.err and event.attr_value.value

    @attribute(dtype=bool)
    def told(self):
        """Whether the controller's event has come."""
        return self._told


if __name__ == "__main__":
    run((Client,))
