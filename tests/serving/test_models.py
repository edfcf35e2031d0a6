"""Runs and exports are served with the outputs of decode; strangers' models are not, and say what they could do."""

import http.client
import json
import os
import re
import shutil
import signal
import subprocess
import sys

import pytest
from click.testing import CliRunner

from seqcfg.checkpoints.contents import describe_file
from seqcfg.commands.serve import command
from seqcfg.decoding.decoder import Decoder
from seqcfg.errors import UserError
from seqcfg.export.artefact import Export
from seqcfg.export.export_proto import ExportManifest
from seqcfg.export.manifest import write_manifest
from seqcfg.export.onnx import Onnx
from seqcfg.export.origin import damage, powers_of
from seqcfg.export.sample import Sample
from seqcfg.export.saved_model import SavedModel
from seqcfg.serving.models import open_model
from seqcfg.tasks.trained import open_run
from tests.evaluation.small_run import make_run

LINES = ["one", "", "twenty-one"]


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return make_run(tmp_path_factory.mktemp("served"))


@pytest.fixture(scope="module")
def exported(run):
    return Export(open_run(run), Sample(["one"]))(SavedModel(num_warmup_requests=0)).folder


@pytest.fixture(scope="module")
def wanted(run):
    trained = open_run(run)
    recipe = trained.experiment.recipe
    found = Decoder(recipe.task, trained.declaration, trained.weights, trained.codecs, recipe.decoding).decode(LINES)
    return [one.text for one in found]


def texts(served):
    return [one["text"] for one in served.call(LINES)]


def test_a_run_and_its_export_are_served_with_the_outputs_of_decode(run, exported, wanted):
    of_run = open_model(str(run), "best", (), False, print)
    assert texts(of_run) == wanted and of_run.name == "small" and of_run.about["step"] == 10
    for place in (exported, exported.parent):  # a version's folder, or the one of all versions
        served = open_model(str(place), "best", (), False, print)
        assert texts(served) == wanted and (served.name, served.version) == ("small", 1)


def test_an_onnx_model_is_served_with_the_outputs_of_decode(run, wanted):
    pytest.importorskip("tf2onnx")
    pytest.importorskip("onnxruntime")
    folder = Export(open_run(run), Sample(["one"]))(Onnx()).folder
    assert texts(open_model(str(folder), "best", (), False, print)) == wanted


@pytest.mark.parametrize(("asked", "used"), [("auto", "never"), ("always", "always")])
def test_a_server_compiles_only_where_it_is_told_to(run, monkeypatch, asked, used):
    seen = []
    monkeypatch.setattr("seqcfg.decoding.decoder.Decoder", lambda *parts: seen.append(parts[4].xla))
    open_model(str(run), "best", (f"decoding.xla={asked}",), False, print)
    assert seen == [used]


def test_a_model_without_our_manifest_is_refused_with_what_it_could_do(tmp_path):
    import tensorflow as tf

    module = tf.Module()

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="text")])
    def call(text):
        tf.io.write_file(str(tmp_path / "canary"), tf.io.read_file("/etc/hostname"))
        return {"text": text, "scores": tf.zeros(tf.shape(text))}

    tf.saved_model.save(module, str(tmp_path / "1"), signatures={"serving_default": call.get_concrete_function()})
    assert powers_of(tmp_path / "1") == {"read files": ["ReadFile"], "write files": ["WriteFile"]}
    with pytest.raises(UserError, match=r"no export\.textproto[\s\S]*read files \(ReadFile\); it can write files \(WriteFile\)"):
        open_model(str(tmp_path / "1"), "best", (), False, print)
    assert not (tmp_path / "canary").exists()
    assert texts(open_model(str(tmp_path / "1"), "best", (), True, print)) == LINES  # as somebody who trusts it wants


def test_a_model_that_was_changed_behind_its_manifest_is_refused(exported, tmp_path):
    copy = tmp_path / "saved_model"
    shutil.copytree(exported.parent, copy)
    assert damage(copy / "1") == ""
    (copy / "1" / "more").write_text("x")
    assert "1/more is not in the manifest" in damage(copy / "1")
    (copy / "1" / "more").unlink()
    index = copy / "1" / "variables" / "variables.index"
    index.write_bytes(index.read_bytes() + b"\0")
    with pytest.raises(UserError, match=r"1/variables/variables\.index is not as it was written"):
        open_model(str(copy), "best", (), False, print)
    (copy / "1" / "saved_model.pb").write_bytes(b"\xff\xff")
    with pytest.raises(UserError, match=r"saved_model\.pb is damaged"):
        open_model(str(copy), "best", (), False, print)


def test_a_manifest_that_fits_does_not_make_a_model_trusted(tmp_path):
    """Anybody can write one: what the model does decides."""
    import tensorflow as tf

    module = tf.Module()

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="text")])
    def call(text):
        tf.io.write_file(str(tmp_path / "canary"), "x")
        return {"text": text, "scores": tf.zeros(tf.shape(text))}

    tf.saved_model.save(module, str(tmp_path / "1"), signatures={"serving_default": call.get_concrete_function()})
    manifest = ExportManifest(format=1, recipe_name="kind", exporter="saved_model")
    for path in (tmp_path / "1").rglob("*"):
        if path.is_file():
            entry = manifest.files[path.relative_to(tmp_path).as_posix()]
            entry.bytes, entry.sha256 = describe_file(path)
    write_manifest(tmp_path, manifest)
    assert damage(tmp_path / "1") == ""
    with pytest.raises(UserError, match=r"as its manifest says, and no export of seqcfg does this\. it can write files \(WriteFile\)"):
        open_model(str(tmp_path), "best", (), False, print)
    assert not (tmp_path / "canary").exists()


def test_our_exports_reach_no_files(exported):
    assert powers_of(exported) == {}


def test_others_are_served_with_a_token_alone(run, monkeypatch):
    monkeypatch.delenv("SEQCFG_TOKEN", raising=False)
    result = CliRunner().invoke(command, [str(run), "--host", "0.0.0.0"])
    assert result.exit_code == 2 and "give --token" in result.output


@pytest.mark.slow
def test_the_command_serves_until_it_is_told_to_end(run, wanted):
    arguments = [sys.executable, "-m", "seqcfg", "serve", str(run), "--port", "0"]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True, env=environment) as process:
        port = int(re.search(r":(\d+)/", process.stdout.readline())[1])
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        connection.request("POST", "/v1/models/small:predict", json.dumps({"inputs": LINES}))
        assert json.loads(connection.getresponse().read())["outputs"]["text"] == wanted
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0
