"""Threads the states of step-by-step use through layers that contain layers: nested dicts keyed by child name."""

from __future__ import annotations

from typing import Any


def start_each(views: dict[str, Any], sequence: Any, max_length: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """Starts every child; children without state leave no key, so that states hold tensors only."""
    fixed, moving = {}, {}
    for name, view in views.items():
        child_fixed, child_moving = view.start(sequence, max_length)
        if child_fixed:
            fixed[name] = child_fixed
        if child_moving:
            moving[name] = child_moving
    return fixed, moving


def step_child(name: str, view: Any, x: Any, fixed: Any, moving: Any, moved: dict[str, Any]) -> Any:
    """One position through the child `name`; writes its new state, if it has one, into `moved`; returns its result."""
    y, state = view.step(x, fixed.get(name, {}), moving.get(name, {}))
    if name in moving:
        moved[name] = state
    return y
