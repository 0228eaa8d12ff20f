"""How far the draws of Markov chains can be trusted: whether chains agree, and what number of independent draws they
are worth.

Draws are `[C, N, ...]`, C chains of N draws each; the result has one entry for each of the trailing axes. Rank
normalisation makes both diagnostics meaningful for targets without mean or variance. Of draws that never move, of
fewer than 4 a chain, and where one is not a number, nothing is known: every diagnostic is nan. Draws are counted from
the first, and in units of the farthest from it: no offset and no scale costs digits.
Source: Vehtari et al. 2021, arXiv:1903.08008; effective sample sizes after Geyer 1992, Statistical Science 7(4).
"""

import functools
from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp

from adl.core.types import Array


class Judgement(NamedTuple):
    """How draws stand to what is known of their density."""

    z: Array  # [] largest error of a mean or a variance, in Monte-Carlo standard errors
    rhat: Array  # [] largest split R-hat of a coordinate
    ess: Array  # [] least effective sample size of these means and variances


def _of_enough(diagnostic: Callable[[Array], Array]) -> Callable[[Array], Array]:
    """nan of chains of fewer than 4 draws, whose halves have no variance."""

    @functools.wraps(diagnostic)
    def of(draws):
        return diagnostic(draws) if draws.shape[1] >= 4 else jnp.full(draws.shape[2:], jnp.nan)

    return of


def split(draws: Array) -> Array:
    """Each chain as two, `[2 C, N // 2, ...]`: a chain that drifts disagrees with itself. Of odd N the middle goes."""
    half = draws.shape[1] // 2
    return jnp.concatenate([draws[:, :half], draws[:, -half:]])


def rank_normalised(draws: Array) -> Array:
    """`[C, N, ...]` normal scores: Phi^-1((rank - 3/8) / (C N + 1/4)) among all draws, equal ones sharing a rank.

    Source: Vehtari et al. 2021, arXiv:1903.08008, eq. 14.
    """
    flat = draws.reshape(draws.shape[0] * draws.shape[1], -1)

    def score(values):
        ordered = jnp.sort(values)
        below, upto = (jnp.searchsorted(ordered, values, side=side, method="sort") for side in ("left", "right"))
        rank = 0.5 * (below + upto + 1)
        scores = jax.scipy.special.ndtri((rank - 0.375) / (len(values) + 0.25))
        return jnp.where(jnp.isnan(values).any(), jnp.nan, scores)

    return jax.vmap(score, 1, 1)(flat).reshape(draws.shape)


def scale_reduction(draws: Array) -> Array:
    """`[...]` factor by which the pooled standard deviation exceeds that within chains; 1 where chains agree.

    R = sqrt((N - 1) / N + B / W),   B = variance of the chains' means,   W = mean of the chains' variances

    Source: Gelman & Rubin 1992, Statistical Science 7(4); here as in Vehtari et al. 2021, arXiv:1903.08008, eq. 1 to 4.
    """
    n = draws.shape[1]
    draws, _ = _unitary(draws)
    between, within = draws.mean(1).var(0, ddof=1), draws.var(1, ddof=1).mean(0)
    return jnp.sqrt((n - 1) / n + between / within)


def _unitary(draws: Array, *, apart: bool = False) -> tuple[Array, Array]:
    """Draws less the first, or each chain's own if `apart`, over the largest that is left; and that, `[1, 1, ...]`.

    What never moves becomes 0 exactly, whatever it is.
    """
    moved = draws - (draws[:, :1] if apart else draws[:1, :1])
    unit = jnp.abs(moved).max((0, 1), keepdims=True)
    return moved / jnp.where(unit > 0, unit, 1), unit


@_of_enough
def split_rhat(draws: Array) -> Array:
    """`[...]` rank-normalised split R-hat, the larger of location's and scale's; below 1.01 chains may be pooled.

    Args:
      draws: `[C, N, ...]`, N >= 4; one chain is compared with itself.
    Source: Vehtari et al. 2021, arXiv:1903.08008, sec. 4.
    """
    halves = split(draws)
    folded = jnp.abs(halves - jnp.median(halves, (0, 1), keepdims=True))
    return jnp.maximum(scale_reduction(rank_normalised(halves)), scale_reduction(rank_normalised(folded)))


def autocovariance(draws: Array) -> Array:
    """`[C, N, ...]` covariance of each chain with itself k = 0 ... N - 1 draws later, sums over N: biased to 0."""
    n = draws.shape[1]
    draws, unit = _unitary(draws, apart=True)
    spectrum = jnp.fft.rfft(draws - draws.mean(1, keepdims=True), 2 * n, axis=1)
    covariance = jnp.fft.irfft(jnp.abs(spectrum) ** 2, 2 * n, axis=1)[:, :n] / n
    # In two steps: the square of the unit may be too large where this is not.
    return covariance * unit * unit


