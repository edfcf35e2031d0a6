import itertools
import json
import sys
import wave

import numpy as np
import pytest

from seqcfg.data import ahead
from seqcfg.data.ahead import read_ahead
from seqcfg.data.audio_file import AudioError, read_audio, resample
from seqcfg.data.batching import Batching
from seqcfg.data.feature import Feature
from seqcfg.data.plans import training_plan
from seqcfg.data.prepare import prepare
from seqcfg.data.root import DataRoot, data_folder
from seqcfg.data.sources.audio_layouts import AudioFolder, Kaldi, LibriSpeech, LJSpeech, Sphinx
from seqcfg.data.sources.audio_manifest import AudioManifest
from seqcfg.data.sources.keypad_tones import COLUMNS_HZ, NAMES, ROWS_HZ, KeypadTones
from seqcfg.data.tokenizers.character import Characters
from seqcfg.data.tokenizers.vocabulary import Vocabulary
from seqcfg.errors import UserError
from tests.data.small import make_experiment

REAL = data_folder()
RATE = 8000


@pytest.fixture
def root(tmp_path):
    (tmp_path / "data").mkdir()
    return DataRoot(tmp_path / "data", tmp_path / "cache")


def write_wave(file, samples, rate=RATE, width=2, channels=1):
    file.parent.mkdir(parents=True, exist_ok=True)
    with wave.open(str(file), "wb") as out:
        out.setparams((channels, width, rate, 0, "NONE", ""))
        out.writeframes(np.asarray(samples).tobytes())


def tone(seconds=0.5, hz=440, rate=RATE):
    return np.rint(16384 * np.sin(2 * np.pi * hz * np.arange(int(seconds * rate)) / rate)).astype("<i2")


def heard(source, root):
    return [(one.fields["key"], one.fields["text"], len(one.fields["audio"])) for one in source.examples(root) if not one.problem]


def test_samples_are_exact_and_parts_are_cut_where_told(tmp_path):
    values = np.arange(-500, 500, dtype="<i2")
    write_wave(tmp_path / "x.wav", values)
    samples, rate = read_audio(tmp_path / "x.wav", 0.01, 0.02)
    assert (rate, samples.dtype) == (RATE, np.float32)
    np.testing.assert_array_equal(samples[:, 0] * 32768, values[80:240])


@pytest.mark.parametrize(
    ("width", "values", "expected"),
    [(1, np.array([0, 128, 255], np.uint8), [-1, 0, 127 / 128]), (4, np.array([-(2**31), 2**30], "<i4"), [-1, 0.5]),
     (3, np.array([0, 0, 0x80, 0, 0, 0x40], np.uint8), [-1, 0.5])],
)  # fmt: skip
def test_all_widths_have_full_scale_one(width, values, expected, tmp_path):
    write_wave(tmp_path / "x.wav", values, width=width)
    assert read_audio(tmp_path / "x.wav")[0][:, 0].tolist() == expected


def test_damaged_and_short_files_are_refused(tmp_path):
    write_wave(tmp_path / "x.wav", tone())
    data = (tmp_path / "x.wav").read_bytes()
    (tmp_path / "x.wav").write_bytes(data[:-100])
    with pytest.raises(AudioError, match="ends early"):
        read_audio(tmp_path / "x.wav")
    (tmp_path / "x.wav").write_bytes(b"text" * 20)
    with pytest.raises(AudioError, match="not a WAV"):
        read_audio(tmp_path / "x.wav")
    (tmp_path / "x.wav").write_bytes(data)
    with pytest.raises(AudioError, match=r"0\.50 s long"):
        read_audio(tmp_path / "x.wav", 0.4, 0.3)


