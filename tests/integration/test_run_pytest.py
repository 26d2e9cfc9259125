"""scripts/run-pytest: what failed only because others ran beside it is no failure, and anything else is."""

import subprocess
from pathlib import Path

SCRIPT = Path(__file__).resolve().parents[2] / "scripts" / "run-pytest"
PASSES_THE_SECOND_TIME = """
def test_late():
    from pathlib import Path
    flag = Path({path!r})
    was_there = flag.exists()
    flag.touch()
    assert was_there
"""


def run(tmp_path, text, *arguments):
    (tmp_path / "test_inner.py").write_text(text)
    result = subprocess.run([SCRIPT, tmp_path, "-q", *arguments], capture_output=True, text=True, timeout=120)
    return result.returncode, result.stdout


def test_one_that_passes_when_run_alone_is_reported(tmp_path):
    text = PASSES_THE_SECOND_TIME.format(path=str(tmp_path / "flag"))
    status, output = run(tmp_path, text, "-n", "2", "--dist", "loadgroup")
    assert status == 0
    assert "Passed only when run alone:\n" in output and output.endswith("1 passed, 0 failed\n")


def test_one_that_fails_again_is_a_failure(tmp_path):
    status, output = run(tmp_path, "def test_wrong():\n    assert 0\n")
    assert status == 1
    assert output.count("1 failed") == 2


def test_many_failures_are_not_run_again(tmp_path):
    several = "import pytest\n@pytest.mark.parametrize('i', range(11))\ndef test_wrong(i):\n    assert 0\n"
    status, output = run(tmp_path, several)
    assert status == 1
    assert "11 failed" in output and "once more" not in output


def test_no_failure_is_not_run_again(tmp_path):
    status, output = run(tmp_path, "def test_good():\n    pass\n")
    assert status == 0
    assert "once more" not in output
