"""Warm-up, draws and diagnostics in one call: the table is ArviZ's, and says what is wrong."""

import warnings

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from adl.core import BadInput
from adl.sampling import chains
from adl.sampling.gibbs import gibbs
from adl.sampling.hmc import hmc
from adl.sampling.summary import ROWS, summarised

KEY = jax.random.key(3)


def start(key):
    return {"a": jax.random.normal(key), "b": jax.random.normal(key, (2,))}


def make(num_warmup):
    density = lambda x: -0.5 * (x["a"] ** 2 + ((x["b"] - 3) ** 2).sum() / 4)  # noqa: E731
    return hmc(density, start, num_chains=4, num_warmup=num_warmup, num_leapfrog=6)


@pytest.fixture(scope="module")
def sampled():
    return chains.run(KEY, make(100), 1000, num_warmup=100)


def test_draws_are_the_densitys_after_the_warm_up(sampled):
    assert sampled.draws["a"].shape == (4, 1000) and sampled.draws["b"].shape == (4, 1000, 2)
    assert sampled.summary.names == ("a", "b[0]", "b[1]")
    assert (np.abs(sampled.summary.mean - [0, 3, 3]) < 4 * sampled.summary.error).all()
    np.testing.assert_allclose(sampled.summary.std, [1, 2, 2], rtol=0.15)
    assert (sampled.state.adaptation.count == 1100).all()
    assert sampled.metrics["acceptance"].shape == (1000,) and not sampled.summary.warnings()


def test_the_table_is_arvizs(sampled):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of its own refactoring
        arviz = pytest.importorskip("arviz")
        draws = {name: np.asarray(x) for name, x in sampled.draws.items()}
        with arviz.rc_context({"stats.ci_prob": 0.95}):  # from 1.0 on, its tails are what lies beyond it on either side
            table = arviz.summary(draws, round_to="none", kind="all")
    ours, columns = sampled.summary, {"mean": "mean", "std": "sd", "error": "mcse_mean", "rhat": "r_hat"}
    columns |= {"bulk_ess": "ess_bulk", "tail_ess": "ess_tail"}
    for name, theirs in columns.items():
        np.testing.assert_allclose(getattr(ours, name), np.asarray(table[theirs], float), rtol=5e-3, err_msg=name)
    low, high = np.quantile(draws["a"], [0.05, 0.95])
    np.testing.assert_allclose([ours.low[0], ours.high[0]], [low, high], rtol=1e-4)


def test_it_prints_a_row_a_number(sampled):
    lines = str(sampled).splitlines()
    assert lines[0].split()[:5] == ["mean", "std", "error", "5%", "95%"] and len(lines) == 6
    assert (
        lines[2].startswith("b[0]") and lines[4] == "4 chains of 1,000 draws" and lines[5].startswith("acceptance 0.")
    )


def test_what_is_wrong_is_said():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(4, 100, 50)).astype("f")
    x[..., 7] += 3 * np.arange(4)[:, None]
    x[..., 9] = 1.5
    summary = summarised({"x": x, "is_on": rng.random((4, 100)) < 0.5})
    text, shown = str(summary), str(summary).count("\nx[")
    assert shown + ("\nis_on" in text) == ROWS and f"of 51 numbers the {ROWS} with the largest R-hat" in text
    assert "warning: 1 of 51 numbers never moved, or are no number, such as x[9]" in text
    assert "numbers have not mixed: R-hat above 1.01, such as" in text and "\nx[7]" in text
    assert "are worth too few draws: an effective size below 400" in text


def test_a_position_is_the_state_where_it_has_no_other():
    """Of `gibbs`; thinned draws are every other one, and metrics of all transitions."""
    updates = [lambda key, x: x + jax.random.normal(key), lambda key, x: 0.5 * x]
    alg = gibbs(updates, lambda key: jnp.zeros(()), num_chains=4)
    found = chains.run(KEY, alg, 6, thin=2)
    assert found.draws.shape == (4, 6) and found.metrics["jump"].shape == (6,)
    init_key, _, draw_key = jax.random.split(KEY, 3)
    state, draws = alg.init(init_key, ()), []
    for pair in jax.random.split(draw_key, 6):
        for key in jax.random.split(pair, 2):
            state, _ = alg.step(key, state, ())
        draws.append(state)
    np.testing.assert_allclose(found.draws, np.stack(draws, 1), rtol=1e-5)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({}, "num_warmup: these chains warm themselves up; give as many transitions"),
        ({"num_warmup": 3}, "num_warmup=3: the sampler was made with more, and adapted while it drew"),
        ({"num_warmup": -1}, "num_warmup=-1: it must be a whole number, at least 0"),
        ({"num_warmup": 100, "thin": 0}, "thin=0: it must be a whole number, at least 1"),
        ({"num_warmup": 100, "num_draws": 2.5}, "num_draws=2.5: it must be a whole number, at least 1"),
        ({"num_warmup": 100, "num_draws": True}, "num_draws=True: it must be"),
    ],
)
def test_lengths_that_cannot_be_are_one_line(options, said):
    with pytest.raises(BadInput, match=said):
        chains.run(KEY, make(100), **{"num_draws": 4, **options})
