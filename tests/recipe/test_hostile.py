"""Recipes of strangers: whatever they hold, checking one gives problems and does nothing else."""

import copy
import json
import os
import random
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from seqcfg.recipe.canonical import fingerprint
from seqcfg.recipe.experiment import load
from seqcfg.recipe.report import FORMATS, render
from seqcfg.recipe.textproto_write import to_textproto
from seqcfg.recipe.validate import resolve, validate
from seqcfg.recipe.write import to_yaml
from tests.recipe import fuzz_targets
from tests.recipe.spellings import spellings

ROOT = Path(__file__).parents[2]
NEGATIVE = ROOT / "tests" / "negative"
TINY = NEGATIVE / "bases" / "tiny.yaml"
PLAIN = resolve(str(TINY)).plain()
CORPUS = [file.read_bytes() for file in [TINY, *sorted(NEGATIVE.glob("*.yaml"))]]
LINES = sorted({line for text in CORPUS for line in text.split(b"\n") if len(line) < 200})
ODD = [None, True, -1, 0, 1, 3, 10**18, 0.5, -0.0, 1e300, "", "x", "dense", "${vars.x}", [], {}, [[]], {"type": "dense"}, [{}], {"": 1}]
FEW = settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
MANY = settings(FEW, max_examples=2000)
SUFFIXES = st.sampled_from([".yaml", ".json", ".textproto"])


def check_bytes(folder, data, suffix):
    file = folder / f"r{suffix}"
    file.write_bytes(data)
    for problem in validate(str(file)):
        assert problem.message and problem.code and problem.file
        assert problem.line <= data.count(b"\n") + 2 or problem.file != str(file)


def check_lines(folder, numbers, suffix):
    check_bytes(folder, b"\n".join(LINES[number % len(LINES)] for number in numbers), suffix)


def check_splice(folder, seed):
    """A recipe with some bytes replaced by those of others."""
    draw = random.Random(seed)
    data = bytearray(draw.choice(CORPUS))
    for _ in range(draw.randint(1, 4)):
        other = draw.choice(CORPUS)
        start, end = sorted(draw.choices(range(len(other) + 1), k=2))
        at = draw.randint(0, len(data))
        data[at : at + draw.randint(0, 20)] = draw.choice([other[start : min(end, start + 60)], bytes([draw.randrange(256)]), b""])
    check_bytes(folder, bytes(data), ".yaml")


def places(value, path=()):
    yield path
    for key, inner in value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ():
        yield from places(inner, (*path, key))


def at(value, path):
    for key in path:
        value = value[key]
    return value


def check_tree(folder, seed):
    """A recipe with parts replaced by other parts or odd values, removed, or moved: valid ones read back as themselves."""
    draw = random.Random(seed)
    plain = copy.deepcopy(PLAIN)
    for _ in range(draw.randint(1, 3)):
        path = draw.choice([path for path in places(plain) if path])
        part = draw.choice([copy.deepcopy(draw.choice(ODD)), copy.deepcopy(at(plain, draw.choice(list(places(plain)))))])
        owner = at(plain, path[:-1])
        if draw.random() < 0.2:
            del owner[path[-1]]
        else:
            owner[path[-1]] = part
    file = folder / "r.yaml"
    file.write_text(to_yaml(plain) if plain else "{}", encoding="utf-8")
    problems = validate(str(file))
    assert all(problem.code and problem.line for problem in problems)
    if problems:
        return
    experiment = load(file, allow_base=True)
    for name, text in {"a.yaml": to_yaml(experiment.canonical()), "b.textproto": to_textproto(experiment.resolved)}.items():
        again = folder / name
        again.write_text(text, encoding="utf-8")
        assert fingerprint(load(again, allow_base=True).recipe) == experiment.fingerprint


@FEW
@given(st.binary(max_size=60), SUFFIXES)
@example(b"? ? ? :", ".yaml")
@example(b"!!python/object/apply:os.system [x]", ".yaml")
@example(b"[" * 5000, ".yaml")
@example(b"{a: " * 5000, ".json")
@example(b"fields { " * 5000, ".textproto")
@example(b"recipe_version: 1\nvars: {a: '" + b"${vars.a}" * 50 + b"'}\nname: '${vars.a}'", ".yaml")
def test_any_bytes_give_problems(tmp_path, data, suffix):
    check_bytes(tmp_path, data, suffix)


@FEW
@given(st.lists(st.integers(0, 10**6), max_size=30), SUFFIXES)
def test_lines_of_broken_recipes_in_any_order_give_problems(tmp_path, numbers, suffix):
    check_lines(tmp_path, numbers, suffix)


@FEW
@given(st.integers(0, 2**32))
def test_recipes_with_other_bytes_in_them_give_problems(tmp_path, seed):
    check_splice(tmp_path, seed)


@FEW
@given(st.integers(0, 2**32))
def test_recipes_with_other_values_in_them_give_problems_or_read_back(tmp_path, seed):
    check_tree(tmp_path, seed)


