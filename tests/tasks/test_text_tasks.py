"""Translation and language modelling: padding is invisible, steps agree with the whole, prompts are forced."""

import numpy as np
import pytest
import tensorflow as tf

from seqcfg.component.reserved_ids import END, START
from seqcfg.layers.create import view
from seqcfg.plan.declaration import Misfit, declare
from tests.tasks.small_models import VOCABULARY, declared, language_modeling, translation, view_of, weights_of

SOURCE = np.array([[5, 6, 7, END], [8, END, 0, 0]], np.int32)
TARGET = np.array([[9, 10, END], [11, END, 0]], np.int32)
BATCH = {"source": SOURCE, "source_length": np.array([4, 2], np.int32), "target": TARGET, "target_length": np.array([3, 2], np.int32)}


def widened(batch, columns):
    """The batch with more padding at the end of time, and one empty row."""
    wide = {}
    for name, value in batch.items():
        pads = [[0, 1], [0, columns]] if value.ndim == 2 else [[0, 1]]
        wide[name] = np.pad(value, pads)
    return wide


def full_logits(task, w, memory, target, lengths):
    inputs = np.concatenate([np.full([len(target), 1], START, np.int32), target[:, :-1]], 1)
    return w.model.logits(w.model.hidden(memory, tf.constant(inputs), tf.constant(lengths)))


@pytest.mark.parametrize("untied", [False, True])
def test_padding_changes_no_loss(untied):
    w = view_of(translation(untied))
    one, other = (w.losses(batch)["loss"] for batch in (BATCH, widened(BATCH, 3)))
    assert float(one.weight) == float(other.weight) == 5
    assert float(one.total) == pytest.approx(float(other.total), rel=1e-5)


def test_the_loss_is_the_sum_over_the_sentences():
    w = view_of(translation())
    alone = [{name: value[row : row + 1] for name, value in BATCH.items()} for row in range(2)]
    parts = [float(w.losses(batch)["loss"].total) for batch in alone]
    assert float(w.losses(BATCH)["loss"].total) == pytest.approx(sum(parts), rel=1e-5)


def test_the_loss_of_a_position_depends_on_earlier_target_ids_alone():
    task = translation()
    w = view_of(task)
    memory = w.model.encode(tf.constant(SOURCE), tf.constant(BATCH["source_length"]))
    changed = TARGET.copy()
    changed[0, 1] = 4
    one, other = (full_logits(task, w, memory, target, BATCH["target_length"]).numpy() for target in (TARGET, changed))
    np.testing.assert_allclose(one[0, :2], other[0, :2], atol=1e-5)
    assert np.abs(one[0, 2] - other[0, 2]).max() > 1e-3


@pytest.mark.parametrize("untied", [False, True])
def test_the_stepper_agrees_with_the_whole_sequence(untied):
    task = translation(untied)
    w = view_of(task)
    stepper = task.stepper(w)
    fixed, moving = stepper.start({"source": tf.constant(SOURCE), "source_length": tf.constant(BATCH["source_length"])}, 4)
    memory = w.model.encode(tf.constant(SOURCE), tf.constant(BATCH["source_length"]))
    expected = full_logits(task, w, memory, TARGET, [3, 3])
    tokens = np.full([2], START, np.int32)
    for index in range(3):
        moving, logits = stepper.step(fixed, moving, tf.constant(tokens), tf.constant(index))
        np.testing.assert_allclose(logits, expected[:, index], atol=1e-4)
        tokens = TARGET[:, index]
    assert stepper.vocabulary == VOCABULARY


def test_hypotheses_of_one_sentence_share_its_memory():
    task = translation()
    stepper = task.stepper(view_of(task))
    fixed, moving = stepper.start({"source": tf.constant(SOURCE), "source_length": tf.constant(BATCH["source_length"])}, 4)
    _, single = stepper.step(fixed, moving, tf.fill([2], START), tf.constant(0))
    tiled = tf.nest.map_structure(lambda state: tf.repeat(state, 3, axis=0), moving)
    _, triple = stepper.step(fixed, tiled, tf.fill([6], START), tf.constant(0))
    np.testing.assert_allclose(triple, np.repeat(single, 3, axis=0), atol=1e-5)


def test_one_embedding_cannot_serve_two_vocabularies():
    task = translation()
    with pytest.raises(Misfit, match="vocabularies of 7 and 9"):
        declare(task.model, 7, 9)


def test_a_tokenizer_that_is_not_there_is_named():
    with pytest.raises(Misfit, match="no tokenizer called 'all'"):
        declare(translation(), {"other": 9})


def test_a_language_model_sees_no_future_and_no_padding():
    w = view_of(language_modeling())
    batch = {"text": TARGET, "text_length": np.array([3, 2], np.int32)}
    one, other = (w.losses(one)["loss"] for one in (batch, widened(batch, 2)))
    assert float(one.total) == pytest.approx(float(other.total), rel=1e-5)


def test_a_prompt_is_forced_and_then_the_model_goes_on():
    task = language_modeling()
    w = view_of(task)
    stepper = task.stepper(w)
    fixed, moving = stepper.start({"prompt": tf.constant([[5, 6], [7, 0]]), "prompt_length": tf.constant([2, 1])}, 4)
    tokens, forced = np.full([2], START, np.int32), []
    for index in range(3):
        moving, logits = stepper.step(fixed, moving, tf.constant(tokens), tf.constant(index))
        forced.append((np.sort(logits, 1)[:, -2] <= -1e8).tolist())  # all but one id are ruled out
        tokens = np.argmax(logits, 1).astype(np.int32)
        if index == 0:
            assert tokens.tolist() == [5, 7]
    assert forced == [[True, True], [True, False], [False, False]]


def test_every_declared_weight_is_used():
    for task, batch in ((translation(True), BATCH), (language_modeling(), {"text": TARGET, "text_length": np.array([3, 2], np.int32)})):
        variables = {path: tf.Variable(value) for path, value in weights_of(task).items()}
        with tf.GradientTape() as tape:
            loss = view(declared(task), variables).losses(batch)["loss"].total
        gradients = tape.gradient(loss, variables)
        assert [path for path, gradient in gradients.items() if gradient is None] == []
