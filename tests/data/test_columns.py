"""Arrays, tables and texts of one's own: types, parts, flags, and the place of each cell and byte that is wrong."""

import os
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest

from adl import data
from adl.core import BadInput
from adl.data import source, tables

RNG = np.random.default_rng(0)


def refused(path: Path, *wanted: str, **how) -> str:
    """The one line with which data are refused, less the path."""
    with pytest.raises(BadInput) as caught:
        data.splits(str(path), *wanted, **how) if wanted else data.folder(str(path), **how)
    text = str(caught.value)
    assert "\n" not in text
    return text.replace(f"--dataset {path}", "PATH").replace(str(path), "PATH")


def test_arrays_say_their_split_or_are_divided_by_their_places(tmp_path):
    x, y = RNG.integers(0, 256, (60, 3, 4), np.uint8), RNG.choice([1, 5, 9], 60).astype(np.uint8)
    path = tmp_path / "set.npz"
    np.savez_compressed(path, x_train=x[:40], train_y=y[:40], **{"test/x": x[40:], "y_test": y[40:, None][:, 0]})
    train, test = data.splits(str(path), "image", "label", columns="image=x,label=y")
    assert (len(train), len(test)) == (40, 20) and train.example_shape == (3, 4, 1)
    assert train.class_names == ["1", "5", "9"] == test.class_names
    np.testing.assert_array_equal(test.arrays["image"][..., 0], x[40:])
    np.testing.assert_array_equal(np.array([1, 5, 9])[test.arrays["label"]], y[40:])
    np.savez(path, x=x, y=y)
    found = data.folder(str(path))
    longer = tmp_path / "longer.npz"
    np.savez(longer, x=np.concatenate([x, x]), y=np.concatenate([y, y]))
    np.testing.assert_array_equal(
        data.folder(str(longer))["test"].first(len(found["test"])).arrays["x"], found["test"].arrays["x"]
    )
    np.save(tmp_path / "points.npy", RNG.normal(size=(50, 2)))
    (points,) = data.splits(str(tmp_path / "points.npy"), "x", of=("train+test",))
    assert points.arrays["x"].dtype == np.float32 and len(points) == 50


def test_arrays_larger_than_memory_are_read_row_by_row(tmp_path, monkeypatch):
    x, y = RNG.integers(0, 256, (60, 3, 4, 3), np.uint8), RNG.integers(3, 6, 60)
    path = tmp_path / "set.npz"
    np.savez(path, image=x, label=y)
    memory = data.shuffled(data.load(str(path), "train").require("image", "label"), 7)
    monkeypatch.setattr(source, "MEMORY_LIMIT", 100)
    stored = data.load(str(path), "train").require("image", "label")
    assert isinstance(stored, data.StoredSplit) and stored.class_names == ["3", "4", "5"]
    disk = data.shuffled(stored, 7)
    for step in (0, 1, 9, 2):
        for name, want in memory[step].items():
            np.testing.assert_array_equal(disk[step][name], want)
    np.savez_compressed(path, image=x, label=y)
    assert "image is compressed; save it by np.savez, not np.savez_compressed" in refused(path)
    np.save(tmp_path / "set.npy", np.asfortranarray(x.reshape(60, -1)))
    assert "x lies by columns; save np.ascontiguousarray(x)" in refused(tmp_path / "set.npy")


@pytest.mark.parametrize(
    ("columns", "told"),
    [
        ({"x": np.zeros(3), "y": np.zeros(4)}, "arrays of train are of several lengths (x 3, y 4)"),
        ({"x": np.array([{}, 1], object)}, "PATH: x holds Python objects, a pickle"),
        ({"x": np.zeros(())}, "x is a single value"),
        ({"x": np.zeros((0, 3))}, "x is empty, [0, 3]"),
        ({"x": np.zeros(3, complex)}, "x is of complex128"),
        ({"x_train": np.zeros(3), "y": np.zeros(3)}, "x_train names a split, and y names none"),
        ({"x_test": np.zeros(3)}, "nothing to train on, but x_test"),
        ({"x_train": np.zeros(3), "y_test": np.zeros(3)}, "train has x, and test has y"),
        ({"x_train": np.zeros((3, 2)), "x_test": np.zeros((3, 4))}, "x of train has rows of [2] and test of [4]"),
        ({"x": np.zeros(1)}, "--test_share 0.2 leaves none of the 1 rows"),
    ],
)
def test_arrays_that_are_none(tmp_path, columns, told):
    np.savez(tmp_path / "set.npz", **columns)
    assert told in refused(tmp_path / "set.npz")


