#!/usr/bin/env python3
"""Decoding speed of a run, and of CTranslate2 on the same weights, in sentences per CPU-second of their own."""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.threads import use_threads

HERE = Path(__file__).resolve().parent
PEER = HERE / "ctranslate2_peer.py"
UNTRAINED = {"opennmt_tf": HERE / "opennmt_tf_decoding_peer.py", "joeynmt": HERE / "joeynmt_peer.py"}


def add_options(command: argparse.ArgumentParser) -> None:
    command.add_argument("--run", required=True, help="folder of a run; its tokenizers are used, and its weights without --recipe")
    command.add_argument("--checkpoint", default="best", help="best, last, average:N or a step number")
    command.add_argument("--recipe", help="a recipe to measure with untrained weights; --fixed-length then gives all tools the same work")
    command.add_argument("--set", action="append", default=[], metavar="PATH=VALUE", help="override a value of the recipe or of the run's")
    command.add_argument("--input", required=True, help="file of one sentence per line")
    command.add_argument("--lines", type=int, default=256, help="how many of them")
    command.add_argument("--jobs", nargs="+", default=["64,5", "64,1", "1,5", "1,1"], metavar="BATCH,WIDTH", help="what is measured")
    command.add_argument("--stop", default="full", help="when a beam ends: full is what CTranslate2 does")
    command.add_argument("--fixed-length", type=int, default=0, help="every output has so many tokens; 0 lets the model end")
    command.add_argument("--xla", default="auto", help="auto, always or never")
    command.add_argument("--seconds", type=float, default=5.0, help="passes over the lines are repeated so long; the best counts")
    command.add_argument("--warm-up", type=int, default=1, help="passes before, in which XLA may compile")
    command.add_argument("--threads", type=int, default=1, help="threads of either tool; 0 leaves it to them")
    command.add_argument("--peer", help="a Python that has ctranslate2; left out, only seqcfg is measured")
    command.add_argument(
        "--opennmt-tf", metavar="PYTHON", help="a Python that has OpenNMT-tf; wants --fixed-length, as its weights are its own"
    )
    command.add_argument("--joeynmt", metavar="PYTHON", help="a Python that has JoeyNMT; wants --fixed-length, too")


def measure(options: argparse.Namespace) -> dict[str, Any]:
    use_threads(options.threads)
    experiment, weights, codecs, lexicon = _model(options)
    lines = Path(options.input).read_text(encoding="utf-8").splitlines()[: options.lines]
    jobs = [tuple(int(number) for number in job.split(",")) for job in options.jobs]
    rows = [_ours(options, experiment, weights, codecs, lexicon, lines, batch, width) for batch, width in jobs]
    if options.peer:
        for row, peer in zip(rows, _theirs(options, experiment, weights, codecs, lines, jobs), strict=True):
            row["ctranslate2_per_cpu_second"] = round(peer["sentences"] / peer["cpu_seconds"], 1)
            row["ratio"] = round(row["sentences_per_cpu_second"] / row["ctranslate2_per_cpu_second"], 3)
            order = sorted(range(len(lines)), key=lambda place: -len(row["sources"][place]))  # as the peer sorts them
            same = sum(row["outputs"][place] == output for place, output in zip(order, peer["outputs"], strict=True))
            row["same_outputs"] = f"{same} of {len(lines)}"
    for name, python in (("opennmt_tf", options.opennmt_tf), ("joeynmt", options.joeynmt)):
        for row, peer in zip(rows, _untrained(options, name, python, experiment, codecs, lines, jobs) if python else [], strict=False):
            row[f"{name}_per_cpu_second"] = round(peer["sentences"] / peer["cpu_seconds"], 2)
            row[f"{name}_tokens"] = peer["tokens"]
            row[f"times_{name}"] = round(row["sentences_per_cpu_second"] / row[f"{name}_per_cpu_second"], 2)
    for row in rows:
        del row["outputs"], row["sources"]
    return {"recipe": experiment.name, "lines": len(lines), "stop": options.stop, "fixed_length": options.fixed_length, "rows": rows}


def _model(options: argparse.Namespace) -> tuple[Any, dict[str, Any], dict[str, Any], Any]:
    """The experiment, its weights, its tokenizers, and the lexicon where it has a shortlist."""
    from seqcfg.decoding.settings import Decoding
    from seqcfg.layers.create import initial_values
    from seqcfg.recipe.experiment import load
    from seqcfg.tasks.lexicons import lexicon_of
    from seqcfg.tasks.trained import open_run

    trained = open_run(options.run, options.checkpoint, [] if options.recipe else options.set)
    experiment: Any = load(options.recipe, options.set) if options.recipe else trained.experiment
    lexicon = lexicon_of(trained, experiment.recipe.decoding or Decoding())
    if not options.recipe:
        return experiment, trained.weights, trained.codecs, lexicon
    weights = {path: value.numpy() for path, value in initial_values(experiment.declaration, 1).items()}
    return experiment, weights, trained.codecs, lexicon


