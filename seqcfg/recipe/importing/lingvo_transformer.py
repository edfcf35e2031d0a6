"""Lingvo's Transformer translators as recipes on `bases/transformer_lingvo`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from seqcfg.errors import UserError
from seqcfg.recipe.importing.draft import Draft
from seqcfg.recipe.importing.foreign import Foreign
from seqcfg.recipe.importing.lingvo_differences import remark_differences
from seqcfg.recipe.importing.lingvo_sections import batching, corpora, decoding, training

BASE = "seqcfg:bases/transformer_lingvo"
ENCODER, DECODER = "task.encoder", "task.decoder"
STACK, BLOCK = "task.encoder.transformer_stack", "task.decoder.trans_tpl"
BLOCKS = (f"{STACK}.transformer_tpl", BLOCK)
EMBEDDINGS = (f"{ENCODER}.token_emb", f"{DECODER}.token_emb")
SAME = {  # variable of the base -> the keys that must agree
    "width": [f"{ENCODER}.model_dim", f"{DECODER}.model_dim", *(f"{place}.embedding_dim" for place in EMBEDDINGS)],
    "hidden": [f"{place}.tr_fflayer_tpl.hidden_dim" for place in BLOCKS],
    "heads": [f"{place}.tr_atten_tpl.num_attention_heads" for place in BLOCKS],
    "layers": [f"{STACK}.num_transformer_layers", f"{DECODER}.num_trans_layers"],
    "dropout": [
        *(f"{place}.input_dropout_prob" for place in (ENCODER, DECODER)),
        *(f"{place}.{part}.residual_dropout_prob" for place in BLOCKS for part in ("tr_atten_tpl", "tr_fflayer_tpl")),
    ],
    "vocabulary": [f"{DECODER}.softmax.num_classes", "input.tokenizer.vocab_size", *(f"{place}.vocab_size" for place in EMBEDDINGS)],
}


def draft(foreign: Foreign, experiment: str, name: str) -> Draft:
    """The recipe for the dump of a Transformer; raises UserError where encoder and decoder differ in what the base has once."""
    for key, wanted in ((f"{ENCODER}.cls", "TransformerEncoder"), (f"{DECODER}.cls", "TransformerDecoder")):
        if (found := foreign.class_name(key, wanted)) != wanted:
            raise foreign.error(key, f"seqcfg lacks what Lingvo's {found} does", f"a TransformerModel is imported if its {key} is {wanted}")
    sizes = {variable: _agreed(foreign, keys) for variable, keys in SAME.items()}
    values: dict[str, Any] = {"vars": sizes, **corpora(foreign, experiment)}
    values["data"] = {**values["data"], "batching": batching(foreign)}
    values["task"] = {"loss": {"label_smoothing": foreign.number(f"{DECODER}.label_smoothing.uncertainty", 0.0)}}
    values["training"] = training(foreign, sizes["width"])
    values["decoding"] = decoding(foreign)
    order = ("vars", "data", "tokenizers", "task", "training", "evaluation", "decoding")
    remark_differences(foreign, sizes)
    return Draft(
        name=name,
        about=f"Lingvo's experiment {experiment}, imported from the dump of its parameters.",
        origin=f"Made from {Path(foreign.file).name}, the parameters of Lingvo's {experiment}.",
        base=BASE,
        values={section: values[section] for section in order if section in values},
        advice=["Lingvo's word pieces are SentencePiece units here: prepare learns as many from the training split."],
        remarks=foreign.remarks(),
    )


def _agreed(foreign: Foreign, keys: list[str]) -> Any:
    """The one value of all these keys; raises UserError if they differ or none is there."""
    found = {key: value for key in keys if (value := foreign.number(key)) is not None}
    if not found:
        raise UserError(f"{foreign.file}: none of {', '.join(keys)} is there", hint="import a whole dump, as Lingvo writes it")
    first, *others = found
    for key in others:
        if found[key] != found[first]:
            message = f"{found[key]!r} is not what {first} says, {found[first]!r}; the base has one value for both"
            raise foreign.error(key, message, "write a recipe with 'seqcfg new' and give encoder and decoder their own layers")
    return found[first]
