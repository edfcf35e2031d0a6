"""The signatures of a TFLite model: one sentence or sound at a time, with weights and products as its precision asks for."""

from __future__ import annotations

import fnmatch
import functools
from collections.abc import Callable
from typing import Any, Literal

from seqcfg.decoding.member import Member
from seqcfg.decoding.settings import Decoding
from seqcfg.errors import UserError
from seqcfg.export import graph, waveforms
from seqcfg.export.integers import IntegerProducts, IntegerRows, exact_products, kernels_of, ranges_of
from seqcfg.export.stepwise import stepwise
from seqcfg.layers.portable import PORTABLE
from seqcfg.layers.quantisation.settings import Domain, Quantisation, Weights, tables_of
from seqcfg.lazy import tf

Precision = Literal["float32", "float16", "dynamic_int8", "int8", "int16x8"]
INTEGERS = ("int8", "int16x8")  # whose products are integers


def signatures_of(
    trained: Any, precision: str, with_search: bool, pairs: list[tuple[Any, str]], integer_layers: tuple[str, ...] = ("*",)
) -> tuple[Any, dict[str, Any]]:
    """(module, {"decode", "encode", "step"}), or "frames" for a search over frames.

    pairs are inputs and outputs that show the range of activations, for int8 and int16x8.
    """
    task = trained.experiment.recipe.task
    module = graph.new_module(trained)
    weights: dict[str, Any] = dict(module.weights)
    quantisation = trained.experiment.recipe.quantisation or Quantisation()
    if precision in ("dynamic_int8", *INTEGERS):
        for layer, path in tables_of(trained.declaration).items():
            domain = Domain(weights=Weights(scales="channel")) if precision == "dynamic_int8" else quantisation.domain_of(layer)
            if domain is not None and domain.weights is not None:
                weights[path] = IntegerRows(trained.weights[path], domain.weights)
    products: Any = exact_products(trained)
    if precision in INTEGERS:
        ranges, kernels = _chosen(ranges_of(trained, pairs), integer_layers), kernels_of(trained, pairs)
        products = IntegerProducts(ranges, kernels, quantisation, is_wide=precision == "int16x8")
    member = Member(task, trained.declaration, weights, trained.codecs, trained.precision)
    specs, inputs, cut = inputs_of(trained, rows=1)
    needs = parts_needed(trained, with_search)
    before = PORTABLE.set(True)
    try:
        signatures = parts_of(task, needs, lambda: member.view(products=products), specs, inputs)
        if with_search:
            search = graph.search_of(trained, weights, products=products)
            signatures["decode"] = graph.concrete(lambda **named: graph.ids_outputs(search(cut(inputs(**named)))), specs)
    finally:
        PORTABLE.reset(before)
    return module, signatures


def parts_needed(trained: Any, with_search: bool) -> str:
    """What the recipe's search reads; raises UserError for one that has no parts to be exported without it."""
    search = (trained.experiment.recipe.decoding or Decoding()).search
    if search.needs not in ("tokens", "frames") and not with_search:
        raise UserError(f"a {search.type} search is exported as a whole", hint="include_search: true")
    return str(search.needs)


def parts_of(task: Any, needs: str, view: Callable[[], Any], specs: dict[str, Any], inputs: Any) -> dict[str, Any]:
    """What a search calls: `encode` and `step` where it goes token by token, `frames` where it reads those."""
    if needs == "tokens":
        return stepwise(lambda: task.stepper(view()), specs, inputs)
    return {"frames": graph.concrete(lambda **named: frames_of(task, view(), inputs(**named)), specs)} if needs == "frames" else {}


def inputs_of(trained: Any, rows: int | None) -> tuple[dict[str, Any], Any, Any]:
    """What signatures of so many rows take; the function of it that gives what searches read; what cuts that."""
    if trained.experiment.recipe.task.is_of_sounds:
        return waveforms.specs(rows), functools.partial(waveforms.positions_of, trained), dict
    specs = {name: tf.TensorSpec([rows, *spec.shape[1:]], spec.dtype, name=name) for name, spec in graph.specs(trained).items()}
    return specs, dict, functools.partial(graph.cut, trained=trained)


def frames_of(task: Any, w: Any, inputs: dict[str, Any]) -> dict[str, Any]:
    """What a search over frames reads: log-probabilities `scores` [n, frames, vocabulary], the blank's under id 0, and `num_frames` [n]."""
    heard = task.offered(w, "frames").start(inputs, 1)[0]
    return {"scores": heard["frames"], "num_frames": heard["num_frames"]}


def _chosen(ranges: dict[str, Any], patterns: tuple[str, ...]) -> dict[str, Any]:
    """The products whose place matches a pattern; raises UserError for a pattern that none does."""
    for pattern in patterns:
        if not any(fnmatch.fnmatchcase(place, pattern) for place in ranges):
            raise UserError(f"integer_layers: no product is at {pattern!r}", hint=f"there is {', '.join(sorted(ranges)[:3])} ...")
    return {place: found for place, found in ranges.items() if any(fnmatch.fnmatchcase(place, pattern) for pattern in patterns)}
