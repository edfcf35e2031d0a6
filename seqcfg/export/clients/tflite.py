"""A TFLite model with ai-edge-litert, numpy and, where it has one, sentencepiece: python tflite.py FOLDER < texts.

FOLDER holds model.tflite, model.json and the tokenizers' files.
"""

import json
import os
import sys

import numpy as np
from ai_edge_litert.interpreter import Interpreter

START, END, NUM_RESERVED = 2, 3, 4


class Model:
    """Texts in, (text, score) out. Uses the signature `decode`, the whole search, or greedy search over `encode` and `step`."""

    def __init__(self, folder: str, threads: int = 1):
        with open(os.path.join(folder, "model.json"), encoding="utf-8") as file:
            self._about = json.load(file)
        self._encode_text = tokenizer(folder, self._about["source_tokenizer"])[0]
        self._decode_ids = tokenizer(folder, self._about["target_tokenizer"])[1]
        self._interpreter = Interpreter(os.path.join(folder, "model.tflite"), num_threads=threads)
        self._calls = {name: self._interpreter.get_signature_runner(name) for name in self._interpreter.get_signature_list()}

    def __call__(self, texts: list[str]) -> list[tuple[str, float]]:
        return [self.answer(text) if text.strip() else ("", 0.0) for text in texts]

    def answer(self, text: str) -> tuple[str, float]:
        ids = self.encode(text)
        found, score = self.whole(ids) if "decode" in self._calls else self.greedy(ids)
        return self._decode_ids(found), score

    def encode(self, text: str) -> list[int]:
        """The ids of a text, with the end id where the model wants it; too long ones are cut."""
        ids = self._encode_text(text) + ([END] if self._about["source_has_end"] else [])
        most = self._about["max_source_length"]
        return ids if len(ids) <= most else ids[: most - 1] + ids[-1:]

    def whole(self, ids: list[int]) -> tuple[list[int], float]:
        found = self._calls["decode"](**self._inputs(ids))
        return found["ids"][0, 0, : found["lengths"][0, 0]].tolist(), float(found["scores"][0, 0])

    def greedy(self, ids: list[int]) -> tuple[list[int], float]:
        """The most probable token at each position, and their log-probability with that of the end."""
        most = self._about["longest"][len(ids)]
        state = self._calls["encode"](**self._inputs(ids), positions=np.array(most + 1, np.int32))
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

    def _inputs(self, ids: list[int]) -> dict[str, np.ndarray]:
        name = self._about["input"]
        return {name: np.array([ids], np.int32), f"{name}_length": np.array([len(ids)], np.int32)}


def tokenizer(folder, about):
    """(text to ids, ids to text) of a tokenizer {"type", "file"}."""
    if about["type"] == "byte":
        return (
            lambda text: [byte + NUM_RESERVED for byte in text.encode("utf-8")],
            lambda ids: bytes(one - NUM_RESERVED for one in ids if one >= NUM_RESERVED).decode("utf-8", "replace"),
        )
    import sentencepiece

    processor = sentencepiece.SentencePieceProcessor(model_file=os.path.join(folder, about["file"]))
    return processor.encode, processor.decode


if __name__ == "__main__":
    model = Model(sys.argv[1])
    for line in sys.stdin:
        print(*model([line.rstrip("\n")])[0], sep="\t", flush=True)
