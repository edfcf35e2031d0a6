"""The report of runs: what it says in each form, how large it gets, and what a real browser makes of the page."""

import json
import random
import re

import pytest

from seqcfg.cli import main
from seqcfg.errors import UserError
from seqcfg.recipe.experiment import load
from seqcfg.reporting.markdown import markdown
from seqcfg.reporting.page import page
from seqcfg.reporting.pictures import COLORS, Line, curves, heat_map, thinned
from seqcfg.reporting.report import MAX_RUNS, gather
from seqcfg.reporting.samples import samples
from seqcfg.runs.records import Records
from tests.browser import chromium, needs_browser
from tests.comparison.synthetic import RECIPE, make_run

CLAIMS = "claims:\n  - {metric: exact_match, split: test, value: %s, tolerance: 1.0, source: 'a <paper>'}\n"
ATTENTION = {"source": ["$a", "<b>", "c"], "target": ["x", "y"], "weights": [[0.9, 0.1, 0.0], [0.25, 0.5, 0.25]]}


def add_attention(run):
    """Two lines whose attention was kept, in the form runs/evaluations.py describes."""
    folder = next((run / "evaluations").iterdir())
    (folder / "attention.jsonl").write_text("".join(json.dumps({"line": line} | ATTENTION) + "\n" for line in (1, 2)))


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("report")
    one = make_run(folder / "narrow", RECIPE + CLAIMS % 1.0, rate=0.3)
    other = make_run(folder / "wide", RECIPE.replace("dim: 16", "dim: 32") + CLAIMS % 99.0, rate=0.1, seed=2)
    add_attention(one)
    return [str(one), str(other)]


@pytest.fixture(scope="module")
def both(runs):
    return page(gather(runs), 6)


def headings(html):
    return re.findall(r"<h2>(.*?)</h2>", html)


def test_the_page_has_every_part_and_nothing_from_outside(both):
    assert headings(both)[:4] == ["summary", "are they comparable?", "claims", "learning curves"]
    assert {"evaluations", "samples", "attention", "recipes", "data", "environment", "model"} <= set(headings(both))
    local = re.sub(r'xmlns(:\w+)?="[^"]*"', "", both)
    assert not re.search(r"""(src|href)=["']?(https?:)?//|@import|url\((?!#)""", local)
    assert "default-src &#x27;none&#x27;" in both


def test_curves_of_all_runs_are_drawn_in_colours_of_the_page(both):
    assert both.count("<figure>") >= 6
    assert "var(--run-0)" in both and "var(--run-1)" in both
    assert not [color for color in (*COLORS, "#010101", "#020202", "#030303") if color in both]


def test_values_that_differ_among_runs_are_marked_where_they_stand(both):
    assert re.search(r"dim: <span[^>]*><mark><b>16</b></mark></span>", both)
    assert re.search(r"dim: <span[^>]*><mark><b>32</b></mark></span>", both)
    assert both.count("<mark>") == 2 + 2 + 1  # the widths, the claims, and the legend's own


def test_claims_are_held_against_what_was_measured(both):
    part = both[both.index("<h2>claims") : both.index("<h2>learning curves")]
    assert part.count(">holds<") == 1 and part.count(">missed<") == 1
    assert "a &lt;paper&gt;" in part


def test_attention_is_a_picture_where_a_run_has_stored_it(both, runs):
    part = both[both.index("<h2>attention") : both.index("<h2>recipes")]
    assert part.count("<svg") == 2 and "data:image/png;base64" in part and "&lt;b&gt;" in part
    assert "attention" not in headings(page(gather(runs[1:]), 2))


def test_a_single_run_has_no_comparison(runs):
    found = headings(page(gather(runs[:1]), 6))
    assert "summary" in found and "are they comparable?" not in found


def test_markdown_holds_the_tables_and_no_picture(runs):
    text = markdown(gather(runs), 6)
    assert text.startswith("## narrow, wide") and "### Samples" in text and "### Claims" in text
    assert "<svg" not in text and "<b>" not in text
    assert "settings that are not the default" in markdown(gather(runs[:1]), 6).lower()


