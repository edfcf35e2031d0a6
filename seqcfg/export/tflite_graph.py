"""The signatures of a TFLite model: one sentence at a time, with weights and products as its precision asks for."""

from __future__ import annotations

import fnmatch
from typing import Any, Literal

from seqcfg.decoding.member import Member
from seqcfg.errors import UserError
from seqcfg.export import graph
from seqcfg.export.integers import IntegerProducts, IntegerRows, ranges_of
from seqcfg.export.stepwise import stepwise
from seqcfg.layers.attention.cache import PORTABLE
from seqcfg.lazy import tf

Precision = Literal["float32", "float16", "dynamic_int8", "int8"]


def signatures_of(
    trained: Any, precision: str, with_search: bool, pairs: list[tuple[str, str]], integer_layers: tuple[str, ...] = ("*",)
) -> tuple[Any, dict[str, Any]]:  # fmt: skip
    """(module, {"decode", "encode", "step"}); pairs are inputs and outputs that show the range of activations, for int8."""
    task = trained.experiment.recipe.task
    if not hasattr(task, "encode_pairs"):
        raise UserError(f"a {task.type} task cannot be exported to TFLite", hint="export it as saved_model")
    module = graph.new_module(trained)
    weights: dict[str, Any] = dict(module.weights)
    if precision in ("dynamic_int8", "int8"):
        for path in tables_of(trained.declaration):
            weights[path] = IntegerRows(trained.weights[path], is_per_row=precision == "dynamic_int8")
    products = IntegerProducts(_chosen(ranges_of(trained, pairs), integer_layers)) if precision == "int8" else None
    specs = {name: tf.TensorSpec([1, *spec.shape[1:]], spec.dtype, name=name) for name, spec in graph.specs(trained).items()}
    member = Member(task, trained.declaration, weights, trained.codecs, trained.precision)
    before = PORTABLE.set(True)
    try:
        signatures = stepwise(lambda: task.stepper(member.view(products=products)), specs)
        if with_search:
            search = graph.search_of(trained, weights, products=products)
            signatures["decode"] = graph.concrete(lambda **inputs: graph.ids_outputs(search(graph.cut(inputs, trained))), specs)
    finally:
        PORTABLE.reset(before)
    return module, signatures


def _chosen(ranges: dict[str, Any], patterns: tuple[str, ...]) -> dict[str, Any]:
    """The products whose place matches a pattern; raises UserError for a pattern that none does."""
    for pattern in patterns:
        if not any(fnmatch.fnmatchcase(place, pattern) for place in ranges):
            raise UserError(f"integer_layers: no product is at {pattern!r}", hint=f"there is {', '.join(sorted(ranges)[:3])} ...")
    return {place: found for place, found in ranges.items() if any(fnmatch.fnmatchcase(place, pattern) for pattern in patterns)}


def tables_of(declaration: Any) -> list[str]:
    """The paths of the tables that embeddings look up."""
    found, nodes = [], [declaration]
    while nodes:
        node = nodes.pop()
        if getattr(node.component, "type", "") == "embedding":
            found.append(node.weights["table"].path)
        for child in node.children.values():
            nodes += child if isinstance(child, list) else [child]
    return sorted(set(found))