def _ours(
    options: argparse.Namespace, experiment: Any, weights: Any, codecs: Any, lexicon: Any, lines: list[str], batch: int, width: int
) -> dict[str, Any]:
    from seqcfg.decoding.beam import Beam
    from seqcfg.decoding.decoder import Decoder
    from seqcfg.decoding.settings import Decoding, LengthLimit

    length = options.fixed_length
    search: Any = Beam(width=width, stop=options.stop, min_length=length)
    if width == 1:
        from seqcfg.decoding.greedy import Greedy

        search = Greedy(min_length=length)
    settings = dataclasses.replace(experiment.recipe.decoding or Decoding(), search=search, batch_size=batch, xla=options.xla)
    if length:
        settings = dataclasses.replace(settings, max_length=length, length_limit=LengthLimit(ratio=0.0))
    parts = (experiment.recipe.task, experiment.declaration, weights, codecs, settings, experiment.recipe.training.precision)
    decoder = Decoder(*parts, lexicon=lexicon)
    for _ in range(options.warm_up):
        found = decoder.decode(lines)
    passes, begin = [], time.monotonic()
    while not passes or time.monotonic() - begin < options.seconds:
        start, cpu = time.monotonic(), time.process_time()
        found = decoder.decode(lines)
        passes.append((time.process_time() - cpu, time.monotonic() - start))
    cpu_seconds, seconds = min(passes)
    ids = [one.ids[0] for one in found]
    return {
        "batch": batch,
        "width": width,
        "sentences_per_cpu_second": round(len(lines) / cpu_seconds, 1),
        "sentences_per_second": round(len(lines) / seconds, 1),
        "tokens": sum(len(one) for one in ids),
        "compiled_shapes": sum(row["xla"] for row in decoder.ways),
        "outputs": ["".join(f"p{number}" for number in one) for one in ids],
        "sources": _sources(experiment, codecs, lines),
    }


def _sources(experiment: Any, codecs: Any, lines: list[str]) -> list[list[int]]:
    return codecs[experiment.recipe.task.source_tokenizer].encode(lines)


def _theirs(options: argparse.Namespace, experiment: Any, weights: Any, codecs: Any, lines: list[str], jobs: Any) -> list[dict[str, Any]]:
    from seqcfg.lazy import np

    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "weights.npz"
        np.savez(file, **weights)
        order = _order(options, experiment, codecs, lines, jobs)
        order |= {"weights": str(file), "heads": order["sizes"]["heads"], "shortest": options.fixed_length or 1}
        return _asked(options.peer, PEER, order)


def _untrained(
    options: argparse.Namespace, name: str, python: str, experiment: Any, codecs: Any, lines: list[str], jobs: Any
) -> list[dict[str, Any]]:
    """A tool with weights of its own, of the same sizes; outputs of one length make the work the same."""
    if not options.fixed_length:
        raise SystemExit(f"--{name.replace('_', '-')} wants --fixed-length")
    return _asked(python, UNTRAINED[name], _order(options, experiment, codecs, lines, jobs))


def _asked(python: str, script: Path, order: dict[str, Any]) -> list[dict[str, Any]]:
    threads = str(order["threads"] or "")
    environment = os.environ | ({"OMP_NUM_THREADS": threads} if threads else {})
    done = subprocess.run([python, str(script)], input=json.dumps(order), stdout=subprocess.PIPE, text=True, check=True, env=environment)
    found: list[dict[str, Any]] = json.loads(done.stdout.splitlines()[-1])
    return found


def _order(options: argparse.Namespace, experiment: Any, codecs: Any, lines: list[str], jobs: Any) -> dict[str, Any]:
    """What every peer is told."""
    vocabulary = codecs[experiment.recipe.task.target_tokenizer].vocabulary
    pieces = ["<pad>", "<unk>", "<s>", "</s>", *(f"p{number}" for number in range(4, vocabulary))]
    nodes = list(_nodes(experiment.declaration))
    feed_forward = [one for one in nodes if hasattr(one.component, "hidden") and "/decoder/" in one.path]
    sizes = {
        "layers": len(feed_forward),
        "width": feed_forward[0].inputs[0],
        "hidden": feed_forward[0].component.hidden,
        "heads": next(one.component.num_heads for one in nodes if hasattr(one.component, "num_heads")),
    }
    return {
        "sources": [[pieces[number] for number in row] for row in _sources(experiment, codecs, lines)],
        "pieces": pieces,
        "sizes": sizes,
        "longest": options.fixed_length or 100,
        "jobs": jobs,
        "threads": options.threads,
        "seconds": options.seconds,
    }


def _nodes(node: Any) -> Any:
    yield node
    for child in node.children.values():
        for one in child if isinstance(child, list) else [child]:
            yield from _nodes(one)


if __name__ == "__main__":
    raise SystemExit("run bin/bench decode")
