"""What any bytes at all must not do to the recipe language; `bin/fuzz` searches for such bytes, test_fuzz.py repeats what it found.

A target takes bytes and a folder it may write its inputs to. It raises nothing but AssertionError, which is a finding.
"""

from __future__ import annotations

import contextlib
import json as json_
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from seqcfg.errors import RecipeError, UserError
from seqcfg.recipe import migrations, override
from seqcfg.recipe.canonical import fingerprint
from seqcfg.recipe.compose import compose
from seqcfg.recipe.experiment import load
from seqcfg.recipe.explain import as_text, explain
from seqcfg.recipe.migrate import Draft, migrate
from seqcfg.recipe.migrations import Migration
from seqcfg.recipe.node import Node
from seqcfg.recipe.read import decode, read_file, read_text
from seqcfg.recipe.report import FORMATS, render
from seqcfg.recipe.textproto_read import read_textproto
from seqcfg.recipe.textproto_write import to_textproto
from seqcfg.recipe.validate import resolve, validate, with_sections
from seqcfg.recipe.variables import substitute
from seqcfg.recipe.write import to_yaml

ROOT = Path(__file__).parents[2]
NEGATIVE = ROOT / "tests" / "negative"
CORPUS = Path(__file__).parent / "fuzz_corpus.json"  # bytes as Latin-1, by target
TINY = NEGATIVE / "bases" / "tiny.yaml"
MAX_CPU_SECONDS = 1.0
MAX_MIB = 500
FORBIDDEN = {"socket", "subprocess", "shutil", "ctypes", "urllib", "webbrowser", "exec", "compile", "pickle", "marshal"}
FORBIDDEN_CALLS = {
    "os.system", "os.exec", "os.fork", "os.forkpty", "os.posix_spawn", "os.remove", "os.rename", "os.mkdir", "os.rmdir", "os.link",
    "os.symlink", "os.chmod", "os.putenv", "os.truncate", "os.kill",
}  # fmt: skip


class Watch:
    """Python's audit events while a target works: files opened for writing, sockets, processes, imports that are not our own."""

    def __init__(self) -> None:
        self.is_on = False
        self.seen: list[str] = []
        self.also: Callable[[str, tuple[Any, ...]], None] | None = None  # hears every event as well
        sys.addaudithook(self._hear)  # for good: Python has no way to remove one

    def _hear(self, event: str, arguments: tuple[Any, ...]) -> None:
        if not self.is_on:
            return
        if self.also is not None:
            self.also(event, arguments)
        if event == "open":
            name, mode, flags = arguments
            is_writing = isinstance(flags, int) and flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT)
            if is_writing or (isinstance(mode, str) and set(mode) & set("wax+")):
                self.seen.append(f"open {name!r} to write")
        elif event == "import":
            if not arguments[0].startswith(("seqcfg.", "encodings.")) and arguments[0] not in sys.stdlib_module_names:
                self.seen.append(f"import {arguments[0]}")
        elif event in FORBIDDEN_CALLS or event.split(".")[0] in FORBIDDEN:
            self.seen.append(event)

    @contextlib.contextmanager
    def over(self, seconds: float = MAX_CPU_SECONDS) -> Iterator[None]:
        """Raises AssertionError if what is done inside does something else than compute, or takes longer in CPU time."""
        signal.signal(signal.SIGVTALRM, _stop)
        signal.setitimer(signal.ITIMER_VIRTUAL, 5 * seconds)
        self.seen.clear()
        start, self.is_on = time.process_time(), True
        try:
            yield
        finally:
            self.is_on = False
            signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        taken = time.process_time() - start
        assert not self.seen, f"did more than compute: {self.seen}"
        assert taken < seconds, f"took {taken:.1f} s"


def _stop(number: int, frame: Any) -> None:
    raise AssertionError("hangs")


def read(data: bytes, folder: Path) -> Callable[[], None]:
    """YAML is read or refused; what is read is written and read back as the same."""
    return lambda: _read_back(lambda: read_text(decode(data, "r.yaml"), "r.yaml"))


def textproto(data: bytes, folder: Path) -> Callable[[], None]:
    """The protobuf text form is read or refused; what is read is written and read back as the same."""
    return lambda: _read_back(lambda: _textproto(decode(data, "r.textproto")))


def json(data: bytes, folder: Path) -> Callable[[], None]:
    """A recipe in a JSON file is checked, and problems are printed in every form."""
    file = folder / "r.json"
    file.write_bytes(data)

    def run() -> None:
        problems = _refused(lambda: read_file(str(file)))
        if problems:
            for form in FORMATS:
                assert render({str(file): problems}, form)

    return run


def check(data: bytes, folder: Path) -> Callable[[], None]:
    """A recipe is validated; a valid one is shown, and what is shown validates and means the same."""
    _bases(folder)
    file = folder / "r.yaml"
    file.write_bytes(data)
    again = folder / "again.yaml"

    def run() -> None:
        problems = validate(str(file))
        for problem in problems:
            assert problem.code and problem.message and problem.file, problem
        if not problems:
            texts.append(to_yaml(load(file, allow_base=True).canonical()))
            prints.append(load(file, allow_base=True).fingerprint)

    texts: list[str] = []
    prints: list[dict[str, str]] = []

    def both() -> None:
        run()
        if texts:
            WATCH.is_on = False
            again.write_text(texts[0], encoding="utf-8")
            WATCH.is_on = True
            assert fingerprint(load(again, allow_base=True).recipe) == prints[0]

    return both


