"""Errors of depths are the source's equations in NumPy; what is unknown is left out, and batches merge."""

import jax
import numpy as np
import pytest

from adl.measure.depth import depth_errors, finished, is_known

RNG = np.random.default_rng(0)
TRUE = RNG.uniform(1, 8, (3, 6, 5)).astype("f")
TOLD = (TRUE * np.exp(0.3 * RNG.normal(size=TRUE.shape))).astype("f")


def values(errors) -> dict[str, float]:
    return {name: float(mean.value) for name, mean in finished(errors).items()}


def want(told: np.ndarray, true: np.ndarray, known: np.ndarray) -> dict[str, float]:
    told, true = told.astype(float), true.astype(float)
    logs = [np.log(a[k]) - np.log(b[k]) for a, b, k in zip(told, true, known, strict=True)]
    told, true = told[known], true[known]
    ratio = np.maximum(told / true, true / told)
    return {
        "relative": (abs(told - true) / true).mean(),
        "rmse": np.sqrt(((told - true) ** 2).mean()),
        "rmse_log": np.sqrt(((np.log(told) - np.log(true)) ** 2).mean()),
        **{f"within_{k}": (ratio < 1.25**k).mean() for k in (1, 2, 3)},
        "scale_invariant": np.mean([(d**2).mean() - d.mean() ** 2 for d in logs]),
    }


def test_errors_are_the_equations():
    found = values(depth_errors(TOLD, TRUE))
    assert found == pytest.approx(want(TOLD, TRUE, np.ones(TRUE.shape, bool)), rel=1e-5)
    pairs = np.log(TOLD / TRUE).reshape(3, -1).astype(float)  # the same by eq. 2, over all pairs of pixels
    by_pairs = ((pairs[:, :, None] - pairs[:, None]) ** 2).mean((1, 2)) / 2
    assert found["scale_invariant"] == pytest.approx(by_pairs.mean(), rel=1e-5)


def test_what_is_unknown_is_left_out():
    true = TRUE.copy()
    true[0, 0], true[0, 1], true[1, 2], true[2, 3] = 0, np.nan, np.inf, -1
    known = np.asarray(is_known(true))
    assert known.sum() == TRUE.size - 20
    assert values(depth_errors(TOLD, true)) == pytest.approx(want(TOLD, TRUE, known), rel=1e-5)
    nothing = values(depth_errors(TOLD, 0 * TRUE))
    assert all(np.isnan(value) for value in nothing.values())


def test_batches_and_padding_merge_to_the_whole():
    parts = [depth_errors(TOLD[:1], TRUE[:1]), depth_errors(TOLD[[1, 2, 2]], TRUE[[1, 2, 2]], np.array([1, 1, 0]))]
    merged = {name: parts[0][name] + parts[1][name] for name in parts[0]}
    assert values(merged) == pytest.approx(values(depth_errors(TOLD, TRUE)), rel=1e-5)


def test_a_factor_of_each_picture_is_no_error_of_scale_invariance_and_does_not_cancel():
    factor = np.float32([0.01, 1, 100])[:, None, None]
    found = jax.jit(depth_errors)(TOLD * factor, TRUE)
    plain = values(depth_errors(TOLD, TRUE))["scale_invariant"]
    assert values(found)["scale_invariant"] == pytest.approx(plain, rel=1e-4)
    assert values(depth_errors(TRUE * factor, TRUE))["scale_invariant"] < 1e-10
