"""At least one small instance of every layer type: name -> (layer, input width). A name is the type, or type:variant."""

import dataclasses

from seqcfg.layers.activation import ActivationLayer
from seqcfg.layers.attention.multi_head import MultiHeadAttention
from seqcfg.layers.audio.feature_normalization import CorpusNormalization, UtteranceNormalization
from seqcfg.layers.audio.frames import AppendFrames, Deltas, StackFrames
from seqcfg.layers.audio.log_mel import LogMel
from seqcfg.layers.audio.spec_augment import SpecAugment
from seqcfg.layers.audio.speed_perturbation import SpeedPerturbation
from seqcfg.layers.audio.whole import TrainingLayer, UtteranceLayer
from seqcfg.layers.composition.parallel import Branch, Parallel
from seqcfg.layers.composition.residual import Residual
from seqcfg.layers.composition.sequential import Repeat, Sequential
from seqcfg.layers.composition.shared import Shared
from seqcfg.layers.dense import Dense
from seqcfg.layers.dropout import Dropout
from seqcfg.layers.embedding import Embedding
from seqcfg.layers.feed_forward import FeedForward
from seqcfg.layers.normalization.batch_norm import BatchNorm
from seqcfg.layers.normalization.layer_norm import LayerNorm
from seqcfg.layers.normalization.rms_norm import RMSNorm
from seqcfg.layers.position.learned import LearnedPosition
from seqcfg.layers.position.rotary import Rotary
from seqcfg.layers.position.sinusoidal import SinusoidalPosition
from seqcfg.layers.recurrent.lstm import LSTM
from tests.conformance import convolution_examples, memory_examples, recurrent_examples

DIM = 8
MAP = (4, 2)  # frequencies and channels
VOCABULARY = 11

CAUSAL = MultiHeadAttention(num_heads=2, causal=True, dropout=0.1)
BLOCK = Sequential(
    layers=[
        Residual(layer=CAUSAL, norm=LayerNorm(), dropout=0.1),
        Residual(layer=MultiHeadAttention(num_heads=2, attend_to="memory"), norm=LayerNorm()),
        Residual(layer=FeedForward(hidden=12), norm=LayerNorm()),
    ]
)

SPECTRUM = LogMel(sample_rate_hz=1000, frame_ms=2, step_ms=1, num_bins=3, lower_hz=0, fft_size=8)

LAYERS = (
    {
        "activation": ActivationLayer(function="gelu"),
        "append_frames": AppendFrames(count=2),
        "append_frames:real": AppendFrames(count=1, are_real=True),
        "batch_norm": BatchNorm(),
        "branch": Branch(layers=[Dense(units=3), LSTM(units=2)]),
        "corpus_normalization": CorpusNormalization(),
        "corpus_normalization:known": CorpusNormalization(mean=[0.5] * DIM, deviation=[2.0] * DIM),
        "deltas": Deltas(),
        "dense": Dense(units=5, activation="tanh"),
        "dense:no_bias": Dense(units=5, use_bias=False),
        "dropout": Dropout(rate=0.3),
        "embedding": Embedding(dim=6, scale="sqrt_dim"),
        "feed_forward": FeedForward(hidden=12, dropout=0.1),
        "feed_forward:glu": FeedForward(hidden=12, gating="glu", activation="silu", use_bias=False),
        "layer_norm": LayerNorm(),
        "layer_norm:one_plus": LayerNorm(gain="one_plus", use_bias=False),
        "learned_position": LearnedPosition(max_length=12),
        "log_mel": SPECTRUM,
        "log_mel:centered": dataclasses.replace(SPECTRUM, frames="centered", edges="reflect", pre_emphasis=0.9, dither=0.1),
        "log_mel:rounded": dataclasses.replace(SPECTRUM, frames="rounded", edges="mirror", remove_mean=True, samples="int16"),
        "multi_head_attention": MultiHeadAttention(num_heads=2),
        "multi_head_attention:causal": CAUSAL,
        "multi_head_attention:memory": MultiHeadAttention(num_heads=4, attend_to="memory", use_bias=False),
        "multi_head_attention:grouped": MultiHeadAttention(num_heads=4, num_kv_heads=2, causal=True, per_dim_scale=True, logit_cap=5.0),
        "multi_head_attention:grouped_memory": MultiHeadAttention(num_heads=4, num_kv_heads=2, head_dim=3, attend_to="memory"),
        "multi_head_attention:rotary": MultiHeadAttention(num_heads=2, causal=True, rotary=Rotary(), use_bias=False),
        "multi_head_attention:rotary_interleaved": MultiHeadAttention(num_heads=1, causal=True, rotary=Rotary(layout="interleaved")),
        "multi_head_attention:raw_values": MultiHeadAttention(num_heads=2, causal=True, values="source"),
        "multi_head_attention:keys_as_values": MultiHeadAttention(num_heads=2, causal=True, values="keys", project_output=False),
        "parallel": Parallel(layers=[Dense(units=4), LSTM(units=4)], combine="mean"),
        "parallel:concat": Parallel(layers=[CAUSAL, Dense(units=3)], combine="concat"),
        "repeat": Repeat(times=2, layer=BLOCK),
        "residual": Residual(layer=CAUSAL, norm=LayerNorm(), norm_position="after", dropout=0.2),
        "residual:normalized": Residual(layer=CAUSAL, norm=LayerNorm(), input="normalized", scale=0.5),
        "residual:bare": Residual(layer=LSTM(units=DIM)),
        "rms_norm": RMSNorm(),
        "sequential": Sequential(layers=[SinusoidalPosition(), Dropout(rate=0.1), BLOCK, LayerNorm()]),
        "shared": Sequential(layers=[Shared(name="twice", layer=CAUSAL), Shared(name="twice", layer=CAUSAL)]),
        "spec_augment": SpecAugment(longest_time_warp=1),
        "speed_perturbation": SpeedPerturbation(),
        "stack_frames": StackFrames(),
        "stack_frames:zero": StackFrames(left=1, right=1, stride=2, edges="zero"),
        "utterance_normalization": UtteranceNormalization(),
        "sinusoidal_position": SinusoidalPosition(learned_scale=True),
        "sinusoidal_position:interleaved": SinusoidalPosition(layout="interleaved", exponent="half"),
    }
    | convolution_examples.LAYERS
    | memory_examples.LAYERS
    | recurrent_examples.LAYERS
)

# They read the future, or positions that are not there yet: step-by-step use is refused.
WHOLE_SEQUENCE_ONLY = {"bidirectional", "multi_head_attention"} | convolution_examples.WHOLE_SEQUENCE_ONLY
WHOLE_SEQUENCE_ONLY |= {
    name for name, layer in LAYERS.items() if isinstance(layer, UtteranceLayer) and not isinstance(layer, TrainingLayer)
}

STRIDES = convolution_examples.STRIDES  # they take so many positions at a time
CHANGES_LENGTH = convolution_examples.CHANGES_LENGTH


def width(name):
    if name == "embedding":
        return VOCABULARY
    if LAYERS[name].feature_axes == 0:
        return ()
    return MAP if LAYERS[name].feature_axes == 2 or name in convolution_examples.ON_MAPS else DIM
