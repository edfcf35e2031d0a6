"""TFLite (LiteRT): one file for phones and small machines, with search, or step by step with explicit caches."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

from seqcfg.component.component import param
from seqcfg.component.kinds import Exporter
from seqcfg.component.types import PositiveInt
from seqcfg.errors import UserError
from seqcfg.export.client_facts import client_facts, tokenizer_misfits, write_facts
from seqcfg.export.graph import described
from seqcfg.export.obstacles import of_components, of_decoding
from seqcfg.export.operators import operators_of
from seqcfg.export.precisions import of_precision
from seqcfg.export.sample import Sample
from seqcfg.export.tflite_convert import convert
from seqcfg.export.tflite_graph import INTEGERS, Precision, signatures_of
from seqcfg.export.tolerance import Tolerance

MODEL = "model.tflite"
TOLERANCES = {
    "float32": Tolerance(identical_share=0.98),
    "float16": Tolerance(identical_share=0.9, score_difference=0.05, metric_loss=0.5),
    "dynamic_int8": Tolerance(identical_share=0.6, score_difference=0.3, metric_loss=1.0),
    "int8": Tolerance(identical_share=0.3, score_difference=1.0, metric_loss=2.0),
    "int16x8": Tolerance(identical_share=0.6, score_difference=0.3, metric_loss=1.0),
}


class TFLite(Exporter, type="tflite"):
    """A folder with model.tflite, the tokenizers' files and model.json, which says how to use them; runs under ai-edge-litert.

    Signatures, of one sentence or sound each: `decode` takes the task's ids, or `audio` [1, samples] and `audio_length` [1], and
    gives `ids` [1, n_best, time], `lengths` and `scores`; `encode` gives the state of a search and `step` takes it with `tokens`
    [rows] and gives `logits` [rows, vocabulary] and the caches as explicit tensors; for a search over frames, `frames` gives what it
    reads. dynamic_int8 keeps weights in 8 bits, with a scale for each row, and rounds activations as they come; int8 fixes their
    ranges by sample texts, so that every product of a layer is one of integers, and leaves sums, normalisation and softmax in
    floating point; int16x8 does so with activations of 16 bits, for
    matrices with one scale.
    """

    version: PositiveInt = param(default=1, doc="Number of the version folder.")
    precision: Precision = param(default="float32", doc="How numbers are kept and multiplied.")
    include_search: bool = param(default=True, doc="Whether the recipe's search is in the file, as the signature decode.")
    allow_flex: bool = param(default=False, doc="Whether operators of TensorFlow may be used, which need a runtime of its size.")
    integer_layers: list[str] = param(
        factory=lambda: ["*"],
        doc="Of int8 and int16x8: patterns of layer paths whose products are integers, such as model/encoder/*; the rest is float.",
    )
    num_representative: PositiveInt = param(default=100, doc="Training examples that show int8 and int16x8 the ranges of activations.")
    tolerance: Tolerance | None = param(
        default=None, doc="How far the model may be from the run; null takes what is usual for the precision.", affects="nothing"
    )

    def check(self) -> Iterator[tuple[str, str, str]]:
        if self.allow_flex and self.precision in INTEGERS:
            yield "allow_flex", f"{self.precision} is for machines that have no TensorFlow", "leave it out"

    @property
    def label(self) -> str:
        return f"tflite-{self.precision}"

    @property
    def bounds(self) -> Tolerance:
        return self.tolerance or TOLERANCES[self.precision]

    @property
    def takes_sounds(self) -> bool:
        return True

    @property
    def client(self) -> str:
        return "" if self.allow_flex else "tflite"

    @classmethod
    def variant(cls, name: str) -> Any:
        return of_precision(cls, name, get_args(Precision))

    def obstacles_in(self, recipe: Any, declaration: Any) -> Iterator[Any]:
        yield from tokenizer_misfits(recipe, declaration)
        if not hasattr(recipe.task, "encode_pairs"):
            yield declaration.misfit(f"a {recipe.task.type} task cannot be exported to TFLite", "export it as saved_model", "type")
        yield from of_decoding(recipe) if self.allow_flex else of_components(recipe, declaration, self.type)

    def write(self, trained: Any, folder: Path, sample: Sample) -> dict[str, Any]:
        """Writes the artefact into a new folder; returns {signature: {"inputs", "outputs": {name: [dtype, shape]}}}."""
        about = client_facts(trained)
        is_shown = self.precision in INTEGERS and not getattr(trained.experiment.recipe.quantisation, "aware", None)
        pairs = list(sample.representative(self.num_representative)) if is_shown else []
        if is_shown and not pairs:
            raise UserError(
                f"{self.precision} needs examples that show the ranges of activations", hint="export where the training data is"
            )
        module, signatures = signatures_of(trained, self.precision, self.include_search, pairs, tuple(self.integer_layers))
        with tempfile.TemporaryDirectory() as place:
            data = convert(module, signatures, self.precision, self.allow_flex, place)
        folder.mkdir(parents=True)
        (folder / MODEL).write_bytes(data)
        write_facts(about, trained, folder)
        return {name: described(signature) for name, signature in signatures.items()}

    def figures(self, folder: Path) -> dict[str, float]:
        """The shares of multiply-adds on integers, and how many operators there are."""
        found = operators_of((folder / MODEL).read_bytes())
        shares = {"int8_share": found.multiplied.share, "hybrid_int8_share": found.multiplied.hybrid_share}
        return shares | {"operators": float(sum(found.operators.values()))}
