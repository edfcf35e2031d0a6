"""Preview: what a training batch holds, in words."""

from __future__ import annotations

from typing import Any

from seqcfg.data.feature import Feature
from seqcfg.data.loader import Loader
from seqcfg.lazy import np

SHOWN_SEGMENTS = 12


def describe_batch(loader: Loader, codecs: dict[str, Any], number: int, rows: int) -> list[str]:
    """Lines about the run's batch `number`: its number in the plan, shapes, padding, and decoded text and lengths of its first rows."""
    batch, arrays = loader.plan.batch(number), loader.augmented(number)
    where = f", split {batch.split}" if batch.split else ""
    lines = [f"batch {batch.number}: epoch {batch.epoch}, bucket {batch.bucket}, {batch.num_examples} examples{where}"]
    for name, feature in loader.features.items():
        shape = "x".join(map(str, arrays[name].shape))
        if not feature.is_ragged:
            lines.append(f"  {name} {shape}")
            continue
        lengths = arrays[f"{name}_length"]
        steps, (height, width) = int(lengths.sum()), arrays[name].shape[:2]
        lines.append(f"  {name} {shape}: {steps:,} steps, {1 - steps / (height * width):.1%} padding")
    for row, examples in list(enumerate(batch.example_ids))[:rows]:
        if loader.plan.is_packed:
            lines += _packed_row(loader, codecs, arrays, row, examples[examples >= 0])
        else:
            lines.append(f"  example {examples}")
            lines += [_value(name, feature, codecs, arrays, row) for name, feature in loader.features.items()]
    return lines


def _value(name: str, feature: Feature, codecs: dict[str, Any], arrays: dict[str, Any], row: int) -> str:
    values = arrays[name][row]
    if feature.is_ragged:
        values = values[: int(arrays[f"{name}_length"][row])]
        if feature.tokenizer:
            return f"    {name} [{len(values)}] {codecs[feature.tokenizer].decode([values.tolist()])[0]}"
    numbers = np.asarray(values, np.float64)
    if numbers.size == 1:
        return f"    {name} {numbers.reshape(-1)[0]:g}"
    told = f"{numbers.min():.4g} to {numbers.max():.4g}, mean {numbers.mean():.4g}" if numbers.size else "nothing"
    return f"    {name} [{len(values)}] {told}"


def _packed_row(loader: Loader, codecs: dict[str, Any], arrays: dict[str, Any], row: int, examples: Any) -> list[str]:
    lines = [f"  row {row}: examples {', '.join(map(str, examples))}"]
    for name, feature in loader.features.items():
        segments = arrays[f"{name}_segments"][row]
        sizes = np.bincount(segments, minlength=len(examples) + 1)
        shown = " ".join(f"{number}:{size}" for number, size in enumerate(sizes[1 : SHOWN_SEGMENTS + 1], 1))
        lines.append(f"    {name} segments {shown}{' ...' if len(sizes) > SHOWN_SEGMENTS + 1 else ''}; padding {sizes[0]}")
        for number in range(1, min(len(examples), SHOWN_SEGMENTS) + 1):
            ids = arrays[name][row][segments == number].tolist()
            lines.append(f"      {number} [{len(ids)}] {codecs[feature.tokenizer].decode([ids])[0] if feature.tokenizer else ''}")
    return lines
