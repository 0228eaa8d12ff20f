"""What judges and shows a denoiser: on Gaussian data, whose best denoiser is known, all has a closed form."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from adl import data
from adl.core import BadInput, full_pass
from adl.diffusion import asking, denoising, evaluation, preconditioner, schedule
from adl.measure.asked import Attributes

KEY = jax.random.key(0)
STD = jnp.array([0.5, 0.1, 1.0])  # of the pixels of each class; the last stands for none
SHAPE = (4, 4, 1)
SIGMAS = schedule.karras(60, sigma_max=40.0)


def denoiser(state, label):
    """The best for N(0, (state STD_label)^2): x s^2 / (s^2 + sigma^2)."""
    variance = jnp.square(state * STD[label])[:, None, None, None]
    return lambda x, sigma: x * variance / (variance + jnp.square(jnp.reshape(sigma, (-1, 1, 1, 1))))


SAMPLER = evaluation.Sampler(denoiser, SIGMAS, SHAPE, decode=lambda x: x + 10)


def test_loss_of_the_best_denoiser_is_one_where_the_preconditioner_knows_the_scale():
    """var(y - D) = c_out^2 at each level; what is masked does not count."""
    image = 0.5 * jax.random.normal(KEY, (2, 300, 8, 8, 1)) - 1
    batches = {"image": image.at[1, 200:].set(jnp.nan), "label": jnp.zeros((2, 300), int)}
    batches["mask"] = jnp.ones((2, 300)).at[1, 200:].set(0.0)
    prepare = denoising.labelled(lambda x: x + 1, num_classes=2, label_dropout=0.0)
    measure = evaluation.denoising_loss(
        denoiser, preconditioner=preconditioner.karras(0.5), prepare=prepare, p_mean=-0.5, p_std=1.2
    )
    seen = full_pass(measure, batches, 500)(KEY, 1.0)["loss"]
    assert seen.count == 500
    np.testing.assert_allclose(seen.value, 1, atol=0.04)  # four standard errors
    assert full_pass(measure, batches, 500)(KEY, 0.5)["loss"].value > 1.1


def test_samples_have_the_scale_of_their_class():
    label = jnp.repeat(jnp.arange(2), 1000)
    x = SAMPLER.draw(KEY, 2.0, label) - 10
    np.testing.assert_allclose(x.reshape(2, -1).std(1), 2 * STD[:2], rtol=0.02)


def test_path_ends_where_the_sampler_does():
    seen = SAMPLER.path((1, 0), num_shown=7)(KEY, 1.0)
    assert seen["state"].shape == seen["seen"].shape == (2, len(seen["sigma"]), *SHAPE)
    assert seen["sigma"][0] == SIGMAS[0] and seen["sigma"][-1] == 0
    end = SAMPLER.draw(KEY, 1.0, jnp.array([1, 0]))
    np.testing.assert_allclose(seen["state"][:, -1], end, atol=1e-5)
    np.testing.assert_allclose(seen["seen"][:, -1], end, atol=0.01)  # what is left of the noise is taken away
    np.testing.assert_allclose((seen["state"][:, 0] - 10).std(), 1, atol=0.4)


def test_guidance_ends_are_the_model_without_and_with_the_class():
    seen = SAMPLER.guided((0.0, 1.0, 2.0), (0, 1), num_classes=2)(KEY, 1.0)
    np.testing.assert_allclose(seen["grid"][1], SAMPLER.draw(KEY, 1.0, jnp.array([0, 1])), atol=1e-4)
    np.testing.assert_allclose(seen["grid"][0], SAMPLER.draw(KEY, 1.0, jnp.array([2, 2])), atol=1e-4)
    assert not np.allclose(seen["grid"][2], seen["grid"][1], atol=0.1)
    np.testing.assert_array_equal(seen["scale"], [0, 1, 2])


def test_what_is_asked_for_is_judged_by_scale_of_guidance():
    """A denoiser that knows one picture of each caption draws it at scale 1; told no caption, it draws another."""
    pictures = jnp.array([0.0, 0.25, 0.75, 0.5])[:, None, None, None] * jnp.ones((1, 2, 2, 1))

    def known(state, token):
        """D(x) is the picture of the second token; 9 has the third's, for padding."""
        return lambda x, sigma: pictures[jnp.where(token[:, 1] == 9, 3, token[:, 1])] + state

    def see(x):
        """One place, whose shape and colour are four times the brightness."""
        seen = jnp.round(4 * x.mean((1, 2, 3))).astype(int)[:, None]
        return Attributes(seen, seen)

    token, things = np.array([[7, 1], [7, 2]]), np.array([[1], [3]])
    real = np.array([0.25, 0.75])[:, None, None, None] * np.ones((1, 2, 2, 1))
    some = asking.Wanted(token, Attributes(things, things), real, real[:1].repeat(2, 0), 0 * real)
    asked = {"some": some, "bare": some._replace(real=0 * real)}
    sampler = evaluation.Sampler(known, SIGMAS, (2, 2, 1))
    probe = asking.found_in_samples(sampler, see, asked, scales=(0.0, 1.0), padding=9, num_shown=1)
    seen = jax.jit(probe)(KEY, 0.0)
    # real, guided 0 (a picture of 0.5 for both), guided 1, nearest (right for the first), other (nothing there).
    np.testing.assert_allclose(seen["some_whole"], [1, 0, 1, 0.5, 0], atol=1e-6)
    np.testing.assert_allclose(seen["some_place"], [1, 1, 1, 1, 0], atol=1e-6)
    np.testing.assert_allclose(seen["some_attributes"], [1, 0.5, 1, 0.75, 0], atol=1e-6)
    np.testing.assert_allclose(seen["bare_whole"], [0, 0, 1, 0.5, 0], atol=1e-6)
    np.testing.assert_allclose(seen["some_guided_0_gain"].value, -0.5, atol=1e-6)
    assert "some_guided_1_gain" not in seen and seen["some_guided_0_colour"].value == 0
    assert seen["some_grid"].shape == (1, 5, 2, 2, 1)


