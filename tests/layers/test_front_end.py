"""Layers of the speech front end: frames joined, slopes, normalisation, SpecAugment, speed perturbation."""

from fractions import Fraction

import numpy as np
import pytest
import tensorflow as tf

from seqcfg.data.audio_file import resample
from seqcfg.layers.audio.feature_normalization import CorpusNormalization, UtteranceNormalization
from seqcfg.layers.audio.frames import AppendFrames, Deltas, StackFrames
from seqcfg.layers.audio.log_mel import LogMel
from seqcfg.layers.audio.spec_augment import SpecAugment, warped
from seqcfg.layers.audio.speed_perturbation import SpeedPerturbation, resampled
from seqcfg.layers.composition.sequential import Sequential
from seqcfg.layers.create import initial_values, view
from seqcfg.layers.sequence import Sequence
from seqcfg.plan.declaration import Misfit, declare

LENGTHS = [7, 4, 0]


def frames(dim=1):
    """Row r holds 10 r + 1, 10 r + 2 ... in each feature, and 99 at padding."""
    values = np.tile(10.0 * np.arange(3)[:, None, None] + np.arange(1, 8)[:, None], [1, 1, dim])
    mask = np.arange(7) < np.array(LENGTHS)[:, None]
    return Sequence(tf.constant(np.where(mask[:, :, None], values, 99.0), tf.float32), tf.constant(mask))


def applied(layer, x, tree=(), **context):
    width = () if layer.feature_axes == 0 else x.values.shape[-1]
    return view(declare(layer, width), dict(tree), **context)(x)


def noise(rows=4, time=60, dim=20):
    return Sequence(tf.random.stateless_normal([rows, time, dim], [1, 2]) + 5, tf.sequence_mask([time, time - 20, 5, 0][:rows], time))


def trained(layer, x, step=0):
    return applied(layer, x, training=True, seed=tf.stack([3, step]))


def test_stacked_frames_start_with_the_first_one_repeated():
    out = applied(StackFrames(left=2, stride=3), frames())
    assert out.values[0].numpy().tolist() == [[1, 1, 1], [2, 3, 4], [5, 6, 7]]
    assert out.values[1, :2].numpy().tolist() == [[11, 11, 11], [12, 13, 14]]
    assert out.mask.numpy().tolist() == [[True] * 3, [True, True, False], [False] * 3]


def test_a_right_neighbour_beyond_the_end_is_the_utterance_s_own_last_frame_or_zero():
    repeated, zero = (applied(StackFrames(left=0, right=1, stride=1, edges=edges), frames()) for edges in ("repeat", "zero"))
    assert repeated.values[1, 3].numpy().tolist() == [14, 14] and zero.values[1, 3].numpy().tolist() == [14, 0]


def test_the_slope_of_a_ramp_is_one_inside_and_less_at_its_ends():
    out = applied(Deltas(order=1), frames()).values[0].numpy()
    np.testing.assert_allclose(out[2:5, 1], 1.0)
    np.testing.assert_allclose(out[0, 1], (1 * (2 - 1) + 2 * (3 - 1)) / 10)  # 1 is repeated before the first frame
    assert applied(Deltas(order=2, reach=1), frames()).values.shape == [3, 7, 3]


def test_appended_frames_follow_each_utterance():
    out = applied(AppendFrames(count=2, are_real=True), frames())
    assert out.mask.numpy().sum(1).tolist() == [9, 6, 2]
    assert out.values[1, :, 0].numpy().tolist() == [11, 12, 13, 14, 0, 0, 0, 0, 0]
    assert applied(AppendFrames(count=2), frames()).mask.numpy().sum(1).tolist() == LENGTHS


def test_a_normalised_utterance_has_mean_0_and_deviation_1_in_its_real_frames():
    out = applied(UtteranceNormalization(), frames())
    for row, length in enumerate(LENGTHS[:2]):
        real = out.values[row, :length].numpy()
        np.testing.assert_allclose([real.mean(), real.std()], [0, 1], atol=1e-6)
    assert not out.values.numpy()[~out.mask.numpy()].any()
    moved = applied(UtteranceNormalization(use_deviation=False), frames())
    assert moved.values[1, :4, 0].numpy().tolist() == [-1.5, -0.5, 0.5, 1.5]


def test_silence_is_normalised_to_zeros():
    assert not applied(UtteranceNormalization(), Sequence(tf.fill([1, 5, 2], -23.0))).values.numpy().any()


def test_normalisation_by_the_corpus_uses_its_weights_or_what_the_recipe_states():
    x = frames()
    tree = {"mean": tf.constant([1.0]), "deviation": tf.constant([2.0])}
    stated = applied(CorpusNormalization(mean=[1.0], deviation=[2.0]), x)
    np.testing.assert_array_equal(applied(CorpusNormalization(), x, tree).values, stated.values)
    assert stated.values[0, :3, 0].numpy().tolist() == [0, 0.5, 1] and stated.values[2].numpy().tolist() == [[0]] * 7
    with pytest.raises(Misfit, match="means for 1 features, and the width is 2"):
        declare(CorpusNormalization(mean=[1.0], deviation=[2.0]), 2)
    assert [name for name, *_ in CorpusNormalization(mean=[1.0]).check()] == ["deviation"]


