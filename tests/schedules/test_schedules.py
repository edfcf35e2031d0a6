"""Rates by step, by hand and against Lingvo's values."""

import json
import math
from pathlib import Path

import numpy as np
import pytest

from seqcfg.schedules.constant import Constant
from seqcfg.schedules.cosine import Cosine
from seqcfg.schedules.inverse_sqrt import InverseSqrt, Transformer
from seqcfg.schedules.piecewise import Piecewise

LINGVO = json.loads((Path(__file__).parents[1] / "goldens/lingvo/schedules.json").read_text())


def rates(schedule, *steps):
    return [float(schedule(step)) for step in steps]


def lingvo(name, **params):
    """Lingvo's values of a schedule with exactly these parameters."""
    return next(row["values"] for row in LINGVO["schedules"] if row["class"] == name and row["params"] == params)


def test_warm_up_rises_linearly_and_ends_at_the_full_rate():
    assert rates(Constant(value=0.5, warmup_steps=4), 0, 1, 3, 4, 100) == pytest.approx([0.125, 0.25, 0.5, 0.5, 0.5])


def test_inverse_sqrt_peaks_when_the_warm_up_ends_and_halves_at_four_times_its_length():
    schedule = InverseSqrt(peak=0.01, warmup_steps=100)
    assert rates(schedule, 49, 99, 399) == pytest.approx([0.005, 0.01, 0.005], rel=1e-5)


def test_the_transformer_schedule_is_an_inverse_sqrt_with_peak_scale_over_sqrt_of_dim_and_warm_up():
    one, other = Transformer(scale=3.0, dim=512, warmup_steps=4000), InverseSqrt(peak=3.0 / math.sqrt(512 * 4000), warmup_steps=4000)
    steps = (0, 10, 3999, 50_000)
    assert rates(one, *steps) == pytest.approx(rates(other, *steps), rel=1e-5)


def test_transformer_agrees_with_lingvo():
    np.testing.assert_allclose(rates(Transformer(dim=512, warmup_steps=4000), *LINGVO["steps"]), lingvo("TransformerSchedule"), rtol=1e-5)


def test_piecewise_agrees_with_lingvo():
    values = lingvo("PiecewiseConstantSchedule", boundaries=[1000, 50000], values=[1.0, 0.5, 0.1])
    np.testing.assert_allclose(rates(Piecewise(boundaries=[1000, 50000], values=[1.0, 0.5, 0.1]), *LINGVO["steps"]), values, rtol=1e-6)


def test_cosine_agrees_with_lingvo():
    values = lingvo("CosineSchedule", initial_value=1.0, final_value=0.1, total_steps=100000)
    np.testing.assert_allclose(rates(Cosine(peak=1.0, floor=0.1, decay_steps=100000), *LINGVO["steps"]), values, rtol=1e-5)


def test_constant_agrees_with_lingvo():
    np.testing.assert_allclose(rates(Constant(value=0.25), *LINGVO["steps"]), lingvo("Constant", value=0.25))


@pytest.mark.parametrize(
    ("schedule", "field"),
    [
        (Piecewise(boundaries=[10], values=[1.0, 0.5, 0.1]), "values"),
        (Piecewise(boundaries=[10, 5], values=[1.0, 0.5, 0.1]), "boundaries"),
        (Cosine(peak=1.0, decay_steps=10, warmup_steps=10), "warmup_steps"),
        (Cosine(peak=0.1, floor=1.0, decay_steps=10), "floor"),
    ],
)
def test_settings_that_contradict_each_other_are_reported(schedule, field):
    assert [problem[0] for problem in schedule.check()] == [field]
