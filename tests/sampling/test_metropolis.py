"""Chains without gradients, and with noisy ones: detailed balance on discrete targets, invariance and moments.

Transition matrices are counted: each entry's error is binomial, and none of them is off by 4.5 standard errors (of
the at most 20 pairs one in 5,000 keys would be; the keys are fixed). Moments are within 4 standard errors.
"""

import blackjax
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from adl.core import jitted, trace
from adl.sampling import diagnostics, metropolis, slice
from adl.sampling.chains import Walker
from adl.sampling.gibbs import gibbs
from adl.sampling.langevin import ula
from adl.sampling.sgld import sgld

KEY = jax.random.key(0)
COVARIANCE = np.array([[1.0, 0.6], [0.6, 1.0]], "float32")
PRECISION = jnp.asarray(np.linalg.inv(COVARIANCE))
P = np.array([0.1, 0.25, 0.4, 0.05, 0.2])
NUM = 40_000


def gaussian(x):
    return -0.5 * x @ PRECISION @ x


def exact(key):
    return jnp.linalg.cholesky(COVARIANCE) @ jax.random.normal(key, (2,))


def draws(alg, num_warmup, num_draws):
    """`[C, N, D]` after the warm-up."""
    state = jitted(alg).init(KEY, ())
    state, _ = jax.jit(trace(alg, num_warmup, lambda chain: ()))(jax.random.key(1), state)
    view = lambda state: getattr(state, "position", state)  # noqa: E731
    return jax.jit(trace(alg, num_draws, view))(jax.random.key(2), state)[1].swapaxes(0, 1)


def counted(make, num_states):
    """Transition matrix `[K, K]` of an algorithm on states 0 ... K - 1, by one step of many chains from each."""
    alg = make(num_states * NUM)
    state = alg.init(KEY, ())
    origin = jnp.tile(jnp.arange(num_states), NUM)
    after, _ = jax.jit(alg.step)(KEY, starting(state, origin), ())
    pairs = jnp.bincount(origin * num_states + numbered(after), length=num_states**2)
    return np.asarray(pairs).reshape(num_states, num_states) / NUM


