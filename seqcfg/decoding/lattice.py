"""What a transducer offers to searches that go through its lattice arc by arc."""

from __future__ import annotations

from typing import Any

from seqcfg.component.reserved_ids import START
from seqcfg.errors import UserError
from seqcfg.lazy import tf


class NoPosition:
    """Stands for the position of tokens that are written at their own pace; what asks for it is told that there is none."""

    def __tf_tensor__(self, dtype: Any = None, name: Any = None) -> Any:
        raise UserError(
            "hypotheses of this search differ in length, and a layer over their tokens wants one position for all",
            hint="use recurrent or convolutional layers there, or search with decoding.search.type: beam",
        )


class Lattice:
    """Nodes (frame, tokens written) and the probabilities of their arcs, over the view of a `Transducer`.

    fixed: `frames` [batch, frames, width] and `num_frames` [batch]; what the prediction network keeps. moving: `tokens`
    [rows, width], what the text so far adds to a frame, and the state of the prediction network. Id 0 is the blank.
    """

    def __init__(self, w: Any):
        self._w, self._model = w, w.component
        self.vocabulary = w.output.kernel.shape[-1]
        self.is_one_per_frame = self._model.is_one_per_frame

    def start(self, heard: Any, max_length: Any) -> tuple[Any, Any]:
        """heard: the Sequence that the model's `hear` gives. The state of the text without tokens."""
        batch = tf.shape(heard.values)[0]
        fixed, moving = self._w.start(batch, max_length)
        fixed = {"frames": heard.values, "num_frames": tf.reduce_sum(tf.cast(heard.mask, tf.int32), axis=1), "prediction": fixed}
        return fixed, self.written(fixed, {"prediction": moving}, tf.fill([batch], START))

    def arcs(self, fixed: Any, moving: Any, places: Any) -> Any:
        """Log-probabilities float32 [batch, number, vocabulary] of the arcs at frames `places` [batch, number].

        One row per sentence looks at several frames, or there are as many rows per sentence as places. Places behind the last
        frame give those of the last.
        """
        frames = tf.gather(fixed["frames"], tf.minimum(places, tf.shape(fixed["frames"])[1] - 1), batch_dims=1)
        tokens = tf.reshape(moving["tokens"], [tf.shape(places)[0], -1, moving["tokens"].shape[-1]])
        return tf.nn.log_softmax(self._w.logits(frames, tokens))

    def written(self, fixed: Any, moving: Any, tokens: Any) -> Any:
        """The state after one more token [rows] in each row."""
        state, added = self._w.read(fixed["prediction"], moving["prediction"], tokens, NoPosition())
        return {"prediction": state, "tokens": added}

    def ends(self, moving: Any) -> Any:
        """What is added to the score of a text that is complete [rows]."""
        return tf.zeros([tf.shape(moving["tokens"])[0]])


def choose(condition: Any, one: Any, other: Any) -> Any:
    """Rows of one nested state where the condition [rows] holds, else of the other."""

    def pick(a: Any, b: Any) -> Any:
        return tf.where(tf.reshape(condition, [-1] + [1] * (a.shape.rank - 1)), a, b)

    return tf.nest.map_structure(pick, one, other)
