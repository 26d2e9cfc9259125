#!/usr/bin/python3
"""Runs a program in a terminal of its own, behind a line on which everything takes 300 ms, either way, and on
which what was written in one go comes in pieces:

    slow_terminal.py COMMAND [ARGUMENT]...
"""

import fcntl
import os
import pty
import select
import signal
import sys
import termios
import time
import tty

LATENCY_S = 0.3
# Between two bytes of a key that is more than one byte, and between two pieces of a screen.
APART_S = 0.04
PIECE = 700


class Line:
    """One direction: bytes leave it in order, each LATENCY_S after it came or later."""

    def __init__(self, out, piece):
        self.out = out
        self.piece = piece
        self.waiting = []  # (when, bytes)

    def put(self, data):
        when = max(time.monotonic() + LATENCY_S, self.waiting[-1][0] + APART_S if self.waiting else 0)
        for place in range(0, len(data), self.piece):
            self.waiting.append((when, data[place : place + self.piece]))
            when += APART_S

    def timeout(self):
        return max(0, self.waiting[0][0] - time.monotonic()) if self.waiting else None

    def pass_on(self):
        while self.waiting and self.waiting[0][0] <= time.monotonic():
            os.write(self.out, self.waiting.pop(0)[1])


def same_size(inner):
    size = fcntl.ioctl(0, termios.TIOCGWINSZ, bytes(8))
    fcntl.ioctl(inner, termios.TIOCSWINSZ, size)


def relay(inner):
    keys, screen = Line(inner, 1), Line(1, PIECE)
    while True:
        timeouts = [timeout for timeout in (keys.timeout(), screen.timeout()) if timeout is not None]
        readable, _, _ = select.select([0, inner], [], [], min(timeouts, default=None))
        for fd, line in ((0, keys), (inner, screen)):
            if fd not in readable:
                continue
            try:
                data = os.read(fd, 65536)
            except OSError:  # the program has ended
                data = b""
            if not data:
                while screen.waiting:
                    screen.pass_on()
                return
            line.put(data)
        keys.pass_on()
        screen.pass_on()


def main():
    child, inner = pty.fork()
    if child == 0:
        # The size has to be there first.
        signal.sigwait([signal.SIGUSR1])
        signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGUSR1])
        os.execvp(sys.argv[1], sys.argv[1:])
    same_size(inner)
    os.kill(child, signal.SIGUSR1)
    signal.signal(signal.SIGWINCH, lambda *_: same_size(inner))
    before = termios.tcgetattr(0)
    tty.setraw(0)
    try:
        relay(inner)
    finally:
        termios.tcsetattr(0, termios.TCSADRAIN, before)
    sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) & 255)


if __name__ == "__main__":
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR1])
    main()
