#!/usr/bin/env python3
"""What `seqcfg decode` does with a long file: its memory, and that a kill -9 in the middle costs no line."""

from __future__ import annotations

import argparse
import contextlib
import itertools
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
TEXTS = 997  # different ones; a prime, so that neighbours change from block to block


def add_options(command: argparse.ArgumentParser) -> None:
    command.add_argument("--lines", type=int, default=100_000, help="of the input")
    command.add_argument("--run", help="folder of a run that reads text; a tiny one with random weights if left out")
    command.add_argument("--set", action="append", default=[], metavar="PATH=VALUE", help="override a value of its recipe")


def measure(options: argparse.Namespace) -> dict[str, Any]:
    """Memory of decoding a long file that is killed (kill -9) in the middle and begun again; fails unless every line is right."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        run = Path(options.run) if options.run else _tiny(folder)
        texts, source, target = _texts(), folder / "in", folder / "out"
        _write(source, texts, TEXTS)
        _decode(run, source, folder / "answers", options.set)
        answers = (folder / "answers").read_text(encoding="utf-8").split("\n")[:TEXTS]
        _write(source, texts, options.lines)
        killed = _decode(run, source, target, options.set, kill_at=options.lines // 2)
        if target.exists():
            sys.exit("the file was whole before it could be killed: raise --lines")
        went_on = _decode(run, source, target, options.set)
        found = wrong = 0
        with open(target, encoding="utf-8") as file:
            for found, line in enumerate(file, 1):
                wrong += line.rstrip("\n") != answers[(found - 1) % TEXTS]
    if wrong or found != options.lines:
        sys.exit(f"{found} lines of {options.lines} came out, {wrong} of them wrong")
    return {"lines": found, "different_texts": TEXTS, "killed": killed, "went_on": went_on}


def _tiny(folder: Path) -> Path:
    from tests.evaluation.small_run import make_run

    return make_run(folder)


def _texts() -> list[str]:
    """Names of numbers, and now and then a line that is empty or long."""
    from seqcfg.data.number_words import english

    return ["" if number % 100 == 50 else " ".join([english(number)] * (1 + 9 * (number % 100 == 99))) for number in range(TEXTS)]


def _write(file: Path, texts: list[str], lines: int) -> None:
    with open(file, "w", encoding="utf-8") as opened:
        opened.writelines(f"{text}\n" for text in itertools.islice(itertools.cycle(texts), lines))


def _decode(run: Path, source: Path, target: Path, overrides: list[str], kill_at: int | None = None) -> dict[str, Any]:
    """What the command took: MiB resident when it had answered so many lines, at most, and its seconds."""
    chosen = [part for override in overrides for part in ("--set", override)]
    call = [sys.executable, "-m", "seqcfg", "decode", str(run), "--input", str(source), "--output", str(target), *chosen]
    begun, first, held = time.monotonic(), _answered(target), {}
    process = subprocess.Popen(call, cwd=ROOT, env=os.environ | {"PYTHONPATH": str(ROOT)}, stderr=subprocess.PIPE)
    while process.poll() is None:
        done, resident = _answered(target), _resident_mib(process.pid)
        if resident and done > first:
            held[done] = resident
        if kill_at is not None and done >= kill_at:
            process.send_signal(signal.SIGKILL)
        time.sleep(0.1)
    said = process.communicate()[1].decode()
    if process.returncode not in (0, -signal.SIGKILL if kill_at is not None else 0):
        sys.exit(f"{' '.join(call)} failed:\n{said}")
    early = [mib for done, mib in held.items() if done - first <= (max(held) - first) / 5]
    return {
        "lines": {"first": first + 1, "last_seen": max(held, default=0)},
        "mib": {"most_in_the_first_fifth": max(early, default=0.0), "most": max(held.values(), default=0.0)},
        "seconds": round(time.monotonic() - begun, 1),
    }


def _answered(target: Path) -> int:
    """Lines that are safe on disk."""
    with contextlib.suppress(OSError, ValueError):  # not there yet, or no longer, or just being replaced
        return int(json.loads(Path(f"{target}.partial.json").read_text(encoding="utf-8"))["lines"])
    return 0


def _resident_mib(process: int) -> float:
    with contextlib.suppress(OSError):  # it has just ended
        for line in Path(f"/proc/{process}/status").read_text(encoding="utf-8").splitlines():
            if line.startswith("VmRSS:"):
                return round(int(line.split()[1]) / 1024, 1)
    return 0.0
