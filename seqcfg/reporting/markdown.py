"""The report for a pull request: tables alone, short enough to be read there."""

from __future__ import annotations

from seqcfg.comparison.as_markdown import as_markdown
from seqcfg.comparison.document import Document
from seqcfg.reporting import sections
from seqcfg.reporting.report import Report


def markdown(report: Report, num_samples: int) -> str:
    """GitHub's Markdown; curves and attention stand in the HTML form alone."""
    parts = [
        sections.summary(report),
        sections.sweep(report),
        sections.claims(report),
        *(sections.differences(report) or [sections.settings(report)]),
        sections.results(report),
        sections.sample_section(report, num_samples),
        sections.data(report),
        sections.environment(report),
    ]
    lead = [cell for block in sections.verdict(report).blocks for cell in getattr(block, "lines", [])]
    return as_markdown(Document(report.title, lead, [part for part in parts if part.blocks]))
