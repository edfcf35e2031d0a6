"""Messages of schemas/seqcfg/v1/recipe.proto. Written by `make schemas`; do not edit."""

from __future__ import annotations

import base64
from typing import Any

from google.protobuf import descriptor_pool, message_factory

_SCHEMA = base64.b64decode(
    "ChZzZXFjZmcvdjEvcmVjaXBlLnByb3RvEglzZXFjZmcudjEiMgoGUmVjaXBlEigKBmZpZWxkcxgBIAMoCzIQLnNlcWNmZy52MS5GaWVsZFIGZmllbGRzIkEK"
    "BUZpZWxkEhAKA2tleRgBIAEoCVIDa2V5EiYKBXZhbHVlGAIgASgLMhAuc2VxY2ZnLnYxLlZhbHVlUgV2YWx1ZSLkAQoFVmFsdWUSFAoEbnVsbBgBIAEoCEgA"
    "UgRudWxsEhoKB2Jvb2xlYW4YAiABKAhIAFIHYm9vbGVhbhIaCgdpbnRlZ2VyGAMgASgDSABSB2ludGVnZXISGAoGbnVtYmVyGAQgASgBSABSBm51bWJlchIU"
    "CgR0ZXh0GAUgASgJSABSBHRleHQSJQoEbGlzdBgGIAEoCzIPLnNlcWNmZy52MS5MaXN0SABSBGxpc3QSLgoHbWFwcGluZxgHIAEoCzISLnNlcWNmZy52MS5N"
    "YXBwaW5nSABSB21hcHBpbmdCBgoEa2luZCIuCgRMaXN0EiYKBWl0ZW1zGAEgAygLMhAuc2VxY2ZnLnYxLlZhbHVlUgVpdGVtcyIzCgdNYXBwaW5nEigKBmZp"
    "ZWxkcxgBIAMoCzIQLnNlcWNmZy52MS5GaWVsZFIGZmllbGRzYgZwcm90bzM="
)
_FILE = descriptor_pool.Default().AddSerializedFile(_SCHEMA)


def _message(name: str) -> Any:
    return message_factory.GetMessageClass(_FILE.message_types_by_name[name])


Recipe = _message("Recipe")
Field = _message("Field")
Value = _message("Value")
List = _message("List")
Mapping = _message("Mapping")
