"""The bound of variational diffusion is a hierarchical VAE's, and its schedule is learned as the paper says."""

import functools
from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import linen as nn
from jax.tree_util import Partial
from scipy import stats

from adl.autoencoder import vae
from adl.autoencoder.hierarchical import Levels
from adl.autoencoder.latents import DiagonalNormal, standard
from adl.core import BadInput, Learner, average_params, jitted
from adl.diffusion import bits, process, target
from adl.diffusion.denoising import denoiser
from adl.diffusion.solver import ddim, heun
from adl.diffusion.vdm import VDM, Schedule, even_times, squared, vdm
from adl.prob import gaussian, labels
from adl.prob.gaussian import MultivariateNormal

KEY = jax.random.key(0)
K = 5
LEVEL = jnp.asarray(np.random.default_rng(0).integers(0, K, size=(3, 2)))
X = 2 * LEVEL / (K - 1) - 1


class Network(nn.Module):
    """As small as listens to all."""

    @nn.compact
    def __call__(self, seen, time, condition):
        assert condition is None
        return nn.Dense(seen.shape[-1] // 3)(nn.tanh(nn.Dense(16)(jnp.concatenate([seen, time[:, None]], -1))))


MODEL = VDM(Network(), Schedule(-3.0, 2.0, hidden=4), K)
VARIABLES = MODEL.init(KEY, KEY, LEVEL, time=jnp.zeros(3), method="bound")
BOUND = MODEL.bind(VARIABLES)
TX = optax.chain(optax.sgd(0.1), average_params(0.9))
LEARNED = Learner.create(VARIABLES, TX)
DENOISE = denoiser(MODEL, VARIABLES, None, process=process.log_ratio, target=target.angular)


def way(t):
    """alpha and sigma."""
    return process.log_ratio.signal(BOUND.schedule(jnp.full(1, t))[0])


def at(x, t):
    """q(z_t|x)."""
    signal = way(t)
    return DiagonalNormal(signal.alpha * x, jnp.full_like(x, jnp.log(signal.sigma)))


def back(x, z, t, s):
    """q(z_s|z_t, x) by conditioning their joint Gaussian, number by number: mean and deviation."""
    near, far = way(s), way(t)
    ratio = far.alpha / near.alpha
    joint = jnp.array([[near.sigma**2, ratio * near.sigma**2], [ratio * near.sigma**2, far.sigma**2]])

    def one(x, z):
        law = MultivariateNormal(jnp.array([near.alpha, far.alpha]) * x, joint).conditional([1], z[None])
        return law.loc[0], law.covariance[0, 0]

    mean, variance = jnp.vectorize(one)(x, z)
    return DiagonalNormal(mean, jnp.log(variance) / 2)


def seen(z, t):
    """What the network makes of z_t."""
    signal = way(t)
    return DENOISE(z / signal.alpha, signal.sigma / signal.alpha)


def reconstructed(level, z):
    return -labels.cross_entropy(BOUND.log_odds(z / way(0.0).alpha), level).sum(-1)


def test_of_one_step_it_is_the_bound_of_a_vae_of_two_levels():
    """That of `autoencoder.vae.elbo`, which knows nothing of noise: in the mean over draws, part by part."""
    two = SimpleNamespace(
        encode=lambda level: Levels(
            at(2 * level / (K - 1) - 1, 1.0), Partial(back, 2 * level / (K - 1) - 1, t=1.0, s=0.0)
        ),
        prior=lambda: Levels(standard(), Partial(lambda z: back(seen(z, 1.0), z, 1.0, 0.0))),
        decode=lambda z, axes: z[0],
    )
    keys = jax.random.split(KEY, 20_000)
    want = jax.jit(jax.vmap(lambda key: vae.elbo(key, two, LEVEL, likelihood=reconstructed)))(keys)
    of = {"time": jnp.zeros(3), "num_steps": 1, "method": "bound"}
    found = jax.jit(jax.vmap(lambda key: MODEL.apply(VARIABLES, key, LEVEL, **of)))(keys)
    pairs = {
        "elbo": (-found.total, want["elbo"]),
        "kl": (found.prior + found.diffusion, want["kl"]),
        "reconstruction": (-found.reconstruction, want["reconstruction"]),
    }
    for name, (ours, theirs) in pairs.items():
        error = np.sqrt((ours.var(0) + theirs.var(0)) / len(keys))
        assert (np.abs(ours.mean(0) - theirs.mean(0)) < 4 * error + 1e-4).all() and error.max() < 0.1, name


def test_of_more_steps_it_is_the_sum_of_their_divergences():
    """At the same noise, exactly: KL(q(z_s|z_t, x) || p(z_s|z_t)), of Gaussians in closed form."""
    steps, noise_key = 4, jax.random.split(KEY)[1]
    noise, kept = jax.random.normal(noise_key, X.shape), []
    for i in range(steps):
        t, s = (i + 1) / steps, i / steps
        z = way(t).alpha * X + way(t).sigma * noise
        kept.append(back(X, z, t, s).kl(back(seen(z, t), z, t, s)))
    found = [
        MODEL.apply(VARIABLES, KEY, LEVEL, time=jnp.full(3, (i + 0.5) / steps), num_steps=steps, method="bound")
        for i in range(steps)
    ]
    np.testing.assert_allclose([each.diffusion for each in found], steps * np.array(kept), rtol=2e-3)
    full = MultivariateNormal(jnp.zeros(2), jnp.eye(2))
    first = [gaussian.kl(MultivariateNormal(way(1.0).alpha * x, way(1.0).sigma ** 2 * jnp.eye(2)), full) for x in X]
    np.testing.assert_allclose(found[0].prior, first, rtol=1e-4)


@pytest.mark.full
def test_it_bounds_log_p_and_more_steps_come_nearer_to_the_one_without_end():
    """Two levels of two pixels have 25 pictures: bounds of all of them are no more than a probability in sum."""
    every = jnp.stack(jnp.meshgrid(jnp.arange(K), jnp.arange(K)), -1).reshape(-1, 2)

    def mean(num_steps):
        def one(key):
            time_key, key = jax.random.split(key)
            time = jnp.full(len(every), jax.random.uniform(time_key))
            return MODEL.apply(VARIABLES, key, every, time=time, num_steps=num_steps, method="bound").total

        return np.asarray(jax.jit(jax.vmap(one))(jax.random.split(KEY, 4000)).mean(0))

    bounds = {steps: mean(steps) for steps in (1, 4, 32, None)}
    assert all(np.exp(-each).sum() < 1 for each in bounds.values())
    gaps = [np.abs(bounds[steps] - bounds[None]).mean() for steps in (1, 4, 32)]
    assert gaps[0] > 2 * gaps[1] > 4 * gaps[2]


def test_a_step_descends_the_bound_and_the_schedule_its_square():
    """By autodiff of each by itself; what lies at the ends belongs to the bound."""
    algorithm = vdm(MODEL, optax.sgd(1.0))
    learner = algorithm.init(KEY, LEVEL)
    moved, metrics = algorithm.step(jax.random.key(1), learner, LEVEL)
    _, time_key, key, _ = jax.random.split(jax.random.key(1), 4)
    time = even_times(time_key, 3)

    def parts(params, plain):
        found = MODEL.apply({"params": params}, key, LEVEL, time=time, method="bound")
        return (
            (found.total if plain else jnp.square(found.diffusion / 2)).sum() / 2 / 3
            if plain
            else (jnp.square(found.diffusion / 2).mean())
        )

    np.testing.assert_allclose(metrics["loss"].value, parts(learner.params, True), rtol=1e-5)
    monkey = functools.partial(_without_squaring, parts)
    plain, square = (
        jax.grad(lambda params, plain=plain: monkey(params, plain))(learner.params) for plain in (True, False)
    )
    step = jax.tree.map(jnp.subtract, learner.params, moved.params)
    for name in ("height", "rate", "place", "slope"):
        np.testing.assert_allclose(step["schedule"][name], square["schedule"][name], rtol=2e-3, atol=1e-5)
    np.testing.assert_allclose(step["schedule"]["bounds"], plain["schedule"]["bounds"], rtol=1e-3, atol=1e-5)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-3, atol=1e-5), step["network"], plain["network"])


