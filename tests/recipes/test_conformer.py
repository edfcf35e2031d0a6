"""The Conformer of recipes/bases: as written, and as a stream."""

import numpy as np
import pytest
import tensorflow as tf

from seqcfg.layers.create import initial_values, view
from seqcfg.layers.sequence import Sequence
from seqcfg.plan.declaration import declare
from seqcfg.plan.table import total
from seqcfg.recipe import shipped
from seqcfg.recipe.experiment import load
from tests.recipes.shrunk import CONFORMER

STREAMING = ("vars.causal=true", "vars.reach={left: 4, right: 0, chunk: 2}", "vars.convolution_norm={type: layer_norm}", "vars.blocks=2")


def encoder(*overrides, width=12):
    layer = load(CONFORMER[0], [*CONFORMER[1:], *overrides], allow_base=True).recipe.task.model.encoder
    declaration = declare(layer, width)
    return view(declaration, initial_values(declaration, 7))


@pytest.mark.parametrize("overrides", [(), STREAMING], ids=["whole", "streaming"])
def test_padding_changes_no_frame(overrides):
    w = encoder(*overrides)
    x = tf.random.stateless_normal([2, 24, 12], [1, 2])
    mask = tf.sequence_mask([24, 13], 24)
    short = w(Sequence(x, mask))
    longer = w(Sequence(tf.concat([x, 9 * x], 1), tf.sequence_mask([24, 13], 48)))
    np.testing.assert_allclose(longer.values[longer.mask], short.values[short.mask], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("size", [8, 16])
def test_a_stream_in_chunks_gives_what_the_whole_sequence_gives(size):
    w = encoder(*STREAMING)
    x = tf.random.stateless_normal([2, 32, 12], [3, 4])
    fixed, moving = w.start(Sequence(x[:, :1]), 8)
    parts = []
    for at in range(0, 32, size):
        y, moving = w.step(Sequence(x[:, at : at + size], start=tf.constant(at)), fixed, moving)
        parts.append(y.values)
    np.testing.assert_allclose(tf.concat(parts, 1), w(Sequence(x)).values, rtol=1e-4, atol=1e-5)


def test_its_sizes_are_about_those_of_the_paper():
    """Table 1 of arXiv:2005.08100, whose 10.3 and 30.7 million weights count a decoder of one LSTM layer, too."""
    for width, low, high in ((144, 8.0e6, 10.3e6), (256, 25e6, 30.7e6)):
        sizes = [f"vars.width={width}", f"vars.hidden={4 * width}", f"vars.subsampling_channels={width}", "vars.heads=4", "vars.blocks=16"]
        layer = load(str(shipped.find("bases/conformer")), sizes, allow_base=True).recipe.task.model.encoder
        assert low < total(declare(layer, 80)) < high
