"""What of a picture that was asked for in words is there: things at places, their colours and shapes, their number."""

from typing import NamedTuple

import chex
import jax.numpy as jnp
import numpy as np
from jax import Array

from adl.core.types import Mean

SHARES = ("attributes", "whole", "place", "colour", "shape", "number")


class Attributes(NamedTuple):
    """What is at P places of each of N pictures; 0: nothing."""

    colour: Array  # [N, P] int
    shape: Array  # [N, P] int, > 0 where a thing is


def attribute_shares(asked: Attributes, found: Attributes) -> dict[str, Mean]:
    """Shares in [0, 1] of what was asked for that was found.

    Of the things asked for, `place`: something is there; `colour` and `shape`: something of that colour, that shape is
    there. Of the pictures, `number`: as many things as asked for; `whole`: everything is right, and nothing is where
    nothing was asked for. `attributes` is the share of all places, colours, shapes and numbers, each counted once.

    Args:
      asked: for.
      found: of the same pictures.
    """
    chex.assert_equal_shape([*asked, *found])
    chex.assert_rank(asked.shape, 2)
    is_asked, is_found = asked.shape > 0, found.shape > 0
    same_colour, same_shape = found.colour == asked.colour, found.shape == asked.shape
    hits = {"place": is_found, "colour": same_colour & is_found, "shape": same_shape}
    number = is_found.sum(-1) == is_asked.sum(-1)
    right = jnp.where(is_asked, same_colour & same_shape, ~is_found)
    told = {name: Mean(jnp.sum(hit & is_asked), is_asked.sum()) for name, hit in hits.items()}
    told["number"] = Mean(number.sum(), jnp.asarray(len(number)))
    every = Mean(sum(mean.total for mean in told.values()), sum(mean.count for mean in told.values()))
    whole = Mean.of(right.all(-1).astype(jnp.float32))
    return {"attributes": every, "whole": whole, **told}


def nearest_asked(asked: Attributes, known: Attributes) -> np.ndarray:
    """`[N]` which of M known pictures has most of what is asked for, the first of several.

    Args:
      asked: for in N pictures.
      known: to be there in M.
    """
    asked, known = (Attributes(*(np.asarray(leaf) for leaf in one)) for one in (asked, known))
    nearest = []
    for colour, shape in zip(*asked, strict=True):
        is_asked, is_there = shape > 0, known.shape > 0
        hits = (is_there, (known.colour == colour) & is_there, known.shape == shape)
        points = sum((is_asked & hit).sum(1) for hit in hits)
        nearest.append(np.argmax(points + (is_there.sum(1) == is_asked.sum())))
    return np.array(nearest)
