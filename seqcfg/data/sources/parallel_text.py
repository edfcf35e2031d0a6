"""Parallel text: two files that say the same in two languages, line by line."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator

from seqcfg.component.component import Record, param
from seqcfg.component.kinds import Source
from seqcfg.component.types import DataPath
from seqcfg.data.example import Example
from seqcfg.data.lines import Line, read_lines
from seqcfg.data.root import DataRoot
from seqcfg.errors import UserError


class MosesTokenization(Record):
    """Words and punctuation set apart by spaces, as the Moses tokenizer does it (Koehn et al. 2007)."""

    source: str = param(doc="Language code of the source, such as en.")
    target: str = param(doc="Language code of the target, such as de.")
    normalize_punctuation: bool = param(default=True, doc="Whether quotes, dashes and spaces are first written in one way.")
    escape: bool = param(default=False, doc="Whether &, |, <, >, quotes and brackets become entities such as &amp;.")


class ParallelText(Source, type="parallel_text"):
    """Pairs of lines from two text files, or from two lists of files that are read one after the other.

    Fields: source, target. Files may be plain or packed (.gz, .xz, .bz2, .zst), or SGML test sets (.sgm), whose segments
    count as lines. Raises UserError if two files differ in their number of lines.
    """

    source: DataPath | list[DataPath] = param(doc="File or files with one source sentence a line.")
    target: DataPath | list[DataPath] = param(doc="File or files with the translations, in the same order.")
    lowercase: bool = param(default=False, doc="Whether both sides are lower-cased.")
    skips_markup: bool = param(
        default=False, doc="Whether pairs of lines that begin with < are left out, as the tags among the talks of IWSLT.", is_later=True
    )
    moses_tokenize: MosesTokenization | None = param(default=None, doc="Set words and punctuation apart; left out, text stays as it is.")

    def check(self) -> Iterator[tuple[str, str, str]]:
        sources, targets = len(as_list(self.source)), len(as_list(self.target))
        if sources != targets:
            yield "target", f"{targets} target files cannot be parallel to {sources} source files", "list them in the same order"

    def paths(self) -> list[str]:
        """The files that are read, as the recipe names them."""
        return [*as_list(self.source), *as_list(self.target)]

    def field_names(self) -> tuple[str, ...]:
        """What an example has."""
        return ("source", "target")

    def examples(self, root: DataRoot) -> Iterator[Example]:
        """One example per pair of lines; a damaged line makes the pair an example with a problem."""
        on_source, on_target = self._normalizers()
        sources, targets = root.expand(as_list(self.source)), root.expand(as_list(self.target))
        if len(sources) != len(targets):
            raise UserError(
                f"{self.source} are {len(sources)} files and {self.target} are {len(targets)}: they are not parallel",
                hint="both patterns must fit the same shards",
            )
        for source, target in zip(sources, targets, strict=True):
            pairs = _pairs(source, target, root)
            for example in pairs:
                if not example.problem:
                    fields = example.fields
                    if self.skips_markup and all(text.lstrip().startswith("<") for text in fields.values()):
                        continue
                    fields["source"], fields["target"] = on_source(fields["source"]), on_target(fields["target"])
                yield example

    def _normalizers(self) -> tuple[Callable[[str], str], Callable[[str], str]]:
        moses = self.moses_tokenize
        if moses is None:
            change = str.lower if self.lowercase else str
            return change, change
        return _moses(moses.source, moses, self.lowercase), _moses(moses.target, moses, self.lowercase)


def as_list(paths: str | list[str]) -> list[str]:
    """One path or several, as a list."""
    return [paths] if isinstance(paths, str) else list(paths)


def _pairs(source: str, target: str, root: DataRoot) -> Iterator[Example]:
    left, right = (read_lines(root.resolve(name), name, keeps_what_is_read=True) for name in (source, target))
    for count, (a, b) in enumerate(itertools.zip_longest(left, right)):
        if (a and a.is_cut) or (b and b.is_cut):
            yield from _lost((source, a, left), (target, b, right))
            return
        if a is None or b is None:
            more = count + 1 + sum(1 for _ in (right if a is None else left))
            sizes = (count, more) if a is None else (more, count)
            raise UserError(
                f"{source} has {sizes[0]} lines and {target} has {sizes[1]}: they are not parallel",
                hint="line n of one file must be the translation of line n of the other; look for a lost or a split line",
            )
        if a.problem or b.problem:
            yield Example({}, source, a.number, a.problem) if a.problem else Example({}, target, b.number, b.problem)
        else:
            yield Example({"source": a.text, "target": b.text}, source, a.number)


def _lost(*sides: tuple[str, Line | None, Iterator[Line]]) -> Iterator[Example]:
    """What a cut file takes with it: the line it ends in, and every further line of the other file."""
    cut, line, _ = next(side for side in sides if side[1] and side[1].is_cut)
    yield Example({}, cut, line.number, line.problem)  # type: ignore[union-attr]
    for name, _, rest in sides:
        if name != cut:
            yield from (Example({}, name, one.number, f"its partner is lost with the rest of {cut}") for one in rest)


def _moses(language: str, settings: MosesTokenization, lowercase: bool) -> Callable[[str], str]:
    from sacremoses import MosesPunctNormalizer, MosesTokenizer

    tokenizer, normalizer = MosesTokenizer(lang=language), MosesPunctNormalizer(lang=language)

    def normalize(text: str) -> str:
        text = text.lower() if lowercase else text
        text = normalizer.normalize(text) if settings.normalize_punctuation else text
        return tokenizer.tokenize(text, return_str=True, escape=settings.escape)

    return normalize
