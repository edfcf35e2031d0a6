"""The recipe's `export:` section: what a run leaves behind for use without seqcfg."""

from __future__ import annotations

from collections.abc import Iterator

from seqcfg.component.component import param
from seqcfg.component.kinds import Exporter, Section
from seqcfg.export.saved_model import SavedModel


class Export(Section, type="export"):
    """Formats that `seqcfg export` can write for this recipe."""

    formats: list[Exporter] = param(
        factory=lambda: [SavedModel()], doc="One entry per format, or per way of writing it.", affects="nothing"
    )

    def check(self) -> Iterator[tuple[str, str, str]]:
        labels = [exporter.label for exporter in self.formats]
        if twice := next((label for label in labels if labels.count(label) > 1), ""):
            yield "formats", f"two entries would be written to exports/{twice}", "leave one of them out"
