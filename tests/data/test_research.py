"""Research sets: of tiny files in the authors' formats, every example comes back as it was put in, in its split."""

import csv
import gzip
import io
import json
import pickle
import shutil
import tarfile
import wave
import zipfile
from collections import defaultdict
from pathlib import Path

import cv2
import numpy as np
import pytest
import scipy.io
import scipy.sparse
import tensorflow_datasets as tfds
from PIL import Image

from adl import data
from adl.data.research import DERIVED, SETS, making
from adl.data.research.builder import _canonical, content_sum
from adl.data.research.making import make

RNG = np.random.default_rng(0)
# By `printf cats_dogs_64:cat.5.jpg | sha256sum` and the like: the last of five, and the ranks of two texts.
LAST_CAT, LAST_DOG, LAST_JAZZ, FOLD_BAD, FOLD_CAFE = 5, 5, 4, 0, 2


def put(path: Path, content: bytes | str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)


def idx_file(array: np.ndarray) -> bytes:
    """As LeCun describes it."""
    sizes = b"".join(size.to_bytes(4, "big") for size in array.shape)
    return b"\x00\x00\x08" + bytes([array.ndim]) + sizes + array.tobytes()


def mat_file(**variables) -> bytes:
    made = io.BytesIO()
    scipy.io.savemat(made, variables)
    return made.getvalue()


def numbers(array) -> str:
    made = io.StringIO()
    np.savetxt(made, array, fmt="%.18e")
    return made.getvalue()


def photo(height: int, width: int) -> bytes:
    return cv2.imencode(".jpg", RNG.integers(0, 256, (height, width, 3), np.uint8))[1].tobytes()


def rgb(jpeg: bytes) -> np.ndarray:
    return cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)[..., ::-1]


def idx_files(raw: Path, part: str, num: int, packed: bool) -> list[dict]:
    image, label = RNG.integers(0, 256, (num, 28, 28), np.uint8), RNG.integers(0, 10, num, np.uint8)
    for name, array in ((f"{part}-images-idx3-ubyte", image), (f"{part}-labels-idx1-ubyte", label)):
        put(raw / (f"{name}.gz" if packed else name), gzip.compress(idx_file(array)) if packed else idx_file(array))
    return [{"image": one[..., None], "label": int(digit)} for one, digit in zip(image, label, strict=True)]


def mnist(raw, patch):
    return {"train": idx_files(raw, "train", 7, packed=True), "test": idx_files(raw, "t10k", 3, packed=False)}


def not_mnist(raw, patch):
    return {"test": idx_files(raw / "a" / "clone", "t10k", 4, packed=True)}


def film(raw: Path, name: str, of=lambda film: film) -> dict[str, list[dict]]:
    frames = RNG.integers(0, 256, (403, 560), np.uint8)
    put(raw / name, pickle.dumps(of(frames), protocol=2) if name.endswith("pkl") else mat_file(ff=frames.T))
    order = np.random.RandomState(0).permutation(403)
    cuts = {"train": order[:3], "validation": order[3:203], "test": order[203:]}
    return {
        split: [{"frame": int(i), "image": frames[i].reshape(28, 20, 1)} for i in rows] for split, rows in cuts.items()
    }


def frey_faces(raw, patch):
    return film(raw, "frey_rawface.mat")


def isbi2012(raw, patch):
    patch.setattr(SETS["isbi2012"], "size", 6)
    found = {"train": [], "validation": []}
    for number in range(30):
        image = RNG.integers(0, 256, (6, 6, 1), np.uint8)
        mask = np.where(image > 99, 255, 0).astype(np.uint8)
        for folder, plane in (("image", image), ("label", mask)):
            put(raw / folder / f"{number}.png", cv2.imencode(".png", plane)[1].tobytes())
        found["train" if number < 24 else "validation"].append({"image": image, "mask": mask, "slice": number})
    return found


