"""Writing a TFLite file anew without what nobody reads, and with equal parts once."""

from __future__ import annotations

import functools
from typing import Any

from seqcfg.export.operators import schema
from seqcfg.lazy import np

ALIGNMENT = 16  # of buffers, as the format's schema asks


def slimmed(data: bytes) -> bytes:
    """The same model: names of tensors inside of graphs are left out, equal buffers, scales and zero points are held once.

    Several signatures repeat the scales of every kernel they share, and a scale for each row comes with a zero point of 8 bytes.
    Measured on a Transformer of 2.6 M weights with 3 signatures: dynamic_int8 3.87 -> 3.45 MB, float32 12.27 -> 12.15 MB.
    """
    model = schema().ModelT.InitFromPackedBuf(data, 0)
    for graph in model.subgraphs:
        outside = {*map(int, graph.inputs), *map(int, graph.outputs)}
        for number, tensor in enumerate(graph.tensors):
            if number not in outside:
                tensor.name = b""
    builder = _sharing_builder()(len(data))
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


@functools.cache
def _sharing_builder() -> Any:
    import flatbuffers

    builder: Any = flatbuffers.Builder

    class Sharing(builder):
        """Gives equal vectors one place, which the format allows."""

        def __init__(self, size: int):
            super().__init__(size)
            self._places: dict[tuple[str, bytes], int] = {}

        def CreateNumpyVector(self, x: Any) -> int:
            key = (x.dtype.str, x.tobytes())
            if key not in self._places:
                self._places[key] = self._aligned(x) if x.dtype == np.uint8 else super().CreateNumpyVector(x)
            return self._places[key]

        def _aligned(self: Any, x: Any) -> int:
            self.StartVector(1, x.size, ALIGNMENT)
            start = self.head - x.size
            self.head = start
            self.Bytes[start : start + x.size] = x.tobytes()
            self.vectorNumElems = x.size
            return self.EndVector()

    return Sharing
