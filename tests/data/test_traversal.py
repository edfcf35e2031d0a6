"""S13: no spelling of a path in `data:` reads outside the data root, nor does one that changes while it is used."""

from pathlib import Path

import pytest

from seqcfg.data.lines import read_lines
from seqcfg.data.root import DataRoot
from seqcfg.errors import UserError
from tests.recipe.spellings import spellings


@pytest.fixture
def outside(tmp_path):
    for name in ("secret", "secret.txt", ".netrc", ".docker/config.json", ".config/gh/hosts.yml"):
        file = tmp_path / "outside" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("hunter2\n")
    return tmp_path / "outside"


def test_every_spelling_is_refused_or_stays_inside(outside, tmp_path):
    inside = tmp_path / "data"
    inside.mkdir()
    (inside / "folder").symlink_to(outside)
    for link in ("link.yaml", "link.txt", "hidden.yaml"):
        (inside / link).symlink_to(outside / "secret")
    (inside / "loop.yaml").symlink_to(inside / "loop.yaml")
    root = DataRoot(inside, tmp_path / "cache")
    assert len(spellings(outside)) >= 60
    for spelling in spellings(outside):
        for path in (spelling, f"{spelling}!member", f"{spelling}*", f"x/../{spelling}"):
            try:
                found = [root.resolve(name) for name in root.expand([path])]
            except UserError:
                continue
            assert all(Path(file).resolve().is_relative_to(inside.resolve()) for file in found), path
        assert root.has(spelling) is False or root.resolve(spelling).resolve().is_relative_to(inside.resolve())


def test_a_file_that_becomes_a_link_after_it_was_checked_is_checked_again(outside, tmp_path):
    inside = tmp_path / "data"
    inside.mkdir()
    (inside / "train.txt").write_text("plain\n")
    root = DataRoot(inside, tmp_path / "cache")
    assert [line.text for line in read_lines(root.resolve("train.txt"), "train.txt")] == ["plain"]
    (inside / "train.txt").unlink()
    (inside / "train.txt").symlink_to(outside / "secret")
    with pytest.raises(UserError, match="symbolic link"):
        root.resolve("train.txt")
