"""The lexicon that a decoding section asks for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from seqcfg.decoding.lexicon import Lexicon, load, tokens_digest
from seqcfg.errors import UserError

FILE_NAME = "lexicon.npz"


def lexicon_of(trained: Any, settings: Any) -> Lexicon | None:
    """The one that decoding.shortlist or decoding.unknown_words names, None where neither wants one.

    Raises UserError where it is missing or of other tokens, or where they name two.
    """
    if not settings.needs_lexicon:
        return None
    named = {one.lexicon for one in (settings.shortlist, settings.unknown_words) if one is not None and one.lexicon}
    if len(named) > 1:
        raise UserError("decoding.shortlist and decoding.unknown_words name different lexicons", hint="one serves both")
    path = Path(named.pop() if named else trained.folder / FILE_NAME)
    lexicon, task = load(path), trained.experiment.recipe.task
    if lexicon.tokens != tokens_digest(task.source_codec(trained.codecs), task.target_codec(trained.codecs)):
        raise UserError(f"{path}: was made with other tokenizers than those of {trained.folder}", hint=f"seqcfg lexicon {trained.folder}")
    return lexicon
