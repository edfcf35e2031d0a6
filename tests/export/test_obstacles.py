"""Before anything is trained, `validate --target` names by line what is in the way of a format; an export refuses the same."""

import re
import subprocess
import sys

import pytest
from click.testing import CliRunner

from seqcfg.commands.validate import command
from seqcfg.decoding.beam import Beam
from seqcfg.errors import UserError
from seqcfg.export.obstacles import refuse
from seqcfg.export.onnx import Onnx
from seqcfg.export.tflite import TFLite
from seqcfg.layers.feed_forward import FeedForward
from seqcfg.recipe.experiment import load
from tests.evaluation.small_run import RECIPE


@pytest.fixture
def recipe(tmp_path):
    path = tmp_path / "recipe.yaml"
    path.write_text(RECIPE % "byte", encoding="utf-8")
    return path


def told(recipe, target, *overrides):
    """(exit code, what is said)."""
    settings = [part for override in overrides for part in ("--set", override)]
    result = CliRunner().invoke(command, [str(recipe), "--target", target, *settings], catch_exceptions=False)
    return result.exit_code, result.output


def place_of(recipe, text):
    """file:line:column of a text of the recipe."""
    for number, line in enumerate(recipe.read_text(encoding="utf-8").splitlines(), 1):
        if text in line:
            return f"{recipe}:{number}:{line.index(text) + 1}"
    raise AssertionError(text)


def test_each_layer_that_says_so_is_named_by_line_and_column(recipe, monkeypatch):
    def obstacles(self, target, needs):
        if target == "tflite" and needs == "tokens":
            yield "hidden", "TFLite has no such product", "hidden: 4"

    monkeypatch.setattr(FeedForward, "obstacles", obstacles)
    code, output = told(recipe, "tflite")
    assert code == 1 and f"{place_of(recipe, '8}}')}: task.model.encoder.layer.hidden: TFLite has no such product [E0502]" in output
    assert "hint: hidden: 4" in output
    assert told(recipe, "onnx")[0] == told(recipe, "saved_model")[0] == 0
    experiment = load(recipe)
    with pytest.raises(UserError, match="TFLite has no such product"):
        refuse(TFLite(), experiment.recipe, experiment.declaration)
    refuse(Onnx(), experiment.recipe, experiment.declaration)


def test_a_layer_in_a_loop_and_a_search_are_named_and_all_at_once_in_line_order(recipe, monkeypatch):
    text = recipe.read_text(encoding="utf-8").replace(
        "encoder: {type: residual, norm: {type: layer_norm}, layer: {type: feed_forward, hidden: 8}}",
        "encoder: {type: repeat, times: 3, layer: {type: feed_forward, hidden: 8}}",
    )
    recipe.write_text(text, encoding="utf-8")
    monkeypatch.setattr(FeedForward, "obstacles", lambda self, target, needs: [("", "no such layer", "")])
    monkeypatch.setattr(Beam, "obstacles", lambda self, target, needs: [("width", "no such width", "")])
    code, output = told(recipe, "onnx")
    lines = re.findall(r"yaml:(\d+):\d+: (\S+): no such (\w+)", output)
    assert code == 1 and [(path, what) for _, path, what in lines][-1] == ("decoding.search.width", "width")
    assert len(lines) == 2 and lines[0][1].startswith("task.model.encoder") and int(lines[0][0]) < int(lines[1][0])


@pytest.mark.parametrize("target", ["saved_model", "tflite", "tflite-int8", "onnx", "ctranslate2"])
def test_what_decoding_does_beside_the_graph_of_one_model_is_named(recipe, target):
    recipe.write_text(recipe.read_text(encoding="utf-8").replace("xla: never}", "xla: never, ensemble: {runs: [a]}}"), encoding="utf-8")
    code, output = told(recipe, target)
    assert code == 1 and f"{place_of(recipe, '{runs')}: decoding.ensemble: exported graphs do not do that [E0502]" in output


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ("search: {type: sample}", "decoding.search: the engine has greedy and beam search"),
        ("search: {type: beam, coverage_penalty: 0.1}", "decoding.search.coverage_penalty: the engine does not search with"),
        ("search: {type: beam, num_groups: 5}", "decoding.search.num_groups: the engine does not search with"),
        ("distinct_ngrams: 3", "decoding.distinct_ngrams: the engine does not follow this rule"),
        ("length_floor: {ratio: 0.5}", "decoding.length_floor: the engine does not follow this rule"),
    ],
)
def test_what_the_client_of_an_engine_does_not_search_is_named(recipe, setting, said):
    text = recipe.read_text(encoding="utf-8")
    recipe.write_text(text[: text.index("decoding:")] + f"decoding: {{{setting}}}\n", encoding="utf-8")
    code, output = told(recipe, "ctranslate2")
    assert code == 1 and said in output and f"{recipe}:" in output.split(said)[0].splitlines()[-1]


def test_operators_of_tensorflow_are_no_obstacle_where_they_are_allowed(recipe, monkeypatch):
    monkeypatch.setattr(FeedForward, "obstacles", lambda self, target, needs: [("", "TFLite has it not", "")])
    recipe.write_text(recipe.read_text(encoding="utf-8") + "export: {formats: [{type: tflite, allow_flex: true}]}\n", encoding="utf-8")
    assert told(recipe, "tflite")[0] == 0 and told(recipe, "tflite-int8")[0] == 1


def test_a_target_needs_no_tensorflow(recipe):
    program = (
        "import sys\nfrom seqcfg.cli import main\n"
        f"print([main(['validate', {str(recipe)!r}, '--target', one]) for one in ('tflite', 'onnx', 'ctranslate2', 'saved_model')],"
        " 'tensorflow' in sys.modules)"
    )
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert result.stdout.splitlines()[-1] == "[0, 0, 1, 0] False"
