"""The data root: the folder below which all corpora lie, and the only way from a recipe's path to a file."""

from __future__ import annotations

import os
import re
from pathlib import Path

from seqcfg.data.hashes import FileHashes
from seqcfg.errors import UserError

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

    def resolve(self, path: str) -> Path:
        """The existing regular file of a recipe path; raises UserError if it is missing or lies outside the data root."""
        found = self.place(path)
        if not found.exists():
            raise UserError(
                f"{path}: there is no such file below the data root {self.folder}",
                hint=f"set --data-root or ${DATA_VARIABLE}, or fetch public corpora with `seqcfg prepare RECIPE --download`",
            )
        if not found.resolve().is_file():
            raise UserError(f"{path}: is not a file (below the data root {self.folder})", hint="name one file, or a list of files")
        return found

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
        if not found.resolve().is_relative_to(root):
            raise UserError(
                f"{path}: a symbolic link leads out of the data root {self.folder}",
                hint="copy the files, or set the data root to the folder that holds them",
            )
        return found

    def sha256(self, path: str) -> str:
        """The SHA-256 of a file's bytes, in hexadecimal."""
        return self.hashes.sha256(self.resolve(path))
