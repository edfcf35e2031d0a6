"""RunLock: one process at a time writes to a run directory."""

from __future__ import annotations

import contextlib
import datetime
import hashlib
import json
import os
import platform
import time
import uuid
from pathlib import Path
from types import TracebackType

from seqcfg.errors import UserError

try:
    import fcntl
except ImportError:  # Windows: the owner's process id alone decides
    fcntl = None  # type: ignore[assignment]

LOCK_FILE = "lock"
BEAT_SECONDS = 5.0


class RunLock:
    """Holds the run directory from `with RunLock(folder):` to the end of the block.

    The kernel's file lock decides between processes of one machine and is released by any death, kill -9 included.
    The owner written into the file decides between machines that share a disk whose file locks reach no further
    than one of them: an owner from another machine is never overruled. The file's time of change is the owner's last
    sign of life.
    """

    def __init__(self, folder: str | Path):
        self.path = Path(folder) / LOCK_FILE
        self._handle: int | None = None
        self._owner: dict = {}
        self._beaten = time.monotonic()

    def __enter__(self) -> RunLock:
        self.acquire()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.release()

    def acquire(self) -> None:
        """Takes the lock; raises UserError that names the owner when another process has it."""
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            handle = os.open(self.path, os.O_RDWR | os.O_CREAT | getattr(os, "O_CLOEXEC", 0), 0o644)
        except OSError as error:
            raise UserError(f"cannot write to {self.path.parent}: {error.strerror}", hint="choose another place with --run") from error
        try:
            is_exclusive = _lock_file(handle)
            if is_exclusive is False or _may_be_alive(_read_owner(handle), has_kernel_lock=bool(is_exclusive)):
                raise _in_use(self.path, _read_owner(handle))
            self._owner = _describe_self()
            _write_owner(handle, self._owner)
        except BaseException:
            os.close(handle)
            raise
        self._handle = handle

    def probe(self) -> None:
        """Raises UserError when the folder cannot be written to or is in use: before anything costly is done."""
        self.acquire()
        self.release()

    def beat(self) -> None:
        """Gives a sign of life, at most one in BEAT_SECONDS."""
        if self._handle is not None and time.monotonic() - self._beaten >= BEAT_SECONDS:
            self._beaten = time.monotonic()
            with contextlib.suppress(OSError):  # a disk that does not answer ends no run by itself
                os.utime(self.path)

    def require(self) -> None:
        """Raises UserError when the lock is no longer ours: somebody removed or rewrote the file. Called before each commit."""
        if not self.is_held():
            hint = "its checkpoints so far are whole; stop the other process and start this one again"
            raise UserError(f"{self.path} was taken away from this process: another may work in {self.path.parent}", hint=hint)

    def release(self) -> None:
        """Gives the lock back. The file stays, empty: deleting it would let two processes lock two files."""
        if self._handle is None:
            return
        with contextlib.suppress(OSError):  # a full or vanished disk must not hide what ended the run
            if self.is_held():
                os.ftruncate(self._handle, 0)
        os.close(self._handle)
        self._handle = None

    def is_held(self) -> bool:
        """Whether the lock is still ours: false when somebody removed or rewrote the file meanwhile. Ask before each commit."""
        if self._handle is None:
            return False
        try:
            return os.path.samestat(os.fstat(self._handle), os.stat(self.path)) and _read_owner(self._handle) == self._owner
        except OSError:
            return False


def seconds_since_beat(folder: str | Path) -> float | None:
    """Age of the last sign of life of whoever works in a run directory, by the clock of the disk; None when nobody does."""
    path = Path(folder) / LOCK_FILE
    try:
        return max(0.0, time.time() - path.stat().st_mtime) if path.stat().st_size else None
    except OSError:
        return None


def is_owned(path: str | Path) -> bool:
    """Whether the process that wrote itself into a lock file may be at work. Takes no lock, so that it disturbs nobody.

    An owner on another machine counts: only that machine could tell.
    """
    try:
        handle = os.open(path, os.O_RDONLY | getattr(os, "O_CLOEXEC", 0))
    except OSError:
        return False
    try:
        return _may_be_alive(_read_owner(handle), has_kernel_lock=False)
    finally:
        os.close(handle)


def _lock_file(handle: int) -> bool | None:
    """True: ours. False: another process has it. None: this file system has no locks."""
    if fcntl is None:
        return None
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return None
    return True


def _may_be_alive(owner: dict, has_kernel_lock: bool) -> bool:
    """Whether the owner in the file may still be at work although we could lock it."""
    if not owner:
        return False
    here = _describe_self()
    if owner.get("boot") == here["boot"]:  # the same kernel: its locks, else its process table, tell the truth
        return not has_kernel_lock and _start_of(owner.get("pid", 0)) == owner.get("process_start", "")
    return owner.get("machine") != here["machine"]  # same machine, another boot: the owner died with it


def _describe_self() -> dict:
    return {
        "pid": os.getpid(),
        "process_start": _start_of(os.getpid()),
        "boot": _boot_id(),
        "machine": hashlib.sha256(platform.node().encode()).hexdigest()[:12],  # names of machines stay private
        "since": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
        "nonce": uuid.uuid4().hex,
    }


def _start_of(pid: int) -> str:
    """When a process started, in clock ticks since boot; empty when it is dead or the system does not tell."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return ""
    return stat.rpartition(")")[2].split()[19]


def _boot_id() -> str:
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return platform.node()  # no boot id here: the machine stands for it


def _read_owner(handle: int) -> dict:
    os.lseek(handle, 0, os.SEEK_SET)
    try:
        owner = json.loads(os.read(handle, 4096))
    except ValueError:
        return {}  # empty, or torn by a death while it was written: the writer is gone
    return owner if isinstance(owner, dict) else {}


def _write_owner(handle: int, owner: dict) -> None:
    text = json.dumps(owner).encode()
    os.ftruncate(handle, 0)
    os.lseek(handle, 0, os.SEEK_SET)
    os.write(handle, text)
    os.fsync(handle)


def _in_use(path: Path, owner: dict) -> UserError:
    by = f"pid {owner['pid']} since {owner['since']}" if {"pid", "since"} <= owner.keys() else "another process"
    if (age := seconds_since_beat(path.parent)) is not None:
        by += f", which gave its last sign of life {age:.0f} s ago"
    if owner and owner.get("machine") != _describe_self()["machine"]:
        hint = f"it runs on another machine (id {owner.get('machine')}); if that machine has stopped, delete {path}"
        return UserError(f"run directory {path.parent} is in use by {by}", hint=hint)
    return UserError(f"run directory {path.parent} is in use by {by}", hint="wait for it, stop it, or choose another place with --run")
