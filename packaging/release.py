"""The current release: its version and its date.

The version is in the file VERSION, the date in the first heading of CHANGELOG.md:
"## 1.2.3 (2030-12-31)". This date, not that of the clock, goes into the packages, so that they can be
rebuilt byte for byte. For shell scripts: ``release.py version``, ``epoch`` and
``debian-changelog``.
"""

import datetime
import email.utils
import re
import sys
import textwrap
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def version():
    """For example "1.2.3"."""
    return (ROOT / "VERSION").read_text(encoding="utf-8").split()[0]


def release_date():
    """Midnight UTC of the release's day."""
    first = re.search(r"^## (\S+) \((\d{4}-\d\d-\d\d)\)$", _changelog(), re.MULTILINE)
    if not first or first[1] != version():
        raise SystemExit(f"CHANGELOG.md has to begin with '## {version()} (YYYY-MM-DD)'")
    date = datetime.date.fromisoformat(first[2])
    return datetime.datetime.combine(date, datetime.time(), datetime.timezone.utc)


def changes():
    """The changelog's entries for this release, one line each."""
    section = re.split(r"^## .*$", _changelog(), flags=re.MULTILINE)[1]
    return [line[2:] for line in section.splitlines() if line.startswith("- ")]


def debian_changelog():
    """The text of a Debian package's changelog, with this release in it."""
    control = (ROOT / "packaging" / "debian" / "control").read_text(encoding="utf-8")
    maintainer = re.search(r"^Maintainer: (.+)$", control, re.MULTILINE)[1]
    entries = "\n".join(textwrap.fill(line, 76, initial_indent="  * ", subsequent_indent="    ")
                        for line in changes())
    date = email.utils.format_datetime(release_date())
    return (
        f"ska-tango-event-monitor ({version()}) unstable; urgency=medium\n\n{entries}\n\n"
        f" -- {maintainer}  {date}"
    )


def _changelog():
    return (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")


if __name__ == "__main__":
    answers = {
        "version": version,
        "epoch": lambda: int(release_date().timestamp()),
        "debian-changelog": debian_changelog,
    }
    if len(sys.argv) != 2 or sys.argv[1] not in answers:
        raise SystemExit(f"usage: {sys.argv[0]} {'|'.join(answers)}")
    print(answers[sys.argv[1]]())
