"""The lexicon that a decoding section asks for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from seqcfg.decoding.lexicon import Lexicon, load, tokens_digest
from seqcfg.errors import UserError

FILE_NAME = "lexicon.npz"


def lexicon_of(trained: Any, settings: Any) -> Lexicon | None:
    """That of decoding.shortlist, None where there is no shortlist; raises UserError where it is missing or of other tokens."""
    if settings.shortlist is None:
        return None
    path = Path(settings.shortlist.lexicon or trained.folder / FILE_NAME)
    lexicon, task = load(path), trained.experiment.recipe.task
    if lexicon.tokens != tokens_digest(task.source_codec(trained.codecs), task.target_codec(trained.codecs)):
        raise UserError(f"{path}: was made with other tokenizers than those of {trained.folder}", hint=f"seqcfg lexicon {trained.folder}")
    return lexicon
