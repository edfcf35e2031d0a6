"""What a comparison looks like: its document, the most consequential first."""

from __future__ import annotations

from seqcfg.comparison.changes import CLASSES, Change
from seqcfg.comparison.compare import Comparison
from seqcfg.comparison.consequences import Quantity, WeightChange
from seqcfg.comparison.decodes import Against, Line, Measured
from seqcfg.comparison.document import Block, Cell, Document, Entries, Entry, Lines, Section, Table, Tone, shortened
from seqcfg.comparison.facts import Fact
from seqcfg.comparison.figures import in_words, number
from seqcfg.comparison.outcome import Row

MARKS = {"spelled": "the default, written out", "type": "another type", "added": "added", "removed": "removed"}
TITLES = {
    "data": "data: what is learnt from",
    "model": "model",
    "training": "training",
    "decoding": "decoding and evaluation",
    "cosmetic": "cosmetic: changes no result",
}
MOST_WEIGHTS = 20  # rows of the table of weights; the JSON has all
LINE = 160  # characters of a source or an output that are shown


def document(comparison: Comparison) -> Document:
    """The whole comparison; parts without a difference are left out."""
    labels = [side.label for side in comparison.sides]
    sections = [
        *(_changes(part, comparison, labels) for part in CLASSES if part != "cosmetic"),
        _consequences(comparison, labels),
        _facts("data as it was read", comparison.data, labels),
        *_outcome(comparison, labels),
        _facts("environment", comparison.environment, labels),
        _changes("cosmetic", comparison, labels),
    ]
    title = " and ".join(side.text for side in comparison.sides) if len(labels) == 2 else ", ".join(side.text for side in comparison.sides)
    return Document(title, _lead(comparison), [section for section in sections if section.blocks])


def _lead(comparison: Comparison) -> list[Cell]:
    verdict = comparison.verdict
    has_runs = any(side.is_run for side in comparison.sides)
    notes = [Cell(note, "quiet") for side in comparison.sides for note in side.notes]
    if not comparison.differs and not has_runs:
        return [Cell("the same: no value differs", "good"), *notes]
    if not comparison.differs:
        return [Cell("the same in everything that was looked at", "good"), *notes]
    is_known = sum(side.is_run for side in comparison.sides) > 1
    what = "comparable" if is_known else "runs of them would be comparable"
    lead = [Cell(what, "good")] if verdict.is_comparable else [Cell(f"not comparable: {reason}", "bad") for reason in verdict.reasons]
    lead += [Cell(finding, "strong") for finding in verdict.findings]
    return [*lead, *(Cell(f"mind: {caution}") for caution in verdict.cautions), *notes]


def _changes(part: str, comparison: Comparison, labels: list[str]) -> Section:
    alike: dict[object, list[Change]] = {}
    for change in comparison.changes:
        if change.part == part:
            values = tuple((value.words, value.origin) for value in change.values)
            alike.setdefault((change.path.rpartition(".")[2], change.what, change.doc, values), []).append(change)
    return Section(TITLES[part], [Entries([_change(changes, labels) for changes in alike.values()])] if alike else [])


def _change(changes: list[Change], labels: list[str]) -> Entry:
    """One change, or several that say the same of one field at several places."""
    change, more = changes[0], len(changes) - 1
    default = f"Default: {change.default}." if change.default and change.what != "spelled" else ""
    values = [
        (label, Cell(value.words, "quiet" if value.is_absent or value.is_default else ""), value.origin)
        for label, value in zip(labels, change.values)
    ]
    head = f"{change.path} and at {more} more place{'s' if more > 1 else ''}" if more else change.path
    return Entry(head, values, " ".join(filter(None, (change.doc, default))), MARKS.get(change.what) or _ratio(change.ratio))


def _consequences(comparison: Comparison, labels: list[str]) -> Section:
    told = comparison.consequences
    blocks: list[Block] = []
    if quantities := [quantity for quantity in told.quantities if quantity.differs]:
        blocks.append(_quantities(quantities, labels))
    if told.weights:
        rows = [_weight(change) for change in told.weights[:MOST_WEIGHTS]]
        more = len(told.weights) - len(rows)
        note = f"and {more} more rows; --format json has all" if more else ""
        blocks.append(Table(["weights", "", "how many", *labels, "numbers"], rows, frozenset({2, len(labels) + 3}), note))
    return Section("consequences", blocks)


def _weight(change: WeightChange) -> list[Cell]:
    sizes = " -> ".join(f"{size:,}" for size in change.sizes) if len(set(change.sizes)) > 1 else f"{change.sizes[0]:,}"
    return [
        Cell(change.pattern),
        Cell(change.what, {"added": "good", "removed": "bad"}.get(change.what, "")),  # type: ignore[arg-type]
        Cell(str(change.count)),
        *(Cell(value or "none") for value in change.values),
        Cell(sizes),
    ]


def _quantities(quantities: list[Quantity], labels: list[str]) -> Table:
    rows = []
    for one in quantities:
        first, last = one.values[0], one.values[-1]
        change = _ratio(last / first) if first and last else ""
        rows.append([Cell(one.name), *(Cell(in_words(value, one.unit)) for value in one.values), Cell(change, "strong")])
    return Table(["", *labels, ""], rows, frozenset(range(1, len(labels) + 2)))