def test_spec_augment_does_nothing_outside_training():
    x = noise()
    assert applied(SpecAugment(), x) is x


def test_spec_augment_masks_bands_and_stretches_with_the_mean_and_nothing_else():
    x = noise()
    out = trained(SpecAugment(num_time_masks=1, longest_time_mask=10, time_share=1.0, num_frequency_masks=1, widest_frequency_mask=5), x)
    changed = (out.values != x.values).numpy() & x.mask.numpy()[:, :, None]
    for row, length in enumerate([60, 40, 5]):
        real = changed[row, :length]
        times, bands = real.all(1), real.all(0)
        np.testing.assert_array_equal(real, times[:, None] | bands[None])
        assert times.sum() <= 10 and bands.sum() <= 5
        mean = x.values.numpy()[row, :length].mean()
        np.testing.assert_allclose(out.values.numpy()[row, :length][real], mean, rtol=1e-5)
        for which in (times, bands):
            assert np.abs(np.diff(which.astype(int))).sum() <= 2  # one stretch
    assert changed.any()


def test_a_time_mask_takes_at_most_its_share():
    x = noise()
    for step in range(10):
        out = trained(SpecAugment(num_time_masks=1, time_share=0.1, num_frequency_masks=0, fill="zero"), x, step)
        zeros = (out.values.numpy() == 0).all(2) & x.mask.numpy()
        assert (zeros.sum(1) <= [6, 4, 0, 0]).all()


def test_draws_depend_on_the_step_alone_and_are_the_same_compiled():
    layer, x = SpecAugment(longest_time_warp=4), noise()

    def call(step):
        return trained(layer, x, step).values

    compiled = tf.function(call, jit_compile=True)
    np.testing.assert_allclose(compiled(tf.constant(1)), call(1), atol=1e-5)
    assert (call(1) != call(2)).numpy().any() and (call(1) == call(1)).numpy().all()


def test_warping_moves_one_frame_and_leaves_the_ends():
    ramp = tf.constant(np.arange(12.0)[None, :, None], tf.float32)
    out = warped(ramp, tf.constant([9]), (tf.constant([4.0]), tf.constant([6.0]))).numpy()[0, :9, 0]
    np.testing.assert_allclose(out, [0, 4 / 6, 8 / 6, 2, 16 / 6, 20 / 6, 4, 6, 8], atol=1e-6)
    np.testing.assert_allclose(warped(ramp, tf.constant([9]), (tf.constant([0.0]), tf.constant([0.0])))[0, :9], ramp[0, :9], atol=1e-6)


@pytest.mark.parametrize("speed", [Fraction(9, 10), Fraction(11, 10), Fraction(3, 4)])
def test_a_perturbed_sound_is_the_resampled_one(speed):
    sound = np.random.default_rng(0).normal(size=997).astype(np.float32)
    ours = resampled(tf.constant(sound[None]), speed).numpy()[0]
    expected = resample(sound, speed.numerator, speed.denominator)
    assert len(ours) == len(expected)
    np.testing.assert_allclose(ours, expected, atol=3e-4)  # a tap at the kernel's end more or less


def test_each_utterance_gets_a_speed_of_its_own_and_padding_stays_silent():
    samples = tf.sequence_mask([1000, 300] * 20, 1000)
    x = Sequence(0.5 * tf.cast(samples, tf.float32), samples)
    out = trained(SpeedPerturbation(), x)
    lengths = out.mask.numpy().sum(1)
    assert set(lengths[::2]) == {1112, 1000, 910} and set(lengths[1::2]) == {334, 300, 273}
    assert out.values.shape == [40, 1112] and not out.values.numpy()[~out.mask.numpy()].any()
    assert applied(SpeedPerturbation(), x) is x


def test_a_speed_that_is_no_simple_ratio_is_refused():
    assert [name for name, *_ in SpeedPerturbation(speeds=[0.9, 0.9123456]).check()] == ["speeds"]


def test_a_saved_front_end_gives_the_same_frames_without_python(tmp_path):
    layer = Sequential(layers=[LogMel(num_bins=8, pre_emphasis=0.97), CorpusNormalization(), SpecAugment(), Deltas(), StackFrames()])
    declaration = declare(layer, ())
    module = tf.Module()
    tree = initial_values(declaration, 1)
    module.weights = [tf.Variable(value + 0.5) for value in tree.values()]
    held = dict(zip(tree, module.weights, strict=True))

    @tf.function(input_signature=[tf.TensorSpec([None, None]), tf.TensorSpec([None], tf.int32)])
    def frames(samples, lengths):
        out = view(declaration, held)(Sequence(samples, tf.sequence_mask(lengths, tf.shape(samples)[1])))
        return out.values, out.mask

    module.frames = frames
    tf.saved_model.save(module, str(tmp_path))
    given = tf.random.stateless_normal([2, 4000], [1, 1]), tf.constant([4000, 1700])
    loaded = tf.saved_model.load(str(tmp_path))
    for ours, theirs in zip(frames(*given), loaded.frames(*given), strict=True):
        np.testing.assert_array_equal(ours, theirs)
