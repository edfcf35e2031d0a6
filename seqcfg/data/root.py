"""The data root: the folder below which all corpora lie, and the only way from a recipe's path to a file.

A path may be a pattern (`train-*.tfrecord`, `images/**`), a set of shards (`train@8` for train-00000-of-00008 and on),
and a member of a tar archive (`dev.tgz!dev/newstest2013.en`).
"""

from __future__ import annotations

import os
import re
from pathlib import Path

from seqcfg.data.hashes import FileHashes
from seqcfg.errors import UserError

PATTERN = re.compile(r"[*?\[]")
SHARDS = re.compile(r"@([1-9][0-9]{0,4})(?=$|\.)")
MAX_PATH, MAX_NAME = 4096, 255  # of most file systems, in bytes
MEMBER = "!"  # between an archive and the name of a file in it
DATA_VARIABLE, CACHE_VARIABLE = "SEQCFG_DATA", "SEQCFG_CACHE"


def data_folder(folder: str | os.PathLike | None = None) -> Path:
    """Where corpora are: the argument, else $SEQCFG_DATA, else ./data."""
    return Path(folder or os.environ.get(DATA_VARIABLE) or "data")


def cache_folder(folder: str | os.PathLike | None = None) -> Path:
    """Where prepared data is kept: the argument, else $SEQCFG_CACHE, else ./prepared."""
    return Path(folder or os.environ.get(CACHE_VARIABLE) or "prepared")


class DataRoot:
    """Resolves recipe paths below one folder and hashes the files found there.

    Hashes are remembered in the cache root by size and modification time, so that a large corpus is read once.
    """

    def __init__(self, folder: str | os.PathLike | None = None, cache_root: str | os.PathLike | None = None):
        self.folder = data_folder(folder)
        self.hashes = FileHashes(cache_folder(cache_root))

    def expand(self, paths: list[str]) -> list[str]:
        """The paths with each pattern replaced by the files that fit, in order of their names; raises UserError if none does."""
        return [found for path in paths for found in self._expand(path)]

    def _expand(self, path: str) -> list[str]:
        archive, mark, member = path.partition(MEMBER)
        if shards := SHARDS.search(archive):
            count, rest = int(shards[1]), archive[shards.end() :]
            return [f"{archive[: shards.start()]}-{one:05}-of-{count:05}{rest}{mark}{member}" for one in range(count)]
        if not PATTERN.search(archive):
            return [path]
        self.place(archive)
        found = sorted(file.relative_to(self.folder).as_posix() for file in self.folder.glob(archive) if file.is_file())
        if not found:
            raise UserError(
                f"{path}: no file below the data root {self.folder} fits this pattern", hint=f"set --data-root or ${DATA_VARIABLE}"
            )
        return [f"{name}{mark}{member}" for name in found]

    def resolve(self, path: str) -> Path:
        """The existing regular file of a recipe path, of an archive's member the archive itself.

        Raises UserError if it is missing or lies outside the data root.
        """
        path = path.partition(MEMBER)[0]
        found = self.place(path)
        if not found.exists():
            raise UserError(
                f"{path}: there is no such file below the data root {self.folder}",
                hint=f"set --data-root or ${DATA_VARIABLE}, or fetch public corpora with `seqcfg prepare RECIPE --download`",
            )
        if not found.resolve().is_file():
            raise UserError(f"{path}: is not a file (below the data root {self.folder})", hint="name one file, or a list of files")
        return found

    def has(self, path: str) -> bool:
        """Whether a file lies there; a path that leads out of the data root is none."""
        try:
            return self.place(path.partition(MEMBER)[0]).is_file()
        except UserError:
            return False

    def place(self, path: str) -> Path:
        """Where a recipe path lies or would lie; raises UserError for paths that lead out of the data root."""
        parts = path.split("/")
        if not path or "\0" in path or "\\" in path or path.startswith(("/", "~")) or re.match(r"^[A-Za-z][A-Za-z0-9+.-]*:", path):
            raise UserError(
                f"{path!r} is not a path below the data root", hint="write it relative and with '/', such as multi30k/train.en.gz"
            )
        if ".." in parts:
            raise UserError(
                f"{path}: '..' leads out of the data root", hint="name files below the data root, or choose another --data-root"
            )
        root = self.folder.resolve()
        found = root.joinpath(*parts)
        if len(path) > MAX_PATH or any(len(part.encode()) > MAX_NAME for part in parts):
            raise UserError(f"{path[:60]}...: is longer than the name of a file can be", hint="name a file below the data root")
        try:
            real = found.resolve()
        except (OSError, RuntimeError):  # the latter up to Python 3.12
            raise UserError(f"{path}: symbolic links lead in a circle", hint="copy the file to this place") from None
        if not real.is_relative_to(root):
            raise UserError(
                f"{path}: a symbolic link leads out of the data root {self.folder}",
                hint="copy the files, or set the data root to the folder that holds them",
            )
        return found

    def sha256(self, path: str) -> str:
        """The SHA-256 of a file's bytes, in hexadecimal."""
        return self.hashes.sha256(self.resolve(path))

    def hashes_of(self, paths: list[str]) -> dict[str, str]:
        """{path: SHA-256} of many files."""
        return dict(zip(paths, self.hashes.of_all([self.resolve(path) for path in paths]), strict=True))
