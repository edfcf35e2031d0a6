"""What a TFLite file computes: its operators, and which share of the multiply-adds is done on integers."""

from __future__ import annotations

import collections
import math
from typing import Any, NamedTuple

from seqcfg.errors import UserError

FREE = 16  # what an axis of unknown size counts, and the turns of a loop: as many positions as hypotheses
STEPWISE = ("encode", "step", "frames")  # what a search repeats: the body of its own loop has lost the sizes of axes


class Multiplied(NamedTuple):
    """Multiply-adds of one pass: all, with both factors integers, with an integer kernel alone.

    An integer kernel meets activations that the operator itself rounds to 8 bits (TFLite's hybrid operators).
    """

    total: int
    integers: int
    hybrid: int

    @property
    def share(self) -> float:
        return self.integers / self.total if self.total else 0.0

    @property
    def hybrid_share(self) -> float:
        return self.hybrid / self.total if self.total else 0.0


class Operators(NamedTuple):
    """operators: how often each occurs, by the names of TFLite's schema; custom: the names of those outside of it."""

    operators: dict[str, int]
    custom: list[str]
    multiplied: Multiplied


def operators_of(data: bytes) -> Operators:
    """Reads a file's operators without running it; raises UserError for bytes that are no TFLite model."""
    form = schema()
    if data[4:8] != b"TFL3":
        raise UserError("this is no TFLite model", hint="name a file that 'seqcfg export --format tflite' wrote")
    model = form.ModelT.InitFromObj(form.Model.GetRootAsModel(data, 0))
    names = {number: name for name, number in vars(form.BuiltinOperator).items() if isinstance(number, int)}
    types = {number: name for name, number in vars(form.TensorType).items() if isinstance(number, int)}
    counts: collections.Counter[str] = collections.Counter()
    total = integers = hybrid = 0
    turns = _turns(model, form)
    for number, graph in enumerate(model.subgraphs):
        for operator in graph.operators:
            name = names[_code(model, operator)]
            counts[name] += 1
            size = turns[number] * _multiply_adds(name, operator, graph.tensors)
            if size:
                first, second = (types[graph.tensors[operator.inputs[place]].type] for place in (0, 1))
                total += size
                integers += size if first in ("INT8", "INT16") and second in ("INT4", "INT8") else 0
                hybrid += size if first == "FLOAT32" and second in ("INT4", "INT8") else 0
    custom = sorted({code.customCode.decode() for code in model.operatorCodes if code.customCode})
    return Operators(dict(counts), custom, Multiplied(total, integers, hybrid))


def _turns(model: Any, form: Any) -> dict[int, int]:
    """How often each graph is counted: those of `STEPWISE` once and bodies of their loops once per turn; in other files all graphs once."""
    starts = {one.subgraphIndex for one in model.signatureDefs or [] if one.signatureKey.decode() in STEPWISE}
    turns = dict.fromkeys(range(len(model.subgraphs)), 0 if starts else 1)
    waiting = [(number, 1) for number in starts]
    while waiting:
        number, times = waiting.pop()
        turns[number] += times
        for operator in model.subgraphs[number].operators:
            if _code(model, operator) == form.BuiltinOperator.WHILE:
                waiting.append((operator.builtinOptions.bodySubgraphIndex, FREE * times))
    return turns


def _code(model: Any, operator: Any) -> int:
    code = model.operatorCodes[operator.opcodeIndex]
    return int(max(code.builtinCode, code.deprecatedBuiltinCode))


def _multiply_adds(name: str, operator: Any, tensors: list[Any]) -> int:
    """Of one operator; 0 for those that multiply no matrices."""
    if name not in ("FULLY_CONNECTED", "BATCH_MATMUL", "CONV_2D", "DEPTHWISE_CONV_2D"):
        return 0
    kernel, result = (_shape(tensors[place]) for place in (operator.inputs[1], operator.outputs[0]))
    if name == "BATCH_MATMUL":
        inner = _shape(tensors[operator.inputs[0]])[-2 if operator.builtinOptions.adjX else -1]
        free = _signature(tensors[operator.outputs[0]])
        # Positions are counted where the query's axis is free: a free first axis beside it is the one sentence.
        return math.prod(result) * inner // (FREE if len(free) > 2 and free[0] < 0 and free[-2] < 0 else 1)
    per_result = math.prod(kernel[1:3]) if name == "DEPTHWISE_CONV_2D" else math.prod(kernel[1:])
    return math.prod(result) * per_result


def _signature(tensor: Any) -> list[int]:
    """Sizes of axes, -1 where any will do."""
    free = tensor.shapeSignature if tensor.shapeSignature is not None and len(tensor.shapeSignature) else tensor.shape
    return [int(size) for size in (free if free is not None else [])]


def _shape(tensor: Any) -> list[int]:
    return [FREE if size < 0 else size for size in _signature(tensor)]


def schema() -> Any:
    """Python's classes of TFLite's file format; raises UserError where they are missing."""
    try:
        from ai_edge_litert import schema_py_generated
    except ImportError as error:
        raise UserError(
            "ai-edge-litert is missing, with which TFLite models are read and run", hint="pip install 'seqcfg[litert]'"
        ) from error
    return schema_py_generated
