"""Densities of the plane, judged exactly: it is small enough to integrate over, and a toy's density is known.

    log p(x) = f(x) - log integral exp(f),   KL(true || model) = E_true [log true(x) - log p(x)]

by the midpoint rule on a square outside of which neither density has any mass, so that f need not be normalised.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array, lax
from jax.tree_util import Partial

from adl.core import Key, Mean, Probe, State
from adl.core.place import on_host
from adl.prob import kernel, neighbours, quadrature

LogDensity = Callable[[State, Array], Array]  # (state, points [N, 2]) -> f [N], up to a constant
CELLS = 240  # along a side
WITHIN = 6.0  # nats below the peak of the true density; beyond, a difference says little
CHUNK = 500  # points at a time, of a density around many centers


def places(limit: float) -> Array:
    """`[CELLS^2, 2]` centers of the cells of the square [-limit, limit]^2, rows along the second coordinate."""
    return quadrature.plane(-limit, limit, CELLS)[0].reshape(-1, 2)


class ToyPoints(NamedTuple):
    """Points of a toy density, and the density itself."""

    train: Array  # [N, 2]
    test: Array  # [M, 2]
    log_test: Array  # [M] log-density at the test points
    log_plane: Array  # [CELLS^2] at `places`


def toy_points(
    draw: Callable[..., tuple[Array, Array]], num_train: int, num_test: int, *, noise: float, limit: float
) -> ToyPoints:
    """Points to learn and other points to test, and how likely these and a square's places are.

    Args:
      draw: as in `truth`.
      num_train: N >= 1.
      num_test: M >= 1.
      noise: > 0, the toy's standard deviation.
      limit: > 0, half a side of the square.
    """
    train, test = (draw(jax.random.key(key), n, noise=noise)[0] for key, n in enumerate((num_train, num_test)))
    return ToyPoints(train, test, truth(draw, test, noise=noise), truth_map(draw, limit, noise=noise))


def truth(draw: Callable[..., tuple[Array, Array]], x: Array, *, noise: float, num_exact: int = 4096) -> Array:
    """`[N]` log-density at `x` `[N, 2]` of a toy of `data.toys` that adds Gaussian noise to exact places.

    Args:
      draw: the toy, `(key, n, *, noise) -> (points, labels)`.
      x: points.
      noise: > 0, the toy's standard deviation.
      num_exact: exact places of whose noise the density is an equal mixture; a curve wants them closer than the noise.
    """

    @on_host
    def density(x):
        return kernel.gaussian_log_prob(x, _exact(draw, num_exact), noise, chunk=CHUNK)

    return density(x)


def truth_map(draw: Callable[..., tuple[Array, Array]], limit: float, *, noise: float, num_exact: int = 4096) -> Array:
    """`[CELLS^2]`, `truth` at `places(limit)`: a grid, whose Gaussians are products of rows and columns.

    In double precision; -inf farther from all exact places than 38 deviations, where the density is below 1e-308.

    Args:
      draw: as all that follow, as in `truth`.
      limit: > 0, half a side of the square.
      noise: the toy's standard deviation.
      num_exact: exact places.
    """
    exact = np.asarray(on_host(lambda: _exact(draw, num_exact))(), float)
    line = np.asarray(places(limit)[:CELLS, 0], float)
    across, down = (np.exp(-np.square((line[:, None] - at) / noise) / 2) for at in exact.T)
    with np.errstate(divide="ignore"):
        found = np.log(down @ across.T) - np.log(2 * np.pi * num_exact) - 2 * np.log(noise)
    return jnp.asarray(found.reshape(-1), jnp.float32)


def likelihood(log_density: LogDensity, x: Array, log_true: Array, *, limit: float) -> Probe:
    """Probe of the exact test likelihood, in nats a point.

    Args:
      log_density: f.
      x: `[N, 2]` points of the true density.
      log_true: `[N]`, its logarithm at these.
      limit: > 0, half a side of the square that is integrated over.
    Returns:
      `probe(key, state)`: `nll`, -log p; `entropy`, -log true, which it cannot pass; `kl`, by how much it fails to.
    """

    def probe(columns, key: Key, state: State) -> dict[str, Mean]:
        x, log_true = columns
        log_model = log_density(state, x) - normaliser(log_density, state, limit)
        return {"nll": Mean.of(-log_model), "kl": Mean.of(log_true - log_model), "entropy": Mean.of(-log_true)}

    return Partial(probe, (x, log_true))


def density_map(
    log_density: LogDensity, log_true: Array, *, limit: float, points: Callable[[State], Array], num_points: int = 500
) -> Probe:
    """Probe of what the density looks like.

    Args:
      log_density: f.
      log_true: `[CELLS^2]`, the true one's logarithm at `places(limit)`.
      limit: as in `likelihood`.
      points: of a state, `[M, 2]` of its density: chains, samples.
      num_points: of these, that are returned.
    Returns:
      `probe(key, state)`: densities `true` and `learned` `[CELLS, CELLS]`, `log_ratio` of the learned over the true
      one, nan where the latter is below exp(-WITHIN) of its peak; and `points` `[num_points, 2]`.
    """

    def probe(log_true, key: Key, state: State) -> dict[str, Array]:
        log_model = log_density(state, places(limit)) - normaliser(log_density, state, limit)
        ratio = jnp.where(log_true > log_true.max() - WITHIN, log_model - log_true, jnp.nan)
        maps = {"true": jnp.exp(log_true), "learned": jnp.exp(log_model), "log_ratio": ratio}
        shown = {name: values.reshape(CELLS, CELLS) for name, values in maps.items()}
        return {**shown, "points": points(state)[:num_points]}

    return Partial(probe, log_true)


def kernel_density(centers: Array, x: Array, log_true: Array, *, bandwidths: Sequence[float]) -> Probe:
    """Probe of the baseline: Gaussians around the training points, of the bandwidth that is best on the test points.

    Args:
      centers: `[M, 2]` training points.
      x: as in `likelihood`.
      log_true: as in `likelihood`.
      bandwidths: that are tried, > 0.
    Returns:
      `probe(key, state)`: `nll` and `kl` as in `likelihood`; the state is not looked at.
    """

    def probe(columns, key: Key, state: State) -> dict[str, Mean]:
        centers, x, log_true = columns

        def under(width: Array) -> Array:
            return kernel.gaussian_log_prob(x, centers, width, chunk=CHUNK)

        found = lax.map(under, jnp.asarray(bandwidths, x.dtype))
        best = found[found.mean(1).argmax()]
        return {"nll": Mean.of(-best), "kl": Mean.of(log_true - best)}

    return Partial(probe, (centers, x, log_true))


def normaliser(log_density: LogDensity, state: State, limit: float) -> Array:
    """`[]` log of the integral of exp(f) over the square [-limit, limit]^2."""
    return quadrature.log_integral(log_density(state, places(limit)), (2 * limit / CELLS) ** 2)


def energy_distance(x: Array, y: Array) -> Array:
    """`[]` how far two samples lie apart: 2 E|x - y| - E|x - x'| - E|y - y'|, 0 only of one distribution.

    Without the pairs of a point with itself, it is unbiased: about 0, and as often below, of one distribution.

    Args:
      x: `[N, D]`, N >= 2.
      y: `[M, D]`, M >= 2.
    Source: Szekely & Rizzo 2013, J. Stat. Plan. Inference 143, eq. 5.
    """

    def apart(x, y):
        squares = neighbours.squared_distances(x, y)
        positive = squares > 0  # the root has no slope at 0
        return jnp.where(positive, jnp.sqrt(jnp.where(positive, squares, 1)), squares).sum()

    num_x, num_y = len(x), len(y)
    own = apart(x, x) / (num_x * (num_x - 1)) + apart(y, y) / (num_y * (num_y - 1))
    return 2 * apart(x, y) / (num_x * num_y) - own


def _exact(draw: Callable[..., tuple[Array, Array]], num: int) -> Array:
    return draw(jax.random.key(2), num, noise=0.0)[0]
