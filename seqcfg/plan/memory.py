"""An estimate of the memory a training run needs, from its declaration alone."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

from seqcfg.plan.declaration import Declaration
from seqcfg.plan.positions import lengths_of
from seqcfg.plan.table import total

BYTES = 4  # weights, gradients and optimizer slots are float32 wherever they are stored


@dataclasses.dataclass(frozen=True)
class Memory:
    """All in bytes. `activations` is a lower bound: outputs of the declared layers for one batch.

    What a layer keeps inside (attention scores, gates, dropout masks), the logits, the library's own work space and
    the input pipeline come on top.
    """

    weights: int
    gradients: int
    slots: int
    masks: int
    activations: int
    checkpoint: int
    checkpoints: int

    @property
    def training(self) -> int:
        """What a training step holds at least."""
        return self.weights + self.gradients + self.slots + self.masks + self.activations


def estimate(
    declaration: Declaration, *, slots: int, batch_tokens: int, kept_checkpoints: int, positions: dict[str, int] | None = None,
    masks: int = 0,
) -> Memory:  # fmt: skip
    """The memory of a run whose optimizer keeps `slots` numbers in all, with batches of `batch_tokens` positions.

    masks: entries of weights of which is kept whether they were pruned, in a byte each.

    positions {path: how many a layer passes on} where these differ; layers that are not in it do not count then.
    """
    default = batch_tokens if positions is None else 0
    numbers = [(positions or {}).get(node.path, default) * _width(node) for node in declaration.nodes()]
    size, trained = total(declaration), total(declaration, only_trainable=True)
    checkpoint = BYTES * (size + slots) + masks
    return Memory(
        weights=BYTES * size,
        gradients=BYTES * trained,
        slots=BYTES * slots,
        masks=masks,
        activations=BYTES * sum(numbers),
        checkpoint=checkpoint,
        checkpoints=checkpoint * kept_checkpoints,
    )


def of_recipe(recipe: Any, declaration: Declaration) -> Memory:
    """The memory of a run with a recipe's optimizer, batches and checkpoints; what it leaves open counts as nothing."""
    optimizer, checkpointing = getattr(recipe.training, "optimizer", None), getattr(recipe.training, "checkpoint", None)
    pruned = {path for one in getattr(recipe.training, "pruning", ()) for path in one.paths(declaration)}
    tokens, is_heard = batch_tokens(recipe.data), "front_end" in declaration.children
    return estimate(
        declaration,
        slots=num_kept(optimizer, declaration) if optimizer is not None else 0,
        batch_tokens=tokens,
        positions=lengths_of(declaration, tokens * recipe.task.features()["audio"].unit) if is_heard else None,
        masks=sum(weight.size for weight in declaration.all_weights() if weight.path in pruned),
        kept_checkpoints=getattr(checkpointing, "keep_last", 0) + getattr(checkpointing, "keep_best", 0),
    )


def num_kept(optimizer: Any, declaration: Declaration) -> int:
    """Numbers that an optimizer keeps for all weights together."""
    weights = [weight for weight in declaration.all_weights() if weight.trainable]
    return sum(math.prod(slot.shape) for weight in weights for slot in optimizer.slots(weight.shape).values())


def batch_tokens(data: Any) -> int:
    """Positions of one batch, 0 where the recipe does not bound them."""
    return getattr(getattr(data, "batching", None), "max_tokens", None) or 0


def _width(node: Declaration) -> int:
    """Numbers per position that a leaf layer passes on; a parent's output is that of its last child."""
    if node.children or node.output is None:
        return 0
    return math.prod(node.output) if isinstance(node.output, tuple) else int(node.output)


def in_units(size: float) -> str:
    """`12345678` as 11.8 MiB."""
    for unit in ("B", "KiB", "MiB", "GiB"):
        if size < 1024 or unit == "GiB":
            break
        size /= 1024
    return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
