"""Saliency: maps equal to closed forms and to finite differences, sums that are kept, and games with known winners."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from adl.core import BadInput
from adl.measure.ranks import rank_correlation
from adl.nn.convolution import Conv
from adl.nn.resnet import BatchNorm, ResNet
from adl.vision import explanation, saliency
from adl.vision.explanation import Grids

KEY = jax.random.key(0)
RNG = np.random.default_rng(0)
X = RNG.uniform(size=(3, 8, 8, 2)).astype("f")
LABEL = np.array([0, 2, 1])
MODEL = ResNet(3, (4, 8), norm=BatchNorm)
VARIABLES = MODEL.init(KEY, X)
W = RNG.normal(size=(1, 8, 8, 2)).astype("f")


def affine(x):
    return (x * W).sum((1, 2, 3)) + 3


def score(x):
    return explanation.score_of(MODEL, VARIABLES, x, LABEL)


def test_of_an_affine_score_all_gradients_are_its_weights():
    np.testing.assert_allclose(saliency.input_gradient(affine, X)[1:2], W, rtol=1e-5)
    np.testing.assert_allclose(saliency.gradient_times_input(affine, X), X * W, rtol=1e-5)
    np.testing.assert_allclose(saliency.smooth_gradient(KEY, affine, X, std=0.3, num_samples=4)[1:2], W, rtol=1e-5)
    integrated = saliency.integrated_gradients(affine, X, baseline=0.5, num_steps=3)
    np.testing.assert_allclose(integrated, (X - 0.5) * W, rtol=1e-4, atol=1e-6)


def test_integrated_gradients_sum_to_what_the_score_gains():
    """To a thousandth, of a deep network of ReLUs; and exactly of a square, whose midpoints are exact."""
    gain = score(X) - score(jnp.full_like(X, 0.5))
    missed = []
    for num_steps in (4, 512):
        total = saliency.integrated_gradients(score, X, baseline=0.5, num_steps=num_steps).sum((1, 2, 3))
        missed.append(float(jnp.abs(total - gain).sum() / jnp.abs(gain).sum()))
    assert missed[1] < 1e-3 < missed[0]
    squared = saliency.integrated_gradients(lambda x: jnp.square(x).sum((1, 2, 3)), X, baseline=0.2, num_steps=1)
    np.testing.assert_allclose(squared, X**2 - 0.04, atol=1e-6)


def test_smooth_gradients_are_gradients_of_the_smoothed_score():
    """Of |x| the Gaussian's error function, which SciPy has."""
    from scipy.special import erf

    x = np.full((1, 40, 40, 1), 0.1, "f")
    found = saliency.smooth_gradient(KEY, lambda x: jnp.abs(x).sum((1, 2, 3)), x, std=0.2, num_samples=64)
    assert found.mean() == pytest.approx(erf(0.1 / 0.2 / np.sqrt(2)), abs=4 / np.sqrt(64 * 1600))


def test_occlusion_is_what_is_lost():
    """By hand, place by place; of an affine score the sum of its weights under the square."""
    found = np.asarray(saliency.occlusion(affine, X, size=3, stride=2, fill=0.5))
    total, count = np.zeros((3, 8, 8)), np.zeros((8, 8))
    for top in range(-2, 8, 2):
        for left in range(-2, 8, 2):
            at = np.s_[:, max(top, 0) : top + 3, max(left, 0) : left + 3]
            total[at] += ((X - 0.5) * W)[at].sum((1, 2, 3))[:, None, None]
            count[at[1:]] += 1
    assert count.min() >= 1
    np.testing.assert_allclose(found, total / count, rtol=1e-4, atol=1e-5)
    with pytest.raises(AssertionError):
        saliency.occlusion(affine, X, size=2, stride=3)


class Pooled(nn.Module):
    """A convolution, and an affine map of the means of its channels."""

    @nn.compact
    def __call__(self, x):
        return nn.Dense(3)(Conv(5, (3, 3), 2)(x).mean((1, 2)))


def test_grad_cam_of_pooled_features_is_the_class_activation_map():
    """Zhou et al. 2016: the last affine map at each place, which sums to the logit but for the bias."""
    model = Pooled()
    variables = model.init(KEY, X)
    params = variables["params"]
    features = Conv(5, (3, 3), 2).apply({"params": params["Conv_0"]}, X)
    cam = jnp.einsum("bhwc,cb->bhw", features, params["Dense_0"]["kernel"][:, LABEL]) / 16
    want = jax.image.resize(jax.nn.relu(cam), X.shape[:3], "bilinear")
    assert want.max() > 0
    np.testing.assert_allclose(saliency.grad_cam(model, variables, X, LABEL, layer="Conv_0"), want, atol=1e-6)


