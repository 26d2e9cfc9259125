#!/usr/bin/python3
"""A script as there are many: it receives events, and writes each into a file. It is no device server.

It has a mistake that is made every day: it does so in the callback, and waits until the disk has the line, or what
else is slow; here it just sleeps. Callbacks run one after the other, in the one thread of the process that receives
events, so the others wait meanwhile, and in the end some are lost.
"""

import os
import sys
import time

import tango

WRITING_TAKES_S = 0.4


def write(event):
    if not event.err:
        print(event.attr_value.time, event.attr_name, event.attr_value.value, file=log, flush=True)
        time.sleep(WRITING_TAKES_S)


log = open(sys.argv[1] if len(sys.argv) > 1 else os.devnull, "w", encoding="utf-8")
device = tango.DeviceProxy("foo/bar/pub")
for name in ("uptime_ms", "temperature"):
    device.subscribe_event(name, tango.EventType.CHANGE_EVENT, write)
print("logging foo/bar/pub", flush=True)
while True:
    time.sleep(60)
