"""One experiment's data: what is made of it, where it lies, and what of it is there already."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from seqcfg.data import fingerprint as address
from seqcfg.data import parts
from seqcfg.data.columns import Columns
from seqcfg.data.leaks import find_leaks
from seqcfg.data.prepared import MANIFEST, load_codec
from seqcfg.data.progress import Progress
from seqcfg.data.root import DataRoot
from seqcfg.data.selection import Counts, SplitRules, usable
from seqcfg.data.split_writer import Encoder, write_split
from seqcfg.data.tokenizers.codec import fields_of
from seqcfg.errors import UserError
from seqcfg.runs.durable import sync_file, sync_folder, write_file

DONE = "done"  # folder of marks, one for each finished part of a folder that is not finished


class Job:
    """One experiment's data, tokenizers and features with the files below one data root."""

    def __init__(self, experiment: Any, root: DataRoot, progress: Progress, processes: int):
        recipe = experiment.recipe
        if recipe.data is None:
            raise UserError("the recipe has no `data` section", hint="say under data.splits what to train on")
        self.data, self.tokenizers, self.features = recipe.data, dict(recipe.tokenizers or {}), recipe.task.features()
        self.root, self.progress, self.processes = root, progress, processes
        self._check_tokenizers()
        self.hashes = address.inputs(self.data, self.tokenizers, root)
        self.fingerprint = address.fingerprint(self.data, self.tokenizers, self.features, self.hashes)

    def write(self, folder: Path) -> None:
        """Makes the folder; the caller holds its lock, so what killed processes have left can be used or swept away."""
        partial = folder.with_name(f"{folder.name}.partial")
        if folder.exists():
            shutil.rmtree(folder)
        try:
            (partial / DONE).mkdir(parents=True, exist_ok=True)
            before, told = parts.MadeBefore(folder.parent), self._parts()
            codecs = {name: self._tokenizer(name, told["tokenizers"][name], partial, before) for name in self.tokenizers}
            splits = {name: self._split(name, told["splits"][name], codecs, partial, before) for name in self.data.splits}
            manifest = {
                "format": address.FORMAT,
                "fingerprint": self.fingerprint,
                "inputs": self.hashes,
                "features": {name: feature.told() for name, feature in self.features.items()},
                "vocabularies": {name: codec.vocabulary for name, codec in codecs.items()},
                "splits": splits,
                "leaks": self._leaks(partial, splits),
                "parts": told,
            }
            shutil.rmtree(partial / DONE)
            write_file(partial / MANIFEST, json.dumps(manifest, indent=1, ensure_ascii=False))
            os.rename(partial, folder)
            sync_folder(folder.parent)
        except (UserError, OSError):
            shutil.rmtree(partial, ignore_errors=True)
            raise

    def _parts(self) -> dict[str, Any]:
        """The addresses of all parts."""
        selections = [
            parts.selection_address(self.data.splits[name], self._rules(name), set(), self.root, self.hashes) for name in self._trained_on()
        ]
        learns_from = " ".join(selections)
        tokenizers = {name: parts.tokenizer_address(one, learns_from, self.root, self.hashes) for name, one in self.tokenizers.items()}
        splits = {}
        for name, source in self.data.splits.items():
            selection = parts.selection_address(source, self._rules(name), self._fields(), self.root, self.hashes)
            columns = {
                column: parts.column_address(selection, one, tokenizers.get(one.tokenizer, ""), self._variants(name), address.FORMAT)
                for column, one in self.features.items()
            }
            splits[name] = {"selection": selection, "columns": columns}
        return {"tokenizers": tokenizers, "splits": splits}

    def _tokenizer(self, name: str, one: str, partial: Path, before: parts.MadeBefore) -> Any:
        folder, mark = partial / "tokenizers" / name, partial / DONE / f"tokenizer.{name}"
        tokenizer = self.tokenizers[name]
        if not mark.exists():
            shutil.rmtree(folder, ignore_errors=True)
            if not before.copy_tokenizer(one, folder):
                self.progress(f"tokenizer {name}", 0, 0)
                texts = fields_of(getattr(tokenizer, "fields", []), self._training_records(f"tokenizer {name}"))
                tokenizer.fit(texts, folder, self.root)
            for file in folder.iterdir():
                sync_file(file)
            write_file(mark, "")
        return load_codec(name, tokenizer, folder)

    def _training_records(self, what: str) -> Iterator[dict[str, Any]]:
        """The fields of all examples that are trained on: what tokenizers learn from."""
        number = 0
        for name in self._trained_on():
            for example in usable(self.data.splits[name].examples(self.root), set(), self._rules(name), Counts()):
                number += 1
                if number % 1000 == 0:
                    self.progress(what, number, 0)
                yield example.fields

    def _split(self, name: str, told: dict[str, Any], codecs: dict[str, Any], partial: Path, before: parts.MadeBefore) -> dict[str, Any]:
        folder, mark = partial / "splits" / name, partial / DONE / f"split.{name}.json"
        if mark.exists():
            return json.loads(mark.read_text("utf-8"))
        new = partial / "splits" / f"{name}.new"
        linked = {column: found for column, one in told["columns"].items() if (found := before.link_column(one, column, folder))}
        missing = {column: feature for column, feature in self.features.items() if column not in linked}
        known = before.counts(told["selection"])
        columns: dict[str, Any] = {}
        statistics: dict[str, Any] = {}
        if missing or known is None:
            encoder = Encoder(missing, codecs, self._variants(name), self.tokenizers, partial / "tokenizers", self.processes)
            rows, counts, columns, statistics = self._encode(name, encoder, new)
            folder.mkdir(exist_ok=True)
            for file in new.iterdir():
                os.replace(file, folder / file.name)
            new.rmdir()
        else:
            rows, counts = known
        columns |= {column: entry for column, (entry, _) in linked.items()}
        statistics |= {column: counted for column, (_, counted) in linked.items() if counted is not None}
        entry = {
            "examples": rows,
            "columns": {column: columns[column] for column in self.features},
            "statistics": {column: statistics[column] for column in self.features if column in statistics},
            "counts": counts,
        }
        write_file(mark, json.dumps(entry, ensure_ascii=False))
        return entry

    def _encode(self, name: str, encoder: Encoder, folder: Path) -> tuple[int, dict[str, Any], dict[str, Any], dict[str, Any]]:
        counts = Counts()
        examples = usable(self.data.splits[name].examples(self.root), self._fields(), self._rules(name), counts)
        self.progress(f"split {name}", 0, 0)
        rows, columns, statistics = write_split(examples, encoder, folder, lambda _: self.progress(f"split {name}", counts.read, 0))
        if not counts.kept:
            raise UserError(f"data.splits.{name}: has no usable example ({counts.read} read)", hint="look at the source's files and fields")
        return rows, counts.told(), columns, statistics

    def _leaks(self, partial: Path, splits: dict[str, Any]) -> dict[str, dict[str, int]]:
        texts = [name for name, feature in self.features.items() if feature.dtype == "bytes"]
        columns = {name: Columns(partial / "splits" / name, entry) for name, entry in splits.items()}
        return find_leaks(columns, self._trained_on(), texts)

    def _fields(self) -> set[str]:
        return {feature.field for feature in self.features.values()}

    def _trained_on(self) -> list[str]:
        return self.data.trained_on

    def _variants(self, split: str) -> int:
        """Rows that an example of a split becomes."""
        used = {feature.tokenizer for feature in self.features.values() if feature.tokenizer}
        return max((getattr(self.tokenizers[name], "num_variants", 1) for name in used), default=1) if split in self._trained_on() else 1

    def _rules(self, name: str) -> SplitRules:
        is_trained_on = name in self._trained_on()
        return SplitRules(name, is_trained_on, self.data.max_bad_examples, tuple(self.data.filters) if is_trained_on else ())

    def _check_tokenizers(self) -> None:
        for name, feature in self.features.items():
            if feature.tokenizer and feature.tokenizer not in self.tokenizers:
                known = ", ".join(self.tokenizers) or "none"
                raise UserError(f"the feature {name!r} needs the tokenizer {feature.tokenizer!r}; the recipe has {known}")
