"""Unknown ids of outputs become words of the source, or what a lexicon makes of them."""

import numpy as np
import pytest

from seqcfg.component.reserved_ids import NUM_RESERVED, UNKNOWN
from seqcfg.data.tokenizers.token_list import write_tokens
from seqcfg.data.tokenizers.vocabulary import WordCodec
from seqcfg.decoding.beam import Beam
from seqcfg.decoding.decoder import Decoder
from seqcfg.decoding.lexicon import Lexicon
from seqcfg.decoding.settings import Decoding
from seqcfg.decoding.unknown_words import Replacer, UnknownWords, filled
from seqcfg.tasks.trained import open_run
from tests.evaluation.small_run import make_run


@pytest.fixture()
def codec(tmp_path):
    write_tokens(["the", "house", "is", "Haus", "das"], tmp_path)
    return WordCodec(tmp_path)


class Diagonal:
    """Looks straight across, but for what it is told."""

    def __init__(self, **told):
        self.told = {int(target): source for target, source in told.items()}

    def links(self, sources, ids):
        return [[[(self.told.get(target, target), target) for target in range(len(row))] for row in rows] for rows in ids]


def replaced(codec, source, ids, take="source", told=None, lexicon=None):
    aligner = Diagonal()
    aligner.told = told or {}
    replacer = Replacer(UnknownWords(take=take), aligner, codec, codec, lexicon)
    return replacer([source], [codec.decode([ids])], [[ids]])[0][0]


def test_an_unknown_word_is_the_one_that_attention_was_at(codec):
    assert replaced(codec, "the Zugspitze is", [8, UNKNOWN, 7]) == "das Zugspitze Haus"
    assert replaced(codec, "the Zugspitze is", [8, UNKNOWN, 7], told={1: 2}) == "das is Haus"
    assert replaced(codec, "the house", [8, 7]) == "das Haus"


def test_one_source_word_is_not_written_twice_in_a_row(codec):
    assert replaced(codec, "Zugspitze is", [UNKNOWN, UNKNOWN, 7], told={0: 0, 1: 0}) == "Zugspitze Haus"
    assert replaced(codec, "Zugspitze is", [UNKNOWN, 7, UNKNOWN], told={0: 0, 2: 0}) == "Zugspitze Haus Zugspitze"


def test_a_lexicon_translates_what_it_knows_and_the_rest_is_copied(codec):
    translations = np.zeros([9, 1], np.int32)
    translations[5, 0] = 7
    lexicon = Lexicon(translations, np.ones([9, 1], np.float32), np.array([7], np.int32), "x")
    assert replaced(codec, "the house Zugspitze", [8, UNKNOWN, UNKNOWN], "lexicon", lexicon=lexicon) == "das Haus Zugspitze"


def test_signs_that_cannot_be_told_from_text_are_left():
    assert filled("a <unk> b <unk>", "<unk>", ["x"]) == "a <unk> b <unk>"
    assert filled("a \u2047  b", " \u2047 ", ["x"]) == "a x b" and filled(" \u2047 ", " \u2047 ", ["x"]) == "x"
    assert filled("a\ufffdc", "\ufffd", ["b"]) == "abc"


def test_a_word_is_found_by_any_of_its_pieces(tmp_path, codec):
    assert [codec.original("the Zugspitze is", place) for place in range(3)] == ["the", "Zugspitze", "is"]


def test_decoding_fills_in_words_and_says_where_none_can_be_missing(tmp_path):
    assert [field for field, _, _ in Decoding(unknown_words=UnknownWords()).check()] == ["unknown_words"]
    assert not list(Decoding(search=Beam(allow_unknown=True), unknown_words=UnknownWords()).check())
    trained = open_run(make_run(tmp_path, "vocabulary, vocab_size: 12"))
    recipe = trained.experiment.recipe
    weights = {path: np.array(value) for path, value in trained.weights.items()}
    table = next(path for path in weights if path.endswith("table"))
    weights[table][NUM_RESERVED:] *= 0.1  # the model would love to write unknown ids and ends

    def decoded(**settings):
        decoding = Decoding(search=Beam(width=4, n_best=4, allow_unknown=True), max_length=3, xla="never", **settings)
        parts = (recipe.task, trained.declaration, weights, trained.codecs, decoding, trained.precision)
        return Decoder(*parts).decode(["zweihundertsieben", "", "one"])

    plain, words = decoded(), decoded(unknown_words=UnknownWords())
    assert [one.ids for one in plain] == [one.ids for one in words] and words[1].text == ""
    found = [(text, other) for text, other in zip(plain[0].texts, words[0].texts) if "<unk>" in text]
    assert found and all("zweihundertsieben" in other and "<unk>" not in other for _, other in found)
