"""Lingvo's learning rate schedules as seqcfg's: one function per class, from its Params to a schedule of a recipe."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

Values = dict[str, Any]
_HUGE = 1e8  # Lingvo's "no cap"
_ORIGINS = {"start": "start", "limit": "end"}

DEFAULTS: dict[str, Values] = {  # the Params that a dump may leave out
    "Constant": {"value": 1.0},
    "ConstantOne": {"value": 1.0},
    "ContinuousSchedule": {"initial_value": 1.0, "start_step": 400_000, "half_life_steps": 100_000, "min": 0.01},
    "PolynomialSchedule": {"power": 1, "start": (0, 1.0), "limit": (1, 1.0), "origin": "start"},
    "LinearSchedule": {"start": (0, 1.0), "limit": (1, 1.0)},
    "ExponentialSchedule": {"start": (0, 1.0), "limit": (1, 0.5)},
    "StepwiseExponentialSchedule": {"decay": 0.99, "num_steps_per_decay": 1000},
    "TransformerSchedule": {
        "warmup_steps": 4000, "model_dim": 512, "worker_replicas": 1, "decay_end": None, "decay_factor": -0.5,
        "start_step": 0, "cyclical_step": None,
    },
    "TransformerMLPerfSchedule": {"warmup_steps": 4000, "warmup_init_fraction": 0.0, "model_dim": 512},
    "TransformerScheduleNoWarmUp": {"decay_start": 4000, "decay_end": None, "model_dim": 512, "worker_replicas": 1},
    "LinearRampupExponentialDecayScaledByNumSplitSchedule": {
        "warmup": 300, "warmup_init": 1.0, "decay_start": 70_000, "decay_end": 100_000, "min": 0.01, "max": _HUGE, "num_splits": 1,
    },
    "LinearRampupExponentialDecay": {
        "warmup": 300, "warmup_init": 0.0, "decay_start": 70_000, "decay_end": 100_000, "min": 0.01, "max": _HUGE, "num_splits": 1,
    },
    "LinearRampupPiecewiseConstantSchedule": {"num_splits": 1},
    "LinearRampupCosineSchedule": {"warmup_init": 0.0, "cyclical": False, "num_splits": 1},
    "CosineSchedule": {"initial_value": 1.0, "final_value": 0.0, "cyclical": False},
    "EmaDecaySchedule": {"ema_decay": 0.9999},
    "CycleSchedule": {"pass_absolute_step": True},
    "SqrtDecay": {"warmup_steps": 10_000, "multiplier": 1.0, "offset": 0},
    "SqrtDecayToZero": {"warmup_steps": 10_000, "starting_lr": 0.01, "final_steps": 100_000},
    "DevBasedSchedule": {"tolerance": 0.0, "window": 10_000, "decay": 0.5, "min_factor": 0.01},
}  # fmt: skip


def translate(name: str, params: Values) -> Values | None:
    """The recipe's schedule for a Lingvo class and its Params, or None for a class that is not known.

    Nested schedules are dicts with their class under "class". Numbers of splits and replicas are worked in.
    """
    made = TRANSLATIONS.get(name)
    return made(DEFAULTS.get(name, {}) | params) if made else None


def scaled(schedule: Values, rate: float) -> Values:
    """The schedule times Lingvo's learning_rate."""
    field = {
        "constant": "value",
        "transformer": "scale",
        "transformer_flat": "scale",
        "transformer_ramp": "scale",
        "half_life": "value",
    }.get(schedule["type"])
    if field:
        return schedule | {field: schedule.get(field, 1.0) * rate}  # written even if 1: the base may say otherwise
    if rate == 1.0:
        return schedule
    return {"type": "product", "schedules": [{"type": "constant", "value": rate}, schedule]}


def _constant(p: Values) -> Values:
    return {"type": "constant", "value": p["value"]}


def _piecewise(p: Values) -> Values:
    return {"type": "piecewise", "boundaries": list(p["boundaries"]), "values": list(p["values"])}


def _continuous(p: Values) -> Values:
    names = {"value": "initial_value", "start_step": "start_step", "half_life_steps": "half_life_steps", "floor_share": "min"}
    return {"type": "half_life", **{ours: p[theirs] for ours, theirs in names.items()}}


