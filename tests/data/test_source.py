"""Data sets from disk: what scikit-learn has, what TFDS wrote, and one line for all that is not there."""

import io
import json
import os
import re
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Callable
from pathlib import Path
from pydoc_data.topics import topics

import numpy as np
import pytest
from sklearn.datasets import load_breast_cancer, load_diabetes, load_digits, load_wine

from adl import data
from adl.core import BadInput
from adl.data import source


def test_digits_are_those_of_scikit_learn(tmp_path):
    bunch = load_digits()
    train, test = (data.load("digits", split, str(tmp_path)) for split in ("train", "test"))
    assert len(train) == 1437 and len(test) == 360 and train.num_classes == 10 and test.example_shape == (8, 8, 1)
    pixels = np.concatenate([train.arrays["image"], test.arrays["image"]])
    labels = np.concatenate([train.arrays["label"], test.arrays["label"]])
    assert pixels.dtype == np.uint8 and labels.dtype == np.int32
    np.testing.assert_array_equal(pixels[..., 0], np.round(bunch.images * 255 / 16))
    np.testing.assert_array_equal(np.round(pixels[..., 0] * (16 / 255)), bunch.images)  # nothing is lost
    np.testing.assert_array_equal(labels, bunch.target)


def test_diabetes_is_the_table_of_scikit_learn(tmp_path):
    table = load_diabetes(scaled=False)
    train, test = (data.load("diabetes", split, str(tmp_path)).arrays for split in ("train", "test"))
    assert len(train["target"]) == 352 and len(test["target"]) == 90
    for name, want in (("features", table.data), ("target", table.target)):
        got = np.concatenate([train[name], test[name]])
        assert got.dtype == np.float32
        np.testing.assert_array_equal(got, want.astype(np.float32))


def test_splits_have_what_is_wanted_of_them(tmp_path):
    train, test = data.splits("diabetes", "x", "y", data_dir=str(tmp_path))
    assert (len(train), len(test)) == (352, 90) and train.names == test.names == ("x", "y")
    np.testing.assert_array_equal(train.arrays["x"], data.load("diabetes", "train", str(tmp_path)).arrays["features"])
    parts = data.splits("digits", "image", of=("train[:10]", "train[10:]", "test"), data_dir=str(tmp_path))
    assert [len(part) for part in parts] == [10, 1427, 360] and parts[0].names == ("image",)
    with pytest.raises(
        BadInput, match=r"data set digits has no x, but image uint8 .*wants x \(numbers\); --columns x=NAME "
    ):
        data.splits("digits", "x", data_dir=str(tmp_path))


def test_breast_cancer_is_that_of_scikit_learn(tmp_path):
    bunch, split = load_breast_cancer(), data.load("breast_cancer", "train", str(tmp_path))
    np.testing.assert_array_equal(split.arrays["features"], bunch.data.astype(np.float32))
    np.testing.assert_array_equal(split.arrays["label"], bunch.target)
    assert split.info.features["label"].names == list(bunch.target_names)


def test_wine_is_that_of_scikit_learn(tmp_path):
    bunch, split = load_wine(), data.load("wine", "train", str(tmp_path))
    np.testing.assert_array_equal(split.arrays["features"], bunch.data.astype(np.float32))
    np.testing.assert_array_equal(split.arrays["label"], bunch.target)
    assert split.num_classes == 3


def test_the_python_library_is_that_of_this_python(tmp_path):
    splits = [data.load("python_library", name, str(tmp_path)).arrays for name in ("train", "validation", "test")]
    library = {path.name: path for path in Path(sysconfig.get_path("stdlib")).glob("*.py")}
    names = [name.decode() for split in splits for name in split["name"]]
    assert len(set(names)) == len(names) and set(names) <= set(library)
    for split in splits:
        for name, text in zip(split["name"], split["text"], strict=True):
            assert text.decode() == library[name.decode()].read_text("utf-8")
    sizes = np.array([sum(map(len, split["text"])) for split in splits])
    assert 2**20 < sizes.sum() <= 2**21 and sizes.min() > 0
    assert 0.05 < sizes[1:].sum() / sizes.sum() < 0.15  # two digests of twenty; files, and so sizes, are this Python's


