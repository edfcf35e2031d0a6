"""The families of components and the contract of each. A member lives in the folder that carries its family's name."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

from seqcfg.component.component import Component
from seqcfg.errors import UserError


class Section(Component, kind="section"):
    """A top-level section of the recipe (`training:`, `data:`, ...); its type is the section's key."""

    def variants(self) -> Iterator[tuple[tuple[str | int, ...], list[dict[str, Any]]]]:
        """Settings that this section will lay over the recipe later, as (path of the value that asks for it, alternatives).

        Each alternative is {recipe path: plain value}; the recipe must be valid under one of them.
        """
        yield from ()


class Layer(Component, kind="layer"):
    """A function of weights and an input tensor.

    `declare(d, dim) -> dim` is plain Python: it names weights and children on the declaration `d` and passes the
    width upward. `dim` is an int, or a tuple of feature axes when `feature_axes` is not 1; where that is None the layer
    takes any number of them: maps over time and frequency, [batch, time, frequency, channels], have two,
    waveforms [batch, time] none: ().
    `__call__(w, x) -> y` is plain TensorFlow on `x [batch, time, dim]`; `w` is the view on the declared weights.
    A layer given a `Sequence` is applied to its values; a layer that must see masks, memory or positions
    derives from `SequenceLayer`.
    """

    feature_axes: ClassVar[int | None] = 1

    def declare(self, d: Any, dim: Any) -> Any:
        """Declares weights and children; returns the output width. The default declares nothing and keeps the width."""
        return dim

    def __call__(self, w: Any, x: Any) -> Any:
        raise TypeError(f"{type(self).__name__} defines no __call__")

    def num_positions(self, length: int) -> int:
        """How many positions it makes of a sequence of `length`; those it is given unless it changes the time axis."""
        return length

    def step_positions(self) -> int:
        """Of how many positions `step` takes a whole number: its stride, or what its parts take, unless it says otherwise."""
        parts = (value if isinstance(value, list) else [value] for value in vars(self).values())
        return math.lcm(self.stride_over_time(), *(one.step_positions() for some in parts for one in some if isinstance(one, Layer)))

    def stride_over_time(self) -> int:
        """How many positions become one; 1 where one becomes one or several."""
        first, more = 10**6, 10**9  # behind any lead, and so many that the first and the last do not count
        return max(1, round(more / (self.num_positions(first + more) - self.num_positions(first))))

    def kept(self, d: Any, at: Any) -> float:
        """How many numbers training keeps from here until this layer's gradient is known, those of its parts left out.

        d is its declaration and `at` a `seqcfg.plan.walk.Place`. What a layer multiplies by a kernel counts there, not where it
        was made. The default suits layers with parts, and those whose gradient needs their result.
        """
        return 0 if d.children else at.outputs * d.features_out

    def start(self, w: Any, sequence: Any, max_length: Any) -> tuple[Any, Any]:
        """Prepares step-by-step use. `sequence` carries the memory to attend to, if any; its values are not read.

        Returns (fixed, moving), two nested dicts of tensors: `fixed` has one row per source sentence and never
        changes, `moving` has one row per hypothesis and is reordered by searches.
        """
        return {}, {}

    def step(self, w: Any, x: Any, fixed: Any, moving: Any) -> tuple[Any, Any]:
        """One position: x holds values [hypotheses, 1, dim] and their start; returns (y, moving).

        The default suits layers that treat each position alone.
        """
        return w(x), moving


class SequenceLayer(Layer):
    """A layer on `Sequence -> Sequence`: it sees masks, positions and memory, and may change the time axis.

    It must override `start` and `step` if it mixes positions and is to be used in a step-by-step decoder. One that carries
    something from a text to the next in its row says so in `respects_segments`, so that packed batches refuse it.
    """

    respects_segments: ClassVar[bool] = True


class Model(Component, kind="model"):
    """Wires layers into a network; offers the pieces a task needs (logits for training, a stepper for search).

    One that recognition uses defines `declare(d, width, vocabulary)`, `losses(w, frames, ids, lengths) -> {name: LossSum}`,
    `hear(w, frames)`, which runs once per utterance, and `scorer(w, what)` for each of its `offers`: what a search with these
    `needs` works with (docs/decisions/0100).
    """

    offers: ClassVar[tuple[str, ...]] = ("tokens",)
    sides: ClassVar[dict[str, str]] = {"source_embedding": "source", "encoder": "source"}  # what parts are applied to, if not to "text"

    def kept(self, d: Any, at: Any) -> float:
        """As that of layers: what the model itself and its loss keep, for a text of `at.given` and a memory of `at.memory` positions."""
        return 0

    def at_work(self, d: Any, at: Any, loss: Any) -> float:
        """How many numbers exist besides while a loss is computed; `loss` is the task's, or None where the model has its own."""
        return 0