def test_half_of_the_samples_are_telling_and_all_are_whole_lines(runs):
    found = samples(gather(runs).evaluations, 8)["test"]
    assert len(found) == 8 and [one.number for one in found] == sorted(one.number for one in found)
    assert sum(set(one.outputs) != {one.reference} for one in found) >= 4


@pytest.mark.slow
def test_a_page_of_many_long_runs_stays_below_three_megabytes(tmp_path):
    names = []
    for number in range(12):
        run = make_run(tmp_path / f"run{number}", seed=number, lines=200)
        rng = random.Random(number)
        with Records(run / "records.jsonl") as records:
            for step in range(50, 5000):
                values = {name: rng.random() + 1 for name in ("loss", "rate", "norm", "padding", "tokens_per_second")}
                records.append(step, "train", **values)
                records.append(step, "validation", loss=rng.random(), exact_match=rng.random(), nll=rng.random(), perplexity=rng.random())
        names.append(str(run))
    assert len(page(gather(names), 12).encode()) < 3e6


def test_what_cannot_be_reported_is_refused(runs, tmp_path):
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text(RECIPE)
    load(recipe)
    with pytest.raises(UserError, match="is a recipe, and a report is about runs"):
        gather([str(recipe)])
    with pytest.raises(UserError, match=f"{MAX_RUNS} is the most"):
        gather([f"{runs[0]}{'/.' * n}" for n in range(MAX_RUNS + 1)])


def test_the_command_writes_beside_the_run_or_where_it_is_told(runs, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["report", runs[1]]) == 0
    assert "wide/report.html written: 1 runs" in capsys.readouterr().err
    assert main(["report", *runs, "--output", "mine.html"]) == 0
    assert (tmp_path / "mine.html").read_text().startswith("<!DOCTYPE html>")
    assert main(["report", *runs, "--format", "markdown"]) == 0
    assert capsys.readouterr().out.startswith("## ")


def test_curves_are_thinned_to_what_can_be_seen_and_keep_their_ends():
    points = [(float(x), float(x)) for x in range(10_001)] + [(10_002.0, float("nan"))]
    found = thinned(points)
    assert len(found) == 400 and (found[0], found[-1]) == ((0.0, 0.0), (10_000.0, 10_000.0))
    assert curves("empty", "Nothing", [Line(0, "run", [(1, float("nan"))])]) == ""


def test_pictures_are_the_same_when_they_are_drawn_again():
    lines = [Line(0, "one", [(1, 2.0), (2, 1.0)]), Line(9, "ten", [(1, 3.0), (2, 5000.0)])]
    assert curves("same", "Loss", lines) == curves("same", "Loss", lines)
    assert heat_map("m", "t", ["x"], ["$a$", "b"], [[0.5, 0.5]]) == heat_map("m", "t", ["x"], ["$a$", "b"], [[0.5, 0.5]])


@pytest.mark.slow
@needs_browser
def test_in_a_browser_the_page_fits_a_desktop_and_a_phone_in_light_and_dark_without_an_error(both, tmp_path):
    file = tmp_path / "report.html"
    file.write_text(both, encoding="utf-8")
    color = "return getComputedStyle(document.body).backgroundColor"
    with chromium() as browser:
        browser.open(file)
        for width, height in ((1280, 900), (390, 844)):
            browser.resize(width, height)
            assert browser.run("return document.documentElement.scrollWidth - innerWidth") <= 0, f"{width} px: something sticks out"
            assert browser.run("return [...document.querySelectorAll('figure > svg')].every(s => s.getBoundingClientRect().height > 60)")
        seen = set()
        for scheme in ("light", "dark"):
            browser.devtools("Emulation.setEmulatedMedia", {"features": [{"name": "prefers-color-scheme", "value": scheme}]})
            seen.add(browser.run(color))
            ink = browser.run("return getComputedStyle(document.querySelector('figure svg text')).fill")
            assert ink != browser.run(color)
        assert len(seen) == 2
        pdf = browser.devtools("Page.printToPDF", {})["data"]
        assert len(pdf) > 10_000
        assert browser.run("return location.protocol") == "file:"
        assert browser.log() == []
