"""A TFLite model does what the run does under ai-edge-litert alone, with the whole search inside or step by step."""

import json
import sys
from importlib.machinery import SourceFileLoader

import numpy as np
import pytest
import tensorflow as tf
from click.testing import CliRunner

from seqcfg.commands.run import command
from seqcfg.decoding.decoder import Decoder
from seqcfg.errors import UserError
from seqcfg.export import artefact, integers, tflite_graph
from seqcfg.export.manifest import read_manifest
from seqcfg.export.operators import operators_of
from seqcfg.export.probe import CLIENTS
from seqcfg.export.sample import Sample
from seqcfg.export.tflite import TFLite
from seqcfg.export.tflite_convert import convert
from seqcfg.export.tolerance import Tolerance
from seqcfg.layers.dense import affine
from seqcfg.layers.quantisation.settings import Quantisation, Weights
from seqcfg.tasks.trained import open_run
from tests.evaluation.small_run import make_run
from tests.export import alone

LINES = ["twenty-one", "", "one", "ninety-nine thousand", "naïve — 😀", "a" * 40]
PAIRS = [("one", "un"), ("twenty-one", "vingt et un"), ("two hundred", "deux cents")]
ANYTHING = Tolerance(identical_share=0.0, score_difference=1e9, metric_loss=1e9)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return make_run(tmp_path_factory.mktemp("exported"))


@pytest.fixture(scope="module")
def trained(run):
    return open_run(run, overrides=["decoding.max_source_length=30", "decoding.search.width=2"])


@pytest.fixture(scope="module")
def exported(trained):
    sample = Sample(LINES, [], lambda count: PAIRS[:count])
    export = artefact.Export(trained, sample)
    integers = {name: TFLite(precision=name, tolerance=ANYTHING, include_search=False) for name in ("int8", "int16x8")}
    return {name: export(exporter) for name, exporter in ({"float32": TFLite()} | integers).items()}


@pytest.fixture(scope="module")
def client():
    return SourceFileLoader("tflite_client", str(CLIENTS / "tflite.py")).load_module("tflite_client")


@pytest.fixture(scope="module")
def decoded(trained):
    """What the run writes, by line."""
    return dict(zip(LINES, decode(trained, LINES), strict=True))


def decode(trained, lines):
    recipe = trained.experiment.recipe
    return Decoder(recipe.task, trained.declaration, trained.weights, trained.codecs, recipe.decoding).decode(lines)


def test_the_whole_search_gives_the_strings_and_scores_of_the_run(decoded, exported, client):
    parity = exported["float32"].parity
    assert parity.identical == parity.lines == len(LINES) and parity.score_difference < 1e-4
    model = client.Model(str(exported["float32"].folder))
    for line, wanted in decoded.items():
        text, score = model([line])[0]
        assert text == wanted.text and score == pytest.approx(wanted.scores[0], abs=1e-4)


def test_step_by_step_with_explicit_caches_is_greedy_search(run, exported, client):
    greedy = open_run(run, overrides=["decoding.max_source_length=30", "decoding.search={type: greedy}"])
    model = client.Model(str(exported["float32"].folder))
    for line, wanted in zip(["twenty-one", "a" * 40], decode(greedy, ["twenty-one", "a" * 40]), strict=True):
        ids, score = model.greedy(model.encode(line))
        assert ids == wanted.ids[0] and score == pytest.approx(wanted.scores[0], abs=1e-3)


def test_hypotheses_are_rows_of_a_step(exported, client):
    model = client.Model(str(exported["float32"].folder))
    ids = model.encode("one")
    state = model._calls["encode"](**model._inputs(ids), positions=np.array(3, np.int32))
    both = {name: value if name.startswith("fixed") else np.repeat(value, 2, axis=0) for name, value in state.items()}
    logits = model._calls["step"](tokens=np.array([2, 2], np.int32), index=np.array(0, np.int32), **both)["logits"]
    alone = model._calls["step"](tokens=np.array([2], np.int32), index=np.array(0, np.int32), **state)["logits"]
    assert logits.shape[0] == 2
    np.testing.assert_allclose(logits, np.repeat(alone, 2, axis=0), atol=1e-5)


