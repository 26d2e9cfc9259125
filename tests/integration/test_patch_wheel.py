"""A PyTango wheel with the agent inside: made of the installed PyTango, as its publishers make them."""

import ast
import csv
import os
import re
import shutil
import signal
import subprocess
import time
import zipfile
from pathlib import Path

import pytest
from python_environments import Environment, exchange, make_pytango_wheel, record_of, run, write_wheel
from tango_servers import LAUNCHER, SERVERS, clean_environment, need, run_monitor

KINDS = {"plain": False, "bundled": True}


@pytest.fixture(scope="module")
def pip(tmp_path_factory):
    return Environment(tmp_path_factory.mktemp("pip") / "env")


@pytest.fixture(scope="module")
def wheels(tmp_path_factory):
    """{kind: a PyTango wheel}; "bundled" has libtango renamed, in pytango.libs."""
    return {k: make_pytango_wheel(tmp_path_factory.mktemp(k), bundled=b) for k, b in KINDS.items()}


def patch(wheel, *args, **options):
    return run(need(LAUNCHER), "patch-wheel", *args, wheel, **options)


def patched_name(wheel):
    name, version, rest = wheel.name.split("-", 2)
    return f"{name}-{version}+events-{rest}"


def files_of(wheel):
    with zipfile.ZipFile(wheel) as archive:
        assert archive.testzip() is None
        return {name: archive.read(name) for name in archive.namelist()}


# ---- what is in it ----


@pytest.mark.parametrize("kind", KINDS)
def test_the_same_pytango_with_the_agent_inside(wheels, tmp_path, agent_lib, kind):
    wheel = wheels[kind]
    before = wheel.read_bytes()
    done = patch(wheel, "-o", tmp_path)
    made = tmp_path / patched_name(wheel)
    assert (done.stdout, done.stderr) == (f"{made}\n", "")
    assert [path.name for path in tmp_path.iterdir()] == [made.name]
    assert wheel.read_bytes() == before

    version = wheel.name.split("-")[1]
    old, new = files_of(wheel), files_of(made)
    old_info, new_info = f"pytango-{version}.dist-info", f"pytango-{version}+events.dist-info"
    changed = {"tango/__init__.py", f"{new_info}/METADATA", f"{new_info}/RECORD"}
    added = {
        "tango/libska-tango-event-agent.so",
        "tango/_ska_tango_event_agent.py",
        f"{new_info}/LICENSE.ska-tango-event-agent",
    }
    renamed = {name.replace(old_info, new_info): content for name, content in old.items()}
    assert set(new) == set(renamed) | added
    assert [n for n in renamed if n not in changed and new[n] != renamed[n]] == []
    assert new["tango/libska-tango-event-agent.so"] == agent_lib.read_bytes()
    assert new[f"{new_info}/METADATA"].decode() == old[f"{old_info}/METADATA"].decode().replace(
        f"\nVersion: {version}\n", f"\nVersion: {version}+events\n"
    )
    # One line more, where it changes the meaning of no other.
    lines = new["tango/__init__.py"].decode().splitlines()
    ours = [line for line in lines if "_ska_tango_event_agent" in line]
    assert len(ours) == 1
    lines.remove(ours[0])
    assert lines == old["tango/__init__.py"].decode().splitlines()
    docstrings = [ast.get_docstring(ast.parse(f["tango/__init__.py"])) for f in (old, new)]
    assert docstrings[0] == docstrings[1]
    # RECORD: every file once, with its digest.
    rows = list(csv.reader(new[f"{new_info}/RECORD"].decode().splitlines()))
    everything = {n: c for n, c in new.items() if not n.endswith("/RECORD")}
    assert sorted(rows) == sorted(csv.reader(record_of(everything, new_info).splitlines()))


