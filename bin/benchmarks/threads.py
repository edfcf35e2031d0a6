"""How many threads a measurement has."""

from __future__ import annotations


def use_threads(number: int) -> None:
    """Gives TensorFlow, which must not have computed yet, so many threads within and between operations; 0 leaves it as many as cores."""
    if number:
        from seqcfg.lazy import tf

        tf.config.threading.set_intra_op_parallelism_threads(number)
        tf.config.threading.set_inter_op_parallelism_threads(number)