def test_layers_are_named_in_the_order_of_the_network():
    names = ["Conv_0", "ResidualBlock_0", "ResidualBlock_1", "BatchNorm_0", "Dropout_0", "Dense_0"]
    assert [*saliency.layers(MODEL, VARIABLES, X)] == names
    for wrong, told in (("ResidualBlok_1", "did you mean ResidualBlock_1"), ("Dense_0", "no places.*ResidualBlock_1")):
        with pytest.raises(BadInput, match=told):
            saliency.grad_cam(MODEL, VARIABLES, X, LABEL, layer=wrong)


def test_layers_are_drawn_anew_from_the_last_down():
    found = saliency.cascade(jax.random.key(1), MODEL, VARIABLES, X)
    assert [*found] == ["Dense_0", "BatchNorm_0", "ResidualBlock_1", "ResidualBlock_0", "Conv_0"]
    for k, variables in enumerate(found.values()):
        for j, name in enumerate(found):
            if name == "BatchNorm_0":  # begins with ones and zeros
                continue
            leaves = [jax.tree.leaves(those["params"][name]) for those in (variables, VARIABLES)]
            same = [np.array_equal(*pair) for pair in zip(*leaves, strict=True)]
            assert not all(same) if j <= k else all(same), (name, k)


def cells(num=12, side=4):
    """Pictures of one grey each, one of five for each class."""
    label = np.arange(num) % 5
    return np.tile((40 * label + 20)[:, None, None, None], (1, side, side, 1)).astype(np.uint8), label


def test_grids_hold_what_is_asked_for_once():
    image, label = cells()
    thing = np.zeros((12, 4, 4), bool)
    thing[:, 1:3, 1:3] = True
    grids = Grids.of(image, label, thing, 10)
    assert grids.image.shape == (10, 8, 8, 1)
    np.testing.assert_array_equal(np.bincount(grids.label), 2)
    np.testing.assert_array_equal((grids.image[..., 0] == 40 * grids.label[:, None, None] + 20), grids.cell)
    assert (grids.thing & grids.cell).sum((1, 2)).tolist() == [4] * 10 == grids.thing.sum((1, 2)).tolist()
    assert all(len(np.unique(picture)) == 4 for picture in grids.image)
    with pytest.raises(BadInput, match="four classes.*of 3"):
        Grids.of(image, label % 3, thing, 10)
    with pytest.raises(BadInput, match="each pixel has one"):
        Grids.of(image, label, thing[:, :2], 10)


def test_a_map_that_knows_the_class_wins_the_game_and_a_flat_one_has_chance():
    image, label = cells()
    grids = Grids.of(image, label, np.ones((12, 4, 4), bool), 20)

    def knows(key, variables, x, label):
        return {"right": jnp.where(jnp.abs(x[..., 0] * 255 - (40 * label + 20)[:, None, None]) < 1, 1.0, 0.0)}

    seen = explanation.pointing(knows, lambda state: state, grids, 2)(KEY, {})
    values = {name: float(mean.value) for name, mean in seen.items() if isinstance(mean, tuple)}
    assert values["right_pointing"] == values["right_cell"] == 1
    assert values["uniform_pointing"] == values["uniform_cell"] == 0.25


def test_randomisation_finds_maps_that_need_no_network():
    pictures = {"image": (255 * X).astype(np.uint8), "label": LABEL}

    def explain(key, variables, x, label):
        slope = saliency.heat(saliency.input_gradient(lambda x: explanation.score_of(MODEL, variables, x, label), x))
        return {"edges": explanation.edges(x), "slope": slope, "flat": 0 * slope}

    other = jax.random.key(1)
    seen = explanation.randomised(MODEL, explain, lambda state: state, pictures)(other, VARIABLES)
    assert seen["edges_rank"].value == pytest.approx(1) and seen["flat_rank"].value == 0
    assert seen["rank slope"].shape == (5,) and abs(float(seen["slope_rank"].value)) < 0.5
    x = pictures["image"].astype("f") / 255
    again = saliency.cascade(other, MODEL, VARIABLES, x[:1])["Dense_0"]
    maps = [explain(KEY, those, x, LABEL)["slope"].reshape(3, -1) for those in (VARIABLES, again)]
    want = np.mean([rank_correlation(*pair) for pair in zip(*maps, strict=True)])
    assert seen["rank slope"][0] == pytest.approx(want, abs=1e-3)
