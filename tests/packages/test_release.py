"""The source archive, and that its builds are identical wherever they are made."""

import hashlib
import re
import tarfile

from conftest import ROOT, VERSION, run


def digest(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_the_archive_is_complete_and_the_same_again():
    archive = ROOT / run(ROOT / "packaging" / "build-dist").stdout.strip()
    first = digest(archive)
    run(ROOT / "packaging" / "build-dist")
    assert digest(archive) == first
    with tarfile.open(archive) as content:
        names = set(content.getnames())
        owners = {(m.uid, m.gid, m.uname, m.gname, m.mtime) for m in content.getmembers()}
    files = run(ROOT / "scripts" / "source-files").stdout.split("\0")[:-1]
    assert names == {f"ska-tango-event-monitor-{VERSION}/{name}" for name in files}
    assert len(owners) == 1


def test_packages_from_the_archive_have_the_same_bytes(tmp_path):
    """Outside of git, in a folder of another name, built a second time."""
    run("make", "wheel", "deb", cwd=ROOT)
    archive = ROOT / "dist" / f"ska-tango-event-monitor-{VERSION}.tar.gz"
    folder = tmp_path / "a folder whose name is rather a lot longer than the other's".replace(" ", "-")
    folder.mkdir()
    run("tar", "-x", "-C", folder, "-f", archive)
    (source,) = folder.iterdir()
    run("make", "wheel", "deb", cwd=source)
    made = {path.name: digest(path) for path in (source / "dist").iterdir()}
    assert {re.sub(r".*\.", "", name) for name in made} == {"whl", "deb", "gz"}
    assert {name: digest(ROOT / "dist" / name) for name in made} == made


def test_one_version_number():
    """In VERSION alone; the changelog has a section of it, with a date."""
    # Not as a part of another one, like 10.1.0.
    number = rf"(?<![\d.]){re.escape(VERSION)}(?![\d.])"
    elsewhere = run("git", "grep", "-nP", number, "--", "src", "packaging", "CMakeLists.txt",
                    "Makefile", "scripts", cwd=ROOT, check=False).stdout
    assert elsewhere == ""
    assert re.search(rf"^## {re.escape(VERSION)} \(\d{{4}}-\d\d-\d\d\)$",
                     (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
