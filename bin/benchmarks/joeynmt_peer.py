#!/usr/bin/env python3
"""JoeyNMT's search with untrained weights, run by a Python that has JoeyNMT; asked and answering as opennmt_tf_decoding_peer.py."""

import json
import os
import sys
import time
from types import SimpleNamespace

import torch
from joeynmt.model import build_model
from joeynmt.search import beam_search, greedy
from joeynmt.vocabulary import Vocabulary

NAMES = {"unk_token": "<unk>", "pad_token": "<pad>", "bos_token": "<s>", "eos_token": "</s>", "sep_token": None}
IDS = {"unk_id": 0, "pad_id": 1, "bos_id": 2, "eos_id": 3, "sep_id": None, "lang_tags": []}


def main():
    order = json.load(sys.stdin)
    if order["threads"]:
        torch.set_num_threads(order["threads"])
    vocabulary = Vocabulary(order["pieces"][4:], SimpleNamespace(**NAMES, **IDS))
    model = new_model(order["sizes"], vocabulary)
    ids = {piece: place for place, piece in enumerate(order["pieces"])}  # the vocabulary begins with as many reserved ids
    sources = [[ids[piece] for piece in row] + [vocabulary.eos_index] for row in sorted(order["sources"], key=len, reverse=True)]
    with torch.inference_mode():
        print(json.dumps([measured(model, sources, order, batch, width) for batch, width in order["jobs"]]))


def new_model(sizes, vocabulary):
    side = {
        "type": "transformer", "num_layers": sizes["layers"], "num_heads": sizes["heads"], "hidden_size": sizes["width"],
        "ff_size": sizes["hidden"], "layer_norm": "pre", "embeddings": {"embedding_dim": sizes["width"], "scale": True},
    }  # fmt: skip
    tied = {"tied_embeddings": True, "tied_softmax": True}
    model = build_model({"encoder": side, "decoder": side, **tied}, vocabulary, vocabulary)
    return model.eval()


def measured(model, sources, order, batch, width):
    """Passes over all sources until the seconds are over; the figures are those of the least CPU time."""
    passes, begin = [], time.time()
    while not passes or time.time() - begin < order["seconds"]:
        start, cpu = time.time(), os.times()
        tokens = sum(searched(model, sources[first : first + batch], width, order["longest"]) for first in range(0, len(sources), batch))
        end = os.times()
        passes.append((end.user + end.system - cpu.user - cpu.system, time.time() - start))
    cpu_seconds, seconds = min(passes)
    counts = {"batch": batch, "width": width, "sentences": len(sources), "tokens": tokens}
    return {**counts, "seconds": seconds, "cpu_seconds": cpu_seconds}


def searched(model, rows, width, length):
    """The number of tokens of the best outputs of these sources."""
    lengths = torch.tensor([len(row) for row in rows])
    source = torch.full([len(rows), int(lengths.max())], model.pad_index)
    for place, row in enumerate(rows):
        source[place, : len(row)] = torch.tensor(row)
    mask = (source != model.pad_index).unsqueeze(1)
    encoded, hidden, _, _ = model(return_type="encode", src=source, src_length=lengths, src_mask=mask)
    limits = {"max_output_length": length, "min_output_length": length}
    if width == 1:
        found = greedy(src_mask=mask, model=model, encoder_output=encoded, encoder_hidden=hidden, **limits)[0]
    else:
        named = {"beam_size": width, "alpha": 1.0, "encoder_output": encoded, "encoder_hidden": hidden, "src_mask": mask}
        found = beam_search(model=model, **named, **limits)[0]
    return int(found.shape[0] * found.shape[1])


if __name__ == "__main__":
    main()
