"""Tables are scikit-learn's, standardised by what is learned from alone; curves are what they say."""

import jax
import numpy as np
import pytest
from sklearn import datasets
from sklearn.preprocessing import StandardScaler

from adl.core import BadInput
from adl.data import Split, curves, once, shuffled, tables


def test_targets_are_scikit_learns_standardised_by_the_training_split():
    train, test = tables.targets("diabetes")
    x, y = datasets.load_diabetes(scaled=False, return_X_y=True)
    scaler = StandardScaler().fit(x[:352])
    np.testing.assert_allclose(train.x, scaler.transform(x[:352]), atol=1e-5)
    np.testing.assert_allclose(test.x, scaler.transform(x[352:]), atol=1e-5)
    np.testing.assert_allclose(test.y * test.unit + y[:352].mean(), y[352:], rtol=1e-5)
    assert train.unit == test.unit and train.columns[2] == "body mass" and len(train.columns) == 10


@pytest.mark.parametrize("name", ["breast_cancer", "wine"])
def test_labels_leave_every_third_row_to_the_test(name):
    train, test = tables.labels(name)
    table = getattr(datasets, f"load_{name}")()
    rest = np.arange(len(table.data)) % 3 == 2
    scaler = StandardScaler().fit(table.data[~rest])
    np.testing.assert_allclose(train.x, scaler.transform(table.data[~rest]), atol=1e-4)
    np.testing.assert_allclose(test.x, scaler.transform(table.data[rest]), atol=1e-4)
    np.testing.assert_array_equal(test.label, table.target[rest])
    assert train.columns == [column.replace("_", " ") for column in table.feature_names]
    assert train.classes == (["malignant", "benign"] if name == "breast_cancer" else [f"class {k}" for k in range(3)])
    assert f"{len(test.x)} of {len(table.data)}" in tables.PROTOCOLS[name]


def test_a_measurement_that_does_not_vary_is_zero():
    x = np.stack([np.full(7, 0.1, "f"), np.arange(7, dtype="f")], 1)
    mean, deviation = tables.scale(x)
    got = tables.standard(np.concatenate([x, x + 1]), mean, deviation)
    assert np.isfinite(got).all()
    np.testing.assert_allclose(got[:7, 0], 0, atol=1e-6)
    np.testing.assert_allclose(got[:7, 1].std(), 1, rtol=1e-6)


def test_columns_of_other_sets_are_numbered():
    assert tables.column_names("mnist:3.0.1", 2) == ["measurement 0", "measurement 1"]
    assert tables.column_names("diabetes:1.0.0", 10)[0] == "age"


def table(monkeypatch, **columns):
    split = Split({name: np.asarray(values) for name, values in columns.items()})
    monkeypatch.setattr(tables, "load", lambda name, part, **how: split)
    return split


def test_any_table_of_named_columns_is_read(monkeypatch):
    rng = np.random.default_rng(0)
    age, size, two = rng.random(9).astype("f"), rng.integers(1, 9, 9), rng.random((9, 2)).astype("f")
    name = np.array([b"a"] * 9, object)
    kind = np.array([b"ox", b"cow", b"ox"] * 3, object)
    table(monkeypatch, age=age, size=size, two=two, name=name, kind=kind)
    train, test = tables.targets("any", target="size")
    assert train.columns == ["age", "two 0", "two 1"] and train.target == "size" and train.rows == "rows"
    assert train.x.shape == (6, 3) and test.x.shape == (3, 3)
    np.testing.assert_allclose(test.y * test.unit + np.delete(size, [2, 5, 8]).mean(), size[2::3], rtol=1e-5)
    train, test = tables.labels("any", target="kind")
    assert train.classes == ["cow", "ox"] and test.label.tolist() == [1, 1, 1] and train.label.tolist() == [1, 0] * 3
    train, _ = tables.labels("any", target="size")
    assert train.classes == [f"class {k}" for k in np.unique(size)]
    train, _ = tables.targets("any", target="two 1")
    assert train.columns == ["age", "size", "two 0"]


