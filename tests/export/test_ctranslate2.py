"""A Transformer's weights find their places in CTranslate2, and what it has not is refused by layer."""

from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from seqcfg.commands.validate import command as validate
from seqcfg.decoding.decoder import Decoder
from seqcfg.errors import UserError
from seqcfg.export.artefact import Export
from seqcfg.export.ctranslate2 import CTranslate2, sines
from seqcfg.export.probe import CLIENTS
from seqcfg.export.sample import Sample
from seqcfg.export.tolerance import Tolerance
from seqcfg.export.transformer_shape import transformer_of
from seqcfg.layers.position.sinusoidal import SinusoidalPosition
from seqcfg.plan.declaration import Misfit
from seqcfg.recipe.experiment import load
from seqcfg.tasks.trained import open_run
from tests.evaluation.small_run import RECIPE, make_run
from tests.export import alone

pytest.importorskip("ctranslate2")
RECIPES = Path(__file__).parents[2] / "recipes"
LINES = ["twenty-one", "", "one", "ninety-nine thousand", "two hundred and three"]
BLOCK = "{type: residual, norm: {type: layer_norm}, norm_position: %s, layer: {type: %s}}"
ATTENTION, FEEDS = "multi_head_attention, num_heads: 2", "feed_forward, hidden: 8, activation: gelu"
MODEL = """    encoder:
      type: sequential
      layers:
        - {type: sinusoidal_position}
        - {type: dropout}
        - {type: repeat, times: 2, layer: {type: sequential, layers: [%s, %s]}}
%s
    decoder:
      type: sequential
      layers:
        - {type: sinusoidal_position}
        - {type: repeat, times: 1, layer: {type: sequential, layers: [%s, %s, %s]}}
%s
"""


def transformer(position="before", end="        - {type: layer_norm}"):
    """The small recipe with whole Transformer stacks."""
    head, tail = RECIPE[: RECIPE.index("    encoder:")], RECIPE[RECIPE.index("training:") :]
    own, memory = BLOCK % (position, f"{ATTENTION}, causal: true"), BLOCK % (position, f"{ATTENTION}, attend_to: memory")
    feeds = BLOCK % (position, FEEDS)
    return head + MODEL % (BLOCK % (position, ATTENTION), feeds, end, own, memory, feeds, end) + tail


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return make_run(tmp_path_factory.mktemp("exported"), recipe_text=transformer())


def test_the_engine_gives_the_strings_of_the_run(run):
    # Outputs of untrained models never end by themselves, and of such the engine's scores leave the end out.
    trained = open_run(run, overrides=["decoding.search={type: greedy}"])
    export = Export(trained, Sample(LINES))
    found = export(CTranslate2(tolerance=Tolerance(score_difference=1e9)))
    assert found.parity.identical == found.parity.lines == len(LINES)
    before = {path: value.copy() for path, value in trained.weights.items()}
    small = export(CTranslate2(precision="int8", tolerance=Tolerance(identical_share=0.0, score_difference=1e9)))
    assert all((value == before[path]).all() for path, value in trained.weights.items()), "the run was rounded with its export"
    assert (small.folder / "model" / "model.bin").stat().st_size < (found.folder / "model" / "model.bin").stat().st_size


def test_norms_after_the_sum_are_mapped_too(tmp_path):
    run = make_run(tmp_path, recipe_text=transformer("after", ""))
    export = Export(open_run(run, overrides=["decoding.search={type: greedy}"]), Sample(LINES))
    assert export(CTranslate2(tolerance=Tolerance(score_difference=1e9))).parity.identical == len(LINES)


