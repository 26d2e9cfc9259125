"""Tango's Starter, which starts the servers of a machine on request of Astor or others."""

import os
import subprocess
from pathlib import Path

import tango
from tango_servers import clean_environment, die_with_parent, free_port, wait_for

PROGRAM = "/usr/lib/tango/Starter"


def is_alive(name):
    """Whether the device answers."""
    try:
        tango.DeviceProxy(name).ping()
    except tango.DevFailed:
        return False
    return True


class Starter:
    """A Starter that starts the servers of a folder; ends them, and itself, at the end."""

    def __init__(self, database, servers, folder, launcher=()):
        """``servers``: StartDsPath. ``folder``: for its log. ``launcher``: in front of its command."""
        self.host = os.uname().nodename.split(".")[0].lower()
        self.base = f"tango://{database.tango_host}"
        self.database = database
        self.servers = servers
        self.log = Path(folder) / "starter.log"
        self.launcher = launcher
        self.started = []
        self.process = None

    def __enter__(self):
        device = f"tango/admin/{self.host}"
        self.database.register(f"Starter/{self.host}", {"Starter": [device]})
        self._db().put_device_property(device, {"StartDsPath": [str(self.servers)], "UseEvents": ["0"]})
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [*self.launcher, PROGRAM, self.host, "-ORBendPoint", f"giop:tcp:127.0.0.1:{free_port()}"],
                env=clean_environment(TANGO_HOST=self.database.tango_host),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd=self.log.parent,
                preexec_fn=die_with_parent,
            )
        self.control = f"{self.base}/{device}"
        try:
            wait_for(lambda: is_alive(self.control), 30, "Starter")
        except AssertionError:
            self.__exit__()
            raise
        return self

    def _db(self):
        return tango.Database(*self.database.tango_host.split(":"))

    def start(self, server, cls, device):
        """Have it start SERVER/INSTANCE; returns a proxy of its admin device."""
        self.database.register(server, {cls: [device]})
        info = tango.DbServerInfo()
        info.name, info.host, info.mode, info.level = server, self.host, 1, 1
        self._db().put_server_info(info)
        proxy = tango.DeviceProxy(self.control)
        proxy.set_timeout_millis(30_000)
        proxy.DevStart(server)
        name = f"{self.base}/{device}"
        self.started.append((server, name))
        wait_for(lambda: is_alive(name), 30, f"{server}, which Starter has started")
        return tango.DeviceProxy(f"{self.base}/dserver/{server}")

    def __exit__(self, *_):
        for server, device in self.started:
            if is_alive(device):
                tango.DeviceProxy(f"{self.base}/dserver/{server}").Kill()
                wait_for(lambda device=device: not is_alive(device), 30, f"the end of {server}")
        self.process.terminate()
        self.process.wait(15)