def test_the_python_reference_is_that_of_this_python_and_no_paragraph_is_in_both_splits(tmp_path):
    train, test = (data.load("python_reference", name, str(tmp_path)).arrays for name in ("train", "test"))
    paragraphs = []
    for split in (train, test):
        for name, text in zip(split["name"], split["text"], strict=True):
            paragraphs += [part.strip() for part in text.decode().strip().split("\n\n")]
            assert all(part in topics[name.decode()] for part in text.decode().strip().split("\n\n"))
    assert len(set(paragraphs)) == len(paragraphs)
    assert {part.strip() for text in topics.values() for part in text.strip().split("\n\n")} == set(paragraphs)
    sizes = [sum(map(len, split["text"])) for split in (train, test)]
    assert 0.05 < sizes[1] / sum(sizes) < 0.3 and sum(sizes) > 2**18


def test_a_split_is_read_once_and_shared():
    assert data.load("digits", "train") is data.load("digits", "train")
    part, rest = data.load("digits", "train[:90%]"), data.load("digits", "train[90%:]")
    joined = np.concatenate([part.arrays["image"], rest.arrays["image"]])
    np.testing.assert_array_equal(joined, data.load("digits", "train").arrays["image"])


def test_a_large_split_stays_on_disk(monkeypatch):
    monkeypatch.setattr(source, "MEMORY_LIMIT", 1437 * (64 + 4) - 1)
    folder = Path(os.environ["TFDS_DATA_DIR"]).absolute()
    stored = source._load.__wrapped__("digits", "train", folder)
    assert isinstance(stored, data.StoredSplit) and stored.num_classes == 10
    assert not isinstance(source._load.__wrapped__("digits", "test", folder), data.StoredSplit)
    memory = data.shuffled(data.load("digits", "train"), 100)
    disk = data.shuffled(stored.require("image", "label"), 100)
    for step in (0, 1, 2, 3, 14, 3):
        for name, want in memory[step].items():
            np.testing.assert_array_equal(disk[step][name], want)
            assert disk[step][name].dtype == want.dtype


def test_tensorflow_is_never_imported_and_the_rest_only_to_load(tmp_path):
    """A TensorFlow that is there must be left alone, too."""
    (tmp_path / "tensorflow").mkdir()
    (tmp_path / "tensorflow" / "__init__.py").write_text("raise AssertionError('TensorFlow was imported')")
    code = (
        "import sys; from adl import data; import adl.data.views, adl.data.image;"
        "heavy = {'tensorflow_datasets', 'grain', 'cv2', 'sklearn', 'array_record'} & set(sys.modules);"
        "assert not heavy, heavy;"
        "train = data.load('digits', 'train'); data.shuffled(train, 4)[0]; data.streamed(train, 4)[1];"
        "assert 'tensorflow' not in sys.modules;"
        "assert 'grain' not in sys.modules and 'sklearn' not in sys.modules, 'a prepared set wants neither'"
    )
    env = {**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path), *sys.path])}
    subprocess.run([sys.executable, "-W", "error", "-c", code], check=True, env=env)


def message(name: str, split: str = "train", folder: Path | str = "") -> str:
    with pytest.raises(BadInput) as caught:
        data.load(name, split, str(folder))
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_a_missing_data_set_says_what_where_and_how(tmp_path):
    (tmp_path / "fashion_mnist" / "3.0.1").mkdir(parents=True)
    (tmp_path / "fashion_mnist" / "3.0.1" / "dataset_info.json").write_text("{}")
    how = f"tfds.builder('fashion_mnits', data_dir='{tmp_path}', file_format='array_record').download_and_prepare()"
    text = message("fashion_mnits", folder=tmp_path)
    assert text.startswith(f"no data set fashion_mnits in {tmp_path}; did you mean fashion_mnist?; give the --data_dir")
    assert how in text
    assert "did you mean digits?" in message("digit", folder=tmp_path)
    assert "did you mean" not in message("imagenet2012", folder=tmp_path)
    assert f"no data set mnist in {tmp_path}/no, which is no folder" in message("mnist", folder=tmp_path / "no")
    assert message("", folder=tmp_path).startswith("no data set ")


def test_a_missing_split_names_the_splits():
    assert message("digits", "validation").endswith("it has train, test")
    assert message("digits", "train[").endswith("it has train, test")
    assert message("digits", "train[:0]").startswith("data set digits has no split train[:0] (")


