"""Configurations of OpenNMT-tf become valid recipes; what is left behind is named by line and reason."""

from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner

from seqcfg import cli
from seqcfg.errors import UserError
from seqcfg.plan.table import total
from seqcfg.recipe.experiment import load
from seqcfg.recipe.importing import opennmt_tf

SAMPLES = Path(__file__).parent / "import_samples"
TOY, WORDS = SAMPLES / "opennmt_tf_toy.yml", SAMPLES / "opennmt_tf_words.yml"
MINIMAL = {"data": {"train_features_file": "a.de", "train_labels_file": "a.en", "source_vocabulary": "v", "target_vocabulary": "v"}}


def imported(config, folder, model="TransformerTiny", **options):
    """The experiment that a configuration (a file, or values) becomes, and the draft it came from."""
    if isinstance(config, dict):
        file = folder / "config.yml"
        file.write_text(yaml.safe_dump(config))
        config = file
    draft = opennmt_tf.read(str(config), "mine", model, **options)
    recipe = folder / "mine.yaml"
    recipe.write_text(draft.text())
    return load(str(recipe)), draft


def remarks(draft):
    return {remark.key: remark for remark in draft.remarks}


def with_values(**sections):
    return {**MINIMAL, **sections}


def test_weights_are_those_of_the_model_with_separate_embeddings(tmp_path):
    experiment, _ = imported(TOY, tmp_path)  # 10 words in the vocabulary, and 4 reserved ids
    attention, feed_forward, norm = 4 * (64 * 64 + 64), 2 * (64 * 64 + 64), 2 * 64
    encoder = 2 * (attention + feed_forward + 2 * norm) + norm
    decoder = 2 * (2 * attention + feed_forward + 3 * norm) + norm
    assert total(experiment.declaration) == encoder + decoder + 2 * 14 * 64 + (64 * 14 + 14)


def test_shared_embeddings_are_one_matrix(tmp_path):
    separate, _ = imported(MINIMAL, tmp_path, "TransformerBase")
    shared, draft = imported(MINIMAL, tmp_path, "TransformerBaseSharedEmbeddings")
    assert total(separate.declaration) - total(shared.declaration) == 2 * 32000 * 512 + 32000
    assert "no bias" in remarks(draft)["--model"].why


def test_what_the_file_says_comes_before_what_is_filled_in(tmp_path):
    recipe = imported(TOY, tmp_path)[0].recipe
    assert (recipe.training.schedule.scale, recipe.training.schedule.warmup_steps, recipe.training.schedule.dim) == (1.5, 8000, 64)
    assert (recipe.training.optimizer.beta2, recipe.training.optimizer.epsilon) == (0.998, 1e-7)
    assert recipe.training.accumulate_batches == 9  # 25,000 tokens in batches of 3,072: 8.14, rounded up
    assert (recipe.training.checkpoint.every_steps, recipe.training.checkpoint.keep_last) == (1000, 8)
    assert (recipe.training.validation.every_steps, recipe.training.validation.decode) == (2000, True)
    assert (recipe.data.batching.max_tokens, recipe.data.batching.max_length) == (3072, 101)
    assert (recipe.evaluation.best.metric, recipe.evaluation.split) == ("bleu", "validation")
    search = recipe.decoding.search
    assert (search.width, search.length_penalty, search.formula, search.n_best) == (6, 0.6, "gnmt", 2)
    assert recipe.task.loss.label_smoothing == 0.1
    assert recipe.task.model.encoder.layers[1].rate == 0.3


def test_what_is_left_behind_is_named_with_its_line_and_a_slip_with_the_nearest_key(tmp_path):
    found = remarks(imported(TOY, tmp_path)[1])
    lines = TOY.read_text().splitlines()
    placed = [remark for remark in found.values() if remark.line]
    assert all(remark.key.split(".")[-1] in lines[remark.line - 1] for remark in placed)
    assert "params.coverage_penalty" in found and "eval.early_stopping.steps" in found and "model_dir" in found
    assert "train.batch_size" in found["train.bach_size"].why
    assert found["params.optimizer"].line == 0  # filled in: it stands in no line
    assert not any(key.startswith("data.target") for key in found)


def test_a_file_without_automatic_configuration_speaks_for_itself(tmp_path):
    experiment, draft = imported(WORDS, tmp_path)
    recipe, found = experiment.recipe, remarks(draft)
    assert recipe.training.optimizer.beta1 == 0.8 and recipe.training.optimizer.beta2 == 0.999
    assert (recipe.training.schedule.peak, recipe.training.schedule.warmup_steps) == (0.0005, 4000)
    assert recipe.training.clip.norm == 5
    assert recipe.task.loss.label_smoothing == 0
    assert recipe.decoding.search.top_k == 10
    assert (recipe.data.batching.max_length, recipe.data.batching.num_buckets) == (71, 15)  # 71 / 5 rounded up
    assert recipe.data.batching.max_tokens == 32 * 30
    assert {"params.optimizer_params.weight_decay", "params.minimum_learning_rate", "train.maximum_labels_length"} <= set(found)


def test_each_side_has_its_words_and_its_vocabulary(tmp_path):
    experiment, draft = imported(WORDS, tmp_path)
    assert experiment.recipe.tokenizers["target"].vocab_size == 14
    assert experiment.recipe.tokenizers["shared"].vocab_size == 32000  # de.txt is not there to be counted
    assert list(experiment.recipe.tokenizers["shared"].fields) == ["source"]
    assert "not here to be counted" in remarks(draft)["data.source_vocabulary"].why
    assert "split at spaces" in draft.text()


