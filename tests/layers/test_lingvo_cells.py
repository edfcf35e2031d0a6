"""Recurrent layers agree to 1e-5 with every cell of Lingvo 0.14.2 for given weights and states (tests/goldens/lingvo).

Lingvo's wm is our joined kernel, or cut into rows of the input and of m; its time-major tensors are transposed here.
"""

import numpy as np
import pytest
import tensorflow as tf

from seqcfg.layers.composition.parallel import Branch
from seqcfg.layers.composition.sequential import Sequential
from seqcfg.layers.composition.shuffle_groups import ShuffleGroups
from seqcfg.layers.create import view
from seqcfg.layers.recurrent.conv_lstm import ConvLSTM
from seqcfg.layers.recurrent.gru import GRU
from seqcfg.layers.recurrent.loop import Inside
from seqcfg.layers.recurrent.lstm import LSTM
from seqcfg.layers.recurrent.qrnn import QRNN
from seqcfg.layers.recurrent.sru import SRU
from seqcfg.layers.sequence import Sequence
from seqcfg.plan.declaration import declare
from tests.layers.test_lingvo_goldens import apply, cases, close, golden

LINGVO = {"units": 5, "forget_bias": 0.0, "cell_cap": 10.0, "kernels": "joined"}
SHORT = {"wm": "kernel", "b": "bias", "w_proj": "projection", "ln_scale": "norm_scale", "wn_scale": "norm_scale"}
GATES = ("i_i", "i_g", "f_g", "o_g")


def agree(layer, named, given, expected, width=4):
    """Runs the layer from the given state and compares all outputs and the last cell."""
    declaration = declare(layer, width)
    assert {weight.path: weight.shape for weight in declaration.all_weights()} == {path: value.shape for path, value in named.items()}
    w = view(declaration, {path: tf.constant(value) for path, value in named.items()})
    values = given["x"][:, :, 0] if isinstance(width, tuple) else given["x"]
    x = Sequence(tf.constant(np.swapaxes(values, 0, 1)), tf.constant(given["paddings"][..., 0].T) < 0.5)
    start = {"output": given["state0_m"], "cell": given["state0_c"]}
    if isinstance(width, tuple):
        start = {name: value[:, 0] for name, value in start.items()}
    state = {name: tf.constant(start[name]) for name in layer.state_shapes(w)}
    outputs, last = w.run(x, state)
    theirs = np.stack([expected[f"m{step}"] for step in range(3)], 1)
    close(outputs, theirs[:, :, 0] if isinstance(width, tuple) else theirs)
    close(last.get("cell", last["output"]), expected["c2"][:, 0] if isinstance(width, tuple) else expected["c2"])


def joined(weights, pattern, names=GATES):
    return np.concatenate([weights[pattern.format(name)] for name in names], -1)


def renamed(weights):
    return {SHORT[name]: value for name, value in weights.items() if name in SHORT}


@pytest.mark.parametrize("case", cases("layer_norm_lstm"))
def test_layer_normalized_lstm(case):
    weights, given, expected = golden("layer_norm_lstm", case)
    named, fields = renamed(weights), {"norm": "layer"}
    if case == "LayerNormalizedLSTMCell":
        named |= {"bias": weights["b"][:20], "norm_scale": weights["b"][20:]}
        fields |= {"norm_gain": "one_plus"}
    elif case == "LayerNormalizedLSTMCellLean":
        named |= {"norm_scale": joined(weights, "ln_scale_{}"), "bias": joined(weights, "bias_{}")}
        named |= {"cell_scale": weights["ln_scale_c"], "cell_bias": weights["bias_c"]}
        fields |= {"norm_gain": "one_plus", "norm_cell": True, "cell_cap": None}
    elif case.endswith("proj"):
        fields |= {"units": weights["w_proj"].shape[0], "projection": weights["w_proj"].shape[1]}
    agree(LSTM(**(LINGVO | fields)), named, given, expected)


def test_weight_normalized_lstm():
    weights, given, expected = golden("lstm_variants", "weight_norm")
    agree(LSTM(**LINGVO, norm="weight"), renamed(weights), given, expected)


def test_lstm_with_a_norm_of_its_own_for_each_gate():
    weights, given, expected = golden("lstm_variants", "any_norm")
    named = renamed(weights) | {"norm_scale": joined(weights, "norm_{}/scale"), "bias": joined(weights, "norm_{}/bias")}
    agree(LSTM(**LINGVO, norm="layer", norm_gain="one_plus"), named, given, expected)


def test_lstm_with_two_projections():
    weights, given, expected = golden("lstm_variants", "double_projection")
    named = {"kernel": weights["w_input_proj"], "gate_kernel": joined(weights, "wm_{}"), "projection": weights["w_output_proj"]}
    named |= {"norm_scale": joined(weights, "ln_scale_{}"), "bias": joined(weights, "bias_{}")}
    named |= {"cell_scale": weights["ln_scale_c"], "cell_bias": weights["bias_c"]}
    fields = {"units": 7, "projection": 5, "input_projection": 6, "cell_cap": None}
    agree(LSTM(**(LINGVO | fields), norm="layer", norm_gain="one_plus", norm_cell=True), named, given, expected)


def test_coupled_layer_normalized_lstm():
    weights, given, expected = golden("lstm_variants", "coupled_layer_norm")
    fields = {"coupled": True, "norm": "layer", "output_activation": "none", "forget_bias": 0.5}
    agree(LSTM(**(LINGVO | fields)), renamed(weights), given, expected)