def _without_squaring(parts, params, plain):
    from adl.diffusion import vdm as module

    kept, module.squared = module.squared, lambda share, slope: ((share, slope), jnp.zeros_like(share))
    try:
        return parts(params, plain)
    finally:
        module.squared = kept


def test_the_schedule_rises_between_its_ends():
    schedule = Schedule(-7.0, 4.0, hidden=9)
    t = jnp.linspace(0, 1, 50)
    for key in jax.random.split(KEY, 5):
        bound = schedule.bind(schedule.init(key, t))
        gamma = bound(t)
        np.testing.assert_allclose(gamma[jnp.array([0, -1])], [-7, 4], atol=1e-5)
        np.testing.assert_allclose(bound.ends(), [-7, 4], rtol=1e-6)
        assert (jnp.diff(gamma) > 0).all()
    with pytest.raises(BadInput, match="from 4 to -7; it must rise"):
        Schedule(4.0, -7.0).init(KEY, t)


def test_the_learned_schedule_has_less_variance_than_the_first():
    """Of a network that is not learned, by the square alone."""
    algorithm = jitted(
        vdm(
            MODEL,
            optax.multi_transform(
                {"still": optax.set_to_zero(), "moves": optax.adam(0.02)},
                lambda params: jax.tree_util.tree_map_with_path(
                    lambda path, _: "moves" if path[0].key == "schedule" and path[1].key != "bounds" else "still",
                    params,
                ),
            ),
        )
    )
    level = jnp.tile(LEVEL, (40, 1))
    learner = algorithm.init(KEY, level)

    def spread(params):
        time = (jnp.arange(len(level)) + 0.5) / len(level)
        return MODEL.apply({"params": params}, KEY, level, time=time, method="bound").diffusion.var()

    before = spread(learner.params)
    for step in range(150):
        learner, _ = algorithm.step(jax.random.key(step), learner, level)
    assert spread(learner.params) < 0.8 * before