def test_the_manifest_names_every_cache_of_a_step(exported):
    manifest = read_manifest(exported["float32"].folder.parent)
    step = manifest.signatures["step"]
    caches = {name for name in step.inputs if name.startswith("moving")}
    assert caches and caches == {name for name in step.outputs if name.startswith("moving")}
    assert list(step.inputs[min(caches)].shape) == [-1, 2, -1, 8]  # rows, heads, positions, features of a head
    assert sorted(manifest.signatures) == ["decode", "encode", "step"]


def test_no_operator_is_outside_of_tflite(exported):
    for one in exported.values():
        found = operators_of((one.folder / "model.tflite").read_bytes())
        assert not found.custom and ("WHILE" in found.operators) == (one is exported["float32"])  # the others leave the search out


def test_int8_multiplies_integers(exported):
    figures = {name: dict(read_manifest(one.folder.parent).figures) for name, one in exported.items()}
    assert figures["float32"]["int8_share"] == 0.0
    found = operators_of((exported["int8"].folder / "model.tflite").read_bytes()).multiplied
    assert 0.5 < figures["int8"]["int8_share"] == found.share < 1  # attention is a large part of so narrow a model


def test_int16x8_multiplies_activations_of_16_bits_with_kernels_of_8(exported):
    from ai_edge_litert import schema_py_generated as schema

    types = {number: name for name, number in vars(schema.TensorType).items() if isinstance(number, int)}
    data = (exported["int16x8"].folder / "model.tflite").read_bytes()
    model = schema.ModelT.InitFromObj(schema.Model.GetRootAsModel(data, 0))
    code = next(n for n, one in enumerate(model.operatorCodes) if one.builtinCode == schema.BuiltinOperator.FULLY_CONNECTED)
    operators = [(graph, one) for graph in model.subgraphs for one in graph.operators if one.opcodeIndex == code]
    met = {tuple(types[graph.tensors[place].type] for place in (*one.inputs[:2], *one.outputs)) for graph, one in operators}
    assert ("INT16", "INT8", "INT16") in met and not [one for one in met if one[0] == "INT8"]
    figures = {name: dict(read_manifest(one.folder.parent).figures) for name, one in exported.items()}
    assert figures["int16x8"]["int8_share"] == figures["int8"]["int8_share"] > 0.5


def test_int8_multiplies_a_table_of_integers_for_the_output(trained, exported):
    from ai_edge_litert import schema_py_generated as schema

    count = trained.weights["model/source_embedding/table"].size
    sizes = {}
    for name, one in exported.items():
        data = (one.folder / "model.tflite").read_bytes()
        buffers = schema.ModelT.InitFromObj(schema.Model.GetRootAsModel(data, 0)).buffers
        sizes[name] = [len(buffer.data) for buffer in buffers if buffer.data is not None]
    assert sizes["int8"].count(count) == 1 and 4 * count not in sizes["int8"], (
        "the table is not looked up as the integers it is multiplied as"
    )
    assert not sizes["float32"].count(count)
    assert sizes["float32"].count(4 * count) == 1, "the table is held more than once"


def test_rounded_products_are_near_those_in_float():

    rng = np.random.default_rng(1)
    x, kernel, bias = (rng.normal(size=size).astype(np.float32) for size in ((6, 5), (5, 4), (4,)))
    exact = x @ kernel
    found = integers.Range(x.min(), x.max(), exact.min(), exact.max())
    rounded = integers.IntegerProducts({"here": found}, {"here": kernel}, Quantisation())
    y = rounded("here", tf.constant(x), tf.constant(kernel), tf.constant(bias), affine)
    step = (exact.max() - exact.min()) / 255 + 5 * (np.abs(x).max() * np.abs(kernel).max() / 127 + np.abs(kernel).max() * np.ptp(x) / 255)
    assert 0 < np.abs(y.numpy() - exact - bias).max() < step
    same = integers.IntegerProducts({}, {}, Quantisation())("here", tf.constant(x), tf.constant(kernel), tf.constant(bias), affine)
    np.testing.assert_allclose(same.numpy(), exact + bias, rtol=1e-5)


@pytest.mark.parametrize("is_per_row", [False, True])
def test_a_rounded_table_gives_the_same_rows_alone_and_as_a_whole(is_per_row):

    table = np.array([[1.0, -0.5], [127.0, 3.0], [0.0, 0.0]], np.float32)
    rounded = integers.IntegerRows(table, Weights(scales="channel" if is_per_row else "tensor"))
    whole = tf.convert_to_tensor(rounded).numpy()
    np.testing.assert_array_equal(rounded.rows([[1, 0]]).numpy()[0], whole[[1, 0]])
    assert np.abs(whole - table).max() <= (1.0 / 254 if is_per_row else 0.5) * 1.01 or is_per_row
    assert whole[1].tolist() == [127.0, 3.0] and (whole[0, 0] == 1.0)


