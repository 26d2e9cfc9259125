"""Real terminals for the live view: tmux, with keys sent and screens compared; the fixture ``tmux`` ends it.

    def test_something(tmux):
        screen = tmux([MONITOR, "--live", pub.name()], rows=24, columns=80)
        screen.wait_for("1 server")                 # a text, or a condition of the whole screen
        screen.press("Down", "Enter")               # names of keys as tmux has them, or characters
        screen.type("recording.jsonl")              # every character as it is
        assert screen.end() == 0                    # the program's exit status, by "q"
"""

import itertools
import os
import re
import shlex
import signal
import subprocess

import pytest
from tango_servers import clean_environment, die_with_parent, wait_for

# Beyond that a screen is as good as dead.
SHOWN_S = 30.0
_names = itertools.count(1)


class Tmux:
    """A tmux of its own: nobody's configuration, a socket in a folder of the test's."""

    def __init__(self, folder, **env):
        self.name = f"t{os.getpid()}-{next(_names)}"
        self.folder = folder
        self.folder.mkdir(mode=0o700, exist_ok=True)
        self.env = clean_environment(**{"LC_ALL": "C.UTF-8", "TERM": "xterm-256color", "TMUX_TMPDIR": folder, **env})
        for inherited in ("TMUX", "TMUX_PANE", "NO_COLOR"):
            self.env.pop(inherited, None)
        # In the foreground, so that it is our child and ends with us.
        self.server = subprocess.Popen(
            ["tmux", "-D", "-L", self.name, "-f", "/dev/null"],
            env=self.env, stdin=subprocess.DEVNULL, preexec_fn=die_with_parent,
        )
        wait_for(lambda: self.try_to("show-options", "-g").returncode == 0, what="tmux to answer")

    def try_to(self, *command):
        """A command of tmux, which may fail."""
        return subprocess.run(
            ["tmux", "-L", self.name, *map(str, command)],
            env=self.env, stdin=subprocess.DEVNULL, capture_output=True, check=False, timeout=60,
        )

    def do(self, *command):
        """A command of tmux; returns what it printed."""
        done = self.try_to(*command)
        assert done.returncode == 0, (command, done.stderr)
        return done.stdout.decode(errors="replace")

    def open(self, argv, rows=24, columns=80, env=None, folder=None):
        """Runs a program in a terminal of that size; returns its Screen."""
        name = f"s{next(_names)}"
        settings = [f"{key}={value}" for key, value in (env or {}).items()]
        command = shlex.join(["env", *settings, *map(str, argv)])
        for option, value in (("default-shell", "/bin/sh"), ("remain-on-exit", "on"),
                              ("remain-on-exit-format", ""), ("status", "off")):
            self.do("set-option", "-g", option, value)
        self.do("new-session", "-d", "-s", name, "-x", columns, "-y", rows, "-c", folder or self.folder,
                f"exec {command}")
        return Screen(self, name)

    def close(self):
        """Ends it, as when a terminal's window is closed: SIGHUP to everything in it."""
        self.try_to("kill-server")
        try:
            self.server.wait(10)
        except subprocess.TimeoutExpired:
            self.server.kill()
            self.server.wait()


class Screen:
    """A program in a terminal."""

    def __init__(self, tmux, name):
        self.tmux = tmux
        self.name = name
        self.pid = int(self.get("pane_pid"))

    def get(self, variable):
        """One of tmux's variables for it: pane_pid, alternate_on, cursor_flag, ..."""
        return self.tmux.do("display-message", "-p", "-t", f"={self.name}:", f"#{{{variable}}}").strip()

    def text(self):
        """The screen as lines of text."""
        return self.tmux.do("capture-pane", "-p", "-t", f"={self.name}:")

    def everything(self):
        """What has scrolled away, too."""
        return self.tmux.do("capture-pane", "-p", "-J", "-S", "-", "-t", f"={self.name}:")

    def lines(self):
        return self.text().split("\n")

    def colours(self):
        """The screen with the escape sequences of its colours."""
        return self.tmux.do("capture-pane", "-p", "-e", "-N", "-t", f"={self.name}:")

    def row(self, text):
        """The first line that has that text, or None."""
        return next((line for line in self.lines() if text in line), None)

    def press(self, *keys):
        """Keys by tmux's names: "Enter", "Down", "C-c", "q"."""
        self.tmux.do("send-keys", "-t", f"={self.name}:", *keys)

    def type(self, text):
        self.tmux.do("send-keys", "-l", "-t", f"={self.name}:", text)

    def click(self, row, column):
        """The left button down and up, as a terminal tells it: the newer way if it was asked for, or the older."""
        if self.get("mouse_sgr_flag") == "1":
            self.type(f"\x1b[<0;{column + 1};{row + 1}M\x1b[<0;{column + 1};{row + 1}m")
        else:
            place = [33 + column, 33 + row]
            bytes_ = [0x1B, 0x5B, 0x4D, 32, *place, 0x1B, 0x5B, 0x4D, 35, *place]
            self.tmux.do("send-keys", "-t", f"={self.name}:", "-H", *(f"{byte:x}" for byte in bytes_))

    def resize(self, rows, columns):
        self.tmux.do("resize-window", "-t", f"={self.name}:", "-x", columns, "-y", rows)

    def wait_for(self, wanted, timeout=SHOWN_S, what=None):
        """Waits until the screen has a text, matches a pattern, or fulfils a condition; returns what that gave."""
        if isinstance(wanted, str):
            condition, what = (lambda text: wanted in text), what or repr(wanted)
        elif isinstance(wanted, re.Pattern):
            condition, what = wanted.search, what or wanted.pattern
        else:
            condition = wanted
        try:
            return wait_for(lambda: condition(self.text()), timeout, what or "the screen", 0.05)
        except AssertionError as error:
            raise AssertionError(f"{error}; the screen:\n{self.text()}") from None

    def wait_until_gone(self, text, timeout=SHOWN_S):
        self.wait_for(lambda shown: text not in shown, timeout, f"{text!r} to go")

    @property
    def is_dead(self):
        return self.get("pane_dead") == "1"

    def status(self, timeout=SHOWN_S):
        """Waits for the program's end; its exit status, or -number of the signal that killed it."""

        def ended():
            if not self.is_dead:
                return None
            # tmux sees the end of its output first; and tmux 3.3a misses the end of a child now and then, which
            # is a zombie then until something makes tmux look.
            os.kill(self.tmux.server.pid, signal.SIGCHLD)
            return self.get("pane_dead_signal") + self.get("pane_dead_status")

        wait_for(ended, timeout, f"the program's end; the screen:\n{self.text()}", 0.05)
        by_signal = self.get("pane_dead_signal")
        return -int(by_signal) if by_signal else int(self.get("pane_dead_status"))

    def end(self, key="q"):
        self.press(key)
        return self.status()


@pytest.fixture
def tmux(tmp_path):
    """Opens programs in terminals, Tmux.open(); ends all of them with the test."""
    running = []

    def run(argv, **options):
        if not running:
            running.append(Tmux(tmp_path / "tmux"))
        return running[0].open(argv, **options)

    yield run
    for one in running:
        one.close()
