"""S13: no path of a recipe, to a run, a lexicon, words, a tokenizer's file or a corpus, leads out of the folders it may name."""

import re

import pytest

from seqcfg.component import catalog
from seqcfg.component.component import Component
from seqcfg.component.fields import fields_of
from seqcfg.component.reach import VARIABLE, why_not
from seqcfg.errors import RecipeError
from seqcfg.recipe.experiment import load
from seqcfg.recipe.validate import validate
from tests.evaluation.small_run import RECIPE
from tests.recipe.spellings import spellings

PLACES = {  # a section of the recipe that names a path
    "training.warm_start.run": "training: {{steps: 2, warm_start: {{run: {0}}}}}",
    "training.warm_start.checkpoint": "training: {{steps: 2, warm_start: {{run: a, checkpoint: {0}}}}}",
    "decoding.ensemble.runs.1": "decoding: {{ensemble: {{runs: [runs/a, {0}]}}}}",
    "decoding.fusion.run": "decoding: {{fusion: {{run: {0}}}}}",
    "decoding.noisy_channel.run": "decoding: {{noisy_channel: {{run: {0}}}}}",
    "decoding.noisy_channel.language_model": "decoding: {{noisy_channel: {{run: a, language_model: {0}}}}}",
    "decoding.shortlist.lexicon": "decoding: {{shortlist: {{lexicon: {0}}}}}",
    "decoding.unknown_words.lexicon": "decoding: {{search: {{type: beam, allow_unknown: true}}, unknown_words: {{lexicon: {0}}}}}",
    "decoding.word_list.file": "decoding: {{word_list: {{file: {0}}}}}",
    "evaluation.metrics.0.model": "evaluation: {{metrics: [{{type: comet, model: {0}}}], best: {{metric: comet, goal: maximize}}}}",
    "tokenizers.shared.model": "tokenizers: {{shared: {{type: sentencepiece, vocab_size: 90, model: {0}}}}}",
    "tokenizers.shared.file": "tokenizers: {{shared: {{type: vocabulary, vocab_size: 90, file: {0}}}}}",
    "data.splits.train.path": "data: {{splits: {{train: {{type: text, path: {0}}}}}}}",
    "data.splits.train.fields.x": "data: {{splits: {{train: {{type: numpy, fields: {{x: {0}}}}}}}}}",
}
LEADING_OUT = [
    "../x",
    "runs/../../x",
    "/etc/passwd",
    "~/x",
    "~root/x",
    "file:///etc/passwd",
    "gs://x/y",
    "http://127.0.0.1:9/x",
    "C:/x",
    "..\\\\x",
]


def written(folder, section):
    """A recipe with this section, on line 3."""
    name = section.partition(":")[0]
    rest = re.sub(rf"^{name}:.*\n(?:[ -].*\n)*", "", RECIPE % "byte", flags=re.M).removeprefix("\n")
    first, _, others = rest.partition("\n")
    path = folder / "recipe.yaml"
    path.write_text(f"{first}\n\n{section}\n{others}", encoding="utf-8")
    return path


@pytest.fixture
def inside(tmp_path, monkeypatch):
    """The working directory, with links out of it."""
    (tmp_path / "outside" / ".hidden").mkdir(parents=True)
    (tmp_path / "outside" / "secret").write_text("hunter2\n")
    folder = tmp_path / "inside"
    folder.mkdir()
    (folder / "folder").symlink_to(tmp_path / "outside")
    (folder / "link.txt").symlink_to(tmp_path / "outside" / "secret")
    (folder / "loop").symlink_to(folder / "loop")
    monkeypatch.chdir(folder)
    monkeypatch.delenv(VARIABLE, raising=False)
    return folder


@pytest.mark.parametrize("place", PLACES)
def test_a_path_that_leads_out_is_an_error_at_its_line_and_column(inside, place):
    for path in LEADING_OUT:
        file = written(inside, PLACES[place].format(f'"{path}"'))
        problems = validate(str(file))
        line = file.read_text(encoding="utf-8").splitlines()[2]
        found = [
            (one.file, one.line, one.column, one.path) for one in problems if one.code in ("E0404", "E0305", "E0304", "E0306", "E0308")
        ]
        assert found and found[0][:3] == (str(file), 3, line.index(f'"{path}"') + 1), (path, [str(one) for one in problems])
        assert "hunter2" not in "".join(map(str, problems))
        assert found[0][3].startswith(place.removesuffix(".1").removesuffix(".x"))


