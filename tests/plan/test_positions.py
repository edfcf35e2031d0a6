from seqcfg.layers.audio.frames import StackFrames
from seqcfg.layers.audio.log_mel import LogMel
from seqcfg.layers.composition.residual import Residual
from seqcfg.layers.composition.sequential import Repeat, Sequential
from seqcfg.layers.convolution.conv1d import Conv1D
from seqcfg.layers.recurrent.lstm import LSTM
from seqcfg.models.ctc import CTC
from seqcfg.plan.declaration import declare
from seqcfg.plan.positions import frames_of, lengths_of
from seqcfg.tasks.recognition import Recognition

TASK = Recognition(
    tokenizer="letters",
    sample_rate_hz=8000,
    front_end=Sequential(layers=[LogMel(sample_rate_hz=8000, num_bins=20), StackFrames(left=2, stride=3)]),
    model=CTC(encoder=Sequential(layers=[Repeat(times=2, layer=Conv1D(units=6, kernel_size=3, stride=2)), Residual(layer=LSTM(units=6))])),
)


def test_a_sound_s_frames_are_counted_through_front_end_and_encoder():
    declaration = declare(TASK, {"letters": 30})
    found = frames_of(TASK, declaration, 1.0)
    mel = 1 + (8000 - 200) // 80
    assert (found.samples, found.width) == (8000, 60)
    assert (mel, found.frames, found.encoded) == (98, 33, 9)
    lengths = lengths_of(declaration, 8000)
    assert lengths["front_end/layers/0"] == mel and lengths["model/encoder/layers/0/blocks/0"] == 17
    assert lengths["model/encoder/layers/1/layer"] == found.encoded
