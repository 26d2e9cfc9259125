"""The Debian packages, installed into a bare Debian 12, used there, and removed again."""

import json
import re
import shutil

import pytest
from conftest import ROOT, VERSION, run
from local_tango import free_port

PACKAGES = ("ska-tango-event-agent", "ska-tango-event-monitor")
DEPENDENCIES = "libtango9 libyajl2 libzip4 libssl3 python3-tango"
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
    for program in PACKAGES:
        assert installed.run(f"{program} --version").stdout == f"{program} {VERSION}\n"
    path = installed.run("ska-tango-event-agent path").stdout.strip()
    assert path == "/usr/lib/x86_64-linux-gnu/ska-tango-event-monitor/libska-tango-event-agent.so"
    added = files(installed) - installed.before
    for name in PACKAGES:
        for expected in (
            f"./usr/share/man/man1/{name}.1.gz",
            f"./usr/share/bash-completion/completions/{name}",
            f"./usr/share/doc/{name}/changelog.gz",
        ):
            # dpkg in a slim system may be told to leave documentation out, but not in this one.
            assert expected in added
    # Nobody has enabled the recorder.
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


def test_a_server_and_its_recorder(installed, tmp_path):
    """The unit's own command line, with its settings, records what a server with the agent did."""
    (tmp_path / "Publisher.py").write_text(SERVER)
    installed.put(tmp_path / "Publisher.py", "root")
    port = free_port()
    device = f"tango://127.0.0.1:{port}/a/b/c#dbase=no"
    unit = "/lib/systemd/system/ska-tango-event-monitor@.service"
    recording = "/var/lib/ska-tango-event-monitor/night.jsonl"
    # All in one namespace: one overlay can't be mounted twice at a time.
    installed.run(
        f"""
        set -eu
        ska-tango-event-agent run -- python3 /root/Publisher.py 1 -nodb -dlist Publisher::a/b/c \\
            -ORBendPoint giop:tcp:127.0.0.1:{port} >/root/server.log 2>&1 &
        trap 'kill $!; cat /root/server.log' EXIT
        for i in $(seq 600); do grep -q '^Ready to accept' /root/server.log && break; sleep 0.1; done

        sed -n 's/^Environment=//p' {unit} >/root/settings
        cat /etc/default/ska-tango-event-monitor >>/root/settings
        echo 'DEVICES="{device}"; OPTIONS="--count 2"; POLL_PERIOD=0.5' >>/root/settings
        set -a; . /root/settings; set +a
        mkdir -p /var/lib/ska-tango-event-monitor
        eval "$(sed -n 's/^ExecStart=//p' {unit} | sed 's|%S|/var/lib|g; s|%i|night|g')"
        """
    )
    lines = (installed.layers[0] / recording.lstrip("/")).read_text().splitlines()
    assert len(lines) == 2
    (reply,) = json.loads(lines[-1])["replies"].values()
    assert reply["data"]["agent"]["version"] == VERSION


def test_the_unit(debs, tmp_path):
    """As systemd reads it."""
    run("dpkg", "--extract", debs["ska-tango-event-monitor"], tmp_path)
    (unit,) = tmp_path.glob("**/ska-tango-event-monitor@.service")
    text = unit.read_text()
    assert "[Install]" in text and "EnvironmentFile=-/etc/default/ska-tango-event-monitor-%i" in text
    if not shutil.which("systemd-analyze"):
        pytest.skip("there is no systemd-analyze on this machine")
    copy = tmp_path / "ska-tango-event-monitor@night.service"
    text = re.sub(r"^Documentation=.*\n", "", text, flags=re.MULTILINE)
    copy.write_text(text.replace("/usr/bin/", f"{tmp_path}/usr/bin/"))
    checked = run("systemd-analyze", "verify", copy, check=False)
    assert (checked.returncode, checked.stderr) == (0, "")
    exposure = run("systemd-analyze", "security", "--offline=true", "--threshold=20", copy, check=False)
    assert exposure.returncode == 0, exposure.stdout