def starting(state, origin):
    if isinstance(state, Walker):
        return Walker(origin, jnp.log(P.astype("float32"))[origin])
    return jnp.stack([origin // 2, origin % 2], -1)


def numbered(state):
    return state.position if isinstance(state, Walker) else state[:, 0] * 2 + state[:, 1]


def imbalance(p, transition):
    """Standard errors by which the flows p_i T_ij and p_j T_ji differ, of each pair."""
    flow = p[:, None] * transition
    error = p[:, None] * np.sqrt(np.maximum(transition * (1 - transition), 1 / NUM) / NUM)
    upper = np.triu_indices(len(p), 1)
    return abs(flow - flow.T)[upper] / np.hypot(error, error.T)[upper]


def ring(key, x):
    """Up with probability 3 / 4, down with 1 / 4: not symmetric."""
    return (x + jnp.where(jax.random.bernoulli(key, 0.75), 1, -1)) % len(P)


def log_ring(to, of):
    return jnp.log(jnp.where((to - of) % len(P) == 1, 0.75, 0.25))


def discrete(num_chains, **options):
    log_p = jnp.log(P.astype("float32"))
    return metropolis.metropolis_hastings(
        lambda x: log_p[x], lambda key: jnp.zeros((), int), propose=ring, num_chains=num_chains, **options
    )


def test_hastings_ratio_balances_a_proposal_that_is_not_symmetric():
    """And is the matrix that the proposal and the ratio give, exactly: q_ij min(1, p_j q_ji / (p_i q_ij))."""
    transition = counted(lambda n: discrete(n, log_proposal=log_ring), 5)
    assert imbalance(P, transition).max() < 4.5
    q = 0.75 * np.roll(np.eye(5), 1, 1) + 0.25 * np.roll(np.eye(5), -1, 1)
    want = np.where(q > 0, q * np.minimum(1, P[None] * q.T / np.where(q > 0, P[:, None] * q, 1)), 0)
    want += np.diag(1 - want.sum(1))
    error = np.sqrt(np.maximum(want * (1 - want), 1e-12) / NUM)
    assert (abs(transition - want) <= 4.5 * error + 1e-9).all()


def test_without_the_correction_flows_do_not_balance():
    assert imbalance(P, counted(discrete, 5)).max() > 20


JOINT = np.array([[0.1, 0.4], [0.3, 0.2]])


def flip(which):
    def conditional(key, x):
        p = jnp.asarray(JOINT, "float32")
        odds = p[:, x[1]] if which == 0 else p[x[0]]
        return x.at[which].set(jax.random.bernoulli(key, odds[1] / odds.sum()).astype(int))

    return conditional


@pytest.mark.parametrize("scan", ["systematic", "random"])
def test_gibbs_keeps_the_joint_and_a_random_scan_balances(scan):
    """A systematic scan is known exactly, too: the product of its updates; it is not reversible."""
    p = JOINT.ravel()

    def make(num_chains):
        start = lambda key: jnp.zeros(2, int)  # noqa: E731
        return gibbs([flip(0), flip(1)], start, num_chains=num_chains, scan=scan)

    first, second = np.zeros((2, 4, 4))
    for i in range(4):
        for j in range(4):
            a, b, c, d = i // 2, i % 2, j // 2, j % 2
            first[i, j] = (b == d) * JOINT[c, d] / JOINT[:, b].sum()
            second[i, j] = (a == c) * JOINT[c, d] / JOINT[a].sum()
    if scan == "systematic":
        want = first @ second
        transition = counted(make, 4)
        error = np.sqrt(want * (1 - want) / NUM)
        assert (abs(transition - want) <= 4.5 * error).all()
        assert imbalance(p, transition).max() > 20
    else:  # the order of the updates is one for all chains of a step: averaged over its four
        want = sum(x @ y for x in (first, second) for y in (first, second)) / 4
        np.testing.assert_allclose(p[:, None] * want, (p[:, None] * want).T, atol=1e-12)
        alg = make(4 * NUM // 20)
        origin = starting((), jnp.tile(jnp.arange(4), NUM // 20))
        seen = jax.jit(jax.vmap(lambda key: numbered(alg.step(key, origin, ())[0])))(jax.random.split(KEY, 400))
        seen = np.asarray(seen).reshape(400, -1, 4)
        transition = np.stack([(seen == j).mean((0, 1)) for j in range(4)], -1)
        error = np.stack([(seen == j).mean(1).std(0) for j in range(4)], -1) / 20  # of 400 orders
        assert (abs(transition - want) <= 4.5 * error + 1e-9).all()
    np.testing.assert_allclose(p @ want, p, atol=1e-12)


def conditional(which):
    def draw(key, x):
        return x.at[which].set(0.6 * x[1 - which] + 0.8 * jax.random.normal(key))

    return draw


SAMPLERS = {
    "random_walk": lambda: metropolis.random_walk(gaussian, exact, num_chains=16, num_warmup=300),
    "random_walk, dense": lambda: metropolis.random_walk(
        gaussian, exact, num_chains=16, num_warmup=300, metric="dense"
    ),
    "metropolis_hastings": lambda: metropolis.metropolis_hastings(
        gaussian,
        exact,
        propose=lambda key, x: 0.5 * x + jax.random.normal(key, (2,)),
        num_chains=16,
        log_proposal=lambda to, of: -0.5 * jnp.square(to - 0.5 * of).sum(),
    ),
    "gibbs": lambda: gibbs([conditional(0), conditional(1)], exact, num_chains=16),
    "gibbs, random scan": lambda: gibbs([conditional(0), conditional(1)], exact, num_chains=16, scan="random"),
    "slice_sampler": lambda: slice.slice_sampler(gaussian, exact, num_chains=16, width=jnp.array([0.5, 3.0])),
}


TWICE = ("random_walk, dense", "gibbs, random scan")  # whose other form, and whose balance, are known by default


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[pytest.mark.full] if name in TWICE else []) for name in SAMPLERS]
)
def test_moments_of_a_correlated_gaussian(name):
    x = draws(SAMPLERS[name](), 300, 2000)
    products = x[..., :, None] * x[..., None, :]
    z = x.mean((0, 1)) / diagnostics.standard_error(x)
    z_products = (products.mean((0, 1)) - COVARIANCE) / diagnostics.standard_error(products)
    assert abs(z).max() < 4 and abs(z_products).max() < 4
    assert diagnostics.split_rhat(x).max() < 1.02
    assert diagnostics.standard_error(x).max() < 0.05  # so that it can fail


def test_random_walk_is_blackjaxs():
    """Acceptance of one step from the same places: a mean of 40,000, 4 sigma of their difference is 0.01."""
    starts = jax.vmap(exact)(jax.random.split(KEY, NUM))
    keys = jax.random.split(jax.random.key(1), NUM)
    place = jax.vmap(lambda x: metropolis.standing(gaussian, x, jnp.zeros(2)))(starts)
    after, ours = jax.vmap(
        lambda key, point: metropolis.transition(key, gaussian, point, jnp.asarray(1.5), jnp.ones(2))
    )(keys, place)
    theirs = blackjax.additive_step_random_walk(gaussian, blackjax.mcmc.random_walk.normal(1.5 * jnp.ones(2)))
    rate = jax.vmap(lambda key, x: theirs.step(key, theirs.init(x))[1].acceptance_rate)(keys, starts)
    np.testing.assert_allclose(ours.acceptance.mean(), rate.mean(), atol=0.01)
    for column in np.asarray(after.position).T:
        assert stats.kstest(column, "norm").pvalue > 1e-3


SLICED = {
    "bimodal": (lambda x: jnp.logaddexp(-0.5 * ((x[0] + 2) / 0.5) ** 2, -0.5 * ((x[0] - 2) / 0.5) ** 2),
                lambda u, z: np.where(u < 0.5, -2, 2) + 0.5 * z),
    "bounded": (lambda x: jnp.where((x[0] > 0) & (x[0] < 1), 0.0, -jnp.inf), lambda u, z: u),
}  # fmt: skip


@pytest.mark.parametrize("width", [0.3, 8.0])
@pytest.mark.parametrize("name", SLICED)
def test_a_slice_update_leaves_the_target_invariant(name, width):
    """Exact draws are exact after it, whether the interval must step out or shrink."""
    log_density, draw = SLICED[name]
    rng = np.random.default_rng(0)
    u, z = rng.uniform(size=10_000), rng.normal(size=10_000)
    start = jnp.asarray(draw(u, z), "float32")[:, None]

    def once(key, x):
        walker = Walker(x, log_density(x))
        return slice.along(key, log_density, walker, jnp.ones(1), width=width, max_steps=8)

    after, count = jax.jit(jax.vmap(once))(jax.random.split(KEY, len(start)), start)
    exact = draw(rng.uniform(size=10_000), rng.normal(size=10_000))
    assert stats.ks_2samp(np.asarray(after.position)[:, 0], exact).pvalue > 1e-3
    assert (after.position != start).mean() > 0.99 and count.max() < 60
    np.testing.assert_allclose(after.log_density, jax.vmap(log_density)(after.position), atol=1e-4)


def test_ula_has_the_bias_that_is_known():
    """Per eigenvalue v of the covariance the variance is v / (1 - eps^2 / (4 v)), not v."""
    x = draws(ula(gaussian, exact, num_chains=64, step_size=0.7), 50, 2000)
    basis = jnp.array([[1.0, 1.0], [1.0, -1.0]]) / jnp.sqrt(2)
    v = jnp.array([1.6, 0.4])
    y2 = (x @ basis.T) ** 2
    z = (y2.mean((0, 1)) - v / (1 - 0.49 / (4 * v))) / diagnostics.standard_error(y2)
    assert abs(z).max() < 4
    assert ((y2.mean((0, 1)) - v) / diagnostics.standard_error(y2)).min() > 4  # the bias is seen


Y = np.random.default_rng(0).normal(1.0, 2.0, 200).astype("float32")


def sgld_chains(step_size, num_chains=64):
    """Posterior of the mean of Y, known standard deviation 2, prior N(0, 10^2): precision and mean in closed form."""
    return sgld(
        lambda x, y: -0.5 * ((y - x[0]) / 2) ** 2,
        lambda key: 1 + 0.1 * jax.random.normal(key, (1,)),
        log_prior=lambda x: -0.5 * (x[0] / 10) ** 2,
        num_chains=num_chains,
        num_data=200,
        step_size=step_size,
    )


def test_sgld_has_the_bias_of_its_batches_noise():
    """At a constant step, batches drawn with replacement: the stationary variance of the module's formula."""
    eps, batch, precision = 0.1, 10, 200 / 4 + 1 / 100
    alg = sgld_chains(eps)

    def body(state, key):
        batch_key, key = jax.random.split(key)
        state, _ = alg.step(key, state, jax.random.choice(batch_key, jnp.asarray(Y), (batch,)))
        return state, state.position

    # Chains of one batch are not independent: 200 repetitions of one chain are.
    many = sgld_chains(eps, num_chains=1)
    alg = many
    keys = jax.random.split(KEY, (200, 1200))
    run = jax.jit(jax.vmap(lambda keys: jax.lax.scan(body, many.init(keys[0], ()), keys)[1][200:, 0]))
    x = run(keys)
    noise = 200**2 / batch * Y.var() / 2**4
    contraction = 1 - eps**2 * precision / 2
    want = (eps**2 + eps**4 * noise / 4) / (1 - contraction**2)
    mean = Y.sum() / 4 / precision
    squares = (x - mean) ** 2
    assert abs((squares.mean((0, 1)) - want) / diagnostics.standard_error(squares)).max() < 4
    assert abs((x.mean((0, 1)) - mean) / diagnostics.standard_error(x)).max() < 4
    assert want > 1.3 / precision and diagnostics.standard_error(squares).max() < 0.05 * want


def test_sgld_with_a_falling_step_nears_the_posterior():
    """At a last step of 0.01 the formula's bias is 4 %: the variance over 512 x 8 chains is within 4 sigma of it."""
    precision = 200 / 4 + 1 / 100
    alg = sgld_chains(lambda count: 0.1 * (1 + count / 50.0) ** -0.55, num_chains=8)

    def run(key):
        def body(state, key):
            batch_key, key = jax.random.split(key)
            return alg.step(key, state, jax.random.choice(batch_key, jnp.asarray(Y), (50,)))[0], ()

        init_key, key = jax.random.split(key)
        return jax.lax.scan(body, alg.init(init_key, ()), jax.random.split(key, 1500))[0].position

    x = np.asarray(jax.jit(jax.vmap(run))(jax.random.split(KEY, 128)))[:, :, 0]
    mean = Y.sum() / 4 / precision
    squares = ((x - mean) ** 2).mean(1)  # the eight chains of a run share its batches
    assert abs(squares.mean() * precision - 1) < 0.05 + 4 * squares.std() * precision / np.sqrt(len(squares))
    assert 4 * squares.std() * precision / np.sqrt(len(squares)) < 0.25
