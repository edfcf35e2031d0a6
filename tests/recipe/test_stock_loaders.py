"""S5: what the stock YAML loaders get wrong, crash on or hang at is read as YAML 1.2 says, or refused with a place and little work."""

import datetime
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from seqcfg.errors import RecipeError
from seqcfg.recipe.read import decode, read_text
from tests.recipe.fuzz_targets import MAX_MIB, WATCH

ROOT = Path(__file__).parents[2]
ALIAS_BOMB = "a0: &a0 [x, x]\n" + "".join(f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]\n" for i in range(1, 9))
MERGE_BOMB = "a0: &a0 {x: 1}\n" + "".join(f"a{i}: &a{i} {{<<: [{', '.join([f'*a{i - 1}'] * 9)}]}}\n" for i in range(1, 9))
REFUSED = {  # what: (text, code, line, column)
    "an object of Python": ("a: 1\nb: !!python/object/apply:os.system [x]\n", "E0126", 2, 4),
    "a name of Python": ("!!python/name:os.system {}\n", "E0126", 1, 1),
    "duplicate keys, of which the last one wins elsewhere": ("a: 1\nb: 2\na: 3\n", "E0107", 3, 1),
    "duplicate keys in one line": ("{a: 1, a: 2}\n", "E0107", 1, 8),
    "duplicate keys, once in quotes": ("a: 1\n'a': 2\n", "E0107", 2, 1),
    "a merge key": ("a: 1\n<<: {b: 2}\n", "E0123", 2, 1),
    "a list of merge keys": ("<<: [{b: 2}, {c: 3}]\n", "E0123", 1, 1),
    "a NUL byte": ("a: x\0y\n", "E0105", 1, 5),
    "an escaped NUL": ('a: "x\\0y"\n', "E0105", 1, 4),
    "5,000 digits": (f"a: {'9' * 5000}\n", "E0128", 1, 4),
    "a hexadecimal number of 5,000 digits": (f"a: 0x{'f' * 5000}\n", "E0128", 1, 4),
    "a float of 5,000 digits": (f"a: {'9' * 5000}.5\n", "E0128", 1, 4),
    "a number too large for a float": ("a: 1e999\n", "E0128", 1, 4),
    "infinity": ("a: .inf\n", "E0128", 1, 4),
    "not a number": ("a: .NaN\n", "E0128", 1, 4),
    "a cycle": ("a: &a [*a]\n", "E0125", 1, 4),
    "an alias": ("a: *b\n", "E0124", 1, 4),
    "a bomb of aliases": (ALIAS_BOMB, "E0125", 1, 5),
    "a bomb of merge keys": (MERGE_BOMB, "E0125", 1, 5),
    "1,000 nested lists": ("[" * 1000, "E0130", 1, 66),
    "100,000 nested lists": ("[" * 100_000, "E0130", 1, 66),
    "100,000 nested mappings": ("{a: " * 100_000, "E0130", 1, 261),
    "100,000 nested keys": ("? " * 100_000, "E0122", 1, 3),
    "a directive": ("%YAML 1.1\n---\na: no\n", "E0120", 1, 1),
    "two documents": ("a: 1\n---\nb: 2\n", "E0121", 2, 1),
    "a list as key": ("[a]: 1\n", "E0122", 1, 1),
}
READ = {  # text: value
    "[no, yes, on, off, NO, y, n, Off]": ["no", "yes", "on", "off", "NO", "y", "n", "Off"],
    "[true, True, TRUE, false, tRue]": [True, True, True, False, "tRue"],
    "[1e-3, 1e6, 1.0e-3, 1.e+3, .5, -1E2]": [0.001, 1e6, 0.001, 1000.0, 0.5, -100.0],
    "[017, 0o17, 0x1F, 1:30, 190:20:30, 1_000]": [17, 15, 31, "1:30", "190:20:30", "1_000"],
    "[2024-01-01, 2024-01-01T10:00:00Z, 12:30:45]": ["2024-01-01", "2024-01-01T10:00:00Z", "12:30:45"],
    "[~, null, Null, NULL, '', nil, None]": [None, None, None, None, "", "nil", "None"],
    "[=, '<<', 1.2.3, 0b11, +1, -0]": ["=", "<<", "1.2.3", "0b11", 1, 0],
    '{a: "\\x41\\u00e9\\t"}': {"a": "Aé\t"},
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_the_stock_loaders_take_or_fall_over_is_refused_with_its_place(what):
    text, code, line, column = REFUSED[what]
    with WATCH.over(0.5), pytest.raises(RecipeError) as refused:
        read_text(text, "r.yaml")
    problem = refused.value.problems[0]
    assert (problem.code, problem.line, problem.column) == (code, line, column), problem


@pytest.mark.parametrize("text", READ)
def test_words_and_numbers_are_what_yaml_1_2_says(text):
    value = read_text(text, "r.yaml").plain()
    assert value == READ[text]
    assert json.loads(json.dumps(value)) == value
    assert not any(isinstance(item, datetime.date) for item in (value.values() if isinstance(value, dict) else value))


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-le", "utf-32"])
def test_other_encodings_than_plain_utf_8_are_refused(encoding):
    with pytest.raises(RecipeError) as refused:
        decode("a: ä\n".encode(encoding), "r.yaml") and read_text(decode("a: ä\n".encode(encoding), "r.yaml"), "r.yaml")
    assert refused.value.problems[0].code in ("E0103", "E0104", "E0105")


def test_a_file_of_twenty_thousand_keys_is_read_in_proportion():
    def cost(count):
        calls = 0

        def tick(frame, event, argument):
            nonlocal calls
            calls += event in ("call", "c_call")

        sys.setprofile(tick)
        try:
            read_text("".join(f"key{i}: {i}\n" for i in range(count)), "r.yaml")
        finally:
            sys.setprofile(None)
        return calls

    assert cost(20_000) < 11 * cost(2_000)


def test_all_of_it_takes_little_memory_and_the_command_answers_with_exit_code_1(tmp_path):
    script = """
import json, sys
from seqcfg.errors import RecipeError
from seqcfg.recipe.read import read_text
from tests.recipe.peak_memory import peak_mib
for text in json.load(sys.stdin):
    try:
        read_text(text, "r.yaml")
    except RecipeError:
        pass
print(peak_mib())
"""
    environment = os.environ | {"PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"}
    texts = json.dumps([text for text, *_ in REFUSED.values()])
    done = subprocess.run([sys.executable, "-c", script], input=texts, capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stderr
    assert float(done.stdout) < 100 < MAX_MIB

    file = tmp_path / "deep.yaml"
    file.write_text("[" * 100_000)
    done = subprocess.run([sys.executable, "-m", "seqcfg", "validate", str(file)], capture_output=True, text=True, env=environment)
    assert done.returncode == 1 and "deep.yaml:1:66" in done.stdout
