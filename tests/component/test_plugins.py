"""Packages that add components: a good one end to end, and every way in which one can be wrong."""

import configparser
import json
import os
import re
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "tests" / "plugin_example"
RECIPE = str(EXAMPLE / "recipe.yaml")
FORWARD = """
import json
from seqcfg.recipe.experiment import load
from seqcfg.layers.create import initial_values, view
from seqcfg.component.catalog import find
experiment = load({recipe!r})
declaration = experiment.declaration
tree = initial_values(declaration, seed=1)
import tensorflow as tf
scale = find("layer", "example.scale")(start=3.0)
from seqcfg.plan.declaration import declare
own = declare(scale, 2)
y = view(own, initial_values(own, 1), training=False, seed=tf.zeros([2], tf.int32), dtype=tf.float32)(tf.constant([[1.0, -2.0]]))
source = experiment.recipe.data.splits["train"]
score = experiment.recipe.evaluation.metrics[0].compute(["ab"], [["abcd"]])
print(json.dumps({{
    "factor": [tree[path].numpy().tolist() for path in tree if path.endswith("factor")],
    "scaled": y.numpy().tolist(),
    "examples": [list(example.fields.values()) for example in source.examples(None)][:2],
    "score": score.value,
}}))
"""


def install(target: Path, name="seqcfg-example", version="1.2.0", entries=None, modules=None) -> Path:
    """What `pip install --target` leaves of a package: its modules and a dist-info folder."""
    if modules is None:
        shutil.copytree(EXAMPLE / "seqcfg_example", target / "seqcfg_example", ignore=shutil.ignore_patterns("__pycache__"))
        setup = configparser.ConfigParser()
        setup.read(EXAMPLE / "setup.cfg")
        entries = dict(line.split(" = ") for line in setup["options.entry_points"]["seqcfg.components"].strip().split("\n"))
        name = setup["metadata"]["name"]
    for module, text in (modules or {}).items():
        target.mkdir(exist_ok=True)
        (target / f"{module}.py").write_text(text)
    info = target / f"{name.replace('-', '_')}-{version}.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
    (info / "entry_points.txt").write_text("[seqcfg.components]\n" + "".join(f"{key} = {value}\n" for key, value in entries.items()))
    return target