class Task(Component, kind="task"):
    """What is learnt: which prepared features are read, which losses are minimised, how outputs are found and judged.

    `features() -> dict[str, Feature]`; `declare(d, vocabularies)`; `losses(w, batch) -> dict[str, Loss]`;
    `stepper(w) -> Stepper` for tasks that search.
    """

    is_of_sounds: ClassVar[bool] = False  # whether inputs are sounds, float32 [samples] each, and not texts
    lines_at_once: ClassVar[int] = 8192  # inputs that are encoded and sorted together, which bounds memory

    if TYPE_CHECKING:

        def stepper(self, w: Any) -> Any: ...
        def sources(self, columns: Any) -> Any: ...

    def offers(self) -> tuple[str, ...]:
        """What searches may need of its model."""
        return ("tokens",)

    def offered(self, w: Any, what: str) -> Any:
        """What a search that needs `what` works with."""
        return self.stepper(w)

    def source_names(self, columns: Any) -> list[str]:
        """What sources are called where they are shown: the texts themselves, where they are texts."""
        return self.sources(columns)


class Loss(Component, kind="loss"):
    """Maps outputs and labels to (sum over weighted positions, sum of weights)."""

    def at_work(self, positions: int, vocabulary: int, dim: int) -> float:
        """How many numbers exist while it is computed from hidden vectors [positions, dim]: logits, probabilities, gradients."""
        return 3 * positions * vocabulary

    def on_mesh(self) -> Loss | None:
        """The same loss from operations that a mesh of devices can divide; None where there is none."""
        return None


class Initializer(Component, kind="initializer"):
    """`__call__(shape, fans, seed) -> float32 tensor`; the value depends on its arguments alone."""


class Schedule(Component, kind="schedule"):
    """A number that depends on the step: `__call__(step) -> float32 scalar tensor`; `step` is an int tensor of finished updates.

    A schedule that reacts to validation overrides `memory` (what it keeps and where it starts), `rate` instead of
    `__call__`, and `observe`. The memory is part of a run's state: {name: float64 scalar tensor} in `rate`, plain
    numbers in `observe`.
    """

    def __call__(self, step: Any) -> Any:
        return self.rate(step, self.memory())

    def memory(self) -> dict[str, float]:
        return {}

    def rate(self, step: Any, memory: dict[str, Any]) -> Any:
        """The number at this step, given what is kept."""
        return self(step)

    def observe(self, memory: dict[str, float], step: int, metrics: dict[str, float]) -> dict[str, float]:
        """The memory after a validation at this step."""
        return memory


class Slot(NamedTuple):
    """What an optimizer keeps for one weight: an array of this shape that starts at one value."""

    shape: tuple[int, ...]
    start: float = 0.0


class Optimizer(Component, kind="optimizer"):
    """How a gradient changes a weight; pure, and independent of the weight's place in the model.

    `slots(shape) -> {name: Slot}` is what is kept for a weight of this shape; `scalars(rate, step) -> {name: scalar}`
    is computed once per step for all weights; `update(gradient, weight, slots, scalars) -> (weight, slots)`.
    The gradient is float32 and mean over the batch.
    """

    if TYPE_CHECKING:

        def slots(self, shape: tuple[int, ...]) -> dict[str, Slot]: ...
        def scalars(self, rate: Any, step: Any) -> dict[str, Any]: ...
        def update(self, gradient: Any, weight: Any, slots: dict[str, Any], scalars: dict[str, Any]) -> tuple[Any, dict[str, Any]]: ...


class Source(Component, kind="source"):
    """`examples(root) -> Iterator[Example]` in a fixed order; `paths()` names the files that are read."""

    if TYPE_CHECKING:

        def paths(self) -> list[str]: ...

        def examples(self, root: Any) -> Iterator[Any]: ...

    def field_names(self) -> tuple[str, ...] | None:
        """The fields that every whole example has, or None where only reading tells."""
        return None


class Filter(Component, kind="filter"):
    """Keeps or drops training examples: `start()` returns a function of an example's fields that gives "", or why it is dropped."""

    if TYPE_CHECKING:

        def start(self) -> Callable[[dict[str, Any]], str]: ...


class Augmentation(Component, kind="augmentation"):
    """Changes a feature of a training batch at random, in the step: `__call__(values, lengths, draw) -> (values, lengths)`.

    Both are tensors, of the whole batch. `draw` gives uniform and normal numbers that depend on the seed, the batch's
    number and the augmentation's place alone. One that changes lengths cannot serve packed batches, and says so in
    `keeps_lengths`.
    """

    keeps_lengths: ClassVar[bool] = True

    if TYPE_CHECKING:

        def __call__(self, values: Any, lengths: Any, draw: Any) -> tuple[Any, Any]: ...


