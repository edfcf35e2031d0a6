"""What TensorBoard shows of a run."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from seqcfg.lazy import np, tf
from seqcfg.training.journal import Watcher
from seqcfg.training.trackers.about import About
from seqcfg.training.watching import Watching


class TensorBoard(Watcher):
    """Writes event files: figures, decoded samples, pictures of attention, histograms where wanted, and HParams.

    A full disk silences it: curves are in records.jsonl, too, and must never stop training.
    """

    def __init__(self, folder: Path, settings: Watching | None = None, about: About | None = None):
        self._folder, self._settings, self._about = folder, settings or Watching(), about
        self._writer: Any = None
        self._is_silent = False

    def record(self, step: int, kind: str, values: dict[str, Any]) -> None:
        if kind != "event":
            numbers = {f"{kind}/{name}": value for name, value in values.items() if isinstance(value, (int, float))}
            self._write(step, lambda: _write_scalars(numbers))

    def samples(self, step: int, samples: list[dict[str, str]]) -> None:
        if shown := samples[: self._settings.num_samples]:
            rows = [" | ".join(shown[0]), " | ".join("---" for _ in shown[0])]
            rows += [" | ".join(text.replace("|", "\\|").replace("\n", " ") for text in sample.values()) for sample in shown]
            self._write(step, lambda: tf.summary.text("samples", "\n".join(rows)))

    def pictures(self, step: int, pictures: dict[str, Any]) -> None:
        """{name: [height, width] between 0 and 1}."""
        self._write(step, lambda: [tf.summary.image(name, array[None, :, :, None]) for name, array in pictures.items()])

    def weights(self, step: int, weights: dict[str, Any]) -> None:
        if self._settings.histograms:
            self._write(step, lambda: [tf.summary.histogram(f"weights/{path}", value) for path, value in weights.items()])

    def close(self) -> None:
        if self._writer is not None:
            self._write(0, self._writer.close, flush=False)

    def _write(self, step: int, write: Callable[[], object], flush: bool = True) -> None:
        if self._is_silent:
            return
        try:
            if self._writer is None:
                self._writer = tf.summary.create_file_writer(str(self._folder))
                self._describe()
            with self._writer.as_default(step=step):
                write()
            if flush:
                self._writer.flush()
        except (OSError, tf.errors.OpError):
            self._is_silent = True

    def _describe(self) -> None:
        if self._about is None:
            return
        from tensorboard.plugins.hparams import summary_v2

        parameters = {name: value for name, value in self._about.hyperparameters().items() if value != ""}
        summary = summary_v2.hparams_pb(parameters, trial_id=self._about.identity)
        with self._writer.as_default(step=0):
            tf.summary.experimental.write_raw_pb(summary.SerializeToString())


class AttentionPictures:
    """Draws, for the first example of a batch, how each head of each layer attends to the memory."""

    def __init__(self, experiment: Any, batch: dict[str, Any]):
        self._experiment = experiment
        self._batch = {name: tf.constant(value[:1]) for name, value in batch.items()}
        self._traced: Any = None

    def __call__(self, weights: dict[str, Any]) -> dict[str, Any]:
        """{name: float32 [heads * (query + 1), source]}, heads below one another; empty for models without a memory."""
        if self._traced is None:
            self._traced = tf.function(lambda: self._look(weights), autograph=False)
        return {f"attention/{path}": _stacked(array.numpy()[0]) for path, array in self._traced().items()}

    def _look(self, weights: dict[str, Any]) -> dict[str, Any]:
        from seqcfg.layers.create import view

        recipe, seen = self._experiment.recipe, dict[str, Any]()
        w = view(self._experiment.declaration, weights, dtype=recipe.training.precision, watched=seen)
        recipe.task.losses(w, self._batch)
        return {path: tf.cast(value, tf.float32) for path, value in seen.items()}


def _stacked(heads: Any) -> Any:
    """[heads, query, source] -> one picture with a white line below each head; the darkest is the largest weight."""
    scaled = 1.0 - heads / max(float(heads.max()), 1e-9)
    return np.concatenate([np.concatenate([head, np.ones([1, head.shape[1]], np.float32)]) for head in scaled])


def _write_scalars(numbers: dict[str, float]) -> None:
    for name, value in numbers.items():
        tf.summary.write(name, tf.constant(value, tf.float32), metadata=_scalar_metadata())


def _scalar_metadata() -> bytes:
    """A serialised SummaryMetadata {plugin_data {plugin_name: "scalars"}, data_class: DATA_CLASS_SCALAR}."""
    plugin = b"\x0a\x07scalars"
    return b"\x0a" + bytes([len(plugin)]) + plugin + b"\x20\x01"
