"""Rates by step, by hand and against Lingvo's values."""

import json
import math
from pathlib import Path

import numpy as np
import pytest

from seqcfg.component.component import CATALOG
from seqcfg.recipe.importing.lingvo_schedules import translate
from seqcfg.schedules.averaging_decay import AveragingDecay  # noqa: F401 (registers it)
from seqcfg.schedules.chain import Chain, Cycle
from seqcfg.schedules.combined import Minimum, Product
from seqcfg.schedules.constant import Constant
from seqcfg.schedules.cosine import Cosine
from seqcfg.schedules.dev_based import DevBased
from seqcfg.schedules.exponential import Exponential
from seqcfg.schedules.inverse_sigmoid import InverseSigmoid  # noqa: F401
from seqcfg.schedules.inverse_sqrt import InverseSqrt
from seqcfg.schedules.linear import Linear
from seqcfg.schedules.one_cycle import OneCycle
from seqcfg.schedules.piecewise import Piecewise
from seqcfg.schedules.sqrt_decay import SqrtDecayToZero
from seqcfg.schedules.transformer import Transformer
from seqcfg.schedules.warmup_stable_decay import WarmupStableDecay

LINGVO = json.loads((Path(__file__).parents[1] / "goldens/lingvo/schedules.json").read_text())


def rates(schedule, *steps):
    return [float(schedule(step)) for step in steps]


def test_warm_up_rises_linearly_and_ends_at_the_full_rate():
    assert rates(Constant(value=0.5, warmup_steps=4), 0, 1, 3, 4, 100) == pytest.approx([0.125, 0.25, 0.5, 0.5, 0.5])


def test_inverse_sqrt_peaks_when_the_warm_up_ends_and_halves_at_four_times_its_length():
    schedule = InverseSqrt(peak=0.01, warmup_steps=100)
    assert rates(schedule, 49, 99, 399) == pytest.approx([0.005, 0.01, 0.005], rel=1e-5)


def test_the_transformer_schedule_is_an_inverse_sqrt_with_peak_scale_over_sqrt_of_dim_and_warm_up():
    one, other = Transformer(scale=3.0, dim=512, warmup_steps=4000), InverseSqrt(peak=3.0 / math.sqrt(512 * 4000), warmup_steps=4000)
    steps = (0, 10, 3999, 50_000)
    assert rates(one, *steps) == pytest.approx(rates(other, *steps), rel=1e-5)


def component(values):
    """The schedule that a recipe would name by this mapping."""
    fields = {key: value for key, value in values.items() if key != "type"}
    if "schedules" in fields:
        fields["schedules"] = [component(one) for one in fields["schedules"]]
    return CATALOG["schedule"][values["type"]](**fields)


@pytest.mark.parametrize("row", LINGVO["schedules"], ids=lambda row: row["class"])
def test_every_schedule_of_lingvo_has_a_counterpart_with_its_values(row):
    schedule = component(translate(row["class"], row["params"]))
    assert list(schedule.check()) == []
    expected = np.array(row["values"])
    if row["class"] == "SqrtDecayToZero":
        expected = np.maximum(expected, 0.0)  # Lingvo's goes on to negative rates after its end
    rounding = 2e-7 if row["class"] == "PolynomialSchedule" else 1e-12  # 1 - (1 - x)^3 in float32
    np.testing.assert_allclose(rates(schedule, *LINGVO["steps"]), expected, rtol=2e-5, atol=rounding)


def test_one_cycle_rises_to_its_peak_and_falls_far_below_its_start():
    schedule = OneCycle(peak=1.0, steps=100, rise_share=0.2, start_divisor=4.0, end_divisor=10.0)
    assert rates(schedule, 0, 10, 20, 60, 100, 500) == pytest.approx([0.25, 0.625, 1.0, (1.0 + 0.025) / 2, 0.025, 0.025], rel=1e-5)


