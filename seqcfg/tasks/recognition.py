"""Speech recognition: sound in, text out."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar

from seqcfg.component.component import Component, param
from seqcfg.component.fields import fields_of
from seqcfg.component.kinds import Layer, Model, Task
from seqcfg.component.types import Name, PositiveInt
from seqcfg.data.feature import Feature
from seqcfg.layers.sequence import Sequence
from seqcfg.lazy import np, tf
from seqcfg.losses.loss_sum import LossSum
from seqcfg.tasks.text_ids import padded_ids

POSITIONS_PER_SECOND = 100  # in which lengths of sounds are counted where texts have tokens
FULL_SCALE = 32768.0


class Recognition(Task, type="recognition"):
    """Learns to write what is said, from utterances with transcripts.

    Wherever lengths are limited or batches planned, a sound counts one position per 10 ms. The front end makes frames of the
    waveform and is part of the model, so that it is trained, exported and undone with it.
    """

    respects_segments: ClassVar[bool] = False
    lines_at_once: ClassVar[int] = 64
    is_of_sounds: ClassVar[bool] = True

    tokenizer: Name = param(doc="Tokenizer of the transcripts, a name under `tokenizers`.")
    field: Name = param(default="text", doc="Field of the source's examples that holds the transcript.")
    sample_rate_hz: PositiveInt = param(default=16000, doc="Sample rate of all audio, in Hz.")
    front_end: Layer = param(doc="Layers from the waveform to frames, such as log_mel; several with `sequential`.")
    model: Model = param(doc="The network.")

    def check(self) -> Iterator[tuple[str, str, str]]:
        if self.sample_rate_hz % POSITIONS_PER_SECOND:
            yield "sample_rate_hz", f"10 ms are no whole number of samples at {self.sample_rate_hz} Hz", "resample to a usual rate"
        for path, component in components_below(self.front_end, "front_end"):
            rate = getattr(component, "sample_rate_hz", self.sample_rate_hz)
            if rate != self.sample_rate_hz:
                yield f"{path}.sample_rate_hz", f"{rate} Hz are not the task's {self.sample_rate_hz} Hz", "write one rate at both places"
        if not hasattr(self.model, "hear"):
            yield "model", f"the model {self.model.type!r} reads no frames", "take one that does, such as ctc"
        elif getattr(self.model, "reads_text", False):
            yield "model.source_embedding", "the encoder reads frames, which have no embedding", "leave source_embedding out"

    def offers(self) -> tuple[str, ...]:
        """What searches may ask of the model."""
        return self.model.offers

    @property
    def samples_per_position(self) -> int:
        return self.sample_rate_hz // POSITIONS_PER_SECOND

    def features(self) -> dict[str, Feature]:
        """What a batch must hold."""
        audio = Feature(
            field="audio", dtype="float32", storage="int16", scale=FULL_SCALE, unit=self.samples_per_position
        )  # fmt: skip
        return {
            "audio": audio,
            "text": Feature(field=self.field, tokenizer=self.tokenizer, end=True),
            "text_text": Feature(field=self.field, dtype="bytes"),
            "key": Feature(field="key", dtype="bytes"),
        }

    def declare(self, d: Any, vocabularies: dict[str, int]) -> None:
        if self.tokenizer not in vocabularies:
            known = ", ".join(sorted(vocabularies)) or "none"
            raise d.misfit(f"there is no tokenizer called {self.tokenizer!r}", f"tokenizers of this recipe: {known}", "tokenizer")
        width = d.child("front_end", self.front_end, ())
        d.child("model", self.model, width, vocabularies[self.tokenizer])

    def losses(self, w: Any, batch: dict[str, Any]) -> dict[str, LossSum]:
        """{"loss": what the model is trained by, and others that it names}."""
        frames = self.frames(w, batch["audio"], batch["audio_length"])
        return w.model.losses(frames, batch["text"], batch["text_length"])

    def frames(self, w: Any, samples: Any, lengths: Any) -> Sequence:
        """samples [batch, time] in -1 .. 1, lengths [batch] -> what the model reads."""
        return w.front_end(Sequence(samples, tf.sequence_mask(lengths, tf.shape(samples)[1])))

    def stepper(self, w: Any) -> Listener:
        return self.offered(w, "tokens")

    def offered(self, w: Any, what: str) -> Listener:
        """What a search asks for by its `needs`, over the inputs that `encode_texts` gives."""
        return Listener(self, w, w.model.scorer(what))

    def encode_texts(self, codecs: dict[str, Any], sounds: list[Any]) -> dict[str, Any]:
        """Inputs of the searches as numpy arrays: `audio` [sounds, positions, samples of 10 ms], its length, and the number of samples."""
        step = self.samples_per_position
        samples = np.array([len(sound) for sound in sounds], np.int32)
        lengths = -(-samples // step)
        audio = np.zeros([len(sounds), max(1, int(lengths.max(initial=0))) * step], np.float32)
        for row, sound in zip(audio, sounds, strict=True):
            row[: len(sound)] = sound
        return {"audio": audio.reshape(len(sounds), -1, step), "audio_length": lengths, "audio_samples": samples}

    def encode_pairs(self, codecs: dict[str, Any], sounds: list[Any], texts: list[str]) -> tuple[dict[str, Any], Any, Any]:
        """The inputs, and the texts' ids [pairs, time] with the end id inside lengths [pairs]."""
        return (self.encode_texts(codecs, sounds), *padded_ids(codecs[self.tokenizer], texts))

    def target_codec(self, codecs: dict[str, Any]) -> Any:
        """The tokenizer of what is produced."""
        return codecs[self.tokenizer]

    def decode_ids(self, codecs: dict[str, Any], ids: list[list[int]]) -> list[str]:
        return codecs[self.tokenizer].decode(ids)

    def decode_in_graph(self, codecs: dict[str, Any], ids: Any, lengths: Any) -> Any:
        """As `decode_ids` for ids [n, time] and lengths [n]: a string tensor [n]."""
        return codecs[self.tokenizer].decode(ids, lengths)

    def references(self, columns: Any) -> list[str]:
        return columns.texts("text_text")

    def sources(self, columns: Any) -> Sounds:
        """The sounds, read when they are asked for."""
        return Sounds(columns)

    def source_names(self, columns: Any) -> list[str]:
        """What sounds are called where sources are shown."""
        return columns.texts("key")