def bccd(raw, patch):
    found = {"train": [], "validation": [], "test": []}
    with zipfile.ZipFile(raw / "BCCD_Dataset-1.0.zip", "w") as archive:
        for number, (split, part) in enumerate({"train": "train", "validation": "val", "test": "test"}.items()):
            folder, stem, jpeg = "BCCD_Dataset-1.0/BCCD", f"BloodImage_{number:05d}", photo(480, 640)
            archive.writestr(f"{folder}/ImageSets/Main/{part}.txt", f"{stem}\n")
            archive.writestr(f"{folder}/JPEGImages/{stem}.jpg", jpeg)
            box = "<xmin>64</xmin><ymin>48</ymin><xmax>660</xmax><ymax>240</ymax>"
            cell = f"<object><name>WBC</name><bndbox>{box}</bndbox></object>"
            size = "<size><width>640</width><height>480</height></size>"
            archive.writestr(f"{folder}/Annotations/{stem}.xml", f"<annotation>{size}{cell}</annotation>")
            objects = {"bbox": [np.array([0.1, 0.1, 0.5, 1], np.float32)], "label": [1]}  # beyond the edge is cut
            found[split] = [{"image": rgb(jpeg), "image/filename": f"{stem}\n".encode(), "objects": objects}]
    return found


def cats_dogs_64(raw, patch):
    patch.setattr(SETS["cats_dogs_64"], "numbers", range(1, 6))
    found = {"train": [], "test": []}
    for animal, last in (("cat", LAST_CAT), ("dog", LAST_DOG)):
        for number in range(1, 6):
            put(raw / "train" / f"{animal}.{number}.jpg", photo(64, 64))
            example = {"image/filename": f"{animal}.{number}.jpg".encode(), "label": int(animal == "dog")}
            found["test" if number == last else "train"].append(example)
    return found


def lsp_400(raw, patch):
    patch.setattr(SETS["lsp_400"], "parts", {"train": range(1, 3), "test": range(3, 4)})
    joints = RNG.uniform(0, 9, (14, 3, 5))
    joints[:, 2] = joints[:, 2] > 3
    put(raw / "joints.mat", mat_file(joints=joints))
    found = {"train": [], "test": []}
    for number in (1, 2, 3):
        jpeg, name = photo(8 + number, 9), f"im{number:05d}.jpg"
        put(raw / "images" / name, jpeg)
        place, visible = joints[:, :2, number - 1].astype(np.float32), joints[:, 2, number - 1] == 1
        example = {"image": rgb(jpeg), "image/filename": name.encode(), "joints": place, "visible": visible}
        found["train" if number < 3 else "test"].append(example)
    return found


def tiny_shakespeare(raw, patch):
    text = "".join(chr(97 + i % 26) for i in range(105))
    put(raw / "input.txt", text)
    cuts = {"train": text[:94], "validation": text[94:99], "test": text[99:]}
    return {split: [{"text": part.encode()}] for split, part in cuts.items()}


def multi30k_de_en(raw, patch):
    found = {}
    for split, part in SETS["multi30k_de_en"].PARTS.items():
        pairs = [
            (f"{part} {i} gr\N{LATIN SMALL LETTER U WITH DIAERESIS}n", f"{part} {i}\N{LINE SEPARATOR}green")
            for i in (1, 0)
        ]
        for column, word in enumerate(("de", "en")):
            lines = "".join(f"{pair[column]} \n" for pair in pairs).encode()
            put(raw / "task1" / "raw" / f"{part}.{word}.gz", gzip.compress(lines))
        found[split] = [{"de": de.encode(), "en": en.encode()} for de, en in pairs]
    return found


def rt_polarity(raw, patch):
    texts = {0: ["a caf\N{LATIN SMALL LETTER E WITH ACUTE} .", "bad", "bad"], 1: ["good"]}
    for label, part in ((0, "neg"), (1, "pos")):
        put(raw / f"rt-polarity.{part}", "".join(f"{text} \n" for text in texts[label]).encode("cp1252"))
    fold = {"bad": FOLD_BAD, "good": 0, texts[0][0]: FOLD_CAFE}
    return {"train": [{"fold": fold[t], "label": k, "text": t.encode()} for k, some in texts.items() for t in some]}


