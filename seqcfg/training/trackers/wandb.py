"""Weights & Biases."""

from __future__ import annotations

import importlib
from typing import Any, Literal

from seqcfg.component.component import param
from seqcfg.component.kinds import Tracker
from seqcfg.component.types import Name
from seqcfg.errors import UserError
from seqcfg.training.journal import Watcher
from seqcfg.training.trackers.about import About


class WandbTracker(Tracker, type="wandb"):
    """Tells Weights & Biases (wandb.ai); needs `pip install seqcfg[wandb]`. The key is taken from its own login.

    It is given figures, samples and the recipe, but neither code, command line, environment nor the machine's name.
    """

    project: Name = param(default="seqcfg", doc="Project the run appears in.", affects="nothing")
    mode: Literal["online", "offline"] = param(
        default="online", doc="Whether figures are sent at once, or kept in RUN/wandb for `wandb sync`.", affects="nothing"
    )

    def open(self, about: About) -> Watcher:
        return WandbWatcher(_module("wandb"), self, about)


class WandbWatcher(Watcher):
    """One run as wandb sees it."""

    def __init__(self, wandb: Any, settings: WandbTracker, about: About):
        private = wandb.Settings(disable_code=True, disable_git=True, x_disable_meta=True, x_disable_stats=True, silent=True)
        self._wandb = wandb
        self._run = wandb.init(
            project=settings.project, mode=settings.mode, name=about.name, id=about.identity, resume="allow", dir=str(about.folder),
            config=about.hyperparameters(), settings=private,
        )  # fmt: skip
        self._run.define_metric("step")
        self._run.define_metric("*", step_metric="step")  # a resumed run may go back behind what it has told already

    def record(self, step: int, kind: str, values: dict[str, Any]) -> None:
        numbers = {f"{kind}/{name}": value for name, value in values.items() if isinstance(value, (int, float))}
        if kind != "event" and numbers:
            self._run.log({"step": step, **numbers})

    def samples(self, step: int, samples: list[dict[str, str]]) -> None:
        if samples:
            rows = [list(sample.values()) for sample in samples]
            self._run.log({"step": step, "samples": self._wandb.Table(columns=list(samples[0]), data=rows)})

    def close(self) -> None:
        self._run.finish()


def _module(name: str) -> Any:
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise UserError(f"the tracker {name} is not installed", hint=f"pip install 'seqcfg[{name}]'") from error
