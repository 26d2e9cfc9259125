"""Shared by the subscribers of the demo: a device that subscribes when it starts, and tries until it works."""

import threading

import tango
from tango.server import Device

AGAIN_S = 1.0

DISHES = tuple(f"demo/dish/{number}" for number in (1, 2, 3, 4))
# Pushed by code, these come first: a poll that meets the first subscription of all crashes the publisher
# (cppTango's issue 631).
POINTING = tuple(f"{dish}/{name}" for dish in DISHES for name in ("azimuth", "elevation"))
COOLING = tuple(f"{dish}/receiver_temperature" for dish in DISHES)
CORRELATOR = ("demo/correlator/1/spectrum", "demo/correlator/1/delays")
WEATHER = tuple(f"demo/weather/1/{name}" for name in ("wind_speed", "temperature", "humidity"))


class Follower(Device):
    """Subscribes to ``attributes`` in a thread, since a publisher may not be there yet; to ``wished`` whether
    or not they exist."""

    attributes = ()
    wished = ()

    def init_device(self):
        super().init_device()
        self.stopping = threading.Event()
        self._proxies = []
        self._thread = threading.Thread(target=self._subscribe_all, daemon=True)
        self._thread.start()
        self.set_state(tango.DevState.ON)

    def delete_device(self):
        self.stopping.set()

    def on_event(self, event):
        """The callback."""

    def _subscribe_all(self):
        with tango.EnsureOmniThread():
            for name in self.attributes:
                while not self.stopping.is_set() and not self._subscribe(name, False):
                    self.stopping.wait(AGAIN_S)
            for name in self.wished:
                self._subscribe(name, True)

    def _subscribe(self, name, stateless):
        device, _, attribute = name.rpartition("/")
        try:
            proxy = tango.DeviceProxy(device)
            proxy.subscribe_event(attribute, tango.EventType.CHANGE_EVENT, self.on_event, [], stateless)
        except tango.DevFailed:
            return False
        self._proxies.append(proxy)
        return True
