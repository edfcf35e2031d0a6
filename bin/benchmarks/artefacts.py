#!/usr/bin/env python3
"""What a run costs in each format it is exported to, one example at a time, beside `seqcfg decode`."""

from __future__ import annotations

import argparse
import dataclasses
import os
import statistics
import sys
import tempfile
from pathlib import Path
from typing import Any

FORMATS = (
    "saved_model", "tflite-float32", "tflite-float16", "tflite-dynamic_int8", "tflite-int8", "tflite-int16x8",
    "ctranslate2-float32", "ctranslate2-int8", "onnx",
)  # fmt: skip
RUN = "seqcfg decode"
THREADS = ("OMP_NUM_THREADS", "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS")


def add_options(command: argparse.ArgumentParser) -> None:
    command.add_argument("--run", required=True, help="folder of a run; its own exports are left alone")
    command.add_argument("--formats", nargs="+", default=list(FORMATS), metavar="LABEL", help="what it is exported to; all, if left out")
    command.add_argument("--checkpoint", default="best", help="best, last, average:N or a step number")
    command.add_argument("--set", action="append", default=[], metavar="PATH=VALUE", help="override a value of its recipe")
    command.add_argument("--sample", type=int, default=0, help="examples whose outputs are compared; 0 for the whole evaluation split")
    command.add_argument("--timed", type=int, default=64, help="examples that each process is given one by one")
    command.add_argument("--rounds", type=int, default=3, help="fresh processes of each model, in turns; medians count")
    command.add_argument("--data-root", help="folder of the corpora")
    command.add_argument("--cache-root", help="folder of prepared data")


def measure(options: argparse.Namespace) -> dict[str, Any]:
    """Size, milliseconds an example, peak memory and outputs of every format of a run; a table, too, on standard error."""
    from seqcfg.commands.export import sample_of
    from seqcfg.export.artefact import Export, probe_run, run_bytes
    from seqcfg.export.parity import cost_of, size_of
    from seqcfg.export.probe import probe
    from seqcfg.tasks.trained import open_run

    os.environ |= dict.fromkeys(THREADS, "1")
    overrides = tuple(options.set)
    trained: Any = open_run(options.run, options.checkpoint, overrides, _say)
    sample = sample_of(trained, None, options.data_root, options.cache_root).first(options.sample or None)
    timed = sample.some(options.timed)
    rows: dict[str, dict[str, Any]] = {RUN: {}}
    with tempfile.TemporaryDirectory() as place:
        models = _exported(Export(trained, sample, exports=Path(place), warn=_say), trained.experiment, options.formats, rows)
        costs: dict[str, list[Any]] = {name: [] for name in (RUN, *models)}
        for _ in range(options.rounds):
            costs[RUN].append(cost_of(run_bytes(trained), probe_run(trained, timed, overrides)))
            for name, (client, folder) in models.items():
                costs[name].append(cost_of(size_of(folder), probe(client, folder, [], timed)))
    for name, found in costs.items():
        rows[name] |= {field: statistics.median(getattr(cost, field) for cost in found) for field in found[0]._fields}
    print(_table(rows), file=sys.stderr)
    return {
        "run": trained.experiment.name, "checkpoint": trained.label, "compared": len(sample.lines), "timed": len(timed),
        "rounds": options.rounds, "threads": 1, "rows": rows,
    }  # fmt: skip


def _exported(export: Any, experiment: Any, formats: list[str], rows: dict[str, dict[str, Any]]) -> dict[str, tuple[str, Path]]:
    """{label: (client, folder)} of what the run can be exported to; what is said of outputs, or why there are none, goes into rows."""
    from seqcfg.errors import UserError
    from seqcfg.export.artefact import exporter_of

    models = {}
    for name in formats:
        exporter = exporter_of(experiment, name)
        bounds = dataclasses.replace(exporter.bounds, beyond="warn")
        try:
            folder, parity = export(dataclasses.replace(exporter, tolerance=bounds))
        except UserError as error:
            rows[name] = {"refused": str(error)}
            continue
        rows[name] = {"identical": parity.identical / max(1, parity.lines), "score_difference": parity.score_difference}
        for one in parity.metrics:
            rows[RUN][one.name], rows[name][one.name] = one.run, one.artefact
        models[name] = exporter.client, folder
    return models


def _table(rows: dict[str, dict[str, Any]]) -> str:
    """In Markdown."""
    metrics = [name for name in rows[RUN] if name not in ("bytes", "load_seconds", "median_ms", "slowest_ms", "peak_bytes", "cpu_ms")]
    head = ["", "same strings", *metrics, "MB", "CPU ms", "ms", "loading, s", "peak MB"]
    lines = [head, ["---"] * len(head)]
    for name, row in rows.items():
        if "refused" in row:
            lines.append([f"`{name}`", row["refused"].splitlines()[0], *[""] * (len(head) - 2)])
            continue
        same = f"{row['identical']:.1%}" if "identical" in row else ""
        values = [f"{row[metric]:.2f}" for metric in metrics]
        costs = [f"{row['bytes'] / 1e6:.2f}", f"{row['cpu_ms']:.1f}", f"{row['median_ms']:.1f}", f"{row['load_seconds']:.2f}"]
        lines.append([f"`{name}`", same, *values, *costs, f"{row['peak_bytes'] / 1e6:,.0f}"])
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _say(line: str) -> None:
    print(line, file=sys.stderr)
