"""Of a Gaussian the learned score is the closed form, the likelihood the density, and samples come nearer by cost."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import linen as nn
from scipy import stats

from adl.core import average_params, jitted
from adl.diffusion import denoising, gaussian, preconditioner, process, schedule, solver, target
from adl.diffusion.gaussian import Tried, law_error
from adl.diffusion.sliced import sliced_errors
from adl.prob.gaussian import MultivariateNormal

KEY = jax.random.key(0)
TARGET = MultivariateNormal(jnp.array([0.5, -0.5]), jnp.array([[1.0, 0.7], [0.7, 0.8]]))
EXACT = gaussian.exact_denoiser(TARGET)


def levels(num, high=40.0):
    return schedule.karras(num, sigma_min=0.05, sigma_max=high)


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
    # The mean, 0.7 from 0, costs 0.7 / high nats: pure noise has none.
    of = {"levels": (0.5, 2.0), "sigmas": levels(60, 400.0)[:-1], "num": 300, "solver": solver.runge_kutta}
    found = jax.jit(gaussian.against_gaussian(lambda _: EXACT, TARGET, **of))(KEY, ())
    assert found["score_0.5"].value < 1e-9 and found["likelihood_error"].value < 5e-3
    np.testing.assert_allclose(found["nll"].value, found["entropy"].value, atol=5e-3)
    half = lambda x, sigma: x + (EXACT(x, sigma) - x) / 2  # noqa: E731
    found = jax.jit(gaussian.against_gaussian(lambda _: half, TARGET, **of))(KEY, ())
    np.testing.assert_allclose([found["score_0.5"].value, found["score_2"].value], 0.25, rtol=1e-4)
    assert found["likelihood_error"].value > 0.1


def test_samples_come_nearer_by_cost_and_the_higher_order_sooner():
    solvers = {"euler": Tried(solver.euler), "heun": Tried(solver.heun, 2), "reverse": Tried(solver.reverse)}
    probe = gaussian.solvers_by_evaluations(
        lambda _: EXACT, TARGET, solvers, schedule=levels, evaluations=(8, 16, 64), num=3000
    )
    found = jax.jit(probe)(KEY, ())
    distances = found.pop("distances")
    found = {name: float(mean.value) for name, mean in found.items()}
    np.testing.assert_allclose(distances[1], [found[f"heun_{n}"] for n in (8, 16, 64)], rtol=1e-6)
    assert found["data"] < 0.01
    for name in solvers:
        assert found[f"{name}_64"] < found[f"{name}_16"] < found[f"{name}_8"]
    assert found["heun_64"] < found["euler_64"] < found["reverse_64"]  # Heun's 8 steps of 16 calls are few
    alone = solver.sample(KEY, EXACT, 40 * jax.random.normal(KEY, (5, 2)), levels(8), solver.heun)
    padded = solver.sample(
        KEY, EXACT, 40 * jax.random.normal(KEY, (5, 2)), jnp.pad(levels(8), (9, 0), mode="edge"), solver.heun
    )
    np.testing.assert_allclose(alone, padded, rtol=1e-5)


def test_solvers_have_the_order_that_they_say():
    """By the exact flow; what draws noise, by its law."""
    tried = {
        **{"euler": Tried(solver.euler), "heun": Tried(solver.heun), "runge_kutta": Tried(solver.runge_kutta)},
        **{"ddpm": Tried(solver.ddim(1.0), error=law_error), "reverse": Tried(solver.reverse, error=law_error)},
    }
    probe = gaussian.orders(TARGET, tried, schedule=levels, steps=(16, 32, 64), num=20_000)
    found = {name: float(mean.value) for name, mean in jax.jit(probe)(KEY, ()).items()}
    for name, order, atol in (("euler", 1, 0.1), ("heun", 2, 0.15), ("runge_kutta", 4, 0.3), ("ddpm", 1, 0.25)):
        np.testing.assert_allclose(found[f"{name}_order"], order, atol=atol, err_msg=name)
    np.testing.assert_allclose(found["reverse_order"], 1, atol=0.25)
    assert found["runge_kutta_error"] < 1e-4 < found["heun_error"] < found["euler_error"] < 0.1


def test_the_exact_flow_carries_noised_data_to_less_noised():
    """Of one level to another and back; its law is the target's with the noise of the level."""
    x = gaussian.noised(TARGET, 3.0).sample(KEY, (50_000,))
    near = gaussian.exact_flow(TARGET, x, 3.0, 0.5)
    np.testing.assert_allclose(near.mean(0), TARGET.loc, atol=0.03)
    np.testing.assert_allclose(jnp.cov(near.T), TARGET.covariance + 0.25 * np.eye(2), atol=0.04)
    np.testing.assert_allclose(gaussian.exact_flow(TARGET, near, 0.5, 3.0), x, atol=1e-3)


class Linear(nn.Module):
    """F(x; c_noise) = A(c_noise) x + b(c_noise), by a small network: as much as a Gaussian's denoiser needs."""

    @nn.compact
    def __call__(self, x, noise, condition):
        told = nn.Dense(6)(nn.tanh(nn.Dense(24)(noise[:, None]))).reshape(-1, 2, 3)
        return (told[..., :2] * x[:, None]).sum(-1) + told[..., 2]


@pytest.mark.parametrize(
    "errors", [None, pytest.param(sliced_errors(), marks=pytest.mark.full)], ids=["denoising", "sliced"]
)
def test_the_learned_score_is_the_closed_form(errors):
    way = {"process": process.exploding, "target": target.preconditioned(preconditioner.karras(0.95))}
    tx = optax.chain(optax.adam(optax.cosine_decay_schedule(0.02, 1200)), average_params(0.98))
    algorithm = jitted(denoising.denoising(Linear(), tx, **way, levels=denoising.log_normal(-0.5, 1.3), errors=errors))
    points = TARGET.sample(KEY, (1200, 512))
    learner = algorithm.init(KEY, points[0])
    for step, x in enumerate(points):
        learner, _ = algorithm.step(jax.random.fold_in(KEY, step), learner, x)
    denoise = denoising.denoiser(Linear(), learner.averaged, None, **way)
    for sigma in (0.2, 0.5, 2.0):
        x = gaussian.noised(TARGET, sigma).sample(jax.random.key(1), (1000,))
        assert gaussian.score_error(denoise, EXACT, x, sigma) < 0.01, sigma
