"""Where a Lingvo experiment asks for something that the base `transformer_lingvo` does not do."""

from __future__ import annotations

import math
import re
from typing import Any

from seqcfg.recipe.importing.foreign import Foreign
from seqcfg.recipe.importing.lingvo_defaults import ACCEPTED, CLASSES, MACHINERY

UNUSED = re.compile(  # parts that Lingvo's Transformer translator is given and does not use, and copies of the task's settings
    r"^(cluster|train)\.|\b(greedy_search|target_sequence_sampler|metric_history|transparent_merger_tpl|res_proj_tpl|bn_params)\."
    r"|\b(vn\.(deterministic|scale|seed|start_step|use_uniform_noise|weight_norm_stop_grad)|remote\.\w+)$"
)
# The last part of a key -> the size of the experiment that it repeats, and its value in a template that says nothing.
DERIVED = {
    **dict.fromkeys(("model_dim", "embedding_dim", "source_dim", "context_dim", "input_dim", "output_dim"), ("width", "0")),
    "hidden_dim": ("hidden", "0"),
    "num_classes": ("vocabulary", "0"),
    "vocab_size": ("vocabulary", "0"),
    "num_attention_heads": ("heads", "2"),  # 2 in a template that the layer above overwrites
    "uncertainty_larger": ("", "0.1"),
    "epsilon": ("", "1e-06"),
}


def remark_differences(foreign: Foreign, sizes: dict[str, Any]) -> None:
    """A remark on every key that nothing has read and whose value is not one under which the base does the same."""
    for key, value in foreign.unread():
        leaf = key.rpartition(".")[2]
        if UNUSED.search(key) or leaf in MACHINERY:
            continue
        text = _text(value)
        if text in _accepted(leaf, sizes) or (leaf == "cls" and text.split("/")[-1] in CLASSES):
            continue
        foreign.remark(key, _difference(text, leaf, sizes))


def remark_rest(foreign: Foreign, accepted: dict[str, set[str]], seen: str) -> None:
    """A remark on every key that nothing has read, unless it is machinery, or matches `seen`, or says what Lingvo does by itself.

    `accepted` maps the last part of a key to values that need no remark, beside those of Lingvo's own parts.
    """
    for key, value in foreign.unread():
        leaf, text = key.rpartition(".")[2], _text(value)
        is_known = text in ACCEPTED.get(leaf, {"NoneType"}) | accepted.get(leaf, set()) or (
            leaf == "cls" and text.split("/")[-1] in CLASSES
        )
        if not (is_known or UNUSED.search(key) or leaf in MACHINERY or re.search(seen, key)):
            foreign.remark(key, f"{text} is not carried over")


def _text(value: Any) -> str:
    """A value as the tables write it."""
    return "NoneType" if value is None else str(value) if not isinstance(value, str) or _is_word(value) else repr(value)


def _difference(text: str, leaf: str, sizes: dict[str, Any]) -> str:
    if leaf not in ACCEPTED and leaf not in DERIVED and leaf != "scale":
        return f"the importer does not know what {text} means here"
    return f"{text} is not carried over: the base does as with {' or '.join(sorted(_accepted(leaf, sizes)))}"


def _accepted(leaf: str, sizes: dict[str, Any]) -> set[str]:
    if leaf == "scale":  # of initial values
        return {"1.0", "1.000001", str(sizes["width"] ** -0.5), str(1.0 / math.sqrt(sizes["width"]))}
    if leaf in DERIVED:
        variable, default = DERIVED[leaf]
        return {default, str(sizes.get(variable, default))}
    return ACCEPTED.get(leaf, {"NoneType"})


def _is_word(text: str) -> bool:
    return text == "float32" or text.startswith("type/")
