"""Scenes, single things and clips, each from one key: `vmap` for many, or `rendered` for arrays.

All three draw a room and things in it and call `render.render`; what differs is which things there are and where.
"""

import functools
from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from adl.core import BadInput, fold_in
from adl.core.place import on_host
from adl.core.types import Array, Key, PyTree
from adl.data.scenes.layout import FOCAL, MILD, PERSON, STANDARD, Bank, Room, Things, Variation, room, things
from adl.data.scenes.render import Scene, alone, placed, render
from adl.data.scenes.shapes import LEAF, Seen

CANDIDATES = 14  # things that are tried to be placed in a scene
WAYS = ("left", "right", "nearer", "farther")
AT_ONCE = 50  # scenes of one call


class Arrangement(NamedTuple):
    """A room and what is tried to be placed in it, K things."""

    around: Room
    things: Things
    at: Seen  # [K, H, W], of each alone
    is_there: Array  # [K] bool


def scene(
    key: Key,
    bank: Bank,
    *,
    size: int = 64,
    slots: int = 8,
    fewest: int = 3,
    variation: Variation = STANDARD,
    noise: float = 0.02,
) -> Scene:
    """A room with things, of which one is a person.

    Args:
      key: consumed.
      bank: handwritten digits; see `writers`.
      size: H = W in pixels.
      slots: S, the most things, >= `fewest`.
      fewest: things that are tried to be placed at least, the person among them.
      variation: how much scenes differ.
      noise: standard deviation of each value, of 1.
    """
    key_noise, key = jax.random.split(key)
    made = arrangement(key, bank, size=size, slots=slots, fewest=fewest, variation=variation)
    return render(key_noise, *made, slots=slots, noise=noise)


def arrangement(key: Key, bank: Bank, *, size: int, slots: int, fewest: int, variation: Variation) -> Arrangement:
    """What `scene` renders, with its arguments; the key is consumed."""
    key_room, key_kind, key_things, key_count = jax.random.split(key, 4)
    around = room(key_room, variation)
    others = jax.random.randint(key_kind, (CANDIDATES - 1,), 0, PERSON)  # the person is the last of the classes
    drawn = things(key_things, jnp.append(others, PERSON), variation, bank)
    wanted = jax.random.randint(key_count, (), fewest, slots + 1)
    at = alone(drawn, around, bank, size)
    return Arrangement(around, drawn, at, placed(at.is_on, drawn, wanted, 1 - 0.8 * variation.occlusion))


def single(
    key: Key,
    bank: Bank,
    *,
    size: int = 32,
    variation: Variation = MILD,
    noise: float = 0.02,
    kind: int | None = None,
) -> Scene:
    """One thing of a class in the middle, of which leaves may hide a part; `label` `[1]` and the like are its own.

    Args:
      key: consumed.
      bank: as in `scene`.
      size: H = W in pixels.
      variation: how much pictures of one class differ; all 0 is one prototype a class, but for digits and colours.
      noise: as in `scene`.
      kind: its class; drawn by default.
    """
    key_room, key_kind, key_things, key_place, key_noise = jax.random.split(key, 5)
    around = room(key_room, variation)
    own = jax.random.randint(key_kind, (1,), 0, PERSON + 1) if kind is None else jnp.array([kind])
    kind = jnp.append(own, jnp.full(4, LEAF))
    drawn = things(key_things, kind, variation, bank)
    u = jax.random.uniform(key_place, (5, 3), minval=-1.0, maxval=1.0)
    height = 0.28 * jnp.exp(jnp.log(1.8) * variation.scale * u[:, 0])  # half of it, in pictures
    reach = 0.12 * variation.viewpoint
    z = FOCAL * drawn.size[0] / height[0]
    column, row = jnp.append(reach * u[0, 1], 0.5 * u[1:, 1]), jnp.append(reach * u[0, 2], 0.5 * u[1:, 2])
    distances = z * jnp.array([1.0, 0.9, 0.8, 1.1, 1.2])  # two leaves before it, two behind
    # Leaves are about half as high as the thing.
    sizes = drawn.size.at[1:].set(0.5 * drawn.size[0] * jnp.exp(0.3 * u[1:, 0]))
    drawn = drawn._replace(
        z=distances,
        size=sizes,
        x=column * distances / FOCAL,
        lift=around.eye - sizes - (0.5 + row - around.horizon) * distances / FOCAL,
    )
    at = alone(drawn, around, bank, size)
    is_on = at.is_on
    is_mine, area = is_on[0], is_on[0].sum()
    most = 0.8 * variation.occlusion * area
    first = (is_on[1] & is_mine).sum() <= most
    second = ((is_on[2] | (is_on[1] & first)) & is_mine).sum() <= most
    clutter = variation.clutter > jnp.array([0.2, 0.6])
    is_there = jnp.stack([True, first & (variation.occlusion > 0), second & (variation.occlusion > 0), *clutter])
    whole = render(key_noise, around, drawn, at, is_there, slots=5, noise=noise)
    # Leaves before it take slots: what is told is of the thing alone.
    slot = jnp.argmax(whole.present)
    told = {name: getattr(whole, name)[slot][None] for name in ("box", "label", "present", "seen", "colour", "digit")}
    return whole._replace(instance=(whole.instance == 1 + slot).astype(jnp.uint8), **told)


