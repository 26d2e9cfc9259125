"""The tutorial docs/attach.md, line by line: its commands, and what they print; and the demo that does the same."""

import os
import re
import subprocess

import pytest
from tango_servers import BUILD, ROOT, clean_environment
from test_local_tango import processes_in
from test_missing_events import blocks, same_in_each_run

pytestmark = pytest.mark.xdist_group("demo")

TUTORIAL = ROOT / "docs" / "attach.md"
# Process ids of their own, so that there is nothing else on "this machine".
ALONE = ["unshare", "--user", "--map-root-user", "--pid", "--mount-proc", "--fork", "--kill-child"]


def alone():
    """How to run something alone; root needs no other users for that."""
    prefix = [each for each in ALONE if os.geteuid() != 0 or each not in ("--user", "--map-root-user")]
    works = subprocess.run([*prefix, "true"], capture_output=True, text=True, check=False)
    if works.returncode != 0:
        pytest.skip(f"there can be no other process ids here: {works.stderr.strip()}")
    return prefix


def script_of(commands, folder):
    """One shell runs them all; with any free port instead of 10000, and the logger's process id."""
    lines = ["set +e"]
    for command in commands:
        command = re.sub(r"\b110\b", "$logger", command)
        command = command.replace("$PWD/build/bin", str(BUILD / "bin")).replace("log.txt", str(folder / "log.txt"))
        if command == "make build":  # whoever is here has done that
            command = "true"
        if command.startswith("demo/local-tango start"):
            command += f" --dir {folder} --port 0"
        command = command.replace(":10000", f":$(sed -n 's/.*\"port\": \\([0-9]*\\).*/\\1/p' {folder}/state.json)")
        if command.endswith("&"):
            # Its user calls after some time.
            log = folder / "log.txt"
            command += f"\nlogger=$!\nuntil [ \"$(cat {log} 2>/dev/null | wc -l)\" -gt 9 ]; do sleep 0.1; done"
        lines += [command, "echo '@@@'"]
    return "\n".join([*lines, "kill $logger", f"demo/local-tango stop --dir {folder} >/dev/null", ""])


@pytest.mark.long
def test_the_tutorial(agent_lib, monitor_bin, launcher_bin, tmp_path):
    prefix = alone()
    shown = [each for block in blocks(TUTORIAL.read_text(encoding="utf-8")) for each in block]
    folder = tmp_path / "local"
    done = subprocess.run(
        [*prefix, "bash", "-c", script_of([command for command, _ in shown], folder)],
        cwd=ROOT, env=clean_environment(BUILD_DIR=BUILD), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, text=True, timeout=240, check=False,
    )  # fmt: skip
    printed = done.stdout.split("@@@\n")
    assert len(printed) == len(shown) + 1 and printed.pop() == "", done.stdout
    for (command, expected), output in zip(shown, printed):
        if command == "make build":
            continue
        if "--diagnose" in command:
            rules = re.findall(r"\[([a-z-]+)\]$", output, re.MULTILINE)
            assert "slow-callback" in rules and "not-received" in rules, output
            assert "of the time of client:logger.py, those for foo/bar/pub/" in output
            assert "0 lost" in output.splitlines()[0]
        else:
            assert same_in_each_run(output) == same_in_each_run(expected), command


def test_the_demo(agent_lib, monitor_bin, launcher_bin, tmp_path):
    done = subprocess.run(
        [ROOT / "demo" / "run-attach"], env=clean_environment(BUILD_DIR=BUILD, TMPDIR=tmp_path),
        stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"^\d+ \(logger\.py\): attached, ", done.stdout, re.MULTILINE), done.stdout
    assert "events pushed on foo/bar/pub/uptime_ms.change not received" in done.stdout
    assert re.search(r"^\d+ \(logger\.py\): detached", done.stdout, re.MULTILINE)
    assert list(tmp_path.iterdir()) == [] and processes_in(tmp_path) == []
