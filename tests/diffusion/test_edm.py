"""The denoising regression: its weights, its labels, and what it learns on Gaussian data."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import linen as nn

from adl.core import average_params, jitted
from adl.diffusion import preconditioner, schedule
from adl.diffusion.denoising import captioned, drop_labels, labelled, untold
from adl.diffusion.edm import denoiser, edm, weighted_errors
from adl.diffusion.solver import heun, sample

KEY = jax.random.key(0)
S = 0.5
PRECONDITIONER = preconditioner.karras(S)


class Affine(nn.Module):
    """F(x; noise, label) = a_label x: enough to denoise N(0, s_label^2) at one noise level."""

    num_classes: int = 2

    @nn.compact
    def __call__(self, x, noise, label):
        slope = self.param("slope", nn.initializers.zeros, (self.num_classes + 1,))
        return slope[label][:, None, None, None] * x


class Silent(nn.Module):
    """F = 0: the denoiser of Gaussian data of standard deviation S, exactly."""

    num_classes: int = 2

    @nn.compact
    def __call__(self, x, noise, label):
        return jnp.zeros_like(x)


def test_zero_network_on_gaussian_data_has_unit_loss_at_every_noise_level():
    """var(y - c_skip (y + n)) = c_out^2: the weighted loss is 1 by the derivation of the coefficients."""
    image = S * jax.random.normal(KEY, (6, 100, 100, 1))
    sigma = jnp.asarray([1e-2, 0.1, 0.5, 1.0, 5.0, 50.0])
    denoise = denoiser(Silent(), {}, jnp.zeros(6, int), preconditioner=PRECONDITIONER)
    errors = weighted_errors(jax.random.key(1), denoise, image, sigma, preconditioner=PRECONDITIONER)
    np.testing.assert_allclose(errors, 1, atol=0.06)


def test_exact_gaussian_denoiser_makes_exact_gaussian_samples():
    denoise = denoiser(Silent(), {}, jnp.zeros(4000, int), preconditioner=PRECONDITIONER)
    sigmas = schedule.karras(30, sigma_max=40.0)
    x = sample(KEY, denoise, sigmas[0] * jax.random.normal(KEY, (4000, 2, 2, 1)), sigmas, heun)
    assert abs(x.mean()) < 4 * S / np.sqrt(16_000)
    assert abs(x.std() - S) < 0.01
    np.testing.assert_allclose(np.corrcoef(x.reshape(4000, 4), rowvar=False), np.eye(4), atol=0.07)


def test_learns_the_best_denoiser_of_each_class():
    """Class c is N(0, s_c^2). At sigma = 1 the best D is x s_c^2 / (s_c^2 + 1): a slope in closed form."""
    scales = np.array([0.2, 1.0])
    labels = np.repeat([0, 1], 128)
    tx = optax.chain(optax.adam(0.03), average_params(0.98))
    prepare = labelled(num_classes=2, label_dropout=0.3)
    algorithm = jitted(edm(Affine(), tx, preconditioner=PRECONDITIONER, p_mean=0.0, p_std=1e-6, prepare=prepare))
    rng = np.random.default_rng(0)
    batch = {"image": np.zeros((256, 4, 4, 1), "f"), "label": labels}
    learner = algorithm.init(KEY, batch)
    for step in range(250):
        batch["image"] = (scales[labels][:, None, None, None] * rng.normal(size=(256, 4, 4, 1))).astype("f")
        learner, metrics = algorithm.step(jax.random.fold_in(KEY, step), learner, batch)
    c = PRECONDITIONER(jnp.asarray(1.0))
    mixed = (scales**2).mean()
    variances = np.append(scales**2, mixed)  # without a class, the best linear denoiser of the mixture
    expected = (variances / (variances + 1) - c.skip) / (c.out * c.scale)
    np.testing.assert_allclose(learner.averaged["params"]["slope"], expected, atol=0.05)
    assert metrics["loss"].count == 256


def test_prepare_is_applied_within_the_step():
    ways = labelled(lambda x: x.astype("float32") / 255, num_classes=2), labelled(num_classes=2)
    algorithm, plain = (edm(Affine(), optax.sgd(0.1), preconditioner=PRECONDITIONER, prepare=way) for way in ways)
    image = np.random.default_rng(0).integers(0, 256, (4, 2, 2, 1), dtype="uint8")
    batches = {"image": image, "label": np.zeros(4, int)}, {"image": image.astype("f") / 255, "label": np.zeros(4, int)}
    learners = [a.step(KEY, a.init(KEY, b), b)[0] for a, b in zip((algorithm, plain), batches, strict=True)]
    np.testing.assert_allclose(learners[0].params["slope"], learners[1].params["slope"], rtol=1e-6)


def test_share_of_hidden_labels():
    labels = jnp.zeros(10_000, int)
    hidden = drop_labels(KEY, labels, rate=0.2, num_classes=7)
    assert set(np.unique(hidden)) == {0, 7}
    assert abs((hidden == 7).mean() - 0.2) < 0.016  # four standard errors
    np.testing.assert_array_equal(drop_labels(KEY, labels, rate=0.0, num_classes=7), labels)


def test_hidden_captions_keep_their_first_token_alone():
    token = jnp.tile(jnp.array([[1, 5, 6, 9]]), (10_000, 1))
    batch = {"image": jnp.zeros((10_000, 1, 1, 1)), "token": token}
    _, hidden = captioned(padding=9, caption_dropout=0.2)(KEY, batch)
    is_hidden = (hidden[:, 1] == 9) & (hidden[:, 2] == 9)
    assert abs(is_hidden.mean() - 0.2) < 0.016  # four standard errors
    np.testing.assert_array_equal(hidden, jnp.where(is_hidden[:, None], jnp.array([[1, 9, 9, 9]]), token))
    np.testing.assert_array_equal(captioned(padding=9, caption_dropout=0.0)(KEY, batch)[1], token)


def test_what_is_untold_is_of_the_only_class():
    image = jnp.arange(6.0).reshape(3, 2)
    x, label = untold(lambda x: 2 * x)(KEY, {"image": image, "label": jnp.arange(3)})
    np.testing.assert_array_equal(x, 2 * image)
    np.testing.assert_array_equal(label, [0, 0, 0])
    assert jnp.issubdtype(label.dtype, jnp.integer)
