"""The text dump of a Lingvo experiment's parameters (its `params.txt`) as a recipe on `bases/transformer_lingvo`."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import Any

from seqcfg.errors import UserError
from seqcfg.recipe import shipped
from seqcfg.recipe.importing import lingvo_schedules
from seqcfg.recipe.importing.draft import Draft
from seqcfg.recipe.importing.foreign import Entry, Foreign
from seqcfg.recipe.importing.lingvo_differences import remark_differences
from seqcfg.recipe.read import decode, read_text

LINE = re.compile(r"^([A-Za-z_][\w.\[\]]*) : (.*)$")
BASE = "seqcfg:bases/transformer_lingvo"
DATA = {"mt.wmt14_en_de.": "mt/wmt14_ende_lingvo_base", "mt.wmtm16_en_de.": "mt/wmtm16_ende_caption"}  # experiment -> same corpora
LACKING = {
    "RNMTModel": "recurrent translation models (Lingvo's MTEncoderBiRNN and MTDecoderV1: stacked LSTMs with attention)",
    "MTBaseModel": "recurrent translation models",
    "AsrModel": "speech recognition (audio features, Lingvo's AsrEncoder and AsrDecoder)",
    "LanguageModel": "an import of Lingvo's language models",
}
ENCODER, DECODER = "task.encoder", "task.decoder"
STACK, BLOCK = "task.encoder.transformer_stack", "task.decoder.trans_tpl"
UNREADABLE = {
    "input.file_pattern": "TFRecords of ids are not read: data.splits names raw text",
    "input.tokenizer.token_vocab_filepath": "Lingvo's word pieces are not read: prepare learns SentencePiece units",
}
BLOCKS = (f"{STACK}.transformer_tpl", BLOCK)
EMBEDDINGS = (f"{ENCODER}.token_emb", f"{DECODER}.token_emb")
SAME = {  # variable of the base -> the keys that must agree
    "width": [f"{ENCODER}.model_dim", f"{DECODER}.model_dim", *(f"{place}.embedding_dim" for place in EMBEDDINGS)],
    "hidden": [f"{place}.tr_fflayer_tpl.hidden_dim" for place in BLOCKS],
    "heads": [f"{place}.tr_atten_tpl.num_attention_heads" for place in BLOCKS],
    "layers": [f"{STACK}.num_transformer_layers", f"{DECODER}.num_trans_layers"],
    "dropout": [
        *(f"{place}.input_dropout_prob" for place in (ENCODER, DECODER)),
        *(f"{place}.{part}.residual_dropout_prob" for place in BLOCKS for part in ("tr_atten_tpl", "tr_fflayer_tpl")),
    ],
    "vocabulary": [f"{DECODER}.softmax.num_classes", "input.tokenizer.vocab_size", *(f"{place}.vocab_size" for place in EMBEDDINGS)],
}


def read(file: str, name: str) -> Draft:
    """The recipe for a dump; raises UserError for experiments that seqcfg cannot express."""
    foreign = Foreign(file, dump_entries(file))
    refuse_other_tasks(foreign)
    experiment = str(foreign.get("model", "an unnamed experiment")).split("@")[0]
    sizes = {variable: _agreed(foreign, keys) for variable, keys in SAME.items()}
    values: dict[str, Any] = {"vars": sizes, **corpora(foreign, experiment)}
    values["data"] = {**values["data"], "batching": batching(foreign)}
    values["task"] = {"loss": {"label_smoothing": foreign.number(f"{DECODER}.label_smoothing.uncertainty", 0.0)}}
    values["training"] = training(foreign, sizes["width"])
    values["decoding"] = decoding(foreign)
    order = ("vars", "data", "tokenizers", "task", "training", "evaluation", "decoding")
    remark_differences(foreign, sizes)
    return Draft(
        name=name,
        about=f"Lingvo's experiment {experiment}, imported from the dump of its parameters.",
        origin=f"Made from {Path(file).name}, the parameters of Lingvo's {experiment}.",
        base=BASE,
        values={section: values[section] for section in order if section in values},
        advice=["Lingvo's word pieces are SentencePiece units here: prepare learns as many from the training split."],
        remarks=foreign.remarks(),
    )


def dump_entries(file: str) -> dict[str, Entry]:
    """The `key : value` lines of a dump; values are numbers, lists and texts where they read as such."""
    try:
        text = decode(Path(file).read_bytes(), file)
    except OSError as failure:
        raise UserError(f"{file}: {failure.strerror}", hint="name the params.txt of a Lingvo log directory") from None
    found = {}
    for number, line in enumerate(text.split("\n"), 1):
        if match := LINE.match(line):
            found[match[1]] = Entry(_value(match[2]), number)
    if "task.cls" not in found:
        raise UserError(f"{file}: is not a dump of Lingvo's parameters: there is no task.cls", hint="its lines read 'task.cls : type/...'")
    return found


def _value(text: str) -> Any:
    if text == "NoneType":
        return None
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return text


def refuse_other_tasks(foreign: Foreign) -> None:
    """Raises UserError unless the task is Lingvo's Transformer translator."""
    for key, wanted in (
        ("task.cls", "TransformerModel"),
        (f"{ENCODER}.cls", "TransformerEncoder"),
        (f"{DECODER}.cls", "TransformerDecoder"),
    ):
        name = str(foreign.get(key, wanted)).split("/")[-1]
        if name != wanted:
            lacking = LACKING.get(name, f"what Lingvo's {name} does")
            raise foreign.error(key, f"seqcfg lacks {lacking}", f"only Transformer translators are imported, whose {key} is {wanted}")


