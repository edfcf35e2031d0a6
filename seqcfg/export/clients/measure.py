"""Runs a client of this folder on lines, in a process of its own, and says what that cost.

Lines are texts, or the name of an .npz file of sounds, one array each.

Arguments: a JSON file {"client", "model", "options", "lines", "batch_size", "timed"}, and the JSON file to write:
{"texts", "scores", "load_seconds", "seconds", "cpu_seconds", "peak_bytes", "packages"}.
"""

import importlib.machinery
import json
import sys
import time
import types


def main() -> None:
    with open(sys.argv[1], encoding="utf-8") as file:
        order = json.load(file)
    begun = time.perf_counter()
    model = _load(order["client"]).Model(order["model"], **order["options"])
    load_seconds = time.perf_counter() - begun
    answers, size, lines, timed = [], order["batch_size"], _lines(order["lines"]), _lines(order["timed"])
    for start in range(0, len(lines), size):
        answers += model(lines[start : start + size])
    seconds, cpu_seconds = [], []
    for line in timed[:1] + timed:
        begun, cpu_begun = time.perf_counter(), time.process_time()
        model([line])
        seconds.append(time.perf_counter() - begun)
        cpu_seconds.append(time.process_time() - cpu_begun)
    told = {
        "texts": [text for text, _ in answers],
        "scores": [score for _, score in answers],
        "load_seconds": load_seconds,
        "seconds": seconds[1:],  # the first call of a shape may prepare something
        "cpu_seconds": cpu_seconds[1:],
        "peak_bytes": _peak_bytes(),
        "packages": sorted({name.partition(".")[0] for name in sys.modules}),
    }
    with open(sys.argv[2], "w", encoding="utf-8") as file:
        json.dump(told, file)


def _load(path: str) -> types.ModuleType:
    module = types.ModuleType("client")
    runner = importlib.machinery.SourceFileLoader("client", path)
    runner.exec_module(module)
    return module


def _lines(given: list | str) -> list:
    if isinstance(given, list):
        return given
    import numpy as np

    with np.load(given, allow_pickle=False) as arrays:
        return [arrays[f"arr_{number}"] for number in range(len(arrays.files))]


def _peak_bytes() -> int:
    """Most memory this process ever held; 0 where the system does not tell. getrusage may tell that of the parent."""
    try:
        with open("/proc/self/status", encoding="ascii") as file:
            return next(int(line.split()[1]) * 1024 for line in file if line.startswith("VmHWM"))
    except OSError:
        return 0


if __name__ == "__main__":
    main()