def autocorrelation(draws: Array) -> Array:
    """`[C, N, ...]` correlation of each chain with itself k = 0 ... N - 1 draws later; of 1 at k = 0."""
    covariance = autocovariance(_unitary(draws, apart=True)[0])
    return covariance / covariance[:, :1]


def effective_sample_size(draws: Array) -> Array:
    """`[...]` number of independent draws whose mean would be as sure as the mean of these.

        C N / tau,   tau = -1 + 2 sum_k P_k,   P_k = rho_{2k} + rho_{2k+1}

    with autocorrelations rho of all chains together, the sums P_k of neighbours as long as they are positive, and no
    sum larger than one before it: a reversible chain's are positive and fall. Between 0 and C N log10(C N).

    Args:
      draws: `[C, N, ...]`, N >= 2; the square of the draws tells of their variance.
    Source: Vehtari et al. 2021, arXiv:1903.08008, eq. 10 to 13; Geyer 1992, sec. 3.3.
    """
    c, n = draws.shape[:2]
    draws, _ = _unitary(draws)
    means = draws.mean(1, keepdims=True)
    covariance = autocovariance(draws).mean(0)
    between = means.var(0, ddof=1) if c > 1 else jnp.zeros_like(means[0])
    within = covariance[:1] * n / (n - 1)
    rho = 1 - (within - covariance) / (covariance[:1] + between)
    rho = rho.at[0].set(1.0)
    even, odd = rho[: n - n % 2 : 2], rho[1::2]
    pairs = even + odd
    is_kept = jnp.cumprod(pairs > 0, 0) > 0
    # Where the sums end, an even lag that is still positive belongs to the sum: long antithetic chains want it.
    is_next = ~is_kept & jnp.concatenate([jnp.ones_like(is_kept[:1]), is_kept[:-1]])
    tau = (
        2 * jnp.where(is_kept, jax.lax.cummin(pairs, 0), 0).sum(0) - 1 + jnp.where(is_next & (even > 0), even, 0).sum(0)
    )
    ess = c * n / jnp.maximum(tau, 1 / jnp.log10(c * n))
    # Comparisons with what is not a number, as of draws that never move, would let it pass.
    return jnp.where(jnp.isfinite(rho).all(0), ess, jnp.nan)


@_of_enough
def bulk_ess(draws: Array) -> Array:
    """`[...]` effective sample size in the bulk: of the normal scores of split chains; wanted is 100 a chain.

    Source: Vehtari et al. 2021, arXiv:1903.08008, sec. 4.
    """
    return effective_sample_size(rank_normalised(split(draws)))


@_of_enough
def tail_ess(draws: Array) -> Array:
    """`[...]` effective sample size in the tails: of the share below the 5 % and the 95 % quantile, the smaller.

    Where no draw is above a quantile, as of a few values that come often, it is of the share strictly below it.

    Source: Vehtari et al. 2021, arXiv:1903.08008, sec. 4.
    """

    def below(q):
        quantile = jnp.quantile(draws, q, (0, 1), keepdims=True)
        is_below = jnp.where((draws <= quantile).all((0, 1), keepdims=True), draws < quantile, draws <= quantile)
        return effective_sample_size(split(jnp.where(jnp.isnan(quantile), jnp.nan, is_below.astype(draws.dtype))))

    return jnp.minimum(below(0.05), below(0.95))


@_of_enough
def standard_error(draws: Array) -> Array:
    """`[...]` Monte-Carlo standard error of the mean of all draws, in the unit of the draws."""
    draws, unit = _unitary(draws)
    return unit[0, 0] * draws.std((0, 1), ddof=1) / jnp.sqrt(effective_sample_size(split(draws)))


def z_scores(draws: Array, mean: Array, error: Array | float = 0.0) -> Array:
    """`[...]` errors of the means of all draws, in standard errors: nearly normal where chains have mixed.

    Args:
      draws: `[C, N, ...]`, N >= 4.
      mean: `[...]` the true one.
      error: `[...]` >= 0, standard error of `mean`, where that is an estimate itself.
    """
    first = draws[:1, :1]
    moved = (draws - first).mean((0, 1)) + (first[0, 0] - mean)
    return moved / jnp.hypot(standard_error(draws), jnp.asarray(error))


def judged(draws: Array, mean: Array, variance: Array) -> Judgement:
    """Draws `[C, N, D]` beside the known means `[D]` and variances `[D]` of their density."""
    values = jnp.concatenate([draws, (draws - mean[None, None]) ** 2], -1)
    error = z_scores(values, jnp.concatenate([mean, variance]))
    return Judgement(jnp.abs(error).max(), split_rhat(draws).max(), effective_sample_size(split(values)).min())