def test_captions_of_kinds_are_as_many_and_two_at_least():
    def split(*captions):
        n = len(captions)
        things = {name: np.eye(n, 4, dtype=np.int32) for name in ("colour", "noun")}
        image = np.arange(n, dtype=np.uint8)[:, None, None, None] * np.ones((1, 2, 2, 3), np.uint8)
        return data.Split({"image": image, "caption": np.array(captions, object), **things})

    train = split("a red disc", "a star", "a red star")
    found = asking.asked_of({"some": train, "few": split("a disc", "a red star")}, train, num=5)
    assert found.words == {"some": ["a red disc", "a star"], "few": ["a disc", "a red star"]}
    assert found.wanted["few"].token.shape == (2, found.captions.length)
    np.testing.assert_array_equal(found.wanted["few"].nearest, found.wanted["few"].real)
    np.testing.assert_array_equal(found.wanted["few"].other, found.wanted["few"].real[::-1])
    with pytest.raises(BadInput, match="1 caption of few: two or more are wanted"):
        asking.asked_of({"few": split("a star")}, train, num=5)
    with pytest.raises(BadInput, match="1 caption of each kind: two or more"):  # its own picture were another's
        asking.asked_of({"some": train}, train, num=1)


def test_captions_of_new_pairs_tell_one_or_are_refused():
    def split(*pairs):
        colour, noun = (np.array(column, np.int32)[:, None] for column in zip(*pairs, strict=True))
        image, caption = np.zeros((len(pairs), 2, 2, 3), np.uint8), np.array(["a thing"] * len(pairs), object)
        return data.Split({"image": image, "caption": caption, "colour": colour, "noun": noun})

    train = split((0, 1), (1, 2))
    asking.asked_of({"new": split((0, 2), (1, 1))}, train, num=2, new=["new"])
    with pytest.raises(BadInput, match="1 of 2 captions of new tell no pair of colour and shape that is new"):
        asking.asked_of({"new": split((0, 2), (1, 2))}, train, num=2, new=["new"])
