"""Every flow: its log-determinant is autodiff's, its inverse inverts also far out, and its density integrates to 1."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import linen as nn
from scipy import stats

from adl.core import BadInput
from adl.flow.autoregressive import iaf, maf
from adl.flow.coupling import Coupling, additive_move, affine_move, channels, couplings, every_other, row_network
from adl.flow.glow import ActNorm, ChannelMixing, convolutional_network, glow, real_nvp
from adl.flow.likelihood import Flow, drawn_from, log_density, logit
from adl.flow.spline import spline_move
from adl.prob import quadrature

RNG = np.random.default_rng(0)
NET = row_network((16,), jnp.tanh)
ROWS = {
    "nice": Flow(couplings(4, NET, move=additive_move)),
    "real_nvp": Flow(couplings(4, NET, move=affine_move())),
    "spline": Flow((ActNorm(), *couplings(3, NET, move=spline_move(4)), ChannelMixing())),
    "maf": Flow(maf(3, (16,))),
    "maf of splines": Flow(maf(2, (16,), move=spline_move(3))),
    "iaf": Flow(iaf(2, (16,))),
}
PICTURES = {
    "glow": glow(2, 1, convolutional_network(8)),
    "real_nvp of pictures": real_nvp(1, convolutional_network(4)),
    "logit": Flow((logit(0.1),)),
}
FLOWS = ROWS | PICTURES


def slow(names, *some):
    """All of them, of which some are tried under -m full."""
    return [pytest.param(name, marks=[pytest.mark.full] * (name in some)) for name in names]


def example(name, size=3):
    key = jax.random.key(1)
    return jax.random.uniform(key, (size, 4, 4, 2)) if name in PICTURES else jax.random.normal(key, (size, 2))


def made(model, x, scale=0.4):
    """Its variables, none of them as it begins: what is 0 there moves nothing."""
    variables = model.init(jax.random.key(0), x)
    leaves, tree = jax.tree.flatten(variables.get("params", {}))
    keys = jax.random.split(jax.random.key(3), len(leaves))
    moved = [x + scale * jax.random.normal(k, x.shape) for x, k in zip(leaves, keys, strict=True)]
    return {**variables, "params": jax.tree.unflatten(tree, moved)}


@pytest.mark.parametrize("name", slow(FLOWS, "maf of splines", "real_nvp of pictures", "iaf"))
def test_log_det_is_autodiffs_and_the_inverse_inverts_also_far_out(name):
    model, x = FLOWS[name], example(name)
    variables = made(model, x, 0.05 if name in PICTURES else 0.2 if "spline" in name else 0.4)

    @jax.jit
    def all_of(x):
        z, log_det = model.apply(variables, x)
        slope = jax.jacobian(lambda x: model.apply(variables, x[None])[0].ravel())(x[0])
        return z, log_det, slope.reshape(x[0].size, -1), model.apply(variables, z, method="inverse")

    z, log_det, slope, back = all_of(x)
    assert z.shape == x.shape and log_det.shape == (3,)
    np.testing.assert_allclose(log_det[0], np.linalg.slogdet(np.asarray(slope, float))[1], rtol=1e-4, atol=1e-4)
    assert abs(log_det[0]) > 1e-3 or name == "nice"
    np.testing.assert_allclose(back, x, rtol=1e-4, atol=1e-4)
    if name != "logit":  # which is of [0, 1)
        for far in (30.0, 1e3, 1e5):
            x = far * jax.random.normal(jax.random.key(2), x.shape)
            error = jnp.abs(all_of(x)[3] - x).max() / jnp.abs(x).max()
            assert error < 1e-4, (far, error)


@pytest.mark.parametrize("name", slow(ROWS, "nice", "maf of splines", "iaf"))
def test_densities_integrate_to_1(name):
    x, area = quadrature.plane(-12.0, 12.0, 480)
    variables = made(ROWS[name], example(name), 0.2)
    log_prob = jax.jit(lambda x: ROWS[name].apply(variables, x, method="log_prob"))(x.reshape(-1, 2))
    np.testing.assert_allclose(np.exp(np.asarray(log_prob, float)).sum() * area, 1, atol=5e-3)


def test_a_flow_begins_as_the_standard_normal_that_scipy_knows():
    x = example("maf", 50)
    for name in ("nice", "real_nvp", "maf", "iaf"):
        z, log_det = ROWS[name].init_with_output(jax.random.key(0), x)[0]
        np.testing.assert_allclose(log_density(z, log_det), stats.norm.logpdf(x).sum(-1), rtol=1e-4)


def test_an_affine_coupling_of_rows_is_the_papers_formula():
    model = Coupling(lambda n: nn.Dense(n), every_other(0), affine_move(2.0))
    x = example("nice")
    variables = model.init(jax.random.key(0), x, method="forward")
    kernel, bias = (np.asarray(variables["params"]["Dense_0"][name]) for name in ("kernel", "bias"))
    told = (10 * np.tanh(np.asarray(x) / 10) * [1, 0] @ kernel + bias).reshape(3, 2, 2)[:, 1]
    log_scale = 2 * np.tanh(told[:, 1] / 2)
    z, log_det = model.apply(variables, x, method="forward")
    np.testing.assert_allclose(z[:, 1], np.exp(log_scale) * x[:, 1] + told[:, 0], rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(z[:, 0], x[:, 0])
    np.testing.assert_allclose(log_det, log_scale, rtol=1e-5, atol=1e-6)


def test_the_first_batch_is_normalised_and_constants_are_not_blown_up():
    x = jnp.stack([5 + 3 * jax.random.normal(jax.random.key(0), (200,)), jnp.full(200, 7.0)], -1)
    model = Flow((ActNorm(),))
    z, log_det = model.init_with_output(jax.random.key(0), x)[0]
    np.testing.assert_allclose(z.mean(0), 0, atol=1e-4)
    np.testing.assert_allclose(z.std(0), [1, 0], atol=1e-3)
    assert jnp.isfinite(log_det).all()


def test_channels_are_mixed_by_a_turn_at_first():
    x = jax.random.normal(jax.random.key(0), (4, 3, 3, 5))
    (z, log_det), variables = Flow((ChannelMixing(),)).init_with_output(jax.random.key(1), x)
    np.testing.assert_allclose(jnp.square(z).sum(-1), jnp.square(x).sum(-1), rtol=1e-4)
    np.testing.assert_allclose(log_det, 0, atol=1e-4)
    assert not jnp.allclose(z, x) and set(variables) == {"params", "fixed"}


def test_maf_draws_what_its_density_says():
    model, x = ROWS["maf"], example("maf")
    variables = made(model, x, 0.2)
    draws = drawn_from(model, variables, jax.random.key(5), (4000, 2))
    z, _ = model.apply(variables, draws)
    assert stats.kstest(np.asarray(z).ravel(), "norm").pvalue > 1e-3
    assert stats.kstest(np.asarray(draws).ravel(), "norm").pvalue < 1e-3  # which are not normal


@pytest.mark.parametrize(
    "make, x, wrong",
    [
        (lambda: glow(2, 1, convolutional_network(4)), jnp.ones((2, 6, 6, 1)), "3 x 3 cannot be halved"),
        (lambda: Flow(couplings(1, NET, move=additive_move)), None, "leave numbers unmoved"),
        (lambda: Flow(couplings(2, NET, move=additive_move)), jnp.ones((2, 1)), "at least 2 numbers"),
        (lambda: Flow(couplings(2, NET, move=additive_move, mask=channels)), jnp.ones((2, 4, 4, 1)), "squeeze first"),
        (lambda: Flow(maf(0, (4,))), None, "at least 1"),
        (lambda: spline_move(0), None, "at least 1"),
        (lambda: logit(0.5), None, "alpha is 0.5"),
    ],
)
def test_what_no_flow_can_be_is_told(make, x, wrong):
    with pytest.raises(BadInput, match=wrong):
        make().init(jax.random.key(0), x)
