"""Operators of TensorFlow that tf2onnx 1.17 does not know or converts to something else, each in those of ONNX.

A converter takes tf2onnx's graph, the node, its name and an empty list, and replaces the node.
"""

from __future__ import annotations

from typing import Any

from seqcfg.lazy import np, tf


def _select(ctx: Any, node: Any, name: str, args: list[Any]) -> None:
    """ONNX's Where: tf2onnx takes a sum of products, in which an infinity that is not selected becomes NaN."""
    node.type, node.domain = "Where", ""


def _floor_div(ctx: Any, node: Any, name: str, args: list[Any]) -> None:
    """The quotient rounded downwards, where ONNX rounds integers towards 0: (x - mod(x, y)) / y, whose mod has the sign of y."""
    dtype, shape, output, (x, y) = ctx.get_dtype(node.output[0]), ctx.get_shape(node.output[0]), list(node.output), list(node.input)
    ctx.remove_node(name)
    if tf.dtypes.as_dtype(_numpy_type(dtype)).is_integer:
        rest = ctx.make_node("Mod", [x, y], name=f"{name}/mod", shapes=[shape], dtypes=[dtype])
        whole = ctx.make_node("Sub", [x, rest.output[0]], name=f"{name}/whole", shapes=[shape], dtypes=[dtype])
        ctx.make_node("Div", [whole.output[0], y], name=name, outputs=output, shapes=[shape], dtypes=[dtype])
        return
    quotient = ctx.make_node("Div", [x, y], name=f"{name}/quotient", shapes=[shape], dtypes=[dtype])
    ctx.make_node("Floor", quotient.output, name=name, outputs=output, shapes=[shape], dtypes=[dtype])


def _floor_mod(ctx: Any, node: Any, name: str, args: list[Any]) -> None:
    """ONNX's Mod of integers, whose sign is that of the divisor."""
    if not tf.dtypes.as_dtype(_numpy_type(ctx.get_dtype(node.output[0]))).is_integer:
        raise ValueError("a remainder of numbers that are no integers")
    node.type, node.domain = "Mod", ""


def _numpy_type(dtype: int) -> Any:
    from onnx import helper

    return helper.tensor_dtype_to_np_dtype(dtype)


def _erfc(ctx: Any, node: Any, name: str, args: list[Any]) -> None:
    """1 - erf(x), since ONNX has erf alone."""
    dtype, shape, output, values = ctx.get_dtype(node.output[0]), ctx.get_shape(node.output[0]), list(node.output), node.input[0]
    one = ctx.make_const(f"{name}/one", np.ones([], _numpy_type(dtype))).output[0]
    ctx.remove_node(name)
    error = ctx.make_node("Erf", [values], name=f"{name}/erf", shapes=[shape], dtypes=[dtype])
    ctx.make_node("Sub", [one, error.output[0]], name=name, outputs=output, shapes=[shape], dtypes=[dtype])


def _log1p(ctx: Any, node: Any, name: str, args: list[Any]) -> None:
    """log(1 + x), to the precision of 1 + x."""
    dtype, shape, output, values = ctx.get_dtype(node.output[0]), ctx.get_shape(node.output[0]), list(node.output), node.input[0]
    one = ctx.make_const(f"{name}/one", np.ones([], _numpy_type(dtype))).output[0]
    ctx.remove_node(name)
    more = ctx.make_node("Add", [values, one], name=f"{name}/more", shapes=[shape], dtypes=[dtype])
    ctx.make_node("Log", more.output, name=name, outputs=output, shapes=[shape], dtypes=[dtype])


def _scatter_nd(ctx: Any, node: Any, name: str, args: list[Any]) -> None:
    """Adds what falls on one place, where tf2onnx keeps the last."""
    from onnx import TensorProto, helper

    dtype, shape, output, (places, values, size) = (
        ctx.get_dtype(node.output[0]),
        ctx.get_shape(node.output[0]),
        list(node.output),
        node.input,
    )
    ctx.remove_node(name)
    places, size = (ctx.make_node("Cast", [one], attr={"to": TensorProto.INT64}).output[0] for one in (places, size))
    zero = helper.make_tensor(f"{name}/zero", dtype, [1], [0])
    table = ctx.make_node("ConstantOfShape", [size], attr={"value": zero}, shapes=[shape], dtypes=[dtype]).output[0]
    ctx.make_node(
        "ScatterND", [table, places, values], name=name, attr={"reduction": "add"}, outputs=output, shapes=[shape], dtypes=[dtype]
    )


def _rfft(ctx: Any, node: Any, name: str, args: list[Any]) -> None:
    """ONNX's DFT of the last axis, whose real and imaginary parts are one more axis."""
    shape, output, values = ctx.get_shape(node.output[0]), list(node.output), node.input[0]
    given, dtype = ctx.get_shape(values), ctx.get_dtype(values)
    ctx.remove_node(name)
    axis = ctx.make_const(f"{name}/axis", np.array([-1], np.int64)).output[0]
    whole = ctx.make_node("Unsqueeze", [values, axis], shapes=[[*given, 1]], dtypes=[dtype])
    attributes = {"axis": len(given) - 1, "onesided": 1}
    ctx.make_node("DFT", whole.output, name=name, attr=attributes, outputs=output, shapes=[[*shape, 2]], dtypes=[dtype])


def _part(place: int) -> Any:
    """A converter of the operator that takes the real part, 0, or the imaginary part, 1, of what `_rfft` makes."""

    def convert(ctx: Any, node: Any, name: str, args: list[Any]) -> None:
        shape, dtype, output, values = ctx.get_shape(node.output[0]), ctx.get_dtype(node.output[0]), list(node.output), node.input[0]
        ctx.remove_node(name)
        which = ctx.make_const(f"{name}/place", np.array(place, np.int64)).output[0]
        ctx.make_node("Gather", [values, which], name=name, attr={"axis": -1}, outputs=output, shapes=[shape], dtypes=[dtype])

    return convert


def _magnitude(ctx: Any, node: Any, name: str, args: list[Any]) -> None:
    """sqrt(re^2 + im^2)."""
    shape, dtype, output, values = ctx.get_shape(node.output[0]), ctx.get_dtype(node.output[0]), list(node.output), node.input[0]
    ctx.remove_node(name)
    axis = ctx.make_const(f"{name}/axis", np.array([-1], np.int64)).output[0]
    ctx.make_node("ReduceL2", [values, axis], name=name, attr={"keepdims": 0}, outputs=output, shapes=[shape], dtypes=[dtype])


OPERATORS = {
    "ComplexAbs": _magnitude,
    "Erfc": _erfc,
    "FloorDiv": _floor_div,
    "FloorMod": _floor_mod,
    "Imag": _part(1),
    "Log1p": _log1p,
    "RFFT": _rfft,
    "Real": _part(0),
    "ScatterNd": _scatter_nd,
    "Select": _select,
    "SelectV2": _select,
}
