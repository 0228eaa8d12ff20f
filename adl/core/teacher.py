"""A followed copy: what a network was, on average or a while ago, as the teacher or the target of what it is.

    a_t = d a_{t-1} + (1 - d) p_t

With d near 1 an average of the past (BYOL, DINO, soft targets), with d = 0 now and then a copy (DQN).
"""

from collections.abc import Callable
from typing import NamedTuple

import jax.numpy as jnp

from adl.core import tree
from adl.core.types import Array, PyTree

Decay = float | Array | Callable[[Array], Array]  # in [0, 1], or of the steps taken [] -> []


class Teacher(NamedTuple):
    """What follows, and for how long it has."""

    variables: PyTree  # like those that it follows
    count: Array  # [] int32, steps taken


def follower(variables: PyTree) -> Teacher:
    """A teacher that begins as a copy, in buffers of its own."""
    return Teacher(tree.copy(variables), jnp.zeros((), jnp.int32))


def follow(teacher: Teacher, variables: PyTree, decay: Decay) -> Teacher:
    """The teacher a step later.

    Args:
      teacher: of before.
      variables: what it follows, after the step.
      decay: d in [0, 1]; 0 copies, 1 stands still. A schedule is asked for the number of steps before this one.
    """
    rate = decay(teacher.count) if callable(decay) else decay
    return Teacher(tree.ema(teacher.variables, variables, rate), teacher.count + 1)


def every(period: int) -> Callable[[Array], Array]:
    """Schedule of a copy at each `period`-th step, and of standing still between.

    Source: Mnih et al. 2015, Nature 518, algorithm 1 (every C steps).
    """
    return lambda count: jnp.where((count + 1) % period == 0, 0.0, 1.0)


def cosine(start: float, num_steps: int) -> Callable[[Array], Array]:
    """Schedule from `start` in [0, 1] at step 0 to 1, where it stands still, at `num_steps`.

    d_k = 1 - (1 - start) (cos(pi k / num_steps) + 1) / 2

    Source: Grill et al. 2020, arXiv:2006.07733, section 3.3.
    """
    return lambda count: 1 - (1 - start) * (jnp.cos(jnp.pi * jnp.minimum(count / num_steps, 1)) + 1) / 2
