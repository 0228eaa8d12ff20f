"""What a scene is made of, before anything is drawn: a camera, the light, a room, and things that stand or hang in it.

Lengths are metres, angles radians, brightness is linear in [0, 1]. The camera looks along z with its picture upright;
a pitch moves the horizon up or down in it (a shifted lens, so that upright stays upright).
"""

import math
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from adl.core.types import Array, Key
from adl.data.scenes import figure
from adl.data.scenes.shapes import CLASSES

FOCAL = 1.1  # in heights of the picture
COLOURS = {
    **{"red": (0.85, 0.15, 0.15), "orange": (0.95, 0.55, 0.1), "yellow": (0.92, 0.88, 0.2), "green": (0.2, 0.65, 0.25)},
    **{"cyan": (0.2, 0.75, 0.8), "blue": (0.2, 0.3, 0.85), "purple": (0.55, 0.25, 0.7), "pink": (0.95, 0.55, 0.75)},
}
PERSON = CLASSES.index("person")
NEAR, FAR = 1.7, 4.0  # of things
PERSON_NEAR, PERSON_FAR = 2.6, 3.6


class Variation(NamedTuple):
    """How much pictures of one kind of thing differ, each in [0, 1]: the seven ways in which seeing is hard."""

    viewpoint: float = 0.5  # turned by up to 45 degrees, about the vertical by 60, the horizon moved by 0.15 heights
    illumination: float = 0.5  # brighter or darker by a factor of 2, from one side, tinted; haze
    scale: float = 0.5  # larger or smaller in the picture, by a factor of 1.5; 1.8 where a thing is alone
    deformation: float = 0.5  # bent, stretched by up to a factor of 1.35; how far limbs move
    occlusion: float = 0.5  # share of a thing that may be hidden: 0.8 of this
    clutter: float = 0.5  # contrast of the room's textures
    within_class: float = 0.5  # form, colours and texture


MILD = Variation()
STANDARD = Variation(
    viewpoint=0.5, illumination=0.4, scale=1.0, deformation=1.0, occlusion=0.5, clutter=0.6, within_class=0.7
)


class Bank(NamedTuple):
    """Handwritten digits to draw from."""

    strokes: Array  # [N, 8, 8] in [0, 1]
    first: Array  # [] the first that may be drawn
    num: Array  # [] how many, from there


class Room(NamedTuple):
    """Camera, light and background; arrays `[]` where nothing is said."""

    horizon: Array  # row, in heights from the top
    eye: Array  # height of the camera above the floor
    wall: Array  # distance
    colours: Array  # [4, 3] two of the floor, two of the wall
    tile: Array  # side of a tile of the floor; a brick is half as high
    gain: Array
    slope: Array  # [2] relative change of brightness from side to side and from top to bottom
    tint: Array  # [3]
    haze: Array  # per metre
    sky: Array  # brightness of the haze, which is grey


class Things(NamedTuple):
    """Things `[K]`, arrays `[K]` where nothing is said."""

    kind: Array  # int: class, or LEAF
    colour: Array  # int: of COLOURS
    digit: Array  # int: of the bank of strokes
    x: Array  # of their middle, to the right of the optical axis
    z: Array  # distance
    lift: Array  # of their foot above the floor
    size: Array  # half their height
    turn: Array  # in the picture's plane
    yaw: Array  # about the vertical
    bend: Array  # sideways, half heights at their ends
    stretch: Array  # log of width over height
    form: Array  # [K, 4] in [-1, 1]
    limbs: Array  # [K, 8]
    paints: Array  # [K, 4, 3] of their parts
    stripes: Array  # [K, 4] contrast, stripes a half height, their angle and phase


