"""The only door to heavy libraries: each is imported on first use, so that commands without tensors start at once."""

from __future__ import annotations

import contextlib
import importlib
import os
import sys
import tempfile
from types import ModuleType


class LazyModule(ModuleType):
    """Stands for a module and imports it when an attribute is first read."""

    def __init__(self, name: str, load=None):
        super().__init__(name)
        self.__dict__["_load"] = load or (lambda: importlib.import_module(name))
        self.__dict__["_module"] = None

    def __getattr__(self, attribute: str):
        if attribute.startswith("__") and attribute.endswith("__") and self.__dict__["_module"] is None:
            raise AttributeError(attribute)  # inspection must not load the library
        if self.__dict__["_module"] is None:
            self.__dict__["_module"] = self.__dict__["_load"]()
        return getattr(self.__dict__["_module"], attribute)


@contextlib.contextmanager
def quiet_standard_error():
    """Captures file descriptor 2 (C++ libraries write there) and replays it only when the block fails."""
    if os.environ.get("SEQCFG_VERBOSE"):
        yield
        return
    sys.stderr.flush()
    saved = os.dup(2)
    with tempfile.TemporaryFile() as captured:
        os.dup2(captured.fileno(), 2)
        try:
            yield
        except BaseException:
            captured.seek(0)
            os.write(saved, captured.read())
            raise
        finally:
            os.dup2(saved, 2)
            os.close(saved)


def _load_tensorflow() -> ModuleType:
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    with quiet_standard_error():
        module = importlib.import_module("tensorflow")
        module.config.list_physical_devices()  # the device probe logs here, too
    return module


def _load_tensorflow_text() -> ModuleType:
    with quiet_standard_error():
        return importlib.import_module("tensorflow_text")


tf = LazyModule("tensorflow", _load_tensorflow)
xla_ops = LazyModule("xla_ops", lambda: importlib.import_module("tensorflow.compiler.tf2xla.ops.gen_xla_ops"))  # not in tf.raw_ops
tf_text = LazyModule("tensorflow_text", _load_tensorflow_text)
sentencepiece = LazyModule("sentencepiece")
np = LazyModule("numpy")
xplane = LazyModule("tensorflow.tsl.profiler.protobuf.xplane_pb2")  # the format of traces
