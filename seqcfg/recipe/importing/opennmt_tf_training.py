"""What OpenNMT-tf says about optimizers, schedules, checkpoints and the search, as a recipe's sections."""

from __future__ import annotations

import math
from typing import Any

from seqcfg.recipe.importing.foreign import Foreign

SECOND_PARAMS = "params.optimizer_params"
DECAY = "params.decay_params"


def training(foreign: Foreign) -> dict[str, Any]:
    """The training section."""
    steps = foreign.count("train.max_step", foreign.count("train.train_steps"))
    if steps is None:
        foreign.remark("train.max_step", "training has an end here: training.steps is seqcfg's own 10000")
    size, effective = foreign.count("train.batch_size", 64), foreign.count("train.effective_batch_size")
    clip = foreign.number("params.clip_gradients") or foreign.number(f"{SECOND_PARAMS}.global_clipnorm")
    section = {
        "steps": steps,
        "optimizer": optimizer(foreign),
        "schedule": schedule(foreign),
        "clip": {"norm": clip},
        "accumulate_batches": math.ceil(effective / size) if effective and size else None,
        "ema_decay": foreign.number("train.moving_average_decay"),
        "log_every_steps": foreign.count("train.save_summary_steps"),
        "checkpoint": checkpoint(foreign),
    }
    if foreign.has("data.eval_features_file"):
        decode = bool(scorers(foreign)) or None
        section["validation"] = {"every_steps": foreign.count("eval.steps", 5000), "decode": decode}
    return section


def checkpoint(foreign: Foreign) -> dict[str, Any]:
    """How often checkpoints are written, and how many are kept; as many at least as are averaged."""
    kept, averaged = foreign.count("train.keep_checkpoint_max"), foreign.count("train.average_last_checkpoints", 0)
    if "train.average_last_checkpoints" in foreign.entries and averaged:
        foreign.remark("train.average_last_checkpoints", f"averages are made on demand: evaluate RUN --checkpoint average:{averaged}")
    keep = max(kept or 0, averaged) or None
    return {"every_steps": foreign.count("train.save_checkpoints_steps", 5000), "keep_last": keep}


def optimizer(foreign: Foreign) -> dict[str, Any] | None:
    """Adam, as which LazyAdam counts, or SGD; other optimizers are left behind."""
    name = foreign.get("params.optimizer")
    if foreign.get(f"{SECOND_PARAMS}.weight_decay") is not None:
        why = "its decay is not multiplied by the learning rate, that of the optimizer adamw is: choose a weight_decay anew"
        foreign.remark(f"{SECOND_PARAMS}.weight_decay", why)
    if name in ("Adam", "LazyAdam", "AdamW"):
        if name == "LazyAdam":
            foreign.remark("params.optimizer", "adam here: rows of embeddings that a batch does not use keep moving")
        betas = {f"beta{n}": foreign.number(f"{SECOND_PARAMS}.beta_{n}", default) for n, default in ((1, 0.9), (2, 0.999))}
        return {"type": "adam", **betas, "epsilon": foreign.number(f"{SECOND_PARAMS}.epsilon", 1e-7)}
    if name == "SGD":
        momentum, nesterov = foreign.number(f"{SECOND_PARAMS}.momentum"), foreign.get(f"{SECOND_PARAMS}.nesterov")
        return {"type": "sgd", "momentum": momentum, "nesterov": nesterov}
    foreign.remark("params.optimizer", f"{name or 'none'} has no counterpart: the optimizer is seqcfg's own adam")
    return None