def _agreed(foreign: Foreign, keys: list[str]) -> Any:
    """The one value of all these keys; raises UserError if they differ or none is there."""
    found = {key: value for key in keys if (value := foreign.number(key)) is not None}
    if not found:
        raise UserError(f"{foreign.file}: none of {', '.join(keys)} is there", hint="import a whole dump, as Lingvo writes it")
    first, *others = found
    for key in others:
        if found[key] != found[first]:
            message = f"{found[key]!r} is not what {first} says, {found[first]!r}; the base has one value for both"
            raise foreign.error(key, message, "write a recipe with 'seqcfg new' and give encoder and decoder their own layers")
    return found[first]


def corpora(foreign: Foreign, experiment: str) -> dict[str, Any]:
    """The data, tokenizers and evaluation sections: those of the shipped recipe on the same corpora where there is one."""
    for key, why in UNREADABLE.items():
        if foreign.has(key):
            foreign.remark(key, why)
    for prefix, recipe in DATA.items():
        if experiment.startswith(prefix):
            tree = read_text(shipped.find(recipe).read_text(encoding="utf-8"), recipe)
            found = {section: tree.child(section) for section in ("data", "tokenizers", "evaluation")}
            return {section: node.plain() for section, node in found.items() if node is not None}
    foreign.remark("model", "its corpora are not known here: put your own under data.splits")
    names = {"train": "train", "validation": "validation", "test": "test"}
    splits = {split: {"type": "parallel_text", "source": f"{stem}.source", "target": f"{stem}.target"} for split, stem in names.items()}
    return {"data": {"splits": splits}}


def batching(foreign: Foreign) -> dict[str, int] | None:
    """Buckets: the token budget is the roundest number that yields all of Lingvo's rows per bucket, or else the largest batch."""
    bounds, limits = foreign.get("input.bucket_upper_bound"), foreign.get("input.bucket_batch_limit")
    if not (isinstance(bounds, list) and isinstance(limits, list) and bounds and len(bounds) == len(limits)):
        return None
    low = max(bound * limit for bound, limit in zip(bounds, limits, strict=True))
    high = min(bound * (limit + 1) for bound, limit in zip(bounds, limits, strict=True))
    budget = max(range(low, high), key=lambda n: n & -n, default=low)
    foreign.remark(
        "input.bucket_batch_limit", f"rows per bucket are max_tokens {budget} over its length; seqcfg cuts the buckets from the data"
    )
    return {"max_tokens": budget, "num_buckets": len(bounds), "max_length": max(bounds)}


