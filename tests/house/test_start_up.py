"""What is imported when: the package and its command line start without the heavy libraries."""

import json
import pkgutil
import subprocess
import sys
from pathlib import Path

import pytest

import seqcfg

ROOT = Path(__file__).resolve().parents[2]
HEAVY = ("tensorflow", "tensorflow_text", "keras", "numpy", "sentencepiece")
REPORT = "import json; print(json.dumps(sorted(set(sys.modules) & set({names!r}))))"


def loaded(statements, names):
    """Which of `names` are loaded after running statements in a new process."""
    program = "import sys\n" + statements + "\n" + REPORT.format(names=names)
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout.strip().split("\n")[-1])


def test_no_module_loads_a_heavy_library():
    """All modules in one process; when one is guilty, each is tried alone to name it."""
    modules = [m.name for m in pkgutil.walk_packages(seqcfg.__path__, "seqcfg.")]
    statements = "import importlib\nfor name in {}: importlib.import_module(name)"
    if loaded(statements.format(modules), HEAVY):
        guilty = {name: found for name in modules if (found := loaded(f"import {name}", HEAVY))}
        pytest.fail(f"these modules load heavy libraries when they are imported: {guilty}")


def test_help_loads_neither_tensors_nor_schemas():
    statements = (
        "from click.testing import CliRunner\nfrom seqcfg.cli import cli\nassert CliRunner().invoke(cli, ['--help']).exit_code == 0"
    )
    assert loaded(statements, (*HEAVY, "jsonschema", "google.protobuf", "rich")) == []


def test_loading_the_catalog_loads_no_tensors():
    assert loaded("from seqcfg.component.catalog import load\nload()", HEAVY) == []


def test_imports_point_down():
    """import-linter's contracts in setup.cfg: the layers, heavy libraries only through seqcfg.lazy, no Keras."""
    program = "from importlinter.cli import lint_imports_command; lint_imports_command()"
    done = subprocess.run([sys.executable, "-c", program, "--no-cache"], capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]
