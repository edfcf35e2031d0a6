"""What bin/bench measures of training is what the recipe does."""

import json
import subprocess
import sys
import wave
from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_loader
from pathlib import Path
from xml.etree import ElementTree

import pytest
from click.testing import CliRunner

from seqcfg import cli
from seqcfg.data.sources.keypad_tones import KeypadTones
from seqcfg.plan import memory, table
from seqcfg.plan.declaration import declare
from seqcfg.plan.walk import Batch
from seqcfg.recipe.experiment import load
from tests.recipes.shrunk import CONFORMER, LANGUAGE_MODELING, STREAMING_TRANSDUCER, TRANSLATION, arguments

ROOT = Path(__file__).resolve().parents[2]
BENCH = ROOT / "bin" / "bench"


@pytest.fixture
def bench(tmp_path, monkeypatch, capsys):
    """Runs one measurement of a tenth of a second in this process and returns its result."""
    loader = SourceFileLoader("bench", str(BENCH))
    program = module_from_spec(spec_from_loader("bench", loader))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    loader.exec_module(program)

    def measure(what, shrunk=LANGUAGE_MODELING, *more):
        brief = [] if what in ("memory", "costs", "precision") else ["--seconds", "0.1"]
        if shrunk is not None:
            recipe, *overrides = arguments(shrunk)
            brief += ["--window", "0.1", "--warm-up", "0", "--cache-root", str(tmp_path), "--recipe", recipe, *overrides]
        monkeypatch.setattr(sys, "argv", ["bench", what, *brief, *more])
        program.main()
        return json.loads(capsys.readouterr().out)["result"]

    return measure


def test_training_and_loading_are_measured_in_one_window_each(bench):
    experiment = load(LANGUAGE_MODELING[0], LANGUAGE_MODELING[1:])
    trained, loaded = bench("train"), bench("loader")
    assert trained["parameters"] == table.total(experiment.declaration)
    assert (trained["precision"], trained["traces"]) == ("float32", 1)
    assert trained["steps"] >= 1 + 2 * experiment.recipe.training.steps_per_call  # the first, a warm-up and a window
    assert 0 < trained["target_tokens_per_step"] <= experiment.recipe.data.batching.max_tokens
    assert 0 <= trained["padding"] < 1
    assert trained["first_step_seconds"] > trained["preparing_seconds"]
    assert trained["peak_mib"] > 100
    assert 0 < trained["flops_per_second"] < trained["matmul_limit"]
    assert trained["share"] == pytest.approx(trained["flops_per_second"] / trained["matmul_limit"], abs=1e-3)
    for rate in (trained["target_tokens_per_second"], trained["target_tokens_per_cpu_second"], loaded["batches_per_second"]):
        assert rate["windows"] == 1
        assert rate["min"] == rate["median"] == rate["max"] > 0


def test_a_loop_written_by_hand_computes_the_same_loss_and_is_measured_in_turns(bench):
    found = bench("train", (*TRANSLATION, "training.steps_per_call=1"), "--bare")  # it refuses a model with another loss
    assert found["traces"] == {"ours": 1, "bare": 1}
    assert found["ratio"]["bare"]["min"] <= found["ratio"]["bare"]["median"] <= found["ratio"]["bare"]["max"]


def test_the_memory_that_is_planned_is_that_of_the_batch_that_is_measured(bench):
    found = bench("memory", None, "--recipe", *arguments(TRANSLATION), "--rows", "2", "--length", "6", "--steps", "1")
    experiment = load(TRANSLATION[0], TRANSLATION[1:])
    planned = memory.of_recipe(experiment.recipe, experiment.declaration, Batch(2, 6, 6))
    assert found["batch"] == {"rows": 2, "source": 6, "text": 6}
    assert found["predicted_mib"] == pytest.approx(planned.peak / memory.MIB, abs=0.1)
    assert found["measured_mib"] == found["measured_after_each_step"][-1] > 100


