"""What a program needs to know of a model besides its tensors, to go from text to text: model.json."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from seqcfg.decoding.settings import Decoding
from seqcfg.errors import UserError
from seqcfg.plan.declaration import Misfit

ABOUT = "model.json"
STANDALONE = ("sentencepiece", "byte")  # tokenizers that the clients know without seqcfg


def client_facts(trained: Any) -> dict[str, Any]:
    """What a client must know besides the signatures. Raises UserError for a tokenizer of inputs that only seqcfg knows."""
    recipe = trained.experiment.recipe
    settings: Any = recipe.decoding or Decoding()
    limit = settings.length_limit
    return {
        **(facts_of_sounds(trained) if recipe.task.is_of_sounds else _of_texts(trained)),
        "target_tokenizer": _tokenizer(trained, recipe.task.target_codec(trained.codecs))
        or _spelt(recipe.task.target_codec(trained.codecs)),
        "max_source_length": settings.max_source_length,
        "longest": [limit.longest(length, settings.max_length) for length in range(settings.max_source_length + 1)],
    }


def write_facts(facts: dict[str, Any], trained: Any, folder: Path) -> None:
    """Writes model.json and the tokenizers' files into the folder of a model."""
    (folder / ABOUT).write_text(json.dumps(facts, indent=1) + "\n", encoding="utf-8")
    for name, codec in trained.codecs.items():
        shutil.copytree(codec.folder, folder / "tokenizers" / name)


def facts_of_sounds(trained: Any) -> dict[str, Any]:
    """What a caller must know of a model that hears: what it takes, and how much of it counts (positions, each of so many samples)."""
    recipe = trained.experiment.recipe
    most = (recipe.decoding or Decoding()).max_source_length
    samples = {"sample_rate_hz": recipe.task.sample_rate_hz, "samples_per_position": recipe.task.samples_per_position}
    return {"input": "audio", **samples, "max_source_length": most}


def _of_texts(trained: Any) -> dict[str, Any]:
    task = trained.experiment.recipe.task
    example = task.encode_texts(trained.codecs, ["a"])
    source = next(name for name in example if not name.endswith("_length"))
    tokenizer = _tokenizer(trained, task.source_codec(trained.codecs))
    if tokenizer is None:
        raise UserError(
            "this tokenizer of inputs needs seqcfg to be used", hint=f"use {' or '.join(STANDALONE)}, or export it as saved_model"
        )
    return {"input": source, "source_has_end": int(example[source][0, -1]) == 3, "source_tokenizer": tokenizer}


def _tokenizer(trained: Any, codec: Any) -> dict[str, Any] | None:
    """One that clients know, by its file."""
    name = next(name for name, one in trained.codecs.items() if one is codec)
    kind = trained.experiment.recipe.tokenizers[name].type
    if kind not in STANDALONE:
        return None
    file = next((path.name for path in sorted(codec.folder.iterdir()) if path.is_file()), "")
    return {"type": kind, "file": f"tokenizers/{name}/{file}"}


def _spelt(codec: Any) -> dict[str, Any]:
    """One by what each id adds to a text, as bytes read as latin-1; `is_trimmed`: a space at the beginning is none."""
    spellings = codec.spellings()
    words = [number for number, one in enumerate(spellings) if one[:1] == b" " and len(one) > 1]
    is_trimmed = bool(words) and not codec.decode([words[:1]])[0].startswith(" ")
    return {"type": "spellings", "pieces": [one.decode("latin-1") for one in spellings], "is_trimmed": is_trimmed}


def tokenizer_misfits(recipe: Any, declaration: Any) -> Iterator[Misfit]:
    """Those of a task whose texts only seqcfg can turn into ids."""
    if recipe.task.is_of_sounds:
        return  # outputs alone are texts, and any tokenizer spells them
    for field in ("source_tokenizer", "target_tokenizer", "tokenizer"):
        name = getattr(recipe.task, field, None)
        if name in recipe.tokenizers and (kind := recipe.tokenizers[name].type) not in STANDALONE:
            hint = f"use {' or '.join(STANDALONE)}, or export it as saved_model"
            yield declaration.misfit(f"without seqcfg nothing reads texts by the tokenizer {kind}", hint, field)
