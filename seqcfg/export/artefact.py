"""Writing an artefact, and refusing it when it does not do what the run does."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any, NamedTuple

from seqcfg.decoding.decoder import Decoder
from seqcfg.decoding.settings import Decoding
from seqcfg.errors import UserError
from seqcfg.export.manifest import new_manifest, write_manifest
from seqcfg.export.settings import Export
from seqcfg.runs.durable import sync_folder

BATCH_SIZE = 64


class Difference(NamedTuple):
    """A line on which run and artefact disagree."""

    line: int
    source: str
    run: str
    artefact: str


def exporter_of(experiment: Any, name: str) -> Any:
    """The recipe's exporter of this type, or one with default settings; raises UserError for an unknown type."""
    from seqcfg.component.catalog import find

    for exporter in (experiment.recipe.export or Export()).formats:
        if exporter.type == name:
            return exporter
    return find("exporter", name)()


def export(trained: Any, exporter: Any, lines: list[str]) -> tuple[Path, int]:
    """Writes exports/<type>/<version>/ and its manifest; returns the folder and how many lines were compared.

    Run and artefact decode `lines`, the artefact in a process of its own; where any string differs nothing appears
    under the final name and UserError lists the first differences.
    """
    place = trained.run.exports / exporter.type
    final = place / str(exporter.version)
    partial = final.with_name(f"{final.name}.partial")
    place.mkdir(parents=True, exist_ok=True)
    shutil.rmtree(partial, ignore_errors=True)
    try:
        signatures = exporter.write(trained, partial)
        compared = _compare(trained, exporter, partial, lines)
        manifest = new_manifest(trained, exporter, partial, signatures, compared)
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise
    shutil.rmtree(final, ignore_errors=True)
    os.replace(partial, final)
    sync_folder(place)
    write_manifest(place, manifest)
    return final, compared


def differences(lines: list[str], run: list[str], artefact: list[str]) -> list[Difference]:
    """Where two lists of outputs differ; lines are numbered from 1."""
    triples = enumerate(zip(lines, run, artefact, strict=True), 1)
    return [Difference(number, source, ours, theirs) for number, (source, ours, theirs) in triples if ours != theirs]


def _compare(trained: Any, exporter: Any, folder: Path, lines: list[str]) -> int:
    recipe = trained.experiment.recipe
    settings = recipe.decoding or Decoding()
    if settings.search.type == "sample":
        lines = lines[:BATCH_SIZE]  # lots are numbered from the first line of a call
    theirs = exporter.decode(folder, lines, BATCH_SIZE)
    if theirs is None:
        return 0
    decoder = Decoder(recipe.task, trained.declaration, trained.weights, trained.codecs, settings, trained.precision)
    found = differences(lines, [one.text for one in decoder.decode(lines)], theirs)
    if found:
        shown = "".join(
            f"\n    line {d.line}: {d.source!r}\n        run       {d.run!r}\n        artefact  {d.artefact!r}" for d in found[:3]
        )
        raise UserError(
            f"the exported model differs from the run on {len(found)} of {len(lines)} lines; it was not kept:{shown}",
            hint="if scores are nearly tied this is rounding: try another checkpoint; else please report it",
        )
    return len(lines)
