"""Of a Gaussian the learned score is the closed form, the likelihood the density, and samples come nearer by cost."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import linen as nn
from scipy import stats

from adl.core import average_params, jitted
from adl.diffusion import denoising, gaussian, preconditioner, process, schedule, solver, target
from adl.prob.gaussian import MultivariateNormal

KEY = jax.random.key(0)
TARGET = MultivariateNormal(jnp.array([0.5, -0.5]), jnp.array([[1.0, 0.7], [0.7, 0.8]]))
EXACT = gaussian.exact_denoiser(TARGET)


def levels(num):
    return schedule.karras(num, sigma_min=0.05, sigma_max=40.0)


def test_the_exact_denoiser_is_the_slope_of_scipys_density():
    """Tweedie: D = x + sigma^2 grad log p_sigma, by differences."""
    x, h = np.array([[0.3, 1.2], [-2.0, 0.1]]), 1e-4
    for sigma in (0.1, 2.0):
        law = stats.multivariate_normal(TARGET.loc, np.asarray(TARGET.covariance) + sigma**2 * np.eye(2))
        slope = np.stack([(law.logpdf(x + h * e) - law.logpdf(x - h * e)) / (2 * h) for e in np.eye(2)], -1)
        np.testing.assert_allclose(
            EXACT(jnp.asarray(x, jnp.float32), sigma), x + sigma**2 * slope, rtol=1e-4, atol=1e-5
        )


def test_the_exact_one_has_no_error_and_another_that_of_its_score():
    of = {"levels": (0.5, 2.0), "sigmas": levels(60)[:-1], "num": 300}
    found = jax.jit(gaussian.against_gaussian(lambda _: EXACT, TARGET, **of))(KEY, ())
    assert found["score_0.5"].value < 1e-9 and found["likelihood_error"].value < 5e-3
    np.testing.assert_allclose(found["nll"].value, found["entropy"].value, atol=5e-3)
    half = lambda x, sigma: x + (EXACT(x, sigma) - x) / 2  # noqa: E731
    found = jax.jit(gaussian.against_gaussian(lambda _: half, TARGET, **of))(KEY, ())
    np.testing.assert_allclose([found["score_0.5"].value, found["score_2"].value], 0.25, rtol=1e-4)
    assert found["likelihood_error"].value > 0.1


def test_samples_come_nearer_by_cost_and_the_higher_order_sooner():
    solvers = {"euler": (solver.euler, 1), "heun": (solver.heun, 2), "reverse": (solver.reverse, 1)}
    probe = gaussian.by_evaluations(
        lambda _: EXACT, TARGET, solvers, schedule=levels, evaluations=(8, 16, 64), num=3000
    )
    found = {name: float(mean.value) for name, mean in jax.jit(probe)(KEY, ()).items()}
    assert found["data"] < 0.01
    for name in solvers:
        assert found[f"{name}_64"] < found[f"{name}_16"] < found[f"{name}_8"]
    assert found["heun_16"] < found["euler_16"] < found["reverse_16"]
    alone = solver.sample(KEY, EXACT, 40 * jax.random.normal(KEY, (5, 2)), levels(8), solver.heun)
    padded = solver.sample(
        KEY, EXACT, 40 * jax.random.normal(KEY, (5, 2)), jnp.pad(levels(8), (9, 0), mode="edge"), solver.heun
    )
    np.testing.assert_allclose(alone, padded, rtol=1e-5)


class Linear(nn.Module):
    """F(x; c_noise) = A(c_noise) x + b(c_noise), by a small network: as much as a Gaussian's denoiser needs."""

    @nn.compact
    def __call__(self, x, noise, condition):
        told = nn.Dense(6)(nn.tanh(nn.Dense(24)(noise[:, None]))).reshape(-1, 2, 3)
        return (told[..., :2] * x[:, None]).sum(-1) + told[..., 2]


def test_the_learned_score_is_the_closed_form():
    way = {"process": process.exploding, "target": target.preconditioned(preconditioner.karras(0.95))}
    tx = optax.chain(optax.adam(optax.cosine_decay_schedule(0.02, 600)), average_params(0.98))
    algorithm = jitted(denoising.denoising(Linear(), tx, **way, levels=denoising.log_normal(-0.5, 1.3)))
    points = TARGET.sample(KEY, (600, 512))
    learner = algorithm.init(KEY, points[0])
    for step, x in enumerate(points):
        learner, _ = algorithm.step(jax.random.fold_in(KEY, step), learner, x)
    denoise = denoising.denoiser(Linear(), learner.averaged, None, **way)
    for sigma in (0.2, 0.5, 2.0):
        x = gaussian.noised(TARGET, sigma).sample(jax.random.key(1), (1000,))
        assert gaussian.score_error(denoise, EXACT, x, sigma) < 0.01, sigma
