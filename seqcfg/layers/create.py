"""From declared weights to tensors: initial values, and the tree that views read."""

from __future__ import annotations

from typing import Any

from seqcfg.layers.quantisation.fake import FakeProducts, fake_tables
from seqcfg.layers.view import Context, View, fold_seed
from seqcfg.lazy import tf
from seqcfg.plan.declaration import RANGES


def initial_values(declaration: Any, seed: int) -> dict[str, Any]:
    """{weight path: float32 tensor}; each value depends on the weight's own declaration and the seed alone."""
    return {weight.path: initial_value(weight, seed) for weight in declaration.all_weights()}


def initial_value(weight: Any, seed: int) -> Any:
    if weight.initializer is None:
        return tf.zeros(weight.shape)
    start = tf.constant([seed & 0x7FFFFFFF, 0x5EED], tf.int32)
    return weight.initializer(weight.shape, weight.fans, fold_seed(start, weight.path))


def view(declaration: Any, tree: dict[str, Any], **context: Any) -> View:
    """The root view for one traced call, on {path: tensor or variable}.

    A model with quantisation-aware training computes on rounded numbers, unless `products` say what to do.
    """
    shared = Context(**context)
    node = declaration.children.get(RANGES.rstrip("/"))
    if node is not None and shared.products is None:
        settings, stored = node.component, tree
        tree = fake_tables(settings, declaration, tree, shared)
        shared.products = FakeProducts(settings, stored, shared, is_tracked=shared.training)
    return View(declaration, tree, shared)