def jsb_chorales(raw, patch):
    names, found, stored = {"train": "traindata", "validation": "validdata", "test": "testdata"}, {}, {}
    for split, name in names.items():
        rolls = [RNG.integers(0, 2, (length, 88), np.uint8) for length in (3, 5)]
        stored[name] = np.empty((1, 2), object)
        stored[name][0, 0], stored[name][0, 1] = (roll.astype(float) for roll in rolls)
        found[split] = [{"piano_roll": roll} for roll in rolls]
    put(raw / "JSB_Chorales.mat", mat_file(**stored))
    return found


def jsb_chorales_satb(raw, patch):
    pieces = {
        name: [[[60, 55, 50, number], [61, 56, -1, 40]], [[1, 2, 3, 4]]]
        for number, name in enumerate(("train", "valid", "test"))
    }
    put(raw / "Jsb16thSeparated.json", json.dumps(pieces).replace("-1", "NaN", 1))
    splits = {"train": "train", "validation": "valid", "test": "test"}
    return {split: [{"notes": np.array(one, np.int16)} for one in pieces[name]] for split, name in splits.items()}


def free_spoken_digit(raw, patch):
    speakers, found = SETS["free_spoken_digit"].SPEAKERS, {"train": [], "test": []}
    patch.setattr(SETS["free_spoken_digit"], "takes", {"train": range(5, 6), "test": range(1)})
    with tarfile.open(raw / "free-spoken-digit-dataset-1.0.10.tar.gz", "w:gz") as archive:
        for split, take in (("train", 5), ("test", 0)):
            for digit in range(10):
                for speaker, who in enumerate(speakers):
                    samples = RNG.integers(-(2**15), 2**15, 9, np.int16)
                    name, content = f"{digit}_{who}_{take}.wav", wav_file(samples)
                    member = tarfile.TarInfo(f"fsdd-1.0.10/recordings/{name}")
                    member.size = len(content)
                    archive.addfile(member, io.BytesIO(content))
                    which = {"index": take, "label": digit, "speaker": speaker}
                    found[split].append({"audio": samples, "audio/filename": name.encode(), **which})
    return found


