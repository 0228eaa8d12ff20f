"""The optimizer that most experiments want, as one optax chain: clip, Adam, decay, a schedule, an average.

A schedule is the shape of the learning rate over the steps, a number in [0, 1], so that the rate itself may be a value
of a sweep. The average of the parameters lives in the optimizer's state: it follows the learner through every
algorithm, lift and checkpoint, and `Learner.averaged` finds it.
"""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax
from jax import lax

from adl.core import tree
from adl.core.types import Array, PyTree

Shape = Callable[[Array], Array]  # step [] -> share of the learning rate [], in [0, 1]


def warm_up(num_steps: int) -> Shape:
    """From none of the learning rate to all of it at `num_steps`, on a straight line, and so on."""
    return optax.linear_schedule(0.0, 1.0, num_steps)


def linear(num_steps: int) -> Shape:
    """From all of the learning rate to none at `num_steps`, on a straight line."""
    return optax.linear_schedule(1.0, 0.0, num_steps)


def cosine(num_steps: int, *, warmup: int = 0, end: float = 0.0) -> Shape:
    """From all of the learning rate to the share `end`, on half a cosine.

    end + (1 - end) (1 + cos(pi (t - w) / (T - w))) / 2,   before that, for t < w, on a straight line t / w

    Args:
      num_steps: T >= 1.
      warmup: w >= 0; at most T - 1 steps count.
      end: in [0, 1].
    Source: Loshchilov & Hutter 2017, arXiv:1608.03983, eq. 5, without restarts; warm-up: Goyal et al. 2017,
      arXiv:1706.02677, section 2.2.
    """
    warmup = min(warmup, num_steps - 1)
    if not warmup:
        return optax.cosine_decay_schedule(1.0, num_steps, end)
    return optax.warmup_cosine_decay_schedule(0.0, 1.0, warmup, num_steps, end)


def adam(
    learning_rate: Array | float,
    shape: Shape | None = None,
    *,
    clip: float | None = None,
    weight_decay: Array | float | None = None,
    mask: Callable[[PyTree], PyTree] | None = None,
    average: Array | float | None = None,
    b1: float = 0.9,
    b2: float = 0.999,
    eps: float = 1e-8,
) -> optax.GradientTransformation:
    """Adam, in its decoupled form AdamW where weights decay.

    Args:
      learning_rate: > 0, the highest; a number or a traced value.
      shape: of the rate over the updates; None: constant.
      clip: > 0, bound of the gradient's Euclidean norm; None: none.
      weight_decay: >= 0, times the learning rate; None: none.
      mask: of the parameters, which of them decay (`matrices`); None: all.
      average: in [0, 1), as in `average_params`; None: no average is kept.
      b1: in [0, 1), decay of the first moment.
      b2: in [0, 1), of the second.
      eps: > 0, added to the root of the second moment.
    Source: Kingma & Ba 2015, arXiv:1412.6980; Loshchilov & Hutter 2019, arXiv:1711.05101, algorithm 2.
    """
    parts = [
        None if clip is None else clip_by_norm(clip),
        optax.scale_by_adam(b1, b2, eps),
        None if weight_decay is None else optax.add_decayed_weights(weight_decay, mask),
        optax.scale_by_learning_rate(learning_rate if shape is None else lambda step: learning_rate * shape(step)),
        None if average is None else average_params(average),
    ]
    return optax.chain(*(part for part in parts if part is not None))


def muon(
    learning_rate: Array | float,
    shape: Shape | None = None,
    *,
    weight_decay: Array | float | None = None,
    average: Array | float | None = None,
    momentum: float = 0.95,
    others: float = 0.6,
) -> optax.GradientTransformation:
    """Muon: matrices and kernels move along the orthogonal matrix nearest to their momentum, other parameters by Adam.

    Args:
      learning_rate: > 0, the highest; a number or a traced value. Steps of matrices have this spectral norm.
      shape: of the rate over the updates; None: constant.
      weight_decay: >= 0, of matrices, times the learning rate; None: none.
      average: in [0, 1), as in `average_params`; None: no average is kept.
      momentum: in [0, 1).
      others: > 0, Adam's learning rate in units of the other.
    Source: Jordan et al. 2024, https://kellerjordan.github.io/posts/muon/.
    """
    rule = {True: orthogonal_momentum(momentum), False: optax.chain(optax.scale_by_adam(), optax.scale(others))}
    parts = [
        optax.partition(rule, matrices),
        None if weight_decay is None else optax.add_decayed_weights(weight_decay, matrices),
        optax.scale_by_learning_rate(learning_rate if shape is None else lambda step: learning_rate * shape(step)),
        None if average is None else average_params(average),
    ]
    return optax.chain(*(part for part in parts if part is not None))


