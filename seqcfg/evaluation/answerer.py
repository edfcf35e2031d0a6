"""Answerer: a run opened for decoding, and how what it says is written."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from seqcfg.decoding.alignment import Aligner
from seqcfg.decoding.decoder import Decoder
from seqcfg.decoding.demands import Demand
from seqcfg.decoding.settings import Decoding
from seqcfg.decoding.with_outputs import with_outputs
from seqcfg.errors import UserError
from seqcfg.evaluation.written import Style
from seqcfg.tasks.lexicons import lexicon_of
from seqcfg.tasks.partners import partners_of
from seqcfg.tasks.trained import open_run, origin


class Asked(NamedTuple):
    """What is wanted of the outputs. `demanded` names the columns besides the input's that rows have: prefixes, phrases."""

    format: str = "text"
    n_best: int | None = None
    scores: bool = False
    tokens: bool = False
    alignments: bool = False
    demanded: tuple[str, ...] = ()


class Answerer:
    """Decodes rows of a text and what is demanded of its output, and writes what is asked for.

    `purpose` holds whatever changes an answer but the rows themselves: checkpoints and weights of the run and of the runs
    that its decoding names, its settings, and how outputs are written.
    """

    aligner_type: Any = Aligner

    def __init__(self, run: str, checkpoint: str, overrides: tuple[str, ...], asked: Asked, say: Callable[[str], None], workers: int = 1):
        trained: Any = open_run(run, checkpoint, overrides, say)
        task = trained.experiment.recipe.task
        settings = trained.experiment.recipe.decoding or Decoding()
        settings = with_outputs(settings, asked.n_best) if asked.n_best else settings
        self._task, self._settings = task, settings
        parts = (task, trained.declaration, trained.weights, trained.codecs, settings, trained.precision)
        partners = partners_of(trained, settings, say)
        if asked.demanded:
            target_codec_of(task, trained.codecs, "leave out --prefixes and --phrases")
        lexicon = lexicon_of(trained, settings)
        self.decoder = Decoder(*parts, partners, lexicon, workers)
        self.grows = asked.format == "text" and not asked.tokens and not asked.alignments  # a line may be shown before it is complete
        tokens_of = target_codec_of(task, trained.codecs, "leave out --tokens").tokens if asked.tokens else None
        self._asked, self._style = asked, Style(asked.format, asked.scores, tokens_of)
        self._aligner = self.aligner_type(*parts) if asked.alignments else None
        self.purpose = (
            purpose_of(trained, partners)
            | {"lexicon": lexicon.digest() if lexicon else None}
            | asked._asdict()
            | {"demanded": list(asked.demanded)}
        )

    def __call__(self, rows: list[tuple[str, ...]], first: int, progress: Callable[[int], None]) -> str:
        texts = [row[0] for row in rows]
        decoded = self.decoder.decode(texts, progress, first, self._demands(rows))
        links = self._aligner.links(texts, [one.ids for one in decoded]) if self._aligner else [None] * len(decoded)
        return "".join(self._style.decoded(first + place, one, link) for place, (one, link) in enumerate(zip(decoded, links, strict=True)))

    def _demands(self, rows: list[tuple[str, ...]]) -> list[Demand] | None:
        if not self._asked.demanded:
            return None
        columns = [dict(zip(self._asked.demanded, row[1:], strict=True)) for row in rows]
        return [Demand(one.get("prefixes", ""), phrases_of(one.get("phrases", ""))) for one in columns]


def phrases_of(line: str) -> tuple[str, ...]:
    """The phrases of a line, between tabs; empty ones are none."""
    return tuple(phrase for phrase in (part.strip() for part in line.split("\t")) if phrase)


def purpose_of(trained: Any, partners: list[Any]) -> dict[str, Any]:
    """What an answer depends on besides its input and how it is written: the run, the runs it is joined by, the settings."""
    fingerprint = trained.experiment.fingerprint
    return {
        "checkpoint": trained.label,
        "weights": origin(trained).weights,
        "model": fingerprint["model"],
        "decoding": fingerprint["decoding"],
        "partners": [[one.role, *one.origin] for one in partners],
    }


def target_codec_of(task: Any, codecs: dict[str, Any], remedy: str) -> Any:
    """The tokenizer of the task's outputs; raises UserError where outputs have no tokens."""
    if not hasattr(task, "target_codec"):
        raise UserError(f"outputs of the task {task.type} have no tokens", hint=remedy)
    return task.target_codec(codecs)
