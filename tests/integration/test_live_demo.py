"""demo/run-live: what it needs, and that nothing of it stays behind."""

import json
import subprocess

import pytest
from tango_servers import ROOT, clean_environment, wait_for
from test_local_tango import Runner, processes_in

RUN_LIVE = ROOT / "demo" / "run-live"


def test_it_needs_a_terminal():
    done = subprocess.run(
        [RUN_LIVE], env=clean_environment(TERM="xterm"), stdin=subprocess.DEVNULL, capture_output=True, text=True,
        timeout=60, check=False,
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "demo-live: it needs a terminal for input and output, and TERM to say which (not 'dumb')\n"


def test_it_needs_a_terminal_that_can_do_something(tmux):
    screen = tmux([RUN_LIVE], env={"TERM": "dumb"})
    assert screen.status() == 1
    assert "it needs a terminal" in screen.everything()


@pytest.fixture
def system(tmp_path, agent_lib, launcher_bin):
    runner = Runner(tmp_path / "local")
    try:
        started = runner("start", "--port", 0, "--system", "live")
        assert (started.returncode, started.stderr) == (0, "")
        yield runner
    finally:
        runner("stop")
    assert processes_in(runner.folder) == []


def received(runner, server):
    """What a server has received so far, by attribute."""
    answer = json.loads(runner.proxy(f"dserver/{server}/demo").QueryEventAgent())
    topics = (answer["client"] or {}).get("event_callbacks", {})
    return {name.partition("/demo/")[2].partition(".")[0]: each["event_count"] for name, each in topics.items()}


def test_its_servers_send_each_other_events(system):
    """All that they are meant to."""
    wanted = {"archiver": 4 * 3 + 2 + 3, "display": 4 * 2 + 2, "alarms": 4 + 3}
    for server, count in wanted.items():
        def seen(server=server, count=count):
            counts = received(system, server)
            return len(counts) == count and all(number for name, number in counts.items() if "delays" not in name)

        wait_for(seen, 40, f"events of {count} streams in {server}", 0.3)