class Listener:
    """A model's scorer over sounds: the front end and the model's `hear` run once, in `start`; all else is the scorer's."""

    def __init__(self, task: Recognition, w: Any, scorer: Any):
        self._task, self._w, self._scorer = task, w, scorer

    def __getattr__(self, name: str) -> Any:
        return getattr(self._scorer, name)

    def start(self, inputs: dict[str, Any], max_length: Any) -> tuple[Any, Any]:
        """inputs: audio [batch, positions, samples], audio_length and audio_samples [batch]."""
        return self._scorer.start(self._heard(inputs), max_length)

    def logits(self, inputs: dict[str, Any], ids: Any, lengths: Any) -> Any:
        return self._scorer.logits(self._heard(inputs), ids, lengths)

    def _heard(self, inputs: dict[str, Any]) -> Any:
        step = self._task.samples_per_position
        samples = tf.reshape(inputs["audio"], [tf.shape(inputs["audio"])[0], -1])  # [batch, positions * samples]
        lengths = tf.minimum(inputs["audio_samples"], inputs["audio_length"] * step)
        return self._w.model.hear(self._task.frames(self._w, samples, lengths))


class Sounds:
    """The sounds of a prepared split as a list that holds none of them: float32 [samples] each."""

    def __init__(self, columns: Any, chosen: range | None = None):
        self._columns = columns
        self._chosen = range(columns.num_examples) if chosen is None else chosen

    def __len__(self) -> int:
        return len(self._chosen)

    def __getitem__(self, which: int | slice) -> Any:
        if isinstance(which, slice):
            return Sounds(self._columns, self._chosen[which])
        number = self._chosen[which]
        offsets = self._columns.offsets("audio")
        length = int(offsets[number + 1] - offsets[number])
        return self._columns.gather("audio", [number], max(1, length))[0, :length]

    def __iter__(self) -> Iterator[Any]:
        return (self[place] for place in range(len(self)))


def components_below(component: Component, path: str) -> Iterator[tuple[str, Component]]:
    """A component and all that stand in its fields, with their places."""
    yield path, component
    for name in fields_of(type(component)):
        value = getattr(component, name)
        for place, one in [(f"{path}.{name}", value)] if isinstance(value, Component) else _items(value, f"{path}.{name}"):
            if isinstance(one, Component):
                yield from components_below(one, place)


def _items(value: Any, path: str) -> list[tuple[str, Any]]:
    if isinstance(value, dict):
        return [(f"{path}.{key}", one) for key, one in value.items()]
    return [(f"{path}.{index}", one) for index, one in enumerate(value)] if isinstance(value, (list, tuple)) else []
