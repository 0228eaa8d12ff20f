"""Indices of arms against SciPy, draws against SciPy's distributions, and regret against its bound."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.optimize
import scipy.stats

from adl.core import BadInput, jitted, repeated
from adl.rl import bandit

KEY = jax.random.key(0)
MEANS = (0.7, 0.5, 0.2)


def kl(p, q):
    return sum(a * np.log(a / b) for a, b in ((p, q), (1 - p, 1 - q)) if a > 0)


def test_the_bound_is_the_sum_over_arms():
    want = 0.2 / kl(0.5, 0.7) + 0.5 / kl(0.2, 0.7)
    np.testing.assert_allclose(bandit.lai_robbins(MEANS), want, rtol=1e-9)
    np.testing.assert_allclose(bandit.lai_robbins((0.7, 0.7, 0.5, 0.2)), want, rtol=1e-9)


def test_kl_ucb_is_the_root_that_scipy_finds():
    count, pay, time = np.array([10.0, 50.0, 3.0, 7.0]), np.array([3.0, 45.0, 0.0, 7.0]), 70
    want = []
    for n, s in zip(count, pay, strict=True):
        p = s / n
        over = lambda q: n * kl(p, q) - np.log(time)  # noqa: E731, B023
        want.append(1.0 if p == 1 else scipy.optimize.brentq(over, p + 1e-12, 1 - 1e-12))
    found = bandit.kl_ucb()(KEY, jnp.float32(time), jnp.asarray(count, "float32"), jnp.asarray(pay, "float32"))
    np.testing.assert_allclose(found, want, atol=2e-4)


def test_ucb1_is_its_formula_and_an_arm_without_pulls_is_first():
    found = bandit.ucb()(KEY, jnp.float32(9), jnp.array([4.0, 0.0]), jnp.array([1.0, 0.0]))
    np.testing.assert_allclose(found, [0.25 + np.sqrt(2 * np.log(9) / 4), np.inf], rtol=1e-6)


@pytest.mark.parametrize("won, lost", [(0, 0), (0, 3), (40, 2), (900, 3000)])
def test_thompson_draws_from_the_posterior(won, lost):
    count, pay = jnp.full(20_000, won + lost, jnp.float32), jnp.full(20_000, won, jnp.float32)
    draws = bandit.thompson()(KEY, jnp.float32(1), count, pay)
    assert scipy.stats.kstest(np.asarray(draws), scipy.stats.beta(1 + won, 1 + lost).cdf).pvalue > 1e-3


def test_epsilon_greedy_pulls_any_arm_so_often():
    rule = bandit.epsilon_greedy(0.3)
    count, pay = jnp.full(3, 10.0), jnp.array([9.0, 2.0, 1.0])
    index = jax.vmap(rule, (0, None, None, None))(jax.random.split(KEY, 20_000), jnp.float32(30), count, pay)
    share = np.bincount(index.argmax(-1), minlength=3) / 20_000
    np.testing.assert_allclose(share, [0.8, 0.1, 0.1], atol=0.012)


def played(rule, steps, means=MEANS, copies=64):
    alg = jitted(repeated(bandit.bandit(means, rule=rule, num_copies=copies), steps))
    return alg.step(KEY, alg.init(KEY, ()), ())


@pytest.mark.parametrize("rule", [bandit.epsilon_greedy(0.1), bandit.ucb(), bandit.kl_ucb(), bandit.thompson()])
def test_pulls_add_up_and_every_rule_finds_the_best_arm(rule):
    pulls, told = played(rule, 600)
    np.testing.assert_array_equal(pulls.count.sum(-1), 600)
    assert (pulls.pay <= pulls.count).all() and (pulls.count.mean(0).argmax(-1) == 0).all()
    paid = (pulls.pay.sum(0) / pulls.count.sum(0))[0]
    np.testing.assert_allclose(paid, 0.7, atol=0.02)
    np.testing.assert_allclose(bandit.regret(MEANS, pulls.count), pulls.count @ np.array([0, 0.2, 0.5]), rtol=1e-4)
    np.testing.assert_allclose(told["loss"].total, bandit.regret(MEANS, pulls.count).sum(), rtol=1e-3)


def test_rules_that_meet_the_bound_do_and_others_lose_more():
    """Growth between 300 and 3,000 pulls, in units of the bound's."""
    slope = {}
    for name, rule in {"thompson": bandit.thompson(), "kl_ucb": bandit.kl_ucb(), "ucb1": bandit.ucb()}.items():
        early, late = (bandit.regret(MEANS, played(rule, n)[0].count).mean() for n in (300, 3000))
        slope[name] = (late - early) / (np.log(10) * bandit.lai_robbins(MEANS))
    assert 0.5 < slope["thompson"] < 1.8 and 0.5 < slope["kl_ucb"] < 2.0 and slope["ucb1"] > 2.5, slope


@pytest.mark.parametrize(("means", "said"), [((1.0, 0.5), r"within \(0, 1\)"), ((0.5, 0.5), "nothing to learn")])
def test_arms_that_teach_nothing_are_refused(means, said):
    with pytest.raises(BadInput, match=said):
        bandit.bandit(means, rule=bandit.ucb(), num_copies=2)