def test_files_of_arrays_that_are_damaged(tmp_path):
    path = tmp_path / "set.npz"
    for content, told in ((b"", "PATH is empty"), (b"PK nonsense", "PATH is no .npz file")):
        path.write_bytes(content)
        assert refused(path).startswith(told)
    np.savez(path, x=np.arange(1000))
    path.write_bytes(path.read_bytes()[:3000])
    assert refused(path).startswith("PATH is no .npz file")
    head = (
        b"\x93NUMPY\x01\x00\x76\x00"
        + b"{'descr': '<f8', 'fortran_order': False, 'shape': (99999999999,), }".ljust(117)
        + b"\n"
    )
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("x.npy", head)
    assert refused(path) == "PATH is damaged: x says 799999999992 bytes, and 0 are there"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("x.txt", "a")
    assert "x.txt in it is no array" in refused(path)
    npy = tmp_path / "set.npy"
    npy.write_bytes(head)
    assert refused(npy) == "PATH is damaged: its header says 799999999992 bytes, and 0 are there"
    npy.write_bytes(b"nonsense")
    assert refused(npy).startswith("PATH is no array")
    for ending in ("pkl", "pt"):
        (tmp_path / f"set.{ending}").write_bytes(b"x")
        assert "is a pickle, which can run code" in refused(tmp_path / f"set.{ending}")
    np.save(npy, np.array([2.0**40, 1]).astype(np.int64).repeat(20))
    assert "x has values beyond int32, the first in row 0" in refused(npy, "x")
    np.save(npy, np.full(40, 1e300))
    assert "x has values beyond float32" in refused(npy, "x")


def test_values_that_nothing_can_be_learned_from(tmp_path, monkeypatch):
    path, label = tmp_path / "set.npz", np.arange(30) % 3
    x = np.ones((30, 2))
    x[7] = np.nan
    np.savez(path, x_train=x, label_train=label, x_test=x, label_test=label)
    assert "x of 1 rows has values that are missing or infinite, the first in row 7" in refused(path, "x", "label")
    np.savez(path, x_train=x[:6], label_train=label[:6], x_test=x[:6], label_test=label[:6] + 1)
    assert "label 3 is not among the classes to learn from, 0, 1, 2" in refused(path, "x", "label")
    monkeypatch.setattr(source, "MEMORY_LIMIT", 100)
    assert "PATH: label 3 is not among the classes" in refused(path, "x", "label")
    monkeypatch.undo()
    image = np.zeros((30, 4, 4, 2), np.uint8)
    np.savez(path, image=image, label=label)
    assert "pictures have 2 channels" in refused(path, "image", picture_colour="grey")
    np.savez(path, image=np.float32(image), label=np.array(["cat", "dog"] * 15))
    assert "image must be uint8 [N, H, W, C], not float32" in refused(path, "image")
    assert data.splits(str(path), "label")[0].class_names == ["cat", "dog"]
    for wrong in (np.zeros((30, 16), np.uint8), np.float32(image), np.array(["a"] * 30)):
        np.savez(path, image=wrong, label=label)
        for how in ({"picture_size": "8x8", "picture_fit": "resize"}, {"picture_colour": "grey"}):
            assert "image is not uint8 [N, H, W, C]; --columns image=NAME" in refused(path, "image", **how)
    np.savez(path, image=np.zeros((30, 4, 4, 129), np.uint8))
    assert "129 channels, more than 128" in refused(path, "image", picture_size="2x2", picture_fit="resize")


@pytest.mark.parametrize("value", [2.0**40, 1e300])
def test_rows_beyond_what_is_computed_with_are_refused_as_they_are_taken(tmp_path, monkeypatch, value):
    monkeypatch.setattr(source, "MEMORY_LIMIT", 100)
    path, kind = tmp_path / "set.npz", np.int64 if value < 1e20 else np.float64
    x = np.zeros((60, 2), kind)
    x[50:] = value
    np.savez(path, x_train=x, y_train=np.zeros(60), x_test=x, y_test=np.zeros(60))
    split = data.load(str(path), "train").require("x", "y")
    with pytest.raises(BadInput, match="x has values beyond .*, the first in row 51"):
        split.take(np.array([3, 51]))
    assert data.load(str(path), "train").require("y").take(np.arange(3))["y"].dtype == np.float32