@pytest.mark.parametrize(("rate", "wanted"), [(8000, 16000), (44100, 16000), (16000, 8000)])
def test_resampling_keeps_a_tone_in_the_band_and_removes_one_above(rate, wanted):
    time, later = np.arange(rate // 4) / rate, np.arange(wanted // 4) / wanted
    low = resample(np.sin(2 * np.pi * 1000 * time).astype(np.float32), rate, wanted)
    middle = slice(wanted // 16, -wanted // 16)
    np.testing.assert_allclose(low[middle], np.sin(2 * np.pi * 1000 * later[: len(low)])[middle], atol=2e-3)
    if wanted < rate:
        high = resample(np.sin(2 * np.pi * 0.45 * rate * time).astype(np.float32), rate, wanted)
        assert np.abs(high[middle]).max() < 2e-3


def test_manifests_of_json_and_tabs_name_the_same_utterances(root):
    write_wave(root.folder / "wav" / "a.wav", tone(1.0))
    rows = [("a.wav", "whole", 0, None), ("a.wav", "part", 0.25, 0.5)]
    records = [{"audio_filepath": a, "text": t, "offset": o, "duration": d} for a, t, o, d in rows]
    (root.folder / "x.jsonl").write_text("".join(json.dumps(one) + "\n" for one in records))
    (root.folder / "x.tsv").write_text("a.wav\twhole\na.wav\tpart\t0.25\t0.5\n")
    for path, form in (("x.jsonl", "jsonl"), ("x.tsv", "tsv")):
        source = AudioManifest(path=path, format=form, audio_folder="wav", sample_rate_hz=RATE)
        assert heard(source, root) == [("a.wav", "whole", RATE), ("a.wav", "part", RATE // 2)]
        assert source.listed_paths(root) == ["wav/a.wav", "wav/a.wav"]


def test_missing_files_wrong_rates_and_broken_lines_are_located(root):
    write_wave(root.folder / "good.wav", tone())
    write_wave(root.folder / "fast.wav", tone(), rate=16000)
    records = [{"audio": audio, "text": "x"} for audio in ("good.wav", "gone.wav", "fast.wav", "../out.wav")]
    lines = [*map(json.dumps, records), "{", '{"audio": "good.wav"}', json.dumps(records[0] | {"offset": 9})]
    (root.folder / "x.jsonl").write_text("\n".join(lines))
    examples = list(AudioManifest(path="x.jsonl", sample_rate_hz=RATE).examples(root))
    assert [one.line for one in examples if one.problem] == [2, 3, 4, 5, 6, 7]
    assert "gone.wav: there is no such file" in examples[1].problem
    assert "has 16000 Hz instead of 8000" in examples[2].problem
    assert "leads out of the data root" in examples[3].problem
    again = list(AudioManifest(path="x.jsonl", sample_rate_hz=RATE, resample=True).examples(root))
    assert len(again[2].fields["audio"]) == RATE // 4


def test_kaldi_directories_and_their_segments(root):
    write_wave(root.folder / "wav" / "r1.wav", tone(1.0))
    (root.folder / "k").mkdir()
    (root.folder / "k" / "wav.scp").write_text("r1 r1.wav\nr2 sph2pipe -f wav r2.sph |\n")
    (root.folder / "k" / "text").write_text("r1 hello world\nr2 x\nr3 y\n")
    source = Kaldi(path="k", audio_folder="wav", sample_rate_hz=RATE)
    assert heard(source, root) == [("r1", "hello world", RATE)]
    problems = [one.problem for one in source.utterances(root) if one.problem]
    assert "commands are not run" in problems[0]
    assert problems[1] == "r3 is not in wav.scp"
    (root.folder / "k" / "text").write_text("u1 hello\nu2 world\nu3 x\n")
    (root.folder / "k" / "segments").write_text("u1 r1 0.0 0.25\nu2 r1 0.25 1.0\nu3 r1\n")
    segments = Kaldi(path="k", audio_folder="wav", has_segments=True, sample_rate_hz=RATE)
    assert heard(segments, root) == [("u1", "hello", 2000), ("u2", "world", 6000)]
    assert [one.problem for one in segments.utterances(root)][2] == "u3 has no line of three values in segments"


def test_the_layouts_of_librispeech_ljspeech_sphinx_and_folders(root):
    write_wave(root.folder / "L" / "19" / "198" / "19-198-0000.wav", tone())
    (root.folder / "L" / "19" / "198" / "19-198.trans.txt").write_text("19-198-0000 NORTHANGER ABBEY\n")
    assert heard(LibriSpeech(path="L", audio_suffix=".wav", sample_rate_hz=RATE), root) == [("19-198-0000", "NORTHANGER ABBEY", 4000)]
    write_wave(root.folder / "J" / "wavs" / "LJ1.wav", tone())
    (root.folder / "J" / "metadata.csv").write_text("LJ1|Mr. 3|Mister three\n")
    assert heard(LJSpeech(path="J", sample_rate_hz=RATE), root) == [("LJ1", "Mister three", 4000)]
    (root.folder / "S.fileids").write_text("198/19-198-0000\nmissing\n")
    (root.folder / "S.transcription").write_text("<s> NORTHANGER ABBEY </s> (19-198-0000)\n")
    sphinx = Sphinx(fileids="S.fileids", transcription="S.transcription", audio_folder="L/19", sample_rate_hz=RATE)
    assert heard(sphinx, root) == [("19-198-0000", "NORTHANGER ABBEY", 4000)]
    assert "no transcript" in [one.problem for one in sphinx.utterances(root)][1]
    write_wave(root.folder / "F" / "yes" / "0_george_1.wav", tone())
    for where, text in (("folder", "yes"), ("name", "0")):
        assert heard(AudioFolder(path="F", text=where, sample_rate_hz=RATE), root) == [("0_george_1", text, 4000)]
    assert "has no .lab" in [one.problem for one in AudioFolder(path="F", sample_rate_hz=RATE).utterances(root)][0]
    (root.folder / "F" / "yes" / "0_george_1.lab").write_text("zero\n")
    assert heard(AudioFolder(path="F", sample_rate_hz=RATE), root) == [("0_george_1", "zero", 4000)]


def test_flac_is_read_by_libsndfile(root):
    library = pytest.importorskip("soundfile")
    library.write(root.folder / "x.flac", tone(), RATE)
    write_wave(root.folder / "x.wav", tone())
    for offset, duration in ((0.0, None), (0.1, 0.2)):
        np.testing.assert_array_equal(
            read_audio(root.folder / "x.flac", offset, duration)[0], read_audio(root.folder / "x.wav", offset, duration)[0]
        )


def strongest(audio, rate, candidates):
    time = np.arange(len(audio)) / rate
    return max(candidates, key=lambda hz: abs(np.sum(audio * np.exp(-2j * np.pi * hz * time))))


def test_a_key_sounds_its_two_tones_and_examples_do_not_depend_on_their_number():
    one = next(iter(KeypadTones(num_examples=1, longest=1, seed=5).examples(None)))
    audio = one.fields["audio"]
    keys = {name: key for key, name in NAMES.items()}
    row, column = divmod("123A456B789C*0#D".index(keys[one.fields["text"]]), 4)
    assert strongest(audio, 8000, ROWS_HZ) == ROWS_HZ[row]
    assert strongest(audio, 8000, COLUMNS_HZ) == COLUMNS_HZ[column]
    assert audio.dtype == np.float32
    assert 0.1 < np.abs(audio).max() < 1
    many = list(KeypadTones(num_examples=3, longest=1, seed=5).examples(None))
    np.testing.assert_array_equal(many[0].fields["audio"], audio)


def test_audio_is_stored_as_it_was_recorded_and_listed_files_are_part_of_the_fingerprint(root, tmp_path):
    values = [tone(0.1), tone(0.05, 300)]
    for number, samples in enumerate(values):
        write_wave(root.folder / f"{number}.wav", samples)
    (root.folder / "x.tsv").write_text("0.wav\thigh\n1.wav\tlow\n2.wav\tgone\n")
    features = {
        "audio": Feature("audio", dtype="float32", storage="int16", scale=32768.0, unit=80),
        "text": Feature("text", tokenizer="words", end=True),
    }
    splits = {"train": AudioManifest(path="x.tsv", format="tsv", sample_rate_hz=RATE)}
    tokenizers = {"words": Vocabulary(vocab_size=6, fields=["text"])}
    experiment = make_experiment(splits, tokenizers, features, max_bad_examples=1)
    roots = {"data_root": root.folder, "cache_root": tmp_path / "cache"}
    prepared = prepare(experiment, **roots)
    columns = prepared.splits["train"]
    assert columns.lengths("audio").tolist() == [800, 400]
    np.testing.assert_array_equal(columns.gather("audio", [1, 0], 800) * 32768, [[*values[1], *[0] * 400], values[0]])
    assert (prepared.folder / "splits" / "train" / "audio.values.npy").stat().st_size == 128 + 2 * 1200
    assert prepared.manifest["splits"]["train"]["counts"]["bad"] == 1
    write_wave(root.folder / "1.wav", values[0])
    assert prepare(experiment, **roots).fingerprint != prepared.fingerprint


@pytest.mark.skipif(not (REAL / "an4").exists(), reason="real data is not here")
def test_an4_is_heard_whole():
    root = DataRoot(REAL)
    an4 = Sphinx(
        fileids="an4/etc/split_dev.fileids", transcription="an4/etc/an4_train.transcription", audio_folder="an4/wav", sample_rate_hz=16000
    )
    examples = list(an4.examples(root))
    assert len(examples) == 105
    assert not [one.problem for one in examples if one.problem]
    assert sum(len(one.fields["audio"]) for one in examples) / 16000 > 200


@pytest.mark.skipif(not (REAL / "an4").exists(), reason="real data is not here")
def test_at_most_a_tenth_of_the_batches_of_an4_is_padding(tmp_path):
    lists = {"fileids": "an4/etc/split_train.fileids", "transcription": "an4/etc/an4_train.transcription", "audio_folder": "an4/wav"}
    features = {
        "audio": Feature("audio", dtype="float32", storage="int16", scale=32768.0, unit=160),
        "text": Feature("text", tokenizer="characters", end=True),
    }
    tokenizers = {"characters": Characters(vocab_size=31, fields=["text"])}
    prepared = prepare(
        make_experiment({"train": Sphinx(**lists, sample_rate_hz=16000)}, tokenizers, features), data_root=REAL, cache_root=tmp_path
    )
    plan = training_plan(prepared.splits["train"], features, Batching(max_tokens=8000, num_buckets=24, max_length=3000), 1)
    assert plan.num_left_out == 0
    assert plan.padding_share <= 0.1


def test_files_read_ahead_come_in_order_with_their_errors_and_no_more_than_told():
    begun = []

    def read(number):
        begun.append(number)
        if number == 50:
            raise OSError("fifty")
        return number * number

    results = read_ahead(read, itertools.count())
    assert [next(results) for _ in range(10)] == [number * number for number in range(10)]
    assert len(begun) <= 10 + ahead.AHEAD * ahead.MAX_THREADS
    with pytest.raises(OSError, match="fifty"):
        list(results)
    assert list(read_ahead(str, [])) == []


def test_a_missing_package_is_told_once_and_not_counted_as_damage(root, monkeypatch):
    write_wave(root.folder / "x.wav", tone())
    (root.folder / "x.wav").rename(root.folder / "x.flac")
    (root.folder / "x.tsv").write_text("x.flac\ttext\n")
    monkeypatch.setitem(sys.modules, "soundfile", None)
    with pytest.raises(UserError, match=r"a \.flac file needs the package soundfile") as refusal:
        list(AudioManifest(path="x.tsv", format="tsv", sample_rate_hz=RATE).examples(root))
    assert "seqcfg[audio]" in refusal.value.problems[0].hint
