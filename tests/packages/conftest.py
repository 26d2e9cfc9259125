"""Shared by the tests of the packages: a bare Debian 12 to install into, also as the base of images, and short commands."""

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
BUILD = Path(os.environ.get("BUILD_DIR", ROOT / "build"))
VERSION = (ROOT / "VERSION").read_text(encoding="utf-8").strip()
ENGINE = ["podman", "--runtime", "runc"]
LIMITS = ["--ulimit", "nofile=1024:1024", "--ulimit", "nproc=1024:1024"]
BASE = "localhost/ska-tango-event-monitor-test-base"
sys.path.insert(0, str(ROOT / "demo"))


def run(*command, check=True, env=None, cwd=None, timeout=900, stdin=None):
    """Runs a command to its end; its output is shown if it fails."""
    done = subprocess.run(
        [str(part) for part in command],
        env=None if env is None else {**os.environ, **env},
        cwd=cwd,
        input=stdin,
        stdin=subprocess.DEVNULL if stdin is None else None,
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )
    if check and done.returncode != 0:
        raise AssertionError(f"{command} ended with {done.returncode}:\n{done.stdout}{done.stderr}")
    return done


def wait_for(condition, timeout_s, what):
    """Until it is true; gives what it returned."""
    deadline = time.monotonic() + timeout_s
    while not (result := condition()):
        assert time.monotonic() < deadline, f"waited {timeout_s} s in vain for {what}"
        time.sleep(0.2)
    return result


@pytest.fixture(scope="session")
def bookworm():
    """The path of a root file system of Debian 12 as debootstrap makes it."""
    if os.geteuid() != 0:
        pytest.skip("needs root, for debootstrap and chroot: sudo make test-packages")
    return Path(run(ROOT / "scripts" / "debian-root", "bookworm").stdout.strip())


class Chroot:
    """A root file system for one test: changes go to an overlay over the shared one."""

    def __init__(self, lower, folder):
        self.root = folder / "root"
        self.layers = [folder / name for name in ("upper", "work")]
        for path in (self.root, *self.layers):
            path.mkdir()
        self.mounts = (
            f"mount -t overlay overlay -o lowerdir={lower},upperdir={self.layers[0]}"
            f",workdir={self.layers[1]} {self.root} && mount -t proc proc {self.root}/proc"
            f" && mount -t tmpfs tmpfs {self.root}/dev/shm"
        )

    def command(self, script):
        """Runs a shell script in it. The mounts end with the command."""
        inner = "export LC_ALL=C.UTF-8 DEBIAN_FRONTEND=noninteractive PATH=/usr/sbin:/usr/bin:/sbin:/bin; "
        chroot = f'{self.mounts} && exec chroot {self.root} /bin/bash -c "$1"'
        return ["unshare", "--mount", "sh", "-c", chroot, "sh", inner + script]

    def run(self, script, **options):
        return run(*self.command(script), **options)

    def put(self, path, folder):
        """Copies a file into a folder of it, from outside."""
        target = self.layers[0] / folder
        target.mkdir(parents=True, exist_ok=True)
        (target / Path(path).name).write_bytes(Path(path).read_bytes())


@pytest.fixture
def chroot(bookworm, tmp_path):
    return Chroot(bookworm, tmp_path)


@pytest.fixture(scope="session")
def base(bookworm):
    """The name of a base image, made of a bare Debian 12."""
    for program in ("podman", "runc", "podman-compose"):
        if not shutil.which(program):
            pytest.skip(f"there is no {program} on this machine")
    pack = f"tar -C {bookworm} --exclude=./proc/* --exclude=./dev/* --one-file-system -c . | podman import - {BASE}"
    imported = run("sh", "-c", pack, check=False)
    if imported.returncode != 0:
        pytest.skip(f"podman can't import an image here: {imported.stderr.strip().splitlines()[-1]}")
    try:
        works = run(*ENGINE, "run", "--rm", *LIMITS, BASE, "true", check=False)
        if works.returncode != 0:
            pytest.skip(f"containers can't run here: {works.stderr.strip().splitlines()[-1]}")
        yield BASE
    finally:
        run("podman", "rmi", "--force", BASE, check=False)
