"""Convolutions and all their derivatives are XLA's, and nothing else is asked of a CPU in a loop than what it is fast
in.
"""

import functools
import re

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import linen as nn
from jax import lax

from adl.core import jitted, over_seeds, sharded
from adl.core.layout import data_mesh
from adl.nn.convolution import Conv, convolve
from adl.nn.spectral import SpectralNorm
from adl.supervised.classification import classifier, views

RNG = np.random.default_rng(0)
KEY = jax.random.key(0)
CASES = {  # x, kernel, and how
    "picture": ((5, 8, 8, 4), (3, 3, 4, 6), {}),
    "stride": ((4, 9, 8, 2), (3, 2, 2, 3), {"strides": 2}),
    "point": ((4, 8, 7, 4), (1, 1, 4, 3), {"strides": 2}),
    "padding": ((3, 7, 8, 3), (4, 3, 3, 2), {"strides": (2, 1), "padding": [(2, 1), (0, 3)]}),
    "sequence": ((3, 20, 4), (3, 4, 6), {"padding": "VALID", "dilation": 4}),
    "depthwise": ((3, 12, 4), (4, 1, 8), {"padding": "VALID", "groups": 4}),
    "depthwise picture": ((3, 9, 8, 4), (3, 2, 1, 4), {"strides": (2, 1), "dilation": (1, 2), "groups": 4}),
    "groups": ((3, 9, 7, 4), (3, 2, 2, 6), {"strides": 2, "groups": 2}),
    "volume": ((3, 5, 6, 4, 2), (2, 3, 2, 2, 3), {"strides": 2}),
    "small picture": ((4, 2, 2, 3), (3, 3, 3, 5), {}),
    "one pixel": ((4, 1, 1, 3), (3, 3, 3, 5), {}),
    "small output": ((4, 4, 3, 3), (3, 3, 3, 4), {"strides": 2}),
    "far taps": ((3, 5, 4), (3, 4, 6), {"dilation": 4}),
}
BY_TAPS = {"depthwise", "depthwise picture", "small picture", "one pixel", "small output", "far taps"}
CHANNELS_LAST = {
    "[b, 0, f]x[0, i, o]->[b, 0, f]",
    "[b, 0, 1, f]x[0, 1, i, o]->[b, 0, 1, f]",
    "[b, 0, 1, 2, f]x[0, 1, 2, i, o]->[b, 0, 1, 2, f]",
}


def xla(x, kernel, *, strides=1, padding="SAME", dilation=1, groups=1):
    axes = "DHW"[5 - x.ndim :]
    strides, dilation = (np.broadcast_to(value, len(axes)).tolist() for value in (strides, dilation))
    letters = (f"N{axes}C", f"{axes}IO", f"N{axes}C")
    return lax.conv_general_dilated(
        x, kernel, strides, padding, None, dilation, dimension_numbers=letters, feature_group_count=groups
    )


def arrays(case: str, num: int = 1):
    """`num` inputs and kernels."""
    shape, window, how = CASES[case]
    return RNG.normal(size=(num, *shape)).astype("f"), RNG.normal(size=(num, *window)).astype("f"), how


def gradient(convolution, x, kernel):
    """Of a loss whose derivatives of all orders depend on both."""
    return jax.grad(lambda x, kernel: jnp.sin(convolution(x, kernel)).sum(), (0, 1))(x, kernel)


def penalty(convolution, x, kernel):
    """The gradient of the gradient's square: reverse over reverse, as of R1."""

    def square(x, kernel):
        return sum(jnp.square(slopes).sum() for slopes in gradient(convolution, x, kernel))

    return jax.grad(square, (0, 1))(x, kernel)


def curvature(convolution, x, kernel):
    """The Hessian's product with a vector, forward over reverse."""
    direction = (x[::-1], jnp.cos(kernel))
    return jax.jvp(functools.partial(gradient, convolution), (x, kernel), direction)[1]


def assert_same(ours, theirs):
    for a, b in zip(jax.tree.leaves(ours), jax.tree.leaves(theirs), strict=True):
        assert a.shape == b.shape and a.dtype == b.dtype
        np.testing.assert_allclose(a, b, rtol=0, atol=1e-5 * max(1, np.abs(b).max()))


