"""One update taken apart: the loss of each example, the gradient of each weight, and the first value that is not finite."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any

from seqcfg.data.augment import augmented
from seqcfg.distribution.devices import Devices
from seqcfg.layers.create import view
from seqcfg.layers.sequence import Sequence
from seqcfg.lazy import np, tf
from seqcfg.training.gradients import LossGradients
from seqcfg.training.pruning import masked
from seqcfg.training.state import assign_weights

SHOWN_CHARACTERS = 400


@dataclasses.dataclass(frozen=True)
class Example:
    """One row of a batch: its number in the training split, its texts by feature, and its loss summed and per position."""

    batch: int
    example: int
    texts: dict[str, str]
    loss: float
    weight: float

    @property
    def mean(self) -> float:
        return self.loss / max(self.weight, 1.0)


@dataclasses.dataclass(frozen=True)
class Examination:
    """What the update after `step` finished ones consists of. `first_non_finite` is empty when all is finite."""

    step: int
    examples: list[Example]
    gradient_norms: dict[str, float]
    first_non_finite: str


class Examiner:
    """Looks into updates of one state without making them."""

    def __init__(self, experiment: Any, codecs: dict[str, Any], loader: Any, state: Any):
        self._experiment, self._codecs, self._loader, self._state = experiment, codecs, loader, state
        self._task, self._training = experiment.recipe.task, experiment.recipe.training

    def examine(self, step: int) -> Examination:
        """The update after `step` finished ones, with the weights as they are now."""
        parts = self._training.accumulate_batches
        numbers = range(step * parts, (step + 1) * parts)
        loaded = [{name: tf.constant(value) for name, value in self._loader.load(number).items()} for number in numbers]
        seed, changes = self._training.seed, self._loader.augmentation
        batches = [augmented(batch, changes, seed, number) for number, batch in zip(numbers, loaded, strict=True)]
        examples = [e for part, number in enumerate(numbers) for e in self._examples(number, batches[part], step, part)]
        gradients = mean_gradients(self._experiment, self._state, batches, step)
        norms = {path: float(tf.linalg.norm(tf.cast(gradient, tf.float32))) for path, gradient in gradients.items()}
        return Examination(step, examples, norms, self._first_non_finite(batches, step, gradients))

    def examples_of(self, step: int) -> list[int]:
        """Numbers of the examples that the update after `step` finished ones learns from."""
        parts = self._training.accumulate_batches
        batches = [self._loader.plan.batch(number) for number in range(step * parts, (step + 1) * parts)]
        return [int(example) for batch in batches for example in batch.example_ids.ravel() if example >= 0]

    def _view(self, step: int, part: int, observer: Any = None) -> Any:
        """The model as the update sees it, with the same noise."""
        number = step * self._training.accumulate_batches + part
        seed = tf.constant([self._training.seed, number], tf.int32)
        tree = {path: variable.read_value() for path, variable in self._state.weights.items()}
        if self._training.weight_noise is not None:
            tree = self._training.weight_noise(tree, tf.constant(step, tf.int64), tf.constant([self._training.seed, step], tf.int32))
        tree = masked(tree, {name: variable.read_value() for name, variable in self._state.masks.items()})
        return view(self._experiment.declaration, tree, training=True, seed=seed, dtype=self._training.precision, observer=observer)

    def _first_loss(self, losses: dict[str, Any]) -> Any:
        return losses[next(iter(self._training.all_learners().values())).loss]

    def _examples(self, number: int, batch: dict[str, Any], step: int, part: int) -> Iterator[Example]:
        """Each example's loss: that of the whole batch with the lengths of all others set to 0, so that noise is the same."""

        @tf.function(autograph=False)
        def loss_of(row: Any) -> Any:
            only = {
                name: tf.where(tf.range(tf.shape(value)[0]) == row, value, 0) if name.endswith("_length") else value
                for name, value in batch.items()
            }
            loss = self._first_loss(self._task.losses(self._view(step, part), only))
            return loss.total, loss.weight

        ids = self._loader.plan.batch(number).example_ids
        for row, example in enumerate(ids.reshape(len(ids), -1)[:, 0]):  # of a packed row its first stands for all
            if example >= 0:
                total, weight = loss_of(tf.constant(row))
                yield Example(number, int(example), self._texts(batch, row), float(total), float(weight))

    def _texts(self, batch: dict[str, Any], row: int) -> dict[str, str]:
        found = {}
        for name, feature in self._loader.features.items():
            if feature.is_ragged and feature.tokenizer:
                ids = batch[name][row, : int(batch[f"{name}_length"][row])].numpy().tolist()
                found[name] = self._codecs[feature.tokenizer].decode([ids])[0][:SHOWN_CHARACTERS]
        return found

    def _first_non_finite(self, batches: list[dict[str, Any]], step: int, gradients: dict[str, Any]) -> str:
        """In the order in which an update computes: weights, outputs of layers, the loss, gradients from the loss backwards."""
        for path, variable in self._state.weights.items():
            if found := _problem(variable.numpy()):
                return f"the weight {path} has {found}"
        for part, batch in enumerate(batches):
            seen: list[str] = []
            losses = self._task.losses(self._view(step, part, _finder(seen)), batch)
            if seen:
                return seen[0]
            if found := _problem(self._first_loss(losses).total.numpy()):
                return f"the loss is {found}"
        for path, gradient in reversed(gradients.items()):
            if found := _problem(gradient.numpy()):
                return f"the gradient of {path} has {found}"
        return ""


