"""SavedModel: TensorFlow's own format, with tokenizer and search inside."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from seqcfg.component.component import param
from seqcfg.component.kinds import Exporter
from seqcfg.component.types import PositiveInt
from seqcfg.export.graph import exported_module
from seqcfg.export.reload import reload_and_decode
from seqcfg.lazy import tf


class SavedModel(Exporter, type="saved_model"):
    """A directory that TensorFlow, TensorFlow Serving and tensorflow-text users load without seqcfg.

    Signatures, all with any number of rows: `serving_default` takes strings [n] and gives `text` [n] and `scores` [n];
    `ids` takes the task's own tensors (`source` [n, time], `source_length` [n]) and gives `ids` [n, n_best, time],
    `lengths` and `scores` [n, n_best]. Without the tokenizer `serving_default` is `ids`.
    """

    version: PositiveInt = param(default=1, doc="Number of the version folder that model servers look for.")
    include_tokenizer: bool = param(default=True, doc="Whether texts are taken and given; that needs tensorflow-text where the model runs.")

    def write(self, trained: Any, folder: Path) -> dict[str, Any]:
        """Writes the artefact into a new folder; returns {signature: {"inputs", "outputs": {name: [dtype, shape]}}}."""
        module, signatures = exported_module(trained, self.include_tokenizer)
        tf.saved_model.save(module, str(folder), signatures=signatures)
        return {name: _described(signature) for name, signature in signatures.items()}

    def decode(self, folder: Path, lines: list[str], batch_size: int) -> list[str] | None:
        """What the artefact gives for these lines in a process without seqcfg; None where it takes no text."""
        return reload_and_decode(folder, lines, batch_size) if self.include_tokenizer else None


def _described(signature: Any) -> dict[str, Any]:
    def specs(tensors: dict[str, Any]) -> dict[str, Any]:
        return {name: [tensor.dtype.name, list(tensor.shape)] for name, tensor in tensors.items()}

    positional, named = signature.structured_input_signature
    return {"inputs": specs({one.name: one for one in positional} | named), "outputs": specs(signature.structured_outputs)}
