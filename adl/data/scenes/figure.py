"""A jointed figure that faces us: where its joints are, and which points are on it."""

import jax.numpy as jnp
import numpy as np

from adl.core.types import Array

JOINTS = (
    *("right ankle", "right knee", "right hip", "left hip", "left knee", "left ankle"),
    *("right wrist", "right elbow", "right shoulder", "left shoulder", "left elbow", "left wrist"),
    *("neck", "head top"),
)
BONES = ((0, 1), (1, 2), (3, 4), (4, 5), (6, 7), (7, 8), (9, 10), (10, 11), (2, 3), (8, 9), (2, 8), (3, 9), (12, 13))
LEG, ARM = 0.45, (0.36, 0.33)  # lengths, in half heights: thigh and shin; upper arm and forearm
# Ranges of the angles in radians, from straight down and outward: shoulder, elbow, hip, knee; of the right, then left.
LEAST = np.array([-0.1, -0.3, -0.05, -0.6] * 2, np.float32)
MOST = np.array([2.5, 1.9, 0.6, 0.15] * 2, np.float32)


def joints(limbs: Array, form: Array) -> Array:
    """`[14, 2]` (u, v) of the joints, in the order of `JOINTS`; the right ones are at our left.

    Args:
      limbs: `[8]` angles in radians: shoulder, elbow, hip and knee of the right, then of the left.
      form: `[4]` in [-1, 1]; broad or slim is the first.
    """
    broad, places = 1 + 0.12 * form[0], []
    for side, (shoulder, elbow, hip, knee) in zip((-1.0, 1.0), limbs.reshape(2, 4), strict=True):

        def away(start, length, angle, side=side):
            return start + length * jnp.stack([side * jnp.sin(angle), -jnp.cos(angle)])

        thigh = jnp.stack([side * 0.15 * broad, jnp.float32(-0.06)])
        shin = away(thigh, LEG, hip)
        arm = jnp.stack([side * 0.25 * broad, jnp.float32(0.5)])
        forearm = away(arm, ARM[0], shoulder)
        leg = [away(shin, LEG, hip + knee), shin, thigh]
        hand = [away(forearm, ARM[1], shoulder + elbow), forearm, arm]
        places.append((leg, hand))
    (right_leg, right_arm), (left_leg, left_arm) = places
    middle = [jnp.array([0.0, 0.56]), jnp.array([0.0, 0.98])]
    return jnp.stack([*right_leg, *left_leg[::-1], *right_arm, *left_arm[::-1], *middle])


def person(u: Array, v: Array, limbs: Array, form: Array) -> tuple[Array, Array]:
    """Whether points `[...]` are on the figure, and which of its paints is there.

    The right limbs have the second colour, so that right and left can be told apart; the head is light, with dark eyes.
    """
    place = joints(limbs, form)

    def limb(a, b, radius):
        return from_line(u, v, place[a], place[b]) < radius

    right = limb(0, 1, 0.1) | limb(1, 2, 0.11) | limb(6, 7, 0.085) | limb(7, 8, 0.09)
    left = limb(4, 5, 0.1) | limb(3, 4, 0.11) | limb(10, 11, 0.085) | limb(9, 10, 0.09)
    waist = place[3, 0] + (place[9, 0] - place[3, 0]) * (v + 0.06) / 0.56
    trunk = (v > -0.14) & (v < 0.58) & (jnp.abs(u) < waist + 0.06)
    head = jnp.hypot(u / 0.18, (v - 0.79) / 0.21) < 1
    eyes = jnp.hypot(jnp.abs(u) - 0.07, v - 0.83) < 0.035
    part = jnp.select([eyes, head, right & ~trunk], [2, 3, 1], 0)
    return right | left | trunk | head, part.astype(jnp.int32)


def from_line(u: Array, v: Array, a: Array, b: Array) -> Array:
    """Distance of points `[...]` from the line between a and b, each (u, v)."""
    along_u, along_v = b[0] - a[0], b[1] - a[1]
    length = along_u * along_u + along_v * along_v
    share = jnp.clip(((u - a[0]) * along_u + (v - a[1]) * along_v) / length, 0.0, 1.0)
    return jnp.hypot(u - a[0] - share * along_u, v - a[1] - share * along_v)
