#!/usr/bin/python3
"""Publisher and subscriber in one process: one agent sees both ends of a stream."""

from publisher import Publisher
from subscriber import Subscriber
from tango.server import run

if __name__ == "__main__":
    run((Publisher, Subscriber))