def schedule(foreign: Foreign) -> dict[str, Any] | None:
    """The learning rate by step; a decay that has no counterpart is left behind."""
    rate, name = foreign.number("params.learning_rate"), foreign.get("params.decay_type")
    warmup = foreign.count(f"{DECAY}.warmup_steps")
    if name is None and rate:
        return {"type": "constant", "value": rate}
    if name == "NoamDecay":
        dim, scale = foreign.count(f"{DECAY}.model_dim"), foreign.number(f"{DECAY}.scale", rate)
        return {"type": "transformer", "scale": scale, "dim": dim, "warmup_steps": warmup}
    if name == "InvSqrtDecay":
        if foreign.number(f"{DECAY}.initial_learning_rate"):
            foreign.remark(f"{DECAY}.initial_learning_rate", "the warm-up starts at 0 here")
        return {"type": "inverse_sqrt", "peak": foreign.number(f"{DECAY}.learning_rate", rate), "warmup_steps": warmup}
    if name == "CosineAnnealing":
        if warmup:
            foreign.remark(f"{DECAY}.warmup_steps", "the cosine starts at the end of the warm-up here, not at the first step")
        peak, floor = foreign.number(f"{DECAY}.eta_max", rate), foreign.number(f"{DECAY}.eta_min")
        last = foreign.count(f"{DECAY}.max_step", 1_000_000)
        return {"type": "cosine", "peak": peak, "floor": floor, "decay_steps": last, "warmup_steps": warmup}
    foreign.remark("params.decay_type", f"{name or 'no learning rate'} has no counterpart: the schedule is seqcfg's own, inverse_sqrt")
    return None


def scorers(foreign: Foreign) -> list[str]:
    """Names of the scorers that are run on held-out data while training."""
    value = foreign.get("eval.scorers") or foreign.get("eval.external_evaluators") or []
    return [str(name).lower() for name in (value if isinstance(value, list) else [value])]


def evaluation(foreign: Foreign) -> dict[str, Any]:
    """The evaluation section: held-out data is the validation split, for OpenNMT-tf names no test set in its file."""
    names = scorers(foreign)
    for name in names:
        if name != "bleu":
            foreign.remark("eval.scorers", f"there is no metric {name}; bleu stands in for it")
    best, has_validation = foreign.get("eval.export_on_best"), foreign.has("data.eval_features_file")
    section: dict[str, Any] = {"split": "validation" if has_validation else "train", "metrics": [{"type": "bleu"}]}
    if best == "bleu" and "bleu" in names:
        section["best"] = {"metric": "bleu", "goal": "maximize"}
    elif best not in (None, "loss", "perplexity"):
        foreign.remark("eval.export_on_best", f"the best checkpoint is that of the lowest loss, not of {best}")
    return section


def decoding(foreign: Foreign) -> dict[str, Any]:
    """The decoding section."""
    size = foreign.count("infer.batch_size", 16)
    if foreign.get("infer.batch_type", "examples") != "examples":
        foreign.remark("infer.batch_type", "decoding.batch_size counts sentences")
        size = None
    longest = foreign.count("params.maximum_decoding_length", foreign.count("params.maximum_iterations", 250))
    return {"search": search(foreign), "max_length": longest, "length_limit": {"ratio": 0}, "batch_size": size}


def search(foreign: Foreign) -> dict[str, Any]:
    """Beam search with the length penalty of Wu et al. 2016, sampling, or greedy search."""
    width, top_k = foreign.count("params.beam_width", 1), foreign.count("params.sampling_topk", 1)
    temperature = foreign.number("params.sampling_temperature", 1.0)
    wanted = foreign.count("infer.n_best", foreign.count("params.num_hypotheses", 1))
    penalty, shortest = foreign.number("params.length_penalty", 0), foreign.count("params.minimum_decoding_length", 0)
    if width > 1:
        if top_k != 1:
            foreign.remark("params.sampling_topk", "a beam does not sample")
        best = {"n_best": min(wanted or width, width)} if wanted != 1 else {}
        least = {"min_length": shortest} if shortest else {}
        return {"type": "beam", "width": width, "length_penalty": penalty, "formula": "gnmt", **best, **least}
    if shortest:
        foreign.remark("params.minimum_decoding_length", "only a beam knows a shortest output")
    if top_k != 1:
        return {"type": "sample", "top_k": top_k or None, "temperature": temperature}
    return {"type": "greedy"}
