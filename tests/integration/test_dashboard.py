"""The Grafana dashboard: each of its queries, in a real Prometheus that scrapes a real exporter of the demo's system,
in which events are lost, callbacks get stuck, and a server dies and comes back."""

import json
import re
import subprocess

import pytest
from tango_servers import ROOT, wait_for
from test_local_tango import Runner

FOLDER = ROOT / "packaging" / "grafana"
DASHBOARD = json.loads((FOLDER / "dashboard.json").read_text(encoding="utf-8"))
PANELS = [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]
VARIABLES = {each["name"]: each for each in DASHBOARD["templating"]["list"]}
# Grafana's own, and what "All" of ours is.
VALUES = {"__rate_interval": "15s", "__range": "2m", "__interval": "5s", "server": ".*", "device": ".*"}

pytestmark = pytest.mark.xdist_group("demo")


def queries():
    """(title, query), as Grafana sends it."""
    found = []
    for panel in PANELS:
        for target in panel["targets"]:
            query = re.sub(r"\$(\w+)", lambda match: VALUES[match[1]], target["expr"])
            found.append((panel["title"], query))
    return found


@pytest.fixture(scope="module")
def system(tmp_path_factory):
    """TANGO_HOST of make demo-live's servers."""
    runner = Runner(tmp_path_factory.mktemp("demo") / "local")
    try:
        started = runner("start", "--port", 0, "--system", "live")
        assert started.returncode == 0, started.stderr
        yield f"127.0.0.1:{runner.state()['port']}"
    finally:
        runner("stop")


@pytest.mark.long
def test_each_query_has_data(system, exporters, prometheus):
    server = prometheus([exporters("-m", "demo/*/*", TANGO_HOST=system)])
    server.wait_for("increase(tango_event_lost_total[2m]) > 0", bool, 120)
    # As it has been going on for some time.
    missing = {}

    def all_have_data():
        missing.clear()
        for title, query in queries():
            if not [sample for sample in server.query(query) if sample.value == sample.value]:
                missing[title] = query
        return not missing

    try:
        wait_for(all_have_data, 120, "data in each panel", 2)
    except AssertionError:
        raise AssertionError(f"no data: {json.dumps(missing, indent=1)}") from None
    # The lists of the variables.
    for name in ("server", "device"):
        selector, label = re.fullmatch(r"label_values\((.*), (\w+)\)", VARIABLES[name]["query"]["query"]).groups()
        selector = selector.replace("$server", ".*")
        names = server.api(f"label/{label}/values", **{"match[]": selector})
        assert "demo/dish/1" in names if name == "device" else any("dish/demo" in each for each in names), names
    # The numbers at the top.
    (answering,) = server.query(dict(queries())["Servers that answer"])
    assert answering.value in (5, 6)


def test_it_is_what_the_script_makes():
    """Otherwise make it anew, as the script says at its beginning."""
    made = subprocess.run([FOLDER / "make-dashboard"], capture_output=True, text=True, check=True)
    for folder in (FOLDER, ROOT / "packaging" / "helm" / "ska-tango-event-exporter" / "files"):
        assert made.stdout == (folder / "dashboard.json").read_text(encoding="utf-8"), folder


def test_it_is_whole():
    """As Grafana 9 to 11 reads it."""
    assert DASHBOARD["schemaVersion"] >= 36 and DASHBOARD["uid"] and "id" not in DASHBOARD
    ids = [panel["id"] for panel in DASHBOARD["panels"]]
    assert len(set(ids)) == len(ids)
    assert set(VARIABLES) == {"datasource", "server", "device"}
    for panel in PANELS:
        assert panel["datasource"] == {"type": "prometheus", "uid": "${datasource}"}
        assert panel["title"] and panel["targets"] and panel["fieldConfig"]["defaults"]["unit"]
        references = [target["refId"] for target in panel["targets"]]
        assert len(set(references)) == len(references)
    titles = [panel["title"] for panel in DASHBOARD["panels"] if panel["type"] == "row"]
    assert len(titles) == 7


def test_no_panel_covers_another():
    taken = set()
    for panel in DASHBOARD["panels"]:
        place = panel["gridPos"]
        cells = {(x, y) for x in range(place["x"], place["x"] + place["w"]) for y in range(place["y"], place["y"] + place["h"])}
        assert max(x for x, _ in cells) < 24
        assert not cells & taken, panel["title"]
        taken |= cells
