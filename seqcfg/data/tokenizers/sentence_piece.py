"""SentencePiece: sub-words learnt from text (Kudo and Richardson 2018, arXiv:1808.06226)."""

from __future__ import annotations

import io
import itertools
import random
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Annotated, Any, Literal

from seqcfg.component.component import param
from seqcfg.component.kinds import Tokenizer
from seqcfg.component.reserved_ids import END, NUM_RESERVED, PAD, START, UNKNOWN
from seqcfg.component.types import DataPath, Name, PositiveInt, rules
from seqcfg.data.lines import MAX_LINE_BYTES
from seqcfg.data.root import DataRoot
from seqcfg.data.tokenizers.codec import Codec, graph_module, ragged_ids
from seqcfg.data.tokenizers.sampling import Sampler, Sampling
from seqcfg.errors import UserError
from seqcfg.lazy import sentencepiece, tf, tf_text

FILE_NAME = "sentencepiece.model"


class SentencePiece(Tokenizer, type="sentencepiece"):
    """Sub-words from a unigram language model (Kudo 2018, arXiv:1804.10959) or byte pair merges (arXiv:1508.07909).

    The training corpus, the fields and `num_threads` fix the result; another number of threads may give other pieces.
    """

    vocab_size: Annotated[int, rules(minimum=NUM_RESERVED + 1)] = param(doc="Number of ids: the pieces and 4 reserved ones.")
    algorithm: Literal["unigram", "bpe"] = param(default="unigram", doc="How pieces are chosen; of a given model, how they were.")
    fields: list[Name] = param(factory=lambda: ["source", "target"], doc="Raw fields of the training split that pieces are learnt from.")
    model: DataPath | None = param(default=None, doc="A trained model file to use; left out, `prepare` trains one.")
    character_coverage: Annotated[float, rules(exclusiveMinimum=0.9, maximum=1)] = param(
        default=1.0, doc="Share of all characters of the corpus that pieces can spell; 0.9995 for large alphabets."
    )
    normalization: Literal["nmt_nfkc", "nmt_nfkc_cf", "nfkc", "nfkc_cf", "identity"] = param(
        default="nmt_nfkc", doc="How characters are unified before they are split; the names with cf fold case."
    )
    byte_fallback: bool = param(default=False, doc="Whether unknown characters are spelt as bytes; takes 256 ids.")
    max_sentences: PositiveInt = param(default=2_000_000, doc="Most texts to learn from; of more, a random choice by a fixed seed.")
    num_threads: PositiveInt = param(default=2, doc="Threads used for learning.")
    special_tokens: list[str] = param(
        factory=list, doc="Texts that are one piece each wherever they stand and take the first ids, such as <2de>.", is_later=True
    )
    sampling: Sampling | None = param(
        default=None, doc="Several segmentations of each training text; null gives each text its best one.", is_later=True
    )

    @property
    def num_variants(self) -> int:
        """How many segmentations of each training text become examples."""
        return self.sampling.num_variants if self.sampling else 1

    def paths(self) -> list[str]:
        """The model file that is read, if one is given."""
        return [self.model] if self.model else []

    def fit(self, texts: Iterable[str], folder: Path, root: DataRoot) -> None:
        """Learns pieces and writes the model; raises UserError if the corpus does not allow vocab_size pieces."""
        data = root.resolve(self.model).read_bytes() if self.model else self._train(_sample(texts, self.max_sentences))
        self._check(_processor(data, self.model or "the trained model"))
        folder.mkdir(parents=True, exist_ok=True)
        (folder / FILE_NAME).write_bytes(data)

    def load(self, folder: Path) -> PieceCodec:
        return PieceCodec(folder, self)

    def _train(self, texts: list[str]) -> bytes:
        if not texts:
            raise UserError("there is no text to learn pieces from", hint=f"look at the training split's fields {', '.join(self.fields)}")
        model = io.BytesIO()
        try:
            sentencepiece.SentencePieceTrainer.train(
                sentence_iterator=iter(texts), model_writer=model, model_type=self.algorithm, vocab_size=self.vocab_size,
                character_coverage=self.character_coverage, normalization_rule_name=self.normalization,
                user_defined_symbols=self.special_tokens,
                byte_fallback=self.byte_fallback, num_threads=self.num_threads, max_sentence_length=MAX_LINE_BYTES,
                pad_id=PAD, unk_id=UNKNOWN, bos_id=START, eos_id=END, minloglevel=2,
            )  # fmt: skip
        except RuntimeError as error:
            raise self._refusal(str(error)) from error
        return model.getvalue()

    def _refusal(self, message: str) -> UserError:
        if found := re.search(r"Please set it to a value <= (\d+)", message):
            return UserError(
                f"vocab_size {self.vocab_size} is more than the corpus allows: {found[1]}", hint=f"vocab_size: {found[1]}, or less"
            )
        if found := re.search(r"required_chars\. (\d+) vs (\d+)", message):
            return UserError(
                f"vocab_size {self.vocab_size} does not hold all characters of the corpus: that takes {found[2]}",
                hint=f"vocab_size: {found[2]}, or more; or a lower character_coverage",
            )
        return UserError(f"sentencepiece could not learn from the corpus: {message}", hint="change the tokenizer's fields")

    def _check(self, processor: Any) -> None:
        reserved = (processor.pad_id(), processor.unk_id(), processor.bos_id(), processor.eos_id())
        if reserved != (PAD, UNKNOWN, START, END):
            raise UserError(
                f"{self.model}: padding, unknown, start and end have the ids {', '.join(map(str, reserved))} instead of 0, 1, 2, 3",
                hint="train it with pad_id=0, unk_id=1, bos_id=2, eos_id=3, or leave `model` out",
            )
        if processor.get_piece_size() != self.vocab_size:
            size = processor.get_piece_size()
            raise UserError(f"{self.model} has {size} pieces, but vocab_size is {self.vocab_size}", hint=f"vocab_size: {size}")
        if missing := [token for token in self.special_tokens if processor.piece_to_id(token) == UNKNOWN]:
            raise UserError(f"{self.model} has no piece {missing[0]!r}", hint="train it with these user_defined_symbols")