def wav_file(samples: np.ndarray, rate: int = 8000) -> bytes:
    made = io.BytesIO()
    with wave.open(made, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(samples.astype("<i2").tobytes())
    return made.getvalue()


def uci_yacht(raw, patch):
    table = RNG.normal(size=(10, 7))
    folder = raw / "yacht" / "data"
    put(folder / "data.txt", numbers(table))
    put(folder / "index_features.txt", numbers([1, 2, 3, 4, 5, 6]))
    put(folder / "index_target.txt", numbers([0]))
    in_train, position = np.ones((10, 20), np.bool_), np.zeros((10, 20), np.int16)
    for cut in range(20):
        rows = RNG.permutation(10)
        put(folder / f"index_train_{cut}.txt", numbers(rows[:9]))
        put(folder / f"index_test_{cut}.txt", numbers(rows[9:]))
        in_train[rows[9], cut] = False
        position[rows[:9], cut] = np.arange(9)
    x, y = table[:, 1:].astype(np.float32), table[:, 0].astype(np.float32)
    rows = range(10)
    return {
        "train": [{"in_train": in_train[i], "index": i, "position": position[i], "x": x[i], "y": y[i]} for i in rows]
    }


def gtzan_features(raw, patch):
    builder, made, found = SETS["gtzan_features"], io.StringIO(newline=""), {"train": [], "test": []}
    rows = csv.writer(made)
    rows.writerow(["filename", "length", *builder.metadata["columns"], "label"])
    for number in range(5):
        x = RNG.normal(size=57).astype(np.float32)
        rows.writerow([f"jazz.{number:05d}.au", 100 + number, *map(repr, x.tolist()), "jazz"])
        example = {"filename": f"jazz.{number:05d}.au".encode(), "label": 5, "length": 100 + number, "x": x}
        found["test" if number == LAST_JAZZ else "train"].append(example)
    put(raw / "features_30_sec.csv", made.getvalue())
    return found


def cora(raw, patch):
    builder = SETS["cora"]
    for name, value in {"num_nodes": 6, "num_words": 3, "num_edges": 6, "num_validation": 1}.items():
        patch.setattr(builder, name, value)
    words, label = RNG.integers(0, 2, (6, 3)), np.array([0, 1, 2, 1, 0, 2])
    rows, classes = scipy.sparse.csr_matrix(words.astype(np.float32)), np.eye(3, dtype=np.int32)[label]
    test = [5, 4]  # the order in which the papers of tx and ty come
    graph = defaultdict(list, {0: [1, 1, 0], 1: [0, 5], 3: [4]})
    parts = {
        "x": rows[:2],
        "y": classes[:2],
        "allx": rows[:4],
        "ally": classes[:4],
        "tx": rows[test],
        "ty": classes[test],
    }
    for name, part in {**parts, "graph": graph}.items():
        put(raw / f"ind.cora.{name}", pickle.dumps(part, protocol=2))
    put(raw / "ind.cora.test.index", "".join(f"{node}\n" for node in test))
    edges = np.array([[0, 1, 1, 3, 4, 5], [1, 0, 5, 4, 3, 1]], np.int32)
    masks = {"train_mask": [1, 1, 0, 0, 0, 0], "val_mask": [0, 0, 1, 0, 0, 0], "test_mask": [0, 0, 0, 0, 1, 1]}
    example = {"edge_index": edges, "label": label.astype(np.int32), "node_features": words.astype(np.uint8)}
    return {"train": [{**example, **{name: np.array(mask, np.bool_) for name, mask in masks.items()}}]}


CASES = (
    *(mnist, not_mnist, frey_faces, isbi2012, bccd, cats_dogs_64, lsp_400, tiny_shakespeare, multi30k_de_en),
    *(rt_polarity, jsb_chorales, jsb_chorales_satb, free_spoken_digit, uci_yacht, gtzan_features, cora),
)


def described(folder: Path) -> str:
    return tfds.builder_from_directory(folder).info.description


def read_back(name: str, place: Path) -> dict[str, list[dict]]:
    """Of each split the examples, as TFDS reads them."""
    builder = tfds.builder(name, data_dir=place)
    sources = {split: builder.as_data_source(split) for split in builder.info.splits}
    return {split: source.__getitems__(list(range(len(source)))) for split, source in sources.items()}


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.__name__)
def test_what_is_put_in_comes_out(case, tmp_path, monkeypatch):
    name, builder = case.__name__, SETS[case.__name__]
    (tmp_path / "raw").mkdir()
    wanted = case(tmp_path / "raw", monkeypatch)
    told = make(name, tmp_path / "raw", tmp_path / "first", accept_changed=True)
    assert "warning: the raw files are not those that are published" in told
    found = read_back(name, tmp_path / "first")
    assert {split: len(examples) for split, examples in found.items()} == {s: len(e) for s, e in wanted.items()}
    for split, examples in wanted.items():
        here = [{column: one[column] for column in one if column not in builder.unchecked} for one in found[split]]
        ours, theirs = ([b"".join(_canonical(one)) for one in some] for some in (examples, here))
        assert (ours == theirs) if builder.in_order else (sorted(ours) == sorted(theirs)), split
    # Known by its examples, it is made without a word.
    written = tfds.builder(name, data_dir=tmp_path / "first")
    sums = {split: content_sum(written, split, builder.unchecked) for split in wanted}
    monkeypatch.setattr(builder, "known", sums)
    assert "warning" not in make(name, tmp_path / "raw", tmp_path / "second")
    # TFDS has code of its own for some names, and then shows that one's description.
    told = [described(tmp_path / place / name / str(builder.VERSION)) for place in ("first", "second")]
    assert all(builder.source in one for one in told) and making.CHANGED in told[0] and making.CHANGED not in told[1]


