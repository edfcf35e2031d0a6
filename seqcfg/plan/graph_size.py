"""How many operations TensorFlow's graph of a training step has, from which its own memory follows."""

from __future__ import annotations

import fnmatch

from seqcfg.plan.declaration import Declaration

# Operations that one layer brings forward and back, parts left out; those of a front end forward alone. Counted in graphs of single
# layers and of shipped recipes.
OPERATIONS = {
    "attention_decoder": 1500,
    "batch_norm": 150,
    "bidirectional": 30,
    "branch": 30,
    "conv_lstm": 440,
    "deltas": 200,
    "depthwise_conv1d": 110,
    "dropout": 85,
    "dynamic_conv": 280,
    "gaussian_mixture_attention": 800,
    "group_norm": 220,
    "gru": 450,
    "instance_norm": 220,
    "lightweight_conv": 200,
    "location_sensitive_attention": 900,
    "log_mel": 250,
    "lstm": 400,
    "monotonic_attention": 1000,
    "multi_head_attention": 160,
    "pool1d": 125,
    "pool2d": 115,
    "qrnn": 450,
    "relative_attention": 400,
    "residual": 52,
    "sequential": 0,
    "repeat": 0,
    "spec_augment": 350,
    "speed_perturbation": 250,
    "sru": 600,
    "stack_frames": 100,
    "utterance_normalization": 120,
    # models, with their losses
    "ctc": 300,
    "ctc_attention": 300,
    "encoder_decoder": 350,
    "language_model": 300,
    "transducer": 1500,
}
USUAL = 45  # of layers that are not listed
PER_WEIGHT = 12  # reading a weight, its mean gradient, its norm and its update
FORWARD = 0.5  # share of a layer's operations that its forward pass has
STEP = 700  # the loop over steps, measurements, the schedule


def num_operations(declaration: Declaration, rematerialized: tuple[str, ...] = ()) -> int:
    """Of a step with one learner, for all weights; `rematerialized` are patterns of paths of layers that run forward twice."""
    inside = 0.0
    for node in declaration.nodes():
        if type(node.component).type != "dense" or node.products:  # dense layers whose kernel another one multiplies do nothing
            is_repeated = any(fnmatch.fnmatchcase(node.path, pattern) for pattern in rematerialized)
            inside += OPERATIONS.get(type(node.component).type or "", USUAL) * (1 + FORWARD * is_repeated)
    return round(STEP + inside + PER_WEIGHT * sum(1 for _ in declaration.all_weights()))
