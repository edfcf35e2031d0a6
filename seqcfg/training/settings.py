"""The recipe's `training:` section."""

from __future__ import annotations

from typing import Literal

from seqcfg.component.component import Record, param
from seqcfg.component.kinds import Optimizer, Schedule, Section, Strategy
from seqcfg.component.types import Fraction, Name, NonNegativeInt, PositiveFloat, PositiveInt
from seqcfg.distribution.strategies import OneDevice
from seqcfg.optimizers.adam import Adam
from seqcfg.schedules.inverse_sqrt import InverseSqrt
from seqcfg.training.adapters import Adapters
from seqcfg.training.averaging import WeightAveraging
from seqcfg.training.clipping import Clip
from seqcfg.training.early_stopping import EarlyStopping
from seqcfg.training.loss_scale import LossScale
from seqcfg.training.noise import GradientNoise, Patterns, WeightNoise
from seqcfg.training.non_finite import NonFinite
from seqcfg.training.penalties import Penalties
from seqcfg.training.pruning import Pruning
from seqcfg.training.roll_back import RollBack
from seqcfg.training.skipping import Skip
from seqcfg.training.warm_start import WarmStart
from seqcfg.training.watching import Watching


class Learner(Record):
    """Who learns what: some of the weights, from one of the task's losses, by an optimizer."""

    weights: Patterns = param(factory=lambda: ["*"], doc="Patterns of the weights that this learner changes.")
    loss: Name = param(default="loss", doc="Which of the task's losses it minimises.")
    optimizer: Optimizer = param(default=Adam(), doc="How gradients become changes.")
    schedule: Schedule = param(default=InverseSqrt(peak=1e-3), doc="Learning rate by step.")
    clip: Clip = param(default=Clip(), doc="Bounds on the gradients.")
    skip: Skip = param(default=Skip(), doc="Which updates are left out.")
    penalties: Penalties = param(default=Penalties(), doc="Penalties on the size of weights.")
    gradient_noise: GradientNoise | None = param(default=None, doc="Noise on the gradients; null for none.")
    every_steps: PositiveInt = param(default=1, doc="This learner takes part in every so manieth step.")
    offset_steps: NonNegativeInt = param(default=0, doc="First step in which it takes part; with every_steps, learners alternate.")


class Checkpointing(Record):
    """When checkpoints are written and which are kept."""

    every_steps: PositiveInt = param(default=500, doc="Steps between checkpoints.", affects="nothing")
    keep_last: PositiveInt = param(default=5, doc="How many of the newest are kept; averaging needs as many.", affects="nothing")
    keep_best: NonNegativeInt = param(default=1, doc="How many of the best by evaluation.best are kept besides.", affects="nothing")
    keep_every_steps: PositiveInt | None = param(
        default=None, doc="Checkpoints at multiples of so many steps are never deleted; null for none.", affects="nothing"
    )
    every_minutes: PositiveFloat | None = param(
        default=None, doc="Besides, a checkpoint is written when the last one is so many minutes old.", affects="nothing"
    )
    asynchronous: bool = param(default=True, doc="Whether training goes on while a checkpoint is written.", affects="nothing")


class Validation(Record):
    """Looking at held-out data while training."""

    every_steps: PositiveInt = param(default=500, doc="Steps between validations; the last step is always validated.", affects="nothing")
    split: Name = param(default="validation", doc="Split of the data that is looked at; skipped when the recipe has no such split.")
    decode: bool = param(
        default=False,
        doc="Whether the split is decoded, too, greedily and by this model alone, and judged by evaluation.metrics.",
        affects="nothing",
    )
    num_decoded: PositiveInt = param(default=1000, doc="Examples decoded at most per validation.", affects="nothing")


