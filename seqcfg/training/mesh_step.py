"""The training step on a mesh of devices, whose state it keeps in parts; the host's copy follows when it is asked for."""

from __future__ import annotations

import dataclasses
from typing import Any

from seqcfg.distribution.assign import assign, read
from seqcfg.distribution.devices import Devices
from seqcfg.distribution.on_mesh import OnMesh
from seqcfg.lazy import np, tf
from seqcfg.training.settings import Training
from seqcfg.training.state import State
from seqcfg.training.step import LATEST, MEASURED, TrainingStep

SUMMED = [name for name in MEASURED if name not in LATEST]


class MeshStep(TrainingStep):
    """One update at a time, called by the host: on a mesh a graph knows the shapes of its batch, and so cannot fetch it.

    There is one graph per shape of a batch, and one for what follows from the sums. The state given is that of the host:
    it is read once, here; `settle` brings it up to date, except for single numbers, which always are.
    """

    def __init__(
        self,
        task: Any,
        declaration: Any,
        training: Training,
        state: State,
        devices: OnMesh,
        augmentation: dict[str, list[Any]] | None = None,
    ):
        self._host, self._mesh = state, devices
        self._is_settled = True
        parts = training.strategy.divisions(declaration)
        on_mesh = _spread(state, devices, {path: (part.weight.shape, part.axis) for path, part in parts.items()})
        super().__init__(dataclasses.replace(task, loss=task.loss.on_mesh()), declaration, training, on_mesh, devices, augmentation)
        self._pairs = [(variable, on_mesh.variables()[name]) for name, variable in state.variables().items()]
        self._sum_names = [*(f"weight/{name}" for name in self._learners), *SUMMED]
        self._sums_seen = devices.variable(tf.zeros([len(self._sum_names)]), None)
        self._part = devices.variable(tf.constant(0, tf.int64), None)  # which of a step's batches comes next
        self._sum_up = devices.function(self._sums_of_batch)
        self._add = devices.function(lambda one, other: tf.nest.map_structure(tf.add, one, other))
        self._move, self._end = devices.function(self._moved), devices.function(self._ended)
        self.run = self._run_from_host

    def _run_from_host(self, iterator: Any, count: Any) -> dict[str, Any]:
        """As `run` of every step."""
        rows: list[list[float]] = []
        skipped = int(self._host.skipped.numpy())
        while len(rows) < int(count) and not bool(self.stop.numpy()) and int(self._host.skipped.numpy()) == skipped:
            rows.append(self._one_update(iterator))
            self._follow()
        each = np.array(rows, np.float32).reshape(-1, len(MEASURED))
        sums = {name: float(each[:, index].sum()) for index, name in enumerate(MEASURED)}
        sums |= {name: float(each[-1:, MEASURED.index(name)].sum()) for name in LATEST}
        return sums | {"each": tf.constant(each), "stop": tf.constant(bool(self.stop.numpy()))}

    def _one_update(self, iterator: Any) -> list[float]:
        step, parts = int(self._host.step.numpy()), self._training.accumulate_batches
        gradients: Any = None
        for part in range(parts):
            batch = self.augmented(next(iterator), tf.constant(step * parts + part))
            more = self._sum_up(self._mesh.rows(batch))
            gradients = more if gradients is None else self._add(gradients, more)
        self._is_settled = False
        measured, is_finite = self._move(gradients)
        self._end(is_finite)
        return self._mesh.whole(measured).numpy().tolist()

    def _sums_of_batch(self, batch: dict[str, Any]) -> dict[str, list[Any]]:
        """Gradients, divided as their weights are whatever the shape of the batch; measurements are added to those of the parts before.

        These are in a variable, as are the step and the part: DTensor compiles a graph anew when a small argument has another value.
        """
        part, parts = read(self._part), self._training.accumulate_batches
        assign(self._part, tf.math.floormod(part + 1, parts))
        gradients, seen, _ = self._gradients(self._values(), batch, read(self._state.step), tf.cast(part, tf.int32), self._scale())
        sums = self._mesh.same(tf.stack([seen[name] for name in self._sum_names]))
        assign(self._sums_seen, sums + read(self._sums_seen))
        parameters = self._state.parameters()
        return {
            learner: [self._mesh.like(gradient, parameters[name]) for gradient, name in zip(gradients[learner], names, strict=True)]
            for learner, names in self._names.items()
        }

    def _moved(self, gradients: dict[str, list[Any]]) -> tuple[Any, Any]:
        """The learners' part of the update; returns [len(MEASURED)] and whether it was finite."""
        sums = read(self._sums_seen)
        assign(self._sums_seen, tf.zeros_like(sums))
        seen = dict(zip(self._sum_names, tf.unstack(sums), strict=True))
        seen = self._learn(read(self._state.step), gradients, seen)
        return self._mesh.same(tf.stack([seen[name] for name in MEASURED])), self._mesh.same(tf.math.is_finite(seen["norm"]))

    def _ended(self, is_finite: Any) -> Any:
        """What follows the learners, in a graph of its own: in theirs DTensor may read weights before they have their new values."""
        self._finish({}, read(self._state.step), is_finite)
        return is_finite

    def settle(self) -> None:
        """Brings the whole state of the host up to date."""
        if not self._is_settled:
            for variable, there in self._pairs:
                variable.assign(self._mesh.whole(there))
            self._is_settled = True

    def _follow(self) -> None:
        """Brings the single numbers of the host up to date."""
        for variable, there in self._pairs:
            if not variable.shape.rank:
                variable.assign(self._mesh.whole(there))

    def observe(self, step: int, metrics: dict[str, float]) -> None:
        """As of every step; schedules keep single numbers, which are those of the host."""
        on_mesh, self._state = self._state, self._host
        try:
            super().observe(step, metrics)
        finally:
            self._state = on_mesh
        for variable, there in self._pairs:
            if not variable.shape.rank:
                self._mesh.assign(there, variable.read_value())


def step_on(devices: Devices, experiment: Any, state: State, augmentation: dict[str, list[Any]]) -> TrainingStep:
    """The training step of an experiment for these devices."""
    task, training = experiment.recipe.task, experiment.recipe.training
    if isinstance(devices, OnMesh):
        return MeshStep(task, experiment.declaration, training, state, devices, augmentation)
    return TrainingStep(task, experiment.declaration, training, state, devices, augmentation)


def _spread(state: State, mesh: OnMesh, parts: dict[str, tuple[tuple[int, ...], int | None]]) -> State:
    """A state on the mesh. What is kept for a weight is divided as it is where it has its shape, and copied elsewhere."""

    def spread(variables: dict[str, Any]) -> dict[str, Any]:
        made = {}
        for path, variable in variables.items():
            shape, axis = parts.get(path, ((), None))
            made[path] = mesh.variable(variable.read_value(), axis if tuple(variable.shape) == shape else None)
        return made

    slots = {learner: {slot: spread(kept) for slot, kept in slots.items()} for learner, slots in state.slots.items()}
    step, skipped = (mesh.variable(variable.read_value(), None) for variable in (state.step, state.skipped))
    return State(spread(state.weights), slots, spread(state.average), step, skipped, spread(state.adapters), spread(state.numbers))
