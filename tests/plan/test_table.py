"""The weight table, counts and memory of a plan, against numbers worked out by hand."""

from __future__ import annotations

from typing import Any

import pytest

from seqcfg.component.component import Component, param
from seqcfg.component.kinds import Layer
from seqcfg.initializers.constant import Constant
from seqcfg.plan import memory, table
from seqcfg.plan.declaration import Declaration, Misfit, declare


class Affine(Layer):
    """dim -> units, with a kernel and a bias."""

    units: int = param(default=3, doc="Width.")

    def declare(self, d: Any, dim: int) -> int:
        d.weight("kernel", (dim, self.units), Constant(value=0.5), axes=("input", "output"))
        d.weight("bias", (self.units,))
        return self.units


class Table(Layer):
    """ids -> 4 numbers, looked up."""

    def declare(self, d: Any, vocabulary: int) -> int:
        d.weight("table", (vocabulary, 4), axes=("vocabulary", "output"))
        return 4


class Net(Component):
    """A table, two affine maps with the same weights, and a counter."""

    def declare(self, d: Any, vocabulary: int) -> int:
        width = d.child("embed", Table(), vocabulary)
        d.share("first", "both", Affine(units=4), width)
        d.share("second", "both", Affine(units=4), width)
        d.weight("count", (), trainable=False)
        return d.chain("stack", [Affine(units=2), Affine(units=5)], width)


@pytest.fixture
def net() -> Declaration:
    return declare(Net(), 10)


def test_golden_lists_each_weight_once_and_the_totals(net):
    assert table.golden(net).splitlines() == [
        "count scalar 1 zeros fixed",
        "embed/table 10x4 40 zeros trainable",
        "first/kernel 4x4 16 constant(value=0.5) trainable",
        "first/bias 4 4 zeros trainable",
        "stack/0/kernel 4x2 8 constant(value=0.5) trainable",
        "stack/0/bias 2 2 zeros trainable",
        "stack/1/kernel 2x5 10 constant(value=0.5) trainable",
        "stack/1/bias 5 5 zeros trainable",
        "total 86 trainable 85",
    ]


def test_multiply_adds_count_each_use_of_a_shared_matrix_and_no_table(net):
    assert table.multiply_adds(net) == 16 + 16 + 8 + 10


def test_parts_count_shared_weights_where_they_first_stand(net):
    found = [(part.path, part.weights, part.multiply_adds, part.output) for part in table.parts(net, 1)]
    assert found == [("embed", 40, 0, 4), ("first", 20, 16, 4), ("first", 0, 16, 4), ("stack/0", 10, 8, 2), ("stack/1", 15, 10, 5)]


def test_widths_name_every_layer_with_what_it_passes_on(net):
    assert ("stack/0", "Affine", 2) in table.widths(net)


@pytest.mark.parametrize(
    ("size", "words"), [(0, "0 B"), (1023, "1023 B"), (1536, "1.5 KiB"), (3 * 2**20, "3.0 MiB"), (2**41, "2048.0 GiB")]
)
def test_sizes_are_told_in_readable_units(size, words):
    assert memory.in_units(size) == words


def test_a_model_without_end_is_refused():
    class Endless(Component):
        """Many children."""

        def declare(self, d: Any) -> None:
            d.chain("layers", [Affine(units=2)] * 200_000, 2)

    with pytest.raises(Misfit, match="20,000"):
        declare(Endless())


def test_a_declaration_that_failed_keeps_what_came_before():
    class Bad(Component):
        """Fails at its second child."""

        def declare(self, d: Any) -> None:
            d.child("good", Affine(), 2)
            d.child("wrong", Affine(units=0), 2)

    with pytest.raises(Misfit) as caught:
        declare(Bad())
    assert caught.value.path == "wrong"