class PieceCodec(Codec):
    """A SentencePiece model; unknown characters decode to its sign for them."""

    def __init__(self, folder: Path, settings: SentencePiece):
        self.folder = Path(folder)
        file = self.folder / FILE_NAME
        if not file.is_file():
            raise UserError(f"{file}: the tokenizer's file is missing", hint="prepare the data again")
        self.data = file.read_bytes()
        self.processor = _processor(self.data, str(file))
        self.vocabulary = self.processor.get_piece_size()
        if settings.sampling is not None:
            self.num_variants = settings.num_variants
            self._sampler = Sampler(self.processor, settings.algorithm, settings.special_tokens, settings.sampling)

    def encode(self, texts: list[str]) -> list[list[int]]:
        return self.processor.encode(list(texts), out_type=int)

    def variant(self, text: str, number: int, variant: int) -> list[int]:
        return self._sampler.encode(text, number, variant)

    def decode(self, ids: Iterable[Iterable[int]]) -> list[str]:
        rows = [[int(one) for one in row] for row in ids]
        return self.processor.decode(rows) if rows else []

    def tokens(self, ids: Iterable[int]) -> list[str]:
        """Pieces, with U+2581 where a word begins."""
        return [self.processor.id_to_piece(int(one)) for one in ids]

    def original(self, text: str, position: int) -> str:
        """Pieces of a word do not begin with U+2581 but for the first; an unknown one may."""
        words, pieces = text.split(), self.processor.encode(text, out_type=str)
        number = sum(piece.startswith("\u2581") for piece in pieces[: position + 1])
        return words[min(max(number, 1), len(words)) - 1]

    def spellings(self) -> list[bytes]:
        """Pieces as in `tokens`; those that stand for a byte are that byte."""
        is_byte, found = self.processor.is_byte, super().spellings()
        return [bytes([int(text[3:5], 16)]) if is_byte(one) else text for one, text in enumerate(found)]

    def graph(self) -> Any:
        tokenizer = tf_text.SentencepieceTokenizer(model=self.data, out_type=tf.int32)

        def decode(ids: Any, lengths: Any) -> Any:
            return tokenizer.detokenize(ragged_ids(ids, lengths))

        return graph_module(tokenizer.tokenize, decode, tokenizer=tokenizer)


def _processor(data: bytes, name: str) -> Any:
    try:
        return sentencepiece.SentencePieceProcessor(model_proto=data)
    except RuntimeError as error:
        raise UserError(f"{name}: is not a SentencePiece model: {error}", hint="name the .model file") from error


def _sample(texts: Iterable[str], size: int) -> list[str]:
    """At most `size` texts, each with equal chance, the same ones every time (reservoir sampling, Vitter 1985)."""
    stream: Iterator[str] = iter(texts)
    kept = list(itertools.islice(stream, size))
    draw = random.Random(0)
    for seen, text in enumerate(stream, size):
        if (place := draw.randrange(seen + 1)) < size:
            kept[place] = text
    return kept
