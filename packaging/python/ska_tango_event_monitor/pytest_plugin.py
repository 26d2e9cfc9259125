"""The pytest plugin: records the events of Tango device servers during each test. See docs/testing.md. ::

    from ska_tango_event_monitor.pytest_plugin import no_events_lost

    def test_burst(device):
        with no_events_lost(device):
            device.PushBurst(1000)

PYTEST_DONT_REWRITE
"""

import atexit
import contextlib
import hashlib
import os
import re
import shlex
import tempfile
import time

import pytest

from . import _test_contexts
from ._event_counts import EventCounts, Tracker, matches, stream_path
from ._recorder import Notes, Recorder, diagnose, printable

__all__ = ["EventCounts", "EventsLost", "TangoEvents", "no_events_lost"]

#: What a file's name has of a test's.
_MOST_OF_NAME = 120
#: A set-up that took longer may have started servers, which patterns have to find.
_QUICK_SETUP_S = 0.1
#: How long a block waits, before it begins, for events that were pushed earlier.
_SETTLE_TIMEOUT_S = 5.0
#: What doesn't change in this many polls is not on its way any more.
_SETTLED_POLLS = 3
#: In a report.
_MOST_FINDINGS = 20
_MOST_EVIDENCE = 12

#: The recordings of the tests that run; the last one is the innermost.
_recordings = []


class EventsLost(AssertionError):
    """Events that were pushed in a block didn't arrive, or that can't be told."""


def _name_of(device):
    """The name by which the monitor is told of a device: a string, a DeviceProxy or a test context."""
    if isinstance(device, str):
        return device
    if hasattr(device, "get_server_access"):
        return device.get_server_access()
    try:
        name = device.adm_name()
        if "://" in name:
            return name
        return "tango://%s:%s/%s" % (device.get_db_host(), device.get_db_port(), name)
    except AttributeError:
        raise TypeError("expected a device's name, a DeviceProxy or a test context, got %r" % (device,)) from None


def _filter_of(device):
    """What to look for in the names of streams: a string, or None for all."""
    if device is None or isinstance(device, str):
        return device
    if hasattr(device, "dev_name"):
        return device.dev_name()
    return getattr(device, "device_name", None) or _name_of(device)


class _Recording:
    """The recording of one test, or of one block."""

    def __init__(self, path, notes, poll_period="0.2", options=()):
        self.path = path
        self.notes = notes
        self.tracker = Tracker()
        self.recorder = Recorder(path, self.tracker.answered, notes, poll_period, options)
        self.period = float(poll_period)
        self.wants_everything = False
        self.failed_test = False
        self.section = None
        self.began = time.monotonic()

    # -- what the test contexts tell --

    def context_started(self, name):
        self.recorder.watch([name])

    def context_ends(self, name):
        """The servers' last counts; and nobody asks a server that is about to end."""
        if name in self.recorder.names:
            self.recorder.poll()
            self.recorder.forget([name])
            self.recorder.stop()

    def context_ended(self, name):
        if self in _recordings and not self.recorder.is_running:
            self.recorder.restart()

    def failed(self, error):
        """Something of ours went wrong, which is no reason for a test to fail."""
        self.notes.add("%s: %s" % (type(error).__name__, error))

    # -- its time --

    def begin(self, names, everything):
        _recordings.append(self)
        _test_contexts.listeners.append(self)
        self.wants_everything = self.recorder.everything = everything
        self.recorder.names.extend(dict.fromkeys([*names, *_test_contexts.open_contexts.values()]))
        self.recorder.restart()

    def end(self):
        for active in (_recordings, _test_contexts.listeners):
            if self in active:
                active.remove(self)
        self.recorder.stop()

    def has_polls(self):
        try:
            return os.path.getsize(self.path) > 0
        except OSError:
            return False

    def refresh(self):
        """Servers may have come up: find those that patterns stand for."""
        patterns = self.wants_everything or any("*" in name for name in self.recorder.names)
        if patterns or (self.recorder.is_watching and not self.recorder.is_running):
            self.recorder.everything = self.wants_everything
            self.recorder.restart()

    def watch(self, *devices):
        names = []
        for device in devices:
            name = _name_of(device)
            path = stream_path(name + ".x")
            known = any(stream_path(server + ".x") == path for server in self.tracker.servers)
            if not known and not (isinstance(device, str) and any(
                matches(stream, device) for _, stream in self.tracker.pushed([device])
            )):
                names.append(name)
        self.recorder.watch(names)

    # -- what is found --

    def describe(self, brief=False):
        """The findings so far, as lines; brief ones without evidence."""
        lines = ["recording: %s" % printable(_shown_path(self.path))]
        found = diagnose(self.path) if self.has_polls() else None
        if found is None:
            lines = ["nothing was recorded"] if not self.has_polls() else lines
            return lines + ["note: %s" % line for line in self.notes.lines]
        try:
            lines += _lines_of(found, brief)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            self.failed(error)
        for server, error in self.recorder.reader.errors.items():
            lines.append("%s: %s" % (printable(server), printable(error)))
        return lines + ["note: %s" % line for line in self.notes.lines]


