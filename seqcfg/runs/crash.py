"""CrashReport: what a run that died leaves in its own directory."""

from __future__ import annotations

import contextlib
import datetime
import faulthandler
import sys
import traceback
from pathlib import Path
from types import TracebackType
from typing import IO

from seqcfg.errors import UserError
from seqcfg.runs import machine
from seqcfg.runs.durable import write_file
from seqcfg.runs.masking import mask_command, mask_text

FOLDER = "crashes"


class CrashReport:
    """Around a run: an exception that is our bug, or a fault in native code, leaves a file in `crashes/` of the run.

    `about` is put into the report as it is at that moment ({"step": 480}). Problems of the user, signals and a full
    disk are no crashes. Secrets of the command line are masked and home folders shortened.
    """

    def __init__(self, folder: Path):
        self._folder = folder / FOLDER
        self.about: dict[str, object] = {}
        self._native: IO[str] | None = None
        self._name = datetime.datetime.now(datetime.timezone.utc).strftime("%Y%m%dT%H%M%S%fZ")

    def __enter__(self) -> CrashReport:
        with contextlib.suppress(OSError):  # a disk that is full now is told of elsewhere
            self._folder.mkdir(exist_ok=True)
            self._native = open(self._folder / f"{self._name}-native.txt", "w")  # noqa: SIM115 - written to by a signal handler
            faulthandler.enable(self._native, all_threads=True)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._forget_native()
        if isinstance(error, Exception) and not isinstance(error, (UserError, OSError)):
            with contextlib.suppress(OSError):
                self._folder.mkdir(exist_ok=True)
                write_file(self._folder / f"{self._name}.txt", self._text(error))
                print(f"a report of this crash is in {self._folder / self._name}.txt", file=sys.stderr)

    def _text(self, error: Exception) -> str:
        about = {"command": " ".join(mask_command(sys.argv[1:])), **machine.versions(), **self.about}
        lines = [f"{name}: {value}" for name, value in about.items()]
        return mask_text("\n".join([*lines, "", "".join(traceback.format_exception(error))]))

    def _forget_native(self) -> None:
        """Nothing went wrong in native code: the file that was kept ready goes."""
        if self._native is None:
            return
        faulthandler.disable()
        self._native.close()
        with contextlib.suppress(OSError):
            Path(self._native.name).unlink()
            self._folder.rmdir()  # refused unless it is empty
