"""Prepare: turns the raw corpora of a recipe into tokenizers and columns, once per content."""

from __future__ import annotations

import contextlib
import dataclasses
import errno
import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from seqcfg.data import fingerprint as address
from seqcfg.data.encoding import Counts, SplitRules, usable, write_split
from seqcfg.data.lock import exclusive
from seqcfg.data.prepared import MANIFEST, Prepared, load_codec, open_prepared, read_manifest
from seqcfg.data.progress import Progress, silent
from seqcfg.data.root import DataRoot, cache_folder
from seqcfg.data.tokenizers.codec import fields_of
from seqcfg.errors import UserError
from seqcfg.runs.durable import sync_file, sync_folder, write_file


def prepare(
    experiment: Any,
    progress: Progress = silent,
    *,
    data_root: str | os.PathLike | None = None,
    cache_root: str | os.PathLike | None = None,
) -> Prepared:
    """The prepared data of an experiment; made now if it was never made from the same files and settings.

    Files appear under their final name all at once, so a process that is killed leaves nothing that looks finished; of
    two processes one waits for the other. Raises UserError for missing or damaged corpora and for a full disk.
    """
    job = _Job(experiment, DataRoot(data_root, cache_root), progress)
    folder = cache_folder(cache_root) / job.fingerprint
    if read_manifest(folder) is None:
        try:
            folder.parent.mkdir(parents=True, exist_ok=True)
            with exclusive(folder.with_name(f"{folder.name}.lock"), lambda: job.progress("waiting for another process", 0, 0)):
                if read_manifest(folder) is None:
                    job.write(folder)
        except OSError as error:
            raise _refused(error, folder.parent) from error
    return open_prepared(folder, job.tokenizers)


def find_prepared(
    experiment: Any, *, data_root: str | os.PathLike | None = None, cache_root: str | os.PathLike | None = None
) -> Prepared | None:
    """The prepared data of an experiment if it exists, else None; raises UserError if a corpus file is missing."""
    job = _Job(experiment, DataRoot(data_root, cache_root), silent)
    folder = cache_folder(cache_root) / job.fingerprint
    return None if read_manifest(folder) is None else open_prepared(folder, job.tokenizers)


class _Job:
    """One experiment's data, tokenizers and features with the files below one data root."""

    def __init__(self, experiment: Any, root: DataRoot, progress: Progress):
        recipe = experiment.recipe
        if recipe.data is None:
            raise UserError("the recipe has no `data` section", hint="say under data.splits what to train on")
        self.data, self.tokenizers, self.features = recipe.data, dict(recipe.tokenizers or {}), recipe.task.features()
        self.root, self.progress = root, progress
        self._check_tokenizers()
        self.hashes = address.inputs(self.data, self.tokenizers, root)
        self.fingerprint = address.fingerprint(self.data, self.tokenizers, self.features, self.hashes)

    def write(self, folder: Path) -> None:
        """Makes the folder; the caller holds its lock, so leftovers of killed processes can be swept away."""
        partial = folder.with_name(f"{folder.name}.partial")
        for leftover in (partial, folder):
            if leftover.exists():
                shutil.rmtree(leftover)
        try:
            (partial / "splits").mkdir(parents=True)
            codecs = {name: self._fit(name, partial / "tokenizers" / name) for name in self.tokenizers}
            splits = {name: self._write_split(name, codecs, partial / "splits" / name) for name in self.data.splits}
            manifest = {
                "format": address.FORMAT,
                "fingerprint": self.fingerprint,
                "inputs": self.hashes,
                "features": {name: feature.told() for name, feature in self.features.items()},
                "vocabularies": {name: codec.vocabulary for name, codec in codecs.items()},
                "splits": splits,
            }
            write_file(partial / MANIFEST, json.dumps(manifest, indent=1, ensure_ascii=False))
            os.rename(partial, folder)
            sync_folder(folder.parent)
        except BaseException:
            with contextlib.suppress(OSError):
                shutil.rmtree(partial)
            raise

    def _fit(self, name: str, folder: Path) -> Any:
        tokenizer = self.tokenizers[name]
        self.progress(f"tokenizer {name}", 0, 0)
        tokenizer.fit(fields_of(getattr(tokenizer, "fields", []), self._training_records(f"tokenizer {name}")), folder, self.root)
        for file in folder.iterdir():
            sync_file(file)
        return load_codec(name, tokenizer, folder)

    def _training_records(self, what: str) -> Iterator[dict[str, Any]]:
        examples = self.data.splits[self.data.training_split].examples(self.root)
        kept = usable(examples, set(), self._rules(self.data.training_split), Counts())
        for number, example in enumerate(kept, 1):
            if number % 1000 == 0:
                self.progress(what, number, 0)
            yield example.fields

    def _write_split(self, name: str, codecs: dict[str, Any], folder: Path) -> dict[str, Any]:
        counts = Counts()
        fields = {feature.field for feature in self.features.values()}
        examples = usable(self.data.splits[name].examples(self.root), fields, self._rules(name), counts)
        self.progress(f"split {name}", 0, 0)
        entry = write_split(examples, self.features, codecs, folder, lambda _: self.progress(f"split {name}", counts.read, 0))
        if not counts.kept:
            raise UserError(f"data.splits.{name}: has no usable example ({counts.read} read)", hint="look at the source's files and fields")
        return entry | {"counts": dataclasses.asdict(counts)}

    def _rules(self, name: str) -> SplitRules:
        return SplitRules(name, name == self.data.training_split, self.data.max_bad_examples)

    def _check_tokenizers(self) -> None:
        for name, feature in self.features.items():
            if feature.tokenizer and feature.tokenizer not in self.tokenizers:
                known = ", ".join(self.tokenizers) or "none"
                raise UserError(f"the feature {name!r} needs the tokenizer {feature.tokenizer!r}; the recipe has {known}")


def _refused(error: OSError, folder: Path) -> UserError:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        free = shutil.disk_usage(folder).free >> 20
        return UserError(
            f"the disk of {folder} is full ({free} MiB free); nothing half-written was kept",
            hint="make room, or choose another place with --cache-root or $SEQCFG_CACHE",
        )
    return UserError(f"cannot write prepared data to {folder}: {error}", hint="choose another place with --cache-root or $SEQCFG_CACHE")
