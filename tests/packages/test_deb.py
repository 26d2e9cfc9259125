"""The Debian packages, installed into a bare Debian 12, used there, and removed again."""

import json
import re
import shutil

import pytest
from conftest import ROOT, VERSION, run
from local_tango import free_port

PACKAGES = ("ska-tango-event-agent", "ska-tango-event-monitor")
PROGRAMS = (*PACKAGES, "ska-tango-event-exporter", "ska-tango-event-report")
DEPENDENCIES = "libtango9 libyajl2 libzip4 libssl3 libmicrohttpd12 libyaml-0-2 libncursesw6 python3-tango"
UNITS = ("ska-tango-event-monitor", "ska-tango-event-exporter")
# The records that dpkg and apt keep.
BOOKS = r"^\./(var/(lib/(dpkg|apt|systemd)|cache|log)|tmp|proc|dev|run)(/|$)|__pycache__"

SERVER = """
from tango.server import Device, attribute, command, run
class Publisher(Device):
    def init_device(self):
        super().init_device()
        self.pushed = 0
        self.set_change_event("value", True, False)
    @attribute(dtype=int)
    def value(self):
        return self.pushed
run((Publisher,))
"""


@pytest.fixture(scope="module")
def debs():
    """{package: path}."""
    run("make", "deb", cwd=ROOT)
    return {name: ROOT / "dist" / f"{name}_{VERSION}_amd64.deb" for name in PACKAGES}


@pytest.fixture
def installed(chroot, debs):
    """A chroot with the packages in it; chroot.before: what was there without them."""
    chroot.run(f"apt-get -qq update && apt-get -qq install --no-install-recommends -y {DEPENDENCIES}")
    chroot.before = files(chroot)
    for path in debs.values():
        chroot.put(path, "root")
    chroot.run("dpkg --install /root/*.deb && rm /root/*.deb")
    return chroot


def files(chroot):
    found = chroot.run("cd / && find . -xdev").stdout.splitlines()
    return {path for path in found if not re.search(BOOKS, path)}


def test_install_use_and_purge(installed):
    for program in PROGRAMS:
        assert installed.run(f"{program} --version").stdout == f"{program} {VERSION}\n"
    path = installed.run("ska-tango-event-agent path").stdout.strip()
    assert path == "/usr/lib/x86_64-linux-gnu/ska-tango-event-monitor/libska-tango-event-agent.so"
    added = files(installed) - installed.before
    shared = "./usr/share/ska-tango-event-monitor"
    for expected in (
        *(f"./usr/share/man/man1/{name}.1.gz" for name in PROGRAMS),
        *(f"./usr/share/bash-completion/completions/{name}" for name in PROGRAMS),
        *(f"./usr/share/doc/{name}/changelog.gz" for name in PACKAGES),
        *(f"./etc/default/{name}" for name in UNITS),
        *(f"{shared}/{name}" for name in ("prometheus/alerts.yml", "prometheus/prometheus.yml", "grafana/dashboard.json")),
        *(f"{shared}/kubernetes/{name}" for name in ("exporter.yaml", "attach.yaml")),
        f"{shared}/helm/ska-tango-event-exporter/Chart.yaml",
    ):
        # dpkg in a slim system may be told to leave documentation out, but not in this one.
        assert expected in added
    assert not [path for path in added if "/make-" in path]
    # The chart has the alerts, too.
    alerts = f"{shared[1:]}/prometheus/alerts.yml"
    installed.run(f"cmp {alerts} {shared[1:]}/helm/ska-tango-event-exporter/files/alerts.yml")
    # Nobody has enabled the recorder or the exporter.
    assert not [path for path in added if "wants" in path]

    installed.run(f"apt-get -qq purge -y {' '.join(PACKAGES)}")
    assert files(installed) == installed.before


def test_the_documentations_links(installed):
    """They lead to existing files with the same content as in the sources."""
    folder = installed.layers[0] / "usr" / "share" / "doc" / "ska-tango-event-monitor"
    documents = sorted(folder.rglob("*.md"))
    assert {"README.md", "docs/monitor.md"} <= {str(path.relative_to(folder)) for path in documents}
    for document in documents:
        for link in re.findall(r"\]\(([^)\s#]+)[^)]*\)", document.read_text(encoding="utf-8")):
            assert "://" in link or (document.parent / link).exists(), (document.name, link)