@pytest.mark.slow
def test_the_cost_of_a_step_is_told_by_each_size_and_drawn(bench, tmp_path):
    from benchmarks import costs  # found once bin/bench is loaded

    page = tmp_path / "costs.md"
    page.write_text(f"before\n{costs.BEGIN}\nold\n{costs.END}\nafter\n")
    found = bench("costs", None, "--vary", "length", "--window", "0.01", "--turns", "1", "--write", str(page))["costs"]["length"]
    assert [row["length"] for row in found["rows"]] == costs.VARIED["length"]
    assert all(row["microseconds_per_token"] > 0 for row in found["rows"])
    text = page.read_text()
    assert text.startswith("before\n") and text.endswith("after\n") and "old" not in text
    assert text.count("| length |") == len(costs.VARIED["length"])
    assert ElementTree.parse(page.with_suffix(".svg")).getroot().tag.endswith("svg")


@pytest.mark.slow
def test_precisions_are_measured_in_turns(bench):
    found = bench(
        "precision", None, "--recipe", *arguments(TRANSLATION), "--rows", "2", "--length", "6", "--window", "0.01", "--turns", "1"
    )
    assert list(found["target_tokens_per_cpu_second"]) == ["float32", "bfloat16"]
    assert found["times_as_many_as_in_float32"]["bfloat16"]["median"] > 0


@pytest.mark.slow
def test_a_conformer_of_the_stated_sizes_is_trained(bench):
    sizes = {"width": 8, "hidden": 8, "heads": 2, "blocks": 1, "kernel-size": 3, "channels": 2, "batch": 2, "frames": 16, "threads": 0}
    found = bench("conformer", None, "--turns", "1", *(part for name, size in sizes.items() for part in (f"--{name}", str(size))))
    layer = load(CONFORMER[0], CONFORMER[1:]).recipe.task.model.encoder
    output = 8 * 64 + 64
    statistics = 2 * 8  # of batch normalisation: moved, not trained
    assert found["weights"]["seqcfg"] == table.total(declare(layer, 80)) - statistics + output
    assert found["frames_per_cpu_second"]["seqcfg"] > 0


@pytest.mark.slow
def test_whole_sounds_and_chunks_of_a_stream_are_measured_and_give_the_same_tokens(bench, tmp_path):
    run, sounds = tmp_path / "run", tmp_path / "sounds"
    command = ["train", *arguments(STREAMING_TRANSDUCER), "--set", "training.steps=2", "--run", str(run)]
    done = CliRunner().invoke(cli.cli, [*command, "--cache-root", str(tmp_path / "prepared")])
    assert done.exit_code == 0, done.output
    sounds.mkdir()
    for number, example in enumerate(KeypadTones(num_examples=2).examples(None)):
        with wave.open(str(sounds / f"{number}.wav"), "wb") as file:
            file.setparams((1, 2, 8000, 0, "NONE", ""))
            file.writeframes((32767 * example.fields["audio"]).astype("<i2").tobytes())
    asked = ["--run", str(run), "--checkpoint", "last", "--input", str(sounds), "--threads", "0", "--chunk-ms", "160"]
    (found,) = bench("transducer", None, *asked, "--shapes", "--searches", "{type: transducer_greedy, tokens_per_frame: 2}")["run"]
    assert found["search"] == "transducer_greedy"
    assert [row["batch"] for row in found["whole"]] == [1, 16]
    (stream,) = found["stream"]
    assert stream["tokens"] == found["whole"][0]["tokens"] == found["whole"][1]["tokens"]
    assert stream["chunk_ms"] == 160
    assert 0 < stream["ms_per_chunk"]["median"] <= stream["ms_per_chunk"]["max"]


@pytest.mark.slow
def test_the_loader_is_compared_with_pipelines_of_tf_data_on_the_same_texts(tmp_path):
    recipe = ROOT / "recipes" / "mt" / "demo_numbers_enfr.yaml"
    sizes = ["data.splits.train.num_examples=300", "data.splits.validation.num_examples=20", "data.splits.test.num_examples=20"]
    brief = ["--seconds", "0.3", "--window", "0.3", "--warm-up", "0.1"]
    brief += ["--cache-root", str(tmp_path), "--set", "tokenizers.shared={type: byte}"]
    settings = [part for size in sizes for part in ("--set", size)]
    command = [sys.executable, str(BENCH), "loader", "--compare", "--recipe", str(recipe), *settings, *brief]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    result = json.loads(done.stdout)["result"]
    for per in ("second", "cpu_second"):
        rates = result[f"tokens_per_{per}"]
        assert set(rates) == {"ours", "tf.data", "tf.data, tokens cached in memory"}
        assert all(rate["median"] > 0 for rate in rates.values())


