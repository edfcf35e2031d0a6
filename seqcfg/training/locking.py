"""What the lock of a run says: its recipe, its data as prepared, and the machine as TensorFlow sees it."""

from __future__ import annotations

from typing import Any

from seqcfg.data.hashes import folder_sha256
from seqcfg.lazy import tf
from seqcfg.runs import lockfile


def lock_of(experiment: Any, prepared: Any) -> dict[str, Any]:
    """The lock of an experiment as this machine would run it now."""
    tokenizers = {name: folder_sha256(prepared.folder / "tokenizers" / name) for name in prepared.codecs}
    data = {"fingerprint": prepared.fingerprint, "inputs": prepared.manifest.get("inputs", {}), "tokenizers": tokenizers}
    data["examples"] = {name: columns.num_examples for name, columns in prepared.splits.items()}
    devices = [
        tf.config.experimental.get_device_details(device).get("device_name", "GPU") for device in tf.config.list_physical_devices("GPU")
    ]
    return lockfile.new_lock(experiment, data, lockfile.hardware_class(threads(), devices))


def threads() -> tuple[int, int]:
    """Threads given to TensorFlow (inside, between) operations; 0 leaves the choice to it."""
    return tf.config.threading.get_intra_op_parallelism_threads(), tf.config.threading.get_inter_op_parallelism_threads()