def _facts(title: str, facts: list[Fact], labels: list[str]) -> Section:
    rows = [
        [Cell(fact.name), *(Cell(value or "not told", "" if value else "quiet") for value in fact.values)] for fact in facts if fact.differs
    ]
    return Section(title, [Table(["", *labels], rows)] if rows else [])


def _outcome(comparison: Comparison, labels: list[str]) -> list[Section]:
    told, outputs = comparison.outcome, comparison.decodes
    blocks: list[Block] = []
    if told.rows:
        blocks.append(_rows(told.rows, labels))
    measured = [[*_measured(one)] for one in outputs.measured]
    for scores in outputs.scores:
        values = [Cell("" if value is None else number(value), "quiet") for value in scores.values]
        measured.append([Cell(f"{scores.metric} on {scores.split}"), *values, Cell(""), Cell("")])
    if measured:
        note = "in brackets: 95 % of corpora drawn from the same lines; p: approximate randomisation against the first that was evaluated"
        blocks.append(Table(["evaluated", *labels, "change", "p"], measured, frozenset({len(labels) + 2}), note))
    sections = [Section("outcome", blocks), *(_lines(one, labels) for one in _telling(outputs.measured))]
    quantities = list(told.speed)
    if any(seconds for seconds in outputs.seconds_per_line):
        quantities.append(Quantity("decoding, per line", "seconds", outputs.seconds_per_line))
    is_compared = any(sum(value is not None for value in one.values) > 1 for one in quantities)
    return [*sections, Section("speed", [_quantities(quantities, labels)] if is_compared else [])]


def _telling(measured: list[Measured]) -> list[Measured]:
    """For each split the metric that tells most lines apart."""
    best: dict[str, Measured] = {}
    for one in measured:
        if any(other.wins or other.losses for other in one.against) and (one.split not in best or _ties(one) < _ties(best[one.split])):
            best[one.split] = one
    return list(best.values())


def _ties(measured: Measured) -> int:
    return sum(one.ties for one in measured.against)


def _rows(rows: list[Row], labels: list[str]) -> Table:
    told = []
    for row in rows:
        known = [value for value in row.values if value is not None]
        best = (max if row.is_higher_better else min)(known) if len(set(known)) > 1 else None
        limit = f" ({in_words(row.limit, {'equal time': 'seconds'}.get(row.where, ''))})" if row.limit else ""
        cells = [_point(row, index, best) for index in range(len(labels))]
        told.append([Cell(row.metric), Cell(f"at {row.where}{limit}" if row.limit else "best"), *cells])
    return Table(["validation", "", *labels], told, frozenset(range(2, 2 + len(labels))))


def _point(row: Row, index: int, best: float | None) -> Cell:
    point, value = row.points[index], row.values[index]
    if point is None or value is None:
        return Cell("none", "quiet")
    tone: Tone = "good" if best is not None and value == best else ""
    return Cell(f"{number(value)} at {point.step:,}", tone)


def _measured(measured: Measured) -> list[Cell]:
    told = {one.side: one for one in measured.against}
    cells = [Cell(f"{measured.metric} on {measured.split}")]
    for interval in measured.intervals:
        cells.append(Cell("none", "quiet") if interval is None else Cell(f"{interval.value:.2f} [{interval.low:.2f}, {interval.high:.2f}]"))
    changes = [f"{one.randomization.difference:+.2f}" for one in told.values()]
    ps = [f"{one.randomization.p:.2g}" for one in told.values()]
    tones = {_tone(measured, one) for one in told.values()}
    return [*cells, Cell(", ".join(changes), tones.pop() if len(tones) == 1 else ""), Cell(", ".join(ps))]


def _tone(measured: Measured, against: Against) -> Tone:
    if not against.is_significant:
        return "quiet"
    return "good" if (against.randomization.difference > 0) == measured.is_higher_better else "bad"


def _lines(measured: Measured, labels: list[str]) -> Section:
    blocks: list[Block] = []
    for one in measured.against:
        label = labels[one.side]
        told = f"{label} is better on {one.wins:,} lines, worse on {one.losses:,} and equal on {one.ties:,}, by {measured.metric} of each"
        blocks.append(Lines([Cell(told)]))
        first = next(label for label, interval in zip(labels, measured.intervals) if interval is not None)
        if entries := [_line(line, first, label) for line in (*one.gained, *one.lost)]:
            blocks.append(Entries(entries, "line"))
    return Section(f"line by line, {measured.split}", blocks)


def _line(line: Line, first: str, second: str) -> Entry:
    outputs = [shortened(output, LINE) or "(empty)" for output in line.outputs]
    tone: Tone = "good" if line.values[1] > line.values[0] else "bad"
    values = [
        ("source", Cell(shortened(line.source, LINE)), ""),
        ("reference", Cell(shortened(line.reference, LINE)), ""),
        (first, Cell(outputs[0]), f"{line.values[0]:.1f}"),
        (second, Cell(outputs[1], tone), f"{line.values[1]:.1f}"),
    ]
    return Entry(str(line.number), values, is_stacked=True)


def _ratio(ratio: float | None) -> str:
    return f"x{ratio:.3g}" if ratio is not None and ratio != 1 else ""
