"""Training a decoder on tokens of its own choice."""

from __future__ import annotations

from typing import Any, Literal

from seqcfg.component.component import Record, param
from seqcfg.component.kinds import Schedule
from seqcfg.component.reserved_ids import NUM_RESERVED
from seqcfg.initializers import draw
from seqcfg.layers.scan import scan
from seqcfg.layers.sequence import Sequence
from seqcfg.lazy import tf

BARRED = -1e9


class ScheduledSampling(Record):
    """In training each token that the decoder is fed is the true one by chance, and else one that it predicted there.

    So it learns to go on from its own mistakes (Bengio et al. 2015, arXiv:1506.03099). Positions run one after the other then,
    through all layers, which costs as many times more as there are positions in a parallel decoder; in a recurrent one, little.
    """

    truth: Schedule = param(doc="Chance of the true token by step, such as linear from 1 to 0.8.")
    choice: Literal["drawn", "best"] = param(
        default="drawn", doc="Whether the other token is drawn by its probability, or the most probable."
    )

    def hidden(self, w: Any, memory: Sequence, ids: Any) -> Any:
        """The decoder's vectors [batch, time, dim] for ids [batch, time] that begin with the start id; w is the model's view."""
        time = tf.shape(ids)[1]
        fixed, moving = w.start(memory, time)
        share = self.truth(w.context.step)
        index = tf.broadcast_to(tf.range(time)[tf.newaxis], tf.shape(ids))

        def step(w: Any, inputs: dict[str, Any], state: Any) -> tuple[dict[str, Any], Any]:
            is_true = (_chances(tf.shape(inputs["id"]), w.seed()) < share) | (inputs["index"] == 0)
            tokens = tf.where(is_true, inputs["id"], state["own"])
            moving, hidden = w.read(fixed, state["moving"], tokens, inputs["index"][0])
            return {"hidden": hidden}, {"own": self._choose(w, hidden), "moving": moving}

        start = {"own": tf.zeros_like(ids[:, 0]), "moving": moving}
        outputs, _ = scan(w, step, {"id": ids, "index": index}, start, {"hidden": w.output_width})
        return outputs["hidden"]

    def _choose(self, w: Any, hidden: Any) -> Any:
        """A token for each of hidden [batch, dim]; never a reserved one, from which nothing follows."""
        logits = tf.stop_gradient(w.logits(hidden))
        if self.choice == "drawn":  # the largest of logits with Gumbel noise is a draw from their softmax
            logits -= tf.math.log(-tf.math.log(_chances(tf.shape(logits), w.seed())))
        logits = tf.where(tf.range(tf.shape(logits)[1]) < NUM_RESERVED, BARRED, logits)
        return tf.argmax(logits, -1, output_type=tf.int32)


def _chances(shape: Any, seed: Any) -> Any:
    """Uniform draws in (0, 1)."""
    return (draw.uniform(shape, seed, 1.0) + 1) / 2
