"""Language modelling: text continued from left to right."""

from __future__ import annotations

from typing import Any, ClassVar

from seqcfg.component.component import param
from seqcfg.component.kinds import Loss, Model, Task
from seqcfg.component.reserved_ids import END
from seqcfg.component.types import Name
from seqcfg.data.feature import Feature
from seqcfg.decoding.shortlist import own_alone
from seqcfg.layers.sequence import packing_of
from seqcfg.lazy import np, tf
from seqcfg.losses.cross_entropy import CrossEntropy
from seqcfg.losses.loss_sum import LossSum
from seqcfg.losses.targets import targets, token_loss
from seqcfg.tasks.text_ids import padded_ids, padded_ids_in_graph


class LanguageModeling(Task, type="language_modeling"):
    """Maximises log p(text); decoding continues a given prompt."""

    continues: ClassVar[bool] = True  # outputs begin with what is given, which may be nothing

    tokenizer: Name = param(doc="Tokenizer of the text, a name under `tokenizers`.")
    field: Name = param(default="text", doc="Field of the source's examples that holds the text.")
    loss: Loss = param(default=CrossEntropy(), doc="Compares predicted tokens with those that follow.")
    model: Model = param(doc="The network.")

    def features(self) -> dict[str, Feature]:
        """What a batch must hold."""
        return {
            "text": Feature(field=self.field, tokenizer=self.tokenizer, end=True),
            "text_text": Feature(field=self.field, dtype="bytes"),
        }

    def declare(self, d: Any, vocabularies: dict[str, int]) -> None:
        if self.tokenizer not in vocabularies:
            known = ", ".join(sorted(vocabularies)) or "none"
            raise d.misfit(f"there is no tokenizer called {self.tokenizer!r}", f"tokenizers of this recipe: {known}", "tokenizer")
        d.child("model", self.model, vocabularies[self.tokenizer])

    def losses(self, w: Any, batch: dict[str, Any]) -> dict[str, LossSum]:
        """{"loss": sum over tokens, the end id included}."""
        packing = packing_of(batch, "text")
        inputs, labels, lengths = targets(batch["text"], batch["text_length"], packing)
        hidden = w.model.hidden(inputs, lengths, packing)
        hidden, *output = w.model.output_operands(hidden)
        return {"loss": token_loss(self.loss, hidden, output, labels, lengths)}

    def stepper(self, w: Any) -> PromptStepper:
        return PromptStepper(w)

    def encode_texts(self, codecs: dict[str, Any], texts: list[str]) -> dict[str, Any]:
        """The stepper's inputs for these prompts, as numpy arrays."""
        ids, lengths = padded_ids(codecs[self.tokenizer], texts, end=False)
        return {"prompt": ids, "prompt_length": lengths}

    def encode_pairs(self, codecs: dict[str, Any], sources: list[str], targets: list[str]) -> tuple[dict[str, Any], Any, Any]:
        """Prompts, and whole texts that begin with them, as `decode` returns: ids [pairs, time] with the end id, lengths [pairs].

        Of a prompt as many tokens are given as its text shares with it from the start; the rest is scored.
        """
        inputs = self.encode_texts(codecs, sources)
        ids, lengths = padded_ids(codecs[self.tokenizer], targets)
        time = min(ids.shape[1], inputs["prompt"].shape[1])
        is_equal = inputs["prompt"][:, :time] == ids[:, :time]
        shared = np.cumprod(is_equal & (ids[:, :time] > END), axis=1).sum(axis=1).astype(np.int32)
        return inputs | {"prompt_length": np.minimum(shared, inputs["prompt_length"])}, ids, lengths

    def source_codec(self, codecs: dict[str, Any]) -> Any:
        """The tokenizer of the prompt."""
        return codecs[self.tokenizer]

    def target_codec(self, codecs: dict[str, Any]) -> Any:
        """The tokenizer of what is produced."""
        return codecs[self.tokenizer]

    def decode_ids(self, codecs: dict[str, Any], ids: list[list[int]]) -> list[str]:
        return codecs[self.tokenizer].decode(ids)

    def encode_in_graph(self, codecs: dict[str, Any], strings: Any) -> dict[str, Any]:
        """As `encode_texts` for a string tensor [n]; codecs are those of `Codec.graph()`."""
        ids, lengths = padded_ids_in_graph(codecs[self.tokenizer], strings, end=False)
        return {"prompt": ids, "prompt_length": lengths}

    def encode_pairs_in_graph(self, codecs: dict[str, Any], sources: Any, targets: Any) -> tuple[dict[str, Any], Any, Any]:
        """As `encode_pairs` for string tensors [n]."""
        inputs = self.encode_in_graph(codecs, sources)
        ids, lengths = padded_ids_in_graph(codecs[self.tokenizer], targets)
        time = tf.minimum(tf.shape(ids)[1], tf.shape(inputs["prompt"])[1])
        is_equal = (inputs["prompt"][:, :time] == ids[:, :time]) & (ids[:, :time] > END)
        shared = tf.reduce_sum(tf.math.cumprod(tf.cast(is_equal, tf.int32), axis=1), axis=1)
        return inputs | {"prompt_length": tf.minimum(shared, inputs["prompt_length"])}, ids, lengths

    def decode_in_graph(self, codecs: dict[str, Any], ids: Any, lengths: Any) -> Any:
        """As `decode_ids` for ids [n, time] and lengths [n]: a string tensor [n]."""
        return codecs[self.tokenizer].decode(ids, lengths)

    def references(self, columns: Any) -> list[str]:
        return columns.texts("text_text")

    def sources(self, columns: Any) -> list[str]:
        return columns.texts("text_text")


