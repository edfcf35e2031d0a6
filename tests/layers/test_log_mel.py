"""Log-mel spectra agree with what the field's programs define, restated here in plain numpy from their formulas."""

import numpy as np
import pytest
import tensorflow as tf

from seqcfg.layers.audio.log_mel import LogMel
from seqcfg.layers.audio.spectrum import hertz, mel
from seqcfg.layers.create import view
from seqcfg.layers.sequence import Sequence
from seqcfg.plan.declaration import declare

RATE = 16000
KALDI = {
    "samples": "int16",
    "remove_mean": True,
    "pre_emphasis": 0.97,
    "pre_emphasis_from": "frame",
    "window": "povey",
    "lower_hz": 20.0,
    "floor": 1.1920929e-07,
}
LIBROSA = {"frames": "centered", "fft_size": 400, "mel_scale": "slaney", "filter_sides": "hertz", "filter_norm": "area", "lower_hz": 0.0}
TORCHAUDIO = LIBROSA | {"edges": "reflect", "mel_scale": "htk", "filter_norm": "peak"}


def sound(length=RATE, seed=0):
    """Two gliding tones in noise, in -1 .. 1."""
    draw, time = np.random.default_rng(seed), np.arange(length) / RATE
    return 0.3 * np.sin(2 * np.pi * (300 + 900 * time) * time) + 0.1 * np.sin(2 * np.pi * 3100 * time) + 0.02 * draw.normal(size=length)


def ours(layer, *waveforms):
    """(values, mask) of a batch of waveforms."""
    assert not list(layer.check())
    longest = max(map(len, waveforms))
    batch = np.stack([np.pad(one, (0, longest - len(one)), constant_values=0.7) for one in waveforms])
    mask = tf.sequence_mask([len(one) for one in waveforms], longest)
    out = view(declare(layer, ()), {})(Sequence(tf.constant(batch, tf.float32), mask))
    return out.values.numpy(), out.mask.numpy()


def kaldi(waveform, num_bins=80):
    """compute-fbank-feats with dither 0 (kaldi: feat/feature-window.cc, feat/mel-computations.cc)."""
    samples, size, step = waveform * 32768, 400, 160
    count = 1 + (len(samples) - size) // step
    window = (0.5 - 0.5 * np.cos(2 * np.pi * np.arange(size) / (size - 1))) ** 0.85
    bank, edges = np.zeros([num_bins, 256]), np.linspace(1127 * np.log(1 + 20 / 700), 1127 * np.log(1 + 8000 / 700), num_bins + 2)
    for row in range(num_bins):
        left, center, right = edges[row : row + 3]
        for point in range(256):
            place = 1127 * np.log(1 + point * RATE / 512 / 700)
            if left < place < right:
                bank[row, point] = (place - left) / (center - left) if place <= center else (right - place) / (right - center)
    rows = []
    for frame in (samples[start : start + size].copy() for start in range(0, count * step, step)):
        frame -= frame.mean()
        frame[1:] -= 0.97 * frame[:-1].copy()
        frame[0] -= 0.97 * frame[0]
        power = np.abs(np.fft.rfft(frame * window, 512)[:256]) ** 2
        rows.append(np.log(np.maximum(bank @ power, 1.1920929e-07)))
    return np.array(rows)


def melspectrogram(waveform, num_bins, to_mel, to_hertz, norm, pad):
    """librosa.feature.melspectrogram and torchaudio's MelSpectrogram with n_fft 400 and hop 160 (filters.mel, melscale_fbanks)."""
    padded = np.pad(waveform, 200, mode=pad)
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(400) / 400)
    spectra = [np.abs(np.fft.rfft(padded[start : start + 400] * window)) ** 2 for start in range(0, len(padded) - 399, 160)]
    points, corners = np.linspace(0, 8000, 201), to_hertz(np.linspace(to_mel(0.0), to_mel(8000.0), num_bins + 2))
    ramps = corners[:, None] - points[None]
    widths = np.diff(corners)
    bank = [np.maximum(0, np.minimum(-ramps[i] / widths[i], ramps[i + 2] / widths[i + 1])) for i in range(num_bins)]
    if norm:
        bank = [row * 2 / (corners[i + 2] - corners[i]) for i, row in enumerate(bank)]
    return np.log(np.maximum(np.array(spectra) @ np.array(bank).T, 1e-10))


def slaney_mel(frequency):
    return 3 * frequency / 200 if frequency < 1000 else 15 + 27 * np.log(frequency / 1000) / np.log(6.4)


def slaney_hertz(mels):
    return np.array([200 * m / 3 if m < 15 else 1000 * np.exp(np.log(6.4) * (m - 15) / 27) for m in mels])


def test_kaldi_filter_banks():
    values, mask = ours(LogMel(**KALDI), sound())
    np.testing.assert_allclose(values[0], kaldi(sound()), atol=1e-3)
    assert mask.all()


