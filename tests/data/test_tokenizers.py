import math
import random
from collections import Counter

import pytest
import tensorflow as tf

from seqcfg.component import catalog
from seqcfg.component.kinds import Tokenizer
from seqcfg.component.reserved_ids import END, PAD, START, UNKNOWN
from seqcfg.data.root import DataRoot
from seqcfg.data.tokenizers.byte import Bytes
from seqcfg.data.tokenizers.character import Characters
from seqcfg.data.tokenizers.character_table import CharacterTable
from seqcfg.data.tokenizers.codec import fields_of
from seqcfg.data.tokenizers.grapheme import Graphemes
from seqcfg.data.tokenizers.sampling import Sampling
from seqcfg.data.tokenizers.sentence_piece import FILE_NAME, SentencePiece
from seqcfg.data.tokenizers.text_rules import TextRules
from seqcfg.data.tokenizers.vocabulary import Vocabulary
from seqcfg.data.tokenizers.word_piece import WordPiece
from seqcfg.errors import UserError
from seqcfg.recipe.canonical import canonical

WORDS = [
    "the",
    "cat",
    "sat",
    "on",
    "a",
    "mat",
    "while",
    "two",
    "small",
    "dogs",
    "ran",
    "around",
    "big",
    "red",
    "houses",
    "near",
    "old",
    "green",
    "trees",
]
CORPUS = [" ".join(random.Random(n).choices(WORDS, k=n % 9 + 1)) for n in range(200)]
STRANGE = [
    "",
    " ",
    "<2de> the <2de>cat",
    "The, CAT.Sat! ##a #",
    "e\u0301\u0302 \U0001f1e9\U0001f1ea\U0001f1eb \u200d a\u200db\u200d\u200d",
    "A" * 101,
    "\U0001f469\U0001f3fd\u200d\U0001f4bb \ufb01 \u0130\u03a3 \u0301",
    "the cat",
    "Žižek 日本 the",
    "a\u2028b  c\td",
    "<s> the </s> <pad>",
    "naïve café",
    "🙂",
    "the\u00a0cat",
    "\U000f0000the\U000f0001 cat [.*]\\1",
]


def trained(tokenizer, folder, texts=CORPUS):
    tokenizer.fit(iter(texts), folder, DataRoot(folder.parent))
    return tokenizer.load(folder)


TOKENIZERS = {
    "unigram": SentencePiece(vocab_size=38),
    "bpe": SentencePiece(vocab_size=60, algorithm="bpe"),
    "fallback": SentencePiece(vocab_size=292, byte_fallback=True, normalization="nmt_nfkc_cf"),
    "byte": Bytes(),
    "character": Characters(vocab_size=20),
    "vocabulary": Vocabulary(vocab_size=15),
    "special": SentencePiece(vocab_size=40, special_tokens=["<2de>", "<2fr>"]),
    "word_piece": WordPiece(vocab_size=60),
    "word_piece_folded": WordPiece(vocab_size=50, rules=TextRules(normalization="nfkc", lowercase=True), special_tokens=["<2de>"]),
    "grapheme": Graphemes(vocab_size=20),
    "byte_special": Bytes(special_tokens=["<2de>", "cat", "the cat", "é"]),
    "character_special": Characters(vocab_size=20, special_tokens=["<2de>", "cat"]),
    "grapheme_special": Graphemes(vocab_size=20, special_tokens=["<2de>", "cat", "[.*]\\1"]),
    "character_table": CharacterTable(characters=" abcdefghijklmnopqrstuvwxyz", markers=["<noise>"], rules=TextRules(lowercase=True)),
}


@pytest.fixture(params=TOKENIZERS.values(), ids=TOKENIZERS.keys())
def codec(request, tmp_path):
    return trained(request.param, tmp_path / "tokenizer")


def test_ids_are_within_the_vocabulary_and_never_reserved_but_unknown(codec):
    ids = Counter(one for row in codec.encode(CORPUS + STRANGE) for one in row)
    assert not {PAD, START, END} & set(ids)
    assert max(ids) < codec.vocabulary


def test_graph_and_python_give_the_same_ids(codec):
    texts = STRANGE + CORPUS
    assert codec.graph().encode(tf.constant(texts)).to_list() == codec.encode(texts)


def test_graph_and_python_give_the_same_texts(codec):
    draw = random.Random(1)
    rows = codec.encode(CORPUS[:30]) + [[draw.randrange(codec.vocabulary) for _ in range(draw.randrange(12))] for _ in range(60)]
    lengths = [len(row) for row in rows]
    ids = tf.ragged.constant(rows, dtype=tf.int32).to_tensor(7)
    texts = [text.decode("utf-8") for text in codec.graph().decode(ids, tf.constant(lengths)).numpy()]
    assert texts == codec.decode(rows)


