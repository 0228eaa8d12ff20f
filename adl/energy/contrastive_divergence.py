"""Contrastive divergence: the energy falls at the data and rises where the model's own chains are.

    p(x) = exp(-E(x)) / Z,   -grad log p(x+) = grad E(x+) - E_{x- ~ p} grad E(x-)

The x- are moved by a few steps of a sampler. Where they start makes the method: at the data (contrastive divergence),
or where the steps before left them (persistent), so that a slowly learning model is followed by chains that need never
begin anew. Conditional models p(x|y) are the same, with chains that keep their condition.

Sources: Hinton 2002, Neural Computation 14(8); Tieleman 2008 (ICML); the buffer of chains of which a few restart, and
the regulariser: Du & Mordatch 2019, arXiv:1903.08689, algorithm 1.
"""

from collections.abc import Callable
from typing import NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
import optax
from jax import lax

from adl.core import Algorithm, BadInput, Learner, Mean, border, descend, forward, tree
from adl.core.types import Array, Key, PyTree
from adl.sampling.langevin import Sampler, Score


class Points(NamedTuple):
    """Where the energy is taken: of data, or the ends of chains."""

    x: Array  # [B, ...]
    given: tuple[Array, ...] = ()  # further arguments of the model, [B, ...] each: a label; () for none


class Follower(NamedTuple):
    """A learner and the chains that follow its density; `axes` is `Follower(None, 0)`."""

    learner: Learner
    chains: Points  # leaves [M, ...]


class Kernel(NamedTuple):
    """A sampler that must know the model, and not only its score: one that moves units which are no real numbers."""

    walk: Callable[[Key, nn.Module, PyTree, Points], Array]  # (key, model, variables, starts) -> x [B, ...], moved


Prepare = Callable[[Key, PyTree], Points]  # (key, batch) -> data [B, ...]


def contrastive_divergence(
    model: nn.Module,
    tx: optax.GradientTransformation,
    *,
    sampler: Sampler | Kernel,
    alpha: float = 0.0,
    prepare: Prepare = lambda key, batch: Points(batch),
    axis: str | None = None,
) -> Algorithm:
    """Contrastive divergence: chains start at the data; state is a `Learner`.

    Metrics are those of `contrast`, and "distance" of the chains' ends from their starts, in units of x.

    Args:
      model: `(x [B, ...], *given) -> E [B]` in nats.
      tx: optax transformation.
      sampler: how chains move, such as `langevin` with its steps chosen, or a `Kernel`; k steps are CD-k.
      alpha: >= 0, as in `contrast`.
      prepare: `prepare(key, batch) -> Points`: scaling, and noise that makes pixels real.
      axis: as in `core.descend`.
    """
    prepare, update = border.prepared(prepare, "float [B, D, ...]"), descend(contrast(model, alpha), tx, axis)

    def init(key, batch):
        return created(key, model, tx, prepare, batch)[0]

    def step(key, learner, batch):
        prepare_key, walk_key, key = jax.random.split(key, 3)
        data = prepare(prepare_key, batch)
        samples = walked(walk_key, model, learner, data, sampler)
        learner, metrics = update(key, learner, data, samples)
        return learner, {**metrics, "distance": distance(data, samples)}

    return Algorithm(init, step)


def persistent_contrastive_divergence(
    model: nn.Module,
    tx: optax.GradientTransformation,
    *,
    sampler: Sampler | Kernel,
    num_chains: int,
    restart: float = 0.05,
    noise: Callable[[Key, tuple[int, ...]], Array] = jax.random.normal,
    alpha: float = 0.0,
    prepare: Prepare = lambda key, batch: Points(batch),
    axis: str | None = None,
) -> Algorithm:
    """Persistent contrastive divergence: chains start where they ended; state is a `Follower`.

    A step moves as many chains as the batch has examples, drawn from all M without replacement. A few of them begin
    anew, as noise with the condition of an example: chains that all sit in old modes would not notice new ones.
    Metrics are those of `contrastive_divergence`.

    Args:
      model: as in `contrastive_divergence`.
      tx: optax transformation.
      sampler: as in `contrastive_divergence`.
      num_chains: M, at least the batch size, over all devices: each moves chains of its own share.
      restart: in [0, 1], probability that a chain which was drawn begins anew; 1 is noise each time.
      noise: `noise(key, shape) -> [...]`, where chains begin.
      alpha: >= 0, as in `contrast`.
      prepare: as in `contrastive_divergence`.
      axis: as in `core.descend`.

    Raises:
      BadInput: at trace time, if there are fewer chains than examples.
    Source: Tieleman 2008 (ICML); Du & Mordatch 2019, arXiv:1903.08689, algorithm 1.
    """
    prepare = border.prepared(prepare, "float [B, D, ...]")
    of = {"sampler": sampler, "num_chains": num_chains, "restart": restart, "noise": noise}
    return followed(model, tx, contrast(model, alpha), lambda key, batch: (prepare(key, batch),), **of, axis=axis)


