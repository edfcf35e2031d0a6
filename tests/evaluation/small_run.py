"""A run directory as training leaves it, made in a second: an untrained translator of number names, two checkpoints."""

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

RECIPE = """
recipe_version: 1
name: small
data:
  splits:
    train: {type: number_names, part: train, num_examples: 40, highest: 300}
    test: {type: number_names, part: test, num_examples: 11, highest: 300}
  batching: {max_tokens: 512, num_buckets: 2, max_length: 100}
tokenizers:
  shared: {type: %s}
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
        - {type: residual, norm: {type: layer_norm}, layer: {type: multi_head_attention, num_heads: 2, causal: true}}
        - {type: residual, norm: {type: layer_norm}, layer: {type: multi_head_attention, num_heads: 2, attend_to: memory}}
training: {steps: 2, validation: {split: test}}
evaluation: {metrics: [{type: exact_match}, {type: bleu}, {type: perplexity}]}
decoding: {search: {type: beam, width: 3}, max_length: 6, batch_size: 4, xla: never}
"""


def make_run(folder: Path, tokenizer: str = "byte", recipe_text: str = RECIPE) -> Path:
    """Writes folder/run, and folder/prepared; returns the run. Step 10 has the lower loss, step 20 is the newer."""
    recipe = folder / "recipe.yaml"
    recipe.write_text(recipe_text % tokenizer, encoding="utf-8")
    experiment = load(recipe)
    prepared = prepare(experiment, data_root=folder, cache_root=folder / "prepared")
    run = RunDirectory.create(folder / "run", experiment.source(), experiment.resolved)
    shutil.copytree(prepared.folder / "tokenizers", run.tokenizers)
    values = initial_values(experiment.declaration, 1)
    sharp = {path: value * (4.0 if path.endswith("table") else 1.0) for path, value in values.items()}  # far from ties
    for step, factor, loss in ((10, 1.0, 2.5), (20, 1.1, 3.0)):
        variables = {f"weights/{path}": tf.Variable(value * factor) for path, value in sharp.items()}
        save(run.checkpoints, step, variables | {"state/step": tf.Variable(np.int64(step))}, {"metrics": {"loss": loss}})
    return run.folder
