#!/usr/bin/python3
"""The hardware of the demo: a motor. It pushes events from a thread of its own, as drivers do."""

import threading

import tango
from tango.server import Device, attribute, command, run

PERIOD_S = 0.1


class Motor(Device):
    def init_device(self):
        super().init_device()
        self._position = self._target = 0.0
        self._moving = False
        self._end = threading.Event()
        for name in ("position", "moving"):
            self.set_change_event(name, True, False)
        threading.Thread(target=self._drive, daemon=True).start()

    def delete_device(self):
        self._end.set()

    @attribute(dtype=float)
    def position(self):
        """Where it is; an event ten times a second."""
        return self._position

    @attribute(dtype=bool)
    def moving(self):
        """Whether it moves; an event when it begins and when it ends."""
        return self._moving

    def _set_moving(self, moving):
        if moving != self._moving:
            self._moving = moving
            self.push_change_event("moving", moving)

    def _drive(self):
        with tango.EnsureOmniThread():
            while not self._end.wait(PERIOD_S):
                self._set_moving(self._position < self._target)
                if self._moving:
                    self._position = round(self._position + 0.1, 1)
                self.push_change_event("position", self._position)

    @command(dtype_in=float, doc_in="how far")
    def MoveTo(self, target):
        """Starts at 0; returns at once."""
        self._position, self._target = 0.0, target


if __name__ == "__main__":
    run((Motor,))
