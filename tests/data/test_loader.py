import numpy as np
import pytest

from seqcfg.data.batching import Batching
from seqcfg.data.columns import Columns
from seqcfg.data.loader import Loader, evaluation_batches, signature
from seqcfg.data.plans import training_plan
from seqcfg.data.prepare import prepare
from seqcfg.data.sources.number_names import NumberNames
from seqcfg.data.tokenizers.byte import Bytes
from tests.data.small import make_experiment, translation_features

BATCHING = Batching(max_tokens=600, num_buckets=4, max_length=200)


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    splits = {"train": NumberNames(part="train", num_examples=120), "test": NumberNames(part="test", num_examples=37)}
    experiment = make_experiment(splits=splits, tokenizers={"shared": Bytes()}, batching=BATCHING)
    return prepare(experiment, data_root=".", cache_root=tmp_path_factory.mktemp("cache"))


@pytest.fixture(scope="module")
def loader(prepared):
    columns = prepared.splits["train"]
    return Loader(columns, training_plan(columns, translation_features(), BATCHING, 1), translation_features())


def rows_of(arrays):
    """The examples of a batch as (source ids, target ids), padding rows left out."""
    return [
        (source[:a].tolist(), target[:b].tolist())
        for source, target, a, b in zip(arrays["source"], arrays["target"], arrays["source_length"], arrays["target_length"], strict=True)
        if a
    ]


def test_an_epoch_holds_every_example_once_and_padding_is_zero(prepared, loader):
    rows = []
    for number in range(loader.plan.batches_per_epoch):
        arrays = loader.load(number)
        rows += rows_of(arrays)
        for name in ("source", "target"):
            assert arrays[name].dtype == arrays[f"{name}_length"].dtype == np.int32
            after = np.arange(arrays[name].shape[1]) >= arrays[f"{name}_length"][:, None]
            assert not arrays[name][after].any()
            assert (arrays[name][~after] > 0).all()
    columns, codec = prepared.splits["train"], prepared.codecs["shared"]
    texts = [tuple(codec.decode(row)) for row in rows]
    assert sorted(texts) == sorted(zip(columns.texts("source_text"), columns.texts("target_text"), strict=True))


def test_shapes_are_those_of_the_bucket(loader):
    for number in range(loader.plan.batches_per_epoch):
        batch, arrays = loader.plan.batch(number), loader.load(number)
        rows = loader.plan.buckets[batch.bucket].rows
        assert arrays["source"].shape == (rows, batch.time["source"])
        assert arrays["target"].shape == (rows, batch.time["target"])


def test_the_dataset_is_the_batches_in_order_wherever_it_starts(loader):
    for number, tensors in zip(range(5, 12), loader.dataset(5, 12), strict=True):
        arrays = loader.load(number)
        assert set(tensors) == set(arrays)
        for name, array in arrays.items():
            np.testing.assert_array_equal(tensors[name], array)


def test_all_batches_have_one_signature(loader):
    assert loader.dataset(0, 3).element_spec == signature(translation_features())
    assert signature(translation_features())["source"].shape.as_list() == [None, None]


def test_parts_of_a_batch_are_its_rows(loader):
    whole = rows_of(loader.load(3))
    assert [row for part in range(4) for row in rows_of(loader.load(3, part, 4))] == whole


def test_processes_that_compute_different_rows_share_the_work_of_reading_a_batch(loader, monkeypatch):
    """Of two processes with two replicas each, the first computes rows 0, 1, 4, 5 ...; the others are neither read nor there."""
    read, gather = [], Columns.gather

    def counted(columns, name, ids, time=0):
        read.append(int((ids >= 0).sum()))
        return gather(columns, name, ids, time)

    monkeypatch.setattr(Columns, "gather", counted)
    whole = loader.load(3)
    in_all, processes = sum(read), []
    for process in range(2):
        read.clear()
        processes.append(loader.load_rows(3, lambda rows, process=process: np.arange(rows) % 4 // 2 == process))
        assert abs(sum(read) - in_all / 2) <= 2 * len(loader.features)
    for name, array in whole.items():
        mine = np.arange(len(array)) % 4 < 2
        np.testing.assert_array_equal(processes[0][name][mine], array[mine])
        np.testing.assert_array_equal(processes[0][name] + processes[1][name], array)


@pytest.mark.parametrize("size", [{"batch_size": 1}, {"batch_size": 8}, {"batch_size": 1000}, {"max_tokens": 700}])
def test_evaluation_batches_lead_back_to_the_original_order(prepared, size):
    columns = prepared.splits["test"]
    found = {}
    for batch in evaluation_batches(columns, translation_features(), **size):
        rows = rows_of(batch.arrays)
        assert len(rows) == len(batch.example_ids)
        assert batch.arrays["source"].shape[1] % 8 == 0
        assert batch.arrays["source"].size <= size.get("max_tokens", 10**9)
        for number, (source, _) in zip(batch.example_ids, rows, strict=True):
            found[int(number)] = prepared.codecs["shared"].decode([source])[0]
    assert [found[number] for number in range(columns.num_examples)] == columns.texts("source_text")


def test_evaluation_batches_come_longest_first(prepared):
    batches = list(evaluation_batches(prepared.splits["test"], translation_features(), batch_size=5))
    longest = [max(batch.arrays["source_length"].max(), batch.arrays["target_length"].max()) for batch in batches]
    assert longest == sorted(longest, reverse=True)


def test_the_size_of_evaluation_batches_is_given_in_one_way(prepared):
    with pytest.raises(ValueError, match="either batch_size or max_tokens"):
        next(evaluation_batches(prepared.splits["test"], translation_features()))
