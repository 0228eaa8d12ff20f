"""Penalties against PyTorch's double backward, on the same network, and against slopes that are known."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch

from adl.gan import penalty

RNG = np.random.default_rng(0)
KEY = jax.random.key(0)
W1, W2 = (RNG.normal(size=shape).astype("f") for shape in ((4, 16), (16, 1)))
REAL, FAKE = (RNG.normal(size=(8, 2, 2, 1)).astype("f") for _ in range(2))


def critic(weights, x):
    return (jnp.tanh(x.reshape(len(x), -1) @ weights[0]) @ weights[1])[:, 0]


def torch_penalty(function, x: np.ndarray) -> tuple[np.ndarray, list[np.ndarray]]:
    """`function` of the input gradients' norms `[B]` in PyTorch, and the gradients of its mean by the weights."""
    weights = [torch.tensor(w, requires_grad=True) for w in (W1, W2)]
    x = torch.tensor(x, requires_grad=True)
    logits = torch.tanh(x.reshape(len(x), -1) @ weights[0]) @ weights[1]
    (slope,) = torch.autograd.grad(logits.sum(), x, create_graph=True)
    values = function(slope.reshape(len(x), -1).norm(dim=1))
    values.mean().backward()
    return values.detach().numpy(), [w.grad.numpy() for w in weights]


@pytest.mark.parametrize("name", ["r1", "r2", "gradient_penalty"])
def test_value_and_gradient_are_pytorch_s(name):
    make = {"r1": penalty.r1(0.7), "r2": penalty.r2(0.7), "gradient_penalty": penalty.gradient_penalty(5.0)}[name]
    u = np.asarray(jax.random.uniform(KEY, (8, 1, 1, 1)))
    at = {"r1": REAL, "r2": FAKE, "gradient_penalty": u * REAL + (1 - u) * FAKE}[name]
    values, gradients = torch_penalty(
        (lambda norm: 5.0 * (norm - 1) ** 2) if name == "gradient_penalty" else (lambda norm: 0.35 * norm**2), at
    )

    def ours(weights):
        return make(KEY, lambda x: critic(weights, x), jnp.asarray(REAL), jnp.asarray(FAKE))

    np.testing.assert_allclose(ours((W1, W2)), values, rtol=1e-4)
    for got, want in zip(jax.grad(lambda weights: ours(weights).mean())((W1, W2)), gradients, strict=True):
        np.testing.assert_allclose(got, want, rtol=1e-3, atol=1e-5)


def test_gradient_penalty_wants_slope_one():
    direction = np.array([0.6, 0, 0, 0.8], "f")

    def at(slope):
        line = lambda x: slope * x.reshape(len(x), -1) @ direction  # noqa: E731
        return penalty.gradient_penalty(10.0)(KEY, line, jnp.asarray(REAL), jnp.asarray(FAKE))

    np.testing.assert_allclose(at(1.0), np.zeros(8), atol=1e-5)
    np.testing.assert_allclose(at(3.0), np.full(8, 40.0), rtol=1e-4)
    assert np.isfinite(jax.grad(lambda slope: at(slope).sum())(0.0)), "a flat critic has a gradient too"


def test_gradient_penalty_looks_between_the_two():
    """Only at x = u real + (1 - u) fake: a critic that bends elsewhere costs nothing."""
    real, fake = jnp.ones((64, 1)), jnp.zeros((64, 1))

    def bent(x):
        return jnp.where((x >= 0) & (x <= 1), x, 9 * x)[:, 0]

    np.testing.assert_allclose(penalty.gradient_penalty(1.0)(KEY, bent, real, fake), np.zeros(64), atol=1e-6)
    assert (penalty.gradient_penalty(1.0)(KEY, bent, real + 2, fake + 2) > 60).all()
