"""What the report of a night costs, compared with the same totals in Python, and with decompressing and counting."""

import statistics
import subprocess
import sys
from pathlib import Path

from night_recording import write_night
from tango_servers import BUILD, MONITOR, clean_environment

REPORT = BUILD / "bin" / "ska-tango-event-report"
SCRIPT = Path(__file__).with_name("python_report.py")

# How each kind of recording is made of the plain one, and read by what can't decompress it.
KINDS = {
    "plain": ('cp "$1" "$2"', "cat"),
    "zstd": ('zstd -q -c <"$1" >"$2"', "zstdcat"),
    "--changes": (f'"{MONITOR}" --read "$1" -q -o "$2" --changes', "cat"),
}

# A process begins with the peak memory of the one that started it, so that is a small one.
MEASURE = """
import os, sys
to_nothing = [(os.POSIX_SPAWN_OPEN, 1, "/dev/null", os.O_WRONLY, 0)]
process = os.posix_spawn(sys.argv[1], sys.argv[1:], os.environ, file_actions=to_nothing)
_, status, usage = os.wait4(process, 0)
print(status, usage.ru_utime + usage.ru_stime, usage.ru_maxrss)
"""


def measured(*command):
    """The processor time of a command in s, and its peak memory in MiB."""
    command = [sys.executable, "-I", "-S", "-c", MEASURE, *map(str, command)]
    output = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, env=clean_environment()).stdout
    status, seconds, kib = output.split()
    assert status == "0", command
    return float(seconds), int(kib) / 1024


def shell(script, *arguments):
    return ("/bin/sh", "-c", script, "sh", *arguments)


def rate(size, seconds):
    return f"{size / 1e6 / seconds:.0f} MB/s"


def report(bench, pool, _):
    """Twice: a recording, and one four times as large, all programs in turns."""
    folder = Path(pool.folder)
    megabytes = [2, 8] if bench.short else [50, 200]
    plain = [folder / f"night-{size}" for size in megabytes]
    for path, size in zip(plain, megabytes):
        write_night(path, size * 1_000_000)
    for name, (make, unpack) in KINDS.items():
        paths = [folder / "night-small", folder / "night-large"]
        for source, path in zip(plain, paths):
            subprocess.run(shell(make, source, path), check=True, env=clean_environment())
        # Of the text that is read: of --changes, the recording's own.
        sizes = [path.stat().st_size for path in (plain if name == "zstd" else paths)]
        python = f'{unpack} "$1" | "{sys.executable}" "{SCRIPT}"'
        if unpack == "cat":
            python = f'"{sys.executable}" "{SCRIPT}" "$1"'
        runs = []
        for _ in range(1 if bench.short else 5):
            small = measured(REPORT, paths[0])
            large = measured(REPORT, paths[1])
            script = measured(*shell(python, paths[1]))
            counting = measured(*shell(f'{unpack} "$1" | wc', paths[1]))
            runs.append((small, large, script, counting))
        small, large, script, counting = (
            [statistics.median(values) for values in zip(*(run[program] for run in runs))] for program in range(4)
        )
        ratios = sorted(run[1][0] / run[2][0] for run in runs)
        factors = [run[1][0] / run[0][0] for run in runs]
        bench.row(
            f"report, {name}: of a second of processor time",
            rate(sizes[1], large[0]),
            f"Python: {rate(sizes[1], script[0])}, ratio {statistics.median(ratios):.3f}"
            f" [{ratios[0]:.3f} .. {ratios[-1]:.3f}]; {unpack} | wc: {rate(sizes[1], counting[0])}",
        )
        bench.row(
            f"report, {name}: time of {sizes[1] / sizes[0]:.1f} times the text",
            f"{statistics.median(factors):.2f} times",
            "",
            f"target < {1.1 * sizes[1] / sizes[0]:.1f}",
        )
        bench.row(
            f"report, {name}: peak memory",
            f"{large[1]:.0f} MB",
            f"of a quarter: {small[1]:.0f} MB; Python: {script[1]:.0f} MB",
        )
        for path in paths:
            path.unlink()
    for path in plain:
        path.unlink()
