"""How long sequences become on their way through a model of sounds, told from its layers alone."""

from __future__ import annotations

import dataclasses
from typing import Any

from seqcfg.plan.declaration import Declaration


@dataclasses.dataclass(frozen=True)
class Frames:
    """What a front end makes of a sound of so many seconds: frames, their width, and what the model's encoder makes of them.

    `encoded` is None where the model has no encoder.
    """

    seconds: float
    samples: int
    frames: int
    width: Any
    encoded: int | None


def frames_of(task: Any, declaration: Declaration, seconds: float) -> Frames | None:
    """The frames of a task that has a front end; None for others."""
    front = declaration.children.get("front_end")
    if not isinstance(front, Declaration):
        return None
    samples = round(seconds * task.sample_rate_hz)
    lengths = lengths_of(declaration, samples)
    encoder = encoder_of(declaration)
    return Frames(seconds, samples, lengths[front.path], front.output, None if encoder is None else lengths[encoder.path])


def lengths_of(declaration: Declaration, samples: int) -> dict[str, int]:
    """{path of a layer: positions that it passes on} of the front end and the encoder, for a sound of `samples`."""
    found: dict[str, int] = {}
    front, encoder = declaration.children["front_end"], encoder_of(declaration)
    length = _follow(front, samples, found)  # type: ignore[arg-type] # one node
    if encoder is not None:
        _follow(encoder, length, found)
    return found


def encoder_of(declaration: Declaration) -> Declaration | None:
    """The node of the model's encoder, if it has one."""
    model = declaration.children.get("model")
    encoder = model.children.get("encoder") if isinstance(model, Declaration) else None
    return encoder if isinstance(encoder, Declaration) else None


def _follow(node: Declaration, length: int, found: dict[str, int]) -> int:
    """Notes what each layer passes on; children stand one after the other where they were declared as a chain."""
    for name, child in node.children.items():
        inside = length
        for one in child if isinstance(child, list) else [child]:
            passed = _follow(one, inside, found)
            inside = passed if name in node.chains else inside
    found[node.path] = passed = node.component.num_positions(length) if hasattr(node.component, "num_positions") else length
    return passed
