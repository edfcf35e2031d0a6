"""The top level of a recipe: its sections, in the order a reader would explain an experiment."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, Literal

from seqcfg.component.catalog import closest, listed, load
from seqcfg.component.component import Component, Record, param
from seqcfg.component.fields import fields_of
from seqcfg.component.kinds import Section, Task, Tokenizer
from seqcfg.component.types import FixedType, Name, NonNegativeFloat, Text, rules

SECTIONS = ("data", "training", "evaluation", "decoding", "export")
COMPOSITION_KEYS = ("base", "vars", "defaults")  # used up while a recipe is composed
OWN_KEYS = ("base", "name", "about", "claims", "sweep")  # speak of one recipe, so that they are not taken over from a base

Requirement = Annotated[
    str,
    rules("a package and a version, such as seqcfg-mypkg>=1.2", pattern=r"^[A-Za-z0-9._-]+ *((>=|==|<=|<|>|!=|~=) *[0-9][0-9A-Za-z.]*)?$"),
]


class Claim(Record):
    """What a run of this recipe must reach."""

    metric: str = param(doc="Type of a metric, or the name under which one of evaluation.metrics is shown.")
    split: str = param(doc="Name of the split it is measured on.")
    value: float = param(doc="Value to reach, in the metric's own unit.")
    tolerance: NonNegativeFloat = param(default=0.0, doc="How far below the value a run may stay, in the metric's unit.")
    source: Text = param(default="", doc="Where the value was published or measured.")
    dataset: Text = param(default="", doc="What the split is called by others, such as newstest2014.")
    published: Text = param(default="", doc="The source's own figure and how it was taken; the value is what a run is held to.")
    budget: Text = param(default="", doc="What a run that reaches it costs: hardware and time.")


class Recipe(Record):
    """A whole experiment."""

    recipe_version: Literal[1] = param(doc="Version of the recipe language.")
    name: Name | None = param(default=None, doc="Name of the experiment and of its run folder; the file's name if left out.")
    about: Text = param(default="", doc="What this experiment is, and where it comes from.", affects="nothing")
    base: str | list[str] | None = param(
        default=None, doc="Recipes to start from: paths relative to this file, or seqcfg:area/name.", affects="nothing"
    )
    vars: dict[str, Any] | None = param(default=None, doc="Named values, used elsewhere as ${vars.name}.", affects="nothing")
    defaults: dict[str, Any] | None = param(
        default=None, doc="Fields for every component of a kind and type, by 'kind.type'.", affects="nothing"
    )
    requires: list[Requirement] = param(factory=list, doc="Packages that must be installed, such as seqcfg-mypkg>=1.2.")
    data: Annotated[Section, FixedType("data")] | None = param(default=None, doc="Corpora, splits and batches.")
    tokenizers: dict[str, Tokenizer] = param(factory=dict, doc="Tokenizers by the name that a task calls them.")
    task: Task = param(doc="What is learnt, and with which model and loss.")
    training: Annotated[Section, FixedType("training")] | None = param(default=None, doc="Optimiser, schedule, length and checkpoints.")
    quantisation: Annotated[Section, FixedType("quantisation")] | None = param(
        default=None, is_later=True, doc="Layers that compute on integers, after training or already in it; null for none."
    )
    evaluation: Annotated[Section, FixedType("evaluation")] | None = param(default=None, doc="What is measured, and on what.")
    decoding: Annotated[Section, FixedType("decoding")] | None = param(default=None, doc="How outputs are searched.")
    export: Annotated[Section, FixedType("export")] | None = param(default=None, doc="How a trained run is written for use elsewhere.")
    sweep: Annotated[Section, FixedType("sweep")] | None = param(
        default=None, doc="Settings that `seqcfg sweep` varies, and how often it tries each.", affects="nothing"
    )
    claims: list[Claim] = param(factory=list, doc="Results a run of this recipe must reach.", affects="nothing")

    def check(self) -> Iterator[tuple[str, str, str]]:
        splits = getattr(self.data, "splits", None)
        if splits:
            yield from self._check_splits(splits)
            yield from self._check_fields(splits)
            yield from self._check_packing()
            yield from self._check_sample_rates(splits)
        yield from self._check_accumulation()
        yield from self._check_metrics()
        yield from self._check_search()
        yield from self._check_quantisation()

    def _check_splits(self, splits: dict[str, Any]) -> Iterator[tuple[str, str, str]]:
        """Splits that are named must exist; the default one may be missing, for who only wants to train."""
        there = f"data.splits has {listed(splits)}"
        named = {f"claims.{index}.split": claim.split for index, claim in enumerate(self.claims)}
        if self.evaluation is not None and self.evaluation.split != type(self.evaluation)().split:  # type: ignore[attr-defined]
            named["evaluation.split"] = self.evaluation.split  # type: ignore[attr-defined]
        for path, name in named.items():
            if name not in splits:
                yield path, f"there is no split {name!r}", closest(name, splits) or there

    def _check_fields(self, splits: dict[str, Any]) -> Iterator[tuple[str, str, str]]:
        """The task reads fields of every split, and tokenizers learn from fields of the one that is trained on."""
        given = {name: source.field_names() for name, source in splits.items()}
        for split, fields in given.items():
            for field in sorted({feature.field for feature in self._features()}):
                if fields is not None and field not in fields:
                    message = f"gives {listed(fields)}, and the task reads {field!r}"
                    yield f"data.splits.{split}", message, "name one of them in the task, or take a source that has it"
        learnt = given.get(self.data.training_split)  # type: ignore[union-attr]
        for name, tokenizer in self.tokenizers.items():
            wanted = [] if tokenizer.paths() else getattr(tokenizer, "fields", [])  # type: ignore[attr-defined]
            missing = [field for field in wanted if learnt is not None and field not in learnt]
            if learnt is not None and missing:
                message = f"there is no field {missing[0]!r} to learn from"
                yield f"tokenizers.{name}.fields", message, f"data.splits.{self.data.training_split} gives {listed(learnt)}"  # type: ignore[union-attr]

    def _check_packing(self) -> Iterator[tuple[str, str, str]]:
        """Rows that several texts share are for layers that keep them apart."""
        if getattr(self.data.batching, "packing", False):  # type: ignore[union-attr]
            for layer in _components_in(self.task):
                if not getattr(layer, "respects_segments", True):
                    message = f"the layer {layer.type!r} of the task would mix the texts that share a row"
                    yield "data.batching.packing", message, "leave packing out for this model"
                    return

    def _check_accumulation(self) -> Iterator[tuple[str, str, str]]:
        """Batches that are added up are computed one after the other, so no layer can know the statistics of all of them."""
        if getattr(self.training, "accumulate_batches", 1) > 1:
            for layer in _components_in(self.task):
                if getattr(layer, "is_of_whole_batches", False):
                    message = (
                        f"the layer {layer.type!r} of the task takes its statistics from the whole batch, which is never there at once"
                    )
                    hint = "write statistics: replica in the layer, or take larger batches without accumulation"
                    yield "training.accumulate_batches", message, hint
                    return

    def _check_sample_rates(self, splits: dict[str, Any]) -> Iterator[tuple[str, str, str]]:
        """Audio has the rate that the task expects."""
        rate = getattr(self.task, "sample_rate_hz", None)
        for name, source in splits.items():
            given = getattr(source, "sample_rate_hz", rate)
            if rate is not None and given != rate:
                hint = f"write {rate} here, and resample: true for files with another rate"
                yield f"data.splits.{name}.sample_rate_hz", f"{given} Hz are not the task's {rate} Hz", hint

    def _check_search(self) -> Iterator[tuple[str, str, str]]:
        """The search works with something that the task's model offers."""
        offered, search = self.task.offers(), getattr(self.decoding, "search", None)
        wanted, name = ("tokens", "beam") if search is None else (search.needs, search.type)
        if wanted not in offered:
            fitting = sorted(kind for kind, cls in load()["search"].items() if cls.needs in offered)  # type: ignore[attr-defined]
            message = f"a {name} search works with {wanted}, and the model offers {listed(offered)}"
            yield "decoding.search" if search is not None else "decoding", message, f"decoding.search.type may be {listed(fitting)}"
        if self.task.is_of_sounds and getattr(self.decoding, "noisy_channel", None):
            yield "decoding.noisy_channel", "sounds cannot be translated back", "leave it out"

    def _check_quantisation(self) -> Iterator[tuple[str, str, str]]:
        """Rounding in training starts before it ends, and in the type in which it is exact."""
        aware = getattr(self.quantisation, "aware", None)
        if aware is None or self.training is None:
            return
        steps, precision = self.training.steps, self.training.precision  # type: ignore[attr-defined]
        if aware.start_step >= steps:
            message = f"rounding would start after {aware.start_step} updates, and training ends after {steps}"
            yield "quantisation.aware.start_step", message, "start it earlier; a few hundred updates before the end are enough"
        if precision != "float32":
            message = f"integers of a few bits are not told apart in {precision}"
            yield "training.precision", message, "write float32, or leave quantisation.aware out"

    def _features(self) -> list[Any]:
        features = getattr(self.task, "features", None)
        return list(features().values()) if features is not None else []

    def _check_metrics(self) -> Iterator[tuple[str, str, str]]:
        known = set(load()["metric"]) | {getattr(metric, "label", "") for metric in getattr(self.evaluation, "metrics", [])} - {""}
        for index, claim in enumerate(self.claims):
            if claim.metric not in known:
                hint = closest(claim.metric, known) or f"there are {listed(sorted(known))}"
                yield f"claims.{index}.metric", f"there is no metric called {claim.metric!r}", hint


def _components_in(value: Any) -> Iterator[Component]:
    """A component and all that stand in its fields."""
    if isinstance(value, Component):
        yield value
        value = [getattr(value, field.name) for field in fields_of(type(value)).values()]
    for item in value.values() if isinstance(value, dict) else value if isinstance(value, list | tuple) else ():
        yield from _components_in(item)
