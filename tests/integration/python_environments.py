"""Virtual environments with our wheel in them, and PyTango wheels built from the installed PyTango."""

import base64
import csv
import hashlib
import io
import json
import os
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

from tango_servers import PYTHON, ROOT, clean_environment, wait_for

WHEEL_DIR = Path(os.environ.get("WHEEL_DIR", ROOT / "dist"))
VERSION = (ROOT / "VERSION").read_text(encoding="utf-8").strip()


def our_wheel():
    """The wheel that "make wheel" has built."""
    wheels = sorted(WHEEL_DIR.glob(f"ska_tango_event_monitor-{VERSION}-*.whl"))
    assert len(wheels) == 1, f"not one wheel of {VERSION} in {WHEEL_DIR}, but {wheels}: run 'make wheel'"
    return wheels[0]


class Environment:
    """A virtual environment that sees the system's packages, so its PyTango and numpy."""

    def __init__(self, folder, pip=None):
        """``pip``: another environment, whose pip is used; or None for one of its own."""
        self.folder = Path(folder)
        self.pip_of = pip or self
        options = [] if pip is None else ["--without-pip"]
        run(PYTHON, "-m", "venv", "--system-site-packages", *options, self.folder)
        self.python = self.folder / "bin" / "python"
        self.empty = self.files()

    @property
    def site_packages(self):
        (folder,) = self.folder.glob("lib/python3*/site-packages")
        return folder

    def files(self):
        """Everything in it, folders included, except what Python itself caches."""
        return {
            path.relative_to(self.folder)
            for path in self.folder.rglob("*")
            if "__pycache__" not in path.parts and not path.is_relative_to(self._pip())
        }

    def _pip(self):
        return self.folder / "no pip" if self.pip_of is not self else self.site_packages / "pip"

    def pip(self, *args, check=True):
        """pip for this environment; nothing is ever fetched."""
        command = [self.pip_of.python, "-m", "pip", "--disable-pip-version-check"]
        if self.pip_of is not self:
            command += ["--python", self.python]
        verb, *rest = args
        if verb == "install":
            rest = ["--no-index", *rest]
        return run(*command, verb, *rest, check=check)

    def install(self, *wheels, **options):
        return self.pip("install", *wheels, **options)

    def run(self, *args, check=True, **env):
        """Its Python, with these arguments."""
        return run(self.python, *args, check=check, env=clean_environment(**env))

    def program(self, name):
        return self.folder / "bin" / name


def run(*command, check=True, env=None, **options):
    """Runs a command to its end; its output is shown if it fails."""
    done = subprocess.run(
        [str(part) for part in command],
        env=env or clean_environment(),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
        **options,
    )
    if check and done.returncode != 0:
        raise AssertionError(f"{command} ended with {done.returncode}:\n{done.stdout}{done.stderr}")
    return done


def exchange(publisher, subscriber, count):
    """Events of ``burst`` from one test server to the other: some until the first arrives, and then
    ``count`` more. Returns how many were pushed, and for how many the callback was called."""
    subscriber.proxy().Subscribe([publisher.attribute("burst"), "change"])
    at_first = subscriber.proxy().received

    def arrived():
        publisher.proxy().PushBurst(1)
        return subscriber.proxy().received > at_first

    def newest_is_there():
        (details,) = json.loads(subscriber.proxy().details).values()
        return details["last_value"] == publisher.proxy().pushed

    wait_for(arrived, 30, "the first event", 0.1)
    publisher.proxy().PushBurst(count)
    wait_for(newest_is_there, 30, f"{count} events")
    received = subscriber.proxy().received - at_first
    assert received > count
    return publisher.proxy().pushed, received


# ---- PyTango wheels ----


def _installed_pytango():
    """The folders of the system's PyTango and its metadata."""
    script = "import tango, os; print(os.path.dirname(os.path.dirname(tango.__file__)))"
    site = Path(run(PYTHON, "-c", script).stdout.strip())
    (info,) = [p for p in site.iterdir() if re.match(r"(?i)pytango-[0-9.]+.*\.(dist|egg)-info$", p.name)]
    if info.is_file():
        return site, info.read_text(encoding="utf-8")
    name = "METADATA" if info.suffix == ".dist-info" else "PKG-INFO"
    return site, (info / name).read_text(encoding="utf-8")


def record_of(files, info):
    """The text of RECORD for {name: bytes}."""
    rows = io.StringIO()
    writer = csv.writer(rows, lineterminator="\n")
    for name, content in files.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
        writer.writerow([name, f"sha256={digest}", len(content)])
    writer.writerow([f"{info}/RECORD", "", ""])
    return rows.getvalue()


def write_wheel(path, files, info):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in {**files, f"{info}/RECORD": record_of(files, info).encode()}.items():
            archive.writestr(name, content)
    return path


def make_pytango_wheel(folder, bundled=False, platform="manylinux_2_35_x86_64", version=None):
    """A wheel of the system's PyTango, as its publishers make them. Returns its path.

    ``bundled``: with libtango and the libraries that belong to it in ``pytango.libs``, under names
    with a hash, found by an rpath, as in the published wheels.
    """
    site, metadata = _installed_pytango()
    found = re.search(r"^Version: (\S+)", metadata, re.MULTILINE)[1]
    version = version or found
    metadata = metadata.replace(f"Version: {found}", f"Version: {version}", 1)
    tag = f"cp{sys.version_info[0]}{sys.version_info[1]}"
    info = f"pytango-{version}.dist-info"
    stage = Path(folder) / "stage"
    shutil.copytree(site / "tango", stage / "tango", ignore=shutil.ignore_patterns("__pycache__"))
    for extension in (stage / "tango").glob("_tango.*.so"):
        if sys.implementation.cache_tag not in extension.name:
            extension.unlink()  # the system has it for other Pythons, too
    if bundled:
        _bundle(stage)
    files = {
        str(path.relative_to(stage)): path.read_bytes()
        for path in sorted(stage.rglob("*"))
        if path.is_file()
    }
    shutil.rmtree(stage)
    wheel = f"Wheel-Version: 1.0\nGenerator: a test\nRoot-Is-Purelib: false\nTag: {tag}-{tag}-{platform}\n"
    files[f"{info}/METADATA"] = metadata.encode()
    files[f"{info}/WHEEL"] = wheel.encode()
    files[f"{info}/top_level.txt"] = b"tango\n"
    return write_wheel(Path(folder) / f"pytango-{version}-{tag}-{tag}-{platform}.whl", files, info)


def _bundle(stage):
    (extension,) = (stage / "tango").glob("_tango.*.so")
    libs = stage / "pytango.libs"
    libs.mkdir()
    paths = dict(re.findall(r"^\s*(\S+) => (/\S+)", run("ldd", extension).stdout, re.MULTILINE))
    ours = {n: p for n, p in paths.items() if re.match(r"lib(tango|omni|COS4|zmq)", n)}
    names = {}
    for soname, path in ours.items():
        stem, _, rest = soname.partition(".so")
        names[soname] = f"{stem}-{hashlib.sha256(soname.encode()).hexdigest()[:8]}.so{rest}"
        shutil.copy(path, libs / names[soname])
        run("patchelf", "--set-soname", names[soname], libs / names[soname])
    for path, rpath in [(extension, "$ORIGIN/../pytango.libs"), *((libs / n, "$ORIGIN") for n in names.values())]:
        for needed in set(run("patchelf", "--print-needed", path).stdout.split()) & set(names):
            run("patchelf", "--replace-needed", needed, names[needed], path)
        run("patchelf", "--set-rpath", rpath, path)
