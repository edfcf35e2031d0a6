"""Small experiments on small corpora, without a recipe file."""

import types

from seqcfg.data.batching import Batching
from seqcfg.data.feature import Feature
from seqcfg.data.settings import Data
from seqcfg.data.sources.parallel_text import ParallelText
from seqcfg.data.tokenizers.character import Characters

SENTENCES = [("a cab", "ab"), ("bad", "dab dab"), ("", "c"), ("dada", "ad"), ("c", "baba")]
PAIR = ParallelText(source="train.en", target="train.fr")


def translation_features(tokenizer="shared"):
    return {
        "source": Feature("source", tokenizer, end=True),
        "target": Feature("target", tokenizer, end=True),
        "source_text": Feature("source", dtype="bytes"),
        "target_text": Feature("target", dtype="bytes"),
    }


def make_experiment(splits=None, tokenizers=None, features=None, **fields):
    """Without arguments: the corpus of `write_corpus` as training and as test split, in characters (a b c d and space)."""
    batching = Batching(max_tokens=16, num_buckets=2, max_length=16)
    data = Data(splits=splits or {"train": PAIR, "test": PAIR}, **{"batching": batching, **fields})
    features = features or translation_features()
    task = types.SimpleNamespace(features=lambda: features)
    tokenizers = tokenizers or {"shared": Characters(vocab_size=9)}
    return types.SimpleNamespace(recipe=types.SimpleNamespace(data=data, tokenizers=tokenizers, task=task))


def write_corpus(folder, sentences=SENTENCES):
    folder.mkdir(exist_ok=True)
    (folder / "train.en").write_text("".join(f"{source}\n" for source, _ in sentences))
    (folder / "train.fr").write_text("".join(f"{target}\n" for _, target in sentences))
