"""The page of an evaluation: what it says, and what a real browser makes of it."""

import re

import pytest

from seqcfg.evaluation import page as pages
from seqcfg.evaluation.differences import marked
from seqcfg.evaluation.page import chosen, page
from seqcfg.runs.html import histogram
from tests.browser import chromium, needs_browser

METRICS = [
    {"name": "bleu", "value": 31.5, "better": "higher", "signature": "nrefs:1|tok:13a",
     "interval": {"low": 30.0, "high": 33.0, "confidence": 0.95}},
    {"name": "wer", "value": None, "better": "lower", "signature": "case:lc", "interval": {}},
]  # fmt: skip
SUMMARY = {
    "split": "test", "checkpoint": "step-00000010", "step": 10, "lines": 3, "lines_cut": 0, "metrics": METRICS, "losses": {"loss": 1.25},
    "decoding": {"search": {"type": "beam", "width": 5}},
}  # fmt: skip
ATTENTION = {"source": ["a", "<b>"], "target": ["x", "y"], "weights": [[0.9, 0.1], [0.25, 0.75]]}


def sentence(line, reference, hypothesis, bleu, **more):
    return {
        "line": line, "source": f"source {line}", "references": [reference], "hypothesis": hypothesis, "log_probability": -float(line),
        "score": -0.5, "metrics": {"bleu": bleu, "wer": None if line == 2 else 5.0 * line},
    } | more  # fmt: skip


SENTENCES = [
    sentence(1, "a small dog", "a big dog runs", 9.5, attention=ATTENTION),
    sentence(2, "x", "<script>alert(1)</script>", 100.0),
    sentence(3, "Grüße & so", "Grüße & so", 20.25),
]


def test_words_that_differ_are_marked_on_the_side_that_has_them():
    assert marked("a small dog", "a big dog runs") == ("a <del>small</del> dog", "a <ins>big</ins> dog <ins>runs</ins>")
    assert marked("same words", "same words") == ("same words", "same words")
    assert marked("a b", "") == ("<del>a b</del>", "")


def test_single_words_are_compared_by_character():
    assert marked("laufen", "läuft") == ("l<del>a</del>uf<del>en</del>", "l<ins>ä</ins>uf<ins>t</ins>")


def test_text_is_never_markup():
    text = page("a <run>", SUMMARY, SENTENCES)
    assert "<script>alert" not in text and "&lt;script&gt;alert(1)" in text and "a &lt;run&gt;" in text
    assert marked("<b>", "<i>")[0].count("<del>") >= 1 and "<b>" not in marked("<b> x", "<i> x")[0]


def test_a_page_says_all_scores_and_needs_nothing_from_outside():
    text = page("run", SUMMARY, SENTENCES)
    assert "31.50" in text and "30.00 to 33.00 (95%)" in text and "&#8734;" in text and "beam search (width 5)" in text
    assert not re.search(r"""(src|href)=["']?(https?:)?//|@import|url\(""", text) and "default-src &#x27;none&#x27;" in text
    assert page("run", SUMMARY | {"lines": 0, "metrics": []}, []).count("<table") == 0


def test_a_long_corpus_shows_its_worst_lines_and_a_spread_of_the_others(monkeypatch):
    monkeypatch.setattr(pages, "MAX_LINES", 4)
    values = [50.0, 1.0, 60.0, 70.0, 2.0, 80.0, 90.0, 95.0]
    many = [sentence(number, "a", "b", value) for number, value in enumerate(values, 1)]
    assert [one["line"] for one in chosen(many, METRICS)] == [1, 2, 5, 6]  # the worst are 2 and 5
    assert [one["line"] for one in chosen(many, [METRICS[1]])] == [1, 4, 7, 8]  # less is better: the last are the worst
    assert "4 of 8 lines" in page("run", SUMMARY, many)


def test_a_histogram_counts_every_finite_value_once():
    picture = histogram("t", {"one": [1.0, 2.0, 2.0, float("nan")], "two": [5.0]})
    assert sorted(map(int, re.findall(r"<title>(\d+)</title>", picture))) == [1, 1, 2]
    assert "no values" in histogram("t", {"one": [float("inf")]})


@pytest.mark.slow
@needs_browser
def test_in_a_browser_the_table_sorts_filters_and_draws_attention_without_an_error(tmp_path):
    file = tmp_path / "page.html"
    file.write_text(page("run", SUMMARY, SENTENCES), encoding="utf-8")
    order = "return [...document.querySelectorAll('#lines tbody tr')].filter(r => !r.hidden).map(r => r.cells[0].textContent).join('')"
    click = "[...document.querySelectorAll('#lines th button')].find(b => b.textContent === arguments[0]).click()"
    with chromium() as browser:
        browser.open(file)
        orders = [browser.run(order)]
        for heading in ("bleu", "bleu", "wer", "wer", "source"):
            browser.run(click, heading)
            orders.append(browser.run(order))
        assert orders == ["123", "132", "231", "132", "312", "123"]  # what has no value stays last
        assert browser.run("return document.querySelector('th[aria-sort]').textContent") == "source"
        browser.run("const f = document.querySelector('input'); f.value = 'GRÜSSE'; f.value = 'grüße'; f.dispatchEvent(new Event('input'))")
        assert browser.run(order) == "3" and browser.run("return document.getElementById('lines-count').textContent") == "1"
        browser.run("const f = document.querySelector('input'); f.value = ''; f.dispatchEvent(new Event('input'))")
        browser.run("document.querySelector('details').open = true; return new Promise(requestAnimationFrame)")
        cells = "return [...document.querySelectorAll('details svg rect')].map(r => r.getAttribute('fill-opacity')).join(' ')"
        assert browser.run(cells) == "0.9 0.1 0.25 0.75"
        for width, height in ((1280, 900), (390, 844)):
            browser.resize(width, height)
            assert browser.run("return document.documentElement.scrollWidth - innerWidth") <= 0, f"{width} px: something sticks out"
        assert browser.run("return getComputedStyle(document.querySelector('#lines thead')).display") == "none"  # cards on a phone
        assert browser.log() == []
