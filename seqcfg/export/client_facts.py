"""What a program needs to know of a model besides its tensors, to go from text to text: model.json."""

from __future__ import annotations

from typing import Any

from seqcfg.decoding.settings import Decoding
from seqcfg.errors import UserError

ABOUT = "model.json"
STANDALONE = ("sentencepiece", "byte")  # tokenizers that the clients know without seqcfg


def client_facts(trained: Any) -> dict[str, Any]:
    """What a client must know besides the signatures. Raises UserError for tokenizers that only seqcfg knows."""
    recipe = trained.experiment.recipe
    settings: Any = recipe.decoding or Decoding()
    task, names = recipe.task, {id(codec): name for name, codec in trained.codecs.items()}
    example = task.encode_texts(trained.codecs, ["a"])
    source = next(name for name in example if not name.endswith("_length"))
    tokenizers = {}
    for side, codec in (("source_tokenizer", task.source_codec(trained.codecs)), ("target_tokenizer", task.target_codec(trained.codecs))):
        name = names[id(codec)]
        kind = recipe.tokenizers[name].type
        if kind not in STANDALONE:
            raise UserError(
                f"tokenizers.{name}: a TFLite model with the tokenizer {kind} needs seqcfg to be used", hint="export it as saved_model"
            )
        file = next((path.name for path in sorted(codec.folder.iterdir()) if path.is_file()), "")
        tokenizers[side] = {"type": kind, "file": f"tokenizers/{name}/{file}"}
    return {
        "input": source,
        "source_has_end": int(example[source][0, -1]) == 3,
        **tokenizers,
        "max_source_length": settings.max_source_length,
        "longest": [settings.length_limit.longest(length, settings.max_length) for length in range(settings.max_source_length + 1)],
    }


def check_tokenizers(recipe: Any, declaration: Any) -> None:
    """Raises Misfit for a task whose texts only seqcfg can turn into ids."""
    for field in ("source_tokenizer", "target_tokenizer", "tokenizer"):
        name = getattr(recipe.task, field, None)
        if name in recipe.tokenizers and (kind := recipe.tokenizers[name].type) not in STANDALONE:
            hint = f"use {' or '.join(STANDALONE)}, or export it as saved_model"
            raise declaration.misfit(f"without seqcfg nothing reads texts by the tokenizer {kind}", hint, field)
