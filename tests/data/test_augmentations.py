import numpy as np
import pytest
import tensorflow as tf

from seqcfg.component import catalog
from seqcfg.data.augment import Draw, augmented
from seqcfg.data.augmentations import AudioNoise, CropAndFlip, PointJitter, TokenDropout, TokenNoise
from seqcfg.data.batching import Batching
from seqcfg.data.loader import Loader
from seqcfg.data.plans import training_plan
from seqcfg.data.prepare import prepare
from seqcfg.data.settings import Data
from seqcfg.data.sources.reverse import Reverse
from seqcfg.data.tokenizers.byte import Bytes
from seqcfg.errors import UserError
from tests.data.small import make_experiment, translation_features

LENGTHS = np.array([9, 1, 6, 0], np.int32)


def tokens():
    ids = np.where(np.arange(9) < LENGTHS[:, None], 10 + np.arange(9) + 20 * np.arange(4)[:, None], 0).astype(np.int32)
    for row, length in enumerate(LENGTHS):
        if length:
            ids[row, length - 1] = 3
    return ids


def frames():
    real = np.arange(50) < np.array([50, 30, 1, 0])[:, None]
    return np.where(real[:, :, None], np.random.default_rng(0).normal(5, 1, [4, 50, 16]), 0).astype(np.float32), np.array(
        [50, 30, 1, 0], np.int32
    )


EXAMPLES = {
    "token_dropout": (TokenDropout(rate=0.5), tokens(), LENGTHS),
    "token_noise": (TokenNoise(drop=0.3), tokens(), LENGTHS),
    "crop_and_flip": (CropAndFlip(), np.arange(4 * 8 * 6 * 3, dtype=np.uint8).reshape(4, 8, 6, 3), None),
    "point_jitter": (PointJitter(), *frames()),
    "audio_noise": (AudioNoise(noise=0.1), tokens().astype(np.float32) / 100, LENGTHS),
}


def run(change, values, lengths, seed=0):
    """What a change makes of a batch, as numpy arrays."""
    values, lengths = change(tf.constant(values), None if lengths is None else tf.constant(lengths, tf.int32), Draw(tf.constant([seed, 7])))
    return values.numpy(), None if lengths is None else lengths.numpy()


def applied(name, seed):
    return run(*EXAMPLES[name], seed)


@pytest.mark.parametrize("name", EXAMPLES)
def test_a_change_is_a_function_of_its_key_and_keeps_padding(name):
    change, before, lengths = EXAMPLES[name]
    values, sizes = applied(name, 1)
    again, _ = applied(name, 1)
    np.testing.assert_array_equal(values, again)
    assert (values != before).any()
    assert (applied(name, 2)[0] != values).any()
    assert values.shape == before.shape
    if sizes is not None:
        assert (sizes <= lengths).all()
        assert not values[np.arange(values.shape[1]) >= sizes[:, None]].any()


@pytest.mark.parametrize("name", EXAMPLES)
def test_a_change_is_the_same_in_plain_and_compiled_graphs(name):
    change, values, lengths = EXAMPLES[name]

    @tf.function(jit_compile=True)
    def compiled(values):
        return change(values, None if lengths is None else tf.constant(lengths), Draw(tf.constant([1, 7])))[0]

    np.testing.assert_allclose(compiled(tf.constant(values)), applied(name, 1)[0], rtol=1e-5, atol=1e-5)


def test_every_augmentation_of_the_catalog_is_tested_here():
    ours = {name for name, cls in catalog.load()["augmentation"].items() if cls.__module__.startswith("seqcfg.")}
    assert ours == set(EXAMPLES)


def test_tokens_are_replaced_at_the_rate_and_reserved_ids_never():
    ids = np.full([200, 100], 7)
    ids[:, -1] = 3
    values, _ = run(TokenDropout(rate=0.2), ids, np.full(200, 100))
    assert abs((values == 1).mean() - 0.2 * 0.99) < 0.01
    assert (values[:, -1] == 3).all()


def test_noise_moves_tokens_by_few_places_and_leaves_ends_in_place():
    ids = np.tile(np.append(np.arange(10, 40), 3), [50, 1])
    moved, lengths = run(TokenNoise(drop=0.0, distance=3), ids, np.full(50, 31))
    assert (lengths == 31).all()
    assert (np.sort(moved, axis=1) == np.sort(ids, axis=1)).all()
    assert (moved[:, -1] == 3).all()
    places = np.argsort(moved[:, :-1], axis=1)
    assert 1 <= np.abs(places - np.arange(30)).max() <= 3


