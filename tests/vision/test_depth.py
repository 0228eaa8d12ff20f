"""The loss of depths is the source's equation; views keep depths at their pixels; baselines are means."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from adl import data
from adl.core import BadInput
from adl.vision.depth import (
    always,
    depth_views,
    geometric_mean,
    judged_depth,
    mean_by_pixel,
    require_depths,
    scale_invariant_error,
)

RNG = np.random.default_rng(0)
DEPTH = RNG.uniform(1, 8, (3, 6, 4)).astype("f")
HOLED = np.where(RNG.random(DEPTH.shape) < 0.3, 0, DEPTH).astype("f")
HOLED[1, 2, 2] = np.nan
OUTPUT = RNG.normal(1, 1, (3, 6, 4, 1)).astype("f")


@pytest.mark.parametrize("depth", [DEPTH, HOLED], ids=["whole", "holed"])
@pytest.mark.parametrize("balance", [0.0, 0.5, 1.0])
def test_the_loss_is_equation_4(depth, balance):
    wants = []
    for output, true in zip(OUTPUT[..., 0].astype(float), depth, strict=True):
        known = true > 0
        d = (output - np.log(np.where(known, true, 1)))[known]
        wants.append((d**2).mean() - balance * d.mean() ** 2)
    loss = scale_invariant_error(balance)
    assert float(loss(OUTPUT, depth)["loss"].value) == pytest.approx(np.mean(wants), rel=1e-5)
    slope = jax.grad(lambda x: loss(x, depth)["loss"].total)(OUTPUT)
    assert np.isfinite(slope).all() and not np.asarray(slope)[~(depth > 0)].any()


def test_views_keep_depths_at_their_pixels():
    image = np.round(DEPTH * 30).astype(np.uint8)[..., None]
    prepare = depth_views(2.0, data.image.unit, data.views.random_flip)
    x, depth = prepare(jax.random.key(3), {"image": image, "depth": DEPTH})
    np.testing.assert_allclose(x[..., 0] * 255, np.round(60 * depth), atol=1e-3)
    assert not np.allclose(depth, DEPTH / 2) and np.allclose(np.sort(depth, None), np.sort(DEPTH / 2, None))
    channel = prepare(jax.random.key(3), {"image": image, "depth": DEPTH[..., None]})[1]
    np.testing.assert_array_equal(channel, depth)


def test_baselines_are_means_of_what_is_known():
    mean = mean_by_pixel(HOLED)
    known = HOLED > 0
    there = known.any(0)
    with np.errstate(invalid="ignore"):
        np.testing.assert_allclose(mean[there], (np.where(known, HOLED, 0).sum(0) / known.sum(0))[there], rtol=1e-5)
    assert geometric_mean(HOLED) == pytest.approx(np.exp(np.log(HOLED[known]).mean()), rel=1e-5)
    split = data.arrays({"image": np.zeros((3, 6, 4, 1), np.uint8), "depth": DEPTH})
    found = judged_depth(always(jnp.float32(3.0)), split, num_bins=3)(jax.random.key(0), None)
    assert float(found["relative"].value) == pytest.approx((abs(3 - DEPTH) / DEPTH).mean(), rel=1e-5)
    assert float(found["loss"].value) == pytest.approx(((np.log(3) - np.log(DEPTH)) ** 2).mean(), rel=1e-4)
    low = DEPTH[DEPTH <= np.quantile(DEPTH, 1 / 3)]
    assert float(found["depth"][0]) == pytest.approx(low.mean(), rel=1e-5)
    assert float(found["error"][0]) == pytest.approx((abs(3 - low) / low).mean(), rel=1e-5)


@pytest.mark.parametrize(
    "depth, said",
    [
        (DEPTH[:, :5], r"depths are \[5, 4\] and its pictures \[6, 4, 1\]"),
        (DEPTH - 5, "depths of example 0 are negative"),
        (0 * DEPTH, "nothing is known"),
    ],
)
def test_depths_that_are_none_are_told_in_one_line(depth, said):
    split = data.arrays({"image": np.zeros((3, 6, 4, 1), np.uint8), "depth": depth})
    with pytest.raises(BadInput, match=said):
        require_depths(split, "data set x, split train")
    assert require_depths(data.arrays({"image": split.column("image"), "depth": HOLED}), "x")
