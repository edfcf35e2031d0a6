"""An exported listener writes what the run writes, in a process that never sees seqcfg."""

import dataclasses
import json
import shutil
import wave
from importlib.machinery import SourceFileLoader

import numpy as np
import pytest
import tensorflow as tf
from click.testing import CliRunner

from seqcfg.cli import cli
from seqcfg.data.tf_record import read_records
from seqcfg.decoding.decoder import Decoder
from seqcfg.errors import UserError
from seqcfg.export import waveforms
from seqcfg.export.artefact import Export
from seqcfg.export.ctranslate2 import CTranslate2
from seqcfg.export.manifest import read_manifest
from seqcfg.export.operators import operators_of
from seqcfg.export.probe import CLIENTS
from seqcfg.export.sample import Sample
from seqcfg.export.saved_model import SavedModel
from seqcfg.export.tflite import TFLite
from seqcfg.tasks.trained import open_run
from tests.evaluation.small_sounds import make_run, noise
from tests.export import alone
from tests.export.test_saved_model import parsed_request

SOUNDS = [noise(0.9), noise(0.4, seed=1), np.zeros(0, np.float32), noise(1.3, seed=2)]  # the last is longer than what is decoded


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return make_run(tmp_path_factory.mktemp("waveforms"))


@pytest.fixture(scope="module")
def told(run):
    """What the command says of a TFLite model."""
    options = ["--format", "tflite-dynamic_int8", "--timed", "1"]
    arguments = ["export", str(run), *options, "--data-root", str(run.parent), "--cache-root", str(run.parent / "prepared")]
    result = CliRunner().invoke(cli, arguments)
    assert result.exit_code == 0, result.output
    return result.output


@pytest.fixture(scope="module")
def saved(run):
    """The SavedModel, which a process without seqcfg has run on the sounds."""
    return Export(open_run(run), Sample(SOUNDS))(SavedModel())


@pytest.fixture(scope="module")
def wanted(run):
    """What the run writes."""
    return decoded(open_run(run), SOUNDS)


@pytest.fixture(scope="module")
def client(told, run):
    module = SourceFileLoader("tflite_client", str(CLIENTS / "tflite.py")).load_module("tflite_client")
    return module.Model(str(run / "exports" / "tflite-dynamic_int8" / "1"))


def write_wav(path, samples, rate):
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, rate, 0, "NONE", ""))
        file.writeframes(samples.astype("<i2").tobytes())


def decoded(trained, sounds):
    recipe = trained.experiment.recipe
    parts = (recipe.task, trained.declaration, trained.weights, trained.codecs, recipe.decoding, trained.precision)
    return Decoder(*parts).decode(sounds)


def test_texts_scores_and_metrics_of_sounds_are_compared_and_what_they_cost(run, told):
    parity = json.loads((run / "exports" / "tflite-dynamic_int8" / "parity.json").read_text())
    assert parity["lines"] == parity["identical"] == 5 and parity["score_difference"] < 0.3
    assert [one["name"] for one in parity["metrics"]] == ["wer", "cer"]
    assert all(one["run"] == one["artefact"] for one in parity["metrics"])
    for side in ("run", "artefact"):
        names = ("bytes", "load_seconds", "median_ms", "slowest_ms", "cpu_ms", "peak_bytes")
        assert all(parity["costs"][side][name] > 0 for name in names)
    assert "the same strings as the run on 5 of 5 lines" in told
    assert all(row in told for row in ("wer", "one line, ms (median)", "one line, CPU ms (median)", "peak memory, MB"))


def test_a_program_without_seqcfg_writes_what_the_run_writes(saved, wanted, client):
    assert saved.parity.identical == saved.parity.lines == len(SOUNDS) and saved.parity.score_difference < 1e-4
    texts, scores = zip(*client(SOUNDS), strict=True)
    assert list(texts) == [one.text for one in wanted]
    np.testing.assert_allclose(scores, [one.scores[0] for one in wanted], atol=0.3)
    assert wanted[0].text and wanted[2].text == ""


def test_who_loads_a_model_of_speech_is_told_its_sample_rate(run, told, saved):
    facts = json.loads((saved.folder / "assets.extra" / "model.json").read_text())
    assert facts == {"input": "audio", "sample_rate_hz": 4000, "samples_per_position": 40, "max_source_length": 100}
    about = json.loads((run / "exports" / "tflite-dynamic_int8" / "1" / "model.json").read_text())
    assert about.items() >= facts.items()
    for label in ("saved_model", "tflite-dynamic_int8"):
        manifest = read_manifest(run / "exports" / label)
        assert manifest.figures["sample_rate_hz"] == 4000 and any(name.endswith("model.json") for name in manifest.files)


