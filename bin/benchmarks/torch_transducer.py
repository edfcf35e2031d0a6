#!/usr/bin/env python3
"""A plain PyTorch transducer that trains with torchaudio's rnnt_loss: run by a Python that has both, told its sizes by one JSON line.

The same network as seqcfg's: LSTMs over frames and over tokens, a joint network with tanh, all logits as one tensor. Each further
line of standard input is a number of seconds; the answer is {"updates", "cpu_seconds", "mib"}, the most memory over the libraries.
"""

from __future__ import annotations

import json
import sys
import time

import torch
from torch import nn
from torchaudio.functional import rnnt_loss


class Transducer(nn.Module):
    def __init__(self, o):
        super().__init__()
        width = o["width"]
        self.encoder = nn.LSTM(o["features"], width, batch_first=True)
        self.embedding = nn.Embedding(o["vocabulary"], width)
        self.prediction = nn.LSTM(width, width, batch_first=True)
        self.join_frames, self.join_tokens = nn.Linear(width, width), nn.Linear(width, width, bias=False)
        self.output = nn.Linear(width, o["vocabulary"])

    def forward(self, x, ids):
        frames = self.join_frames(self.encoder(x)[0])
        tokens = self.join_tokens(self.prediction(self.embedding(nn.functional.pad(ids, (1, 0), value=1)))[0])
        return self.output(torch.tanh(frames[:, :, None] + tokens[:, None]))


def mib(what):
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith(what)) / 1024


def main():
    o = json.loads(sys.stdin.readline())
    if o["threads"]:
        torch.set_num_threads(o["threads"])
    torch.manual_seed(1)
    model = Transducer(o)
    optimizer = torch.optim.SGD(model.parameters(), 1e-3)
    x = torch.randn(o["batch"], o["frames"], o["features"])
    ids = torch.randint(4, o["vocabulary"], (o["batch"], o["labels"]), dtype=torch.int32)
    sizes = [torch.full((o["batch"],), o[name], dtype=torch.int32) for name in ("frames", "labels")]
    before = mib("VmRSS:")
    print(json.dumps({"weights": sum(p.numel() for p in model.parameters())}), flush=True)
    for line in sys.stdin:
        start, cpu, updates = time.monotonic(), time.process_time(), 0
        while time.monotonic() - start < float(line) or not updates:
            optimizer.zero_grad()
            rnnt_loss(model(x, ids), ids, *sizes, blank=0).backward()
            optimizer.step()
            updates += 1
        print(json.dumps({"updates": updates, "cpu_seconds": time.process_time() - cpu, "mib": mib("VmHWM:") - before}), flush=True)


if __name__ == "__main__":
    main()
