"""What an ensemble is judged by: its scores beside its members', and its answers to pictures that it has not seen.

The state is a `Learner` whose leaves have a leading axis `[M]`: the members, side by side (`core.ensemble`).
"""

import itertools
import math
from collections.abc import Callable, Sequence

import jax
import jax.numpy as jnp
import numpy as np
from flax import linen as nn
from jax import Array
from jax.tree_util import Partial

from adl import data
from adl.core import Key, Learner, Mean, Probe, full_pass
from adl.measure import calibration
from adl.measure.ranks import rank_correlation
from adl.prob.labels import is_correct
from adl.uncertainty.ensemble import disagreement, mixture_log_prob, uncertainty

SUBSETS = 60  # of the members, at most, for each size
SIGNS = {"accuracy": 1, "nll": -1, "brier": -1, "ece": -1}  # which way each score is better


def answers(model: nn.Module, split: data.Split, views: Callable[[Array], Array]) -> Probe:
    """Probe: `logits` `[N, M, A, K]` of all members for A views of each picture of a split.

    Args:
      model: of a member, `[B, ...] -> [B, K]`.
      split: "image" `[N, ...]` among its columns.
      views: `[B, ...]` bytes to `[A, B, ...]` what the model sees.
    """

    def measure(key: Key, learner: Learner, batch) -> dict[str, Array]:
        seen = views(batch["image"])
        each = jax.vmap(lambda variables: model.apply(variables, merged(seen)))(learner.variables)
        logits = each.astype(jnp.float32).reshape(len(each), *seen.shape[:2], -1)
        return {"logits": jnp.moveaxis(logits, 2, 0)}

    return full_pass(measure, data.padded(split.require("image"), 500), len(split))


def mixture_of(model: nn.Module, encode: Callable[[Array], Array]) -> Callable[[Key, Learner, Array], Array]:
    """`(key, learner, pictures [B, ...]) -> [B, K]`, log-probabilities of the members' mixture.

    Args:
      model: of a member.
      encode: from pictures to what it sees.
    """

    def say(key: Key, learner: Learner, image: Array) -> Array:
        return mixture_log_prob(jax.vmap(lambda variables: model.apply(variables, encode(image)))(learner.variables))

    return say


def scores(seen: Probe, label: Array) -> Probe:
    """Probe: what is `compared` of the first of the views, the members' `disagreement`, and their `forecasts`.

    Args:
      seen: from `answers`.
      label: `[N]` integers in 0 ... K - 1.
    """

    def probe(carried, key: Key, learner: Learner) -> dict[str, Mean | Array]:
        seen, label = carried
        logits = jnp.moveaxis(seen(key, learner)["logits"][:, :, 0], 0, 1)
        apart = {"disagreement": Mean.of(disagreement(logits))}
        return {**compared(logits, label), **apart, **forecasts(logits, label)}

    return Partial(probe, (seen, label))


def shifted(seen: Probe, label: Array, *, shift: np.ndarray, limit: float, shown: Sequence[int] = ()) -> Probe:
    """Probe of what becomes of the answers as views shift further and further from those that were learned.

    Args:
      seen: from `answers`, its views the A shifts.
      label: `[N]` integers in 0 ... K - 1.
      shift: `[A]` rising, how far each view is from what was learned.
      limit: of the shifts that are `compared` and forecast.
      shown: pictures whose answers are kept.
    Returns:
      `probe(key, learner)`: what is `compared` of all views within the limit, their `forecasts`, and the
      `rank_correlation` of these shifts and the ensemble's mean confidence; of each shift `confident` and `right`
      `[2, A]`, of the ensemble and of its members on average, and `aleatoric` and `epistemic` `[A]`; and `said`
      `[A, R, K]`, the ensemble's probabilities for the pictures that are shown.
    """
    within = shift <= limit

    def probe(carried, key: Key, learner: Learner) -> dict[str, Mean | Array]:
        seen, label = carried
        logits = jnp.moveaxis(seen(key, learner)["logits"], 0, 2)
        near, truth = merged(logits[:, within], start=1), jnp.tile(label, within.sum())
        together, each = jnp.exp(mixture_log_prob(logits)), jax.nn.softmax(logits)
        both = ((together, -1), (each, (0, -1)))
        confident = jnp.stack([p.max(-1).mean(at) for p, at in both])
        _, aleatoric, epistemic = (part.mean(-1) for part in uncertainty(logits))
        return {
            **compared(near, truth),
            **forecasts(near, truth),
            "rank_correlation": Mean.of(rank_correlation(jnp.asarray(shift[within]), confident[0, within])),
            "confident": confident,
            "right": jnp.stack([is_correct(p, jnp.broadcast_to(label, p.shape[:-1])).mean(at) for p, at in both]),
            "aleatoric": aleatoric,
            "epistemic": epistemic,
            "said": together[:, jnp.asarray(shown, int)],
        }

    return Partial(probe, (seen, label))


