#!/usr/bin/python3
"""A test server that publishes change events, so that a test knows how many there were.

Attributes: ``attr`` is polled and changes on every poll, so it makes one event per poll;
``burst`` is pushed by code, by the commands; ``pushed`` and ``pushing`` show their progress.
"""

import threading
import time

import tango
from tango.server import Device, attribute, command, run

POLL_PERIOD_MS = 200


class Publisher(Device):
    def init_device(self):
        super().init_device()
        self._value = 0.0
        self._pushed = 0
        self._error = ""
        self._pushing = None
        self.set_change_event("burst", True, False)
        self.poll_attribute("attr", POLL_PERIOD_MS)
        self.set_state(tango.DevState.ON)

    @attribute(dtype=float, abs_change="0.5")
    def attr(self):
        """Another value each time it is read: an event with every poll."""
        self._value += 1.0
        return self._value

    @attribute(dtype=float)
    def burst(self):
        """The number of the newest pushed event, counted from 1."""
        return float(self._pushed)

    @attribute(dtype="DevLong64")
    def pushed(self):
        """How often push_change_event was called for ``burst`` since the server started."""
        return self._pushed

    @attribute(dtype=bool)
    def pushing(self):
        """Whether a PushPaced is under way."""
        return self._is_pushing()

    @attribute(dtype=str)
    def push_error(self):
        """Why the last PushPaced ended early; empty when it didn't."""
        return self._error

    def _is_pushing(self):
        return self._pushing is not None and self._pushing.is_alive()

    def _push_one(self):
        self._pushed += 1
        self.push_change_event("burst", float(self._pushed))

    def _push_paced(self, count, per_second):
        with tango.EnsureOmniThread():
            try:
                start = time.monotonic()
                for done in range(count):
                    late = start + done / per_second - time.monotonic()
                    if late > 0:
                        time.sleep(late)
                    self._push_one()
            except Exception as error:
                self._error = str(error)

    @command(dtype_in="DevLong", doc_in="how many events of burst to push, as fast as possible")
    def PushBurst(self, count):
        for _ in range(count):
            self._push_one()

    @command(dtype_in="DevVarLongArray", doc_in="[number of events, events per second]")
    def PushPaced(self, count_and_rate):
        """Returns at once; ``pushing`` is true until the last event went out."""
        if self._is_pushing():
            raise RuntimeError("a PushPaced is still under way")
        count, per_second = (int(number) for number in count_and_rate)
        self._error = ""
        self._pushing = threading.Thread(target=self._push_paced, args=(count, per_second))
        self._pushing.daemon = True
        self._pushing.start()


if __name__ == "__main__":
    run((Publisher,))
