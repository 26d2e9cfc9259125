"""What reading a recording costs, compared with decompressing it and counting its lines."""

import json
import os
import random
import statistics
import subprocess
from pathlib import Path

from tango_servers import MONITOR, clean_environment

# The program that compressed it as a whole, and the one that decompresses it.
FORMATS = {
    "plain": ("cat", "cat"),
    "gzip": ("gzip", "zcat"),
    "zstd": ("zstd -q", "zstdcat"),
    "xz": ("xz -3", "xzcat"),
}


def write_recording(path, size):
    """Polls of ten servers with sixty streams each, until they have that many bytes."""
    streams = [f"tango://host:10000/bench/a/{number}/attribute.change" for number in range(60)]
    chance = random.Random(1)
    written = poll = 0
    with path.open("w") as out:
        while written < size:
            poll += 1
            replies = {}
            for server in range(10):
                counters = {name: poll * place + chance.randrange(100) for place, name in enumerate(streams)}
                answer = {"version": 1, "server": {"event_counters": counters, "perf": None}, "client": None}
                replies[f"dserver/Bench/{server}"] = {"data": answer}
            time = f"2026-03-{1 + poll // 86400:02}T{poll // 3600 % 24:02}:{poll // 60 % 60:02}:{poll % 60:02}"
            written += out.write(json.dumps({"time": f"{time}.000000+00:00", "replies": replies}) + "\n")
    return written


def processor_seconds(*command, **options):
    process = subprocess.Popen(command, env=clean_environment(), **options)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0, command
    return usage.ru_utime + usage.ru_stime


def read(bench, pool, _):
    """Twice: a recording, and one four times as large; in proportion it takes four times as long."""
    folder = Path(pool.folder)
    megabytes = [1, 4] if bench.short else [50, 200]
    plain = [folder / f"read-{size}" for size in megabytes]
    sizes = [write_recording(path, size * 1_000_000) for path, size in zip(plain, megabytes)]
    for name, (pack, unpack) in FORMATS.items():
        packed = [folder / "read-small", folder / "read-large"]
        for source, path in zip(plain, packed):
            subprocess.run(f"{pack} <{source} >{path}", shell=True, check=True)
        times = []
        beside = []
        for _ in range(1 if bench.short else 5):
            times.append([processor_seconds(MONITOR, "--read", path, "-q") for path in packed])
            beside.append(processor_seconds("sh", "-c", f"{unpack} {packed[1]} | wc", stdout=subprocess.DEVNULL))
        large = statistics.median(run[1] for run in times)
        factor = statistics.median(run[1] / run[0] for run in times)
        other = statistics.median(beside)
        bench.row(
            f"reading a recording, {name}: processor time of 1 GB",
            f"{large / sizes[1] * 1e9:.1f} s",
            f"{unpack} | wc: {other / sizes[1] * 1e9:.1f} s",
        )
        bench.row(
            f"reading a recording, {name}: of {sizes[1] / sizes[0]:.1f} times the text",
            f"{factor:.2f} times",
            "",
            f"target < {1.1 * sizes[1] / sizes[0]:.1f}",
        )
    for path in plain + packed:
        path.unlink()
