"""What is said of a pixel follows from those before it: proved by the gradient."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import linen as nn

from tests.pixel.networks import NETWORKS, drawn

LEVELS = 3


def reached(name: str, shape: tuple[int, ...], num_classes: int = 0) -> np.ndarray:
    """`[D, D]` whether what is said of pixel i moves with pixel j: the gradient is not 0, at one of 8 pictures."""
    model, variables, given = drawn(name, shape, LEVELS, num_classes)
    given = tuple(label[:1] for label in given)
    pictures = jax.random.randint(jax.random.key(2), (8, 1, *shape), 0, LEVELS)
    weight = jax.random.normal(jax.random.key(3), (LEVELS, 1))
    size = math.prod(shape)

    def told(moved, x):
        """Of each pixel one number, where levels are moved by so much each; of the transformer their embeddings."""

        def embedded(call, args, kwargs, context):
            out = call(*args, **kwargs)
            if context.module.name == "tokens" and context.method_name == "__call__":
                return out + jnp.pad(moved, (1, 0))[None, :size, None]
            return out

        with nn.intercept_methods(embedded):
            given_x = x if name == "transformer" else x + moved.reshape(x.shape)
            return (model.apply(variables, given_x, *given).reshape(size, LEVELS) @ weight)[:, 0]

    slopes = jax.vmap(jax.jacrev(told), (None, 0))(jnp.zeros(size), pictures)
    return (np.asarray(slopes) != 0).any(0)


@pytest.mark.parametrize("name", NETWORKS)
def test_nothing_is_seen_of_a_pixel_or_after_it(name):
    """Of two channels, given a class; and all that comes before is seen, but for the blind spot of the masked network.

    Four places and more to the right, in the row above, are in the reach of none of its kernels; the gated one, whose
    vertical stack sees whole rows, is of as many layers and sees them.
    """
    seen = reached(name, (2, 5, 2), num_classes=2)
    before = np.tril(np.ones_like(seen), -1)
    row, column, _ = np.unravel_index(np.arange(20), (2, 5, 2))
    is_blind = (row[:, None] > row) & (column - column[:, None] >= 4) & (name == "pixelcnn")
    np.testing.assert_array_equal(seen, before & ~is_blind)
