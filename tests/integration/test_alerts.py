"""The alert rules and the examples of configurations: whole, current, and good in Prometheus' own eyes."""

import re
import shutil
import subprocess

import pytest
import yaml
from prometheus import make_certificate
from tango_servers import MONITOR, ROOT, need, run_monitor

FOLDER = ROOT / "packaging" / "prometheus"
ALERTS = FOLDER / "alerts.yml"
MAKE = FOLDER / "make-alerts"
CHART = ROOT / "packaging" / "helm" / "ska-tango-event-exporter" / "files"


def promtool(*arguments, cwd=FOLDER):
    done = subprocess.run(["promtool", *arguments], cwd=cwd, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def alerts():
    """{name: alert}."""
    groups = yaml.safe_load(ALERTS.read_text(encoding="utf-8"))["groups"]
    return {rule["alert"]: rule for group in groups for rule in group["rules"]}


def test_they_say_what_the_monitor_says():
    """Otherwise make them anew, as the script says at its beginning."""
    made = subprocess.run([MAKE, need(MONITOR)], capture_output=True, text=True, check=True)
    assert made.stdout == ALERTS.read_text(encoding="utf-8") == (CHART / "alerts.yml").read_text(encoding="utf-8")


def test_each_rule_of_faults_and_warnings_has_one():
    listed = [line.split()[:2] for line in run_monitor("--explain").stdout.splitlines()[1:]]
    wanted = {name: {"fault": "critical", "warning": "warning"}[severity] for name, severity in listed if severity != "remark"}
    assert len(wanted) > 20
    having = {alert["labels"]["rule"]: alert["labels"]["severity"] for alert in alerts().values() if "rule" in alert["labels"]}
    assert having == wanted


def test_each_says_what_to_do():
    for alert in alerts().values():
        first, advice = alert["annotations"]["description"].split("What to do:")
        assert alert["annotations"]["summary"] and first.strip() and advice.strip()


def test_promtool_likes_them():
    assert f"{len(alerts())} rules found" in promtool("check", "rules", ALERTS.name)
    assert "SUCCESS" in promtool("test", "rules", "alerts_test.yml")


def test_each_counter_alert_is_tested():
    tested = (FOLDER / "alerts_test.yml").read_text(encoding="utf-8")
    for name, alert in alerts().items():
        assert "rule" in alert["labels"] or name in tested


@pytest.mark.parametrize("name", ["prometheus.yml", "prometheus-site.yml"])
def test_the_configurations(tmp_path, name):
    """With the files that they name."""
    shutil.copy(FOLDER / name, tmp_path)
    shutil.copy(ALERTS, tmp_path)
    shutil.copy(make_certificate(tmp_path).certificate, tmp_path / "ca.crt")
    (tmp_path / "password").write_text("correct horse")
    assert "SUCCESS" in promtool("check", "config", name, cwd=tmp_path)
    # The alerts look for the job by its name.
    (job,) = yaml.safe_load((FOLDER / name).read_text(encoding="utf-8"))["scrape_configs"]
    (pattern,) = set(re.findall(r'job=~"([^"]*)"', ALERTS.read_text(encoding="utf-8")))
    assert re.fullmatch(pattern, job["job_name"])
