"""`seqcfg decode` and `seqcfg score` on a small run: formats, odd lines, interruptions, agreement of the two."""

import gzip
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from click.testing import CliRunner

from seqcfg.commands.decode import command as decode
from seqcfg.commands.decode import show_growing
from seqcfg.commands.score import command as score
from seqcfg.decoding.decoder import Decoder
from seqcfg.errors import UserError
from seqcfg.evaluation.answerer import Answerer, Asked
from seqcfg.evaluation.written import one_line
from tests.evaluation.small_run import make_run

LINES = ["seven", "", "twenty two", "eight hundred and three", "  ", "one"]


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return make_run(tmp_path_factory.mktemp("decoded"))


class Killed(BaseException):
    """Ends the process as nothing else does."""


def one_by_one(rows):
    return ([row] for row in rows if row is not None)


def call(command, *arguments, **named):
    return CliRunner().invoke(command, [str(argument) for argument in arguments], catch_exceptions=False, **named)


def test_as_many_lines_come_out_as_went_in_whatever_they_hold(run):
    odd = b"one\n\n  \ntwenty\ttwo\r\n\xff\xfe\nnu\0ll\n" + b"word " * 10_000 + b"\nlast"
    result = call(decode, run, "--input", "-", "--set", "decoding.max_source_length=32", input=odd)
    lines = result.stdout.split("\n")
    assert len(lines) == 9 and lines[1] == lines[2] == lines[8] == ""
    assert "2 lines held NUL or bytes that are not UTF-8, now U+FFFD: line 5, 6" in result.stderr
    assert "1 lines were longer than decoding.max_source_length and were cut" in result.stderr


ODD = (
    b"\xef\xbb\xbfone\n\n  \ntwenty\ttwo\r\n\xff\xfe\nnu\0ll\n"
    + b"word " * 10_000
    + "\nU+2028 \u2028 ends no line\x0c nor does this\nlast".encode()
)


def test_odd_lines_have_one_result_each_whatever_the_files_and_formats_are(run, tmp_path):
    (tmp_path / "in").write_bytes(ODD)
    (tmp_path / "in.gz").write_bytes(gzip.compress(ODD))
    cut = ("--set", "decoding.max_source_length=32")
    call(decode, run, "--input", tmp_path / "in", "--output", tmp_path / "out", *cut)
    texts = (tmp_path / "out").read_text(encoding="utf-8").removesuffix("\n").split("\n")
    assert len(texts) == 9 and [place for place, text in enumerate(texts) if not text] == [1, 2]
    call(decode, run, "--input", tmp_path / "in.gz", "--output", tmp_path / "out.gz", "--format", "jsonl", *cut)
    entries = [json.loads(line) for line in gzip.decompress((tmp_path / "out.gz").read_bytes()).decode().split("\n")[:-1]]
    assert [(one["line"], one_line(one["text"])) for one in entries] == list(enumerate(texts, 1))
    table = call(decode, run, "--input", "-", "--format", "tsv", *cut, input=ODD).stdout
    rows = [row.split("\t") for row in table.removesuffix("\n").split("\n")]
    assert [(int(row[0]), row[1], row[2]) for row in rows] == [(n, "1", text.replace("\t", " ")) for n, text in enumerate(texts, 1)]
    scored = call(score, run, "--source", tmp_path / "in", "--target", tmp_path / "in.gz", "--format", "tsv", *cut)
    columns = [row.split("\t") for row in scored.stdout.splitlines()]
    assert [row[0] for row in columns] == [str(n) for n in range(1, 10)] and all(float(row[1]) < 0 for row in columns)
    assert columns[6][3] == "32" and "2 targets were longer than decoding.max_source_length and were cut" in scored.stderr


def test_n_best_scores_and_tokens_are_written_in_order(run):
    result = call(decode, run, "--input", "-", "--format", "jsonl", "--n-best", 2, "--scores", "--tokens", input="seven\neight\n")
    first = json.loads(result.stdout.split("\n")[0])
    assert first["line"] == 1 and first["text"] == first["n_best"][0] and len(first["scores"]) == 2
    assert first["scores"] == sorted(first["scores"], reverse=True)
    assert len(first["tokens"]) == 2 and all(isinstance(token, str) for token in first["tokens"][0])
    table = call(decode, run, "--input", "-", "--format", "tsv", "--n-best", 2, input="seven\n").stdout
    assert [line.split("\t")[:2] for line in table.splitlines()] == [["1", "1"], ["1", "2"]]


