"""Recurrent cells and attention of Lingvo's models as layers of a recipe."""

from __future__ import annotations

import math
from typing import Any

from seqcfg.recipe.importing.foreign import Foreign

NORMS: dict[str, dict[str, Any]] = {  # Lingvo's LSTMs -> what our `lstm` says besides
    "LSTMCellSimple": {},
    "LayerNormalizedLSTMCellSimple": {"norm": "layer"},
    "LayerNormalizedLSTMCell": {"norm": "layer", "norm_gain": "one_plus"},
    "LayerNormalizedLSTMCellLean": {"norm": "layer", "norm_gain": "one_plus", "norm_cell": True},
    "WeightNormalizedLSTMCellSimple": {"norm": "weight"},
}
LEAN = "LayerNormalizedLSTMCellLean"


def size(foreign: Foreign, key: str) -> int:
    """A size that must be there; raises UserError."""
    value = foreign.count(key)
    if not value:
        raise foreign.error(key, "the size is missing", "import a whole dump, as Lingvo writes it")
    return value


def lstm(foreign: Foreign, place: str, units: int, default_start: dict[str, Any] | None = None) -> dict[str, Any]:
    """A cell of this output width; one that `lstm` cannot be is remarked on."""
    name = foreign.class_name(f"{place}.cls", "LSTMCellSimple")
    if name not in NORMS:
        foreign.remark(f"{place}.cls", f"a plain LSTM stands in for Lingvo's {name}")
    foreign.get(f"{place}.num_output_nodes")
    hidden = foreign.count(f"{place}.num_hidden_nodes", 0)
    found: dict[str, Any] = {"type": "lstm", "units": hidden or units, "kernels": "joined"} | NORMS.get(name, {})
    found |= {"projection": units} if hidden else {}
    found["forget_bias"] = foreign.number(f"{place}.forget_gate_bias", 0.0)
    cap, usual = f"{place}.cell_value_cap", None if name == LEAN else 10.0
    if limit := foreign.number(cap) if foreign.has(cap) else usual:
        found["cell_cap"] = limit
    found |= {} if foreign.get(f"{place}.output_nonlinearity", True) else {"output_activation": "none"}
    found |= {"coupled": True} if foreign.get(f"{place}.couple_input_forget_gates") else {}
    found |= {"zoneout": zoneout} if (zoneout := foreign.number(f"{place}.zo_prob", 0.0)) else {}
    has_bias = foreign.get(f"{place}.enable_lstm_bias", name != LEAN) or (name == LEAN and foreign.get(f"{place}.use_ln_bias", True))
    found |= {} if has_bias else {"use_bias": False}
    if name == LEAN and foreign.get(f"{place}.enable_ln_on_c") is False:
        found["norm_cell"] = False
    if (epsilon := foreign.number(f"{place}.layer_norm_epsilon", 1e-8)) != 1e-8 and "norm" in found:
        found["norm_epsilon"] = epsilon
    begin = start(foreign, place) or default_start
    return found | ({"kernel_initializer": begin} if begin else {})


def attention(foreign: Foreign, place: str, query: int) -> dict[str, Any]:
    """What a decoder asks the encoder's output with."""
    name = foreign.class_name(f"{place}.cls", "MultiHeadedAttention")
    dropout = {"dropout": rate} if (rate := foreign.number(f"{place}.atten_dropout_prob", 0.0)) else {}
    if name == "AdditiveAttention":
        return {"type": "additive_attention", "hidden": size(foreign, f"{place}.hidden_dim")} | dropout | _additive_start(foreign, place)
    if name != "MultiHeadedAttention":
        foreign.remark(f"{place}.cls", f"attention of several heads stands in for Lingvo's {name}")
    inner, heads = f"{place}.inner_atten_params", size(foreign, f"{place}.num_attention_heads")
    kind = foreign.class_name(f"{inner}.cls", "DotProductAttention")
    is_source = bool(foreign.get(f"{place}.use_source_vec_as_attention_value"))
    if kind == "AdditiveAttention" and is_source and not foreign.get(f"{place}.enable_ctx_post_proj", True):
        width = foreign.count(f"{place}.hidden_dim", 0) or query
        found = {"type": "additive_attention", "hidden": foreign.count(f"{inner}.hidden_dim", 0) or width // heads}
        return found | {"num_heads": heads, "projection": width} | dropout | _additive_start(foreign, inner)
    if kind != "DotProductAttention":
        foreign.remark(f"{inner}.cls", f"scores are scaled dot products here, not those of Lingvo's {kind}")
    found = {"type": "multi_head_attention", "num_heads": heads, "attend_to": "memory"} | dropout
    found |= {"values": "source"} if is_source else {}
    return found | {"project_output": bool(foreign.get(f"{place}.enable_ctx_post_proj", True))}


def _additive_start(foreign: Foreign, place: str) -> dict[str, Any]:
    """By its method and scale; Lingvo's own is normal with the inverse root of the input's width as deviation."""
    method, scale = foreign.get(f"{place}.params_init.method", "gaussian_sqrt_dim"), foreign.number(f"{place}.params_init.scale", 1.0)
    if method == "gaussian_sqrt_dim":
        return {"kernel_initializer": {"type": "fan_in_normal"} | ({"scale": scale} if scale != 1.0 else {})}
    if method == "uniform_sqrt_dim" and math.isclose(scale, math.sqrt(3.0)):
        return {}  # as seqcfg's does anyway
    found = start(foreign, place)
    return {"kernel_initializer": found} if found else {}


def start(foreign: Foreign, place: str) -> dict[str, Any] | None:
    """The initializer of a part; None where Lingvo's is the one that seqcfg has anyway, or stands in a remark."""
    method, scale = foreign.get(f"{place}.params_init.method"), foreign.get(f"{place}.params_init.scale")
    if method == "uniform" and isinstance(scale, float):
        return {"type": "uniform", "limit": scale}
    if method == "gaussian" and isinstance(scale, float):
        return {"type": "normal", "stddev": scale}
    if method == "truncated_gaussian" and isinstance(scale, float):
        return {"type": "truncated_normal", "stddev": scale}
    if method not in (None, "xavier"):
        foreign.remark(f"{place}.params_init.method", f"weights start as seqcfg's defaults say, not by {method!r}")
    return None


def embedding(foreign: Foreign, place: str) -> dict[str, Any]:
    scale = "sqrt_dim" if foreign.get(f"{place}.scale_sqrt_depth") else None
    found = {"type": "embedding", "dim": size(foreign, f"{place}.embedding_dim"), "scale": scale, "initializer": start(foreign, place)}
    foreign.get(f"{place}.vocab_size")
    return {key: value for key, value in found.items() if value is not None}
