"""Requests that TensorFlow Serving runs when it loads a model, so that the first user does not wait for it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from seqcfg.data.tf_record import write_record
from seqcfg.lazy import tf

PLACE = "assets.extra/tf_serving_warmup_requests"


def write_warmup(folder: Path, model: str, requests: list[tuple[str, dict[str, Any]]]) -> None:
    """Adds the requests (signature, {input: array}) to a SavedModel, as a TFRecord of tensorflow.serving.PredictionLog."""
    path = folder / PLACE
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "wb") as file:
        for signature, inputs in requests:
            write_record(file, _prediction_log(model, signature, inputs))


def _prediction_log(model: str, signature: str, inputs: dict[str, Any]) -> bytes:
    """PredictionLog{predict_log = 6: PredictLog{request = 1: PredictRequest{model_spec = 1, inputs = 2}}}.

    Field numbers: tensorflow_serving/apis/{prediction_log,predict,model}.proto.
    """
    spec = _field(1, model.encode()) + _field(3, signature.encode())
    request = _field(1, spec)
    for name in sorted(inputs):
        request += _field(2, _field(1, name.encode()) + _field(2, tf.make_tensor_proto(inputs[name]).SerializeToString(deterministic=True)))
    return _field(6, _field(1, request))


def _field(number: int, data: bytes) -> bytes:
    """A length-delimited field of protobuf's wire format."""
    size, rest = bytearray(), len(data)
    while rest > 0x7F:
        size.append(rest & 0x7F | 0x80)
        rest >>= 7
    size.append(rest)
    return bytes([number << 3 | 2]) + bytes(size) + data
