"""What may change when a run is continued."""

from __future__ import annotations

from typing import Any

from seqcfg.errors import Problem, UserError

# A run that is continued under other values of these is still the same run.
FREE = (
    "about", "base", "claims", "decoding", "evaluation", "export", "name", "sweep", "vars", "defaults",
    "data.corpora", "data.max_bad_examples",
    "training.steps", "training.max_minutes", "training.max_tokens", "training.max_epochs", "training.early_stopping",
    "training.grace_seconds", "training.non_finite", "training.roll_back", "training.watching", "training.steps_per_call",
    "training.log_every_steps", "training.checkpoint", "training.validation", "training.strategy",
)  # fmt: skip


def refuse_changes(before: dict[str, Any], now: dict[str, Any], folder: Any) -> None:
    """Raises UserError naming every field that a continued run may not change; both are canonical recipes."""
    changes = [(path, old, new) for path, old, new in differences(before, now) if not _is_free(path)]
    if not changes:
        return
    hint = "give the values the run was started with, or start another run with --run DIR"
    raise UserError(
        problems=tuple(
            Problem(path=path, message=f"{new!r} here, but the run in {folder} was started with {old!r}", hint=hint if last else "")
            for (path, old, new), last in zip(changes, [False] * (len(changes) - 1) + [True], strict=True)
        )
    )


def differences(one: Any, other: Any, path: str = "") -> list[tuple[str, Any, Any]]:
    """(path, value in one, value in other) of every leaf in which two plain trees differ; None where a side lacks it."""
    if isinstance(one, dict) and isinstance(other, dict):
        keys = sorted({*one, *other})
        return [d for key in keys for d in differences(one.get(key), other.get(key), f"{path}.{key}" if path else key)]
    if isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        return [d for index, pair in enumerate(zip(one, other, strict=True)) for d in differences(*pair, f"{path}.{index}")]
    return [] if one == other and type(one) is type(other) else [(path, one, other)]


def _is_free(path: str) -> bool:
    return any(path == free or path.startswith(free + ".") for free in FREE)
