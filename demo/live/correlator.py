#!/usr/bin/python3
"""The correlator: spectra all the time, and now and then a whole delay model, faster than anybody reads it."""

import math
import threading
import time

import tango
from tango.server import Device, attribute, run

CHANNELS = 64
SPECTRA_S = 0.01
MODEL_S = 20.0
MODEL_EVENTS = 8000
COEFFICIENTS = 128


class Correlator(Device):
    def init_device(self):
        super().init_device()
        self._models = 0
        for name in ("spectrum", "delays"):
            self.set_change_event(name, True, False)
        self._stopping = threading.Event()
        self._threads = [threading.Thread(target=each, daemon=True) for each in (self._push_spectra, self._push_models)]
        for thread in self._threads:
            thread.start()
        self.set_state(tango.DevState.ON)

    def delete_device(self):
        self._stopping.set()
        for thread in self._threads:
            thread.join(5)

    def _push_spectra(self):
        with tango.EnsureOmniThread():
            while not self._stopping.wait(SPECTRA_S):
                self.push_change_event("spectrum", self._spectrum())

    def _push_models(self):
        with tango.EnsureOmniThread():
            while not self._stopping.wait(MODEL_S):
                for _ in range(MODEL_EVENTS):
                    self._models += 1
                    self.push_change_event("delays", self._delays())
                    if self._stopping.is_set():
                        return

    def _spectrum(self):
        return [math.sin(time.monotonic() + i) for i in range(CHANNELS)]

    def _delays(self):
        return [float(self._models)] * COEFFICIENTS

    @attribute(dtype=(float,), max_dim_x=CHANNELS)
    def spectrum(self):
        return self._spectrum()

    @attribute(dtype=(float,), max_dim_x=COEFFICIENTS)
    def delays(self):
        """Of 8,000 sources, one event each."""
        return self._delays()


if __name__ == "__main__":
    run((Correlator,))