def test_known_text_survives_the_way_there_and_back(codec):
    known = [text for text, ids in zip(CORPUS, codec.encode(CORPUS), strict=True) if UNKNOWN not in ids]
    assert len(known) > 5
    assert codec.decode(codec.encode(known)) == known


def test_padding_start_and_end_leave_no_trace_in_the_text(codec):
    ids = codec.encode(["the cat"])[0]
    assert codec.decode([[START, *ids, END, PAD, PAD], []]) == [*codec.decode([ids]), ""]


def test_a_saved_graph_needs_no_files(codec, tmp_path):
    module = codec.graph()
    module.ids = tf.function(lambda texts: module.encode(texts).to_tensor(), input_signature=[tf.TensorSpec([None], tf.string)])
    tf.saved_model.save(module, tmp_path / "saved")
    for file in (tmp_path / "tokenizer").iterdir():
        file.unlink()
    restored = tf.saved_model.load(tmp_path / "saved").ids(tf.constant(["the cat sat"]))
    assert restored.numpy().tolist() == codec.encode(["the cat sat"])


def test_every_tokenizer_of_the_catalog_is_tested_here():
    ours = {name for name, cls in catalog.load()[Tokenizer.kind].items() if cls.__module__.startswith("seqcfg.")}
    assert ours == {
        "sentencepiece", "byte", "character", "vocabulary", "word_piece", "grapheme", "character_table"
    }  # fmt: skip


def test_bytes_are_shifted_by_four(tmp_path):
    codec = trained(Bytes(), tmp_path / "t")
    assert codec.encode(["Aé"]) == [[0x41 + 4, 0xC3 + 4, 0xA9 + 4]]
    assert codec.decode([[0x41 + 4, 0xC3 + 4]]) == ["A\ufffd"]
    assert codec.vocabulary == Bytes().vocab_size == 260


def test_the_rarest_characters_are_unknown(tmp_path):
    codec = trained(Characters(vocab_size=6), tmp_path / "t", ["abab", "bc", "d"])
    assert codec.encode(["bacd"]) == [[4, 5, UNKNOWN, UNKNOWN]]
    assert codec.decode([[4, UNKNOWN, 5]]) == ["b\ufffda"]


def test_a_table_s_ids_are_in_the_order_that_is_written(tmp_path):
    tokenizer = CharacterTable(characters="ba ", markers=["<noise>"], rules=TextRules(lowercase=True))
    codec = trained(tokenizer, tmp_path / "t", [])
    assert tokenizer.vocab_size == codec.vocabulary == 8
    assert codec.encode(["Ab x<noise>"]) == [[5, 4, 6, UNKNOWN, *[UNKNOWN] * 7]]
    assert codec.decode([[4, 5, 7, 6]]) == ["ba<noise> "]
    assert [field for field, _, _ in CharacterTable(characters="aba").check()] == ["characters"]


def test_words_are_ranked_by_frequency_then_by_code_point(tmp_path):
    codec = trained(Vocabulary(vocab_size=7), tmp_path / "t", ["b a b", "c a d"])
    assert codec.encode(["a b c d"]) == [[4, 5, 6, UNKNOWN]]
    assert codec.decode([[6, UNKNOWN]]) == ["c <unk>"]


@pytest.mark.parametrize(
    ("tokenizer", "allowed"),
    [
        (Characters(vocab_size=10), 9),
        (Vocabulary(vocab_size=8), 7),
        (SentencePiece(vocab_size=5000), None),
        (SentencePiece(vocab_size=6), 13),
    ],
)
def test_a_vocabulary_that_the_corpus_does_not_allow_is_refused_with_the_number_that_fits(tokenizer, allowed, tmp_path):
    texts = CORPUS if isinstance(tokenizer, SentencePiece) and allowed is None else ["abab", "bc d"]
    with pytest.raises(UserError) as refusal:
        tokenizer.fit(iter(texts), tmp_path / "t", DataRoot(tmp_path))
    suggested = int("".join(filter(str.isdigit, refusal.value.problems[0].hint.split(",")[0])))
    if allowed and not isinstance(tokenizer, SentencePiece):
        assert suggested == allowed
    fitting = type(tokenizer)(vocab_size=suggested)
    if not isinstance(tokenizer, SentencePiece) or allowed is None:
        assert trained(fitting, tmp_path / "t", texts).vocabulary == suggested
    else:
        assert suggested > tokenizer.vocab_size


