import random
import shutil

import numpy as np
import pytest
import tensorflow as tf

from seqcfg.checkpoints.average import average
from seqcfg.checkpoints.commit import save
from seqcfg.checkpoints.contents import DamagedCheckpoint
from seqcfg.checkpoints.read import find, latest_valid, load_arrays, restore
from seqcfg.errors import UserError


def fail_on_warning(message):
    raise AssertionError(message)


def test_what_was_saved_is_restored_with_step_and_metadata(tmp_path, make_variables, as_lists):
    saved = make_variables(3)
    path = save(tmp_path, 1000, saved, {"metrics": {"loss": 1.5}, "note": "é"})
    assert path == tmp_path / "step-00001000"
    fresh = make_variables(0)
    contents = restore(path, fresh)
    assert as_lists(fresh) == as_lists(saved)
    assert (contents.step, contents.metadata) == (1000, {"metrics": {"loss": 1.5}, "note": "é"})


def test_checkpoints_are_found_in_the_order_of_steps_whatever_lies_beside_them(tmp_path, make_variables):
    for step in (20, 3, 100):
        save(tmp_path, step, make_variables())
    (tmp_path / "step-00000999.partial").mkdir()
    (tmp_path / "step-99").mkdir()
    (tmp_path / "step-00000500").write_text("a file")
    (tmp_path / "checkpoint").write_text('model_checkpoint_path: "../../elsewhere"')  # TensorFlow's pointer is not trusted
    assert [one.step for one in find(tmp_path)] == [3, 20, 100]
    assert latest_valid(tmp_path, fail_on_warning).step == 100
    assert find(tmp_path / "none") == [] and latest_valid(tmp_path / "none", fail_on_warning) is None


def test_arrays_are_read_by_prefix(tmp_path, make_variables):
    path = save(tmp_path, 1, make_variables(1))
    assert set(load_arrays(path)) == set(make_variables())
    weights = load_arrays(path, "weights/")
    assert set(weights) == {"weights/encoder/layers/0/kernel", "weights/a.b/.x"}
    assert weights["weights/a.b/.x"].tolist() == [1.5, 0.5] and weights["weights/a.b/.x"].dtype == np.float32


def test_a_model_that_does_not_fit_is_told_each_difference_and_is_not_touched(tmp_path, make_variables, as_lists):
    path = save(tmp_path, 1, make_variables(1))
    other = make_variables(0)
    other["weights/a.b/.x"] = tf.Variable([9.0, 9.0, 9.0])
    other["weights/new"] = tf.Variable([9.0])
    other["seed"] = tf.Variable([9, 9], dtype=tf.int64)
    del other["slots/adam.m/kernel"]
    before = as_lists(other)
    with pytest.raises(UserError) as caught:
        restore(path, other)
    message = str(caught.value)
    assert "weights/a.b/.x is float32 [2] there and float32 [3] here" in message
    assert "weights/new [1] is not in the checkpoint" in message
    assert "slots/adam.m/kernel [1, 2] is only in the checkpoint" in message
    assert "seed is int32 [2] there and int64 [2] here" in message
    assert as_lists(other) == before


def damage_truncate(file):
    file.write_bytes(file.read_bytes()[:-8])


def damage_empty(file):
    file.write_bytes(b"")


def damage_zero(file):
    file.write_bytes(bytes(file.stat().st_size))


def damage_remove(file):
    file.unlink()


def damage_folder(file):
    file.unlink()
    file.mkdir()


@pytest.mark.parametrize("name", ["MANIFEST.json", "variables.index", "variables.data-00000-of-00001"])
@pytest.mark.parametrize("damage", [damage_truncate, damage_empty, damage_zero, damage_remove, damage_folder])
def test_a_damaged_checkpoint_is_named_skipped_and_never_read(tmp_path, make_variables, as_lists, name, damage):
    save(tmp_path, 10, make_variables(1))
    newest = save(tmp_path, 20, make_variables(2))
    damage(newest / name)
    warnings = []
    assert latest_valid(tmp_path, warnings.append).step == 10
    assert len(warnings) == 1 and "step-00000020 is damaged" in warnings[0] and name in warnings[0]
    untouched = make_variables(7)
    with pytest.raises(DamagedCheckpoint, match=name):
        restore(newest, untouched)
    assert as_lists(untouched) == as_lists(make_variables(7))
    with pytest.raises(DamagedCheckpoint, match=name):
        load_arrays(newest)


