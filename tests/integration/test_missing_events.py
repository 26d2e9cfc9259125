"""The tutorial docs/missing-events.md, line by line: its commands, and what they print.

When they print something else on purpose: /usr/bin/python3 tests/integration/test_missing_events.py
"""

import json
import os
import re
import subprocess

import pytest
from findings import describe, findings_of
from tango_servers import BUILD, ROOT, clean_environment, run_monitor
from test_local_tango import Runner, processes_in

pytestmark = pytest.mark.xdist_group("missing")

TUTORIAL = ROOT / "docs" / "missing-events.md"
# Whoever is here has done that.
NOT_REPEATED = "make build"


def blocks(text):
    """Its blocks of commands: lists of (command, what it prints)."""
    found = re.findall(r"^```\n(\$ .*?)^```$", text, re.MULTILINE | re.DOTALL)
    return [re.findall(r"^\$ (.*)\n((?:(?!\$ ).*\n)*)", block, re.MULTILINE) for block in found]


def run_all(commands, folder=None):
    """What each command prints, one after the other in one shell; with any free port instead of 10000."""
    script = "set +e\nstatus=0\n"
    for command in commands:
        command = command.replace("build/bin", os.path.relpath(BUILD / "bin", ROOT)).replace("$PWD/", f"{ROOT}/")
        if command == NOT_REPEATED:
            command = "true"
        if folder is not None and command.startswith("demo/local-tango "):
            command += f" --dir {folder}" + (" --port 0" if " start" in command else "")
        if folder is not None:
            command = command.replace(":10000", f":$(sed -n 's/.*\"port\": \\([0-9]*\\).*/\\1/p' {folder}/state.json)")
        script += f"(exit $status)\n{command}\nstatus=$?\necho '@@@'\n"
    done = subprocess.run(
        ["bash", "-c", script], cwd=ROOT, env=clean_environment(BUILD_DIR=BUILD), stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=240, check=False,
    )
    outputs = done.stdout.split("@@@\n")
    assert len(outputs) == len(commands) + 1 and outputs.pop() == "", done.stdout
    return outputs


def same_in_each_run(text):
    """Without numbers, paths, and how lines are broken."""
    text = re.sub(r"log \S+", "log", text)
    text = re.sub(r"\d[\d.:T+-]*\d|\d", "#", text)
    return re.sub(r"\s+", " ", text).strip()


def findings_in(output):
    """The verdict and the findings of a diagnosis; the advice is given to the first of a rule."""
    parts = re.split(r"\n\n(?=FAULT|WARNING|remark|--explain)", output)
    return {same_in_each_run(part.split("What to do: ")[0]) for part in parts}


@pytest.mark.long
def test_the_tutorial(agent_lib, monitor_bin, launcher_bin, tmp_path):
    shown = [each for block in blocks(TUTORIAL.read_text(encoding="utf-8")) for each in block]
    folder = tmp_path / "local"
    try:
        printed = run_all([command for command, _ in shown], folder)
    finally:
        Runner(folder)("stop")
    assert processes_in(folder) == []
    for (command, expected), output in zip(shown, printed):
        if command == NOT_REPEATED:
            continue
        if "--diagnose" in command:
            assert findings_in(expected) <= findings_in(output), output
        elif "missing/move" in command or command == "echo $?":
            assert output == expected, command
        else:
            assert same_in_each_run(output) == same_in_each_run(expected), command
    assert [output for (command, _), output in zip(shown, printed) if command == "echo $?"] == ["3\n"]


def test_the_code_in_the_tutorial_is_that_of_the_demo():
    (code,) = re.findall(r"^```python\n(.*?)^```$", TUTORIAL.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    assert code in (ROOT / "demo" / "missing" / "top.py").read_text(encoding="utf-8")


@pytest.fixture
def missing(tmp_path):
    """TANGO_HOST of the system of the tutorial."""
    runner = Runner(tmp_path / "local")
    try:
        assert runner("start", "--port", 0, "--system", "missing").returncode == 0
        yield f"127.0.0.1:{runner.state()['port']}"
    finally:
        runner("stop")
    assert processes_in(runner.folder) == []


@pytest.mark.long
def test_from_the_missing_event_to_its_cause(missing, agent_lib, monitor_bin, launcher_bin, tmp_path):
    """By one command; and the same from what it recorded."""
    move = subprocess.run(
        [ROOT / "demo" / "missing" / "move"], env=clean_environment(TANGO_HOST=missing), capture_output=True,
        text=True, timeout=60, check=True,
    )
    assert "demo/client/1: has heard nothing" in move.stdout
    recording = tmp_path / "recording.jsonl"
    devices = ["demo/hw/1", "demo/top/1", "demo/client/1"]
    arguments = ["--diagnose", "--format", "json", "-o", recording, *devices]
    done = run_monitor(*arguments, TANGO_HOST=missing)
    assert done.returncode == 3, done.stderr
    found = json.loads(done.stdout)["findings"]
    (stuck,) = [finding for finding in found if finding["severity"] == "fault"]
    assert stuck["rule"] == "stuck-callback", describe(found)
    assert stuck["stream"] == f"tango://{missing}/demo/hw/1/moving.change"
    assert stuck["subscriber"] == "dserver/top/demo"
    assert stuck["publisher"] in (None, "dserver/hw/demo")
    waiting = {f["stream"]: f for f in found if f["rule"] == "not-received"}
    assert set(waiting) == {f"tango://{missing}/demo/hw/1/{name}.change" for name in ("moving", "position")}
    for finding in waiting.values():
        assert (finding["publisher"], finding["subscriber"]) == ("dserver/hw/demo", "dserver/top/demo")
    assert waiting[f"tango://{missing}/demo/hw/1/moving.change"]["events"] == 1
    assert not any("client" in str(f["subscriber"]) for f in found)
    again = findings_of("--read", recording)
    assert {f["identity"] for f in found} <= {f["identity"] for f in again}


def renew():
    """Put into the tutorial what its commands print today; they use port 10000 and the usual folder."""
    text = TUTORIAL.read_text(encoding="utf-8")
    shown = blocks(text)
    outputs = iter(run_all([command for block in shown for command, _ in block]))

    def renewed(match):
        (block,) = blocks(match[0])
        return "```\n" + "".join(f"$ {command}\n{next(outputs)}" for command, _ in block) + "```\n"

    TUTORIAL.write_text(re.sub(r"^```\n\$ .*?^```\n", renewed, text, flags=re.MULTILINE | re.DOTALL), encoding="utf-8")


if __name__ == "__main__":
    renew()
