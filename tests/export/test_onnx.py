"""ONNX models do what the run does under onnxruntime alone: whole searches, their steps, scores; texts and sounds."""

import json
import wave
from importlib.machinery import SourceFileLoader

import numpy as np
import pytest
import tensorflow as tf
from click.testing import CliRunner

from seqcfg.commands.run import command
from seqcfg.commands.validate import command as validate
from seqcfg.decoding.cumulative import cumulative_logsumexp
from seqcfg.decoding.decoder import Decoder
from seqcfg.decoding.scoring import Scorer
from seqcfg.errors import UserError
from seqcfg.export import artefact
from seqcfg.export.manifest import read_manifest
from seqcfg.export.onnx import Onnx
from seqcfg.export.probe import CLIENTS
from seqcfg.export.sample import Sample
from seqcfg.layers.portable import PORTABLE
from seqcfg.tasks.trained import open_run
from tests.evaluation import small_sounds
from tests.evaluation.small_run import RECIPE, make_run
from tests.export import alone

onnx = pytest.importorskip("onnx")
onnxruntime = pytest.importorskip("onnxruntime")
pytest.importorskip("tf2onnx")

from seqcfg.export.onnx_convert import converted  # noqa: E402
from seqcfg.export.onnx_files import operators_of, write_models  # noqa: E402

LINES = ["twenty-one", "", "one", "ninety-nine thousand", "naïve — 😀", "a" * 40]


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return make_run(tmp_path_factory.mktemp("exported"))


@pytest.fixture(scope="module")
def trained(run):
    return open_run(run, overrides=["decoding.max_source_length=30", "decoding.search.width=2", "decoding.distinct_ngrams=2"])


@pytest.fixture(scope="module")
def exported(trained):
    return artefact.Export(trained, Sample(LINES))(Onnx())


@pytest.fixture(scope="module")
def client(exported):
    module = SourceFileLoader("onnx_client", str(CLIENTS / "onnx_model.py")).load_module("onnx_client")
    return module.Model(str(exported.folder))


def decoder(trained):
    recipe = trained.experiment.recipe
    return Decoder(recipe.task, trained.declaration, trained.weights, trained.codecs, recipe.decoding)


@pytest.fixture(scope="module")
def decoded(trained):
    """What the run writes, by line."""
    return dict(zip(LINES, decoder(trained).decode(LINES), strict=True))


def test_the_whole_search_gives_the_strings_and_scores_of_the_run(decoded, exported, client):
    assert exported.parity.identical == exported.parity.lines == len(LINES)
    for answers in (client(LINES), [client([line])[0] for line in LINES]):  # many rows, and one
        for (text, score), wanted in zip(answers, decoded.values(), strict=True):
            assert text == wanted.text and score == pytest.approx(wanted.scores[0], abs=1e-4)


def test_step_by_step_with_explicit_caches_is_greedy_search(run, client):
    greedy = decoder(open_run(run, overrides=["decoding.max_source_length=30", "decoding.search={type: greedy}"]))
    for line, wanted in zip(["twenty-one", "a" * 40], greedy.decode(["twenty-one", "a" * 40]), strict=True):
        ids, score = client.greedy(client.encode(line))
        assert ids == wanted.ids[0] and score == pytest.approx(wanted.scores[0], abs=1e-3)


def test_given_outputs_are_scored_as_by_the_run(trained, client):
    recipe = trained.experiment.recipe
    sources, targets = ["one", "twenty-one"], ["un", "vingt et un"]
    wanted = Scorer(recipe.task, trained.declaration, trained.weights, trained.codecs, recipe.decoding).score(sources, targets)
    assert client.score(sources, [list(one.ids) for one in wanted]) == pytest.approx([one.log_probability for one in wanted], abs=1e-3)


def test_weights_are_held_once_for_all_signatures(trained, exported):
    table = trained.weights["model/source_embedding/table"].astype(np.float32).tobytes()
    data = {file.name: file.read_bytes() for file in exported.folder.iterdir() if file.is_file()}
    assert sum(content.count(table) for content in data.values()) == data["weights.bin"].count(table) == 1
    assert sorted(data) == ["encode.onnx", "model.json", "model.onnx", "score.onnx", "step.onnx", "weights.bin"]


