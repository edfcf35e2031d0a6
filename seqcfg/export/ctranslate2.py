"""CTranslate2: a C++ engine for Transformers, several times faster than TensorFlow on CPUs (github.com/OpenNMT/CTranslate2)."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal, get_args

from seqcfg.component.component import param
from seqcfg.component.kinds import Exporter
from seqcfg.component.reserved_ids import NUM_RESERVED
from seqcfg.component.types import PositiveInt
from seqcfg.decoding.settings import Decoding, LengthFloor
from seqcfg.errors import UserError
from seqcfg.export.client_facts import ABOUT, client_facts, tokenizer_misfits
from seqcfg.export.obstacles import of_components
from seqcfg.export.precisions import of_precision
from seqcfg.export.sample import Sample
from seqcfg.export.tolerance import Tolerance
from seqcfg.export.transformer_shape import Stack, Transformer, transformer_of
from seqcfg.lazy import np
from seqcfg.plan.declaration import Misfit

Precision = Literal["float32", "int8", "int16", "float16", "int8_float16"]
PATIENCE = 3.0  # of the engine's beam, where ours ends when its outputs cannot be beaten
RESERVED = ["<pad>", "<unk>", "<s>", "</s>"]
ACTIVATIONS = {"relu": "RELU", "gelu": "GELU", "gelu_tanh": "GELUTanh", "silu": "SWISH"}
PLAIN_SEARCH: dict[str, Any] = {
    "min_length": 0, "eos_margin": None, "prune_margin": None, "coverage_penalty": 0.0, "num_groups": 1, "allow_unknown": False,
    "merge": "none",
}  # fmt: skip
PLAIN_DECODING: dict[str, Any] = {"distinct_ngrams": None, "word_list": None, "length_floor": LengthFloor()}
FLOAT, INTEGERS = (
    Tolerance(identical_share=0.98, score_difference=0.05, metric_loss=0.5),
    Tolerance(identical_share=0.5, score_difference=0.3, metric_loss=1.0),
)


class CTranslate2(Exporter, type="ctranslate2"):
    """A folder that CTranslate2 loads: its model, the tokenizers' files and model.json, which says how to use them.

    For the Transformers that it knows, of encoder and decoder (`ctranslate2.Translator`) or language models of a decoder alone
    (`ctranslate2.Generator`): norm before or after, sinusoidal positions, one embedding or two. Its beam search ends a
    sentence when as many outputs are complete as the beam is wide, as `stop: full` does here; for other rules it is given
    patience (arXiv:2204.05424) of 3. Multi30k tiny, 1,000 sentences: all strings as with `stop: certain`, 972 without patience.
    """

    version: PositiveInt = param(default=1, doc="Number of the version folder.")
    precision: Precision = param(default="float32", doc="How weights are stored; the engine computes in this, too.")
    tolerance: Tolerance | None = param(
        default=None, doc="How far the model may be from the run; null takes what is usual for the precision.", affects="nothing"
    )

    @property
    def label(self) -> str:
        return f"ctranslate2-{self.precision}"

    @property
    def bounds(self) -> Tolerance:
        return self.tolerance or (FLOAT if self.precision.startswith("float") else INTEGERS)

    @property
    def client(self) -> str:
        return "translator"

    @classmethod
    def variant(cls, name: str) -> Any:
        return of_precision(cls, name, get_args(Precision))

    def obstacles_in(self, recipe: Any, declaration: Any) -> Iterator[Any]:
        yield from tokenizer_misfits(recipe, declaration)
        try:
            transformer_of(declaration)
        except Misfit as misfit:
            yield misfit
        yield from of_components(recipe, declaration, self.type)
        yield from _searches_otherwise(recipe.decoding or Decoding())

    def write(self, trained: Any, folder: Path, sample: Sample) -> dict[str, Any]:
        """Writes the artefact into a new folder."""
        shape, recipe = transformer_of(trained.declaration), trained.experiment.recipe
        settings: Any = recipe.decoding or Decoding()
        search, task = settings.search, recipe.task
        facts = client_facts(trained) | {
            "width": getattr(search, "width", 1),
            "length_penalty": getattr(search, "length_penalty", 0.0),
            "patience": 1.0 if getattr(search, "stop", "full") == "full" else PATIENCE,
            "source_tokens": _tokens(task.source_codec(trained.codecs)),
            "target_tokens": _tokens(task.target_codec(trained.codecs)),
        }
        longest = max(settings.max_source_length, settings.max_length) + 2
        _write_model(shape, trained.weights, facts, longest, folder, self.precision)
        (folder / ABOUT).write_text(json.dumps(facts, ensure_ascii=False) + "\n", encoding="utf-8")
        for name, codec in trained.codecs.items():
            shutil.copytree(codec.folder, folder / "tokenizers" / name)
        return {}


def _searches_otherwise(settings: Any) -> Iterator[tuple[tuple[str, ...], str, str]]:
    """What of the recipe's search the engine, or the client that calls it, does not do."""
    search, hint = settings.search, "change it by --set"
    if search.type not in ("beam", "greedy") or getattr(search, "formula", "average") != "average":
        yield ("decoding", "search"), "the engine has greedy and beam search with the penalty `average`", hint
        return
    for field, usual in PLAIN_SEARCH.items():
        if getattr(search, field, usual) != usual:
            yield ("decoding", "search", field), f"the engine does not search with {field} {getattr(search, field)!r}", hint
    for field, usual in PLAIN_DECODING.items():
        if getattr(settings, field) != usual:
            yield ("decoding", field), "the engine does not follow this rule", f"leave it out: --set decoding.{field}!"


