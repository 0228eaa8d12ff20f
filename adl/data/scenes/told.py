"""Pictures that a caption tells in full: one to three things, each in a quarter of the picture that it has alone.

    caption -> thing {", " thing}
    thing -> "a" colour noun place
    place -> "top left" | "top right" | "bottom left" | "bottom right"

So colour, shape, place and number can be asked for, and what is at a place is seen in its quarter of the picture. Pairs
of a colour and a noun in `HELD_OUT` are in no scene that is not asked for them: what is made of their names must have
been put together.
"""

from collections.abc import Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from adl.core.types import Array, Key
from adl.data.scenes.layout import COLOURS, FOCAL, Bank, Variation, room, things
from adl.data.scenes.render import alone, render
from adl.data.scenes.shapes import CLASSES

HUES = ("red", "yellow", "green", "cyan", "blue", "pink")  # those of `COLOURS` that light does not confuse
NOUNS = CLASSES[:5]  # the plain ones
PLACES = ("top left", "top right", "bottom left", "bottom right")
MOST = 3  # things
HELD_OUT = tuple((hue, hue % len(NOUNS)) for hue in range(len(HUES)))  # of `HUES` and `NOUNS`
SEEN = tuple((h, n) for h in range(len(HUES)) for n in range(len(NOUNS)) if (h, n) not in HELD_OUT)
CALM = Variation(
    viewpoint=0.2, illumination=0.2, scale=0.3, deformation=0.2, occlusion=0.0, clutter=0.2, within_class=0.3
)


class Captioned(NamedTuple):
    """A picture, and what its caption tells; places are numbers of `PLACES`."""

    image: Array  # [H, W, 3] uint8
    colour: Array  # [4] int32, at each place: 0 where nothing is, 1 + number in `HUES`
    noun: Array  # [4] int32, at each place: 0 where nothing is, 1 + number in `NOUNS`
    order: Array  # [4] int32: places, in the order in which they are told


def told_scene(
    key: Key, bank: Bank, *, size: int = 32, held_out: bool = False, variation: Variation = CALM, noise: float = 0.02
) -> Captioned:
    """One to three things in quarters of their own, in front of a room.

    Args:
      key: consumed.
      bank: as in `drawn.scene`; no digit is drawn.
      size: H = W in pixels, even.
      held_out: whether the thing that is told first is of a pair in `HELD_OUT`; else none is.
      variation: how much pictures of one caption differ.
      noise: standard deviation of each value, of 1.
    """
    key_room, key_things, key_count, key_order, key_pair, key_place, key_noise = jax.random.split(key, 7)
    around = room(key_room, variation)
    order = jax.random.permutation(key_order, len(PLACES))
    is_there = jnp.argsort(order) < jax.random.randint(key_count, (), 1, MOST + 1)
    u = jax.random.uniform(key_pair, (len(PLACES),))
    pair = jnp.array(SEEN)[(u * len(SEEN)).astype(jnp.int32)]
    if held_out:
        first = jnp.array(HELD_OUT)[(u[order[0]] * len(HELD_OUT)).astype(jnp.int32)]
        pair = pair.at[order[0]].set(first)
    hue, noun = pair.T
    drawn = _painted(things(key_things, noun, variation, bank), hue)
    u = jax.random.uniform(key_place, (3, len(PLACES)), minval=-1.0, maxval=1.0)
    z = FOCAL * drawn.size / (0.17 * jnp.exp(jnp.log(1.25) * variation.scale * u[0]))  # half a thing, of the picture
    column, row = jnp.array([-1.0, 1, -1, 1]) / 4 + 0.04 * u[1], jnp.array([-1.0, -1, 1, 1]) / 4 + 0.04 * u[2]
    lift = around.eye - drawn.size - (0.5 + row - around.horizon) * z / FOCAL
    drawn = drawn._replace(z=z, x=column * z / FOCAL, lift=lift)
    at = alone(drawn, around, bank, size)
    image = render(key_noise, around, drawn, at, is_there, slots=MOST, noise=noise).image
    return Captioned(image, jnp.where(is_there, 1 + hue, 0), jnp.where(is_there, 1 + noun, 0), order)


def _painted(drawn, hue):
    """Things `[K]` of other colours, as far from these as they were from their own."""
    colour = jnp.array([list(COLOURS).index(name) for name in HUES])[hue]
    table = jnp.array(list(COLOURS.values()))
    shift = (table[colour] - table[drawn.colour])[:, None]
    paints = jnp.concatenate([jnp.clip(drawn.paints[:, :2] + shift, 0.02, 0.98), drawn.paints[:, 2:]], 1)
    return drawn._replace(colour=colour, paints=paints)


def telling(colour: np.ndarray, noun: np.ndarray, order: Sequence[int]) -> str:
    """The caption: "a red disc top left, a cyan star bottom right".

    Args:
      colour: `[4]`, as in `Captioned`.
      noun: `[4]`, as in `Captioned`.
      order: of places; those where nothing is are not told.
    """
    here = [place for place in order if noun[place]]
    return ", ".join(f"a {HUES[colour[p] - 1]} {NOUNS[noun[p] - 1]} {PLACES[p]}" for p in here)


def quarters(image: Array) -> Array:
    """`[..., 4, H / 2, W / 2, C]` of pictures `[..., H, W, C]`, in the order of `PLACES`."""
    *batch, height, width, channels = image.shape
    parts = image.reshape(*batch, 2, height // 2, 2, width // 2, channels)
    return jnp.swapaxes(parts, -4, -3).reshape(*batch, len(PLACES), height // 2, width // 2, channels)
