"""What the search for bad inputs starts from and what it found: no traceback, no second of CPU time, no 500 MB, nothing but computing."""

import contextlib
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.recipe import fuzz_targets
from tests.recipe.fuzz_findings import FINDINGS

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
