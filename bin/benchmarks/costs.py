"""What a training step costs by the size of what it trains: each size varied alone from a small Transformer, in one run."""

from __future__ import annotations

import argparse
import statistics
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks import generated, picture
from benchmarks.threads import use_threads

RECIPE = Path(__file__).resolve().parents[2] / "recipes" / "mt" / "demo_numbers_enfr.yaml"
BASE = {"depth": 2, "width": 64, "vocabulary": 1000, "length": 32, "accumulation": 1, "positions": 1024}
VARIED = {
    "depth": [1, 2, 4],
    "width": [64, 128, 256],
    "vocabulary": [1000, 4000, 16000],
    "length": [16, 32, 128],
    "accumulation": [1, 2, 4],
    "positions": [256, 1024, 4096],
}
BEGIN, END = "<!-- what bin/bench costs wrote -->", "<!-- end of what bin/bench costs wrote -->"


def add_options(command: argparse.ArgumentParser) -> None:
    command.add_argument("--vary", nargs="+", choices=list(VARIED), default=list(VARIED), help="which sizes")
    command.add_argument("--window", type=float, default=0.5, help="own CPU-seconds of a window")
    command.add_argument("--turns", type=int, default=3, help="windows of each, taken in turns; medians count")
    command.add_argument("--threads", type=int, default=1, help="threads of TensorFlow; 0 for as many as cores")
    command.add_argument("--write", metavar="PAGE", help="page whose table and picture are written anew")


def measure(options: argparse.Namespace) -> dict[str, Any]:
    """Own CPU-microseconds of a training step per target token, as depth, width, vocabulary, length and others vary alone."""
    use_threads(options.threads)
    asked = {name: VARIED[name] for name in options.vary}
    trainings = {sizes: _training(dict(sizes)) for sizes in _all_sizes(asked)}
    generated.warm_up(run for run, _ in trainings.values())
    windows: dict[Any, list[dict[str, float]]] = {sizes: [] for sizes in trainings}
    for _ in range(options.turns):
        for sizes, (run, _) in trainings.items():
            windows[sizes].append(generated.window(run, options.window))
    found = {name: _told(name, values, windows, trainings) for name, values in asked.items()}
    if options.write:
        write(Path(options.write), found)
    return {"base": BASE, "costs": found}


def _all_sizes(asked: dict[str, list[int]]) -> list[tuple[tuple[str, int], ...]]:
    """The base and what differs from it in one size, each once."""
    return list(dict.fromkeys(_with(name, value) for name, values in asked.items() for value in values))


def _with(name: str, value: int) -> tuple[tuple[str, int], ...]:
    return tuple((BASE | {name: value}).items())


def _training(sizes: dict[str, int]) -> tuple[Callable[[int], dict[str, float]], float]:
    """(a function that trains, floating-point operations of a step)."""
    from seqcfg.plan.walk import Batch
    from seqcfg.plan.work import flops
    from seqcfg.recipe.experiment import load

    overrides = {
        "vars.layers": sizes["depth"],
        "vars.width": sizes["width"],
        "vars.hidden": 2 * sizes["width"],
        "tokenizers.shared.vocab_size": sizes["vocabulary"],
        "training.accumulate_batches": sizes["accumulation"],
    }
    experiment = load(str(RECIPE), [f"{path}={value}" for path, value in overrides.items()])
    batch = Batch(sizes["positions"] // sizes["length"], sizes["length"], sizes["length"])
    run = generated.training(experiment, generated.dataset(experiment, batch))
    return run, sizes["accumulation"] * flops(experiment.declaration, batch)


def _told(name: str, values: list[int], windows: dict[Any, list[dict[str, float]]], trainings: dict[Any, Any]) -> dict[str, Any]:
    """Of one size: cost by value, and how much of the smallest one's would be there at size 0, by a straight line."""
    rows = []
    for value in values:
        seen, operations = windows[_with(name, value)], trainings[_with(name, value)][1]
        per_step = statistics.median(w["cpu_seconds"] / w["steps"] for w in seen)
        per_token = statistics.median(w["cpu_seconds"] / w["weight"] for w in seen)
        rows.append(
            {
                name: value,
                "microseconds_per_token": round(1e6 * per_token, 2),
                "milliseconds_per_step": round(1e3 * per_step, 2),
                "gflops_per_cpu_second": round(operations / per_step / 1e9, 1),
            }
        )
    key = "milliseconds_per_step" if name in ("positions", "accumulation") else "microseconds_per_token"
    fixed, slope = line([(row[name], row[key]) for row in rows])
    return {
        "rows": rows,
        "line": {"of": key, "fixed": round(fixed, 2), "slope": round(slope, 5), "fixed_share": round(fixed / rows[0][key], 3)},
    }


def line(points: list[tuple[float, float]]) -> tuple[float, float]:
    """(a, b) of y = a + b x through the first and the last of some points."""
    (x, y), (far_x, far_y) = points[0], points[-1]
    slope = (far_y - y) / (far_x - x)
    return y - slope * x, slope


def write(page: Path, found: dict[str, Any]) -> None:
    """Puts the table between the page's two marks, and the picture beside the page."""
    text = page.read_text(encoding="utf-8")
    before, rest = text.split(BEGIN)
    after = rest.split(END)[1]
    page.write_text(f"{before}{BEGIN}\n\n{_table(found)}\n{END}{after}", encoding="utf-8")
    curves = {name: [(row[name], row["microseconds_per_token"]) for row in one["rows"]] for name, one in found.items()}
    page.with_suffix(".svg").write_text(picture.panels(curves, "own CPU-microseconds per target token"), encoding="utf-8")


def _table(found: dict[str, Any]) -> str:
    lines = ["| | | µs per token | ms per step | GFLOP per CPU-second |", "|---|--:|--:|--:|--:|"]
    for name, one in found.items():
        for row in one["rows"]:
            value = f"**{row[name]:,}**" if row[name] == BASE[name] else f"{row[name]:,}"
            cells = (row["microseconds_per_token"], row["milliseconds_per_step"], row["gflops_per_cpu_second"])
            lines.append(f"| {name} | {value} | " + " | ".join(f"{cell:,.1f}" for cell in cells) + " |")
    return "\n".join(lines) + "\n"
