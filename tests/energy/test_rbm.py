"""A small machine is summed by brute force: its free energy, its chains, its annealing and its learning."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from adl.core import BadInput, Learner, average_params, jitted, trace
from adl.energy import rbm
from adl.energy.contrastive_divergence import Follower, Points, persistent_contrastive_divergence
from adl.energy.machine import Machine
from adl.sampling import importance

RNG = np.random.default_rng(0)
D, H = 6, 4
PARAMS = {"weight": RNG.normal(size=(D, H)), "visible": RNG.normal(size=D), "hidden": RNG.normal(size=H)}
STATES = np.array(list(itertools.product((0, 1), repeat=D)), float)  # [64, D]
HIDDEN = np.array(list(itertools.product((0, 1), repeat=H)), float)
JOINT = STATES @ PARAMS["visible"][:, None] + HIDDEN @ PARAMS["hidden"] + STATES @ PARAMS["weight"] @ HIDDEN.T
LOG_Z = np.log(np.exp(JOINT).sum())
VARIABLES = {"params": jax.tree.map(jnp.float32, PARAMS)}
MODEL = rbm.RBM(H)


def test_free_energy_sums_out_the_hidden_units():
    np.testing.assert_allclose(MODEL.apply(VARIABLES, STATES), -np.log(np.exp(JOINT).sum(1)), rtol=1e-5)


def test_log_partition_is_the_sum_over_all_states_of_either_layer():
    np.testing.assert_allclose(rbm.log_partition(VARIABLES["params"]), LOG_Z, rtol=1e-6)
    swapped = {"weight": PARAMS["weight"].T, "visible": PARAMS["hidden"], "hidden": PARAMS["visible"]}
    np.testing.assert_allclose(rbm.log_partition(jax.tree.map(jnp.float32, swapped)), LOG_Z, rtol=1e-6)
    large = {"weight": jnp.zeros((30, 40)), "visible": jnp.zeros(30), "hidden": jnp.zeros(40)}
    with pytest.raises(BadInput, match="30 units"):
        rbm.log_partition(large)


def test_chains_by_layers_leave_the_distribution_as_it_is():
    p = np.exp(JOINT).sum(1) / np.exp(LOG_Z)
    start = STATES[RNG.integers(64, size=20000)]
    chains = rbm.block_gibbs(30).walk(jax.random.key(0), MODEL, VARIABLES, Points(jnp.float32(start)))
    count = np.bincount((np.asarray(chains, int) @ 2 ** np.arange(D)[::-1]), minlength=64)
    expected = 20000 * p
    assert ((count - expected) ** 2 / expected).sum() < 63 + 5 * np.sqrt(126)  # chi-squared with 63 degrees


def test_annealing_finds_the_partition_function():
    """Within four standard errors of what brute force has."""
    betas = jnp.linspace(0, 1, 31)
    alg, log_first = rbm.annealing(
        VARIABLES["params"], reference=jnp.zeros(D), num_chains=2000, inverse_temperatures=betas
    )
    init_key, key = jax.random.split(jax.random.key(0))
    state, _ = jax.jit(trace(alg, 30, lambda state: ()))(key, alg.init(init_key, ()), ())
    error = float(importance.log_normaliser_error(state.log_weight))
    assert abs(log_first + importance.log_normaliser(state.log_weight) - LOG_Z) < 4 * error < 0.2
    assert abs(log_first - LOG_Z) > 1  # where it began


def test_persistent_chains_learn_the_distribution():
    """The likelihood of data of the machine itself nears its entropy, from half a nat a bit above."""
    p = np.exp(JOINT).sum(1) / np.exp(LOG_Z)
    data = jnp.float32(STATES[RNG.choice(64, 4000, p=p)])
    alg = persistent_contrastive_divergence(
        MODEL,
        optax.adam(0.02),
        sampler=rbm.block_gibbs(1),
        num_chains=500,
        restart=0.0,
        noise=lambda key, shape: jax.random.bernoulli(key, 0.5, shape).astype(jnp.float32),
    )
    alg = jitted(alg)
    state = alg.init(jax.random.key(0), data[:500])

    def nll(learner: Learner) -> float:
        return float(MODEL.apply(learner.variables, data).mean() + rbm.log_partition(learner.params))

    first = nll(state.learner)
    for step in range(400):
        state, _ = alg.step(jax.random.key(step), state, data[500 * (step % 8) : 500 * (step % 8) + 500])
    true = float(MODEL.apply(VARIABLES, data).mean() + LOG_Z)
    assert first - true > 0.5 and nll(state.learner) - true < 0.05


def test_what_a_machine_is_judged_by():
    """Brute force and annealing agree, and chains of the machine draw what it finds likely."""
    learner = Learner.create({"params": VARIABLES["params"]}, average_params(0.5))
    machine, data = Machine(MODEL, (2, 3, 1), 40), jnp.float32(STATES[:20])
    exact = machine.exact(data)(jax.random.key(0), learner)
    nll = LOG_Z - np.log(np.exp(JOINT[:20]).sum(1))
    np.testing.assert_allclose(exact["nll"].value, nll.mean(), rtol=1e-5)
    np.testing.assert_allclose(exact["bits"].value, nll.mean() / D / np.log(2), rtol=1e-5)
    assert exact["levels"].value == 2
    state = Follower(learner, Points(data))
    probe = machine.annealed(data, np.full(D, 0.5), num_chains=1000, num_temperatures=20)
    annealed = jax.jit(lambda key: probe(key, state))(jax.random.key(1))
    error = 4 * annealed["log_partition_error"].value
    assert abs(annealed["log_partition"].value - exact["log_partition"].value) < error < 0.3
    gap = annealed["log_partition"].value - exact["log_partition"].value
    np.testing.assert_allclose(annealed["gap"].value, gap, atol=1e-4)
    seen = machine.samples(np.zeros((1, 50, 2, 3, 1), "f"))(jax.random.key(2), state)
    assert seen["drawn"].shape == (3, 50, 2, 3, 1)
    p = np.exp(JOINT).sum(1) / np.exp(LOG_Z)
    np.testing.assert_allclose(seen["drawn"].mean((0, 1)).ravel(), p @ STATES, atol=4 * 0.5 / 150**0.5)
    assert machine.draw(jax.random.key(3), state).shape == (2, 3, 1)
