"""What the experiments of Lingvo have in common: corpora, batches, training and search as sections of a recipe."""

from __future__ import annotations

from typing import Any

from seqcfg.recipe import shipped
from seqcfg.recipe.importing import lingvo_schedules
from seqcfg.recipe.importing.foreign import Foreign
from seqcfg.recipe.read import read_text

DECODER = "task.decoder"
# What the base `transformer_lingvo` says of a search as Lingvo has it, and of its smoothing of labels.
SEARCH = {"formula": "lingvo", "end_among": "hypothesis", "allow_unknown": True}
LENGTH_LIMIT = {"ratio": 0}
SMOOTHING_SPREAD = "others"
DATA = {"mt.wmt14_en_de.": "mt/wmt14_ende_lingvo_base", "mt.wmtm16_en_de.": "mt/wmtm16_ende_caption"}  # experiment -> same corpora
UNREADABLE = {
    "input.file_pattern": "TFRecords of ids are not read: data.splits names raw text",
    "input.tokenizer.token_vocab_filepath": "Lingvo's word pieces are not read: prepare learns SentencePiece units",
}


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
    result |= _safeguards(foreign)
    result["ema_decay"] = foreign.number("task.train.ema_decay", 0.0) or None
    return {**result, "checkpoint": checking, "validation": checking}


def _safeguards(foreign: Foreign) -> dict[str, Any]:
    """Bounds on gradients, updates that are left out, penalties and noise; nothing of what Lingvo does not ask for."""
    place = "task.train"
    clip = {"norm": f"{place}.clip_gradient_norm_to_value", "weight_norm": f"{place}.clip_gradient_single_norm_to_value"}
    skip: dict[str, Any] = {"max_norm": _given(foreign, f"{place}.grad_norm_to_clip_to_zero")}
    tracker = f"{place}.grad_norm_tracker"
    if foreign.get(f"{tracker}.cls") is not None:
        known = {"deviations": ("clip_threshold", 4.0), "decay": ("decay", 0.995), "least_norm": ("grad_norm_clip_cap_min", 0.0)}
        skip["outliers"] = {name: foreign.number(f"{tracker}.{theirs}", usual) for name, (theirs, usual) in known.items()}
    penalties = {name: _given(foreign, f"{place}.{name}_regularizer_weight") for name in ("l1", "l2")}
    std = _given(foreign, f"{place}.vn_std")
    begin = foreign.count(f"{place}.vn_start_step", 0)
    return {
        "clip": {name: _given(foreign, key) for name, key in clip.items()},
        "skip": skip,
        "penalties": penalties,
        "weight_noise": {"std": std, "start_step": begin} if std else None,
    }


def _given(foreign: Foreign, key: str) -> float | None:
    """A number that counts where it is above 0."""
    value = foreign.number(key)
    return float(value) if value else None


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
        "coverage_penalty": foreign.number(f"{place}.coverage_penalty"),
        "prune_margin": foreign.number(f"{place}.beam_size"),
        "eos_margin": foreign.number(f"{place}.valid_eos_max_logit_delta"),
    }
    longest = foreign.count(f"{DECODER}.target_seq_len")
    return {"search": search, "max_length": longest, "max_source_length": foreign.count("input.source_max_length")}


def whole_decoding(foreign: Foreign) -> dict[str, Any]:
    """The decoding section of a recipe that does not stand on the base."""
    found = decoding(foreign)
    return found | {"search": found["search"] | SEARCH, "length_limit": LENGTH_LIMIT}
