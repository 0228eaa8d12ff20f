"""From a layout to a picture, and to all that is true of it, exactly: each pixel is what lies at its centre.

Things are flat and face us; the nearer hides the farther. Where a thing is, what it hides, its depth and its joints
come from the same functions as its pixels.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from adl.core.types import Array, Key
from adl.data.scenes import figure
from adl.data.scenes.layout import FOCAL, PERSON, Bank, Room, Things
from adl.data.scenes.shapes import LEAF, Seen, seen


class Scene(NamedTuple):
    """A picture with its labels; S slots, of which the first hold the things that are there, nearest first."""

    image: Array  # [H, W, 3] uint8
    segment: Array  # [H, W] uint8: 0 background, 1 + class
    instance: Array  # [H, W] uint8: 0 background, 1 + slot
    depth: Array  # [H, W] metres along the optical axis
    box: Array  # [S, 4] of what is to be seen: ymin, xmin, ymax, xmax, over height and width
    label: Array  # [S] int32 class, 0 in an empty slot
    present: Array  # [S] 1: a thing is there
    seen: Array  # [S] share of its pixels that nothing hides
    joints: Array  # [14, 2] (x, y) of the first person in pixels, as `figure.JOINTS`; zeros without one
    visible: Array  # [14] bool: nothing hides them
    colour: Array  # [S] int32, of `layout.COLOURS`
    digit: Array  # [S] int32, of the bank of strokes


def centres(size: int) -> tuple[Array, Array]:
    """(x, y) `[H, W]` of the centres of the pixels, in heights: x from the middle, y from the top."""
    line = (jnp.arange(size) + 0.5) / size
    y, x = jnp.meshgrid(line, line - 0.5, indexing="ij")
    return x, y


def on_thing(thing: Things, around: Room, x: Array, y: Array) -> tuple[Array, Array]:
    """(u, v) of points of the picture on the plane of a thing: to the right and up, in its half heights."""
    scale = FOCAL * thing.size / thing.z
    v = (around.horizon + FOCAL * (around.eye - thing.lift - thing.size) / thing.z - y) / scale
    u = (x - FOCAL * thing.x / thing.z) / scale
    u, v = jnp.cos(thing.turn) * u + jnp.sin(thing.turn) * v, jnp.cos(thing.turn) * v - jnp.sin(thing.turn) * u
    return _bent(thing, v) + u / (jnp.cos(thing.yaw) * jnp.exp(thing.stretch)), v


def in_picture(thing: Things, around: Room, u: Array, v: Array) -> Array:
    """(x, y) `[..., 2]` in heights, x from the middle: the inverse of `on_thing`."""
    u = (u - _bent(thing, v)) * jnp.cos(thing.yaw) * jnp.exp(thing.stretch)
    u, v = jnp.cos(thing.turn) * u - jnp.sin(thing.turn) * v, jnp.cos(thing.turn) * v + jnp.sin(thing.turn) * u
    scale = FOCAL * thing.size / thing.z
    y = around.horizon + FOCAL * (around.eye - thing.lift - thing.size) / thing.z - scale * v
    return jnp.stack([scale * u + FOCAL * thing.x / thing.z, y], -1)


def _bent(thing: Things, v: Array) -> Array:
    return thing.bend * (jnp.square(jnp.clip(v, -1.5, 1.5)) - 0.5)


def alone(things: Things, around: Room, bank: Bank, size: int) -> Seen:
    """`[K, H, W]`: what of each thing is at the pixels of a picture, were it the only one.

    Args:
      things: `[K]`.
      around: the camera.
      bank: strokes of digits.
      size: H = W.
    """
    x, y = centres(size)

    def one(thing):
        return seen(thing.kind, *on_thing(thing, around, x, y), thing.form, bank.strokes[thing.digit], thing.limbs)

    return jax.vmap(one)(things)


def placed(is_on: Array, things: Things, wanted: Array, least: Array) -> Array:
    """`[K]` bool: which things are placed so that each stays to be seen, from the nearest to the farthest.

    A thing is left out where nearer ones hide more than a share `1 - least` of it or all but a few pixels, or where it
    would hide more than half of what they leave a person. A person always stays, and so do leaves.

    Args:
      is_on: `[K, H, W]` of each alone.
      things: of rows K.
      wanted: `[]` most things, that are no leaves.
      least: `[]` in (0, 1], share of a thing that must be seen.
    """
    is_person, is_leaf = things.kind == PERSON, things.kind == LEAF
    area = is_on.sum((1, 2))
    few = is_on[0].size / 200  # pixels that must be seen
    people = jnp.any(is_on & is_person[:, None, None], 0)

    def look(carry, row):
        hidden, count = carry
        mine, is_special = is_on[row] & ~hidden, is_person[row] | is_leaf[row]
        left = people & ~hidden & ~is_on[row]
        spares = (left.sum() >= 0.6 * people.sum()) | (things.z[row] > things.z[jnp.argmax(is_person)])
        is_seen = (mine.sum() >= least * area[row]) & (mine.sum() >= few)
        takes = is_special | (is_seen & (spares | ~people.any()) & (count < wanted - is_person.any()))
        return (hidden | (is_on[row] & takes), count + (takes & ~is_special)), takes

    order = jnp.argsort(things.z)
    _, takes = jax.lax.scan(look, (jnp.zeros(is_on.shape[1:], bool), jnp.int32(0)), order)
    return jnp.zeros(len(order), bool).at[order].set(takes)


def render(key: Key, around: Room, things: Things, at: Seen, is_there: Array, *, slots: int, noise: float) -> Scene:
    """The `Scene` of the things `[K]` that are there.

    Args:
      key: of the noise; consumed.
      around: camera, light and background.
      things: `[K]`.
      at: `[K, H, W]` what of each is where, were it the only one (`alone`).
      is_there: `[K]` bool; of more than `slots` the farthest are lost.
      slots: S, most things.
      noise: standard deviation of each value, of 1.
    """
    size = at.is_on.shape[-1]
    x, y = centres(size)
    nearest = jnp.argsort(jnp.where(is_there, things.z, jnp.inf))[:slots]
    ours, at = jax.tree.map(lambda leaf: leaf[nearest], (things, at))
    is_there = jnp.arange(slots) < is_there.sum()
    is_on = at.is_on & is_there[:, None, None]
    is_hit = is_on.any(0)
    front = jnp.argmax(is_on, 0)  # the first is the nearest
    instance = jnp.where(is_hit, 1 + front, 0)
    is_mine = instance[None] == 1 + jnp.arange(slots)[:, None, None]
    depth_of_room, background = _background(around, ours, is_there, x, y)
    depth = jnp.where(is_hit, ours.z[front], depth_of_room)
    surface = jax.vmap(lambda thing, part: _surface(thing, around, part, x, y))(ours, at.part)
    colour = jnp.where(is_hit[..., None], jnp.take_along_axis(surface, front[None, ..., None], 0)[0], background)
    is_class = ours.kind != LEAF
    segment = jnp.where(is_hit & is_class[front], 1 + ours.kind[front], 0)
    joints, visible = _joints(ours, is_there, around, instance, size)
    counts = is_mine.sum((1, 2)) / jnp.maximum(is_on.sum((1, 2)), 1)
    is_named = is_there & is_class
    return Scene(
        image=_exposed(key, colour, depth, around, x, y, noise),
        segment=segment.astype(jnp.uint8),
        instance=instance.astype(jnp.uint8),
        depth=depth,
        box=jax.vmap(_box)(is_mine) * is_named[:, None],
        label=jnp.where(is_named, ours.kind, 0),
        present=is_named.astype(jnp.float32),
        seen=counts * is_named,
        joints=joints,
        visible=visible,
        colour=jnp.where(is_named, ours.colour, 0),
        digit=jnp.where(is_named, ours.digit, 0),
    )


def _background(around: Room, things: Things, is_there: Array, x: Array, y: Array) -> tuple[Array, Array]:
    """Depth `[H, W]` and colour `[H, W, 3]` of the room: a floor of tiles with shadows, a wall of bricks."""
    down = y - around.horizon
    floor = FOCAL * around.eye / jnp.maximum(down, 1e-6)
    depth = jnp.minimum(floor, around.wall)
    is_floor = floor < around.wall
    across = x * depth / FOCAL
    up = around.eye - down * depth / FOCAL
    tile = (jnp.floor(across / around.tile) + jnp.floor(depth / around.tile)) % 2
    course = jnp.floor(up / (0.5 * around.tile))
    brick = (jnp.floor(across / around.tile + 0.5 * (course % 2)) + course) % 2
    index = jnp.where(is_floor, tile, 2 + brick).astype(jnp.int32)
    foot = jax.vmap(lambda t: jnp.square((across - t.x) / t.size) + jnp.square((depth - t.z) / (0.5 * t.size)) < 0.7)
    is_shade = jnp.any(foot(things) & is_there[:, None, None], 0) & is_floor
    return depth, around.colours[index] * jnp.where(is_shade, 0.6, 1.0)[..., None]


def _surface(thing: Things, around: Room, part: Array, x: Array, y: Array) -> Array:
    """Colour `[H, W, 3]` of a thing where it is."""
    u, v = on_thing(thing, around, x, y)
    contrast, frequency, angle, phase = thing.stripes
    wave = jnp.sin(2 * jnp.pi * frequency * (jnp.cos(angle) * u + jnp.sin(angle) * v) + phase)
    stripe = 1 + contrast * jnp.where(part < 2, jnp.sign(wave), 0.0)
    round_ = 1 - 0.15 * jnp.clip(u * u + v * v, 0, 1)
    return thing.paints[part] * (stripe * round_)[..., None]


def _exposed(key: Key, colour: Array, depth: Array, around: Room, x: Array, y: Array, noise: float) -> Array:
    """uint8 `[H, W, 3]` of what the camera makes of colours: lit, seen through haze, with noise."""
    light = around.gain * (1 + around.slope[0] * x + around.slope[1] * (y - 0.5))
    lit = colour * jnp.maximum(light, 0.1)[..., None] * around.tint[None, None]
    clear = jnp.exp(-around.haze * depth)[..., None]
    value = lit * clear + around.sky * jnp.minimum(around.gain, 1.0) * (1 - clear)
    value = value / (1 + 0.3 * value) * 1.3  # bright parts are compressed, not lost
    value = value + noise * jax.random.normal(key, value.shape)
    return jnp.round(255 * jnp.clip(value, 0, 1)).astype(jnp.uint8)


def _box(is_mine: Array) -> Array:
    """`[4]` ymin, xmin, ymax, xmax over height and width of the pixels `[H, W]`; zeros of none."""
    rows, columns = is_mine.any(1), is_mine.any(0)

    def ends(line):
        return jnp.argmax(line) / len(line), 1 - jnp.argmax(line[::-1]) / len(line)

    (top, bottom), (left, right) = ends(rows), ends(columns)
    return jnp.stack([top, left, bottom, right]) * rows.any()


def _joints(things: Things, is_there: Array, around: Room, instance: Array, size: int) -> tuple[Array, Array]:
    """(x, y) in pixels `[14, 2]` of the first person's joints, and whether each is to be seen `[14]`."""
    is_person = (things.kind == PERSON) & is_there
    row = jnp.argmax(is_person)
    thing = jax.tree.map(lambda leaf: leaf[row], things)
    place = figure.joints(thing.limbs, thing.form)
    at = in_picture(thing, around, place[:, 0], place[:, 1]) + jnp.array([[0.5, 0.0]])
    pixel = jnp.floor(at * size).astype(jnp.int32)
    is_inside = ((pixel >= 0) & (pixel < size)).all(-1)
    column, line = jnp.clip(pixel, 0, size - 1).T
    visible = is_inside & (instance[line, column] == 1 + row) & is_person.any()
    return jnp.where(is_person.any(), at * size, 0.0), visible
