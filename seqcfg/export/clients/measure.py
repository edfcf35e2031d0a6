"""Runs a client of this folder on lines, in a process of its own, and says what that cost.

Arguments: a JSON file {"client", "model", "options", "lines", "batch_size", "timed"}, and the JSON file to write:
{"texts", "scores", "load_seconds", "seconds", "peak_bytes", "packages"}.
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
    answers, size, lines = [], order["batch_size"], order["lines"]
    for start in range(0, len(lines), size):
        answers += model(lines[start : start + size])
    seconds = []
    for line in order["timed"][:1] + order["timed"]:
        begun = time.perf_counter()
        model([line])
        seconds.append(time.perf_counter() - begun)
    told = {
        "texts": [text for text, _ in answers],
        "scores": [score for _, score in answers],
        "load_seconds": load_seconds,
        "seconds": seconds[1:],  # the first call of a shape may prepare something
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


def _peak_bytes() -> int:
    """Most memory this process ever held; 0 where the system does not tell. getrusage may tell that of the parent."""
    try:
        with open("/proc/self/status", encoding="ascii") as file:
            return next(int(line.split()[1]) * 1024 for line in file if line.startswith("VmHWM"))
    except OSError:
        return 0


if __name__ == "__main__":
    main()
