import gzip
import json
import struct

import numpy as np
import pytest

from seqcfg.data.feature import Feature
from seqcfg.data.prepare import prepare
from seqcfg.data.root import DataRoot, data_folder
from seqcfg.data.sources.arrays import NumpyArrays
from seqcfg.data.sources.datasets import HuggingFaceDataset, TensorFlowDataset
from seqcfg.data.sources.idx import IdxArrays
from seqcfg.data.sources.image_folder import ImageFolder
from seqcfg.data.sources.point_clouds import Kitti, PointClouds
from seqcfg.data.sources.reverse import Reverse
from seqcfg.data.tokenizers.byte import Bytes
from seqcfg.errors import UserError
from tests.data.small import make_experiment

REAL = data_folder()


@pytest.fixture
def root(tmp_path):
    (tmp_path / "data").mkdir()
    return DataRoot(tmp_path / "data", tmp_path / "cache")


def idx(array):
    codes = {"u1": 8, "i4": 12}
    header = struct.pack(">BBBB", 0, 0, codes[array.dtype.str[1:]], array.ndim) + struct.pack(f">{array.ndim}I", *array.shape)
    return header + array.astype(array.dtype.newbyteorder(">")).tobytes()


IMAGES = np.arange(3 * 2 * 4, dtype=np.uint8).reshape(3, 2, 4)


def test_idx_images_and_labels_are_examples(root):
    (root.folder / "images.gz").write_bytes(gzip.compress(idx(IMAGES)))
    (root.folder / "labels").write_bytes(idx(np.array([7, 70_000, -1], np.int32)))
    examples = list(IdxArrays(fields={"image": "images.gz", "label": "labels"}).examples(root))
    np.testing.assert_array_equal([one.fields["image"] for one in examples], IMAGES[..., None])
    assert [int(one.fields["label"]) for one in examples] == [7, 70_000, -1]


@pytest.mark.parametrize(
    ("images", "labels", "message"),
    [(idx(IMAGES)[:-1], idx(np.zeros(3, np.uint8)), "ends within example 3"), (idx(IMAGES), idx(np.zeros(2, np.uint8)), "only 2 examples"),
     (b"PNG", b"", "not an IDX file")],
)  # fmt: skip
def test_idx_files_that_are_damaged_or_do_not_belong_together_are_refused(images, labels, message, root):
    (root.folder / "images").write_bytes(images)
    (root.folder / "labels").write_bytes(labels)
    with pytest.raises(UserError, match=message):
        list(IdxArrays(fields={"image": "images", "label": "labels"}).examples(root))


@pytest.mark.skipif(not (REAL / "fashion_mnist").exists(), reason="real data is not here")
def test_fashion_mnist_is_read():
    fields = {"image": "fashion_mnist/t10k-images-idx3-ubyte.gz", "label": "fashion_mnist/t10k-labels-idx1-ubyte.gz"}
    labels = np.zeros(10, int)
    for example in IdxArrays(fields=fields).examples(DataRoot(REAL)):
        labels[example.fields["label"]] += 1
    assert labels.tolist() == [1000] * 10


def test_arrays_are_cut_by_rows_or_by_offsets(root):
    np.save(root.folder / "frames.npy", np.arange(12, dtype=np.float32).reshape(6, 2))
    np.save(root.folder / "offsets.npy", np.array([0, 4, 4, 6]))
    np.save(root.folder / "labels.npy", np.array([1, 2, 3]))
    source = NumpyArrays(fields={"frames": "frames.npy", "label": "labels.npy"}, offsets={"frames": "offsets.npy"})
    examples = list(source.examples(root))
    assert [one.fields["frames"].tolist() for one in examples] == [[[0, 1], [2, 3], [4, 5], [6, 7]], [], [[8, 9], [10, 11]]]
    assert [int(one.fields["label"]) for one in examples] == [1, 2, 3]


def test_arrays_that_do_not_fit_or_hold_objects_are_refused(root):
    np.save(root.folder / "a.npy", np.zeros(3))
    np.save(root.folder / "b.npy", np.zeros(4))
    np.save(root.folder / "o.npy", np.array([{}, {}, {}], dtype=object))
    np.save(root.folder / "down.npy", np.array([0, 2, 1]))
    with pytest.raises(UserError, match=r"a\.npy has 3, b\.npy has 4"):
        list(NumpyArrays(fields={"a": "a.npy", "b": "b.npy"}).examples(root))
    with pytest.raises(UserError, match="not a .npy file of numbers"):
        list(NumpyArrays(fields={"a": "o.npy"}).examples(root))
    with pytest.raises(UserError, match="not a list of offsets"):
        list(NumpyArrays(fields={"a": "a.npy"}, offsets={"a": "down.npy"}).examples(root))


def test_images_of_folders_are_classes(root):
    library = pytest.importorskip("PIL.Image")
    for name, shade, size in (("cat/1.png", 10, (4, 4)), ("dog/2.png", 200, (4, 4)), ("dog/3.png", 100, (8, 4))):
        (root.folder / "x" / name).parent.mkdir(parents=True, exist_ok=True)
        library.new("RGB", size, (shade, shade, shade)).save(root.folder / "x" / name)
    (root.folder / "x" / "dog" / "broken.png").write_bytes(b"\x89PNG but no more")
    found = list(ImageFolder(path="x", height=4, width=4, channels=1).examples(root))
    assert [(one.fields["text"], int(one.fields["label"]), int(one.fields["image"][0, 0, 0])) for one in found if not one.problem] == [
        ("cat", 0, 10),
        ("dog", 1, 200),
    ]
    assert [one.file for one in found if one.problem] == ["x/dog/3.png", "x/dog/broken.png"]
    for fit in ("stretch", "crop"):
        shaped = list(ImageFolder(path="x", height=4, width=4, channels=3, fit=fit).examples(root))
        assert [one.fields["image"].shape for one in shaped if not one.problem] == [(4, 4, 3)] * 3
    assert [one.fields["label"] for one in ImageFolder(path="x", classes=["dog"], height=4, width=4).examples(root) if not one.problem] == [
        0
    ]


