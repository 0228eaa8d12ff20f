"""Score matching: an energy is learned by its slope, which has no constant, and no chain is run.

    s(x) = -grad E(x),   E_data |s(x) - grad log p(x)|^2 / 2 = E_data [tr(ds/dx) + |s|^2 / 2] + constant

The trace costs a pass a dimension. Sliced score matching takes it along random directions, without bias; denoising
score matching avoids it, for the density of data with Gaussian noise: its score at x + std n is in the mean -n / std.

Sources: Hyvarinen 2005, JMLR 6, eq. 4; sliced: Song et al. 2019, arXiv:1905.07088, eq. 8; denoising: Vincent 2011,
Neural Computation 23(7), eq. 9.
"""

from collections.abc import Callable

import flax.linen as nn
import jax
import jax.numpy as jnp
import optax

from adl.core import Algorithm, Learner, Mean, border, descend, forward
from adl.core.types import Array, Key, PyTree
from adl.prob.volume import exact_trace, trace_along

Objective = Callable[[Key, Callable[[Array], Array], Array], Array]  # (key, score, x [B, ...]) -> [B]


def by_trace(key: Key, score: Callable[[Array], Array], x: Array) -> Array:
    """`[B]` tr(ds/dx) + |s|^2 / 2, by a pass a dimension: what sliced score matching estimates.

    Args:
      key: not looked at.
      score: `x [B, ...] -> [B, ...]`, row by row.
      x: `[B, ...]`.
    """
    value, trace = exact_trace(score, x)
    return trace + jnp.square(value).reshape(len(x), -1).sum(1) / 2


def by_slices(num_slices: int = 1) -> Objective:
    """Of v' (ds/dx) v + |s|^2 / 2, the mean over so many directions v of +-1 in each coordinate.

    Args:
      num_slices: >= 1 of each example.
    Source: Song et al. 2019, arXiv:1905.07088, eq. 8, with Hutchinson's directions of least variance.
    """

    def objective(key, score, x):
        def along(key):
            value, trace = trace_along(score, x, jax.random.rademacher(key, x.shape, x.dtype))
            return trace, jnp.square(value).reshape(len(x), -1).sum(1) / 2

        traces, squares = jax.vmap(along)(jax.random.split(key, num_slices))
        return traces.mean(0) + squares[0]

    return objective


def by_noise(std: float) -> Objective:
    """std^2 |s(x + std n) + n / std|^2 / 2, of one n ~ N(0, I) an example.

    Args:
      std: > 0, of the noise, in units of x: the density that is learned is that of the data so blurred.
    Source: Vincent 2011, Neural Computation 23(7), eq. 9.
    """

    def objective(key, score, x):
        noise = jax.random.normal(key, x.shape, x.dtype)
        return jnp.square(std * score(x + std * noise) + noise).reshape(len(x), -1).sum(1) / 2

    return objective


def score_matching(
    model: nn.Module,
    tx: optax.GradientTransformation,
    *,
    objective: Objective,
    prepare: Callable[[Key, PyTree], Array] = lambda key, batch: batch,
    axis: str | None = None,
) -> Algorithm:
    """Score matching of an energy; state is a `Learner`.

    Metrics, means over the data: "loss", the objective; "slope", |s|. A network that drops units drops the same ones
    all through a step.

    Args:
      model: `x [B, ...] -> E [B]` in nats, with two slopes everywhere: no rectifiers.
      tx: optax transformation.
      objective: `by_trace`, `by_slices(...)` or `by_noise(...)`.
      prepare: `prepare(key, batch) -> x [B, ...]`; what has few levels wants noise: its own density has no score.
      axis: as in `core.descend`.
    """
    prepare = border.prepared(prepare, "float [B, D, ...]")

    def loss(key, params, extras, batch):
        prepare_key, model_key, key = jax.random.split(key, 3)
        x = prepare(prepare_key, batch)

        def score(x):
            return -jax.grad(lambda x: forward(model, model_key, params, extras, x)[0].sum())(x)

        values = objective(key, score, x)
        slopes = jnp.sqrt(jnp.square(score(x)).reshape(len(x), -1).sum(1))
        _, moved = forward(model, model_key, params, extras, x)
        return {"loss": Mean.of(values), "slope": Mean.of(jax.lax.stop_gradient(slopes))}, moved

    def init(key, batch):
        prepare_key, key = jax.random.split(key)
        return Learner.create(model.init(key, prepare(prepare_key, batch)), tx)

    return Algorithm(init, descend(loss, tx, axis))