def test_int8_needs_examples(trained):
    with pytest.raises(UserError, match="int8 needs examples"):
        artefact.Export(trained, Sample(LINES))(TFLite(precision="int8"))


class Inverting(tf.Module):
    """A model of an operation that TFLite has not, and TensorFlow has."""

    @tf.function(autograph=False, input_signature=[tf.TensorSpec([2, 2], tf.float32, name="x")])
    def __call__(self, x):
        with tf.name_scope("encoder"), tf.name_scope("layers.2"):
            return {"y": tf.linalg.inv(x)}


def test_operators_of_tensorflow_are_in_a_file_only_where_the_recipe_allows_them(tmp_path):
    module = Inverting()
    signatures = {"invert": module.__call__.get_concrete_function()}
    with pytest.raises(UserError, match=r"TFLite has no counterpart for MatrixInverse in encoder/layers\.2\n") as refusal:
        convert(module, signatures, "float32", False, str(tmp_path / "without"))
    assert "allow_flex: true" in refusal.value.problems[0].hint
    allowed = convert(module, signatures, "float32", True, str(tmp_path / "with"))
    assert operators_of(allowed).custom == ["FlexMatrixInverse"]


def test_integers_and_operators_of_tensorflow_exclude_each_other():
    for precision in ("int8", "int16x8"):
        assert [field for field, *_ in TFLite(precision=precision, allow_flex=True).check()] == ["allow_flex"]
    assert not list(TFLite(allow_flex=True).check()) and TFLite(allow_flex=True).client == ""


def test_layers_are_chosen_by_patterns():
    ranges = dict.fromkeys(["model/encoder/expand", "model/encoder/contract", "model/output:project"])
    assert sorted(tflite_graph._chosen(ranges, ("model/encoder/*",))) == ["model/encoder/contract", "model/encoder/expand"]
    assert tflite_graph._chosen(ranges, ("*",)) == ranges
    with pytest.raises(UserError, match=r"no product is at 'model/decoder/\*'"):
        tflite_graph._chosen(ranges, ("*", "model/decoder/*"))


def test_a_file_that_is_no_model_is_refused():
    with pytest.raises(UserError, match="this is no TFLite model"):
        operators_of(b"\0" * 100)


def test_an_unknown_precision_is_refused_with_those_there_are():
    with pytest.raises(UserError, match=r"tflite has no precision 'int3'[\s\S]*dynamic_int8"):
        TFLite.variant("int3")


@pytest.mark.parametrize("place", [".", "model.tflite"])
def test_the_command_runs_a_model(decoded, exported, tmp_path, place):
    (tmp_path / "in.txt").write_text("twenty-one\n\none\n", encoding="utf-8")
    arguments = [str(exported["float32"].folder / place), "--input", str(tmp_path / "in.txt")]
    result = CliRunner().invoke(command, arguments, catch_exceptions=False)
    assert result.stdout.split("\n")[:-1] == [decoded[line].text for line in ("twenty-one", "", "one")]


def test_the_command_says_what_is_not_there(tmp_path):
    with pytest.raises(UserError, match=r"holds no model\.tflite"):
        CliRunner().invoke(command, [str(tmp_path), "--input", "-"], catch_exceptions=False)


@pytest.mark.slow
def test_a_model_runs_where_there_is_nothing_but_litert(decoded, exported, tmp_path):
    folder = alone.environment(tmp_path, ["ai-edge-litert", "numpy"])
    assert not list(folder.glob("seqcfg*")) and not (folder / "tensorflow").exists()
    told = alone.run(folder, CLIENTS / "tflite.py", exported["float32"].folder, stdin="one\ntwenty-one\n")
    assert [row.split("\t")[0] for row in told.split("\n")[:-1]] == [decoded[line].text for line in ("one", "twenty-one")]


def test_what_a_client_must_know_is_beside_the_model(exported):
    about = json.loads((exported["float32"].folder / "model.json").read_text())
    assert about["input"] == "source" and about["source_has_end"] and about["source_tokenizer"]["type"] == "byte"
    assert about["longest"][:3] == [6, 6, 6] and len(about["longest"]) == 31
    assert "tensorflow" in sys.modules
