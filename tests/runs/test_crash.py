"""What a run that died leaves behind."""

import subprocess
import sys

import pytest

from seqcfg.errors import UserError
from seqcfg.runs.crash import CrashReport


def test_a_bug_leaves_a_report_with_versions_place_and_trace(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["seqcfg", "train", "a.yaml", "--api-key=hidden"])
    with pytest.raises(ZeroDivisionError), CrashReport(tmp_path) as report:
        report.about["step"] = 480
        1 / 0  # noqa: B018
    [path] = (tmp_path / "crashes").iterdir()
    text = path.read_text()
    assert "step: 480" in text and "ZeroDivisionError" in text and "seqcfg: " in text and "test_crash.py" in text
    assert "hidden" not in text
    assert str(path) in capsys.readouterr().err


@pytest.mark.parametrize("error", [UserError("the user's"), SystemExit(75), KeyboardInterrupt(), OSError(28, "full")])
def test_problems_of_the_user_signals_and_a_full_disk_are_no_crashes(tmp_path, error):
    with pytest.raises(type(error)), CrashReport(tmp_path):
        raise error
    assert not (tmp_path / "crashes").exists()


def test_a_run_that_ends_well_leaves_nothing(tmp_path):
    with CrashReport(tmp_path):
        pass
    assert not (tmp_path / "crashes").exists()


def test_a_fault_in_native_code_leaves_the_stack_of_every_thread(tmp_path):
    program = f"import ctypes, pathlib\nfrom seqcfg.runs.crash import CrashReport\nwith CrashReport(pathlib.Path({str(tmp_path)!r})):\n    "
    done = subprocess.run([sys.executable, "-c", program + "ctypes.string_at(0)"], capture_output=True)
    assert done.returncode < 0
    [path] = (tmp_path / "crashes").iterdir()
    assert "Segmentation fault" in path.read_text() and "string_at" in path.read_text()
