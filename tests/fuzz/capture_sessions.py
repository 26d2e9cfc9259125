#!/usr/bin/python3
"""Makes the other seeds of the fuzzers: real control commands, sessions, and answers.

    tests/fuzz/capture_sessions.py

A server and a client of its events run with the library tap preloaded, which logs what they send and
receive through ZeroMQ; the server is restarted meanwhile. From the logs come

    corpus/fuzz_control_command/   those that Tango sent its consumer thread
    corpus/fuzz_streams/           sessions as operations on the agent's tables, and composed ones
    corpus/fuzz_response/          answers, from tests/data
"""

import argparse
import json
import re
import socket
import struct
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
CORPUS = HERE / "corpus"
sys.path.insert(0, str(HERE.parent / "integration"))

import tango  # noqa: E402
import tango_servers  # noqa: E402
from tango_servers import ServerPool, clean_environment, start_database, wait_for  # noqa: E402

DEVICE = "test/types/1"
EVENT_TYPES = {
    "change": tango.EventType.CHANGE_EVENT,
    "user_event": tango.EventType.USER_EVENT,
    "data_ready": tango.EventType.DATA_READY_EVENT,
}
# What is pushed: kind, attribute. There is also an attribute that is polled.
PUSHED = [
    ("change", "double_scalar"),
    ("change", "string_spectrum"),
    ("change_error", "double_scalar"),
    ("invalid_quality", "double_scalar"),
    ("user_event", "string_spectrum"),
    ("data_ready", "short_scalar"),
]
SUBSCRIBED = [
    ("double_scalar", "change"),
    ("string_spectrum", "change"),
    ("string_spectrum", "user_event"),
    ("short_scalar", "data_ready"),
    ("polled", "change"),
]


# ---- what the fuzzers read (fuzz.h, fuzz_streams.c) ----


def short_frame(frame):
    return struct.pack("<H", len(frame)) + frame


# The operations of fuzz_streams.c, by their index in its list.
RAW_COMMAND, RAW_MESSAGE, RAW_PUSH = 0, 1, 2
BEGIN_PUSH, TIME, BEGIN_OPERATION, MONITORING = 7, 8, 9, 13


def session_seed(messages):
    """What a process sent and received, as operations on the agent's tables."""
    seed = bytes([MONITORING, 1])
    delayed = False
    for way, frames in messages:
        if way == "S" and len(frames) == 1 and is_command(frames[0]):
            code = frames[0][0]
            if code == DELAY:
                seed += bytes([BEGIN_OPERATION])
            delayed = {DELAY: True, RELEASE: False}.get(code, delayed)
            connects = code in (CONNECT_HEARTBEAT, CONNECT_EVENT)
            origin = CONTROL_OF_CLIENT if delayed and connects else CONTROL_OF_RECONNECTION
            seed += bytes([RAW_COMMAND, origin]) + short_frame(frames[0])
        elif len(frames) == 4:
            seed += bytes([RAW_MESSAGE] if way == "R" else [BEGIN_PUSH, 3, RAW_PUSH])
            seed += b"".join(map(short_frame, frames))
    return seed


# Further operations, on names of the fuzzer's own lists.
COMMAND, MESSAGE, PUSH, HEARTBEAT, CONNECTED, REMOVED, ANSWER = 3, 4, 5, 6, 10, 11, 17
A_TOPIC, A_HEARTBEAT = 0, 9
ONE_ENDPOINT, OTHER_ENDPOINT = 0, 1


