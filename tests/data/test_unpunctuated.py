import pytest

from seqcfg.data.root import DataRoot
from seqcfg.data.sources.tei_sentences import TEISentences, tidied, written
from seqcfg.data.sources.text import TextLines
from seqcfg.data.sources.unpunctuated import Unpunctuated, without_punctuation
from seqcfg.errors import UserError


@pytest.fixture
def root(tmp_path):
    (tmp_path / "data").mkdir()
    return DataRoot(tmp_path / "data", tmp_path / "cache")


def words(text):
    """Tokens of a sentence whose marks stand apart."""
    return [("w" if any(map(str.isalnum, token)) else "c", token) for token in text.split()]


def corpus(root, sentences, before=""):
    rows = "\n".join("<s>" + "".join(f"<{e} type='x'>{t}</{e}> " for e, t in words(one)) + "</s>" for one in sentences)
    text = f'<?xml version="1.0"?>{before}\n<teiCorpus xmlns="http://www.tei-c.org/ns/1.0"><p>\n{rows}\n</p></teiCorpus>'
    (root.folder / "c.xml").write_text(text, encoding="utf-8")


def test_a_source_is_the_text_without_punctuation_and_capitals(root):
    (root.folder / "a").write_text('He said: "Go  home!"\n...\n\x00\n', encoding="utf-8")
    found = list(Unpunctuated(source=TextLines(path="a")).examples(root))
    assert [one.fields for one in found[:2]] == [
        {"source": "he said go home", "target": 'He said: "Go  home!"'},
        {"source": "", "target": "..."},
    ]
    assert found[2].problem
    assert without_punctuation("$1+1=2, “É”—x_y") == "112 éxy"


def test_a_field_that_the_source_lacks_is_refused():
    assert list(Unpunctuated(source=TextLines(path="a"), field="line").check())
    assert not list(Unpunctuated(source=TextLines(path="a")).check())


def test_marks_stand_where_text_has_them():
    text = 'Friday "no evidence" -- (he\'s) [a] said, yes.'
    assert written(words("Friday `` no evidence '' -- ( he's ) [ a ] said , yes .")) == text
    assert written(words("a ' quoted ' word")) == "a 'quoted' word"


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("what ??", "What ?"), ("1 -- 2 and ,, so", "1 - 2 and , so"), ('"all of it"', "All of it"), ("(so)", "So"),
        ("1 2 3", ""), ('an "open one', ""), ("a (b", ""), ("- a", ""), ("", ""),
    ],
)  # fmt: skip
def test_what_is_no_sentence_is_left_out(text, kept):
    assert tidied(text) == kept


def test_each_sentence_is_in_one_part_once_whatever_is_beside_it(root):
    sentences = [f"word number {number} ." for number in range(400)]
    corpus(root, [*sentences, *sentences[:50]])
    parts = {part: list(TEISentences(path="c.xml", part=part, test_share=0.3, validation_share=0.1).examples(root)) for part in PARTS}
    texts = {part: {one.fields["text"] for one in found} for part, found in parts.items()}
    assert sum(map(len, parts.values())) == len(set().union(*texts.values())) == 400
    assert 80 < len(texts["test"]) < 160 and 15 < len(texts["validation"]) < 70
    (first,) = (one for found in parts.values() for one in found if one.fields["text"] == "Word number 0.")
    assert first.line == 3
    corpus(root, sentences[:10])
    again = {one.fields["text"] for one in TEISentences(path="c.xml", part="train", test_share=0.3, validation_share=0.1).examples(root)}
    assert again == {one for one in texts["train"] if one in {f"Word number {number}." for number in range(10)}}
    assert list(TEISentences(path="c.xml", test_share=0.9, validation_share=0.2).check())


PARTS = ("train", "validation", "test")


def test_a_file_that_is_no_xml_or_declares_entities_is_refused_with_its_line(root):
    (root.folder / "c.xml").write_text("<a>\n<s><w>one</w></s>\n</b>", encoding="utf-8")
    with pytest.raises(UserError, match="c.xml:3: no XML: mismatched tag"):
        list(TEISentences(path="c.xml").examples(root))
    corpus(root, ["one"], '<!DOCTYPE a [<!ENTITY b "cc">]>')
    with pytest.raises(UserError, match="c.xml:1: declares a document type"):
        list(TEISentences(path="c.xml").examples(root))