def _shown_path(path):
    relative = os.path.relpath(path)
    return path if relative.startswith("..") else relative


def _lines_of(found, brief):
    """Lines of what --diagnose prints as JSON."""
    def number(value):
        return "?" if value is None else value

    yield "%s servers, %s streams: %s events pushed, %s received, %s%s lost" % (
        len(found["servers"]), found["streams"], number(found["pushed"]), number(found["received"]),
        "at least " if found["lost_is_minimum"] else "", number(found["lost"]),
    )
    both = [(f, "") for f in found["findings"]] + [(f, "perhaps: ") for f in found["suspected"]]
    for finding, perhaps in both[:_MOST_FINDINGS]:
        yield "%s%s %s: %s" % (
            perhaps, printable(finding["severity"]), printable(finding["rule"]), printable(finding["text"])
        )
        for line in finding["evidence"][: 0 if brief else _MOST_EVIDENCE]:
            yield "    %s" % printable(line)
        if finding.get("advice") and not brief:
            yield "    %s" % printable(finding["advice"])
    if len(both) > _MOST_FINDINGS:
        yield "and %s more findings" % (len(both) - _MOST_FINDINGS)
    if not both:
        yield "nothing was found"


class _Block:
    """``with no_events_lost(...)``: what was there when it began, and whether all has come."""

    def __init__(self, recording, devices, timeout):
        self.recording = recording
        self.own = contextlib.ExitStack()  # a recording of its own, if there is none
        self.devices = devices
        self.filters = [_filter_of(device) for device in devices] or [None]
        self.timeout = timeout
        self.gone = set()  # servers that were recorded earlier
        self.before = {}
        self.newest = {}  # numbers of the newest events when the block was over
        self.pushed = {}
        self.recorder = None

    def __enter__(self):
        if self.recording is None:
            self.recording = self.own.enter_context(_temporary())
        self.recorder = self.recording.recorder
        self.recording.watch(*self.devices)
        self.begin()
        return TangoEvents(self.recording)

    def __exit__(self, kind, error, traceback):
        __tracebackhide__ = True  # pylint: disable=unused-variable
        lines = []
        with self.own:
            if kind is None:
                lines = self.end()
                if lines:
                    lines += self.recording.describe(brief=True)
        if lines:
            raise EventsLost("\n".join(lines))

    def _pairs(self):
        tracker = self.recording.tracker
        self.gone -= set(self.recorder.reader.newest)
        return {pair.key: pair for pair in tracker.pairs(self.filters, set(tracker.servers) - self.gone)}

    def begin(self):
        """Waits until what was pushed earlier has arrived, or won't."""
        deadline = time.monotonic() + _SETTLE_TIMEOUT_S
        unchanged, last = 0, None
        while self.recorder.poll():
            self.gone = set(self.recording.tracker.servers) - set(self.recorder.reader.newest)
            self.before = self._pairs()
            waiting = [pair.waiting for pair in self.before.values() if pair.waiting]
            now = [(pair.key, pair.events, pair.lost) for pair in self.before.values()]
            unchanged = unchanged + 1 if now == last else 0
            last = now
            if not waiting or unchanged >= _SETTLED_POLLS or time.monotonic() > deadline:
                break
        self.pushed = self.recording.tracker.pushed(self.filters)

    def _missing(self, now):
        """How many events of the block this subscriber doesn't have, and of how many; None: not known."""
        numbers = self._missing_so_far(now)
        if numbers is None or not now.has_numbers:
            return numbers
        newest = self.newest.setdefault((now.key, now.publisher_pid), now.newest)
        later = now.waiting if newest <= now.number and not now.is_of_earlier else 0
        return max(0, numbers[0] - later), numbers[1] - later

    def _missing_so_far(self, now):
        """The same, with what was pushed after the block."""
        if now.pushed is None:
            return None
        before = self.before.get(now.key)
        if before is None or before.events > now.events:
            if now.base and now.has_numbers:
                # It was subscribed to when others already got events: count from its first one on.
                return now.lost + now.waiting, now.events + now.lost + now.waiting
            expected, events = now.newest - now.base, now.events
        elif before.publisher_pid != now.publisher_pid or (before.newest or 0) > (now.newest or 0):
            # The publisher was restarted: what the old process pushed last, nobody knows.
            missing = now.lost - before.lost + now.waiting
            return missing, now.events - before.events + missing
        else:
            expected, events = now.newest - (before.newest or 0), now.events - before.events
            if not before.has_numbers and now.has_numbers:
                # Its first event came in the block, and what was on its way before counts, too.
                expected = now.newest - (before.pushed or 0)
        return max(0, expected - events), expected

    def end(self):
        """The lines that say what is missing, once all has arrived or the time is over."""
        deadline = time.monotonic() + self.timeout
        unchanged, last = 0, None
        while True:
            if not self.recorder.poll():
                self.recording.notes.add("no_events_lost: nothing could be checked, since no server was recorded")
                return []
            pairs = self._pairs().values()
            missing = [(pair, self._missing(pair)) for pair in pairs]
            late = [(pair, numbers) for pair, numbers in missing if numbers and numbers[0] > 0]
            if not late:
                break
            now = [(pair.key, pair.events) for pair, _ in late]
            unchanged = unchanged + 1 if now == last else 0
            last = now
            nothing_comes = unchanged >= _SETTLED_POLLS and not any(pair.waiting for pair, _ in late)
            if nothing_comes or time.monotonic() > deadline:
                break
        lines = [
            "%d of %d events of %s that were pushed meanwhile didn't reach %s (%d are lost, %d were still waited for)"
            % (numbers[0], numbers[1], printable(pair.stream), printable(pair.server),
               max(0, numbers[0] - (pair.waiting or 0)), min(numbers[0], pair.waiting or 0))
            for pair, numbers in late
        ]
        return lines + self._unwatched()

    def _unwatched(self):
        """Lines for streams that were pushed to somebody who isn't watched."""
        received = {pair.stream for pair in self._pairs().values()}
        lines = []
        for key, count in self.recording.tracker.pushed(self.filters).items():
            pushed = count - self.pushed.get(key, 0) if count >= self.pushed.get(key, 0) else count
            if pushed > 0 and key[1] not in received:
                lines.append(
                    "%d events of %s were pushed, but no server that subscribes to it is recorded: name one,"
                    " as in no_events_lost(device, subscriber)" % (pushed, printable(key[1]))
                )
        return lines


