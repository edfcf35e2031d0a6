"""The names of whole numbers below a million, in English and in French."""

from __future__ import annotations

ENGLISH_UNITS = (
    "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten",
    "eleven", "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen",
)  # fmt: skip
ENGLISH_TENS = ("", "", "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
FRENCH_UNITS = (
    "zéro", "un", "deux", "trois", "quatre", "cinq", "six", "sept", "huit", "neuf", "dix",
    "onze", "douze", "treize", "quatorze", "quinze", "seize", "dix-sept", "dix-huit", "dix-neuf",
)  # fmt: skip
FRENCH_TENS = ("", "", "vingt", "trente", "quarante", "cinquante", "soixante")


def english(number: int) -> str:
    """American usage, without "and": 121 -> one hundred twenty-one."""
    _check(number)
    if number < 20:
        return ENGLISH_UNITS[number]
    if number < 100:
        tens, units = divmod(number, 10)
        return ENGLISH_TENS[tens] + (f"-{ENGLISH_UNITS[units]}" if units else "")
    size, name = (1000, "thousand") if number >= 1000 else (100, "hundred")
    head, rest = divmod(number, size)
    return f"{english(head)} {name}" + (f" {english(rest)}" if rest else "")


def french(number: int) -> str:
    """Traditional usage of France: 71 -> soixante et onze, 200 -> deux cents, 80000 -> quatre-vingt mille."""
    _check(number)
    if number < 1000:
        return _french_below_thousand(number, is_last=True)
    thousands, rest = divmod(number, 1000)
    # before "mille", "cents" and "quatre-vingts" lose their plural, and "un" is not said
    head = "mille" if thousands == 1 else f"{_french_below_thousand(thousands, is_last=False)} mille"
    return f"{head} {_french_below_thousand(rest, is_last=True)}" if rest else head


def _french_below_thousand(number: int, is_last: bool) -> str:
    if number < 100:
        return _french_below_hundred(number, is_last)
    hundreds, rest = divmod(number, 100)
    head = "cent" if hundreds == 1 else f"{FRENCH_UNITS[hundreds]} cent"
    if rest:
        return f"{head} {_french_below_hundred(rest, is_last)}"
    return head + ("s" if hundreds > 1 and is_last else "")


def _french_below_hundred(number: int, is_last: bool) -> str:
    if number < 20:
        return FRENCH_UNITS[number]
    if number >= 80:
        return f"quatre-vingt-{FRENCH_UNITS[number - 80]}" if number > 80 else "quatre-vingt" + ("s" if is_last else "")
    tens, units = (6, number - 60) if number >= 60 else divmod(number, 10)
    if units == 0:
        return FRENCH_TENS[tens]
    joint = " et " if units in (1, 11) else "-"
    return f"{FRENCH_TENS[tens]}{joint}{FRENCH_UNITS[units]}"


def _check(number: int) -> None:
    if not 0 <= number < 1_000_000:
        raise ValueError(f"{number} is not a whole number from 0 to 999999")
