"""Flow matching: a velocity is learned by regression, without solving its equation, and the way to data is an ODE.

    x_t = (1 - t) x + t n,   loss = E |v(x_t, t) - (n - x)|^2,   dx/dt = v(x, t) carries noise at t = 1 to data at 0

Which noise n is paired with which data x is a choice, and decides how straight the ways are: at random; within each
batch so that they lie near (optimal transport); or as an earlier flow carries one to the other (reflow), whose ways
hardly cross, so that few steps suffice. Time is that of `adl.diffusion`: the process `straight`, the target `velocity`.
Sources: Lipman et al. 2023, arXiv:2210.02747, eq. 23 (there time runs the other way); Liu et al. 2023,
arXiv:2209.03003; Tong et al. 2024, arXiv:2302.00482.
"""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax
from flax import linen as nn
from jax import Array, lax

from adl.core import Algorithm, BadInput, Key, Learner, Mean, PyTree, alternate, border, descend, forward
from adl.prob.matching import assigned
from adl.prob.neighbours import squared_distances

Field = Callable[[Array, Array], Array]  # (x [B, ...], time [B]) -> velocity [B, ...]
Couple = Callable[[Key, Array], Array]  # (key, data [B, ...]) -> noise [B, ...], of which each is paired with its datum


class Pair(NamedTuple):
    """What a way joins."""

    x: Array  # [B, ...] data, at time 0
    noise: Array  # [B, ...] at time 1


def independent_noise(key: Key, x: Array) -> Array:
    """`[B, ...]` standard normal noise, whichever the data. The key is consumed."""
    return jax.random.normal(key, x.shape, x.dtype)


def optimal_noise(key: Key, x: Array) -> Array:
    """`[B, ...]` standard normal noise, dealt so that the squared distances to the data of this batch are least in sum.

    Source: Tong et al. 2024, arXiv:2302.00482, section 3.2; Pooladian et al. 2023, arXiv:2304.14772.
    """
    noise = independent_noise(key, x)
    rows = (part.reshape(len(part), -1) for part in (x, noise))
    return noise[assigned(squared_distances(*rows))]


def flow_matching(
    model: nn.Module,
    tx: optax.GradientTransformation,
    *,
    couple: Couple = independent_noise,
    prepare: Callable[[Key, PyTree], Array] = lambda key, x: x,
    axis: str | None = None,
) -> Algorithm:
    """Conditional flow matching; the state is a `Learner`.

    Args:
      model: v, `(x [B, ...], time [B]) -> [B, ...]`.
      tx: optax transformation; end its chain with `core.average_params` to sample from averaged parameters.
      couple: the noise of each datum: `independent_noise`, or `optimal_noise` within the batch, under pmap a device's.
      prepare: `prepare(key, batch) -> x [B, ...]` float.
      axis: as in `core.descend`.
    Source: Lipman et al. 2023, arXiv:2210.02747, eq. 23.
    """
    prepare = border.prepared(prepare)

    def paired(key, batch):
        prepare_key, noise_key = jax.random.split(key)
        x = prepare(prepare_key, batch)
        return Pair(x, couple(noise_key, x))

    return _regression(model, tx, paired, axis)


class Rectified(NamedTuple):
    """Two flows, of which the second straightens the first."""

    first: Learner
    second: Learner


