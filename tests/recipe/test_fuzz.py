"""What the search for bad inputs starts from and what it found: no traceback, no second of CPU time, no 500 MB, nothing but computing."""

import contextlib
import json
import os
import random
import subprocess
import sys
from pathlib import Path

import pytest

from seqcfg.recipe import shipped
from seqcfg.recipe.validate import resolve
from seqcfg.recipe.write import to_yaml
from tests.recipe import fuzz_targets
from tests.recipe.fuzz_findings import FINDINGS
from tests.recipe.mutations import mutate

ROOT = Path(__file__).parents[2]
ALL = """
import json, sys
from pathlib import Path
from tests.recipe import fuzz_targets
from tests.recipe.peak_memory import peak_mib
folder = Path(sys.argv[1])
fuzz_targets.warm_up(folder)
count = 0
for target in fuzz_targets.TARGETS:
    for data in fuzz_targets.seeds(target):
        fuzz_targets.run(target, data, folder)
        count += 1
print(json.dumps({"inputs": count, "peak_mib": peak_mib()}))
"""


@pytest.fixture(scope="module")
def warm(tmp_path_factory):
    folder = tmp_path_factory.mktemp("inputs")
    fuzz_targets.warm_up(folder)
    return folder


@pytest.mark.parametrize("block", [0, *(pytest.param(block, marks=pytest.mark.slow) for block in range(1, 50))])
def test_mutated_recipes_are_answered_within_a_second_and_without_a_traceback(block, warm):
    """S6: a sample of 400, or 20,000; the million is run every night by the search itself (.github/workflows/fuzz.yml)."""
    recipes = [resolve(str(file)).plain() for file in (fuzz_targets.TINY, *map(shipped.find, shipped.names()[:5]))]
    for seed in range(400 * block, 400 * (block + 1)):
        draw = random.Random(seed)
        fuzz_targets.run("validate", to_yaml(mutate(draw.choice(recipes), draw)).encode("utf-8", "replace"), warm)


@pytest.mark.parametrize("name", FINDINGS)
def test_what_was_found_once_stays_mended(name, warm):
    fuzz_targets.run(*FINDINGS[name], warm)


def test_the_inputs_that_the_search_starts_from_pass_within_its_limits(tmp_path):
    environment = os.environ | {"PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run([sys.executable, "-c", ALL, str(tmp_path)], capture_output=True, text=True, env=environment, cwd=ROOT)
    assert done.returncode == 0, done.stderr[-2000:]
    found = json.loads(done.stdout)
    assert found["inputs"] > 500
    assert found["peak_mib"] < fuzz_targets.MAX_MIB


@pytest.mark.parametrize(
    ("action", "finding"),
    [
        (lambda folder: (folder / "written").write_text(""), "to write"),
        (lambda folder: subprocess.run([sys.executable, "-c", "pass"]), "subprocess"),
        (lambda folder: __import__("plugin_that_is_nowhere"), "import plugin_that_is_nowhere"),
        (lambda folder: sum(range(10**8)), "took|hangs"),
    ],
)
def test_the_watch_sees_what_must_not_happen(action, finding, warm):
    with pytest.raises(AssertionError, match=finding), fuzz_targets.WATCH.over(0.05), contextlib.suppress(ImportError):
        action(warm)