def test_a_column_of_a_table_of_features_may_be_the_target(tmp_path):
    train, _ = tables.targets("wine", target="alcohol", data_dir=str(tmp_path))
    assert len(train.columns) == 12 and "alcohol" not in train.columns and "label" not in train.columns
    train, test = tables.targets("iris", target="petal_width", data_dir=str(tmp_path))
    assert train.columns == ["petal_length", "sepal_length", "sepal_width"] and train.rows == "flowers"
    table = datasets.load_iris()
    rest = np.arange(150) % 3 == 2
    np.testing.assert_allclose(test.y * test.unit + table.data[~rest, 3].mean(), table.data[rest, 3], rtol=1e-5)
    assert tables.labels("iris", data_dir=str(tmp_path))[0].classes == list(table.target_names)


@pytest.mark.parametrize(
    ("columns", "target", "message"),
    [
        ({"age": [1.0, 2, 3]}, "", "no y or target, but age; --target names the column"),
        ({"age": [1.0, 2, 3], "y": [1.0, 2, 3]}, "agee", "no column agee, but age, y; .*did you mean age?"),
        ({"age": [1.0, 2, 3], "y": np.ones((3, 2))}, "", r"y must be one number or word a row, not \[2\]"),
        ({"age": [1.0, np.nan, 3], "y": [1.0, 2, 3]}, "", "age has values that are missing or infinite"),
        ({"age": [1.0, 2, 3], "y": [1.0, np.inf, 3]}, "", "y has values that are missing or infinite"),
        ({"age": [1.0, 2, 3], "y": [7.0, 7, 7]}, "", "y is 7 in all rows: nothing can be told"),
        ({"age": [1.0, 2, 3], "y": np.array([b"a", b"b", b"c"], object)}, "", "y must be numbers, not bytes"),
        ({"y": [1.0, 2, 3]}, "", "no columns of numbers besides y"),
    ],
)
def test_a_table_that_cannot_be_read_is_one_line_that_names_the_column(monkeypatch, columns, target, message):
    table(monkeypatch, **columns)
    with pytest.raises(BadInput, match=message):
        tables.targets("any", target=target)


def test_what_is_no_class_is_refused(monkeypatch):
    table(monkeypatch, age=[1.0, 2, 3], label=[0.5, 1, 2])
    with pytest.raises(BadInput, match="label must be classes, integers or words, not float"):
        tables.labels("any")
    table(monkeypatch, age=[1.0, 2, 3], label=[4, 4, 5])
    with pytest.raises(BadInput, match="label is class 4 in all rows"):
        tables.labels("any")


def test_a_measurement_that_stays_in_training_is_named_and_zero(monkeypatch):
    table(monkeypatch, age=[0.1, 0.1, 5, 0.1], size=[1.0, 2, 3, 4], y=[1.0, 2, 3, 4])
    train, test = tables.targets("any")
    assert train.columns == ["age (does not vary)", "size"]
    assert (train.x[:, 0] == 0).all() and (test.x[:, 0] == 0).all() and train.x[:, 1].any()


def test_all_rows_are_dealt_among_the_steps():
    batches = once(Split({"x": np.arange(1, 11)}), 0, 4)
    seen = [batches[step] for step in range(4)]
    assert [len(batch["x"]) for batch in seen] == [3] * 4
    total = np.concatenate([batch["x"][batch["mask"] > 0] for batch in seen])
    np.testing.assert_array_equal(np.sort(total), np.arange(1, 11))
    np.testing.assert_array_equal(
        once(Split({"x": np.arange(8)}), 0, 4)[1]["x"], once(Split({"x": np.arange(8)}), 2, 4)[1]["x"]
    )


def test_once_is_one_pass_and_no_more():
    split = Split({"x": np.arange(10)})
    batches = once(split, 3, 3)
    np.testing.assert_array_equal(batches[2]["x"], shuffled(split, 3)[2]["x"])
    with pytest.raises(BadInput, match=r"--num_steps 4 of --batch_size 3: they must not exceed the 10 examples"):
        once(split, 3, 4)


def test_points_lie_about_the_curve_and_leave_a_gap():
    x, y = curves.gapped(jax.random.key(0), 4000, noise=0.2)
    assert x.min() > -1 and x.max() < 1 and not ((x > 0.1) & (x < 0.6)).any() and (x > 0.6).any()
    error = np.asarray(y - np.sin(1.5 * np.pi * x) * (0.6 + 0.4 * x))
    assert abs(error.mean()) < 4 * 0.2 / 4000**0.5 and abs(error.std() - 0.2) < 4 * 0.2 / 8000**0.5
