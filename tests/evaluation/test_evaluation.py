"""`seqcfg evaluate` and `seqcfg decode` on a small run."""

import gzip
import json
import shutil
import subprocess
import sys

import pytest
from click.testing import CliRunner

from seqcfg.commands.decode import command as decode
from seqcfg.commands.evaluate import command as evaluate
from seqcfg.component.catalog import find
from seqcfg.errors import UserError
from seqcfg.evaluation.settings import BestBy
from seqcfg.runs import evaluations
from tests.evaluation.small_run import make_run


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return make_run(tmp_path_factory.mktemp("evaluated"))


def call(command, *arguments, **named):
    return CliRunner().invoke(command, [str(argument) for argument in arguments], catch_exceptions=False, **named)


def stored(run, name):
    return (run / "evaluations" / "test-step-00000010" / name).read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def evaluated(run):
    """What `seqcfg evaluate` printed; the run then holds the evaluation."""
    result = call(evaluate, run, "--data-root", run.parent, "--cache-root", run.parent / "prepared")
    assert result.exit_code == 0, result.output
    return result.stdout


def test_evaluate_stores_scores_with_signatures_and_every_line(run, evaluated):
    assert "exact_match" in evaluated
    found = json.loads(stored(run, "metrics.json"))
    scores = {score["name"]: score for score in found["metrics"]}
    assert list(scores) == ["exact_match", "bleu", "perplexity"]
    assert "version:" in scores["bleu"]["signature"]
    assert scores["perplexity"]["value"] == pytest.approx(2.718281828 ** found["losses"]["nll"], rel=1e-5)
    assert (found["step"], found["checkpoint"], found["lines"]) == (10, "step-00000010", 11)
    assert found["decoding"]["search"]["width"] == 3
    for name in ("sources", "hypotheses", "references"):
        assert stored(run, f"{name}.txt").count("\n") == 11


def test_what_is_stored_is_enough_to_measure_again_without_the_model(run, evaluated):
    (one,) = evaluations.find(run / "evaluations")
    lines, statistics = list(one.sentences()), one.statistics()
    assert (one.split, one.step, len(lines)) == ("test", 10, 11) and set(statistics) == {"exact_match", "bleu", "perplexity"}
    for name, array in statistics.items():
        settings = dict(one.scores[name]["settings"])
        metric = find("metric", settings.pop("type"))(**settings)
        assert metric.from_statistics(array.sum(0)) == pytest.approx(one.scores[name]["value"], rel=1e-5)
        assert [line["metrics"][name] for line in lines] == pytest.approx(metric.line_values(array), abs=1e-4)
        assert one.scores[name]["interval"]["low"] <= one.scores[name]["value"] <= one.scores[name]["interval"]["high"]
        if metric.needs != "strings":
            continue
        again = metric.compute([line["hypothesis"] for line in lines], [line["references"] for line in lines])
        assert (again.value, again.signature) == (pytest.approx(one.scores[name]["value"]), one.scores[name]["signature"])
    assert [line["line"] for line in lines] == list(range(1, 12)) and all(line["log_probability"] < 0 for line in lines)


def test_bleu_is_that_of_the_sacrebleu_command_on_the_stored_files(run, evaluated):
    folder = run / "evaluations" / "test-step-00000010"
    call_ = [sys.executable, "-m", "sacrebleu", "references.txt", "-i", "hypotheses.txt", "-m", "bleu", "-w", "6"]
    theirs = json.loads(subprocess.run(call_, cwd=folder, capture_output=True, text=True, check=True).stdout)
    ours = next(score for score in json.loads((folder / "metrics.json").read_text())["metrics"] if score["name"] == "bleu")
    assert ours["value"] == pytest.approx(theirs["score"], abs=1e-6)
    assert ours["signature"] == theirs["signature"]


def test_an_evaluation_that_is_not_whole_does_not_count_and_a_damaged_one_says_so(run, evaluated, tmp_path):
    shutil.copytree(run / "evaluations", tmp_path / "evaluations")
    (one,) = evaluations.find(tmp_path / "evaluations")
    (one.folder / "statistics.npz").write_bytes(b"PK")
    with pytest.raises(UserError, match="statistics.npz: cannot be read"):
        one.statistics()
    (one.folder / "metrics.json").write_text('{"split"')
    assert evaluations.find(tmp_path / "evaluations") == [] and evaluations.find(tmp_path / "none") == []


def test_decode_gives_the_hypotheses_of_evaluate(run, evaluated, tmp_path):
    file, out = tmp_path / "input.gz", tmp_path / "output"
    file.write_bytes(gzip.compress(stored(run, "sources.txt").encode()))
    assert call(decode, run, "--input", file, "--output", out).exit_code == 0
    assert out.read_text(encoding="utf-8") == stored(run, "hypotheses.txt")


def test_a_split_that_is_not_there_is_refused(run):
    with pytest.raises(UserError, match="no split 'dev'"):
        call(evaluate, run, "--split", "dev", "--data-root", run.parent, "--cache-root", run.parent / "prepared")


def test_the_best_goes_by_the_stated_goal():
    assert BestBy().is_better(1.0, 2.0) and not BestBy().is_better(2.0, 2.0)
    assert BestBy(metric="bleu", goal="maximize").is_better(2.0, 1.0)
    assert [field for field, _, _ in BestBy(metric="bleu").check()] == ["goal"]
    assert [field for field, _, _ in BestBy(goal="maximize").check()] == ["goal"]


@pytest.mark.slow
def test_an_ensemble_changes_the_scores_of_tokens_and_never_the_perplexity_of_the_run(run):
    metrics = "evaluation.metrics=[{type: perplexity}, {type: token_accuracy}]"
    partner = ["--set", f"decoding.ensemble={{runs: ['{run}'], checkpoint: '20'}}", "--name", "two"]
    for more in ([], partner):
        done = call(evaluate, run, "--data-root", run.parent, "--cache-root", run.parent / "prepared", "--set", metrics, *more)
        assert done.exit_code == 0, done.output
    alone, two = (one.scores for one in evaluations.find(run / "evaluations") if "token_accuracy" in one.scores)
    assert alone["perplexity"]["value"] == two["perplexity"]["value"]
    assert alone["perplexity"]["interval"] and not two["perplexity"]["interval"]
