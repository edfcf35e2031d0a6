"""A TFLite model with ai-edge-litert, numpy and, where it has one, sentencepiece: python tflite.py FOLDER < texts.

FOLDER holds model.tflite, model.json and the tokenizers' files. A model of speech takes names of WAV files instead of texts.
"""

import json
import os
import sys
import wave

import numpy as np
from ai_edge_litert.interpreter import Interpreter

START, END, NUM_RESERVED = 2, 3, 4


class Model:
    """Texts, or sounds float32 [samples] in -1 .. 1, in, (text, score) out.

    Uses the signature `decode`, the whole search, or greedy search over `encode` and `step`, or the best path of `frames`.
    """

    def __init__(self, folder: str, threads: int = 1):
        with open(os.path.join(folder, "model.json"), encoding="utf-8") as file:
            self.about = json.load(file)
        self._hears = self.about["input"] == "audio"
        if not self._hears:
            self._encode_text = tokenizer(folder, self.about["source_tokenizer"])[0]
        self._decode_ids = tokenizer(folder, self.about["target_tokenizer"])[1]
        self._interpreter = Interpreter(os.path.join(folder, "model.tflite"), num_threads=threads)
        self._calls = {name: self._interpreter.get_signature_runner(name) for name in self._interpreter.get_signature_list()}

    def __call__(self, lines: list) -> list[tuple[str, float]]:
        return [self.answer(line) if len(line if self._hears else line.strip()) else ("", 0.0) for line in lines]

    def answer(self, line) -> tuple[str, float]:
        given = line if self._hears else self.encode(line)
        search = self.whole if "decode" in self._calls else self.best_path if "frames" in self._calls else self.greedy
        found, score = search(given)
        return self._decode_ids(found), score

    def encode(self, text: str) -> list[int]:
        """The ids of a text, with the end id where the model wants it; too long ones are cut."""
        ids = self._encode_text(text) + ([END] if self.about["source_has_end"] else [])
        most = self.about["max_source_length"]
        return ids if len(ids) <= most else ids[: most - 1] + ids[-1:]

    def whole(self, given) -> tuple[list[int], float]:
        found = self._calls["decode"](**self._inputs(given))
        return found["ids"][0, 0, : found["lengths"][0, 0]].tolist(), float(found["scores"][0, 0])

    def greedy(self, given) -> tuple[list[int], float]:
        """The most probable token at each position, and their log-probability with that of the end."""
        most = self.about["longest"][self._positions(given)]
        state = self._calls["encode"](**self._inputs(given), positions=np.array(most + 1, np.int32))
        token, found, total = START, [], 0.0
        for index in range(most + 1):
            told = self._calls["step"](tokens=np.array([token], np.int32), index=np.array(index, np.int32), **state)
            logits = told.pop("logits")[0].astype(np.float64)
            state.update(told)
            allowed = [END] if index == most else [END, *range(NUM_RESERVED, len(logits))]
            token = max(allowed, key=lambda one: logits[one])
            total += logits[token] - logits.max() - np.log(np.exp(logits - logits.max()).sum())
            if token == END:
                break
            found.append(token)
        return found, float(total)

    def best_path(self, given) -> tuple[list[int], float]:
        """The most probable id of each frame, repeated ones as one and blanks (id 0) left out, and the path's log-probability."""
        told = self._calls["frames"](**self._inputs(given))
        scores = told["scores"][0, : told["num_frames"][0]]
        allowed = np.array([0, *range(NUM_RESERVED, scores.shape[1])])
        path = allowed[scores[:, allowed].argmax(axis=1)]
        found = [int(one) for place, one in enumerate(path) if one and (place == 0 or one != path[place - 1])]
        return found[: self.about["longest"][self._positions(given)]], float(scores[:, allowed].max(axis=1).sum())

    def _positions(self, given) -> int:
        """In which limits of lengths are counted: ids, or 10 ms of a sound."""
        if not self._hears:
            return len(given)
        return min(-(-len(given) // self.about["samples_per_position"]), self.about["max_source_length"])

    def _inputs(self, given) -> dict[str, np.ndarray]:
        name, dtype = self.about["input"], np.float32 if self._hears else np.int32
        return {name: np.asarray(given, dtype)[None], f"{name}_length": np.array([len(given)], np.int32)}


def samples_of(path: str, rate: int) -> np.ndarray:
    """The samples of a WAV file of 16 bits, one channel and this rate."""
    with wave.open(path) as file:
        if (file.getsampwidth(), file.getnchannels(), file.getframerate()) != (2, 1, rate):
            raise ValueError(f"{path}: one channel of 16 bits at {rate} Hz is wanted")
        return np.frombuffer(file.readframes(file.getnframes()), "<i2").astype(np.float32) / 32768.0


def tokenizer(folder, about):
    """(text to ids, ids to text) of a tokenizer {"type", "file"}."""
    if about["type"] == "byte":
        return (
            lambda text: [byte + NUM_RESERVED for byte in text.encode("utf-8")],
            lambda ids: bytes(one - NUM_RESERVED for one in ids if one >= NUM_RESERVED).decode("utf-8", "replace"),
        )
    if about["type"] == "spellings":
        pieces, start = [one.encode("latin-1") for one in about["pieces"]], int(about["is_trimmed"])

        def spell(ids):
            text = b"".join(pieces[one] for one in ids)
            return (text[start:] if text.startswith(b" ") else text).decode("utf-8", "replace")

        return None, spell
    import sentencepiece

    processor = sentencepiece.SentencePieceProcessor(model_file=os.path.join(folder, about["file"]))
    return processor.encode, processor.decode


if __name__ == "__main__":
    model = Model(sys.argv[1])
    for line in sys.stdin:
        name = line.rstrip("\n")
        given = samples_of(name, model.about["sample_rate_hz"]) if model.about["input"] == "audio" else name
        print(*model([given])[0], sep="\t", flush=True)
