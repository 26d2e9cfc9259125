#!/usr/bin/python3
"""A Python server that does everything at once, as hard as it can, and knows the truth about its events
meanwhile: cpp_busy.cpp in Python, with the same commands. GREEN_MODE in the environment names its green mode."""

import _ctypes
import asyncio
import collections
import ctypes
import functools
import gc
import importlib
import json
import os
import random
import signal
import subprocess
import sys
import threading
import time

import tango
from tango.server import Device, attribute, command, run

MODE = tango.GreenMode.names[os.environ.get("GREEN_MODE", "Synchronous")]
LIBRARIES = ("libanl.so.1", "libBrokenLocale.so.1", "libutil.so.1")
# Written in Python, and used by nobody else here.
MODULES = ("colorsys", "sched", "cmd", "graphlib", "chunk", "fileinput")


def allocate():
    kept = [None] * 64
    for number in range(500):
        kept[number % 64] = [bytes(random.randrange(4000)), {number: [number]}]
    gc.collect()


def import_and_open():
    for name in MODULES:
        sys.modules.pop(name, None)
        importlib.import_module(name)
    for name in LIBRARIES:
        _ctypes.dlclose(ctypes.CDLL(name)._handle)


def start_and_end_threads():
    threads = [threading.Thread(target=allocate) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def fork():
    child = os.fork()
    if child == 0:
        allocate()
        os._exit(0)
    ended, status = 0, 0
    deadline = time.monotonic() + 10
    while not ended and time.monotonic() < deadline:
        time.sleep(0.001)
        ended, status = os.waitpid(child, os.WNOHANG)
    if not ended:
        # CPython 3.11 (_PyThreadState_DeleteExcept) waits in the child for a lock that another thread had.
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
    assert status == 0, "the child crashed"


def execute():
    subprocess.run(["/bin/true"], check=True)


def throw():
    for number in range(50):
        try:
            tango.Except.throw_exception("TEST_Reason", str(number), "throw")
        except tango.DevFailed as caught:
            assert caught.args[0].desc == str(number)


def take_signals():
    time.sleep(0.1)


KINDS = {
    "allocate": (2, allocate),
    "libraries": (1, import_and_open),
    "threads": (1, start_and_end_threads),
    "fork": (1, fork),
    "execute": (1, execute),
    "throw": (1, throw),
    "signals": (1, take_signals),
}


def served(method):
    """What an asyncio server wants for a method: a coroutine."""
    if MODE != tango.GreenMode.Asyncio:
        return method

    @functools.wraps(method)
    async def coroutine(self, *arguments):
        return method(self, *arguments)

    return coroutine


class Seen:
    """What the callback of the one subscription saw."""

    def __init__(self):
        self.lock = threading.Lock()
        self.gaps = []  # (before which value, how many)
        self.values = self.last = self.backwards = self.errors = 0

    def __call__(self, event):
        with self.lock:
            if not event.err:
                self.value(int(event.attr_value.value))
            elif event.errors[0].reason != "API_MissedEvents":
                self.errors += 1

    def value(self, number):
        if number == 0:
            return  # not an event: Tango reads the attribute when it subscribes, and reconnects
        self.values += 1
        if self.values > 1 and number <= self.last:
            self.backwards += 1
        elif self.values > 1 and number > self.last + 1:
            self.gaps.append((self.values, number - self.last - 1))
        self.last = number

    def tell(self, tail):
        with self.lock:
            return {
                "values": self.values,
                "last": self.last,
                "gaps": sum(gap for _, gap in self.gaps),
                "gaps_of_tail": sum(gap for at, gap in self.gaps if at > self.values - tail + 1),
                "backwards": self.backwards,
                "errors": self.errors,
            }


class BusyDevice(Device):
    green_mode = MODE

    pusher = None  # the first device
    pushed = 0

    def prepare(self):
        BusyDevice.pusher = BusyDevice.pusher or self
        self._seen = Seen()
        self._resting = True
        self._done = collections.Counter()
        self._threads = []
        self._proxy = None
        self.set_change_event("burst", True, False)
        self.set_state(tango.DevState.ON)

    @staticmethod
    def push(count):
        for _ in range(count):
            BusyDevice.pushed += 1
            BusyDevice.pusher.push_change_event("burst", float(BusyDevice.pushed))

    def keep_pushing(self):
        with tango.EnsureOmniThread():
            while not self._resting:
                self.push(10)
                self._done["push"] += 10

    def push_in_greenlet(self):
        import gevent

        while not self._resting:
            self.push(10)
            self._done["push"] += 10
            gevent.sleep(0)

    async def push_in_task(self):
        while not self._resting:
            self.push(10)
            self._done["push"] += 10
            await asyncio.sleep(0)

    def begin_pushing(self):
        if MODE == tango.GreenMode.Asyncio:
            self._task = asyncio.get_running_loop().create_task(self.push_in_task())
        elif MODE == tango.GreenMode.Gevent:
            import gevent

            self._task = gevent.spawn(self.push_in_greenlet)
        else:
            self.begin_thread(self.keep_pushing)

    def begin_thread(self, target):
        thread = threading.Thread(target=target, daemon=True)
        thread.start()
        self._threads.append(thread)

    def keep_doing(self, name, once):
        with tango.EnsureOmniThread():
            while not self._resting:
                once()
                self._done[name] += 1

    def load(self, name):
        self._resting = False
        if name == "push":
            self.begin_pushing()
            return
        if name == "signals":
            signal.setitimer(signal.ITIMER_REAL, 0.0003, 0.0003)
        count, once = KINDS[name]
        for _ in range(count):
            self.begin_thread(functools.partial(self.keep_doing, name, once))

    @attribute(dtype=float)
    @served
    def burst(self):
        return 0.0

    @command(dtype_in="DevLong")
    @served
    def Push(self, count):
        self.push(count)

    @command(dtype_in=str)
    @served
    def Subscribe(self, name):
        device, _, attr = name.rpartition("/")
        self._proxy = tango.DeviceProxy(device, green_mode=tango.GreenMode.Synchronous)
        self._proxy.subscribe_event(attr, tango.EventType.CHANGE_EVENT, self._seen)

    @command(dtype_in="DevVarStringArray")
    @served
    def Load(self, kinds):
        for name in kinds:
            self.load(name)

    @command(dtype_out=str)
    @served
    def Rest(self):
        self._resting = True
        signal.setitimer(signal.ITIMER_REAL, 0)
        for thread in self._threads:
            thread.join()
        self._threads = []
        return json.dumps(self._done)

    @command(dtype_in="DevLong64", dtype_out=str)
    @served
    def Truth(self, tail):
        return json.dumps({"pushed": BusyDevice.pushed, **self._seen.tell(tail)})


if MODE == tango.GreenMode.Asyncio:

    class Busy(BusyDevice):
        async def init_device(self):
            await Device.init_device(self)
            self.prepare()

else:

    class Busy(BusyDevice):
        def init_device(self):
            super().init_device()
            self.prepare()


if __name__ == "__main__":
    signal.signal(signal.SIGALRM, lambda *_: None)
    run((Busy,), green_mode=MODE)
