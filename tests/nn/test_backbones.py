"""The backbones of the field: parameters as counted in the papers and in torchvision, outputs as PyTorch's."""

import functools
import math

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch
from flax import linen as nn

from adl.core import BadInput, forward
from adl.nn import alexnet, densenet, lenet, resnet, vgg
from adl.nn.resnet import BatchNorm

KEY = jax.random.key(0)
RNG = np.random.default_rng(0)
LARGE, SMALL, GREY = (224, 224, 3), (32, 32, 3), (32, 32, 1)
COUNTS = {  # torchvision 0.29's, or of the papers in their unit
    "AlexNet": (alexnet.AlexNet(1000), LARGE, 61_100_840, 1),
    **{
        f"VGG-{depth}": (vgg.VGG(1000, vgg.CONVOLUTIONS[depth]), LARGE, count, 1)
        for depth, count in {11: 132_863_336, 13: 133_047_848, 16: 138_357_544, 19: 143_667_240}.items()
    },
    **{
        f"VGG-{depth}, batch norm": (vgg.VGG(1000, vgg.CONVOLUTIONS[depth], norm=BatchNorm), LARGE, count, 1)
        for depth, count in {11: 132_868_840, 13: 133_053_736, 16: 138_365_992, 19: 143_678_248}.items()
    },
    **{
        f"DenseNet-{depth}": (densenet.DenseNet.imagenet(depth), LARGE, count, 1)
        for depth, count in {121: 7_978_856, 161: 28_681_000, 169: 14_149_480, 201: 20_013_928}.items()
    },
    "LeNet-5 (1998: 60,000 trained)": (lenet.LeNet5(None), GREY, 60_000, 1),
    "LeNet-5 of tutorials": (lenet.LeNet5(10, lenet.EVERY, "mean", nn.tanh), GREY, 61_706, 1),
    "ResNet-20": (resnet.CifarResNet.of_depth(20), SMALL, 0.27, 1e6),
    "ResNet-56": (resnet.CifarResNet.of_depth(56), SMALL, 0.85, 1e6),
    "ResNet-110": (resnet.CifarResNet.of_depth(110), SMALL, 1.7, 1e6),
    "WRN-28-10": (resnet.ResNet.wide(28, 10, 10), SMALL, 36.5, 1e6),
    "WRN-16-8": (resnet.ResNet.wide(16, 8, 10), SMALL, 11.0, 1e6),
    "DenseNet-BC 100, 12": (densenet.DenseNet.cifar(100, 12), SMALL, 0.8, 1e6),
    "DenseNet 40, 12": (
        densenet.DenseNet(10, (12, 12, 12), 12, 16, bottleneck=None, compression=1.0), SMALL, 1.0, 1e6
    ),
}  # fmt: skip
DEEP = (
    "VGG-13",
    "VGG-16",
    "VGG-19, batch norm",
    "DenseNet-161",
    "DenseNet-169",
    "DenseNet-201",
    "DenseNet 40, 12",
    "ResNet-110",
)


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[pytest.mark.full] if name in DEEP else []) for name in COUNTS]
)
def test_parameters_are_as_many_as_published(name):
    model, shape, count, unit = COUNTS[name]
    variables = jax.eval_shape(model.init, KEY, jnp.zeros((1, *shape)))
    found = sum(math.prod(leaf.shape) for leaf in jax.tree.leaves(variables["params"])) / unit
    digits = 0 if unit == 1 else len(str(count).partition(".")[2])
    assert round(found, digits) == count


def conv(inputs, outputs, window, stride=1, padding=None, bias=True):
    padding = window // 2 if padding is None else padding
    return torch.nn.Conv2d(inputs, outputs, window, stride, padding, bias=bias)


def torch_alexnet():
    relu, pool = torch.nn.ReLU, functools.partial(torch.nn.MaxPool2d, 3, 2)
    return torch.nn.Sequential(
        *(conv(3, 4, 11, 4, 2), relu(), pool(), conv(4, 6, 5), relu(), pool(), conv(6, 8, 3), relu()),
        *(conv(8, 6, 3), relu(), conv(6, 5, 3), relu(), pool(), torch.nn.AdaptiveAvgPool2d(6), torch.nn.Flatten()),
        *(torch.nn.Linear(180, 12), relu(), torch.nn.Linear(12, 12), relu(), torch.nn.Linear(12, 7)),
    )


def torch_vgg():
    def stage(inputs, outputs):
        return [conv(inputs, outputs, 3), torch.nn.BatchNorm2d(outputs), torch.nn.ReLU()]

    return torch.nn.Sequential(
        *(*stage(3, 4), torch.nn.MaxPool2d(2), *stage(4, 6), *stage(6, 6), torch.nn.MaxPool2d(2)),
        *(torch.nn.AdaptiveAvgPool2d(3), torch.nn.Flatten()),
        *(torch.nn.Linear(54, 9), torch.nn.ReLU(), torch.nn.Linear(9, 7)),
    )


