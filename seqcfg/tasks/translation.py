"""Translation: text in, text out, learnt from pairs."""

from __future__ import annotations

from typing import Any

from seqcfg.component.component import param
from seqcfg.component.kinds import Loss, Model, Task
from seqcfg.component.types import Name
from seqcfg.data.feature import Feature
from seqcfg.decoding.shortlist import own_alone
from seqcfg.layers.sequence import packing_of
from seqcfg.losses.cross_entropy import CrossEntropy
from seqcfg.losses.loss_sum import LossSum
from seqcfg.losses.targets import targets, token_loss
from seqcfg.models.speller import Speller
from seqcfg.tasks.text_ids import padded_ids, padded_ids_in_graph


class Translation(Task, type="translation"):
    """Maximises log p(target | source) of paired texts; judged by comparing decoded text with references."""

    source_tokenizer: Name = param(doc="Tokenizer of the source text, a name under `tokenizers`.")
    target_tokenizer: Name = param(doc="Tokenizer of the target text, a name under `tokenizers`.")
    loss: Loss = param(default=CrossEntropy(), doc="Compares predicted tokens with the target's.")
    model: Model = param(doc="The network.")

    def features(self) -> dict[str, Feature]:
        """What a batch must hold."""
        return {
            "source": Feature(field="source", tokenizer=self.source_tokenizer, end=True),
            "target": Feature(field="target", tokenizer=self.target_tokenizer, end=True),
            "source_text": Feature(field="source", dtype="bytes"),
            "target_text": Feature(field="target", dtype="bytes"),
        }

    def declare(self, d: Any, vocabularies: dict[str, int]) -> None:
        for field in ("source_tokenizer", "target_tokenizer"):
            if getattr(self, field) not in vocabularies:
                known = ", ".join(sorted(vocabularies)) or "none"
                raise d.misfit(f"there is no tokenizer called {getattr(self, field)!r}", f"tokenizers of this recipe: {known}", field)
        if not getattr(self.model, "reads_text", True):
            raise d.misfit("the model reads frames, not text", "give it source_embedding", "model.source_embedding")
        for name, hint in (("loss", "write it under task.loss"), ("minimum_word_errors", "leave it out")):
            if getattr(self.model, name, None) is not None:
                raise d.misfit(f"{name} is for models that hear; a translation's loss stands in the task", hint, f"model.{name}")
        d.child("model", self.model, vocabularies[self.source_tokenizer], vocabularies[self.target_tokenizer])

    def losses(self, w: Any, batch: dict[str, Any]) -> dict[str, LossSum]:
        """{"loss": sum over target tokens, the end id included}."""
        memory = w.model.encode(batch["source"], batch["source_length"], packing_of(batch, "source"))
        packing = packing_of(batch, "target")
        inputs, labels, lengths = targets(batch["target"], batch["target_length"], packing)
        hidden = w.model.hidden(memory, inputs, lengths, packing)
        hidden, *output = w.model.output_operands(hidden)
        return {"loss": token_loss(self.loss, hidden, output, labels, lengths)}

    def stepper(self, w: Any) -> TranslationStepper:
        return TranslationStepper(w.model)

    def encode_texts(self, codecs: dict[str, Any], texts: list[str]) -> dict[str, Any]:
        """The stepper's inputs for these source texts, as numpy arrays."""
        ids, lengths = padded_ids(codecs[self.source_tokenizer], texts)
        return {"source": ids, "source_length": lengths}

    def encode_pairs(self, codecs: dict[str, Any], sources: list[str], targets: list[str]) -> tuple[dict[str, Any], Any, Any]:
        """The stepper's inputs, and the targets' ids [pairs, time] with the end id inside lengths [pairs]."""
        return (self.encode_texts(codecs, sources), *padded_ids(codecs[self.target_tokenizer], targets))

    def source_codec(self, codecs: dict[str, Any]) -> Any:
        """The tokenizer of what is given."""
        return codecs[self.source_tokenizer]

    def target_codec(self, codecs: dict[str, Any]) -> Any:
        """The tokenizer of what is produced."""
        return codecs[self.target_tokenizer]

    def decode_ids(self, codecs: dict[str, Any], ids: list[list[int]]) -> list[str]:
        return codecs[self.target_tokenizer].decode(ids)

    def encode_in_graph(self, codecs: dict[str, Any], strings: Any) -> dict[str, Any]:
        """As `encode_texts` for a string tensor [n]; codecs are those of `Codec.graph()`."""
        ids, lengths = padded_ids_in_graph(codecs[self.source_tokenizer], strings)
        return {"source": ids, "source_length": lengths}

    def encode_pairs_in_graph(self, codecs: dict[str, Any], sources: Any, targets: Any) -> tuple[dict[str, Any], Any, Any]:
        """As `encode_pairs` for string tensors [n]."""
        return (self.encode_in_graph(codecs, sources), *padded_ids_in_graph(codecs[self.target_tokenizer], targets))

    def decode_in_graph(self, codecs: dict[str, Any], ids: Any, lengths: Any) -> Any:
        """As `decode_ids` for ids [n, time] and lengths [n]: a string tensor [n]."""
        return codecs[self.target_tokenizer].decode(ids, lengths)

    def references(self, columns: Any) -> list[str]:
        return columns.texts("target_text")

    def sources(self, columns: Any) -> list[str]:
        return columns.texts("source_text")


class TranslationStepper(Speller):
    """The stepper over a translation model's view."""

    def start(self, inputs: dict[str, Any], max_length: Any) -> tuple[Any, Any]:
        """inputs: source [batch, time] int32 and source_length [batch]."""
        return super().start(self._encoded(inputs), max_length)

    def step_among(self, fixed: Any, moving: Any, tokens: Any, index: Any, ids: Any, own: Any) -> tuple[Any, Any]:
        """As `step`, with the logits [hypotheses, size] of these ids [size] alone, -inf where own [sentences, size] says no."""
        moving, hidden = self._model.read(fixed, moving, tokens, index)
        return moving, own_alone(self._model.logits(hidden, ids), own)

    def logits(self, inputs: dict[str, Any], ids: Any, lengths: Any) -> Any:
        return super().logits(self._encoded(inputs), ids, lengths)

    def _encoded(self, inputs: dict[str, Any]) -> Any:
        return self._model.encode(inputs["source"], inputs["source_length"])
