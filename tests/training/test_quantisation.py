"""Training that rounds: ranges are part of the state, shared by micro-batches, kept by checkpoints and taken over by later runs."""

import numpy as np
import pytest
from click.testing import CliRunner

from seqcfg.cli import cli
from seqcfg.plan.declaration import RANGES
from seqcfg.tasks.trained import open_run
from tests.training.stepping import FIRST, Stepping, batch, trained

BATCH = batch(4, 6, 0)
AWARE = "quantisation={aware: {start_step: 1, freeze_step: 2, decay: 0.5}}"
OUTPUT = f"{RANGES}model/embedding:project"


def ranges(weights):
    return {path: value for path, value in weights.items() if path.startswith(RANGES)}


@pytest.fixture(scope="module")
def rounded():
    return trained([BATCH] * 3, 3, AWARE)


def test_every_product_of_the_model_has_a_range_and_the_logits_too(rounded):
    found = ranges(rounded.weights())
    places = [f"{layer}/{part}" for layer in (FIRST, "model/decoder/layers/1/layer") for part in ("expand", "contract")]
    assert set(found) == {OUTPUT, *(RANGES + place for place in places)}
    assert all(low < high and result_low < result_high for low, high, result_low, result_high in found.values())


def test_the_first_update_is_that_of_plain_training_and_later_ones_are_not(rounded):
    one, plain = trained([BATCH], 1, AWARE), trained([BATCH], 1)
    for path, value in plain.weights().items():
        np.testing.assert_array_equal(one.weights()[path], value, err_msg=path)
    more = trained([BATCH] * 3, 3)
    assert np.abs(rounded.weights()[f"{FIRST}/expand/kernel"] - more.weights()[f"{FIRST}/expand/kernel"]).max() > 1e-6


def test_ranges_stay_from_their_step_on():
    stepping = Stepping([BATCH] * 4, AWARE)
    stepping.run(1)
    first = ranges(stepping.weights())
    stepping.run(1)
    second = ranges(stepping.weights())
    stepping.run(2)
    last = ranges(stepping.weights())
    moved = {path for path in first if not np.array_equal(first[path], second[path])}
    assert moved and all(np.array_equal(second[path], last[path]) for path in second)


def test_rematerialised_layers_track_the_same_ranges(rounded):
    found = trained([BATCH] * 3, 3, AWARE, "training.rematerialized=[model/decoder/layers/*]")
    for path, value in rounded.weights().items():
        np.testing.assert_allclose(found.weights()[path], value, atol=1e-5, err_msg=path)


@pytest.mark.slow
def test_micro_batches_move_a_range_one_after_the_other():
    other = batch(4, 6, 1)
    both = trained([BATCH, other], 1, AWARE, "training.accumulate_batches=2")
    low = both.weights()[f"{RANGES}{FIRST}/expand"][0]
    alone = [trained([one], 1, AWARE).weights()[f"{RANGES}{FIRST}/expand"][0] for one in (BATCH, other)]
    assert low == pytest.approx(0.5 * alone[0] + 0.5 * alone[1], rel=1e-5)


@pytest.mark.slow
def test_xla_compiles_the_rounding(rounded):
    found = trained([BATCH] * 3, 3, AWARE, "training.xla=true")
    for path, value in ranges(rounded.weights()).items():
        np.testing.assert_allclose(found.weights()[path], value, rtol=0.02, err_msg=path)


RECIPE = "tests/training/smallest.yaml"


def train(folder, *overrides):
    named = [part for one in (AWARE, "training.validation.every_steps=100", *overrides) for part in ("--set", one)]
    done = CliRunner().invoke(cli, ["train", RECIPE, "--run", str(folder / "run"), "--cache-root", str(folder.parent / "cache"), *named])
    assert done.exit_code == 0, done.output
    return done.output


def stored(folder):
    return open_run(folder / "run", "last", warn=lambda line: None).weights


def test_a_run_that_is_continued_has_the_same_ranges_and_weights_to_the_bit_and_another_may_start_from_it(tmp_path):
    whole, parts, after = tmp_path / "whole", tmp_path / "parts", tmp_path / "after"
    train(whole, "training.steps=4")
    train(parts, "training.steps=2")
    train(parts, "training.steps=4")
    expected = stored(whole)
    assert ranges(expected)
    for path, value in stored(parts).items():
        np.testing.assert_array_equal(value, expected[path], err_msg=path)
    said = train(
        after, "training.steps=2", f"training.warm_start={{run: {whole / 'run'}, checkpoint: last}}", "training.schedule.value=1e-9"
    )
    assert f"{len(expected)} of {len(expected)} weights" in said
    np.testing.assert_allclose(stored(after)[f"{FIRST}/expand/kernel"], expected[f"{FIRST}/expand/kernel"], atol=1e-6)


def test_a_run_opens_in_floating_point_without_its_ranges(tmp_path):
    train(tmp_path / "one", "training.steps=2")
    plain = open_run(tmp_path / "one" / "run", "last", ["quantisation=null"], lambda line: None)
    assert plain.weights and not ranges(plain.weights)
    assert RANGES.rstrip("/") not in plain.declaration.children