def composed_seeds():
    """What no short session contains: {name: operations}."""

    def command(code, name, endpoint, origin=CONTROL_OF_CLIENT):
        texts = [endpoint, name] if code in (CONNECT_HEARTBEAT, CONNECT_EVENT) else [name, endpoint]
        return bytes([COMMAND, origin, code, *texts])

    def messages(operation, *counters):
        return b"".join(bytes([operation, A_TOPIC, counter]) for counter in counters)

    def of_1970(counter):
        """An event whose timestamp was never set."""
        # The data: a boolean, quality, format, type, time.
        call = struct.pack("<IIIxxxxIB", 1, counter, 1, 0, 0)
        data = bytes(4) + struct.pack("<IIBxxxIIIIII", 0, 1, 1, 0, 0, 1, 0, 0, 0)
        frames = [b"tango://h:1/a/b/c/attr.idl5_change", b"\x01", call, data]
        return bytes([RAW_MESSAGE]) + b"".join(map(short_frame, frames))

    subscribe = (
        bytes([MONITORING, 1, BEGIN_OPERATION])
        + command(CONNECT_HEARTBEAT, A_HEARTBEAT, ONE_ENDPOINT)
        + command(CONNECT_EVENT, A_TOPIC, ONE_ENDPOINT)
        + bytes([CONNECTED, 1, 0, 0, 0])
    )
    reconnect = (
        bytes([BEGIN_OPERATION])
        + command(CONNECT_HEARTBEAT, A_HEARTBEAT, OTHER_ENDPOINT, CONTROL_OF_RECONNECTION)
        + command(CONNECT_EVENT, A_TOPIC, OTHER_ENDPOINT, CONTROL_OF_RECONNECTION)
    )
    unsubscribe = command(DISCONNECT_EVENT, A_TOPIC, ONE_ENDPOINT) + bytes([REMOVED, 1])
    before_wrap = bytes([MESSAGE, A_TOPIC, 255]) + b"\xfe\xff\xff\xff"
    heartbeat_in_time = bytes([HEARTBEAT, A_HEARTBEAT, TIME, 9]) + 4 * b"\x7f"
    answer = bytes([ANSWER, 0, ANSWER, 1])
    return {
        "losses": subscribe + messages(MESSAGE, 1, 1, 5, 5, 5, 9, 3) + answer,
        "outage": subscribe + messages(MESSAGE, 7, 8) + reconnect + messages(MESSAGE, 4, 5),
        "resubscribed": (subscribe + messages(MESSAGE, 7, 9) + reconnect + messages(MESSAGE, 20))
        + (unsubscribe + messages(MESSAGE, 21) + subscribe + messages(MESSAGE, 30, 31) + answer),
        "wrap": subscribe + before_wrap + messages(MESSAGE, 0, 1, 3) + answer,
        "unset-times": subscribe + b"".join(map(of_1970, range(1, 8))) + answer,
        "no-server-counter": subscribe + messages(MESSAGE, 0, 0, 0, 1, 2, 0) + answer,
        "heartbeats": subscribe + 2 * heartbeat_in_time + answer,
        "pushes": (bytes([BEGIN_PUSH, 3]) + messages(PUSH, 1, 1, 2))
        + (bytes([BEGIN_PUSH, 1]) + messages(PUSH, 3) + answer),
    }


# ---- control commands ----

COMMANDS = (
    "end connect_heartbeat disconnect_heartbeat connect_event disconnect_event connect_mcast_event"
    " delay_event release_event"
).split()
CONNECT_HEARTBEAT, CONNECT_EVENT, DISCONNECT_EVENT, CONNECT_MCAST_EVENT = 1, 3, 4, 5
DELAY, RELEASE = 6, 7
CONTROL_OF_CLIENT, CONTROL_OF_RECONNECTION = 1, 2


def is_command(frame):
    """Not the reply to one, which is a text."""
    return len(frame) > 0 and frame[0] < len(COMMANDS)


# ---- what is captured ----


class Tap:
    """What one process sent and received through ZeroMQ."""

    def __init__(self, folder, name, library):
        self.file = Path(folder) / f"{name}.tap"
        self.env = {"LD_PRELOAD": library, "TAP_FILE": self.file}

    def messages(self):
        """[("S" or "R", [frame, ...]), ...], without a last one that isn't whole yet."""
        text = self.file.read_text() if self.file.exists() else ""
        lines = text[: text.rfind("\n") + 1].splitlines()
        return [
            (line[0], [bytes.fromhex(part.replace("-", "")) for part in line[2:].split(" ")])
            for line in lines
        ]

    def events(self, way):
        """[frames, ...] of those that were sent ("S") or received ("R")."""
        return [frames for which, frames in self.messages() if which == way and len(frames) == 4]


def build_tap(folder):
    library = Path(folder) / "tap.so"
    subprocess.run(
        ["cc", "-shared", "-fPIC", "-D_GNU_SOURCE", "-o", library, HERE / "tap.c", "-lzmq", "-ldl"],
        check=True,
    )
    return library


def client(subscriptions):
    """The process that subscribes: does so, says so, and unsubscribes when its input ends."""
    made = []
    for device, attr, kind in subscriptions:
        proxy = tango.DeviceProxy(device)
        made.append((proxy, proxy.subscribe_event(attr, EVENT_TYPES[kind], lambda _: None)))
    print("subscribed", flush=True)
    sys.stdin.read()
    for proxy, event_id in made:
        proxy.unsubscribe_event(event_id)


def start_client(tap, subscriptions):
    process = subprocess.Popen(
        [sys.executable, __file__, "--client", json.dumps(subscriptions)],
        env=clean_environment(**tap.env),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        preexec_fn=tango_servers.die_with_parent,
    )
    assert process.stdout.readline() == "subscribed\n"
    return process