def subsets(seen: Probe, label: Array, *, num_members: int) -> Probe:
    """Probe: scores `[M, S]`, by their names, of ensembles of 1 ... M of the members, of each choice; nan beyond.

    Args:
      seen: from `answers`, of whose views the first is taken.
      label: `[N]` integers in 0 ... K - 1.
      num_members: M; of a size of which there are more choices than `SUBSETS`, so many are drawn.
    """
    chosen = [choices(num_members, size) for size in range(1, num_members + 1)]
    most = max(map(len, chosen))

    def probe(carried, key: Key, learner: Learner) -> dict[str, Array]:
        seen, label = carried
        log_prob = jax.nn.log_softmax(jnp.moveaxis(seen(key, learner)["logits"][:, :, 0], 0, 1))
        score = jax.vmap(lambda members: calibration.scores(mixture_log_prob(members), label))
        found = [{name: mean.value for name, mean in score(log_prob[rows]).items()} for rows in chosen]

        def row(values):
            return jnp.pad(values, (0, most - len(values)), constant_values=jnp.nan)

        return {name: jnp.stack([row(values[name]) for values in found]) for name in SIGNS}

    return Partial(probe, (seen, label))


def compared(logits: Array, label: Array) -> dict[str, Mean]:
    """Scores of the mixture, of the members on average, "member_...", and what the mixture gains, "..._gain".

    Args:
      logits: `[M, N, K]`.
      label: `[N]` integers in 0 ... K - 1.
    """
    together = calibration.scores(mixture_log_prob(logits), label)
    each = jax.vmap(calibration.scores, (0, None))(jax.nn.log_softmax(logits), label)
    members = {name: Mean(mean.total.sum(), mean.count.sum()) for name, mean in each.items()}
    gains = {name: sign * (together[name].value - members[name].value) for name, sign in SIGNS.items()}
    return (
        together
        | {f"member_{name}": mean for name, mean in members.items()}
        | {f"{name}_gain": Mean.of(gain) for name, gain in gains.items()}
    )


def forecasts(logits: Array, label: Array) -> dict[str, Array]:
    """The reliability of the first member and of the mixture, in this order: `bins` `[3, 2, B]` and `error` `[2]`.

    Args:
      logits: `[M, N, K]`.
      label: `[N]` integers in 0 ... K - 1.
    """
    said = jnp.stack([jax.nn.softmax(logits[0]), jnp.exp(mixture_log_prob(logits))])
    bins = jax.vmap(calibration.reliability, (0, None))(said, label)
    return {"bins": jnp.stack(bins), "error": calibration.expected_calibration_error(bins)}


def choices(num_members: int, size: int) -> np.ndarray:
    """`[S, size]` subsets of the members: all of them, or `SUBSETS` at random."""
    if math.comb(num_members, size) <= SUBSETS:
        return np.array(list(itertools.combinations(range(num_members), size)))
    return np.random.default_rng(size).random((SUBSETS, num_members)).argsort(1)[:, :size]


def merged(x: Array, *, start: int = 0) -> Array:
    """Axes `start` and `start + 1` as one."""
    return x.reshape(*x.shape[:start], -1, *x.shape[start + 2 :])
