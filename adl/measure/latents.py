"""What latents hold, seen through the pictures that are made of them."""

from collections.abc import Callable, Sequence

import jax
import jax.numpy as jnp
from jax import Array
from jax.tree_util import Partial

from adl.core import Key, Mean, Probe, State
from adl.prob import neighbours

Generate = Callable[[State, Array, Array], Array]  # (state, latents [B, Z], labels [B]) -> examples [B, ...]
Encode = Callable[[State, Array], Array]  # (state, what is coded [B, ...]) -> mean latents [B, Z]
Decode = Callable[[State, Array], Array]  # (state, latents [..., Z]) -> pictures [..., H, W, C]


def arc(generate: Generate, latent_dim: int, classes: Sequence[int], *, num: int = 11) -> Probe:
    """Probe: examples of each class along a quarter of a circle from one standard normal latent to another.

        z(t) = cos(t) z_0 + sin(t) z_1,   0 <= t <= pi / 2

    which, unlike the straight line, is standard normal at every t.

    Args:
      generate: from latents and labels.
      latent_dim: Z >= 1.
      classes: K >= 1, each with latents of its own.
      num: examples of each class, >= 2.
    Returns:
      `probe(key, state)`: `grid` `[K, num, ...]`, `label` `[K]`, and `degrees` `[num]`, t from 0 to 90.
    Source: White 2016, arXiv:1609.04468, section 2.1, for latents at a right angle.
    """
    angle, label = jnp.linspace(0, jnp.pi / 2, num), jnp.asarray(classes)

    def probe(key: Key, state: State) -> dict[str, Array]:
        start, end = jax.random.normal(key, (2, 1, len(label), latent_dim))
        z = jnp.cos(angle)[:, None, None] * start + jnp.sin(angle)[:, None, None] * end
        examples = generate(state, z.reshape(-1, latent_dim), jnp.tile(label, num))
        return {
            "grid": examples.reshape(num, len(label), *examples.shape[1:]).swapaxes(0, 1),
            "label": label,
            "degrees": jnp.rad2deg(angle),
        }

    return probe


def reconstructions(encode: Encode, decode: Decode, x: Array, image: Array) -> Probe:
    """Probe: `images` `[2, N, H, W, C]`, pictures and what is decoded from their mean latents.

    Args:
      encode: to mean latents.
      decode: to pictures.
      x: `[N, ...]` what is coded.
      image: `[N, H, W, C]`, the same as they are shown.
    """

    def probe(columns, key: Key, state: State) -> dict[str, Array]:
        x, image = columns
        return {"images": jnp.stack([image, decode(state, encode(state, x))])}

    return Partial(probe, (x, image))


def from_prior(decode: Decode, latent_dim: int) -> Callable[[Key, State], Array]:
    """`(key, state) -> [H, W, C]`, the picture of one latent from the standard normal prior."""
    return lambda key, state: decode(state, jax.random.normal(key, (latent_dim,)))


def prior(decode: Decode, latent_dim: int, *, rows: int = 10, cols: int = 10) -> Probe:
    """Probe: `images` `[rows, cols, H, W, C]` of latents from the standard normal prior."""
    return lambda key, state: {"images": decode(state, jax.random.normal(key, (rows, cols, latent_dim)))}


def traversal(encode: Encode, decode: Decode, x: Array, *, limit: float = 2.5, num: int = 11) -> Probe:
    """Probe: the latents of one example, moved over the plane of the two that say most about the examples.

    A latent says more, the more its mean varies over the examples: one that is not used stays at the prior's mean.

    Args:
      encode: to mean latents.
      decode: to pictures.
      x: `[N, ...]` examples; the first is moved.
      limit: > 0, of both latents, from -limit to limit.
      num: pictures along a side.
    Returns:
      `probe(key, state)`: `images` `[num, num, H, W, C]`, the latent that says most rising to the right, the second
      upwards, and `ticks` `[num]`, their values from left to right.
    """

    def probe(x, key: Key, state: State) -> dict[str, Array]:
        mean = encode(state, x)
        first, second = jnp.argsort(-mean.var(0))[jnp.array([0, min(1, mean.shape[1] - 1)])]
        ticks = jnp.linspace(-limit, limit, num)
        codes = jnp.broadcast_to(mean[0], (num, num, mean.shape[1]))
        codes = codes.at[..., second].set(-ticks[:, None]).at[..., first].set(ticks[None, :])
        return {"images": decode(state, codes), "ticks": ticks}

    return Partial(probe, x)


