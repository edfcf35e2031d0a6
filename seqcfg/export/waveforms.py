"""A trained listener as one graph: waveforms in, text out, with front end and search inside."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from seqcfg.decoding.decoder import Decoder
from seqcfg.decoding.settings import Decoding
from seqcfg.errors import UserError
from seqcfg.export.graph import concrete, new_module, search_of
from seqcfg.lazy import np, tf

COMPARED_TOGETHER = 8


def listening_module(trained: Any, include_tokenizer: bool) -> tuple[Any, dict[str, Any]]:
    """A tf.Module that owns weights and tokenizers, and its signatures by name.

    Both take `audio` float32 [n, samples] in -1 .. 1, of the recipe's sample rate, and `audio_length` int32 [n], samples that
    count. `serving_default` gives `text` and `scores` [n] (and `n_best_text`, `n_best_scores` [n, number]); `ids` gives `ids`
    [n, number, time], `lengths` and `scores` [n, number]. What is longer than decoding.max_source_length is cut.
    """
    task = trained.experiment.recipe.task
    module = new_module(trained)
    search = search_of(trained, module.weights)

    def found(audio: Any, audio_length: Any) -> Any:
        return search(_positions(trained, audio, audio_length))

    def ids(audio: Any, audio_length: Any) -> dict[str, Any]:
        one = found(audio, audio_length)
        return {"ids": one.tokens, "lengths": one.lengths, "scores": one.scores}

    signatures = {"ids": concrete(ids, _specs())}
    if include_tokenizer:
        module.codecs = {name: codec.graph() for name, codec in trained.codecs.items()}

        def write(audio: Any, audio_length: Any) -> dict[str, Any]:
            one = found(audio, audio_length)
            number = one.tokens.shape[1]
            flat = tf.reshape(one.tokens, [-1, tf.shape(one.tokens)[2]])  # [n * number, time]
            texts = tf.reshape(task.decode_in_graph(module.codecs, flat, tf.reshape(one.lengths, [-1])), [-1, number])
            nothing = (audio_length == 0)[:, None]
            texts, scores = tf.where(nothing, "", texts), tf.where(nothing, 0.0, one.scores)
            outputs = {"text": texts[:, 0], "scores": scores[:, 0]}
            return outputs if number == 1 else outputs | {"n_best_text": texts, "n_best_scores": scores}

        signatures = {"serving_default": concrete(write, _specs())} | signatures
    else:
        signatures = {"serving_default": signatures["ids"]}
    module.signatures_by_name = signatures
    return module, signatures


def prove_same(trained: Any, folder: Path, sounds: Any, include_tokenizer: bool) -> int:
    """Loads what was written and compares its outputs with the run's on these sounds, of which it returns the number.

    Raises UserError at the first difference.
    """
    recipe = trained.experiment.recipe
    settings = recipe.decoding or Decoding()
    sounds = [sound for sound in sounds if 0 < len(sound) <= settings.max_source_length * recipe.task.samples_per_position]
    ours = Decoder(recipe.task, trained.declaration, trained.weights, trained.codecs, settings, trained.precision).decode(sounds)
    call = tf.saved_model.load(str(folder)).signatures["serving_default"]
    for start in range(0, len(sounds), COMPARED_TOGETHER):
        some = sounds[start : start + COMPARED_TOGETHER]
        audio = np.zeros([len(some), max(map(len, some))], np.float32)
        for row, sound in zip(audio, some, strict=True):
            row[: len(sound)] = sound
        theirs = call(audio=tf.constant(audio), audio_length=tf.constant([len(sound) for sound in some], tf.int32))
        for place, one in enumerate(ours[start : start + len(some)]):
            wanted: Any
            got: Any
            if include_tokenizer:
                wanted, got = one.text, theirs["text"][place].numpy().decode()
            else:
                wanted, got = one.ids[0], theirs["ids"][place, 0, : int(theirs["lengths"][place, 0])].numpy().tolist()
            if wanted != got:
                raise UserError(
                    f"sound {start + place + 1}: the run writes {wanted!r} and the exported model {got!r}; it was not kept",
                    hint="if scores are nearly tied this is rounding: try another checkpoint",
                )
    return len(sounds)


def _positions(trained: Any, audio: Any, audio_length: Any) -> dict[str, Any]:
    """The inputs that the task's searches read: positions of 10 ms, cut to the longest that is decoded."""
    recipe = trained.experiment.recipe
    step, most = recipe.task.samples_per_position, (recipe.decoding or Decoding()).max_source_length
    samples = tf.minimum(audio_length, most * step)
    audio = audio[:, : most * step]
    count = tf.maximum(1, -(-tf.shape(audio)[1] // step))
    padded = tf.pad(audio, [[0, 0], [0, count * step - tf.shape(audio)[1]]])
    lengths = -(-samples // step)
    return {"audio": tf.reshape(padded, [-1, count, step]), "audio_length": lengths, "audio_samples": samples}


def _specs() -> dict[str, Any]:
    return {
        "audio": tf.TensorSpec([None, None], tf.float32, name="audio"),
        "audio_length": tf.TensorSpec([None], tf.int32, name="audio_length"),
    }
