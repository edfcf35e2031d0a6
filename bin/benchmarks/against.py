"""A recipe's training beside other loops of the same model, in turns: one written by hand, and OpenNMT-tf's own trainer."""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks import generated
from benchmarks.loading import Peer

NOT_KNOWN = "the loops it is compared with know recipes on bases/transformer.yaml; this one is not their model"


def add_options(command: argparse.ArgumentParser) -> None:
    command.add_argument("--bare", action="store_true", help="measure a hand-written loop of the same Transformer in turns")
    command.add_argument("--opennmt-tf", metavar="PYTHON", help="a Python that has OpenNMT-tf, whose trainer is measured in turns")


def measure(
    experiment: Any, prepared: Any, state: Any, ours: Callable[[int], dict[str, float]], dataset: Any, options: argparse.Namespace
) -> dict[str, Any]:
    """Target tokens per own CPU-second of each over windows of so many CPU-seconds, and ours divided by the others'; traces."""
    count = experiment.recipe.training.steps_per_call
    tools: dict[str, Callable[[float], dict[str, float]]] = {"ours": lambda seconds: generated.window(lambda _: ours(count), seconds)}
    traces: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as folder:
        if options.bare:
            bare = _bare(experiment, state, dataset)
            iterator = iter(dataset)
            tools["bare"] = lambda seconds: generated.window(lambda _: bare.run(iterator, count) | {"steps": count}, seconds)
            traces["bare"] = bare.update.experimental_get_tracing_count
        peers = []
        if options.opennmt_tf:
            sizes = json.dumps(_sizes(experiment.recipe) | {"threads": options.threads})
            peer = Peer("opennmt_tf_training_peer.py", options.opennmt_tf, experiment, prepared, Path(folder), sizes)
            peers.append(peer)
            tools["OpenNMT-tf"] = peer.window
        windows: dict[str, list[dict[str, float]]] = {name: [] for name in tools}
        for turn in range(1 + max(1, round(options.seconds / options.window))):
            for name, tool in tools.items():
                seen = tool(options.window if turn else options.warm_up)
                if turn:
                    windows[name].append(seen)
        for peer in peers:
            peer.close()
    rates = {name: [one["weight"] / one["cpu_seconds"] for one in seen] for name, seen in windows.items()}
    told = {name: {"median": round(statistics.median(found), 1), "windows": len(found)} for name, found in rates.items()}
    ratios = {name: _ratio(rates["ours"], found) for name, found in rates.items() if name != "ours"}
    return {"target_tokens_per_cpu_second": told, "ratio": ratios, "traces": {name: count() for name, count in traces.items()}}


def _ratio(ours: list[float], theirs: list[float]) -> dict[str, float]:
    pairs = [a / b for a, b in zip(ours, theirs, strict=True)]
    return {"median": round(statistics.median(pairs), 3), "min": round(min(pairs), 3), "max": round(max(pairs), 3)}


def _bare(experiment: Any, state: Any, dataset: Any) -> Any:
    """The loop written by hand, from the same weights; refused where it does not compute the recipe's loss."""
    from benchmarks.bare_loop import BareLoop

    from seqcfg.data.loader import signature
    from seqcfg.layers.create import view

    task = experiment.recipe.task
    values = {path: variable.read_value() for path, variable in state.weights.items()}
    bare = BareLoop(experiment.recipe, values, signature(task.features()))
    batch = next(iter(dataset))
    expected = float(task.losses(view(experiment.declaration, state.weights), batch)["loss"].total)
    if abs(float(bare.loss(batch, 0.0)[0]) / expected - 1.0) > 1e-4:
        raise SystemExit(f"--bare: {NOT_KNOWN}")
    return bare


def _sizes(recipe: Any) -> dict[str, Any]:
    """Those of the Transformer, as OpenNMT-tf calls them."""
    try:
        repeat = recipe.task.model.encoder.layers[2]
        attention, feed_forward = repeat.layer.layers
        return {
            "num_layers": repeat.times,
            "num_units": recipe.task.model.source_embedding.dim,
            "num_heads": attention.layer.num_heads,
            "ffn_inner_dim": feed_forward.layer.hidden,
            "dropout": attention.dropout,
        }
    except (AttributeError, IndexError, ValueError):
        raise SystemExit(f"--opennmt-tf: {NOT_KNOWN}") from None
