"""Objectives against their closed forms, and the games that they make of two known distributions."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.spatial.distance import jensenshannon
from scipy.stats import wasserstein_distance

from adl.gan import objective

RNG = np.random.default_rng(0)
P, Q = RNG.dirichlet(np.ones(6)), RNG.dirichlet(np.ones(6))
GAMES = ("minimax", "non_saturating", "hinge", "wasserstein")


def expected(game, logits: np.ndarray) -> float:
    """Discriminator's loss on two distributions over six points, whose logits are `[6]`."""
    grid = jnp.broadcast_to(jnp.asarray(logits), (6, 6))
    losses = jax.vmap(game.disc)(grid.T, grid)  # [real point, fake point]
    return float((np.outer(P, Q) * losses).sum())


@pytest.mark.parametrize("game", ["minimax", "non_saturating"])
def test_best_discriminator_measures_the_jensen_shannon_divergence(game):
    """log 4 - 2 JSD at D = p / (p + q); and no other is better."""
    game = getattr(objective, game)
    best = np.log(P / Q)
    np.testing.assert_allclose(expected(game, best), np.log(4) - 2 * jensenshannon(P, Q) ** 2, rtol=1e-5)
    assert all(expected(game, best + RNG.normal(size=6)) > expected(game, best) for _ in range(50))


def test_best_hinge_discriminator_measures_total_variation():
    """2 - 2 TV(p, q) at a = sign(p - q). Source: Lim & Ye 2017, arXiv:1705.02894, theorem 1."""
    best = np.sign(P - Q)
    np.testing.assert_allclose(expected(objective.hinge, best), 2 - np.abs(P - Q).sum(), rtol=1e-5)
    others = [best + RNG.normal(size=6) for _ in range(50)]
    assert all(expected(objective.hinge, other) > expected(objective.hinge, best) for other in others)


def test_wasserstein_discriminator_is_kantorovich_s():
    """On a line, -W_1 at the function of slope +-1 whose sign is that of F_q - F_p."""
    slope = np.sign(np.cumsum(Q) - np.cumsum(P))[:-1]
    best = np.concatenate([[0], np.cumsum(slope)])
    distance = wasserstein_distance(np.arange(6), np.arange(6), P, Q)
    np.testing.assert_allclose(expected(objective.wasserstein, best), -distance, rtol=1e-5)


@pytest.mark.parametrize("game", GAMES)
def test_players_disagree_about_fakes(game):
    """What the generator gains, the discriminator does not."""
    game = getattr(objective, game)
    fake = jnp.linspace(-0.9, 0.9, 7)
    up = jax.grad(lambda a: game.disc(jnp.zeros(7), a).sum())(fake)
    down = jax.grad(lambda a: game.gen(a).sum())(fake)
    assert (up > 0).all() and (down < 0).all()
    assert (jax.grad(lambda a: game.disc(a, jnp.zeros(7)).sum())(fake) < 0).all()


def test_saturation():
    """Where the discriminator is sure of its fakes, one generator has no gradient and the other a full one."""
    sure = jnp.array([-12.0])
    slopes = {
        name: float(jax.grad(lambda a, name=name: getattr(objective, name).gen(a).sum())(sure)[0]) for name in GAMES
    }
    assert slopes["minimax"] > -1e-5
    np.testing.assert_allclose([slopes["non_saturating"], slopes["hinge"], slopes["wasserstein"]], -1, atol=1e-5)


def test_minimax_is_zero_sum():
    fake = jnp.linspace(-3, 3, 9)
    lost = objective.minimax.disc(jnp.full(9, jnp.inf), fake)  # the data cost it nothing
    np.testing.assert_allclose(objective.minimax.gen(fake), -lost, rtol=1e-6)