def test_pieces_are_learnt_the_same_way_twice(tmp_path):
    first, second = (trained(SentencePiece(vocab_size=38, max_sentences=150), tmp_path / name) for name in "ab")
    assert (first.folder / FILE_NAME).read_bytes() == (second.folder / FILE_NAME).read_bytes()


def test_a_given_model_is_used_and_checked(tmp_path):
    trained(SentencePiece(vocab_size=38), tmp_path / "made")
    (tmp_path / "given.model").write_bytes((tmp_path / "made" / FILE_NAME).read_bytes())
    codec = trained(SentencePiece(vocab_size=38, model="given.model"), tmp_path / "copy", [])
    assert codec.encode(["the cat"]) == SentencePiece(vocab_size=38).load(tmp_path / "made").encode(["the cat"])
    with pytest.raises(UserError, match="has 38 pieces, but vocab_size is 39"):
        trained(SentencePiece(vocab_size=39, model="given.model"), tmp_path / "copy", [])
    (tmp_path / "given.model").write_bytes(b"no model")
    with pytest.raises(UserError, match="is not a SentencePiece model"):
        trained(SentencePiece(vocab_size=38, model="given.model"), tmp_path / "copy", [])


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("b\na\n", None),
        ("b\na c\n", "words.txt:2: not exactly one word"),
        ("b\nb\n", "listed in line 1"),
        ("b\n", "has 1 words"),
        ("b\n\n", ":2: "),
    ],
)
def test_a_given_list_of_words_is_checked_line_by_line(content, message, tmp_path):
    (tmp_path / "words.txt").write_text(content)
    tokenizer = Vocabulary(vocab_size=6, file="words.txt")
    if message is None:
        assert trained(tokenizer, tmp_path / "t", []).encode(["a b x"]) == [[5, 4, UNKNOWN]]
    else:
        with pytest.raises(UserError, match=message):
            trained(tokenizer, tmp_path / "t", [])


def test_learning_reads_the_named_fields_alone():
    records = [{"source": "a", "target": "b"}, {"source": "c", "target": ""}]
    assert list(fields_of(["target", "source"], records)) == ["b", "a", "c"]


def test_the_longest_known_piece_is_cut_off_first(tmp_path):
    (tmp_path / "vocab.txt").write_text("[PAD]\n[UNK]\nun\n##able\n##a\n##b\n,\n##u\n")
    codec = trained(WordPiece(vocab_size=10, file="vocab.txt"), tmp_path / "t", [])
    assert codec.encode(["unable unab, unx"]) == [[4, 5, 4, 6, 7, 8, UNKNOWN]]
    assert codec.decode([[4, 5, 8, 4, UNKNOWN]]) == ["unable , un <unk>"]


def test_merges_are_the_most_frequent_neighbours(tmp_path):
    """hug 10, pug 5, pun 12, bun 4, hugs 5: the worked example of the literature merges u+g, u+n, h+ug."""
    texts = [" ".join(["hug"] * 10 + ["pug"] * 5 + ["pun"] * 12 + ["bun"] * 4 + ["hugs"] * 5)]
    codec = trained(WordPiece(vocab_size=4 + 7 + 3), tmp_path / "t", texts)
    assert codec.pieces == ["##g", "##n", "##s", "##u", "b", "h", "p", "##ug", "##un", "hug"]


def test_accents_flags_and_joined_signs_are_one_grapheme(tmp_path):
    clusters = ["e\u0302\u0301", "\U0001f1e9\U0001f1ea", "\U0001f469\U0001f3fd\u200d\U0001f4bb", "x", "\u0928"]
    codec = trained(Graphemes(vocab_size=9, rules=TextRules()), tmp_path / "t", ["".join(clusters)])
    assert sorted(codec.symbols) == sorted(clusters)
    assert len(codec.encode(["".join(clusters)])[0]) == 5
    assert codec.encode(["e"]) == [[UNKNOWN]]


def test_special_tokens_are_one_id_in_any_place_and_take_the_first_ids(tmp_path):
    codec = trained(TOKENIZERS["special"], tmp_path / "t")
    ids = codec.encode(["<2de> the cat", "<2fr> the cat"])
    assert [row.count(4) for row in ids] == [1, 0]
    assert [row.count(5) for row in ids] == [0, 1]
    assert codec.decode(ids) == ["<2de> the cat", "<2fr> the cat"]