def test_the_manifest_names_every_tensor_as_the_models_do(exported):
    manifest = read_manifest(exported.folder.parent)
    for name, file in (("decode", "model.onnx"), ("encode", "encode.onnx"), ("step", "step.onnx"), ("score", "score.onnx")):
        session = onnxruntime.InferenceSession(str(exported.folder / file))
        assert {one.name for one in session.get_outputs()} == set(manifest.signatures[name].outputs)
        assert {one.name for one in session.get_inputs()} <= set(manifest.signatures[name].inputs)
    step = manifest.signatures["step"]
    caches = {name for name in step.inputs if name.startswith("moving")}
    assert caches and {f"next_{name}" for name in caches} <= set(step.outputs)


@pytest.mark.parametrize("place", [".", "model.onnx"])
def test_the_command_runs_a_model(decoded, exported, tmp_path, place):
    (tmp_path / "in.txt").write_text("twenty-one\n\none\n", encoding="utf-8")
    arguments = [str(exported.folder / place), "--input", str(tmp_path / "in.txt")]
    result = CliRunner().invoke(command, arguments, catch_exceptions=False)
    assert result.stdout.split("\n")[:-1] == [decoded[line].text for line in ("twenty-one", "", "one")]


@pytest.mark.parametrize("search", ["{type: ctc_greedy}", pytest.param("{type: greedy}", marks=pytest.mark.slow)])
def test_a_model_that_hears_writes_what_the_run_writes(tmp_path, search):
    trained = open_run(small_sounds.make_run(tmp_path), overrides=[f"decoding.search={search}"])
    sounds = [small_sounds.noise(0.9), small_sounds.noise(0.4, seed=1), np.zeros(0, np.float32), small_sounds.noise(1.3, seed=2)]
    found = artefact.Export(trained, Sample(sounds))(Onnx())
    assert found.parity.identical == found.parity.lines == 4 and found.parity.score_difference < 1e-3
    told = json.loads((found.folder.parent / "parity.json").read_text())
    assert (told["lines"], told["identical"], told["verdict"]) == (4, 4, "accepted")
    samples = (sounds[0] * 32768).astype("<i2")
    with wave.open(str(tmp_path / "sound.wav"), "wb") as file:
        file.setparams((1, 2, small_sounds.RATE, 0, "NONE", ""))
        file.writeframes(samples.tobytes())
    (found.folder / "model.onnx").rename(tmp_path / "model.onnx")  # the command now goes frame by frame, or token by token
    result = CliRunner().invoke(command, [str(found.folder), "--input", str(tmp_path / "sound.wav")], catch_exceptions=False)
    wanted = Decoder(
        trained.experiment.recipe.task, trained.declaration, trained.weights, trained.codecs, trained.experiment.recipe.decoding
    )
    assert result.stdout == f"{wanted.decode([samples.astype(np.float32) / 32768])[0].text}\n" != "\n"


def ran(function, *values):
    """(what TensorFlow gives, what the converted function gives)."""
    specs = {
        f"x{place}": tf.TensorSpec([*[None] * (value.ndim - 1), value.shape[-1]], value.dtype, name=f"x{place}")
        for place, value in enumerate(values)
    }
    call = tf.function(lambda **named: {"y": function(*named.values())}, autograph=False).get_concrete_function(**specs)
    session = onnxruntime.InferenceSession(converted(call, "f").SerializeToString())
    inputs = {f"x{place}": value for place, value in enumerate(values)}
    return call(**{name: tf.constant(value) for name, value in inputs.items()})["y"].numpy(), session.run(["y"], inputs)[0]


