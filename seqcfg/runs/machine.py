"""Facts about the machine that can change a result or explain its speed; never its name or its user."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import subprocess
import sys
from pathlib import Path

import seqcfg

try:
    import resource
except ImportError:  # Windows
    resource = None  # type: ignore[assignment]

PACKAGES = ("tensorflow", "tensorflow-text", "numpy", "sentencepiece", "protobuf", "sacrebleu")
FLAGS = (
    "avx", "avx2", "fma", "avx512f", "avx512_vnni", "avx512_bf16", "avx512_fp16", "avx_vnni", "amx_tile", "amx_bf16", "amx_int8",
    "asimd", "asimddp", "bf16", "i8mm", "sve", "sve2",
)  # fmt: skip


def versions() -> dict[str, str]:
    """Versions of Python, seqcfg and the packages that compute; a package not installed is left out. Imports none of them."""
    found = {"python": platform.python_version(), "seqcfg": seqcfg.__version__}
    for name in PACKAGES:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def processor() -> tuple[str, list[str]]:
    """(model name, those of FLAGS that it has); the flags are known on Linux alone."""
    name, flags = platform.processor() or platform.machine(), set()
    for line in _lines("/proc/cpuinfo"):
        key, _, value = line.partition(":")
        if key.strip() == "model name":
            name = value.strip()
        if key.strip() in ("flags", "Features"):
            flags = set(value.split())
            break
    return name, [flag for flag in FLAGS if flag in flags]


def cores() -> int:
    """Cores that this process may use, which a container may limit."""
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    quota = " ".join(_lines("/sys/fs/cgroup/cpu.max")).split()
    if len(quota) == 2 and quota[0].isdigit():
        allowed = min(allowed, max(1, int(quota[0]) // int(quota[1])))
    return allowed


def memory_bytes() -> int:
    """Memory that this process may use, which a container may limit; 0 when the system does not tell."""
    installed = next((int(line.split()[1]) * 1024 for line in _lines("/proc/meminfo") if line.startswith("MemTotal:")), 0)
    limit = "".join(_lines("/sys/fs/cgroup/memory.max")).strip()
    return min(installed, int(limit)) if limit.isdigit() else installed


def resident_bytes() -> int:
    """Memory that this process holds now; its peak where the system does not tell more (macOS), 0 where it tells nothing."""
    for line in _lines("/proc/self/status"):
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024
    if resource is None:
        return 0
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def peak_bytes() -> int:
    """The most memory that this process has held at once; 0 where the system does not tell."""
    for line in _lines("/proc/self/status"):  # Linux hands `ru_maxrss` on from the process that started this one
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    return 0 if resource is None else resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def git_state() -> tuple[str, bool]:
    """(commit, whether tracked files differ from it) of the checkout this package lies in; ("", False) outside one."""
    root = Path(seqcfg.__file__).resolve().parent.parent
    if not (root / ".git").exists() or not (root / "setup.cfg").exists():
        return "", False
    try:
        commit = _git(root, "rev-parse", "HEAD")
        return commit, bool(_git(root, "status", "--porcelain", "--untracked-files=no"))
    except (OSError, subprocess.SubprocessError):
        return "", False


def _git(root: Path, *arguments: str) -> str:
    done = subprocess.run(["git", "-C", str(root), *arguments], capture_output=True, text=True, timeout=10, check=True)
    return done.stdout.strip()


def _lines(path: str) -> list[str]:
    try:
        return Path(path).read_text(errors="replace").splitlines()
    except OSError:
        return []
