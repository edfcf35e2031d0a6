"""A trained model as one graph: text or ids in, text, ids or probabilities out, search inside."""

from __future__ import annotations

from typing import Any

from seqcfg.decoding.composing import compose
from seqcfg.decoding.member import Member
from seqcfg.decoding.settings import Decoding
from seqcfg.errors import UserError
from seqcfg.lazy import tf

BLANK = r"[\s\v\x1c-\x1f\x{85}\p{Z}]*"  # what str.strip() removes


def exported_module(trained: Any, include_tokenizer: bool) -> tuple[Any, dict[str, Any]]:
    """A tf.Module that owns weights and tokenizers, and its signatures by name (concrete functions)."""
    task = trained.experiment.recipe.task
    module = new_module(trained)
    search = search_of(trained, module.weights)
    signatures = {"ids": concrete(lambda **inputs: ids_outputs(search(cut(inputs, trained))), specs(trained))}
    score = scoring_of(trained, module.weights)
    if hasattr(task, "encode_pairs"):
        signatures["score_ids"] = concrete(score, specs(trained) | target_specs())
    if not include_tokenizer:
        signatures = {"serving_default": signatures["ids"]} | {name: call for name, call in signatures.items() if name != "ids"}
        module.signatures_by_name = signatures
        return module, signatures
    if not hasattr(task, "encode_in_graph"):
        raise UserError(f"a {task.type} task takes no text inside a graph", hint="set include_tokenizer: false in the export section")
    module.codecs = {name: codec.graph() for name, codec in trained.codecs.items()}

    def answer(text: Any) -> dict[str, Any]:
        return _text_outputs(task, module.codecs, text, search(cut(task.encode_in_graph(module.codecs, text), trained)))

    def judge(source: Any, target: Any) -> dict[str, Any]:
        inputs, ids, lengths = task.encode_pairs_in_graph(module.codecs, source, target)
        return score(**inputs, target=ids, target_length=lengths)

    signatures = {"serving_default": concrete(answer, {"text": _texts("text")})} | signatures
    if hasattr(task, "encode_pairs_in_graph"):
        signatures["score"] = concrete(judge, {"source": _texts("source"), "target": _texts("target")})
    module.signatures_by_name = signatures
    return module, signatures


def new_module(trained: Any) -> Any:
    """A tf.Module that owns the weights, as `weights` {path: variable}."""
    module = tf.Module(name="model")
    names = {path: path.translate({ord("/"): ".", ord(":"): "."}) for path in trained.weights}
    module.weights = {path: tf.Variable(value, trainable=False, name=names[path]) for path, value in trained.weights.items()}
    return module


def concrete(function: Any, named: dict[str, Any]) -> Any:
    """The function of these named tensors, traced."""
    return tf.function(function, autograph=False).get_concrete_function(**named)


def scoring_of(trained: Any, weights: dict[str, Any], **context: Any) -> Any:
    """A function of the task's inputs and of outputs, `target` [n, time] with the end id inside `target_length` [n].

    It gives `token_log_probabilities` [n, time], 0 behind the lengths, and their sums `log_probabilities` [n].
    """
    recipe = trained.experiment.recipe

    def score(target: Any, target_length: Any, **inputs: Any) -> dict[str, Any]:
        member = Member(recipe.task, trained.declaration, weights, trained.codecs, trained.precision)
        stepper = recipe.task.stepper(member.view(**context))
        logits = tf.cast(stepper.logits(cut(inputs, trained), target, target_length), tf.float32)
        found = tf.gather(tf.nn.log_softmax(logits), target, batch_dims=2)  # a converted cross entropy underflows
        found = tf.where(tf.sequence_mask(target_length, tf.shape(target)[1]), found, 0.0)
        return {"log_probabilities": tf.reduce_sum(found, axis=1), "token_log_probabilities": found, "lengths": target_length}

    return score


def search_of(trained: Any, weights: dict[str, Any], **context: Any) -> Any:
    """The recipe's search as a function of the task's inputs; buffers are as long as the longest row demands. `context` is for views."""
    recipe = trained.experiment.recipe
    settings: Any = recipe.decoding or Decoding()

    def search(inputs: dict[str, Any]) -> Any:
        lengths = tf.reduce_max([inputs[name] for name in inputs if name.endswith("_length")], axis=0)
        limits = _limits(settings, lengths)
        member = Member(recipe.task, trained.declaration, weights, trained.codecs, trained.precision)
        inputs = inputs | _floors(settings, lengths, limits)
        stepper = compose([member], settings, [member.view(**context)], inputs)
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


def cut(inputs: dict[str, Any], trained: Any) -> dict[str, Any]:
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


def specs(trained: Any) -> dict[str, Any]:
    """Signature of the task's inputs, taken from an example."""
    example = trained.experiment.recipe.task.encode_texts(trained.codecs, ["a"])
    return {name: tf.TensorSpec([None] * value.ndim, value.dtype, name=name) for name, value in example.items()}


def target_specs() -> dict[str, Any]:
    """Signature of outputs that are given to be scored."""
    return {
        "target": tf.TensorSpec([None, None], tf.int32, name="target"),
        "target_length": tf.TensorSpec([None], tf.int32, name="target_length"),
    }


def _texts(name: str) -> Any:
    return tf.TensorSpec([None], tf.string, name=name)


def ids_outputs(found: Any) -> dict[str, Any]:
    return {"ids": found.tokens, "lengths": found.lengths, "scores": found.scores}


def _text_outputs(task: Any, codecs: dict[str, Any], text: Any, found: Any) -> dict[str, Any]:
    number = found.tokens.shape[1]
    flat = tf.reshape(found.tokens, [-1, tf.shape(found.tokens)[2]])
    texts = tf.reshape(task.decode_in_graph(codecs, flat, tf.reshape(found.lengths, [-1])), [-1, number])
    is_blank = tf.strings.regex_full_match(text, BLANK)[:, None]
    texts, scores = tf.where(is_blank, "", texts), tf.where(is_blank, 0.0, found.scores)
    outputs = {"text": texts[:, 0], "scores": scores[:, 0]}
    return outputs if number == 1 else outputs | {"n_best_text": texts, "n_best_scores": scores}


def described(signature: Any) -> dict[str, Any]:
    """{"inputs", "outputs": {name: [dtype, shape]}} of a concrete function."""

    def specs_of(tensors: dict[str, Any]) -> dict[str, Any]:
        return {name: [tensor.dtype.name, list(tensor.shape)] for name, tensor in tensors.items()}

    positional, named = signature.structured_input_signature
    return {"inputs": specs_of({one.name: one for one in positional} | named), "outputs": specs_of(signature.structured_outputs)}
