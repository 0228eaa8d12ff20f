"""What every generative model of pictures is compared with: one Gaussian, probabilistic PCA, a mixture of Gaussians.

They are densities of pictures whose L grey levels are spread over their width, x = (level + u) / L in [0, 1)^D with
u ~ U[0, 1), as `data.image.dequantised` makes them. Nothing need be drawn to fit one: the spreading adds 1 / (12 L^2)
to each variance. So log p(x) - D log L is, in expectation over u, a bound below the log-probability of the levels, as
that of any model of dequantised pictures; and no covariance is singular, though pixels at the border never change.
Source: Theis et al. 2016, arXiv:1511.01844, section 3.1.
"""

from collections.abc import Mapping
from typing import Protocol

import jax
import jax.numpy as jnp
import numpy as np

from adl import data
from adl.core import BadInput, probe, until_still
from adl.core.types import Array, Key, Probe
from adl.latent import factors, mixture
from adl.measure import rate
from adl.measure.pictures import random_features
from adl.measure.side_by_side import judged_together
from adl.prob import moments
from adl.prob.gaussian import MultivariateNormal
from adl.prob.mixture import Mixture
from adl.prob.product import matmul

LARGEST = 4096  # numbers a picture, of which a covariance is still formed
RIDGES = (1.0, 4.0, 16.0, 64.0)  # that are tried of the mixture, in units of the variance of the spreading
STEPS = 50  # of EM
NAMES = ("gaussian", "ppca", "mixture")


class Density(Protocol):
    """A distribution of pictures as rows `[D]`."""

    def log_prob(self, x: Array) -> Array:
        """`[]` nats."""

    def sample(self, key: Key, shape: tuple[int, ...] = ()) -> Array:
        """`[*shape, D]`."""


