import bz2
import gzip
import lzma

import pytest

from seqcfg.data.lines import MAX_LINE_BYTES, read_lines
from seqcfg.data.root import DataRoot
from seqcfg.data.sources.composed import Concatenation, Tagged
from seqcfg.data.sources.csv_table import CommaSeparated
from seqcfg.data.sources.jsonl import JsonLines
from seqcfg.data.sources.parallel_text import MosesTokenization, ParallelText
from seqcfg.data.sources.text import TextLines
from seqcfg.data.sources.tsv import TabSeparated
from seqcfg.errors import UserError


@pytest.fixture
def root(tmp_path):
    (tmp_path / "data").mkdir()
    return DataRoot(tmp_path / "data", tmp_path / "cache")


def write(root, name, content):
    file = root.folder / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(content.encode() if isinstance(content, str) else content)


def lines_of(root, content, name="x.txt"):
    write(root, name, content)
    return list(read_lines(root.folder / name, name))


def test_only_a_line_feed_ends_a_line(root):
    """S4: U+2028."""
    texts = [line.text for line in lines_of(root, "a\u2028b\u0085c\x0bd\x0ce\rf\ng\n")]
    assert texts == ["a\u2028b\u0085c\x0bd\x0ce\rf", "g"]


def test_byte_order_mark_and_carriage_returns_are_dropped(root):
    """S4: BOM, CRLF."""
    assert [line.text for line in lines_of(root, "\ufeffone\r\ntwo\r\n\ufeffthree")] == ["one", "two", "\ufeffthree"]


def test_a_missing_last_line_feed_loses_no_line_and_adds_none(root):
    assert len(lines_of(root, "a\nb")) == len(lines_of(root, "a\nb\n")) == 2
    assert lines_of(root, "") == []
    assert [line.text for line in lines_of(root, "\n\n")] == ["", ""]


def test_damage_is_located_by_line_and_does_not_move_later_lines(root):
    """S4: NUL, lone surrogates."""
    lines = lines_of(root, b"good\nbad \xe9t\xe9\nnul \0\nsurrogate \xed\xa0\x80\nlast\n")
    assert [(line.number, bool(line.problem)) for line in lines] == [(1, False), (2, True), (3, True), (4, True), (5, False)]
    assert lines[1].problem == "invalid UTF-8 at byte 5 (0xe9)"
    assert lines[2].problem == "a NUL byte at byte 5"


def test_an_absurdly_long_line_is_one_bad_line(root):
    """S4: a line of many megabytes."""
    lines = lines_of(root, b"a\n" + b"x" * (3 * MAX_LINE_BYTES) + b"\nb\n")
    assert [(line.text, bool(line.problem)) for line in lines] == [("a", False), ("", True), ("b", False)]


@pytest.mark.parametrize(("suffix", "pack"), [(".gz", gzip.compress), (".xz", lzma.compress), (".bz2", bz2.compress)])
def test_packed_files_read_like_plain_ones(root, suffix, pack):
    assert lines_of(root, pack(b"eins\nzwei\n"), f"x{suffix}") == lines_of(root, "eins\nzwei\n")


@pytest.mark.parametrize("content", [gzip.compress(b"line\n" * 1000, mtime=0)[:-20], b"not packed at all"], ids=["cut", "not packed"])
def test_a_damaged_packed_file_is_an_error_that_names_the_place(root, content):
    with pytest.raises(UserError, match=r"x\.gz:\d+: cannot be read"):
        lines_of(root, content, "x.gz")


def test_segments_of_an_sgml_test_set_are_lines(root):
    sgml = (
        '<refset>\n<doc docid="a">\n<seg id="1">Fish &amp; chips &quot;now&quot;</seg>\n<hl><seg id="2"> two\nlines </seg></hl>\n</doc>\n'
    )
    lines = lines_of(root, sgml, "test.sgm")
    assert [(line.text, line.number) for line in lines] == [('Fish & chips "now"', 3), ("two lines", 4)]


def pairs(root, **fields):
    return list(ParallelText(source="a", target="b", **fields).examples(root))