def capture(folder, library, name, database, restart):
    """The taps of a server and of its client, after all has been pushed."""
    pushing, receiving = (Tap(folder, f"{name}-{side}", library) for side in ("pub", "sub"))
    with ServerPool(folder) as pool:
        devices = {"EventTypes": [DEVICE]}
        server = pool.python("event_types.py", devices, database=database, env=pushing.env)
        listener = start_client(receiving, [[server.name(), *what] for what in SUBSCRIBED])

        def arrived():
            for kind, attr in PUSHED:
                server.proxy().Push([kind, attr, "1"])
            seen = {frames[0].rpartition(b"/")[2] for frames in receiving.events("R")}
            return len(seen) == len(SUBSCRIBED)

        wait_for(arrived, 30, "events of all subscriptions", 0.3)
        if restart:
            before = len(receiving.events("R"))
            server.restart()
            wait_for(lambda: receiving.events("R")[before:], 60, "events after the restart")
        listener.communicate(timeout=60)
        assert listener.returncode == 0
    return pushing, receiving


# ---- what is made of it ----


def without_host(data):
    """Without a database Tango puts the machine's name into topics; the lengths may change."""
    return data.replace(f"://{socket.gethostname()}:".encode(), b"://localhost:")


def write(folder, name, data):
    for secret in (f"//{socket.gethostname()}", str(ROOT), "/tmp/", "/root", "/home", "/usr"):
        assert secret.encode() not in data, f"{folder}/{name} has {secret!r} in it"
    (CORPUS / folder).mkdir(parents=True, exist_ok=True)
    (CORPUS / folder / name).write_bytes(data)


def write_commands(messages, suffix):
    seen = set()
    for way, frames in messages:
        if way == "S" and len(frames) == 1 and is_command(frames[0]):
            command = without_host(frames[0])
            if command[0] in seen or (len(command) == 1 and suffix):
                continue
            seen.add(command[0])
            write("fuzz_control_command", COMMANDS[command[0]] + suffix, command)
            if command[0] == CONNECT_EVENT:
                # There is no multicast network here; the layout is the same up to the topic.
                multicast = bytes([CONNECT_MCAST_EVENT]) + command[1:]
                write("fuzz_control_command", COMMANDS[CONNECT_MCAST_EVENT] + suffix, multicast)


def of_attributes(messages, attributes):
    """Without the events and commands of other attributes, and every event three times at most."""
    counts = {}
    chosen = []
    for way, frames in messages:
        topic = frames[0]
        if len(frames) == 4:
            counts[topic] = counts.get(topic, 0) + 1
        if f"/{DEVICE}".encode() in topic and not any(
            f"/{attr}{end}".encode() in topic for attr in attributes for end in ".#"
        ):
            continue
        if counts.get(topic, 0) <= 3:
            chosen.append((way, [without_host(topic), *frames[1:]]))
    return chosen


def write_answers():
    """Those that the parser's own tests read, with short lists of samples."""
    for file in sorted((ROOT / "tests" / "data").glob("*.json")):
        for end, answer in json.loads(file.read_text()).items():
            for side in ("server", "client"):
                part = answer.get(side) if isinstance(answer, dict) else None
                for key in ("perf", "perf_stats"):
                    if part and part.get(key):
                        part[key] = part[key][:2]
            answer = re.sub("tango://[^:/]+:", "tango://localhost:", json.dumps(answer))
            write("fuzz_response", f"{file.stem}-{end}", answer.encode())


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--client", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.client:
        client(json.loads(arguments.client))
        return
    with tempfile.TemporaryDirectory() as folder:
        library = build_tap(folder)
        database = start_database(Path(folder) / "database")
        try:
            pushing, receiving = capture(folder, library, "database", database, restart=True)
        finally:
            database.stop()
        pushing_alone, receiving_alone = capture(folder, library, "nodb", None, restart=False)
        write_commands(receiving.messages(), "")
        write_commands(receiving_alone.messages(), "-nodb")
        for tap, name in (
            (pushing, "publisher"),
            (receiving, "subscriber"),
            (pushing_alone, "publisher-nodb"),
            (receiving_alone, "subscriber-nodb"),
        ):
            for attribute in ("double_scalar", "string_spectrum"):
                messages = of_attributes(tap.messages(), [attribute])
                write("fuzz_streams", f"{name}-{attribute}", session_seed(messages))
    for name, seed in composed_seeds().items():
        write("fuzz_streams", name, seed)
    write_answers()


if __name__ == "__main__":
    main()
