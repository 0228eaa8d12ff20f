"""Generative adversarial networks: a generator that makes fakes, and a discriminator that tells them from data.

    min over G of  E_z f(a(G(z))),    min over a of  E_{x, z} d(a(x), a(G(z)))

The functions d and f are the `objective`. Whatever else an example comes with, its class, goes to both players.
Sources: Goodfellow et al. 2014, arXiv:1406.2661, algorithm 1; conditional: Mirza & Osindero 2014, arXiv:1411.1784.
"""

from collections.abc import Callable, Sequence
from typing import Any, Generic, NamedTuple, TypeVar

import chex
import jax
import jax.numpy as jnp
from flax import linen as nn
from jax import Array

from adl.core import Algorithm, BadInput, Key, Learner, Mean, Metrics, PyTree, border, descend, forward
from adl.gan import objective as objectives
from adl.gan.objective import Objective
from adl.gan.penalty import Penalty, gradient_penalty

Thing = TypeVar("Thing")


class Players(NamedTuple, Generic[Thing]):
    """One of each for the two players: their networks, their optimizers, or, as the state, their learners."""

    gen: Thing
    disc: Thing


def from_noise(model: Players, latent_dim: int, *size: int) -> Callable[[Key, Players], Array]:
    """`(key, state) -> [*size, ...]`, what the averaged generator makes of standard normal noise."""

    def draw(key: Key, state: Players) -> Array:
        made = model.gen.apply(state.gen.averaged, jax.random.normal(key, (*(size or (1,)), latent_dim)))
        return made if size else made[0]

    return draw