@pytest.mark.slow
@MANY
@given(st.integers(0, 2**32))
def test_thousands_of_changed_recipes(tmp_path, seed):
    check_splice(tmp_path, seed)
    check_tree(tmp_path, seed)


def calls(action):
    """How many functions an action calls."""
    count = 0

    def tick(frame, event, argument):
        nonlocal count
        count += event in ("call", "c_call")

    sys.setprofile(tick)
    try:
        action()
    finally:
        sys.setprofile(None)
    return count


def test_cost_grows_linearly_with_the_recipe(tmp_path):
    costs = {}
    for size in (20, 80, 320):
        plain = copy.deepcopy(PLAIN)
        plain["task"]["model"]["decoder"]["layers"] *= size
        for suffix, text in {".yaml": to_yaml(plain), ".textproto": to_textproto(plain)}.items():
            file = tmp_path / f"{size}{suffix}"
            file.write_text(text)
            assert validate(str(file)) == []
            costs[size, suffix] = calls(lambda file=file: validate(str(file)))
    for suffix in (".yaml", ".textproto"):
        assert costs[320, suffix] < 4.2 * costs[80, suffix] < 4.2**2 * costs[20, suffix]


BOMBS = {
    "aliases": "recipe_version: 1\na: &a [x, x]\nb: [*a, *a]\n",
    "variables": "recipe_version: 1\nvars:\n  a0: [x, x]\n"
    + "".join(f'  a{i + 1}: ["${{vars.a{i}}}", "${{vars.a{i}}}"]\n' for i in range(40)),
    "deep": "recipe_version: 1\nabout: " + "[" * 20_000,
    "wide": "recipe_version: 1\nabout: [" + "1," * 400_000 + "]",
    "misspelt variables": "recipe_version: 1\nvars: {"
    + ", ".join(f"a{i}: 1" for i in range(30_000))
    + "}\nabout: ["
    + ", ".join(f'"${{vars.b{i}}}"' for i in range(2_000))
    + "]\n",
    "misspelt defaults": "recipe_version: 1\ndefaults: {" + ", ".join(f"layer.densex{i}: {{}}" for i in range(20_000)) + "}\n",
    "misspelt keys": "recipe_version: 1\n" + "".join(f"trainin{i}: 1\n" for i in range(10_000)),
    "misspelt types": "recipe_version: 1\nbase: tiny.yaml\ntask: {model: {encoder: {layers: ["
    + ", ".join(f"{{type: layer_norx{i}}}" for i in range(8_000))
    + "]}}}\n",
    "long names": "recipe_version: 1\nbase: tiny.yaml\n" + "".join(f"{'training' * 100}{i}: 1\n" for i in range(1_000)),
    "packages": "recipe_version: 1\nrequires: [" + ", ".join(f"pkg{i}" for i in range(10_000)) + "]\n",
    "repeats": "recipe_version: 1\nbase: tiny.yaml\ntask: {model: {decoder: {type: repeat, times: 10000, layer: {type: repeat, "
    "times: 10000, layer: {type: repeat, times: 10000, layer: {type: layer_norm}}}}}}\n",
}


@pytest.mark.parametrize("name", BOMBS)
def test_small_files_that_would_grow_without_end_are_refused(tmp_path, name):
    (tmp_path / "tiny.yaml").write_text(TINY.read_text())
    file = tmp_path / "bomb.yaml"
    file.write_text(BOMBS[name])
    found = []
    assert calls(lambda: found.extend(validate(str(file)))) < 20_000_000
    assert found


WATCHED = """
import json, os, sys
from pathlib import Path
folder, tiny = Path(sys.argv[1]), sys.argv[2]
sys.path.insert(0, str(folder))
from seqcfg.cli import main
from seqcfg.component.schema import editor_schema
from seqcfg.recipe.sections import Recipe
editor_schema(Recipe)     # reads the type hints of all components, which are our own and not the recipe's
assert main(["validate", tiny]) == 0
main(["validate", str(folder / "broken.yaml"), "--format", "sarif"])     # all that is imported late is there now
seen = []
def watch(event, arguments):
    if event == "open":
        name, mode, flags = arguments
        is_writing = isinstance(flags, int) and flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT)
        if is_writing or (isinstance(mode, str) and set(mode) & set("wax+")):
            seen.append(f"{event} {name} {mode}")
    elif event == "import" or event.split(".")[0] in ("socket", "subprocess", "shutil", "ctypes", "urllib", "webbrowser", "exec"):
        seen.append(f"{event} {arguments[0]}")
    elif event in ("os.system", "os.exec", "os.fork", "os.forkpty", "os.posix_spawn", "os.remove", "os.rename", "os.mkdir", "os.putenv"):
        seen.append(event)
sys.addaudithook(watch)
for file in sorted(folder.glob("*.yaml")) + [Path(tiny)] + sorted(Path(tiny).parents[1].glob("*.yaml")):
    for format in ("text", "json", "github", "sarif", "junit"):
        assert main(["validate", str(file), "--format", format]) in (0, 1), file
sys.stdout.flush()
print("\\n" + json.dumps([sorted(set(seen)), "stranger" in sys.modules, os.path.exists(folder / "touched")]))
"""
HOSTILE = {
    "broken": "recipe_version: 1\ntask: 3\n",
    "type": "recipe_version: 1\nbase: tiny.yaml\ntask: {loss: {type: stranger.run}}\n",
    "module": "recipe_version: 1\nbase: tiny.yaml\ntask: {loss: {type: 'stranger:run'}}\nstranger: {}\n",
    "requires": "recipe_version: 1\nbase: tiny.yaml\nrequires: [stranger, 'stranger>=1']\n",
    "base": "recipe_version: 1\nbase: http://127.0.0.1:9/stranger.yaml\n",
    "module_as_base": "recipe_version: 1\nbase: stranger.py\n",
    "tag": "recipe_version: 1\nname: !!python/object/apply:stranger.run [x]\n",
    "module_tag": "recipe_version: 1\nname: !!python/module:stranger {}\n",
    "variable": 'recipe_version: 1\nname: "${stranger.run()}"\nabout: "${vars.__import__(\'stranger\')}"\n',
    "schema": "$schema: http://127.0.0.1:9/stranger.json\nrecipe_version: 1\n$ref: 'file:///stranger'\n",
    "fields": "recipe_version: 1\nbase: tiny.yaml\ntask: {__class__: stranger, __init__: stranger, check: stranger}\n",
}