def test_any_byte_that_is_damaged_is_one_line(tmp_path):
    """Headers are parsed as Python, and what is packed by zlib: each raises its own."""
    np.save(tmp_path / "set.npy", np.arange(40.0))
    np.savez_compressed(tmp_path / "set.npz", x=np.arange(40.0), label=np.arange(40))
    for path in (tmp_path / "set.npy", tmp_path / "set.npz"):
        content, told = path.read_bytes(), 0
        for at in range(0, min(len(content), 300), 2):
            for byte in (content[at] ^ 1, ord("(")):
                path.write_bytes(content[:at] + bytes([byte]) + content[at + 1 :])
                os.utime(path, ns=(at, 2 * at + (byte == ord("("))))
                try:
                    data.folder(str(path))
                except BadInput as error:
                    told += "\n" not in str(error)
        assert told > 50


def table(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


ROWS = "".join(f"{i},{i * i / 7:.2f},{'abc'[i % 3]},{'no' if i % 2 else 'yes'}\n" for i in range(60))


def test_a_table_has_named_columns_of_guessed_types(tmp_path):
    path = table(tmp_path / "x.csv", "\ufeffage, height,city,y\n" + ROWS)
    learned, tested = tables.labels(str(path), target="y")
    assert learned.columns == ["age", "height"] and learned.classes == ["no", "yes"] and len(learned.x) > len(tested.x)
    assert tables.labels(str(path), columns="label=city,x=age+height")[0].classes == ["a", "b", "c"]
    learned, _ = tables.targets(str(path), columns="y=height")
    assert learned.columns == ["age"] and learned.target == "y"
    (rows,) = data.splits(str(path), "x", "label", of=("train+test",), columns="x=age+height,label=y")
    assert rows.arrays["x"].shape == (60, 2) and rows.class_names == ["no", "yes"]
    tsv = table(tmp_path / "x.tsv", ("age,height,city,y\n" + ROWS).replace(",", "\t"))
    np.testing.assert_array_equal(
        tables.labels(str(tsv), target="y")[0].label, tables.labels(str(path), target="y")[0].label
    )
    from adl.core import sources

    with sources.noting() as found:
        data.load(str(path), "train")
    told = found[0].remarks[0]
    assert "age: integer, height: number, city: 3 classes of words (a, b, c), y: 2 classes of words (no, yes)" in told


def test_a_large_number_keeps_its_digits_until_it_is_standardised(tmp_path):
    stamps = 1_700_000_000 + np.arange(60)
    path = table(tmp_path / "x.csv", "when,y\n" + "".join(f"{stamp},{stamp % 7}\n" for stamp in stamps))
    learned, _ = tables.targets(str(path))
    assert len(np.unique(learned.x)) == len(learned.x)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "PATH is empty"),
        ("a,b\n", "PATH has a first line, of names, and no rows"),
        ("1,2\n3,4\n", "its first line is of numbers; it must name the columns"),
        ("a,b\n1,2\n1\n", "PATH, line 3: 1 cells, and there are 2 columns"),
        ("a,a\n1,2\n", "two of them called a"),
        (",a\n1,2\n", "column 1 has no name in the first line (pandas: to_csv(index=False))"),
        ("a;b\n1;2\n", "its columns are parted by ';'"),
        ("a,b\n1,2\n2,x\n3,4\n", "PATH, line 3: b is 'x', no number, and 2 of 3 cells"),
        ("a,b\n1,2\n2,1_000\n3,4\n", "PATH, line 3: b is '1_000', no number"),
        ("a,b\n1,2\n2,\n3,NA\n", "b lacks 2 of 3 cells, the first in line 3 ('')"),
        ("a,b\n1,x\n2,\n3,y\n", "b lacks 1 of 3 cells, the first in line 3"),
        ("a,b\n1,2\n2,inf\n3,4\n", "b lacks 1 of 3 cells, the first in line 3 ('inf')"),
        ("a,b\n1,2\n2,1e999\n3,4\n", "PATH, line 3: b is 1e999, beyond all numbers"),
        ('a,b\n1,"2\n', "PATH, line 2: unexpected end of data"),
        ("a,b\n1,\0\n", "has a zero byte in line 2"),
    ],
)
def test_a_cell_that_is_wrong_is_named(tmp_path, text, told):
    assert told in refused(table(tmp_path / "x.csv", text))


