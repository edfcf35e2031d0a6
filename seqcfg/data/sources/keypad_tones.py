"""Keypad tones: the sounds of a telephone's keys, a speech corpus that needs no download."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Annotated, Any, Literal

from seqcfg.component.component import param
from seqcfg.component.kinds import Source
from seqcfg.component.types import NonNegativeFloat, PositiveInt, rules
from seqcfg.data.example import Example
from seqcfg.data.root import DataRoot
from seqcfg.lazy import np

ROWS_HZ, COLUMNS_HZ = (697, 770, 852, 941), (1209, 1336, 1477, 1633)  # ITU-T recommendation Q.23
KEYS = "123A456B789C*0#D"
NAMES = {key: key for key in KEYS} | {
    "0": "zero", "1": "one", "2": "two", "3": "three", "4": "four", "5": "five", "6": "six", "7": "seven", "8": "eight", "9": "nine",
    "*": "star", "#": "pound", "A": "a", "B": "b", "C": "c", "D": "d",
}  # fmt: skip


class KeypadTones(Source, type="keypad_tones"):
    """Sequences of telephone keys as sound: two sines per key, gaps between keys, and noise.

    Fields: audio (float32 samples in -1 .. 1), text (the keys' names with spaces between them) and key. Lengths of tones
    and gaps, loudness and noise vary from example to example; example i is a function of (part, seed, i).
    """

    part: Literal["train", "validation", "test"] = param(default="train", doc="Which set of examples; different parts draw differently.")
    num_examples: PositiveInt = param(default=2_000, doc="How many, in examples.")
    longest: PositiveInt = param(default=8, doc="Most keys of an example; all counts from 1 are equally frequent.")
    num_keys: Annotated[int, rules(minimum=1, maximum=16)] = param(default=16, doc="How many different keys occur.")
    sample_rate_hz: Annotated[int, rules(minimum=4000)] = param(default=8000, doc="Samples per second.")
    noise: NonNegativeFloat = param(default=0.05, doc="Standard deviation of the noise; a tone's amplitude is about 0.3.")
    seed: int = param(default=0, doc="Chooses keys, lengths and noise.")

    def paths(self) -> list[str]:
        """No file is read."""
        return []

    def field_names(self) -> tuple[str, ...]:
        """What an example has."""
        return ("audio", "text", "key")

    def examples(self, root: DataRoot) -> Iterator[Example]:
        """One example per number."""
        for number in range(1, self.num_examples + 1):
            digest = hashlib.sha256(f"keypad_tones {self.part} {self.seed} {number}".encode()).digest()
            draw = _Uniform(int.from_bytes(digest[:16], "little"))
            keys = [KEYS[int(one * self.num_keys)] for one in draw(1 + int(draw(1)[0] * self.longest))]
            fields = {"audio": self._sound(keys, draw), "text": " ".join(NAMES[key] for key in keys), "key": f"{self.part}-{number}"}
            yield Example(fields, f"keypad_tones({self.part})", number)

    def _sound(self, keys: list[str], draw: _Uniform) -> Any:
        parts, loudness = [self._silence(draw)], 0.2 + 0.2 * draw(1)[0]
        for key in keys:
            row, column = divmod(KEYS.index(key), 4)
            time = np.arange(int(self.sample_rate_hz * (0.06 + 0.06 * draw(1)[0]))) / self.sample_rate_hz
            fade = np.minimum(1.0, np.minimum(time, time[-1] - time) / 0.005)
            tone = sum(
                np.sin(2 * np.pi * (hz * time + phase)) for hz, phase in zip((ROWS_HZ[row], COLUMNS_HZ[column]), draw(2), strict=True)
            )
            parts += [loudness * fade * tone, self._silence(draw)]
        sound = np.concatenate(parts)
        return np.clip(sound + self.noise * draw.normal(len(sound)), -1.0, 32767 / 32768).astype(np.float32)

    def _silence(self, draw: _Uniform) -> Any:
        return np.zeros(int(self.sample_rate_hz * (0.03 + 0.05 * draw(1)[0])))


class _Uniform:
    """Numbers in [0, 1) from a counter-based generator (Philox), the same with every version of numpy."""

    def __init__(self, key: int):
        self._bits = np.random.Philox(key=key)

    def __call__(self, count: int) -> Any:
        return (self._bits.random_raw(count) >> np.uint64(11)) * 2.0**-53

    def normal(self, count: int) -> Any:
        """Standard normal numbers (Box and Muller 1958)."""
        radius, angle = self(count), self(count)
        return np.sqrt(-2.0 * np.log1p(-radius)) * np.cos(2 * np.pi * angle)
