"""Worlds outside the program: emulators, simulators, anything that NumPy or a library moves, as batches.

What such a world shows depends on what was done in it, so that a batch is no function of the step alone. It is one of
the step, of the key, and of the states since the world began; and as the world begins anew every so many steps, in
straight and resumed runs alike, nothing of it needs to be saved.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from adl.core import BadInput, PyTree, World
from adl.data.batches import counted


class Outside(World):
    """A world as the batches of a run: `after(step, view)` moves it by one step."""

    def __init__(
        self,
        begin: Callable[[np.random.Generator], Callable[[PyTree], PyTree]],
        view: Callable[[Any], PyTree],
        *,
        example: PyTree,
        segment: int,
        seed: int = 0,
    ):
        """A world that begins anew every `segment` steps.

        Args:
          begin: `begin(generator) -> act`: a new world, all of whose luck is the generator's. `act(view) -> batch`
            moves it by a step's worth of actions, of an actor who has that view.
          view: `view(state)`, what the actor needs of the state; it is compiled.
          example: a batch, leaves `[B, ...]` of the shapes and dtypes of all, for `init`.
          segment: steps, >= 1: longer than what happens in the world, which is cut off at its end.
          seed: >= 0, of the world alone.
        Raises:
          BadInput: if the segment is not positive.
        """
        if segment < 1:
            raise BadInput(f"a world that begins anew every {segment} steps: it must be >= 1")
        self.begin, self.view, self.example, self.segment, self.seed = begin, view, example, segment, seed
        self._act, self._next = None, 0

    def __getitem__(self, step: int) -> PyTree:
        return self.example

    def after(self, step: int, view: PyTree) -> PyTree:
        """The batch of a step.

        Args:
          step: the one after the last, or one where a segment begins.
          view: of the state before it.
        Raises:
          IndexError: if the world cannot be at that step.
        """
        segment, place = divmod(counted(step), self.segment)
        if place == 0:
            self._act = self.begin(np.random.default_rng([self.seed, segment]))
        elif self._act is None or step != self._next:
            raise IndexError(
                f"a world goes on step by step, or begins anew every {self.segment}: there is no {step} now"
            )
        self._next = step + 1
        return self._act(view)
