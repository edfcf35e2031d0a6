"""Scoring of given pairs: how probable the model finds outputs that somebody else wrote."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from seqcfg.decoding.block import Block
from seqcfg.decoding.composing import compose
from seqcfg.decoding.coverage import coverage
from seqcfg.decoding.covered import mean_over_heads, real_positions, refuse_nothing
from seqcfg.decoding.inputs import batches_by_length, cut
from seqcfg.decoding.member import Member, as_variables
from seqcfg.errors import UserError
from seqcfg.lazy import np, tf

MAX_TOKENS = 2048  # source or target positions of a batch, padding included: bounds memory, changes no result
PAIRS_AT_ONCE = 8192  # that are encoded and sorted together


class Scored(NamedTuple):
    """One pair: `ids` of the target with its end id, the log-probability of each, their sum, and its score as the search ranks it.

    `num_best` is how many of the ids are the most probable ones where they stand.
    """

    ids: list[int]
    log_probabilities: list[float]
    log_probability: float
    score: float
    num_best: int


class Scorer:
    """Log-probabilities of given outputs, all positions at once; in float32 they are those of `Decoder` to rounding.

    The arguments are those of `Decoder`. `num_cut` counts sources that were longer than `max_source_length`, and `num_cut_targets`
    targets of more than `longest_target` tokens, which are cut like them: attention to all of a long one takes memory by its square.
    """

    def __init__(
        self, task: Any, declaration: Any, weights: dict[str, Any], codecs: dict[str, Any], settings: Any, precision: str = "float32",
        partners: list[Member] | None = None, longest_target: int | None = None,
    ):  # fmt: skip
        if partners is None and (settings.ensemble or settings.fusion):
            raise UserError("the runs that decoding.ensemble and decoding.fusion name cannot be used here", hint="use 'seqcfg score'")
        self._task, self._codecs, self._settings = task, codecs, settings
        first = Member(task, declaration, as_variables(weights), codecs, precision)
        joining = [one for one in partners or [] if one.role in ("model", "prior")]
        self._members = [first, *(one._replace(weights=as_variables(one.weights)) for one in joining)]
        self._traced: Any = None
        self._longest_target = longest_target
        self.num_cut = self.num_cut_targets = 0

    def score(self, sources: list[str], targets: list[str], progress: Callable[[int], None] | None = None) -> list[Scored]:
        """One result per pair, in order; `progress` is told how many pairs are done.

        An empty target is scored, too: it is the end id alone. Raises UserError where the sides differ in number.
        """
        if len(sources) != len(targets):
            raise UserError(
                f"there are {len(sources)} sources and {len(targets)} targets", hint="line n of one belongs to line n of the other"
            )
        results: list[Scored] = []
        at_once = min(PAIRS_AT_ONCE, self._task.lines_at_once)
        for first in range(0, len(sources), at_once):
            last = first + at_once
            for found, done in self._score_some(sources[first:last], targets[first:last]):
                results += found
                if progress:
                    progress(first + done)
        return results

    def _score_some(self, sources: list[str], targets: list[str]) -> Iterator[tuple[list[Scored], int]]:
        """After each batch how many pairs are done; with the last one all results."""
        inputs, ids, id_lengths = self._task.encode_pairs(self._codecs, sources, targets)
        inputs, lengths, num_cut = cut(inputs, self._settings.max_source_length)
        self.num_cut += num_cut
        if self._longest_target:
            short, id_lengths, num_cut = cut({"ids": ids, "ids_length": id_lengths}, self._longest_target)
            ids, self.num_cut_targets = short["ids"], self.num_cut_targets + num_cut
        others = [cut(member.encoded(sources), self._settings.max_source_length)[0] for member in self._members[1:]]
        block = Block([inputs, *others], {}, lengths, lengths, lengths)
        results: list[Any] = [None] * len(sources)
        done = 0
        for chosen in batches_by_length(np.maximum(lengths, id_lengths), MAX_TOKENS):
            batch = block.batch(chosen)
            rows = ids[chosen, : int(id_lengths[chosen].max())]
            found = self._run(batch, rows, id_lengths[chosen])
            for place, row, values, is_best, covered in zip(chosen, rows, *found, strict=True):
                results[place] = self._scored(row, values, is_best, int(id_lengths[place]), float(covered))
            done += len(chosen)
            yield results if done == len(results) else [], done

    def _scored(self, ids: Any, values: Any, is_best: Any, length: int, covered: float) -> Scored:
        total = float(values[:length].sum(dtype=np.float64))
        rank = getattr(self._settings.search, "rank", None)
        score = rank(total, length, covered) if rank else total
        return Scored(ids[:length].tolist(), values[:length].tolist(), total, score, int(is_best[:length].sum()))

    def _run(self, inputs: dict[str, Any], ids: Any, lengths: Any) -> list[Any]:
        """Of each id [batch, time] its log-probability, 0 behind the lengths, and whether no other is above it; coverage [batch]."""
        if self._traced is None:
            specs = {name: tf.TensorSpec([None] * value.ndim, value.dtype) for name, value in inputs.items()}
            signature = [specs, tf.TensorSpec([None, None], tf.int32), tf.TensorSpec([None], tf.int32)]
            self._traced = tf.function(self._forced, input_signature=signature, autograph=False)
        tensors = {name: tf.constant(value) for name, value in inputs.items()}
        return [found.numpy() for found in self._traced(tensors, tf.constant(ids), tf.constant(lengths))]

    def _forced(self, inputs: dict[str, Any], ids: Any, lengths: Any) -> Any:
        seen: dict[str, Any] = {}
        first, *others = self._members
        views = [first.view(watched=seen), *(member.view() for member in others)]
        stepper = compose(self._members, self._settings, views, needs="tokens")
        logits = tf.cast(stepper.logits(inputs, ids, lengths), tf.float32)
        if len(self._members) == 1:  # a mixture gives log-probabilities, of which the sum is not 1 where there is a prior
            found = -tf.nn.sparse_softmax_cross_entropy_with_logits(ids, logits)
        else:
            found = tf.gather(logits, ids, batch_dims=2)
        is_real = tf.sequence_mask(lengths, tf.shape(ids)[1])
        is_best = tf.argmax(logits, axis=-1, output_type=tf.int32) == ids
        return tf.where(is_real, found, 0.0), is_best, self._coverage(inputs, seen, is_real)

    def _coverage(self, inputs: dict[str, Any], seen: dict[str, Any], is_real: Any) -> Any:
        """What `Beam` finds covered [batch], from the attention [batch, heads, target, source] of layers; 0 where it does not ask."""
        search = self._settings.search
        if not getattr(search, "coverage_penalty", 0):
            return tf.zeros(tf.shape(is_real)[:1])
        source = real_positions(inputs)
        refuse_nothing(seen)
        got = [tf.reduce_sum(tf.where(is_real[..., None], mean_over_heads(one), 0.0), axis=1) for one in seen.values()]
        return coverage(tf.add_n(got) / len(got), source, search.formula)
