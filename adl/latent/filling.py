"""How well holes are filled: numbers are hidden at random, in rows to learn from and in rows to test."""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import Array, lax
from jax.tree_util import Partial

from adl.core import Algorithm, Key, Mean, Probe, State, by_random_batches, until_still
from adl.latent import holes
from adl.prob.distributions import normal_log_prob

SIMPLE = ("mean", "neighbours")  # that need no model
ROWS = 64  # at a time, of which what a model says of them is held


class Filler(NamedTuple):
    """A model that learns from rows with holes `x [N, D]`, `seen [N, D]`, and fills those of others."""

    learn: Callable[[Key, Array, Array], State]  # (key, x, seen) -> what it has learned
    fill: Callable[[Key, State, Array, Array], Array]  # (key, learned, x, seen) -> rows without holes, [M, D]
    log_prob: Callable[[Key, State, Array, Array], Array] | None = None  # the same -> log p(hidden | seen), [M] nats


def by_em(algorithm: Algorithm, *, max_steps: int) -> Filler:
    """A mixture with holes, by EM until nothing moves.

    Args:
      algorithm: `holes.mixture_with_holes`.
      max_steps: of EM, at most.
    """
    learned = until_still(algorithm, max_steps=max_steps)
    return Filler(
        lambda key, x, seen: learned(key, {"x": x, "seen": seen})[0],
        lambda key, *of: holes.fill_holes(*of),
        lambda key, *of: holes.hidden_log_prob(*of),
    )


def by_descent(
    algorithm: Algorithm,
    fill: Callable[[Key, State, Array, Array], Array],
    log_prob: Callable[[Key, State, Array, Array], Array] | None = None,
    *,
    num_steps: int,
    batch_size: int,
) -> Filler:
    """A network, by so many steps on rows drawn anew for each; others are filled `ROWS` at a time.

    Args:
      algorithm: of batches `{"x": [B, D], "seen": [B, D]}`.
      fill: as of `Filler`.
      log_prob: as of `Filler`.
      num_steps: >= 1.
      batch_size: B >= 1.
    """
    learn = by_random_batches(algorithm, num_steps=num_steps, batch_size=batch_size)

    def in_parts(of):
        def rows(key, state, x, seen):
            def one(own):
                key, x, seen = own
                return of(key, state, x[None], seen[None])[0]

            return lax.map(one, (jax.random.split(key, len(x)), x, seen), batch_size=ROWS)

        return rows

    return Filler(
        lambda key, x, seen: learn(key, {"x": x, "seen": seen}), in_parts(fill), log_prob and in_parts(log_prob)
    )


def hidden_and_filled(
    models: Mapping[str, Filler],
    known: Array,
    x: Array,
    *,
    shares: Sequence[float],
    num_neighbours: int,
    ridge: float,
) -> Probe:
    """Probe: errors of `SIMPLE` and of the models, and how likely the mean and the models find what is hidden.

    Of the mean it is the likelihood of columns that know nothing of each other, each a Gaussian of what is seen of it;
    neighbours have none, and so have models without `log_prob`.

    Args:
      models: by name.
      known: `[N, D]` rows to learn from.
      x: `[M, D]` rows to test.
      shares: S of the numbers that are hidden, in (0, 1).
      num_neighbours: >= 1, as in `holes.neighbours_filled`.
      ridge: > 0, added to the variances by which the mean has a likelihood, in squared units of x.
    Returns:
      `[S]` by name, "gaussian_rmse" of hidden numbers of the test rows, in units of x, and "gaussian_nats", the mean of
      log p(hidden | seen) over their number; and each alone, "gaussian_rmse_0.1".
    """

    def at_share(key, known, x, share):
        known_key, test_key, key = jax.random.split(key, 3)
        seen = jax.random.bernoulli(known_key, 1 - share, known.shape).astype(float)
        shown = jax.random.bernoulli(test_key, 1 - share, x.shape).astype(float)
        rows = (known, seen, x, shown)
        filled = {"mean": holes.mean_filled(*rows), "neighbours": holes.neighbours_filled(*rows, k=num_neighbours)}
        count, (mean, variance) = (1 - shown).sum(), holes.seen_moments(known, seen)
        alone = normal_log_prob(x, mean[None], 0.5 * jnp.log(variance + ridge)[None])
        nats = {"mean": (alone * (1 - shown)).sum() / count}
        for (name, model), own in zip(models.items(), jax.random.split(key, len(models)), strict=True):
            learn_key, fill_key, prob_key = jax.random.split(own, 3)
            learned = model.learn(learn_key, known, seen)
            filled[name] = model.fill(fill_key, learned, x, shown)
            if model.log_prob:
                nats[name] = model.log_prob(prob_key, learned, x, shown).sum() / count
        rmse = {n: jnp.sqrt((jnp.square(of - x) * (1 - shown)).sum() / count) for n, of in filled.items()}
        return {"rmse": rmse, "nats": nats}

    def probe(carried, key: Key, state: State) -> dict[str, Mean | Array]:
        known, x = map(jnp.asarray, carried)
        told = lax.map(lambda share: at_share(key, known, x, share), jnp.array(shares))
        each = {f"{name}_{what}": values for what, of in told.items() for name, values in of.items()}
        single = {f"{name}_{share:g}": Mean.of(of[i]) for name, of in each.items() for i, share in enumerate(shares)}
        return {**each, **single}

    return Partial(probe, (known, x))
