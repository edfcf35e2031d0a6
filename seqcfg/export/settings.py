"""The recipe's `export:` section: what a run leaves behind for use without seqcfg."""

from __future__ import annotations

from seqcfg.component.component import param
from seqcfg.component.kinds import Exporter, Section
from seqcfg.export.saved_model import SavedModel


class Export(Section, type="export"):
    """Formats that `seqcfg export` can write for this recipe."""

    formats: list[Exporter] = param(factory=lambda: [SavedModel()], doc="One entry per format, each of another type.", affects="nothing")
