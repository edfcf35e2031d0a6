#!/usr/bin/env python3
"""CTranslate2 on the weights of a seqcfg Transformer: run by a Python that has ctranslate2, told everything by one JSON object.

Standard input: {"weights": file.npz, "sources": [[piece]], "pieces": [piece by id], "heads", "longest", "shortest",
"jobs": [[batch, width]], "threads", "seconds"}. Standard output: a JSON list of {"batch", "width", "sentences", "tokens",
"seconds", "cpu_seconds", "outputs"}.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import time

import ctranslate2
import numpy as np
from ctranslate2.specs import TransformerSpec

STACK = "model/{side}/layers/2/blocks/{block}/layers/{place}"


def main() -> None:
    order = json.load(sys.stdin)
    weights = dict(np.load(order["weights"]))
    with tempfile.TemporaryDirectory() as folder:
        spec = converted(weights, order["heads"], order["pieces"], max(512, order["longest"] + 1))
        spec.validate()
        spec.save(folder)
        translator = ctranslate2.Translator(folder, compute_type="float32", intra_threads=order["threads"], inter_threads=1)
        json.dump([measured(translator, order, batch, width) for batch, width in order["jobs"]], sys.stdout)


def converted(weights, heads, pieces, longest):
    """The recipe base `transformer` as CTranslate2's specification: norm before, tied embeddings, sines then cosines."""
    count = len({name.split("/")[5] for name in weights if name.startswith("model/decoder/layers/2/blocks/")})
    spec = TransformerSpec.from_config(count, heads)
    spec.config.layer_norm_epsilon = 1e-6
    spec.config.add_source_eos = True
    table = weights["model/source_embedding/table"]
    width = table.shape[1]
    for side in ("encoder", "decoder"):
        part = getattr(spec, side)
        embeddings = part.embeddings[0] if side == "encoder" else part.embeddings
        embeddings.weight, part.scale_embeddings = table, True
        part.position_encodings.encodings = sines(longest, width)
        norm(part.layer_norm, weights, f"model/{side}/layers/3")
        for block, layer in enumerate(part.layer):
            places = [STACK.format(side=side, block=block, place=place) for place in range(3)]
            attention(layer.self_attention, weights, places[0], [("query", "key", "value"), ("output",)])
            if side == "decoder":
                attention(layer.attention, weights, places[1], [("query",), ("key", "value"), ("output",)])
            feed_forward(layer.ffn, weights, places[2 if side == "decoder" else 1])
    spec.decoder.projection.weight = table
    spec.register_source_vocabulary(pieces)
    spec.register_target_vocabulary(pieces)
    return spec


def sines(longest, width):
    rates = np.exp(np.arange(width // 2) * -(np.log(1e4) / (width // 2 - 1)))
    angles = np.arange(longest)[:, None] * rates
    return np.concatenate([np.sin(angles), np.cos(angles)], 1).astype(np.float32)


def norm(spec, weights, path):
    spec.gamma, spec.beta = weights[f"{path}/gain"], weights[f"{path}/bias"]


def attention(spec, weights, path, groups):
    norm(spec.layer_norm, weights, f"{path}/norm")
    for linear, names in zip(spec.linear, groups, strict=True):
        linear.weight = np.concatenate([weights[f"{path}/layer/{name}/kernel"].T for name in names])
        linear.bias = np.concatenate([weights[f"{path}/layer/{name}/bias"] for name in names])


def feed_forward(spec, weights, path):
    norm(spec.layer_norm, weights, f"{path}/norm")
    for linear, name in ((spec.linear_0, "expand"), (spec.linear_1, "contract")):
        linear.weight, linear.bias = weights[f"{path}/layer/{name}/kernel"].T.copy(), weights[f"{path}/layer/{name}/bias"]


def measured(translator, order, batch, width):
    """Passes over all sources until the seconds are over; the figures are those of the pass with the least CPU time."""
    sources = sorted(order["sources"], key=len, reverse=True)
    named = {
        "beam_size": width,
        "length_penalty": 1.0 if width > 1 else 0.0,
        "max_decoding_length": order["longest"],
        "min_decoding_length": order["shortest"],
        "return_scores": True,
    }
    passes, begin = [], time.time()
    while not passes or time.time() - begin < order["seconds"]:
        start, cpu = time.time(), os.times()
        found = []
        for first in range(0, len(sources), batch):
            found += translator.translate_batch(sources[first : first + batch], disable_unk=True, **named)
        end = os.times()
        passes.append((end.user + end.system - cpu.user - cpu.system, time.time() - start))
    outputs = [one.hypotheses[0] for one in found]
    cpu_seconds, seconds = min(passes)
    return {
        "batch": batch,
        "width": width,
        "sentences": len(sources),
        "tokens": sum(map(len, outputs)),
        "seconds": seconds,
        "cpu_seconds": cpu_seconds,
        "outputs": ["".join(one) for one in outputs],
    }


if __name__ == "__main__":
    main()