def test_every_flipped_bit_is_noticed(tmp_path, make_variables):
    path = save(tmp_path, 10, make_variables(1), {"metrics": {"loss": 1.25}})
    checkpoint = find(tmp_path)[0]
    assert checkpoint.damage() == ""
    rng = np.random.default_rng(0)
    for file in sorted(path.iterdir()):
        content = bytearray(file.read_bytes())
        for position in rng.choice(len(content), size=min(len(content), 150), replace=False):
            bit = 1 << int(rng.integers(8))
            content[position] ^= bit
            file.write_bytes(content)
            assert checkpoint.damage(), (file.name, position, bit)
            content[position] ^= bit
        file.write_bytes(content)
    assert checkpoint.damage() == ""


def test_r5_of_500_mutations_none_is_read_as_something_else(tmp_path, make_variables, as_lists):
    """R5: cut, flipped, zeroed, lengthened, exchanged, removed: the newest checkpoint holds or the older one is used, with a warning."""
    save(tmp_path, 10, make_variables(1))
    newest, dice = save(tmp_path, 20, make_variables(2)), random.Random(5)
    whole = {file: file.read_bytes() for file in newest.iterdir()}
    expected = {step: as_lists(make_variables(shift)) for step, shift in ((10, 1), (20, 2))}
    for _ in range(500):
        file = dice.choice(sorted(whole))
        file.write_bytes(mutated(bytearray(whole[file]), dice))
        if dice.random() < 0.1:
            file.unlink()
        warnings = []
        found = latest_valid(tmp_path, warnings.append)
        assert {path: array.tolist() for path, array in load_arrays(found.path).items()} == expected[found.step]
        assert (found.step == 10) == bool(warnings)
        file.write_bytes(whole[file])


def mutated(content, dice):
    kind, place = dice.randrange(5), dice.randrange(len(content))
    if kind == 0:
        return content[:place]
    if kind == 1:
        content[place] ^= 1 << dice.randrange(8)
    if kind == 2:
        content[place:] = bytes(len(content) - place)
    if kind == 3:
        content += bytes([dice.randrange(256)])
    if kind == 4:
        content[place : place + 8] = content[:8]
    return content


def test_files_of_another_checkpoint_are_noticed(tmp_path, make_variables):
    first, second = save(tmp_path, 1, make_variables(1)), save(tmp_path, 2, make_variables(2))
    shutil.copy(first / "variables.data-00000-of-00001", second)
    shutil.copy(first / "variables.index", second)
    assert latest_valid(tmp_path, lambda message: None).step == 1


def test_training_never_starts_over_by_itself(tmp_path, make_variables):
    for step in (10, 20):
        damage_empty(save(tmp_path, step, make_variables()) / "variables.index")
    with pytest.raises(UserError, match="none of the 2 checkpoints .* is whole"):
        latest_valid(tmp_path, lambda message: None)


def test_the_average_is_the_mean_of_weights(tmp_path, make_variables):
    paths = [save(tmp_path, step, make_variables(step)) for step in (1, 2, 6)]
    mean = average(paths)
    assert set(mean) == {"weights/encoder/layers/0/kernel", "weights/a.b/.x"}
    assert mean["weights/a.b/.x"].tolist() == [3.5, 2.5] and mean["weights/a.b/.x"].dtype == np.float32  # 0.5 + (1 + 2 + 6) / 3
    assert average(paths, prefix="step")["step"] == 6


def test_averaging_one_checkpoint_changes_no_bit(tmp_path):
    value = tf.random.stateless_normal([50], [1, 2])
    path = save(tmp_path, 1, {"weights/a": tf.Variable(value), "weights/half": tf.Variable(tf.cast(value, tf.bfloat16))})
    mean = average([path])
    assert (mean["weights/a"] == value.numpy()).all() and mean["weights/half"].dtype.name == "bfloat16"


def test_different_models_are_not_averaged(tmp_path):
    first = save(tmp_path, 1, {"weights/a": tf.Variable([1.0])})
    for step, other in ((2, {"weights/b": tf.Variable([1.0])}), (3, {"weights/a": tf.Variable([1.0, 2.0])})):
        with pytest.raises(UserError, match="different variables"):
            average([first, save(tmp_path, step, other)])
    with pytest.raises(UserError, match="no checkpoints to average"):
        average([])