def straight(encode: Encode, decode: Decode, x: Array, *, num: int = 11) -> Probe:
    """Probe: examples along the straight line from the code of one to the code of another.

    Args:
      encode: to mean latents.
      decode: to pictures.
      x: `[2 P, ...]` examples; the second of each pair follows the first.
      num: pictures of each pair, >= 2, of which the first and the last are the decoded two.
    Returns:
      `probe(key, state)`: `images` `[P, num, H, W, C]`.
    """

    def probe(x, key: Key, state: State) -> dict[str, Array]:
        z = encode(state, x)[:, None]
        start, end, way = z[::2], z[1::2], jnp.linspace(0, 1, num)[None, :, None]
        return {"images": decode(state, start + way * (end - start))}

    return Partial(probe, x)


def perturbed(
    encode: Encode, decode: Decode, x: Array, *, limit: float = 2.5, num: int = 11, num_shown: int = 10
) -> Probe:
    """Probe: each latent of one example moved alone, those first whose means vary most over the examples.

    Args:
      encode: to mean latents.
      decode: to pictures.
      x: `[N, ...]` examples; the first is moved.
      limit: > 0, from -limit to limit.
      num: pictures of each latent.
      num_shown: latents R, at most.
    Returns:
      `probe(key, state)`: `images` `[R, num, H, W, C]`; `latent` `[R]`, their numbers; `ticks` `[num]`, their values.
    """

    def probe(x, key: Key, state: State) -> dict[str, Array]:
        mean = encode(state, x)
        order = jnp.argsort(-mean.var(0))[:num_shown]
        ticks = jnp.linspace(-limit, limit, num)
        is_moved = jax.nn.one_hot(order, mean.shape[1])[:, None]  # [R, 1, Z]
        codes = mean[0][None, None] * (1 - is_moved) + ticks[None, :, None] * is_moved
        return {"images": decode(state, codes), "latent": order, "ticks": ticks}

    return Partial(probe, x)


def arithmetic(
    encode: Encode, decode: Decode, known: Sequence[Array], asked: Sequence[Array], *, num_classes: int
) -> Probe:
    """Probe of latent arithmetic: an example with the mean code of its class exchanged for that of another.

        z' = z - mean of own class + mean of the other

    Args:
      encode: to mean latents.
      decode: to pictures.
      known: `x` `[N, ...]`, from which the means are taken; `label` `[N]` in 0 ... K - 1; `image` `[N, H, W, C]` as
        decoded ones are. Each class is among them.
      asked: `x` `[M, ...]` and `label` `[M]`, which are moved.
      num_classes: K >= 2.
    Returns:
      `probe(key, state)`: `moved`, the share of the M (K - 1) pictures that 3 nearest neighbours among the known
      recognise as the class asked for; `kept`, that of the M decoded unmoved; and `images` `[K, K, H, W, C]`: the first
      asked of each class, as each class.
    """

    def probe(columns, key: Key, state: State) -> dict[str, Mean | Array]:
        (known_x, label, image), (x, own) = columns
        z = encode(state, known_x)
        member = jax.nn.one_hot(label, num_classes)
        means = (member.T @ z) / member.sum(0)[:, None]
        codes = encode(state, x)[:, None] - means[own][:, None] + means[None]  # [M, K, Z]
        made = decode(state, codes)
        rows = made.reshape(-1, image[0].size)
        found = neighbours.classify(rows, image.reshape(len(image), -1), label, k=3, num_classes=num_classes)
        right = found.reshape(len(x), num_classes) == jnp.arange(num_classes)[None]
        is_own = jax.nn.one_hot(own, num_classes)
        first = jnp.argmax(own[None] == jnp.arange(num_classes)[:, None], 1)
        return {"moved": Mean.of(right, 1 - is_own), "kept": Mean.of(right, is_own), "images": made[first]}

    return Partial(probe, (tuple(known), tuple(asked)))
