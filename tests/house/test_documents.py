"""What the documents show is so: recipes are valid, command lines can be typed, answers are what the commands say.

A block ```yaml that begins with recipe_version is a recipe; a comment on that line names its file, mine.yaml otherwise. A block
```console holds commands after `$` and their answers; a line `...` stands for any lines. A block after a line that ends with
`name`: is a file of this name. All blocks of a page share a folder.
Run this file as a program to rewrite the answers that differ.
"""

import contextlib
import io
import os
import re
import shlex
import tempfile
import textwrap
from pathlib import Path
from typing import NamedTuple

import click
import pytest

from seqcfg.cli import cli, main
from seqcfg.component.component import Component
from seqcfg.component.fields import fields_of
from seqcfg.recipe import report, shipped
from seqcfg.recipe.sections import Recipe
from seqcfg.recipe.validate import validate

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted((ROOT / "docs").glob("*.md"))
DOCUMENTS = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "recipes" / "README.md", *PAGES]
BLOCK = re.compile(r"(?:`([\w./-]+)`:\n\n)?^```(\w*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
RECIPE = re.compile(r"recipe_version:[^#\n]*(?:# ([\w/.]+))?\n")
QUICK = {"validate", "show", "explain", "plan", "components", "new", "migrate", "prepare", "data", "sweep", "diff"}  # need no tensors


class Block(NamedTuple):
    file: str
    language: str
    text: str

    @property
    def is_recipe(self):
        return self.language == "yaml" and RECIPE.match(self.text) is not None

    def write(self):
        """Writes what is a file; returns its name."""
        name = (RECIPE.match(self.text)[1] or "mine.yaml") if self.is_recipe else self.file
        if name:
            Path(name).parent.mkdir(parents=True, exist_ok=True)
            Path(name).write_text(self.text, encoding="utf-8")
        return name


def blocks(path):
    return [Block(*found) for found in BLOCK.findall(path.read_text(encoding="utf-8"))]


def recipes(path):
    return [block.text for block in blocks(path) if block.is_recipe]


def answer(line):
    """What a command prints, paths of shipped recipes beginning with recipes/."""
    arguments = shlex.split(line)
    assert arguments[0] == "seqcfg" and arguments[1] in QUICK, line
    printed = io.StringIO()
    report._lines.cache_clear()
    with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(io.StringIO() if arguments[1] == "prepare" else printed):
        main(arguments[1:])
    report._lines.cache_clear()  # the next mine.yaml is another file
    text = printed.getvalue().replace(f"{shipped.folder()}/", "recipes/").strip("\n")
    return "\n".join(line.rstrip() for line in text.split("\n"))


def calls(text):
    """(command, answer as shown) of a console block."""
    for part in re.split(r"^\$ ", text, flags=re.MULTILINE)[1:]:
        command, _, shown = part.partition("\n")
        yield command, shown.strip("\n")


def fits(printed, shown):
    pattern = "".join("(?:.*\n)*?" if line == "..." else re.escape(f"{line}\n") for line in shown.split("\n"))
    return re.fullmatch(pattern, f"{printed}\n") is not None


def with_answers(block):
    """A console block as it should be."""
    answers = [(line, shown, answer(line)) for line, shown in calls(block.text)]
    return "\n".join(f"$ {line}\n{shown if fits(printed, shown) else printed}\n" for line, shown, printed in answers)


@pytest.mark.parametrize("path", PAGES, ids=[p.name for p in PAGES])
def test_the_answers_in_a_page_are_what_the_commands_say(path, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for root in ("SEQCFG_DATA", "SEQCFG_CACHE"):
        monkeypatch.delenv(root, raising=False)
    for block in blocks(path):
        block.write()
        if block.language == "console":
            for command, shown in calls(block.text):
                printed = answer(command)
                assert fits(printed, shown), f"$ {command}\n{printed}\nif that is right: python {Path(__file__).relative_to(ROOT)}"


@pytest.mark.parametrize("path", PAGES, ids=[p.name for p in PAGES])
def test_the_recipes_in_a_page_are_valid_unless_the_page_shows_what_is_wrong(path, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    found = blocks(path)
    for block, following in zip(found, [*found, Block("", "", "")][1:], strict=True):
        if block.is_recipe:
            name = block.write()
            is_shown = following.language == "console" and re.search(r"^\S+:\d+:\d+: ", following.text, re.MULTILINE)
            assert is_shown or validate(name) == [], block.text


@pytest.mark.parametrize("path", PAGES, ids=[p.name for p in PAGES])
def test_a_piece_of_a_recipe_is_a_piece_of_one_that_is_checked(path):
    whole = [*recipes(path), *(shipped.find(name).read_text() for name in shipped.names())]
    whole = [textwrap.indent(text, "    ") for text in whole]
    pieces = [block.text for block in blocks(path) if block.language == "yaml" and not block.is_recipe]
    for piece in pieces:
        forms = [textwrap.indent(piece, " " * depth) for depth in range(0, 25, 2)]
        assert any(f"\n{form}" in f"\n{text}" for form in forms for text in whole), piece


def command_lines(path):
    """Every `seqcfg ...` in code blocks and code spans."""
    text = path.read_text(encoding="utf-8")
    fenced = "".join(block.text for block in blocks(path)) + "".join(re.findall(r"^    (.*\n)", text, re.MULTILINE))
    code = re.findall(r"^(?:\$ )?(?:\.venv/bin/)?(seqcfg .*)$", fenced, re.MULTILINE)
    spans = re.findall(r"`(?:\.venv/bin/)?(seqcfg [^`\n]+)`", text)
    return [*code, *spans]


@pytest.mark.parametrize("path", DOCUMENTS, ids=[str(p.relative_to(ROOT)) for p in DOCUMENTS])
def test_a_command_line_names_a_verb_and_options_that_exist(path):
    for line in command_lines(path):
        words = shlex.split(line, comments=True)[1:]
        command = cli
        while words and isinstance(command, click.Group) and not words[0].startswith("-"):
            command = command.get_command(click.Context(command), words.pop(0))
            assert command is not None, line
        known = {name: option for option in command.params for name in option.opts} | {"--help": None, "-h": None}
        for index, word in enumerate(words):
            if word.startswith("-") and word != "-":
                assert word in known, f"{line}: {word}"
                if isinstance(getattr(known[word], "type", None), click.Choice):
                    assert words[index + 1] in known[word].type.choices, line


def test_the_page_about_ci_has_a_row_for_each_format():
    rows = re.findall(r"^\| `(\w+)` \|", (ROOT / "docs" / "ci.md").read_text(encoding="utf-8"), re.MULTILINE)
    options = cli.get_command(click.Context(cli), "validate").params
    assert rows == next(list(option.type.choices) for option in options if option.name == "format")


def test_every_page_with_commands_is_read():
    read = {str(path.relative_to(ROOT)): len(command_lines(path)) for path in DOCUMENTS}
    assert read["README.md"] > 10 and read["docs/index.md"] > 5 and read["docs/language.md"] > 10, read


def test_the_language_lists_the_sections_in_the_order_of_the_recipe():
    text = (ROOT / "docs" / "language.md").read_text(encoding="utf-8")
    part = text[text.index("## Sections") :].partition("\n## ")[0]
    cls: type[Component] = Recipe
    assert re.findall(r"^- `(\w+)`", part, re.MULTILINE) == list(fields_of(cls))


def test_the_first_tutorial_leaves_out_no_line_of_its_recipe():
    pieces = [block.text for block in blocks(ROOT / "docs" / "tutorial_first_recipe.md") if block.language == "yaml"]
    assert "".join(pieces).startswith(shipped.find("mt/demo_numbers_enfr").read_text(encoding="utf-8"))


def test_an_ellipsis_stands_for_lines_and_nothing_else():
    assert fits("one\ntwo\nthree", "one\n...\nthree") and fits("one\nthree", "one\n...\nthree")
    assert not fits("one\ntwo", "one") and not fits("one", "one...")


def rewrite(path):
    def checked(match):
        block = Block(*(part or "" for part in match.groups()))
        block.write()
        return match[0].replace(block.text, with_answers(block)) if block.language == "console" else match[0]

    path.write_text(BLOCK.sub(checked, path.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    for page in PAGES:
        with tempfile.TemporaryDirectory() as folder:
            os.chdir(folder)
            rewrite(page)