def mean_gradients(experiment: Any, state: Any, batches: list[dict[str, Any]], step: int) -> dict[str, Any]:
    """{path: gradient} of the update after `step` finished ones from these batches, before clipping, computed on one device."""
    training, declaration = experiment.recipe.training, experiment.declaration
    names = assign_weights(declaration, training)
    gradients_of = LossGradients(experiment.recipe.task, declaration, training, names, Devices()).compiled()
    values = {name: variable.read_value() for name, variable in (state.weights | state.adapters | state.masks).items()}
    scaling = state.under("loss_scale/")
    scale = scaling["scale"].read_value() if scaling else tf.constant(1.0)
    sums: Any = None
    for part, batch in enumerate(batches):
        gradients, seen, updates = gradients_of(values, batch, tf.constant(step, tf.int64), tf.constant(part), scale)
        sums = (gradients, seen) if sums is None else tf.nest.map_structure(tf.add, sums, (gradients, seen))
        values = values | updates
    return {
        path: gradient / tf.maximum(sums[1][f"weight/{learner}"], 1.0)
        for learner, paths in names.items()
        for path, gradient in zip(paths, sums[0][learner], strict=True)
    }


def _finder(seen: list[str]) -> Any:
    """An observer that notes the first value that is not finite."""

    def look(path: str, what: str, value: Any) -> None:
        if seen:
            return
        for one in tf.nest.flatten(value.values if isinstance(value, Sequence) else value):
            if hasattr(one, "numpy") and one.dtype.is_floating and (found := _problem(tf.cast(one, tf.float32).numpy())):
                name = "its output" if what == "output" else what
                seen.append(f"the layer {path or 'task'}: {name} has {found}")
                return

    return look


def _problem(array: Any) -> str:
    """How much of a float array is not finite; empty when all of it is. Scalars are named themselves."""
    array = np.asarray(array)
    if not np.issubdtype(array.dtype, np.floating) or np.isfinite(array).all():
        return ""
    if array.ndim == 0:
        return str(float(array))
    nan, infinite = int(np.isnan(array).sum()), int(np.isinf(array).sum())
    counts = [f"{count} {name}" for count, name in ((nan, "NaN"), (infinite, "infinite")) if count]
    return f"{' and '.join(counts)} of {array.size} values"