def picture_densities(
    image: np.ndarray, *, levels: int, num_factors: int = 16, num_components: int = 10, seed: int = 0
) -> dict[str, Density]:
    """The three of them by name, "gaussian", "ppca" and "mixture", fitted by maximum likelihood.

    The ridge of the mixture's covariances, without which components of many pixels hold few pictures, is that of
    `RIDGES` under which a fifth of the pictures, left out, is likeliest.

    Args:
      image: `[N, H, W, C]` uint8, N >= 2, to learn from.
      levels: L >= 2 of grey, as `data.image.num_levels` counts them.
      num_factors: Z of PPCA, >= 1; D - 1, where that is less.
      num_components: K of the mixture, >= 1; 4 N / 5, where that is less.
      seed: of where the mixture begins.
    Raises:
      BadInput: for a single picture, pictures all alike, or more than `LARGEST` numbers a picture.
    """
    x = middles(image, levels=levels)
    size = {"levels": levels, "num_factors": min(num_factors, x.shape[1] - 1)}
    size["num_components"] = min(num_components, max(1, 4 * len(x) // 5))
    is_out = np.arange(len(x)) % 5 == 4

    def fitted(key, x):
        def left_out(ridge):
            found = weighted_densities(key, x, jnp.asarray(~is_out, float), ridge=ridge, **size)["mixture"]
            return jax.vmap(found.log_prob)(x[is_out]).mean()

        likely = jax.lax.map(left_out, jnp.array(RIDGES)) if is_out.any() else jnp.zeros(1)
        ridge = jnp.array(RIDGES)[jnp.argmax(jnp.where(jnp.isnan(likely), -jnp.inf, likely))]
        return weighted_densities(key, x, jnp.ones(len(x)), ridge=ridge, **size)

    found = probe.jitted(fitted)(jax.random.key(seed), x)  # one program: of operations alone there would be hundreds
    return {name: found[name] for name in NAMES}  # programs sort names


def middles(image: np.ndarray, *, levels: int, learned: bool = True) -> Array:
    """`[N, D]` the middles of grey levels spread over [0, 1)^D, of pictures from which densities can be learned.

    Args:
      image: as in `picture_densities`.
      levels: L >= 2 of grey.
      learned: whether densities are to be learned from them, and not only judged.
    Raises:
      BadInput: as `picture_densities`.
    """
    dim = int(np.prod(image.shape[1:]))
    if dim > LARGEST:
        raise BadInput(f"pictures of {dim} numbers: a covariance is formed of {LARGEST} at most; make them smaller")
    if learned and (len(image) < 2 or dim < 2 or (image == image[:1]).all()):
        raise BadInput(f"{len(image)} pictures of {dim} numbers that are all alike: two or more that differ are wanted")
    return (jnp.round(data.image.unit(jnp.asarray(image)) * (levels - 1)).reshape(len(image), -1) + 0.5) / levels


def weighted_densities(
    key: Key, x: Array, weight: Array, *, levels: int, num_factors: int, num_components: int, ridge: Array | float
) -> dict[str, Density]:
    """The same of weighted pictures, in a program: the densities of several sets of them stack.

    Args:
      key: consumed, by where the mixture begins.
      x: `[N, D]` of `middles`.
      weight: `[N]` >= 0, of each.
      levels: L >= 2 of grey.
      num_factors: Z in [1, D - 1].
      num_components: K >= 1.
      ridge: `[]` >= 1, of the mixture's variances, in units of the variance of the spreading.
    """
    spread = 1 / (12 * levels**2)
    of = moments.of(x, weight)
    covariance = of.covariance() + spread * jnp.eye(x.shape[1])
    em = mixture.gaussian_mixture(num_components, reg_covar=spread * ridge)
    found, _ = until_still(em, max_steps=STEPS)(key, {"x": x, "mask": weight})
    return {
        "gaussian": MultivariateNormal(of.mean, covariance),
        "ppca": factors.ppca(of.mean, covariance, num_factors),
        "mixture": Mixture(jnp.log(found.weights), MultivariateNormal(found.means, found.covariances)),
    }


def principal_pictures(image: np.ndarray, *, levels: int, num_factors: int) -> factors.Factors:
    """Probabilistic PCA alone, of pictures of any size: where they are fewer than numbers in one, by inner products.

    Args:
      image: `[N, H, W, C]` uint8, N >= 2, to learn from.
      levels: L >= 2 of grey.
      num_factors: Z >= 1; N - 1 or D - 1, where these are less.
    Raises:
      BadInput: for a single picture, or pictures all alike.
    Source: Bishop 2006, section 12.1.4, of PCA in closed form as `factors.ppca`.
    """
    if len(image) < 2 or (image == image[:1]).all():
        raise BadInput(f"{len(image)} pictures that are all alike: two or more that differ are wanted")
    x = ((image.reshape(len(image), -1) * np.float32((levels - 1) / 255)).round() + np.float32(0.5)) / levels
    mean, dim = x.mean(0, dtype=np.float64).astype(np.float32), x.shape[1]
    x, spread = jnp.asarray(x - mean), 1 / (12 * levels**2)
    num_factors = min(num_factors, len(x) - 1, dim - 1)
    if len(x) >= dim:
        covariance = matmul(x.T, x) / len(x) + spread * jnp.eye(dim)
        return factors.ppca(jnp.asarray(mean), covariance, num_factors)
    values, vectors = jnp.linalg.eigh(matmul(x, x.T) / len(x))
    values, vectors = values[::-1][:num_factors], vectors[:, ::-1][:, :num_factors]
    noise = jnp.maximum(jnp.square(x).sum() / len(x) - values.sum(), 0) / (dim - num_factors)
    axes = matmul(x.T, vectors)
    # Where pictures are the same there are fewer directions than asked for: one of length 0 stays that.
    axes = axes / jnp.maximum(jnp.linalg.norm(axes, axis=0, keepdims=True), jnp.finfo(axes.dtype).tiny)
    scale = jnp.sqrt(jnp.maximum(values - noise, 0))
    return factors.Factors(jnp.asarray(mean), axes * scale[None], jnp.full(dim, noise + spread))


def beside_principal(
    train: data.Split, reference: data.Split, test: data.Split, *, num_factors: int, num_shown: int
) -> Probe:
    """Probe: samples of probabilistic PCA, "ppca", and test pictures, "test", as `side_by_side.judged_together` says.

    Args:
      train: "image" `[M, H, W, C]` uint8, to fit to.
      reference: "image" `[N, H, W, C]`, to judge by.
      test: "image" `[N, H, W, C]`, which no model need surpass.
      num_factors: as in `principal_pictures`.
      num_shown: pictures of each that are shown.
    """
    image = reference.column("image")
    ppca = principal_pictures(train.column("image"), levels=256, num_factors=num_factors)
    drawn = drawn_pictures(jax.random.key(0), ppca, len(image), image, levels=256)
    rows = {"ppca": np.asarray(drawn), "test": test.column("image") / np.float32(255)}
    known = data.Split({"image": image, "label": np.zeros(len(image), np.int32)})
    features = {"random": random_features(image.shape[1:])}
    return judged_together(rows, known, train, features=features, num_shown=num_shown)


def log_levels(density: Density, image: np.ndarray, *, levels: int, seed: int = 0) -> Array:
    """`[N]` nats: log p(x) - D log L of pictures, their levels spread by one draw each.

    Args:
      density: of rows `[D]` in [0, 1)^D.
      image: `[N, H, W, C]` uint8.
      levels: L >= 2 of grey.
      seed: of the draws.
    """
    x = data.image.dequantised(jax.random.key(seed), jnp.asarray(image), levels=levels).reshape(len(image), -1)
    return jax.lax.map(density.log_prob, x, batch_size=256) - x.shape[1] * jnp.log(levels)


def drawn_pictures(key: Key, density: Density, num: int, image: np.ndarray, *, levels: int) -> Array:
    """`[num, H, W, C]` pictures of the levels l / (L - 1), each the one over whose width, [l, l + 1) / L, a draw lies.

    Args:
      key: consumed.
      density: of rows `[D]` in [0, 1)^D.
      num: of pictures.
      image: `[..., H, W, C]`, of the shape of which they are.
      levels: L >= 2 of grey.
    """
    level = jnp.clip(jnp.floor(density.sample(key, (num,)) * levels), 0, levels - 1)
    return level.reshape(num, *image.shape[-3:]) / (levels - 1)


def bits_of(densities: Mapping[str, Density], image: np.ndarray, *, levels: int) -> dict[str, Array]:
    """`[]` mean bits a dimension of pictures by each density, of `levels`: as in `measure.rate.bits`.

    Args:
      densities: by name.
      image: `[N, H, W, C]` uint8, to test.
      levels: L >= 2 of grey.
    """
    dim = int(np.prod(image.shape[1:]))

    def mean_bits(densities, image):
        nats = {name: log_levels(density, image, levels=levels) for name, density in densities.items()}
        return {name: rate.bits(each, num_dims=dim, levels=levels)["bits"].value for name, each in nats.items()}

    found = probe.jitted(mean_bits)(dict(densities), image)
    return {name: found[name] for name in densities}