@pytest.mark.parametrize("place", [one for one in PLACES if one.startswith(("training", "decoding"))])
def test_a_link_that_leads_out_is_followed_and_refused(inside, place):
    for path in ("folder/run", "link.txt", "loop"):
        problems = validate(str(written(inside, PLACES[place].format(path))))
        assert [one.code for one in problems] == ["E0404"] and problems[0].line == 3, path


def test_every_spelling_is_refused_or_stays_inside(inside):
    outside = inside.parent / "outside"
    assert len(spellings(outside)) >= 60
    for spelling in spellings(outside):
        if spelling and not why_not(spelling):
            real = (inside / spelling).resolve()
            assert real.is_relative_to(inside) and not any(part.startswith(".") for part in real.relative_to(inside).parts), spelling


def test_what_lies_below_the_working_directory_or_the_folder_of_runs_may_be_named(inside, monkeypatch):
    for path in ("runs/a", "runs/../runs/a", "./a b/ü", str(inside / "runs/a"), "best", "average:3"):
        assert not why_not(path)
    assert why_not(str(inside.parent / "outside" / "run"))
    monkeypatch.setenv(VARIABLE, str(inside.parent / "outside"))
    assert not why_not(str(inside.parent / "outside" / "run")) and not why_not("folder/run")
    assert why_not("folder/.hidden/run") and why_not("/etc/passwd")


def test_the_command_line_is_the_users_word(inside):
    file = written(inside, "training: {steps: 2}")
    for override in (
        "training.warm_start={run: /elsewhere/run}",
        "decoding.ensemble={runs: [a, /elsewhere/run]}",
        "decoding.fusion.run=/x",
    ):
        assert not validate(str(file), [override])


def test_a_recipe_names_no_model_that_runs_code_when_it_is_opened(inside):
    for model in ("evil.ckpt", "stranger/model", "../x.ckpt"):
        problems = validate(str(written(inside, PLACES["evaluation.metrics.0.model"].format(model))))
        assert [one.code for one in problems] == ["E0404"] and "runs what it holds" in problems[0].message
    assert not validate(str(written(inside, PLACES["evaluation.metrics.0.model"].format("Unbabel/wmt22-comet-da"))))


def test_a_strangers_run_is_held_to_the_same(inside):
    from seqcfg.tasks.trained import open_run
    from tests.evaluation.small_run import make_run

    run = make_run(inside)
    resolved = run / "resolved.yaml"
    resolved.write_text(
        resolved.read_text(encoding="utf-8").replace("decoding:\n", "decoding:\n  word_list: {file: /etc/passwd}\n"), encoding="utf-8"
    )
    assert load(str(resolved)).recipe.decoding.word_list.file == "/etc/passwd"
    with pytest.raises(RecipeError, match=r"resolved\.yaml:\d+:\d+: decoding\.word_list\.file: '/etc/passwd' leads out"):
        open_run(run)
    assert open_run(run, overrides=["decoding.word_list=null"]).step == 10


def components(cls=Component):
    for one in cls.__subclasses__():
        yield one
        yield from components(one)


def test_every_field_that_names_a_file_or_a_run_says_how_far_it_reaches():
    catalog.load()
    found = set()
    for cls in {one for one in components() if one.__module__.startswith("seqcfg.")}:
        for name, field in fields_of(cls).items():
            if re.match(r"(File|Folder|Path)s? (of|that)\b|.*path of its", field.doc) and not isinstance(cls._params[name].type, type):
                is_data = "DataPath" in str(cls._params[name].type)
                assert is_data or cls.strays is not Component.strays, f"{cls.__name__}.{name}"
                found.add((cls.__name__, name))
    assert {("WarmStart", "run"), ("WordList", "file"), ("Comet", "model"), ("Ensemble", "runs")} <= found
