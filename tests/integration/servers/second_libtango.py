#!/usr/bin/python3
"""The test publisher, in a process that has loaded another libtango before PyTango's own."""

import ctypes
import os

ctypes.CDLL(os.environ["SECOND_LIBTANGO"])

from publisher import Publisher  # noqa: E402
from tango.server import run  # noqa: E402

if __name__ == "__main__":
    run((Publisher,))
