"""A run of speech recognition as training leaves it, made in seconds: an untrained listener to keypad tones."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import tensorflow as tf

from seqcfg.checkpoints.commit import save
from seqcfg.data.prepare import prepare
from seqcfg.layers.create import initial_values
from seqcfg.recipe.experiment import load
from seqcfg.runs.directory import RunDirectory

RATE = 4000
TONES = """
recipe_version: 1
name: small_sounds
data:
  splits:
    train: {type: keypad_tones, part: train, num_examples: 20, longest: 3, sample_rate_hz: 4000}
    test: {type: keypad_tones, part: test, num_examples: 5, longest: 3, sample_rate_hz: 4000}
  batching: {max_tokens: 400, num_buckets: 2, max_length: 200}
tokenizers:
  letters: {type: character, vocab_size: 20, fields: [text]}
"""
RECIPE = (
    TONES
    + """
task:
  type: recognition
  tokenizer: letters
  sample_rate_hz: 4000
  front_end: {type: log_mel, sample_rate_hz: 4000, num_bins: 8, frames: centered}
  model: {type: ctc, encoder: {type: conv1d, units: 6, kernel_size: 3, stride: 2, causal: true}}
training: {steps: 2, validation: {split: test, decode: true}}
evaluation: {metrics: [{type: wer}, {type: cer}], best: {metric: wer}}
decoding: {search: {type: ctc_greedy}, max_length: 60, max_source_length: 100, batch_size: 4, xla: never}
"""
)
LETTERS = (
    TONES
    + """
task:
  type: language_modeling
  tokenizer: letters
  model: {type: language_model, embedding: {type: embedding, dim: 6}, decoder: {type: lstm, units: 6}}
training: {steps: 2, validation: {split: test}}
"""
)


def make_run(folder: Path, text: str = RECIPE) -> Path:
    """Writes folder/run of the recipe, and folder/prepared; returns the run."""
    recipe = folder / "recipe.yaml"
    recipe.write_text(text, encoding="utf-8")
    experiment = load(recipe)
    prepared = prepare(experiment, data_root=folder, cache_root=folder / "prepared")
    run = RunDirectory.create(folder / "run", experiment.source(), experiment.resolved)
    shutil.copytree(prepared.folder / "tokenizers", run.tokenizers)
    values = initial_values(experiment.declaration, 1)
    variables = {f"weights/{path}": tf.Variable(value * 4.0) for path, value in values.items()}
    save(run.checkpoints, 10, variables | {"state/step": tf.Variable(np.int64(10))}, {"metrics": {"wer": 90.0}})
    return run.folder


def noise(seconds: float, rate: int = RATE, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).uniform(-0.4, 0.4, int(seconds * rate)).astype(np.float32)
