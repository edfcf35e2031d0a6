"""The learning curves of runs, one picture for each figure that was recorded."""

from __future__ import annotations

from seqcfg.comparison.sides import Side
from seqcfg.reporting.pictures import Line, curves
from seqcfg.runs.history import History, is_number

TRAINING = {
    "rate": "Learning rate",
    "norm": "Norm of the gradients",
    "tokens_per_second": "Tokens per second",
    "padding": "Share of padding",
}
MAX_METRICS = 8  # validation figures that get a picture of their own


def learning_curves(sides: list[Side]) -> list[str]:
    """SVG pictures: losses first (training thin, validation thick), then other validation figures, then how training went."""
    histories = [(index, side.label, side.history) for index, side in enumerate(sides) if side.history is not None]
    names = list(dict.fromkeys(name for _, _, history in histories for point in history.points for name in point.metrics))
    others = [name for name in names if name != "loss"][:MAX_METRICS]
    losses = [_trained(index, label, history, "loss", is_faint=True) for index, label, history in histories]
    losses += [_validated(index, label, history, "loss") for index, label, history in histories]
    found = [curves("loss", "Loss (thin: training, thick: validation)", losses)]
    found += [curves(f"v-{name}", f"{name} (validation)", [_validated(*one, name) for one in histories]) for name in others]
    for name, title in TRAINING.items():
        found.append(curves(f"t-{name}", title, [_trained(*one, name) for one in histories], log_from=20 if name == "norm" else 1000))
    unit, seconds = ("hours", 3600) if max((history.seconds for _, _, history in histories), default=0) >= 7200 else ("minutes", 60)
    found.append(curves("time", "Loss by time of training (validation)", [_by_time(*one, seconds) for one in histories], unit))
    return [picture for picture in found if picture]


def _validated(index: int, label: str, history: History, name: str) -> Line:
    return Line(index, label, [(point.step, point.metrics[name]) for point in history.points if name in point.metrics])


def _trained(index: int, label: str, history: History, name: str, is_faint: bool = False) -> Line:
    points = [(record["step"], float(record[name])) for record in history.train if is_number(record.get(name))]
    return Line(index, label, points[1:] if name == "tokens_per_second" and len(points) > 1 else points, is_faint)


def _by_time(index: int, label: str, history: History, seconds: int) -> Line:
    return Line(index, label, [(point.seconds / seconds, point.metrics["loss"]) for point in history.points if "loss" in point.metrics])
