"""Following a run: each checkpoint once, whatever training does meanwhile."""

import json
import shutil

import pytest
from click.testing import CliRunner

from seqcfg.commands.evaluate import command as evaluate
from seqcfg.commands.evaluate import line_of
from seqcfg.evaluation.following import has_finished, is_same, new_checkpoints
from seqcfg.metrics.score import Score
from seqcfg.runs import evaluations, manifest, records
from seqcfg.runs.directory import RunDirectory
from tests.evaluation.small_run import make_run


def add(run, step):
    (run.checkpoints / f"step-{step:08d}").mkdir(parents=True)


def finish(run, outcome):
    run.folder.mkdir(exist_ok=True)
    history = manifest.new_manifest("name", {"data": "d", "model": "m", "training": "t", "decoding": "e"}, "p", {"training": 1})
    manifest.begin_attempt(history, ["seqcfg"], 0, (1, 1))
    manifest.finish_attempt(history, 9, outcome)
    manifest.write_manifest(run.manifest, history)


def test_what_training_writes_while_one_waits_is_seen_in_order_and_once(tmp_path):
    run, said = RunDirectory(tmp_path / "run"), []
    add(run, 10)
    events = [
        lambda: add(run, 20),
        lambda: None,
        lambda: (add(run, 30), finish(run, "stopped")),
        lambda: (add(run, 40), finish(run, "finished")),
    ]
    found = new_checkpoints(run, lambda info: info.step == 20, lambda: events.pop(0)(), said.append)
    assert [info.step for info in found] == [10, 30, 40]  # 20 was evaluated before; a stopped run may go on
    assert events == [] and len(said) == 1


def test_checkpoints_of_a_run_that_went_back_are_new_ones(tmp_path):
    run = RunDirectory(tmp_path / "run")
    for step in (10, 20, 30):
        add(run, step)

    def go_back():
        with records.Records(run.records) as curve:
            curve.append(10, "event", rolled_back={"to": 10})
        finish(run, "finished")

    found = new_checkpoints(run, lambda info: False, go_back, lambda _: None)
    assert [info.step for info in found] == [10, 20, 30, 20, 30]


def test_evaluations_of_steps_taken_back_are_deleted(tmp_path):
    for step in (10, 20):
        summary = {"split": "test", "checkpoint": f"step-{step}", "step": step, "metrics": []}
        (tmp_path / f"test-step-{step}").mkdir()
        (tmp_path / f"test-step-{step}" / evaluations.METRICS).write_text(json.dumps(summary))
    evaluations.remove_after(tmp_path, 10)
    assert [one.step for one in evaluations.find(tmp_path)] == [10]


def test_a_checkpoint_written_last_is_not_missed(tmp_path):
    run = RunDirectory(tmp_path / "run")
    add(run, 10)
    finish(run, "finished")
    assert [info.step for info in new_checkpoints(run, lambda info: False, pytest.fail, print)] == [10]


def test_a_run_without_a_manifest_or_with_half_of_one_is_not_over(tmp_path):
    run = RunDirectory(tmp_path)
    assert not has_finished(run)
    run.manifest.write_text("attempts {")
    assert not has_finished(run)


def test_an_evaluation_counts_again_only_for_the_same_model_decoding_and_metrics(tmp_path):
    prints = {"model": "m", "decoding": "d", "data": "x"}
    summary = {"fingerprint": prints, "metrics": [{"name": "bleu"}], "split": "test", "checkpoint": "c", "step": 1}
    stored = evaluations.StoredEvaluation(tmp_path, summary)
    assert is_same(stored, prints, ["bleu"]) and is_same(stored, prints | {"data": "y"}, [])
    assert not is_same(stored, prints | {"decoding": "e"}, ["bleu"]) and not is_same(stored, prints, ["bleu", "chrf"])
    assert not is_same(None, prints, [])


def test_the_best_so_far_is_starred():
    class Evaluated:
        def __init__(self, step, *values):
            names = [("bleu", "higher"), ("ter", "lower")]
            self.step, self.scores = step, [Score(name=n, value=v, better=b) for (n, b), v in zip(names, values)]

    best = {}
    lines = [line_of(Evaluated(*one), best) for one in ((1, 10.0, 50.0), (2, 9.0, 40.0), (3, 11.0, 45.0))]
    assert lines == ["step 1  bleu 10.00*  ter 50.00*", "step 2  bleu 9.00  ter 40.00*", "step 3  bleu 11.00*  ter 45.00"]


@pytest.mark.slow
def test_watching_evaluates_every_checkpoint_once_and_draws_attention(tmp_path, monkeypatch):
    run = make_run(tmp_path)
    monkeypatch.setattr("seqcfg.evaluation.following.has_finished", lambda run: True)
    call = [str(run), "--watch", "--alignments", "--data-root", str(tmp_path), "--cache-root", str(tmp_path / "prepared")]
    first = CliRunner().invoke(evaluate, call, catch_exceptions=False)
    assert [line.split("  ")[0] for line in first.stdout.splitlines()] == ["step 10", "step 20"]
    found = evaluations.find(run / "evaluations")
    assert [(one.step, one.checkpoint) for one in found] == [(10, "step-00000010"), (20, "step-00000020")]
    losses = [one.summary["losses"]["loss"] for one in found]
    assert losses[0] != losses[1]  # the second one was measured with its own weights
    assert (found[0].folder / "index.html").read_text(encoding="utf-8").count("data-map=") > 5
    kept = found[0].attention()
    assert len(kept) > 5 and all(len(one["weights"]) == len(one["target"]) for one in kept)
    assert all(0 <= share <= 1 for one in kept for row in one["weights"] for share in row)
    shutil.rmtree(found[1].folder)
    again = CliRunner().invoke(evaluate, call, catch_exceptions=False)
    assert [line.split("  ")[0] for line in again.stdout.splitlines()] == ["step 20"]
    assert json.loads((found[1].folder / "metrics.json").read_text())["losses"]["loss"] == pytest.approx(losses[1], rel=1e-6)
    named = CliRunner().invoke(evaluate, [*call, "--name", "greedy", "--set", "decoding.search={type: greedy}"], catch_exceptions=False)
    assert len(named.stdout.splitlines()) == 2
    assert [one.folder.name for one in evaluations.find(run / "evaluations")][:2] == ["test-step-00000010", "test-step-00000010-greedy"]


def test_options_that_contradict_each_other_are_refused(tmp_path):
    assert CliRunner().invoke(evaluate, [str(tmp_path), "--watch", "--checkpoint", "last"]).exit_code == 2
    assert CliRunner().invoke(evaluate, [str(tmp_path), "--name", "../up"]).exit_code == 2
