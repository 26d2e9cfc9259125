"""For tests of what the monitor finds: the monitor with ``--format jsonl``, and its findings.

A test asks for the fixture ``watch``:

    def test_something(watch, ...):
        monitor = watch(pub.name(), sub.name(), "--threshold", "stuck-callback=2")
        finding = monitor.wait_for("stuck-callback", subscriber="dserver/subscriber/test")
        assert finding["events"] == 12
        monitor.wait_until_over("stuck-callback")
        assert monitor.end() == [finding, ...]     # of the whole run

Without a ``--poll-period`` among its arguments it polls twice a second.
"""

import json

import pytest
from tango_servers import run_monitor, start_monitor, wait_for


def describe(findings):
    """Findings as a failed test shows them."""
    return "\n".join(
        f"{f['state']} {f['severity']} {f['rule']}: {f['text']} ({f['seconds']:.1f} s, {f['times']} times)"
        + "".join(f"\n    {line}" for line in f["evidence"])
        for f in findings
    )


def of_rule(findings, rule, **wanted):
    """Those of a rule whose keys are as wanted; a name may be given without what comes before it."""

    def fits(finding, key, value):
        given = finding[key]
        return given == value or (isinstance(value, str) and str(given).endswith(value))

    return [f for f in findings if f["rule"] == rule and all(fits(f, *each) for each in wanted.items())]


class Watch:
    """A running monitor, and all that it has found so far."""

    def __init__(self, folder, arguments, environment):
        self.output = folder / "findings.jsonl"
        self.errors = folder / "findings-errors.txt"
        if "--poll-period" not in arguments:
            arguments = ["--poll-period", 0.5, *arguments]
        with self.output.open("w") as output, self.errors.open("w") as errors:
            self.process = start_monitor(
                "--format", "jsonl", *arguments, stdout=output, stderr=errors, **environment
            )
        self.rest = ""
        self.offset = 0
        self.polls = 0
        self.now = []  # those of the latest poll
        self.latest = {}  # by identity, those that ended included
        self.totals = None

    def follow(self):
        """Read what came since; returns itself."""
        with self.output.open(encoding="utf-8") as file:
            file.seek(self.offset)
            text = self.rest + file.read()
            self.offset = file.tell()
        *lines, self.rest = text.split("\n")
        for line in map(json.loads, lines):
            if "totals" in line:
                self.totals = line["totals"]
                continue
            self.polls += 1
            self.now = line["findings"]
            self.latest.update({finding["identity"]: finding for finding in self.now})
        return self

    def _alive(self):
        assert self.process.poll() is None, self.errors.read_text()

    def wait_for_polls(self, count, timeout=60):
        """Wait for so many further polls."""
        self.follow()
        wanted = self.polls + count

        def polled():
            self._alive()
            return self.follow().polls >= wanted

        wait_for(polled, timeout, f"{count} polls", 0.1)

    def found(self, rule, **wanted):
        """All findings of that rule so far, as they were last seen."""
        return of_rule(self.follow().latest.values(), rule, **wanted)

    def wait_for(self, rule, timeout=60, **wanted):
        """Wait until such a finding is there; returns the first one."""

        def seen():
            self._alive()
            return self.found(rule, **wanted)

        try:
            return wait_for(seen, timeout, f"a finding {rule} with {wanted}", 0.1)[0]
        except AssertionError as error:
            raise AssertionError(f"{error}\nfound: {describe(self.latest.values())}") from None

    def wait_until_over(self, rule, timeout=60, **wanted):
        """Wait until all such findings have ended; returns the first one."""

        def over():
            self._alive()
            found = self.found(rule, **wanted)
            return found if found and all(f["state"] == "ended" for f in found) else None

        return wait_for(over, timeout, f"the end of {rule} with {wanted}", 0.1)[0]

    def end(self):
        """End the monitor; returns the findings of the whole run."""
        self.process.terminate()
        assert self.process.wait(30) == 0, self.errors.read_text()
        self.follow()
        return self.totals["findings"]

    def kill(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()


@pytest.fixture
def watch(tmp_path):
    """watch(*arguments, **environment) starts a monitor, a :class:`Watch`; all end with the test."""
    started = []

    def run(*arguments, **environment):
        folder = tmp_path / f"watch-{len(started)}"
        folder.mkdir()
        started.append(Watch(folder, [str(argument) for argument in arguments], environment))
        return started[-1]

    yield run
    for each in started:
        each.kill()


def findings_of(*arguments, **environment):
    """Run the monitor to its end (``-n``, or ``--read``): the findings of the whole run."""
    done = run_monitor("--format", "jsonl", *arguments, **environment)
    assert done.returncode in (0, 3), done.stderr
    return json.loads(done.stdout.splitlines()[-1])["totals"]["findings"]
