"""The only door to heavy libraries: each is imported on first use, so that commands without tensors start at once."""

from __future__ import annotations

import contextlib
import ctypes
import importlib
import os
import sys
import tempfile
from types import ModuleType

M_ARENA_MAX = -8  # glibc's malloc.h


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


@contextlib.contextmanager
def _without(*names: str):
    """Makes importing these packages fail within the block; they can be imported after it."""
    hidden = [name for name in names if name not in sys.modules]
    sys.modules.update(dict.fromkeys(hidden))  # type: ignore[arg-type] # None: there is no such module
    try:
        yield
    finally:
        for name in hidden:
            sys.modules.pop(name, None)


def _share_heaps() -> None:
    """Lets the threads of a small machine share one heap: with glibc's 8 per core a training process holds 100 MiB more.

    MALLOC_ARENA_MAX in the environment says otherwise. Many cores would wait for one another.
    """
    if sys.platform != "linux" or "MALLOC_ARENA_MAX" in os.environ or (os.cpu_count() or 1) > 4:
        return
    if (mallopt := getattr(ctypes.CDLL(None), "mallopt", None)) is not None:  # glibc alone has it
        mallopt(M_ARENA_MAX, 1)


def _load_tensorflow() -> ModuleType:
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    _share_heaps()
    with quiet_standard_error(), _without("keras", "h5py", "optree"):  # TensorFlow imports Keras unasked: 58 MiB for nothing
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
saved_model = LazyModule("tensorflow.core.protobuf.saved_model_pb2")  # the format of exported graphs
