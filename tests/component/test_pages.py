"""The reference pages say of every component what its class says, and Markdown leaves it as it is."""

import dataclasses
import functools
import html
import inspect
import re
import subprocess
import sys
from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_loader
from pathlib import Path
from typing import Annotated, Literal

import markdown
import pytest

from seqcfg.component import catalog
from seqcfg.component.component import Record, param
from seqcfg.component.kinds import Layer
from seqcfg.component.markdown import all_pages, prose, record_page
from seqcfg.component.types import Fraction, PositiveInt, rules
from seqcfg.recipe.sections import Recipe

ROOT = Path(__file__).parents[2]
COMPONENTS = [cls for kind, family in catalog.load().items() if kind != "record" for cls in family.values()]


class Inner(Record):
    """Nothing but a | and <tags> & 2 * 3."""

    width: PositiveInt = param(default=3, doc="A width.", affects="nothing")


class Outer(Record):
    """Says `a | b`.

    A second paragraph.
    """

    part: Fraction = param(doc="A share.")
    choice: Literal["one", "two"] | None = param(default=None, doc="One of two.")
    layers: dict[str, Layer] = param(factory=dict, doc="Layers by name.")
    inner: list[Inner] = param(factory=list, doc="See [there](below).")
    pair: Annotated[tuple[int, int], rules(minItems=2)] = param(default=(1, 2), doc="Two numbers.")


def make_docs():
    loader = SourceFileLoader("make_docs", str(ROOT / "bin" / "make_docs"))
    module = module_from_spec(spec_from_loader("make_docs", loader))
    loader.exec_module(module)
    return module


REFERENCE = make_docs().reference()


@functools.cache
def rendered(text):
    return markdown.markdown(text, extensions=["tables", "toc"])


def cells(page):
    """Rows of all tables as lists of plain cells."""
    rows = re.findall(r"<tr>(.*?)</tr>", page, re.DOTALL)
    return [[re.sub(r"<[^>]+>", "", cell) for cell in re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row, re.DOTALL)] for row in rows]


def words(page):
    """What a reader sees of a page, without line breaks."""
    return " ".join(html.unescape(re.sub(r"</?(p|code|pre|table|thead|tbody|tr|td|th|a)\b[^>]*>", "", page)).split())


def test_a_page_tells_name_type_range_default_and_meaning_of_each_field():
    assert cells(rendered(record_page("Title", Outer))) == [
        ["field", "type", "default", "what it does"],
        ["part", "float &gt; 0, &lt; 1", "required", "A share."],
        ["choice", "one | two or empty", "empty", "One of two."],
        ["layers", "mapping to layer", "{}", "Layers by name."],
        ["inner", "list of Inner", "[]", "See [there](below)."],
        ["pair", "list of int", "[1, 2]", "Two numbers."],
        ["field", "type", "default", "what it does"],
        ["width", "int &gt;= 1", "3", "A width. Not part of the fingerprint."],
    ]


def test_a_page_links_families_and_the_records_that_stand_below():
    page = rendered(record_page("Title", Outer))
    assert 'mapping to <a href="layer.md">layer</a>' in page
    assert 'list of <a href="#inner-record">Inner</a>' in page
    assert '<h2 id="inner-record">' in page


def test_a_docstring_means_itself_in_markdown():
    page = rendered(record_page("Title", Outer))
    assert "<p>Says <code>a | b</code>.</p>\n<p>A second paragraph.</p>" in page
    assert "Nothing but a | and &lt;tags&gt; &amp; 2 * 3." in page
    assert prose("a*b and `a*b`") == "a\\*b and `a*b`"


@pytest.mark.parametrize("cls", COMPONENTS, ids=lambda cls: f"{cls.kind}.{cls.type}")
def test_every_component_has_a_page_with_all_its_fields(cls):
    text = all_pages()[f"{cls.kind}.{cls.type}.md"]
    assert text.startswith(f"# {cls.type}\n")
    own = re.split(r"^## ", text, flags=re.MULTILINE)[0]
    rows = cells(rendered(own))[1:]
    assert [row[0] for row in rows] == [field.name for field in dataclasses.fields(cls)]
    assert all(len(row) == 4 and row[1] and row[2] and row[3] for row in rows)
    assert " ".join(inspect.getdoc(cls).replace("`", "").split()) in words(rendered(own))
    assert f"seqcfg schema {cls.kind}.{cls.type}" in words(rendered(own))
    assert f"({cls.kind}.{cls.type}.md)" in all_pages()[f"{cls.kind}.md"]


@pytest.mark.parametrize("name", REFERENCE)
def test_links_of_the_reference_lead_to_pages_and_headings_that_are_there(name):
    folder = name.rpartition("/")[0]
    for link in re.findall(r"\]\((?!https?:)([^)]+)\)", re.sub(r"`[^`]*`", "", REFERENCE[name])):
        file, _, anchor = link.partition("#")
        target = REFERENCE[f"{folder}/{file}".strip("/") if file else name]
        assert not anchor or f'id="{anchor}"' in rendered(target), link


def test_the_top_level_of_a_recipe_is_a_page_whose_sections_lead_to_theirs():
    text = REFERENCE["components/recipe.md"]
    assert [row[0] for row in cells(rendered(text))[1:]][: len(dataclasses.fields(Recipe))] == [f.name for f in dataclasses.fields(Recipe)]
    assert "[training](section.training.md)" in text


def test_every_verb_and_every_option_has_its_place():
    import click

    from seqcfg.cli import cli

    text = REFERENCE["commands.md"]
    context = click.Context(cli)
    for verb in cli.list_commands(context):
        section = re.search(rf"^## seqcfg {verb}\n(.*?)(?=^## seqcfg (?!{verb} )|\Z)", text, re.DOTALL | re.MULTILINE)[1]
        for option in (p for p in cli.get_command(context, verb).params if isinstance(p, click.Option)):
            assert any(name in section for name in option.opts), option.opts


def test_the_site_is_built_without_a_broken_link(tmp_path):
    pytest.importorskip("mkdocs", reason="the documentation's own packages: pip install -e '.[docs]'")
    done = subprocess.run([sys.executable, "bin/make_docs", "--site", str(tmp_path)], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "components" / "layer.dense" / "index.html").exists()
