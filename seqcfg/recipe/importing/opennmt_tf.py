"""A configuration of OpenNMT-tf (version 2) as a recipe on `bases/transformer`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from seqcfg.component.catalog import closest
from seqcfg.errors import UserError
from seqcfg.recipe.importing import opennmt_tf_data, opennmt_tf_training
from seqcfg.recipe.importing.draft import Draft
from seqcfg.recipe.importing.foreign import Entry, Foreign
from seqcfg.recipe.importing.opennmt_tf_models import DROPOUT, LEFT_BEHIND, MODELS, Sizes, automatic
from seqcfg.recipe.node import Node
from seqcfg.recipe.read import decode, read_text

BASE = "seqcfg:bases/transformer"


def read(file: str, name: str, model: str, auto_config: bool = True) -> Draft:
    """The recipe for a configuration and a model of OpenNMT-tf's catalog.

    With `auto_config`, OpenNMT-tf's own values stand where the file is silent, unless it says `auto_config: false`.
    """
    sizes = _sizes(model)
    foreign = Foreign(file, entries_of(file))
    if foreign.get("auto_config", auto_config):
        foreign.defaults = _fitting(automatic(sizes), foreign)
    values = sections(foreign, sizes)
    if sizes.shares_embeddings:
        foreign.remark("--model", "the logits of shared embeddings have no bias here")
    if not foreign.has("data.eval_features_file"):
        foreign.remark("data.eval_features_file", "there is no held-out data: evaluation.split is the training split until you add some")
    remark_rest(foreign)
    return Draft(
        name=name,
        about=f"OpenNMT-tf's {model} with the settings of {Path(file).name}.",
        origin=f"Made from {Path(file).name}, a configuration of OpenNMT-tf, for its model {model}.",
        base=BASE,
        values=values,
        advice=advice(foreign, any(tokenizer["type"] == "vocabulary" for tokenizer in values["tokenizers"].values())),
        remarks=foreign.remarks(),
    )


def _fitting(defaults: dict[str, Any], foreign: Foreign) -> dict[str, Any]:
    """The defaults without the fields of a decay or an optimizer that the file replaces by another."""
    kept = dict(defaults)
    for key, fields, kinds in (
        ("params.decay_type", "params.decay_params.", ("NoamDecay",)),
        ("params.optimizer", "params.optimizer_params.", ("Adam", "LazyAdam", "AdamW")),
    ):
        if key in foreign.entries and foreign.entries[key].value not in kinds:
            kept = {name: value for name, value in kept.items() if not name.startswith(fields)}
    return kept


def _sizes(model: str) -> Sizes:
    if model not in MODELS:
        raise UserError(f"the model {model!r} cannot be imported", hint=closest(model, MODELS) or f"one of {', '.join(MODELS)}")
    return MODELS[model]


def entries_of(file: str) -> dict[str, Entry]:
    """The settings of a file by dotted key; raises RecipeError for what is not YAML."""
    try:
        tree = read_text(decode(Path(file).read_bytes(), file), file)
    except OSError as failure:
        raise UserError(f"{file}: {failure.strerror}", hint="name the YAML file that onmt-main is given as --config") from None
    if not tree.is_mapping or tree.child("data") is None:
        raise UserError(f"{file}: is not a configuration of OpenNMT-tf: there is no 'data:'", hint="merge several files into one first")
    return dict(_flat(tree, ""))


def _flat(node: Node, prefix: str):
    for key, child in node.children():
        if child.is_mapping and child.value:
            yield from _flat(child, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", Entry(child.plain(), (child.key_place or child.place).line)


def sections(foreign: Foreign, sizes: Sizes) -> dict[str, Any]:
    """The recipe's sections in their order."""
    dropout = foreign.number("params.dropout", DROPOUT)
    model = {"width": sizes.width, "hidden": sizes.hidden, "heads": sizes.heads, "layers": sizes.layers}
    tokenizers = tokenizers_of(foreign, sizes)
    return {
        "vars": {**model, "dropout": dropout, "attention_dropout": dropout, "hidden_dropout": dropout},
        "data": opennmt_tf_data.data(foreign),
        "tokenizers": tokenizers,
        "task": task(foreign, sizes, tokenizers),
        "training": opennmt_tf_training.training(foreign),
        "evaluation": opennmt_tf_training.evaluation(foreign),
        "decoding": opennmt_tf_training.decoding(foreign),
    }


def tokenizers_of(foreign: Foreign, sizes: Sizes) -> dict[str, Any]:
    """One tokenizer for both sides where they share a vocabulary, else the base's for the source and another for the target."""
    if opennmt_tf_data.share_a_vocabulary(foreign):
        found = {"shared": opennmt_tf_data.tokenizer(foreign, "source", ["source", "target"])}
        for key in [key for key, _ in foreign.unread() if key.startswith("data.target_tokenization")]:
            foreign.get(key)  # as the source's
        return found
    if sizes.shares_embeddings:
        hint = "choose a model without SharedEmbeddings, or one vocabulary for both sides"
        raise foreign.error("data.target_vocabulary", "shared embeddings need one vocabulary for both sides", hint)
    sides = (("shared", "source"), ("target", "target"))
    return {name: opennmt_tf_data.tokenizer(foreign, side, [side]) for name, side in sides}


def task(foreign: Foreign, sizes: Sizes, tokenizers: dict[str, Any]) -> dict[str, Any]:
    """The task section: what differs from the base, which has one embedding for everything."""
    target = "target" if "target" in tokenizers else "shared"
    section: dict[str, Any] = {"target_tokenizer": target} if target != "shared" else {}
    section["loss"] = {"label_smoothing": foreign.number("params.label_smoothing", 0.0)}
    if not sizes.shares_embeddings:
        embedding = {"type": "embedding", "dim": sizes.width, "scale": "sqrt_dim"}
        section["model"] = {"target_embedding": embedding, "output": {"type": "dense", "units": tokenizers[target]["vocab_size"]}}
    return section


def advice(foreign: Foreign, words: bool) -> list[str]:
    """What a reader of the recipe should know besides what was left behind."""
    notes = ["A source ends with the end id here, and the longest length counts it; positions count from 0, not from 1."]
    averaged = foreign.count("train.average_last_checkpoints", 0)
    if averaged:
        notes.append(f"Its averaged checkpoint is had by: seqcfg evaluate RUN --checkpoint average:{averaged}")
    if words:
        notes.append("Text is split at spaces only, as the configuration has it: its files hold tokens, and BLEU is that of tokens.")
    return notes


def remark_rest(foreign: Foreign) -> None:
    """A remark on every key that nothing has read and whose value would change something."""
    for key, value in foreign.unread():
        known = next((LEFT_BEHIND[name] for name in (key, *_above(key)) if name in LEFT_BEHIND), None)
        if known is None:
            near = closest(key, {*foreign.asked(), *LEFT_BEHIND})
            foreign.remark(key, "the importer does not know this setting" + (f"; {near}" if near else ""))
        elif not known[0] or value not in known[0]:
            foreign.remark(key, known[1])


def _above(key: str) -> list[str]:
    parts = key.split(".")
    return [".".join(parts[:count]) for count in range(len(parts) - 1, 0, -1)]
