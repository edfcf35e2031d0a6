"""A run of speech recognition is served: numbers and files of sounds in, the text of decode out, and the right status for the rest."""

import base64
import io
import json
import shutil
import time
import wave

import numpy as np
import pytest
from click.testing import CliRunner

from seqcfg.cli import cli
from seqcfg.data.audio_file import resample
from seqcfg.decoding.decoder import Decoder
from seqcfg.errors import UserError
from seqcfg.export.artefact import Export
from seqcfg.export.sample import Sample
from seqcfg.export.saved_model import SavedModel
from seqcfg.export.tflite import TFLite
from seqcfg.serving.limits import SOUND_BODY_BYTES, Limits
from seqcfg.serving.models import open_model
from seqcfg.serving.sounds import Sounds
from seqcfg.tasks.trained import open_run
from tests.browser import chromium, needs_browser
from tests.evaluation.small_sounds import RATE, make_run, noise
from tests.serving.loads import ask, serving

PREDICT = "/v1/models/toy:predict"
LOUDNESS = np.repeat(np.random.default_rng(1).uniform(0, 1, 9), RATE // 10)
SOUND = np.rint(noise(0.9, seed=1) * LOUDNESS * 32767).astype(np.float32) / 32768  # an untrained model writes ten letters to it


def wav(samples, rate=RATE, channels=1):
    data = io.BytesIO()
    with wave.open(data, "wb") as file:
        file.setparams((channels, 2, rate, 0, "NONE", ""))
        file.writeframes(np.repeat(np.rint(samples * 32768).astype("<i2"), channels).tobytes())
    return data.getvalue()


def decoded(run, samples):
    trained = open_run(run)
    recipe = trained.experiment.recipe
    return Decoder(recipe.task, trained.declaration, trained.weights, trained.codecs, recipe.decoding).decode([samples])[0]


def b64(data):
    return {"b64": base64.b64encode(data).decode()}


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return make_run(tmp_path_factory.mktemp("served_sounds"))


@pytest.fixture(scope="module")
def port(run):
    served = open_model(str(run), "best", (), False, print)
    assert (served.rate_hz, served.longest, served.about["sample_rate_hz"]) == (RATE, RATE, RATE)
    reader = Sounds(served.rate_hz, served.longest, seconds=5.0)
    with serving(served.call, Limits(body_bytes=SOUND_BODY_BYTES, texts=4), reader=reader) as (port, _):
        yield port


@pytest.fixture(scope="module")
def expected(run):
    """What the run says to the sound: its text and score."""
    one = decoded(run, SOUND)
    assert len(one.text) > 5
    return one.text, one.scores[0]


@pytest.fixture(scope="module", params=[SavedModel(), TFLite()], ids=lambda one: one.label)
def port_of_export(run, request):
    folder = Export(open_run(run), Sample([SOUND]))(request.param).folder
    served = open_model(str(folder.parent), "best", (), False, print)
    assert (served.rate_hz, served.longest, served.about["sample_rate_hz"], served.name) == (RATE, RATE, RATE, "small_sounds")
    with serving(served.call, Limits(body_bytes=SOUND_BODY_BYTES, texts=4), reader=Sounds(served.rate_hz, served.longest, 5.0)) as (
        port,
        _,
    ):
        yield port


def texts(port, *sounds):
    status, told = ask(port, PREDICT, {"instances": list(sounds)})
    assert status == 200, told
    return [one["text"] for one in told["predictions"]]


def test_numbers_and_files_have_the_text_of_decode(port, expected):
    samples = SOUND.tolist()
    assert texts(port, samples, b64(wav(SOUND)), {"audio": samples}, {"audio": [*samples, 0.5], "audio_length": len(samples)}) == (
        4 * [expected[0]]
    )
    assert texts(port, b64(wav(SOUND, channels=2)), {"audio": b64(wav(SOUND))}) == 2 * [expected[0]]
    column = ask(port, PREDICT, {"inputs": {"audio": [samples, samples], "audio_length": [len(samples), 0]}})[1]["outputs"]
    assert column["text"] == [expected[0], ""] and column["scores"][0] == pytest.approx(expected[1], abs=1e-4)
    for alone in (samples, b64(wav(SOUND))):
        assert ask(port, PREDICT, {"inputs": alone})[1]["outputs"]["text"] == [expected[0]]


def test_an_exported_recogniser_is_served_with_the_text_of_decode(run, port, port_of_export, expected):
    samples = SOUND.tolist()
    assert texts(port_of_export, samples, b64(wav(SOUND)), {"audio": samples, "audio_length": len(samples)}, []) == 3 * [expected[0]] + [""]
    assert ask(port_of_export, PREDICT, {"instances": [samples]})[1]["predictions"][0]["scores"] == pytest.approx(expected[1], abs=1e-3)
    long = np.concatenate([SOUND[:3200], np.zeros(RATE // 4, np.float32), SOUND[:2400]]).tolist()  # heard in pieces
    assert texts(port_of_export, long) == texts(port, long)


def test_an_export_that_does_not_say_its_sample_rate_is_not_served(run, tmp_path):
    folder = Export(open_run(run), Sample([SOUND]))(SavedModel(version=2)).folder
    shutil.copytree(folder, tmp_path / "2")
    (tmp_path / "2" / "assets.extra" / "model.json").unlink()
    with pytest.raises(UserError, match="does not say which sample rate"):
        open_model(str(tmp_path / "2"), "best", (), True, print)


def test_flac_is_heard(port, expected):
    library, data = pytest.importorskip("soundfile"), io.BytesIO()
    library.write(data, SOUND, RATE, format="FLAC")
    assert texts(port, b64(data.getvalue())) == [expected[0]]
    assert ask(port, PREDICT, {"instances": [b64(data.getvalue()[:-2000])]})[0] == 400


def test_another_rate_is_resampled_and_silence_of_no_samples_is_empty(run, port):
    double = np.clip(resample(SOUND, RATE, 2 * RATE), -0.9, 0.9)
    heard = resample(np.rint(double * 32768).astype(np.float32) / 32768, 2 * RATE, RATE)
    assert texts(port, b64(wav(double, 2 * RATE)), [], b64(wav(np.zeros(0)))) == [decoded(run, heard).text, "", ""]


def test_a_long_sound_is_heard_in_pieces_whether_file_or_numbers(run, port, tmp_path):
    long = np.concatenate([SOUND[:3200], np.zeros(RATE // 4, np.float32), SOUND[:2400]])
    of_file, of_numbers = texts(port, b64(wav(long)), long.tolist())
    (tmp_path / "long.wav").write_bytes(wav(long))
    result = CliRunner().invoke(cli, ["decode", str(run), "--input", str(tmp_path / "long.wav")])
    assert of_file == of_numbers == result.stdout.rstrip("\n") and len(of_file) > 5


@pytest.mark.parametrize(
    ("sound", "status", "said"),
    [
        ("one", 400, "a sound is expected"),
        ({"b64": "?"}, 400, "no base64"),
        ({"b64": 3}, 400, "no base64"),
        (b64(b"words"), 400, "no WAV, FLAC or Ogg"),
        (b64(b"RIFF"), 400, "ends early"),
        (b64(wav(SOUND)[:1000]), 400, "ends early"),
        (b64(wav(SOUND, rate=400)), 400, "400 Hz; 1000 to 192000"),
        (b64(wav(SOUND, channels=9)), 400, "9 channels"),
        (b64(wav(np.zeros(6 * RATE))), 413, "5 seconds"),
        ([0.0] * 6 * RATE, 413, "5 seconds"),
        ([[0.1, 0.2]], 400, "one list of numbers"),
        ([[0.1], 0.2], 400, "one list of numbers"),
        ([0.1, "a"], 400, "one list of numbers"),
        ([0.1, None], 400, "one list of numbers"),
        ([10**400], 400, "one list of numbers"),
        ([300, -12000], 400, "divide"),
        ({"audio": [0.1], "audio_length": 2}, 400, "audio_length"),
        ({"text": "a"}, 400, "a sound is expected"),
    ],
)
def test_what_is_no_sound_has_its_status_and_says_what_is_wrong(port, sound, status, said):
    found, told = ask(port, PREDICT, {"instances": [sound]})
    assert found == status and said in told["error"]


def test_an_infinite_number_and_sounds_that_are_too_long_together_are_refused(port):
    assert ask(port, PREDICT, b'{"instances": [[0.1, 1e999]]}')[0] == 400
    assert ask(port, PREDICT, {"instances": 2 * [[0.0] * 3 * RATE]})[0] == 413
    assert ask(port, PREDICT, {"inputs": {"audio": [[0.1]], "audio_length": [1, 2]}})[0] == 400
    assert ask(port, PREDICT, {"instances": 5 * [[0.0]]})[0] == 413


def shown(browser):
    deadline = time.monotonic() + 20
    while not (cells := browser.run("return [...document.querySelectorAll('td')].map((one) => one.textContent)")):
        assert time.monotonic() < deadline, browser.run("return document.getElementById('said').textContent")
    return cells


CHOOSE = """
const files = new DataTransfer();
files.items.add(new File([Uint8Array.from(atob(arguments[0]), (one) => one.charCodeAt(0))], "<b>one</b>.wav"));
"""


@needs_browser
def test_a_file_that_is_chosen_or_dropped_and_the_microphone_are_answered_on_the_page(port, expected):
    hear_on_page(port, expected)


@needs_browser
@pytest.mark.slow
def test_the_page_of_an_exported_recogniser_hears_as_that_of_a_run(port_of_export, expected):
    hear_on_page(port_of_export, expected)


def hear_on_page(port, expected):
    sound = b64(wav(SOUND))["b64"]
    with chromium("--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream") as browser:
        browser.visit(f"http://127.0.0.1:{port}/")
        browser.run(
            CHOOSE + "const e = document.getElementById('files'); e.files = files.files; e.dispatchEvent(new Event('change'));", sound
        )
        assert shown(browser)[:2] == ["<b>one</b>.wav", expected[0]]
        browser.visit(f"http://127.0.0.1:{port}/")
        browser.run(CHOOSE + "document.getElementById('drop').dispatchEvent(new DragEvent('drop', {dataTransfer: files}));", sound)
        assert shown(browser)[:2] == ["<b>one</b>.wav", expected[0]]
        browser.visit(f"http://127.0.0.1:{port}/")
        browser.run("document.getElementById('record').click()")
        deadline = time.monotonic() + 20
        while browser.run("return document.getElementById('said').textContent") != "listening":
            assert time.monotonic() < deadline
        time.sleep(0.6)
        browser.run("document.getElementById('record').click()")
        assert shown(browser)[0] == "microphone" and shown(browser)[1]
        assert not [line for line in browser.log() if line["level"] != "DEBUG" and "favicon" not in json.dumps(line)]


@needs_browser
def test_the_page_says_what_is_wrong_with_a_file(port):
    with chromium() as browser:
        browser.visit(f"http://127.0.0.1:{port}/")
        browser.run(CHOOSE + "hearAll(files.files)", b64(wav(SOUND)[:1000])["b64"])
        deadline = time.monotonic() + 20
        while "ends early" not in browser.run("return document.getElementById('said').textContent"):
            assert time.monotonic() < deadline
