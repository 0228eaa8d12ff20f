"""Mixtures of any one kind of distribution: p(x) = sum_k pi_k p_k(x)."""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from adl.core import tree
from adl.core.types import Array, Key, PyTree
from adl.prob.continuous import Normal
from adl.prob.distributions import log_shares
from adl.prob.special import safe_product


class Mixture(NamedTuple):
    """K components, stacked along the first axis of each of their parameters."""

    logits: Array  # [K] of the weights, up to a constant
    components: PyTree  # a distribution whose parameters are [K, ...]

    def log_prob(self, x: Array) -> Array:
        """`[]`, or `[...]` elementwise where the components are of numbers."""
        return jax.nn.logsumexp(self._log_joint(x), 0)

    def cdf(self, x: Array) -> Array:
        """`[...]` P(X <= x), where the components are of numbers."""
        below = jax.vmap(lambda component: component.cdf(x))(self.components)
        return jnp.tensordot(jnp.exp(log_shares(self.logits)), below, 1)

    def sample(self, key: Key, shape: tuple[int, ...] = ()) -> Array:
        """`[*shape, ...]` draws; differentiable in the components, not in the weights."""
        which_key, key = jax.random.split(key)
        which = jax.random.categorical(which_key, log_shares(self.logits), shape=shape)
        keys = jax.random.split(key, which.size)
        draws = jax.vmap(lambda key, k: tree.take(self.components, k).sample(key))(keys, which.ravel())
        return draws.reshape(*shape, *draws.shape[1:])

    def mean(self) -> Array:
        """`[...]`: the mean of the components' means."""
        return self._average(_each(self.components, "mean"))

    def variance(self) -> Array:
        """`[...]`: the mean of the components' variances, and the variance of their means."""
        means = _each(self.components, "mean")
        return self._average(_each(self.components, "variance") + jnp.square(means - self.mean()[None]))

    def posterior(self, x: Array) -> Array:
        """p(k | x) `[K]`, or `[K, ...]`: how much each component answers for x."""
        return jax.nn.softmax(self._log_joint(x), 0)

    def _log_joint(self, x: Array) -> Array:
        log_p = jax.vmap(lambda component: component.log_prob(x))(self.components)
        return log_p + log_shares(self.logits).reshape(-1, *(1,) * (log_p.ndim - 1))

    def _average(self, values: Array) -> Array:
        weights = jnp.exp(log_shares(self.logits)).reshape(-1, *(1,) * (values.ndim - 1))
        return safe_product(weights, values).sum(0)


def claw() -> Mixture:
    """Half a standard normal, and five narrow ones of standard deviation 0.1 on top, at -1, -0.5, 0, 0.5 and 1.

    Source: Marron & Wand 1992, Annals of Statistics 20(2), table 1, number 10.
    """
    weights, scales = jnp.array([0.5] + 5 * [0.1]), jnp.array([1.0] + 5 * [0.1])
    return Mixture(jnp.log(weights), Normal(jnp.array([0.0, -1, -0.5, 0, 0.5, 1]), scales))


def _each(components: PyTree, moment: str) -> Array:
    return jax.vmap(lambda component: getattr(component, moment)())(components)