def test_a_stack_of_lstms_is_measured(bench):
    found = bench("recurrent", None, "--shapes", "2,3,4,5,1", "--turns", "1", "--threads", "0")
    assert found["rows"][0]["units"] == 5 and found["rows"][0]["frames_per_cpu_second"]["seqcfg"] > 0


def test_a_transducer_s_step_is_measured_with_its_memory(bench):
    found = bench("transducer", None, "--shapes", "2,6,3,4,5,9", "--turns", "1", "--threads", "0", "--chunk-frames", "2")
    (row,) = found["rows"]
    lstms = (4 + 5) * 20 + 20 + (5 + 5) * 20 + 20
    assert row["weights"]["seqcfg"] == lstms + 9 * 5 + (5 * 5 + 5) + 5 * 5 + (5 * 9 + 9)
    assert row["frames_per_cpu_second"]["seqcfg"] > 0
    assert row["mib_over_the_libraries"]["seqcfg"] >= 0


def test_decoding_is_measured_with_equal_work_for_all(bench, tmp_path):
    from tests.evaluation.small_run import make_run

    run = make_run(tmp_path)
    (tmp_path / "lines").write_text("seven\neight hundred\none\n")
    measured = ["--jobs", "2,2", "1,1", "--warm-up", "0", "--xla", "never", "--threads", "0"]
    options = ["--run", str(run), "--input", str(tmp_path / "lines"), *measured]
    untrained = bench("decode", None, *options, "--recipe", str(tmp_path / "recipe.yaml"), "--fixed-length", "4")
    assert [row["tokens"] for row in untrained["rows"]] == [12, 12] and untrained["fixed_length"] == 4
    assert [(row["batch"], row["width"]) for row in untrained["rows"]] == [(2, 2), (1, 1)]
    assert all(row["sentences_per_cpu_second"] > 0 for row in untrained["rows"])


@pytest.mark.slow
def test_a_long_file_is_killed_in_the_middle_and_whole_in_the_end():
    done = subprocess.run([sys.executable, BENCH, "long-files", "--lines", "12000"], capture_output=True, text=True, check=True)
    result = json.loads(done.stdout)["result"]
    assert (result["lines"], result["killed"]["lines"]["first"]) == (12000, 1)
    assert 6000 <= result["went_on"]["lines"]["first"] - 1 < 12000
    for part in ("killed", "went_on"):
        assert result[part]["mib"]["most"] >= result[part]["mib"]["most_in_the_first_fifth"] >= 0


@pytest.mark.slow
def test_the_first_output_is_timed_from_the_start_of_a_process():
    done = subprocess.run([sys.executable, BENCH, "first-output", "--times", "1", "--cold"], capture_output=True, text=True, check=True)
    result = json.loads(done.stdout)["result"]
    assert result["cold"] and result["cpu_seconds"]["median"] > 0 and result["seconds"]["most"] > 0


@pytest.mark.slow
def test_every_format_of_a_run_is_measured_beside_it_and_those_that_cannot_be_are_named(tmp_path, monkeypatch, capsys):
    from tests.evaluation.small_run import make_run

    run = make_run(tmp_path)
    program = module_from_spec(spec_from_loader("bench", loader := SourceFileLoader("bench", str(BENCH))))
    loader.exec_module(program)
    roots = ["--data-root", str(tmp_path), "--cache-root", str(tmp_path / "prepared")]
    formats = ["--formats", "tflite-float32", "ctranslate2-float32", "--timed", "3", "--rounds", "1"]
    monkeypatch.setattr(sys, "argv", ["bench", "artefacts", "--run", str(run), *formats, *roots])
    program.main()
    told = capsys.readouterr()
    rows = json.loads(told.out)["result"]["rows"]
    assert "layers are not made of self, feed_forward" in rows["ctranslate2-float32"]["refused"]
    for name in ("seqcfg decode", "tflite-float32"):
        assert all(rows[name][cost] > 0 for cost in ("bytes", "median_ms", "cpu_ms", "peak_bytes", "load_seconds"))
    assert rows["tflite-float32"]["identical"] == 1.0 and rows["tflite-float32"]["exact_match"] == rows["seqcfg decode"]["exact_match"]
    assert "| `tflite-float32` | 100.0% |" in told.err
    assert not (run / "exports").exists()
