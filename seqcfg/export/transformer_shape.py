"""Whether a model is the Transformer that engines with fixed architectures know, and its layers in their order if it is."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any

PASSED_OVER = ("dropout",)
ACTIVATIONS = ("relu", "gelu", "gelu_tanh", "silu")


@dataclasses.dataclass(frozen=True)
class Stack:
    """Declaration nodes: the residual blocks of each layer in order, the norm at the end or None, and the positions or None."""

    layers: list[list[Any]]
    norm: Any
    positions: Any


@dataclasses.dataclass(frozen=True)
class Transformer:
    """Both stacks and embeddings as declaration nodes; output is None where the target embedding is used.

    source and encoder are None where there is a decoder alone, which is then without attention to a memory.
    """

    source: Any
    target: Any
    encoder: Stack | None
    decoder: Stack
    output: Any
    num_heads: int
    norm_before: bool
    activation: str
    epsilon: float


def transformer_of(declaration: Any) -> Transformer:
    """The parts of a task's declared model; raises plan.declaration.Misfit at the first layer that does not fit."""
    model = declaration.children.get("model", declaration)
    if model.component.type not in ("encoder_decoder", "language_model"):
        hint = "export it as saved_model, tflite or onnx"
        raise model.misfit("the engine knows Transformers of encoder and decoder, or of a decoder alone", hint)
    source, target = _embeddings(model)
    sides = _sides(model)
    blocks = [block for stack in sides.values() for layer in stack.layers for block in layer]
    _same(blocks, "norm_position", lambda block: block.component.norm_position)
    attention = [block for block in blocks if block.children["layer"].component.type == "multi_head_attention"]
    _same(attention, "num_heads", lambda block: block.children["layer"].component.num_heads)
    feeds = [block for block in blocks if block not in attention]
    _same(feeds, "activation", lambda block: block.children["layer"].component.activation)
    norms = [
        node for node in [*(block.children["norm"] for block in blocks), *(stack.norm for stack in sides.values())] if node is not None
    ]
    _same(norms, "epsilon", lambda node: node.component.epsilon)
    before = blocks[0].component.norm_position == "before"
    for side, stack in sides.items():
        if (stack.norm is not None) != before:
            wanted = "a layer_norm at the end of the stack" if before else "no layer_norm at the end of the stack"
            raise model.children[side].misfit(
                f"norm_position {blocks[0].component.norm_position} needs {wanted}", "add it, or take it away"
            )
    return Transformer(
        source, target, sides.get("encoder"), sides["decoder"], _output(model.children.get("output")),
        attention[0].children["layer"].component.num_heads, before, feeds[0].children["layer"].component.activation,
        norms[0].component.epsilon,
    )  # fmt: skip


def _embeddings(model: Any) -> tuple[Any, Any]:
    """Those of source and target; a decoder alone has no source."""
    if model.component.type == "language_model":
        return None, _embedding(model.children["embedding"])
    if "source_embedding" not in model.children:
        raise model.misfit("the engine's encoders read ids, and this one reads frames", "export it as saved_model, tflite or onnx")
    source = _embedding(model.children["source_embedding"])
    return source, _embedding(model.children.get("target_embedding", source))


def _sides(model: Any) -> dict[str, Stack]:
    """The stacks by what the model calls them."""
    if model.component.type == "language_model":
        return {"decoder": _stack(model.children["decoder"], ["self", "feed_forward"], is_causal=True)}
    return {
        "encoder": _stack(model.children["encoder"], ["self", "feed_forward"], is_causal=False),
        "decoder": _stack(model.children["decoder"], ["self", "memory", "feed_forward"], is_causal=True),
    }


def _leaves(node: Any) -> Iterator[Any]:
    """The layers of nested sequences, in order."""
    if node.component.type in ("sequential", "repeat"):
        for child in node.children["layers" if node.component.type == "sequential" else "blocks"]:
            yield from _leaves(child)
    elif node.component.type not in PASSED_OVER:
        yield node


