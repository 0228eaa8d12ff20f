"""Rows of every table: of the same levels, of what their size allows, judged as a model is."""

import jax
import numpy as np
import pytest
from scipy import stats

from adl import data
from adl.core import BadInput
from adl.latent import baselines, rows
from adl.measure import samples

KEY = jax.random.key(0)
RNG = np.random.default_rng(0)
SHADE = RNG.normal(0, 1, (300, 1, 1, 1))
LEVEL = np.clip(RNG.normal(2, 1, (300, 3, 3, 1)) + SHADE, 0, 4).round()
IMAGE = np.round(LEVEL * 255 / 4).astype(np.uint8)
SPLIT = data.Split({"image": IMAGE, "label": np.arange(300) % 3})


def test_what_needs_no_network_is_told_in_nats_of_the_same_levels():
    """Of two pixels that are alike each alone takes twice its own entropy, and a Gaussian knows that they are alike."""
    level = np.random.default_rng(0).integers(0, 8, 4000)
    image = np.round(255 / 7 * level).astype(np.uint8)[:, None, None, None] * np.ones((1, 1, 2, 1), np.uint8)
    split = data.Split({"image": image})
    told = {name: float(mean.value) for name, mean in rows.plain_bounds(split, split, asked=0)(KEY, ()).items()}
    np.testing.assert_allclose(told["uniform"], -2 * np.log(8), rtol=1e-6)
    np.testing.assert_allclose(told["independent"], -2 * np.log(8), atol=0.01)
    x = np.repeat(level[:, None], 2, 1) + np.random.default_rng(1).random((4000, 2))
    fitted = stats.multivariate_normal(x.mean(0), np.cov(x.T))
    np.testing.assert_allclose(told["gaussian"], fitted.logpdf(x).mean(), atol=0.05)


@pytest.fixture(scope="module")
def fitted():
    return rows.densities(IMAGE, levels=5)


def test_stand_beside_each_other_in_bits_of_the_same_levels(fitted, monkeypatch):
    monkeypatch.setattr(rows, "densities", lambda image, levels: fitted)
    told, by_draws = rows.plain_bits(SPLIT, SPLIT), baselines.bits_of(fitted, IMAGE, levels=5)
    assert set(told) == {"uniform", "independent", "gaussian", "ppca", "mixture"}
    assert max(told.values()) == told["uniform"] == np.log2(5)
    np.testing.assert_allclose(told["gaussian"], by_draws["gaussian"], atol=0.03)
    assert told["ppca"] == by_draws["ppca"] and told["mixture"] == by_draws["mixture"]


def test_large_pictures_have_no_mixture_and_very_large_ones_no_row(fitted, monkeypatch):
    monkeypatch.setattr(rows, "WIDEST", 8)
    few, x = rows.densities(IMAGE, levels=5), baselines.middles(IMAGE, levels=5)[:5]
    assert set(few) == {"gaussian", "ppca"}
    for name in few:
        np.testing.assert_allclose(*(jax.vmap(of[name].log_prob)(x) for of in (few, fitted)), rtol=1e-3)
    monkeypatch.setattr(baselines, "LARGEST", 8)
    assert rows.densities(IMAGE, levels=5) == {}
    assert rows.judged(SPLIT, SPLIT)(KEY, ()) == {}
    assert set(rows.plain_bits(SPLIT, SPLIT)) == {"uniform", "independent", "gaussian"}


def test_are_judged_as_a_model_is(fitted, monkeypatch):
    monkeypatch.setattr(rows, "densities", lambda image, levels: fitted)
    told = rows.judged(SPLIT, SPLIT.first(60))(KEY, ())
    key = jax.random.split(jax.random.key(0), 3)[0]
    drawn = baselines.drawn_pictures(key, fitted["gaussian"], 60, IMAGE, levels=5)
    known = samples.judged_samples(lambda key, state, label: drawn, SPLIT.first(60))(KEY, ())
    for name in ("two_sample_data", "frechet", "kernel_random", "precision"):
        np.testing.assert_allclose(told[f"gaussian_{name}"].value, known[name].value, rtol=1e-4, err_msg=name)
    assert told["grid"].shape == (3, 12, 3, 3, 1) and not [name for name in told if "class_accuracy" in name]


def test_pictures_that_are_all_one_are_refused():
    alike = data.Split({"image": IMAGE[[0, 0, 0]]})
    with pytest.raises(BadInput, match="all alike"):
        rows.judged(alike, alike)