def test_every_set_has_a_case_or_is_of_one_that_has():
    covered = {SETS[case.__name__] for case in CASES}
    kinds = {base for builder in covered for base in builder.__mro__ if base.__name__.startswith("_Uci")}
    assert all(builder in covered or kinds & {*builder.__mro__} for builder in SETS.values())
    assert not {*SETS} & {*DERIVED}


@pytest.mark.parametrize("of", [lambda film: film, lambda film: [film.reshape(-1, 28, 20).astype(float), "faces"]])
def test_a_film_published_as_a_pickle_is_the_same(of, tmp_path):
    (tmp_path / "raw").mkdir()
    wanted = film(tmp_path / "raw", "freyfaces.pkl", of)
    make("frey_faces", tmp_path / "raw", tmp_path, accept_changed=True)
    frames = {one["frame"]: one["image"] for one in read_back("frey_faces", tmp_path)["test"]}
    assert {one["frame"] for one in wanted["test"]} == {*frames}
    for one in wanted["test"]:
        np.testing.assert_array_equal(frames[one["frame"]], one["image"])


def test_a_photograph_is_scaled_from_its_middle_square(tmp_path, monkeypatch):
    monkeypatch.setattr(SETS["cats_dogs_64"], "numbers", range(1, 6))
    wide = np.zeros((128, 256, 3), np.uint8)
    wide[:, 64:192] = (0, 0, 200)  # red, as OpenCV orders it
    for animal in ("cat", "dog"):
        for number in range(1, 6):
            put(tmp_path / "raw" / f"{animal}.{number}.jpg", cv2.imencode(".jpg", wide)[1].tobytes())
    make("cats_dogs_64", tmp_path / "raw", tmp_path, accept_changed=True)
    image = read_back("cats_dogs_64", tmp_path)["train"][0]["image"]
    assert image.shape == (64, 64, 3)
    np.testing.assert_allclose(image[:, 4:-4].mean((0, 1)), (200, 0, 0), atol=3)


def test_slices_published_as_a_volume_are_the_same(tmp_path, monkeypatch):
    (tmp_path / "raw").mkdir()
    wanted = isbi2012(tmp_path / "raw", monkeypatch)
    for column, part in (("image", "volume"), ("mask", "labels")):
        pages = [Image.fromarray(one[column][..., 0]) for split in wanted.values() for one in split]
        pages[0].save(tmp_path / f"train-{part}.tif", save_all=True, append_images=pages[1:])
    shutil.rmtree(tmp_path / "raw")
    make("isbi2012", tmp_path, tmp_path / "tfds", accept_changed=True)
    for split, examples in read_back("isbi2012", tmp_path / "tfds").items():
        for ours, theirs in zip(wanted[split], examples, strict=True):
            assert all(np.array_equal(ours[column], theirs[column]) for column in ours)


def test_mnist_has_the_schema_and_the_order_of_the_official_builder(tmp_path, monkeypatch):
    from tensorflow_datasets.core.hashing import Hasher
    from tensorflow_datasets.image_classification import MNIST

    wanted = mnist(tmp_path / "raw", monkeypatch)["train"]
    make("mnist", tmp_path / "raw", tmp_path / "tfds", accept_changed=True)
    official = MNIST(data_dir=tmp_path / "none", file_format="array_record")
    split = data.load("mnist", "train", str(tmp_path / "tfds"))
    assert str(split.info.version) == str(official.version) and str(split.info.features) == str(official.info.features)
    order = sorted(range(len(wanted)), key=Hasher("train").hash_key)
    np.testing.assert_array_equal(split.arrays["image"], [wanted[i]["image"] for i in order])
    np.testing.assert_array_equal(split.arrays["label"], [wanted[i]["label"] for i in order])
