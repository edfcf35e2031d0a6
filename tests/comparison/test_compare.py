"""What a comparison finds, on runs whose differences are known."""

import dataclasses
import json
import re
from pathlib import Path

import pytest

from seqcfg.comparison.compare import as_plain, compare, select
from seqcfg.comparison.pairing import choose
from seqcfg.comparison.sides import open_side, short_names
from seqcfg.errors import UserError
from seqcfg.metrics.chrf import Chrf
from seqcfg.metrics.significance import paired_randomization
from seqcfg.runs.evaluations import StoredEvaluation
from seqcfg.runs.manifest import read_manifest, write_manifest
from tests.comparison.synthetic import RECIPE, make_run, spoilt, texts


@pytest.fixture(scope="module")
def pair(tmp_path_factory):
    """Two runs: the second has another seed, fewer errors, and was trained half as long."""
    folder = tmp_path_factory.mktemp("pair")
    make_run(folder / "a", rate=0.5, seed=1)
    make_run(folder / "b", RECIPE.replace("steps: 40", "steps: 20\n  seed: 7"), steps=20, rate=0.1, seed=2)
    return compare([str(folder / "a"), str(folder / "b")])


def test_changes_are_those_that_were_made(pair):
    assert {change.path: [value.words for value in change.values] for change in pair.changes} == {
        "training.steps": ["40", "20"],
        "training.seed": ["1", "7"],
    }
    seed = next(change for change in pair.changes if change.path == "training.seed")
    assert seed.values[0].origin == "default of training" and re.fullmatch(r".*/b/recipe.yaml:25", seed.values[1].origin)
    assert seed.doc == "Fixes initial values, data order and all noise." and seed.default == "1"


def test_figures_are_compared_at_the_best_and_at_equal_cost(pair):
    rows = {(row.metric, row.where): row for row in pair.outcome.rows}
    best, equal = rows["exact_match", "best"], rows["exact_match", "equal step"]
    assert [point.step for point in best.points] == [40, 20] and best.values == pytest.approx((20.0, 18.0))
    assert equal.limit == 20 and equal.values == pytest.approx((10.0, 18.0)) and equal.is_higher_better
    assert [point.step for point in rows["exact_match", "equal tokens"].points] == [20, 20]
    assert not rows["loss", "best"].is_higher_better


def test_the_test_and_the_wins_are_those_of_the_stored_decodes(pair):
    measured = next(one for one in pair.decodes.measured if one.metric == "chrf")
    _, references = texts()
    single = [[text] for text in references]
    statistics = [Chrf().statistics(spoilt(references, rate, seed), single) for rate, seed in ((0.5, 1), (0.1, 2))]
    against = measured.against[0]
    assert against.randomization == paired_randomization(*statistics, Chrf().from_statistics)
    assert against.is_significant and measured.intervals[1].value == pytest.approx(Chrf().from_statistics(statistics[1].sum(0)))
    values = [[Chrf().from_statistics(row) for row in one] for one in statistics]
    wins = sum(after > before for before, after in zip(*values))
    assert (against.wins, against.wins + against.losses + against.ties) == (wins, 60)
    assert against.gained[0].values[1] - against.gained[0].values[0] == max(b - a for a, b in zip(*values))


def test_the_verdict_names_what_to_mind(pair):
    assert pair.verdict.is_comparable
    assert any("times the tokens of" in caution for caution in pair.verdict.cautions)
    assert any("b is better" in finding for finding in pair.verdict.findings)


def test_a_run_at_a_step_is_the_run_up_to_there(tmp_path):
    run = make_run(tmp_path / "a")
    side = open_side(f"{run}@20")
    assert side.step == 20 and [point.step for point in side.history.points] == [10, 20]
    assert open_side(f"{run}@best").step == 40 == open_side(f"{run}@last").step
    with pytest.raises(UserError, match="nothing is known of that step") as error:
        open_side(f"{run}@15")
    assert "10, 20, 30, 40" in error.value.problems[0].hint


def test_other_lines_are_no_basis_for_comparing(tmp_path):
    make_run(tmp_path / "a")
    make_run(tmp_path / "b", lines=59)
    found = compare([str(tmp_path / "a"), str(tmp_path / "b")])
    assert not found.verdict.is_comparable and "on 60 lines and b on 59" in found.verdict.reasons[0]
    assert not found.decodes.measured


