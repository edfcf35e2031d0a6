"""The lock of a run: written, read back, and held against other surroundings."""

import json
from pathlib import Path

import pytest

from seqcfg.errors import UserError
from seqcfg.recipe.experiment import load
from seqcfg.runs import lockfile

TINY = Path(__file__).parents[1] / "training" / "tiny.yaml"


@pytest.fixture(scope="module")
def lock():
    data = {"fingerprint": "f", "inputs": {"a.txt": "1"}, "tokenizers": {"bytes": "2"}}
    return lockfile.new_lock(load(TINY), data, lockfile.hardware_class((0, 0), []))


def test_a_lock_comes_back_and_holds_the_resolved_recipe(lock, tmp_path):
    lockfile.write_lock(tmp_path, lock)
    assert lockfile.read_lock(tmp_path) == lock == lockfile.read_lock(tmp_path / lockfile.LOCKFILE)
    again = tmp_path / "again.yaml"
    again.write_text(json.dumps(lock["recipe"]))
    assert load(again).fingerprint == lock["fingerprint"]


def test_a_lock_names_packages_seeds_and_machine_but_no_place(lock):
    assert {"python", "seqcfg", "tensorflow", "numpy"} <= lock["packages"].keys()
    assert lock["seeds"] == {"training": 1}
    assert str(Path.home()) not in json.dumps(lock)


def test_changed_surroundings_are_told_in_words(lock):
    assert lockfile.changes(lock, lock) == []
    other = lock | {"packages": lock["packages"] | {"numpy": "1.0"}, "hardware": lock["hardware"] | {"cores": 1000}}
    told = lockfile.changes(lock, other)
    assert told[0].startswith("numpy: ") and told[0].endswith("1.0 now")
    assert told[1].startswith("cores: ") and told[1].endswith("1000 now")


@pytest.mark.parametrize(
    "text, says",
    [("{", "is not a lock of a run"), ("[]", "is not a lock"), ('{"format": 9, "recipe": {}, "data": {}}', "of format 9")],
)
def test_what_is_no_lock_is_refused(tmp_path, text, says):
    (tmp_path / lockfile.LOCKFILE).write_text(text)
    with pytest.raises(UserError, match=says):
        lockfile.read_lock(tmp_path)


def test_a_run_without_a_lock_is_told_why(tmp_path):
    with pytest.raises(UserError, match="no such file"):
        lockfile.read_lock(tmp_path)
