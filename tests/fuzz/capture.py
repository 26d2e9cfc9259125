#!/usr/bin/python3
"""Makes the fuzzers' seeds: real events of every type, as they travel.

    BUILD_DIR=build tests/fuzz/capture.py [FOLDER]        default: tests/fuzz/corpus

A real server pushes events of each type and data type; a plain ZeroMQ socket takes their frames.
Each seed is the four frames, each after its length (two bytes, little endian). Today's servers are
all little endian; the big-endian twin of a seed is the same event with its numbers byte-swapped.
The layout of IDL 3 has none: its value describes its own type.

captured.txt says what is in each: its counter, whether it is an error, and its time in nanoseconds,
as they are read here; the time is checked to be between the push and the arrival.
"""

import struct
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

import zmq

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "integration"))
sys.path.insert(0, str(ROOT / "tests" / "integration" / "servers"))

from event_types import HAS_PIPES, VALUES  # noqa: E402
from tango_servers import ServerPool, start_database  # noqa: E402

# (name of the seed, kind to push, attribute, event to subscribe to)
EVENTS = [(f"change-{name}", "change", name, "idl5_change") for name in VALUES]
EVENTS += [
    ("change-alarm-quality", "alarm_quality", "double_scalar", "idl5_change"),
    ("change-invalid-quality", "invalid_quality", "double_scalar", "idl5_change"),
    ("change-error", "change_error", "double_scalar", "idl5_change"),
    ("archive", "archive", "double_scalar", "idl5_archive"),
    ("user-event", "user_event", "double_scalar", "idl5_user_event"),
    ("data-ready", "data_ready", "double_scalar", "data_ready"),
    ("attr-conf", "attr_conf", "double_scalar", "idl5_attr_conf"),
    ("periodic", None, "polled", "idl5_periodic"),
    ("read-error", None, "failing", "idl5_change"),
    ("change-idl4", "change", "long_scalar", "change"),
    ("change-idl3", "change", "short_scalar", "change"),
]
if HAS_PIPES:
    EVENTS.append(("pipe-error", "pipe_error", "a_pipe", "pipe"))
    EVENTS.append(("pipe", "pipe", "a_pipe", "pipe"))
EVENTS.append(("intr-change", "intr_change", "", "intr_change"))


class Cdr:
    """Swaps the bytes of a CDR stream's numbers, in place, one after the other."""

    def __init__(self, data, offset):
        self.data, self.start, self.at = bytearray(data), offset, offset

    def align(self, size):
        self.at += -(self.at - self.start) % size

    def turn(self, size):
        self.align(size)
        part = self.data[self.at : self.at + size]
        self.data[self.at : self.at + size] = part[::-1]
        self.at += size
        return int.from_bytes(part, "little")

    def bytes(self):
        length = self.turn(4)  # which moves on itself
        self.at += length


    def time(self):
        seconds, micros, nanos = self.turn(4), self.turn(4), self.turn(4)
        return seconds * 1_000_000_000 + micros * 1000 + nanos


def turn_call(data):
    """ZmqCallInfo: version, counter, method name, object id, whether it is an error."""
    cdr = Cdr(data, 0)
    cdr.turn(4)
    counter = cdr.turn(4)
    cdr.bytes()
    cdr.bytes()
    return bytes(cdr.data), counter


# AttributeDataType: size of an element, for those that are a plain sequence.
ELEMENT = {0: 1, 1: 2, 2: 4, 3: 8, 4: 4, 5: 8, 6: 1, 7: 2, 8: 4, 9: 8, 11: 4}


def turn_attribute(data, idl):
    """AttributeValue_4 or _5 up to its time; what follows is left as it is."""
    cdr = Cdr(data, 4)
    kind = cdr.turn(4)
    if kind in ELEMENT:
        for _ in range(cdr.turn(4)):
            cdr.turn(ELEMENT[kind])
    elif kind == 10:
        for _ in range(cdr.turn(4)):
            cdr.bytes()
    elif kind == 12:
        cdr.turn(4)
    elif kind == 13:
        for _ in range(cdr.turn(4)):
            cdr.bytes()
            cdr.bytes()
    elif kind == 14:
        cdr.at += 1
    for _ in range(2 + (idl >= 5)):  # quality, format, type
        cdr.turn(4)
    time_ns = cdr.time()
    return bytes(cdr.data), time_ns


