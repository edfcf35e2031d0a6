"""Dumps of Lingvo's parameters become recipes with Lingvo's weights and settings; what is left behind is named."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from seqcfg import cli
from seqcfg.errors import UserError
from seqcfg.plan.table import total
from seqcfg.recipe import shipped
from seqcfg.recipe.experiment import load
from seqcfg.recipe.importing import lingvo
from seqcfg.recipe.validate import validate

SAMPLES = Path(__file__).parent / "import_samples"
BASE, CAPTION = SAMPLES / "WmtEnDeTransformerBase.params.txt", SAMPLES / "WmtCaptionEnDeTransformer.params.txt"
RNMT, LAS = SAMPLES / "WmtEnDeRNMT.params.txt", SAMPLES / "Librispeech960Grapheme.params.txt"
CAPTION_KEYS = {  # of the caption dump and in this order: what is left behind
    "input.bucket_batch_limit",
    "input.file_pattern",
    "input.tokenizer.token_vocab_filepath",
    "task.train.save_interval_seconds",
    "task.train.save_max_to_keep",
}


def imported(sample, folder, **changes):
    """The experiment that a sample becomes, with some of its lines replaced or added; and the draft it came from."""
    lines = [line for line in sample.read_text().splitlines() if line.split(" : ")[0] not in changes]
    dump = folder / "params.txt"
    dump.write_text("\n".join([*lines, *(f"{key} : {value}" for key, value in changes.items())]) + "\n")
    draft = lingvo.read(str(dump), "mine")
    recipe = folder / "mine.yaml"
    recipe.write_text(draft.text())
    return load(str(recipe)), draft


WEIGHTS = [(BASE, 93_323_648), (CAPTION, 4_174_544), (RNMT, 378_866_176), (LAS, 132_091_260)]  # without the 4 numbers of a tracker


@pytest.mark.parametrize(("sample", "weights"), WEIGHTS)
def test_weights_are_as_many_as_lingvo_s(sample, weights, tmp_path):
    experiment, _ = imported(sample, tmp_path)
    assert total(experiment.declaration) == weights


SHIPPED = [(BASE, "mt/wmt14_ende_lingvo_base"), (CAPTION, "mt/wmtm16_ende_caption"), (RNMT, "mt/wmt14_ende_rnmtplus")]


@pytest.mark.parametrize(("sample", "name"), SHIPPED)
def test_settings_are_those_of_the_shipped_recipe(sample, name, tmp_path):
    mine = imported(sample, tmp_path)[0].canonical()
    theirs = load(str(shipped.find(name))).canonical()
    for recipe in (mine, theirs):
        for key in ("name", "about", "claims"):
            recipe.pop(key, None)
    assert mine["data"]["batching"].pop("num_buckets") == {BASE: 15, CAPTION: 8, RNMT: 8}[sample]
    theirs["data"]["batching"].pop("num_buckets")  # the shipped caption recipe cuts finer ones
    assert mine == theirs


def test_what_is_left_behind_is_named_with_its_line(tmp_path):
    _, draft = imported(CAPTION, tmp_path)
    assert {remark.key for remark in draft.remarks} == CAPTION_KEYS
    lines = (tmp_path / "params.txt").read_text().splitlines()
    assert all(lines[remark.line - 1].startswith(f"{remark.key} : ") for remark in draft.remarks)
    assert [remark.line for remark in draft.remarks] == sorted(remark.line for remark in draft.remarks)


@pytest.mark.parametrize(
    ("key", "value", "why"),
    [
        ("task.decoder.ln_output", "True", "True is not carried over: the base does as with False"),
        ("task.encoder.token_emb.vn.global_vn", "True", "the base does as with False"),
        ("task.train.optimizer.cls", "type/lingvo.core.optimizer/Adagrad", "Adagrad has no counterpart"),
        ("task.encoder.token_emb.params_init.scale", "0.5", "the base does as with 0.0625 or 1.0"),
        ("task.encoder.new_idea", "7", "the importer does not know what 7 means here"),
    ],
)
def test_a_setting_that_the_base_does_not_share_is_remarked_on(key, value, why, tmp_path):
    _, draft = imported(CAPTION, tmp_path, **{key: value})
    found = [remark.why for remark in draft.remarks if remark.key == key]
    assert len(found) == 1 and why in found[0]


def test_other_sizes_and_a_gradient_bound_are_carried_over(tmp_path):
    clip = {"task.train.clip_gradient_norm_to_value": "2.5", "task.decoder.beam_search.num_hyps_per_beam": "4"}
    experiment, _ = imported(CAPTION, tmp_path, **clip)
    assert experiment.recipe.training.clip.norm == 2.5
    assert experiment.recipe.decoding.search.width == 4


def test_encoders_unlike_their_decoder_are_refused(tmp_path):
    with pytest.raises(UserError, match=r"params.txt:\d+: task.decoder.num_trans_layers: 3 is not what"):
        imported(CAPTION, tmp_path, **{"task.decoder.num_trans_layers": "3"})


def test_other_experiments_are_refused_by_their_place(tmp_path):
    with pytest.raises(UserError, match=r"params.txt:\d+: task.cls: the importer does not know Lingvo's PunctuatorModel"):
        imported(CAPTION, tmp_path, **{"task.cls": "type/lingvo.tasks.punctuator.model/PunctuatorModel"})
    with pytest.raises(UserError, match=r"task.encoder.cls: seqcfg lacks what Lingvo's TransformerEncoder does"):
        imported(RNMT, tmp_path, **{"task.encoder.cls": "type/lingvo.tasks.mt.encoder/TransformerEncoder"})


def test_an_rnmt_experiment_leaves_its_way_to_average_losses_behind_and_the_files(tmp_path):
    _, draft = imported(RNMT, tmp_path)
    lines = (tmp_path / "params.txt").read_text().splitlines()
    assert all(lines[remark.line - 1].startswith(f"{remark.key} : ") for remark in draft.remarks)
    assert {remark.key for remark in draft.remarks} == CAPTION_KEYS | {"task.decoder.per_word_avg_loss"}
    _, other = imported(RNMT, tmp_path, **{"task.decoder.use_sigmoid_activation": "True", "task.decoder.new_idea": "7"})
    assert {remark.key for remark in other.remarks} - {remark.key for remark in draft.remarks} == {
        "task.decoder.use_sigmoid_activation", "task.decoder.new_idea",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "fields"),
    [
        ({"cls": "type/lingvo.core.rnn_cell/LSTMCellSimple", "num_hidden_nodes": "9"}, {"norm": "none", "units": 9, "projection": 1024}),
        ({"cls": "type/lingvo.core.rnn_cell/LayerNormalizedLSTMCell"}, {"norm": "layer", "norm_gain": "one_plus", "norm_cell": False}),
        ({"cls": "type/lingvo.core.rnn_cell/LayerNormalizedLSTMCellLean"}, {"norm_gain": "one_plus", "norm_cell": True, "use_bias": True}),
        ({"cls": "type/lingvo.core.rnn_cell/WeightNormalizedLSTMCellSimple", "zo_prob": "0.1"}, {"norm": "weight", "zoneout": 0.1}),
    ],
)
def test_lingvo_s_lstms_are_ours_with_fields(changes, fields, tmp_path):
    place = "task.decoder.atten_rnn_cell_tpl"
    experiment, _ = imported(RNMT, tmp_path, **{f"{place}.{name}": value for name, value in changes.items()})
    cell = experiment.recipe.task.model.decoder.layers[1].cell
    assert {name: getattr(cell, name) for name in fields} == fields


def test_how_a_decoder_attends_is_carried_over(tmp_path):
    changes = {"task.decoder.use_zero_atten_state": "True", "task.decoder.feed_attention_context_vec_to_softmax": "False"}
    decoder = imported(RNMT, tmp_path, **changes)[0].recipe.task.model.decoder.layers[1]
    assert (decoder.first_context, decoder.context_to, decoder.residual_from) == ("zeros", "layers", 3)
    assert (decoder.attention.num_heads, decoder.attention.hidden, decoder.attention.projection) == (4, 256, 1024)


def test_safeguards_of_training_are_carried_over(tmp_path):
    changes = {"clip_gradient_single_norm_to_value": "2.0", "l1_regularizer_weight": "1e-7", "vn_std": "0.05", "vn_start_step": "30"}
    training = imported(RNMT, tmp_path, **{f"task.train.{name}": value for name, value in changes.items()})[0].recipe.training
    assert training.clip.weight_norm == 2.0 and training.clip.norm is None
    assert (training.penalties.l1, training.penalties.l2) == (1e-7, 1e-5)
    assert (training.skip.max_norm, training.skip.outliers.deviations, training.skip.outliers.decay) == (100_000.0, 4.0, 0.995)
    assert (training.weight_noise.std, training.weight_noise.start_step) == (0.05, 30)


def test_training_and_search_of_an_rnmt_experiment_are_lingvo_s(tmp_path):
    recipe = imported(RNMT, tmp_path)[0].recipe
    rate, decay = recipe.training.schedule.schedules
    assert rate.value == 1e-4
    assert [(part.start, part.end, part.end_step) for part in decay.schedules] == [(1.0, 1.0, 500), (1.0, 0.5, 1_200_000)]
    assert recipe.training.steps == 4_000_000 and recipe.training.optimizer.beta2 == 0.98
    search = recipe.decoding.search
    assert (search.width, search.length_penalty, search.formula, search.prune_margin, search.eos_margin) == (16, 0.2, "lingvo", 3.0, 5.0)
    base = load(str(shipped.find("bases/transformer_lingvo")), allow_base=True).recipe
    for field in ("formula", "end_among", "allow_unknown"):
        assert getattr(search, field) == getattr(base.decoding.search, field)
    assert recipe.decoding.length_limit == base.decoding.length_limit
    assert recipe.task.loss == base.task.loss


def test_a_recognizer_is_listening_attending_and_spelling(tmp_path):
    experiment, draft = imported(LAS, tmp_path)
    task, training = experiment.recipe.task, experiment.recipe.training
    encoder, decoder = task.model.encoder.layers, task.model.decoder
    kinds = [layer.type for layer in encoder]
    assert kinds == [
        "append_frames", "split_features", *["conv2d", "batch_norm", "activation"] * 2, "merge_features", "repeat", "bidirectional",
    ]  # fmt: skip
    assert [layer.type for layer in encoder[9].layer.layers] == ["bidirectional", "dense", "batch_norm", "activation"]
    assert (encoder[9].times, encoder[0].count, encoder[2].kernel_size, encoder[2].stride) == (3, 6, (3, 3), (2, 2))
    assert (decoder.num_layers, decoder.cell.units, decoder.attention.hidden, decoder.context_to) == (2, 1024, 128, "all")
    assert (training.clip.norm, training.skip.max_norm, training.penalties.l2) == (1.0, 100.0, 1e-6)
    assert (training.weight_noise.std, training.weight_noise.start_step, training.schedule.value) == (0.075, 20_000, 0.00025)
    assert validate(str(tmp_path / "mine.yaml")) == []
    names = {remark.key.rpartition(".")[2] for remark in draft.remarks}
    assert names == {"bucket_batch_limit", "file_pattern", "save_interval_seconds", "save_max_to_keep"}


def test_what_a_recognizer_has_besides_is_told(tmp_path):
    changes = {"task.encoder.use_specaugment": "True", "task.decoder.min_ground_truth_prob": "0.9", "task.encoder.new_idea": "7"}
    _, draft = imported(LAS, tmp_path, **changes)
    why = {remark.key: remark.why for remark in draft.remarks}
    assert "spec_augment" in why["task.encoder.use_specaugment"] and "0.9" in why["task.decoder.min_ground_truth_prob"]
    assert "7 is not carried over" in why["task.encoder.new_idea"]


def test_a_recognizer_of_word_pieces_learns_as_many(tmp_path):
    changes = {"input.tokenizer.cls": "type/lingvo.core.tokenizers/WpmTokenizer", "task.decoder.softmax.num_classes": "16328"}
    recipe = imported(LAS, tmp_path, **changes)[0].recipe
    assert recipe.tokenizers["transcripts"].vocab_size == recipe.task.model.output.units == 16_328


def test_a_dump_without_a_size_is_refused_rather_than_given_the_base_s(tmp_path):
    heads = [
        f"task.{place}.tr_atten_tpl.num_attention_heads" for place in ("encoder.transformer_stack.transformer_tpl", "decoder.trans_tpl")
    ]
    with pytest.raises(UserError, match="num_attention_heads is there"):
        imported(CAPTION, tmp_path, **dict.fromkeys(heads, "NoneType"))


def test_a_file_that_is_no_dump_is_refused(tmp_path):
    (tmp_path / "notes.txt").write_text("hello\n")
    with pytest.raises(UserError, match="is not a dump of Lingvo's parameters"):
        lingvo.read(str(tmp_path / "notes.txt"), "mine")
    with pytest.raises(UserError, match="No such file"):
        lingvo.read(str(tmp_path / "gone.txt"), "mine")


def test_the_command_writes_a_valid_recipe_and_never_overwrites(tmp_path):
    target = tmp_path / "captions.yaml"
    done = CliRunner().invoke(cli.cli, ["import", "lingvo", str(CAPTION), "--output", str(target)])
    assert done.exit_code == 0, done.output
    assert f"{CAPTION}:" in done.stderr and "5 settings not carried over" in done.stderr
    assert "# Made from WmtCaptionEnDeTransformer.params.txt" in target.read_text()
    assert "all valid" in CliRunner().invoke(cli.cli, ["validate", str(target)]).output
    again = CliRunner().invoke(cli.cli, ["import", "lingvo", str(CAPTION), "--output", str(target)])
    assert "exists already" in str(again.exception)


def test_without_a_file_to_write_the_recipe_is_printed():
    done = CliRunner().invoke(cli.cli, ["import", "lingvo", str(CAPTION)])
    assert done.exit_code == 0
    assert "\nname: WmtCaptionEnDeTransformer\n" in done.stdout


def test_schedules_of_schedules_are_imported(tmp_path):
    place = "task.train.lr_schedule"
    changes = {
        "task.train.learning_rate": "0.5",
        f"{place}.cls": "type/lingvo.core.schedule/CombinedMinimumSchedule",
        f"{place}.schedules[0].cls": "type/lingvo.core.schedule/LinearSchedule",
        f"{place}.schedules[0].start": "(0, 0.0)",
        f"{place}.schedules[0].limit": "(1000, 1.0)",
        f"{place}.schedules[1].cls": "type/lingvo.core.schedule/Constant",
        f"{place}.schedules[1].value": "0.7",
    }
    experiment, draft = imported(CAPTION, tmp_path, **changes)
    line = {"type": "linear", "start": 0.0, "end": 1.0, "start_step": 0, "end_step": 1000}
    smaller = {"type": "minimum", "schedules": [line, {"type": "constant", "value": 0.7}]}
    assert draft.values["training"]["schedule"] == {"type": "product", "schedules": [{"type": "constant", "value": 0.5}, smaller]}
    assert float(experiment.recipe.training.schedule(500)) == pytest.approx(0.25)