def test_alignments_name_one_source_token_for_each_output_token(run):
    shown = call(decode, run, "--input", "-", "--format", "jsonl", "--n-best", 2, "--tokens", "--alignments", input="seven\n\n")
    first, empty = map(json.loads, shown.stdout.splitlines())
    for tokens, links in zip(first["tokens"], first["alignments"]):
        assert [target for _, target in links] == list(range(len(tokens)))
        assert all(0 <= source < len("seven") for source, _ in links)
    assert empty["alignments"] == [[]]
    text = call(decode, run, "--input", "-", "--alignments", input="seven\n").stdout
    assert text.rstrip("\n").split(" ||| ")[1].split() == [f"{source}-{target}" for source, target in first["alignments"][0]]


def test_the_score_of_an_output_is_what_decode_said(run, tmp_path):
    decoded = call(decode, run, "--input", "-", "--format", "jsonl", "--scores", "--tokens", input="\n".join(LINES))
    entries = [json.loads(line) for line in decoded.stdout.splitlines()]
    texts = [entry["text"] for entry in entries]
    again = [len("".join(texts[place]).encode()) == len(entries[place]["tokens"][0]) for place in range(len(texts))]
    (tmp_path / "sources").write_text("\n".join(LINES) + "\n")
    (tmp_path / "targets").write_text("\n".join(texts) + "\n")
    shown = call(score, run, "--source", tmp_path / "sources", "--target", tmp_path / "targets", "--format", "jsonl", "--tokens")
    scored = [json.loads(line) for line in shown.stdout.splitlines()]
    assert len(scored) == len(LINES) and "perplexity" in shown.stderr
    compared = 0
    for source, entry, one, is_same in zip(LINES, entries, scored, again):
        assert sum(value for _, value in one["tokens"]) == pytest.approx(one["log_probability"], abs=1e-5)
        if source.strip() and is_same:  # bytes that are no text do not come back from text
            compared += 1
            assert one["log_probability"] == pytest.approx(entry["log_probabilities"][0], abs=1e-4)
            assert one["score"] == pytest.approx(entry["scores"][0], abs=1e-4)
    assert compared >= 1


def test_the_score_counts_coverage_as_decode_does(run, tmp_path):
    covered = ["--set", "decoding.search.coverage_penalty=0.4", "--set", "decoding.search.formula=gnmt"]
    decoded = call(decode, run, "--input", "-", "--format", "jsonl", "--scores", "--tokens", *covered, input="\n".join(LINES))
    entries = [json.loads(line) for line in decoded.stdout.splitlines()]
    (tmp_path / "sources").write_text("\n".join(LINES) + "\n")
    (tmp_path / "targets").write_text("\n".join(entry["text"] for entry in entries) + "\n")
    arguments = ("--source", tmp_path / "sources", "--target", tmp_path / "targets", "--format", "jsonl")
    plain, counted = ([json.loads(line) for line in call(score, run, *arguments, *more).stdout.splitlines()] for more in ((), covered))
    is_text = [bool(line.strip()) and len(one["text"].encode()) == len(one["tokens"][0]) for line, one in zip(LINES, entries)]
    assert any(is_text)
    for is_compared, entry, one, other in zip(is_text, entries, counted, plain):
        if is_compared:
            assert one["score"] == pytest.approx(entry["scores"][0], abs=1e-4)
            assert one["score"] < one["log_probability"] / ((5 + one["length"]) / 6) and one["log_probability"] == other["log_probability"]


def test_score_refuses_sides_that_do_not_fit(run, tmp_path):
    (tmp_path / "two").write_text("a\nb\n")
    (tmp_path / "one").write_text("a\n")
    with pytest.raises(UserError, match="one has 1 lines, and the other side has more"):
        call(score, run, "--source", tmp_path / "two", "--target", tmp_path / "one")
    with pytest.raises(UserError, match="needs sources"):
        call(score, run, "--target", tmp_path / "one")


