"""An exported model does what the run does, in a process that never sees seqcfg, or it is refused."""

import hashlib
import json

import pytest
import tensorflow as tf
from click.testing import CliRunner

from seqcfg.commands.export import command
from seqcfg.component.kinds import Exporter
from seqcfg.data.tf_record import read_records
from seqcfg.decoding.decoder import Decoder
from seqcfg.decoding.scoring import Scorer
from seqcfg.errors import UserError
from seqcfg.export import artefact
from seqcfg.export.manifest import read_manifest
from seqcfg.export.probe import CLIENTS, Probed, probe
from seqcfg.export.sample import Sample
from seqcfg.export.saved_model import SavedModel
from seqcfg.export.tolerance import Tolerance
from seqcfg.tasks.trained import open_run
from tests.evaluation.small_run import make_run
from tests.export import alone

LINES = ["twenty-one", "", "one", " \u3000\t", "ninety-nine thousand", "naïve — 😀", "a" * 40]


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return make_run(tmp_path_factory.mktemp("exported"))


@pytest.fixture(scope="module")
def trained(run):
    return open_run(run, overrides=["decoding.max_source_length=30", "decoding.search.n_best=2"])


@pytest.fixture(scope="module")
def exported(trained):
    return artefact.Export(trained, Sample(LINES))(SavedModel())


@pytest.fixture(scope="module")
def signatures(exported):
    return tf.saved_model.load(str(exported.folder)).signatures


@pytest.fixture(scope="module")
def decoded(trained):
    """What the run writes, by line."""
    lines = [*LINES, "two"]
    return dict(zip(lines, decode(trained, lines), strict=True))


def decode(trained, lines):
    recipe = trained.experiment.recipe
    return Decoder(recipe.task, trained.declaration, trained.weights, trained.codecs, recipe.decoding).decode(lines)


def test_text_goes_in_and_comes_out_as_with_the_run(trained, decoded, exported, signatures):
    assert exported.parity.lines == exported.parity.identical == len(LINES)
    assert exported.folder == trained.run.exports / "saved_model" / "1"
    call = signatures["serving_default"]
    for lines in (LINES, LINES[2:3], LINES[:2]):
        found, wanted = call(tf.constant(lines)), [decoded[line] for line in lines]
        assert [text.decode() for text in found["text"].numpy()] == [one.text for one in wanted]
        assert found["scores"].numpy().tolist() == pytest.approx([one.scores[0] for one in wanted], abs=1e-4)
    best = [text.decode() for text in call(tf.constant(["one"]))["n_best_text"].numpy()[0]]
    assert best == decoded["one"].texts and len(best) == 2


def test_ids_go_in_and_come_out(trained, decoded, signatures):
    task = trained.experiment.recipe.task
    found = signatures["ids"](**{name: tf.constant(value) for name, value in task.encode_texts(trained.codecs, ["one", "two"]).items()})
    ids = [found["ids"].numpy()[row, 0, : found["lengths"].numpy()[row, 0]].tolist() for row in range(2)]
    assert task.decode_ids(trained.codecs, ids) == [decoded[line].text for line in ("one", "two")]


def test_given_outputs_are_scored_as_by_the_run(trained, signatures):
    sources, targets = ["one", "twenty-one", "two"], ["un", "", "quarante-deux"]
    recipe = trained.experiment.recipe
    wanted = Scorer(recipe.task, trained.declaration, trained.weights, trained.codecs, recipe.decoding).score(sources, targets)
    found = signatures["score"](source=tf.constant(sources), target=tf.constant(targets))
    assert found["log_probabilities"].numpy().tolist() == pytest.approx([one.log_probability for one in wanted], abs=1e-3)
    assert found["lengths"].numpy().tolist() == [len(one.ids) for one in wanted]
    inputs, ids, lengths = recipe.task.encode_pairs(trained.codecs, sources, targets)
    by_ids = signatures["score_ids"](
        **{name: tf.constant(one) for name, one in (inputs | {"target": ids, "target_length": lengths}).items()}
    )
    assert by_ids["token_log_probabilities"].numpy()[1, 0] == pytest.approx(wanted[1].log_probabilities[0], abs=1e-3)


def test_the_manifest_names_checkpoint_signatures_and_checksums(trained, exported):
    manifest = read_manifest(exported.folder.parent)
    assert (manifest.checkpoint, manifest.step, manifest.lines_compared) == ("step-00000010", 10, len(LINES))
    assert {part: getattr(manifest.fingerprints, part) for part in trained.experiment.fingerprint} == trained.experiment.fingerprint
    text = manifest.signatures["serving_default"].inputs["text"]
    assert (text.dtype, list(text.shape)) == ("string", [-1])
    assert sorted(manifest.signatures) == ["ids", "score", "score_ids", "serving_default"]
    assert (manifest.exporter, manifest.settings["version"], manifest.settings["include_tokenizer"]) == ("saved_model", "1", "true")
    for name, entry in manifest.files.items():
        content = (exported.folder.parent / name).read_bytes()
        assert (len(content), hashlib.sha256(content).hexdigest()) == (entry.bytes, entry.sha256)
    assert "1/saved_model.pb" in manifest.files and manifest.lines_identical == len(LINES)