def both(case, what, *axes):
    """`what` of our convolution and of XLA's, under `vmap` where there are axes."""
    x, kernel, how = arrays(case, 3)
    x, kernel = (x if 0 in axes[:1] else x[0]), (kernel if 0 in axes[1:] else kernel[0])
    for convolution in (convolve, xla):
        fn = functools.partial(what, functools.partial(convolution, **how))
        yield jax.jit(jax.vmap(fn, axes) if axes else fn)(x, kernel)


@pytest.mark.parametrize("case", CASES)
def test_output_and_derivatives_of_two_orders_are_xla_s(case):
    def all_of_them(convolution, x, kernel):
        out = jax.jvp(convolution, (x, kernel), (x[::-1], jnp.cos(kernel)))
        return out, *(what(convolution, x, kernel) for what in (gradient, penalty, curvature))

    assert_same(*both(case, all_of_them))


@pytest.mark.parametrize("axes", [(0, None), (None, 0), (0, 0)], ids=["pictures", "kernels", "networks"])
@pytest.mark.parametrize("case", ["picture", "depthwise", "groups", "small picture"])
def test_of_several_networks_at_once_too(case, axes):
    assert_same(*both(case, penalty, *axes))


def test_several_kernels_of_each_of_several_pictures():
    x, kernel, _ = arrays("picture", 3)

    def table(convolution):
        rows = jax.vmap(functools.partial(gradient, convolution), (0, None))
        return jax.jit(jax.vmap(rows, (None, 0), 1))(x, kernel[:2])

    assert_same(table(convolve), table(xla))


@pytest.mark.parametrize("case", ["stride", "depthwise"])
def test_in_bfloat16_gradients_are_bfloat16_and_near(case):
    x, kernel, how = arrays(case)
    narrow = jnp.asarray(x[0], jnp.bfloat16), jnp.asarray(kernel[0], jnp.bfloat16)
    got = jax.jit(functools.partial(gradient, functools.partial(convolve, **how)))(*narrow)
    assert {slopes.dtype for slopes in got} == {jnp.dtype(jnp.bfloat16)}
    for slopes, want in zip(got, gradient(functools.partial(xla, **how), x[0], kernel[0]), strict=True):
        assert np.corrcoef(np.ravel(slopes.astype("f")), np.ravel(want))[0, 1] > 0.999


def convolutions(lowered) -> list[str]:
    """Layouts and settings of the convolutions of a program."""
    return re.findall(r"stablehlo.convolution\(.*? dim_numbers = (.*?)$", lowered.as_text(), re.MULTILINE)


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("what", [gradient, penalty, curvature])
def test_on_cpu_every_convolution_of_a_loop_has_its_channels_last(case, what):
    x, kernel, how = arrays(case)

    def loop(convolution, x, kernel):
        def body(kernel, _):
            return kernel - what(functools.partial(convolution, **how), x, kernel)[1], None

        return lax.scan(body, kernel, length=3)[0]

    ours, theirs = (
        convolutions(jax.jit(functools.partial(loop, convolution)).lower(x[0], kernel[0]))
        for convolution in (convolve, xla)
    )
    assert {found.partition(", window")[0] for found in ours} <= CHANNELS_LAST
    assert (case in BY_TAPS) == (not ours)
    assert not {found.partition(", window")[0] for found in theirs} <= CHANNELS_LAST


@pytest.mark.parametrize("platform", ["tpu", "cuda"])
@pytest.mark.parametrize("case", CASES)
def test_elsewhere_they_are_the_compiler_s_own(case, platform):
    x, kernel, how = arrays(case, 2)

    def lowered(convolution, what, several):
        fn = functools.partial(what, functools.partial(convolution, **how))
        traced = jax.jit(jax.vmap(fn)).trace(x, kernel) if several else jax.jit(fn).trace(x[0], kernel[0])
        return sorted(convolutions(traced.lower(lowering_platforms=(platform,))))

    for several in (False, True):
        ours = lowered(convolve, gradient, several)
        assert ours == lowered(xla, gradient, several) and len(ours) == 3
        assert len(lowered(convolve, penalty, several)) == len(lowered(xla, penalty, several)) > 3


