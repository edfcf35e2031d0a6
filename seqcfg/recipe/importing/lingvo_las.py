"""Lingvo's LAS speech recognizers (arXiv:1508.01211): convolutions and LSTMs that listen, a decoder that attends and spells."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from seqcfg.recipe import shipped
from seqcfg.recipe.importing.draft import Draft
from seqcfg.recipe.importing.foreign import Foreign
from seqcfg.recipe.importing.lingvo_cells import attention, lstm, size, start
from seqcfg.recipe.importing.lingvo_differences import remark_rest
from seqcfg.recipe.importing.lingvo_sections import batching, training, whole_decoding
from seqcfg.recipe.read import read_text

ENCODER, DECODER = "task.encoder", "task.decoder"
LIBRISPEECH = "asr/librispeech960_las_grapheme"  # what Lingvo prepares before: corpora, frames, its table of characters
UNIFORM = {"type": "uniform", "limit": 0.1}  # how Lingvo's recurrent layers and softmax start unless the dump says otherwise
FROM_TWO = {"type": "truncated_normal", "stddev": 0.1}  # how convolutions and the maps between do
NORMED: list[dict[str, Any]] = [{"type": "batch_norm", "decay": 0.999, "gain": "one_plus"}, {"type": "activation", "function": "relu"}]
ADVICE = ["Lingvo's features are made before; the front end is what makes them from sound, as in the recipe " + LIBRISPEECH + "."]
WHY = {  # key -> what Lingvo does unless it says this, and what the recipe does
    f"{ENCODER}.num_conv_lstm_layers": (0, "put `conv_lstm` layers before merge_features for them"),
    f"{ENCODER}.use_specaugment": (False, "put a `spec_augment` layer at the end of the front end for it"),
    f"{ENCODER}.highway_skip": (False, "skips are sums here, without a gate"),
    f"{ENCODER}.project_after_last_lstm": (False, "the last LSTM is not mapped"),
    f"{ENCODER}.layer_index_before_stacking": (-1, "put a `stack_frames` layer between the LSTMs for it"),
    f"{DECODER}.min_ground_truth_prob": (1.0, "the decoder is fed the transcript alone in training"),
    f"{DECODER}.token_normalized_per_seq_loss": (False, "the loss is a mean over tokens"),
    f"{DECODER}.per_token_avg_loss": (True, "the loss is a mean over tokens"),
    f"{DECODER}.rnn_cell_hidden_dim": (0, "LSTMs of the decoder are not projected"),
}
LIKE_LINGVO = {  # last part of a key -> values under which the recipe does as Lingvo
    "scale": {"0.0", "0.001", "0.1", "1.0", "1.000001", "1.7320508075688772"},
    "method": {"'constant'", "'zeros'", "'gaussian'", "'truncated_gaussian'", "'uniform'", "'uniform_sqrt_dim'", "'xavier'"},
    "global_vn": {"True"},
    "include_auxiliary_metrics": {"True"},
    "seed": {"0"},
    "teacher_forcing": {"True"},
    "use_unnormalized_logits_as_log_probs": {"True"},
    "bidi_rnn_type": {"'func'"},
    "inputs_arity": {"1"},
    "residual_stride": {"1"},
    "logit_types": {"{'logits': 1.0}"},
    "source_id_offset": {"0"},
    "atten_context_dim": {"0"},
    "attention_plot_font_properties": {"''"},
    "bn_decay": {"0.999"},
    "cls": {"type/lingvo.core.layers/Conv2DLayer", "type/lingvo.core.rnn_cell/LSTMCellSimple"},
} | dict.fromkeys(
    [
        "apply_pruning_to_projection", "atten_dropout_deterministic", "causal_convolution", "conv_last", "deterministic",
        "disable_activation_quantization", "gradient_pruning", "lm_for_confidence", "log_utf8", "no_wm_if_compress",
        "reset_cell_state", "same_batch_size", "use_while_loop_based_unrolling", "extra_per_layer_outputs", "scale_sqrt_depth", "bias",
    ],
    {"False"},
)  # fmt: skip
SEEN = re.compile(  # sizes that others fix; what there would be if it were asked for; what sound is made to before the model
    r"(num_(input|output|samples|classes)\w*|source_dim|query_dim|input_dim|output_dim|input_shape|vocab_size|filter_shape|filter_stride|max_num_shards"
    r"|dilation_rate|min_prob_step|prob_decay_start_step|embedding_dim|parallel_iterations)$|^input\.|^task\.frontend"
    r"|_tpl\.bn_params\.|\.(after_conv_lstm_cnn|conv_lstm|highway_skip|stacking_layer|adapter_layer|specaugment_network)_?\w*\."
    r"|\.(contextualizer|fusion|lm|decoder_metrics|confidence)\."
).pattern


def draft(foreign: Foreign, experiment: str, name: str) -> Draft:
    """The recipe for the dump of a LAS experiment; raises UserError for other encoders and decoders and a missing size."""
    for key, wanted in ((f"{ENCODER}.cls", "AsrEncoder"), (f"{DECODER}.cls", "AsrDecoder")):
        if (found := foreign.class_name(key, wanted)) != wanted:
            raise foreign.error(key, f"seqcfg lacks what Lingvo's {found} does", f"an AsrModel is imported if its {key} is {wanted}")
    known = read_text(shipped.find(LIBRISPEECH).read_text(encoding="utf-8"), LIBRISPEECH).plain()
    tokens = size(foreign, f"{DECODER}.softmax.num_classes")
    task = {"type": "recognition", "tokenizer": "transcripts", "front_end": known["task"]["front_end"], "model": _model(foreign, tokens)}
    values: dict[str, Any] = {
        "data": _data(foreign, experiment, known["data"]),
        "tokenizers": {"transcripts": _tokenizer(foreign, tokens, known["tokenizers"]["transcripts"])},
        "task": task,
        "training": training(foreign, 1),
        "evaluation": {"metrics": [{"type": "wer"}, {"type": "cer"}]},
        "decoding": whole_decoding(foreign),
    }
    for key, (harmless, why) in WHY.items():
        if foreign.has(key) and foreign.get(key, harmless) != harmless:
            foreign.remark(key, f"{foreign.get(key)} is not carried over: {why}")
    remark_rest(foreign, LIKE_LINGVO, SEEN)
    return Draft(
        name=name,
        about=f"Lingvo's experiment {experiment}, imported from the dump of its parameters.",
        origin=f"Made from {Path(foreign.file).name}, the parameters of Lingvo's {experiment}.",
        base="",
        values=values,
        advice=ADVICE,
        remarks=foreign.remarks(),
    )


def _model(foreign: Foreign, tokens: int) -> dict[str, Any]:
    begin = {"kernel_initializer": start(foreign, f"{DECODER}.softmax") or UNIFORM}
    table = start(foreign, f"{DECODER}.emb") or {"type": "uniform", "limit": 1.0}
    return {
        "type": "encoder_decoder",
        "encoder": {"type": "sequential", "layers": [*_convolutions(foreign), *_listeners(foreign)]},
        "target_embedding": {"type": "embedding", "dim": size(foreign, f"{DECODER}.emb_dim"), "initializer": table},
        "decoder": _decoder(foreign),
        "output": {"type": "dense", "units": tokens} | begin,
    }


def _convolutions(foreign: Foreign) -> list[dict[str, Any]]:
    """Frames of silence at the end, and convolutions over time and frequency with batch normalisation."""
    shapes, strides = foreign.get(f"{ENCODER}.conv_filter_shapes", []), foreign.get(f"{ENCODER}.conv_filter_strides", [])
    foreign.get(f"{ENCODER}.num_cnn_layers")
    begin = start(foreign, f"{ENCODER}.cnn_tpl") or FROM_TWO
    layers: list[dict[str, Any]] = []
    for (time, frequency, _, units), stride in zip(shapes, strides, strict=True):
        sizes = {"units": units, "kernel_size": [time, frequency], "stride": list(stride)}
        layers.append({"type": "conv2d", **sizes, "padding": "same", "rounding": "down", "use_bias": False, "kernel_initializer": begin})
        layers += NORMED
    padding = foreign.count(f"{ENCODER}.pad_steps", 6)
    found = [{"type": "append_frames", "count": padding}] if padding else []
    return [*found, {"type": "split_features"}, *layers, {"type": "merge_features"}]


def _listeners(foreign: Foreign) -> list[dict[str, Any]]:
    """LSTMs in both directions, each but the last followed by a map with batch normalisation."""
    cell, count = size(foreign, f"{ENCODER}.lstm_cell_size"), size(foreign, f"{ENCODER}.num_lstm_layers")
    layer: dict[str, Any] = {"type": "bidirectional", "layer": lstm(foreign, f"{ENCODER}.lstm_tpl", cell, UNIFORM)}
    begin = start(foreign, f"{ENCODER}.proj_tpl") or FROM_TWO
    mapped = [{"type": "dense", "units": 2 * cell, "use_bias": False, "kernel_initializer": begin}, *NORMED]
    block = [layer, *mapped] if foreign.get(f"{ENCODER}.project_lstm_output", True) else [layer]
    inner: dict[str, Any] = {"type": "sequential", "layers": block} if len(block) > 1 else layer
    first = foreign.count(f"{ENCODER}.residual_start", 0)
    plain = min(first, count - 1) if first else count - 1
    found: list[dict[str, Any]] = [{"type": "repeat", "times": plain, "layer": inner}] if plain else []
    if plain < count - 1:
        found.append({"type": "repeat", "times": count - 1 - plain, "layer": {"type": "residual", "layer": inner}})
    return [*found, {"type": "residual", "layer": layer} if first and first < count else layer]


def _decoder(foreign: Foreign) -> dict[str, Any]:
    units = size(foreign, f"{DECODER}.rnn_cell_dim")
    found: dict[str, Any] = {"type": "attention_decoder", "num_layers": size(foreign, f"{DECODER}.rnn_layers")}
    found["cell"] = lstm(foreign, f"{DECODER}.rnn_cell_tpl", units, UNIFORM)
    found |= {} if foreign.get(f"{DECODER}.softmax_uses_attention", True) else {"context_to": "layers"}
    first = foreign.count(f"{DECODER}.residual_start", 0)
    found |= {"residual_from": first + 1} if 0 < first < found["num_layers"] else {}
    found |= {"dropout": rate} if (rate := foreign.number(f"{DECODER}.dropout_prob", 0.0)) else {}
    return found | {"attention": attention(foreign, f"{DECODER}.attention", units)}


def _data(foreign: Foreign, experiment: str, known: dict[str, Any]) -> dict[str, Any]:
    for key in ("input.file_pattern", "input.file_datasource.file_pattern"):
        if foreign.get(key):
            foreign.remark(key, "TFRecords of features are not read: data.splits names the audio")
    if not experiment.startswith("asr.librispeech."):
        foreign.remark("model", "its corpus is not known here: put your own under data.splits")
    return {**known, "batching": batching(foreign)}


def _tokenizer(foreign: Foreign, tokens: int, characters: dict[str, Any]) -> dict[str, Any]:
    """Lingvo's table of characters, or as many pieces as its model of words has."""
    kind = foreign.class_name("input.tokenizer.cls", "AsciiTokenizer")
    if kind == "AsciiTokenizer":
        return characters
    foreign.remark("input.tokenizer.cls", f"Lingvo's {kind} is not read: prepare learns as many SentencePiece units")
    return {"type": "sentencepiece", "vocab_size": tokens, "fields": ["text"], "normalization": "nmt_nfkc_cf"}
