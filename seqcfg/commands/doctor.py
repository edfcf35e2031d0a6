"""`seqcfg doctor`: is this machine fit, and is this installation whole?"""

from __future__ import annotations

import dataclasses
import importlib.metadata
import json
import os
import platform
import shutil
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import click

from seqcfg.errors import EXIT_OK, EXIT_PROBLEM

OK, WARNING, BROKEN = "ok", "warning", "broken"
MEMORY_GB, DISK_GB, FULL_DISK_GB = 4, 5, 0.5
INSTALL = "run 'make setup' in a checkout, or: pip install seqcfg"


@dataclasses.dataclass(frozen=True)
class Check:
    """One question and its answer; `hint` says what to do when the answer is not ok."""

    name: str
    status: str
    found: str
    hint: str = ""


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print the checks as JSON.")
@click.option("--data-root", type=click.Path(), help="Folder of the corpora; else $SEQCFG_DATA, else ./data.")
@click.option("--quick", is_flag=True, help="Leave out everything that starts TensorFlow.")
def command(as_json: bool, data_root: str | None, quick: bool) -> int:
    """Checks Python, packages, processor, memory, disk and TensorFlow; exit code 1 when something is broken."""
    checks = []
    for check in run_checks(data_root, quick):
        checks.append(check)
        if not as_json:
            _print(check)
    is_broken = any(check.status == BROKEN for check in checks)
    if as_json:
        click.echo(json.dumps({"ok": not is_broken, "checks": [dataclasses.asdict(check) for check in checks]}, indent=2))
    else:
        click.echo("something is broken, see above" if is_broken else "fit for work")
    return EXIT_PROBLEM if is_broken else EXIT_OK


def run_checks(data_root: str | None = None, quick: bool = False) -> Iterator[Check]:
    """All checks, cheap ones first."""
    yield check_python(sys.version_info[:2])
    yield from check_packages()
    yield check_text()
    yield from check_machine()
    yield from check_places(data_root)
    if not quick:
        yield from check_tensorflow()


def check_python(version: tuple[int, int]) -> Check:
    fits = (3, 10) <= version < (3, 14)
    return Check(
        "python", OK if fits else BROKEN, platform.python_version(), "" if fits else "TensorFlow has wheels for Python 3.10 to 3.13"
    )


def check_packages() -> Iterator[Check]:
    """Whether the packages that seqcfg's own metadata asks for are there in a version that fits."""
    try:
        from packaging.requirements import Requirement

        wanted = [Requirement(line) for line in importlib.metadata.requires("seqcfg") or []]
    except importlib.metadata.PackageNotFoundError:
        yield Check("seqcfg", WARNING, "used from a checkout without being installed", INSTALL)
        return
    except ImportError:
        yield Check("packaging", BROKEN, "missing, so that no version can be compared", INSTALL)
        return
    for requirement in wanted:
        if requirement.marker and not requirement.marker.evaluate({"extra": ""}):
            continue
        version = _version(requirement.name)
        if version is None:
            status = WARNING if requirement.name == "tensorflow-text" else BROKEN
            yield Check(requirement.name, status, "missing", f"pip install '{requirement.name}{requirement.specifier}'")
        elif not requirement.specifier.contains(version, prereleases=True):
            yield Check(requirement.name, BROKEN, version, f"pip install '{requirement.name}{requirement.specifier}'")
        else:
            yield Check(requirement.name, OK, version)


def check_text() -> Check:
    """tensorflow-text is built against one minor release of TensorFlow."""
    name = "tensorflow-text fits tensorflow"
    text, tensorflow = _version("tensorflow-text"), _version("tensorflow")
    if not text or not tensorflow:
        hint = "training and decoding work; exported models will have no tokenizer inside"
        return Check(name, WARNING, f"tensorflow-text {text or 'missing'}, tensorflow {tensorflow or 'missing'}", hint)
    fits = text.split(".")[:2] == tensorflow.split(".")[:2]
    minor = ".".join(tensorflow.split(".")[:2])
    return Check(name, OK if fits else BROKEN, f"{text} and {tensorflow}", "" if fits else f"pip install 'tensorflow-text=={minor}.*'")


def check_machine() -> Iterator[Check]:
    """Processor, cores and memory that this process may use."""
    from seqcfg.runs import machine

    name, flags = machine.processor()
    is_slow = platform.machine() == "x86_64" and "avx2" not in flags
    yield Check(
        "processor",
        WARNING if is_slow else OK,
        f"{name}, {' '.join(flags) or 'flags unknown'}",
        "without AVX2 training is slow" if is_slow else "",
    )
    yield Check("cores", OK, str(machine.cores()))
    memory = machine.memory_bytes() / 1e9
    is_small = 0 < memory < MEMORY_GB
    hint = "TensorFlow alone takes 0.6 GB; 'seqcfg plan' estimates a recipe" if is_small else ""
    yield Check("memory", WARNING if is_small else OK, f"{memory:.1f} GB" if memory else "unknown", hint)


def check_places(data_root: str | None) -> Iterator[Check]:
    """Room on the disk of this folder, and the folder of the corpora."""
    free = shutil.disk_usage(".").free / 1e9
    status = BROKEN if free < FULL_DISK_GB else WARNING if free < DISK_GB else OK
    yield Check(
        "disk", status, f"{free:.1f} GB free here", "" if status == OK else "make room: prepared data and checkpoints take gigabytes"
    )
    can_write = os.access(".", os.W_OK)
    yield Check(
        "this folder",
        OK if can_write else WARNING,
        "writable" if can_write else "read-only",
        "" if can_write else "give --run and --cache-root",
    )
    folder = Path(data_root or os.environ.get("SEQCFG_DATA") or "data")
    hint = "recipes with generated data need none; 'seqcfg prepare RECIPE --download' makes it, --data-root or SEQCFG_DATA name another"
    yield Check("data root", OK, str(folder)) if folder.is_dir() else Check("data root", WARNING, f"{folder} does not exist", hint)


def check_tensorflow() -> Iterator[Check]:
    """Starts TensorFlow, multiplies matrices and compiles a function."""
    from seqcfg.distribution import probe
    from seqcfg.lazy import tf

    if _version("tensorflow") is None:
        yield Check("tensorflow starts", BROKEN, "it is missing", INSTALL)
        return
    try:
        start = time.perf_counter()
        version = tf.version.VERSION
        yield Check("tensorflow starts", OK, f"{version} in {time.perf_counter() - start:.1f} s")
        yield Check("accelerators", OK, ", ".join(probe.accelerators()) or "none")
        yield Check(
            "matmul", OK, f"{probe.matmul_gflops():.0f} GFLOP/s in float32, {probe.matmul_gflops(dtype='bfloat16'):.0f} in bfloat16"
        )
        agrees = probe.compiled_agrees()
        yield Check(
            "XLA", OK if agrees else BROKEN, "compiles" if agrees else "gives other numbers", "" if agrees else "reinstall tensorflow"
        )
    except (ImportError, OSError, AttributeError, RuntimeError, ValueError) as error:  # what a half-installed TensorFlow raises
        yield Check("tensorflow starts", BROKEN, f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}", INSTALL)


def _version(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def _print(check: Check) -> None:
    color = {OK: "green", WARNING: "yellow", BROKEN: "red"}[check.status]
    click.echo(f"{click.style(f'{check.status:8}', fg=color)} {check.name:32} {check.found}")
    if check.hint:
        click.echo(f"{'':8} {'':32} {check.hint}")
