"""What a training step keeps of its forward pass until gradients are known, told from the layers alone."""

from __future__ import annotations

import dataclasses
import fnmatch
from typing import Any, cast

from seqcfg.plan.declaration import Declaration


@dataclasses.dataclass(frozen=True)
class Batch:
    """rows: sequences of a batch; source: positions of each that the model reads; text: of each that it writes."""

    rows: int
    source: int
    text: int


@dataclasses.dataclass(frozen=True)
class Place:
    """Where a layer stands: positions of a sequence that it is given and passes on, and those of the memory that it may read."""

    rows: int
    given: int
    passed: int
    memory: int = 0

    @property
    def inputs(self) -> int:
        """Positions of the batch that it is given."""
        return self.rows * self.given

    @property
    def outputs(self) -> int:
        """Positions of the batch that it passes on."""
        return self.rows * self.passed


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
    found = Kept()
    walk = Walk(batch, rematerialized, found, getattr(declaration.component, "loss", None))
    length = batch.source
    for name, child in declaration.children.items():
        for node in child if isinstance(child, list) else [child]:
            length = walk.model(node, length) if name == "model" else walk.layer(node, Place(batch.rows, length, length))
    return found


@dataclasses.dataclass
class Walk:
    batch: Batch
    rematerialized: tuple[str, ...]
    found: Kept
    loss: Any = None
    memory: int = 0

    def model(self, node: Declaration, source: int) -> int:
        """Parts of a model by the side that they stand on; returns the positions of the memory, or of the text where there is none."""
        sides = node.component.sides  # type: ignore[attr-defined]
        self.memory = self.memory or source
        for name, child in node.children.items():
            assert isinstance(child, Declaration)
            if hasattr(child.component, "sides"):
                source = self.memory = self.model(child, source)
                continue
            length = {"source": source, "memory": self.memory, "text": self.batch.text}[sides.get(name, "text")]
            passed = self.layer(child, Place(self.batch.rows, length, length, self.memory))
            if name == "encoder":
                self.memory = passed
        at, model = Place(self.batch.rows, self.batch.text, self.batch.text, self.memory), cast(Any, node.component)
        self.found.numbers += model.kept(node, at)
        self.found.at_work = max(self.found.at_work, model.at_work(node, at, self.loss))
        return self.memory

    def layer(self, node: Declaration, at: Place) -> int:
        """Counts a layer and its parts; returns the positions that it passes on."""
        if any(fnmatch.fnmatchcase(node.path, pattern) for pattern in self.rematerialized):
            inner = Walk(self.batch, (), Kept(), memory=self.memory)
            passed = inner.layer(node, at)
            self.found.again(inner.found, at.inputs * node.features_in)
            return passed
        for name, child in node.children.items():
            length = at.given
            for one in child if isinstance(child, list) else [child]:
                passed = self.layer(one, Place(at.rows, length, length, self.memory))
                length = passed if name in node.chains else length
        component: Any = node.component
        passed = component.num_positions(at.given) if hasattr(component, "num_positions") else at.given
        if hasattr(component, "kept"):
            self.found.add(component.kept(node, dataclasses.replace(at, passed=passed)))
        return passed
