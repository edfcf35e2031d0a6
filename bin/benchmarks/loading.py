"""What loaders are compared with: the training step that reads their batches, and other systems' pipelines on the same pieces."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

RESERVED = ("<blank>", "<s>", "</s>")  # what OpenNMT-tf's vocabularies begin with


def training(experiment: Any, batches: Any) -> Callable[[], dict[str, float]]:
    """One call is a few updates of the recipe's own step on these batches; tokens are real ones of all features, as a loader's."""
    from seqcfg.lazy import tf
    from seqcfg.training.state import create_state
    from seqcfg.training.step import TrainingStep

    settings = experiment.recipe.training
    state = create_state(experiment.declaration, settings)
    step = TrainingStep(experiment.recipe.task, experiment.declaration, settings, state)
    iterator = iter(batches)

    def call() -> dict[str, float]:
        seen = step.run(iterator, tf.constant(settings.steps_per_call))
        return {"batches": float(settings.steps_per_call), "tokens": float(seen["tokens"])}

    return call


class Peer:
    """A process of another Python that makes batches of the same texts; `window(seconds)` is what it made in so long."""

    def __init__(self, script: str, python: str, experiment: Any, prepared: Any, folder: Path, *more: str):
        recipe, columns = experiment.recipe, prepared.splits[experiment.recipe.data.training_split]
        for side in ("source", "target"):
            codec = prepared.codecs[getattr(recipe.task, f"{side}_tokenizer")]
            lengths = columns.lengths(side)
            with open(folder / side, "w", encoding="utf-8") as file:
                for number, length in enumerate(lengths):
                    pieces = codec.tokens(columns.gather(side, [number], int(length))[0][:-1])  # without the end id
                    file.write(" ".join(pieces) + "\n")
            names = [*RESERVED, *dict.fromkeys(codec.tokens(range(4, codec.vocabulary)))]
            (folder / f"{side}.vocabulary").write_text("".join(f"{name}\n" for name in names), encoding="utf-8")
        batching = recipe.data.batching
        command = [
            python,
            str(Path(__file__).with_name(script)),
            str(folder),
            str(batching.max_tokens),
            str(batching.max_length),
            *more,
        ]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        self.about = self._answer()

    def window(self, seconds: float) -> dict[str, float]:
        print(seconds, file=self._process.stdin, flush=True)
        return self._answer()

    def close(self) -> None:
        self._process.communicate()  # the end of its input ends it

    def _answer(self) -> Any:
        line = self._process.stdout.readline()  # type: ignore[union-attr]
        if not line:
            sys.exit(f"the peer ended with code {self._process.wait()}; run it by hand: {' '.join(map(str, self._process.args))}")
        return json.loads(line)
