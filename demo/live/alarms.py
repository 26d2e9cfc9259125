#!/usr/bin/python3
"""The alarm handler: sends a mail in its callback now and then, and waits for a mail server that is slow."""

import time

from follower import COOLING, WEATHER, Follower
from tango.server import run

FIRST_S = 20.0
EVERY_S = 60.0
WAITS_S = 18.0


class Alarms(Follower):
    attributes = COOLING + WEATHER

    def init_device(self):
        self._next = time.monotonic() + FIRST_S
        super().init_device()

    def on_event(self, event):
        if event.err or time.monotonic() < self._next:
            return
        self.stopping.wait(WAITS_S)
        self._next = time.monotonic() + EVERY_S


if __name__ == "__main__":
    run((Alarms,))