def turn_pipe(data):
    cdr = Cdr(data, 8)
    cdr.bytes()
    time_ns = cdr.time()
    return bytes(cdr.data), time_ns


def big_endian(frames):
    """The frames, byte-swapped; the counter, whether it is an error, and the time or None."""
    topic, _, call, data = frames
    event = topic.decode().rpartition(".")[2]
    is_error = call[-1] != 0
    time_ns = None
    if not is_error and event == "pipe":
        data, time_ns = turn_pipe(data)
    elif not is_error and event.endswith(("change", "archive", "periodic", "user_event")):
        if event != "intr_change":
            data, time_ns = turn_attribute(data, int(event[3]) if event.startswith("idl") else 0)
    call, counter = turn_call(call)
    return [topic, b"\0", call, data], counter, is_error, time_ns


def seed_of(frames):
    return b"".join(struct.pack("<H", len(frame)) + frame for frame in frames)


def anonymous(topic):
    """The topic without the name of this host."""
    head, _, tail = topic.partition(b"//")
    return head + b"//test:10000/" + tail.partition(b"/")[2]


def capture(server, socket, kind, attribute, event):
    """The frames of the next such event."""
    device = server.first_device
    middle = f"/{attribute}" if event != "intr_change" else ""
    topic = f"/{device}{middle}.{event}".encode()
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        if kind:
            server.proxy().Push([kind, attribute, "1"])
        while socket.poll(500):
            frames = socket.recv_multipart()
            if frames[0].endswith(topic):
                return [anonymous(frames[0]), *frames[1:]]
    raise SystemExit(f"no event of {event} came")


def main():
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else ROOT / "tests/fuzz/corpus") / "fuzz_event"
    folder.mkdir(parents=True, exist_ok=True)
    # With a database: without one, cppTango 9.3 counts no events.
    with ExitStack() as stack:
        logs = stack.enter_context(tempfile.TemporaryDirectory())
        database = start_database(Path(logs) / "database")
        stack.callback(database.stop)
        pool = stack.enter_context(ServerPool(logs))
        context = stack.enter_context(zmq.Context())
        captured = []
        devices = {"EventTypes": ["test/types/1"]}
        server = pool.python("event_types.py", devices, database=database)
        for name, kind, attribute, event in EVENTS:
            release = {"change-idl4": "4", "change-idl3": "3"}.get(name, "5")
            _, (_, endpoint, *_) = server.admin_proxy().ZmqEventSubscriptionChange(
                [server.first_device, attribute or "x", "subscribe", event, release]
            )
            with context.socket(zmq.SUB) as socket:
                socket.setsockopt(zmq.SUBSCRIBE, b"")
                socket.setsockopt(zmq.LINGER, 0)
                socket.connect(endpoint)
                before_ns = time.time_ns()
                frames = capture(server, socket, kind, attribute, event)
            (folder / f"{name}-le").write_bytes(seed_of(frames))
            if name == "change-idl3":
                counter, is_error, time_ns = struct.unpack_from("<I", frames[2], 4)[0], False, None
            else:
                turned, counter, is_error, time_ns = big_endian(frames)
                (folder / f"{name}-be").write_bytes(seed_of(turned))
            # Of microseconds; what Tango polled may have been read before.
            assert time_ns is None or before_ns - 2e9 < time_ns < time.time_ns(), name
            captured.append(f"{name} {counter} {int(is_error)} {time_ns or 0}\n")
            print(name, [len(frame) for frame in frames])
    (folder.parent.parent / "captured.txt").write_text("".join(captured))


if __name__ == "__main__":
    main()
