"""The no-U-turn sampler: Hamiltonian trajectories that grow until they would turn back, without recursion.

A trajectory doubles, forwards or backwards in time at random, until its ends approach each other; the next state is
drawn from it with probability proportional to exp(-H). A U-turn is

    rho' M^-1 p_first <= 0   or   rho' M^-1 p_last <= 0,   rho = sum of the momenta, those of the ends by half,

and is looked for in every balanced subtree, as reversibility wants. While a doubling of 2^d states grows, the
subtrees that end at state n all begin at a state whose number is n with trailing ones cleared, so that d saved states
are enough and the tree needs no recursion: it runs under `jit` and `vmap`.

Sources: Hoffman & Gelman 2014, Journal of Machine Learning Research 15; multinomial sampling and the generalised
criterion: Betancourt 2017, arXiv:1701.02434, app. A.3 and A.4; the iterative form: Phan et al. 2019, arXiv:1912.11554,
app. A.
"""

from collections.abc import Callable
from typing import Literal, NamedTuple

import jax
import jax.numpy as jnp
from jax import lax

from adl.core import Algorithm, tree
from adl.core.types import Array, Key, PyTree
from adl.sampling.hmc import (
    MAX_ENERGY_ERROR,
    Info,
    LogDensity,
    Point,
    chains,
    draw_momentum,
    energy,
    leapfrog,
    velocity,
)


class Trajectory(NamedTuple):
    """States in a row, of which the ends and one draw are kept."""

    first: Point  # the earliest in time
    last: Point  # the latest
    draw: Point  # one of them, drawn by its weight
    log_weight: Array  # [] log of the sum of exp(H(start) - H)
    momentum: Array  # [D] sum of the momenta
    depth: Array  # [] doublings so far
    is_done: Array  # [] whether it turned or diverged
    is_divergent: Array  # []
    acceptance: Array  # [] sum of min(1, exp(H(start) - H)) over all states that were tried
    count: Array  # [] states that were tried


class Branch(NamedTuple):
    """The states by which a trajectory doubles, while they are added one at a time."""

    end: Point  # the newest
    draw: Point
    log_weight: Array  # []
    momentum: Array  # [D]
    saved: Array  # [max_depth, D] momenta of the states at which open subtrees begin
    saved_sum: Array  # [max_depth, D] sums of the momenta before these states
    is_turning: Array  # []
    is_divergent: Array  # []
    acceptance: Array  # []
    count: Array  # [] states so far


def is_turning(inverse_mass: Array, momentum: Array, first: Array, last: Array) -> Array:
    """`[]` whether a stretch of a trajectory turns back, by the generalised criterion.

    Args:
      inverse_mass: `[D]` or `[D, D]`.
      momentum: `[D]` sum of all momenta of the stretch.
      first: `[D]` momentum at one end.
      last: `[D]` momentum at the other.
    Source: Betancourt 2017, arXiv:1701.02434, app. A.4.2; the ends count by half, as an integral's do.
    """
    along = velocity(inverse_mass, momentum - 0.5 * (first + last))
    return (along @ first <= 0) | (along @ last <= 0)


def transition(
    key: Key, log_density: LogDensity, point: Point, step_size: Array, inverse_mass: Array, *, max_depth: int
) -> tuple[Point, Info]:
    """One transition of the no-U-turn sampler, which leaves the target invariant.

    Args:
      key: consumed.
      log_density: of the target.
      point: where from; its momentum is drawn anew.
      step_size: `[]` > 0.
      inverse_mass: `[D]` or `[D, D]`.
      max_depth: doublings at most, >= 1: 2^max_depth - 1 leapfrog steps.
    """
    momentum_key, tree_key = jax.random.split(key)
    start = point._replace(momentum=draw_momentum(momentum_key, inverse_mass))
    # From outside the support energies are counted from 0, of which the start has no share.
    is_inside = start.log_density > -jnp.inf
    energy_start = jnp.where(is_inside, energy(inverse_mass, start), 0.0)
    log_weight = jnp.where(is_inside, 0.0, -jnp.inf)
    least = jnp.where(is_inside, -MAX_ENERGY_ERROR, -jnp.inf)
    zero, no = jnp.zeros(()), jnp.zeros((), bool)
    none = jnp.zeros((), jnp.int32)
    whole = Trajectory(start, start, start, log_weight, start.momentum, none, no, no, zero, none)

    def grow(whole):
        way_key, branch_key, accept_key = jax.random.split(jax.random.fold_in(tree_key, whole.depth), 3)
        is_forward = jax.random.bernoulli(way_key)
        end = tree.where(is_forward, whole.last, whole.first)
        signed = jnp.where(is_forward, step_size, -step_size)
        branch = _branch(
            branch_key, log_density, end, whole.depth, signed, inverse_mass, energy_start, least, max_depth=max_depth
        )
        is_whole = ~(branch.is_turning | branch.is_divergent)
        # Biased to the new half, so that draws go far.
        takes = jnp.log(jax.random.uniform(accept_key)) < branch.log_weight - whole.log_weight
        first = tree.where(is_forward, whole.first, branch.end)
        last = tree.where(is_forward, branch.end, whole.last)
        momentum = whole.momentum + branch.momentum
        turns = is_turning(inverse_mass, momentum, first.momentum, last.momentum)
        return Trajectory(
            first,
            last,
            tree.where(is_whole & takes, branch.draw, whole.draw),
            jnp.logaddexp(whole.log_weight, branch.log_weight),
            momentum,
            whole.depth + 1,
            ~is_whole | turns,
            branch.is_divergent,
            whole.acceptance + branch.acceptance,
            whole.count + branch.count,
        )

    whole = lax.while_loop(lambda whole: ~whole.is_done & (whole.depth < max_depth), grow, whole)
    return whole.draw, Info(whole.acceptance / whole.count, whole.is_divergent, whole.count)


