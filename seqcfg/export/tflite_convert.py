"""From traced signatures to the bytes of a TFLite file."""

from __future__ import annotations

import re
from typing import Any

from seqcfg.errors import UserError
from seqcfg.export.places import place_of
from seqcfg.export.slim import slimmed
from seqcfg.lazy import quiet_standard_error, tf

NOISE = "scale out of expressed type range"  # said of every model with rounded activations, and means nothing


def convert(module: Any, signatures: dict[str, Any], precision: str, allow_flex: bool, place: str) -> bytes:
    """The file; `place` is an empty folder for TensorFlow's own form of the model. Raises UserError for what has no counterpart."""
    tf.saved_model.save(module, place, signatures=signatures)
    converter = tf.lite.TFLiteConverter.from_saved_model(place, signature_keys=list(signatures))
    if precision != "float32":
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
    if precision == "float16":
        converter.target_spec.supported_types = [tf.float16]
    if allow_flex:
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS, tf.lite.OpsSet.SELECT_TF_OPS]
    try:
        with quiet_standard_error():
            return slimmed(converter.convert())
    except Exception as error:
        if type(error).__name__ != "ConverterError":
            raise
        raise _refusal(str(error)) from error


def _refusal(message: str) -> UserError:
    """What the converter means, in the words of the operators."""
    if found := re.search(r"(?:TF Select|Flex|Custom) ops: (.*)", message):
        hint = "allow_flex: true uses TensorFlow's own, which need a larger runtime; or another layer"
        places = {name: place_of(operation) for name, operation in re.findall(r'fused\["(\w+):", "([^"@]+)', message)}
        missing = [f"{name}{places.get(name, '')}" for name in found[1].split(", ")]
        return UserError(f"TFLite has no counterpart for {', '.join(missing)}", hint=hint)
    told = [line for line in message.splitlines() if line.strip() and NOISE not in line] or [message]
    return UserError(f"the model does not convert to TFLite: {told[0].strip()[:300]}", hint="export it as saved_model")
