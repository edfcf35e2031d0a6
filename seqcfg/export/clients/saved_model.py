"""A SavedModel with TensorFlow and tensorflow-text alone: python saved_model.py FOLDER < texts."""

import sys

import numpy as np
import tensorflow as tf
import tensorflow_text  # noqa: F401 -- registers the operations of the tokenizers


class Model:
    """Texts, or sounds float32 [samples] in -1 .. 1, in, (text, score) out; FOLDER is the one that holds saved_model.pb."""

    def __init__(self, folder: str):
        self._model = tf.saved_model.load(folder)
        self._call = self._model.signatures["serving_default"]

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


if __name__ == "__main__":
    model = Model(sys.argv[1])
    for line in sys.stdin:
        print(*model([line.rstrip("\n")])[0], sep="\t", flush=True)