class Tokenizer(Component, kind="tokenizer"):
    """Text to ids and back. `fit(texts, folder, root)` trains what is missing; `load(folder) -> Codec`."""

    if TYPE_CHECKING:

        def load(self, folder: Any) -> Any: ...


class Search(Component, kind="search"):
    """`__call__(stepper, inputs, max_length) -> Hypotheses`, written once against the stepper.

    needs   what it works with, which the task's model must offer: `tokens` for a stepper, `frames` for log-probabilities of frames
    joins_priors  whether a search that needs no tokens can take a language model along
    """

    needs: ClassVar[str] = "tokens"
    joins_priors: ClassVar[bool] = False

    def quick(self) -> Search:
        """A cheaper search with the same needs, for looking at a model while it is trained."""
        return self


class Metric(Component, kind="metric"):
    """`compute(hypotheses, references) -> Score` over a whole corpus.

    A metric that is fixed by sums over lines also offers `statistics` and `from_statistics` (metrics/significance.py),
    and gets intervals and paired tests by that.
    """


class Exporter(Component, kind="exporter"):
    """Writes a trained run in a format that is used without seqcfg.

    `write(trained, folder, sample) -> signatures` writes into a new folder. `version` numbers the folder, `bounds` says how
    far the model may be from the run. `client` is the program in export/clients/ that runs the model on texts or sounds, or "".
    """

    @property
    def label(self) -> str:
        """Name of its folder below exports/; other for each way of writing the format."""
        return self.type

    @property
    def client(self) -> str:
        return ""

    @property
    def takes_sounds(self) -> bool:
        """Whether models that hear can be written."""
        return False

    @classmethod
    def variant(cls, name: str) -> Any:
        """The exporter with the label <type>-<name>; with default settings where the name is empty."""
        if name:
            raise UserError(f"the exporter {cls.type} has no variant {name!r}", hint=f"leave it out: {cls.type}")
        return cls()

    def obstacles_in(self, recipe: Any, declaration: Any) -> Iterator[Any]:
        """A plan.declaration.Misfit for each layer, and (keys, message, hint) for each setting that the format has not; no TensorFlow."""
        yield from ()

    def figures(self, folder: Any) -> dict[str, float]:
        """Of what was written into a folder, what its manifest tells besides signatures and files."""
        return {}

    if TYPE_CHECKING:

        @property
        def bounds(self) -> Any: ...

        def write(self, trained: Any, folder: Any, sample: Any) -> dict[str, Any]: ...


class Strategy(Component, kind="strategy"):
    """Which devices and processes train: `start() -> Devices`, called before anything else is done with TensorFlow."""

    spans_processes: ClassVar[bool] = False  # whether several processes train one run together

    def process(self) -> int:
        """The number of this process among those that train together, from 0."""
        return 0

    def sharing(self, declaration: Any) -> Any:
        """How devices of one process share weights and batches (plan.sharing.Sharing); None where there is one device."""
        return None

    def divisions(self, declaration: Any) -> dict[str, Any]:
        """{weight path: distribution.sharding.Division} where devices share the weights; empty where each has all of them."""
        return {}

    def check_training(self, training: Any) -> Iterator[tuple[str, str, str]]:
        """(field of the training section, what is wrong, hint) of settings that these devices cannot follow."""
        yield from ()

    def check_model(self, recipe: Any, declaration: Any) -> Iterator[tuple[tuple[str, ...], str, str]]:
        """(keys to a field of the strategy, what is wrong, hint); raises plan.declaration.Misfit at the first layer that does not fit."""
        yield from ()

    if TYPE_CHECKING:

        def start(self) -> Any: ...


class Exploration(Component, kind="exploration"):
    """Which settings a sweep tries, one after the other.

    `count(space) -> int`; `propose(space, index, seen, higher) -> {path: value}` gives trial `index`, and the same one
    whenever it is asked for with the same arguments; `looks_back` tells whether it depends on `seen`.
    """

    looks_back: ClassVar[bool] = False

    if TYPE_CHECKING:

        def count(self, space: dict[str, Any]) -> int: ...
        def propose(self, space: dict[str, Any], index: int, seen: list[Any], higher: bool) -> dict[str, Any]: ...


class Pruner(Component, kind="pruner"):
    """`is_hopeless(curve, others, higher) -> bool`: whether a run of a sweep is given up, by curves of (step, figure)."""

    if TYPE_CHECKING:

        def is_hopeless(self, curve: list[Any], others: list[Any], higher: bool) -> bool: ...


class Tracker(Component, kind="tracker"):
    """A service that follows runs. `open(about) -> training.journal.Watcher` begins to tell it about one."""

    if TYPE_CHECKING:

        def open(self, about: Any) -> Any: ...
