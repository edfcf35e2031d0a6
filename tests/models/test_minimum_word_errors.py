"""Training on expected word errors: the words, their distances, and a loss that a few outputs can be summed up for."""

import numpy as np
import pytest
import tensorflow as tf

from seqcfg.component.reserved_ids import END
from seqcfg.decoding.beam import Beam
from seqcfg.layers.create import initial_values, view
from seqcfg.models.minimum_word_errors import Heard, MinimumWordErrors, words
from seqcfg.plan.declaration import Declaration
from tests.models.test_attention_recognizer import FRAMES, IDS, LENGTHS, MODEL, VOCABULARY, with_

SPACE = 4


def distance(ours, theirs, space_ids):
    longest = max(len(ours), len(theirs))
    table = [words(tf.constant([row + [0] * (longest - len(row))]), tf.constant([len(row)]), space_ids) for row in (ours, theirs)]
    return float(tf.edit_distance(*table, normalize=False)[0])


@pytest.mark.parametrize(
    ("ours", "theirs", "expected"),
    [
        ([5, 6, SPACE, 6], [5, 6, SPACE, 6], 0),
        ([6, 5, SPACE, 6], [5, 6, SPACE, 6], 1),
        ([6, SPACE, 5, 6], [5, 6, SPACE, 6], 2),
        ([5, 6], [5, 6, SPACE, 6], 1),
        ([SPACE, 5, 6, SPACE, SPACE, 6, SPACE], [5, 6, SPACE, 6], 0),
        ([5, SPACE, 5, SPACE, 5], [5], 2),
    ],
)
def test_words_are_the_tokens_between_spaces(ours, theirs, expected):
    assert distance(ours, theirs, [SPACE]) == expected


def test_every_token_is_a_word_where_there_are_no_spaces():
    assert distance([5, 6, 5], [5, 5], []) == 1


def setting(**fields):
    model = with_(MODEL, minimum_word_errors=MinimumWordErrors(n_best=3, extra_tokens=2, **fields))
    declaration = Declaration(model)
    declaration.output = model.declare(declaration, 8, VOCABULARY)
    return declaration, {path: 2.0 * value for path, value in initial_values(declaration, 3).items()}


def levenshtein(a, b):
    row = list(range(len(b) + 1))
    for i, x in enumerate(a, 1):
        last, row[0] = row[0], i
        for j, y in enumerate(b, 1):
            last, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, last + (x != y))
    return row[-1]


def test_the_loss_is_the_expected_errors_of_what_the_beam_finds():
    declaration, tree = setting(likelihood_weight=0.0)
    w = view(declaration, tree, training=True, seed=tf.constant([1, 2]), step=tf.constant(0))
    loss = w.losses(FRAMES, IDS, LENGTHS)["loss"]
    calm = view(declaration, tree)
    limits = LENGTHS - 1 + 2
    found = Beam(width=3, n_best=3, length_penalty=0.0)(Heard(calm, calm.hear(FRAMES)), {"rows": LENGTHS}, 5, limits=limits)
    expected = 0.0
    for row in range(2):
        p = np.exp(found.log_probabilities[row].numpy())
        truth = [one for one in IDS[row].numpy() if one not in (0, END)]
        errors = [levenshtein(t[:n].tolist(), truth) for t, n in zip(found.tokens[row].numpy(), found.lengths[row].numpy(), strict=True)]
        expected += float((p / p.sum() * (np.array(errors) - np.mean(errors))).sum())
    assert float(loss.total) == pytest.approx(expected, abs=1e-4)
    assert float(loss.weight) == 2


def test_the_likelihood_has_its_small_part():
    declaration, tree = setting(likelihood_weight=0.5)
    without = setting(likelihood_weight=0.0)
    with_part, plain = (view(d, tree, training=True, seed=tf.constant([1, 2])) for d in (declaration, without[0]))
    usual = view(declaration, tree).losses(FRAMES, IDS, LENGTHS)["loss"]
    both = with_part.losses(FRAMES, IDS, LENGTHS)["loss"], plain.losses(FRAMES, IDS, LENGTHS)["loss"]
    assert float(both[0].total - both[1].total) == pytest.approx(0.5 * 2 * float(usual.total / usual.weight), rel=1e-4)
    assert float(usual.weight) == 7  # outside training the loss is the usual one


def test_a_step_along_the_gradient_lowers_the_expected_errors():
    declaration, tree = setting(likelihood_weight=0.0)

    def expected(tree):
        return view(declaration, tree, training=True, seed=tf.constant([1, 2])).losses(FRAMES, IDS, LENGTHS)["loss"].total

    with tf.GradientTape() as tape:
        tape.watch(tree)
        before = expected(tree)
    gradients = tape.gradient(before, tree)
    moved = {
        path: value if gradients[path] is None else value - 0.02 * tf.convert_to_tensor(gradients[path]) for path, value in tree.items()
    }
    assert float(expected(moved)) < float(before)
