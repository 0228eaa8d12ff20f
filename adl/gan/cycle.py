"""CycleGAN: from pictures of one kind to those of another and back, learned without a single pair of them.

    min over G, F of  E f(a_Y(G(x))) + E f(a_X(F(y))) + w (E |F(G(x)) - x|_1 + E |G(F(y)) - y|_1)

Each translator must deceive the judge of the pictures that it makes, and what comes back must be what went. Nothing
says that a picture's class is kept: any pairing of the two kinds that can be undone would do, and which is found is a
matter of the networks.
Source: Zhu et al. 2017, arXiv:1703.10593, eq. 1 to 3.
"""

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
from flax import linen as nn
from jax import Array

from adl.core import Algorithm, Key, Learner, Mean, Metrics, PyTree, border, descend, forward
from adl.gan import objective as objectives
from adl.gan.adversarial import Players
from adl.gan.objective import Objective
from adl.gan.penalty import Penalty


class Ways(nn.Module):
    """Two networks that learn as one: of translators one for each way, of judges one for each kind of picture."""

    forth: nn.Module  # G, from X to Y; or the judge of Y
    back: nn.Module  # F, from Y to X; or the judge of X

    def __call__(self, a: Array, b: Array) -> tuple[Array, Array]:
        """What the first makes of `a` `[B, ...]`, and the second of `b` `[B, ...]`."""
        return self.forth(a), self.back(b)


def cyclegan(
    model: Players[Ways],
    tx: Players[Any],
    *,
    prepare: Callable[[Key, PyTree], tuple[Array, Array]],
    weight: float = 10.0,
    objective: Objective = objectives.least_squares,
    penalties: Sequence[Penalty] = (),
    axis: str | None = None,
) -> Algorithm:
    """Two translators against two judges; the state is `Players` of `Learner`s, each of a `Ways`.

    A step is an update of the judges and one of the translators. It reports the judges' `loss` with its `penalty`, the
    `generator_loss`, and of this the `cycle` error, the mean absolute difference of a number over both ways round.

    Args:
      model: translators `Ways(G, F)` `(x [B, ...] -> y [B, ...], y -> x)`, and judges `Ways(of Y, of X)`, of logits
        `[B]`.
      tx: as in `gan`; the source has Adam with rate 2e-4 and b1 = 0.5.
      prepare: `prepare(key, batch) -> (x [B, ...], y [B, ...])`, which need not belong together.
      weight: w >= 0, of the cycle.
      objective: as in `gan`; the source has least squares.
      penalties: as in `gan`, of each judge.
      axis: as in `core.descend`.
    Source: Zhu et al. 2017, arXiv:1703.10593, eq. 3; without its history of fakes.
    """
    prepare = border.prepared(prepare)

    def disc_loss(key: Key, params, extras, gen, batch) -> tuple[Metrics, PyTree]:
        prepare_key, gen_key, judge_key, *penalty_keys = jax.random.split(key, 3 + 2 * len(penalties))
        x, y = prepare(prepare_key, batch)
        (fake_y, fake_x), _ = forward(model.gen, gen_key, gen.params, gen.extras, x, y)

        def critic(kind: str) -> Callable[[Array], Array]:
            method = lambda pair, x: getattr(pair, kind)(x)  # noqa: E731 - of one of the two judges
            return lambda x: forward(model.disc, judge_key, params, extras, x, method=method)[0]

        real, moved = forward(model.disc, judge_key, params, extras, y, x)
        fake, _ = forward(model.disc, judge_key, params, extras, fake_y, fake_x)
        losses = sum(map(objective.disc, real, fake))
        sides = (("forth", y, fake_y), ("back", x, fake_x))
        at = [(penalty, critic(kind), a, b) for penalty in penalties for kind, a, b in sides]
        terms = [penalty(own_key, *rest) for (penalty, *rest), own_key in zip(at, penalty_keys, strict=True)]
        told = {"loss": losses + sum(terms), **({"penalty": sum(terms)} if terms else {})}
        return {name: Mean.of(values) for name, values in told.items()}, moved

    def gen_loss(key: Key, params, extras, disc, batch) -> tuple[Metrics, PyTree]:
        prepare_key, first_key, again_key, disc_key = jax.random.split(key, 4)
        x, y = prepare(prepare_key, batch)
        (fake_y, fake_x), moved = forward(model.gen, first_key, params, extras, x, y)
        (again_y, again_x), moved = forward(model.gen, again_key, params, moved, fake_x, fake_y)
        logits, _ = forward(model.disc, disc_key, disc.params, disc.extras, fake_y, fake_x)
        cycle = _apart(again_x, x) + _apart(again_y, y)
        losses = sum(map(objective.gen, logits)) + weight * cycle
        return {"loss": Mean.of(losses), "cycle": Mean.of(cycle / 2)}, moved

    def init(key: Key, batch) -> Players[Learner]:
        prepare_key, gen_key, disc_key = jax.random.split(key, 3)
        x, y = prepare(prepare_key, batch)
        return Players(*map(Learner.create, (model.gen.init(gen_key, x, y), model.disc.init(disc_key, y, x)), tx))

    learn = Players(descend(gen_loss, tx.gen, axis), descend(disc_loss, tx.disc, axis))

    def step(key: Key, players: Players[Learner], batch) -> tuple[Players[Learner], Metrics]:
        gen_key, disc_key = jax.random.split(key)
        disc, metrics = learn.disc(disc_key, players.disc, players.gen, batch)
        gen, told = learn.gen(gen_key, players.gen, disc, batch)
        return Players(gen, disc), {**metrics, "generator_loss": told["loss"], "cycle": told["cycle"]}

    return Algorithm(init, step)


def _apart(a: Array, b: Array) -> Array:
    """`[B]` mean absolute difference of the numbers of `[B, ...]`."""
    return jnp.abs(a - b).reshape(len(a), -1).mean(1)
