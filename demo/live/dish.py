#!/usr/bin/python3
"""Four dishes in one server: where they point, pushed ten times a second, and what Tango polls."""

import math
import threading
import time

import tango
from tango.server import Device, attribute, run

PERIOD_S = 0.1


class Dish(Device):
    def init_device(self):
        super().init_device()
        self._begin = time.monotonic()
        for name in ("azimuth", "elevation"):
            self.set_change_event(name, True, False)
        self._stopping = threading.Event()
        self._pusher = threading.Thread(target=self._push, daemon=True)
        self._pusher.start()
        self.set_state(tango.DevState.ON)

    def delete_device(self):
        self._stopping.set()
        self._pusher.join(5)

    def _seconds(self):
        return time.monotonic() - self._begin

    def _push(self):
        with tango.EnsureOmniThread():
            while not self._stopping.wait(PERIOD_S):
                self.push_change_event("azimuth", self._azimuth())
                self.push_change_event("elevation", self._elevation())

    def _azimuth(self):
        return (10.0 * self._seconds()) % 360.0

    def _elevation(self):
        return 45.0 + 30.0 * math.sin(self._seconds() / 20)

    @attribute(dtype=float, unit="deg")
    def azimuth(self):
        return self._azimuth()

    @attribute(dtype=float, unit="deg")
    def elevation(self):
        return self._elevation()

    @attribute(dtype=float, unit="K", polling_period=500, abs_change="0.001")
    def receiver_temperature(self):
        return 16.0 + 0.1 * math.sin(self._seconds())


if __name__ == "__main__":
    run((Dish,))
