"""ONNX: the format that most engines read, of CPUs, GPUs and browsers; made by tf2onnx and proved by onnxruntime."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from seqcfg.component.component import param
from seqcfg.component.kinds import Exporter
from seqcfg.component.types import PositiveInt
from seqcfg.export.client_facts import client_facts, tokenizer_misfits, write_facts
from seqcfg.export.graph import described
from seqcfg.export.obstacles import of_components
from seqcfg.export.sample import Sample
from seqcfg.export.tolerance import Tolerance

FILES = {"decode": "model.onnx", "encode": "encode.onnx", "step": "step.onnx", "frames": "frames.onnx", "score": "score.onnx"}


class Onnx(Exporter, type="onnx"):
    """A folder with a model per signature, their common weights, the tokenizers' files and model.json, which says how to use them.

    `model.onnx` holds the whole search: from the task's ids, or from `audio` [n, samples] and `audio_length` [n], to `ids` [n,
    n_best, time], `lengths` and `scores` [n, n_best]. `encode.onnx` gives the state of a search, and `step.onnx` takes it with
    `tokens` [rows] and gives `logits` [rows, vocabulary] and the caches as explicit tensors, `next_` before their names; of searches
    over frames there is `frames.onnx` instead, with their `scores` [n, frames, vocabulary]. Of models that read texts `score.onnx`
    takes `target` [n, time] and `target_length` [n], too, and gives `log_probabilities` [n] and those of single tokens.
    """

    version: PositiveInt = param(default=1, doc="Number of the version folder.")
    include_search: bool = param(default=True, doc="Whether the recipe's search is there, as model.onnx.")
    tolerance: Tolerance = param(
        factory=lambda: Tolerance(identical_share=0.98), doc="How far the model may be from the run.", affects="nothing"
    )

    @property
    def bounds(self) -> Tolerance:
        return self.tolerance

    @property
    def client(self) -> str:
        return "onnx_model"

    @property
    def takes_sounds(self) -> bool:
        return True

    def obstacles_in(self, recipe: Any, declaration: Any) -> Iterator[Any]:
        yield from tokenizer_misfits(recipe, declaration)
        if not hasattr(recipe.task, "encode_pairs"):
            yield declaration.misfit(f"a {recipe.task.type} task cannot be exported to ONNX", "export it as saved_model", "type")
        yield from of_components(recipe, declaration, self.type)

    def write(self, trained: Any, folder: Path, sample: Sample) -> dict[str, Any]:
        """Writes the artefact into a new folder; returns {signature: {"inputs", "outputs": {name: [dtype, shape]}}}."""
        from seqcfg.export.onnx_convert import converted
        from seqcfg.export.onnx_files import write_models
        from seqcfg.export.onnx_graph import signatures_of

        about = client_facts(trained)
        module, signatures = signatures_of(trained, self.include_search)
        models = {FILES[name]: converted(signature, name) for name, signature in signatures.items()}
        del module  # what is written is copied
        folder.mkdir(parents=True)
        write_models(models, folder)
        write_facts(about, trained, folder)
        return {name: _described(signature) for name, signature in signatures.items()}


def _described(signature: Any) -> dict[str, Any]:
    """As the graph's, with the outputs as the model names them."""
    from seqcfg.export.onnx_convert import output_name

    found = described(signature)
    return found | {"outputs": {output_name(name, found["inputs"]): tensor for name, tensor in found["outputs"].items()}}
