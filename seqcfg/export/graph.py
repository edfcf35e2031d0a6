"""A trained model as one graph: text or ids in, text or ids out, search inside."""

from __future__ import annotations

from typing import Any

from seqcfg.decoding.composing import compose
from seqcfg.decoding.member import Member
from seqcfg.decoding.settings import Decoding
from seqcfg.errors import UserError
from seqcfg.lazy import tf

OUTSIDE = ("ensemble", "fusion", "noisy_channel", "minimum_risk")  # what decoding does beside the graph of one model
BLANK = r"[\s\v\x1c-\x1f\x{85}\p{Z}]*"  # what str.strip() removes


def exported_module(trained: Any, include_tokenizer: bool) -> tuple[Any, dict[str, Any]]:
    """A tf.Module that owns weights and tokenizers, and its signatures by name (concrete functions).

    Raises UserError where the recipe decodes with what a graph of one model does not do.
    """
    task = trained.experiment.recipe.task
    _refuse_what_is_outside(trained.experiment.recipe.decoding or Decoding())
    module = tf.Module(name="model")
    module.weights = {path: tf.Variable(value, trainable=False, name=path.replace("/", ".")) for path, value in trained.weights.items()}
    search = _search(trained, module.weights)
    specs = _specs(task, trained.codecs)
    ids = tf.function(lambda **inputs: _ids_outputs(search(_cut(inputs, trained))), autograph=False).get_concrete_function(**specs)
    module.signatures_by_name = {"ids": ids}
    if not include_tokenizer:
        return module, {"serving_default": ids}
    if not hasattr(task, "encode_in_graph"):
        raise UserError(f"a {task.type} task takes no text inside a graph", hint="set include_tokenizer: false in the export section")
    module.codecs = {name: codec.graph() for name, codec in trained.codecs.items()}

    def translate(text: Any) -> dict[str, Any]:
        found = search(_cut(task.encode_in_graph(module.codecs, text), trained))
        return _text_outputs(task, module.codecs, text, found)

    text = tf.function(translate, autograph=False).get_concrete_function(tf.TensorSpec([None], tf.string, name="text"))
    return module, {"serving_default": text, "ids": ids}


def _refuse_what_is_outside(settings: Any) -> None:
    for field in OUTSIDE:
        if getattr(settings, field):
            raise UserError(f"decoding.{field}: exported graphs do not do that", hint=f"export without it: --set decoding.{field}=null")


def _search(trained: Any, weights: dict[str, Any]) -> Any:
    """The recipe's search as a function of the task's inputs; buffers are as long as the longest row demands."""
    recipe = trained.experiment.recipe
    settings: Any = recipe.decoding or Decoding()

    def search(inputs: dict[str, Any]) -> Any:
        lengths = tf.reduce_max([inputs[name] for name in inputs if name.endswith("_length")], axis=0)
        limits = _limits(settings, lengths)
        member = Member(recipe.task, trained.declaration, weights, trained.codecs, trained.precision)
        inputs = inputs | _floors(settings, lengths, limits)
        stepper = compose([member], settings, [member.view()], tuple(name for name in inputs if name.startswith("rule_")))
        most = tf.maximum(tf.reduce_max(limits), 0)  # as long as the longest row may become: one search is enough
        return settings.search(stepper, inputs, most, limits=limits, lines=tf.range(tf.shape(lengths)[0]))

    return search


def _limits(settings: Any, lengths: Any) -> Any:
    """LengthLimit.longest for lengths [n] int32: a table of what Python computes, for exact rounding and for engines without float64."""
    longest = [settings.length_limit.longest(length, settings.max_length) for length in range(settings.max_source_length + 1)]
    return tf.gather(tf.constant(longest, tf.int32), lengths)


def _floors(settings: Any, lengths: Any, limits: Any) -> dict[str, Any]:
    """LengthFloor.shortest for lengths [n] int32, where the recipe asks for a floor."""
    floor = settings.length_floor
    if not (floor.ratio or floor.offset):
        return {}
    shortest = [floor.shortest(length) for length in range(settings.max_source_length + 1)]
    return {"rule_floor": tf.minimum(tf.gather(tf.constant(shortest, tf.int32), lengths), limits)}


def _cut(inputs: dict[str, Any], trained: Any) -> dict[str, Any]:
    """Inputs of at most max_source_length positions; the last id, which is the end id, stays the last."""
    most = (trained.experiment.recipe.decoding or Decoding()).max_source_length
    cut = dict(inputs)
    for name in [name for name in inputs if f"{name}_length" in inputs]:
        values, lengths = inputs[name], inputs[f"{name}_length"]
        last = tf.gather(values, tf.maximum(lengths - 1, 0), batch_dims=1)
        is_last = (tf.range(tf.shape(values)[1]) == most - 1) & (lengths > most)[:, None]
        cut[name] = tf.where(is_last, last[:, None], values)[:, :most]
        cut[f"{name}_length"] = tf.minimum(lengths, most)
    return cut


def _specs(task: Any, codecs: dict[str, Any]) -> dict[str, Any]:
    """Signature of the task's inputs, taken from an example."""
    example = task.encode_texts(codecs, ["a"])
    return {name: tf.TensorSpec([None] * value.ndim, value.dtype, name=name) for name, value in example.items()}


def _ids_outputs(found: Any) -> dict[str, Any]:
    return {"ids": found.tokens, "lengths": found.lengths, "scores": found.scores}


def _text_outputs(task: Any, codecs: dict[str, Any], text: Any, found: Any) -> dict[str, Any]:
    number = found.tokens.shape[1]
    flat = tf.reshape(found.tokens, [-1, tf.shape(found.tokens)[2]])
    texts = tf.reshape(task.decode_in_graph(codecs, flat, tf.reshape(found.lengths, [-1])), [-1, number])
    is_blank = tf.strings.regex_full_match(text, BLANK)[:, None]
    texts, scores = tf.where(is_blank, "", texts), tf.where(is_blank, 0.0, found.scores)
    outputs = {"text": texts[:, 0], "scores": scores[:, 0]}
    return outputs if number == 1 else outputs | {"n_best_text": texts, "n_best_scores": scores}
