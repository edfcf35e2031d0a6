"""CTC's best path as sound comes is that of the whole utterance, whatever pieces it comes in."""

import numpy as np
import pytest

from seqcfg.decoding.ctc_greedy import CTCGreedy
from seqcfg.decoding.decoder import Decoder
from seqcfg.decoding.settings import Decoding
from seqcfg.errors import UserError
from seqcfg.layers.audio.log_mel import LogMel
from seqcfg.layers.composition.sequential import Sequential
from seqcfg.layers.convolution.conv1d import Conv1D
from seqcfg.layers.create import initial_values
from seqcfg.layers.recurrent.bidirectional import Bidirectional
from seqcfg.layers.recurrent.lstm import LSTM
from seqcfg.models.ctc import CTC
from seqcfg.plan.declaration import Declaration
from seqcfg.tasks.frame_listening import FrameListening, listening_of
from seqcfg.tasks.recognition import Recognition

RATE, VOCABULARY = 1000, 8
CLIP = np.random.default_rng(3).normal(0, 0.5, 1234).astype(np.float32) * np.repeat(np.arange(20) % 3, 62)[:1234]
CAUSAL = Sequential(layers=[Conv1D(units=6, kernel_size=3, stride=2, causal=True, activation="relu"), LSTM(units=6)])
SETTINGS = Decoding(search=CTCGreedy(), xla="never")


class Letters:
    vocabulary = VOCABULARY

    def decode(self, ids):
        return ["".join("...?abcd"[one] for one in row) for row in ids]


def parts_of(encoder):
    task = Recognition(
        tokenizer="all", sample_rate_hz=RATE, front_end=LogMel(sample_rate_hz=RATE, num_bins=5, floor=1e-3), model=CTC(encoder=encoder)
    )
    root = Declaration(task)
    task.declare(root, {"all": VOCABULARY})
    return task, root, {path: 4.0 * value for path, value in initial_values(root, 10).items()}


@pytest.mark.parametrize("size", [37, 640, 5000])
def test_the_text_is_that_of_the_whole_in_any_pieces(size):
    task, root, weights = parts_of(CAUSAL)
    (whole,) = Decoder(task, root, weights, {"all": Letters()}, SETTINGS).decode([CLIP])
    listening = listening_of(task, root, weights, SETTINGS, chunk_ms=80.0)
    assert isinstance(listening, FrameListening)
    for _ in range(2):  # a second utterance begins anew
        told = [listening.hear(CLIP[start : start + size]) for start in range(0, len(CLIP), size)]
        assert [*(one for part in told for one in part), *listening.finish()] == whole.ids[0]
    assert len(whole.ids[0]) > 3
    if size == 37:
        assert sum(map(len, told)) > 0  # some of it was told before the end


def test_sound_too_short_for_a_frame_is_nothing():
    task, root, weights = parts_of(CAUSAL)
    listening = FrameListening(task, root, weights, SETTINGS)
    assert [*listening.hear(np.zeros(5, np.float32)), *listening.finish()] == []


def test_layers_that_look_ahead_are_named():
    task, root, weights = parts_of(Bidirectional(layer=LSTM(units=4)))
    with pytest.raises(UserError, match="reads the future"):
        FrameListening(task, root, weights, SETTINGS).hear(CLIP)
