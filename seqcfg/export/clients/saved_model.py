"""A SavedModel with TensorFlow and tensorflow-text alone: python saved_model.py FOLDER < texts."""

import sys

import tensorflow as tf
import tensorflow_text  # noqa: F401 -- registers the operations of the tokenizers


class Model:
    """Texts in, (text, score) out; FOLDER is the one that holds saved_model.pb."""

    def __init__(self, folder: str):
        self._model = tf.saved_model.load(folder)
        self._call = self._model.signatures["serving_default"]

    def __call__(self, texts: list[str]) -> list[tuple[str, float]]:
        found = self._call(tf.constant(texts))
        return [(text.decode("utf-8"), float(score)) for text, score in zip(found["text"].numpy(), found["scores"].numpy(), strict=True)]


if __name__ == "__main__":
    model = Model(sys.argv[1])
    for line in sys.stdin:
        print(*model([line.rstrip("\n")])[0], sep="\t", flush=True)
