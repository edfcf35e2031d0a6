"""An estimate of the memory a training run needs, from its declaration alone."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

from seqcfg.plan.declaration import Declaration
from seqcfg.plan.graph_size import num_operations
from seqcfg.plan.kept import kept
from seqcfg.plan.table import total
from seqcfg.plan.walk import Batch

BYTES = 4  # weights, gradients and optimizer slots are float32 wherever they are stored; so is what layers keep, nearly always
MIB = 2**20

# Measured with TensorFlow 2.21 on Linux, x86-64, glibc, 2 cores (docs/decisions/0220); `bin/bench memory` compares the sum with a process.
PROCESS = 525 * MIB  # Python with TensorFlow imported: pages of its libraries for the most part
PER_OPERATION = 26.5 * 1024  # of a graph that was traced, optimised and run once, with the kernels that it made
UPDATE = 3.5  # times the trained weights while they are updated: gradients, their means, and new values in the making
HOLES = 0.05  # of tensors: memory between them that the allocator holds and nothing fits into
LETTERS_PER_SECOND = 10  # of speech; what is written is not bounded by data.batching


@dataclasses.dataclass(frozen=True)
class Memory:
    """All in bytes, of one process that trains, validation and decoding left out.

    process      what Python and TensorFlow hold before anything is built
    graph        what the traced step takes
    weights, slots, masks, averages  what stays from step to step
    activations  what layers and the loss keep for their gradients, for the largest batch
    work         besides, in the layer or loss at work, with sums of gradients where batches are added up
    update       while weights are changed, when activations are gone
    checkpoint, checkpoints  on disk: one, and all that are kept
    """

    process: int
    graph: int
    weights: int
    slots: int
    masks: int
    averages: int
    activations: int
    work: int
    update: int
    checkpoint: int
    checkpoints: int

    @property
    def state(self) -> int:
        """What stays from step to step."""
        return self.weights + self.slots + self.masks + self.averages

    @property
    def peak(self) -> int:
        """The most that the process holds at once."""
        tensors = self.state + max(self.activations + self.work, self.update)
        return self.process + self.graph + round((1 + HOLES) * tensors)


def of_recipe(recipe: Any, declaration: Declaration, batch: Batch | None = None) -> Memory:
    """The memory of a run with a recipe's optimizer, checkpoints and its largest batch, or the one that is given.

    What the recipe leaves open counts as nothing.
    """
    training = recipe.training
    optimizer, checkpointing = getattr(training, "optimizer", None), getattr(training, "checkpoint", None)
    pruned = {path for one in getattr(training, "pruning", ()) for path in one.paths(declaration)}
    masks = sum(weight.size for weight in declaration.all_weights() if weight.path in pruned)
    size, trained = total(declaration), total(declaration, only_trainable=True)
    slots = num_kept(optimizer, declaration) if optimizer is not None else 0
    averages = size if getattr(training, "ema_decay", None) or getattr(training, "weight_averaging", None) is not None else 0
    batch = batch or largest_batch(recipe)
    again = tuple(getattr(training, "rematerialized", ()))
    found = kept(declaration, batch, again) if batch is not None else None
    sums = trained if getattr(training, "accumulate_batches", 1) > 1 else 0
    checkpoint = BYTES * (size + slots + averages) + masks
    return Memory(
        process=PROCESS,
        graph=round(PER_OPERATION * num_operations(declaration, again)),
        weights=BYTES * size,
        slots=BYTES * slots,
        masks=masks,
        averages=BYTES * averages,
        activations=round(BYTES * found.numbers) if found is not None else 0,
        work=round(BYTES * (found.at_work + sums)) if found is not None else 0,
        update=round(BYTES * UPDATE * trained),
        checkpoint=checkpoint,
        checkpoints=checkpoint * (getattr(checkpointing, "keep_last", 0) + getattr(checkpointing, "keep_best", 0)),
    )


def largest_batch(recipe: Any) -> Batch | None:
    """The batch of the longest examples that are trained on, of which activations are the most; None where the recipe does not bound it."""
    batching = getattr(recipe.data, "batching", None)
    return None if batching is None else batch_of(recipe.task, batching.max_tokens // batching.max_length, batching.max_length)


def batch_of(task: Any, rows: int, length: int) -> Batch:
    """`rows` examples of `length` positions, of sound where the task hears; what is said in it is then as long as usual."""
    audio = task.features().get("audio")
    if audio is None:
        return Batch(rows, length, length)
    samples = length * audio.unit
    return Batch(rows, samples, max(1, round(LETTERS_PER_SECOND * samples / task.sample_rate_hz)))


def num_kept(optimizer: Any, declaration: Declaration) -> int:
    """Numbers that an optimizer keeps for all weights together."""
    weights = [weight for weight in declaration.all_weights() if weight.trainable]
    return sum(math.prod(slot.shape) for weight in weights for slot in optimizer.slots(weight.shape).values())


def batch_tokens(data: Any) -> int:
    """Positions of one batch, 0 where the recipe does not bound them."""
    return getattr(getattr(data, "batching", None), "max_tokens", None) or 0


def in_units(size: float) -> str:
    """`12345678` as 11.8 MiB."""
    for unit in ("B", "KiB", "MiB", "GiB"):
        if size < 1024 or unit == "GiB":
            break
        size /= 1024
    return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
