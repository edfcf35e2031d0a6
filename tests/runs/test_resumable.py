"""Files that are written in parts: any death leaves the last commit, and the next writer goes on there."""

import gzip
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from seqcfg.errors import UserError
from seqcfg.runs.resumable import ResumableFile

PURPOSE = {"model": "m", "format": "text"}
WRITER = """
import sys, time
from seqcfg.runs.resumable import ResumableFile
with ResumableFile(sys.argv[1], {"model": "m", "format": "text"}) as file:
    for number in range(file.lines, 300):
        file.commit(f"answer {number}\\n", number + 1, str(number))
        if number == 3: print("under way", flush=True)
"""


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_a_file_appears_whole_or_not_at_all(tmp_path):
    with ResumableFile(tmp_path / "out", PURPOSE) as file:
        assert (file.lines, file.digest) == (0, "")
        file.commit("one\n", 1, "d1")
        file.commit("two\n", 2, "d2")
        assert names(tmp_path) == ["out.partial", "out.partial.json"]
    assert names(tmp_path) == ["out"] and (tmp_path / "out").read_text() == "one\ntwo\n"


def interrupt(path, purpose=PURPOSE):
    with pytest.raises(KeyboardInterrupt), ResumableFile(path, purpose) as file:
        file.commit("one\n", 1, "d1")
        file._file.write(b"half a li")  # what a killed writer has written after its last commit
        raise KeyboardInterrupt


def test_what_was_not_committed_is_dropped_and_the_rest_goes_on(tmp_path):
    interrupt(tmp_path / "out")
    with ResumableFile(tmp_path / "out", PURPOSE) as file:
        assert (file.lines, file.digest) == (1, "d1")
        file.refuse_other_input("d1")
        file.commit("two\n", 2, "d2")
    assert (tmp_path / "out").read_text() == "one\ntwo\n" and names(tmp_path) == ["out"]


def test_another_purpose_or_input_is_refused_by_name_unless_it_is_begun_anew(tmp_path):
    interrupt(tmp_path / "out")
    with (
        pytest.raises(UserError, match="was begun with model m and is now asked for with n"),
        ResumableFile(tmp_path / "out", PURPOSE | {"model": "n"}),
    ):
        pass
    with pytest.raises(UserError, match="first 1 lines of the input are not those"), ResumableFile(tmp_path / "out", PURPOSE) as file:
        file.refuse_other_input("d9")
    assert names(tmp_path) == ["out.partial", "out.partial.json"]
    with ResumableFile(tmp_path / "out", PURPOSE | {"model": "n"}, restart=True) as file:
        assert file.lines == 0
    assert (tmp_path / "out").read_text() == ""


def test_an_older_file_stays_until_the_new_one_is_whole(tmp_path):
    (tmp_path / "out").write_text("old")
    interrupt(tmp_path / "out")
    assert (tmp_path / "out").read_text() == "old"


def test_a_state_without_its_data_counts_for_nothing(tmp_path):
    interrupt(tmp_path / "out")
    os.truncate(tmp_path / "out.partial", 2)
    with ResumableFile(tmp_path / "out", PURPOSE) as file:
        assert file.lines == 0
    (tmp_path / "out.partial.json").write_text('{"purp')
    with ResumableFile(tmp_path / "out", PURPOSE) as file:
        assert file.lines == 0


def test_packed_outputs_are_resumed_between_members(tmp_path):
    path = tmp_path / "out.gz"
    interrupt(path)
    with ResumableFile(path, PURPOSE) as file:
        file.commit("two\n", 2, "d2")
    assert gzip.decompress(path.read_bytes()) == b"one\ntwo\n"


def test_two_writers_of_one_file_are_told_apart(tmp_path):
    with ResumableFile(tmp_path / "out", PURPOSE) as file:
        file.commit("one\n", 1, "d1")
        with pytest.raises(UserError, match="is being written by another process"), ResumableFile(tmp_path / "out", PURPOSE):
            pass
    assert (tmp_path / "out").read_text() == "one\n"


def test_a_folder_that_is_not_there_is_reported(tmp_path):
    with pytest.raises(UserError, match="cannot write .*No such file"), ResumableFile(tmp_path / "none" / "out", PURPOSE):
        pass


def test_kill_9_in_the_middle_loses_and_doubles_nothing(tmp_path):
    root = Path(__file__).parents[2]
    call = [sys.executable, "-c", WRITER, str(tmp_path / "out")]
    first = subprocess.Popen(call, stdout=subprocess.PIPE, cwd=root)
    first.stdout.readline()
    first.send_signal(signal.SIGKILL)
    first.wait()
    first.stdout.close()
    done = json.loads((tmp_path / "out.partial.json").read_text())["lines"]
    assert 4 <= done < 300 and not (tmp_path / "out").exists()
    subprocess.run(call, check=True, cwd=root, stdout=subprocess.DEVNULL)
    assert (tmp_path / "out").read_text() == "".join(f"answer {number}\n" for number in range(300))
