"""A trained listener as one graph: waveforms in, text out, with front end and search inside."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from seqcfg.decoding.decoder import Decoder
from seqcfg.decoding.settings import Decoding
from seqcfg.errors import UserError
from seqcfg.export.graph import concrete, new_module, search_of
from seqcfg.lazy import tf


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
        return search(positions_of(trained, audio, audio_length))

    def ids(audio: Any, audio_length: Any) -> dict[str, Any]:
        one = found(audio, audio_length)
        return {"ids": one.tokens, "lengths": one.lengths, "scores": one.scores}

    signatures = {"ids": concrete(ids, specs())}
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

        signatures = {"serving_default": concrete(write, specs())} | signatures
    else:
        signatures = {"serving_default": signatures["ids"]}
    module.signatures_by_name = signatures
    return module, signatures


def prove_same(trained: Any, folder: Path, sounds: Any) -> int:
    """Loads what was written without a tokenizer and compares its ids with the run's on these sounds, of which it returns the number.

    Raises UserError at the first difference.
    """
    recipe = trained.experiment.recipe
    settings = recipe.decoding or Decoding()
    sounds = [sound for sound in sounds if len(sound)]
    ours = Decoder(recipe.task, trained.declaration, trained.weights, trained.codecs, settings, trained.precision).decode(sounds)
    call = tf.saved_model.load(str(folder)).signatures["serving_default"]
    for number, (sound, one) in enumerate(zip(sounds, ours, strict=True), 1):
        theirs = call(audio=tf.constant(sound[None]), audio_length=tf.constant([len(sound)], tf.int32))
        got = theirs["ids"][0, 0, : int(theirs["lengths"][0, 0])].numpy().tolist()
        if got != one.ids[0]:
            raise UserError(
                f"sound {number}: the run writes {one.ids[0]!r} and the exported model {got!r}; it was not kept",
                hint="if scores are nearly tied this is rounding: try another checkpoint",
            )
    return len(sounds)


def positions_of(trained: Any, audio: Any, audio_length: Any) -> dict[str, Any]:
    """The inputs that the task's searches read: positions of 10 ms, cut to the longest that is decoded."""
    recipe = trained.experiment.recipe
    step, most = recipe.task.samples_per_position, (recipe.decoding or Decoding()).max_source_length
    samples = tf.minimum(audio_length, most * step)
    audio = audio[:, : most * step]
    count = tf.maximum(1, -(-tf.shape(audio)[1] // step))
    padded = tf.pad(audio, [[0, 0], [0, count * step - tf.shape(audio)[1]]])
    lengths = -(-samples // step)
    rows = tf.reshape(padded, [tf.shape(audio)[0], count, step])
    return {"audio": tf.ensure_shape(rows, [audio.shape[0], None, step]), "audio_length": lengths, "audio_samples": samples}


def specs(rows: int | None = None) -> dict[str, Any]:
    """What the signatures take; any number of rows, or this one."""
    return {
        "audio": tf.TensorSpec([rows, None], tf.float32, name="audio"),
        "audio_length": tf.TensorSpec([rows], tf.int32, name="audio_length"),
    }
