"""A CTranslate2 model with ctranslate2 and, where it has one, sentencepiece: python translator.py FOLDER < texts."""

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
        self._translator = ctranslate2.Translator(os.path.join(folder, "model"), intra_threads=threads, inter_threads=1)

    def __call__(self, texts: list[str]) -> list[tuple[str, float]]:
        return [self.answer(text) if text.strip() else ("", 0.0) for text in texts]

    def answer(self, text: str) -> tuple[str, float]:
        ids = self._encode(text)[: self._about["max_source_length"] - 1]  # the engine adds the end
        found = self._translator.translate_batch(
            [[self._about["source_tokens"][one] for one in ids]],
            beam_size=self._about["width"],
            length_penalty=self._about["length_penalty"],
            patience=self._about["patience"],
            max_decoding_length=self._about["longest"][len(ids) + 1],
            return_scores=True,
            disable_unk=True,
            suppress_sequences=[["<pad>"], ["<s>"]],  # never outputs of the run either
        )[0]
        return self._decode([self._ids[token] for token in found.hypotheses[0]]), found.scores[0]


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