def test_dropping_shortens_texts_and_never_to_nothing():
    values, lengths = run(TokenNoise(drop=1.0, distance=0), tokens(), LENGTHS)
    assert lengths.tolist() == [2, 1, 2, 0]
    assert values[:, :2].tolist() == [[10, 3], [3, 0], [50, 3], [0, 0]]
    half = run(TokenNoise(drop=0.5, distance=0), np.full([500, 20], 9), np.full(500, 20))[1]
    assert abs(half.mean() - 10) < 0.5


def test_images_are_shifted_or_mirrored_copies_of_themselves():
    image = np.arange(1, 26, dtype=np.uint8).reshape(1, 5, 5, 1)
    many = run(CropAndFlip(shift=1), np.repeat(image, 300, 0), None)[0]
    padded = np.pad(image[0], [(1, 1), (1, 1), (0, 0)])
    ways = {
        crop.tobytes()
        for a in range(3)
        for b in range(3)
        for crop in (padded[a : a + 5, b : b + 5], np.ascontiguousarray(padded[a : a + 5, b : b + 5][:, ::-1]))
    }
    assert {one.tobytes() for one in many} == ways


def test_clouds_keep_their_shape_when_they_turn():
    points = np.random.default_rng(0).normal(size=[3, 20, 4]).astype(np.float32)
    turned, _ = run(PointJitter(jitter=0.0), points, None)
    np.testing.assert_allclose(np.linalg.norm(turned[:, :, :2], axis=2), np.linalg.norm(points[:, :, :2], axis=2), rtol=1e-4)
    np.testing.assert_allclose(turned[:, :, 2:], points[:, :, 2:])
    assert (np.abs(turned - points).max(axis=(1, 2)) > 0.01).all()


def test_the_loader_shows_what_a_step_sees_and_it_depends_on_the_seed(tmp_path):
    prepared = prepare(make_experiment({"train": Reverse(num_examples=60)}, {"shared": Bytes()}), data_root=".", cache_root=tmp_path)
    columns, features = prepared.splits["train"], translation_features()
    plan = training_plan(columns, features, Batching(max_tokens=200, num_buckets=2, max_length=40), 1)
    loader = Loader(columns, plan, features, {"source": [TokenDropout(rate=0.3), TokenNoise()]}, seed=5)
    plain, shown = loader.load(4), loader.augmented(4)
    assert (shown["source"] != plain["source"]).any()
    np.testing.assert_array_equal(shown["target"], plain["target"])
    np.testing.assert_array_equal(loader.augmented(4)["source"], shown["source"])
    assert (Loader(columns, plan, features, loader.augmentation, seed=6).augmented(4)["source"] != shown["source"]).any()


def test_an_unknown_feature_is_refused(tmp_path):
    prepared = prepare(make_experiment({"train": Reverse(num_examples=9)}, {"shared": Bytes()}), data_root=".", cache_root=tmp_path)
    columns = prepared.splits["train"]
    plan = training_plan(columns, translation_features(), Batching(), 1)
    with pytest.raises(UserError, match="reads no feature 'image'"):
        Loader(columns, plan, translation_features(), {"image": [CropAndFlip()]})


def test_changes_of_one_feature_leave_the_other_arrays_alone():
    batch = {"x": tf.constant(tokens()), "x_length": tf.constant(LENGTHS), "y": tf.constant(tokens())}
    changed = augmented(batch, {"x": [TokenDropout(rate=0.5)]}, 0, 3)
    assert changed["y"] is batch["y"]
    assert (changed["x"].numpy() != tokens()).any() and (batch["x"].numpy() == tokens()).all()


def test_what_changes_lengths_is_refused_for_packed_batches():
    def data(packing):
        batching = Batching(max_tokens=100, max_length=50, packing=packing)
        return Data(splits={"train": Reverse()}, batching=batching, augmentation={"source": [TokenDropout(), TokenNoise()]})

    assert [field for field, _, _ in data(True).check()] == ["augmentation.source"]
    assert not list(data(False).check())
