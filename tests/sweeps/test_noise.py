"""Student's distribution against closed forms, and when a difference may be called one."""

import math

import pytest

from seqcfg.sweeps.noise import differences, spread, student, student_quantile


@pytest.mark.parametrize("t", [0.1, 1.0, 3.0, 40.0])
def test_one_degree_of_freedom_is_cauchy_and_two_have_a_closed_form(t):
    assert student(t, 1) == pytest.approx(0.5 + math.atan(t) / math.pi, abs=1e-12)
    assert student(t, 2) == pytest.approx(0.5 + t / (2 * math.sqrt(2 + t * t)), abs=1e-12)


@pytest.mark.parametrize("degrees, quantile", [(1, 12.7062), (2, 4.30265), (10, 2.22814), (30, 2.04227), (1e6, 1.95996)])
def test_quantiles_are_those_of_printed_tables(degrees, quantile):
    assert student_quantile(0.975, degrees) == pytest.approx(quantile, rel=1e-5)


def test_the_interval_of_a_mean_is_student_s():
    found = spread([1.0, 2.0, 3.0])
    assert (found.mean, found.deviation) == (2.0, 1.0)
    assert found.half_width == pytest.approx(4.30265 / math.sqrt(3), rel=1e-5)


def test_two_seeds_a_hair_apart_claim_nothing_and_a_gulf_is_real():
    best = spread([1.00, 1.02, 0.98])
    near, far = differences(best, [spread([1.01, 1.03, 0.99]), spread([2.00, 2.02, 1.98])])
    assert not near.is_real and abs(near.mean) < near.smallest
    assert far.is_real and far.p < 1e-4


def test_welch_agrees_with_a_case_worked_by_hand():
    # means 3 and 6, variances 1 and 4, three seeds each: error^2 = 5/3, t = 3 / sqrt(5/3), v = (5/3)^2 / (1/18 + 16/18)
    first, second = spread([2.0, 3.0, 4.0]), spread([4.0, 6.0, 8.0])
    found = differences(first, [second])[0]
    t, degrees = 3 / math.sqrt(5 / 3), (25 / 9) / (17 / 18)
    assert found.p == pytest.approx(2 * (1 - student(t, degrees)), rel=1e-12)
    assert 0.05 < found.p < 0.11 and not found.is_real


def test_a_difference_that_one_comparison_would_call_real_is_not_when_picked_from_many():
    best = spread([1.00, 1.10, 0.90])
    other = spread([1.30, 1.40, 1.20])
    assert differences(best, [other])[0].is_real
    assert not any(one.is_real for one in differences(best, [other] * 8))


def test_one_seed_tells_nothing_of_noise():
    found = differences(spread([1.0]), [spread([100.0, 101.0])])[0]
    assert math.isnan(found.p) and not found.is_real


def test_seeds_that_agree_to_the_bit_differ_from_others_that_do():
    same, other = differences(spread([1.0, 1.0]), [spread([1.0, 1.0]), spread([2.0, 2.0])])
    assert (same.is_real, other.is_real) == (False, True)
