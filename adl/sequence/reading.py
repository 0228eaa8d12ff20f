"""How models read: some see a piece of text at once, some remember what came before. Who looks need not know which."""

import functools
from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from flax import linen as nn
from jax.tree_util import Partial

from adl import data
from adl.core import Learner, Probe, PyTree
from adl.sequence.decode import Choose, drawn, generate, reading
from adl.sequence.language import Read, Reader, sliding


class Sees(NamedTuple):
    """A model that sees up to T tokens at once, and remembers nothing; the state is its `Learner`."""

    model: nn.Module
    length: int  # T

    def variables(self, state: Learner) -> PyTree:
        """Of the model."""
        return state.variables

    def pieces(self, state: Learner, size: int) -> tuple[Read, PyTree]:
        """`(read, carry)` of pieces of up to T tokens, each for itself."""
        return lambda token, carry: (self.model.apply(self.variables(state), token), carry), ()

    def stepwise(self, state: Learner, size: int) -> tuple[Read, PyTree]:
        """`(read, carry)` of `size` texts token by token, of which it sees the last T."""
        return sliding(functools.partial(self.model.apply, self.variables(state)), size, self.length)


class Remembers(NamedTuple):
    """A model that reads on from what it remembers; the state is a `Reader`."""

    model: nn.Module
    length: int | None = None

    def variables(self, state: Reader) -> PyTree:
        """Of the model."""
        return state.learner.variables

    def pieces(self, state: Reader, size: int) -> tuple[Read, PyTree]:
        """`(read, carry)` of `size` texts, piece by piece."""
        return reading(self.model, self.variables(state)), self.model.empty_cache(size)

    def stepwise(self, state: Reader, size: int) -> tuple[Read, PyTree]:
        """The same."""
        return self.pieces(state, size)


def made_up(reads: Sees | Remembers, num_tokens: int, *, start: int, count: int = 2, choose: Choose = drawn()) -> Probe:  # noqa: B008
    """Probe: texts that a model makes up from nothing, `token` `[count, num_tokens]`.

    Args:
      reads: the model.
      num_tokens: of a text, >= 1.
      start: the token that stands before a text.
      count: of texts, >= 1.
      choose: picks each next token.
    """

    def probe(key, state):
        read, carry = reads.stepwise(state, count)
        return {"token": generate(key, read, carry, jnp.full((count, 1), start), num_tokens, choose=choose).token}

    return probe


def surprise_along(reads: Sees | Remembers, passage: np.ndarray, *, start: int) -> Probe:
    """Probe: `nats` `[N]` at each token of a passage `[N]`, read as in evaluation: in windows, or on and on.

    Args:
      reads: the model.
      passage: `[N]` tokens.
      start: the token that stands before it.
    """
    windows = data.text.windows(passage, reads.length or len(passage), start=start).arrays["token"]

    def probe(token, key, state):
        read, carry = reads.pieces(state, len(token))
        log_prob = jax.nn.log_softmax(read(token[:, :-1], carry)[0])
        nats = -jnp.take_along_axis(log_prob, token[:, 1:, None], -1)
        return {"nats": nats.reshape(-1)[: len(passage)]}

    return Partial(probe, windows)