def overrides(data: bytes, folder: Path) -> Callable[[], None]:
    """Each line is an override of a small recipe; the result is checked, and its paths are explained."""
    texts = data.decode("utf-8", "replace").split("\n")[:8]

    def run() -> None:
        validate(str(TINY), texts)
        for text in texts:
            with contextlib.suppress(UserError):
                tree = with_sections(substitute(override.apply(compose(str(TINY)), [text])))
                assert as_text(explain(tree, text.partition("=")[0].strip().removesuffix("!")))

    return run


def migrating(data: bytes, folder: Path) -> Callable[[], None]:
    """A recipe of an older version is rewritten once and for all, and still reads."""

    def run() -> None:
        before = list(migrations.MIGRATIONS)
        migrations.MIGRATIONS[:] = [Migration("renames", _rename)]
        try:
            text = decode(data, "r.yaml")
            new, steps = migrate(text, "r.yaml")
            assert migrate(new, "r.yaml") == (new, [])
            assert not steps or read_text(new, "r.yaml").value["recipe_version"].value == 2
            assert text.count("#") <= new.count("#") or steps
        except RecipeError as refused:
            assert all(problem.code for problem in refused.problems)
        finally:
            migrations.MIGRATIONS[:] = before

    return run


def _rename(draft: Draft) -> None:
    draft.rename_type("dense", "linear")
    for _, mapping in draft.mappings():
        draft.rename_key(mapping, "name", "title")
        if "hidden" in mapping.value and not mapping.value["hidden"].children:
            draft.set_value(mapping.value["hidden"], 8)


def _textproto(text: str) -> Node:
    from seqcfg.recipe.read import refuse_characters

    refuse_characters(text, "r.textproto")
    return read_textproto(text, "r.textproto")


def _read_back(reading: Callable[[], Node]) -> None:
    """Whatever could be read is written in both forms, and each reads as the same values."""
    found: list[Node] = []
    problems = _refused(lambda: found.append(reading()))
    if problems or not found[0].is_mapping:
        return
    plain = found[0].plain()
    if "vars" in plain or "base" in plain:
        return
    for text, back in ((to_yaml(plain) if plain else "{}", lambda t: read_text(t, "w.yaml")), (to_textproto(plain), _textproto)):
        assert repr(substitute(back(text)).plain()) == repr(plain), text


def _refused(action: Callable[[], Any]) -> tuple[Any, ...]:
    """The problems an action was refused with; empty if it was not."""
    try:
        action()
    except RecipeError as refused:
        assert refused.problems and all(problem.code and problem.message and problem.file for problem in refused.problems)
        return refused.problems
    return ()


def _bases(folder: Path) -> None:
    """The small recipe that the broken ones start from, at the places they name."""
    for place in (folder / "tiny.yaml", folder / "bases" / "tiny.yaml"):
        if not place.exists():
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(TINY.read_bytes())


TARGETS = {"read": read, "validate": check, "textproto": textproto, "json": json, "migrate": migrating, "override": overrides}
WATCH = Watch()


def run(target: str, data: bytes, folder: Path) -> None:
    """One input through one target, under watch; raises AssertionError, or whatever the target raises, for a finding."""
    action = TARGETS[target](data, folder)
    with WATCH.over():
        action()


def warm_up(folder: Path) -> None:
    """Imports and type hints of all components, which are our own work and not the input's."""
    from seqcfg.component.schema import editor_schema
    from seqcfg.recipe.sections import Recipe

    editor_schema(Recipe)
    for form in FORMATS:
        render({str(TINY): validate(str(NEGATIVE / "many_problems.yaml"))}, form)
    resolve(str(TINY))
    for target in TARGETS:
        TARGETS[target](seeds(target)[0], folder)()


def seeds(target: str) -> list[bytes]:
    """Inputs to start from: good and broken recipes in the form that the target reads, and what earlier searches came upon."""
    return [*_recipes(target), *(text.encode("latin-1") for text in json_.loads(CORPUS.read_text())[target])]


def _recipes(target: str) -> list[bytes]:
    files = [TINY, *sorted(NEGATIVE.glob("*.yaml")), *sorted((ROOT / "recipes").rglob("*.yaml"))]
    if target == "override":
        first = [file.read_bytes().split(b"\n")[0] for file in files]
        return [line.removeprefix(b"# --set ") for line in first if line.startswith(b"# --set ")] + OVERRIDES
    if target == "textproto":
        return [form.encode() for file in files if (form := _in_form(file, to_textproto))]
    if target == "json":
        return [form.encode() for file in files if (form := _in_form(file, lambda plain: json_.dumps(plain, indent=1)))]
    return [file.read_bytes() for file in files]


OVERRIDES = [
    b"training.steps=1e3",
    b"task.model.encoder.layers[1].dropout=0.5",
    b"task.model.encoder.layers.1!",
    b"tokenizers.x={type: byte}",
    b"task.model.decoder.type=repeat\ntask.model.decoder.times=2",
    b"name='${vars.width}'\nvars.width=[1, 2]",
    b"defaults={layer.dense: {units: 3}}",
]


def _in_form(file: Path, write: Callable[[Any], str]) -> str:
    try:
        return write(read_file(str(file)).plain())
    except RecipeError:
        return ""
