"""A document as text, Markdown and HTML: what others wrote is shown as it is, and never becomes markup."""

import re

from seqcfg.comparison.as_html import as_html
from seqcfg.comparison.as_markdown import as_markdown
from seqcfg.comparison.as_text import as_text
from seqcfg.comparison.document import Cell, Document, Entries, Entry, Lines, Section, Table
from seqcfg.comparison.figures import duration, in_words

HOSTILE = "<script>alert(1)</script> | **bold** `code` [x](http://y)"
DOCUMENT = Document(
    HOSTILE,
    [Cell("all is well", "good")],
    [
        Section("lines", [Lines([Cell(HOSTILE)])]),
        Section("table", [Table(["name", HOSTILE], [[Cell(HOSTILE), Cell("1", "bad")], [Cell("日本"), Cell("20")]], frozenset({1}))]),
        Section("entries", [Entries([Entry("a.b", [("one", Cell("1"), "x.yaml:3"), ("two", Cell(HOSTILE), "")], "Its meaning.", "x2")])]),
    ],
)


def test_html_holds_no_markup_of_others_and_fetches_nothing():
    page = as_html(DOCUMENT)
    assert "<script" not in page and page.count("&lt;script&gt;") >= 4
    assert not re.findall(r'(?:src|href)="(?!data:,)', page) and "@import" not in page and "url(" not in page
    assert "prefers-color-scheme: dark" in page and "@media print" in page and 'name="viewport"' in page


def test_markdown_escapes_what_would_be_markup():
    text = as_markdown(DOCUMENT)
    rows = [line for line in text.splitlines() if line.startswith("|") and "script" in line]
    assert "<script" not in text and "**bold**" not in text and "](" not in text.replace("\\](", "")
    assert all(len(re.findall(r"(?<!\\)\|", row)) == 3 for row in rows if row.count("alert") < 2 and "a.b" not in row)
    assert "| `a.b` | 1<br><sub>x.yaml:3</sub> |" in text


def test_text_aligns_columns_and_counts_wide_characters():
    lines = as_text(DOCUMENT).splitlines()
    start = next(number for number, line in enumerate(lines) if line.endswith("name  " + " " * 0) or line.strip().startswith("name"))
    header, first, second = lines[start : start + 3]
    assert first.endswith(" 1") and second.endswith(" 20") and len(header) == len(first) == len(second) + 2  # two wide characters
    assert "\x1b[" not in as_text(DOCUMENT) and "\x1b[31m" in as_text(DOCUMENT, colors=True)


def test_long_values_stand_below_one_another_with_their_places():
    text = as_text(DOCUMENT)
    assert "  a.b:  (x2)\n      Its meaning.\n      one  1  x.yaml:3\n      two  <script>" in text


def test_figures_are_told_in_units_people_use():
    assert [duration(seconds) for seconds in (0.0123, 1, 75, 7500)] == ["12.3 ms", "1.0 s", "1 min 15 s", "2 h 05 min"]
    assert [in_words(1536, "bytes"), in_words(1234567, ""), in_words(None, "")] == ["1.5 KiB", "1,234,567", "none"]