def test_times_are_even_and_each_is_uniform():
    times = jax.vmap(lambda key: even_times(key, 10))(jax.random.split(KEY, 2000))
    np.testing.assert_allclose(np.diff(np.sort(times[0])), 0.1, atol=1e-6)
    assert stats.kstest(np.asarray(times[:, 3]), "uniform").pvalue > 0.01


def test_zeros_carry_the_square():
    loss = lambda a, b: a * b**2  # noqa: E731

    def tilted(a, b):
        (a, b), zeros = squared(a, b)
        value = loss(a, b)
        return (value + zeros * jax.lax.stop_gradient(value)).sum()

    a, b = jnp.array([0.5, 2.0]), jnp.array([1.5, -1.0])
    want = jax.grad(lambda a, b: jnp.square(loss(a, b)).sum(), (0, 1))(a, b)
    jax.tree.map(lambda x, y: np.testing.assert_allclose(x, y, rtol=1e-6), jax.grad(tilted, (0, 1))(a, b), want)


def test_bits_are_the_bounds():
    """Of averaged parameters and what counts, over many draws; those of parts sum to them."""
    batch, prepare = {"level": LEVEL, "mask": jnp.array([1.0, 1.0, 0.0])}, lambda key, batch: (batch["level"], None)
    seen = bits.bound_bits(MODEL, prepare, num_draws=300)
    by_steps = bits.bits_by_steps(MODEL, prepare, steps=(3, 2000), num_draws=300)
    found, few = ({n: float(m.value) for n, m in of(KEY, LEARNED, batch).items()} for of in (seen, by_steps))
    assert found["levels"] == K and found.keys() >= {"bits_uniform"}
    np.testing.assert_allclose(found["bits"], found["prior"] + found["reconstruction"] + found["diffusion"], rtol=1e-5)
    np.testing.assert_allclose(few["bits_2000"], found["bits"], rtol=0.01)
    assert few["bits_3"] > 1.1 * found["bits"]