def room(key: Key, variation: Variation) -> Room:
    """A room, drawn."""
    v, luck = variation, _Luck(jax.random.uniform(key, (24,), minval=-1.0, maxval=1.0))
    base = 0.475 + 0.275 * luck(2, 3)
    contrast = 0.35 * v.clutter * luck(2, 3)
    around = [base[0] + contrast[0], base[0] - contrast[0], base[1] + contrast[1], base[1] - contrast[1]]
    return Room(
        horizon=0.4 + 0.15 * v.viewpoint * luck(),
        eye=1.0 + 0.2 * v.viewpoint * luck(),
        wall=6.0 + 1.7 * luck(),
        colours=jnp.clip(jnp.stack(around), 0.05, 0.95),
        tile=jnp.float32(0.5),
        gain=jnp.exp2(v.illumination * luck()),
        slope=0.8 * v.illumination * luck(2),
        tint=1 + 0.3 * v.illumination * luck(3),
        haze=0.06 * (1 + v.illumination * luck()),
        sky=0.75 + 0.15 * luck(),
    )


def things(key: Key, kind: Array, variation: Variation, bank: Bank) -> Things:
    """Things of given kinds `[K]`, drawn; they may be anywhere in the picture, and hide each other wholly."""
    luck = jax.random.uniform(key, (len(kind), 45), minval=-1.0, maxval=1.0)
    return jax.vmap(lambda luck, kind: _thing(_Luck(luck), kind, variation, bank))(luck, kind)


def _thing(luck: "_Luck", kind: Array, v: Variation, bank: Bank) -> Things:
    is_person, is_cat = kind == PERSON, kind == CLASSES.index("cat")
    near, far = jnp.where(is_person, PERSON_NEAR, NEAR), jnp.where(is_person, PERSON_FAR, FAR)
    z = jnp.sqrt(near * far) * jnp.exp(v.scale * jnp.log(far / near) / 2 * luck())
    colour = luck.index(len(COLOURS))
    base = jnp.array(list(COLOURS.values()))[colour] + 0.12 * v.within_class * luck(3)
    second = jnp.where(is_person, 0.45 * base, base + 0.3 * luck(3))
    light = jnp.where(is_person, 0.75, 0.9) + jnp.array([0.1, 0.0, -0.1]) + 0.1 * luck()
    rest = np.array([0.3, 0.3, 0.12, 0.0] * 2, np.float32)
    drawn = figure.LEAST + (figure.MOST - figure.LEAST) * (1 + luck(8)) / 2
    is_upright = is_person | is_cat | (kind == CLASSES.index("digit"))
    return Things(
        kind=kind,
        colour=colour,
        digit=bank.first + luck.index(bank.num),
        x=0.4 * luck() * z / FOCAL,
        z=z,
        lift=jnp.where(is_person, 0.0, jnp.maximum(0.3 + 0.6 * luck(), 0.0)),
        size=jnp.where(is_person, 0.85, jnp.where(is_cat, 0.45, 0.4)) * (1 + 0.12 * v.within_class * luck()),
        turn=jnp.where(is_upright, 0.3, 1.0) * v.viewpoint * jnp.pi / 4 * luck(),
        yaw=jnp.where(is_person, 0.5, 1.0) * v.viewpoint * jnp.pi / 3 * luck(),
        bend=jnp.where(is_person, 0.1, 0.4) * v.deformation * luck(),
        stretch=jnp.where(is_person, 0.1, 0.3) * v.deformation * luck(),
        form=v.within_class * luck(4),
        limbs=rest + v.deformation * (drawn - rest),
        paints=jnp.clip(jnp.stack([base, second, jnp.full(3, 0.08), light]), 0.02, 0.98),
        stripes=jnp.stack([0.35 * v.within_class * jnp.abs(luck()), 1.75 + 0.75 * luck(), *(jnp.pi * luck(2))]),
    )


class _Luck:
    """Numbers in [-1, 1) that are drawn at once, and dealt out."""

    def __init__(self, drawn: Array):
        self.drawn, self.next = drawn, 0

    def __call__(self, *shape: int) -> Array:
        """The next `[*shape]`."""
        start, self.next = self.next, self.next + math.prod(shape)
        return self.drawn[start : self.next].reshape(shape)

    def index(self, n: Array | int) -> Array:
        """One of 0 ... n - 1."""
        return jnp.minimum((n * (1 + self()) / 2).astype(jnp.int32), n - 1)