def clip(
    key: Key,
    bank: Bank,
    *,
    size: int = 32,
    length: int = 8,
    slots: int = 8,
    variation: Variation = STANDARD,
    noise: float = 0.02,
    speed: float = 1.0,
    way: Array | None = None,
) -> tuple[Array, Array, Array]:
    """A scene in which the nearest thing moves for a while: `clip` `[T, H, W, 3]` uint8, `label` `[]`, `ways` `[T]`.

    `label` is which way it goes, of `WAYS`; `ways` is 0 in a frame that is like the last, and 1 + `label` in one where
    it has moved; the first is 0. In frame T // 2 it is where and as large as it was drawn to be, whichever way it goes:
    that frame alone tells nothing of it.

    Args:
      key: consumed.
      bank: as in `scene`.
      size: H = W in pixels.
      length: T, frames, >= 3.
      slots: most things.
      variation: as in `scene`.
      noise: as in `scene`; of each frame its own.
      way: `[]` of `WAYS`; drawn by default.
      speed: 1 moves it by 0.05 heights, or 6 % of its distance, in a frame.
    """
    key_room, key_kind, key_things, key_count, key_way, key_time, key_noise = jax.random.split(key, 7)
    around = room(key_room, variation)
    kind = jax.random.randint(key_kind, (CANDIDATES,), 0, PERSON)
    drawn = things(key_things, kind, variation, bank)
    is_first = jnp.arange(CANDIDATES) == 0
    distance = jnp.where(is_first, 0.75, 1.3) * drawn.z  # the mover is nearer than all others
    distance = jnp.where(is_first, jnp.clip(distance, 1.5, 2.0), jnp.maximum(distance, 2.7))
    drawn = drawn._replace(z=distance, x=drawn.x * distance / drawn.z * jnp.where(is_first, 0.6, 1.0))
    wanted = jax.random.randint(key_count, (), 3, slots + 1)
    is_on = alone(drawn, around, bank, size).is_on
    is_there = placed(is_on, drawn, wanted, 1 - 0.8 * variation.occlusion)
    way = jax.random.randint(key_way, (), 0, len(WAYS)) if way is None else way
    first, last = jnp.sort(jax.random.randint(key_time, (2,), 1, length))
    first = jnp.minimum(first, length - 3)
    last = jnp.maximum(last, first + 2)
    frames = jnp.arange(length)
    has_moved = (frames >= first) & (frames <= last)
    travelled = jnp.cumsum(has_moved)
    travelled = speed * (travelled - travelled[length // 2])
    aside = jnp.array([-0.05, 0.05, 0.0, 0.0])[way] / FOCAL * drawn.z[0]
    factor = jnp.array([0.0, 0.0, -0.06, 0.06])[way]

    def frame(key, steps):
        x = drawn.x[0] + aside * steps
        z = drawn.z[0] * jnp.exp(factor * steps)
        # It keeps its place in the picture while it comes nearer: lens and eye see it on one line.
        lift = around.eye - drawn.size[0] - (around.eye - drawn.lift[0] - drawn.size[0]) * z / drawn.z[0]
        moved = drawn._replace(
            x=drawn.x.at[0].set(x * z / drawn.z[0]), z=drawn.z.at[0].set(z), lift=drawn.lift.at[0].set(lift)
        )
        at = alone(moved, around, bank, size)
        return render(key, around, moved, at, is_there, slots=slots, noise=noise).image

    images = jax.lax.map(lambda row: frame(*row), (jax.random.split(key_noise, length), travelled))
    return images, way, jnp.where(has_moved, 1 + way, 0).astype(jnp.uint8)


def writers(split: str) -> Bank:
    """Handwritten digits: those of the `train` split of `digits` are drawn, or those of `test`, by other writers."""
    from sklearn.datasets import load_digits

    first, num = {"train": (0, 1437), "test": (1437, 360)}[split]
    return Bank((load_digits().images / 16).astype(np.float32), np.int32(first), np.int32(num))


def digits() -> np.ndarray:
    """`[N]` which digits those of a bank are."""
    from sklearn.datasets import load_digits

    return load_digits().target.astype(np.int32)


def rendered(make: Callable[..., PyTree], seed: int, num: int, *, split: str = "train", start: int = 0) -> PyTree:
    """Arrays `[num, ...]` of scenes, on the processor of whatever machine this is, so that they are the same anywhere.

    Example i is of the key `fold_in(key(seed), start + i)`.

    Args:
      make: `scene`, `single` or `clip`, its options bound by `functools.partial`.
      seed: >= 0.
      num: >= 1.
      split: whose writers' digits are in it: "train" or "test".
      start: number of the first.
    Raises:
      BadInput: if there are none.
    """
    if num < 1:
        raise BadInput(f"{num} scenes: at least one is wanted")
    bank, parts = writers(split), []
    many = _many(make)
    for first in range(0, num, AT_ONCE):
        parts.append(jax.tree.map(np.asarray, many(seed, start + first + np.arange(min(AT_ONCE, num)), bank)))
    return jax.tree.map(lambda *leaves: np.concatenate(leaves)[:num], *parts)


@functools.lru_cache(maxsize=8)
def _many(make: Callable[..., PyTree]) -> Callable[..., PyTree]:
    def draw(seed, rows, bank):
        root = jax.random.key(seed)
        return jax.vmap(lambda row: make(fold_in(root, row), bank))(rows)

    return on_host(draw)