def test_it_goes_beside_the_wheel_and_replaces_an_older_one(wheels, tmp_path):
    wheel = Path(shutil.copy(wheels["plain"], tmp_path))
    patch(wheel)
    made = tmp_path / patched_name(wheel)
    first = made.read_bytes()
    made.write_bytes(b"older")
    patch(wheel.name, cwd=tmp_path)
    assert made.read_bytes() == first
    assert sorted(p.name for p in tmp_path.iterdir()) == sorted([wheel.name, made.name])
    umask = os.umask(0)
    os.umask(umask)
    assert made.stat().st_mode & 0o777 == 0o666 & ~umask


# ---- installed ----


def tango_file(environment):
    return environment.run("-c", "import tango; print(tango.__file__)").stdout.strip()


@pytest.mark.parametrize("kind", KINDS)
def test_a_server_of_an_environment_with_it(servers, database, wheels, pip, tmp_path, kind):
    """Installed, used, removed, and the original installed again."""
    wheel = wheels[kind]
    patch(wheel, "-o", tmp_path)
    environment = Environment(tmp_path / "env", pip=pip)
    environment.install("--no-deps", tmp_path / patched_name(wheel))
    version = wheel.name.split("-")[1]
    listed = environment.pip("list", "--format=freeze").stdout.lower().split()
    assert f"pytango=={version}+events" in listed
    assert "pytango" not in environment.pip("check", check=False).stdout.lower()
    # What asked for the version asks for this one, too.
    environment.install("--no-deps", f"pytango=={version}")
    assert tango_file(environment).startswith(str(environment.folder))

    pub = servers.add(
        [environment.python, SERVERS / "publisher.py"],
        f"patched-{kind}",
        {"Publisher": [f"patched/pub/{kind}"]},
        database=database,
    )
    sub = servers.add(
        [environment.python, SERVERS / "subscriber.py"],
        f"patched-{kind}",
        {"Subscriber": [f"patched/sub/{kind}"]},
        database=database,
    )
    maps = Path(f"/proc/{pub.pid}/maps").read_text()
    assert f"{environment.site_packages}/tango/libska-tango-event-agent.so" in maps
    libtango = set(re.findall(r"/\S*libtango\S*", maps))
    assert len(libtango) == 1
    assert ("pytango.libs" in libtango.pop()) == (kind == "bundled")

    pushed, received = exchange(pub, sub, 60)
    output = run_monitor(pub.name(), sub.name(), "-n", "1").stdout
    assert re.search(rf"patched/pub/{kind}/burst\.change +{pushed}\b", output), output
    assert re.search(rf"patched/pub/{kind}/burst\.idl\d_change +{received}\b", output), output
    pub.stop()
    sub.stop()

    environment.pip("uninstall", "--yes", "pytango")
    assert environment.files() <= environment.empty
    # The system has that version, too, and pip takes it for one of the environment.
    environment.install("--no-deps", "--force-reinstall", wheel)
    assert tango_file(environment).startswith(str(environment.folder))
    loaded = environment.run("-c", "import tango; print('event-agent' in open('/proc/self/maps').read())")
    assert (loaded.stdout, loaded.stderr) == ("False\n", "")
    environment.install("--no-deps", "--force-reinstall", tmp_path / patched_name(wheel))
    loaded = environment.run("-c", "import tango; print('event-agent' in open('/proc/self/maps').read())")
    assert (loaded.stdout, loaded.stderr) == ("True\n", "")
    off = environment.run(
        "-c",
        "import tango; print('event-agent' in open('/proc/self/maps').read())",
        SKA_TANGO_EVENT_AGENT="off",
    )
    assert off.stdout == "False\n"


# ---- refused ----


def without(files, name):
    return {n: c for n, c in files.items() if n != name}


def remade(wheel, folder, change, name=None):
    """The wheel with other files; ``change``: {name: bytes} to {name: bytes}."""
    files = files_of(wheel)
    info = f"pytango-{wheel.name.split('-')[1]}.dist-info"
    return write_wheel(folder / (name or wheel.name), change(without(files, f"{info}/RECORD")), info)


def elf(machine, bits):
    header = bytearray(64)
    header[:5] = b"\x7fELF" + bytes([bits])
    header[18:20] = machine.to_bytes(2, "little")
    return bytes(header)


