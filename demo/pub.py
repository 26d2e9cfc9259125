#!/usr/bin/python3
"""The publishing device of the demo: attributes that change, and a command that pushes too many events."""

import math
import time

import tango
from tango.server import Device, attribute, command, run

POLL_PERIOD_MS = 200


class EventPublisher(Device):
    """Change events come from polling, as with most devices; those of ``burst`` from code."""

    def init_device(self):
        super().init_device()
        self._start = time.monotonic()
        self._pushed = 0
        self.set_change_event("burst", True, False)
        self.set_state(tango.DevState.ON)

    def _seconds(self):
        return time.monotonic() - self._start

    @attribute(dtype=float, unit="degC", polling_period=POLL_PERIOD_MS, abs_change="0.01")
    def temperature(self):
        """Swings slowly; sends an event whenever it moved by 0.01."""
        return 20.0 + 5.0 * math.sin(self._seconds())

    @attribute(dtype="DevLong64", polling_period=POLL_PERIOD_MS, abs_change="1")
    def uptime_ms(self):
        """Another value each time it is read: an event with every poll."""
        return int(1000 * self._seconds())

    @attribute(dtype=(float,), max_dim_x=64, polling_period=POLL_PERIOD_MS, abs_change="0.01")
    def waveform(self):
        """64 values: a larger event."""
        return [math.sin(self._seconds() + i * math.pi / 32) for i in range(64)]

    @attribute(dtype="DevLong64")
    def burst(self):
        """The number of the newest event that PushBurst pushed."""
        return self._pushed

    @command(dtype_in="DevLong", doc_in="how many events of burst to push, as fast as possible")
    def PushBurst(self, count):
        """Past ZeroMQ's high-water mark (1000 messages by default) a slow subscriber loses some."""
        for _ in range(count):
            self._pushed += 1
            self.push_change_event("burst", self._pushed)


if __name__ == "__main__":
    run((EventPublisher,))
