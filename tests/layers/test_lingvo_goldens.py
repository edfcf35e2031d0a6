"""Layers agree to 1e-5 with numbers computed by Lingvo 0.14.2 for given weights (tests/goldens/lingvo).

Names of weights, Lingvo's on the left:
  layer norm       scale, bias                          gain (gain: one_plus, or direct), bias
  attention        query_proj, source_proj, ctx_proj    query/kernel, key/kernel, value/kernel (values: source or keys has none)
                   ctx_post_proj, ..._b                 output/kernel, ../bias
                   inner_att/per_dim_scale              query_scale
                   key/w [in, heads, head_dim], post/w  key/kernel [in, heads * head_dim], output/kernel transposed
  feed-forward     fflayer_0, fflayer_1                 expand, contract
  batch norm       gamma, beta                          gain, bias
  convolution      w, b                                 kernel, bias
  log-mel          none; its samples are 32768 times ours
  LSTM             wm, rows of the input then of m      input_kernel, recurrent_kernel
Lingvo's time-major tensors [time, batch, dim] are transposed here; its paddings are 1 where our masks are False.
"""

import json
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from seqcfg.layers.activation import ActivationLayer
from seqcfg.layers.attention import masks
from seqcfg.layers.attention.multi_head import MultiHeadAttention
from seqcfg.layers.audio.frames import StackFrames
from seqcfg.layers.audio.log_mel import LogMel
from seqcfg.layers.composition.residual import Residual
from seqcfg.layers.composition.sequential import Sequential
from seqcfg.layers.convolution.conv2d import Conv2D
from seqcfg.layers.convolution.depthwise import DepthwiseConv2D
from seqcfg.layers.create import view
from seqcfg.layers.feed_forward import FeedForward
from seqcfg.layers.normalization.batch_norm import BatchNorm
from seqcfg.layers.normalization.layer_norm import LayerNorm
from seqcfg.layers.normalization.rms_norm import RMSNorm
from seqcfg.layers.position.sinusoidal import SinusoidalPosition
from seqcfg.layers.recurrent.lstm import LSTM
from seqcfg.layers.sequence import Sequence
from seqcfg.plan.declaration import Declaration, declare

FOLDER = Path(__file__).parents[1] / "goldens" / "lingvo"


def golden(file, case):
    """(weights by Lingvo's name without its first and last part, inputs, outputs) of one case."""
    archive = np.load(FOLDER / f"{file}.npz")
    groups = {"w": {}, "in": {}, "out": {}}
    for key in archive.files:
        if key.startswith(case + "/"):
            _, group, name = key.split("/", 2)
            groups[group]["/".join(name.split("/")[1:-1]) if group == "w" else name] = archive[key]
    return groups["w"], groups["in"], groups["out"]


def cases(file):
    return sorted(json.loads(str(np.load(FOLDER / f"{file}.npz")["params"])))


def apply(layer, weights, x, *widths):
    """Runs the layer on weights by declared path; every declared weight must be given, and no other."""
    declaration = declare(layer, *(widths or (x.values.shape[-1],)))
    assert {weight.path: weight.shape for weight in declaration.all_weights()} == {path: value.shape for path, value in weights.items()}
    return view(declaration, {path: tf.constant(value, tf.float32) for path, value in weights.items()})(x)


