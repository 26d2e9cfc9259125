#!/usr/bin/python3
"""A publisher in the green mode that GREEN_MODE in the environment names."""

import os

import tango
from tango.server import Device, attribute, command, run

MODE = tango.GreenMode.names[os.environ["GREEN_MODE"]]


class Green(Device):
    green_mode = MODE

    def init_device(self):
        super().init_device()
        self._prepare()

    def _prepare(self):
        self._value = 0
        self.set_change_event("value", True, False)


if MODE == tango.GreenMode.Asyncio:

    class GreenPublisher(Green):
        async def init_device(self):
            await Device.init_device(self)
            self._prepare()

        @attribute(dtype=int)
        async def value(self):
            return self._value

        @command(dtype_in=int)
        async def PushBurst(self, count):
            for _ in range(count):
                self._value += 1
                self.push_change_event("value", self._value)

else:

    class GreenPublisher(Green):
        @attribute(dtype=int)
        def value(self):
            return self._value

        @command(dtype_in=int)
        def PushBurst(self, count):
            for _ in range(count):
                self._value += 1
                self.push_change_event("value", self._value)


if __name__ == "__main__":
    run((GreenPublisher,), green_mode=MODE)
