"""Short measurements of what this machine's TensorFlow can do."""

from __future__ import annotations

import statistics
import time

from seqcfg.lazy import tf


def matmul_gflops(size: int = 1024, dtype: str = "float32", repeats: int = 7) -> float:
    """10^9 floating-point operations per second of a square matrix product (2 size^3 each): the median of `repeats`."""
    left = tf.cast(tf.random.stateless_uniform([size, size], [1, 2]), dtype)
    product = tf.function(lambda a: tf.matmul(a, a), input_signature=[tf.TensorSpec([size, size], dtype)])
    seconds = []
    for _ in range(repeats + 1):
        start = time.perf_counter()
        product(left).numpy()
        seconds.append(time.perf_counter() - start)
    return 2 * size**3 / statistics.median(seconds[1:]) / 1e9  # the first call traces


def compiled_agrees() -> bool:
    """Whether XLA compiles a small function and gives what the plain graph gives, within 1e-5."""

    def small(x):
        return tf.nn.softmax(tf.matmul(x, x, transpose_b=True)) @ x

    x = tf.random.stateless_normal([8, 4], [3, 4])
    difference = tf.function(small, jit_compile=True)(x) - small(x)
    return bool(tf.reduce_max(tf.abs(difference)) < 1e-5)


def accelerators() -> list[str]:
    """Names of the GPUs and TPUs that TensorFlow sees."""
    found = tf.config.list_physical_devices()
    return [device.name for device in found if device.device_type not in ("CPU", "XLA_CPU", "XLA_GPU")]
