"""A mesh of devices in a recipe: rows of a batch are divided along one axis of it, weights along the other."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any

from seqcfg.component.component import Record, param
from seqcfg.component.kinds import Strategy
from seqcfg.component.types import PositiveInt, rules
from seqcfg.distribution import sharding
from seqcfg.distribution.devices import Devices
from seqcfg.distribution.on_mesh import OnMesh
from seqcfg.distribution.strategies import divide_cpu
from seqcfg.errors import UserError
from seqcfg.lazy import tf
from seqcfg.plan.sharing import Sharing

Rules = Annotated[
    dict[str, str | None],
    rules("patterns of weight paths such as model/encoder/*, each with the name of an axis, or null; seqcfg plan lists both"),
]


class Axes(Record):
    """How many devices a mesh has along each of its axes."""

    batch: PositiveInt = param(default=1, doc="Groups of devices that share the rows of a batch.")
    model: PositiveInt = param(default=2, doc="Devices of a group, which share the weights of each layer.")


class Mesh(Strategy, type="mesh"):
    """One process whose devices share each layer of a Transformer: tensor parallelism (arXiv:1909.08053, section 3), through DTensor.

    Attention is divided by heads, feed-forward layers by hidden features, embeddings and outputs by the vocabulary; other weights
    are copied. Losses agree with those of one device up to rounding, and so does dropout. Checkpoints hold whole weights: a
    run may go on with another mesh, or with none. On CPU the cores are divided into logical devices; GPUs are refused.
    """

    axes: Axes = param(default=Axes(), doc="The shape of the mesh.")
    rules: Rules = param(
        factory=dict, doc="Patterns of weights and the axis that is divided, null for copies, where layers are not to be divided as usual."
    )

    def start(self) -> Devices:
        """Raises UserError on GPUs, or when TensorFlow is already at work."""
        if tf.config.list_physical_devices("GPU"):
            raise UserError(
                "training.strategy: several GPUs in one process return corrupted results in this version of TensorFlow",
                hint="use {type: multi_worker} with one process per GPU, or hide the GPUs with CUDA_VISIBLE_DEVICES=-1",
            )
        divide_cpu(self.axes.batch * self.axes.model)
        return OnMesh(self.axes.batch, self.axes.model)

    def divisions(self, declaration: Any) -> dict[str, sharding.Division]:
        """{path: how a weight is divided}."""
        return sharding.divisions(declaration, self.axes.model, self.rules)

    def sharing(self, declaration: Any) -> Sharing:
        """A group of devices has all weights, each of them its part; groups share the rows."""
        shapes = {path: part.shape for path, part in self.divisions(declaration).items() if part.axis is not None}
        return Sharing(self.axes.batch * self.axes.model, self.axes.batch, shapes)

    def check_training(self, training: Any) -> Iterator[tuple[str, str, str]]:
        unused = {
            "xla": ("is compiled for one device, and a mesh has several", "leave one of them out"),
            "pruning": ("sorts all entries of a weight, which a mesh has in parts", "prune on one device, or with mirrored"),
        }
        for field, (why, hint) in unused.items():
            if getattr(training, field):
                yield field, f"{why} (strategy mesh)", hint

    def check_model(self, recipe: Any, declaration: Any) -> Iterator[tuple[tuple[str, ...], str, str]]:
        for pattern, message, hint in sharding.broken_rules(declaration, self.rules):
            yield ("rules", pattern), message, hint
        self.divisions(declaration)
        if recipe.task.loss.on_mesh() is None:
            raise declaration.misfit(f"a mesh cannot divide what {recipe.task.loss.type} computes", "use cross_entropy", "loss")