def test_another_schema_is_refused():
    with pytest.raises(
        BadInput,
        match="^data set digits has no mask and no depth, but image uint8 .*; this",
    ):
        data.load("digits", "train").require("image", "mask", "depth")


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """Small colour photos, as a builder of other people writes them; only the files are known to `load`."""
    import cv2
    import tensorflow_datasets as tfds

    class Photos(tfds.core.GeneratorBasedBuilder, skip_registration=True):
        VERSION = tfds.core.Version("1.0.0")

        @classmethod
        def _get_pkg_dir_path(cls):
            return tmp_path_factory.mktemp("package")

        def _info(self):
            features = {
                "image": tfds.features.Image(shape=(5, 6, 3)),
                "label": tfds.features.ClassLabel(names=["cat", "dog"]),
                "text": tfds.features.Text(),
                "y": np.float32,
            }
            features = tfds.features.FeaturesDict(features)
            return tfds.core.DatasetInfo(builder=self, features=features, disable_shuffling=True)

        def _split_generators(self, dl_manager):
            return {"train": self._generate_examples(range(20)), "val": self._generate_examples(range(20, 23))}

        def _generate_examples(self, numbers):
            for i in numbers:
                png = cv2.imencode(".png", np.full((5, 6, 3), [10, 20, i], np.uint8))[1]  # blue, green, red
                image = io.BytesIO(png.tobytes())
                yield i, {"image": image, "label": i % 2, "text": f"photo {i}", "y": i / 4}

    where = tmp_path_factory.mktemp("tfds")
    Photos(data_dir=where, file_format="array_record").download_and_prepare()
    return where


def test_any_other_set_takes_the_same_path(folder):
    photos = data.load("photos", "train", str(folder))
    assert len(photos) == 20 and photos.num_classes == 2 and photos.example_shape == (5, 6, 3)
    np.testing.assert_array_equal(photos.arrays["image"][:, 2, 3], [[index, 20, 10] for index in range(20)])
    np.testing.assert_array_equal(photos.arrays["label"], np.arange(20) % 2)
    assert photos.arrays["text"][3] == b"photo 3" and photos.arrays["y"].dtype == np.float32
    np.testing.assert_array_equal(photos.arrays["y"], np.arange(20) / 4)
    assert message("photos", "test", folder).endswith("it has train, val")
    assert message("photo", folder=folder).startswith(f"no data set photo in {folder}; did you mean photos?")
    batch = data.shuffled(photos.require("image", "label"), 4)[0]
    assert set(batch) == {"image", "label"} and batch["image"].shape == (4, 5, 6, 3)


def test_the_environment_names_the_folder_when_the_argument_does_not(folder, monkeypatch, tmp_path):
    monkeypatch.setenv("TFDS_DATA_DIR", str(folder))
    assert len(data.load("photos", "val")) == 3
    monkeypatch.delenv("TFDS_DATA_DIR")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert f"no data set photos in {tmp_path}/tensorflow_datasets" in message("photos", "val")


def damaged(folder: Path, tmp_path: Path, pattern: str, change: Callable[[bytes], bytes]) -> str:
    shutil.copytree(folder / "photos", tmp_path / "photos")
    (path,) = (tmp_path / "photos" / "1.0.0").glob(pattern)
    path.write_bytes(change(path.read_bytes()))
    return message("photos", folder=tmp_path)