class Known(nn.Module):
    """The exact network of pixels N(middle, std^2), each by itself."""

    middle: float
    std: float

    def __call__(self, seen, time, condition):
        z, signal = seen[..., : seen.shape[-1] // 3], process.log_ratio.signal(8 * time).like(seen)
        gain = signal.alpha * self.std**2 / (signal.alpha**2 * self.std**2 + signal.sigma**2)
        clean = self.middle + gain * (z - signal.alpha * self.middle)
        return (signal.alpha * z - clean) / signal.sigma


def test_the_flow_has_a_probability_of_every_picture():
    """Of two pixels the mean weights of all 25 pictures sum to 1."""
    model = VDM(Known(0.2, 0.7), Schedule(-3.0, 10.0, hidden=4), K)
    learner = vdm(model, TX).init(KEY, LEVEL)
    every = jnp.stack(jnp.meshgrid(jnp.arange(K), jnp.arange(K)), -1).reshape(-1, 2)
    level = jnp.repeat(every, 200, 0)
    noise = jax.random.normal(KEY, level.shape)
    of = jax.jit(lambda learner: bits.flow_log_weight(model, learner, level, noise=noise, num_steps=80))
    weight = jnp.exp(of(learner)).reshape(25, 200)
    error = np.sqrt(np.asarray(weight).var(1).sum() / 200)
    assert abs(weight.mean(1).sum() - 1) < 4 * error + 0.01 and error < 0.05


def test_of_one_picture_the_flow_is_sure_and_draws_it():
    """All that is left of its surprise is what the noise at t = 0 hides."""
    model = VDM(Known(0.5, 0.0), Schedule(-5.0, 16.0, hidden=4), K)  # the fourth of five levels
    learner, level = vdm(model, TX).init(KEY, LEVEL), jnp.full((6, 2), 3)
    noise = jax.random.normal(KEY, level.shape)
    found = bits.flow_log_weight(model, learner, level, noise=noise, num_steps=300)
    near = model.bind(learner.averaged).log_odds(0.5 + jnp.exp(-2.5) * noise)
    np.testing.assert_allclose(found, -labels.cross_entropy(near, level).sum(-1), atol=0.02)
    assert found.min() > -0.5
    for way in (heun, ddim(1.0)):
        assert (bits.drawn_levels(KEY, model, learner, (50, 2), num_steps=40, solver=way) == 3).all()


def test_the_flows_bits_are_the_mean_of_its_weights():
    batch = {"level": LEVEL, "mask": jnp.array([1.0, 1.0, 0.0])}
    seen = bits.flow_bits(MODEL, lambda key, batch: (batch["level"], None), num_steps=5)(KEY, LEARNED, batch)
    noise_key, sign_key = jax.random.split(KEY)
    of = {"noise": jax.random.normal(noise_key, LEVEL.shape), "num_steps": 5, "key": sign_key}
    want = -bits.flow_log_weight(MODEL, LEARNED, LEVEL, **of)[:2].mean() / (2 * np.log(2))
    np.testing.assert_allclose(seen["bits"].value, want, rtol=1e-5)


def test_what_is_prepared_has_luck_of_its_own():
    seen = []

    def prepare(key, batch):
        seen.append(key)
        raise StopIteration

    for measure in (bits.bound_bits(MODEL, prepare, num_draws=3), bits.flow_bits(MODEL, prepare, num_steps=5)):
        with pytest.raises(StopIteration):
            measure(KEY, LEARNED, {})
    taken = jax.random.key_data(jnp.stack([KEY, *jax.random.split(KEY, 3)])).tolist()
    assert not any(jax.random.key_data(key).tolist() in taken for key in seen)


def test_the_curve_of_a_schedule_is_it():
    seen = bits.schedule_curve(MODEL, 5)(KEY, LEARNED)
    np.testing.assert_allclose(seen["time"], [0, 0.25, 0.5, 0.75, 1])
    np.testing.assert_allclose(seen["learned"], BOUND.schedule(seen["time"]), rtol=1e-5)
    np.testing.assert_allclose(seen["straight"], np.linspace(-3, 2, 5), atol=1e-5)
