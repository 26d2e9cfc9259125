"""Records servers with the monitor in a child process, and reads the recording while it grows.

Nothing here imports Tango, starts a thread or raises because of what servers, the monitor or the disk do:
the process is somebody's pytest, which goes on whatever becomes of the recording.

PYTEST_DONT_REWRITE
"""

import copy
import json
import os
import subprocess
import sys
import tempfile
import time

from . import program_path

#: Executed by a Python of its own, which becomes the monitor: the monitor ends with its parent, even if
#: that is killed. (A preexec_fn would run between fork and exec in a process with Tango's threads.)
_BECOME_MONITOR = """
import ctypes, os, signal, sys
ctypes.CDLL(None).prctl(1, signal.SIGTERM, 0, 0, 0)  # PR_SET_PDEATHSIG
if os.getppid() == int(sys.argv[1]):
    signal.pthread_sigmask(signal.SIG_SETMASK, [])
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    os.execv(sys.argv[2], sys.argv[2:])
"""

#: How long to wait for a poll: servers may take 3 s to answer, and a first poll is after the start.
POLL_TIMEOUT_S = 8.0
END_TIMEOUT_S = 3.0
DIAGNOSIS_TIMEOUT_S = 20.0
_LOOK_EVERY_S = 0.005
#: Standard error of the monitor that is looked at.
_MOST_ERRORS = 20000
#: Once the monitor couldn't be used this often in a row, it isn't tried again.
_MOST_FAILURES = 3


class Notes:
    """What the user has to know: lines, each once, and not endlessly many."""

    def __init__(self, most=20):
        self.lines = []
        self.most = most

    def add(self, line):
        line = printable(line)
        if line not in self.lines and len(self.lines) < self.most:
            self.lines.append(line)


def printable(text, limit=2000):
    """Text from elsewhere, on one line, without anything that a terminal would obey."""
    text = str(text)
    if len(text) > limit:
        text = text[:limit] + "..."
    return "".join(c if c.isprintable() else repr(c)[1:-1] if c not in "\n\t" else " " for c in text)


def merge(data, changes, removed):
    """Applies what a recording with --changes says of an answer: docs/monitor.md#the-recording."""
    for key, value in changes.items():
        if isinstance(value, dict) and isinstance(data.get(key), dict):
            merge(data[key], value, {})
        else:
            data[key] = value
    for key, value in removed.items():
        if isinstance(value, dict) and isinstance(data.get(key), dict):
            merge(data[key], {}, value)
        else:
            data.pop(key, None)


class Reader:
    """Reads a recording while it grows; hands each answer to ``answered(server, data, changes, removed)``."""

    def __init__(self, path, answered):
        self.path = path
        self.answered = answered
        self.offset = 0
        self.rest = b""
        self.asked = -1.0  # of the newest poll
        self.answers = {}  # of each server, the newest, merged
        self.newest = {}  # the replies of the newest poll
        self.errors = {}  # of servers that didn't answer when they were last asked

    def read(self):
        """Reads what is new."""
        try:
            with open(self.path, "rb") as recording:
                recording.seek(self.offset)
                text = recording.read()
        except OSError:
            return
        self.offset += len(text)
        lines = (self.rest + text).split(b"\n")
        self.rest = lines.pop()
        for line in lines:
            try:
                self._take(json.loads(line.decode("utf-8", "replace")))
            except (ValueError, RecursionError, AttributeError, TypeError):
                pass  # not a line of ours

    def _take(self, poll):
        replies = poll["replies"] if isinstance(poll, dict) and isinstance(poll.get("replies"), dict) else {}
        if not replies:
            return
        self.newest = replies
        for server, reply in replies.items():
            changes = removed = None
            if isinstance(reply.get("data"), dict):
                self.answers[server] = reply["data"]
            elif server in self.answers and "changes" in reply:
                changes, removed = reply["changes"], reply.get("removed", {})
                if "pid" in changes.get("agent", {}):
                    # Another process: whoever was given the last answer of the one before keeps it.
                    self.answers[server] = copy.deepcopy(self.answers[server])
                merge(self.answers[server], changes, removed)
            else:
                self.errors[server] = str(reply.get("error", "?"))
                continue
            self.errors.pop(server, None)
            self.answered(server, self.answers[server], changes, removed)
        if isinstance(poll.get("asked"), (int, float)):
            self.asked = float(poll["asked"])