def gan(
    model: Players[nn.Module],
    tx: Players[Any],
    *,
    latent_dim: int,
    objective: Objective = objectives.non_saturating,
    penalties: Sequence[Penalty] = (),
    n_critic: int = 1,
    also: Callable[..., Array] | None = None,
    prepare: Callable[[Key, PyTree], tuple[Array, ...]] = lambda key, batch: (batch,),
    axis: str | None = None,
) -> Algorithm:
    """Two players that learn in turn; the state is `Players` of `Learner`s.

    A step is `n_critic` updates of the discriminator, each on its own share of the batch, and one of the generator.
    It reports the discriminator's `loss` with its `penalty`, the mean logits `real` and `fake`, and the
    `generator_loss`. Collections of a network besides its parameters move with its own updates alone, those of the
    discriminator on data.

    Args:
      model: generator `(z [B, Z], *given) -> x [B, ...]` and discriminator `(x [B, ...], *given) -> logits [B]`.
      tx: optax transformations; end the generator's with `core.average_params` to sample from averaged parameters.
      latent_dim: Z >= 1; z is standard normal.
      objective: losses of the players, from logits.
      penalties: added to the discriminator's losses.
      n_critic: >= 1, a divisor of the batch (under pmap: of a device's share).
      also: `also(answer [B, P], *given) -> [B]`, a loss that both players lower besides, the discriminator on data and
        fakes: its answer is then `[B, 1 + P]`, of which the first is the logit. It is reported as `also`.
      prepare: `prepare(key, batch) -> (x [B, ...], *given)`: examples as the generator should make them, and what
        both players are told of each (its label).
      axis: as in `core.descend`.
    Raises:
      BadInput: if the batch does not divide by `n_critic`.
    """
    prepare = border.prepared(prepare)

    def understood(answer: Array, given: Sequence[Array]) -> tuple[Array, Array]:
        """Logits `[B]`, and what else both players lower `[B]`."""
        chex.assert_rank(answer, 1 if also is None else 2)
        return (answer, jnp.zeros_like(answer)) if also is None else (answer[:, 0], also(answer[:, 1:], *given))

    def disc_loss(key: Key, params, extras, gen, batch) -> tuple[Metrics, PyTree]:
        prepare_key, latent_key, *penalty_keys, pass_key = jax.random.split(key, 3 + len(penalties))
        gen_key, real_key, fake_key, *judge_keys = jax.random.split(pass_key, 3 + len(penalties))
        real, *given = prepare(prepare_key, batch)
        z = jax.random.normal(latent_key, (len(real), latent_dim))
        fake, _ = forward(model.gen, gen_key, gen.params, gen.extras, z, *given)

        def judge(key, x):
            answer, moved = forward(model.disc, key, params, extras, x, *given)
            return *understood(answer, given), moved

        (real_logits, on_data, moved), (fake_logits, on_fakes, _) = judge(real_key, real), judge(fake_key, fake)
        terms = [
            penalty(own_key, lambda x, key=judge_key: judge(key, x)[0], real, fake)
            for penalty, own_key, judge_key in zip(penalties, penalty_keys, judge_keys, strict=True)
        ]
        losses = objective.disc(real_logits, fake_logits) + sum(terms) + on_data + on_fakes
        metrics = {"loss": losses, "real": real_logits, "fake": fake_logits}
        if terms:
            metrics["penalty"] = sum(terms)
        if also is not None:
            metrics["also"] = on_data + on_fakes
        return {name: Mean.of(values) for name, values in metrics.items()}, moved

    def gen_loss(key: Key, params, extras, disc, batch) -> tuple[Metrics, PyTree]:
        prepare_key, latent_key, gen_key, disc_key = jax.random.split(key, 4)
        real, *given = prepare(prepare_key, batch)
        z = jax.random.normal(latent_key, (len(real), latent_dim))
        fake, moved = forward(model.gen, gen_key, params, extras, z, *given)
        answer, _ = forward(model.disc, disc_key, disc.params, disc.extras, fake, *given)
        logits, on_fakes = understood(answer, given)
        return {"loss": Mean.of(objective.gen(logits) + on_fakes)}, moved

    def init(key: Key, batch) -> Players[Learner]:
        prepare_key, gen_key, disc_key, latent_key = jax.random.split(key, 4)
        x, *given = prepare(prepare_key, batch)
        z = jax.random.normal(latent_key, (len(x), latent_dim))
        variables = Players(model.gen.init(gen_key, z, *given), model.disc.init(disc_key, x, *given))
        return Players(*map(Learner.create, variables, tx))

    learn = Players(descend(gen_loss, tx.gen, axis), descend(disc_loss, tx.disc, axis))

    def step(key: Key, players: Players[Learner], batch) -> tuple[Players[Learner], Metrics]:
        gen_key, *disc_keys = jax.random.split(key, 1 + n_critic)
        shares = [jax.tree.map(lambda x, i=i: _share(x, i, n_critic), batch) for i in range(n_critic)]
        disc, seen = players.disc, []
        # Not `alternate`: under `over_seeds` its switch would run, and pay for, both players at every step. Nor a
        # scan: on CPU a convolution within a loop takes ten times as long.
        for disc_key, share in zip(disc_keys, shares, strict=True):
            disc, metrics = learn.disc(disc_key, disc, players.gen, share)
            seen.append(metrics)
        gen, metrics = learn.gen(gen_key, players.gen, disc, shares[-1])
        merged = jax.tree.map(lambda *parts: sum(parts), *seen)
        return Players(gen, disc), {**merged, "generator_loss": metrics["loss"]}

    return Algorithm(init, step)


def wgan_gp(
    model: Players[nn.Module],
    tx: Players[Any],
    *,
    latent_dim: int,
    weight: float = 10.0,
    n_critic: int = 5,
    prepare: Callable[[Key, PyTree], tuple[Array, ...]] = lambda key, batch: (batch,),
    axis: str | None = None,
) -> Algorithm:
    """The Wasserstein GAN whose critic is held to slope 1 by a gradient penalty; `real - fake` estimates W_1.

    Args:
      model: as in `gan`; the critic without batch normalisation.
      tx: as in `gan`; the source has Adam with rate 1e-4, b1 = 0 and b2 = 0.9.
      latent_dim: as in `gan`.
      weight: >= 0, of the penalty.
      n_critic: as in `gan`.
      prepare: as in `gan`.
      axis: as in `core.descend`.
    Source: Gulrajani et al. 2017, arXiv:1704.00028, algorithm 1.
    """
    return gan(
        model,
        tx,
        latent_dim=latent_dim,
        objective=objectives.wasserstein,
        penalties=(gradient_penalty(weight),),
        n_critic=n_critic,
        prepare=prepare,
        axis=axis,
    )


def _share(x: Array, i: int, n: int) -> Array:
    """`[B / n, ...]` rows i, i + n, ...: dealt in turn, as cards are, so that every device deals of its own."""
    if len(x) % n:
        raise BadInput(f"a batch of {len(x)} does not divide by n_critic {n}")
    return x[i::n]
