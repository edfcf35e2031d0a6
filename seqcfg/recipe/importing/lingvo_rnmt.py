"""Lingvo's RNMT+ translators (Chen et al. 2018, arXiv:1804.09849): stacks of LSTMs, as near as seqcfg's layers come to them.

The encoder is Lingvo's but for the normalisation within its cells. In the decoder the attention stands behind the first LSTM and
is added to what it reads; Lingvo's is additive, and its result is given to every later layer and to the softmax.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from seqcfg.recipe.importing.draft import Draft
from seqcfg.recipe.importing.foreign import Foreign
from seqcfg.recipe.importing.lingvo_differences import remark_rest
from seqcfg.recipe.importing.lingvo_sections import SMOOTHING_SPREAD, batching, corpora, training, whole_decoding

ENCODER, DECODER = "task.encoder", "task.decoder"
CELLS = ("LayerNormalizedLSTMCellSimple", "LSTMCellSimple")
ADVICE = [
    "The model is the nearest that seqcfg's layers make, not Lingvo's: the decoder reads the encoder once, behind its first LSTM.",
    "Lingvo's word pieces are SentencePiece units here: prepare learns as many from the training split.",
]
LIKE_LINGVO = {  # last part of a key -> values under which the recipe does as Lingvo
    "atten_rnn_cls": {"type/lingvo.core.rnn_layers/FRNNWithAttention"},
    "method": {"'constant'", "'zeros'", "'xavier'", "'uniform'"},
    "scale": {"0.0", "1.0", "1.000001"},
    "seed": {"0"},
    "layer_norm_epsilon": {"1e-08"},
    "bidi_rnn_type": {"'func'"},
    "inputs_arity": {"1"},
    "atten_dropout_deterministic": {"True"},
} | dict.fromkeys(
    [
        "apply_pruning_to_projection", "deterministic", "gradient_pruning", "no_wm_if_compress", "reset_cell_state", "enable_ctx_pre_proj",
        "force_alignment", "single_token_fast_decode", "use_prev_atten_ctx", "use_sigmoid_activation", "use_zero_atten_state",
    ],
    {"False"},
)  # fmt: skip
SEEN = (  # sizes that others fix, and parts that have a remark as a whole
    r"(num_(hidden|input|output)_nodes|source_dim|query_dim|context_dim|hidden_dim|input_dim|output_dim|label_smoothing\.\w+"
    r"|tokenizer\.vocab_size)$|\.(grad_norm_tracker|inner_atten_params)\."
)
WHY = {  # key -> what the recipe does otherwise, when Lingvo's value is not what stands first
    f"{DECODER}.feed_attention_context_vec_to_softmax": (False, "the softmax reads the last LSTM alone"),
    f"{DECODER}.per_word_avg_loss": (True, "the loss is a mean over words; Lingvo's is one over sentences"),
    f"{DECODER}.beam_search.coverage_penalty": (0.0, "search has no penalty for parts of the source that nothing attends to"),
    "task.train.grad_norm_to_clip_to_zero": (0.0, "updates with a larger gradient are not skipped"),
    "task.train.grad_norm_tracker.cls": (None, "updates whose gradient is far larger than usual are not skipped"),
    "task.train.l1_regularizer_weight": (None, "the penalty on weights is not in the loss"),
    "task.train.l2_regularizer_weight": (None, "the penalty on weights is not in the loss"),
    "task.train.vn_std": (0.0, "there is no noise on weights in training"),
}


def draft(foreign: Foreign, experiment: str, name: str) -> Draft:
    """The recipe for the dump of an RNMT+ experiment; raises UserError for other encoders and decoders and a missing size."""
    for key, wanted in ((f"{ENCODER}.cls", "MTEncoderBiRNN"), (f"{DECODER}.cls", "MTDecoderV1")):
        if (found := foreign.class_name(key, wanted)) != wanted:
            raise foreign.error(key, f"seqcfg lacks what Lingvo's {found} does", f"an RNMTModel is imported if its {key} is {wanted}")
    values: dict[str, Any] = corpora(foreign, experiment)
    values["data"] = {**values["data"], "batching": batching(foreign)}
    sizes = {"tokens": size(foreign, f"{DECODER}.softmax.num_classes"), "width": size(foreign, f"{DECODER}.emb.embedding_dim")}
    values["tokenizers"] = {"shared": {"type": "sentencepiece", "vocab_size": sizes["tokens"]}}
    smoothing = foreign.number(f"{DECODER}.label_smoothing.uncertainty", 0.0)
    values["task"] = {
        "type": "translation",
        "source_tokenizer": "shared",
        "target_tokenizer": "shared",
        "loss": {"type": "cross_entropy", "label_smoothing": smoothing, "smoothing_spread": SMOOTHING_SPREAD},
        "model": model(foreign, sizes["tokens"]),
    }
    values["training"] = training(foreign, sizes["width"])
    values["decoding"] = whole_decoding(foreign)
    remark_known(foreign)
    remark_rest(foreign, LIKE_LINGVO, SEEN)
    order = ("data", "tokenizers", "task", "training", "evaluation", "decoding")
    return Draft(
        name=name,
        about=f"Lingvo's experiment {experiment}, imported from the dump of its parameters as near as seqcfg's layers allow.",
        origin=f"Made from {Path(foreign.file).name}, the parameters of Lingvo's {experiment}.",
        base="",
        values={section: values[section] for section in order if section in values},
        advice=ADVICE,
        remarks=foreign.remarks(),
    )


def size(foreign: Foreign, key: str) -> int:
    """A size that must be there; raises UserError."""
    value = foreign.count(key)
    if not value:
        raise foreign.error(key, "the size is missing", "import a whole dump, as Lingvo writes it")
    return value


def model(foreign: Foreign, tokens: int) -> dict[str, Any]:
    """The encoder-decoder."""
    return {
        "type": "encoder_decoder",
        "source_embedding": _embedding(foreign, f"{ENCODER}.emb"),
        "target_embedding": _embedding(foreign, f"{DECODER}.emb"),
        "encoder": {"type": "sequential", "layers": _encoder(foreign)},
        "decoder": {"type": "sequential", "layers": _decoder(foreign)},
        "output": {"type": "dense", "units": tokens, "kernel_initializer": _start(foreign, f"{DECODER}.softmax")},
    }


def _embedding(foreign: Foreign, place: str) -> dict[str, Any]:
    scale = "sqrt_dim" if foreign.get(f"{place}.scale_sqrt_depth") else None
    found = {"type": "embedding", "dim": size(foreign, f"{place}.embedding_dim"), "scale": scale, "initializer": _start(foreign, place)}
    foreign.get(f"{place}.vocab_size")
    return {key: value for key, value in found.items() if value is not None}


def _encoder(foreign: Foreign) -> list[dict[str, Any]]:
    """LSTMs in both directions, the later ones with their input added, and a linear map to the width that the decoder reads."""
    cell = lstm(foreign, f"{ENCODER}.lstm_tpl", size(foreign, f"{ENCODER}.lstm_cell_size"))
    blocks = _stack(foreign, ENCODER, f"{ENCODER}.num_lstm_layers", {"type": "bidirectional", "layer": cell})
    width = foreign.count(f"{ENCODER}.encoder_out_dim")
    return [*blocks, {"type": "dense", "units": width}] if width else blocks


def _decoder(foreign: Foreign) -> list[dict[str, Any]]:
    units = size(foreign, f"{DECODER}.rnn_cell_dim")
    foreign.remark(
        f"{DECODER}.rnn_layers",
        "each later layer, and the softmax, is given the context beside its input there; here the context is added behind the first",
    )
    first = lstm(foreign, f"{DECODER}.atten_rnn_cell_tpl", units)
    attention = {"type": "residual", "layer": _attention(foreign)}
    later = lstm(foreign, f"{DECODER}.rnn_cell_tpl", units)
    stack = _stack(foreign, DECODER, f"{DECODER}.rnn_layers", later)
    return [stack[0], first, attention, *stack[2:]]


def _stack(foreign: Foreign, side: str, key: str, layer: dict[str, Any]) -> list[dict[str, Any]]:
    """Dropout and a layer, as often as the key says; from `residual_start` on the input is added."""
    rate, first = foreign.number(f"{side}.dropout_prob", 0.0), foreign.count(f"{side}.residual_start", 0)
    count = size(foreign, key)
    plain = count if not first else min(count, first)
    blocks: list[dict[str, Any]] = [block for _ in range(plain) for block in ({"type": "dropout", "rate": rate}, layer)]
    if count > plain:
        inner = {"type": "sequential", "layers": [{"type": "dropout", "rate": rate}, layer]}
        blocks.append({"type": "repeat", "times": count - plain, "layer": {"type": "residual", "layer": inner}})
    return blocks


def lstm(foreign: Foreign, place: str, units: int) -> dict[str, Any]:
    """A cell; a normalised one becomes a plain one and is remarked on."""
    name = foreign.class_name(f"{place}.cls", CELLS[1])
    if name == CELLS[0]:
        foreign.remark(f"{place}.cls", "the gates of this LSTM are normalised; seqcfg's are not")
    elif name != CELLS[1]:
        foreign.remark(f"{place}.cls", f"an LSTM stands in for Lingvo's {name}")
    foreign.get(f"{place}.num_output_nodes")
    cap = foreign.number(f"{place}.cell_value_cap")
    found: dict[str, Any] = {"type": "lstm", "units": units, "forget_bias": foreign.number(f"{place}.forget_gate_bias", 0.0)}
    found |= {"cell_cap": cap} if cap else {}
    found |= {} if foreign.get(f"{place}.output_nonlinearity", True) else {"output_activation": "none"}
    found |= {"coupled": True} if foreign.get(f"{place}.couple_input_forget_gates") else {}
    found |= {"zoneout": zoneout} if (zoneout := foreign.number(f"{place}.zo_prob", 0.0)) else {}
    found |= {} if foreign.get(f"{place}.enable_lstm_bias", True) else {"use_bias": False}
    start = _start(foreign, place)
    return found | ({"kernel_initializer": start} if start else {})


def _attention(foreign: Foreign) -> dict[str, Any]:
    place = f"{DECODER}.attention"
    inner = f"{place}.inner_atten_params.cls"
    if foreign.class_name(inner, "DotProductAttention") != "DotProductAttention":
        foreign.remark(inner, f"scores are scaled dot products here; Lingvo's {foreign.class_name(inner, '')} is not among the layers")
    found: dict[str, Any] = {"type": "multi_head_attention", "num_heads": size(foreign, f"{place}.num_attention_heads")}
    found["attend_to"] = "memory"
    found["dropout"] = foreign.number(f"{place}.atten_dropout_prob", 0.0)
    if foreign.get(f"{place}.use_source_vec_as_attention_value"):
        found["values"] = "source"
    found["project_output"] = bool(foreign.get(f"{place}.enable_ctx_post_proj", True))
    return found


def _start(foreign: Foreign, place: str) -> dict[str, Any] | None:
    """The initializer of a part; None where Lingvo's is not the plain uniform one."""
    method, scale = foreign.get(f"{place}.params_init.method"), foreign.get(f"{place}.params_init.scale")
    if method == "uniform" and isinstance(scale, float):
        return {"type": "uniform", "limit": scale}
    if method not in (None, "xavier"):
        foreign.remark(f"{place}.params_init.method", f"weights start as seqcfg's defaults say, not by {method!r}")
    return None


def remark_known(foreign: Foreign) -> None:
    """A remark on each setting of WHY that asks for what the recipe does not do."""
    for key, (harmless, why) in WHY.items():
        if foreign.has(key) and foreign.get(key) != harmless and foreign.get(key) is not None:
            foreign.remark(key, f"{foreign.get(key)} is not carried over: {why}")
