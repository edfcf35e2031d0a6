from seqcfg.evaluation.confusions import confusion_tables, confusions
from seqcfg.metrics.error_rate import CharacterErrorRate, WordErrorRate


def test_errors_are_counted_by_what_was_said_and_written():
    references = [["two four four"], ["one TWO"], ["nine"]]
    hypotheses = ["two for for", "two", "nine nine"]
    assert confusions(WordErrorRate(), hypotheses, references) == {
        "substitutions": [["four", "for", 2]],
        "deletions": [["one", 1]],
        "insertions": [["nine", 1]],
    }


def test_characters_are_counted_with_spaces():
    found = confusions(CharacterErrorRate(), ["ab", "cb"], [["a b"], ["ab"]])
    assert found == {"substitutions": [["a", "c", 1]], "deletions": [[" ", 1]], "insertions": []}
    html = confusion_tables("cer", found)
    assert "&#9251;" in html
    assert "insertions" not in html


def test_what_is_written_is_escaped():
    html = confusion_tables("wer", {"substitutions": [["<b>", "&", 1]], "deletions": [], "insertions": []})
    assert "&lt;b&gt;" in html
    assert "&amp;" in html
