#!/usr/bin/python3
"""The archiver: subscribes to everything, and is quick."""

from follower import COOLING, CORRELATOR, POINTING, WEATHER, Follower
from tango.server import run


class Archiver(Follower):
    attributes = POINTING + COOLING + CORRELATOR + WEATHER


if __name__ == "__main__":
    run((Archiver,))
