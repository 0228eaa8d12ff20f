"""Schedules and solver steps are those of Hugging Face diffusers, all the way down, with the same noise."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from adl.diffusion import denoising, edm, preconditioner, process, schedule, solver, target

torch = pytest.importorskip("torch")
diffusers = pytest.importorskip("diffusers")
pytestmark = pytest.mark.full

BETAS = {"linear": process.discrete(), "squaredcos_cap_v2": process.discrete_cosine()}
START = np.random.default_rng(0).normal(size=(4, 3)).astype("f")
STEPS = 5


def noise_of(x, time):
    """Any network F of what it sees and of the time, `[]` or `[B]`: tanh of both, in either library."""
    library = torch if isinstance(x, torch.Tensor) else jnp
    return library.tanh(x + time) * 0.8


class Network:
    """The same, as a model without parameters."""

    def apply(self, variables, x, time, condition):
        return noise_of(x, time[:, None])


def ours(way, sigmas, method, start):
    """Every state over alpha, and the noise of each step."""
    denoise = denoising.denoiser(Network(), {}, None, process=way, target=target.noise)
    keys = jax.random.split(jax.random.key(0), len(sigmas) - 1)
    states = solver.path(jax.random.key(0), denoise, jnp.asarray(start), sigmas, method)
    return np.asarray(states), [np.asarray(jax.random.normal(key, start.shape)) for key in keys]


def fresh(scheduler, **more):
    return scheduler(clip_sample=False, timestep_spacing="trailing", num_train_timesteps=1000, **more)


def compared(scheduler, way, method, step):
    """Both ways down from the same noise; theirs is of x_t, ours of x_t / alpha_t."""
    scheduler.set_timesteps(STEPS)
    kept = np.sqrt(scheduler.alphas_cumprod.numpy())
    times = scheduler.timesteps.numpy()
    alphas = np.append(kept[times], 1.0)
    sigmas = schedule.even(way, STEPS)
    np.testing.assert_allclose(sigmas[:-1], np.sqrt(1 - alphas[:-1] ** 2) / alphas[:-1], rtol=2e-3)
    states, noises = ours(way, sigmas, method, START / alphas[0])
    x = torch.tensor(START)
    for i, t in enumerate(times):
        with torch.no_grad():
            x = step(scheduler, noise_of(x, (int(t) + 1) / 1000), int(t), x, torch.tensor(noises[i]))
        np.testing.assert_allclose(states[i + 1] * alphas[i + 1], x.numpy(), rtol=5e-3, atol=5e-3)


@pytest.mark.parametrize("beta", BETAS)
def test_chains_keep_as_much(beta):
    kept = fresh(diffusers.DDPMScheduler, beta_schedule=beta).alphas_cumprod.numpy()
    alpha = BETAS[beta].signal(jnp.arange(1, 1001) / 1000).alpha
    np.testing.assert_allclose(alpha**2, kept, rtol=2e-3, atol=1e-6)


@pytest.mark.parametrize("beta", BETAS)
@pytest.mark.parametrize("eta", [0.0, 0.5, 0.9])
def test_ddim(beta, eta):
    """At eta = 1 theirs takes the root of a rounding below 0; there it is DDPM, which is next."""

    def step(scheduler, output, t, x, noise):
        return scheduler.step(output, t, x, eta=eta, variance_noise=noise).prev_sample

    compared(fresh(diffusers.DDIMScheduler, beta_schedule=beta), BETAS[beta], solver.ddim(eta), step)


@pytest.mark.parametrize("beta", BETAS)
def test_ddpm(beta, monkeypatch):
    def step(scheduler, output, t, x, noise):
        module = "diffusers.schedulers.scheduling_ddpm.randn_tensor"
        monkeypatch.setattr(module, lambda *of, **more: noise)
        return scheduler.step(output, t, x).prev_sample

    compared(fresh(diffusers.DDPMScheduler, beta_schedule=beta), BETAS[beta], solver.ddim(1.0), step)


def test_edm():
    """Euler's steps down the levels of Karras et al., of a preconditioned network."""
    scheduler = diffusers.EDMEulerScheduler(sigma_data=0.7)
    scheduler.set_timesteps(STEPS)
    sigmas = schedule.karras(STEPS)
    np.testing.assert_allclose(sigmas, scheduler.sigmas.numpy(), rtol=1e-4)
    denoise = edm.denoiser(Network(), {}, None, preconditioner=preconditioner.karras(0.7))
    found = solver.sample(jax.random.key(0), denoise, 80 * jnp.asarray(START), sigmas, solver.euler)
    x = 80 * torch.tensor(START)
    for t in scheduler.timesteps:
        x = scheduler.step(noise_of(scheduler.scale_model_input(x, t), t), t, x).prev_sample
    np.testing.assert_allclose(found, x.numpy(), rtol=2e-3, atol=2e-3)


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
def test_heun():
    scheduler = diffusers.HeunDiscreteScheduler(beta_start=1e-4, beta_end=0.02, beta_schedule="linear")
    scheduler.set_timesteps(STEPS)
    sigmas = np.append(scheduler.sigmas.numpy()[::2], 0)
    told = lambda x, sigma: x - sigma * noise_of(x, jnp.log(sigma))  # noqa: E731
    found = solver.sample(jax.random.key(0), told, jnp.asarray(START) * sigmas[0], jnp.asarray(sigmas), solver.heun)
    x = torch.tensor(START) * float(sigmas[0])
    for i, t in enumerate(scheduler.timesteps):
        output = noise_of(x, torch.log(scheduler.sigmas[i]))
        x = scheduler.step(output, t, x).prev_sample
    np.testing.assert_allclose(found, x.numpy(), rtol=2e-3, atol=2e-3)
