"""The monitor on a terminal; the fixture ``terminal`` starts it there and ends it."""

import fcntl
import os
import pty
import re
import select
import struct
import subprocess
import termios

import pytest
from tango_servers import MONITOR, clean_environment, die_with_parent, need, wait_for

COLOR = re.compile(r"\x1b\[[0-9;]*m")
ERASE = "\r\x1b[K"


class Terminal:
    """A terminal with the monitor on it; ``text`` is everything that was printed, ``side`` the user's side."""

    def __init__(self, *args, columns=80, argv=None, program=MONITOR, preexec_fn=die_with_parent, **env):
        """``args`` are the program's; ``argv`` is a command in front of it, with arguments."""
        self.side, other = pty.openpty()
        fcntl.ioctl(other, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
        self.process = subprocess.Popen(
            [*(argv or []), str(need(program)), *map(str, args)],
            env=clean_environment(**{"TERM": "xterm", "LC_ALL": "C.UTF-8", **env}),
            stdin=other, stdout=other, stderr=other, preexec_fn=preexec_fn,
        )
        os.close(other)
        self.text = ""

    def type(self, keys):
        os.write(self.side, keys)

    def read(self):
        while select.select([self.side], [], [], 0)[0]:
            try:
                self.text += os.read(self.side, 65536).decode(errors="replace")
            except OSError:  # it has ended
                break
        return self.text

    def lines(self):
        """The text in lines, without colours and without status lines."""
        text = re.sub(r"\r\x1b\[K[^\r\n]*(?=\r\x1b\[K)", "", self.read())
        return COLOR.sub("", text).replace(ERASE, "").replace("\r\n", "\n").split("\n")

    def end(self):
        self.process.terminate()
        wait_for(lambda: self.read() is None or self.process.poll() is not None, what="the monitor's end")
        self.read()
        return self.process.wait()


@pytest.fixture
def terminal():
    """Starts a :class:`Terminal`, and ends it with the test."""
    try:
        for side in pty.openpty():
            os.close(side)
    except OSError as error:
        pytest.skip(f"no terminal can be made here (a chroot without /dev/pts): {error}")
    started = []

    def run(*args, **options):
        started.append(Terminal(*args, **options))
        return started[-1]

    yield run
    for one in started:
        one.process.kill()
        one.process.wait()
        os.close(one.side)
