"""Statistics of prepared data that layers of a front end begin with: mean and deviation of features over the corpus."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from seqcfg.data.columns import Columns
from seqcfg.data.progress import Progress
from seqcfg.layers.audio.feature_normalization import MEASURED
from seqcfg.layers.create import initial_value, view
from seqcfg.layers.sequence import Sequence
from seqcfg.lazy import np, tf
from seqcfg.recipe.canonical import canonical
from seqcfg.runs.durable import write_file

FOLDER = "statistics"
UTTERANCES_AT_ONCE = 8


def statistics(experiment: Any, folder: Path, splits: dict[str, Columns], progress: Progress) -> dict[str, Any]:
    """{weight path: float32 array} for every layer that takes moments of the corpus.

    They lie in the prepared folder under an address that is made from the front end, and are computed once. Layers are
    measured in their order, each behind those before it. TensorFlow is loaded only where something is computed.
    """
    found: dict[str, Any] = {}
    task = experiment.recipe.task
    if not hasattr(task, "front_end"):
        return found
    declaration = experiment.declaration
    nodes = [node for node in declaration.nodes() if getattr(node.component, "takes_moments", False) and node.weights]
    for node in nodes:
        address = hashlib.sha256(json.dumps([node.path, canonical(task.front_end)], sort_keys=True).encode()).hexdigest()
        file = folder / FOLDER / f"{address[:16]}.json"
        if not file.exists():
            columns = [splits[name] for name in experiment.recipe.data.trained_on]
            told = _moments(task, declaration, node, found, columns, progress)
            file.parent.mkdir(exist_ok=True)
            write_file(file, json.dumps(told))
        told = json.loads(file.read_text("utf-8"))
        found |= {f"{node.path}/{name}": np.array(told[name], np.float32) for name in ("mean", "deviation")}
    return found


def _moments(task: Any, declaration: Any, node: Any, known: dict[str, Any], columns: list[Columns], progress: Progress) -> dict[str, Any]:
    """{"mean", "deviation": one float per feature, "frames": how many} of what the layer at `node` is given.

    Sums of each batch are joined in float64 (Chan, Golub and LeVeque 1979, equation 2.1).
    """
    measure, count, mean, square = _measuring(task, declaration, node, known), 0, 0.0, 0.0
    total, done = min(node.component.num_utterances, sum(one.num_examples for one in columns)), 0
    for samples, lengths in _utterances(columns, total):
        values, mask = (one.numpy() for one in measure(samples, lengths))
        frames = values[mask].astype(np.float64)  # [frames, dim]
        if len(frames):
            joined, shift = count + len(frames), frames.mean(0) - mean
            square = square + ((frames - frames.mean(0)) ** 2).sum(0) + shift**2 * count * len(frames) / joined
            mean, count = mean + shift * len(frames) / joined, joined
        done += len(lengths)
        progress(f"statistics of {node.path}", done, total)
    if not count:
        return {"mean": [0.0] * node.output, "deviation": [1.0] * node.output, "frames": 0}
    return {"mean": mean.tolist(), "deviation": np.sqrt(square / count).tolist(), "frames": count}  # type: ignore[attr-defined]


def _measuring(task: Any, declaration: Any, node: Any, known: dict[str, Any]) -> Any:
    """(samples [batch, time], lengths [batch]) -> (values, mask) that reach the layer at `node`."""
    front = declaration.children["front_end"]
    tree = {
        weight.path: tf.constant(known[weight.path]) if weight.path in known else initial_value(weight, 0) for weight in front.all_weights()
    }

    @tf.function(autograph=False, input_signature=[tf.TensorSpec([None, None], tf.float32), tf.TensorSpec([None], tf.int32)])
    def measure(samples: Any, lengths: Any) -> Any:
        seen: list[Sequence] = []

        def look(path: str, what: str, value: Any) -> None:
            if path == node.path and what == MEASURED:
                seen.append(value)

        task.frames(view(declaration, tree, observer=look), samples, lengths)
        values = tf.cast(seen[0].values, tf.float32)
        return values, tf.sequence_mask(seen[0].lengths(), tf.shape(values)[1])

    return measure


def _utterances(columns: list[Columns], total: int) -> Iterator[tuple[Any, Any]]:
    """(samples float32 [rows, time], lengths int32 [rows]) of `total` utterances, evenly spread, those of like length together."""
    lengths = [one.lengths("audio") for one in columns]
    starts = np.cumsum([0, *map(len, lengths)])
    chosen = np.arange(total) * starts[-1] // total
    which = np.searchsorted(starts, chosen, "right") - 1
    for split, one in enumerate(columns):
        ids = chosen[which == split] - starts[split]
        ids = ids[np.argsort(lengths[split][ids], kind="stable")]
        for first in range(0, len(ids), UTTERANCES_AT_ONCE):
            rows = ids[first : first + UTTERANCES_AT_ONCE]
            sizes = lengths[split][rows]
            yield one.gather("audio", rows, max(1, int(sizes.max()))), sizes.astype(np.int32)
