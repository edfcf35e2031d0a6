"""What is known of a tensor's shape while tracing, stated where operations lose it."""

from __future__ import annotations

from typing import Any


def with_static_shape(tensor: Any, shape: Any) -> Any:
    """The tensor, known to have this shape (None where a size is free); raises ValueError where it cannot have it.

    No operation is added, unlike by tf.ensure_shape, for which converters to other formats have no counterpart.
    """
    tensor.set_shape(shape)
    return tensor
