"""Text of arriving sound, from a stand-in that hears letters."""

import json

from seqcfg.evaluation.live import ANEW, DIM, PLAIN, SoFar, heard_so_far, show_changing, show_objects


class Stuttering:
    """Is certain of all letters but the last two."""

    def __init__(self):
        self.heard, self.told, self.pending = [], 0, []

    def hear(self, piece):
        self.heard += piece
        certain = self.heard[self.told : max(self.told, len(self.heard) - 2)]
        self.told += len(certain)
        self.pending = self.heard[self.told :]
        return certain

    def finish(self):
        return self.heard[self.told :]


def found(pieces):
    return list(heard_so_far(Stuttering(), iter(pieces), 2, "".join))


def test_each_change_is_told_once_and_the_whole_in_the_end():
    assert found([["a"], [], ["b", "c"], ["d"]]) == [
        SoFar(0.5, "", "a"),
        SoFar(1.5, "a", "bc"),
        SoFar(2.0, "ab", "cd"),
        SoFar(2.0, "abcd", "", True),
    ]
    assert found([]) == [SoFar(0.0, "", "", True)]


def test_half_a_character_is_not_certain():
    told = list(heard_so_far(Stuttering(), iter([[0xC3], [0xA4, 0x62]]), 1, lambda ids: bytes(ids).decode("utf-8", "replace")))
    assert [(one.text, one.pending) for one in told] == [("", "\ufffd"), ("", "\u00e4b"), ("\u00e4b", "")]


def test_a_terminal_shows_the_end_of_a_long_line(capfdbinary, monkeypatch):
    monkeypatch.setenv("COLUMNS", "6")
    show_changing(iter([SoFar(1.0, "abcdef", "gh"), SoFar(2.0, "abcdefg\nh", "", True)]))
    assert capfdbinary.readouterr().out.decode() == f"{ANEW}def{DIM}gh{PLAIN}{ANEW}abcdefg h\n"


def test_objects_are_lines(capfdbinary):
    show_objects(iter(found([["a"]])))
    assert [json.loads(line) for line in capfdbinary.readouterr().out.splitlines()] == [
        {"seconds": 0.5, "text": "", "pending": "a", "is_final": False},
        {"seconds": 0.5, "text": "a", "pending": "", "is_final": True},
    ]
