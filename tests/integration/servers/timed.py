#!/usr/bin/python3
"""A test publisher of events that are large, or have a timestamp of the code's own."""

import time

import numpy
from publisher import Publisher
from tango import AttrQuality
from tango.server import attribute, command, run

SIZE = 1_000_000


class Timed(Publisher):
    def init_device(self):
        super().init_device()
        self._image = numpy.zeros(SIZE)
        self.set_change_event("image", True, False)

    @attribute(dtype=(float,), max_dim_x=SIZE)
    def image(self):
        return self._image

    @command(dtype_in=int, doc_in="how many events of image to push")
    def PushImages(self, count):
        for _ in range(count):
            self._image[0] += 1
            self.push_change_event("image", self._image)

    @command(dtype_in="DevVarDoubleArray", doc_in="how many events of burst, and how many seconds from now they are")
    def PushAsOf(self, count_and_seconds):
        count, seconds = count_and_seconds
        for _ in range(int(count)):
            self._pushed += 1
            self.push_change_event("burst", float(self._pushed), time.time() + seconds, AttrQuality.ATTR_VALID)


if __name__ == "__main__":
    run((Timed,))
