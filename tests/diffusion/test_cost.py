"""Quality by evaluations: on Gaussian pictures, whose best denoiser is known, few steps are bad and many are good."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from adl import data
from adl.core import BadInput
from adl.diffusion import cost, schedule, solver

KEY = jax.random.key(0)
SHAPE, MEAN, STD = (4, 4, 1), 0.5, 0.15  # of pixels in [0, 1]
RNG = np.random.default_rng(0)
LEVELS = functools.partial(schedule.karras, sigma_min=0.02, sigma_max=40.0)


def pictures(*size):
    return RNG.normal(MEAN, STD, (*size, *SHAPE)).clip(0, 1).astype("f")


def denoiser(state, label):
    """The best of pixels N(MEAN, STD^2); the state is a factor by which it is wrong."""
    return lambda x, sigma: state * (STD**2 * x + sigma**2 * MEAN) / (STD**2 + sigma**2)


def way(step, calls=1, levels=LEVELS):
    return cost.Way(denoiser, levels, lambda num_steps: step, calls)


WAYS = {"euler": way(solver.euler), "heun": way(solver.heun, 2)}


def probe(**options):
    reference = data.Split({"image": (255 * pictures(200)).round().astype(np.uint8), "label": np.arange(200) % 10})
    others = {"data": pictures(3, 200), "dark": 0 * pictures(3, 200)}
    of = {"evaluations": (4, 8, 32), "features": lambda x: x.reshape(len(x), -1)}
    return cost.by_evaluations(WAYS, reference, others, **of | options, decode=lambda x: jnp.clip(x, 0, 1))


@pytest.mark.parametrize("make", [WAYS["heun"].solver, lambda n: solver.churned(solver.euler, gamma=0.3)])
def test_first_steps_are_those_of_the_sampler(make):
    """Of a longer row of levels, by one program for all numbers of steps; and as often churned as there are steps."""
    x, sigmas = jax.random.normal(KEY, (5, 3)), LEVELS(6)
    denoise = denoiser(1.0, None)
    first = jax.jit(lambda sigmas, n: cost.sample_first(KEY, denoise, x, sigmas, n, make))
    keys = jax.random.split(KEY, 9)
    for n in (0, 2, 6):
        want = x
        for i in range(n):
            want = make(n)(keys[i], denoise, want, sigmas[i], sigmas[i + 1])
        np.testing.assert_allclose(first(jnp.pad(sigmas, (0, 3)), n), want, rtol=1e-5, atol=1e-6)
    if make is WAYS["heun"].solver:
        whole = solver.sample(KEY, denoise, x, sigmas, solver.heun)
        np.testing.assert_allclose(first(jnp.pad(sigmas, (0, 3)), 6), whole, rtol=1e-5, atol=1e-6)


def test_a_budget_is_as_many_steps_as_its_evaluations_pay_for():
    sigmas, num_steps = cost.budget(WAYS["heun"], (4, 10), name="heun")
    np.testing.assert_array_equal(num_steps, [2, 5])
    np.testing.assert_array_equal(sigmas[0], [*LEVELS(2), 0, 0, 0])
    np.testing.assert_array_equal(sigmas[1], LEVELS(5))


@pytest.mark.parametrize("count", [2, 5])
def test_evaluations_that_no_steps_take_are_refused(count):
    with pytest.raises(BadInput, match=f"{count} evaluations: heun takes 2 a step, so it must be a multiple of 2"):
        cost.budget(WAYS["heun"], (8, count), name="heun")


def test_numbers_are_those_of_what_is_known():
    """Of the best denoiser many evaluations are as near as data are, and few are not; of a wrong one none are."""
    looked = {wrong: jax.device_get(jax.jit(probe())(KEY, wrong)) for wrong in (1.0, 0.7)}
    seen, off = looked[1.0], looked[0.7]

    def value(name, of=seen):
        return float(of[name].value)

    floor = value("data_frechet")
    assert value("euler_4_frechet") > value("euler_8_frechet") > value("euler_32_frechet")
    assert value("heun_32_frechet") < 1.5 * floor < value("euler_4_frechet")
    assert value("dark_frechet") > 100 * floor and value("dark_two_sample_samples") == 1
    assert abs(value("heun_32_two_sample_data") - 0.5) < 0.15
    assert value("heun_32_frechet", off) > 10 * floor
    for name in ("euler frechet", "heun two_sample_data"):
        assert seen[name].shape == seen[f"{name} error"].shape == (3,) and seen[f"{name} error"][-1] > 0
    assert seen["heun two_sample_data error"][0] == 0  # of what is told each time, draws do not differ
    np.testing.assert_allclose(seen["euler frechet"][1], value("euler_8_frechet"), rtol=1e-5)
    np.testing.assert_array_equal(seen["evaluations"], [4, 8, 32])
    assert seen["grid"].shape == (6, 12, *SHAPE)


def test_all_ways_begin_with_the_same_noise():
    """A solver that stays where it is shows the noise itself."""
    still = way(lambda key, denoise, x, sigma, sigma_next: x)
    reference = data.Split({"image": np.arange(5 * 16, dtype=np.uint8).reshape(5, 4, 4, 1), "label": np.zeros(5, int)})
    of = {"evaluations": (2, 4), "features": lambda x: x.reshape(len(x), -1)}
    looks = cost.by_evaluations(
        {"a": still, "b": still}, reference, {"x": pictures(2, 5)}, **of, decode=jax.nn.sigmoid, num_shown=5
    )
    grid = looks(KEY, 1.0)["grid"]
    np.testing.assert_array_equal(grid, np.stack([grid[0]] * 4))
    assert len(np.unique(grid)) > 1


def test_plain_draws_are_pictures_and_of_their_moments():
    image = pictures(50)
    drawn = cost.plain_draws(image, 3, 4000)
    assert {x.shape for x in drawn.values()} == {(3, 4000, *SHAPE)}
    known = {one.tobytes() for one in image}
    assert {one.tobytes() for one in drawn["training"][0, :100]} <= known
    assert not np.array_equal(*drawn["training"][:2])
    rows, want = drawn["gaussian"].reshape(-1, 16), image.reshape(50, 16)
    np.testing.assert_allclose(rows.mean(0), want.mean(0), atol=0.01)
    np.testing.assert_allclose(np.cov(rows.T), np.cov(want.T), atol=0.002)
