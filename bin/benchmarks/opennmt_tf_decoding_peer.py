#!/usr/bin/env python3
"""OpenNMT-tf's search with untrained weights, run by a Python that has OpenNMT-tf; every output has `longest` tokens.

Standard input: {"sources": [[piece]], "pieces": [piece by id], "sizes": {"layers", "width", "hidden", "heads"}, "longest",
"jobs": [[batch, width]], "threads", "seconds"}. Standard output, last line: a JSON list of {"batch", "width", "sentences",
"tokens", "seconds", "cpu_seconds"}.
"""

import json
import os
import sys
import tempfile
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import opennmt
import tensorflow as tf


def main():
    order = json.load(sys.stdin)
    if order["threads"]:
        tf.config.threading.set_intra_op_parallelism_threads(order["threads"])
        tf.config.threading.set_inter_op_parallelism_threads(order["threads"])
    with tempfile.TemporaryDirectory() as folder:
        for name, lines in (("vocabulary", order["pieces"]), ("source", map(" ".join, sorted(order["sources"], key=len, reverse=True)))):
            with open(f"{folder}/{name}", "w", encoding="utf-8") as file:
                file.writelines(f"{line}\n" for line in lines)
        print(json.dumps([measured(order, folder, batch, width) for batch, width in order["jobs"]]))


def measured(order, folder, batch, width):
    """Passes over all sources until the seconds are over, after one that traces; the figures are those of the least CPU time."""
    sizes = order["sizes"]
    model = opennmt.models.Transformer(
        num_layers=sizes["layers"], num_units=sizes["width"], num_heads=sizes["heads"], ffn_inner_dim=sizes["hidden"],
        share_embeddings=opennmt.models.EmbeddingsSharingLevel.ALL,
    )  # fmt: skip
    lengths = {"minimum_decoding_length": order["longest"], "maximum_decoding_length": order["longest"]}
    vocabularies = {f"{side}_vocabulary": f"{folder}/vocabulary" for side in ("source", "target")}
    model.initialize(vocabularies, params={"beam_width": width, "length_penalty": 1.0 if width > 1 else 0.0, **lengths})
    model.create_variables()
    dataset = model.examples_inputter.make_inference_dataset(f"{folder}/source", batch)
    infer = tf.function(model.infer, input_signature=(dataset.element_spec,))
    tokens = one_pass(infer, dataset)
    passes, begin = [], time.time()
    while not passes or time.time() - begin < order["seconds"]:
        start, cpu = time.time(), os.times()
        tokens = one_pass(infer, dataset)
        end = os.times()
        passes.append((end.user + end.system - cpu.user - cpu.system, time.time() - start))
    cpu_seconds, seconds = min(passes)
    counts = {"batch": batch, "width": width, "sentences": len(order["sources"]), "tokens": tokens}
    return {**counts, "seconds": seconds, "cpu_seconds": cpu_seconds}


def one_pass(infer, dataset):
    """The number of tokens of all best outputs."""
    return sum(int(infer(batch)["length"].numpy()[:, 0].sum()) for batch in dataset)


if __name__ == "__main__":
    main()
