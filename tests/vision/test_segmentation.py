"""Losses of pixels are their formulas in NumPy; pictures and masks move alike; thresholds find what they are for."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import special

from adl import data
from adl.core import BadInput
from adl.data.segments import IGNORED, Segments
from adl.measure.segmentation import PixelCounts
from adl.vision.dense import mirrored, views_of
from adl.vision.segmentation import dice_loss, focal_loss, paired, pixel_surprise
from adl.vision.threshold import thresholded
from experiments.vision import segment

RNG = np.random.default_rng(0)
LOGITS = RNG.normal(size=(2, 5, 4, 3)).astype("f")
SEGMENT = RNG.integers(0, 3, (2, 5, 4))
HOLED = np.where(RNG.random(SEGMENT.shape) < 0.3, IGNORED, SEGMENT)
P = special.softmax(LOGITS.astype(float), -1)
SEGMENTS = Segments(("a", "b", "c"))


def right(segment: np.ndarray) -> np.ndarray:
    """Probabilities of the right classes, of the pixels that count."""
    return np.take_along_axis(P, np.minimum(segment, 2)[..., None], -1)[..., 0][segment != IGNORED]


@pytest.mark.parametrize("segment", [SEGMENT, HOLED], ids=["whole", "holed"])
def test_losses_are_their_formulas(segment):
    p, label = right(segment), segment[segment != IGNORED]
    weights = np.array([1.0, 2.0, 5.0])
    wants = {
        pixel_surprise(): -np.log(p).mean(),
        pixel_surprise(weights): -(weights[label] * np.log(p)).sum() / weights[label].sum(),
        focal_loss(): -((1 - p) ** 2 * np.log(p)).mean(),
        focal_loss(0.0): -np.log(p).mean(),
        focal_loss(0.5): -((1 - p) ** 0.5 * np.log(p)).mean(),
    }
    accuracy = (LOGITS.argmax(-1) == segment)[segment != IGNORED].mean()
    for loss, want in wants.items():
        found = loss(LOGITS, segment)
        assert float(found["loss"].value) == pytest.approx(want, rel=1e-5)
        assert float(found["accuracy"].value) == pytest.approx(accuracy)
    y = (segment[..., None] == np.arange(3)).astype(float)
    q = P * (segment != IGNORED)[..., None]
    dice = 1 - (2 * (q * y).sum((1, 2)) + 1) / (q.sum((1, 2)) + y.sum((1, 2)) + 1)
    assert float(dice_loss()(LOGITS, segment)["loss"].value) == pytest.approx(dice.mean(), rel=1e-5)


@pytest.mark.parametrize("loss", [pixel_surprise(), dice_loss(), focal_loss(), focal_loss(0.5)])
def test_gradients_are_finite_where_all_is_told_surely(loss):
    sure = 200.0 * jax.nn.one_hot(np.where(HOLED == IGNORED, 0, HOLED), 3)
    for logits in (sure, -sure):
        slope = jax.grad(lambda x: loss(x, HOLED)["loss"].total)(logits)
        assert np.isfinite(slope).all() and not np.asarray(slope)[HOLED == IGNORED].any()


@pytest.mark.parametrize("augment", ["flip", "affine", "elastic"])
def test_pictures_and_masks_move_alike(augment):
    """The picture shows the mask: wherever it goes, the two still say the same, and what is outside counts nowhere."""
    segment = np.kron(RNG.integers(0, 3, (4, 4, 4)), np.ones((1, 5, 5), int))
    # A channel a class: between two colours no mixture is a third, whatever the rounding where they meet.
    batch = {"image": (254 * np.eye(3)[segment]).astype(np.uint8), "segment": segment}
    view = views_of(augment, 16, {"degrees": 40.0, "scale": 0.3, "shift": 3.0, "shear": 0.1}, 1.5)
    prepare = jax.jit(paired(SEGMENTS, data.image.unit, view))
    x, found = prepare(jax.random.key(0), batch)
    assert x.shape == (4, 16, 16, 3) and found.shape == (4, 16, 16)
    is_pure = (np.asarray(x).max(-1) * 255 / 254 > 0.999) & (found != IGNORED)
    assert is_pure.mean() > 0.2
    np.testing.assert_array_equal(np.asarray(x).argmax(-1)[is_pure], np.asarray(found)[is_pure])
    assert (np.asarray(found) == IGNORED).any() == (augment != "flip")
    assert not np.array_equal(found, prepare(jax.random.key(1), batch)[1])
    plain, same = paired(SEGMENTS, data.image.unit)(None, batch)
    np.testing.assert_array_equal(same, segment)
    assert plain.shape == (4, 20, 20, 3)


def test_a_threshold_of_colour_finds_things_on_a_plain_ground():
    """Small squares of one class and large ones of another, in colours that say nothing."""

    def scenes(num: int) -> tuple[np.ndarray, np.ndarray]:
        image, segment = np.full((num, 32, 32, 3), 40, np.uint8), np.zeros((num, 32, 32), int)
        for row in range(num):
            for k, size, corner in ((1, 5, 2), (2, 14, 12)):
                part = np.s_[row, corner : corner + size, corner : corner + size]
                image[part], segment[part] = RNG.integers(120, 256, 3), k
        return np.clip(image + RNG.integers(-9, 10, image.shape), 0, 255).astype(np.uint8), segment

    test, truth = scenes(5)
    told = thresholded(*scenes(10), 3, test)
    assert float(PixelCounts.of(told, truth, 3).total.iou.min()) > 0.95


def test_a_threshold_of_grey_finds_dark_lines_in_noise():
    segment = np.ones((7, 40, 40), int)
    segment[:, ::8] = segment[:, 1::8] = 0
    image = np.clip(100 + 80 * segment + RNG.normal(0, 60, segment.shape), 0, 255).astype(np.uint8)[..., None]
    told = thresholded(image[:6], segment[:6], 2, image[6:])
    plain = (image[6:, ..., 0] > 140).astype(int)
    found, without = (PixelCounts.of(x, segment[6:], 2).total.dice[0] for x in (told, plain))
    assert found > 0.75 and found > without


def test_in_a_mirror_the_same_is_told_in_a_mirror():
    x = np.random.default_rng(3).normal(size=(2, 4, 5, 3)).astype("f")

    def look(x):
        return jnp.cumsum(x, 2)[..., :2] + x[..., 1:]

    told = mirrored(look)(x)
    np.testing.assert_allclose(mirrored(look)(x[:, :, ::-1]), told[:, :, ::-1], rtol=1e-6)
    np.testing.assert_allclose(told[0, 0, 0, 0], (look(x)[0, 0, 0, 0] + look(x[:, :, ::-1])[0, 0, 4, 0]) / 2, rtol=1e-6)


def test_a_flag_of_another_network_is_refused():
    with pytest.raises(BadInput, match="--fine 32: only --model linknet"):
        segment.load(segment.Config(model="unet", fine=32))
