"""Lingvo's LAS speech recognizers (arXiv:1508.01211): everything but the model, for which seqcfg has no task yet.

The recipe lacks `task:`, which is said in its first lines. Each setting of the model is remarked on with its line.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from seqcfg.recipe.importing.draft import Draft
from seqcfg.recipe.importing.foreign import Foreign
from seqcfg.recipe.importing.lingvo_cells import size
from seqcfg.recipe.importing.lingvo_differences import remark_rest
from seqcfg.recipe.importing.lingvo_rnmt import remark_known
from seqcfg.recipe.importing.lingvo_sections import training, whole_decoding

ENCODER, DECODER = "task.encoder", "task.decoder"
PARTS = {  # keys that say what the model is -> what they say
    "task.frontend": "the audio's features",
    f"{ENCODER}.conv_filter_shapes": "two-dimensional convolutions over time and frequency",
    f"{ENCODER}.conv_filter_strides": "their strides, which shorten the audio",
    f"{ENCODER}.num_cnn_layers": "how many of them",
    f"{ENCODER}.num_conv_lstm_layers": "how many convolutional LSTMs",
    f"{ENCODER}.num_lstm_layers": "how many LSTMs in both directions",
    f"{ENCODER}.lstm_cell_size": "the width of these LSTMs",
    f"{ENCODER}.project_lstm_output": "whether a map with batch normalisation follows each of them",
    f"{ENCODER}.residual_start": "from which of them on the input is added",
    f"{ENCODER}.use_specaugment": "whether stretches of time and frequency are masked in training",
    f"{DECODER}.cls": "a decoder that is recurrent and attends to the audio",
    f"{DECODER}.rnn_layers": "how many LSTMs it has",
    f"{DECODER}.rnn_cell_dim": "their width",
    f"{DECODER}.emb_dim": "the width of its embedding",
    f"{DECODER}.attention.cls": "its attention",
    f"{DECODER}.attention.hidden_dim": "the width of its attention",
    f"{DECODER}.softmax_uses_attention": "whether its softmax is given the context",
    f"{DECODER}.min_ground_truth_prob": "how often it is fed its own outputs in training",
    "input.bucket_upper_bound": "buckets by frames of audio",
    "input.bucket_batch_limit": "utterances per bucket",
    "input.source_max_length": "the longest audio, in frames",
    "input.frame_size": "features per frame",
}
MISSING = "It lacks `task:`: seqcfg has no task of speech recognition yet, so that it is valid only once you write one."
LIBRISPEECH = {
    "train": ["LibriSpeech/train-clean-100", "LibriSpeech/train-clean-360", "LibriSpeech/train-other-500"],
    "validation": ["LibriSpeech/dev-clean"],
    "test": ["LibriSpeech/test-clean"],
}
LIKE_LINGVO = {"scale": {"1.0", "1.000001"}, "global_vn": {"True"}, "include_auxiliary_metrics": {"True"}, "vn_start_step": {"20000"}}
SEEN = rf"^({ENCODER}|{DECODER}|task\.frontend|task\.decoder_metrics|input)\."


def draft(foreign: Foreign, experiment: str, name: str) -> Draft:
    """The sections that a LAS experiment shares with any other."""
    values: dict[str, Any] = {
        "data": _data(foreign, experiment),
        "tokenizers": _tokenizer(foreign),
        "training": training(foreign, 1),
        "evaluation": {"metrics": [{"type": "wer"}, {"type": "cer"}]},
        "decoding": whole_decoding(foreign) | {"max_source_length": None},
    }
    foreign.remark("task.cls", "seqcfg has no task of speech recognition yet")
    for key, what in PARTS.items():
        if foreign.get(key) is not None:
            foreign.remark(key, f"{_text(foreign.get(key))} is not carried over: {what}")
    remark_known(foreign)
    remark_rest(foreign, LIKE_LINGVO, SEEN)
    return Draft(
        name=name,
        about=f"Lingvo's experiment {experiment}, without its model.",
        origin=f"Made from {Path(foreign.file).name}, the parameters of Lingvo's {experiment}.",
        base="",
        values=values,
        advice=[],
        remarks=foreign.remarks(),
        missing=MISSING,
    )


def _text(value: Any) -> str:
    """A value as its line has it, without the path of a class."""
    return value.split("/")[-1] if isinstance(value, str) else str(value)


def _data(foreign: Foreign, experiment: str) -> dict[str, Any]:
    for key in ("input.file_pattern", "input.file_datasource.file_pattern"):
        if foreign.get(key) is not None:
            foreign.remark(key, "TFRecords of features are not read: data.splits names the audio")
    if not experiment.startswith("asr.librispeech."):
        foreign.remark("model", "its corpus is not known here: put your own under data.splits")
    return {"splits": {split: {"type": "librispeech", "path": path, "sample_rate_hz": 16000} for split, path in LIBRISPEECH.items()}}


def _tokenizer(foreign: Foreign) -> dict[str, Any]:
    kind, count = foreign.class_name("input.tokenizer.cls", "AsciiTokenizer"), size(foreign, f"{DECODER}.softmax.num_classes")
    if kind == "AsciiTokenizer":
        foreign.remark("input.tokenizer.vocab_size", "Lingvo's table of characters becomes the characters of the corpus, with other ids")
        return {"characters": {"type": "character", "vocab_size": count, "fields": ["text"]}}
    foreign.remark("input.tokenizer.cls", f"Lingvo's {kind} is not read: prepare learns as many SentencePiece units")
    return {"pieces": {"type": "sentencepiece", "vocab_size": count, "fields": ["text"]}}