class TangoEvents:
    """What the fixture ``tango_events`` gives: the events of the servers that are recorded, since the
    test began. A *device* is a name, a DeviceProxy, or an attribute's name (``domain/family/member/attribute``);
    without one, all are meant."""

    def __init__(self, recording):
        self._recording = recording

    @property
    def recording(self):
        """The path of the recording."""
        return self._recording.path

    def watch(self, *devices):
        """Record the servers of these devices, too: names, proxies or test contexts."""
        self._recording.watch(*devices)

    def counts(self, device=None):
        """:class:`EventCounts` as of now: asks the servers."""
        self._recording.recorder.poll()
        return self._recording.tracker.counts(_filter_of(device))

    def pushed(self, device=None):
        """How many events were pushed (to whomever)."""
        return self.counts(device).pushed

    def received(self, device=None):
        """How many were received, by all subscribers that are recorded."""
        return self.counts(device).received

    def waiting(self, device=None):
        """How many were pushed, and neither received nor known to be lost; ``None``: not known."""
        return self.counts(device).waiting

    def lost(self, device=None):
        """How many are lost, as far as subscribers have noticed; ``None``: not known."""
        return self.counts(device).lost

    def no_events_lost(self, *devices, timeout=10.0):
        """See :func:`no_events_lost`."""
        return _Block(self._recording, devices, timeout)


