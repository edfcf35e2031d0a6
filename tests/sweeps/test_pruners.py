"""When a run is given up."""

from seqcfg.sweeps.pruners import Halving, MedianRule


def curve(*values, every=10):
    return [(every * (index + 1), value) for index, value in enumerate(values)]


OTHERS = [curve(5.0, 4.0, 3.0), curve(5.0, 3.5, 2.0), curve(6.0, 5.0, 4.0), curve(4.0, 3.0, 1.0)]


def test_worse_than_the_median_at_the_same_step_is_hopeless():
    rule = MedianRule()
    assert rule.is_hopeless(curve(6.0, 4.5), OTHERS, False)
    assert not rule.is_hopeless(curve(6.0, 3.6), OTHERS, False)
    assert not rule.is_hopeless(curve(6.0, 4.5), OTHERS, True)


def test_the_median_waits_for_its_warm_up_and_for_others():
    assert not MedianRule(warmup_steps=30).is_hopeless(curve(6.0, 9.0), OTHERS, False)
    assert not MedianRule().is_hopeless(curve(6.0, 9.0), OTHERS[:3], False)
    assert not MedianRule().is_hopeless([], OTHERS, False)


def test_a_loss_that_is_no_number_is_the_worst_there_is():
    assert MedianRule().is_hopeless(curve(float("nan"), float("nan")), OTHERS, False)


def test_one_in_three_passes_a_rung():
    rule = Halving(first_steps=20, factor=3)
    assert not rule.is_hopeless(curve(1.0, 3.2), OTHERS[:2], False)  # the best of three
    assert rule.is_hopeless(curve(9.0, 3.8), OTHERS[:2], False)
    assert not rule.is_hopeless(curve(9.0), OTHERS, False)  # has reached no rung


def test_too_few_runs_at_a_rung_give_nobody_up():
    assert not Halving(first_steps=10, factor=3).is_hopeless(curve(9.0), OTHERS[:1], False)
