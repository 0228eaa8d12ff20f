"""Gradients of an expectation E_{z ~ q} f(z) by the parameters of q, from draws of z.

An estimator is `(key, f, parameters) -> []`, whose value is f at a draw or near it, and whose gradient estimates that
of the expectation: `jax.grad` of it is what a training step uses. Discrete latents are N one-hot rows `[N, K]`.

    score function      (f(z) - b) d log q(z)       without bias, of any f; b must not depend on z
    reparameterised     d f(z(e))                   without bias, of a differentiable f and continuous z
    straight through    d f(z) d p                  biased: a draw forward, its probabilities backward
    Gumbel-softmax      d f(softmax((l + g) / t))   biased, less so and noisier as the temperature t falls

Sources: Williams 1992, Machine Learning 8, section 3; Kool et al. 2019 (ICLR workshop), eq. 8, of several draws that
are baselines of each other; Kingma & Welling 2014, arXiv:1312.6114, section 2.4; Bengio et al. 2013, arXiv:1308.3432,
section 4; Jang et al. 2017, arXiv:1611.01144, eq. 2.
"""

import functools
import itertools
from collections.abc import Callable, Sequence
from typing import NamedTuple

import chex
import jax
import jax.numpy as jnp
import numpy as np
from jax import Array, lax
from jax.flatten_util import ravel_pytree

from adl.autoencoder.latents import DiagonalNormal
from adl.core.types import Key, PyTree
from adl.prob.special import safe_product

Function = Callable[[Array], Array]  # z -> []
Estimator = Callable[[Key, Function, PyTree], Array]  # (key, f, parameters of q) -> []
MOST = 2**16  # values of all latents together that are summed over


def enumerated(f: Function, logits: Array) -> Array:
    """`[]` E f(z) exactly, over all K^N values of N one-hot rows.

    Args:
      f: of `[N, K]`.
      logits: `[N, K]` log-odds of each row.
    Raises:
      AssertionError: at trace time, for more than `MOST` values.
    """
    chex.assert_rank(logits, 2)
    num, size = logits.shape
    assert size**num <= MOST, f"{size}^{num} values are too many to sum over: at most {MOST}"
    values = jnp.asarray(np.eye(size, dtype=np.float32)[list(itertools.product(range(size), repeat=num))])
    log_prob = safe_product(values, jax.nn.log_softmax(logits)[None]).sum((1, 2))
    return (jnp.exp(log_prob) * jax.vmap(f)(values)).sum()


def score_function(key: Key, f: Function, logits: Array, *, baseline: float = 0.0) -> Array:
    """`[]` f at one draw, with the gradient (f(z) - baseline) d log q(z)."""
    z = drawn_rows(key, logits)
    value = f(z)
    return _with_score(value, lax.stop_gradient(value) - baseline, _log_prob(z, logits))


def score_leave_one_out(key: Key, f: Function, logits: Array, *, num_samples: int) -> Array:
    """`[]` mean of f over draws, each of which has the mean of the others for its baseline.

    Args:
      key: consumed.
      f: as in `enumerated`.
      logits: `[N, K]`.
      num_samples: S >= 2.
    """
    if num_samples < 2:
        raise ValueError(f"num_samples {num_samples}: a draw needs another one as its baseline")
    z = jax.vmap(lambda key: drawn_rows(key, logits))(jax.random.split(key, num_samples))
    values = jax.vmap(f)(z)
    fixed = lax.stop_gradient(values)
    others = (fixed.sum() - fixed) / (num_samples - 1)
    return _with_score(values, fixed - others, jax.vmap(lambda z: _log_prob(z, logits))(z)).mean()


def straight_through(key: Key, f: Function, logits: Array) -> Array:
    """`[]` f at one draw, with the gradient of f taken for that by the probabilities."""
    p = jax.nn.softmax(logits)
    return f(p + lax.stop_gradient(drawn_rows(key, logits) - p))


def gumbel_softmax(key: Key, f: Function, logits: Array, *, temperature: float) -> Array:
    """`[]` f at a draw that is relaxed to the inside of the simplex, exactly differentiated.

    Args:
      key: consumed.
      f: of rows that need not be one-hot.
      logits: `[N, K]`.
      temperature: t > 0; towards 0 the rows become one-hot.
    """
    return f(_relaxed(key, logits, temperature))


