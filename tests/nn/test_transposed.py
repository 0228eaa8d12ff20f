"""Transposed, factored and dilated convolutions: PyTorch's, and of as many parameters as was said."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch

from adl.nn.convolution import Conv, convolve
from adl.nn.factored import SeparableConv, SpaceTimeConv, middle_channels
from adl.nn.resnet import BatchNorm
from adl.nn.transposed import ConvTranspose, convolve_transposed

KEY = jax.random.key(0)
RNG = np.random.default_rng(0)
CASES = {  # size, window, strides, padding, what torch adds at the end, dilation, groups
    "picture": ((4, 5), (3, 3), (1, 1), (1, 1), (0, 0), (1, 1), 1),
    "doubled": ((4, 5), (4, 4), (2, 2), (1, 1), (0, 0), (1, 1), 1),
    "odd, and more at the end": ((4, 5), (3, 3), (2, 2), (1, 1), (1, 1), (1, 1), 1),
    "taps apart": ((4, 3), (3, 2), (3, 2), (0, 1), (2, 0), (1, 2), 1),
    "groups": ((3, 4), (3, 3), (2, 2), (1, 0), (0, 1), (1, 1), 2),
    "sequence": ((6,), (5,), (3,), (2,), (1,), (1,), 1),
    "volume": ((2, 3, 4), (2, 3, 3), (2, 1, 2), (0, 1, 1), (0, 0, 1), (1, 1, 1), 1),
}
LAYERS = {1: torch.nn.ConvTranspose1d, 2: torch.nn.ConvTranspose2d, 3: torch.nn.ConvTranspose3d}


@pytest.mark.parametrize("case", CASES)
def test_transposed_convolution_is_torch_s_with_its_gradients(case):
    size, window, strides, padding, more, dilation, groups = CASES[case]
    ours = ConvTranspose(6, window, strides, [(pad, pad) for pad in padding], more, dilation, groups)
    x = RNG.normal(size=(2, *size, 4)).astype("f")
    theirs = LAYERS[len(size)](4, 6, window, strides, padding, more, groups, dilation=dilation)
    last = range(2, 2 + len(size))
    weight, bias = (leaf.detach().numpy() for leaf in (theirs.weight, theirs.bias))
    # Of each group [C / groups, D / groups]: its inputs are beside those of the next, its outputs are not.
    params = {"kernel": weight.transpose(*last, 1, 0), "bias": bias}
    shapes = jax.eval_shape(ours.init, KEY, x)["params"]
    assert jax.tree.map(jnp.shape, params) == jax.tree.map(lambda leaf: leaf.shape, dict(shapes))

    def loss(params, x):
        out = ours.apply({"params": params}, x)
        return jnp.sin(out).sum(), out

    (slopes, of_x), out = jax.jit(jax.grad(loss, (0, 1), has_aux=True))(params, x)
    pictures = torch.tensor(np.moveaxis(x, -1, 1), requires_grad=True)
    want = theirs(pictures)
    torch.sin(want).sum().backward()
    for got, other in (
        (np.moveaxis(out, -1, 1), want.detach()),
        (np.moveaxis(of_x, -1, 1), pictures.grad),
        (slopes["kernel"].transpose(-1, -2, *range(len(size))), theirs.weight.grad),
        (slopes["bias"], theirs.bias.grad),
    ):
        np.testing.assert_allclose(got, other.numpy(), atol=1e-5 * max(1, float(other.abs().max())), rtol=0)


@pytest.mark.parametrize("size", [(7, 7), (8, 8), (8, 7)])
@pytest.mark.parametrize("padding", ["SAME", [(1, 0), (2, 1)]], ids=str)
def test_it_is_the_adjoint_from_any_size_that_gives_its_own(size, padding):
    """<y, x * k> = <y transposed k, x>."""
    how = {"strides": 2, "padding": padding}
    x, kernel = RNG.normal(size=(2, *size, 3)).astype("f"), RNG.normal(size=(3, 3, 3, 4)).astype("f")
    out = convolve(x, kernel, **how)
    y = RNG.normal(size=out.shape).astype("f")
    back = convolve_transposed(y, kernel, size=size, **how)
    assert back.shape == x.shape
    np.testing.assert_allclose((y * out).sum(), (back * x).sum(), rtol=1e-4)


def test_same_multiplies_the_size_by_the_stride():
    y = jnp.zeros((1, 3, 4, 2))
    assert convolve_transposed(y, jnp.zeros((5, 3, 6, 2)), strides=(2, 3)).shape == (1, 6, 12, 6)
    assert convolve_transposed(y, jnp.zeros((5, 3, 6, 2)), strides=(2, 3), padding="VALID").shape == (1, 9, 12, 6)


@pytest.mark.parametrize(
    ("y", "kernel", "how"),
    [
        ((1, 4, 4, 3), (3, 3, 2, 4), {}),
        ((1, 4, 3), (3, 3, 2, 3), {}),
        ((1, 4, 4, 3), (3, 3, 2, 3), {"groups": 2}),
        ((1, 4, 4, 3), (3, 3, 2, 3), {"strides": 2, "size": (9, 8)}),
    ],
    ids=["channels", "rank", "groups", "size"],
)
def test_operands_that_do_not_fit_are_refused(y, kernel, how):
    with pytest.raises(AssertionError):
        convolve_transposed(np.zeros(y, "f"), np.zeros(kernel, "f"), **how)


def test_output_padding_of_a_stride_or_more_is_refused():
    with pytest.raises(AssertionError):
        jax.eval_shape(ConvTranspose(2, (3, 3), 2, "VALID", 2).init, KEY, jnp.zeros((1, 4, 4, 3)))


def count(model, *shape):
    params = jax.eval_shape(model.init, KEY, jnp.zeros((1, *shape)))["params"]
    return sum(math.prod(leaf.shape) for leaf in jax.tree.leaves(params))


@pytest.mark.parametrize(("channels", "features"), [(3, 64), (64, 64), (64, 128), (128, 256)])
def test_space_and_time_apart_have_the_parameters_of_both_at_once(channels, features):
    """Not more, and fewer by less than one channel between them has."""
    together = count(Conv(features, (3, 3, 3), use_bias=False), 4, 8, 8, channels)
    apart = count(SpaceTimeConv(features), 4, 8, 8, channels)
    assert 0 <= together - apart < 9 * channels + 3 * features
    assert middle_channels(64, 64) == 144  # as in the source's networks


def test_space_and_time_apart_are_torch_s_layers():
    x = RNG.normal(size=(2, 5, 6, 7, 3)).astype("f")
    model = SpaceTimeConv(4, stride_in_time=2, stride_in_space=2, norm=BatchNorm, middle=5)
    variables = jax.jit(model.init)(KEY, x)
    space, time = (
        torch.tensor(np.array(variables["params"][name]["kernel"]).transpose(4, 3, 0, 1, 2))
        for name in ("Conv_0", "Conv_1")
    )
    conv3d, h = torch.nn.functional.conv3d, torch.tensor(np.moveaxis(x, -1, 1))
    h = torch.relu(conv3d(h, space, None, (1, 2, 2), (0, 1, 1)) / (1 + 1e-5) ** 0.5)
    want = conv3d(h, time, None, (2, 1, 1), (1, 0, 0))
    np.testing.assert_allclose(np.moveaxis(model.apply(variables, x), -1, 1), want, atol=1e-5)


def test_separable_convolution_is_a_depthwise_and_a_pointwise_one():
    x = RNG.normal(size=(2, 6, 7, 4)).astype("f")
    model = SeparableConv(6, (3, 3), 2, [(1, 1), (1, 1)], between=jnp.tanh)
    variables = model.init(KEY, x)
    depth, point = (np.array(variables["params"][name]["kernel"]) for name in ("Conv_0", "Conv_1"))
    h = torch.nn.functional.conv2d(
        torch.tensor(np.moveaxis(x, -1, 1)), torch.tensor(depth.transpose(3, 2, 0, 1)), None, 2, 1, groups=4
    )
    want = np.moveaxis(np.tanh(h.numpy()), 1, -1) @ point[0, 0]
    np.testing.assert_allclose(model.apply(variables, x), want, atol=1e-5)
    assert count(SeparableConv(6, (3, 3), use_bias=False), 8, 8, 4) == 9 * 4 + 4 * 6