def _write_model(shape: Transformer, weights: dict[str, Any], facts: dict[str, Any], longest: int, folder: Path, precision: str) -> None:
    try:
        from ctranslate2 import specs
    except ImportError as error:
        raise UserError("ctranslate2 is missing", hint="pip install 'seqcfg[ctranslate2]'") from error
    options = {"pre_norm": shape.norm_before, "activation": getattr(specs.common_spec.Activation, ACTIVATIONS[shape.activation])}
    own, num_layers = Weights(weights), len(shape.decoder.layers)
    spec: Any
    if shape.encoder is None:
        spec = specs.TransformerDecoderModelSpec.from_config(num_layers, shape.num_heads, **options)
        spec.register_vocabulary(facts["target_tokens"])
    else:
        spec = specs.TransformerSpec.from_config((len(shape.encoder.layers), num_layers), shape.num_heads, **options)
        spec.config.add_source_eos = True
        own.side(spec.encoder, spec.encoder.embeddings[0], shape.source, shape.encoder, longest)
        spec.register_source_vocabulary(facts["source_tokens"])
        spec.register_target_vocabulary(facts["target_tokens"])
    spec.config.layer_norm_epsilon = shape.epsilon
    own.side(spec.decoder, spec.decoder.embeddings, shape.target, shape.decoder, longest)
    if shape.output is None:
        spec.decoder.projection.weight = own.of(shape.target, "table")
    else:
        own.linear(spec.decoder.projection, [shape.output])
    spec.validate()
    spec.optimize(quantization=None if precision == "float32" else precision)  # which stores equal tables once, too
    (folder / "model").mkdir(parents=True)
    spec.save(str(folder / "model"))


class Weights:
    """Puts weights, by declaration node, into CTranslate2's specifications."""

    def __init__(self, weights: dict[str, Any]):
        self._weights = weights

    def of(self, node: Any, name: str) -> Any:
        return np.array(self._weights[node.weights[name].path], np.float32)  # a copy: the engine rounds in place

    def linear(self, spec: Any, nodes: list[Any]) -> None:
        """One product of several dense layers; their biases are 0 where there are none."""
        spec.weight = np.concatenate([np.ascontiguousarray(self.of(node, "kernel").T) for node in nodes])
        rows = [
            self.of(node, "bias") if "bias" in node.weights else np.zeros(node.weights["kernel"].shape[1], np.float32) for node in nodes
        ]
        spec.bias = np.concatenate(rows)

    def norm(self, spec: Any, node: Any) -> None:
        spec.gamma, spec.beta = self.of(node, "gain"), self.of(node, "bias")

    def side(self, spec: Any, embeddings: Any, table: Any, stack: Stack, longest: int) -> None:
        """Encoder or decoder."""
        embeddings.weight, spec.scale_embeddings = self.of(table, "table"), table.component.scale == "sqrt_dim"
        width = table.component.dim
        if stack.positions is None:
            spec.position_encodings.encodings = np.zeros([longest, width], np.float32)
        else:
            spec.position_encodings.encodings = sines(stack.positions.component, longest, width)
        if stack.norm is not None:
            self.norm(spec.layer_norm, stack.norm)
        for layer, blocks in zip(spec.layer, stack.layers, strict=True):
            self._attention(layer.self_attention, blocks[0], [("query", "key", "value"), ("output",)])
            if len(blocks) == 3:
                self._attention(layer.attention, blocks[1], [("query",), ("key", "value"), ("output",)])
            self.norm(layer.ffn.layer_norm, blocks[-1].children["norm"])
            for linear, name in ((layer.ffn.linear_0, "expand"), (layer.ffn.linear_1, "contract")):
                self.linear(linear, [blocks[-1].children["layer"].children[name]])

    def _attention(self, spec: Any, block: Any, groups: list[tuple[str, ...]]) -> None:
        self.norm(spec.layer_norm, block.children["norm"])
        for linear, names in zip(spec.linear, groups, strict=True):
            self.linear(linear, [block.children["layer"].children[name] for name in names])


def sines(positions: Any, longest: int, width: int) -> Any:
    """What `SinusoidalPosition.signal` gives for positions 0 to longest - 1, float32 [longest, width]."""
    count = width // 2
    steps = max(count - 1, 1) if positions.exponent == "half_minus_one" else count
    rates = np.exp(np.arange(count, dtype=np.float32) * -np.float32(np.log(positions.max_timescale) / steps))
    angles = np.arange(longest, dtype=np.float32)[:, None] * rates
    if positions.layout == "halves":
        return np.concatenate([np.sin(angles), np.cos(angles)], 1).astype(np.float32)
    return np.stack([np.sin(angles), np.cos(angles)], -1).reshape(longest, width).astype(np.float32)


def _tokens(codec: Any) -> list[str]:
    """One name for each id, no two alike."""
    names = [*RESERVED, *codec.tokens(range(NUM_RESERVED, codec.vocabulary))]
    seen: set[str] = set()
    for place, name in enumerate(names):
        names[place] = f"{name}<{place}>" if name in seen else name
        seen.add(names[place])
    return names