def test_what_a_table_lacks_is_said_with_how_to_name_it(tmp_path):
    path = table(tmp_path / "x.csv", "age,price\n" + "".join(f"{i},{i * i}\n" for i in range(40)))
    assert refused(path, "image", "label").endswith(
        "has no image and no label, but age int64 [N], price int64 [N]; this experiment wants image (uint8 [N, H, W, "
        "C]), label (integers); --columns label=age says that these are meant"
    )
    assert "PATH has no prise, but age, price; did you mean price?" in refused(path, "x", columns="x=prise")
    assert "this experiment wants x, y, not label" in refused(path, "x", "y", columns="label=age")
    for wrong in ("x", "x=", "=age", "x=age,x=price", "x=age+", ","):
        assert "it must be WANTED=FOUND" in refused(path, "x", columns=wrong)
    with pytest.raises(BadInput, match="no column prise, but .*; did you mean price"):
        tables.targets(str(path), target="prise")


def test_parquet_is_read_where_pyarrow_is(tmp_path, monkeypatch):
    pyarrow = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    path = tmp_path / "x.parquet"
    columns = {"age": np.arange(40), "y": ["no", "yes"] * 20, "z": np.arange(40.0)}
    parquet.write_table(pyarrow.table(columns), path)
    learned, _ = tables.labels(str(path), target="y")
    assert learned.columns == ["age", "z"] and learned.classes == ["no", "yes"]
    parquet.write_table(pyarrow.table({**columns, "z": [None, *range(39)]}), path)
    assert "z lacks 1 of 40 cells, the first in row 0" in refused(path)
    path.write_bytes(b"PAR1nonsense")
    assert "PATH is damaged" in refused(path)
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    path.write_bytes(b"PAR1nonsense anew")
    assert '.parquet wants pyarrow: pip install "adl[tables]"' in refused(path)


def test_a_text_is_cut_by_place_and_a_folder_of_them_by_name(tmp_path):
    text = "".join(f"line {i}, é\n" for i in range(100))
    path = table(tmp_path / "notes.txt", text)
    assert data.text.corpus(str(path), "train") + data.text.corpus(str(path), "validation+test") == text
    assert len(data.text.corpus(str(path), "test", test_share=0.5)) == round(len(text) / 2)
    folder = tmp_path / "notes"
    for i in range(20):
        (folder / f"{i % 2}").mkdir(parents=True, exist_ok=True)
        (folder / f"{i % 2}" / f"{i}.md").write_text(f"text {i}")
    (folder / "figure.png").write_bytes(b"\x89PNG")
    parts = [data.text.corpus(str(folder), part).splitlines() for part in ("train", "test")]
    assert sorted(parts[0] + parts[1]) == sorted(f"text {i}" for i in range(20)) and all(parts)
    (folder / "bad.txt").write_bytes(b"one\ntwo \xff")
    with pytest.raises(BadInput, match=r"bad.txt is no UTF-8 text: byte 8 \(line 2\) is 0xff"):
        data.text.corpus(str(folder), "train")
    with pytest.raises(BadInput, match=r"a text of 1 characters has no part"):
        data.text.corpus(str(table(tmp_path / "short.txt", "a")), "train")


def test_a_label_can_be_taken_as_numbers(tmp_path):
    path = tmp_path / "set.csv"
    path.write_text("a,label\n" + "".join(f"{i},{10 ** (i % 3)}\n" for i in range(40)))
    with pytest.raises(BadInput, match="label is of classes, and numbers are wanted; --columns y=label"):
        tables.targets(str(path), target="label")
    train, _ = tables.targets(str(path), columns="y=label")
    np.testing.assert_allclose(train.told(train.y)[:3], [1, 10, 100], rtol=1e-6)
    assert train.columns == ["a"]
    assert data.splits(str(path), "y", columns="y=label")[0].arrays["y"][:3].tolist() == [1, 10, 100]


def test_plain_arrays_are_a_split():
    columns = {"x": np.arange(10.0), "label": [0, 1] * 5}
    split = data.arrays(columns)
    for made in (data.shuffled, data.ordered, data.streamed):
        for name, want in made(split, 4)[1].items():
            np.testing.assert_array_equal(made(columns, 4)[1][name], want)
    for made in (data.padded, data.portions):
        assert made(columns, 4) is not None
    np.testing.assert_array_equal(data.padded(columns, 4)["mask"], data.padded(split, 4)["mask"])
    assert len(data.whole(columns, 4)[0]["x"]) == 12 and len(data.once(columns, 2, 3)[0]["x"]) == 2
    for wrong, told in (({}, "none"), ({"x": 1.0}, r"x is \[\]"), ({"x": [1], "y": [1, 2]}, "x 1, y 2"), ([1], "list")):
        for made in (data.arrays, lambda columns: data.shuffled(columns, 1)):
            with pytest.raises(BadInput, match=told):
                made(wrong)
    with pytest.raises(BadInput, match="x is no array: its rows are of several lengths"):
        data.arrays({"x": [[1, 2], [3]]})
