"""Small experiments on small corpora, without a recipe file."""

import types

import pytest

from seqcfg.data.batching import Batching
from seqcfg.data.feature import Feature
from seqcfg.data.settings import Data
from seqcfg.data.sources.parallel_text import ParallelText
from seqcfg.data.tokenizers.character import Characters

SENTENCES = [("a cab", "ab"), ("bad", "dab dab"), ("", "c"), ("dada", "ad"), ("c", "baba")]


def translation_features(tokenizer="shared"):
    return {
        "source": Feature("source", tokenizer, end=True),
        "target": Feature("target", tokenizer, end=True),
        "source_text": Feature("source", dtype="bytes"),
        "target_text": Feature("target", dtype="bytes"),
    }


def experiment_of(data, tokenizers, features):
    task = types.SimpleNamespace(features=lambda: features)
    return types.SimpleNamespace(recipe=types.SimpleNamespace(data=data, tokenizers=tokenizers, task=task))


@pytest.fixture
def roots(tmp_path):
    """Keyword arguments of prepare: a data root with a parallel corpus of five lines, and an empty cache root."""
    data = tmp_path / "data"
    data.mkdir()
    (data / "train.en").write_text("".join(f"{source}\n" for source, _ in SENTENCES))
    (data / "train.fr").write_text("".join(f"{target}\n" for _, target in SENTENCES))
    return {"data_root": data, "cache_root": tmp_path / "cache"}


@pytest.fixture
def experiment():
    """The corpus of `roots` as training and as test split, in characters."""
    pair = ParallelText(source="train.en", target="train.fr")
    data = Data(splits={"train": pair, "test": pair}, batching=Batching(max_tokens=16, num_buckets=2, max_length=16))
    return experiment_of(data, {"shared": Characters(vocab_size=8)}, translation_features())
