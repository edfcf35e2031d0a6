"""Writing an artefact, and refusing it when it does not do what the run does."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import seqcfg
from seqcfg.decoding.decoder import Decoder
from seqcfg.decoding.settings import Decoding
from seqcfg.errors import UserError
from seqcfg.export.manifest import new_manifest, write_manifest
from seqcfg.export.obstacles import refuse
from seqcfg.export.parity import Parity, compare, size_of
from seqcfg.export.probe import Probed, probe
from seqcfg.export.sample import Sample
from seqcfg.export.waveforms import prove_same
from seqcfg.runs.durable import sync_folder, write_file

BATCH_SIZE = 64
REPORT, REFUSED = "parity.json", "parity-refused.json"


class Exported(NamedTuple):
    """Where it is, and how it compares with the run; parity is None where it gives no text."""

    folder: Path
    parity: Parity | None


class Export:
    """Exports of one opened run, which is decoded once for all of them.

    timed: how many lines are decoded one by one, by run and artefact in processes of their own, for latency and memory.
    overrides: what the run was opened with. exports: where models are written, the run's own folder if left out.
    """

    def __init__(
        self, trained: Any, sample: Sample, timed: int = 0, overrides: tuple[str, ...] = (), warn: Callable[[str], None] = print,
        exports: Path | None = None,
    ):  # fmt: skip
        recipe = trained.experiment.recipe
        self._trained, self._settings, self._warn, self._overrides = trained, recipe.decoding or Decoding(), warn, overrides
        is_drawn = self._settings.search.type == "sample"  # lots are numbered from the first line of a call
        self._sample = sample.first(BATCH_SIZE) if is_drawn else sample
        self._is_of_sounds, self.num_sounds = bool(recipe.task.is_of_sounds), 0
        self._exports = exports or trained.run.exports
        self._timed = self._sample.some(timed)
        self._run: Probed | None = None

    def __call__(self, exporter: Any) -> Exported:
        """Writes exports/<label>/<version>/ with its manifest and parity.json.

        Run and artefact decode the sample, the artefact in a process of its own; where it is beyond its tolerance nothing
        appears under the final name, parity-refused.json says why, and UserError lists the first differences.
        """
        place = self._exports / exporter.label
        final = place / str(exporter.version)
        if self._is_of_sounds and not exporter.takes_sounds:
            raise UserError(
                f"{exporter.label}: exports models that read texts, and this one hears", hint="--format saved_model, tflite or onnx"
            )
        refuse(exporter, self._trained.experiment.recipe, self._trained.declaration)
        partial = final.with_name(f"{final.name}.partial")
        place.mkdir(parents=True, exist_ok=True)
        shutil.rmtree(partial, ignore_errors=True)
        try:
            signatures = exporter.write(self._trained, partial, self._sample)
            parity = self._compare(exporter, partial) if exporter.client else None
            if self._is_of_sounds and exporter.type == "saved_model" and not parity:
                self.num_sounds = prove_same(self._trained, partial, self._sample.lines)
            manifest = new_manifest(self._trained, exporter, partial, signatures, parity)
            self._judge(exporter, place, parity)
        except BaseException:
            shutil.rmtree(partial, ignore_errors=True)
            raise
        shutil.rmtree(final, ignore_errors=True)
        os.replace(partial, final)
        sync_folder(place)
        write_manifest(place, manifest)
        return Exported(final, parity)

    def _compare(self, exporter: Any, folder: Path) -> Parity:
        theirs = probe(exporter.client, folder, self._sample.lines, self._timed, BATCH_SIZE)
        if "seqcfg" in theirs.packages:
            raise AssertionError("the exported model was run with seqcfg, which proves nothing")
        if self._run is None:
            self._run = self._decode()
        recipe = self._trained.experiment.recipe
        metrics = recipe.evaluation.metrics if recipe.evaluation else []
        return compare(self._sample, self._run, theirs, (run_bytes(self._trained), size_of(folder)), exporter.bounds, metrics)

    def _decode(self) -> Probed:
        """What the run gives for the sample, here; and what single lines cost it, in a process of its own."""
        trained, task = self._trained, self._trained.experiment.recipe.task
        decoder = Decoder(task, trained.declaration, trained.weights, trained.codecs, self._settings, trained.precision)
        found = decoder.decode(self._sample.lines)
        probed = Probed([one.text for one in found], [one.scores[0] for one in found], 0.0, [], 0, [])
        if not self._timed:
            return probed
        alone = probe_run(trained, self._timed, self._overrides)
        return alone._replace(texts=probed.texts, scores=probed.scores)

    def _judge(self, exporter: Any, place: Path, parity: Parity | None) -> None:
        if parity is None:
            return
        tolerance = exporter.bounds
        about = {"run": self._trained.label, "exporter": exporter.label, "version": exporter.version, "verdict": "accepted"}
        if parity.problems:
            about["verdict"] = "refused" if tolerance.beyond == "refuse" else "kept with a warning"
        name = REFUSED if about["verdict"] == "refused" else REPORT
        write_file(place / name, json.dumps(parity.as_json(about), indent=2, ensure_ascii=False) + "\n")
        if not parity.problems:
            return
        shown = "".join(
            f"\n    line {d.line}: {d.source!r}\n        run       {d.run!r}\n        artefact  {d.artefact!r}"
            for d in parity.differences[:3]
        )
        said = f"{'; '.join(parity.problems)}{shown}"
        if tolerance.beyond == "warn":
            self._warn(f"{exporter.label}: {said}")
            return
        raise UserError(
            f"{said}\n    it was not kept; {place / name} tells more",
            hint="if scores are nearly tied this is rounding: try another checkpoint, or allow it by the exporter's `tolerance`",
        )


def probe_run(trained: Any, timed: list[Any], overrides: tuple[str, ...]) -> Probed:
    """What lines cost the run, one at a time, in a process of its own; `overrides` as it was opened with."""
    path = str(Path(seqcfg.__file__).parents[1])
    options = {"path": path, "checkpoint": str(trained.step), "overrides": list(overrides)}  # a mean costs what its last does
    return probe("run", trained.folder, [], timed, options=options)


def run_bytes(trained: Any) -> int:
    """Bytes of a run's weights, as a checkpoint without slots holds them."""
    return sum(4 * array.size for array in trained.weights.values())


def exporter_of(experiment: Any, name: str) -> Any:
    """The recipe's exporter of this label or type, or one with default settings; raises UserError for an unknown one."""
    from seqcfg.component.catalog import find

    formats = experiment.recipe.export.formats if experiment.recipe.export else []
    for exporter in [*(one for one in formats if one.label == name), *(one for one in formats if one.type == name)]:
        return exporter
    kind, _, variant = name.partition("-")
    family: Any = find("exporter", kind)
    return family.variant(variant)
