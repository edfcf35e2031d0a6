"""Answers to lines without a model: bounded memory, files that go on, formats."""

import json
import os
import subprocess
import sys
import tracemalloc
from pathlib import Path

import pytest

from seqcfg.data import line_stream
from seqcfg.data.line_stream import LineStream
from seqcfg.decoding.decoder import Decoded
from seqcfg.decoding.scoring import Scored
from seqcfg.errors import UserError
from seqcfg.evaluation.answering import answer
from seqcfg.evaluation.written import Style, pharaoh

ROOT = Path(__file__).parents[2]
DECODED = Decoded(["ein\tHund\n", "Hund"], [-0.5, -1.0], [-1.5, -2.0], [[5, 6], [6]])


def upper(rows, first, progress):
    progress(first + len(rows))
    return "".join(f"{first + place} {row[0].upper()}\n" for place, row in enumerate(rows))


def peak_of(folder, count):
    """Bytes held at most while `count` lines are answered into a file."""
    with open(folder / "in", "w") as file:
        file.writelines(f"line {number} of a corpus that is larger than what is held\n" for number in range(count))
    tracemalloc.start()
    assert answer([LineStream(str(folder / "in"))], str(folder / "out"), upper, {}, False, print) == count
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak


@pytest.mark.slow
def test_a_hundred_thousand_lines_take_no_more_memory_than_fifteen_thousand(tmp_path):
    peak_of(tmp_path, 100)  # imports what is imported late
    few, many = (peak_of(tmp_path, count) for count in (15_000, 100_000))
    assert many < 1.1 * few
    with open(tmp_path / "out") as file:
        assert sum(line.startswith(f"{number} LINE {number} ") for number, line in enumerate(file)) == 100_000


def test_an_interrupted_file_goes_on_with_the_line_after_the_last_part(tmp_path, monkeypatch):
    monkeypatch.setattr(line_stream, "FIRST_BLOCK", 2)
    (tmp_path / "in").write_text("".join(f"{letter}\n" for letter in "abcdefghij"))
    stream = lambda: [LineStream(str(tmp_path / "in"))]  # noqa: E731
    firsts = []

    def dies(rows, first, progress):
        firsts.append(first)
        if len(firsts) == 3:
            raise ZeroDivisionError
        return upper(rows, first, progress)

    with pytest.raises(ZeroDivisionError):
        answer(stream(), str(tmp_path / "out"), dies, {"model": "m"}, False, print)
    with pytest.raises(UserError, match="begun with model m"):
        answer(stream(), str(tmp_path / "out"), dies, {"model": "n"}, False, print)
    said = []
    done = firsts[-1]
    answer(stream(), str(tmp_path / "out"), dies, {"model": "m"}, False, said.append)
    assert done > 0 and firsts[3] == done and said == [f"{tmp_path / 'out'}: goes on after line {done}"]
    assert (tmp_path / "out").read_text() == "".join(f"{place} {letter.upper()}\n" for place, letter in enumerate("abcdefghij"))


def test_an_interruption_says_what_is_kept(tmp_path):
    (tmp_path / "in").write_text("a\n" * 100)

    def stops(rows, first, progress):
        if first:
            raise KeyboardInterrupt
        return upper(rows, first, progress)

    said = []
    with pytest.raises(KeyboardInterrupt):
        answer([LineStream(str(tmp_path / "in"))], str(tmp_path / "out"), stops, {}, False, said.append)
    assert said == [f"{tmp_path / 'out'}: the answers to 64 lines are kept; the same command goes on"]


def test_standard_output_is_utf_8_whatever_the_locale_says():
    program = "from seqcfg.evaluation.answering import tell; tell('Grüße \\N{SNOWMAN}')"
    environment = os.environ | {"PYTHONIOENCODING": "ascii"}
    shown = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True, env=environment, cwd=ROOT).stdout
    assert shown.decode("utf-8") == "Grüße \N{SNOWMAN}"


def test_a_text_is_one_line_and_columns_keep_their_number():
    assert Style("text").decoded(0, DECODED) == "ein\tHund \n"
    rows = Style("tsv", scores=True).decoded(6, DECODED, [[(0, 0)], []]).splitlines()
    assert [row.split("\t") for row in rows] == [["7", "1", "ein Hund ", "-0.5", "-1.5", "0-0"], ["7", "2", "Hund", "-1", "-2", ""]]


def test_json_has_what_was_asked_for_and_the_text_as_it_is():
    plain = json.loads(Style("jsonl").decoded(0, DECODED))
    assert plain == {"line": 1, "text": "ein\tHund\n", "n_best": ["ein\tHund\n", "Hund"]}
    entry = json.loads(Style("jsonl", True, lambda ids: [f"t{one}" for one in ids]).decoded(0, DECODED, [[(3, 0)], []]))
    assert (
        entry["tokens"] == [["t5", "t6"], ["t6"]] and entry["alignments"] == [[[3, 0]], []] and entry["log_probabilities"] == [-1.5, -2.0]
    )


def test_scores_are_written_with_the_tokens_they_come_from():
    scored = Scored([5, 2], [-1.0, -0.25], -1.25, -0.625, 1)
    names = {5: "a\nb", 2: "</s>"}
    assert Style("text").scored(0, scored) == "-1.25\n"
    assert Style("tsv", tokens_of=lambda ids: [names[one] for one in ids]).scored(1, scored) == "2\t-1.25\t-0.625\t2\ta b=-1 </s>=-0.25\n"
    assert json.loads(Style("jsonl").scored(0, scored)) == {"line": 1, "log_probability": -1.25, "score": -0.625, "length": 2}


def test_links_are_written_as_other_tools_read_them():
    assert pharaoh([(0, 0), (2, 1)]) == "0-0 2-1"
