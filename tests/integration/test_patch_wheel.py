"""A PyTango wheel with the agent inside: built from the installed PyTango, as its publishers do."""

import ast
import csv
import io
import os
import re
import shutil
import signal
import struct
import subprocess
import time
import warnings
import zipfile
import zlib
from pathlib import Path

import pytest
from python_environments import Environment, exchange, make_pytango_wheel, record_of, run, write_wheel
from tango_servers import LAUNCHER, SERVERS, clean_environment, need, run_monitor

pytestmark = [pytest.mark.sanitizers, pytest.mark.xdist_group("patch_wheel")]

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


@pytest.mark.long
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.not_under_sanitizers("nothing loads their runtime in an environment")
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
    # Requirements of the version accept this one too.
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


# ---- signed ----


@pytest.mark.parametrize("names", [["RECORD.jws"], ["RECORD.p7s"], ["RECORD.jws", "RECORD.p7s"]], ids=" ".join)
@pytest.mark.parametrize("listed", [False, True], ids=["not in RECORD", "in RECORD"])
def test_a_signature_is_left_out(wheels, tmp_path, names, listed):
    """It signs the old RECORD. The new wheel is the one that a wheel without it gives."""
    plain, out, expected = wheels["plain"], _folder(tmp_path / "out"), _folder(tmp_path / "expected")
    info = f"pytango-{plain.name.split('-')[1]}.dist-info"
    signatures = [f"{info}/{name}" for name in names]
    if listed:  # which it must not be
        wheel = remade(plain, tmp_path, lambda files: {**files, **dict.fromkeys(signatures, b"signed")})
    else:
        wheel = appended(*signatures)(plain, tmp_path)
    done = patch(wheel, "-o", out)
    assert done.stdout == f"{out / patched_name(wheel)}\n"
    assert re.fullmatch(r"ska-tango-event-agent: .+\n", done.stderr)
    assert str(wheel) in done.stderr and ", ".join(names) in done.stderr
    patch(plain, "-o", expected)
    assert files_of(out / patched_name(wheel)) == files_of(expected / patched_name(plain))


# ---- refused ----


def without(files, name):
    return {n: c for n, c in files.items() if n != name}


def remade(wheel, folder, change, name=None):
    """The wheel with other files; ``change``: {name: bytes} to {name: bytes}."""
    files = files_of(wheel)
    info = f"pytango-{wheel.name.split('-')[1]}.dist-info"
    return write_wheel(folder / (name or wheel.name), change(without(files, f"{info}/RECORD")), info)


def appended(*names, comment=b""):
    """The wheel with more entries at its end; what stands for its .dist-info is {info}."""

    def append(wheel, folder):
        made = Path(shutil.copy(wheel, folder))
        info = f"pytango-{wheel.name.split('-')[1]}.dist-info"
        with zipfile.ZipFile(made, "a") as archive, warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of a name that is there twice
            for name in names:
                archive.writestr(name.format(info=info), b"another\n")
            archive.comment = comment
        return made

    return append


def with_unicode_path(name, other):
    """An entry of two names; only some readers know of the second one."""

    def change(wheel, folder):
        made = Path(shutil.copy(wheel, folder))
        entry = zipfile.ZipInfo(name)
        entry.extra = struct.pack("<HHBL", 0x7075, 5 + len(other), 1, zlib.crc32(name.encode())) + other.encode()
        with zipfile.ZipFile(made, "a") as archive:
            archive.writestr(entry, b"another\n")
        return made

    return change


def with_code_page_437(wheel, folder):
    made = appended("tango/x.py")(wheel, folder)
    made.write_bytes(made.read_bytes().replace(b"tango/x.py", b"tango/\x81.py"))
    return made


def with_carriage_return(entry):
    def change(wheel, folder):
        with zipfile.ZipFile(folder / wheel.name, "w") as archive:
            for name, content in files_of(wheel).items():
                more = b"# a\rb\n" if name.endswith(entry) else b""
                archive.writestr(name, content + more)
        return folder / wheel.name

    return change


def with_another_archive_in_the_comment(wheel, folder):
    inner = io.BytesIO()
    with zipfile.ZipFile(inner, "w") as archive:
        archive.writestr("tango/__init__.py", b"another\n")
    return appended(comment=inner.getvalue())(wheel, folder)


