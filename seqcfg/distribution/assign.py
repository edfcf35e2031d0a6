"""Reading and setting the copy of a variable that belongs to the replica at work."""

from __future__ import annotations

from typing import Any

from seqcfg.lazy import tf


def assign(variable: Any, value: Any) -> None:
    """Sets a variable of the same shape and dtype.

    In a replica of a strategy only its own copy is set, without the communication of `variable.assign`: every replica
    computes the same value from the same sums.
    """
    tf.raw_ops.AssignVariableOp(resource=variable.handle, value=value)


def read(variable: Any) -> Any:
    """The value at this point of the graph, as one operation: `read_value` adds an identity to each."""
    return tf.raw_ops.ReadVariableOp(resource=variable.handle, dtype=variable.dtype)
