"""The recurrent layers of layer_examples.py."""

from seqcfg.layers.composition.shuffle_groups import ShuffleGroups
from seqcfg.layers.recurrent.bidirectional import Bidirectional
from seqcfg.layers.recurrent.conv_lstm import ConvLSTM
from seqcfg.layers.recurrent.gru import GRU
from seqcfg.layers.recurrent.lstm import LSTM
from seqcfg.layers.recurrent.qrnn import QRNN
from seqcfg.layers.recurrent.sru import SRU

LAYERS = {
    "bidirectional": Bidirectional(layer=LSTM(units=3)),
    "conv_lstm": ConvLSTM(units=3),
    "gru": GRU(units=4),
    "gru:after": GRU(units=4, reset="after", projection=3, norm="layer", cell_cap=0.5),
    "lstm": LSTM(units=5),
    "lstm:projection": LSTM(units=5, projection=3, coupled=True, cell_cap=1.0, zoneout=0.2, use_bias=False),
    "lstm:norm": LSTM(units=5, norm="layer", norm_cell=True, input_projection=4, kernels="joined"),
    "lstm:peephole": LSTM(units=3, peephole=True, norm="weight"),
    "qrnn": QRNN(units=4, kernel_size=3),
    "shuffle_groups": ShuffleGroups(num_groups=2, num_shards=2),
    "sru": SRU(units=4, peephole=True, projection=3),
}
