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
            if isinstance(context.module, nn.Embed) and context.module.name == "tokens":
                return out + jnp.pad(moved, (1, 0))[None, :size, None]
            return out

        with nn.intercept_methods(embedded):
            given_x = x if name == "transformer" else x + moved.reshape(x.shape)
            return (model.apply(variables, given_x, *given).reshape(size, LEVELS) @ weight)[:, 0]

    slopes = jax.vmap(jax.jacrev(told), (None, 0))(jnp.zeros(size), pictures)
    return (np.asarray(slopes) != 0).any(0)


@pytest.mark.parametrize("name", NETWORKS)
def test_nothing_is_seen_of_a_pixel_or_after_it(name):
    """Of two channels, given a class; and all that comes before is seen."""
    seen = reached(name, (3, 3, 2), num_classes=2)
    before = np.tril(np.ones_like(seen), -1)
    assert not (seen & ~before).any()
    np.testing.assert_array_equal(seen, before)


def test_the_gated_network_has_no_blind_spot():
    """At the left of the second row, the masked one does not see the end of the first, the gated one sees all."""
    masked, gated = (reached(name, (3, 6, 1))[6] for name in ("pixelcnn", "gated"))
    np.testing.assert_array_equal(masked[:6], [True] * 4 + [False] * 2)
    np.testing.assert_array_equal(gated[:6], [True] * 6)
