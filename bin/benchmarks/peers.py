#!/usr/bin/env python3
"""Other tools, measured in turns with ours: each in a process of its own that answers a line of JSON with a line of JSON."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any


def ask(process: Any, order: Any) -> dict[str, Any]:
    """What a peer answers to an order; ends the program where it gives no answer."""
    process.stdin.write(json.dumps(order) + "\n")
    process.stdin.flush()
    answer = process.stdout.readline()
    if not answer:
        raise SystemExit("a peer ended without an answer; its own message is above")
    return dict(json.loads(answer))


def in_turns(tools: dict[str, Callable[[float], Any]], turns: int, seconds: float) -> dict[str, list[Any]]:
    """What each tool measured in so many turns of `seconds`, after one of none that warms it up."""
    seen: dict[str, list[Any]] = {name: [] for name in tools}
    for turn in range(turns + 1):
        for name, run in tools.items():
            measured = run(seconds if turn else 0.0)
            if turn:
                seen[name].append(measured)
    return seen