def orthogonal_momentum(momentum: float) -> optax.GradientTransformation:
    """Updates `[..., D]`, as matrices of D columns, made nearly orthogonal after Nesterov's momentum.

    Of R rows each is multiplied by sqrt(max(1, D / R)).
    """

    def straightened(update):
        flat = update.reshape(-1, update.shape[-1])
        return (max(1, flat.shape[1] / flat.shape[0]) ** 0.5 * orthogonalised(flat)).reshape(update.shape)

    return optax.chain(
        optax.trace(momentum, nesterov=True),
        optax.stateless(lambda updates, _: jax.tree.map(straightened, updates)),
    )


def orthogonalised(matrix: Array, num_iterations: int = 5) -> Array:
    """`[R, D]` with the singular vectors of `matrix`, and singular values near 1: 0.7 to 1.2, smaller of what was tiny.

    X <- a X + b (X X') X + c (X X')^2 X,   from matrix / |matrix|_F

    Args:
      matrix: `[R, D]`; zeros stay zeros.
      num_iterations: after k of them a share of 3.4^-k of the norm, or more, is near 1.
    Source: Jordan et al. 2024, with its a, b, c: an iteration of Newton and Schulz, steeper at 0.
    """
    if matrix.shape[0] > matrix.shape[1]:
        return orthogonalised(matrix.T, num_iterations).T
    x = matrix / jnp.maximum(jnp.linalg.norm(matrix), 1e-12)
    # X_k = P_k X_0, of small matrices alone: kernels have nine times as many columns as rows, which only the ends see.
    # Rounded to 8 bits, as accelerators do by default, eigenvalues of the Gram matrix that should be 0 would grow.
    with jax.default_matmul_precision("highest"):
        identity = jnp.eye(len(x), dtype=x.dtype)

        def iterated(_, pair):
            product, gram = pair
            factor = 3.4445 * identity - 4.7750 * gram + 2.0315 * gram @ gram
            return factor @ product, factor @ gram @ factor

        return lax.fori_loop(0, num_iterations, iterated, (identity, x @ x.T))[0] @ x


def clip_by_norm(most: Array | float) -> optax.GradientTransformation:
    """Updates whose Euclidean norm exceeds `most` > 0, made as short as that; nan where one is infinite or nan.

    As `optax.clip_by_global_norm`, whose squares overflow from 1e19 on: then updates became 0 without a word.

    Source: Pascanu et al. 2013, arXiv:1211.5063, algorithm 1.
    """

    def clipped(updates, _):
        length = tree.norm(updates)
        factor = jnp.where(length < jnp.inf, most / jnp.maximum(length, most), jnp.nan)
        return jax.tree.map(lambda g: (g * factor).astype(g.dtype), updates)

    return optax.stateless(clipped)


def matrices(params: PyTree) -> PyTree:
    """Which leaves are matrices or kernels, and no biases or scales: those of two axes or more."""
    return jax.tree.map(lambda leaf: leaf.ndim > 1, params)


class AverageState(NamedTuple):
    """State of `average_params`."""

    count: Array  # [] updates so far
    average: PyTree  # like the parameters


def average_params(decay: Array | float, *, warmup: float = 10.0) -> optax.GradientTransformation:
    """Keeps an exponential moving average of the parameters; it belongs last in `optax.chain`.

    a_t = d_t * a_{t-1} + (1 - d_t) * p_t,   d_t = min(decay, t / (t + warmup))

    so that the average forgets its initial value at first and reaches `decay` later. Updates pass unchanged.

    Args:
      decay: in [0, 1); the average looks back about 1 / (1 - decay) steps.
      warmup: > 0, in steps; larger follows the parameters for longer.
    """

    def init(params):
        return AverageState(count=jnp.zeros((), jnp.int32), average=tree.copy(params))

    def update(updates, state, params):
        count = optax.safe_increment(state.count)
        rate = jnp.minimum(decay, count / (count + warmup))
        average = tree.ema(state.average, optax.apply_updates(params, updates), rate)
        return updates, AverageState(count, average)

    return optax.GradientTransformation(init, update)
