"""How much a step multiplies, against sums worked out by hand."""

import pytest

from seqcfg.plan import table
from seqcfg.plan.walk import Batch
from seqcfg.plan.work import flops, multiply_adds
from seqcfg.recipe import shipped
from seqcfg.recipe.experiment import load


def test_source_and_text_of_a_transformer_are_counted_apart():
    width, hidden, vocabulary, rows, source, text = 128, 256, 96, 3, 10, 7
    experiment = load(str(shipped.find("mt/demo_numbers_enfr")))
    encoder = rows * source * (4 * width**2 + 2 * width * hidden + 2 * source * width)
    own = rows * text * (4 * width**2 + 2 * text * width)
    across = rows * (text * 2 * width**2 + source * 2 * width**2 + 2 * text * source * width)
    decoder = own + across + rows * text * 2 * width * hidden
    found = multiply_adds(experiment.declaration, Batch(rows, source, text))
    assert found == 2 * (encoder + decoder) + rows * text * width * vocabulary
    assert flops(experiment.declaration, Batch(rows, source, text)) == 6 * found


def test_layers_behind_a_stride_multiply_at_fewer_positions():
    experiment = load(str(shipped.find("asr/fsdd_digits_ctc")))
    short, long = (multiply_adds(experiment.declaration, Batch(1, seconds * 8000, 1)) for seconds in (1, 2))
    assert long == pytest.approx(2 * short, rel=0.02)
    assert short < 100 * table.multiply_adds(experiment.declaration)  # 10 ms a frame, half of them behind the first layer
