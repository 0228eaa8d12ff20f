"""Two players: who moves when, who is told what, and what a trained critic measures."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import linen as nn
from scipy.stats import wasserstein_distance

from adl.core import BadInput, Mean, average_params, jitted, tree
from adl.gan import objective, penalty
from adl.gan.adversarial import Players, gan, wgan_gp
from adl.gan.networks import MLPDiscriminator, MLPGenerator
from adl.nn.resnet import BatchNorm
from adl.nn.spectral import SpectralNorm

KEY = jax.random.key(0)
POINTS = np.random.default_rng(0).normal(size=(24, 2)).astype("f")
ADAM = Players(optax.adam(1e-2), optax.adam(1e-2))
STILL = optax.set_to_zero()


def players(**options) -> Players:
    return Players(MLPGenerator((2,), (8,), output=lambda x: x), MLPDiscriminator((8,), **options))


def distance(a, b) -> float:
    return float(tree.norm(jax.tree.map(lambda x, y: x - y, a, b)))


@pytest.mark.parametrize("still", ["gen", "disc"])
def test_each_update_leaves_the_other_player_alone(still):
    alg = gan(players(wrap=SpectralNorm), ADAM._replace(**{still: STILL}), latent_dim=2)
    before = jax.jit(alg.init)(KEY, POINTS)
    after, _ = jax.jit(alg.step)(KEY, before, POINTS)
    moved = {name: distance(getattr(before, name).params, getattr(after, name).params) for name in Players._fields}
    assert moved.pop(still) == 0 and min(moved.values()) > 0
    assert distance(before.disc.extras, after.disc.extras) > 0


@pytest.mark.parametrize("n_critic", [1, 3])
def test_discriminator_is_updated_n_times_on_shares_of_the_batch(n_critic):
    seen = []

    def prepare(key, batch):
        seen.append(batch)
        return (batch,)

    alg = gan(players(), ADAM, latent_dim=2, n_critic=n_critic, prepare=prepare)
    state = alg.init(KEY, POINTS)
    seen.clear()
    state, metrics = alg.step(KEY, state, POINTS)
    counts = {name: int(optax.tree.get(getattr(state, name).opt_state, "count")) for name in Players._fields}
    assert counts == {"gen": 1, "disc": n_critic}
    assert float(metrics["loss"].count) == len(POINTS) and float(metrics["generator_loss"].count) == 24 / n_critic
    shares = np.concatenate(seen[:n_critic])
    np.testing.assert_array_equal(shares[np.lexsort(shares.T)], POINTS[np.lexsort(POINTS.T)])  # each row once


def test_batch_must_divide_by_n_critic():
    alg = gan(players(), ADAM, latent_dim=2, n_critic=5)
    with pytest.raises(BadInput, match=r"batch of 24 .* n_critic 5"):
        alg.step(KEY, alg.init(KEY, POINTS), POINTS)


def test_first_update_is_the_objective_s_gradient():
    """One step of gradient descent for each player, by hand: discriminator first, on fakes of the old generator."""
    rate, model = 0.1, Players(nn.Dense(2), MLPDiscriminator((8,)))
    tx = Players(optax.sgd(rate), optax.sgd(rate))
    zero = lambda key, batch: (batch, jnp.zeros(len(batch), int))  # noqa: E731 - told, and ignored
    game = gan(
        Players(_Deaf(model.gen), _Deaf(model.disc)), tx, latent_dim=3, objective=_latents_do_not_matter, prepare=zero
    )
    before = game.init(KEY, POINTS)
    after, _ = game.step(KEY, before, POINTS)

    def disc_loss(params):
        return -_deaf(model.disc, params, POINTS).mean()

    want = jax.tree.map(lambda p, g: p - rate * g, before.disc.params, jax.grad(disc_loss)(before.disc.params))
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=1e-6), after.disc.params, want)


_latents_do_not_matter = objective.Objective(lambda real, fake: -real, lambda fake: -fake)


class _Deaf(nn.Module):
    """A network that is told a class and does not listen."""

    network: nn.Module

    @nn.compact
    def __call__(self, x, label):
        return self.network(x)


def _deaf(network, params, x):
    return network.apply({"params": params["network"]}, x)


def test_penalties_are_added_and_reported():
    bare = gan(players(), ADAM, latent_dim=2)
    state = bare.init(KEY, POINTS)
    penalties = (penalty.r1(1.0), lambda key, critic, real, fake: jnp.full(len(real), 2.0))
    _, metrics = gan(players(), ADAM, latent_dim=2, penalties=penalties).step(KEY, state, POINTS)
    slope = penalty.r1(1.0)(KEY, lambda x: players().disc.apply(state.disc.variables, x), jnp.asarray(POINTS), None)
    np.testing.assert_allclose(metrics["penalty"].value, slope.mean() + 2, rtol=1e-5)
    game = objective.non_saturating.disc(metrics["real"].value, metrics["fake"].value)
    assert float(metrics["loss"].value) >= float(game + metrics["penalty"].value) - 1e-5  # Jensen


def test_statistics_of_the_generator_move_with_its_own_update_alone():
    class Normalised(nn.Module):
        @nn.compact
        def __call__(self, z):
            return nn.Dense(2)(BatchNorm(momentum=0.9)(nn.Dense(4)(z)))

    alg = gan(players()._replace(gen=Normalised()), ADAM, latent_dim=2, n_critic=4)
    state = jax.jit(alg.init)(KEY, POINTS)
    once, _ = jax.jit(alg.step)(KEY, state, POINTS)
    mean, first = (jax.tree.leaves(s.gen.extras)[0] for s in (once, state))
    assert float(jnp.abs(mean - first).max()) > 0
    variance = once.gen.extras["batch_stats"]["BatchNorm_0"]["BatchNorm_0"]["var"]
    assert (variance >= 0.9 - 1e-6).all(), "moved once, not five times"


def test_conditional_game_learns_which_class_is_where():
    """Two classes at -3 and 3: the generator makes each where it belongs."""
    label = np.arange(64) % 2
    batch = {"x": (6.0 * label - 3 + np.random.default_rng(0).normal(0, 0.1, 64)).astype("f")[:, None], "label": label}
    model = Players(MLPGenerator((1,), (16,), 2, output=lambda x: x), MLPDiscriminator((16,), 2))
    tx = Players(optax.chain(optax.adam(1e-2, b1=0.0), average_params(0.9)), optax.adam(1e-2, b1=0.0))
    alg = jitted(
        gan(
            model,
            tx,
            latent_dim=2,
            penalties=(penalty.r1(0.1),),
            prepare=lambda key, batch: (batch["x"], batch["label"]),
        )
    )
    state = alg.init(KEY, batch)
    for step in range(400):
        state, _ = alg.step(jax.random.fold_in(KEY, step), state, batch)
    x = model.gen.apply(state.gen.averaged, jax.random.normal(KEY, (64, 2)), jnp.asarray(label))[:, 0]
    assert abs(x[label == 0].mean() + 3) < 0.5 and abs(x[label == 1].mean() - 3) < 0.5


@pytest.mark.parametrize("gap", [1.0, 3.0])
def test_wasserstein_critic_measures_the_distance_of_two_gaussians(gap):
    """`real - fake` of a trained critic, its generator held, is about SciPy's distance between the samples."""
    shifted = _Shifted(0.0)
    alg = jitted(
        wgan_gp(
            Players(shifted, MLPDiscriminator((32, 32))),
            Players(STILL, optax.adam(5e-3, b1=0.0, b2=0.9)),
            latent_dim=1,
            weight=10.0,
            n_critic=1,
        )
    )
    draw = functools.partial(np.random.default_rng(0).normal, gap, 0.5)
    state, seen = alg.init(KEY, draw((256, 1)).astype("f")), []
    for step in range(300):
        state, metrics = alg.step(jax.random.fold_in(KEY, step), state, draw((256, 1)).astype("f"))
        seen.append(metrics)
    late = (
        sum((m["real"] for m in seen[-50:]), Mean(0, 0)).value - sum((m["fake"] for m in seen[-50:]), Mean(0, 0)).value
    )
    z = np.random.default_rng(1).normal(size=4000)
    assert abs(float(late) - wasserstein_distance(draw(4000), 0.5 * z)) < 0.15 * gap


class _Shifted(nn.Module):
    """A Gaussian of standard deviation 1/2."""

    mean: float

    @nn.compact
    def __call__(self, z):
        return self.param("mean", nn.initializers.constant(self.mean), (1, 1)) + 0.5 * z