def test_requests_that_warm_up_a_server_can_be_answered(exported, signatures):
    with open(exported.folder / "assets.extra" / "tf_serving_warmup_requests", "rb") as file:
        requests = [parsed_request(record.data) for record in read_records(file)]
    assert {signature for signature, _ in requests} == set(signatures)
    for signature, inputs in requests:
        signatures[signature](**{name: tf.constant(tf.make_ndarray(value)) for name, value in inputs.items()})


def parsed_request(data):
    """(signature, {input: TensorProto}) of a tensorflow.serving.PredictionLog, by the definitions of tensorflow-serving-api."""
    prediction_log = pytest.importorskip("tensorflow_serving.apis.prediction_log_pb2")
    request = prediction_log.PredictionLog.FromString(data).predict_log.request
    return request.model_spec.signature_name, dict(request.inputs)


def test_a_manifest_of_a_later_version_is_read_and_rubbish_is_an_error(exported, tmp_path):
    text = (exported.folder.parent / "export.textproto").read_text()
    (tmp_path / "export.textproto").write_text(text + "\nnew_field: 3\n")
    assert read_manifest(tmp_path).step == 10
    (tmp_path / "export.textproto").write_text("step: {")
    with pytest.raises(UserError, match="cannot read"):
        read_manifest(tmp_path)


class Stub(Exporter):
    """Writes next to nothing, and says that a client could run it."""

    version: int = 7
    bounds = Tolerance(metric_loss=1e9)
    label, client = "stub", "stub"

    def write(self, trained, folder, sample):
        folder.mkdir()
        (folder / "model").write_text("nothing")
        return {}


class Warned(Stub):
    """As `Stub`, and bears what it gives."""

    bounds = Tolerance(beyond="warn")


def lying(client, model, lines, timed, batch_size=64, options=None):
    return Probed([*["?"] * (len(lines) - 1), ""], [0.0] * len(lines), 0.1, [], 0, ["tensorflow"])


def test_an_artefact_that_differs_is_refused_and_removed(run, monkeypatch):
    monkeypatch.setattr(artefact, "probe", lying)
    trained = open_run(run, "20")
    export = artefact.Export(trained, Sample(["one", ""], [["un"], [""]]))
    with pytest.raises(UserError, match="differs from the run on 1 of 2 lines") as refusal:
        export(Stub())
    place = trained.run.exports / "stub"
    assert "line 1: 'one'" in str(refusal.value)
    assert not (place / "7").exists() and not list(place.glob("*.partial"))
    told = json.loads((place / "parity-refused.json").read_text())
    assert (told["verdict"], told["lines"], told["identical"]) == ("refused", 2, 1)
    assert told["differences"][0]["artefact"] == "?"


def test_an_artefact_that_differs_is_kept_with_a_warning_where_the_recipe_says_so(run, monkeypatch):
    monkeypatch.setattr(artefact, "probe", lying)
    warnings = []
    export = artefact.Export(open_run(run, "20"), Sample(["one", ""]), warn=warnings.append)
    folder, _ = export(Warned())
    assert folder.is_dir() and "differs from the run on 1 of 2 lines" in warnings[0]
    assert json.loads((folder.parent / "parity.json").read_text())["verdict"] == "kept with a warning"


def test_a_ranking_that_the_graph_does_not_do_is_refused_by_name(run):
    ranked = open_run(run, overrides=["decoding.search.n_best=2", "decoding.minimum_risk={}"])
    with pytest.raises(UserError, match=r"decoding\.minimum_risk: exported graphs do not do that"):
        artefact.Export(ranked, Sample(LINES))(SavedModel())


def test_without_the_tokenizer_ids_are_the_only_signatures(run):
    folder, parity = artefact.Export(open_run(run), Sample(LINES))(SavedModel(version=3, include_tokenizer=False))
    assert parity is None and sorted(tf.saved_model.load(str(folder)).signatures) == ["score_ids", "serving_default"]


def test_the_command_refuses_what_is_no_format(run):
    with pytest.raises(UserError, match="no exporter called 'saved_modle'"):
        CliRunner().invoke(command, [str(run), "--format", "saved_modle"], catch_exceptions=False)
    with pytest.raises(UserError, match="saved_model has no variant 'int3'"):
        CliRunner().invoke(command, [str(run), "--format", "saved_model-int3"], catch_exceptions=False)
    assert CliRunner().invoke(command, [str(run), "--sample", "few"]).exit_code == 2


def test_an_artefact_that_does_not_run_is_reported(tmp_path):
    with pytest.raises(UserError, match="does not run by itself"):
        probe("tflite", tmp_path, ["one"], [])


@pytest.mark.slow
def test_a_model_runs_where_there_is_nothing_but_tensorflow_and_tensorflow_text(decoded, exported, tmp_path):
    folder = alone.environment(tmp_path, ["tensorflow", "tensorflow-text"])
    assert not list(folder.glob("seqcfg*")) and not (folder / "sentencepiece").exists()
    lines = [line for line in LINES if line.strip()]
    told = alone.run(folder, CLIENTS / "saved_model.py", exported.folder, stdin="\n".join(lines) + "\n")
    assert [row.split("\t")[0] for row in told.split("\n")[:-1]] == [decoded[line].text for line in lines]
