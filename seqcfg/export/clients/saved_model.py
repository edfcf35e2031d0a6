"""A SavedModel with TensorFlow and tensorflow-text alone: python saved_model.py FOLDER < texts.

A model of speech takes names of WAV files instead of texts.
"""

import json
import os
import sys
import wave

import numpy as np
import tensorflow as tf
import tensorflow_text  # noqa: F401 -- registers the operations of the tokenizers


class Model:
    """Texts, or sounds float32 [samples] in -1 .. 1, in, (text, score) out; FOLDER is the one that holds saved_model.pb."""

    def __init__(self, folder: str):
        self._model = tf.saved_model.load(folder)
        self._call = self._model.signatures["serving_default"]
        facts = os.path.join(folder, "assets.extra", "model.json")
        self.about: dict = {"input": "audio" if "audio" in self._call.structured_input_signature[1] else "text"}
        if os.path.exists(facts):
            with open(facts, encoding="utf-8") as file:
                self.about = json.load(file)

    def __call__(self, lines: list) -> list[tuple[str, float]]:
        found = self._call(**self._inputs(lines))
        return [(text.decode("utf-8"), float(score)) for text, score in zip(found["text"].numpy(), found["scores"].numpy(), strict=True)]

    def _inputs(self, lines: list) -> dict[str, tf.Tensor]:
        if isinstance(lines[0], str):
            return {"text": tf.constant(lines)}
        lengths = [len(line) for line in lines]
        audio = np.zeros([len(lines), max(lengths)], np.float32)
        for row, line in zip(audio, lines, strict=True):
            row[: len(line)] = line
        return {"audio": tf.constant(audio), "audio_length": tf.constant(lengths, tf.int32)}


def samples_of(path: str, rate: int) -> np.ndarray:
    """The samples of a WAV file of 16 bits, one channel and this rate."""
    with wave.open(path) as file:
        if (file.getsampwidth(), file.getnchannels(), file.getframerate()) != (2, 1, rate):
            raise ValueError(f"{path}: one channel of 16 bits at {rate} Hz is wanted")
        return np.frombuffer(file.readframes(file.getnframes()), "<i2").astype(np.float32) / 32768.0


if __name__ == "__main__":
    model = Model(sys.argv[1])
    for line in sys.stdin:
        name = line.rstrip("\n")
        given = samples_of(name, model.about["sample_rate_hz"]) if model.about["input"] == "audio" else name
        print(*model([given])[0], sep="\t", flush=True)
