"""What can be served: a run, a SavedModel, a TFLite or an ONNX model, all as a function of a list of texts, or of sounds."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from importlib.machinery import SourceFileLoader
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

from seqcfg.errors import UserError
from seqcfg.export.manifest import NAME, read_manifest
from seqcfg.export.origin import check_files
from seqcfg.export.probe import CLIENTS

FILES = {"model.tflite": "tflite", "model.onnx": "onnx_model", "saved_model.pb": "saved_model"}  # and the client of each


class Served(NamedTuple):
    """call: texts, or sounds in pieces, to {"text", "scores"} each; about: what /metadata tells; rate_hz, longest (samples): of sounds."""

    call: Callable[[list[Any]], list[dict[str, Any]]]
    name: str
    version: int
    about: dict[str, Any]
    rate_hz: int = 0
    longest: int = 0


def open_model(place: str, checkpoint: str, overrides: tuple[str, ...], trust: bool, warn: Callable[[str], None]) -> Served:
    """Opens a run folder, or the version folder of an export. Raises UserError for anything else."""
    folder = Path(place)
    if any((folder / file).is_file() for file in FILES):
        return _artefact(folder, trust)
    versions = sorted((one for one in folder.glob("*") if one.name.isdecimal() and one.is_dir()), key=lambda one: int(one.name))
    if (folder / NAME).is_file() and versions:
        return _artefact(versions[-1], trust)
    return _run(place, checkpoint, overrides, warn)


def _run(place: str, checkpoint: str, overrides: tuple[str, ...], warn: Callable[[str], None]) -> Served:
    from seqcfg.decoding.decoder import Decoder
    from seqcfg.decoding.settings import Decoding
    from seqcfg.tasks.partners import partners_of
    from seqcfg.tasks.trained import open_run

    trained: Any = open_run(place, checkpoint, overrides, warn)
    recipe = trained.experiment.recipe
    settings: Any = recipe.decoding or Decoding()
    if settings.xla == "auto":  # a server sees ever new shapes for days: each compilation would stop all answers, and keep its memory
        settings = dataclasses.replace(settings, xla="never")
    parts = (recipe.task, trained.declaration, trained.weights, trained.codecs, settings, trained.precision)
    decoder = Decoder(*parts, partners_of(trained, settings, warn))

    def call(given: list[Any]) -> list[dict[str, Any]]:
        found = heard(decoder, given) if recipe.task.is_of_sounds else decoder.decode(given)
        if settings.search.num_outputs == 1:
            return [{"text": one.text, "scores": one.scores[0]} for one in found]
        return [{"text": one.text, "scores": one.scores[0], "n_best_text": one.texts, "n_best_scores": one.scores} for one in found]

    about = {"run": trained.label, "step": trained.step, "fingerprint": trained.experiment.fingerprint}
    if not recipe.task.is_of_sounds:
        return Served(call, trained.experiment.name, 1, about)
    rate, longest = recipe.task.sample_rate_hz, settings.max_source_length * recipe.task.samples_per_position
    return Served(call, trained.experiment.name, 1, about | {"sample_rate_hz": rate}, rate, longest)


def heard(decoder: Any, sounds: list[list[Any]]) -> list[Any]:
    """What is understood of sounds that come in pieces: a `Decoded` each."""
    from seqcfg.decoding.decoder import EMPTY
    from seqcfg.evaluation.hearing import joined

    answers = iter(decoder.decode([piece for pieces in sounds for piece in pieces]))
    return [joined([next(answers) for _ in pieces]) if pieces else EMPTY for pieces in sounds]


def _artefact(folder: Path, trust: bool) -> Served:
    check_files(folder, trust)
    client = next(client for file, client in FILES.items() if (folder / file).is_file())
    module = ModuleType("client")
    SourceFileLoader("client", str(CLIENTS / f"{client}.py")).exec_module(module)
    try:
        model = module.Model(str(folder))
    except KeyError as error:
        raise UserError(f"{folder}: takes no text", hint="export it with include_tokenizer: true") from error
    is_of_sounds = model.about["input"] == "audio"
    if is_of_sounds and "sample_rate_hz" not in model.about:
        raise UserError(f"{folder}: does not say which sample rate its model hears", hint="export the run again")

    def call(given: list[Any]) -> list[dict[str, Any]]:
        answers = of_pieces(model, given) if is_of_sounds else model(given)
        return [{"text": text, "scores": score} for text, score in answers]

    has_manifest = (folder.parent / NAME).is_file()
    manifest = read_manifest(folder.parent) if has_manifest else None
    about = {"exporter": manifest.exporter, "checkpoint": manifest.checkpoint} if manifest else {}
    version = int(folder.name) if folder.name.isdecimal() else 1
    name = manifest.recipe_name if manifest else "model"
    if not is_of_sounds:
        return Served(call, name, version, about)
    rate, longest = model.about["sample_rate_hz"], model.about["max_source_length"] * model.about["samples_per_position"]
    return Served(call, name, version, about | {"sample_rate_hz": rate}, rate, longest)


def of_pieces(model: Callable[[list[Any]], list[tuple[str, float]]], sounds: list[list[Any]]) -> list[tuple[str, float]]:
    """Text and score of sounds that come in pieces: as `heard`, for the program that runs an exported model."""
    pieces = [piece for one in sounds for piece in one]
    answers = iter(model(pieces) if pieces else [])
    found = [[next(answers) for _ in one] for one in sounds]
    return [(" ".join(text for text, _ in one if text), sum(score for _, score in one)) for one in found]