class Recorder:
    """One recording: the monitor, started anew whenever other servers are to be recorded.

    ``failures`` counts, over all recordings of this process, how often in a row the monitor failed.
    """

    failures = 0

    def __init__(self, path, answered, notes, poll_period="0.2", options=()):
        self.path = path
        self.notes = notes
        self.poll_period = poll_period
        self.options = list(options)
        self.names = []  # devices, patterns
        self.everything = False  # all of the database, too
        self.reader = Reader(path, answered)
        self._monitor = None
        self._errors = None
        self._owner = os.getpid()

    @property
    def is_watching(self):
        return bool(self.names or self.everything)

    @property
    def is_running(self):
        return self._monitor is not None and self._is_ours() and self._monitor.poll() is None

    def _is_ours(self):
        """Not in a process that was forked from the one that started the monitor."""
        return self._owner == os.getpid()

    def watch(self, names):
        """Record these, too; returns when a poll of all of them has been recorded, or couldn't be."""
        new = [name for name in names if name not in self.names]
        if new:
            self.names.extend(new)
            self.restart()

    def forget(self, names):
        """Don't record these any longer."""
        self.names = [name for name in self.names if name not in names]

    def restart(self):
        """(Again) with the servers that are wanted now."""
        self.stop()
        if self.is_watching and self._start() and not self.poll() and self.everything and not self.is_running:
            # The database may be away: without it, the others still can be recorded.
            self.everything = False
            self.restart()

    def _start(self):
        if not self._is_ours():
            return False
        if Recorder.failures >= _MOST_FAILURES:
            self.notes.add("the monitor failed %d times in a row: nothing more is recorded" % _MOST_FAILURES)
            return False
        try:
            program = os.environ.get("SKA_TANGO_EVENT_MONITOR_PROGRAM") or program_path()
            command = [program, "--quiet", "--append", "--output", self.path, "--changes",
                       "--poll-period", self.poll_period, *self.options]
            if self.everything:
                command.append("--all")
            begin = [sys.executable, "-I", "-S", "-c", _BECOME_MONITOR, str(os.getpid())]
            self._errors = tempfile.TemporaryFile()
            self._monitor = subprocess.Popen(
                [*begin, *command, "--", *self.names], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                stderr=self._errors, start_new_session=True,
            )
        except (OSError, ValueError) as error:
            Recorder.failures += 1
            self.notes.add("not recorded: %s" % error)
            self._close()
            return False
        return True

    def poll(self, timeout=POLL_TIMEOUT_S):
        """Waits for a poll that begins now; returns whether there was one."""
        begin = time.monotonic()
        while self.is_running and time.monotonic() < begin + timeout:
            self.reader.read()
            if self.reader.asked >= begin:
                Recorder.failures = 0
                return True
            time.sleep(_LOOK_EVERY_S)
        self.reader.read()
        if self.reader.asked >= begin:
            return True
        if self.is_running:
            Recorder.failures += 1
            self.notes.add("the monitor recorded no poll for %g s, and was ended" % timeout)
            self.stop()
        elif self._monitor is not None:
            self._note_errors()
        return False

    def _note_errors(self):
        """What the monitor said, if anything."""
        if self._errors is None:
            return
        try:
            self._errors.seek(0)
            text = self._errors.read(_MOST_ERRORS).decode("utf-8", "replace")
        except (OSError, ValueError):
            return
        for line in text.splitlines():
            line = line.replace("ska-tango-event-monitor: ", "", 1)
            if "neither QueryEventAgent nor" in line:
                line = line.split(": start it with")[0].rstrip(": ")
                self.notes.add(line + ": install ska-tango-event-monitor into the environment that it runs in,"
                               " or start it with ska-tango-event-agent run")
            elif line.strip() and "longer than the period" not in line:
                self.notes.add(line)

    def stop(self):
        """Ends the monitor; it has written everything then."""
        monitor, self._monitor = self._monitor, None
        if monitor is None:
            return
        if self._is_ours():
            try:
                monitor.terminate()
                monitor.wait(END_TIMEOUT_S)
            except subprocess.TimeoutExpired:
                monitor.kill()
                monitor.wait()
            except OSError:
                pass
            self._note_errors()
            self.reader.read()
        else:
            monitor.returncode = 0  # so that Popen doesn't complain: it is another process's
        self._close()

    def _close(self):
        if self._errors is not None:
            self._errors.close()
        self._errors = None


def diagnose(path, options=()):
    """What the monitor finds in the recording: the object that --diagnose prints as JSON, or None."""
    try:
        program = os.environ.get("SKA_TANGO_EVENT_MONITOR_PROGRAM") or program_path()
        done = subprocess.run(
            [program, "--read", path, "--diagnose", "--format", "json", *options], stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, timeout=DIAGNOSIS_TIMEOUT_S, check=False,
        )
        found = json.loads(done.stdout.decode("utf-8", "replace"))
    except (OSError, ValueError, RecursionError, subprocess.SubprocessError):
        return None
    return found if isinstance(found, dict) else None