def _ends(p: Values) -> Values:
    (first, start), (last, end) = p["start"], p["limit"]
    return {"start": float(start), "end": float(end), "start_step": first, "end_step": last}


def _transformer(p: Values) -> Values:
    made = {"type": "transformer", "dim": p["model_dim"], "warmup_steps": p["warmup_steps"] * p["worker_replicas"]}
    made |= {"decay_exponent": p["decay_factor"]} if p["decay_factor"] != -0.5 else {}
    made |= {"offset_steps": p["start_step"]} if p["start_step"] else {}
    made |= {"last_step": p["decay_end"]} if p["decay_end"] else {}
    return _again(made, p["cyclical_step"]) if p["cyclical_step"] else made


def _again(schedule: Values, steps: int) -> Values:
    """The schedule from its beginning every so many steps."""
    return {"type": "cycle", "schedules": [schedule], "steps": [steps], "count_from": "turn"}


def _transformer_flat(p: Values) -> Values:
    made = {"type": "transformer_flat", "dim": p["model_dim"], "flat_steps": p["decay_start"] * p["worker_replicas"]}
    return made | ({"last_step": p["decay_end"]} if p["decay_end"] else {})


def _ramp_exponential(p: Values) -> Values:
    splits = p["num_splits"] or 1
    warm, peak = p["warmup"] * splits, float(splits)
    begin = max(warm + 1, math.ceil(p["decay_start"] / splits))
    end = max(begin + 1, math.ceil(p["decay_end"] / splits))
    schedules = [{"type": "linear", "start": p["warmup_init"], "end": peak, "end_step": warm}] if warm else []
    schedules += [{"type": "exponential", "start": peak, "end": p["min"], "start_step": begin, "end_step": end}]
    schedules += [{"type": "constant", "value": p["max"]}] if p["max"] < _HUGE else []
    return {"type": "minimum", "schedules": schedules}


def _ramp_piecewise(p: Values) -> Values:
    splits = p["num_splits"] or 1
    first, *boundaries = (math.ceil(boundary / splits) for boundary in p["boundaries"])
    values = [rate * splits for rate in p["lrs"]]
    ramp = {"type": "linear", "start": 0.0, "end": values[0], "end_step": first}
    steps: Values = {"type": "constant", "value": values[0]}
    if boundaries:
        steps = {"type": "piecewise", "boundaries": [boundary - first for boundary in boundaries], "values": values}
    return {"type": "chain", "boundaries": [first], "schedules": [ramp, steps]}


def _ramp_cosine(p: Values) -> Values:
    splits = p["num_splits"] or 1
    warm, total = math.ceil(p["warmup_steps"] / splits), math.ceil(p["total_steps"] / splits)
    peak, floor = p["initial_value"] * splits, p["final_value"] * splits
    ramp = {"type": "linear", "start": p["warmup_init"] * splits, "end": peak, "end_step": warm}
    fall = {"type": "cosine", "peak": peak, "floor": floor, "decay_steps": total}
    return {"type": "minimum", "schedules": [ramp, _again(fall, total) if p["cyclical"] else fall]}


def _cosine(p: Values) -> Values:
    made = {"type": "cosine", "peak": p["initial_value"], "floor": p["final_value"], "decay_steps": p["total_steps"]}
    return _again(made, p["total_steps"]) if p["cyclical"] else made