def with_extension(content):
    def change(files):
        return {n: content if re.match(r"tango/_tango\..*so$", n) else c for n, c in files.items()}

    return change


def named(name):
    return lambda wheel, folder: Path(shutil.copy(wheel, folder / name))


def changed(change, name=None):
    return lambda wheel, folder: remade(wheel, folder, change, name)


def written(content, name="pytango-9.5.0-cp310-cp310-manylinux_2_17_x86_64.whl"):
    def write(_, folder):
        (folder / name).write_bytes(content)
        return folder / name

    return write


def other_metadata(old, new):
    return lambda files: {
        n: c.replace(old, new) if n.endswith("METADATA") else c for n, c in files.items()
    }


def patched_already(wheel, folder):
    patch(wheel, "-o", folder)
    return folder / patched_name(wheel)


def patched_and_renamed(wheel, folder):
    return patched_already(wheel, folder).rename(folder / wheel.name)


def damaged(wheel, folder):
    """One bit of the compressed content of tango/__init__.py is wrong."""
    content = bytearray(wheel.read_bytes())
    with zipfile.ZipFile(wheel) as archive:
        entry = archive.getinfo("tango/__init__.py")
    content[entry.header_offset + 30 + len(entry.filename) + entry.compress_size // 2] ^= 4
    path = folder / wheel.name
    path.write_bytes(content)
    return path


REFUSED = {
    "no such file": (lambda _, folder: folder / "pytango-9.5.0-cp310-cp310-linux_x86_64.whl", "No such file"),
    "a folder": (lambda _, folder: _folder(folder / "pytango-9.5.0-cp310-cp310-linux_x86_64.whl"), "no file"),
    "no zip": (written(b"hello"), "no wheel"),
    "empty": (written(b""), "no wheel"),
    "other name": (named("pytango.whl"), "name isn't"),
    "another package": (named("numpy-1.0-cp310-cp310-manylinux_2_17_x86_64.whl"), "no PyTango wheel"),
    "a source archive": (named("pytango-9.5.0.tar.gz"), "no PyTango wheel"),
    "another package's content": (changed(other_metadata(b"Name: pytango", b"Name: numpy")), "another package"),
    "another version's content": (named("pytango-8.0.0-cp310-cp310-manylinux_2_17_x86_64.whl"), "another version"),
    "no metadata": (changed(lambda f: {n: c for n, c in f.items() if "METADATA" not in n}), "METADATA"),
    "no init": (changed(lambda f: without(f, "tango/__init__.py")), "tango/__init__.py"),
    "no extension": (changed(lambda f: {n: c for n, c in f.items() if "_tango." not in n}), "_tango"),
    "patched": (patched_already, "patched already"),
    "patched and renamed": (patched_and_renamed, ""),
    "another part of the version": (
        named("pytango-9.5.0+ska.events-cp310-cp310-manylinux_2_17_x86_64.whl"),
        "patched already",
    ),
    "aarch64": (named("pytango-9.5.0-cp310-cp310-manylinux_2_17_aarch64.whl"), "manylinux_2_17_aarch64"),
    "i686": (named("pytango-9.5.0-cp310-cp310-manylinux_2_17_i686.manylinux2014_i686.whl"), "i686"),
    "macOS": (named("pytango-9.5.0-cp310-cp310-macosx_11_0_arm64.whl"), "macosx_11_0_arm64"),
    "Windows": (named("pytango-9.5.0-cp310-cp310-win_amd64.whl"), "win_amd64"),
    "musl": (named("pytango-9.5.0-cp310-cp310-musllinux_1_2_x86_64.whl"), "musllinux_1_2_x86_64"),
    "an extension for aarch64": (changed(with_extension(elf(183, 2))), "not for x86-64"),
    "an extension for i686": (changed(with_extension(elf(3, 1))), "not for x86-64"),
    "an extension that is none": (changed(with_extension(b"#!/bin/sh\n")), "not for x86-64"),
    "damaged": (damaged, "damaged"),
}


def _folder(path):
    path.mkdir()
    return path


@pytest.mark.parametrize("case", REFUSED)
def test_refused(wheels, tmp_path, case):
    make, expected = REFUSED[case]
    source, out = _folder(tmp_path / "source"), _folder(tmp_path / "out")
    wheel = make(wheels["plain"], source)
    done = patch(wheel, "-o", out, check=False)
    assert done.returncode == 1, done
    assert done.stdout == ""
    assert re.fullmatch(r"ska-tango-event-agent: .+\n", done.stderr), done.stderr
    assert str(wheel) in done.stderr and expected in done.stderr
    assert list(out.iterdir()) == []


def test_a_wheel_cut_off_anywhere(wheels, tmp_path):
    content = wheels["plain"].read_bytes()
    out = _folder(tmp_path / "out")
    for size in range(0, len(content), len(content) // 20):
        wheel = tmp_path / wheels["plain"].name
        wheel.write_bytes(content[:size])
        done = patch(wheel, "-o", out, check=False)
        assert done.returncode == 1 and done.stderr.count("\n") == 1
        assert list(out.iterdir()) == []


@pytest.mark.parametrize("where", ["/nowhere/at/all", "/proc"])
def test_a_folder_that_cannot_be_written_to(wheels, where):
    done = patch(wheels["plain"], "-o", where, check=False)
    assert done.returncode == 1
    assert re.fullmatch(r"ska-tango-event-agent: cannot write .+\n", done.stderr)


def test_a_full_disk(wheels, tmp_path, mount_namespace):
    out = _folder(tmp_path / "small")
    script = 'mount -t tmpfs -o size=64k tmpfs "$1" && "$2" patch-wheel -o "$1" "$3"; s=$?; ls -A "$1"; exit $s'
    done = run(*mount_namespace, "sh", "-c", script, "sh", out, LAUNCHER, wheels["plain"], check=False)
    assert (done.returncode, done.stdout) == (1, "")
    assert "No space left on device" in done.stderr and done.stderr.count("\n") == 1


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ended_in_the_middle(wheels, tmp_path, number):
    """Whenever it is: there is the whole new wheel, or nothing."""
    out = _folder(tmp_path / "out")
    complete = _folder(tmp_path / "complete")
    start = time.monotonic()
    patch(wheels["plain"], "-o", complete)
    took = time.monotonic() - start
    (whole,) = complete.iterdir()
    for i in range(20):
        process = subprocess.Popen(
            [LAUNCHER, "patch-wheel", "-o", out, wheels["plain"]],
            env=clean_environment(),
            stdout=subprocess.DEVNULL,
        )
        time.sleep(took * (i + 1) / 20)  # another moment each time
        process.send_signal(number)
        process.wait(30)
        for path in out.iterdir():
            assert path.name == whole.name and path.read_bytes() == whole.read_bytes()
            path.unlink()


def test_usage():
    for args in (["patch-wheel"], ["patch-wheel", "a", "b"], ["patch-wheel", "-x", "a"]):
        done = run(need(LAUNCHER), *args, check=False)
        assert done.returncode == 2 and done.stderr.startswith("ska-tango-event-agent: ")


def test_the_make_target(wheels, tmp_path):
    """make build_pytango950, for what lies in dist/."""
    script = tmp_path / "packaging" / "patch-pytango"
    script.parent.mkdir()
    shutil.copy(Path(__file__).parents[2] / "packaging" / "patch-pytango", script)
    version = wheels["plain"].name.split("-")[1]
    missing = run(script, LAUNCHER, "950", check=False)
    assert missing.returncode == 1
    assert "pip download --no-deps -d dist pytango==9.5.0" in missing.stderr
    dist = _folder(tmp_path / "dist")
    shutil.copy(wheels["plain"], dist)
    run(script, LAUNCHER, version if version.startswith("10") else version.replace(".", ""))
    assert (dist / patched_name(wheels["plain"])).exists()
