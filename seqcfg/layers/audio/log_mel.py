"""Log-mel spectra of waveforms."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any, Literal

from seqcfg.component.component import param
from seqcfg.component.types import NonNegativeFloat, PositiveFloat, PositiveInt
from seqcfg.errors import UserError
from seqcfg.initializers.draw import normal
from seqcfg.layers.audio.framing import Edges, Framing, Place
from seqcfg.layers.audio.spectrum import MelScale, Window, mel_filters, window
from seqcfg.layers.audio.whole import UtteranceLayer
from seqcfg.layers.portable import PORTABLE
from seqcfg.layers.sequence import Sequence
from seqcfg.lazy import tf

LOG_FACTORS = {"natural": 1.0, "ten": 1 / math.log(10), "decibel": 10 / math.log(10)}
FULL_SCALE = 32768.0


class LogMel(UtteranceLayer, type="log_mel"):
    """log(max(floor, M |FFT(window * frame)|^p)): the logarithm of a waveform's energy in bands evenly spaced in mels.

    A frame is real when it lies within the utterance's samples as `frames` says. Computed in float32. The defaults are
    a periodic Hann window, HTK mels and the power spectrum. To get what other programs compute from 16 kHz:

    Kaldi (dither 0)  samples: int16, remove_mean: true, pre_emphasis: 0.97, pre_emphasis_from: frame, window: povey,
                      lower_hz: 20, floor: 1.1920929e-07
    Lingvo's MelAsrFrontend  samples: int16, pre_emphasis: 0.97, fft_size: 1024 (512 without overdrive), spectrum: magnitude,
                      lower_hz: 125, upper_hz: 7600, floor: 1.0, dither: 8.0; pad_end is frames: started. Its noise comes behind
                      pre-emphasis, and in evaluation, too
    librosa.feature.melspectrogram(n_fft=400, hop_length=160)  frames: centered, fft_size: 400, mel_scale: slaney,
                      filter_sides: hertz, filter_norm: area, lower_hz: 0
    torchaudio.transforms.MelSpectrogram()  the same with edges: reflect, mel_scale: htk, filter_norm: peak
    """

    feature_axes = 0

    sample_rate_hz: PositiveInt = param(default=16000, doc="Sample rate of the waveform, in Hz.")
    frame_ms: PositiveFloat = param(default=25.0, doc="Length of a frame, in ms; rounded to samples.")
    step_ms: PositiveFloat = param(default=10.0, doc="From one frame to the next, in ms; rounded to samples.")
    num_bins: PositiveInt = param(default=80, doc="Number of bands: the output width.")
    lower_hz: NonNegativeFloat = param(default=20.0, doc="Where the lowest band starts, in Hz.")
    upper_hz: PositiveFloat | None = param(default=None, doc="Where the highest band ends, in Hz; null is half the sample rate.")
    frames: Place = param(
        default="inside",
        doc="Frames start at multiples of the step and lie inside, or only start there; or are centered on these, or half a step on.",
    )
    edges: Edges = param(
        default="zero", doc="What frames that are not inside find beyond the ends: zeros, or samples without or with the last one repeated."
    )
    samples: Literal["unit", "int16"] = param(
        default="unit", doc="Whether full scale is 1, or 32768 as in files of 16 bits; floor and dither are in these units."
    )
    dither: NonNegativeFloat = param(default=0.0, doc="Standard deviation of noise that is added to samples in training.")
    remove_mean: bool = param(default=False, doc="Whether each frame's mean is taken off it.")
    pre_emphasis: NonNegativeFloat = param(default=0.0, doc="Share of the sample before that is taken off each; 0.97 is usual.")
    pre_emphasis_from: Literal["waveform", "frame"] = param(
        default="waveform", doc="Whether a frame's first sample is reduced by the one before it, or by itself as in Kaldi."
    )
    needs_next_sample: bool = param(
        default=False, doc="Whether a frame must be followed by a sample, as Lingvo's are where it reduces none by the one before."
    )
    window: Window = param(default="hann", doc="What frames are multiplied with; hann and hamming are periodic unless symmetric.")
    fft_size: PositiveInt | Literal["next_power", "twice_next_power"] = param(
        default="next_power",
        doc="Points of the Fourier transform, or the least power of two that holds a frame, or twice that.",
    )
    spectrum: Literal["power", "magnitude"] = param(default="power", doc="Whether magnitudes are squared before they are summed.")
    mel_scale: MelScale = param(default="htk", doc="HTK's logarithmic mels, or Slaney's, linear below 1 kHz.")
    filter_sides: Literal["mel", "hertz"] = param(default="mel", doc="Whether the sides of the triangles are straight over mels or hertz.")
    filter_norm: Literal["peak", "area"] = param(default="peak", doc="Whether all triangles have the height 1 or the area 1.")
    floor: PositiveFloat = param(default=1e-10, doc="Least value that the logarithm is taken of.")
    log: Literal["natural", "ten", "decibel", "none"] = param(default="natural", doc="Which logarithm; none leaves the bands' sums.")

    def check(self) -> Iterator[tuple[str, str, str]]:
        nyquist = self.sample_rate_hz / 2
        if self._upper > nyquist:
            yield "upper_hz", f"{self._upper:g} Hz is above half the sample rate, {nyquist:g} Hz", "leave it out for that"
        elif self.lower_hz >= self._upper:
            yield "lower_hz", f"{self.lower_hz:g} Hz is not below the upper end, {self._upper:g} Hz", "choose a lower one"
        for name in ("frame_ms", "step_ms"):
            if self._in_samples(getattr(self, name)) < 1:
                yield name, f"{getattr(self, name)} ms are less than a sample at {self.sample_rate_hz} Hz", "choose more"
        if self._fft_size < self._in_samples(self.frame_ms):
            yield "fft_size", f"{self._fft_size} points do not hold a frame of {self._in_samples(self.frame_ms)}", "leave it out"
        if self.edges != "zero" and self.frames == "inside":
            yield "edges", "frames that lie inside find nothing beyond the ends", "leave edges out, or set frames: centered"

    def declare(self, d: Any, dim: tuple[()]) -> int:
        return self.num_bins

    def num_positions(self, length: int) -> int:
        return self.framing.count(length)

    def apply(self, w: Any, x: Sequence) -> Sequence:
        """Values [batch, samples] in -1 .. 1 -> [batch, frames, num_bins]."""
        samples = self._scaled(w, x)
        lengths = x.lengths()
        spectrum = self._spectrum(self.framing.frames(samples, lengths))
        mask = None if x.mask is None else tf.sequence_mask(self.framing.count(lengths), tf.shape(spectrum)[1])
        return Sequence(tf.cast(self._log(self._bands(spectrum)), w.context.dtype), mask)

    def start(self, w: Any, sequence: Sequence, max_length: Any) -> tuple[Any, Any]:
        """The values of `sequence` are the samples [rows, frame - step] that stand before those of the first step."""
        if self.frames != "inside":
            raise UserError(f"{w.path}: frames that are centered cannot be made step by step", hint="set frames: inside")
        return {}, {"left": self._scaled(w, sequence)}

    def step(self, w: Any, x: Sequence, fixed: Any, moving: Any) -> tuple[Sequence, Any]:
        """Samples of whole steps -> as many frames; one is real when its last step is."""
        size, step = self.framing.before + self.framing.size, self.framing.step
        samples = tf.concat([moving["left"], self._scaled(w, x)], 1)
        frames = tf.signal.frame(samples, size, step, axis=1)[:, : tf.shape(x.values)[1] // step]
        mask = None if x.mask is None else tf.sequence_mask(x.lengths() // step, tf.shape(frames)[1])
        values = tf.cast(self._log(self._bands(self._spectrum(frames))), w.context.dtype)
        return Sequence(values, mask, start=None if x.start is None else x.start // step), {"left": samples[:, tf.shape(x.values)[1] :]}

    @property
    def framing(self) -> Framing:
        """Where the frames lie, in samples."""
        before = 1 if self.pre_emphasis and self.pre_emphasis_from == "waveform" else 0
        size, step = self._in_samples(self.frame_ms), self._in_samples(self.step_ms)
        return Framing(size, step, self.frames, self.edges, before, after=int(self.needs_next_sample))

    def _scaled(self, w: Any, x: Sequence) -> Any:
        """The samples in the units of floor and dither, with noise in training, and 0 at padding."""
        samples = tf.cast(x.values, tf.float32)
        if self.samples == "int16":
            samples = samples * FULL_SCALE
        if self.dither and w.training:
            samples = samples + normal(tf.shape(samples), w.seed(), self.dither)
        return x.zero_padding(samples)

    def _spectrum(self, frames: Any) -> Any:
        """[batch, frames, before + size] -> magnitudes or their squares [batch, frames, fft_size / 2 + 1]."""
        size = self._in_samples(self.frame_ms)
        if self.remove_mean:
            frames = frames - tf.reduce_mean(frames[:, :, -size:], -1, keepdims=True)
        current = frames[:, :, -size:]
        if self.pre_emphasis:
            earlier = frames[:, :, :-1] if self.framing.before else tf.concat([frames[:, :, :1], frames[:, :, :-1]], -1)
            current = current - self.pre_emphasis * earlier
        shape = tf.constant(window(self.window, size), tf.float32)
        # rfft would pad by itself, but not where there is no frame at all
        found = tf.signal.rfft(tf.pad(current * shape, [[0, 0], [0, 0], [0, self._fft_size - size]]), [self._fft_size])
        return tf.abs(found) if self.spectrum == "magnitude" else tf.square(tf.math.real(found)) + tf.square(tf.math.imag(found))

    def _bands(self, spectrum: Any) -> Any:
        filters = mel_filters(
            self.num_bins,
            self._fft_size,
            self.sample_rate_hz,
            self.lower_hz,
            self._upper,
            self.mel_scale,
            self.filter_sides,
            self.filter_norm,
        )
        if PORTABLE.get():  # as the first factor no converter rounds them to 8 bits, nor the spectrum beside them
            return tf.transpose(tf.matmul(tf.constant(filters.T[None], tf.float32), spectrum, transpose_b=True), [0, 2, 1])
        return tf.tensordot(spectrum, tf.constant(filters, tf.float32), 1)

    def _log(self, bands: Any) -> Any:
        return bands if self.log == "none" else tf.math.log(tf.maximum(bands, self.floor)) * LOG_FACTORS[self.log]

    @property
    def _upper(self) -> float:
        return self.sample_rate_hz / 2 if self.upper_hz is None else self.upper_hz

    @property
    def _fft_size(self) -> int:
        if isinstance(self.fft_size, int):
            return self.fft_size
        smallest: int = 1 << (self._in_samples(self.frame_ms) - 1).bit_length()
        return smallest if self.fft_size == "next_power" else 2 * smallest

    def _in_samples(self, milliseconds: float) -> int:
        return round(self.sample_rate_hz * milliseconds / 1000)
