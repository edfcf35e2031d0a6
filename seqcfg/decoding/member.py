"""Members: the models that write an output together."""

from __future__ import annotations

from typing import Any, Literal, NamedTuple

from seqcfg.layers.create import view
from seqcfg.lazy import tf

Role = Literal["model", "prior", "channel", "channel_prior"]


class Origin(NamedTuple):
    """Where weights come from: the checkpoint's name, the fingerprint of the model's recipe, the checksum of the weights."""

    checkpoint: str = ""
    model: str = ""
    weights: str = ""


class Member(NamedTuple):
    """One model and its part: a `model` reads the input, a `prior` is a language model over outputs.

    Those of the roles `channel` and `channel_prior` judge complete outputs (see `NoisyChannel`).
    weights {path: array or variable}; weight is the factor of its log-probabilities.
    """

    task: Any
    declaration: Any
    weights: dict[str, Any]
    codecs: dict[str, Any]
    precision: str = "float32"
    role: Role = "model"
    weight: float = 1.0
    origin: Origin = Origin()

    def encoded(self, texts: list[str]) -> dict[str, Any]:
        """Its inputs for these texts; a prior continues the empty text."""
        return self.task.encode_texts(self.codecs, texts if self.role == "model" else [""] * len(texts))

    def view(self, **context: Any) -> Any:
        """Its weights as they are when this is called: a loop of steps that reads them inside copies tables that it also looks up in.

        What keeps its rows as integers (`View.rows`) stays as it is.
        (ResourceGather makes a variable copy itself whenever it is read as a whole, 5 MB a step for 9,700 rows of 128.)
        """
        weights = {path: value if hasattr(value, "rows") else tf.convert_to_tensor(value) for path, value in self.weights.items()}
        return view(self.declaration, weights, dtype=self.precision, **context)


def as_variables(weights: dict[str, Any]) -> dict[str, Any]:
    """Weights that a traced function reads and does not contain; variables stay what they are."""
    return {path: value if isinstance(value, tf.Variable) else _variable(path, value) for path, value in weights.items()}


def _variable(path: str, value: Any) -> Any:
    return tf.Variable(value, trainable=False, name=path.replace("/", "."))