def test_a_stranger_s_recipe_writes_nothing_runs_nothing_and_imports_nothing(tmp_path):
    """Seen through Python's audit events: files opened for writing, sockets, processes, imports."""
    (tmp_path / "stranger.py").write_text(
        f"open({str(tmp_path / 'touched')!r}, 'w')\ndef run(*a): open({str(tmp_path / 'touched')!r}, 'w')\n"
    )
    (tmp_path / "tiny.yaml").write_text(TINY.read_text())
    for name, text in HOSTILE.items():
        (tmp_path / f"{name}.yaml").write_text(text)
    environment = os.environ | {"PYTHONDONTWRITEBYTECODE": "1", "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-c", WATCHED, str(tmp_path), str(TINY)], capture_output=True, text=True, cwd=ROOT, env=environment
    )
    assert done.returncode == 0, done.stderr[-2000:]
    seen, is_imported, is_touched = json.loads(done.stdout.strip().split("\n")[-1])
    assert seen == []
    assert not is_imported and not is_touched


SECRET = "password: hunter2\n- x\n"


def test_no_spelling_of_a_base_reads_what_is_no_recipe(tmp_path):
    """S13: traversal spellings, hidden folders, links, devices, schemes: no file but recipes is opened, and nothing of one is shown."""
    inside, outside = tmp_path / "recipes", tmp_path / "outside"
    for name in (
        "secret",
        "secret.txt",
        ".netrc",
        ".docker/config.json",
        ".config/gh/hosts.yml",
        "../recipes/.netrc",
        "../recipes/.ssh/id.yaml",
    ):
        file = outside / name
        file.parent.mkdir(parents=True, exist_ok=True)
        inside.mkdir(exist_ok=True)
        file.write_text(SECRET)
    (inside / "folder").symlink_to(outside)
    for link, target in {"link.yaml": "secret", "link.txt": "secret", "hidden.yaml": ".config/gh/hosts.yml"}.items():
        (inside / link).symlink_to(outside / target)
    (inside / "loop.yaml").symlink_to(inside / "loop.yaml")
    fuzz_targets.warm_up(tmp_path)
    opened = []
    fuzz_targets.WATCH.also = lambda event, arguments: opened.append(str(arguments[0])) if event == "open" else None
    assert len(spellings(outside)) >= 60
    for spelling in spellings(outside):
        file = inside / "r.yaml"
        file.write_text(f"recipe_version: 1\nbase: {json.dumps(spelling)}\n")
        opened.clear()
        with fuzz_targets.WATCH.over():
            problems = validate(str(file))
            shown = [render({str(file): problems}, form) for form in FORMATS]
        assert problems, spelling
        assert "hunter2" not in "".join(shown), spelling
        assert {Path(name).resolve() for name in opened} <= {file}, spelling
    fuzz_targets.WATCH.also = None


@pytest.mark.parametrize("word", ["a" * 65_000 + "@", "a." * 30_000 + "@", "a://:" * 13_000, "a:b@" * 16_000, "${" * 30_000])
def test_a_long_text_is_looked_at_in_little_time(word, tmp_path):
    """Patterns that look for secrets and variables do not go back over what they have seen."""
    file = tmp_path / "r.yaml"
    file.write_text(f"recipe_version: 1\nbase: tiny.yaml\nabout: {json.dumps(word)}\n")
    (tmp_path / "tiny.yaml").write_text(TINY.read_text())
    fuzz_targets.warm_up(tmp_path)
    with fuzz_targets.WATCH.over():
        validate(str(file))
