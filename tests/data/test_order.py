from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seqcfg.data.order import Permutation


@given(size=st.integers(1, 600), seed=st.integers(-(2**40), 2**40))
def test_every_position_is_hit_once(size, seed):
    assert sorted(Permutation(size, seed, "label")(np.arange(size))) == list(range(size))


def test_one_position_at_a_time_gives_the_same_as_all_at_once():
    shuffle = Permutation(1000, 7)
    assert [shuffle(index) for index in range(1000)] == shuffle(np.arange(1000)).tolist()


def test_a_permutation_of_a_billion_takes_no_list():
    shuffle = Permutation(10**9, 1)
    images = shuffle(np.arange(1000) * 10**6)
    assert len(set(images.tolist())) == 1000
    assert images.min() >= 0
    assert images.max() < 10**9


def test_seed_and_labels_change_the_order():
    orders = [tuple(Permutation(50, *key)(np.arange(50))) for key in [(0,), (1,), (0, "a"), (0, "b"), (0, "a", 1), (0, "a", 2)]]
    assert len(set(orders)) == len(orders)


def test_all_orders_of_four_things_are_about_equally_frequent():
    """24 orders, 4,800 draws: chi-square with 23 degrees of freedom stays below its 99.99 % point."""
    counts = Counter(tuple(Permutation(4, seed)(np.arange(4))) for seed in range(4800))
    assert len(counts) == 24
    assert sum((count - 200) ** 2 / 200 for count in counts.values()) < 56


def test_neighbours_do_not_stay_neighbours():
    order = Permutation(10_000, 5)(np.arange(10_000))
    assert abs(np.corrcoef(order[:-1], order[1:])[0, 1]) < 0.05
    assert abs(np.corrcoef(order, np.arange(10_000))[0, 1]) < 0.05


@pytest.mark.parametrize("index", [-1, 5, [0, 5]])
def test_positions_outside_are_refused(index):
    with pytest.raises(IndexError, match=r"0 \.\. 4"):
        Permutation(5, 0)(index)
