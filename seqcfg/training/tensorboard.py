"""Scalars for TensorBoard, without the tensorboard package."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from seqcfg.lazy import tf
from seqcfg.training.journal import Watcher


class ScalarWriter(Watcher):
    """Writes event files. A full disk silences it: curves are in records.jsonl, too, and must never stop training."""

    def __init__(self, folder: Path):
        self._folder = folder
        self._writer: Any = None
        self._is_silent = False

    def record(self, step: int, kind: str, values: dict[str, Any]) -> None:
        if kind != "event":
            self.write(step, {f"{kind}/{name}": value for name, value in values.items()})

    def write(self, step: int, scalars: dict[str, float]) -> None:
        """Appends one point per name."""
        if self._is_silent:
            return
        try:
            self._writer = self._writer or tf.summary.create_file_writer(str(self._folder))
            with self._writer.as_default(step=step):
                for name, value in scalars.items():
                    tf.summary.write(name, tf.constant(value, tf.float32), metadata=_scalar_metadata())
            self._writer.flush()
        except (OSError, tf.errors.OpError):
            self._is_silent = True


def _scalar_metadata() -> bytes:
    """A serialised SummaryMetadata {plugin_data {plugin_name: "scalars"}, data_class: DATA_CLASS_SCALAR}."""
    plugin = b"\x0a\x07scalars"
    return b"\x0a" + bytes([len(plugin)]) + plugin + b"\x20\x01"
