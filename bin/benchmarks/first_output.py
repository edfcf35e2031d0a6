#!/usr/bin/env python3
"""How long a user waits for the first line that `seqcfg decode` writes, from the start of its process."""

from __future__ import annotations

import argparse
import contextlib
import os
import statistics
import subprocess
import sys
import sysconfig
import tempfile
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
TICKS = os.sysconf("SC_CLK_TCK")


def add_options(command: argparse.ArgumentParser) -> None:
    command.add_argument("--run", help="folder of a run that reads text; a tiny one with random weights if left out")
    command.add_argument("--text", default="seven", help="the line that is decoded")
    command.add_argument("--set", action="append", default=[], metavar="PATH=VALUE", help="override a value of its recipe")
    command.add_argument("--times", type=int, default=5, help="processes, of which medians count")
    command.add_argument("--cold", action="store_true", help="before each, take the files of Python's packages and the run out of memory")


def measure(options: argparse.Namespace) -> dict[str, Any]:
    """Seconds and own CPU seconds from the start of `seqcfg decode` to its first line, and what it read from the disk."""
    with tempfile.TemporaryDirectory() as place:
        if options.run:
            run = Path(options.run)
        else:
            from tests.evaluation.small_run import make_run

            run = make_run(Path(place))
        seen = []
        for _ in range(options.times):
            if options.cold:
                _forget([Path(sysconfig.get_path("purelib")), Path(sysconfig.get_path("stdlib")), ROOT / "seqcfg", run])
            seen.append(_first(run, options))
    figures = {name: [one[name] for one in seen] for name in seen[0]}
    return {"cold": options.cold} | {name: {"median": statistics.median(all_), "most": max(all_)} for name, all_ in figures.items()}


def _first(run: Path, options: argparse.Namespace) -> dict[str, float]:
    chosen = [part for override in options.set for part in ("--set", override)]
    call = [sys.executable, "-m", "seqcfg", "decode", str(run), "--input", "-", *chosen]
    begun = time.monotonic()
    process = subprocess.Popen(
        call, cwd=ROOT, env=os.environ | {"PYTHONPATH": str(ROOT)}, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert process.stdin and process.stdout
    process.stdin.write(f"{options.text}\n".encode())
    process.stdin.flush()
    line = process.stdout.readline()
    taken = {"seconds": time.monotonic() - begun, "cpu_seconds": _cpu_seconds(process.pid), "mib_from_disk": _mib_read(process.pid)}
    said = process.communicate()[1].decode()
    if not line.endswith(b"\n") or process.returncode:
        sys.exit(f"{' '.join(call)} failed:\n{said}")
    return {name: round(value, 2) for name, value in taken.items()}


def _cpu_seconds(process: int) -> float:
    fields = Path(f"/proc/{process}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def _mib_read(process: int) -> float:
    """What did not come from the memory in which the system keeps files."""
    lines = Path(f"/proc/{process}/io").read_text(encoding="utf-8").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("read_bytes:")) / 2**20


def _forget(folders: list[Path]) -> None:
    """Takes files out of the system's memory, but for what other processes have mapped."""
    for folder in folders:
        for file in folder.rglob("*"):
            with contextlib.suppress(OSError):  # it has just gone, or may not be read
                if file.is_file():
                    descriptor = os.open(file, os.O_RDONLY)
                    os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
                    os.close(descriptor)