class Training(Section, type="training"):
    """How weights are learnt. A step is a pure function of the recipe, the data and the step's number."""

    seed: NonNegativeInt = param(default=1, doc="Fixes initial values, data order and all noise.")
    steps: PositiveInt = param(default=10_000, doc="Updates in all.")
    max_minutes: PositiveFloat | None = param(
        default=None, doc="Stops after so many minutes from the start of the process, with a checkpoint.", affects="nothing"
    )
    max_tokens: PositiveInt | None = param(
        default=None, doc="Ends the run when so many tokens were learnt from; looked at every steps_per_call steps."
    )
    max_epochs: PositiveFloat | None = param(
        default=None, doc="Ends the run when the training split was seen so many times; rounded up to a step."
    )
    early_stopping: EarlyStopping | None = param(default=None, doc="Ends the run when validation no longer gets better; null for never.")
    non_finite: NonFinite = param(default=NonFinite(), doc="What happens when a loss or gradient is infinite or not a number.")
    roll_back: RollBack | None = param(
        default=None,
        doc="Goes back and passes over batches where non_finite or skip.max_in_a_row would end the run; null ends it.",
        is_later=True,
    )
    warm_start: WarmStart | None = param(default=None, doc="Starts from weights of another run; null draws them all.")
    watching: Watching = param(default=Watching(), doc="What is shown of the run while it goes on.")
    grace_seconds: PositiveFloat = param(
        default=25.0,
        doc="After a signal, the step and its checkpoint must be done in this time, or the process ends without.",
        affects="nothing",
    )
    optimizer: Optimizer = param(default=Adam(), doc="How gradients become changes of weights.")
    schedule: Schedule = param(default=InverseSqrt(peak=1e-3), doc="Learning rate by step.")
    clip: Clip = param(default=Clip(), doc="Bounds on the gradients.")
    skip: Skip = param(default=Skip(), doc="Which updates are left out.")
    penalties: Penalties = param(default=Penalties(), doc="Penalties on the size of weights.")
    gradient_noise: GradientNoise | None = param(default=None, doc="Noise on the gradients; null for none.")
    learners: dict[Name, Learner] = param(
        factory=dict, doc="Several learners by name instead of the one that optimizer, schedule, clip, skip and penalties describe."
    )
    frozen: Patterns = param(factory=list, doc="Patterns of weights that keep their initial values.")
    accumulate_batches: PositiveInt = param(default=1, doc="Batches whose gradients are added up for one update.")
    precision: Literal["float32", "bfloat16", "float16"] = param(
        default="float32", doc="Type in which layers compute; weights stay float32."
    )
    loss_scale: LossScale = param(default=LossScale(), doc="Scaling of losses in float16.")
    xla: bool = param(default=False, doc="Whether the step is compiled by XLA, once per batch shape; rarely pays on CPU.")
    ema_decay: Fraction | None = param(
        default=None, doc="Decay of an exponential moving average of the weights, used in evaluation; null for none."
    )
    weight_averaging: WeightAveraging | None = param(
        default=None, doc="A plain mean of weights from the later updates, used in evaluation; null for none."
    )
    weight_noise: WeightNoise | None = param(default=None, doc="Noise on the weights; null for none.")
    adapters: Adapters | None = param(default=None, doc="Weights that learn through low-rank adapters; null for none.")
    pruning: list[Pruning] = param(
        factory=list, doc="Weights that become 0 while training, and when; of several that name a weight the first counts.", is_later=True
    )
    rematerialized: Patterns = param(
        factory=list,
        doc="Patterns of layer paths, such as model/encoder/layers/1/blocks/*, whose inner results are computed again for the gradient.",
    )
    strategy: Strategy = param(default=OneDevice(), doc="The devices and processes that train; results agree up to rounding.")
    steps_per_call: PositiveInt = param(default=10, doc="Steps between two looks of the host at the run.", affects="nothing")
    log_every_steps: PositiveInt = param(default=50, doc="Steps between two lines of records.jsonl.", affects="nothing")
    checkpoint: Checkpointing = param(default=Checkpointing(), doc="When checkpoints are written and kept.")
    validation: Validation = param(default=Validation(), doc="Looking at held-out data while training.")

    def check(self):
        for field, unused in (("clip", Clip()), ("skip", Skip()), ("penalties", Penalties()), ("gradient_noise", None)):
            if self.learners and getattr(self, field) != unused:
                yield field, "is not used when learners are given", "move it into the learners"
        if self.ema_decay and self.weight_averaging is not None:
            yield "weight_averaging", "cannot be kept beside the moving average of ema_decay", "leave one of them out"
        for number, one in enumerate(self.pruning):
            if one.end_step > self.steps:
                yield f"pruning.{number}.end_step", f"training ends after update {self.steps}, before pruning does", "end it earlier"
        yield from self.strategy.check_training(self)

    def all_learners(self) -> dict[str, Learner]:
        """The learners by name; one called "main" unless the recipe lists its own."""
        return self.learners or {
            "main": Learner(
                optimizer=self.optimizer,
                schedule=self.schedule,
                clip=self.clip,
                skip=self.skip,
                penalties=self.penalties,
                gradient_noise=self.gradient_noise,
            )
        }
