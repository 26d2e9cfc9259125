#!/usr/bin/python3
"""The weather station. It dies now and then, and a supervisor starts it again some seconds later."""

import math
import os
import resource
import sys
import threading
import time

import tango
from tango.server import Device, attribute, run

LIVES_S = 50.0
GONE_S = 6
PERIOD_S = 1.0


class Weather(Device):
    def init_device(self):
        super().init_device()
        self._begin = time.monotonic()
        for name in ("wind_speed", "temperature", "humidity"):
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
                self.push_change_event("wind_speed", self._wind_speed())
                self.push_change_event("temperature", self._temperature())
                self.push_change_event("humidity", self._humidity())

    def _wind_speed(self):
        return 6.0 + 3.0 * math.sin(self._seconds())

    def _temperature(self):
        return 21.0 + math.sin(self._seconds() / 30)

    def _humidity(self):
        return 40.0 + 5.0 * math.cos(self._seconds() / 30)

    @attribute(dtype=float, unit="m/s")
    def wind_speed(self):
        return self._wind_speed()

    @attribute(dtype=float, unit="degC")
    def temperature(self):
        return self._temperature()

    @attribute(dtype=float, unit="%")
    def humidity(self):
        return self._humidity()


def die():
    """As by kill -9; but it stays the same process, so that whoever started it can end it."""
    os.closerange(3, resource.getrlimit(resource.RLIMIT_NOFILE)[0])
    os.execv("/bin/sh", ["sh", "-c", f'sleep {GONE_S}; exec "$@"', "sh", sys.executable, *sys.argv])


if __name__ == "__main__":
    timer = threading.Timer(LIVES_S, die)
    timer.daemon = True
    timer.start()
    run((Weather,))
