"""The recipe's `quantisation:` section: which layers compute on integers, of how many bits, and whether training prepares for it."""

from __future__ import annotations

import fnmatch
from collections.abc import Iterator
from typing import Annotated, Any, Literal

from seqcfg.component.component import Record, param
from seqcfg.component.kinds import Section
from seqcfg.component.types import NonNegativeInt, PositiveInt, rules
from seqcfg.plan.declaration import RANGES, Declaration, Weight

WeightBits = Annotated[int, rules("4 to 8 bits", minimum=4, maximum=8)]  # TFLite's converter takes 3 and gives other numbers
ActivationBits = Annotated[int, rules("5 to 8 bits", minimum=5, maximum=8)]  # it has no products of 4
Decay = Annotated[float, rules("a share of 1, such as 0.99", minimum=0, exclusiveMaximum=1)]
Layers = Annotated[list[str], rules("patterns of layer paths such as model/encoder/*; seqcfg plan --json lists the paths", minItems=1)]


class Weights(Record):
    """q = round(w / s) in -(2^(bits - 1) - 1) ... 2^(bits - 1) - 1 with s = max |w| / (2^(bits - 1) - 1), so that 0 is 0."""

    bits: WeightBits = param(default=8, doc="Bits of a weight.")
    scales: Literal["tensor", "channel"] = param(
        default="tensor", doc="One scale for a matrix, or one for each of its outputs (for each row of an embedding's table)."
    )


class Activations(Record):
    """q = round(x / s) + z in 0 ... 2^bits - 1, with s and the integer z of 0.0 from a range [low, high] that was seen."""

    bits: ActivationBits = param(default=8, doc="Bits of what a layer takes and gives.")
    symmetric: bool = param(default=False, doc="Whether the range is made as wide below 0 as above, so that 0 is in its middle.")


class Domain(Record):
    """Layers that are rounded alike. Of several domains that name a layer the first counts."""

    layers: Layers = param(factory=lambda: ["*"], doc="Patterns of layer paths; a layer that no domain names stays in floating point.")
    weights: Weights | None = param(default=Weights(), doc="How kernels and tables are rounded; null leaves them as they are.")
    activations: Activations | None = param(
        default=Activations(), doc="How inputs and results of products with kernels are rounded; null leaves them as they are."
    )

    def names(self, place: str) -> bool:
        """Whether this domain names the layer of a place, `path` or `path:product`."""
        return any(fnmatch.fnmatchcase(one, pattern) for pattern in self.layers for one in (place, place.partition(":")[0]))


class Aware(Record):
    """Training that computes as the integer model will (Jacob et al. 2018, arXiv:1712.05877, section 3).

    Weights and activations are rounded where a layer multiplies them, and gradients pass as if they had not been, but for
    activations outside of their range. Each update moves ranges by r = decay r + (1 - decay) [min, max], the first sets them.
    """

    start_step: NonNegativeInt = param(default=0, doc="Updates before the first that rounds; ranges are tracked from the first update on.")
    freeze_step: PositiveInt | None = param(default=None, doc="Updates after which ranges stay as they are; null tracks them to the end.")
    decay: Decay = param(default=0.99, doc="Share of a range that an update keeps.")


class Quantisation(Section, type="quantisation"):
    """Integers instead of floating point, for layers by path.

    What is multiplied by a kernel is rounded together with the kernel and the result: dense layers, the projections of attention,
    convolutions, LSTMs, logits. Tables of embeddings are rounded by themselves, row by row where a scale is for each output.
    """

    domains: list[Domain] = param(factory=lambda: [Domain()], doc="Which layers, and how; of several that name a layer the first counts.")
    aware: Aware | None = param(default=None, doc="Rounding while training; null rounds after training, by examples of the training data.")

    def check(self) -> Iterator[tuple[str, str, str]]:
        if not self.domains:
            yield "domains", "no layer would be rounded", "name layers, or leave quantisation out"

    def declare(self, root: Declaration) -> None:
        """Declares the ranges of all products that training rounds, as untrained weights; raises Misfit for a pattern without layer."""
        known = [*root.places(), *tables_of(root)]
        for number, domain in enumerate(self.domains):
            for index, pattern in enumerate(domain.layers):
                if not any(Domain(layers=[pattern]).names(place) for place in known):
                    field = f"domains.{number}.layers.{index}"
                    raise root.misfit(f"no layer with a kernel or table is at {pattern!r}", _near(pattern, known), field)
        if self.aware is None:
            return
        node = Declaration(self, RANGES.rstrip("/"), root.root)
        for place in root.places():
            if (its := self.domain_of(place)) is not None and its.activations is not None:
                node.weights[place] = Weight(RANGES + place, (4,), None, (4, 4), trainable=False)
        root.children[RANGES.rstrip("/")] = node

    def domain_of(self, place: str) -> Domain | None:
        """The domain of a layer or of one of its products, or None."""
        return next((domain for domain in self.domains if domain.names(place)), None)


def tables_of(root: Declaration) -> dict[str, str]:
    """{path of a layer: path of the table} of embeddings, which are rounded where they lie."""
    tables = ((node, getattr(node.component, "table", "")) for node in root.nodes())
    return {node.path: node.weights[name].path for node, name in tables if name in node.weights}


def _near(pattern: str, known: Any) -> str:
    """A few paths that begin like the pattern."""
    start = pattern.partition("*")[0]
    while start and not any(place.startswith(start) for place in known):
        start = start.rpartition("/")[0]
    below = sorted({place.partition(":")[0] for place in known if place.startswith(start)})
    return f"there is {', '.join(below[:3])}{' ...' if len(below) > 3 else ''}"
