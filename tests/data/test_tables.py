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