def relayed(x):
    """Two reshapes in a row, of which the second keeps two axes that the first has made."""
    y = tf.reshape(x, [tf.shape(x)[0] // 2, 2, 4])
    return tf.reshape(y, [tf.shape(y)[0], tf.shape(y)[1], 2, 2])


NUMBERS, INFINITE = np.array([[-7, 7, -8, 0]], np.int32), np.array([[-np.inf, 1.0, -np.inf]], np.float32)
SIGNAL = np.sin(np.arange(24, dtype=np.float32)).reshape(1, 3, 8)
PLACES = np.array([[1], [3], [1]], np.int32)


@pytest.mark.parametrize(
    ("function", "values"),
    [
        (lambda x: tf.where(x > 0, x + 1, x), [INFINITE]),  # tf2onnx: -inf * 0 = NaN
        (lambda x: -(-x // 4), [NUMBERS]),  # tf2onnx: rounded towards 0
        (lambda x: x % 4, [NUMBERS]),
        (lambda x: tf.nn.gelu(x, approximate=False), [np.array([[-2.0, 0.5, 3.0]], np.float32)]),  # tf2onnx knows no erfc
        (tf.math.log1p, [np.array([[0.0, 0.5, 3.0]], np.float32)]),
        (lambda x, ids: tf.scatter_nd(ids, x, [5]), [np.array([1, 2, 4], np.int32), PLACES]),  # tf2onnx: the last alone
        (lambda x: tf.square(tf.math.real(tf.signal.rfft(x))) + 3 * tf.math.imag(tf.signal.rfft(x)), [SIGNAL]),  # tf2onnx: magnitudes alone
        (lambda x: tf.abs(tf.signal.rfft(x)), [SIGNAL]),
        (relayed, [np.arange(16, dtype=np.float32).reshape(4, 4)]),  # tf2onnx: axes of the wrong shape
    ],
)
def test_operators_that_the_converter_gets_wrong_are_right(function, values):
    wanted, found = ran(function, *values)
    np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-6)


def test_sums_of_probabilities_are_the_same_where_there_is_no_operation_for_them():
    x = np.log(np.random.default_rng(1).uniform(1e-9, 1, [3, 11]))
    before = PORTABLE.set(True)
    try:
        np.testing.assert_allclose(cumulative_logsumexp(tf.constant(x)), np.log(np.cumsum(np.exp(x), 1)), rtol=1e-9)
        wanted, found = ran(cumulative_logsumexp, x)
    finally:
        PORTABLE.reset(before)
    np.testing.assert_allclose(found, wanted, rtol=1e-5)


def test_what_has_no_counterpart_is_told_and_never_written():
    def layer(x):
        with tf.name_scope("encoder"), tf.name_scope("layers.2"):
            return tf.while_loop(lambda x: tf.reduce_sum(x) < 9, lambda x: [tf.math.betainc(x, x, x)], [x])[0]

    with pytest.raises(UserError, match=r"ONNX has no counterpart for Betainc in encoder/layers\.2\n"):
        ran(layer, np.zeros([1, 4], np.float32))


def test_a_model_that_the_checker_refuses_is_refused(tmp_path):
    call = tf.function(lambda x: {"y": x + 1.0}, autograph=False).get_concrete_function(x=tf.TensorSpec([None], tf.float32, name="x"))
    model = converted(call, "f")
    assert operators_of(model) == {"Add"}
    model.graph.node[0].op_type = "Erfc"
    with pytest.raises(UserError, match=r"f\.onnx is no valid ONNX model: .*Erfc"):
        write_models({"f.onnx": model}, tmp_path)


def test_validate_says_what_is_in_the_way_of_onnx(tmp_path):
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text(RECIPE % "byte", encoding="utf-8")
    assert CliRunner().invoke(validate, [str(recipe), "--target", "onnx"]).exit_code == 0
    recipe.write_text(RECIPE.replace("{type: %s}", "{type: grapheme, vocab_size: 90}"), encoding="utf-8")
    line = next(number for number, text in enumerate(recipe.read_text().splitlines(), 1) if "source_tokenizer" in text)
    told = CliRunner().invoke(validate, [str(recipe), "--target", "onnx"])
    assert told.exit_code == 1 and f"recipe.yaml:{line}:" in told.output and "nothing reads texts by the tokenizer grapheme" in told.output


@pytest.mark.slow
def test_a_model_runs_where_there_is_nothing_but_onnxruntime(decoded, exported, tmp_path):
    folder = alone.environment(tmp_path, ["onnxruntime", "numpy"])
    assert not list(folder.glob("seqcfg*")) and not (folder / "tensorflow").exists() and not (folder / "tf2onnx").exists()
    told = alone.run(folder, CLIENTS / "onnx_model.py", exported.folder, stdin="one\ntwenty-one\n")
    assert [row.split("\t")[0] for row in told.split("\n")[:-1]] == [decoded[line].text for line in ("one", "twenty-one")]
