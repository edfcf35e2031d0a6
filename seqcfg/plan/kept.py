"""What a training step keeps of its forward pass until gradients are known, told from the layers alone."""

from __future__ import annotations

import dataclasses
import fnmatch
from typing import Any

from seqcfg.plan.declaration import Declaration
from seqcfg.plan.walk import Batch, Place, Walk


@dataclasses.dataclass
class Kept:
    """numbers: kept until the backward pass; at_work: the most that the backward pass of one layer adds, which is what that layer kept,

    computed again where it is rematerialised.
    """

    numbers: float = 0.0
    at_work: float = 0.0

    def add(self, numbers: float) -> None:
        self.numbers += numbers
        self.at_work = max(self.at_work, numbers)

    def again(self, inner: Kept, inputs: float) -> None:
        """A layer of which only the inputs are kept."""
        self.numbers += inputs
        self.at_work = max(self.at_work, inner.numbers + inner.at_work)


def kept(declaration: Declaration, batch: Batch, rematerialized: tuple[str, ...] = ()) -> Kept:
    """Of a whole model for a batch of this shape; `rematerialized` are patterns of paths of layers."""
    keeping = Keeping(batch, rematerialized=rematerialized, loss=getattr(declaration.component, "loss", None))
    keeping.whole(declaration)
    return keeping.found


@dataclasses.dataclass
class Keeping(Walk):
    """Adds up what layers keep; `loss` is the task's, where it has one."""

    rematerialized: tuple[str, ...] = ()
    loss: Any = None
    found: Kept = dataclasses.field(default_factory=Kept)

    def of_layer(self, node: Declaration, at: Place) -> int:
        if not any(fnmatch.fnmatchcase(node.path, pattern) for pattern in self.rematerialized):
            return super().of_layer(node, at)
        inner = Keeping(self.batch, self.memory)
        passed = inner.of_layer(node, at)
        self.found.again(inner.found, at.inputs * node.features_in)
        return passed

    def layer(self, node: Declaration, at: Place) -> None:
        if hasattr(node.component, "kept"):
            self.found.add(node.component.kept(node, at))

    def model(self, node: Declaration, at: Place) -> None:
        component: Any = node.component
        self.found.numbers += component.kept(node, at)
        self.found.at_work = max(self.found.at_work, component.at_work(node, at, self.loss))