def test_librosa_s_mel_spectrogram():
    expected = melspectrogram(sound(), 80, slaney_mel, slaney_hertz, True, "constant")
    np.testing.assert_allclose(ours(LogMel(**LIBROSA), sound())[0][0], expected, atol=1e-3)


def test_torchaudio_s_mel_spectrogram():
    htk, back = (lambda f: 2595 * np.log10(1 + f / 700)), (lambda m: 700 * (10 ** (m / 2595) - 1))
    expected = melspectrogram(sound(), 60, htk, back, False, "reflect")
    np.testing.assert_allclose(ours(LogMel(**TORCHAUDIO, num_bins=60), sound())[0][0], expected, atol=1e-3)


@pytest.mark.parametrize(
    "fields", [KALDI, LIBROSA, TORCHAUDIO, {"frames": "started"}, {"frames": "rounded", "edges": "mirror", "pre_emphasis": 0.97}]
)
def test_a_short_utterance_in_a_longer_batch_gives_what_it_gives_alone(fields):
    layer, short = LogMel(**fields), sound(5003, seed=1)
    alone, _ = ours(layer, short)
    batch, mask = ours(layer, sound(), short)
    assert mask.sum(1).tolist() == [layer.num_positions(RATE), layer.num_positions(5003)]
    np.testing.assert_allclose(batch[1][mask[1]], alone[0], atol=1e-4)


def test_frames_lie_where_they_are_said_to():
    counts = {place: LogMel(frames=place).num_positions(1000) for place in ("inside", "started", "centered", "rounded")}
    assert counts == {"inside": 1 + 600 // 160, "started": 7, "centered": 1 + 1000 // 160, "rounded": 1080 // 160}
    assert LogMel().num_positions(399) == 0


def test_a_click_is_heard_in_the_frame_that_is_centered_on_it():
    click = np.zeros(1600)
    click[5 * 160] = 1.0
    values, _ = ours(LogMel(**LIBROSA), click)
    assert values[0].sum(1).argmax() == 5


def test_silence_is_the_logarithm_of_the_floor():
    np.testing.assert_allclose(ours(LogMel(floor=1e-5, log="ten"), np.zeros(800))[0], -5.0, rtol=1e-6)


def test_a_hundredfold_amplitude_is_forty_decibels_more():
    layer = LogMel(log="decibel")
    np.testing.assert_allclose(ours(layer, sound())[0] - ours(layer, sound() / 100)[0], 40.0, atol=1e-2)


def test_mels_and_hertz_are_inverse_and_both_scales_have_a_thousand_mels_or_fifteen_at_1_khz():
    frequencies = np.array([0.0, 50, 999, 1001, 7999])
    for scale in ("htk", "slaney"):
        np.testing.assert_allclose(hertz(mel(frequencies, scale), scale), frequencies, atol=1e-9)
    assert mel(1000.0, "slaney") == pytest.approx(15.0) and mel(1000.0, "htk") == pytest.approx(1000.0, abs=0.1)


def test_dither_is_drawn_in_training_alone_and_anew_for_each_step():
    layer, x = LogMel(dither=0.1, num_bins=4), Sequence(tf.zeros([1, 800]))

    def frames(**context):
        return view(declare(layer, ()), {}, **context)(x).values.numpy()

    one, same, other = (frames(training=True, seed=tf.constant([1, step])) for step in (5, 5, 6))
    np.testing.assert_array_equal(one, same)
    assert (one != other).all() and (one > frames()).all()


def test_settings_that_cannot_be_are_refused_with_a_remedy():
    wrong = {
        "upper_hz": {"upper_hz": 9000.0},
        "lower_hz": {"lower_hz": 8000.0},
        "fft_size": {"fft_size": 256},
        "step_ms": {"step_ms": 0.01},
    }
    wrong["edges"] = {"edges": "reflect"}
    for field, fields in wrong.items():
        assert [(name, bool(hint)) for name, _, hint in LogMel(**fields).check()] == [(field, True)]


@pytest.mark.parametrize("fields", [KALDI, {"pre_emphasis": 0.97, "dither": 0.5}])
def test_a_stream_of_whole_steps_gives_the_frames_of_the_whole_utterance(fields):
    layer = LogMel(**fields)
    samples, lead = sound(5000).astype(np.float32)[None], layer.framing.before + layer.framing.size - layer.framing.step
    expected, w = ours(layer, samples[0])[0][0], view(declare(layer, ()), {})
    fixed, moving = w.start(Sequence(samples[:, :lead]), 1)
    parts = []
    for at in range(lead, 5000, 480):
        chunk = samples[:, at : at + 480]
        padded = np.pad(chunk, [[0, 0], [0, 480 - chunk.shape[1]]])
        y, moving = w.step(Sequence(padded, tf.sequence_mask([chunk.shape[1]], 480), start=tf.constant(at - lead)), fixed, moving)
        assert int(y.start) == (at - lead) // 160
        parts.append(y.values[y.mask])
    np.testing.assert_allclose(tf.concat(parts, 0), expected, atol=1e-4)