def test_points_of_all_formats_are_the_same(root):
    points = np.array([[0, 0.5, 1], [2, 3, 4]], np.float32)
    (root.folder / "p" / "a").mkdir(parents=True)
    (root.folder / "p" / "a" / "1.bin").write_bytes(points.tobytes())
    np.save(root.folder / "p" / "a" / "2.npy", points)
    (root.folder / "p" / "a" / "3.off").write_text("OFF\n2 0 0\n0 0.5 1\n2 3 4\n")
    (root.folder / "p" / "a" / "4.off").write_text("OFF2 0 0\n0 0.5 1 # a corner\n2 3 4\n")
    (root.folder / "p" / "a" / "5.bin").write_bytes(points.tobytes()[:-1])
    (root.folder / "p" / "a" / "6.off").write_text("OFF\n3 0 0\n0 0 0\n")
    np.save(root.folder / "p" / "a" / "7.npy", np.full([1, 3], np.nan))
    examples = list(PointClouds(path="p").examples(root))
    for example in examples[:4]:
        np.testing.assert_array_equal(example.fields["points"], points)
    assert ["bytes are no whole" in examples[4].problem, "no whole OFF" in examples[5].problem, "not finite" in examples[6].problem] == [
        True
    ] * 3


@pytest.mark.skipif(not (REAL / "kitti_frames").exists(), reason="real data is not here")
def test_kitti_boxes_hold_points_of_the_scan():
    examples = list(Kitti(path="kitti_frames/training").examples(DataRoot(REAL)))
    assert [(one.fields["key"], one.fields["classes"].tolist()) for one in examples[:2]] == [("000000", [1]), ("000001", [0, 2])]
    fields = examples[1].fields
    places = np.c_[fields["points"][:, :3], np.ones(len(fields["points"]))] @ fields["camera_from_lidar"].T
    height, _, length, *bottom, _ = fields["boxes"][1]  # the cyclist, 46 m ahead
    near = np.abs(places[:, [0, 2]] - [bottom[0], bottom[2]]).max(axis=1) < length / 2
    inside = near & (places[:, 1] < bottom[1]) & (places[:, 1] > bottom[1] - height)
    assert inside.sum() >= 3
    pixels = places[inside] @ fields["projection"][:, :3].T + fields["projection"][:, 3]
    left, _, right, _ = fields["image_boxes"][1]
    assert ((pixels[:, 0] / pixels[:, 2] > left - 5) & (pixels[:, 0] / pixels[:, 2] < right + 5)).all()


def test_reversed_letters_are_the_same_however_many_are_asked_for():
    few, many = [list(Reverse(num_examples=count, longest=5).examples(None)) for count in (20, 300)]
    assert few == many[:20]
    assert all(one.fields["target"] == one.fields["source"][::-1] for one in many)
    assert {len(one.fields["source"].split()) for one in many} == {1, 2, 3, 4, 5}
    assert [one.fields for one in many] != [one.fields for one in Reverse(part="test", num_examples=300, longest=5).examples(None)]


def test_arrays_that_are_not_what_the_task_reads_are_refused_with_their_place(root, tmp_path):
    np.save(root.folder / "a.npy", np.zeros([3, 2, 5], np.float32))
    features = {"x": Feature("x", dtype="float32", frame=(4,))}
    experiment = make_experiment({"train": NumpyArrays(fields={"x": "a.npy"})}, {"unused": Bytes()}, features)
    with pytest.raises(UserError, match=r"a\.npy:1: 'x' is float32 \[2, 5\], and the task reads numbers \[time, 4\]"):
        prepare(experiment, data_root=root.folder, cache_root=tmp_path / "cache")


def test_a_saved_hugging_face_data_set_is_read_in_order(root, tmp_path):
    library = pytest.importorskip("datasets")
    rows = [{"en": "one", "fr": "un"}, {"en": "two", "fr": None}, {"en": "three", "fr": "trois"}]
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps({"translation": row}) + "\n" for row in rows))
    made = library.Dataset.from_json(str(tmp_path / "rows.jsonl"), cache_dir=str(tmp_path / "made"))
    library.DatasetDict({"train": made}).save_to_disk(str(root.folder / "hf"))
    source = HuggingFaceDataset(path="hf", fields={"source": "translation.en", "target": "translation.fr"})
    examples = list(source.examples(root))
    assert [one.fields.get("target") for one in examples] == ["un", None, "trois"]
    assert examples[1].problem == "has no 'translation.fr'"
    with pytest.raises(UserError, match="no split 'test'"):
        list(HuggingFaceDataset(path="hf", split="test", fields={"source": "translation.en"}).examples(root))


def test_a_local_builder_of_tensorflow_datasets_is_read_in_order(root):
    library = pytest.importorskip("tensorflow_datasets")
    features = library.features.FeaturesDict({"text": library.features.Text(), "label": np.int64})
    info = library.dataset_builders.store_as_tfds_dataset(
        name="small", version="1.0.0", data_dir=str(root.folder), features=features, description="x", disable_shuffling=True,
        split_datasets={"train": [(n, {"text": f"zahl {n}", "label": n}) for n in range(30)]},
    )  # fmt: skip
    assert info is not None
    examples = list(TensorFlowDataset(path="small/1.0.0", fields={"source": "text", "label": "label"}).examples(root))
    assert [(one.fields["source"], int(one.fields["label"])) for one in examples] == [(f"zahl {n}", n) for n in range(30)]
