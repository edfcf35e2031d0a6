"""Stands in for `seqcfg train` where a test is about the sweep: the same files, no tensors, a loss that follows from the recipe.

It imports nothing of seqcfg, so that a run takes a moment.
"""

import fcntl
import json
import re
import sys
from pathlib import Path


def loss_of(rate, seed, step):
    """Best at a rate of 0.01; seeds differ by less than rates do, and every step is better than the one before."""
    return abs(rate - 0.01) * 10 + 0.01 * (seed % 3) + 1.0 / step


def main(recipe, folder):
    text = recipe.read_text()
    name, rate, seed, steps = (
        re.search(pattern, text)[1] for pattern in (r"name: (.*)", r"value: ([\d.]+)", r"seed: (\d+)", r" steps: (\d+)")
    )
    if float(rate) > 1:
        sys.exit("the rate is too high")
    folder.mkdir(exist_ok=True)
    with open(folder / "lock", "a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        (folder / "recipe.yaml").write_text("")
        (folder / "resolved.yaml").write_text(text)
        losses = {step: loss_of(float(rate), int(seed), step) for step in range(1, int(steps) + 1)}
        lines = [json.dumps({"step": step, "kind": "validation", "loss": loss}) for step, loss in losses.items()]
        (folder / "records.jsonl").write_text("\n".join(lines) + "\n")
        index = map(json.loads, (folder.parents[1] / "index.jsonl").read_text().splitlines())
        prints = next(one["run"]["fingerprint"] for one in index if one["run"]["name"] == name)
        told = " ".join(f'{part}: "{value}"' for part, value in prints.items())
        attempt = f'attempts {{ outcome: "finished" last_step: {steps} }}'
        (folder / "manifest.textproto").write_text(f'format: 1 recipe_name: "{name}" fingerprints {{ {told} }} {attempt}\n')
    with open(folder.parents[1] / "made.jsonl", "a", encoding="utf-8") as file:
        file.write(json.dumps(name) + "\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[sys.argv.index("--run") + 1]))
