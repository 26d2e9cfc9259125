"""A network that is cut and repaired while the monitor watches servers on the other side."""

import json
import subprocess

import pytest
from tango_servers import MONITOR, clean_environment, die_with_parent, need, wait_for

pytestmark = pytest.mark.sanitizers


@pytest.mark.parametrize("how", ["unplugged", "silent"])
def test_a_cut_wire(wire, distant, tmp_path, how):
    """Every server is picked up again by itself, also one that was restarted meanwhile."""
    names, tango_host, restart = distant
    recording = tmp_path / "recording.jsonl"
    monitor = subprocess.Popen(
        [*wire.monitor.prefix, str(need(MONITOR)), "--poll-period", "0.5", "--timeout", "0.4", "-o",
         str(recording), *names],
        # On one machine the ORB would go around the wire, through Unix sockets.
        env=clean_environment(TANGO_HOST=tango_host, ORBclientTransportRule="* tcp"), stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, preexec_fn=die_with_parent,
    )

    def last(count=1):
        lines = recording.read_text().splitlines()[-count:] if recording.exists() else []
        return [json.loads(line)["replies"] for line in lines]

    def all_answer():
        return last() and all("data" in last()[0][name] for name in names)

    def all_fail():
        polls = last(3)
        return len(polls) == 3 and all("error" in poll[name] for poll in polls for name in names)

    try:
        wait_for(all_answer, 30, "answers")
        for turn in range(2):
            wire.cut(how)
            wait_for(all_fail, 30, "failures of all")
            pid = restart(turn)["pid"]
            wire.heal(how)
            # TCP's retransmission timeout may have grown meanwhile; new connections don't wait for that.
            wait_for(all_answer, 60, "answers of all again")
            assert last()[0][names[turn]]["data"]["agent"]["pid"] == pid
        monitor.terminate()
        output, errors = monitor.communicate(timeout=20)
        assert monitor.returncode == 0, errors
        for name in names:
            # Once for each cut, or once more where one failed for two reasons.
            assert 2 <= output.count(f"{name}: FAILED") <= 8, output
            assert output.count(f"{name}: answers again") >= 2
    finally:
        monitor.kill()
        monitor.communicate()