def training(foreign: Foreign, width: int) -> dict[str, Any]:
    """The training section."""
    steps = foreign.count("task.train.max_steps")
    every = max(500, min(5000, (steps or 0) // 24))
    for key in ("task.train.save_interval_seconds", "task.train.save_interval_steps"):
        if foreign.get(key) is not None:
            foreign.remark(key, f"training.checkpoint.every_steps is {every} here, a guess from max_steps")
    if foreign.get("task.train.save_max_to_keep") is not None:
        foreign.remark("task.train.save_max_to_keep", "training.checkpoint.keep_last says how many are kept; 5 unless you write another")
    checking = {"every_steps": every}
    result = {"steps": steps, "optimizer": _optimizer(foreign), "schedule": _schedule(foreign, width)}
    if norm := foreign.number("task.train.clip_gradient_norm_to_value", 0.0):
        result["clip"] = {"norm": float(norm)}
    if foreign.number("task.train.clip_gradient_single_norm_to_value", 0.0):
        foreign.remark("task.train.clip_gradient_single_norm_to_value", "bounds per weight have no counterpart in seqcfg")
    result["ema_decay"] = foreign.number("task.train.ema_decay", 0.0) or None
    return {**result, "checkpoint": checking, "validation": checking}


def _optimizer(foreign: Foreign) -> dict[str, Any] | None:
    place = "task.train.optimizer"
    name = str(foreign.get(f"{place}.cls", "")).split("/")[-1]
    if name == "Adam":
        return {"type": "adam", **{field: foreign.number(f"{place}.{field}") for field in ("beta1", "beta2", "epsilon")}}
    if name == "SGD":
        return {"type": "sgd"}
    foreign.remark(f"{place}.cls", f"the optimizer {name} has no counterpart; the base's Adam stands in for it")
    return None


def _schedule(foreign: Foreign, width: int) -> dict[str, Any] | None:
    place, rate = "task.train.lr_schedule", foreign.number("task.train.learning_rate")
    values = _class_and_params(foreign, place)
    if values["class"] == "TransformerSchedule":
        values.setdefault("model_dim", width)
    try:
        made = lingvo_schedules.translate(values.pop("class"), values)
    except KeyError as unknown:
        foreign.remark(place, f"lacks {unknown}; the base's schedule stands in for it")
        return None
    if made is None:
        foreign.remark(f"{place}.cls", "the schedule has no counterpart; the base's stands in for it")
        return None
    return lingvo_schedules.scaled(made, rate)


def _class_and_params(foreign: Foreign, place: str) -> dict[str, Any]:
    """The Params of a schedule with its class's name, and those of the schedules it is made of."""
    values: dict[str, Any] = {"class": str(foreign.get(f"{place}.cls", "")).split("/")[-1]}
    for name in lingvo_schedules.PARAMS:
        if foreign.has(f"{place}.{name}"):
            values[name] = foreign.get(f"{place}.{name}")
    nested = 0
    while foreign.has(f"{place}.schedules[{nested}].cls"):
        values.setdefault("schedules", []).append(_class_and_params(foreign, f"{place}.schedules[{nested}]"))
        nested += 1
    return values


def decoding(foreign: Foreign) -> dict[str, Any]:
    """The decoding section; Lingvo's beam_size is a margin in nats, and its number of hypotheses is num_hyps_per_beam."""
    place = f"{DECODER}.beam_search"
    search = {
        "type": "beam",
        "width": foreign.count(f"{place}.num_hyps_per_beam"),
        "length_penalty": foreign.number(f"{place}.length_normalization"),
        "prune_margin": foreign.number(f"{place}.beam_size"),
        "eos_margin": foreign.number(f"{place}.valid_eos_max_logit_delta"),
    }
    longest = foreign.count(f"{DECODER}.target_seq_len")
    return {"search": search, "max_length": longest, "max_source_length": foreign.count("input.source_max_length")}