def close(ours, theirs, tolerance=1e-5):
    np.testing.assert_allclose(ours, theirs, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("case", cases("layer_norm"))
def test_layer_norm(case):
    weights, given, expected = golden("layer_norm", case)
    gain = "direct" if case == "direct" else "one_plus"
    layer = RMSNorm(gain=gain) if case == "rms" else LayerNorm(gain=gain, use_bias="bias" in weights)
    named = {"gain": weights["scale"]} | ({"bias": weights["bias"]} if "bias" in weights else {})
    close(apply(layer, named, tf.constant(given["x"]), 6), expected["out"])


@pytest.mark.parametrize("case", cases("position_embedding"))
def test_position_embedding(case):
    weights, given, expected = golden("position_embedding", case)
    # Lingvo multiplies positions by its min_timescale, 2, where a time scale divides: its 2 to 500 are our 1/2 to 500 / 2^2.
    ends = {"min_timescale": 0.5, "max_timescale": 125.0} if case == "timescale" else {}
    layer = SinusoidalPosition(**ends, learned_scale=bool(weights))
    close(apply(layer, dict(weights), Sequence(tf.zeros([1, 20, 8]))).values[0], expected["embedding"])
    at = Sequence(tf.zeros([2, 5, 8]), positions=tf.constant(given["positions"]))
    close(apply(layer, dict(weights), at).values, expected["at_positions"])


BATCH_MAJOR = [case for case in cases("multi_head_attention") if case.startswith("batch_major")]


@pytest.mark.parametrize("case", BATCH_MAJOR)
def test_batch_major_attention(case):
    weights, given, expected = golden("multi_head_attention", case)
    named = {}
    for theirs, ours in {"query": "query", "key": "key", "value": "value"}.items():
        named |= {f"{ours}/kernel": weights[f"{theirs}/w"].reshape(8, 8), f"{ours}/bias": weights[f"{theirs}/b"].reshape(8)}
    named |= {"output/kernel": weights["post/w"].reshape(8, 8).T, "output/bias": weights["post/b"]}
    if "per_dim_scale/per_dim_scale" in weights:
        named["query_scale"] = weights["per_dim_scale/per_dim_scale"]
    causal = case == "batch_major_causal"
    mask = tf.constant(given["paddings"]) < 0.5
    memory = None if causal else Sequence(tf.constant(given["key"]), mask)
    layer = MultiHeadAttention(
        num_heads=2,
        causal=causal,
        attend_to="self" if causal else "memory",
        per_dim_scale="query_scale" in named,
        logit_cap=1.0 if case == "batch_major_logit_cap" else None,
    )
    out = apply(layer, named, Sequence(tf.constant(given["query"]), mask if causal else None, memory=memory))
    close(out.values[mask] if causal else out.values, expected["out"][mask] if causal else expected["out"])


TIME_MAJOR = {"query_proj": "query", "source_proj": "key", "ctx_proj": "value", "ctx_post_proj": "output"}


@pytest.mark.parametrize("case", [case for case in cases("multi_head_attention") if case.startswith("time_major")])
def test_time_major_attention(case):
    weights, given, expected = golden("multi_head_attention", case)
    named = {f"{ours}/kernel": weights[theirs] for theirs, ours in TIME_MAJOR.items() if theirs in weights}
    named |= {f"{ours}/bias": weights[f"{theirs}_b"] for theirs, ours in TIME_MAJOR.items() if theirs in weights}
    if "inner_att/per_dim_scale" in weights and case != "time_major_no_per_dim_scale":
        named["query_scale"] = weights["inner_att/per_dim_scale"]
    maps_output = "output/kernel" in named
    layer = MultiHeadAttention(
        num_heads=2,
        head_dim=None if maps_output else 4,
        attend_to="memory",
        per_dim_scale="query_scale" in named,
        values="projected" if "value/kernel" in named else "keys",
        project_output=maps_output,
    )
    declaration = Declaration(layer)
    declaration.memory_width = 6
    assert layer.declare(declaration, 4) == (4 if maps_output else 8)
    assert {weight.path for weight in declaration.all_weights()} == set(named)
    w = view(declaration, {path: tf.constant(value) for path, value in named.items()})
    # Lingvo takes separate vectors for keys and values: run the parts. Query row j reads source row j mod 3.
    query = given["query"].reshape(2, 3, 4).transpose(1, 0, 2)
    keys, values = w.keys_and_values(tf.constant(given["source_vecs"].transpose(1, 0, 2)))
    if "source_contexts" in given:
        _, values = w.keys_and_values(tf.constant(given["source_contexts"].transpose(1, 0, 2)))
    mask = tf.constant(given["source_padding"].T) < 0.5
    bias = masks.bias(mask[:, tf.newaxis, tf.newaxis, :], "float32")
    x, _ = w.step(Sequence(tf.constant(query.reshape(6, 1, 4))), {"keys": keys, "values": values, "bias": bias}, {})
    context = expected["context"]
    close(x.values.numpy().reshape(3, 2, -1).transpose(1, 0, 2).reshape(context.shape), context)


def transformer_weights(weights):
    """Lingvo's TransformerLayer as a sequential of residuals."""
    blocks = ["multihead_self_atten", "multihead_atten"] if "multihead_atten/atten_ln/scale" in weights else ["multihead_self_atten"]
    named = {}
    for index, block in enumerate(blocks):
        named |= {
            f"layers/{index}/norm/gain": weights[f"{block}/atten_ln/scale"],
            f"layers/{index}/norm/bias": weights[f"{block}/atten_ln/bias"],
            f"layers/{index}/layer/query_scale": weights[f"{block}/multihead_atten/inner_att/per_dim_scale"],
        }
        for theirs, ours in {"query_proj": "query", "source_proj": "key", "ctx_post_proj": "output"}.items():
            named[f"layers/{index}/layer/{ours}/kernel"] = weights[f"{block}/multihead_atten/{theirs}"]
            named[f"layers/{index}/layer/{ours}/bias"] = weights[f"{block}/multihead_atten/{theirs}_b"]
    last = f"layers/{len(blocks)}"
    named |= {f"{last}/norm/gain": weights["tr_fflayer/fflayer_ln/scale"], f"{last}/norm/bias": weights["tr_fflayer/fflayer_ln/bias"]}
    for number, ours in enumerate(["expand", "contract"]):
        named[f"{last}/layer/{ours}/kernel"] = weights[f"tr_fflayer/fflayer/fflayer_{number}/w"]
        named[f"{last}/layer/{ours}/bias"] = weights[f"tr_fflayer/fflayer/fflayer_{number}/b"]
    return named


@pytest.mark.parametrize("case", cases("transformer_layer"))
def test_transformer_layer(case):
    weights, given, expected = golden("transformer_layer", case)
    after = case.startswith("post_ln")
    norm = LayerNorm(gain="one_plus")

    def attention(**fields):
        return Residual(
            layer=MultiHeadAttention(num_heads=2, per_dim_scale=True, values="source", **fields),
            norm=norm,
            norm_position="after" if after else "before",
            input="raw" if after or case == "pre_ln_unnormalized" else "normalized",
        )

    layers = [attention(causal=case in ("masked", "pre_ln_aux"))]
    memory = None
    if "aux" in given:
        layers.append(attention(attend_to="memory"))
        memory = Sequence(tf.constant(given["aux"].transpose(1, 0, 2)), tf.constant(given["aux_paddings"].T) < 0.5)
    layers.append(Residual(layer=FeedForward(hidden=16), norm=norm, norm_position="after" if after else "before"))
    mask = given["paddings"].T < 0.5
    x = Sequence(tf.constant(given["x"].transpose(1, 0, 2)), tf.constant(mask), memory=memory)
    out = apply(Sequential(layers=layers), transformer_weights(weights), x)
    close(out.values.numpy()[mask], expected["out"].transpose(1, 0, 2)[mask])


@pytest.mark.parametrize("case", cases("batch_norm_eval"))
def test_batch_norm(case):
    weights, given, expected = golden("batch_norm_eval", case)
    layer = BatchNorm(gain="direct" if case == "gamma_zero" else "one_plus", epsilon=1e-3)
    named = {"gain": weights["gamma"], "bias": weights["beta"]} | {name: weights[name] for name in ("moving_mean", "moving_variance")}
    mask = given["paddings"][..., 0] < 0.5
    out = apply(layer, named, Sequence(tf.constant(given["x"]), tf.constant(mask))).values.numpy()
    close(out[mask], expected["out"][mask])
    assert not out[~mask].any()


CONVOLUTIONS = {
    "default": {"kernel_size": (3, 3), "stride": (2, 2)},
    "stride1": {"kernel_size": (3, 3)},
    "no_bn_bias": {"kernel_size": (3, 3), "stride": (2, 2)},
    "causal": {"kernel_size": (3, 3), "stride": (2, 1), "causal": True},
    "even_filter": {"kernel_size": (4, 2), "stride": (2, 1)},
    "depthwise": {"kernel_size": (3, 3), "multiplier": 2},
}


@pytest.mark.parametrize("case", cases("conv2d_padded"))
def test_padded_convolution_over_time_and_frequency(case):
    weights, given, expected = golden("conv2d_padded", case)
    fields = CONVOLUTIONS[case] | {"padding": "same", "rounding": "down", "use_bias": "b" in weights}
    layers = [DepthwiseConv2D(**fields) if case == "depthwise" else Conv2D(units=4, **fields)]
    named = {"layers/0/kernel": weights["w"]} | ({"layers/0/bias": weights["b"]} if "b" in weights else {})
    if "gamma" in weights:
        layers.append(BatchNorm(gain="one_plus"))
        named |= {f"layers/1/{ours}": weights[theirs] for theirs, ours in {"gamma": "gain", "beta": "bias"}.items()}
        named |= {f"layers/1/{name}": weights[name] for name in ("moving_mean", "moving_variance")}
    layers.append(ActivationLayer(function="tanh" if case == "no_bn_bias" else "relu"))
    x = Sequence(tf.constant(given["x"]), tf.constant(given["paddings"] < 0.5))
    out = apply(Sequential(layers=layers), named, x, (6, 2))
    mask = expected["out_paddings"] < 0.5
    np.testing.assert_array_equal(out.mask, mask)
    close(out.values[mask], expected["out"][mask])
    assert "gamma" not in weights or not out.values[~mask].numpy().any()


LSTM_FIELDS = {
    "forget_bias": {"forget_bias": 1.0},
    "projection": {"units": 7, "projection": 5},
    "coupled": {"coupled": True},
    "cap": {"cell_cap": 0.2},
    "no_bias": {"use_bias": False},
    "zoneout": {"zoneout": 0.3},
}


@pytest.mark.parametrize("case", cases("lstm_cell"))
def test_lstm(case):
    weights, given, expected = golden("lstm_cell", case)
    layer = LSTM(**({"units": 5, "forget_bias": 0.0, "cell_cap": 10.0} | LSTM_FIELDS.get(case, {})))
    named = {"input_kernel": weights["wm"][:4], "recurrent_kernel": weights["wm"][4:]}
    named |= {ours: weights[theirs] for theirs, ours in {"b": "bias", "w_proj": "projection"}.items() if theirs in weights}
    declaration = declare(layer, 4)
    assert {weight.path for weight in declaration.all_weights()} == set(named)
    w = view(declaration, {path: tf.constant(value) for path, value in named.items()})
    x = Sequence(tf.constant(given["x"].transpose(1, 0, 2)), tf.constant(given["paddings"][..., 0].T) < 0.5)
    state = {"output": tf.constant(given["state0_m"]), "cell": tf.constant(given["state0_c"])}
    outputs, last = w.run(x, state)
    close(outputs, np.stack([expected[f"m{step}"] for step in range(3)], 1))
    close(last["cell"], expected["c2"])


LOG_MEL = {
    "samples": "int16",
    "pre_emphasis": 0.97,
    "fft_size": "twice_next_power",
    "spectrum": "magnitude",
    "lower_hz": 125.0,
    "upper_hz": 7600.0,
    "floor": 1.0,
}
LOG_MEL_FIELDS = {
    "no_preemph": {"pre_emphasis": 0.0, "needs_next_sample": True, "num_bins": 40, "lower_hz": 20.0, "upper_hz": 8000.0},
    "stacked": {"spectrum": "power", "fft_size": "next_power"},
}


@pytest.mark.parametrize("case", cases("log_mel"))
def test_log_mel(case):
    _, given, expected = golden("log_mel", case)
    front_end = [LogMel(**(LOG_MEL | LOG_MEL_FIELDS.get(case, {})))] + [StackFrames(left=2, stride=3)] * (case == "stacked")
    waveform = Sequence(tf.constant(given["waveform"] / 32768), tf.constant(given["paddings"]) < 0.5)
    out = apply(Sequential(layers=front_end), {}, waveform, ())
    np.testing.assert_array_equal(out.mask, expected["feature_paddings"] < 0.5)
    close(out.values[out.mask], expected["features"][..., 0][out.mask], 2e-4)