def test_paths_are_put_below_the_data_root(tmp_path):
    experiment, draft = imported(WORDS, tmp_path)
    assert list(experiment.recipe.data.splits["train"].source) == ["corpora/a.de", "b.de"]
    assert "data root" in remarks(draft)["data.train_features_file"].why


@pytest.mark.parametrize(
    ("params", "field", "value"),
    [
        ({"decay_type": "CosineAnnealing", "decay_params": {"eta_max": 0.1, "max_step": 900}}, "schedule", ("cosine", 0.1, 900)),
        ({"decay_type": None, "learning_rate": 0.25}, "schedule", ("constant", 0.25)),
        ({"optimizer": "SGD", "optimizer_params": {"momentum": 0.9}}, "optimizer", ("sgd", 0.9)),
    ],
)
def test_other_schedules_and_optimizers_are_carried_over(params, field, value, tmp_path):
    component = getattr(imported(with_values(params=params), tmp_path)[0].recipe.training, field)
    fields = {"cosine": ("peak", "decay_steps"), "constant": ("value",), "sgd": ("momentum",)}[component.type]
    assert (component.type, *(getattr(component, name) for name in fields)) == value


@pytest.mark.parametrize(("width", "kind"), [(1, "greedy"), (2, "beam")])
def test_a_beam_of_one_is_greedy_search(width, kind, tmp_path):
    assert imported(with_values(params={"beam_width": width}), tmp_path)[0].recipe.decoding.search.type == kind


@pytest.mark.parametrize(
    ("sections", "key", "why"),
    [
        ({"params": {"optimizer": "Adafactor"}}, "params.optimizer", "Adafactor has no counterpart"),
        ({"params": {"decay_type": "RsqrtDecay"}}, "params.decay_type", "RsqrtDecay has no counterpart"),
        ({"train": {"batch_size": 0}}, "train.batch_size", "not sized by the machine's memory"),
        ({"train": {"batch_size": 80}}, "train.batch_size", "raised to 101"),
        ({"train": {"sample_buffer_size": 500000}}, "train.sample_buffer_size", "permutation of the whole corpus"),
        ({"params": {"freeze_layers": ["encoder/layers/0"]}}, "params.freeze_layers", "training.frozen"),
    ],
)
def test_what_has_no_counterpart_is_said_and_the_recipe_is_valid_all_the_same(sections, key, why, tmp_path):
    _, draft = imported(with_values(**sections), tmp_path)
    assert why in remarks(draft)[key].why


@pytest.mark.parametrize("sections", [{"params": {"coverage_penalty": 0}}, {"train": {"sample_buffer_size": -1, "single_pass": False}}])
def test_values_that_change_nothing_are_passed_over(sections, tmp_path):
    keys = {f"{section}.{key}" for section, values in sections.items() for key in values}
    assert not keys & set(remarks(imported(with_values(**sections), tmp_path)[1]))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("params: {beam_width: 4}\n", "there is no 'data:'"),
        ("data:\n  train_features_file: a\n", r"config.yml: data.train_labels_file: a file or a list of files is needed"),
        ("data: {train_features_file: a, train_labels_file: b}\ntrain:\n  batch_size: many\n", "config.yml:3: train.batch_size: 'many'"),
        ("data: {train_features_file: a, train_labels_file: b}\ntrain:\n  batch_size: 1.5\n", "config.yml:3: train.batch_size: 1.5"),
        ("data: [\n", "config.yml:"),
    ],
)
def test_a_file_that_cannot_be_used_is_refused_with_its_place(text, message, tmp_path):
    (tmp_path / "config.yml").write_text(text)
    with pytest.raises(UserError, match=message):
        opennmt_tf.read(str(tmp_path / "config.yml"), "mine", "Transformer")


def test_a_key_with_characters_no_editor_shows_leaves_the_recipe_readable(tmp_path):
    _, draft = imported(with_values(train={"a\x07b\u2028c": 1}), tmp_path)
    assert "train.a?b" in draft.text()


def test_unknown_models_and_unshared_vocabularies_are_refused(tmp_path):
    with pytest.raises(UserError, match="TransformerTiny"):
        opennmt_tf.read(str(TOY), "mine", "TransformerTinny")
    with pytest.raises(UserError, match="one vocabulary for both sides"):
        opennmt_tf.read(str(WORDS), "mine", "TransformerBaseSharedEmbeddings")


def test_the_command_writes_a_valid_recipe_and_never_overwrites(tmp_path):
    target = tmp_path / "new" / "toy.yaml"
    command = ["import", "opennmt-tf", str(TOY), "--model", "TransformerBig", "--output", str(target)]
    done = CliRunner().invoke(cli.cli, command)
    assert done.exit_code == 0, done.output
    assert f"{TOY}:23: params.coverage_penalty: beam search has no coverage penalty" in done.stderr
    text = target.read_text()
    assert text.startswith("# yaml-language-server: ") and "# Made from opennmt_tf_toy.yml" in text and "\nname: toy\n" in text
    assert "all valid" in CliRunner().invoke(cli.cli, ["validate", str(target)]).output
    assert "exists already" in str(CliRunner().invoke(cli.cli, command).exception)
    assert target.read_text() == text