def no_events_lost(*devices, timeout=10.0):
    """Waits, when the block ends, until all events that these devices (or all) pushed in it have arrived
    at the subscribers that are recorded; raises :class:`EventsLost`, an AssertionError, if some are lost
    or don't arrive within ``timeout`` seconds. ::

        with no_events_lost(device):
            device.PushBurst(1000)

    Where nothing can be recorded (no agent in the servers, say) it raises nothing.
    """
    return _Block(_recordings[-1] if _recordings else None, devices, timeout)


@contextlib.contextmanager
def _temporary():
    """A recording for as long as it is needed, where there is none of the test."""
    _test_contexts.install()
    with tempfile.TemporaryDirectory(prefix="tango-events-") as folder:
        recording = _Recording(os.path.join(folder, "events.jsonl"), Notes())
        try:
            recording.begin([], False)
            yield recording
        finally:
            recording.end()


@contextlib.contextmanager
def events_of(item):
    """For the fixture: the TangoEvents of a test."""
    with contextlib.ExitStack() as stack:
        recording = _recordings[-1] if _recordings else stack.enter_context(_temporary())
        mark = item.get_closest_marker("tango_events")
        if mark is not None:
            recording.watch(*_devices_of(item))
        yield TangoEvents(recording)


def _devices_of(item):
    """The devices that a test's marks name."""
    return [str(name) for mark in item.iter_markers("tango_events") for name in mark.args]


def _file_name(nodeid, worker):
    """A name for a test's recording that is the same in every run, safe, and no other test's."""
    digest = hashlib.sha256(nodeid.encode("utf-8", "backslashreplace")).hexdigest()[:10]
    readable = re.sub(r"[^A-Za-z0-9_.=]+", "-", nodeid).strip("-.")[:_MOST_OF_NAME]
    return "-".join(part for part in (readable, worker, digest) if part)


