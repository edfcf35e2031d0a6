"""An exported model does what the run does, in a process that never sees seqcfg, or it is refused."""

import hashlib

import pytest
import tensorflow as tf
from click.testing import CliRunner

from seqcfg.commands.export import command
from seqcfg.decoding.decoder import Decoder
from seqcfg.errors import UserError
from seqcfg.export import artefact
from seqcfg.export.manifest import read_manifest
from seqcfg.export.saved_model import SavedModel
from seqcfg.tasks.trained import open_run
from tests.evaluation.small_run import make_run

LINES = ["twenty-one", "", "one", " \u3000\t", "ninety-nine thousand", "naïve — 😀", "a" * 40]


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return make_run(tmp_path_factory.mktemp("exported"))


@pytest.fixture(scope="module")
def trained(run):
    return open_run(run, overrides=["decoding.max_source_length=30", "decoding.search.n_best=2"])


@pytest.fixture(scope="module")
def exported(trained):
    return artefact.export(trained, SavedModel(), LINES)


def decode(trained, lines):
    recipe = trained.experiment.recipe
    return Decoder(recipe.task, trained.declaration, trained.weights, trained.codecs, recipe.decoding).decode(lines)


def test_text_goes_in_and_comes_out_as_with_the_run(trained, exported):
    folder, compared = exported
    assert compared == len(LINES) and folder == trained.run.exports / "saved_model" / "1"
    call = tf.saved_model.load(str(folder)).signatures["serving_default"]
    for lines in (LINES, LINES[2:3], LINES[:2]):
        found, wanted = call(tf.constant(lines)), decode(trained, lines)
        assert [text.decode() for text in found["text"].numpy()] == [one.text for one in wanted]
        assert found["scores"].numpy().tolist() == pytest.approx([one.scores[0] for one in wanted], abs=1e-4)
    best = [text.decode() for text in call(tf.constant(["one"]))["n_best_text"].numpy()[0]]
    assert best == decode(trained, ["one"])[0].texts and len(best) == 2


def test_ids_go_in_and_come_out(trained, exported):
    call = tf.saved_model.load(str(exported[0])).signatures["ids"]
    task = trained.experiment.recipe.task
    found = call(**{name: tf.constant(value) for name, value in task.encode_texts(trained.codecs, ["one", "two"]).items()})
    ids = [found["ids"].numpy()[row, 0, : found["lengths"].numpy()[row, 0]].tolist() for row in range(2)]
    assert task.decode_ids(trained.codecs, ids) == [one.text for one in decode(trained, ["one", "two"])]


def test_the_manifest_names_checkpoint_signatures_and_checksums(trained, exported):
    manifest = read_manifest(exported[0].parent)
    assert (manifest.checkpoint, manifest.step, manifest.lines_compared) == ("step-00000010", 10, len(LINES))
    assert {part: getattr(manifest.fingerprints, part) for part in trained.experiment.fingerprint} == trained.experiment.fingerprint
    text = manifest.signatures["serving_default"].inputs["text"]
    assert (text.dtype, list(text.shape)) == ("string", [-1])
    assert (manifest.exporter, dict(manifest.settings)) == ("saved_model", {"version": "1", "include_tokenizer": "true"})
    for name, entry in manifest.files.items():
        content = (exported[0].parent / name).read_bytes()
        assert (len(content), hashlib.sha256(content).hexdigest()) == (entry.bytes, entry.sha256)
    assert "1/saved_model.pb" in manifest.files


def test_a_manifest_of_a_later_version_is_read_and_rubbish_is_an_error(exported, tmp_path):
    text = (exported[0].parent / "export.textproto").read_text()
    (tmp_path / "export.textproto").write_text(text + "\nnew_field: 3\n")
    assert read_manifest(tmp_path).step == 10
    (tmp_path / "export.textproto").write_text("step: {")
    with pytest.raises(UserError, match="cannot read"):
        read_manifest(tmp_path)


def test_an_artefact_that_differs_is_refused_and_removed(run, monkeypatch):
    trained = open_run(run, "20")
    monkeypatch.setattr(SavedModel, "decode", lambda self, folder, lines, size: [*["?"] * (len(lines) - 1), ""])
    with pytest.raises(UserError, match="differs from the run on 1 of 2 lines"):
        artefact.export(trained, SavedModel(version=7), ["one", ""])
    assert not (trained.run.exports / "saved_model" / "7").exists()
    assert not list((trained.run.exports / "saved_model").glob("*.partial"))


def test_a_ranking_that_the_graph_does_not_do_is_refused_by_name(run):
    ranked = open_run(run, overrides=["decoding.search.n_best=2", "decoding.minimum_risk={}"])
    with pytest.raises(UserError, match=r"decoding\.minimum_risk: exported graphs do not do that"):
        artefact.export(ranked, SavedModel(), LINES)


def test_without_the_tokenizer_ids_are_the_only_signature(run):
    folder, compared = artefact.export(open_run(run), SavedModel(version=3, include_tokenizer=False), LINES)
    assert compared == 0 and list(tf.saved_model.load(str(folder)).signatures) == ["serving_default"]


def test_the_command_exports_and_compares(run, exported):
    options = ["--data-root", run.parent, "--cache-root", run.parent / "prepared", "--sample", "5"]
    result = CliRunner().invoke(command, [str(run), *map(str, options)], catch_exceptions=False)
    assert result.exit_code == 0 and "the same strings as the run on 5 lines" in result.stdout
    with pytest.raises(UserError, match="no exporter called 'saved_modle'"):
        CliRunner().invoke(command, [str(run), "--format", "saved_modle"], catch_exceptions=False)
    assert CliRunner().invoke(command, [str(run), "--sample", "few"]).exit_code == 2


def test_an_artefact_that_does_not_run_is_reported(tmp_path):
    with pytest.raises(UserError, match="does not run by itself"):
        SavedModel().decode(tmp_path, ["one"], 8)