def test_requests_that_warm_up_a_server_are_sounds_of_this_rate(saved):
    call = tf.saved_model.load(str(saved.folder)).signatures
    with open(saved.folder / "assets.extra" / "tf_serving_warmup_requests", "rb") as file:
        requests = [parsed_request(record.data) for record in read_records(file)]
    assert sorted(name for name, _ in requests) == ["ids"] * 3 + ["serving_default"] * 3  # the empty sound shows nothing
    for signature, inputs in requests:
        call[signature](**{name: tf.constant(tf.make_ndarray(value)) for name, value in inputs.items()})


class Copy(TFLite):
    """Writes what was written before."""

    version: int = 9
    source: str = ""
    label = "copy"

    def write(self, trained, folder, sample):
        shutil.copytree(self.source, folder)
        return {}


def test_scores_that_differ_are_refused_although_the_texts_are_the_same(run, told):
    trained = open_run(run)
    surer = {name: 2.0 * trained.weights[name] for name in ("model/output/kernel", "model/output/bias")}
    export = Export(dataclasses.replace(trained, weights=trained.weights | surer), Sample(SOUNDS))
    with pytest.raises(UserError, match="^scores of equal outputs differ by"):
        export(Copy(source=str(run / "exports" / "tflite-dynamic_int8" / "1")))


def test_the_front_end_of_an_integer_model_stays_in_floating_point(run, client, wanted):
    quiet = noise(0.9) * 1e-3  # 60 dB below: what 8 bits of a spectrum would not hold
    assert abs(client([quiet])[0][1] - decoded(open_run(run), [quiet])[0].scores[0]) < 0.3
    text, score = client._decode_ids(client.best_path(SOUNDS[0])[0]), client.best_path(SOUNDS[0])[1]
    assert text == wanted[0].text and score == pytest.approx(wanted[0].scores[0], abs=0.3)
    operators = operators_of((run / "exports" / "tflite-dynamic_int8" / "1" / "model.tflite").read_bytes())
    assert not operators.custom and operators.operators["RFFT2D"] >= 1


def test_a_search_over_tokens_is_in_the_file_whole_and_step_by_step(run):
    beam = open_run(run, overrides=["decoding.search={type: beam, width: 2}", "decoding.max_length=5"])
    folder, parity = Export(beam, Sample(SOUNDS))(TFLite(version=2))
    assert parity.identical == len(SOUNDS) and parity.score_difference < 1e-3
    client = SourceFileLoader("tflite_client", str(CLIENTS / "tflite.py")).load_module("tflite_client")
    greedy = open_run(run, overrides=["decoding.search={type: greedy}", "decoding.max_length=5"])
    ids, score = client.Model(str(folder)).greedy(SOUNDS[1])
    wanted = decoded(greedy, [SOUNDS[1]])[0]
    assert ids == wanted.ids[0] and score == pytest.approx(wanted.scores[0], abs=1e-3)


def test_the_command_runs_a_model_on_a_wav_file(run, told, tmp_path):
    samples = np.round(noise(0.9) * 32767).astype(np.int16)
    write_wav(tmp_path / "a.wav", samples, 4000)
    result = CliRunner().invoke(cli, ["run", str(run / "exports" / "tflite-dynamic_int8" / "1"), "--input", str(tmp_path / "a.wav")])
    assert result.output.strip() == decoded(open_run(run), [samples.astype(np.float32) / 32768.0])[0].text


@pytest.mark.slow
def test_a_model_of_speech_runs_where_there_is_nothing_but_its_engine(run, told, tmp_path):
    write_wav(tmp_path / "a.wav", np.round(noise(0.9) * 32767).astype(np.int16), 4000)
    place = tmp_path / "litert"
    place.mkdir()
    folder = alone.environment(place, ["ai-edge-litert", "numpy"])
    assert not list(folder.glob("seqcfg*")) and not (folder / "tensorflow").exists()
    output = alone.run(folder, CLIENTS / "tflite.py", run / "exports" / "tflite-dynamic_int8" / "1", stdin=f"{tmp_path / 'a.wav'}\n")
    assert output.split("\t")[0] == decoded(open_run(run), [noise(0.9)])[0].text


def test_a_model_without_its_tokenizer_is_compared_by_ids_and_refused_where_it_differs(run, monkeypatch):
    trained = open_run(run)
    export = Export(trained, Sample(SOUNDS[:3]))
    folder, parity = export(SavedModel(version=3, include_tokenizer=False))
    assert parity is None and export.num_sounds == 2
    changed = trained.weights | {"model/output/kernel": -trained.weights["model/output/kernel"]}
    monkeypatch.setattr(waveforms, "Decoder", lambda *parts: Decoder(parts[0], parts[1], changed, *parts[3:]))
    with pytest.raises(UserError, match="the exported model"):
        waveforms.prove_same(trained, folder, [noise(0.9)])


def test_formats_that_hear_nothing_say_so(run):
    with pytest.raises(UserError, match="exports models that read texts"):
        Export(open_run(run), Sample(SOUNDS))(CTranslate2())