def python(target, *arguments):
    environment = os.environ | {
        "PYTHONPATH": os.pathsep.join(map(str, [*([target] if target else []), ROOT])),
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    return subprocess.run([sys.executable, *arguments], capture_output=True, text=True, cwd=ROOT, env=environment)


def seqcfg(target, *arguments):
    return python(target, "-m", "seqcfg", *arguments)


@pytest.fixture(scope="module")
def plugin(tmp_path_factory):
    return install(tmp_path_factory.mktemp("plugin"))


def test_a_recipe_uses_a_plugin_s_layer_source_and_metric(plugin):
    done = seqcfg(plugin, "validate", RECIPE)
    assert done.stdout == "1 recipe: all valid\n", done.stdout + done.stderr
    shown = seqcfg(plugin, "plan", RECIPE, "--format", "golden").stdout
    assert "task/model/encoder/layers/0/factor" in shown or "model/encoder/layers/0/factor" in shown


def test_a_plugin_s_components_run(plugin):
    done = python(plugin, "-c", FORWARD.format(recipe=RECIPE))
    assert done.returncode == 0, done.stderr[-2000:]
    found = json.loads(done.stdout.strip().split("\n")[-1])
    assert found == {"factor": [[2.5] * 16], "scaled": [[3.0, -6.0]], "examples": [["1", "2"], ["2", "3"]], "score": 0.5}


def test_components_and_the_schema_show_a_plugin_and_where_it_comes_from(plugin):
    listed = seqcfg(plugin, "components", "layer", "example.scale", "--origin").stdout
    assert "scale.py:" in listed and "Value of every factor before training." in listed
    assert "layer.example.scale" in json.loads(seqcfg(plugin, "schema").stdout)["definitions"]


def test_without_the_plugin_the_recipe_says_what_to_install():
    done = seqcfg(None, "validate", RECIPE)
    assert done.returncode == 1
    assert "recipe.yaml:5:12: requires.0: this recipe needs the package seqcfg-example, which is not installed [E0250]" in done.stdout


def test_a_type_of_an_unknown_plugin_is_told_from_a_slip(tmp_path):
    file = tmp_path / "r.yaml"
    file.write_text(Path(RECIPE).read_text().replace("requires:", "# requires:").replace("../negative", str(ROOT / "tests/negative")))
    text = Path(RECIPE).read_text().replace('requires: ["seqcfg-example>=1.2"]\n', "")
    shutil.copy(ROOT / "tests/negative/bases/tiny.yaml", tmp_path / "tiny.yaml")
    file.write_text(text.replace("../negative/bases/tiny.yaml", "tiny.yaml"))
    done = seqcfg(None, "validate", str(file))
    assert "there is no layer called 'example.scale' [E0304]" in done.stdout
    assert "a plugin called 'example'" in done.stdout


def test_a_plugin_that_is_too_old(tmp_path):
    done = seqcfg(install(tmp_path / "old", version="1.1.9"), "validate", RECIPE)
    assert "this recipe needs seqcfg-example>=1.2; 1.1.9 is installed [E0251]" in done.stdout


BAD = {
    "fails": ("import no_such_module_anywhere\n", "E0601", "ModuleNotFoundError"),
    "raises": ("raise RuntimeError('out of order')\n", "E0601", "RuntimeError: out of order"),
    "syntax": ("class :\n", "E0601", "SyntaxError"),
    "bare": (
        'from seqcfg.component.kinds import Layer\nclass Scale(Layer, type="bare_scale"):\n    """Scales."""\n',
        "E0602",
        "layer 'bare_scale'",
    ),
    "clash": (
        'from seqcfg.component.kinds import Layer\nclass Scale(Layer, type="dense"):\n    """Scales."""\n',
        "E0603",
        "layer 'dense' is already defined in seqcfg.layers.dense",
    ),
    "field": (
        'from seqcfg.component.kinds import Layer\nclass A(Layer, type="x.a"):\n    """A."""\n    b: set[int]\nfrom seqcfg.component.fields'
        " import fields_of\nfields_of(A)\n",
        "E0601",
        "a recipe cannot fill the type",
    ),
}


@pytest.mark.parametrize("case", BAD)
def test_a_plugin_that_cannot_be_used_is_named_without_a_trace(case, tmp_path):
    text, code, words = BAD[case]
    target = install(tmp_path / "bad", name="seqcfg-bad", version="3.0", entries={"bad": f"bad_{case}"}, modules={f"bad_{case}": text})
    done = seqcfg(target, "validate", "tests/negative/bases/tiny.yaml")
    assert done.returncode == 1, done.stderr
    assert f"[{code}]" in done.stderr and words in done.stderr
    assert "seqcfg-bad 3.0" in done.stderr
    assert "Traceback" not in done.stderr
    assert "pip uninstall seqcfg-bad" in done.stderr or code == "E0602"


def test_the_tutorial_shows_the_example_as_it_is():
    page = (ROOT / "docs" / "tutorial_plugin.md").read_text(encoding="utf-8")
    shown = dict(re.findall(r"^`([\w./]+)`:\n\n```\w+\n(.*?)^```$", page, re.DOTALL | re.MULTILINE))
    assert {name: (EXAMPLE / name).read_text(encoding="utf-8") for name in shown} == shown
    assert {path.name for path in EXAMPLE.rglob("*.py") if path.name != "__init__.py"} <= {Path(name).name for name in shown}


def test_the_recipe_of_the_tutorial_is_valid_with_the_plugin(plugin, tmp_path):
    page = (ROOT / "docs" / "tutorial_plugin.md").read_text(encoding="utf-8")
    recipe = re.search(r"^    recipe_version: 1\n(?:(?:    .*)?\n)+", page, re.MULTILINE)[0]
    file = tmp_path / "plugin.yaml"
    file.write_text(textwrap.dedent(recipe), encoding="utf-8")
    done = seqcfg(plugin, "validate", str(file))
    assert done.returncode == 0, done.stdout + done.stderr
