"""An ONNX model with onnxruntime, numpy and, where it has one, sentencepiece: python onnx_model.py FOLDER < texts.

FOLDER holds model.onnx, model.json and the tokenizers' files. A model of speech takes names of WAV files instead of texts.
"""

import json
import os
import sys
import wave

import numpy as np
import onnxruntime

START, END, NUM_RESERVED = 2, 3, 4


class Model:
    """Texts, or sounds as float32 arrays in -1 .. 1, in; (text, score) out.

    Uses model.onnx, the whole search, or greedy search over encode.onnx and step.onnx, or the best path of frames.onnx.
    """

    def __init__(self, folder: str, threads: int = 1):
        with open(os.path.join(folder, "model.json"), encoding="utf-8") as file:
            self.about = json.load(file)
        self._hears = self.about["input"] == "audio"
        if not self._hears:
            self._encode_text = tokenizer(folder, self.about["source_tokenizer"])[0]
        self._decode_ids = tokenizer(folder, self.about["target_tokenizer"])[1]
        self._options = onnxruntime.SessionOptions()
        self._options.intra_op_num_threads = self._options.inter_op_num_threads = threads
        self._folder = folder
        self._sessions: dict[str, onnxruntime.InferenceSession] = {}
        self._names = [name[:-5] for name in os.listdir(folder) if name.endswith(".onnx")]
        for name in ["model"] if "model" in self._names else self._names:
            self._session(name)

    def __call__(self, inputs: list) -> list[tuple[str, float]]:
        chosen = [place for place, one in enumerate(inputs) if (len(one) if self._hears else one.strip())]
        answers = [("", 0.0)] * len(inputs)
        if chosen:
            for place, (ids, score) in zip(chosen, self.answer([inputs[place] for place in chosen]), strict=True):
                answers[place] = self._decode_ids(ids), score
        return answers

    def answer(self, inputs: list) -> list[tuple[list[int], float]]:
        rows = inputs if self._hears else [self.encode(one) for one in inputs]
        if "model" in self._names:
            return self.whole(rows)
        return [self.best_path(row) if "frames" in self._names else self.greedy(row) for row in rows]

    def encode(self, text: str) -> list[int]:
        """The ids of a text, with the end id where the model wants it; too long ones are cut."""
        ids = self._encode_text(text) + ([END] if self.about["source_has_end"] else [])
        most = self.about["max_source_length"]
        return ids if len(ids) <= most else ids[: most - 1] + ids[-1:]

    def whole(self, rows: list) -> list[tuple[list[int], float]]:
        """All rows at once, by the recipe's search."""
        found = self.call("model", **self._inputs(rows))
        parts = zip(found["ids"], found["lengths"], found["scores"], strict=True)
        return [(ids[0, : lengths[0]].tolist(), float(scores[0])) for ids, lengths, scores in parts]

    def greedy(self, given) -> tuple[list[int], float]:
        """The most probable token at each position, and their log-probability with that of the end."""
        most = self.about["longest"][self._positions(given)]
        state = self.call("encode", **self._inputs([given]), positions=np.array(most + 1, np.int32))
        token, found, total = START, [], 0.0
        for index in range(most + 1):
            told = self.call("step", tokens=np.array([token], np.int32), index=np.array(index, np.int32), **state)
            logits = told.pop("logits")[0].astype(np.float64)
            state.update({name.removeprefix("next_"): value for name, value in told.items()})
            allowed = [END] if index == most else [END, *range(NUM_RESERVED, len(logits))]
            token = max(allowed, key=lambda one: logits[one])
            total += logits[token] - logits.max() - np.log(np.exp(logits - logits.max()).sum())
            if token == END:
                break
            found.append(token)
        return found, float(total)

    def best_path(self, given) -> tuple[list[int], float]:
        """The most probable id of each frame, repeated ones as one and blanks (id 0) left out, and the path's log-probability."""
        told = self.call("frames", **self._inputs([given]))
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

    def score(self, sources: list[str], targets: list[list[int]]) -> np.ndarray:
        """Log-probabilities [n] of outputs, lists of ids that end with the end id."""
        given = {f"target{name[5:]}": value for name, value in self._padded("input", targets).items()}
        return self.call("score", **self._inputs([self.encode(one) for one in sources]), **given)["log_probabilities"]

    def call(self, name: str, **inputs: np.ndarray) -> dict[str, np.ndarray]:
        """A model of the folder on inputs by name; those that it does not read are left out."""
        session = self._session(name)
        wanted = {one.name for one in session.get_inputs()}
        names = [one.name for one in session.get_outputs()]
        found = session.run(names, {key: value for key, value in inputs.items() if key in wanted})
        return dict(zip(names, found, strict=True))

    def _session(self, name: str) -> onnxruntime.InferenceSession:
        if name not in self._sessions:
            file = os.path.join(self._folder, f"{name}.onnx")
            self._sessions[name] = onnxruntime.InferenceSession(file, self._options, providers=["CPUExecutionProvider"])
        return self._sessions[name]

    def _inputs(self, rows: list) -> dict[str, np.ndarray]:
        return self._padded(self.about["input"], rows)

    def _padded(self, name: str, rows: list) -> dict[str, np.ndarray]:
        table = np.zeros([len(rows), max(map(len, rows))], np.float32 if self._hears else np.int32)
        for line, row in zip(table, rows, strict=True):
            line[: len(row)] = row
        return {name: table, f"{name}_length": np.array([len(row) for row in rows], np.int32)}


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
