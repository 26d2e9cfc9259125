#!/usr/bin/python3
"""A test server whose attribute ``burst`` is forwarded: it is another device's, which the database
names in the property __root_att."""

from tango.server import Device, attribute, run


class Forwarder(Device):
    burst = attribute(name="burst", label="burst", forwarded=True)


if __name__ == "__main__":
    run((Forwarder,))
