"""Latent diffusion: its phases, the scale of its codes, and pictures of codes however they are drawn."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax.tree_util import Partial

from adl.autoencoder import evaluation as evaluation_of_codes
from adl.autoencoder import pixels
from adl.autoencoder.convolutional import grid_vae
from adl.core import Algorithm, Learner, Mean, average_params, jitted
from adl.core.lift import Phases
from adl.diffusion import evaluation, latent, schedule

KEY = jax.random.key(0)
SCALE = 3.0
COVARIANCE = np.array([[4.0, 1.5], [1.5, 1.0]])


class Counter(NamedTuple):
    """How often it moved, and the scale of what it last saw."""

    count: jax.Array
    seen: jax.Array


def counting(name: str) -> Algorithm:
    def init(key, batch):
        return Counter(jnp.zeros(()), jnp.sqrt(jnp.square(batch).mean()))

    def step(key, state, batch):
        return Counter(state.count + 1, jnp.sqrt(jnp.square(batch).mean())), {name: Mean.of(batch.mean())}

    return Algorithm(init, step)


def test_one_learns_and_then_the_other_from_codes_of_scale_one():
    code = lambda key, state, batch: SCALE * batch  # noqa: E731
    algorithm = jitted(latent.latent_diffusion(counting("elbo"), counting("loss"), code=code, periods=(400, 2)))
    batch = jax.random.normal(KEY, (512, 2))
    state, told = algorithm.init(KEY, batch), []
    for _ in range(402):
        state, metrics = algorithm.step(KEY, state, batch)
        told.append({name for name, mean in metrics.items() if mean.count > 0})
        if len(told) == 400:
            assert (state.state.autoencoder.count, state.state.diffusion.count) == (400, 0)
    assert (state.state.autoencoder.count, state.state.diffusion.count) == (400, 2)
    assert told == [{"autoencoder_elbo"}] * 400 + [{"loss"}] * 2
    want = SCALE * np.sqrt(np.square(batch).mean())
    np.testing.assert_allclose(state.state.scale, want, rtol=0.01)  # 0.99^400 of the start is left
    np.testing.assert_allclose(state.state.diffusion.seen, 1, rtol=0.01)


def codes_of(num_steps=40):
    """Codes of which `batch` is the mean, seen as they are; a denoiser that is the best for N(0, I)."""

    def best(state, label):
        return lambda x, sigma: x / (1 + jnp.square(sigma))

    sampler = evaluation.Sampler(best, schedule.karras(num_steps), (2,))
    return latent.Codes(lambda key, state, batch: batch, lambda state, rows: rows[:, None, None, :] + state, sampler)


STATE = Phases(jnp.zeros((), int), latent.InLatents(jnp.asarray(10.0), (), jnp.asarray(SCALE**2)))
MANY = jnp.zeros(40_000, int)


def test_pictures_are_of_codes_as_they_are_drawn():
    codes = codes_of()
    for draw, scale in ((codes.from_prior, 1), (codes.diffused, SCALE)):
        drawn = jax.jit(draw)(KEY, STATE, MANY)
        assert drawn.shape == (len(MANY), 1, 1, 2)
        rows = np.asarray(drawn).reshape(-1, 2) - 10
        np.testing.assert_allclose(np.cov(rows.T), scale**2 * np.eye(2), atol=0.03 * scale**2)
        np.testing.assert_allclose(rows.mean(0), 0, atol=0.03 * scale)


def test_all_ways_by_name_and_what_looks_at_the_autoencoder_alone():
    known = np.ones((3, 2), np.float32)
    ways = codes_of().ways(known)
    assert tuple(ways) == latent.WAYS and any(leaf is known for leaf in jax.tree.leaves(ways["gaussian"]))
    assert codes_of().one(KEY, STATE).shape == (1, 1, 2)
    probe = latent.of_autoencoder(Partial(lambda carried, key, state, *batch: (carried, state, batch), 7))
    assert probe(KEY, STATE, 3) == (7, STATE.state.autoencoder, (3,)) and jax.tree.leaves(probe) == [7]


def test_a_gaussian_has_the_moments_of_the_codes():
    known = np.random.default_rng(0).multivariate_normal([1, -2], COVARIANCE, size=50)
    drawn = codes_of().from_gaussian(jnp.asarray(known, jnp.float32), KEY, STATE, MANY).reshape(-1, 2) - 10
    np.testing.assert_allclose(drawn.mean(0), known.mean(0), atol=0.05)
    np.testing.assert_allclose(np.cov(drawn.T), np.cov(known.T), atol=0.1)


def test_drawn_codes_are_of_the_posterior_in_their_shape():
    model = grid_vae(2, (4,), (4, 4, 1), num_outputs=2)
    seen = pixels.dequantised(17)
    learner = Learner.create(
        jax.jit(model.init)(KEY, KEY, jnp.zeros((1, 16))), optax.chain(optax.sgd(1.0), average_params(0.9))
    )
    image = np.full((20_000, 4, 4, 1), 255, np.uint8)
    codes = evaluation_of_codes.drawn_codes(model, seen, (2, 2, 2))(KEY, learner, {"image": image})
    assert codes.shape == (20_000, 2, 2, 2)
    q = model.bind(learner.averaged).encode(seen.observe(KEY, image))
    np.testing.assert_allclose(codes.reshape(-1, 8).mean(0), q.mean.mean(0), atol=0.05)
    spread = jnp.sqrt(jnp.exp(2 * q.log_std).mean(0) + q.mean.var(0))
    np.testing.assert_allclose(codes.reshape(-1, 8).std(0), spread, rtol=0.03)


def test_a_convolutional_code_is_a_grid_each_cell_of_which_sees_its_corner():
    """Row by row, cell by cell; means apart from log deviations: what a pixel far away says of a cell is nothing."""
    model = grid_vae(3, (4,), (16, 12, 2), num_outputs=2)
    x = jnp.zeros((1, 16 * 12 * 2))
    variables = jax.jit(model.init)(KEY, KEY, x)
    q = model.bind(variables).encode(x)
    assert q.mean.shape == q.log_std.shape == (1, 8 * 6 * 3)
    assert model.bind(variables).decode(q.mean).shape == (1, 16 * 12 * 2 * 2)
    corner = x.reshape(16, 12, 2).at[:2, :2].set(1.0).reshape(1, -1)
    moved = np.asarray(model.bind(variables).encode(corner).mean - q.mean).reshape(8, 6, 3)
    assert np.abs(moved[0, 0]).min() > 0 and not moved[4:].any() and not moved[:, 4:].any()
    given = q.mean.reshape(8, 6, 3).at[0, 0].add(1.0).reshape(1, -1)
    change = np.asarray(model.bind(variables).decode(given) - model.bind(variables).decode(q.mean))
    change = change.reshape(2, 16, 12, 2)
    assert np.abs(change[:, 0, 0]).min() > 0 and not change[:, 12:].any() and not change[:, :, 10:].any()
