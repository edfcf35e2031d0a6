import numpy as np
import pytest
import tensorflow as tf

from seqcfg.component.reserved_ids import END
from seqcfg.decoding.beam import Beam
from seqcfg.decoding.ctc_beam import CTCBeam
from seqcfg.decoding.ctc_greedy import CTCGreedy
from seqcfg.decoding.decoder import EMPTY, Decoder
from seqcfg.decoding.scoring import Scorer
from seqcfg.decoding.settings import Decoding
from seqcfg.layers.audio.log_mel import LogMel
from seqcfg.layers.composition.sequential import Sequential
from seqcfg.layers.convolution.conv1d import Conv1D
from seqcfg.layers.create import initial_values, view
from seqcfg.layers.recurrent.lstm import LSTM
from seqcfg.models.ctc import CTC
from seqcfg.plan.declaration import Declaration
from seqcfg.tasks.recognition import Recognition

RATE, VOCABULARY = 4000, 7
ENCODER = Sequential(layers=[Conv1D(units=6, kernel_size=3, stride=2, activation="relu"), LSTM(units=5)])
TASK = Recognition(
    tokenizer="letters",
    sample_rate_hz=RATE,
    front_end=LogMel(sample_rate_hz=RATE, num_bins=8, frames="centered"),
    model=CTC(encoder=ENCODER),
)


class Letters:
    vocabulary = VOCABULARY

    def encode(self, texts):
        return [["abc".index(letter) + 4 for letter in text] for text in texts]

    def decode(self, ids):
        return ["".join("...?abc"[one] if one > 3 else "" for one in row) for row in ids]


CODECS = {"letters": Letters()}


@pytest.fixture(scope="module")
def declaration():
    root = Declaration(TASK)
    TASK.declare(root, {"letters": VOCABULARY})
    return root


@pytest.fixture(scope="module")
def weights(declaration):
    return {path: 3.0 * value for path, value in initial_values(declaration, 3).items()}


def sounds_of(*seconds, seed=0):
    rng = np.random.default_rng(seed)
    return [rng.uniform(-0.5, 0.5, int(RATE * one)).astype(np.float32) for one in seconds]


def batch_of(sounds, rows, samples=None):
    ids = np.zeros([len(rows), max(map(len, rows)) + 1], np.int32)
    audio = np.zeros([len(sounds), samples or max(map(len, sounds))], np.float32)
    for place, (row, sound) in enumerate(zip(rows, sounds, strict=True)):
        ids[place, : len(row) + 1], audio[place, : len(sound)] = [*row, END], sound
    lengths = [len(row) + 1 for row in rows]
    batch = {"audio": audio, "audio_length": np.array([len(one) for one in sounds]), "text": ids, "text_length": np.array(lengths)}
    return {name: tf.constant(value, tf.float32 if name == "audio" else tf.int32) for name, value in batch.items()}


def loss_of(declaration, weights, batch):
    found = TASK.losses(view(declaration, weights), batch)["loss"]
    return float(found.total), float(found.weight)


def test_neighbours_and_padding_change_no_loss(declaration, weights):
    sounds, rows = sounds_of(0.5, 0.9), [(4, 5), (6, 6, 4)]
    together = loss_of(declaration, weights, batch_of(sounds, rows, samples=RATE * 2))
    alone = [loss_of(declaration, weights, batch_of([sound], [row])) for sound, row in zip(sounds, rows, strict=True)]
    assert together == pytest.approx(tuple(map(sum, zip(*alone, strict=True))), rel=1e-5)
    assert together[1] == 5


@pytest.mark.parametrize("search", [CTCGreedy(), CTCBeam(width=3), Beam(width=3)])
def test_neighbours_change_no_output_and_silence_of_no_length_has_none(declaration, weights, search):
    sounds = [*sounds_of(0.3, 1.1, 0.7, seed=1), np.zeros([0], np.float32)]
    settings = Decoding(search=search, max_length=40, xla="never")
    together = Decoder(TASK, declaration, weights, CODECS, settings).decode(sounds)
    for sound, found in zip(sounds, together, strict=True):
        (alone,) = Decoder(TASK, declaration, weights, CODECS, settings).decode([sound])
        assert (alone.texts, alone.ids) == (found.texts, found.ids)
        assert alone.scores == pytest.approx(found.scores, abs=1e-4)
    assert together[3] == EMPTY
    assert any(one.text for one in together)


def test_a_sound_beyond_the_limit_is_cut_and_counted(declaration, weights):
    (sound,) = sounds_of(1.0)
    decoder = Decoder(TASK, declaration, weights, CODECS, Decoding(search=CTCGreedy(), max_source_length=50, xla="never"))
    (cut,) = decoder.decode([sound])
    assert decoder.num_cut == 1
    assert cut == decoder.decode([sound[: RATE // 2]])[0]


def test_scores_of_texts_are_those_of_the_loss(declaration, weights):
    sounds, texts = sounds_of(0.5, 0.9), ["ab", "cca"]
    scored = Scorer(TASK, declaration, weights, CODECS, Decoding(search=CTCGreedy())).score(sounds, texts)
    batch = batch_of(sounds, [(4, 5), (6, 6, 4)])
    total, _ = loss_of(declaration, weights, batch)
    assert sum(one.log_probability for one in scored) == pytest.approx(-total, rel=1e-4)


def test_a_wide_beam_over_frames_says_of_its_texts_what_score_says(declaration, weights):
    sounds, settings = sounds_of(0.05, 0.07, seed=4), Decoding(search=CTCBeam(width=256, n_best=2), xla="never")
    for sound, found in zip(sounds, Decoder(TASK, declaration, weights, CODECS, settings).decode(sounds), strict=True):
        scored = Scorer(TASK, declaration, weights, CODECS, settings).score([sound] * 2, found.texts)
        assert found.log_probabilities == pytest.approx([one.log_probability for one in scored], abs=1e-4)
