"""Large carried data that key, parameters and data determine, and that checkpoints therefore leave out.

A bank of features, a table of random ones, what a frozen network says of each example: as large as the data, and worth
nothing once what it was made of is there. What `init` makes of the run's own key and first batch is there again after
a resume. So a value that never changes is never saved; one that an algorithm fills for a while, and then puts back, is
saved in that while alone. Nothing depends on when a checkpoint falls: a resumed run is the straight one, bit for bit.
"""

from typing import NamedTuple

import jax.numpy as jnp

from adl.core.types import Array, PyTree


class Rebuildable(NamedTuple):
    """A value in a state, and whether it is what `init` made; if so, a checkpoint leaves it out."""

    value: PyTree
    is_initial: Array  # [] boolean: the value is, bit for bit, that of `init` with the run's own key and first batch

    @classmethod
    def initial(cls, value: PyTree) -> "Rebuildable":
        """A value that `init` makes, or that a step puts back."""
        return cls(value, jnp.ones((), bool))

    @classmethod
    def in_use(cls, value: PyTree) -> "Rebuildable":
        """Another value, which what follows depends on."""
        return cls(value, jnp.zeros((), bool))
