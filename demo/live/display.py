#!/usr/bin/python3
"""The operators' display: draws in its callbacks, which is too slow for a delay model; and it subscribes to a
device whose name somebody mistyped."""

import time

from follower import CORRELATOR, POINTING, Follower
from tango.server import run

DRAWING_S = 0.002


class Display(Follower):
    attributes = POINTING + CORRELATOR
    wished = ("demo/wheather/1/wind_speed",)

    def on_event(self, event):
        if not event.err and event.attr_name.endswith("/delays"):
            time.sleep(DRAWING_S)


if __name__ == "__main__":
    run((Display,))