def test_decode_says_what_it_cannot_do(run, tmp_path):
    with pytest.raises(UserError, match="cannot come from a beam of width 3"):
        call(decode, run, "--input", "-", "--format", "tsv", "--n-best", 9, input="a\n")
    with pytest.raises(UserError, match="there is no such file"):
        call(decode, run, "--input", tmp_path / "none")
    assert call(decode, run).exit_code == 2
    assert call(decode, run, "--input", "-", "--n-best", "2").exit_code == 2


def test_outputs_begin_with_and_contain_what_is_demanded_of_their_line(run, tmp_path):
    (tmp_path / "in").write_text("seven\n\neight\none\n")
    (tmp_path / "prefixes").write_text("ab\nx\n\n\n")
    (tmp_path / "phrases").write_text("\n\nq\tzz\n\n")
    demands = ["--prefixes", tmp_path / "prefixes", "--phrases", tmp_path / "phrases"]
    plain = call(decode, run, "--input", tmp_path / "in").stdout.split("\n")
    found = call(decode, run, "--input", tmp_path / "in", *demands).stdout.split("\n")
    assert found[0].startswith("ab") and found[1] == "" and "q" in found[2] and "zz" in found[2] and found[3] == plain[3]
    assert call(decode, run, "--input", "-", *demands, input=(tmp_path / "in").read_text()).stdout.split("\n") == found
    only = call(decode, run, "--input", tmp_path / "in", "--phrases", tmp_path / "phrases").stdout.split("\n")
    assert only[0] == plain[0] and only[2] == found[2]


def test_demands_that_cannot_be_met_are_refused_with_their_line(run, tmp_path):
    (tmp_path / "in").write_text("a\nb\n")
    (tmp_path / "one").write_text("x\n")
    with pytest.raises(UserError, match="one has 1 lines, and the other side has more"):
        call(decode, run, "--input", tmp_path / "in", "--prefixes", tmp_path / "one")
    with pytest.raises(UserError, match="there is no such file"):
        call(decode, run, "--input", tmp_path / "in", "--phrases", tmp_path / "none")
    assert call(decode, run, "--interactive", "--prefixes", tmp_path / "one", input="").exit_code == 2
    assert call(decode, run, "--input", tmp_path / "in", "--prefixes", "-").exit_code == 2


def test_an_interrupted_output_is_not_continued_with_other_demands(run, tmp_path, monkeypatch):
    for name, text in (("in", "a\nb\nc\nd\n"), ("first", "x\ny\nx\ny\n"), ("second", "y\ny\nx\ny\n")):
        (tmp_path / name).write_text(text)
    monkeypatch.setattr("seqcfg.evaluation.answering.blocks", one_by_one)
    calls, search = [], Decoder.decode

    def dies(self, *arguments):
        calls.append(arguments)
        if len(calls) == 3:
            raise Killed
        return search(self, *arguments)

    monkeypatch.setattr(Decoder, "decode", dies)
    arguments = (decode, run, "--input", tmp_path / "in", "--output", tmp_path / "out")
    with pytest.raises(Killed):
        call(*arguments, "--prefixes", tmp_path / "first")
    with pytest.raises(UserError, match="was begun with demanded"):
        call(*arguments)
    with pytest.raises(UserError, match="first 2 lines of the input are not those"):
        call(*arguments, "--prefixes", tmp_path / "second")
    call(*arguments, "--prefixes", tmp_path / "first")
    assert [line[0] for line in (tmp_path / "out").read_text().splitlines()] == ["x", "y", "x", "y"]


def test_what_an_output_was_made_with_names_the_runs_that_joined_in(run, tmp_path):
    purposes = []
    for checkpoint in ("10", "20"):
        joined = f"decoding.ensemble={{runs: [{run}], checkpoint: '{checkpoint}'}}"
        purposes.append(Answerer(str(run), "best", (joined,), Asked(), print).purpose)
    alone = Answerer(str(run), "best", (), Asked(), print).purpose
    assert alone["partners"] == [] and [one["partners"][0][:2] for one in purposes] == [
        ["model", "step-00000010"], ["model", "step-00000020"],
    ]  # fmt: skip
    assert purposes[0]["partners"][0][3] == alone["weights"] != purposes[1]["partners"][0][3]
    assert json.loads(json.dumps(purposes[0])) == purposes[0]  # as the file beside the output holds it