def reflow(
    model: nn.Module,
    tx: optax.GradientTransformation,
    *,
    periods: tuple[int, int],
    num_steps: int = 20,
    couple: Couple = independent_noise,
    prepare: Callable[[Key, PyTree], Array] = lambda key, x: x,
    known: Callable[[Learner], PyTree] = lambda learner: learner.variables,
    axis: str | None = None,
) -> Algorithm:
    """Flow matching, then a second flow of the pairs that the first one joins; the state is `Phases` of `Rectified`.

    The loss is that of the flow that learns. The second draws its noise anew at every step, and the first carries it to
    data: there are as many pairs as steps.

    Args:
      model: of both flows, as in `flow_matching`.
      tx: of both, as in `flow_matching`.
      periods: steps >= 1 that the first learns, and after it the second.
      num_steps: >= 1, Euler's, by which the first carries noise to data.
      couple: of the first, as in `flow_matching`.
      prepare: as in `flow_matching`.
      known: the variables of the first flow by which the second is taught: `averaged`, where `tx` keeps an average.
      axis: as in `core.descend`.
    Source: Liu et al. 2023, arXiv:2209.03003, algorithm 1.
    """
    matching = flow_matching(model, tx, couple=couple, prepare=prepare, axis=axis)
    prepare = border.prepared(prepare)
    straighten = _regression(model, tx, lambda key, pair: pair, axis)

    def init(key: Key, batch) -> Rectified:
        return Rectified(*(matching.init(jax.random.fold_in(key, i), batch) for i in range(2)))

    def match(key: Key, state: Rectified, batch):
        first, metrics = matching.step(key, state.first, batch)
        return state._replace(first=first), metrics

    def rectify(key: Key, state: Rectified, batch):
        prepare_key, noise_key, key = jax.random.split(key, 3)
        noise = independent_noise(noise_key, prepare(prepare_key, batch))
        field = lambda x, time: model.apply(known(state.first), x, time)  # noqa: E731
        pair = lax.stop_gradient(pairs_of(field, noise, num_steps=num_steps))
        second, metrics = straighten.step(key, state.second, pair)
        return state._replace(second=second), metrics

    return alternate(init, (match, rectify), periods)


def velocity_errors(key: Key, field: Field, pair: Pair) -> Array:
    """`[B]` squared errors of a velocity at a random time of each way, averaged over the numbers of an example.

    Args:
      key: consumed, by the times.
      field: v.
      pair: what is joined.
    """
    x, noise = pair
    time = jax.random.uniform(key, (len(x),))
    t = time.reshape(-1, *[1] * (x.ndim - 1))
    error = field((1 - t) * x + t * noise, time) - (noise - x)
    return jnp.square(error).reshape(len(x), -1).mean(-1)


def carried(field: Field, noise: Array, *, num_steps: int) -> Array:
    """`[B, ...]` data, where Euler's steps along the velocity carry noise: `num_steps` evaluations.

    Args:
      field: v.
      noise: `[B, ...]` at time 1.
      num_steps: >= 1, equal steps down to time 0.
    Raises:
      BadInput: of no steps.
    """
    if num_steps < 1:
        raise BadInput(f"{num_steps} steps carry nothing; at least 1")

    def step(x, i):
        return x - field(x, jnp.full(len(x), 1 - i / num_steps, x.dtype)) / num_steps, None

    return lax.scan(step, noise, jnp.arange(num_steps))[0]


def pairs_of(field: Field, noise: Array, *, num_steps: int = 100) -> Pair:
    """Noise, and where a flow carries it: what `reflow` learns from.

    Args:
      field: v of the earlier flow.
      noise: `[B, ...]`.
      num_steps: as in `carried`.
    """
    return Pair(carried(field, noise, num_steps=num_steps), noise)


def straightness(field: Field, noise: Array, *, num_steps: int = 100) -> Array:
    """`[B]` mean over time of |v(x_t, t) - (x_1 - x_0)|^2 along the ways of a flow: 0 where they are straight.

    Args:
      field: v.
      noise: `[B, ...]` where the ways begin.
      num_steps: as in `carried`.
    Source: Liu et al. 2023, arXiv:2209.03003, eq. 7, averaged over an example's numbers.
    """

    def step(x, i):
        v = field(x, jnp.full(len(x), 1 - i / num_steps, x.dtype))
        return x - v / num_steps, v

    x, v = lax.scan(step, noise, jnp.arange(num_steps))
    return jnp.square(v - (noise - x)[None]).mean((0, *range(2, v.ndim)))


def _regression(model, tx, paired, axis: str | None) -> Algorithm:
    def init(key: Key, batch) -> Learner:
        pair = paired(jax.random.fold_in(key, 1), batch)
        return Learner.create(model.init(key, pair.x, jnp.zeros(len(pair.x))), tx)

    def loss(key: Key, params, extras, batch):
        pair_key, time_key, dropout_key = jax.random.split(key, 3)
        pair = paired(pair_key, batch)
        errors = lambda network: velocity_errors(time_key, network, pair)  # noqa: E731
        losses, extras = forward(model, dropout_key, params, extras, method=errors)
        return {"loss": Mean.of(losses)}, extras

    return Algorithm(init, descend(loss, tx, axis))