def _ramp_sqrt_by_examples(p: Values) -> Values:
    return {"type": "transformer", "dim": 1, "warmup_steps": p["warmup_examples"] // (p["batch_size"] * p["num_replicas"])}


def _ramp_sqrt(p: Values) -> Values:
    ramp = {"type": "linear", "start": p["peak"] / p["warmup_steps"], "end": p["peak"], "start_step": 1, "end_step": p["warmup_steps"]}
    fall = {"type": "sqrt_decay", "scale": p["peak"] * math.sqrt(p["warmup_steps"]), "flat_steps": p["warmup_steps"]}
    return {"type": "minimum", "schedules": [ramp, fall]}


def _nested(p: Values) -> list[Values]:
    found = [translate(one["class"], {key: value for key, value in one.items() if key != "class"}) for one in p["schedules"]]
    if None in found:
        raise KeyError([one["class"] for one, made in zip(p["schedules"], found, strict=True) if made is None][0])
    return [one for one in found if one is not None]


def _cycle(p: Values) -> Values:
    made = {"type": "cycle", "schedules": _nested(p), "steps": list(p["steps"])}
    return made if p["pass_absolute_step"] else made | {"count_from": "turn"}


def _sqrt_decay(p: Values) -> Values:
    return {"type": "sqrt_decay", "scale": p["multiplier"], "flat_steps": int(p["warmup_steps"]), "offset_steps": int(p["offset"])}


def _sqrt_to_zero(p: Values) -> Values:
    flat, last = int(p["warmup_steps"]), int(p["final_steps"])
    return {"type": "sqrt_decay_to_zero", "value": p["starting_lr"], "flat_steps": flat, "end_step": last}


def _dev_based(p: Values) -> Values:
    made = {"type": "dev_based", "tolerance": p["tolerance"], "window_steps": p["window"], "decay": p["decay"]}
    return made | {"floor_share": p["min_factor"]}


TRANSLATIONS: dict[str, Callable[[Values], Values]] = {
    "Constant": _constant,
    "ConstantOne": _constant,
    "PiecewiseConstantSchedule": _piecewise,
    "ContinuousSchedule": _continuous,
    "PolynomialSchedule": lambda p: {"type": "polynomial", **_ends(p), "power": float(p["power"]), "origin": _ORIGINS[p["origin"]]},
    "LinearSchedule": lambda p: {"type": "linear", **_ends(p)},
    "LinearRampupDecaySchedule": lambda p: {
        "type": "minimum",
        "schedules": [
            {"type": "linear", "start": 0.0, "end": 1.0, "end_step": p["peak"]},
            {"type": "linear", "start": 1.0, "end": 0.0, "start_step": p["peak"], "end_step": p["end"]},
        ],
    },
    # Lingvo's AnnealingSchedule does not read its own `init`: it starts at 1
    "AnnealingSchedule": lambda p: {"type": "step_decay", "value": 1.0, "factor": p["factor"], "floor": p["lower_bound"]},
    "ExponentialSchedule": lambda p: {"type": "exponential", **_ends(p)},
    "StepwiseExponentialSchedule": lambda p: {
        "type": "step_decay", "value": 1.0, "factor": p["decay"], "every_steps": p["num_steps_per_decay"],
    },
    "CombinedMinimumSchedule": lambda p: {"type": "minimum", "schedules": _nested(p)},
    "TransformerSchedule": _transformer,
    "TransformerMLPerfSchedule": lambda p: {
        "type": "transformer_ramp", "dim": p["model_dim"], "warmup_steps": p["warmup_steps"], "start_share": p["warmup_init_fraction"],
    },
    "TransformerScheduleNoWarmUp": _transformer_flat,
    "LinearRampupExponentialDecayScaledByNumSplitSchedule": _ramp_exponential,
    "LinearRampupExponentialDecay": _ramp_exponential,
    "LinearRampupSqrtDecay": _ramp_sqrt,
    "LinearRampupSqrtDecayByBatchSizeAndReplicas": _ramp_sqrt_by_examples,
    "LinearRampupPiecewiseConstantSchedule": _ramp_piecewise,
    "LinearRampupCosineSchedule": _ramp_cosine,
    "CosineSchedule": _cosine,
    "EmaDecaySchedule": lambda p: {"type": "averaging_decay", "decay": p["ema_decay"]},
    "PiecewiseSchedule": lambda p: {"type": "chain", "boundaries": list(p["boundaries"]), "schedules": _nested(p)},
    "CycleSchedule": _cycle,
    "SqrtDecay": _sqrt_decay,
    "SqrtDecayToZero": _sqrt_to_zero,
    "InverseSigmoid": lambda p: {"type": "inverse_sigmoid", "decay_steps": p["k"]},
    "DevBasedSchedule": _dev_based,
}  # fmt: skip
_WITHOUT_DEFAULT = """
    boundaries values peak end factor lower_bound warmup_steps warmup_examples batch_size num_replicas lrs initial_value
    final_value total_steps steps k
"""
PARAMS = sorted({name for defaults in DEFAULTS.values() for name in defaults} | set(_WITHOUT_DEFAULT.split()))
