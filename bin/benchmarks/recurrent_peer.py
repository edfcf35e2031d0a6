#!/usr/bin/env python3
"""A stack of Keras' LSTM or PyTorch's nn.LSTM that trains: run by a Python that has one, as `recurrent_peer.py torch|keras SIZES`.

SIZES: a JSON object with batch, frames, features, units, layers, bidirectional and threads. Each line of standard input says how
many seconds to train, each of standard output what was done: {"updates", "cpu_seconds"}.
"""

from __future__ import annotations

import json
import sys
import time


def torch_update(order):
    import torch

    if order["threads"]:
        torch.set_num_threads(order["threads"])
    torch.manual_seed(1)
    model = torch.nn.LSTM(
        order["features"], order["units"], order["layers"], batch_first=True, bidirectional=order["bidirectional"]
    )  # fmt: skip
    optimizer = torch.optim.SGD(model.parameters(), 1e-3)
    x = torch.randn(order["batch"], order["frames"], order["features"])

    def update():
        optimizer.zero_grad()
        model(x)[0].square().mean().backward()
        optimizer.step()

    return update


def keras_update(order):
    import keras
    import tensorflow as tf

    if order["threads"]:
        tf.config.threading.set_intra_op_parallelism_threads(order["threads"])
        tf.config.threading.set_inter_op_parallelism_threads(order["threads"])
    layers = [keras.layers.LSTM(order["units"], return_sequences=True) for _ in range(order["layers"])]
    model = keras.Sequential([keras.layers.Bidirectional(layer) if order["bidirectional"] else layer for layer in layers])
    x = tf.random.normal([order["batch"], order["frames"], order["features"]])
    model(x[:, :2])

    @tf.function(input_signature=[tf.TensorSpec([None, None, order["features"]])])
    def update(x):
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(tf.square(model(x)))
        for variable, gradient in zip(model.trainable_variables, tape.gradient(loss, model.trainable_variables), strict=True):
            variable.assign_sub(1e-3 * gradient)

    return lambda: update(x)


def main():
    order = json.loads(sys.argv[2])
    update = {"torch": torch_update, "keras": keras_update}[sys.argv[1]](order)
    for line in sys.stdin:
        start, cpu, updates = time.monotonic(), time.process_time(), 0
        while time.monotonic() - start < float(line) or not updates:
            update()
            updates += 1
        print(json.dumps({"updates": updates, "cpu_seconds": time.process_time() - cpu}), flush=True)


if __name__ == "__main__":
    main()
