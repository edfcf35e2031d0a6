"""What is known of a tensor's shape while tracing, stated where operations lose it."""

from __future__ import annotations

from typing import Any

from seqcfg.lazy import tf


def with_static_shape(tensor: Any, shape: Any) -> Any:
    """The tensor, known to have this shape (None where a size is free); raises ValueError where it cannot have it.

    No operation is added, unlike by tf.ensure_shape, for which converters to other formats have no counterpart.
    """
    tensor.set_shape(shape)
    return tensor


def reshaped(tensor: Any, shape: list[int | None], like: Any) -> Any:
    """The tensor with a shape in which None stands for the size that `like` has on that axis.

    One None is left to the reshape itself: no operation has to ask for it, which makes a fifth of those of a decoding step.
    """
    free = [place for place, size in enumerate(shape) if size is None]
    if len(free) > 1:
        asked = tf.shape(like)
        sizes = [asked[place] if size is None else size for place, size in enumerate(shape)]
    else:
        sizes = [-1 if size is None else size for size in shape]
    return with_static_shape(tf.reshape(tensor, sizes), shape)