@pytest.mark.parametrize("name", ["byte_special", "character_special", "grapheme_special"])
def test_special_tokens_are_one_id_among_small_units_too(name, tmp_path):
    codec = trained(TOKENIZERS[name], tmp_path / "t")
    first = 260 if name == "byte_special" else 4
    ids = codec.encode(["<2de>a <2de>", "a ca"])
    assert ids[0][0] == ids[0][-1] == first and ids[0].count(first) == 2 and first not in ids[1]
    assert codec.tokens([first]) == ["<2de>"] and len(codec.encode(["cat"])[0]) == 1
    assert codec.decode(ids)[0] == "<2de>a <2de>"


def test_of_special_tokens_that_overlap_the_longest_counts(tmp_path):
    codec = trained(TOKENIZERS["byte_special"], tmp_path / "t")
    assert codec.encode(["the cat"]) == [[262]] and codec.encode(["cat"]) == [[261]]


@pytest.mark.parametrize("tokens", [["<a>", "<a>"], [""], ["a\nb"], ["\U000f0003"]])
def test_special_tokens_that_cannot_be_are_refused(tokens):
    assert [field for field, _, _ in Bytes(special_tokens=tokens).check()] == ["special_tokens"]


@pytest.mark.parametrize(("algorithm", "vocab_size"), [("unigram", 40), ("bpe", 60)])
def test_sampled_segmentations_spell_the_text_differ_and_depend_on_their_number_alone(algorithm, vocab_size, tmp_path):
    settings = Sampling(num_variants=4, alpha=0.3)
    tokenizer = SentencePiece(vocab_size=vocab_size, algorithm=algorithm, special_tokens=["<2de>"], sampling=settings)
    codec = trained(tokenizer, tmp_path / "t")
    texts = [*CORPUS[:40], "<2de> the cat"]
    rows = [[codec.variant(text, number, variant) for variant in range(4)] for number, text in enumerate(texts)]
    again = trained(tokenizer, tmp_path / "u")
    assert rows[7][2] == again.variant(texts[7], 7, 2)
    for text, variants in zip(texts, rows, strict=True):
        assert codec.decode(variants) == [text] * 4
    assert len({tuple(row) for row in rows[8]}) > 1
    assert sum(map(len, sum(rows, []))) > 4 * sum(map(len, codec.encode(texts)))
    assert codec.num_variants == 4
    assert rows[40][0].count(4) == 1


def test_unigram_segmentations_are_drawn_with_their_probabilities(tmp_path):
    """Frequencies of all ways to cut one word, against exp(alpha * sum of scores) over all of them, by brute force."""
    codec = trained(SentencePiece(vocab_size=40, sampling=Sampling(alpha=0.1)), tmp_path / "t")
    processor, word = codec.processor, "\u2581the"
    known = {processor.id_to_piece(i): processor.get_score(i) for i in range(4, codec.vocabulary)}
    ways = {}
    for cuts in range(1 << (len(word) - 1)):
        places = [0, *(i + 1 for i in range(len(word) - 1) if cuts >> i & 1), len(word)]
        pieces = [word[a:b] for a, b in zip(places, places[1:])]
        if all(piece in known for piece in pieces):
            ways[tuple(map(processor.piece_to_id, pieces))] = math.exp(0.1 * sum(known[piece] for piece in pieces))
    assert len(ways) >= 2
    drawn = Counter(tuple(codec.variant("the", number, 0)) for number in range(4000))
    for way, weight in ways.items():
        share = weight / sum(ways.values())
        assert abs(drawn[way] - 4000 * share) < 5 * math.sqrt(4000 * share * (1 - share))
    assert sum(drawn.values()) == sum(drawn[way] for way in ways)


def test_byte_pair_dropout_of_nearly_nothing_is_the_best_segmentation(tmp_path):
    codec = trained(SentencePiece(vocab_size=60, algorithm="bpe", sampling=Sampling(alpha=1e-12)), tmp_path / "t")
    assert [codec.variant(text, number, 0) for number, text in enumerate(CORPUS)] == codec.encode(CORPUS)


def test_a_field_that_came_later_changes_no_fingerprint_until_it_is_used():
    plain = canonical(SentencePiece(vocab_size=40), only_result=True)
    assert "sampling" not in plain
    assert "special_tokens" not in plain
    assert canonical(SentencePiece(vocab_size=40, sampling=Sampling()), only_result=True)["sampling"]["num_variants"] == 8
    assert "sampling" in canonical(SentencePiece(vocab_size=40))
