"""Stands in for `seqcfg train` where a test is about the sweep: the same files, no tensors, a loss that follows from the recipe."""

import json
import sys
from pathlib import Path

from seqcfg.recipe.experiment import load
from seqcfg.runs.directory import RunDirectory
from seqcfg.runs.lock import RunLock
from seqcfg.runs.manifest import begin_attempt, finish_attempt, new_manifest, write_manifest
from seqcfg.runs.records import Records


def loss_of(rate, seed, step):
    """Best at a rate of 0.01; seeds differ by less than rates do, and every step is better than the one before."""
    return abs(rate - 0.01) * 10 + 0.01 * (seed % 3) + 1.0 / step


def main(recipe, folder):
    experiment = load(recipe)
    training = experiment.recipe.training
    if training.schedule.value > 1:
        sys.exit("the rate is too high")
    with RunLock(folder):
        run = RunDirectory.open(folder) if RunDirectory.is_run(folder) else RunDirectory.create(folder, "", experiment.resolved)
        manifest = new_manifest(experiment.name, experiment.fingerprint, "", {})
        begin_attempt(manifest, ["train"], 0)
        with Records(run.records) as records:
            for step in range(1, training.steps + 1):
                records.append(step, "validation", loss=loss_of(training.schedule.value, training.seed, step))
        finish_attempt(manifest, training.steps, "finished")
        write_manifest(run.manifest, manifest)
    with open(Path(folder).parents[1] / "made.jsonl", "a", encoding="utf-8") as file:
        file.write(json.dumps(experiment.name) + "\n")


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[sys.argv.index("--run") + 1])
