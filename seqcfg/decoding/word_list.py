"""A list of words that outputs are made of."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from seqcfg.component.component import Record, param
from seqcfg.component.reach import leading_out
from seqcfg.component.reserved_ids import END, NUM_RESERVED, START
from seqcfg.component.types import Text
from seqcfg.errors import UserError
from seqcfg.lazy import np, tf

MAX_CELLS = 1 << 26  # of the table of nodes and tokens
FORBIDDEN = -1


class WordList(Record):
    """The words that outputs may be made of, from a list, a file or both."""

    words: list[Text] = param(factory=list, doc="Words, written as in the training text.")
    file: Text = param(default="", doc="File of one word per line, the first of the line, as in pronouncing dictionaries; empty for none.")

    def strays(self) -> Iterator[tuple[str, str, str]]:
        yield from leading_out(self, "file")

    def check(self):
        if not self.words and not self.file:
            yield "words", "a list without words allows no output", "list words, or name a file of them"

    def all_words(self) -> list[str]:
        """Each word once; of `WORD(2)`, a second pronunciation, the word. Raises UserError where the file cannot be read."""
        listed = list(self.words)
        if self.file:
            try:
                lines = Path(self.file).read_text(encoding="utf-8").splitlines()
            except (OSError, UnicodeDecodeError) as error:
                raise UserError(f"decoding.word_list.file: {self.file} cannot be read: {error}", hint="name a text file") from None
            listed += [word.partition("(")[0] for line in lines for word in line.split()[:1]]
        return list(dict.fromkeys(word for word in listed if word))

    def trie(self, codec: Any) -> tuple[Any, Any]:
        """(next node by node and token, int32 [nodes, vocabulary], -1 where forbidden; whether an output may end, bool [nodes]).

        Node 0 is the beginning of an output, node 1 that of a further word. Raises UserError for words that the tokenizer cannot
        write, or writes otherwise beside other words.
        """
        words = self.all_words()
        rows = list(codec.encode(words))
        for word, ids in zip(words, rows, strict=True):
            if not ids or min(ids) < NUM_RESERVED:
                raise UserError(f"decoding.word_list: the vocabulary cannot write {word!r}", hint="write it as the training text does")
        separator = _separator(codec, words, rows)
        nodes: list[dict[int, int]] = [{}, {}]
        ends: set[int] = {0}
        for ids in rows:
            node = 1
            for one in ids:
                node = nodes[node].setdefault(one, len(nodes))
                if node == len(nodes):
                    nodes.append({})
            ends.add(node)
        if len(nodes) * codec.vocabulary > MAX_CELLS:
            raise UserError(
                f"decoding.word_list: {len(nodes):,} nodes for {codec.vocabulary:,} tokens are too many", hint="list fewer words"
            )
        table = np.full([len(nodes), codec.vocabulary], FORBIDDEN, np.int32)
        for node, following in enumerate(nodes):
            after = {} if node not in ends or node == 0 else nodes[1] if separator is None else {separator: 1}
            for one, target in {**after, **following, **(nodes[1] if node == 0 else {})}.items():
                table[node, one] = target
        return table, np.array([node in ends for node in range(len(nodes))])


def _separator(codec: Any, words: list[str], rows: list[list[int]]) -> int | None:
    """The token between two words, or None where a word's first token says that it begins."""
    both = codec.encode([f"{word} {words[0]}" for word in words])
    if all(found == [*ids, *rows[0]] for found, ids in zip(both, rows, strict=True)):
        return None
    between = {found[len(ids)] for found, ids in zip(both, rows, strict=True) if len(found) == len(ids) + 1 + len(rows[0])}
    if len(between) != 1 or any(found != [*ids, *between, *rows[0]] for found, ids in zip(both, rows, strict=True)):
        raise UserError("decoding.word_list: the tokenizer writes words otherwise beside others", hint="use characters or pieces of words")
    return between.pop()


class OfListedWords:
    """A stepper that gives the log-probabilities of another, and -infinity to tokens that lead out of the listed words.

    moving["node"] [rows]: where in the trie a hypothesis stands. Log-probabilities stay the model's own.
    """

    gives_scores = True

    def __init__(self, stepper: Any, trie: tuple[Any, Any]):
        self._stepper, (self._table, self._ends) = stepper, trie
        self.vocabulary = stepper.vocabulary

    def start(self, inputs: dict[str, Any], max_length: Any) -> tuple[Any, Any]:
        fixed, moving = self._stepper.start(inputs, max_length)
        batch = tf.shape(tf.nest.flatten(inputs)[0])[0]
        return fixed, {"model": moving, "node": tf.zeros([batch], tf.int32)}

    def step(self, fixed: Any, moving: Any, tokens: Any, index: Any) -> tuple[Any, Any]:
        inner, logits = self._stepper.step(fixed, moving["model"], tokens, index)
        scores = logits if getattr(self._stepper, "gives_scores", False) else tf.nn.log_softmax(logits)
        table = tf.constant(self._table)
        node = tf.gather_nd(table, tf.stack([moving["node"], tokens], axis=1))
        node = tf.where(tokens == START, moving["node"], tf.maximum(node, 0))  # what is over, and forbidden, is never looked at
        ids = tf.range(self.vocabulary)
        allowed = (tf.gather(table, node) != FORBIDDEN) | ((ids == END) & tf.gather(tf.constant(self._ends), node)[:, None])
        return {"model": inner, "node": node}, tf.where(allowed, scores, float("-inf"))

    def logits(self, inputs: dict[str, Any], ids: Any, lengths: Any) -> Any:
        """Those of the stepper: given outputs are scored, whatever they are made of."""
        return self._stepper.logits(inputs, ids, lengths)