@pytest.mark.parametrize(
    ("change", "where", "message"),
    [
        ("task.model.encoder.layers.2.layer.layers.0.layer.logit_cap=5.0", "encoder.layers.2.blocks.0.layers.0.layer", "logit_cap 5.0"),
        ("task.model.decoder.layers.1.layer.layers.2.layer.gating=glu", "decoder.layers.1.blocks.0.layers.2.layer", "gating"),
        ("task.model.decoder.layers.1.layer.layers.1.layer.num_heads=4", "decoder.layers.1.blocks.0.layers.1", "num_heads 4"),
        ("task.model.encoder.layers.3={type: rms_norm}", "encoder.layers.3", "the engine has no rms_norm here"),
        ("task.model.encoder.layers.2.layer.layers.0.layer.causal=true", "encoder.layers.2.blocks.0.layers.0.layer", "not causal here"),
        ("task.model.encoder.layers.2.layer.layers.0.scale=0.5", "encoder.layers.2.blocks.0.layers.0", "unscaled"),
        ("task.model.encoder.layers.2.layer.layers.1.layer={type: dense, units: 16}", "encoder.layers.2.blocks.0.layers.1", "dense"),
    ],
)
def test_what_the_engine_has_not_is_refused_by_layer(tmp_path, change, where, message):
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text(transformer() % "byte", encoding="utf-8")
    transformer_of(load(recipe).declaration)
    with pytest.raises(Misfit, match=message) as refusal:
        transformer_of(load(recipe, [change]).declaration)
    assert where in refusal.value.path


def test_models_that_hear_are_refused_at_the_model():
    for recipe, message in (("fsdd_strings_las", "read ids, and this one reads frames"), ("fsdd_digits_ctc", "or of a decoder alone")):
        with pytest.raises(Misfit, match=message) as refusal:
            transformer_of(load(RECIPES / "asr" / f"{recipe}.yaml").declaration)
        assert refusal.value.path == "model"


def test_validate_names_the_line_that_is_in_a_targets_way(tmp_path):
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text((transformer() % "byte").replace("num_heads: 2}}, ", "num_heads: 2, logit_cap: 5.0}}, ", 1), encoding="utf-8")
    line = next(number for number, text in enumerate(recipe.read_text().splitlines(), 1) if "logit_cap" in text)
    assert CliRunner().invoke(validate, [str(recipe)]).exit_code == 0
    told = CliRunner().invoke(validate, [str(recipe), "--target", "ctranslate2"])
    assert (
        told.exit_code == 1
        and f"recipe.yaml:{line}:" in told.output
        and "the engine has no logit_cap 5.0" in told.output
        and "E0502" in told.output
    )
    assert CliRunner().invoke(validate, [str(recipe), "--target", "tflite"]).exit_code == 0
    told = CliRunner().invoke(validate, [str(recipe), "--target", "tflite", "--set", "tokenizers.shared={type: grapheme, vocab_size: 300}"])
    assert "nothing reads texts by the tokenizer grapheme" in told.output
    with pytest.raises(UserError, match="no exporter called 'tflight'"):
        CliRunner().invoke(validate, [str(recipe), "--target", "tflight"], catch_exceptions=False)


def test_an_export_says_which_layer_is_in_the_way(tmp_path):
    with pytest.raises(UserError, match=r"model\.encoder: layers are not made of self, feed_forward"):
        Export(open_run(make_run(tmp_path)), Sample(LINES))(CTranslate2())


def test_the_positions_are_those_of_the_layer():
    for layer in (SinusoidalPosition(), SinusoidalPosition(layout="interleaved", exponent="half")):
        np.testing.assert_allclose(sines(layer, 9, 6), layer.signal(np.arange(9), 6).numpy(), atol=1e-6)


@pytest.mark.slow
def test_a_model_runs_where_there_is_nothing_but_ctranslate2_and_sentencepiece(tmp_path):
    run = make_run(tmp_path, "sentencepiece, vocab_size: 60", transformer())
    trained = open_run(run, overrides=["decoding.search={type: greedy}"])
    found = Export(trained, Sample(LINES))(CTranslate2(tolerance=Tolerance(score_difference=1e9)))
    place = tmp_path / "alone"
    place.mkdir()
    folder = alone.environment(place, ["ctranslate2", "sentencepiece"])
    assert not any((folder / name).exists() for name in ("seqcfg", "tensorflow", "click"))
    lines = [line for line in LINES if line]
    told = alone.run(folder, CLIENTS / "translator.py", found.folder, stdin="\n".join(lines) + "\n")
    recipe = trained.experiment.recipe
    decoded = Decoder(recipe.task, trained.declaration, trained.weights, trained.codecs, recipe.decoding).decode(lines)
    assert [row.split("\t")[0] for row in told.split("\n")[:-1]] == [one.text for one in decoded]
