"""ONNX models in files: several that hold their weights once, in a file beside them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from seqcfg.errors import UserError

WEIGHTS = "weights.bin"
SMALLEST, ALIGNMENT = 1024, 64  # bytes: smaller arrays stay in the model; larger ones begin where they can be mapped into memory


def write_models(models: dict[str, Any], folder: Path) -> None:
    """Writes {file name: onnx.ModelProto} into the folder, and what they have in common once; checks each as it stands there.

    Raises UserError for a model that onnx.checker refuses.
    """
    import onnx

    places: dict[bytes, int] = {}
    with open(folder / WEIGHTS, "wb") as file:
        for model in models.values():
            for tensor in _tensors(model.graph):
                _move(tensor, file, places)
    for name, model in models.items():
        (folder / name).write_bytes(model.SerializeToString(deterministic=True))
        try:
            onnx.checker.check_model(str(folder / name), full_check=True)
        except (onnx.checker.ValidationError, onnx.shape_inference.InferenceError) as error:
            raise UserError(
                f"{name} is no valid ONNX model: {str(error).strip().splitlines()[0]}", hint="export it as saved_model"
            ) from error


def operators_of(model: Any) -> set[str]:
    """The operators of a model and of all graphs inside, by name."""
    return {node.op_type for graph in _graphs(model.graph) for node in graph.node}


def _graphs(graph: Any) -> Iterator[Any]:
    yield graph
    for node in graph.node:
        for attribute in node.attribute:
            for inner in [attribute.g] if attribute.HasField("g") else attribute.graphs:
                yield from _graphs(inner)


def _tensors(graph: Any) -> Iterator[Any]:
    for one in _graphs(graph):
        yield from one.initializer


def _move(tensor: Any, file: Any, places: dict[bytes, int]) -> None:
    """Puts the array of a tensor into the file, where none like it is there, and its place into the tensor."""
    from onnx import TensorProto, numpy_helper

    data = numpy_helper.to_array(tensor).tobytes()
    if len(data) < SMALLEST or tensor.data_type == TensorProto.STRING:
        return
    digest = hashlib.sha256(data).digest()
    if digest not in places:
        file.write(b"\0" * (-file.tell() % ALIGNMENT))
        places[digest] = file.tell()
        file.write(data)
    name, kind, dims = tensor.name, tensor.data_type, list(tensor.dims)
    tensor.Clear()
    tensor.name, tensor.data_type, tensor.data_location = name, kind, TensorProto.EXTERNAL
    tensor.dims.extend(dims)
    for key, value in (("location", WEIGHTS), ("offset", places[digest]), ("length", len(data))):
        entry = tensor.external_data.add()
        entry.key, entry.value = key, str(value)
