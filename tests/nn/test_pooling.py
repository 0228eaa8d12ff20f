"""The gradient of pooling, which is taken tap by tap on CPU: XLA's and PyTorch's own, with ties and at the border."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch
from flax import linen as nn

from adl.nn.pooling import max_pool

RNG = np.random.default_rng(0)
WAYS = [(2, 2, 0), (3, 2, 0), (3, 2, 1), (3, 1, 1), (2, 3, 0), (9, 1, 4)]  # window, stride, padding; the last XLA's own
KINDS = {
    "ties": np.maximum(RNG.integers(-3, 3, (2, 9, 8, 3)), 0),  # as after a relu
    "constant": np.zeros((2, 9, 8, 3)),
    "nothing": np.full((2, 9, 8, 3), -np.inf),
    "nan": np.where(RNG.random((2, 9, 8, 3)) < 0.2, np.nan, RNG.integers(0, 3, (2, 9, 8, 3))),
}


def xla(x, window, stride, *, padding=0):
    return nn.max_pool(x, (window, window), (stride, stride), [(padding, padding)] * 2)


def pulled(pool, x, way):
    """The cotangent of x, of whole numbers, whose sums are exact."""
    window, stride, padding = way
    y, pull = jax.vjp(lambda x: pool(x, window, stride, padding=padding), x)
    return pull(jnp.asarray(np.random.default_rng(1).integers(-9, 9, y.shape), y.dtype))[0]


@pytest.mark.parametrize("kind", KINDS)
def test_gradients_are_xla_s(kind):
    x = jnp.asarray(KINDS[kind], jnp.float32)
    for pool_of in (lambda way: way, lambda way: (*way[:2], 0)):
        for way in map(pool_of, WAYS[:4]):
            np.testing.assert_array_equal(pulled(max_pool, x, way), pulled(xla, x, way), err_msg=str(way))


@pytest.mark.parametrize("way", WAYS)
def test_gradients_are_torch_s(way):
    window, stride, padding = way
    x = torch.tensor(np.moveaxis(KINDS["ties"], -1, 1), dtype=torch.float32, requires_grad=True)
    y = torch.nn.functional.max_pool2d(x, window, stride, padding)
    given = np.random.default_rng(1).integers(-9, 9, np.moveaxis(y.detach().numpy(), 1, -1).shape)
    y.backward(torch.tensor(np.moveaxis(given, -1, 1), dtype=torch.float32))
    found = pulled(max_pool, jnp.asarray(KINDS["ties"], jnp.float32), way)
    np.testing.assert_array_equal(np.moveaxis(found, -1, 1), x.grad)


def test_it_is_what_xla_s_is_in_every_transformation():
    """Forward, of several networks, in loops, twice, and in half precision."""
    x = jnp.asarray(RNG.normal(size=(3, 2, 7, 7, 2)), jnp.float32)

    def loss(pool, x):
        return jnp.sin(pool(x, 3, 2, padding=1)).sum()

    def seen(pool, x):
        one = functools.partial(loss, pool)
        slope = jax.vmap(jax.grad(one))(x)
        looped = jax.lax.map(jax.grad(one), x)
        moved = jax.jvp(one, (x[0],), (x[1],))[1]
        twice = jax.grad(lambda x: jnp.square(jax.grad(one)(x)).sum())(x[0])
        pushed = jax.jvp(jax.grad(one), (x[0],), (x[1],))[1]
        rough = jax.grad(one)(x[0].astype(jnp.bfloat16)).astype(jnp.float32)
        return slope, looped, moved, twice, pushed, rough

    for found, want in zip(*(jax.jit(functools.partial(seen, pool))(x) for pool in (max_pool, xla)), strict=True):
        np.testing.assert_allclose(found, want, rtol=1e-5, atol=1e-6)


def test_on_cpu_no_window_is_searched_again():
    """Only where it has too many taps, or elsewhere."""
    x = jnp.asarray(KINDS["ties"], jnp.float32)

    def program(way, platform):
        step = jax.jit(functools.partial(pulled, max_pool, way=way)).trace(x)
        return step.lower(lowering_platforms=(platform,)).as_text()

    assert "select_and_scatter" not in program((3, 2, 1), "cpu")
    assert "select_and_scatter" in program((9, 1, 4), "cpu") and "select_and_scatter" in program((3, 2, 1), "cuda")
