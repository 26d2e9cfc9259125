#!/usr/bin/python3
"""A test server that publishes and subscribes, and does much else that doesn't concern the agent: it uses
ZeroMQ itself, also through another copy of it, forks, and starts programs."""

import _ctypes
import ctypes
import json
import multiprocessing
import os
import subprocess
import threading

import zmq
from publisher import Publisher
from subscriber import Subscriber
from tango.server import Device, command, run

# Messages that look like Tango events, but aren't.
FRAMES = [b"tango://nowhere:10000/a/b/c/d.idl5_change", b"\1", b"\0" * 21, b"\0" * 84]


class Traffic(threading.Thread):
    """Messages from one socket to another, until it is told to stop."""

    def __init__(self):
        super().__init__(daemon=True)
        self.stopping = threading.Event()
        self.sent = self.received = self.wrong = 0


class PyzmqTraffic(Traffic):
    def run(self):
        context = zmq.Context()
        sender, receiver = context.socket(zmq.PUB), context.socket(zmq.SUB)
        receiver.setsockopt(zmq.SUBSCRIBE, b"")
        port = sender.bind_to_random_port("tcp://127.0.0.1")
        receiver.connect(f"tcp://127.0.0.1:{port}")
        while not receiver.poll(50):
            sender.send_multipart(FRAMES)
        while receiver.poll(200):
            receiver.recv_multipart()
        while not self.stopping.is_set():
            for _ in range(100):
                sender.send_multipart(FRAMES)
            self.sent += 100
            for _ in range(100):
                self.wrong += receiver.recv_multipart() != FRAMES
                self.received += 1
        context.destroy(linger=0)


class OtherZmqTraffic(Traffic):
    """The same through a copy of libzmq of our own, by its C functions."""

    def __init__(self, path):
        super().__init__()
        self.library = ctypes.CDLL(path)
        for name in ("zmq_ctx_new", "zmq_socket"):
            getattr(self.library, name).restype = ctypes.c_void_p

    def run(self):
        library = self.library
        context = ctypes.c_void_p(library.zmq_ctx_new())
        pair = [ctypes.c_void_p(library.zmq_socket(context, 0)) for _ in range(2)]  # ZMQ_PAIR
        library.zmq_bind(pair[0], b"inproc://guest")
        library.zmq_connect(pair[1], b"inproc://guest")
        buffer = ctypes.create_string_buffer(256)
        while not self.stopping.is_set():
            for place, frame in enumerate(FRAMES):
                more = 2 if place < len(FRAMES) - 1 else 0  # ZMQ_SNDMORE
                library.zmq_send(pair[0], frame, len(frame), more)
            self.sent += 1
            for frame in FRAMES:
                size = library.zmq_recv(pair[1], buffer, len(buffer), 0)
                self.wrong += buffer.raw[:size] != frame
            self.received += 1
        for socket in pair:
            library.zmq_close(socket)
        library.zmq_ctx_term(context)


def in_the_child(answers):
    """Uses what a forked Python uses: memory, threads, other programs."""
    answers.put([os.getpid(), sum(len(str(number)) for number in range(100_000))])


class Guest(Device):
    def init_device(self):
        super().init_device()
        self._traffic = []

    @command(dtype_in=str, doc_in="a copy of libzmq to be used, or nothing: pyzmq's")
    def StartTraffic(self, path):
        traffic = OtherZmqTraffic(path) if path else PyzmqTraffic()
        traffic.start()
        self._traffic.append(traffic)

    @command(dtype_out=str, doc_out="JSON: of each: messages sent, received, and received wrong")
    def Traffic(self):
        return json.dumps([[each.sent, each.received, each.wrong] for each in self._traffic])

    @command(dtype_out=str, doc_out="as Traffic, of what has ended now")
    def StopTraffic(self):
        for traffic in self._traffic:
            traffic.stopping.set()
        for traffic in self._traffic:
            traffic.join()
        done, self._traffic = self._traffic, []
        return json.dumps([[each.sent, each.received, each.wrong] for each in done])

    @command(dtype_out=str, doc_out="JSON: [pid, a number] from a forked child, and its exit status")
    def Fork(self):
        context = multiprocessing.get_context("fork")
        answers = context.Queue()
        child = context.Process(target=in_the_child, args=(answers,))
        child.start()
        answer = answers.get(timeout=30)
        child.join(30)
        return json.dumps([answer, child.exitcode])

    @command(dtype_in="DevVarStringArray", dtype_out=str, doc_out="JSON: exit status, output")
    def Execute(self, argv):
        done = subprocess.run(list(argv), capture_output=True, text=True, timeout=60)
        return json.dumps([done.returncode, done.stdout + done.stderr])

    @command(dtype_in=str, doc_in="a library, to be opened and closed")
    def OpenAndClose(self, path):
        library = ctypes.CDLL(path)
        _ctypes.dlclose(library._handle)


if __name__ == "__main__":
    run((Publisher, Subscriber, Guest))
