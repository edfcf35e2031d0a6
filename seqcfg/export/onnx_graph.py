"""The signatures of an ONNX export: the whole search, the steps of one, and scores of given outputs."""

from __future__ import annotations

from typing import Any

from seqcfg.decoding.member import Member
from seqcfg.export import graph
from seqcfg.export.integers import exact_products
from seqcfg.export.tflite_graph import inputs_of, parts_needed, parts_of
from seqcfg.layers.portable import PORTABLE


def signatures_of(trained: Any, with_search: bool) -> tuple[Any, dict[str, Any]]:
    """(module, signatures), concrete functions of any number of rows: `decode`, the search, where that is asked for.

    Where it goes token by token, `encode` and `step`; where it reads frames, `frames`; of models that read texts `score`. The
    module holds the weights, which signatures do not keep alive.
    """
    recipe, module = trained.experiment.recipe, graph.new_module(trained)
    task, needs = recipe.task, parts_needed(trained, with_search)
    products = exact_products(trained)  # converters take no ranges that are variables
    member = Member(task, trained.declaration, module.weights, trained.codecs, trained.precision)
    specs, inputs, cut = inputs_of(trained, rows=None)

    def decode(**named: Any) -> Any:
        return graph.ids_outputs(search(cut(inputs(**named))))

    before = PORTABLE.set(True)
    try:
        signatures = parts_of(task, needs, lambda: member.view(products=products), specs, inputs)
        if not task.is_of_sounds:
            signatures["score"] = graph.concrete(graph.scoring_of(trained, module.weights, products=products), specs | graph.target_specs())
        if with_search:
            search = graph.search_of(trained, module.weights, products=products)
            signatures["decode"] = graph.concrete(decode, specs)
        return module, signatures
    finally:
        PORTABLE.reset(before)
