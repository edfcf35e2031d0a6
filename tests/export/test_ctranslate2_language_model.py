"""A language model of a decoder alone finds its place in CTranslate2's generator: outputs, scores, and what is refused by line."""

import json

import numpy as np
import pytest
from click.testing import CliRunner

from seqcfg.commands.validate import command as validate
from seqcfg.decoding.scoring import Scorer
from seqcfg.export.artefact import Export
from seqcfg.export.ctranslate2 import CTranslate2
from seqcfg.export.sample import Sample
from seqcfg.export.tolerance import Tolerance
from seqcfg.tasks.trained import open_run
from tests.evaluation.small_run import RECIPE, make_run

ctranslate2 = pytest.importorskip("ctranslate2")
PROMPTS = ["twenty-one", "", "one", "two hundred and", "se"]
OUTPUTS = ["twenty-one thousand", "x", "one", "two hundred and three", "se"]
BLOCK = "{type: residual, norm: {type: layer_norm}, norm_position: %s, layer: {type: %s}}"
OWN, FEEDS = "multi_head_attention, num_heads: 2, causal: true", "feed_forward, hidden: 8, activation: gelu"
TASK = """task:
  type: language_modeling
  tokenizer: shared
  field: target
  model:
    type: language_model
    embedding: {type: embedding, dim: 16, scale: %s}
%s    decoder:
      type: sequential
      layers:
        - {type: sinusoidal_position}
        - {type: repeat, times: 2, layer: {type: sequential, layers: [%s, %s]}}
%s
"""
END = "        - {type: layer_norm}"
UNTIED = "    output: {type: dense, units: 260}\n"


def language_model(position="before", end=END, scale="sqrt_dim", output=""):
    """The small recipe with a decoder alone; it continues texts by up to 30 tokens."""
    task = TASK % (scale, output, BLOCK % (position, OWN), BLOCK % (position, FEEDS), end)
    head, tail = RECIPE[: RECIPE.index("task:")], RECIPE[RECIPE.index("training:") :]
    return head + task + tail.replace("max_length: 6", "max_length: 30")


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return make_run(tmp_path_factory.mktemp("exported"), recipe_text=language_model())


def exported(run, search, **options):
    return Export(open_run(run, overrides=[f"decoding.search={search}"]), Sample(PROMPTS))(CTranslate2(**options))


@pytest.mark.parametrize("search", ["{type: greedy}", "{type: beam, width: 3, length_penalty: 0.7}"])
def test_the_engine_continues_texts_as_the_run_does_with_its_scores(run, search):
    found = exported(run, search, tolerance=Tolerance(identical_share=1.0, score_difference=1e-4))
    assert found.parity.identical == found.parity.lines == len(PROMPTS)
    assert found.parity.score_difference < 1e-4


def test_prompts_beyond_the_longest_output_are_cut_as_in_the_run(run):
    trained = open_run(run, overrides=["decoding.search={type: greedy}", "decoding.max_length=8"])
    prompts = ["one", "thousand", "twenty-one"]  # shorter, as long, longer
    found = Export(trained, Sample(prompts))(CTranslate2(tolerance=Tolerance(identical_share=1.0, score_difference=1e-4)))
    assert found.parity.identical == 3


@pytest.mark.parametrize(
    "changed",
    [{}, {"position": "after", "end": ""}, {"scale": "none", "output": UNTIED}],
    ids=["norm before", "norm after", "an output of its own"],
)
def test_given_outputs_have_the_scores_of_the_run(tmp_path, changed):
    run = make_run(tmp_path, recipe_text=language_model(**changed))
    trained = open_run(run, overrides=["decoding.search={type: greedy}"])
    folder = Export(trained, Sample(PROMPTS))(CTranslate2(tolerance=Tolerance(score_difference=1e-4))).folder
    names = json.loads((folder / "model.json").read_text())["target_tokens"]
    recipe = trained.experiment.recipe
    scorer = Scorer(recipe.task, trained.declaration, trained.weights, trained.codecs, recipe.decoding)
    ours = scorer.score([""] * len(OUTPUTS), OUTPUTS)
    theirs = ctranslate2.Generator(str(folder / "model")).score_batch([["<s>", *(names[one] for one in pair.ids)] for pair in ours])
    for mine, other in zip(ours, theirs, strict=True):
        assert len(other.log_probs) == len(mine.log_probabilities)
        np.testing.assert_allclose(other.log_probs, mine.log_probabilities, atol=1e-4)


def test_integers_are_smaller_and_nearly_the_same(run):
    whole = exported(run, "{type: greedy}")
    small = exported(run, "{type: greedy}", precision="int8", tolerance=Tolerance(identical_share=0.0, score_difference=0.3))
    sizes = [(one.folder / "model" / "model.bin").stat().st_size for one in (small, whole)]
    assert sizes[0] < sizes[1]
    assert small.parity.score_difference > 0.0


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (OWN, f"{OWN}, logit_cap: 5.0", "the engine has no logit_cap 5.0"),
        (OWN, "multi_head_attention, num_heads: 2", "the engine's attention is causal here"),
        (OWN, "lstm, units: 16", "the engine has multi_head_attention here, not lstm"),
        (END, "        - {type: lstm, units: 16}", "the engine has no lstm here, but a plain residual block"),
        (UNTIED, "    output: {type: dense, units: 260, activation: relu}\n", "the engine has a dense layer without activation here"),
    ],
)
def test_validate_names_the_line_of_the_layer_in_the_way(tmp_path, old, new, message):
    recipe, text = tmp_path / "recipe.yaml", language_model(output=UNTIED) % "byte"
    recipe.write_text(text, encoding="utf-8")
    assert CliRunner().invoke(validate, [str(recipe), "--target", "ctranslate2"]).exit_code == 0
    recipe.write_text(text.replace(old, new), encoding="utf-8")
    line = next(number for number, one in enumerate(recipe.read_text().splitlines(), 1) if new.strip() in one)
    told = CliRunner().invoke(validate, [str(recipe), "--target", "ctranslate2"])
    assert told.exit_code == 1 and f"recipe.yaml:{line}:" in told.output and message in told.output, told.output
