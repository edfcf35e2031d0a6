"""Decoder: texts or sounds in, their outputs in the same order out, whatever happens to batches in between."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

from seqcfg.decoding.alignment import Aligner
from seqcfg.decoding.block import Block, rounded
from seqcfg.decoding.composing import compose
from seqcfg.decoding.demands import Demand, cap_rules, rules_of
from seqcfg.decoding.engine import Engine, rung
from seqcfg.decoding.inputs import cut, is_blank
from seqcfg.decoding.lexicon import Lexicon
from seqcfg.decoding.member import Member, as_variables
from seqcfg.decoding.noisy_channel import ChannelRanker
from seqcfg.decoding.shortlist import Shortlister
from seqcfg.decoding.unknown_words import Replacer
from seqcfg.errors import UserError
from seqcfg.lazy import np


class Decoded(NamedTuple):
    """Outputs of one line, best first, their ids without the end id; an empty line has one empty output."""

    texts: list[str]
    scores: list[float]
    log_probabilities: list[float]
    ids: list[list[int]]

    @property
    def text(self) -> str:
        return self.texts[0]

    def reordered(self, order: list[int], scores: list[float]) -> Decoded:
        """The outputs at these places, with these scores."""
        totals, ids = [self.log_probabilities[place] for place in order], [self.ids[place] for place in order]
        return Decoded([self.texts[place] for place in order], scores, totals, ids)


EMPTY = Decoded([""], [0.0], [0.0], [[]])


class Decoder:
    """Runs a task's search over texts with given weights.

    weights {path: array or variable}; codecs {tokenizer name: Codec}; settings is the recipe's decoding section; partners
    are the other members that it names, lexicon is that of its shortlist and unknown words, `workers` counts threads that search at
    once, which changes no result. `weights` are then variables; `num_cut` counts
    lines that were longer than `max_source_length`.
    """

    def __init__(
        self, task: Any, declaration: Any, weights: dict[str, Any], codecs: dict[str, Any], settings: Any, precision: str = "float32",
        partners: list[Member] | None = None, lexicon: Lexicon | None = None, workers: int = 1,
    ):  # fmt: skip
        if partners is None and settings.has_partners:
            raise UserError("the other runs that decoding names cannot be used here", hint="use 'seqcfg decode' or 'seqcfg evaluate'")
        if lexicon is None and settings.needs_lexicon:
            raise UserError("there is no lexicon here, which decoding needs", hint="decoding.shortlist: null, unknown_words: null")
        self._task, self._codecs, self._settings = task, codecs, settings
        self.weights = as_variables(weights)
        first = Member(task, declaration, self.weights, codecs, precision)
        others = [one._replace(weights=as_variables(one.weights)) for one in partners or []]
        self._members = [first, *(one for one in others if one.role in ("model", "prior"))]
        judges = [one for one in others if one.role in ("channel", "channel_prior")]
        self._channel = ChannelRanker(settings.noisy_channel, judges, settings) if settings.noisy_channel else None
        self._engine = Engine(settings.search, self._members, self._compose, settings.xla)
        self._shortlister = None
        if settings.shortlist and lexicon:
            self._shortlister = Shortlister(settings.shortlist, lexicon, task.target_codec(codecs).vocabulary)
        self._replacer = None
        if settings.unknown_words:
            aligner = Aligner(task, declaration, self.weights, codecs, settings, precision)
            self._replacer = Replacer(settings.unknown_words, aligner, task.source_codec(codecs), task.target_codec(codecs), lexicon)
        self._workers, self.num_cut = workers, 0

    @property
    def ways(self) -> list[dict[str, Any]]:
        """Which shapes were compiled and why: see `Ways.table`."""
        return self._engine.ways.table()

    def decode(
        self, texts: list[str], progress: Callable[[int], None] | None = None, first: int = 0, demands: list[Demand] | None = None
    ) -> list[Decoded]:
        """One result per text, in order. `progress` is told how many texts are done. Raises UserError if the model gives NaN.

        `first` is how many texts of the same corpus went before, which `progress` counts and on which draws depend.
        `demands` say what the outputs of single texts begin with and contain.
        """
        return list(self.stream(texts, progress, first, demands))

    def stream(
        self, texts: list[str], progress: Callable[[int], None] | None = None, first: int = 0, demands: list[Demand] | None = None
    ) -> Iterator[Decoded]:
        """As `decode`, a few thousand lines at a time."""
        at_once = self._task.lines_at_once
        for start in range(0, len(texts), at_once):
            part = slice(start, start + at_once)
            yield from self._decode_some(texts[part], first + start, progress, demands[part] if demands else None)

    def partial(self, text: str) -> Iterator[str]:
        """The best output of one text as it grows: after each step what is certain of it, at last the whole.

        Where outputs are ranked when all are complete, there is only the whole.
        """
        if is_blank(text) or self._settings.minimum_risk or self._channel or self._replacer:
            yield self.decode([text])[0].text
            return
        only = np.zeros([1], np.int64)
        block = self._block([text], only, None)
        batch, meaning = self._batch(block, only)
        for ids, found in self._engine.partial(batch, block.limits, only.astype(np.int32), rounded(int(block.limits[0]))):
            if not found.is_over[0]:
                yield self._task.decode_ids(self._codecs, [ids if meaning is None else meaning[ids].tolist()])[0]
        yield next(iter(self._results(in_ids(found, meaning), found.is_over))).text

    def _decode_some(
        self, texts: list[str], first: int, progress: Callable[[int], None] | None, demands: list[Demand] | None
    ) -> list[Decoded]:
        texts = list(texts)
        numbers = [number for number, text in enumerate(texts) if not is_blank(text)]
        results: list[Decoded] = [EMPTY] * len(texts)
        if numbers:
            lines = first + np.asarray(numbers, np.int64)
            block = self._block([texts[number] for number in numbers], lines, [demands[number] for number in numbers] if demands else None)
            order, rows, done = np.argsort(-block.lengths, kind="stable"), self._settings.batch_size, 0
            for is_short in (True, False):
                unfinished = []
                batches = [order[start : start + rows] for start in range(0, len(order), rows)]
                for chosen, found in self._searched(block, batches, is_short):
                    is_over = found.is_over
                    for place, result in zip(chosen[is_over], self._results(found, is_over), strict=True):
                        results[numbers[place]] = result
                    unfinished += chosen[~is_over].tolist()
                    done += int(is_over.sum())
                    if progress:
                        progress(first + done)
                order = np.asarray(unfinished, np.int64)
            self._judge(texts, numbers, results)
            self._fill(texts, numbers, results)
        if progress:
            progress(first + len(texts))
        return results

    def _block(self, texts: list[str], lines: Any, demands: list[Demand] | None) -> Block:
        """The members' inputs, too long ones cut; lengths and limits are those of the first member's input."""
        cuts = [cut(member.encoded(texts), self._settings.max_source_length) for member in self._members]
        lengths, num_cut = cuts[0][1:]
        self.num_cut += num_cut
        rules, least = rules_of(self._settings, lengths, lines, demands, self._task, self._codecs)
        limit, most = self._settings.length_limit, self._settings.max_length
        limits = np.maximum([limit.longest(int(length), most) for length in lengths], least).astype(np.int32)
        return Block([one[0] for one in cuts], cap_rules(rules, limits), lengths, limits, lines)

    def _compose(self, views: list[Any], inputs: dict[str, Any]) -> Any:
        return compose(self._members, self._settings, views, inputs)

    def _batch(self, block: Block, chosen: Any) -> tuple[dict[str, Any], Any]:
        """The chosen lines as the engine reads them, and the ids that its tokens stand for, None where they are ids."""
        batch = block.batch(chosen)
        return self._shortlister(batch) if self._shortlister else (batch, None)

    def _searched(self, block: Block, batches: list[Any], is_short: bool) -> Iterator[tuple[Any, Any]]:
        """Each batch with what was found for it, in their order, by as many threads as there are workers."""
        if self._workers == 1 or len(batches) == 1:
            yield from ((chosen, self._search(block, chosen, is_short)) for chosen in batches)
            return
        with ThreadPoolExecutor(self._workers) as pool:
            yield from zip(batches, pool.map(lambda chosen: self._search(block, chosen, is_short), batches), strict=True)

    def _search(self, block: Block, chosen: Any, is_short: bool) -> Any:
        """Hypotheses of the chosen examples as numpy arrays.

        Short buffers suffice for most and make each step cheaper; what is not over in them is searched again in long ones.
        """
        filled = np.concatenate([chosen, np.repeat(chosen[:1], rung(len(chosen)) - len(chosen))])  # few numbers of rows
        time = rounded(int(block.lengths[filled].max()))
        size = rounded(int(block.limits[filled].max()))
        if is_short:
            size = min(size, time + time // 4 + 8)
        batch, meaning = self._batch(block, filled)
        found = self._engine(batch, block.limits[filled], (block.lines[filled] & 0x7FFFFFFF).astype(np.int32), size)
        return in_ids(type(found)(*(part[: len(chosen)] for part in found)), meaning)

    def _results(self, hypotheses: Any, is_over: Any) -> Iterator[Decoded]:
        """The outputs of the rows that are over."""
        hypotheses = type(hypotheses)(*(part[is_over] for part in hypotheses))
        if np.isnan(hypotheses.scores).any() or (hypotheses.scores[:, 0] == -math.inf).any():
            raise UserError(
                "the model gives no finite probabilities", hint="its weights may have overflowed in training; try an earlier checkpoint"
            )
        ids, sizes = [], []
        for row in range(len(hypotheses.scores)):
            found = [place for place, score in enumerate(hypotheses.scores[row]) if score > -math.inf]
            ids += [hypotheses.tokens[row, place, : hypotheses.lengths[row, place]].tolist() for place in found]
            sizes.append(len(found))
        texts = self._task.decode_ids(self._codecs, ids)
        start = 0
        for row, size in enumerate(sizes):
            scores, totals = hypotheses.scores[row, :size].tolist(), hypotheses.log_probabilities[row, :size].tolist()
            yield self._ranked(Decoded(texts[start : start + size], scores, totals, ids[start : start + size]))
            start += size

    def _ranked(self, found: Decoded) -> Decoded:
        """By expected utility where the recipe asks for it, which is then the score."""
        if self._settings.minimum_risk is None:
            return found
        return found.reordered(*self._settings.minimum_risk.ranked(found.texts, found.log_probabilities))

    def _judge(self, texts: list[str], numbers: list[int], results: list[Decoded]) -> None:
        """Reorders the results of these lines by the noisy channel where the recipe asks for it."""
        if self._channel is None:
            return
        found = [results[number] for number in numbers]
        parts = [one.texts for one in found], [one.log_probabilities for one in found], [[len(row) for row in one.ids] for one in found]
        for number, ranking in zip(numbers, self._channel.ranked([texts[number] for number in numbers], *parts), strict=True):
            results[number] = results[number].reordered(*ranking)

    def _fill(self, texts: list[str], numbers: list[int], results: list[Decoded]) -> None:
        """Puts words in place of unknown ids where the recipe asks for it."""
        if self._replacer is None:
            return
        found = [results[number] for number in numbers]
        filled = self._replacer([texts[number] for number in numbers], [one.texts for one in found], [one.ids for one in found])
        for number, one in zip(numbers, filled, strict=True):
            results[number] = results[number]._replace(texts=one)


def in_ids(found: Any, meaning: Any) -> Any:
    """Hypotheses whose tokens are places in `meaning`, with ids instead; None where they are ids already."""
    return found if meaning is None else found._replace(tokens=meaning[found.tokens])
