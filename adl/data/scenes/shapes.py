"""What things look like from the front: of a point of a thing, whether it is on it, and which part it is.

Points are (u, v), to the right and up, from the middle of a thing of half height 1. A part is a number in 0 ... 3 of
its four paints: body, second colour, dark, light. `form` `[4]` in [-1, 1] is what differs within a class.
"""

from typing import NamedTuple

import jax.numpy as jnp

from adl.core.types import Array
from adl.data.scenes import figure

CLASSES = ("disc", "square", "triangle", "star", "cross", "digit", "cat", "person")
LEAF = len(CLASSES)  # of no class: what hides others, and no more
BODY, SECOND, DARK, LIGHT = range(4)


class Seen(NamedTuple):
    """What is at points of a thing."""

    is_on: Array  # [...] bool
    part: Array  # [...] int32


def disc(u: Array, v: Array, form: Array) -> Array:
    """An ellipse, up to a fifth wider or narrower than high."""
    return jnp.square(u / (1 + 0.2 * form[0])) + jnp.square(v) < 1


def square(u: Array, v: Array, form: Array) -> Array:
    """A rectangle with round corners."""
    power = 7 + 3 * form[1]
    return jnp.abs(u / (0.9 + 0.15 * form[0])) ** power + jnp.abs(v / 0.9) ** power < 1


def triangle(u: Array, v: Array, form: Array) -> Array:
    """Standing on a side; its top leans to a side."""
    top = 0.3 * form[1] * (v + 0.8) / 1.8
    return (v > -0.8) & (jnp.abs(u - top) < (1 - v) * (0.53 + 0.1 * form[0]))


def star(u: Array, v: Array, form: Array) -> Array:
    """Of four, five or six points."""
    points = 5 + jnp.clip(jnp.round(1.5 * form[0]), -1, 1)
    turn = jnp.arctan2(u, v) * points / (2 * jnp.pi)
    wave = 2 * jnp.abs(turn - jnp.floor(turn) - 0.5)  # 1 at the points
    return jnp.hypot(u, v) < 0.45 + 0.08 * form[1] + (0.55 - 0.08 * form[1]) * wave


def cross(u: Array, v: Array, form: Array) -> Array:
    """Two bars of one width."""
    u, v = jnp.abs(u), jnp.abs(v)
    return (jnp.minimum(u, v) < 0.3 + 0.07 * form[0]) & (jnp.maximum(u, v) < 0.95)


def digit(u: Array, v: Array, strokes: Array) -> Array:
    """Ink of a handwritten digit `[8, 8]` in [0, 1], bilinear between its pixels."""
    column, row = 3.5 + 3.8 * u, 3.5 - 3.8 * v
    framed = jnp.pad(strokes, 1).ravel()  # zeros around it
    row, column = jnp.clip(row + 1, 0.0, 8.999), jnp.clip(column + 1, 0.0, 8.999)
    top, left = row.astype(jnp.int32), column.astype(jnp.int32)
    down, right = row - top, column - left

    def between(index):
        return framed[index] * (1 - right) + framed[index + 1] * right

    index = 10 * top + left
    return between(index) * (1 - down) + between(index + 10) * down > 0.45


def cat(u: Array, v: Array, form: Array) -> Seen:
    """Sitting, looking at us: a head with ears, a body, a tail at either side."""
    head, ear, fat, side = 0.4 + 0.05 * form[0], 0.9 + 0.1 * form[1], 0.5 + 0.1 * form[2], jnp.sign(form[3])
    across = jnp.abs(u)
    is_head = jnp.hypot(u, v - 0.35) < head
    is_ear = (v > 0.5) & (v < ear) & (jnp.abs(across - 0.27) < 0.2 * (ear - v) / (ear - 0.5))
    is_body = jnp.square(u / fat) + jnp.square((v + 0.42) / 0.56) < 1
    is_tail = figure.from_line(side * u, v, (0.3, -0.85), (0.85, -0.35)) < 0.11
    is_eye = jnp.hypot(across - 0.16, v - 0.42) < 0.075
    is_belly = jnp.square(u / 0.24) + jnp.square((v + 0.45) / 0.3) < 1
    is_nose = (v < 0.3) & (v > 0.2) & (across < v - 0.2)
    part = jnp.select([is_eye | is_nose, is_tail & ~is_body, is_belly], [DARK, SECOND, LIGHT], BODY)
    return Seen(is_head | is_ear | is_body | is_tail, part.astype(jnp.int32))


def leaf(u: Array, v: Array, form: Array) -> Array:
    """A blob with lobes, of no class."""
    angle = jnp.arctan2(u, v)
    edge = 0.8 + 0.12 * jnp.sin(2 * angle + 3 * form[0]) + 0.1 * jnp.sin(3 * angle + 3 * form[1])
    return jnp.hypot(u, v) < edge


def seen(kind: Array, u: Array, v: Array, form: Array, strokes: Array, limbs: Array) -> Seen:
    """What is at points `[...]` of a thing of any kind.

    Args:
      kind: `[]` int: its class, or `LEAF`.
      u: `[...]` to the right of its middle, in half heights.
      v: `[...]` up.
      form: `[4]` in [-1, 1].
      strokes: `[8, 8]` of its digit.
      limbs: `[8]` angles of its figure; see `figure.joints`.
    """
    a_cat, person = cat(u, v, form), figure.person(u, v, limbs, form)
    plain = [make(u, v, form) for make in (disc, square, triangle, star, cross)]
    is_on = jnp.stack([*plain, digit(u, v, strokes), a_cat.is_on, person[0], leaf(u, v, form)])
    parts = jnp.where(kind == CLASSES.index("cat"), a_cat.part, person[1])
    part = jnp.where(kind >= CLASSES.index("cat"), jnp.where(kind == LEAF, BODY, parts), BODY)
    return Seen(is_on[kind], part)
