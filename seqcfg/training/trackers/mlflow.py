"""MLflow."""

from __future__ import annotations

import importlib
from typing import Any

from seqcfg.component.component import param
from seqcfg.component.kinds import Tracker
from seqcfg.component.types import Text
from seqcfg.errors import UserError
from seqcfg.training.journal import Watcher
from seqcfg.training.trackers.about import About

LONGEST_VALUE = 500  # of a parameter, on every kind of server


class MlflowTracker(Tracker, type="mlflow"):
    """Tells an MLflow server, or keeps its files; needs `pip install seqcfg[mlflow]`."""

    uri: Text | None = param(
        default=None,
        doc="Server or place of the files, such as sqlite:///mlflow.db; $MLFLOW_TRACKING_URI when left out.",
        affects="nothing",
    )
    experiment: Text = param(default="seqcfg", doc="Experiment the run appears in.", affects="nothing")

    def open(self, about: About) -> Watcher:
        try:
            client = importlib.import_module("mlflow.tracking").MlflowClient(tracking_uri=self.uri)
        except ImportError as error:
            raise UserError("the tracker mlflow is not installed", hint="pip install 'seqcfg[mlflow]'") from error
        return MlflowWatcher(client, self.experiment, about)


class MlflowWatcher(Watcher):
    """One run as MLflow sees it; the attempts of a run share it."""

    def __init__(self, client: Any, experiment: str, about: About):
        self._client = client
        found = client.get_experiment_by_name(experiment)
        place = found.experiment_id if found is not None else client.create_experiment(experiment)
        before = client.search_runs([place], filter_string=f"tags.`seqcfg.run` = '{about.identity}'")
        if before:
            self._run = before[0].info.run_id
            return
        self._run = client.create_run(place, run_name=about.name, tags={"seqcfg.run": about.identity}).info.run_id
        for name, value in about.hyperparameters().items():
            client.log_param(self._run, name, str(value)[:LONGEST_VALUE])

    def record(self, step: int, kind: str, values: dict[str, Any]) -> None:
        if kind == "event":
            return
        for name, value in values.items():
            if isinstance(value, (int, float)):
                self._client.log_metric(self._run, f"{kind}/{name}", float(value), step=step)

    def samples(self, step: int, samples: list[dict[str, str]]) -> None:
        if samples:
            text = "\n\n".join("\n".join(f"{name}: {value}" for name, value in sample.items()) for sample in samples)
            self._client.log_text(self._run, text + "\n", f"samples/step-{step:08d}.txt")

    def close(self) -> None:
        self._client.set_terminated(self._run)