def test_parallel_lines_become_pairs(root):
    write(root, "a", "one\ntwo\n")
    write(root, "b", "un\ndeux\n")
    assert [(e.fields, e.place) for e in pairs(root)] == [
        ({"source": "one", "target": "un"}, "a:1"),
        ({"source": "two", "target": "deux"}, "a:2"),
    ]


@pytest.mark.parametrize(("a", "b", "counts"), [("1\n2\n3\n", "1\n", (3, 1)), ("1\n", "1\n2\n3\n4\n", (1, 4)), ("", "1\n", (0, 1))])
def test_unequal_line_counts_name_both_files_and_both_counts(root, a, b, counts):
    """S4: misaligned files."""
    write(root, "a", a)
    write(root, "b", b)
    with pytest.raises(UserError, match=f"a has {counts[0]} lines and b has {counts[1]}"):
        pairs(root)


def test_damage_on_either_side_spoils_the_pair_and_names_the_side(root):
    write(root, "a", b"good\n\xff\ngood\n")
    write(root, "b", b"\xff\ngood\ngood\n")
    assert [e.place for e in pairs(root) if e.problem] == ["b:1", "a:2"]
    assert [e.fields["source"] for e in pairs(root) if not e.problem] == ["good"]


def test_lists_of_files_are_read_one_after_the_other(root):
    for name, text in {"a1": "1\n", "a2": "2\n", "b1": "un\n", "b2": "deux\n"}.items():
        write(root, name, text)
    source = ParallelText(source=["a1", "a2"], target=["b1", "b2"])
    assert [e.fields["target"] for e in source.examples(root)] == ["un", "deux"]
    assert source.paths() == ["a1", "a2", "b1", "b2"]
    assert list(ParallelText(source=["a1", "a2"], target="b1").check())


def test_text_can_be_lower_cased_and_tokenized(root):
    write(root, "a", "Don’t stop, Mr. Smith.\n")
    write(root, "b", "Halt, Müller!\n")
    moses = MosesTokenization(source="en", target="de")
    assert pairs(root, lowercase=True)[0].fields["target"] == "halt, müller!"
    assert pairs(root, moses_tokenize=moses)[0].fields == {"source": "Don 't stop , Mr. Smith .", "target": "Halt , Müller !"}
    assert pairs(root, moses_tokenize=moses, lowercase=True)[0].fields["target"] == "halt , müller !"


def test_tsv_columns_become_fields_and_short_lines_are_bad(root):
    write(root, "x.tsv", "id\tsource\ttarget\n1\tone\tun\n2\ttwo\n3\t\ttrois\textra\n")
    examples = list(TabSeparated(path="x.tsv", columns=["", "source", "target"], has_header=True).examples(root))
    assert [e.fields for e in examples] == [{"source": "one", "target": "un"}, {}, {"source": "", "target": "trois"}]
    assert (examples[1].place, examples[1].problem) == ("x.tsv:3", "2 columns instead of 3")


def test_json_keys_become_fields_and_broken_records_are_bad(root):
    write(root, "x.jsonl", '{"t": {"en": "one", "fr": "un"}}\n{"t": {"en": "two"}}\n[1]\n{\n{"t": {"en": "\\ud800", "fr": "x"}}\n')
    examples = list(JsonLines(path="x.jsonl", fields={"source": "t.en", "target": "t.fr"}).examples(root))
    assert examples[0].fields == {"source": "one", "target": "un"}
    assert [e.line for e in examples if e.problem] == [2, 3, 4, 5]
    assert examples[1].problem == "has no 't.fr'"


def test_plain_text_gives_one_field(root):
    write(root, "x", "a\nb\n")
    assert [e.fields for e in TextLines(path=["x", "x"], field="words").examples(root)] == [{"words": text} for text in "abab"]


def test_a_missing_file_names_the_path_the_root_and_the_remedy(root):
    with pytest.raises(UserError, match=r"multi30k/train\.en: there is no such file below the data root .*data") as refusal:
        root.resolve("multi30k/train.en")
    assert "SEQCFG_DATA" in refusal.value.problems[0].hint


