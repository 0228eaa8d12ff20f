"""A recogniser of what captions tell: of each quarter of a picture, which colour and which shape is in it, or nothing.

It learns in seconds from renderings of which all is known, and then judges pictures that others make.
"""

from collections.abc import Callable, Sequence

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import linen as nn
from jax import Array
from jax.tree_util import Partial

from adl import data
from adl.core import Mean, Metrics, by_random_batches, learning, probe
from adl.data.scenes.told import HUES, NOUNS, quarters
from adl.measure.asked import Attributes
from adl.nn.convolution import Conv
from adl.nn.mlp import MLP, flat
from adl.prob.labels import cross_entropy, is_correct

SIZES = (1 + len(HUES), 1 + len(NOUNS))  # of what is told apart, nothing among them


def recogniser(known: data.Split, *, num_steps: int, seed: int = 0) -> Callable[[Array], Attributes]:
    """`see(x [N, H, W, C]) -> Attributes` of pictures in [0, 1]: a convolutional network, trained now.

    Args:
      known: "image" `[N, H, W, C]` uint8, "colour" and "noun" `[N, 4]`, as of `scenes/told`.
      num_steps: of Adam at 0.001, on 128 quarters each.
      seed: of its parameters and of the quarters that it sees.
    """
    layers = [Conv(32, (3, 3)), nn.relu, Conv(32, (3, 3), strides=2), nn.relu, Conv(64, (3, 3), strides=2), nn.relu]
    model = nn.Sequential([*layers, flat, MLP((128, sum(SIZES)))])
    image = np.asarray(quarters(known.column("image")))
    columns = {
        "image": image.reshape(-1, *image.shape[2:]),
        "label": np.stack([known.column("colour"), known.column("noun")], -1).reshape(-1, 2),
    }
    algorithm = learning(
        model,
        optax.adam(1e-3),
        loss=several_surprises(SIZES),
        prepare=lambda key, batch: (data.image.symmetric(batch["image"]), batch["label"]),
    )
    learn = probe.jitted(by_random_batches(algorithm, num_steps=num_steps, batch_size=128))
    state = learn(jax.random.key(seed), columns)

    def see(params, x):
        parts = quarters(2 * x - 1)
        logits = model.apply({"params": params}, parts.reshape(-1, *parts.shape[2:]))
        return Attributes(*jnp.moveaxis(several_answers(logits, SIZES).reshape(len(x), -1, 2), -1, 0))

    return Partial(see, state.params)


def several_surprises(sizes: Sequence[int]) -> Callable[[Array, Array], Metrics]:
    """Loss of logits `[B, K_1 + ... + K_Q]` given labels `[B, Q]`: the sum of the cross-entropies, in nats.

    `accuracy` is the share of the examples of which all answers are right.

    Args:
      sizes: K_1, ..., K_Q, classes of each question.
    """

    def loss(logits, label):
        pairs = list(zip(_parted(logits, sizes), label.T, strict=True))
        right = jnp.stack([is_correct(*pair) for pair in pairs]).min(0)
        return {"loss": Mean.of(sum(cross_entropy(*pair) for pair in pairs)), "accuracy": Mean.of(right)}

    return loss


def several_answers(logits: Array, sizes: Sequence[int]) -> Array:
    """`[..., Q]` int32: the likeliest class of each question, of logits `[..., K_1 + ... + K_Q]`."""
    return jnp.stack([part.argmax(-1) for part in _parted(logits, sizes)], -1).astype(jnp.int32)


def _parted(logits: Array, sizes: Sequence[int]) -> list[Array]:
    return jnp.split(logits, np.cumsum(sizes)[:-1], -1)
