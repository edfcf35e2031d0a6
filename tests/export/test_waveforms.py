"""An exported listener writes what the run writes, in a process that never sees seqcfg."""

import json

import numpy as np
import pytest
from click.testing import CliRunner

from seqcfg.cli import cli
from seqcfg.decoding.decoder import Decoder
from seqcfg.errors import UserError
from seqcfg.export import waveforms
from seqcfg.tasks.trained import open_run
from tests.evaluation.small_sounds import make_run, noise
from tests.export import alone

CLIENT = """
import json, sys
import numpy as np, tensorflow as tf
sounds = [np.array(one, np.float32) for one in json.load(open(sys.argv[2]))]
audio = np.zeros([len(sounds), max(map(len, sounds))], np.float32)
for row, sound in zip(audio, sounds):
    row[:len(sound)] = sound
call = tf.saved_model.load(sys.argv[1]).signatures["serving_default"]
found = call(audio=tf.constant(audio), audio_length=tf.constant([len(one) for one in sounds], tf.int32))
print(json.dumps([text.decode() for text in found["text"].numpy().tolist()]))
"""


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    place = tmp_path_factory.mktemp("waveforms")
    run = make_run(place)
    roots = ["--data-root", str(place), "--cache-root", str(place / "prepared")]
    result = CliRunner().invoke(cli, ["export", str(run), *roots])
    assert result.exit_code == 0, result.output
    return run, run / "exports" / "saved_model" / "1", result.output


def test_the_exported_model_was_compared_on_sounds(exported):
    assert "the same texts as the run on 5 sounds" in exported[2]


def test_a_program_without_seqcfg_writes_what_the_run_writes(exported, tmp_path):
    run, folder, _ = exported
    sounds = [noise(0.9), noise(0.4, seed=1), np.zeros(0, np.float32), noise(1.3, seed=2)]
    trained = open_run(run)
    recipe = trained.experiment.recipe
    parts = (recipe.task, trained.declaration, trained.weights, trained.codecs, recipe.decoding, trained.precision)
    expected = [one.text for one in Decoder(*parts).decode(sounds)]  # the last is longer than what is decoded, and cut
    (tmp_path / "sounds.json").write_text(json.dumps([sound.tolist() for sound in sounds]))
    (tmp_path / "client.py").write_text(CLIENT)
    place = tmp_path / "packages"
    place.mkdir()
    output = alone.run(alone.environment(place, ["tensorflow"]), tmp_path / "client.py", folder, tmp_path / "sounds.json")
    assert json.loads(output.splitlines()[-1]) == expected
    assert expected[0]
    assert expected[2] == ""


def test_a_model_that_writes_something_else_is_refused(exported, monkeypatch):
    run, folder, _ = exported
    trained = open_run(run)
    changed = trained.weights | {"model/output/kernel": -trained.weights["model/output/kernel"]}
    monkeypatch.setattr(waveforms, "Decoder", lambda *parts: Decoder(parts[0], parts[1], changed, *parts[3:]))
    with pytest.raises(UserError, match="the exported model"):
        waveforms.prove_same(trained, folder, [noise(0.9)], True)


def test_other_formats_say_that_they_read_texts(exported):
    run, _, _ = exported
    result = CliRunner().invoke(
        cli, ["export", str(run), "--format", "tflite", "--data-root", str(run.parent), "--cache-root", str(run.parent / "prepared")]
    )
    assert "exports models that read texts" in str(result.exception)