@pytest.mark.parametrize(
    "path",
    [
        "/etc/passwd",
        "../secret",
        "a/../../secret",
        "..",
        "~/x",
        "C:/x",
        "C:\\x",
        "\\\\host\\x",
        "file:///etc/passwd",
        "gs://b/x",
        "a\0b",
        "",
    ],
)
def test_no_spelling_leads_out_of_the_data_root(root, path):
    (root.folder.parent / "secret").write_text("x")
    with pytest.raises(UserError):
        root.resolve(path)


def test_symbolic_links_may_not_lead_out_of_the_data_root(root):
    write(root, "inside.txt", "x")
    (root.folder / "alias.txt").symlink_to("inside.txt")
    (root.folder.parent / "secret").write_text("x")
    (root.folder / "leak.txt").symlink_to(root.folder.parent / "secret")
    (root.folder / "up").symlink_to("..")
    assert root.resolve("alias.txt").read_text() == "x"
    for path in ("leak.txt", "up/secret"):
        with pytest.raises(UserError, match="symbolic link"):
            root.resolve(path)


def test_folders_and_pipes_are_no_files(root):
    (root.folder / "sub").mkdir()
    with pytest.raises(UserError, match="not a file"):
        root.resolve("sub")


def test_hashes_follow_the_content_and_survive_a_damaged_table(root, tmp_path):
    write(root, "x", "abc")
    abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert root.sha256("x") == abc
    (tmp_path / "cache" / "file_hashes.json").write_text('{"x":')
    again = DataRoot(root.folder, tmp_path / "cache")
    assert again.sha256("x") == abc
    write(root, "x", "abcd")
    assert again.sha256("x") != abc


def test_sources_are_read_one_after_the_other_and_texts_are_tagged(root):
    for name, text in {"a": "one\n\n", "b": "un\nx\n", "c": "eins\n", "d": "one\n"}.items():
        write(root, name, text)
    french = Tagged(source=ParallelText(source="a", target="b"), prefixes={"source": "<2fr>"})
    german = Tagged(source=ParallelText(source="c", target="d"), prefixes={"source": "<2en>"})
    both = Concatenation(sources=[french, german])
    assert [e.fields["source"] for e in both.examples(root)] == ["<2fr> one", "", "<2en> eins"]
    assert both.paths() == ["a", "b", "c", "d"]
    assert both.field_names() == ("source", "target")
    assert list(Tagged(source=TextLines(path="a"), prefixes={"source": "<x>"}).check())


def test_tags_among_parallel_lines_can_be_left_out(root):
    write(root, "a", "<url>x</url>\n one\n<title>x</title>\n< 5\n")
    write(root, "b", "<url>x</url>\nun\n<title>y</title>\nfive\n")
    assert [e.fields["target"] for e in pairs(root, skips_markup=True)] == ["un", "five"]
    assert len(pairs(root)) == 4


def test_quoted_cells_hold_separators_and_line_feeds_and_broken_records_are_bad(root):
    write(root, "x.csv", 'id,source,target\n1,"one, two","un\ndeux"\n2,"say ""hi""",dis\n\n3,short\n4,a"b,c\n5,"x\n')
    examples = list(CommaSeparated(path="x.csv").examples(root))
    assert [e.fields for e in examples if not e.problem] == [
        {"source": "one, two", "target": "un\ndeux"},
        {"source": 'say "hi"', "target": "dis"},
    ]
    assert [(e.line, e.problem.split(":")[0]) for e in examples if e.problem] == [
        (6, "2 cells instead of 3"),
        (7, "not CSV"),
    ]
    semicolons = CommaSeparated(path="y.csv", fields={"text": "t"}, separator=";")
    write(root, "y.csv", "t;u\na,b;c\n")
    assert [e.fields for e in semicolons.examples(root)] == [{"text": "a,b"}]
    write(root, "z.csv", 't\nx\n"open\nand more\n')
    assert [(e.line, e.problem) for e in CommaSeparated(path="z.csv", fields={"text": "t"}).examples(root)][1:] == [
        (3, "a quote that does not end")
    ]
    with pytest.raises(UserError, match="has no column 'source'"):
        list(CommaSeparated(path="y.csv").examples(root))
