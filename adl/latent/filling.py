"""How well holes are filled: numbers are hidden at random, in rows to learn from and in rows to test."""

from collections.abc import Mapping, Sequence

import jax
import jax.numpy as jnp
from jax import Array, lax
from jax.tree_util import Partial

from adl.core import Algorithm, Key, Mean, Probe, State, until_still
from adl.latent import holes
from adl.prob.distributions import normal_log_prob

SIMPLE = ("mean", "neighbours")  # that need no model


def hidden_and_filled(
    models: Mapping[str, Algorithm],
    known: Array,
    x: Array,
    *,
    shares: Sequence[float],
    num_neighbours: int,
    steps: int,
    ridge: float,
) -> Probe:
    """Probe: errors of `SIMPLE` and of the models, and how likely the mean and the models find what is hidden.

    Of the mean it is the likelihood of columns that know nothing of each other, each a Gaussian of what is seen of it;
    neighbours have none.

    Args:
      models: by name, `holes.mixture_with_holes`.
      known: `[N, D]` rows to learn from.
      x: `[M, D]` rows to test.
      shares: S of the numbers that are hidden, in (0, 1).
      num_neighbours: >= 1, as in `holes.neighbours_filled`.
      steps: of EM, at most.
      ridge: > 0, added to the variances by which the mean has a likelihood, in squared units of x.
    Returns:
      `[S]` by name, "gaussian_rmse" of hidden numbers of the test rows, in units of x, and "gaussian_nats", the mean of
      log p(hidden | seen) over their number; and each alone, "gaussian_rmse_0.1".
    """

    def at_share(key, known, x, share):
        learn_key, test_key, key = jax.random.split(key, 3)
        seen = jax.random.bernoulli(learn_key, 1 - share, known.shape).astype(float)
        shown = jax.random.bernoulli(test_key, 1 - share, x.shape).astype(float)
        rows = (known, seen, x, shown)
        filled = {"mean": holes.mean_filled(*rows), "neighbours": holes.neighbours_filled(*rows, k=num_neighbours)}
        count, (mean, variance) = (1 - shown).sum(), holes.seen_moments(known, seen)
        alone = normal_log_prob(x, mean[None], 0.5 * jnp.log(variance + ridge)[None])
        nats = {"mean": (alone * (1 - shown)).sum() / count}
        for name, algorithm in models.items():
            model, _ = until_still(algorithm, max_steps=steps)(key, {"x": known, "seen": seen})
            filled[name] = holes.fill_holes(model, x, shown)
            nats[name] = holes.hidden_log_prob(model, x, shown).sum() / count
        rmse = {n: jnp.sqrt((jnp.square(of - x) * (1 - shown)).sum() / count) for n, of in filled.items()}
        return {"rmse": rmse, "nats": nats}

    def probe(carried, key: Key, state: State) -> dict[str, Mean | Array]:
        known, x = map(jnp.asarray, carried)
        told = lax.map(lambda share: at_share(key, known, x, share), jnp.array(shares))
        each = {f"{name}_{what}": values for what, of in told.items() for name, values in of.items()}
        single = {f"{name}_{share:g}": Mean.of(of[i]) for name, of in each.items() for i, share in enumerate(shares)}
        return {**each, **single}

    return Partial(probe, (known, x))
