import itertools

import numpy as np
import pytest

from seqcfg.decoding.frame_alignment import Timed, best_alignment, words_of
from tests.losses.paths import collapsed, frames_of

A, B = 4, 5


def by_all_paths(scores, ids):
    paths = [path for path in itertools.product((0, A, B), repeat=len(scores)) if collapsed(path) == tuple(ids)]
    return max(paths, key=lambda path: sum(row[one] for row, one in zip(scores, path, strict=True)), default=())


@pytest.mark.parametrize("ids", [[A], [A, B], [A, A], [B, A, B], [A, A, A]])
def test_the_alignment_is_the_most_probable_path_that_writes_the_tokens(ids):
    for seed in range(5):
        scores = frames_of(np.random.default_rng(seed), (6, 6))
        path, spans = by_all_paths(scores, ids), best_alignment(scores, ids)
        found = [0] * len(path)
        for (first, last), one in zip(spans, ids, strict=True):
            found[first:last] = [one] * (last - first)
        assert tuple(found) == path


def test_what_frames_cannot_write_and_nothing_have_no_alignment():
    scores = frames_of(np.random.default_rng(0), (2, 6))
    assert best_alignment(scores, [A, A]) == []
    assert best_alignment(scores, []) == []
    assert best_alignment(scores[:0], [A]) == []
    assert best_alignment(scores[:1], [A]) == [(0, 1)]


def test_words_reach_from_their_first_token_to_their_last():
    letters = [Timed(one, place / 10, place / 10 + 0.1) for place, one in enumerate("AB C")]
    assert words_of(letters) == [Timed("AB", 0.0, 0.2), Timed("C", 0.3, 0.4)]
    units = [Timed("\u2581ab", 0.0, 0.1), Timed("c", 0.2, 0.3), Timed("\u2581d", 0.4, 0.5)]
    assert words_of(units) == [Timed("abc", 0.0, 0.3), Timed("d", 0.4, 0.5)]
