import itertools

import numpy as np
import pytest
import tensorflow as tf

from seqcfg.component.reserved_ids import UNKNOWN
from seqcfg.decoding.beam import Beam
from seqcfg.decoding.word_list import OfListedWords, WordList
from seqcfg.errors import UserError
from tests.decoding.tabular import TabularStepper, allowed, log_probability, log_softmax, outputs_of, tables

VOCABULARY = 7  # a, b and a space
A, B, SPACE = 4, 5, 6


class Letters:
    vocabulary = VOCABULARY

    def encode(self, texts):
        return [[{"a": A, "b": B, " ": SPACE}.get(letter, UNKNOWN) for letter in text] for text in texts]


class Pieces(Letters):
    """Every word begins with a token of its own: a, or B for `b`; `bb` is B and then b."""

    def encode(self, texts):
        table = {"a": [A], "b": [B], "bb": [B, SPACE]}
        return [[one for word in text.split() for one in table[word]] for text in texts]


def writes(ids, codec, words):
    """All texts of these words whose tokens are ids."""
    texts = (" ".join(some) for count in range(len(ids) + 1) for some in itertools.product(words, repeat=count))
    return any(found == list(ids) for found in codec.encode(list(texts)))


@pytest.mark.parametrize(("codec", "words"), [(Letters(), ["a", "ba", "bab"]), (Pieces(), ["a", "b", "bb"])])
def test_a_wide_beam_finds_the_best_outputs_that_are_made_of_the_words(codec, words):
    word_list = WordList(words=words)
    table = tables(3, VOCABULARY, seed=4)
    search = Beam(width=64, n_best=3, length_penalty=0.0)
    found = outputs_of(search(OfListedWords(TabularStepper(VOCABULARY), word_list.trie(codec)), {"table": tf.constant(table)}, 4))
    for row, outputs in zip(table, found, strict=True):
        every = [ids for length in range(5) for ids in itertools.product(allowed(VOCABULARY), repeat=length) if writes(ids, codec, words)]
        best = sorted(((log_probability(log_softmax(row), ids), ids) for ids in every), reverse=True)[:3]
        assert [tokens for _, tokens in outputs] == [tokens for _, tokens in best]
        assert [score for score, _ in outputs] == pytest.approx([score for score, _ in best], abs=1e-4)


def test_words_come_from_a_dictionary_whose_variants_are_one(tmp_path):
    (tmp_path / "an4.dic").write_text("A  AH\nA(2)  EY\nBA  B AH\n")
    assert WordList(words=["AB"], file=str(tmp_path / "an4.dic")).all_words() == ["AB", "A", "BA"]
    with pytest.raises(UserError, match="cannot be read"):
        WordList(file=str(tmp_path / "none.dic")).all_words()


def test_what_cannot_be_written_is_told():
    with pytest.raises(UserError, match="cannot write 'c'"):
        WordList(words=["a", "c"]).trie(Letters())


def test_the_beginning_may_end_and_a_space_may_not():
    table, ends = WordList(words=["a", "b"]).trie(Letters())
    assert ends[0]
    assert table[0, A] == table[1, A]
    after = table[table[0, A]]
    np.testing.assert_array_equal(np.flatnonzero(after >= 0), [SPACE])
    assert not ends[after[SPACE]]