class PromptStepper:
    """The stepper over a language model's view: the prompt is forced, then the model goes on.

    A forced token has log-probability 0 and every other -infinity, so that any search returns the prompt followed
    by its continuation, and scores count the continuation alone.
    """

    def __init__(self, w: Any):
        self._model = w.model
        self.vocabulary, self.hidden_size = w.model.output_weights()[0].shape

    def start(self, inputs: dict[str, Any], max_length: Any) -> tuple[Any, Any]:
        """inputs: prompt [batch, time] int32 and prompt_length [batch]; max_length counts the prompt, too."""
        fixed, moving = self._model.start(tf.shape(inputs["prompt"])[0], max_length)
        return {"prompt": inputs["prompt"], "prompt_length": inputs["prompt_length"], "model": fixed}, moving

    def step(self, fixed: Any, moving: Any, tokens: Any, index: Any) -> tuple[Any, Any]:
        return self.look(fixed, moving, tokens, index)[:2]

    def go_on(self, fixed: Any, moving: Any, tokens: Any, index: Any) -> tuple[Any, Any]:
        """As `step` where there is no prompt; `index` is for the layers alone."""
        moving, hidden = self._model.read(fixed["model"], moving, tokens, index)
        return moving, self._model.logits(hidden)

    def step_among(self, fixed: Any, moving: Any, tokens: Any, index: Any, ids: Any, own: Any) -> tuple[Any, Any]:
        """As those of translation; prompts are empty here, because a shortlist follows from a source that others read."""
        moving, hidden = self._model.read(fixed["model"], moving, tokens, index)
        return moving, own_alone(self._model.logits(hidden, ids), own)

    def look(self, fixed: Any, moving: Any, tokens: Any, index: Any) -> tuple[Any, Any, Any]:
        """As `step`, and the vectors [hypotheses, hidden_size] behind the logits."""
        moving, hidden = self._model.read(fixed["model"], moving, tokens, index)
        logits = self._model.logits(hidden)
        prompt, length = fixed["prompt"], fixed["prompt_length"]
        width = tf.shape(tokens)[0] // tf.shape(prompt)[0]
        forced = tf.repeat(tf.gather(prompt, tf.minimum(index, tf.shape(prompt)[1] - 1), axis=1), width)
        return moving, self._forced(logits, forced, tf.repeat(index < length, width)), hidden

    def logits(self, inputs: dict[str, Any], ids: Any, lengths: Any) -> Any:
        """ids begin with the prompts, which are certain here as they are for `step`."""
        shifted, _, lengths = targets(ids, lengths)
        logits = self._model.logits(self._model.hidden(shifted, lengths))
        return self._forced(logits, ids, tf.sequence_mask(inputs["prompt_length"], tf.shape(ids)[1]))

    def _forced(self, logits: Any, ids: Any, is_forced: Any) -> Any:
        one_hot = tf.one_hot(ids, self.vocabulary, on_value=0.0, off_value=-1e9)
        return tf.where(is_forced[..., None], one_hot, logits)
