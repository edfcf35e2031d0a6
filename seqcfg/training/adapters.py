"""Low-rank adapters: matrices that stay as they are, and learn through a product of two narrow ones."""

from __future__ import annotations

import fnmatch
import math
from typing import Any

from seqcfg.component.component import Record, param
from seqcfg.component.types import PositiveFloat, PositiveInt
from seqcfg.layers.create import initial_value
from seqcfg.layers.view import fold_seed
from seqcfg.lazy import tf
from seqcfg.training.noise import Patterns

DOWN, UP, BASE = "#down", "#up", "#base"


class Adapters(Record):
    """weight = base + scale / rank down up, with `down` drawn and `up` 0 at the start (LoRA, arXiv:2106.09685, section 4.1).

    The base is the weight before the first update: drawn, or taken over from another run. Learners train `down` and
    `up` in place of the weights they claim here; the merged weight is what is evaluated, saved and exported. Use
    `frozen` to keep the rest of the model as it is.
    """

    weights: Patterns = param(doc="Patterns of the weights that learn so; those that are no matrices are left alone.")
    rank: PositiveInt = param(default=8, doc="Width between the two matrices.")
    scale: PositiveFloat = param(default=16.0, doc="Factor on their product, divided by the rank.")

    def paths(self, declaration: Any) -> list[str]:
        """The weights that learn through an adapter."""
        matrices = [weight.path for weight in declaration.all_weights() if weight.trainable and len(weight.shape) > 1]
        return [path for path in matrices if any(fnmatch.fnmatchcase(path, pattern) for pattern in self.weights)]

    def start(self, weight: Any, seed: int) -> dict[str, Any]:
        """{name: first value} of the two factors and the base of a declared weight."""
        rows, columns = math.prod(weight.shape[:-1]), weight.shape[-1]
        words = fold_seed(tf.constant([seed & 0x7FFFFFFF, 0xADA9], tf.int32), weight.path)
        down = tf.random.stateless_normal([rows, self.rank], words) / math.sqrt(self.rank)
        base = initial_value(weight, seed)
        return {weight.path + DOWN: down, weight.path + UP: tf.zeros([self.rank, columns]), weight.path + BASE: base}

    def merged(self, path: str, values: dict[str, Any]) -> Any:
        """The weight from its {name: tensor}."""
        base = values[path + BASE]
        return base + tf.reshape(self.scale / self.rank * (values[path + DOWN] @ values[path + UP]), tf.shape(base))
