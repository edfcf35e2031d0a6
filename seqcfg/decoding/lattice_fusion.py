"""A transducer's lattice with language models that join in."""

from __future__ import annotations

from typing import Any

from seqcfg.component.reserved_ids import END, PAD, START
from seqcfg.decoding.lattice import NoPosition
from seqcfg.decoding.mixture import inputs_of
from seqcfg.lazy import tf


class FusedLattice:
    """Adds weight log p(token | text) of each prior to the arcs of tokens, and that of the end to complete texts (arXiv:1503.03535).

    Blanks keep their probability: priors speak of texts alone. The sum over paths that meet stays one over alignments, as the part of
    the priors depends on the text only. Inputs of member i carry the prefix `i.`, those of the lattice, member 0, none.
    """

    def __init__(self, lattice: Any, priors: list[Any], weights: list[float]):
        self._lattice, self._priors, self._weights = lattice, priors, weights
        self.vocabulary, self.is_one_per_frame = lattice.vocabulary, lattice.is_one_per_frame

    def start(self, inputs: dict[str, Any], max_length: Any) -> tuple[Any, Any]:
        fixed, moving = self._lattice.start(inputs_of(inputs, 0), max_length)
        started = [prior.start(inputs_of(inputs, place), max_length) for place, prior in enumerate(self._priors, 1)]
        fixed = fixed | {"priors": {str(place): one[0] for place, one in enumerate(started)}}
        states = {str(place): one[1] for place, one in enumerate(started)}
        first = tf.fill([tf.shape(fixed["num_frames"])[0]], START)
        return fixed, {"lattice": moving, "priors": states} | self._judged(fixed, states, first)

    def arcs(self, fixed: Any, moving: Any, places: Any) -> Any:
        """As `Lattice.arcs`; no longer log-probabilities that add up to 1."""
        arcs = self._lattice.arcs(fixed, moving["lattice"], places)
        prior = tf.reshape(moving["prior"], [tf.shape(arcs)[0], -1, self.vocabulary])
        return arcs + tf.where(tf.range(self.vocabulary) == PAD, 0.0, prior)

    def written(self, fixed: Any, moving: Any, tokens: Any) -> Any:
        return {"lattice": self._lattice.written(fixed, moving["lattice"], tokens)} | self._judged(fixed, moving["priors"], tokens)

    def ends(self, moving: Any) -> Any:
        return self._lattice.ends(moving["lattice"]) + moving["prior"][:, END]

    def _judged(self, fixed: Any, states: dict[str, Any], tokens: Any) -> dict[str, Any]:
        """The priors' states after one more token [rows], and what all of them add to what follows [rows, vocabulary]."""
        total, new = tf.zeros([]), {}
        for place, (prior, weight) in enumerate(zip(self._priors, self._weights, strict=True)):
            name = str(place)
            new[name], logits = prior.go_on(fixed["priors"][name], states[name], tokens, NoPosition())
            total += weight * tf.nn.log_softmax(tf.cast(logits, tf.float32))
        return {"priors": new, "prior": total}