def _stack(node: Any, kinds: list[str], is_causal: bool) -> Stack:
    leaves = list(_leaves(node))
    positions = leaves.pop(0) if leaves and leaves[0].component.type == "sinusoidal_position" else None
    if positions is not None and (positions.component.learned_scale or positions.component.min_timescale != 1.0):
        raise positions.misfit("positions are scaled", "leave learned_scale and min_timescale out")
    norm = leaves.pop() if leaves and leaves[-1].component.type == "layer_norm" else None
    if norm is not None:
        _norm(norm)
    for leaf in leaves:
        _plain(leaf)
    if not leaves or len(leaves) % len(kinds):
        raise node.misfit(f"layers are not made of {', '.join(kinds)}", "see recipes/bases/transformer.yaml")
    for place, leaf in enumerate(leaves):
        _block(leaf, kinds[place % len(kinds)], is_causal)
    return Stack([leaves[first : first + len(kinds)] for first in range(0, len(leaves), len(kinds))], norm, positions)


def _plain(node: Any) -> None:
    if node.component.type != "residual":
        raise node.misfit(f"the engine has no {node.component.type} here, but a plain residual block", "see recipes/bases/transformer.yaml")
    if node.component.input != "raw" or node.component.scale != 1.0:
        raise node.misfit("the engine adds a block's result, unscaled, to what the block is given", "input: raw, scale: 1.0")
    if "norm" not in node.children:
        raise node.misfit("the block has no norm", "give it norm: {type: layer_norm}")
    _norm(node.children["norm"])


def _block(node: Any, kind: str, is_causal: bool) -> None:
    layer = node.children["layer"]
    wanted = "feed_forward" if kind == "feed_forward" else "multi_head_attention"
    if layer.component.type != wanted:
        raise layer.misfit(f"the engine has {wanted} here, not {layer.component.type}", f"type: {wanted}")
    if kind == "feed_forward":
        if layer.component.gating != "none" or layer.component.activation not in ACTIVATIONS:
            raise layer.misfit("the engine has not this activation or gating", f"gating: none, and one of {', '.join(ACTIVATIONS)}")
        return
    own = layer.component
    if own.attend_to != kind:
        raise layer.misfit(f"attention is to {own.attend_to}, and the engine has that to {kind} here", f"attend_to: {kind}")
    if kind == "self" and own.causal != is_causal:
        raise layer.misfit(f"the engine's attention is {'causal' if is_causal else 'not causal'} here", f"causal: {str(is_causal).lower()}")
    plain = {"rotary": None, "logit_cap": None, "per_dim_scale": False, "values": "projected", "project_output": True, "head_dim": None}
    for field, value in plain.items():
        if getattr(own, field) != value:
            raise layer.misfit(f"the engine has no {field} {getattr(own, field)!r}", f"leave {field} out")
    if own.num_kv_heads not in (None, own.num_heads):
        raise layer.misfit("fewer key and value heads are not mapped", "leave num_kv_heads out")


def _norm(node: Any) -> None:
    if node.component.type != "layer_norm" or node.component.gain != "direct" or not node.component.use_bias:
        raise node.misfit("the engine has layer_norm with gain and bias", "type: layer_norm, with its defaults")


def _embedding(node: Any) -> Any:
    if node.component.type != "embedding":
        raise node.misfit(f"the engine has embedding, not {node.component.type}", "type: embedding")
    if node.component.row_multiple > 1:
        raise node.misfit("the engine has one row for each id", "leave row_multiple out")
    return node


def _output(node: Any) -> Any:
    if node is not None and (node.component.type != "dense" or node.component.activation != "none"):
        raise node.misfit("the engine has a dense layer without activation here", "type: dense, with its defaults")
    return node


def _same(nodes: list[Any], field: str, value: Any) -> None:
    for node in nodes[1:]:
        if value(node) != value(nodes[0]):
            raise node.misfit(f"{field} {value(node)} is not that of {nodes[0].path}, {value(nodes[0])}", "make all alike")
