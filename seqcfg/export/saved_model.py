"""SavedModel: TensorFlow's own format, with tokenizer and search inside."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from seqcfg.component.component import param
from seqcfg.component.kinds import Exporter
from seqcfg.component.types import NonNegativeInt, PositiveInt
from seqcfg.export.client_facts import ABOUT, facts_of_sounds
from seqcfg.export.graph import described, exported_module
from seqcfg.export.obstacles import of_components
from seqcfg.export.sample import Sample
from seqcfg.export.tolerance import Tolerance
from seqcfg.export.warmup import write_warmup
from seqcfg.export.waveforms import listening_module
from seqcfg.lazy import np, tf

EXTRA = "assets.extra"  # TensorFlow's own folder for what its loader does not read
WARMUP_SECONDS = 4


class SavedModel(Exporter, type="saved_model"):
    """A directory that TensorFlow, TensorFlow Serving and tensorflow-text users load without seqcfg.

    Signatures, all with any number of rows: `serving_default` takes strings `text` [n] and gives `text` [n] and `scores` [n];
    `ids` takes the task's own tensors (`source` [n, time], `source_length` [n]) and gives `ids` [n, n_best, time],
    `lengths` and `scores` [n, n_best]; `score` takes strings `source` and `target` [n] and gives `log_probabilities` [n],
    those of single tokens and their number, and `score_ids` does so for ids. Without the tokenizer `serving_default` is `ids`.
    Of speech recognition both take `audio` [n, samples] and `audio_length` [n] (see export/waveforms.py), and
    assets.extra/model.json has the `sample_rate_hz` that they want.
    """

    version: PositiveInt = param(default=1, doc="Number of the version folder that model servers look for.")
    include_tokenizer: bool = param(default=True, doc="Whether texts are taken and given; that needs tensorflow-text where the model runs.")
    num_warmup_requests: NonNegativeInt = param(
        default=4, doc="Sample inputs that TensorFlow Serving runs before it answers anybody, per signature.", affects="nothing"
    )
    tolerance: Tolerance = param(factory=Tolerance, doc="How far the model may be from the run.", affects="nothing")

    @property
    def bounds(self) -> Tolerance:
        return self.tolerance

    @property
    def takes_sounds(self) -> bool:
        return True

    @property
    def client(self) -> str:
        return "saved_model" if self.include_tokenizer else ""

    def obstacles_in(self, recipe: Any, declaration: Any) -> Iterator[Any]:
        if self.include_tokenizer and not hasattr(recipe.task, "decode_in_graph"):
            hint = "include_tokenizer: false in the export section"
            yield declaration.misfit(f"a {recipe.task.type} task takes no text inside a graph", hint, "type")
        yield from of_components(recipe, declaration, self.type)

    def write(self, trained: Any, folder: Path, sample: Sample) -> dict[str, Any]:
        """Writes the artefact into a new folder; returns {signature: {"inputs", "outputs": {name: [dtype, shape]}}}."""
        task = trained.experiment.recipe.task
        module, signatures = (listening_module if task.is_of_sounds else exported_module)(trained, self.include_tokenizer)
        tf.saved_model.save(module, str(folder), signatures=signatures)
        if task.is_of_sounds:
            (folder / EXTRA).mkdir()
            (folder / EXTRA / ABOUT).write_text(json.dumps(facts_of_sounds(trained), indent=1) + "\n", encoding="utf-8")
        chosen = sample.spread(self.num_warmup_requests)
        if requests := self._sounds(task, signatures, chosen) if task.is_of_sounds else self._texts(trained, signatures, chosen):
            write_warmup(folder, trained.experiment.name, requests)
        return {name: described(signature) for name, signature in signatures.items()}

    def _sounds(self, task: Any, signatures: dict[str, Any], sounds: list[Any]) -> list[tuple[str, dict[str, Any]]]:
        """Every signature called with single sounds, or their beginnings."""
        cut = [sound[: WARMUP_SECONDS * task.sample_rate_hz].astype(np.float32) for sound in sounds]
        return [(name, {"audio": one[None], "audio_length": np.array([len(one)], np.int32)}) for one in cut for name in signatures]

    def _texts(self, trained: Any, signatures: dict[str, Any], lines: list[str]) -> list[tuple[str, dict[str, Any]]]:
        """Every signature called with single lines."""
        requests = []
        for line in lines:
            ids = trained.experiment.recipe.task.encode_texts(trained.codecs, [line])
            target = {"target": np.array([[4, 3]], np.int32), "target_length": np.array([2], np.int32)}  # any token, then the end
            text = np.array([line.encode()], object)
            by_signature = {"ids": ids, "score_ids": ids | target, "score": {"source": text, "target": text}}
            by_signature["serving_default"] = {"text": text} if self.include_tokenizer else ids
            requests += [(name, by_signature[name]) for name in signatures]
        return requests