def test_interactive_answers_line_by_line(run):
    result = call(decode, run, "--interactive", input="one\ntwo\n\n")
    assert result.exit_code == 0 and len(result.stdout.splitlines()) == 2


def test_drawn_outputs_do_not_depend_on_blocks(run, monkeypatch):
    sampled = ["--set", "decoding.search={type: sample, seed: 3}"]
    together = call(decode, run, "--input", "-", *sampled, input="\n".join(LINES)).stdout
    monkeypatch.setattr("seqcfg.evaluation.answering.blocks", one_by_one)
    assert call(decode, run, "--input", "-", *sampled, input="\n".join(LINES)).stdout == together


def test_an_interrupted_output_goes_on_and_is_whole(run, tmp_path, monkeypatch):
    (tmp_path / "in").write_bytes(("\n".join(LINES * 4) + "\n").encode())
    (tmp_path / "in.gz").write_bytes(gzip.compress((tmp_path / "in").read_bytes()))
    whole = call(decode, run, "--input", tmp_path / "in.gz").stdout
    monkeypatch.setattr("seqcfg.evaluation.answering.blocks", one_by_one)
    calls, search = [], Decoder.decode

    def dies(self, *arguments):
        calls.append(arguments)
        if len(calls) == 8:
            raise Killed
        return search(self, *arguments)

    monkeypatch.setattr(Decoder, "decode", dies)
    with pytest.raises(Killed):
        call(decode, run, "--input", tmp_path / "in", "--output", tmp_path / "out")
    assert not (tmp_path / "out").exists()
    (tmp_path / "changed").write_text("other\n" * 24)
    with pytest.raises(UserError, match="first 7 lines of the input are not those"):
        call(decode, run, "--input", tmp_path / "changed", "--output", tmp_path / "out")
    with pytest.raises(UserError, match="was begun with checkpoint step-00000010 and is now asked for with step-00000020"):
        call(decode, run, "--input", tmp_path / "in", "--output", tmp_path / "out", "--checkpoint", "last")
    before = len(calls)
    result = call(decode, run, "--input", tmp_path / "in", "--output", tmp_path / "out")
    assert "goes on after line 7" in result.stderr and len(calls) - before == 24 - 7
    assert (tmp_path / "out").read_text() == whole


@pytest.mark.slow
def test_kill_9_while_decoding_loses_and_doubles_no_line(run, tmp_path):
    root = Path(__file__).parents[2]
    environment = os.environ | {"PYTHONPATH": str(root)}
    call_ = [sys.executable, "-m", "seqcfg", "decode", str(run), "--input", "-", "--output", str(tmp_path / "out")]
    first = subprocess.Popen(call_, stdin=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment)
    first.stdin.write(("\n".join(LINES) + "\n").encode())
    first.stdin.flush()
    state, limit = tmp_path / "out.partial.json", time.monotonic() + 120
    while not state.exists() and time.monotonic() < limit:
        time.sleep(0.05)
    first.send_signal(signal.SIGKILL)  # it has answered some lines and waits for more
    first.wait()
    assert 1 <= json.loads(state.read_text())["lines"] <= len(LINES) and not (tmp_path / "out").exists()
    everything = ("\n".join(LINES * 2) + "\n").encode()
    done = subprocess.run(call_, input=everything, stderr=subprocess.PIPE, env=environment, timeout=300)
    assert done.returncode == 0 and b"goes on after line" in done.stderr
    expected = call(decode, run, "--input", "-", input=everything).stdout
    assert (tmp_path / "out").read_text() == expected and expected.count("\n") == 2 * len(LINES)


def test_a_growing_line_is_written_once(capsys):
    show_growing(iter(["ein", "ein Mann", "eine Frau", "eine Frau."]))
    assert capsys.readouterr().out == "ein Mann\neine Frau.\n"