def test_on_cpu_networks_are_not_groups_of_channels():
    x, kernel, _ = arrays("picture", 3)

    def groups(convolution):
        lowered = jax.jit(jax.vmap(functools.partial(gradient, convolution))).lower(x, kernel)
        return {count for found in convolutions(lowered) for count in re.findall(r"feature_group_count = (\d+)", found)}

    assert groups(convolve) == {"1"} and groups(xla) == {"3"}


@pytest.mark.parametrize(
    ("shape", "settings"),
    [
        ((3, 8, 7, 4), {"kernel_size": (3, 3)}),
        ((3, 8, 7, 4), {"kernel_size": (4, 4), "strides": 2, "use_bias": False}),
        ((3, 8, 7, 4), {"kernel_size": (3, 3), "kernel_init": nn.initializers.he_normal(), "dtype": jnp.bfloat16}),
        ((3, 12, 4), {"kernel_size": (4,), "padding": "VALID", "feature_group_count": 4}),
        ((3, 12, 4), {"kernel_size": (3,), "padding": [(4, 0)], "kernel_dilation": 2}),
    ],
)
def test_layer_has_the_parameters_and_outputs_of_flax(shape, settings):
    x = RNG.normal(size=shape).astype("f")
    ours, theirs = Conv(8, **settings), nn.Conv(8, **settings)
    variables = ours.init(KEY, x)
    jax.tree.map(np.testing.assert_array_equal, variables, theirs.init(KEY, x))
    np.testing.assert_allclose(ours.apply(variables, x), theirs.apply(variables, x), atol=1e-5)


@pytest.mark.parametrize("wrap", [SpectralNorm, nn.WeightNorm], ids=["spectral", "weight"])
def test_parameters_keep_their_names_in_a_network(wrap):
    class Network(nn.Module):
        conv: type[nn.Module]

        @nn.compact
        def __call__(self, x):
            return wrap(self.conv(3, (3, 3)))(wrap(self.conv(4, (1, 1)))(x))

    x = RNG.normal(size=(2, 5, 5, 3)).astype("f")
    ours, theirs = (Network(conv).init(KEY, x) for conv in (Conv, nn.Conv))
    jax.tree.map(np.testing.assert_array_equal, ours, theirs)


@pytest.mark.parametrize(
    ("x", "kernel", "how"),
    [
        ((8, 8, 3), (3, 3, 3, 4), {}),
        ((1, 8, 8, 3), (3, 3, 4, 4), {}),
        ((1, 8, 8, 4), (3, 3, 2, 3), {"groups": 2}),
    ],
    ids=["rank", "channels", "groups"],
)
def test_operands_that_do_not_fit_are_named(x, kernel, how):
    with pytest.raises(AssertionError, match=r"rank|axis|divisible"):
        convolve(np.zeros(x, "f"), np.zeros(kernel, "f"), **how)
    with pytest.raises(AssertionError, match="rank"):
        Conv(4, (3, 3)).init(KEY, np.zeros((8, 8, 3), "f"))


@pytest.mark.parametrize("num_seeds", [1, 3])
def test_devices_exchange_gradients_and_no_pictures(num_seeds):
    class Network(nn.Module):
        @nn.compact
        def __call__(self, x):
            return Conv(5, (3, 3))(nn.relu(Conv(4, (3, 3), 2)(x))).mean((1, 2))

    batch = {"image": RNG.normal(size=(16, 8, 8, 3)).astype("f"), "label": RNG.integers(0, 5, 16)}
    algorithm = over_seeds(classifier(Network(), optax.sgd(0.1), prepare=views(jnp.asarray)), num_seeds)
    lifted = sharded(algorithm, data_mesh())
    state = jitted(algorithm).init(KEY, batch)
    compiled = lifted.step.lower(KEY, state, batch).compile().as_text()
    assert "all-reduce" in compiled
    assert not re.search(r"all-gather|all-to-all|collective-permute", compiled)
    expected = jax.jit(algorithm.step)(KEY, state, batch)
    jax.tree.map(functools.partial(np.testing.assert_allclose, atol=1e-5), lifted.step(KEY, state, batch), expected)
