"""Models that hear and are no plain stack with CTC: Conformers and transducers write in every format what their run writes."""

import numpy as np
import pytest

from seqcfg.errors import UserError
from seqcfg.export.artefact import Export
from seqcfg.export.onnx import Onnx
from seqcfg.export.operators import operators_of
from seqcfg.export.sample import Sample
from seqcfg.export.tflite import TFLite
from seqcfg.export.tolerance import Tolerance
from seqcfg.tasks.trained import open_run
from tests.evaluation import small_sounds

SOUNDS = [small_sounds.noise(0.9), small_sounds.noise(0.4, seed=1), np.zeros(0, np.float32), small_sounds.noise(1.3, seed=2)]
PAIRS = [(SOUNDS[0], "1 2"), (SOUNDS[1], "3")]
SAME = Tolerance(identical_share=1.0, score_difference=0.001)
NEAR = Tolerance(identical_share=0.5, score_difference=1.0)
PLAIN = "model: {type: ctc, encoder: {type: conv1d, units: 6, kernel_size: 3, stride: 2, causal: true}}"
RESIDUAL = "{type: residual, norm: {type: layer_norm}, scale: %s, layer: %s}"
CONVOLUTION = """{type: sequential, layers: [{type: gated_linear_unit, units: 8}, {type: depthwise_conv1d, kernel_size: 3, use_bias: false},
  {type: batch_norm}, {type: activation, function: silu}, {type: dense, units: 8}]}"""
CONFORMER = ", ".join(
    [
        "{type: split_features}",
        "{type: conv2d, units: 2, kernel_size: [3, 3], stride: [2, 2], activation: relu}",
        "{type: merge_features}, {type: dense, units: 8}",
        RESIDUAL % (0.5, "{type: feed_forward, hidden: 8, activation: silu}"),
        RESIDUAL % (1.0, "{type: relative_attention, num_heads: 2}"),
        RESIDUAL % (1.0, CONVOLUTION),
        "{type: layer_norm}",
    ]
)
RECURRENT = "{type: conv1d, units: 6, kernel_size: 3, stride: 2}, {type: bidirectional, layer: {type: lstm, units: 4}}"
CTC = "model: {type: ctc, encoder: {type: sequential, layers: [%s]}}"
TRANSDUCER = """model: {type: transducer, encoder: {type: sequential, layers: [%s]}, joint_width: 8,
    embedding: {type: embedding, dim: 4}, prediction: {type: lstm, units: 6}}"""
GREEDY, BEAM = "{type: transducer_greedy, tokens_per_frame: 2}", "{type: transducer_beam, width: 2}"


def exported(folder, model, search, exporter):
    assert PLAIN in small_sounds.RECIPE
    text = small_sounds.RECIPE.replace(PLAIN, model).replace("{type: ctc_greedy}", search)
    found = Export(open_run(small_sounds.make_run(folder, text)), Sample(SOUNDS, [], lambda count: PAIRS))(exporter)
    assert found.parity.lines == len(SOUNDS)
    return found


@pytest.mark.parametrize(
    ("model", "search", "exporter"),
    [
        (TRANSDUCER % CONFORMER, GREEDY, Onnx(tolerance=SAME)),
        pytest.param(TRANSDUCER % RECURRENT, BEAM, Onnx(tolerance=SAME), marks=pytest.mark.slow),
        pytest.param(CTC % CONFORMER, "{type: ctc_greedy}", Onnx(tolerance=SAME), marks=pytest.mark.slow),
        pytest.param(TRANSDUCER % CONFORMER, GREEDY, TFLite(tolerance=SAME), marks=pytest.mark.slow),
        pytest.param(TRANSDUCER % RECURRENT, BEAM, TFLite(tolerance=SAME), marks=pytest.mark.slow),
        pytest.param(CTC % CONFORMER, "{type: ctc_greedy}", TFLite(tolerance=SAME), marks=pytest.mark.slow),
    ],
)
def test_conformers_and_transducers_write_what_their_run_writes(tmp_path, model, search, exporter):
    found = exported(tmp_path, model, search, exporter)
    assert found.parity.identical == len(SOUNDS)
    assert any(path.name in ("model.tflite", "model.onnx") for path in found.folder.iterdir())


@pytest.mark.slow
@pytest.mark.parametrize(("model", "search"), [(TRANSDUCER % RECURRENT, GREEDY), (CTC % CONFORMER, "{type: ctc_greedy}")])
def test_what_they_hear_with_is_made_of_integers(tmp_path, model, search):
    found = exported(tmp_path, model, search, TFLite(precision="int8", tolerance=NEAR))
    assert operators_of((found.folder / "model.tflite").read_bytes()).multiplied.integers > 0


@pytest.mark.parametrize("exporter", [TFLite(include_search=False), Onnx(include_search=False)])
def test_without_its_search_a_transducer_would_leave_nothing_and_is_refused(tmp_path, exporter):
    with pytest.raises(UserError, match="a transducer_greedy search is exported as a whole") as refusal:
        exported(tmp_path, TRANSDUCER % RECURRENT, GREEDY, exporter)
    assert "include_search: true" in refusal.value.problems[0].hint
