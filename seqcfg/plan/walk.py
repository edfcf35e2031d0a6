"""Where each layer of a task stands: how many positions of a batch it is given and passes on."""

from __future__ import annotations

import dataclasses
from typing import Any

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
class Walk:
    """Goes through a task's layers and tells each where it stands. Members say what `layer` and `model` do with that."""

    batch: Batch
    memory: int = 0

    def whole(self, declaration: Declaration) -> None:
        """The task's front end and model."""
        length = self.batch.source
        for name, child in declaration.children.items():
            for node in child if isinstance(child, list) else [child]:
                length = self.of_model(node, length) if name == "model" else self.of_layer(node, Place(self.batch.rows, length, length))

    def of_model(self, node: Declaration, source: int) -> int:
        """Parts of a model by the side that they stand on; returns the positions of the memory, or of the text where there is none."""
        model: Any = node.component
        self.memory = self.memory or source
        for name, child in node.children.items():
            assert isinstance(child, Declaration)
            if hasattr(child.component, "sides"):
                source = self.memory = self.of_model(child, source)
                continue
            length = {"source": source, "memory": self.memory, "text": self.batch.text}[model.sides.get(name, "text")]
            passed = self.of_layer(child, Place(self.batch.rows, length, length, self.memory))
            if name == "encoder":
                self.memory = passed
        self.model(node, Place(self.batch.rows, self.batch.text, self.batch.text, self.memory))
        return self.memory

    def of_layer(self, node: Declaration, at: Place) -> int:
        """A layer and its parts; returns the positions that it passes on."""
        for name, child in node.children.items():
            length = at.given
            for one in child if isinstance(child, list) else [child]:
                passed = self.of_layer(one, Place(at.rows, length, length, self.memory))
                length = passed if name in node.chains else length
        component: Any = node.component
        passed = component.num_positions(at.given) if hasattr(component, "num_positions") else at.given
        self.layer(node, dataclasses.replace(at, passed=passed))
        return passed

    def layer(self, node: Declaration, at: Place) -> None:
        """What is to be done for a layer behind its parts."""
        raise TypeError(f"{type(self).__name__} defines no layer")

    def model(self, node: Declaration, at: Place) -> None:
        """What is to be done for a model behind its parts: `at.given` are positions of its text."""
        raise TypeError(f"{type(self).__name__} defines no model")