def test_other_formats_and_damage_are_one_line(folder, tmp_path):
    info, train = "dataset_info.json", "*train.array_record*"
    text = damaged(folder, tmp_path / "a", info, lambda x: x.replace(b"array_record", b"tfrecord"))
    assert "is not in array_record format; give the --data_dir" in text
    assert "cannot be read" in damaged(folder, tmp_path / "b", info, lambda x: x[:50])
    assert "is damaged" in damaged(folder, tmp_path / "c", train, lambda x: x[: len(x) // 2])
    assert "is damaged" in damaged(folder, tmp_path / "d", train, lambda x: x[:100] + b"mouse" + x[105:])


def info_of(**fields):
    """A change of what is said of the first split."""

    def change(text):
        said = json.loads(text)
        said["splits"][0].update(fields)
        return json.dumps(said).encode()

    return change


def features_of(name, **fields):
    """A change of what is said of a feature's kind."""

    def change(text):
        said = json.loads(text)
        feature = said["featuresDict"]["features"][name]
        kind = next(key for key in feature if key != "pythonClassName")
        feature[kind].update(fields)
        return json.dumps(said).encode()

    return change


@pytest.mark.parametrize(
    ("file", "change", "said"),
    [
        ("dataset_info.json", info_of(shardLengths=["1000000000000"]), "20 examples, and should have 1000000000000"),
        ("dataset_info.json", info_of(shardLengths=["3"]), "has 20 examples, and should have 3"),
        ("dataset_info.json", info_of(filepathTemplate="../../x-{SHARD_X_OF_Y}"), "is not in its folder"),
        ("dataset_info.json", info_of(filepathTemplate="/etc/passwd"), "/etc/passwd is not in its folder"),
        ("dataset_info.json", lambda text: b"[" * 200_000, "cannot be read"),
        ("features.json", lambda text: b"[" * 200_000, "cannot be read"),
        ("features.json", lambda text: b"null", "cannot be read"),
        (
            "features.json",
            features_of("image", shape={"dimensions": ["7", "6", "3"]}),
            "has the shape (5, 6, 3), not (7",
        ),
        ("features.json", features_of("image", dtype="float32"), "cannot be read"),
        ("features.json", features_of("label", numClasses="1"), "label of example 1 is 1, of 1 classes"),
        ("features.json", lambda text: text.replace(b'"label"', b'"species"'), "species of example 0 is not there"),
    ],
)
def test_what_a_folder_says_must_fit_what_it_holds(folder, tmp_path, file, change, said):
    assert said in damaged(folder, tmp_path, file, change)


@pytest.mark.parametrize("size", [0, 10, 60_000, -1])
def test_files_that_were_cut_off_are_damaged(folder, tmp_path, size):
    assert "is damaged" in damaged(folder, tmp_path, "*train.array_record*", lambda data: data[:size])


@pytest.mark.parametrize("named", ["spy.Feature", "os.system", "tensorflow_datasets_of_mine.Feature", "__main__.X"])
def test_no_code_is_run_that_a_folder_names(folder, tmp_path, monkeypatch, named):
    (tmp_path / "spy.py").write_text("raise SystemExit('it was imported')")
    monkeypatch.syspath_prepend(tmp_path)

    def change(text):
        return re.sub(rb"tensorflow_datasets[.\w]*ClassLabel", named.encode(), text)

    assert f"names {named}, which is no feature of TFDS" in damaged(folder, tmp_path, "features.json", change)


def test_a_data_dir_is_a_folder_of_this_machine(folder, monkeypatch):
    with pytest.raises(BadInput, match="give --data_dir bucket/sets"):
        data.load("photos", "train", "gs://b/sets")
    monkeypatch.setenv("HOME", str(folder))
    assert len(data.load("photos", "val", "~")) == 3


def test_mnist():
    """The published counts of digits and mean pixels; only where a prepared copy is."""
    if not Path(os.environ["TFDS_DATA_DIR"], "mnist").is_dir():
        pytest.skip("no mnist in $TFDS_DATA_DIR")
    test = data.load("mnist", "test")
    assert test.example_shape == (28, 28, 1) and test.num_classes == 10
    counts = [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]
    np.testing.assert_array_equal(np.bincount(test.arrays["label"]), counts)
    assert round(float(test.arrays["image"].mean() / 255), 4) == 0.1325


def test_splits_agree_on_sizes_and_classes(monkeypatch):
    def small(label, side=4):
        return data.Split({"image": np.zeros((len(label), side, side, 1), np.uint8), "label": np.array(label)})

    for test, message in (
        (small([0, 3]), "split test: its labels go from 0 to 3; they must be in 0 ... 2"),
        (small([-1, 0]), "split test: its labels go from -1 to 0"),
        (small([0, 1], 5), r"train and test have pictures of \[4, 4, 1\] and \[5, 5, 1\]"),
    ):
        parts = {"train": small([0, 2]), "test": test}
        monkeypatch.setattr(source, "load", lambda name, split, data_dir, parts=parts, **how: parts[split])
        with pytest.raises(BadInput, match=message):
            data.splits("any", "image", "label")


def test_iris_is_that_of_scikit_learn(tmp_path):
    from sklearn.datasets import load_iris

    bunch, split = load_iris(), data.load("iris", "train", str(tmp_path))
    names = ("sepal_length", "sepal_width", "petal_length", "petal_width")
    np.testing.assert_array_equal(np.stack([split.arrays[n] for n in names], 1), bunch.data.astype(np.float32))
    np.testing.assert_array_equal(split.arrays["label"], bunch.target)
    assert split.class_names == list(bunch.target_names)
