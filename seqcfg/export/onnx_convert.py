"""From a traced signature to an ONNX model, by tf2onnx."""

from __future__ import annotations

import contextlib
import logging
import re
from collections.abc import Collection, Iterator
from typing import Any

from seqcfg.errors import UserError
from seqcfg.export.onnx_operators import OPERATORS
from seqcfg.export.places import place_of
from seqcfg.lazy import quiet_standard_error, tf

OPSET = 18
LEFT_OUT = ("remove_back_to_back",)  # it joins two reshapes of which the second counts axes of the first by their places


def converted(signature: Any, name: str) -> Any:
    """An onnx.ModelProto whose inputs and outputs have the names of the concrete function's; raises UserError for what has no counterpart.

    Unlike tf2onnx's own calls it never makes a model with operators that ONNX has not; those that they get wrong are in
    onnx_operators.py.
    """
    tf2onnx = _tf2onnx()
    inputs, outputs = [[one.name for one in side if one.dtype != tf.resource] for side in (signature.inputs, signature.outputs)]
    renamed = {one: one.rpartition(":")[0] for one in inputs}
    renamed |= {one: output_name(own, renamed.values()) for one, own in zip(outputs, sorted(signature.structured_outputs), strict=True)}
    problems: list[str] = []
    with _listening(problems), quiet_standard_error():
        frozen = tf2onnx.tf_loader.from_function(signature, inputs, outputs)
        with tf.Graph().as_default() as graph:
            tf.import_graph_def(frozen, name="")
            found = tf2onnx.tfonnx.process_tf_graph(
                graph, opset=OPSET, input_names=inputs, output_names=outputs, tensors_to_rename=renamed, continue_on_error=True,
                custom_op_handlers={name: (handler, []) for name, handler in OPERATORS.items()},
            )  # fmt: skip
            if not problems:
                steps = tf2onnx.optimizer._get_optimizers().items()
                found = tf2onnx.optimizer.optimize_graph(found, False, {key: step for key, step in steps if key not in LEFT_OUT})
    if problems:
        raise _refusal(problems)
    return found.make_model(name)


def _refusal(problems: list[str]) -> UserError:
    """What tf2onnx means, in the words of the operators."""
    found = [re.search(r"op \[(\S+): (\w+)\] is not supported", one) for one in problems]
    missing = dict.fromkeys(f"{one[2]}{place_of(one[1])}" for one in found if one)
    if missing:
        return UserError(f"ONNX has no counterpart for {', '.join(missing)}", hint="take another layer, or export it as saved_model")
    return UserError(f"the model does not convert to ONNX: {'; '.join(dict.fromkeys(problems))[:400]}", hint="export it as saved_model")


def output_name(name: str, inputs: Collection[str]) -> str:
    """What an output is called: in an ONNX model no output has the name of an input."""
    return f"next_{name}" if name in inputs else name


@contextlib.contextmanager
def _listening(problems: list[str]) -> Iterator[None]:
    """Collects what tf2onnx writes as errors into its log, and nothing is printed: of operators it cannot convert it says no more."""

    class Collector(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            if record.levelno < logging.ERROR:
                return
            cause = record.exc_info[1] if record.exc_info else None
            problems.append(f"{cause or record.getMessage()}".partition("\n")[0].removeprefix("make_sure failure: "))

    log, handler = logging.getLogger("tf2onnx"), Collector()
    before = log.propagate, log.handlers[:], log.level
    log.propagate, log.handlers[:] = False, [handler]
    log.setLevel(logging.ERROR)
    try:
        yield
    finally:
        log.propagate, log.handlers[:] = before[0], before[1]
        log.setLevel(before[2])


def _tf2onnx() -> Any:
    try:
        import tf2onnx
        from tf2onnx import optimizer, tf_loader, tfonnx  # noqa: F401 -- attributes of the package
    except ImportError as error:
        raise UserError("tf2onnx is missing, which makes ONNX models", hint="pip install 'seqcfg[onnx]'") from error
    return tf2onnx
