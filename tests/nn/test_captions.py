"""What is told in words: padding is not read, the order and each word are."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from adl.diffusion.denoising import Conditioned
from adl.nn.captions import TextConditioner
from adl.nn.encoder import BERT
from adl.nn.unet import UNet, Words

KEY = jax.random.key(0)
PAD = 9
TOKEN = jnp.array([[1, 2, 3, 4, PAD, PAD], [1, PAD, PAD, PAD, PAD, PAD]])


def moved(variables):
    """Parameters off their zeros, so that every path carries a signal."""
    leaves, structure = jax.tree.flatten(variables)
    keys = jax.random.split(KEY, len(leaves))
    return structure.unflatten([x + 0.2 * jax.random.normal(k, x.shape) for k, x in zip(keys, leaves, strict=True)])


@pytest.fixture(scope="module")
def made():
    encoder = BERT(PAD + 1, 6, num_layers=1, num_heads=2, width=8, hidden=16)
    model = Conditioned(UNet((8, 16), num_blocks=1, num_groups=4, attention=(1,)), TextConditioner(encoder, 8, PAD))
    x = jax.random.normal(KEY, (2, 8, 8, 1))
    variables = jax.jit(model.init)(KEY, x, jnp.zeros(2), TOKEN)
    return jax.jit(model.apply), x, variables


def test_words_and_their_order_are_read_and_padding_is_not(made):
    apply, x, variables = made
    noise, apply = jnp.zeros(2), functools.partial(apply, moved(variables))
    told = apply(x, noise, TOKEN)
    swapped = apply(x, noise, TOKEN.at[0, 1:3].set(jnp.array([3, 2])))
    assert np.abs(swapped[0] - told[0]).max() > 1e-3  # the same words in another order
    np.testing.assert_allclose(swapped[1], told[1], atol=1e-6)
    longer = apply(x, noise, TOKEN[:, :4])
    np.testing.assert_allclose(longer, told, atol=1e-4)


def test_pixels_look_at_each_word_that_is_there():
    """With the vector held, every word moves the picture, and those behind the mask do not."""
    model = UNet((8, 16), num_blocks=1, num_groups=4, attention=(1,))
    x, memory = jax.random.normal(KEY, (1, 8, 8, 1)), jax.random.normal(KEY, (1, 4, 8))
    words = Words(jnp.ones((1, 8)), memory, jnp.array([[True, True, True, False]]))
    variables = moved(jax.jit(model.init)(KEY, x, words))
    slope = jax.grad(lambda memory: jnp.square(model.apply(variables, x, words._replace(memory=memory))).sum())(memory)
    size = jnp.abs(slope[0]).max(-1)
    assert (size[:3] > 1e-4).all() and size[3] == 0


def test_starts_at_zero_whatever_is_told(made):
    apply, x, variables = made
    assert not apply(variables, x, jnp.zeros(2), TOKEN).any()
