#!/usr/bin/python3
"""A client with an event loop: coroutines.py asyncio|gevent DEVICE ATTRIBUTE. It subscribes, and writes a line
for each line that it reads: how many values it got, by a callback in its loop's own thread, and the last."""

import sys
import threading

values = []
threads = set()


def callback(event):
    if not event.err:
        values.append(event.attr_value.value)


def report():
    print(len(values), int(values[-1]) if values else 0, flush=True)


def with_asyncio(device, attribute):
    import asyncio

    import tango
    from tango.asyncio import DeviceProxy

    async def main():
        loop = asyncio.get_running_loop()
        proxy = await DeviceProxy(device)
        await proxy.subscribe_event(attribute, tango.EventType.CHANGE_EVENT, callback)
        while await loop.run_in_executor(None, sys.stdin.readline):
            report()

    asyncio.run(main())


def with_gevent(device, attribute):
    import gevent.fileobject
    import tango
    from tango.gevent import DeviceProxy

    proxy = DeviceProxy(device)
    proxy.subscribe_event(attribute, tango.EventType.CHANGE_EVENT, callback)
    lines = gevent.fileobject.FileObject(sys.stdin.fileno(), "r", close=False)
    while lines.readline():
        report()


if __name__ == "__main__":
    assert threading.current_thread() is threading.main_thread()
    {"asyncio": with_asyncio, "gevent": with_gevent}[sys.argv[1]](*sys.argv[2:])
