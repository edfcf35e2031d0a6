"""The demo recipes, made so small that a test can train them."""

from seqcfg.recipe import shipped

TRANSLATION = (
    str(shipped.find("mt/demo_numbers_enfr")),
    "vars.width=16", "vars.hidden=16", "vars.heads=2", "vars.layers=1",
    "tokenizers.shared={type: byte}", "data.splits.train.num_examples=60", "data.splits.validation.num_examples=10",
    "data.splits.test.num_examples=10", "data.batching.max_length=200", "data.batching.max_tokens=512",
)  # fmt: skip
LANGUAGE_MODELING = (
    str(shipped.find("lm/demo_numbers_fr")),
    "vars.width=16", "tokenizers.french={type: byte}", "data.splits.train.num_examples=60", "data.splits.validation.num_examples=10",
    "data.splits.test.num_examples=10", "data.batching.max_length=200", "data.batching.max_tokens=512",
)  # fmt: skip
CONFORMER = (
    str(shipped.find("bases/conformer")),
    "vars.width=8", "vars.hidden=8", "vars.heads=2", "vars.blocks=1", "vars.kernel_size=3", "vars.subsampling_channels=2",
    "task.sample_rate_hz=8000",
    "task.front_end.layers=[{type: log_mel, sample_rate_hz: 8000, num_bins: 12}, {type: utterance_normalization}]",
    "tokenizers.pieces={type: byte}", "data.splits.train={type: keypad_tones, num_examples: 20}",
    "data.splits.validation={type: keypad_tones, num_examples: 4, part: validation}", "data.batching.max_length=600",
)  # fmt: skip
STREAMING_TRANSDUCER = (
    *CONFORMER,
    "vars.causal=true", "vars.reach={left: 4, right: 0, chunk: 2}", "vars.convolution_norm={type: layer_norm}",
    "task.front_end.layers=[{type: log_mel, sample_rate_hz: 8000, num_bins: 12, frames: inside}]",
    'task.model={type: transducer, encoder: "${vars.conformer}", embedding: {type: embedding, dim: 4}, '
    "prediction: {type: lstm, units: 4}, joint_width: 4}",
    "decoding={search: {type: transducer_greedy, tokens_per_frame: 2}, max_length: 400, max_source_length: 1000}",
)  # fmt: skip

TRANSDUCER = (
    *CONFORMER,
    'task.model={type: transducer, encoder: "${vars.conformer}", embedding: {type: embedding, dim: 4}, prediction: {type: lstm, units: 6}, '
    "joint_width: 8, ctc_weight: 0.3}",
    "decoding.search={type: transducer_greedy}",
)


def arguments(shrunk):
    """Recipe and --set options as a command takes them."""
    recipe, *overrides = shrunk
    return [recipe, *(part for override in overrides for part in ("--set", override))]