def followed(
    model: nn.Module,
    tx: optax.GradientTransformation,
    loss: Callable,
    prepare: Callable[[Key, PyTree], tuple],
    *,
    sampler: Sampler | Kernel,
    num_chains: int,
    restart: float,
    noise: Callable[[Key, tuple[int, ...]], Array],
    axis: str | None,
):
    """What `persistent_contrastive_divergence` is, of any loss of data and of samples that follow the model.

    Args:
      model: as there.
      tx: optax transformation.
      loss: `loss(key, params, extras, data, samples, *more) -> (metrics, extras)`, for `core.descend`.
      prepare: `prepare(key, batch) -> (data, *more)`, data as `Points`.
      sampler: as there.
      num_chains: as there.
      restart: as there.
      noise: as there.
      axis: as there.
    Returns:
      The `Algorithm`.
    """
    update = descend(loss, tx, axis)

    def init(key, batch):
        noise_key, key = jax.random.split(key)
        learner, data = created(key, model, tx, lambda *of: prepare(*of)[0], batch)
        rows = jnp.arange(num_chains) % len(data.x)
        given = jax.tree.map(lambda leaf: jnp.asarray(leaf)[rows], data.given)
        return Follower(learner, Points(noise(noise_key, (num_chains, *data.x.shape[1:])), given))

    def step(key, state, batch):
        prepare_key, draw_key, restart_key, noise_key, walk_key, key = jax.random.split(key, 6)
        data, *more = prepare(prepare_key, batch)
        size, available = len(data.x), len(state.chains.x)  # of this device
        if available < size:
            raise BadInput(f"{available} chains for {size} examples: there must be as many, or more")
        rows = jax.random.choice(draw_key, available, (size,), replace=False)
        begins = jax.random.bernoulli(restart_key, restart, (size,))
        fresh = Points(noise(noise_key, data.x.shape), data.given)
        starts = tree.where(begins, fresh, tree.take(state.chains, rows))
        samples = walked(walk_key, model, state.learner, starts, sampler)
        chains = jax.tree.map(lambda old, new: old.at[rows].set(new), state.chains, samples)
        learner, metrics = update(key, state.learner, data, samples, *more)
        return Follower(learner, chains), {**metrics, "distance": distance(starts, samples)}

    return Algorithm(init, step, Follower(None, 0))


def contrast(model: nn.Module, alpha: float) -> Callable:
    """The loss for `core.descend`, of data x+ and samples x-, which get no gradient.

    mean E(x+) - mean E(x-) + alpha mean (E(x+)^2 + E(x-)^2)

    It is reported with its parts, means in nats: "contrast", the difference alone, and "data_energy" and
    "sample_energy". Its value says little: for samples of the model its gradient is that of -log p(x+). Collections
    besides the parameters move with the data alone.

    Args:
      model: as in `contrastive_divergence`.
      alpha: >= 0, per nat; energies, which only matter up to a constant, stay near 0.
    Source: Du & Mordatch 2019, arXiv:1903.08689, algorithm 1.
    """

    def loss(key, params, extras, data, samples):
        data_key, sample_key = jax.random.split(key)
        at_data, moved = forward(model, data_key, params, extras, data.x, *data.given)
        at_samples, _ = forward(model, sample_key, params, extras, samples.x, *samples.given)
        difference = at_data - at_samples
        parts = {
            "loss": difference + alpha * (jnp.square(at_data) + jnp.square(at_samples)),
            "contrast": difference,
            "data_energy": at_data,
            "sample_energy": at_samples,
        }
        return {name: Mean.of(values) for name, values in parts.items()}, moved

    return loss


def score(model: nn.Module, variables: PyTree, given: tuple[Array, ...] = ()) -> Score:
    """grad log p = -grad E, chain by chain: `x [B, ...] -> [B, ...]`.

    Args:
      model: as in `contrastive_divergence`.
      variables: its flax collections.
      given: `[B, ...]` each, the chains' conditions.
    """
    return jax.grad(lambda x: -model.apply(variables, x, *given).sum())


def walked(key: Key, model: nn.Module, learner: Learner, starts: Points, sampler: Sampler | Kernel) -> Points:
    """Chains after the sampler's steps on the learner's energy; conditions stay."""
    if isinstance(sampler, Kernel):
        x = sampler.walk(key, model, learner.variables, starts)
    else:
        x = sampler(key, starts.x, score(model, learner.variables, starts.given))
    return starts._replace(x=lax.stop_gradient(x))


def distance(starts: Points, ends: Points) -> Mean:
    """Mean Euclidean distance that chains moved, in units of x."""
    moved = (ends.x - starts.x).reshape(len(ends.x), -1)
    return Mean.of(jnp.sqrt(jnp.square(moved).sum(-1)))


def created(
    key: Key, model: nn.Module, tx: optax.GradientTransformation, prepare: Prepare, batch: PyTree
) -> tuple[Learner, Points]:
    """A fresh learner, and the data of the batch that it was made for."""
    prepare_key, model_key = jax.random.split(key)
    data = prepare(prepare_key, batch)
    return Learner.create(model.init(model_key, data.x, *data.given), tx), data