def with_record(text):
    def change(wheel, folder):
        info = f"pytango-{wheel.name.split('-')[1]}.dist-info"
        with zipfile.ZipFile(folder / wheel.name, "w") as archive:
            for name, content in {**files_of(wheel), f"{info}/RECORD": text}.items():
                archive.writestr(name, content)
        return folder / wheel.name

    return change


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
    "a folder": (lambda _, folder: _folder(folder / "pytango-9.5.0-cp310-cp310-linux_x86_64.whl"), "not a file"),
    "no zip": (written(b"hello"), "not a wheel"),
    "empty": (written(b""), "not a wheel"),
    "other name": (named("pytango.whl"), "name isn't"),
    "another package": (named("numpy-1.0-cp310-cp310-manylinux_2_17_x86_64.whl"), "not a PyTango wheel"),
    "a source archive": (named("pytango-9.5.0.tar.gz"), "not a PyTango wheel"),
    "another package's content": (changed(other_metadata(b"Name: pytango", b"Name: numpy")), "another package"),
    "another version's content": (named("pytango-8.0.0-cp310-cp310-manylinux_2_17_x86_64.whl"), "another version"),
    "no metadata": (changed(lambda f: {n: c for n, c in f.items() if "METADATA" not in n}), "METADATA"),
    "no init": (changed(lambda f: without(f, "tango/__init__.py")), "tango/__init__.py"),
    "no extension": (changed(lambda f: {n: c for n, c in f.items() if "_tango." not in n}), "_tango"),
    "patched": (patched_already, "already patched"),
    "patched and renamed": (patched_and_renamed, ""),
    "another part of the version": (
        named("pytango-9.5.0+ska.events-cp310-cp310-manylinux_2_17_x86_64.whl"),
        "already patched",
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
    "metadata with a NUL": (changed(lambda f: {n: c + b"\0more" if n.endswith("METADATA") else c for n, c in f.items()}), "METADATA in it is damaged"),
    "a RECORD with a NUL": (with_record("tango/__init__.py,,\ntango/\0,,\n"), "RECORD in it is damaged"),
    **{
        f"an __init__.py {case}": (changed(lambda f, source=source: {**f, "tango/__init__.py": source}), "begins in an unknown way")
        for case, source in {
            "with a future import behind a docstring": b"'doc'; from __future__ import annotations\n",
            "with more behind a future import": b"from __future__ import annotations; from ._tango import *\n",
            "with a docstring in parentheses": b"('doc')\nfrom ._tango import *\n",
            "in UTF-7": b"# coding: utf-7\nfrom +AF8AXw-future+AF8AXw- import annotations\n",
        }.items()
    },
    **{
        f"two folders of metadata, {name}": (appended(name), "two .dist-info folders")
        for name in ("numpy-1.0.dist-info/METADATA", "numpy-1.0.dist-info/RECORD", "pytango.dist-info")
    },
    **{
        f"a rival {name}": (appended(name), f"{name} in it conflicts with")
        for name in (
            "pytango-9.5.0.data/platlib/tango/__init__.py",
            "pytango-9.5.0.data/purelib/tango/_ska_tango_event_agent.py",
            "numpy.data/data/lib/python3.11/site-packages/tango/libska-tango-event-agent.so",
            "tango/__init__.cpython-311-x86_64-linux-gnu.so",
            "tango/__init__.pyc",
            "tango/__pycache__/__init__.cpython-311.pyc",
            "tango/_ska_tango_event_agent.py",
            "tango/_ska_tango_event_agent/__init__.py",
            "tango/_ska_tango_event_agent.abi3.so",
        )
    },
    "the agent's library": (appended("tango/libska-tango-event-agent.so"), "already patched"),
    "tango as a file, too": (appended("tango"), "'tango' in it is both a file and a folder"),
    "a module as a folder, too": (appended("tango/server.py/x"), "both a file and a folder"),
    "another name": (with_unicode_path("tango/a.py", "tango/b.py"), "'tango/b.py' in it has a second name"),
    "a name in code page 437": (with_code_page_437, "has a second name"),
    **{
        f"a carriage return in {entry}": (with_carriage_return(entry), f"{entry} in it has a carriage return")
        for entry in ("tango/__init__.py", "METADATA", "RECORD")
    },
    "a RECORD with a path that isn't plain": (with_record("./tango/__init__.py,,\n"), "RECORD in it doesn't begin with"),
    "another archive in the comment": (with_another_archive_in_the_comment, "in its comment"),
    **{
        f"twice {name}": (appended(name), "occurs twice")
        for name in ("tango/__init__.py", "tango/server.py", "{info}/METADATA", "{info}/RECORD", "{info}/WHEEL")
    },
    **{
        f"the name {name}": (appended(name), f"'{name}' in it is not a plain path")
        for name in (
            "tango/./__init__.py",
            "tango//__init__.py",
            "./tango/__init__.py",
            "tango/server.py/../__init__.py",
            "../outside.py",
            "tango/..",
            "/outside.py",
        )
    },
    "a name of two lines": (appended("tango/a\nb.py"), "control characters"),
    "a name with an escape": (appended("tango/\033[31m.py"), "control characters"),
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
@pytest.mark.not_under_sanitizers("long, and another moment each time all the same")
def test_ended_in_the_middle(wheels, tmp_path, number):
    """Whenever it is interrupted: there is the complete new wheel, or nothing."""
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
    # -o "" would be the root of the file system.
    for args in ([], ["a", "b"], ["-x", "a"], ["-o", "", "a"]):
        done = run(need(LAUNCHER), "patch-wheel", *args, check=False)
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
