"""demo/run: it ends with a report of what it has recorded, and says where that is."""

import json
import re
import subprocess

import pytest
from tango_servers import BUILD, ROOT, clean_environment, need

pytestmark = pytest.mark.xdist_group("demo")


def test_the_demo_writes_a_report(tmp_path, agent_lib, launcher_bin, monitor_bin):
    done = subprocess.run(
        [ROOT / "demo" / "run"], env=clean_environment(BUILD_DIR=BUILD, DEMO_DIR=tmp_path), stdin=subprocess.DEVNULL,
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, ""), done.stdout
    recording, page = tmp_path / "demo-recording.jsonl", tmp_path / "demo-report.html"
    assert f"\n  {recording}\n" in done.stdout and f"\n  {page}\n" in done.stdout
    assert sorted(tmp_path.iterdir()) == [recording, page]
    told = subprocess.run(
        [need(BUILD / "bin" / "ska-tango-event-report"), "--format", "json", recording], capture_output=True, text=True,
        timeout=60, check=True,
    )  # fmt: skip
    report = json.loads(told.stdout)
    (burst,) = [stream for stream in report["streams"] if stream["stream"].endswith("/foo/bar/pub/burst.change")]
    assert burst["pushed"] == 30001 == burst["received"] + burst["lost"]
    html = page.read_text(encoding="utf-8")
    assert html.lower().startswith("<!doctype html>") and "foo/bar/pub/burst.change" in html
    # The monitor, the report and the page have the same number.
    lost = int(re.search(r"^In all: .* (\d+) events LOST$", done.stdout, re.MULTILINE)[1])
    assert lost == report["lost"] >= burst["lost"] > 0  # the burst may push out events of others
    assert str(burst["lost"]) in re.sub(r"(?<=\d)[^\d<]+(?=\d{3})", "", html)