def gumbel_straight_through(key: Key, f: Function, logits: Array, *, temperature: float) -> Array:
    """`[]` f at one draw, with the gradient of the relaxed one that has the same noise."""
    soft = _relaxed(key, logits, temperature)
    hard = jax.nn.one_hot(soft.argmax(-1), logits.shape[-1])
    return f(soft + lax.stop_gradient(hard - soft))


def reparameterised(key: Key, f: Function, q: DiagonalNormal) -> Array:
    """`[]` f at a draw of q, which moves with the parameters of q."""
    return f(q.sample(key))


def gaussian_score(key: Key, f: Function, q: DiagonalNormal, *, baseline: float = 0.0) -> Array:
    """`[]` f at a draw of q, with the gradient (f(z) - baseline) d log q(z)."""
    z = lax.stop_gradient(q.sample(key))
    value = f(z)
    return _with_score(value, lax.stop_gradient(value) - baseline, q.log_prob(z).sum())


def of_rows(temperatures: Sequence[float], mean: Array | float = 0.0) -> dict[str, Estimator]:
    """Estimators for one-hot rows by name.

    Args:
      temperatures: > 0, of the relaxed draws.
      mean: E f, or near it: the baseline of the score function.
    """
    return {
        "score": score_function,
        "score_baseline": functools.partial(score_function, baseline=mean),
        "score_4_draws": functools.partial(score_leave_one_out, num_samples=4),
        "straight_through": straight_through,
        **{f"gumbel_{t:g}": functools.partial(gumbel_softmax, temperature=t) for t in temperatures},
    }


def of_gaussians(mean: Array | float = 0.0) -> dict[str, Estimator]:
    """Estimators for a `DiagonalNormal` by name; `mean` as in `of_rows`."""
    return {
        "gaussian_score": gaussian_score,
        "gaussian_score_baseline": functools.partial(gaussian_score, baseline=mean),
        "reparameterised": reparameterised,
    }


class Judged(NamedTuple):
    """How far the gradients of an estimator lie from the exact one, `[]` each, in its squared units."""

    exact: Array  # |g|^2
    bias: Array  # |mean - g|^2, less the share of it that the noise of the mean has; near 0 it may be negative
    variance: Array  # sum over coordinates
    error: Array  # mean |draw - g|^2 = bias + variance, up to the noise of the mean


def judged_gradient(
    key: Key, estimator: Estimator, f: Function, parameters: PyTree, exact: PyTree, *, num: int
) -> Judged:
    """What an estimator's gradient is worth.

    Args:
      key: consumed.
      estimator: of the gradient by `parameters`.
      f: what is averaged.
      parameters: of q.
      exact: the gradient, a tree as `parameters`.
      num: draws >= 2.
    """
    slope = jax.grad(lambda parameters, key: estimator(key, f, parameters))
    drawn = jax.vmap(lambda key: ravel_pytree(slope(parameters, key))[0])(jax.random.split(key, num))
    away = drawn - ravel_pytree(exact)[0][None]
    mean = away.mean(0)
    variance = jnp.square(away - mean[None]).sum() / (num - 1)
    square = sum(jnp.square(leaf).sum() for leaf in jax.tree.leaves(exact))
    return Judged(square, jnp.square(mean).sum() - variance / num, variance, jnp.square(away).sum(1).mean())


def drawn_rows(key: Key, logits: Array) -> Array:
    """`[N, K]` one-hot rows of logits `[N, K]`."""
    return jax.nn.one_hot(jax.random.categorical(key, logits), logits.shape[-1])


def _relaxed(key: Key, logits: Array, temperature: float) -> Array:
    return jax.nn.softmax((logits + jax.random.gumbel(key, logits.shape)) / temperature)


def _log_prob(z: Array, logits: Array) -> Array:
    return safe_product(z, jax.nn.log_softmax(logits)).sum()


def _with_score(value: Array, gain: Array, log_prob: Array) -> Array:
    """`value`, with the gradient of `gain * log_prob` beside its own."""
    return value + lax.stop_gradient(gain) * (log_prob - lax.stop_gradient(log_prob))