def _branch(
    key: Key,
    log_density: LogDensity,
    end: Point,
    depth: Array,
    step_size: Array,
    inverse_mass: Array,
    energy_start: Array,
    least: Array,
    *,
    max_depth: int,
) -> Branch:
    """2^depth states on from `end`, or fewer where a subtree turns, or a log-weight is below `least`: it diverges."""

    def extend(branch):
        n = branch.count
        point = leapfrog(log_density, branch.end, step_size, inverse_mass)
        log_weight = energy_start - energy(inverse_mass, point)
        total = jnp.logaddexp(branch.log_weight, log_weight)
        takes = jnp.log(jax.random.uniform(jax.random.fold_in(key, n))) < log_weight - total
        momentum = branch.momentum + point.momentum
        # State n begins a subtree if it is even; if odd, it ends as many as it has trailing ones. The open subtrees
        # are a stack, as high as n // 2 has ones.
        top, is_even = lax.population_count(n >> 1), n % 2 == 0
        num_ending = lax.population_count((n ^ (n + 1)) >> 1)
        saved = branch.saved.at[top].set(jnp.where(is_even, point.momentum, branch.saved[top]))
        saved_sum = branch.saved_sum.at[top].set(jnp.where(is_even, branch.momentum, branch.saved_sum[top]))
        turning = jax.vmap(lambda first, before: is_turning(inverse_mass, momentum - before, first, point.momentum))
        place = jnp.arange(max_depth)
        is_ending = (place > top - num_ending) & (place <= top)
        return Branch(
            point,
            tree.where(takes, point, branch.draw),
            total,
            momentum,
            saved,
            saved_sum,
            (is_ending & turning(saved, saved_sum)).any(),
            (log_weight < least) | ~jnp.isfinite(point.position).all(),
            branch.acceptance + jnp.exp(jnp.minimum(log_weight, 0)),
            n + 1,
        )

    def is_growing(branch):
        return (branch.count < 2**depth) & ~branch.is_turning & ~branch.is_divergent

    no, nothing = jnp.zeros((), bool), jnp.zeros((max_depth, *end.position.shape))
    empty = Branch(
        end,
        end,
        jnp.full((), -jnp.inf),
        jnp.zeros_like(end.momentum),
        nothing,
        nothing,
        no,
        no,
        jnp.zeros(()),
        jnp.zeros((), jnp.int32),
    )
    return lax.while_loop(is_growing, extend, empty)


def nuts(
    log_density: LogDensity,
    start: Callable[[Key], PyTree],
    *,
    num_chains: int,
    num_warmup: int,
    max_depth: int = 10,
    step_size: float = 1.0,
    target_acceptance: float = 0.8,
    metric: Literal["diagonal", "dense"] = "diagonal",
) -> Algorithm:
    """The no-U-turn sampler; state is a `Chain`, batches are empty, and no length of trajectories is to be chosen.

    Args:
      log_density: of the target.
      start: as in `hmc`.
      num_chains: C >= 1.
      num_warmup: as in `hmc`.
      max_depth: doublings of a trajectory at most, >= 1: 2^max_depth - 1 leapfrog steps.
      step_size: as in `hmc`.
      target_acceptance: as in `hmc`, the mean over a trajectory; larger follows narrow curvature better.
      metric: as in `hmc`.
    """

    def move(key, log_density, point, step_size, inverse_mass):
        return transition(key, log_density, point, step_size, inverse_mass, max_depth=max_depth)

    return chains(
        log_density,
        start,
        move=move,
        num_chains=num_chains,
        num_warmup=num_warmup,
        step_size=step_size,
        target_acceptance=target_acceptance,
        metric=metric,
    )
