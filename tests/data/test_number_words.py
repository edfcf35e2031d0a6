import pytest

from seqcfg.data.number_words import english, french
from seqcfg.data.root import DataRoot
from seqcfg.data.sources.number_names import NumberNames
from seqcfg.errors import UserError

FRENCH = {
    0: "zéro", 1: "un", 16: "seize", 17: "dix-sept", 20: "vingt", 21: "vingt et un", 22: "vingt-deux", 61: "soixante et un",
    70: "soixante-dix", 71: "soixante et onze", 72: "soixante-douze", 79: "soixante-dix-neuf", 80: "quatre-vingts",
    81: "quatre-vingt-un", 90: "quatre-vingt-dix", 91: "quatre-vingt-onze", 99: "quatre-vingt-dix-neuf", 100: "cent",
    101: "cent un", 171: "cent soixante et onze", 180: "cent quatre-vingts", 200: "deux cents", 201: "deux cent un",
    280: "deux cent quatre-vingts", 1000: "mille", 1001: "mille un", 1100: "mille cent", 2000: "deux mille",
    21000: "vingt et un mille", 71021: "soixante et onze mille vingt et un", 80000: "quatre-vingt mille",
    80080: "quatre-vingt mille quatre-vingts", 200000: "deux cent mille", 200200: "deux cent mille deux cents",
    999999: "neuf cent quatre-vingt-dix-neuf mille neuf cent quatre-vingt-dix-neuf",
}  # fmt: skip
ENGLISH = {
    0: "zero", 7: "seven", 13: "thirteen", 20: "twenty", 21: "twenty-one", 100: "one hundred", 110: "one hundred ten",
    999: "nine hundred ninety-nine", 1000: "one thousand", 1001: "one thousand one", 40014: "forty thousand fourteen",
    300000: "three hundred thousand", 512345: "five hundred twelve thousand three hundred forty-five",
}  # fmt: skip


@pytest.mark.parametrize(("number", "name"), FRENCH.items())
def test_french_names_follow_the_traditional_rules(number, name):
    assert french(number) == name


@pytest.mark.parametrize(("number", "name"), ENGLISH.items())
def test_english_names(number, name):
    assert english(number) == name


@pytest.mark.parametrize("language", [english, french])
def test_no_two_numbers_share_a_name(language):
    numbers = [*range(3000), *range(70_000, 100_000, 7), *range(999_000, 1_000_000)]
    assert len({language(number) for number in numbers}) == len(numbers)


@pytest.mark.parametrize("number", [-1, 1_000_000])
def test_numbers_without_a_name_are_refused(number):
    with pytest.raises(ValueError, match="999999"):
        french(number)


def numbers(part, **fields):
    return NumberNames(part=part, **fields).numbers().tolist()


def test_parts_share_no_number_whatever_their_seeds():
    taken = [set(numbers(part, num_examples=900, highest=19_999, seed=seed)) for seed, part in enumerate(["train", "validation", "test"])]
    assert all(len(one) == 900 for one in taken)
    assert not (taken[0] & taken[1] | taken[0] & taken[2] | taken[1] & taken[2])


def test_parts_together_are_all_numbers():
    sizes = {}
    for part in ("train", "validation", "test"):
        with pytest.raises(UserError) as refusal:
            numbers(part, num_examples=5000, highest=4999)
        sizes[part] = int(str(refusal.value).split("has only ")[1].split()[0])
    everything = [number for part, size in sizes.items() for number in numbers(part, num_examples=size, highest=4999)]
    assert sorted(everything) == list(range(5000))
    assert 0.87 < sizes["train"] / 5000 < 0.93


def test_short_numbers_are_not_lost_among_the_long_ones():
    taken = numbers("train", num_examples=5000)
    assert len({number for number in taken if number < 1000}) > 800


def test_the_seed_fixes_numbers_and_order():
    assert numbers("test", num_examples=100, seed=3) == numbers("test", num_examples=100, seed=3)
    assert numbers("test", num_examples=100, seed=3) != numbers("test", num_examples=100, seed=4)


def test_examples_are_pairs_of_names():
    source = NumberNames(part="validation", num_examples=50)
    for number, example in zip(source.numbers().tolist(), source.examples(DataRoot(".")), strict=True):
        assert example.fields == {"source": english(number), "target": french(number)}