def test_parts_and_paths_can_be_shown_alone_and_left_out(pair):
    assert [change.path for change in select(pair, only=["training.seed"]).changes] == ["training.seed"]
    assert select(pair, only=["training.s*"]).changes == pair.changes
    without = select(pair, ignore=["training", "outcome", "consequences"])
    assert not without.changes and not without.differs
    with pytest.raises(UserError, match="no part or section") as error:
        select(pair, only=["trainng"])
    assert "training" in error.value.problems[0].hint


def test_a_comparison_is_plain_data(pair):
    told = as_plain(pair)
    assert told["verdict"]["comparable"] is True and told["differs"] is True
    assert [side["label"] for side in told["sides"]] == ["a", "b"]
    assert set(told) == {field.name for field in dataclasses.fields(pair)} | {"differs"}


def test_labels_are_the_shortest_that_differ():
    assert short_names(["x/a/run", "x/b/run"]) == ["a/run", "b/run"]
    assert short_names(["a", "a"]) == ["a (1)", "a (2)"]


def test_evaluations_of_one_checkpoint_and_name_are_preferred():
    def one(label, step, name=""):
        folder = Path(f"test-{label}" + (f"-{name}" if name else ""))
        return StoredEvaluation(folder, {"split": "test", "checkpoint": label, "step": step})

    first, second = [one("step-10", 10), one("step-20", 20)], [one("step-10", 10), one("average-3", 30)]
    assert [chosen.checkpoint for chosen in choose([first, second])] == ["step-10", "step-10"]
    assert [chosen and chosen.checkpoint for chosen in choose([first, [one("average-3", 30)], []])] == ["step-20", "average-3", None]
    named = [one("step-10", 10), one("step-10", 10, "greedy"), one("step-20", 20, "greedy")]
    assert [chosen.name for chosen in choose([named, named])] == ["", ""]
    assert [chosen.folder.name for chosen in choose([named, named[1:]])] == ["test-step-20-greedy"] * 2


def test_outputs_that_were_searched_for_differently_are_to_be_minded(tmp_path):
    for name, width in (("a", 3), ("b", 5)):
        path = make_run(tmp_path / name, lines=5) / "evaluations" / "test-step-00000040" / "metrics.json"
        decoding = {"search": {"type": "beam", "width": width}, "max_length": 40}
        path.write_text(json.dumps(json.loads(path.read_text()) | {"decoding": decoding}))
    cautions = compare([str(tmp_path / "a"), str(tmp_path / "b")]).verdict.cautions
    assert "test was decoded differently: search.width is 3 in a, 5 in b" in cautions


def test_a_metric_in_common_is_computed_with_all_references(tmp_path):
    """Runs that stored no statistics, one of them with a second reference for a line that only this one answers right."""
    for name in ("a", "b"):
        run = make_run(tmp_path / name, rate=0.0, lines=4)
        folder = run / "evaluations" / "test-step-00000040"
        references = [[text, "another way"] for text in folder.joinpath("references.txt").read_text().splitlines()]
        hypotheses = [texts[0] for texts in references[:3]] + ["another way" if name == "b" else "wrong"]
        folder.joinpath("hypotheses.txt").write_text("".join(f"{text}\n" for text in hypotheses))
        folder.joinpath("sentences.jsonl").write_text("".join(json.dumps({"references": texts}) + "\n" for texts in references))
    found = compare([str(tmp_path / "a"), str(tmp_path / "b")])
    measured = next(one for one in found.decodes.measured if one.metric == "exact_match")
    assert [interval.value for interval in measured.intervals] == [75.0, 100.0]


def test_a_run_continued_in_other_surroundings_tells_all_of_them(tmp_path):
    run = make_run(tmp_path / "a")
    make_run(tmp_path / "b")
    told = read_manifest(run / "manifest.textproto")
    told.attempts.add().CopyFrom(told.attempts[0])
    told.attempts[1].versions["seqcfg"], told.attempts[1].machine.cores = "1.1", 8
    write_manifest(run / "manifest.textproto", told)
    facts = {fact.name: fact.values for fact in compare([str(run), str(tmp_path / "b")]).environment if fact.differs}
    assert facts == {"seqcfg": ("1.0 then 1.1", "1.0"), "cores": ("2 then 8", "2")}
