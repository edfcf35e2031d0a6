"""Lexicon: for every source token the target tokens that it may become, learnt from pairs by word alignment."""

from __future__ import annotations

import hashlib
import io
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from seqcfg.component.reserved_ids import NUM_RESERVED
from seqcfg.errors import UserError
from seqcfg.lazy import np
from seqcfg.runs.durable import write_file

FORMAT = 1
NULL = 0  # stands in every source: what target tokens come from that no source token explains
LEAST = 1e-5  # probabilities below this are left out


class Lexicon(NamedTuple):
    """translations [source vocabulary, most] int32: target ids, most probable first, 0 behind the last; probabilities alike, float32.

    frequent: target ids by falling count in the pairs that it was learnt from. `tokens` is a checksum of both vocabularies.
    """

    translations: Any
    probabilities: Any
    frequent: Any
    tokens: str

    def save(self, path: Path) -> None:
        """Writes the file whole or not at all; the same lexicon gives the same bytes."""
        content = io.BytesIO()
        np.savez_compressed(content, format=np.int64(FORMAT), **self._asdict() | {"tokens": np.array(self.tokens)})
        try:
            write_file(path, content.getvalue())
        except OSError as error:
            raise UserError(f"cannot write {path}: {error.strerror}", hint="choose another --output") from error

    def digest(self) -> str:
        """A checksum of the content."""
        digest = hashlib.blake2b(self.tokens.encode(), digest_size=16)
        for part in (self.translations, self.probabilities, self.frequent):
            digest.update(np.ascontiguousarray(part))
        return digest.hexdigest()


def load(path: Path) -> Lexicon:
    """Raises UserError where the file is no lexicon."""
    try:
        with np.load(path, allow_pickle=False) as found:
            if int(found["format"]) != FORMAT:
                raise UserError(f"{path}: is a lexicon of format {int(found['format'])}", hint="make it again with 'seqcfg lexicon'")
            return Lexicon(found["translations"], found["probabilities"], found["frequent"], str(found["tokens"]))
    except FileNotFoundError:
        raise UserError(f"{path}: there is no lexicon", hint="make one with 'seqcfg lexicon RUN'") from None
    except (ValueError, KeyError, OSError, zipfile.BadZipFile) as error:
        raise UserError(f"{path}: is not a lexicon: {error}", hint="make it again with 'seqcfg lexicon'") from error


def tokens_digest(*codecs: Any) -> str:
    """A checksum of what the ids of tokenizers stand for."""
    digest = hashlib.blake2b(digest_size=16)
    for codec in codecs:
        for token in codec.tokens(range(codec.vocabulary)):
            digest.update(token.encode("utf-8", "surrogatepass") + b"\0")
        digest.update(b"\1")
    return digest.hexdigest()


class Pairs(NamedTuple):
    """Sentence pairs as flat ids: source ids with their lengths [pairs], target ids with theirs, end ids left out."""

    source: Any
    source_lengths: Any
    target: Any
    target_lengths: Any


def learn(
    pairs: Pairs, vocabularies: tuple[int, int], most: int, iterations: int, tokens: str, progress: Callable[[int], None] | None = None
) -> Lexicon:
    """IBM model 1 (Brown et al. 1993, equations 15 and 16): the probability t(target | source) of largest likelihood.

    Every source has a NULL token besides. Memory is that of all pairs of tokens that occur together. `progress` is told
    how many iterations are done.
    """
    of_pair, place, source = _together(pairs)
    target = pairs.target[place]
    keys, key = np.unique(source.astype(np.int64) * vocabularies[1] + target, return_inverse=True)
    of_source = (keys // vocabularies[1]).astype(np.int64)
    probability = np.ones([len(keys)])
    for iteration in range(iterations):
        likely = probability[key]
        likely /= np.bincount(place, likely, minlength=len(pairs.target))[place]  # shares of the source tokens of one target token
        counts = np.bincount(key, likely, minlength=len(keys))
        probability = counts / np.bincount(of_source, counts, minlength=vocabularies[0])[of_source]
        if progress:
            progress(iteration + 1)
    translations, probabilities = _best(of_source, keys % vocabularies[1], probability, vocabularies[0], most)
    counts = np.bincount(pairs.target, minlength=vocabularies[1])
    order = np.argsort(-counts, kind="stable")
    frequent = order[(counts[order] > 0) & (order >= NUM_RESERVED)].astype(np.int32)
    return Lexicon(translations, probabilities, frequent, tokens)


def _together(pairs: Pairs) -> tuple[Any, Any, Any]:
    """For every target token and every source token of its pair, NULL among them: pair, place of the target token, source id."""
    number = len(pairs.source_lengths)
    sizes = pairs.source_lengths.astype(np.int64) + 1
    starts = np.cumsum(sizes) - sizes
    with_null = np.full([int(sizes.sum())], NULL, np.int32)
    is_token = np.ones(len(with_null), bool)
    is_token[starts] = False
    with_null[is_token] = pairs.source
    of_target = np.repeat(np.arange(number), pairs.target_lengths)  # the pair of every target token
    times = sizes[of_target]
    place = np.repeat(np.arange(len(of_target)), times)
    offset = np.arange(len(place)) - np.repeat(np.cumsum(times) - times, times)
    return of_target[place], place, with_null[starts[of_target][place] + offset]


def _best(source: Any, target: Any, probability: Any, vocabulary: int, most: int) -> tuple[Any, Any]:
    """Of each source id its `most` best targets [vocabulary, most] and their probabilities, 0 behind the last."""
    is_real = (target >= NUM_RESERVED) & (probability >= LEAST)
    source, target, probability = source[is_real], target[is_real], probability[is_real]
    order = np.lexsort((target, -probability, source))
    source, target, probability = source[order], target[order], probability[order]
    starts = np.searchsorted(source, np.arange(vocabulary))
    rank = np.arange(len(source)) - starts[source]
    kept = rank < most
    translations, probabilities = np.zeros([vocabulary, most], np.int32), np.zeros([vocabulary, most], np.float32)
    translations[source[kept], rank[kept]] = target[kept]
    probabilities[source[kept], rank[kept]] = probability[kept]
    return translations, probabilities