class _Session:
    """The plugin proper, registered if --tango-events was given."""

    def __init__(self, config):
        self.folder = config.option.tango_events
        self.worker = getattr(config, "workerinput", {}).get("workerid", "")
        self.names = _words(config.option.tango_events_devices) or _words([config.getini("tango_events_devices")])
        self.keep = config.option.tango_events_keep or config.getini("tango_events_keep")
        if self.keep not in ("all", "failed"):
            raise pytest.UsageError("tango_events_keep must be all or failed, not %r" % self.keep)
        self.period = config.getini("tango_events_poll_period")
        self.options = shlex.split(config.getini("tango_events_monitor_options"))
        try:
            if not float(self.period) > 0:
                raise ValueError
        except ValueError:
            raise pytest.UsageError("tango_events_poll_period must be a number of seconds") from None
        self.notes = Notes()
        self.used = {}
        self.recording = None
        self.summary_notes = Notes()
        self.recorded = set()
        try:
            os.makedirs(self.folder, exist_ok=True)
        except OSError as error:
            self.folder = None
            self.summary_notes.add("nothing is recorded: %s" % error)

    # -- one test --

    def _path(self, item):
        name = _file_name(item.nodeid, self.worker)
        self.used[name] = self.used.get(name, 0) + 1
        again = "-%d" % self.used[name] if self.used[name] > 1 else ""
        return os.path.join(self.folder, name + again + ".jsonl")

    def _begin(self, item):
        self._end()
        marks = list(item.iter_markers("tango_events"))
        if self.folder is None or any(mark.kwargs.get("record") is False for mark in marks):
            return
        path = self._path(item)
        with contextlib.suppress(OSError):
            os.unlink(path)  # of an earlier run
        self.recording = _Recording(path, Notes(), self.period, self.options)
        names = _devices_of(item) or self.names
        self.recording.begin(names, not names and bool(os.environ.get("TANGO_HOST")))

    def _end(self):
        recording, self.recording = self.recording, None
        if recording is not None:
            recording.end()
        return recording

    def _safely(self, function, *arguments):
        """Nothing of ours fails a test."""
        try:
            return function(*arguments)
        except Exception as error:  # pylint: disable=broad-except
            (self.recording.notes if self.recording else self.notes).add("%s: %s" % (type(error).__name__, error))
            return None

    @pytest.hookimpl(hookwrapper=True, tryfirst=True)
    def pytest_runtest_setup(self, item):
        """The recording begins before the first fixture does."""
        self._safely(self._begin, item)
        yield

    @pytest.hookimpl(hookwrapper=True, tryfirst=True)
    def pytest_runtest_call(self, item):  # pylint: disable=unused-argument
        """Fixtures may have started servers."""
        recording = self.recording
        if recording is not None and time.monotonic() > recording.began + _QUICK_SETUP_S:
            self._safely(recording.refresh)
        yield

    @pytest.hookimpl(hookwrapper=True, tryfirst=True)
    def pytest_runtest_teardown(self, item):  # pylint: disable=unused-argument
        """The last counts, while the servers of fixtures are there."""
        if self.recording is not None:
            self._safely(self.recording.recorder.poll)
        yield

    @pytest.hookimpl(hookwrapper=True)
    def pytest_runtest_makereport(self, item, call):  # pylint: disable=unused-argument
        """Adds the findings to the report of a failure."""
        outcome = yield
        report = outcome.get_result()
        if self.recording is not None:
            self._safely(self._add_to, item, report)
        if report.when == "teardown":
            self._safely(self._finish, item, report)

    def _add_to(self, item, report):
        recording = self.recording
        if not report.failed or recording.failed_test:
            return
        recording.failed_test = True
        recording.recorder.poll()
        text = "\n".join(recording.describe())
        if hasattr(report.longrepr, "addsection"):
            # Part of the failure's text, also in JUnit XML.
            report.longrepr.addsection("Tango events", text)
        else:
            report.sections.append(("Tango events", text))
        self._property(item, report, "tango_events_findings", text)

    def _finish(self, item, report):
        recording = self._end()
        if recording is None:
            return
        kept = recording.has_polls()
        if not recording.failed_test and self.keep == "failed" or not kept:
            kept = False
            with contextlib.suppress(OSError):
                os.unlink(recording.path)
        if kept:
            self._property(item, report, "tango_events_recording", _shown_path(recording.path))
        for line in [*recording.notes.lines, *self.notes.lines]:
            self._property(item, report, "tango_events_note", line)

    @staticmethod
    def _property(item, report, name, value):
        """For JUnit XML, and for the summary in the process that prints it."""
        item.user_properties.append((name, value))
        if report.user_properties is not item.user_properties:
            report.user_properties.append((name, value))

    # -- all of them --

    def pytest_runtest_logreport(self, report):
        """Also in the process that pytest-xdist's workers report to."""
        if report.when != "teardown":
            return
        for name, value in report.user_properties:
            if name == "tango_events_note":
                self.summary_notes.add(value)
            elif name == "tango_events_recording":
                self.recorded.add(value)

    def pytest_terminal_summary(self, terminalreporter):
        """A line for the recordings, and what the user should know."""
        lines = []
        if self.recorded:
            lines.append("%d recordings in %s" % (len(self.recorded), printable(_shown_path(self.folder or ""))))
        lines += self.summary_notes.lines
        if lines:
            terminalreporter.section("Tango events", sep="-")
            for line in lines:
                terminalreporter.line(line)

    def pytest_sessionfinish(self):
        """Whatever ended the tests, nothing of ours stays."""
        self._safely(self._end)

    def pytest_unconfigure(self):
        self._safely(self._end)


def _words(texts):
    """Names, separated by commas or white space."""
    return [word for text in texts or [] for word in re.split(r"[\s,]+", text) if word]


def _end_all():
    for recording in list(_recordings):
        recording.end()


def begin(config):
    """Called by the plugin's configuration, if --tango-events was given."""
    _test_contexts.install()
    config.pluginmanager.register(_Session(config), "ska_tango_event_monitor_session")
    atexit.register(_end_all)