@pytest.mark.parametrize(("shape", "half"), [("linear", 0.55), ("sqrt", 0.1 + 0.9 * (1 - math.sqrt(0.5))), ("exponential", math.sqrt(0.1))])
def test_a_plateau_is_followed_by_a_short_decay(shape, half):
    schedule = WarmupStableDecay(peak=1.0, warmup_steps=4, decay_start_step=80, decay_steps=20, floor=0.1, shape=shape)
    assert rates(schedule, 1, 3, 80, 90, 100, 200) == pytest.approx([0.5, 1.0, 1.0, half, 0.1, 0.1], rel=1e-5)


def test_pieces_count_from_their_own_beginning():
    line = Linear(start=1.0, end=0.0, end_step=10)
    assert rates(Chain(boundaries=[5], schedules=[Constant(value=0.3), line]), 4, 5, 10, 15) == pytest.approx([0.3, 1.0, 0.5, 0.0])
    assert rates(Cycle(schedules=[line], steps=[4], count_from="turn"), 0, 3, 4, 6) == pytest.approx([1.0, 0.7, 1.0, 0.8])


def test_a_product_scales_and_a_minimum_takes_the_smaller():
    falling = Linear(start=1.0, end=0.0, end_step=10)
    assert rates(Product(schedules=[Constant(value=0.5), falling]), 0, 5) == pytest.approx([0.5, 0.25])
    assert rates(Minimum(schedules=[Constant(value=0.5), falling]), 0, 8) == pytest.approx([0.5, 0.2])


def after(schedule, observations):
    """The rates after each of these validations {step: nll}."""
    memory, seen = schedule.memory(), []
    for step, nll in observations:
        memory = schedule.observe(memory, step, {"nll": nll})
        seen.append(float(schedule.rate(step, memory)))
    return seen


def test_the_rate_halves_when_a_metric_has_not_improved_for_the_window():
    schedule = DevBased(value=1.0, window_steps=20, decay=0.5, floor_share=0.25, tolerance=0.1)
    observations = [(10, 3.0), (20, 2.0), (30, 1.95), (40, 2.0), (50, 2.0), (60, 2.5), (80, 2.5), (90, 1.0)]
    assert after(schedule, observations) == [1.0, 1.0, 1.0, 0.5, 0.5, 0.25, 0.25, 0.25]


def test_a_metric_to_maximize_decays_the_rate_when_it_does_not_rise():
    schedule = DevBased(metric="nll", goal="maximize", window_steps=10)
    assert after(schedule, [(10, 1.0), (20, 0.5), (30, 2.0)]) == [1.0, 0.5, 0.5]


def test_what_a_part_of_a_product_remembers_is_kept_under_its_index():
    schedule = Product(schedules=[Constant(value=2.0), DevBased(window_steps=10)])
    assert set(schedule.memory()) == {"1/factor", "1/since", "1/best_step", "1/best"}
    assert after(schedule, [(10, 1.0), (20, 1.0)]) == [2.0, 1.0]


@pytest.mark.parametrize(
    ("schedule", "field"),
    [
        (Piecewise(boundaries=[10], values=[1.0, 0.5, 0.1]), "values"),
        (Piecewise(boundaries=[10, 5], values=[1.0, 0.5, 0.1]), "boundaries"),
        (Cosine(peak=1.0, decay_steps=10, warmup_steps=10), "warmup_steps"),
        (Cosine(peak=0.1, floor=1.0, decay_steps=10), "floor"),
        (Linear(start=1.0, end=0.0, start_step=10, end_step=10), "start_step"),
        (Exponential(start=1.0, end=0.1, start_step=10, end_step=10), "start_step"),
        (SqrtDecayToZero(value=1.0, flat_steps=10, end_step=10), "flat_steps"),
        (WarmupStableDecay(peak=1.0, warmup_steps=5, decay_start_step=4, decay_steps=1), "warmup_steps"),
        (WarmupStableDecay(peak=1.0, decay_start_step=4, decay_steps=1, shape="exponential"), "floor"),
        (Chain(boundaries=[1], schedules=[Constant(value=1.0)] * 3), "schedules"),
        (Cycle(schedules=[Constant(value=1.0)], steps=[1, 2]), "steps"),
    ],
)
def test_settings_that_contradict_each_other_are_reported(schedule, field):
    assert [problem[0] for problem in schedule.check()] == [field]
