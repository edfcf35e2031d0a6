"""Run directories as training and evaluation leave them, written without training anything."""

import json
import random
from pathlib import Path

from seqcfg.recipe.experiment import load
from seqcfg.runs import manifest
from seqcfg.runs.directory import RunDirectory
from seqcfg.runs.lock import RunLock
from seqcfg.runs.records import Records

RECIPE = """\
recipe_version: 1
name: small
data:
  splits:
    train: {type: tsv, path: small/train.tsv, columns: [source, target]}
    test: {type: tsv, path: small/test.tsv, columns: [source, target]}
  batching: {max_tokens: 512, num_buckets: 2, max_length: 40}
tokenizers:
  shared: {type: byte}
task:
  type: translation
  source_tokenizer: shared
  target_tokenizer: shared
  model:
    type: encoder_decoder
    source_embedding: {type: embedding, dim: 16, scale: sqrt_dim}
    encoder: {type: residual, norm: {type: layer_norm}, layer: {type: feed_forward, hidden: 8}}
    decoder:
      type: sequential
      layers:
        - {type: sinusoidal_position}
        - {type: residual, norm: {type: layer_norm}, layer: {type: multi_head_attention, num_heads: 2, attend_to: memory}}
training:
  steps: 40
  validation: {split: test}
evaluation:
  metrics: [{type: exact_match}, {type: chrf}]
  best: {metric: exact_match, goal: maximize}
decoding: {search: {type: beam, width: 3}, max_length: 40}
"""
WORDS = [f"word{number}" for number in range(20)]


def texts(lines=60, seed=0):
    """Sources and references."""
    rng = random.Random(seed)
    references = [" ".join(rng.choices(WORDS, k=rng.randint(2, 8))) for _ in range(lines)]
    return [text.upper() for text in references], references


def spoilt(references, rate, seed):
    """Outputs of a system that gets this share of the words wrong."""
    rng = random.Random(seed)
    return [" ".join(rng.choice(WORDS) if rng.random() < rate else word for word in text.split()) for text in references]


def make_run(
    folder, recipe=RECIPE, *, steps=40, rate=0.3, seed=1, data="d" * 64, outcome="finished", versions=None, lock=None, overrides=(),
    processor="A Processor", command=("seqcfg", "train"), speed=100.0, lines=60,
):  # fmt: skip
    """A run that was validated every 10 steps up to `steps` and evaluated at the last; `rate` is how much of it is wrong."""
    folder = Path(folder)
    folder.parent.mkdir(parents=True, exist_ok=True)
    written = folder.parent / f"{folder.name}.yaml"
    written.write_text(recipe, encoding="utf-8")
    experiment = load(written, overrides)
    run = RunDirectory.create(folder, experiment.source(), experiment.resolved)
    written.unlink()
    with RunLock(folder):
        pass
    _manifest(run, experiment, data, outcome, steps, versions or {"seqcfg": "1.0"}, processor, command)
    with Records(run.records) as records:
        for step in range(10, steps + 1, 10):
            tokens = 1000.0 + step
            records.append(step, "train", loss=5 - step / 20 + rate, tokens=tokens, tokens_per_second=speed, seconds=tokens / speed)
            records.append(step, "validation", loss=4 - step / 20 + rate, exact_match=step * (1 - rate))
    sources, references = texts(lines)
    write_evaluation(run, experiment, sources, spoilt(references, rate, seed), references, steps)
    if lock is not None:
        run.write("run.lock.json", json.dumps(lock))
    return folder


def write_evaluation(run, experiment, sources, hypotheses, references, step, split="test"):
    """What `seqcfg evaluate` stores."""
    label = f"step-{step:08d}"
    for name, column in (("sources", sources), ("hypotheses", hypotheses), ("references", references)):
        run.write(f"evaluations/{split}-{label}/{name}.txt", "".join(f"{text}\n" for text in column))
    single = [[text] for text in references]
    scores = [metric.compute(hypotheses, single) for metric in experiment.recipe.evaluation.metrics]
    metrics = [{"name": one.name, "value": one.value, "signature": one.signature, "better": one.better} for one in scores]
    summary = {"split": split, "checkpoint": label, "step": step, "lines": len(hypotheses), "seconds_decoding": 1.5, "metrics": metrics}
    run.write(f"evaluations/{split}-{label}/metrics.json", json.dumps(summary))


def _manifest(run, experiment, data, outcome, steps, versions, processor, command):
    seeds = {"training": experiment.recipe.training.seed}
    told = manifest.new_manifest(experiment.name, experiment.fingerprint, data, seeds)
    attempt = told.attempts.add(started="2026-01-31T12:00:00+00:00", command=list(command), git_commit="a" * 40)
    attempt.versions.update(versions)
    attempt.machine.platform, attempt.machine.processor, attempt.machine.cores = "Linux-x86_64", processor, 2
    attempt.machine.memory_bytes = 8 << 30
    if outcome:
        attempt.finished, attempt.last_step, attempt.outcome = "2026-01-31T12:10:00+00:00", steps, outcome
    manifest.write_manifest(run.manifest, told)
