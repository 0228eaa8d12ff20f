"""Spectral normalisation agrees with NumPy's singular values and with PyTorch, and moves only where it may."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch
from flax import linen as nn

from adl.nn.convolution import Conv
from adl.nn.spectral import COLLECTION, SpectralNorm

RNG = np.random.default_rng(0)
KEY = jax.random.key(0)
X = RNG.normal(size=(5, 6, 6, 3)).astype("f")


def settled(model: nn.Module, x: np.ndarray, steps: int = 200):
    """Variables after many iterations on fixed parameters, three times as large as they began."""
    variables = model.init(KEY, x)
    params = jax.tree.map(lambda w: 3 * w, variables["params"])

    def one(extras, _):
        return model.apply({"params": params, **extras}, x, mutable=[COLLECTION])[1], None

    extras, _ = jax.lax.scan(one, {COLLECTION: variables[COLLECTION]}, length=steps)
    return {"params": params, **extras}


@pytest.mark.parametrize("layer", [nn.Dense(7), Conv(8, (3, 3)), Conv(8, (4, 4), 2)], ids=["dense", "conv", "stride"])
def test_kernel_is_divided_by_its_largest_singular_value(layer):
    model = SpectralNorm(layer)
    variables = settled(model, X)
    ((name, params),) = variables["params"].items()
    kernel = np.asarray(params["kernel"], float)
    largest = np.linalg.svd(kernel.reshape(-1, kernel.shape[-1]), compute_uv=False)[0]
    bias = RNG.normal(size=kernel.shape[-1]).astype("f")
    got = model.apply({**variables, "params": {name: {**params, "bias": bias}}}, X)
    want = layer.apply({"params": {"kernel": kernel / largest, "bias": bias}}, X)
    np.testing.assert_allclose(got, want, atol=1e-4)
    assert largest > 2, "the layer alone would stretch"


def test_output_and_gradient_are_pytorch_s():
    model = SpectralNorm(nn.Dense(4, use_bias=False))
    x = RNG.normal(size=(3, 6)).astype("f")
    variables = settled(model, x)
    ((name, params),) = variables["params"].items()
    theirs = torch.nn.utils.parametrizations.spectral_norm(torch.nn.Linear(6, 4, bias=False), n_power_iterations=50)
    with torch.no_grad():
        theirs.parametrizations.weight.original.copy_(torch.tensor(np.asarray(params["kernel"]).T.copy()))
    theirs(torch.tensor(x))
    output = theirs(torch.tensor(x))
    output.square().sum().backward()

    def loss(kernel):
        return jnp.square(model.apply({**variables, "params": {name: {"kernel": kernel}}}, x)).sum()

    np.testing.assert_allclose(model.apply(variables, x), output.detach().numpy(), atol=1e-5)
    gradient = theirs.parametrizations.weight.original.grad.numpy().T
    np.testing.assert_allclose(jax.grad(loss)(params["kernel"]), gradient, rtol=1e-3, atol=1e-4)


def test_it_moves_only_where_it_may():
    model = SpectralNorm(nn.Dense(4))
    x = X.reshape(5, -1)
    variables = model.init(KEY, x)
    fixed = model.apply(variables, x)
    moving, moved = model.apply(variables, x, mutable=[COLLECTION])
    np.testing.assert_array_equal(fixed, moving)  # both by one iteration from the same u
    assert set(moved) == {COLLECTION}
    changed = jax.tree.map(lambda a, b: bool((a != b).any()), variables[COLLECTION], moved[COLLECTION])
    assert all(jax.tree.leaves(changed))


def test_network_of_them_stretches_nothing():
    class Network(nn.Module):
        @nn.compact
        def __call__(self, x):
            return SpectralNorm(nn.Dense(1))(nn.leaky_relu(SpectralNorm(nn.Dense(32))(x), 0.2))[:, 0]

    x, y = RNG.normal(size=(2, 500, 6)).astype("f")
    model = Network()
    variables = settled(model, x)
    slopes = np.abs(model.apply(variables, x) - model.apply(variables, y)) / np.linalg.norm(x - y, axis=1)
    assert 0.1 < slopes.max() <= 1 + 1e-4