class Adding(torch.nn.Sequential):
    """concat(x, layers(x))."""

    def forward(self, x):
        return torch.cat([x, super().forward(x)], 1)


def torch_densenet():
    def rectified(channels):
        return torch.nn.BatchNorm2d(channels), torch.nn.ReLU()

    def layer(channels):
        narrow = conv(channels, 16, 1, bias=False)
        return Adding(*rectified(channels), narrow, *rectified(16), conv(16, 4, 3, bias=False))

    return torch.nn.Sequential(
        *(conv(3, 8, 7, 2, bias=False), *rectified(8), torch.nn.MaxPool2d(3, 2, 1), layer(8), layer(12)),
        *(*rectified(16), conv(16, 8, 1, bias=False), torch.nn.AvgPool2d(2), layer(8)),
        *(*rectified(12), torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten(), torch.nn.Linear(12, 7)),
    )


class Residual(torch.nn.Sequential):
    """relu(layers(x) + x), with every second pixel and zeros for new channels where the shape changes."""

    def forward(self, x):
        out = super().forward(x)
        short = x[..., :: x.shape[-1] // out.shape[-1], :: x.shape[-1] // out.shape[-1]]
        zeros = torch.zeros_like(out[:, short.shape[1] :])
        return torch.relu(out + torch.cat([short, zeros], 1))


def torch_resnet():
    def block(inputs, outputs, stride=1):
        first = conv(inputs, outputs, 3, stride, bias=False), torch.nn.BatchNorm2d(outputs), torch.nn.ReLU()
        return Residual(*first, conv(outputs, outputs, 3, bias=False), torch.nn.BatchNorm2d(outputs))

    return torch.nn.Sequential(
        *(conv(3, 4, 3, bias=False), torch.nn.BatchNorm2d(4), torch.nn.ReLU(), block(4, 4), block(4, 8, 2)),
        *(torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten(), torch.nn.Linear(8, 7)),
    )


PEERS = {
    "AlexNet": (alexnet.AlexNet(7, (4, 6, 8, 6, 5), hidden=12), torch_alexnet, 67),
    "VGG": (vgg.VGG(7, (1, 2), (4, 6), hidden=(9,), pooled=3, norm=BatchNorm), torch_vgg, 17),
    "DenseNet": (densenet.DenseNet(7, (2, 1), 4, 8, is_large=True), torch_densenet, 29),
    "ResNet": (resnet.CifarResNet(7, 1, (4, 8)), torch_resnet, 12),
}
KINDS = {torch.nn.Conv2d: "Conv", torch.nn.BatchNorm2d: "BatchNorm", torch.nn.Linear: "Dense"}


def taken(peer, shapes):
    """Our variables, with a torch network's numbers: layers of a kind are in the same order."""
    params, statistics, number, size = {}, {}, dict.fromkeys(KINDS.values(), 0), None
    inside = {"MLP_0": {}} if "MLP_0" in shapes["params"] else params
    for layer in peer.modules():
        if type(layer) not in KINDS:
            if isinstance(layer, torch.nn.AdaptiveAvgPool2d):
                size = (layer.output_size,) * 2 if isinstance(layer.output_size, int) else layer.output_size
            continue
        kind = KINDS[type(layer)]
        name, weight = f"{kind}_{number[kind]}", layer.weight.detach().numpy()
        number[kind] += 1
        bias = {} if layer.bias is None else {"bias": layer.bias.detach().numpy()}
        if kind == "Conv":
            params[name] = {"kernel": weight.transpose(2, 3, 1, 0), **bias}
        elif kind == "BatchNorm":
            params[name] = {"BatchNorm_0": {"scale": weight, **bias}}
            own = {"mean": layer.running_mean.numpy().copy(), "var": layer.running_var.numpy().copy()}
            statistics[name] = {"BatchNorm_0": own}
        else:
            if number[kind] == 1:  # channels first in torch's rows
                weight = weight.reshape(len(weight), -1, *size).transpose(0, 2, 3, 1).reshape(len(weight), -1)
            inside.get("MLP_0", inside)[name] = {"kernel": weight.T, **bias}
    params = params if inside is params else {**params, **inside}
    return {"params": params, **({"batch_stats": statistics} if statistics else {})}


@pytest.mark.parametrize("name", PEERS)
def test_outputs_and_gradients_are_torch_s(name):
    """At rest and in training, of the same weights; gradients of the picture, relative to the largest."""
    model, make, side = PEERS[name]
    with torch.random.fork_rng():
        torch.manual_seed(0)
        peer = make()
    for layer in peer.modules():
        if isinstance(layer, torch.nn.BatchNorm2d):
            layer.running_mean.data = torch.linspace(-0.3, 0.3, len(layer.running_mean))
            layer.running_var.data = torch.linspace(0.5, 2, len(layer.running_var))
            layer.weight.data = torch.linspace(0.5, 1.5, len(layer.weight))
    x = RNG.normal(size=(3, side, side, 3)).astype("f")
    variables = taken(peer, jax.eval_shape(model.init, KEY, x))
    chex.assert_trees_all_equal_shapes(variables, jax.eval_shape(model.init, KEY, x))
    extras = {key: value for key, value in variables.items() if key != "params"}

    def both(x):
        at_rest = model.apply(variables, x)
        training, _ = forward(model, None, variables["params"], extras, x)
        return jnp.square(training).sum() + jnp.sin(at_rest).sum(), (at_rest, training)

    (_, ours), slopes = jax.jit(jax.value_and_grad(both, has_aux=True))(x)
    pictures = torch.tensor(x.transpose(0, 3, 1, 2), requires_grad=True)
    at_rest = peer.eval()(pictures)
    torch.sin(at_rest).sum().backward()  # before the statistics move, which its gradient reads
    training = peer.train()(pictures)
    torch.square(training).sum().backward()
    for one, other in zip(ours, (at_rest, training), strict=True):
        np.testing.assert_allclose(one, other.detach(), atol=1e-4)
    want = pictures.grad.numpy().transpose(0, 2, 3, 1)
    np.testing.assert_allclose(slopes, want, atol=1e-4 * np.abs(want).max(), rtol=0)


@pytest.mark.parametrize("name", PEERS)
def test_pictures_that_are_too_small_or_no_pictures_are_refused(name):
    model = PEERS[name][0]
    with pytest.raises(AssertionError):
        jax.eval_shape(model.init, KEY, jnp.zeros((32, 32, 3)))
    if name in ("AlexNet", "VGG"):
        with pytest.raises(BadInput, match="^pictures of 3 x 3 pixels: .* or more along each side"):
            jax.eval_shape(model.init, KEY, jnp.zeros((1, 3, 3, 3)))


def test_lenet_sees_what_its_table_says():
    """A map of the second stage depends on the maps of its row alone; and both kinds agree where every one is seen."""
    x = jnp.asarray(RNG.normal(size=(1, 7, 7, 6)), jnp.float32)
    layer = lenet.PartialConv(lenet.SEEN, 5)
    variables = layer.init(KEY, x)
    slopes = jax.jacobian(lambda x: layer.apply(variables, x)[0, 1, 1])(x)[:, 0]  # [16, 7, 7, 6]
    is_seen = np.abs(slopes).sum((1, 2)) > 0
    assert [tuple(np.flatnonzero(row)) for row in is_seen] == list(lenet.SEEN)
    assert lenet.scaled_tanh(jnp.array([1.0, -1.0])) == pytest.approx([1, -1], abs=1e-4)


@pytest.mark.parametrize("pool", ["learned", "mean", "max"])
def test_lenet_pools_as_it_is_told(pool):
    x = jnp.asarray(RNG.normal(size=(2, 32, 32, 1)), jnp.float32)
    model = lenet.LeNet5(10, pool=pool)
    logits, variables = jax.eval_shape(model.init_with_output, KEY, x)
    assert logits.shape == (2, 10) and ("Subsampling_1" in variables["params"]) == (pool == "learned")
    with pytest.raises(BadInput, match="^pictures of 28 x 28 pixels: LeNet-5 wants 32 x 32"):
        jax.eval_shape(model.init, KEY, x[:, :28, :28])
    with pytest.raises(BadInput, match="^no pool 'largest'"):
        jax.eval_shape(lenet.LeNet5(10, pool="largest").init, KEY, x)


@pytest.mark.parametrize(
    "make",
    [
        resnet.CifarResNet.of_depth,
        functools.partial(resnet.ResNet.wide, factor=2, num_classes=10),
        functools.partial(densenet.DenseNet.cifar, growth=12),
        densenet.DenseNet.imagenet,
    ],
)
def test_a_depth_that_does_not_exist_is_refused(make):
    with pytest.raises(BadInput, match=r"21: th"):
        make(21)


def test_dropout_of_a_wide_network_is_within_its_blocks():
    x = jnp.asarray(RNG.normal(size=(2, 4, 4, 16)), jnp.float32)
    silent, noisy = (resnet.ResidualBlock(16, 1, resnet.group_norm, jnp.float32, dropout) for dropout in (0.0, 0.5))
    variables = silent.init(KEY, x)
    np.testing.assert_array_equal(silent.apply(variables, x), noisy.apply(variables, x))
    changed = noisy.apply(variables, x, rngs={"dropout": KEY})
    assert np.abs(changed - noisy.apply(variables, x)).max() > 1e-2
    wide = resnet.ResNet.wide(10, 2, 3, block_dropout=0.5)
    assert (wide.stem, *wide.channels, wide.block_dropout) == (16, 32, 64, 128, 0.5)