def test_lean_lstm_without_a_norm_of_the_cell():
    weights, given, expected = golden("lstm_variants", "lean_no_cell")
    named = renamed(weights) | {"norm_scale": joined(weights, "ln_scale_{}")}
    agree(LSTM(**(LINGVO | {"cell_cap": 0.3}), norm="layer", norm_gain="one_plus"), named, given, expected)


def test_lean_lstm_with_a_projection():
    weights, given, expected = golden("lstm_variants", "lean_projection")
    named = renamed(weights) | {"norm_scale": joined(weights, "ln_scale_{}"), "bias": joined(weights, "bias_{}")}
    named |= {"cell_scale": weights["ln_scale_c"], "cell_bias": weights["bias_c"]}
    fields = {"units": 7, "projection": 5, "cell_cap": None, "norm": "layer", "norm_gain": "one_plus", "norm_cell": True}
    agree(LSTM(**(LINGVO | fields)), named, given, expected)


def test_grouped_lstm_is_a_branch_and_a_shuffle():
    weights, given, expected = golden("lstm_variants", "grouped")
    one = LSTM(**(LINGVO | {"units": 4}))
    layer = Sequential(layers=[Branch(layers=[one, one]), ShuffleGroups(num_groups=2, num_shards=2)])
    named = {f"layers/0/layers/{group}/{SHORT[name]}": weights[f"group_{group}/{name}"] for group in (0, 1) for name in ("wm", "b")}
    x = Sequence(tf.constant(np.swapaxes(given["x"], 0, 1)), tf.constant(given["paddings"][..., 0].T) < 0.5)
    close(apply(layer, named, x).values, np.stack([expected[f"m{step}"] for step in range(3)], 1))


@pytest.mark.parametrize("case", cases("gru_cell"))
def test_gru(case):
    weights, given, expected = golden("gru_cell", case)
    names = ("n", "u", "r")
    whole = {name: weights[f"w_{name}"] for name in names}
    named = {"input_kernel": np.concatenate([whole[name][:4] for name in names], -1)}
    named |= {"gate_kernel": np.concatenate([whole["u"][4:], whole["r"][4:]], -1), "candidate_kernel": whole["n"][4:]}
    fields = {"units": 5, "update": "replaces", "cell_cap": 0.2 if case == "cap" else 10.0, "use_bias": "b_n" in weights}
    if "b_n" in weights:
        named["bias"] = joined(weights, "b_{}", names)
    if "bn_ln_scale" in weights:
        named["norm_scale"] = joined(weights, "b{}_ln_scale", names)
        fields |= {"norm": "layer", "norm_gain": "one_plus"}
    if case == "projection":
        named |= {"projection": weights["w_proj"], "projection_bias": weights["b_proj"]}
        fields |= {"units": 7, "projection": 5}
    agree(GRU(**fields), named, given, expected)


@pytest.mark.parametrize("case", cases("sru_cell"))
def test_sru(case):
    weights, given, expected = golden("sru_cell", case)
    units = 7 if case == "projection" else 5
    coupled, bias = case != "not_coupled", weights["b"]
    named = {"kernel": weights["wm"], "bias": bias[units:] if coupled else np.concatenate([bias[:units], 2 * bias[units:]])}
    named |= {"projection": weights["w_proj"]} if case == "projection" else {}
    fields = {"units": units, "cell_cap": 10.0, "coupled": coupled, "candidate_bias": not coupled}
    fields |= {"projection": 5} if case == "projection" else {}
    if case == "layer_norm":
        named["norm_scale"] = joined(weights, "{}_t_ln_scale", "frc")
        fields["norm"] = "layer"
    if "f_t_vector_cell" in weights:
        named["peephole"] = joined(weights, "{}_t_vector_cell", "fr" if coupled else "ifr")
        fields["peephole"] = True
    fields |= {"cell_cap": 0.1, "zoneout": 0.3, "highway_scale": 2**0.5} if case == "cap" else {}
    agree(SRU(**fields), named, given, expected)


@pytest.mark.parametrize("case", cases("qrnn_cell"))
def test_qrnn_pooling(case):
    _, given, expected = golden("qrnn_cell", case)
    layer = QRNN(units=5, pooling="sru" if case == "sru" else "ifo", cell_cap=0.2 if case == "cap" else 10.0, zoneout=0.2 * (case == "cap"))
    state = {"output": tf.constant(given["state0_m"]), "cell": tf.constant(given["state0_c"])}
    for step in range(3):
        blocks = tf.split(tf.constant(given["x"][step]), 4, -1)
        position = dict(zip("zyfo" if case == "sru" else "zifo", blocks, strict=True)) | {"real": given["paddings"][step][:, 0] < 0.5}
        state = layer._advance(Inside({}, {}), position, state, is_drawn=False)
        close(state["output"], expected[f"m{step}"])
    close(state["cell"], expected["c2"])


@pytest.mark.parametrize("case", cases("conv_lstm_cell"))
def test_conv_lstm(case):
    weights, given, expected = golden("conv_lstm_cell", case)
    kernel = weights["wm"][0]
    named = {"input_kernel": kernel[:, :2], "recurrent_kernel": kernel[:, 2:], "bias": weights["b"]}
    fields = {"cell_cap": 0.2, "output_activation": "none"} if case == "even_cap" else {"cell_cap": 10.0}
    layer = ConvLSTM(units=3, kernel_size=kernel.shape[0], forget_bias=0.0, zoneout=0.3 * (case == "zoneout"), **fields)
    agree(layer, named, given, expected, (6, 2))
