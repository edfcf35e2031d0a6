"""Pictures of what a model hears: the front end's features, when each word was said, and attention where there is some."""

from __future__ import annotations

import base64
from collections.abc import Callable
from html import escape
from typing import Any

from seqcfg.component.reserved_ids import END
from seqcfg.decoding.frame_alignment import FrameAligner, words_of
from seqcfg.decoding.member import Member
from seqcfg.lazy import np, tf

MAX_PICTURES = 60  # lines
MAX_SECONDS = 30.0
PIXELS_PER_SECOND, HEIGHT, LINE = 120, 96, 14


class SoundPictures:
    """Of sounds and the ids of what was written; the arguments are those of `Decoder`."""

    def __init__(
        self, task: Any, declaration: Any, weights: dict[str, Any], codecs: dict[str, Any], settings: Any, precision: str = "float32"
    ):
        parts = (task, declaration, weights, codecs, settings, precision)
        self._task, self._codecs = task, codecs
        self._member = Member(task, declaration, weights, codecs, precision)
        self._aligner = FrameAligner(*parts) if "frames" in task.offers() else None
        self._traced: Any = None

    def __call__(self, sounds: Any, ids: list[list[int]], places: list[int], progress: Callable[[int], None]) -> dict[int, dict[str, Any]]:
        """{place: {"seconds", "words": [[word, start, end]], "features": PNG, "attention": PNG or None}} of the first places."""
        found = {}
        for place in places[:MAX_PICTURES]:
            sound = sounds[place]
            seconds = len(sound) / self._task.sample_rate_hz
            if not 0 < seconds <= MAX_SECONDS:
                continue
            features, attention = self._look(sound, ids[place])
            words = words_of(self._aligner.times(sound, ids[place])) if self._aligner else []
            found[place] = {
                "seconds": round(seconds, 3),
                "words": [list(word) for word in words],
                "features": png(features.T[::-1]),
                "attention": png(attention) if attention is not None else None,
            }
            progress(len(found))
        return found

    def _look(self, sound: Any, ids: list[int]) -> tuple[Any, Any]:
        """Features [frames, dim], and attention [tokens, frames], the mean over heads of the last layer but one; None without one."""
        inputs = {name: tf.constant(value) for name, value in self._task.encode_texts(self._codecs, [sound]).items()}
        row = tf.constant([[*ids, END]], tf.int32)
        if self._traced is None:
            specs = {name: tf.TensorSpec([None] * len(value.shape), value.dtype) for name, value in inputs.items()}
            self._traced = tf.function(self._seen, input_signature=[specs, tf.TensorSpec([None, None], tf.int32)], autograph=False)
        features, attention = self._traced(inputs, row)
        return features.numpy()[0], attention.numpy()[0, : len(ids)] if attention.shape[-1] else None

    def _seen(self, inputs: dict[str, Any], ids: Any) -> tuple[Any, Any]:
        seen: dict[str, Any] = {}
        w = self._member.view(watched=seen)
        samples = tf.reshape(inputs["audio"], [1, -1])  # [1, positions * samples]
        frames = self._task.frames(w, samples, inputs["audio_samples"])
        values = tf.cast(frames.values, tf.float32)
        features = tf.reshape(values, [1, tf.shape(values)[1], -1])  # [1, frames, features of all axes]
        if "tokens" in self._task.offers():
            self._task.stepper(w).logits(inputs, ids, tf.fill([1], tf.shape(ids)[1]))
        layers = list(seen.values())
        if not layers:
            return features, tf.zeros([1, 0, 0])
        return features, tf.reduce_mean(tf.cast(layers[max(0, len(layers) - 2)], tf.float32), axis=1)


def png(values: Any) -> str:
    """A gray picture of [height, width], the largest value darkest, as a data URL."""
    low, high = float(np.min(values, initial=0.0)), float(np.max(values, initial=0.0))
    gray = np.round(255 * (1 - (values - low) / max(high - low, 1e-9))).astype(np.uint8)
    data = tf.io.encode_png(gray[:, :, None]).numpy() if gray.size else b""
    return "data:image/png;base64," + base64.b64encode(data).decode("ascii")


def drawn(heard: dict[str, Any]) -> str:
    """HTML of one of these: features and attention over the same time axis, and words where they were said."""
    width = max(240, round(PIXELS_PER_SECOND * heard["seconds"]))
    parts = [_image(heard["features"], width, "features over time, low ones at the bottom")]
    if heard["words"]:
        scale = width / heard["seconds"]
        marks = [
            f'<rect class="bar" x="{start * scale:.1f}" width="{max(1.0, (end - start) * scale):.1f}" height="3"/>'
            f'<text x="{start * scale:.1f}" y="{LINE * (1 + number % 2) + 2}">'
            f"<title>{start:.2f} to {end:.2f} s</title>{escape(word)}</text>"
            for number, (word, start, end) in enumerate(heard["words"])
        ]
        height = 2 * LINE + 6
        style = f"width:{width}px;height:{height}px;max-width:none;display:block"
        parts.append(f'<svg viewBox="0 0 {width} {height}" style="{style}">{"".join(marks)}</svg>')
    if heard["attention"]:
        parts.append(_image(heard["attention"], width, "attention of output tokens, first at the top"))
    return f'<details><summary class="soft">sound, {heard["seconds"]:.2f} s</summary><div class="wide">{"".join(parts)}</div></details>'


def _image(data: str, width: int, title: str) -> str:
    style = f"width:{width}px;height:{HEIGHT}px;max-width:none;display:block;image-rendering:pixelated"
    return f'<img src="{data}" style="{style}" alt="{title}" title="{title}">'
