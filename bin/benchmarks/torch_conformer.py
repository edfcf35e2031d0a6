#!/usr/bin/env python3
"""A plain PyTorch Conformer that trains: run by a Python that has torch, told its sizes by one JSON line.

The same network as recipes/bases/conformer.yaml, written as its users would: torch's own layers, attention by distance
as in ESPnet. Each further line of standard input is a number of seconds; the answer is {"updates", "cpu_seconds", "seconds"}.
"""

from __future__ import annotations

import json
import math
import sys
import time

import torch
from torch import nn
from torch.nn import functional as F


class RelativeAttention(nn.Module):
    def __init__(self, width, heads, dropout):
        super().__init__()
        self.heads, self.size = heads, width // heads
        self.query, self.key, self.value, self.output = (nn.Linear(width, width) for _ in range(4))
        self.distance = nn.Linear(width, width, bias=False)
        self.u, self.v = (nn.Parameter(nn.init.xavier_uniform_(torch.empty(heads, self.size))) for _ in range(2))
        self.dropout = nn.Dropout(dropout)

    def forward(self, x, distances):
        batch, time, width = x.shape
        q, k, v = (part(x).view(batch, time, self.heads, self.size) for part in (self.query, self.key, self.value))
        r = self.distance(distances).view(1, -1, self.heads, self.size).transpose(1, 2)
        by_content = (q + self.u).transpose(1, 2) @ k.permute(0, 2, 3, 1)
        by_distance = shifted((q + self.v).transpose(1, 2) @ r.transpose(2, 3))
        weights = self.dropout(torch.softmax((by_content + by_distance) / math.sqrt(self.size), -1))
        return self.output((weights @ v.transpose(1, 2)).transpose(1, 2).reshape(batch, time, width))


def shifted(x):
    batch, heads, time, count = x.shape
    padded = torch.cat([x.new_zeros(batch, heads, time, 1), x], -1).view(batch, heads, count + 1, time)
    return padded[:, :, 1:].reshape(batch, heads, time, count)[..., :time]


def signal(time, width):
    positions = torch.arange(time - 1, -time, -1.0)[:, None]
    angles = positions * torch.exp(torch.arange(0, width, 2) * (-math.log(10000.0) / width))
    return torch.cat([torch.sin(angles), torch.cos(angles)], -1)[None]


def half_step(width, hidden, dropout):
    return nn.Sequential(
        nn.LayerNorm(width), nn.Linear(width, hidden), nn.SiLU(), nn.Dropout(dropout), nn.Linear(hidden, width), nn.Dropout(dropout)
    )


class Block(nn.Module):
    def __init__(self, width, hidden, heads, kernel, dropout):
        super().__init__()
        self.first, self.last = half_step(width, hidden, dropout), half_step(width, hidden, dropout)
        self.attention_norm, self.attention = nn.LayerNorm(width), RelativeAttention(width, heads, dropout)
        self.convolution_norm, self.out_norm, self.dropout = nn.LayerNorm(width), nn.LayerNorm(width), nn.Dropout(dropout)
        self.convolution = nn.Sequential(
            nn.Conv1d(width, 2 * width, 1), nn.GLU(dim=1),
            nn.Conv1d(width, width, kernel, padding=kernel // 2, groups=width, bias=False), nn.BatchNorm1d(width), nn.SiLU(),
            nn.Conv1d(width, width, 1),
        )  # fmt: skip

    def forward(self, x, distances):
        x = x + 0.5 * self.first(x)
        x = x + self.dropout(self.attention(self.attention_norm(x), distances))
        x = x + self.dropout(self.convolution(self.convolution_norm(x).transpose(1, 2)).transpose(1, 2))
        return self.out_norm(x + 0.5 * self.last(x))


class Conformer(nn.Module):
    def __init__(self, o):
        super().__init__()
        width, channels = o["width"], o["channels"]
        self.subsampling = nn.Sequential(nn.Conv2d(1, channels, 3, 2, 1), nn.ReLU(), nn.Conv2d(channels, channels, 3, 2, 1), nn.ReLU())
        self.narrow = nn.Sequential(nn.Linear(channels * -(-o["features"] // 4), width), nn.Dropout(o["dropout"]))
        self.blocks = nn.ModuleList(Block(width, o["hidden"], o["heads"], o["kernel_size"], o["dropout"]) for _ in range(o["blocks"]))
        self.output = nn.Linear(width, o["classes"])

    def forward(self, x):
        y = self.subsampling(x[:, None])  # [batch, channels, time, frequency]
        y = self.narrow(y.permute(0, 2, 3, 1).flatten(2))
        distances = signal(y.shape[1], y.shape[2])
        for block in self.blocks:
            y = block(y, distances)
        return self.output(y)


def main() -> None:
    order = json.loads(sys.stdin.readline())
    if order["threads"]:
        torch.set_num_threads(order["threads"])
    torch.manual_seed(1)
    model = Conformer(order)
    optimizer = torch.optim.Adam(model.parameters(), 1e-4)
    x = torch.randn(order["batch"], order["frames"], order["features"])
    labels = torch.randint(order["classes"], (order["batch"], -(-order["frames"] // 4)))
    print(json.dumps({"weights": sum(p.numel() for p in model.parameters())}), flush=True)
    for line in sys.stdin:
        start, cpu, updates = time.monotonic(), time.process_time(), 0
        while time.monotonic() - start < float(line) or not updates:
            optimizer.zero_grad()
            F.cross_entropy(model(x).flatten(0, 1), labels.flatten()).backward()
            optimizer.step()
            updates += 1
        print(json.dumps({"updates": updates, "cpu_seconds": time.process_time() - cpu, "seconds": time.monotonic() - start}), flush=True)


if __name__ == "__main__":
    main()
