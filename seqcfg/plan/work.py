"""How much a training step multiplies, told from the layers alone."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

from seqcfg.plan.declaration import Declaration
from seqcfg.plan.table import products
from seqcfg.plan.walk import Batch, Place, Walk

BACKWARD = 2  # of each product come two more: the gradients of both sides


def multiply_adds(declaration: Declaration, batch: Batch) -> float:
    """Of a forward pass over a batch: products with kernels at the positions they are applied to, source and text told apart,

    products of attention weights, and logits of all text. What recurrent layers and losses over lattices do besides is left out.
    """
    counted = Multiplying(batch)
    counted.whole(declaration)
    return counted.found


def flops(declaration: Declaration, batch: Batch) -> float:
    """Floating-point operations of a training step: two per multiply-add, forward and back."""
    return 2 * (1 + BACKWARD) * multiply_adds(declaration, batch)


@dataclasses.dataclass
class Multiplying(Walk):
    """Adds up multiply-adds."""

    found: float = 0.0

    def layer(self, node: Declaration, at: Place) -> None:
        numbers = sum(products(weight) for weight in node.weights.values())
        slides = math.prod(node.output[:-1]) if isinstance(node.output, tuple) else 1  # a kernel of maps slides along frequency, too
        self.found += at.outputs * slides * numbers + _attention(node, at)

    def model(self, node: Declaration, at: Place) -> None:
        """Logits from a table that is the embedding, too."""
        if "output" in node.children or "decoder" not in node.children:
            return
        name = next(name for name in ("target_embedding", "source_embedding", "embedding") if name in node.children)
        self.found += at.inputs * node.children[name].weights["table"].size  # type: ignore[union-attr]


def _attention(node: Declaration, at: Place) -> float:
    """Scores and their reading, and what keys and values of a memory differ from those of as many positions as the input has."""
    component: Any = node.component
    if not hasattr(component, "num_heads") or "query" not in node.children or "key" not in node.children:
        return 0.0
    query: Any = node.children["query"]
    is_to_memory = getattr(component, "attend_to", "self") == "memory"
    source = at.memory if is_to_memory else at.given
    found = 2.0 * at.inputs * source * query.features_out
    if is_to_memory:
        read: list[Any] = [node.children[name] for name in ("key", "value") if name in node.children]
        kernels = sum(products(weight) for part in read for weight in part.weights.values())
        found += at.rows * (at.memory - at.given) * kernels
    return found
