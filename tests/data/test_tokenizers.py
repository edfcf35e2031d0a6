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
from seqcfg.data.tokenizers.codec import fields_of
from seqcfg.data.tokenizers.sentence_piece import FILE_NAME, SentencePiece
from seqcfg.data.tokenizers.vocabulary import Vocabulary
from seqcfg.errors import UserError

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
STRANGE = ["", " ", "the cat", "Žižek 日本 the", "a\u2028b  c\td", "<s> the </s> <pad>", "naïve café", "🙂", "the\u00a0cat"]


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
    assert ours == {"sentencepiece", "byte", "character", "vocabulary"}


def test_bytes_are_shifted_by_four(tmp_path):
    codec = trained(Bytes(), tmp_path / "t")
    assert codec.encode(["Aé"]) == [[0x41 + 4, 0xC3 + 4, 0xA9 + 4]]
    assert codec.decode([[0x41 + 4, 0xC3 + 4]]) == ["A\ufffd"]
    assert codec.vocabulary == Bytes().vocab_size == 260


def test_the_rarest_characters_are_unknown(tmp_path):
    codec = trained(Characters(vocab_size=6), tmp_path / "t", ["abab", "bc", "d"])
    assert codec.encode(["bacd"]) == [[4, 5, UNKNOWN, UNKNOWN]]
    assert codec.decode([[4, UNKNOWN, 5]]) == ["b\ufffda"]


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
