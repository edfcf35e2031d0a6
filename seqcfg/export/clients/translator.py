"""A CTranslate2 model with ctranslate2 and, where it has one, sentencepiece: python translator.py FOLDER < texts.

A language model continues its texts.
"""

import json
import os
import sys

import ctranslate2

NUM_RESERVED = 4


class Model:
    """Texts in, (text, score) out; FOLDER holds model/, model.json and the tokenizers' files."""

    def __init__(self, folder: str, threads: int = 1):
        with open(os.path.join(folder, "model.json"), encoding="utf-8") as file:
            self._about = json.load(file)
        self._encode = tokenizer(folder, self._about["source_tokenizer"])[0]
        self._decode = tokenizer(folder, self._about["target_tokenizer"])[1]
        self._ids = {token: place for place, token in enumerate(self._about["target_tokens"])}
        self._continues = self._about["input"] == "prompt"
        kind = ctranslate2.Generator if self._continues else ctranslate2.Translator
        self._engine = kind(os.path.join(folder, "model"), intra_threads=threads, inter_threads=1)
        self._search = {
            "beam_size": self._about["width"],
            "length_penalty": self._about["length_penalty"],
            "patience": self._about["patience"],
            "disable_unk": True,
            "suppress_sequences": [["<pad>"], ["<s>"]],  # never outputs of the run either
        }

    def __call__(self, texts: list[str]) -> list[tuple[str, float]]:
        answer = self.continued if self._continues else self.translated
        return [answer(text) if text.strip() else ("", 0.0) for text in texts]

    def translated(self, text: str) -> tuple[str, float]:
        ids = self._encode(text)[: self._about["max_source_length"] - 1]  # the engine adds the end
        found = self._engine.translate_batch(
            [[self._about["source_tokens"][one] for one in ids]],
            max_decoding_length=self._about["longest"][len(ids) + 1],
            return_scores=True,
            **self._search,
        )[0]
        return self._decode([self._ids[token] for token in found.hypotheses[0]]), found.scores[0]

    def continued(self, text: str) -> tuple[str, float]:
        """The text with what follows it. The score is of that and the end, which the engine's leaves out of the longest outputs."""
        ids, most = self._encode(text), self._about["max_source_length"]
        ids = ids if len(ids) <= most else ids[: most - 1] + ids[-1:]
        longest = self._about["longest"][len(ids)]
        found = [ids[:longest]]
        if len(ids) < longest:
            prompt = ["<s>", *(self._about["target_tokens"][one] for one in ids)]
            wanted = {"max_length": longest, "num_hypotheses": self._about["width"]}  # lengths are those of prompt and continuation
            told = self._engine.generate_batch([prompt], **wanted, **self._search)[0]
            found = [[self._ids[token] for token in tokens] for tokens in told.sequences]
        score, best = max(zip(self.scores(len(ids), found), found, strict=True))
        return self._decode(best), score

    def scores(self, given: int, texts: list[list[int]]) -> list[float]:
        """log p(text, end | its first `given` ids), divided by the search's length penalty, of each; -1e9 where not all given fit."""
        names, told = self._about["target_tokens"], []
        rows = [["<s>", *(names[one] for one in ids), "</s>"] for ids in texts]
        for ids, found in zip(texts, self._engine.score_batch(rows, max_input_length=0), strict=True):
            total = sum(found.log_probs[given:]) if given <= len(ids) else -1e9
            told.append(total / (len(ids) + 1) ** self._about["length_penalty"])
        return told


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
