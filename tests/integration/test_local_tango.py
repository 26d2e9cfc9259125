"""demo/local-tango: everything answers after start, and nothing is left after stop."""

import json
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
from pathlib import Path

import pytest
import tango
from tango_servers import BUILD, ROOT, clean_environment, connects, free_port, wait_for

LOCAL_TANGO = ROOT / "demo" / "local-tango"


def processes_in(folder):
    """The pids of all living processes that were started in a folder: its servers."""
    pids = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if (process / "cwd").readlink().is_relative_to(folder):
                pids.append(int(process.name))
        except OSError:
            continue  # ended, or a zombie
    return sorted(pids)


class Runner:
    """Runs demo/local-tango in one folder."""

    def __init__(self, folder, prefix=(), **env):
        self.folder = Path(folder)
        self.prefix = list(prefix)
        self.env = clean_environment(BUILD_DIR=BUILD, **env)

    def command(self, verb, *args):
        return [*self.prefix, str(LOCAL_TANGO), verb, "--dir", str(self.folder), *map(str, args)]

    def __call__(self, verb, *args, **env):
        return subprocess.run(
            self.command(verb, *args),
            env=dict(self.env, **{name: str(value) for name, value in env.items()}),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    def state(self):
        return json.loads((self.folder / "state.json").read_text())

    def proxy(self, device):
        return tango.DeviceProxy(f"tango://127.0.0.1:{self.state()['port']}/{device}")


@pytest.fixture
def local(tmp_path):
    runner = Runner(tmp_path / "local")
    yield runner
    runner("stop")
    assert processes_in(runner.folder) == []


def refused(result):
    """The one-line error of a run that fails as expected."""
    assert result.returncode == 1, result
    assert result.stdout == ""
    assert result.stderr.startswith("local-tango: ")
    assert result.stderr.count("\n") == 1, result.stderr
    return result.stderr


def test_start_status_stop(local):
    assert local("status").returncode == 3
    port = free_port()
    started = local("start", "--port", port)
    assert (started.returncode, started.stderr) == (0, "")
    assert f"export TANGO_HOST=127.0.0.1:{port}\n" in started.stdout

    for server in ("pub", "sub"):
        commands = local.proxy(f"dserver/{server}/demo").command_list_query()
        assert "QueryEventAgent" in [command.cmd_name for command in commands]
    sub = local.proxy("foo/bar/sub")
    for subscribe in ("StartSubscription", "StartSubscriptions"):
        before = sub.received
        sub.command_inout(subscribe)
        wait_for(lambda least=before + 20: sub.received > least, what=f"events after {subscribe}")
        sub.CleanSubscription()
    assert sub.errors == 0

    status = local("status")
    assert status.returncode == 0
    assert status.stdout.startswith(f"TANGO_HOST=127.0.0.1:{port}\n")
    pids = [process["pid"] for process in local.state()["processes"]]
    assert pids == processes_in(local.folder)
    for pid in pids:
        assert f"pid {pid} " in status.stdout

    stopped = local("stop")
    assert (stopped.returncode, stopped.stdout) == (0, "Stopped 4 processes.\n")
    assert processes_in(local.folder) == []
    assert not connects(port)
    assert local("status").returncode == 3
    assert local("stop").returncode == 0


def test_everything_listens_on_the_loopback_only(local):
    assert local("start", "--port", 0, "--no-agent").returncode == 0
    listening = 0
    for pid in processes_in(local.folder):
        sockets = {
            link.readlink().name
            for link in Path(f"/proc/{pid}/fd").iterdir()
            if link.is_symlink() and str(link.readlink()).startswith("socket:")
        }
        for table in ("tcp", "tcp6"):
            for line in Path(f"/proc/{pid}/net/{table}").read_text().splitlines()[1:]:
                fields = line.split()
                if fields[3] == "0A" and f"socket:[{fields[9]}]" in sockets:
                    assert fields[1].startswith("0100007F:"), f"{pid} listens on {fields[1]}"
                    listening += 1
    assert listening >= 4  # MariaDB, the database, and each of the servers


def test_start_twice(local):
    assert local("start", "--port", 0, "--no-agent").returncode == 0
    before = processes_in(local.folder)
    again = local("start", "--no-agent")
    assert again.returncode == 0
    assert f"TANGO_HOST=127.0.0.1:{local.state()['port']}" in again.stdout
    assert "stop" in refused(local("start", "--no-agent", "--port", free_port()))
    assert "stop" in refused(local("start"))  # with the agent this time
    assert processes_in(local.folder) == before


def test_port_in_use(local):
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        error = refused(local("start", "--no-agent", "--port", port))
        assert str(port) in error and "--port" in error
        error = refused(local("start", "--no-agent", "--port", 0, "--mariadb-port", port))
        assert str(port) in error and "--mariadb-port" in error
    assert processes_in(local.folder) == []
    assert local("status").returncode == 3


def test_the_same_port_again_at_once(local):
    """Connections that have just ended linger on the port, and don't count as in use."""
    port = free_port()
    for _ in range(2):
        assert local("start", "--no-agent", "--port", port).returncode == 0
        assert local.proxy("foo/bar/pub").ping() > 0
        assert local("stop").returncode == 0


def test_a_server_that_died(local):
    assert local("start", "--no-agent", "--port", 0).returncode == 0
    victim = next(p["pid"] for p in local.state()["processes"] if p["name"] == "sub")
    os.kill(victim, signal.SIGKILL)
    wait_for(lambda: victim not in processes_in(local.folder), what="its end")
    status = local("status")
    assert status.returncode == 1
    assert [line.split()[0] for line in status.stdout.splitlines() if " ended " in line] == ["sub"]
    assert "stop" in refused(local("start", "--no-agent"))
    assert local("stop").stdout == "Stopped 3 processes.\n"


def test_a_reused_pid_is_left_alone(local):
    assert local("start", "--no-agent", "--port", 0).returncode == 0
    bystander = subprocess.Popen(["sleep", "600"])
    try:
        state = local.state()
        state["processes"][-1]["pid"] = bystander.pid
        forgotten = processes_in(local.folder)[-1]
        (local.folder / "state.json").write_text(json.dumps(state))
        assert local("status").returncode == 1
        assert local("stop").returncode == 0
        assert bystander.poll() is None
        assert processes_in(local.folder) == [forgotten]
        os.kill(forgotten, signal.SIGKILL)
        wait_for(lambda: processes_in(local.folder) == [], what="the end of the forgotten one")
    finally:
        bystander.kill()
        bystander.wait()


def test_a_server_that_cannot_start(local, tmp_path):
    launcher = tmp_path / "build" / "bin" / "ska-tango-event-agent"
    launcher.parent.mkdir(parents=True)
    launcher.write_text("#!/bin/sh\necho the reason why >&2\nexit 1\n")
    launcher.chmod(0o755)
    result = local("start", "--port", 0, BUILD_DIR=tmp_path / "build")
    assert result.returncode == 1
    assert result.stderr.startswith("local-tango: pub ended before foo/bar/pub answered")
    assert "the reason why" in result.stderr
    assert str(local.folder / "pub.log") in result.stderr
    assert processes_in(local.folder) == []
    assert local("status").returncode == 3


def test_without_a_build(local, tmp_path):
    assert "make build" in refused(local("start", BUILD_DIR=tmp_path / "nothing"))


@pytest.mark.parametrize("number, status", [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_interrupted_while_it_starts(local, number, status):
    starting = subprocess.Popen(
        local.command("start", "--port", 0, "--no-agent"),
        env=local.env,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        wait_for((local.folder / "state.json").exists, what="the first process", period=0.002)
        starting.send_signal(number)
        assert starting.wait(60) == status
    finally:
        starting.kill()
        starting.wait()
    assert processes_in(local.folder) == []
    assert local("status").returncode == 3


def test_a_folder_open_to_others(local):
    local.folder.mkdir()
    local.folder.chmod(0o777)
    assert "--dir" in refused(local("start", "--no-agent", "--port", 0))


@pytest.mark.skipif(os.getuid() != 0, reason="only root can become somebody else")
def test_as_an_ordinary_user():
    somebody = pwd.getpwnam("nobody")
    become = ["setpriv", f"--reuid={somebody.pw_uid}", f"--regid={somebody.pw_gid}"]
    become += ["--clear-groups", "--"]
    if subprocess.run([*become, "test", "-x", LOCAL_TANGO], check=False).returncode:
        pytest.skip(f"nobody cannot read {LOCAL_TANGO}")
    # Not in tmp_path, which is closed to others.
    folder = Path(tempfile.mkdtemp())
    os.chown(folder, somebody.pw_uid, somebody.pw_gid)
    runner = Runner(folder / "local", become, XDG_RUNTIME_DIR=folder)
    try:
        started = runner("start", "--port", 0, "--no-agent")
        assert (started.returncode, started.stderr) == (0, "")
        assert len(processes_in(runner.folder)) == 4
        assert runner("status").returncode == 0
    finally:
        stopped = runner("stop")
        shutil.rmtree(folder)
    assert (stopped.returncode, stopped.stdout) == (0, "Stopped 4 processes.\n")
    assert processes_in(runner.folder) == []
