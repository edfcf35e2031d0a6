"""Lingvo's RNMT+ translators (Chen et al. 2018, arXiv:1804.09849): stacks of LSTMs and a decoder that attends."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from seqcfg.recipe.importing.draft import Draft
from seqcfg.recipe.importing.foreign import Foreign
from seqcfg.recipe.importing.lingvo_cells import attention, embedding, lstm, size, start
from seqcfg.recipe.importing.lingvo_differences import remark_rest
from seqcfg.recipe.importing.lingvo_sections import SMOOTHING_SPREAD, batching, corpora, training, whole_decoding

ENCODER, DECODER = "task.encoder", "task.decoder"
ADVICE = ["Lingvo's word pieces are SentencePiece units here: prepare learns as many from the training split."]
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
        "force_alignment", "single_token_fast_decode", "use_sigmoid_activation",
    ],
    {"False"},
)  # fmt: skip
SEEN = (  # sizes that others fix, and parts that have a remark as a whole
    r"(num_(hidden|input|output)_nodes|source_dim|query_dim|context_dim|hidden_dim|input_dim|output_dim|label_smoothing\.\w+"
    r"|tokenizer\.vocab_size)$|\.(grad_norm_tracker|inner_atten_params)\."
)
WHY = {  # key -> what the recipe does otherwise, when Lingvo's value is not what stands first
    f"{DECODER}.per_word_avg_loss": (True, "the loss is a mean over words; Lingvo's is one over sentences"),
}


def draft(foreign: Foreign, experiment: str, name: str) -> Draft:
    """The recipe for the dump of an RNMT+ experiment; raises UserError for other encoders and decoders and a missing size."""
    for key, wanted in ((f"{ENCODER}.cls", "MTEncoderBiRNN"), (f"{DECODER}.cls", "MTDecoderV1")):
        if (found := foreign.class_name(key, wanted)) != wanted:
            raise foreign.error(key, f"seqcfg lacks what Lingvo's {found} does", f"an RNMTModel is imported if its {key} is {wanted}")
    values: dict[str, Any] = corpora(foreign, experiment)
    values["data"] = {**values["data"], "batching": batching(foreign)}
    sizes = {"tokens": size(foreign, f"{DECODER}.softmax.num_classes"), "width": size(foreign, f"{DECODER}.emb.embedding_dim")}
    pieces = {"type": "sentencepiece", "vocab_size": sizes["tokens"]}
    values["tokenizers"] = {"shared": pieces | values.get("tokenizers", {}).get("shared", {})}
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
        about=f"Lingvo's experiment {experiment}, imported from the dump of its parameters.",
        origin=f"Made from {Path(foreign.file).name}, the parameters of Lingvo's {experiment}.",
        base="",
        values={section: values[section] for section in order if section in values},
        advice=ADVICE,
        remarks=foreign.remarks(),
    )


def model(foreign: Foreign, tokens: int) -> dict[str, Any]:
    """The encoder-decoder."""
    return {
        "type": "encoder_decoder",
        "source_embedding": embedding(foreign, f"{ENCODER}.emb"),
        "target_embedding": embedding(foreign, f"{DECODER}.emb"),
        "encoder": {"type": "sequential", "layers": _encoder(foreign)},
        "decoder": {"type": "sequential", "layers": _decoder(foreign)},
        "output": {"type": "dense", "units": tokens, "kernel_initializer": start(foreign, f"{DECODER}.softmax")},
    }


def _encoder(foreign: Foreign) -> list[dict[str, Any]]:
    """LSTMs in both directions, the later ones with their input added, and a linear map to the width that the decoder reads."""
    cell = lstm(foreign, f"{ENCODER}.lstm_tpl", size(foreign, f"{ENCODER}.lstm_cell_size"))
    layer = {"type": "bidirectional", "layer": cell}
    rate, first = foreign.number(f"{ENCODER}.dropout_prob", 0.0), foreign.count(f"{ENCODER}.residual_start", 0)
    count, dropout = size(foreign, f"{ENCODER}.num_lstm_layers"), {"type": "dropout", "rate": rate}
    plain = count if not first else min(count, first)
    blocks: list[dict[str, Any]] = [dropout, *(block for _ in range(plain) for block in (layer, dropout))]
    if count > plain:
        blocks.append({"type": "repeat", "times": count - plain, "layer": {"type": "residual", "dropout": rate, "layer": layer}})
    width = foreign.count(f"{ENCODER}.encoder_out_dim")
    return [*blocks, {"type": "dense", "units": width}] if width and width != 2 * cell["units"] else blocks


def _decoder(foreign: Foreign) -> list[dict[str, Any]]:
    """An LSTM that asks the encoder's output, and LSTMs that are given what it was told."""
    units, rate = size(foreign, f"{DECODER}.rnn_cell_dim"), foreign.number(f"{DECODER}.dropout_prob", 0.0)
    first, later = lstm(foreign, f"{DECODER}.atten_rnn_cell_tpl", units), lstm(foreign, f"{DECODER}.rnn_cell_tpl", units)
    found: dict[str, Any] = {"type": "attention_decoder", "cell": first, "num_layers": size(foreign, f"{DECODER}.rnn_layers")}
    found |= {"layer": later} if later != first else {}
    found |= {} if foreign.get(f"{DECODER}.feed_attention_context_vec_to_softmax") else {"context_to": "layers"}
    found |= {"context_of": "previous"} if foreign.get(f"{DECODER}.use_prev_atten_ctx") else {}
    found |= {"first_context": "zeros"} if foreign.get(f"{DECODER}.use_zero_atten_state") else {}
    residual = max(1, foreign.count(f"{DECODER}.residual_start", 0))  # of layers counted from 0; the first never is
    found |= {"residual_from": residual + 1} if residual < found["num_layers"] else {}
    found |= {"dropout": rate, "attention": attention(foreign, f"{DECODER}.attention", units)}
    return [{"type": "dropout", "rate": rate}, found]


def remark_known(foreign: Foreign) -> None:
    """A remark on each setting of WHY that asks for what the recipe does not do."""
    for key, (harmless, why) in WHY.items():
        if foreign.has(key) and foreign.get(key) != harmless and foreign.get(key) is not None:
            foreign.remark(key, f"{foreign.get(key)} is not carried over: {why}")
