import numpy as np
import pytest

from seqcfg.data.histogram import as_svg, as_text, of_lengths
from seqcfg.data.lint import Linter, encoding_trouble
from seqcfg.data.root import DataRoot
from seqcfg.data.settings import Data
from seqcfg.data.sources.keypad_tones import KeypadTones
from seqcfg.data.sources.parallel_text import ParallelText
from seqcfg.data.tokenizers.character import Characters
from tests.data.test_audio_sources import write_wave

GOOD = [("a small house", "une petite maison"), ("the old tree", "le vieil arbre"), ("a red cat sat", "un chat rouge assis")]


@pytest.fixture
def root(tmp_path):
    (tmp_path / "data").mkdir()
    return DataRoot(tmp_path / "data", tmp_path / "cache")


def write(root, name, pairs):
    for side, suffix in ((0, "en"), (1, "fr")):
        (root.folder / f"{name}.{suffix}").write_text("".join(f"{pair[side]}\n" for pair in pairs), "utf-8")
    return ParallelText(source=f"{name}.en", target=f"{name}.fr")


def found(root, codecs=None, fields=("source", "target"), **splits):
    linter = Linter(Data(splits=splits), set(fields), codecs or {}, root)
    return {(one.place, one.kind) for one in linter.findings()}


def test_good_text_gives_no_finding(root):
    assert found(root, train=write(root, "train", GOOD)) == set()


def test_each_kind_of_trouble_is_located(root):
    bad = [("", "vide"), GOOD[0], ("one two", "un " * 20), ("he said \ufffd", "il dit"), ("привет мир друзья", "bonjour le monde")]
    train, test = write(root, "train", [*GOOD, *bad]), write(root, "test", [GOOD[1], ("new", "neuf"), ("new", "neuf")])
    assert found(root, train=train, test=test) == {
        ("train.en:4", "empty"),
        ("train.en:5", "duplicate"),
        ("train.en:6", "ratio"),
        ("train.en:7", "encoding"),
        ("train.en:8", "script"),
        ("test.en:1", "leak"),
        ("test.en:3", "duplicate"),
    }


def test_damaged_lines_and_unknown_tokens_are_located(root, tmp_path):
    source = write(root, "train", GOOD)
    file = root.folder / "train.en"
    file.write_bytes(file.read_bytes().replace(b"old", b"o\xffd").replace(b"red", b"rZd"))
    tokenizer = Characters(vocab_size=18)
    tokenizer.fit(iter(text for pair in GOOD for text in pair), tmp_path / "t", root)
    assert found(root, {"source": tokenizer.load(tmp_path / "t")}, train=source) >= {("train.en:2", "damaged"), ("train.en:3", "unknown")}


@pytest.mark.parametrize(
    ("text", "trouble"),
    [
        ("Ãœber", "Latin-1"),
        ("fÃ¼r", "Latin-1"),
        ("donâ€™t", "Latin-1"),
        ("a\x07b", "U+0007"),
        ("a\x85b", "U+0085"),
        ("fine – text", ""),
        ("\ufffd", "U+FFFD"),
    ],
)
def test_signs_of_a_wrong_encoding(text, trouble):
    assert (trouble in encoding_trouble(text)) if trouble else not encoding_trouble(text)


def test_silent_clipped_and_differently_sampled_audio_is_located(root):
    from seqcfg.data.sources.audio_manifest import AudioManifest

    loud = np.clip(np.sin(np.arange(4000) / 5) * 90_000, -32767, 32767).astype("<i2")
    write_wave(root.folder / "clipped.wav", loud)
    write_wave(root.folder / "silent.wav", np.zeros(4000, "<i2"))
    write_wave(root.folder / "fast.wav", (loud // 8).astype("<i2"), rate=16000)
    write_wave(root.folder / "good.wav", (loud // 8).astype("<i2"))
    names = ("clipped", "silent", "fast", "good")
    (root.folder / "x.tsv").write_text("".join(f"{name}.wav\t{name} words\n" for name in names))
    source = AudioManifest(path="x.tsv", format="tsv", sample_rate_hz=8000)
    assert found(root, fields=("audio", "text"), train=source) == {
        ("x.tsv:1", "clipped"),
        ("x.tsv:2", "silent"),
        ("x.tsv:3", "sample rate"),
    }
    assert found(root, fields=("audio", "text"), train=KeypadTones(num_examples=5)) == set()


def test_histograms_count_every_example_once():
    lengths = np.random.default_rng(0).integers(0, 200, 1000)
    histogram = of_lengths("train.source", lengths, 0.01)
    assert histogram.counts.sum() == 1000
    assert len(histogram.counts) <= 16
    assert "1.00% unknown" in histogram.summary
    lines = as_text(histogram)
    assert sum(int(line.split()[-1].replace(",", "")) for line in lines[2:]) == 1000
    assert max(line.count("\u2588") for line in lines) == 48
    picture = as_svg([histogram, of_lengths("a < b", np.array([], int))])
    assert picture.count("<rect") == len(histogram.counts) + 1
    assert "a &lt; b" in picture