def start_server(port):
    """The beginning of a script: a server with the agent, which ends with the script."""
    return f"""
        set -eu
        ska-tango-event-agent run -- python3 /root/Publisher.py 1 -nodb -dlist Publisher::a/b/c \\
            -ORBendPoint giop:tcp:127.0.0.1:{port} >/root/server.log 2>&1 &
        trap 'kill $(jobs -p); cat /root/server.log' EXIT
        for i in $(seq 600); do grep -q '^Ready to accept' /root/server.log && break; sleep 0.1; done
    """


def run_unit(name, settings, background=False):
    """The rest of it: the unit's own command line, with its settings and those given. In the background it is a
    process of its own, which ends with the script."""
    unit = f"/lib/systemd/system/{name}@.service"
    return f"""
        sed -n 's/^Environment=//p' {unit} | tr ' ' '\\n' >/root/settings
        cat /etc/default/{name} >>/root/settings
        echo '{settings}' >>/root/settings
        set -a; . /root/settings; set +a
        mkdir -p /var/lib/{name}
        command=$(sed -n 's/^ExecStart=//p' {unit} | sed 's|%S|/var/lib|g; s|%i|night|g')
        {'eval "exec $command" >/root/unit.log 2>&1 &' if background else 'eval "$command"'}
    """


@pytest.fixture
def publisher(installed, tmp_path):
    """The script of a server is in it; gives the port that it has to listen at, and its device."""
    (tmp_path / "Publisher.py").write_text(SERVER)
    installed.put(tmp_path / "Publisher.py", "root")
    port = free_port()
    return port, f"tango://127.0.0.1:{port}/a/b/c#dbase=no"


def test_a_server_and_its_recorder(installed, publisher):
    """The unit's own command line, with its settings, records what a server with the agent did."""
    port, device = publisher
    recording = "/var/lib/ska-tango-event-monitor/night.jsonl"
    settings = f'DEVICES="{device}"; OPTIONS="--count 2"; POLL_PERIOD=0.5'
    # All in one namespace: one overlay can't be mounted twice at a time.
    installed.run(start_server(port) + run_unit("ska-tango-event-monitor", settings))
    lines = (installed.layers[0] / recording.lstrip("/")).read_text().splitlines()
    assert len(lines) == 2
    (reply,) = json.loads(lines[-1])["replies"].values()
    assert reply["data"]["agent"]["version"] == VERSION


FETCH = """
import time, urllib.request
def metrics():
    try:
        return urllib.request.urlopen("http://127.0.0.1:{port}/metrics", timeout=10).read().decode()
    except OSError:
        return ""
deadline = time.monotonic() + 60
while "tango_event_agent_info" not in metrics() and time.monotonic() < deadline:
    time.sleep(0.1)
print(metrics())
"""


def test_a_server_and_its_exporter(installed, publisher, tmp_path):
    """The unit's own command line, with its settings, says what a server with the agent did."""
    port, device = publisher
    listen = free_port()
    settings = f'DEVICES="{device}"; LISTEN=127.0.0.1:{listen}; POLL_PERIOD=0.5'
    (tmp_path / "fetch.py").write_text(FETCH.format(port=listen))
    installed.put(tmp_path / "fetch.py", "root")
    script = start_server(port) + run_unit("ska-tango-event-exporter", settings, background=True)
    shown = installed.run(script + "\n python3 /root/fetch.py; cat /root/unit.log >&2").stdout
    assert re.search(rf'^tango_event_agent_info{{.*version="{re.escape(VERSION)}".*}} 1$', shown, re.MULTILINE), shown


@pytest.mark.parametrize("name", UNITS)
def test_the_units(debs, tmp_path, name):
    """As systemd reads them."""
    run("dpkg", "--extract", debs["ska-tango-event-monitor"], tmp_path)
    (unit,) = tmp_path.glob(f"**/{name}@.service")
    text = unit.read_text()
    assert "[Install]" in text and f"EnvironmentFile=-/etc/default/{name}-%i" in text
    if not shutil.which("systemd-analyze"):
        pytest.skip("there is no systemd-analyze on this machine")
    copy = tmp_path / f"{name}@night.service"
    text = re.sub(r"^Documentation=.*\n", "", text, flags=re.MULTILINE)
    copy.write_text(text.replace("/usr/bin/", f"{tmp_path}/usr/bin/"))
    checked = run("systemd-analyze", "verify", copy, check=False)
    assert (checked.returncode, checked.stderr) == (0, "")
    exposure = run("systemd-analyze", "security", "--offline=true", "--threshold=20", copy, check=False)
    assert exposure.returncode == 0, exposure.stdout
