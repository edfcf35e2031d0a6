import random

import pytest

from seqcfg.data.filters import (
    DuplicateFilter,
    HashSet,
    IdenticalFilter,
    LengthFilter,
    PatternFilter,
    RatioFilter,
    ScriptFilter,
    script_share,
)


def kept(rule, *pairs):
    check = rule.start()
    return [not check({"source": source, "target": target}) for source, target in pairs]


def test_lengths_are_counted_in_words_or_characters():
    assert kept(LengthFilter(longest=2), ("a b", "c"), ("a b c", "d"), ("", "x")) == [True, False, False]
    assert kept(LengthFilter(unit="characters", shortest=2, longest=3), ("ab", "abc"), ("a", "ab")) == [True, False]


def test_ratios_have_slack_for_short_texts():
    pairs = [("a b", "a"), ("a b c", "a"), ("a b c d", "a")]
    assert kept(RatioFilter(highest=2.0), *pairs) == [True, False, False]
    assert kept(RatioFilter(highest=2.0, slack=2), *pairs) == [True, True, False]


def test_the_first_of_several_equal_pairs_is_kept():
    pairs = [("A b", "c"), ("A b", "c"), ("a  B", "C"), ("A b", "d")]
    assert kept(DuplicateFilter(), *pairs) == [True, False, True, True]
    assert kept(DuplicateFilter(ignores_case_and_space=True), *pairs) == [True, False, False, True]
    assert kept(DuplicateFilter(fields=["source"]), *pairs) == [True, False, True, False]


def test_each_reading_begins_with_nothing_seen():
    rule = DuplicateFilter()
    assert kept(rule, ("a", "b")) == kept(rule, ("a", "b")) == [True]


def test_untranslated_pairs_are_dropped():
    assert kept(IdenticalFilter(), ("x", " x"), ("x", "y")) == [False, True]


def test_texts_in_another_script_are_dropped():
    assert kept(ScriptFilter(field="target", script="CYRILLIC"), ("", "привет abc"), ("", "hello мир"), ("", "123")) == [True, False, True]
    assert script_share("かな漢字カナ abc", "CJK") == pytest.approx(6 / 9)
    assert script_share("Ωa", "GREEK") == 0.5


def test_patterns_are_found_or_missing():
    assert kept(PatternFilter(field="source", pattern="^[a-z]+$"), ("abc", ""), ("a1", "")) == [True, False]
    assert kept(PatternFilter(field="source", pattern="http", keep="missing"), ("see http://x", ""), ("x", "")) == [False, True]
    assert [field for field, _, _ in PatternFilter(field="source", pattern="(").check()] == ["pattern"]


def test_a_set_of_numbers_in_one_array_is_a_set():
    draw, ours, theirs = random.Random(0), HashSet(), set()
    for _ in range(20_000):
        number = draw.choice([draw.randrange(1, 500), draw.getrandbits(64)])
        assert ours.add(number) == (number not in theirs)
        theirs.add(number)
    assert len(ours) == len(theirs)
