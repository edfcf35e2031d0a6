"""RunDirectory: what one training run leaves behind, and the only thing that commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from seqcfg.errors import UserError
from seqcfg.recipe.validate import RESOLVED
from seqcfg.recipe.write import to_yaml
from seqcfg.runs.durable import PARTIAL, write_file
from seqcfg.runs.lock import LOCK_FILE

ELSEWHERE = "choose another place with --run"
RECIPE, MANIFEST, RECORDS = "recipe.yaml", "manifest.textproto", "records.jsonl"
PROCESSES = "processes"


class RunDirectory:
    """The paths of one run. `create` makes a new one, `open` takes one that is there; neither takes the lock."""

    def __init__(self, folder: str | Path):
        self.folder = Path(folder)
        self.recipe = self.folder / RECIPE
        self.resolved = self.folder / RESOLVED
        self.manifest = self.folder / MANIFEST
        self.records = self.folder / RECORDS
        self.checkpoints = self.folder / "checkpoints"
        self.tensorboard = self.folder / "tensorboard"
        self.evaluations = self.folder / "evaluations"
        self.exports = self.folder / "exports"
        self.tokenizers = self.folder / "tokenizers"

    @staticmethod
    def of_process(folder: Path, number: int) -> Path:
        """Where a process of a run with several keeps its own records and lock: the first in the run directory itself."""
        return folder / PROCESSES / str(number) if number else folder

    @staticmethod
    def is_run(folder: str | Path) -> bool:
        """Whether a run was created here; a run whose creation was interrupted does not count."""
        return (Path(folder) / RESOLVED).is_file()

    @classmethod
    def create(cls, folder: str | Path, recipe_text: str, resolved: dict[str, Any]) -> RunDirectory:
        """Makes the folder and stores the recipe as written and as resolved.

        Raises UserError when a run is there already, when the folder holds other things, or when it cannot be written.
        """
        run = cls(folder)
        run._refuse_foreign_folder()
        try:
            run.folder.mkdir(parents=True, exist_ok=True)
            run.checkpoints.mkdir(exist_ok=True)
            write_file(run.recipe, recipe_text)
            write_file(run.resolved, to_yaml(resolved))  # last: it makes the folder a run
        except OSError as error:
            raise UserError(f"cannot make the run directory {run.folder}: {error.strerror}", hint=ELSEWHERE) from error
        return run

    @classmethod
    def open(cls, folder: str | Path) -> RunDirectory:
        """The run in this folder; raises UserError when there is none."""
        if not cls.is_run(folder):
            what = "is not a run directory" if Path(folder).exists() else "does not exist"
            raise UserError(f"{folder} {what}", hint="'seqcfg train RECIPE --run DIR' makes one; it holds resolved.yaml and checkpoints/")
        return cls(folder)

    def recipe_text(self) -> str:
        """The recipe as its author wrote it."""
        return self.recipe.read_text(encoding="utf-8")

    def write(self, name: str, content: bytes | str) -> Path:
        """Writes a file of the run whole or not at all; `name` may contain folders. Returns its path."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        write_file(path, content)
        return path

    def _refuse_foreign_folder(self) -> None:
        if self.is_run(self.folder):
            raise UserError(f"{self.folder} already holds a run", hint="the same recipe continues it; else " + ELSEWHERE)
        if self.folder.exists() and not self.folder.is_dir():
            raise UserError(f"{self.folder} is a file", hint=ELSEWHERE)
        known = {RECIPE, LOCK_FILE, "checkpoints", PROCESSES}  # what an interrupted creation leaves
        names = sorted(entry.name for entry in self.folder.iterdir()) if self.folder.exists() else []
        foreign = [name for name in names if name not in known and not name.endswith(PARTIAL)]
        if foreign:
            raise UserError(f"{self.folder} is not empty and not a run: it holds {foreign[0]!r}", hint=ELSEWHERE)
