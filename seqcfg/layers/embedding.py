"""A table of vectors, looked up by id."""

from __future__ import annotations

import math
from typing import Any, Literal

from seqcfg.component.component import param
from seqcfg.component.kinds import Initializer, Layer
from seqcfg.component.types import PositiveInt
from seqcfg.initializers.sqrt_dim import SqrtDimNormal
from seqcfg.layers.static_shape import reshaped
from seqcfg.lazy import tf


class Embedding(Layer, type="embedding"):
    """Maps ids to rows of a table, and widths back to scores of all ids when the table is also the output."""

    table = "table"  # the weight that quantisation rounds where it lies

    dim: PositiveInt = param(doc="Width of one vector.")
    scale: Literal["none", "sqrt_dim"] = param(
        default="none", doc="Factor on the looked-up vectors: sqrt_dim is sqrt(dim) (arXiv:1706.03762, section 3.4)."
    )
    initializer: Initializer = param(factory=SqrtDimNormal, doc="How the table starts.")

    row_multiple: PositiveInt = param(
        default=1, is_later=True, doc="The table's rows are a multiple of this; those beyond the vocabulary are never looked up."
    )

    def declare(self, d: Any, vocabulary: int) -> int:
        rows = -(-vocabulary // self.row_multiple) * self.row_multiple
        d.weight("table", (rows, self.dim), self.initializer, axes=("vocabulary", "output"))
        d.product("project")
        return self.dim

    def kept(self, d: Any, at: Any) -> float:
        return 0  # ids are enough for its gradient

    def __call__(self, w: Any, ids: Any) -> Any:
        """ids [...] int -> [..., dim]. Ids beyond the table are not caught here: inputs are checked when they are prepared."""
        vectors = w.rows("table", ids)
        return vectors * math.sqrt(self.dim) if self.scale == "sqrt_dim" else vectors

    def project(self, w: Any, hidden: Any) -> Any:
        """hidden [..., dim] -> one score per id [..., vocabulary]: the inner products with the rows, never scaled."""
        if w.context.products is not None:
            return w.product(hidden, tf.transpose(w.table), name="project")
        scores = tf.matmul(tf.reshape(hidden, [-1, self.dim]), w.table, transpose_b=True)
        return reshaped(scores, [*hidden.shape[:-1], w.table.shape[0]], hidden)
