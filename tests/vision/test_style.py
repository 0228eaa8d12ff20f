"""Style: Gram matrices that forget places and nothing else, histograms of others, and photographs as they are cut."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from adl.core import BadInput
from adl.data.photographs import patches, photograph
from adl.vision.style import (
    Textures,
    content_distance,
    gram,
    histogram_matched,
    painted,
    roughness,
    seen_by,
    style_distance,
    style_transfer,
)

KEY = jax.random.key(0)
RNG = np.random.default_rng(0)
X = RNG.uniform(size=(2, 6, 8, 3)).astype("f")


def test_gram_matrices_are_means_of_products_and_forget_places():
    want = np.einsum("bhwc,bhwd->bcd", np.float64(X), np.float64(X)) / 48
    np.testing.assert_allclose(gram(X), want, rtol=1e-5)
    mixed = X.reshape(2, 48, 3)[:, RNG.permutation(48)].reshape(X.shape)
    np.testing.assert_allclose(gram(mixed), gram(X), rtol=1e-5)
    np.testing.assert_allclose(style_distance([mixed], [gram(X)]), 0, atol=1e-9)
    np.testing.assert_allclose(style_distance([0 * X, X], [gram(X)] * 2), 0.5, rtol=1e-6)


def test_distances_and_variation_by_hand():
    flat = np.broadcast_to(X.mean((1, 2), keepdims=True), X.shape)
    np.testing.assert_allclose(content_distance(flat, X), 1, rtol=1e-5)
    np.testing.assert_allclose(content_distance(X, X), 0)
    want = (np.diff(np.float64(X), axis=1) ** 2).mean((1, 2, 3)) + (np.diff(np.float64(X), axis=2) ** 2).mean((1, 2, 3))
    np.testing.assert_allclose(roughness(X), want, rtol=1e-5)


def test_matched_histograms_are_those_of_the_reference():
    """Of as many pixels a permutation of theirs, in the ranks of the picture."""
    other = RNG.uniform(size=(2, 8, 6, 3)).astype("f")
    found = np.asarray(histogram_matched(X, other))
    for b in range(2):
        for c in range(3):
            np.testing.assert_allclose(np.sort(found[b, ..., c], None), np.sort(other[b, ..., c], None), atol=1e-6)
            np.testing.assert_array_equal(found[b, ..., c].argsort(None), X[b, ..., c].argsort(None))
    half = np.asarray(histogram_matched(X, other[:, ::2]))  # of fewer: between them
    np.testing.assert_allclose(
        np.quantile(half, [0.1, 0.5, 0.9]), np.quantile(other[:, ::2], [0.1, 0.5, 0.9]), atol=0.02
    )


def test_pictures_come_to_have_the_style_and_keep_the_content():
    model = Textures(4, (6, 8))
    see = seen_by(model, model.init(KEY, X))
    content, style = jnp.asarray(X), jnp.asarray(X[::-1]) ** 3
    algorithm = style_transfer(see, optax.adam(0.03), content_layer=1, content_weight=0.0)
    found, metrics = painted(algorithm, KEY, content, style, num_steps=60)
    grams = [gram(f) for f in see(style)]
    before, after = (style_distance(see(x), grams) for x in (content, found))
    assert (after < 0.1 * before).all() and found.min() >= 0 and found.max() <= 1
    heavy = style_transfer(see, optax.adam(0.03), content_layer=1, content_weight=100.0)
    kept, _ = painted(heavy, KEY, content, style, num_steps=60)
    near, far = (content_distance(see(x)[1], see(content)[1]) for x in (kept, found))
    assert (near < 0.2 * far).all()
    assert metrics["style"].value == pytest.approx(float(after.mean()), rel=0.2)  # before the last step


def test_photographs_are_cut_to_size_and_said_where_they_are_not_there(tmp_path):
    from PIL import Image

    assert photograph("china", (64, 96), flag="--content").shape == (64, 96, 3)
    Image.fromarray(np.full((20, 30), 200, np.uint8)).save(tmp_path / "grey.png")
    assert (photograph(str(tmp_path / "grey.png"), (8, 8), flag="--content") == 200).all()
    (tmp_path / "no.png").write_text("no")
    for word, told in (
        ("chima", "--style chima.*did you mean china"),
        ("", "--style ''.*china or flower"),
        (str(tmp_path / "gone.png"), "no such file"),
        (str(tmp_path / "no.png"), "is no picture"),
        (str(tmp_path), "no such file"),
    ):
        with pytest.raises(BadInput, match=told):
            photograph(word, (8, 8), flag="--style")


def test_patches_are_cut_where_their_labels_say():
    """Of pictures whose pixels say where they are."""
    row, column = np.meshgrid(np.arange(12), np.arange(16), indexing="ij")
    images = np.stack([np.stack([row, column, np.full_like(row, k)], -1) for k in range(2)]).astype(np.uint8)
    split = patches(images, 200, side=4, rows=3, columns=2)
    image, label = split.arrays["image"], split.arrays["label"]
    middle = image[:, 2, 2].astype(int)
    np.testing.assert_array_equal(label, (middle[:, 2] * 3 + middle[:, 0] // 4) * 2 + middle[:, 1] // 8)
    assert (np.diff(image[..., 0], axis=1) == 1).all() and len(np.unique(label)) == 12
