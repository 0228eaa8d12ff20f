"""Two ways to read: in pieces, or on and on. How a model learns a text so, is tested on one, and makes one up.

A transformer sees a piece of text at once and nothing else; a recurrent network remembers what came before. Who looks
at a model need not know which: both ways answer to the same names.
"""

import functools
from collections.abc import Callable, Mapping
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import linen as nn
from jax.tree_util import Partial

from adl import data
from adl.core import Algorithm, BadInput, Batches, Learner, Probe, PyTree
from adl.sequence.decode import Choose, drawn, generate, reading
from adl.sequence.language import Read, Reader, language_model, sliding, truncated_bptt, whole_text

DRAWN = drawn()
AT_ONCE = 4096  # tokens of a text that is judged


class InPieces(NamedTuple):
    """A model that sees up to T tokens at once; the state is its `Learner`."""

    model: nn.Module
    length: int  # T
    stride: int = 0  # by which the windows of a test move, as in `data.text.windows`

    def learns(
        self, tx: optax.GradientTransformation, *, microbatches: int = 1, start: PyTree = None, axis: str | None = None
    ) -> Algorithm:
        """`language_model`."""
        return language_model(self.model, tx, microbatches=microbatches, start=start, axis=axis)

    def batches(self, tokens: np.ndarray, batch_size: int) -> Batches:
        """Pieces from anywhere in a text `[N]`."""
        return data.text.random_pieces(tokens, batch_size, self.length)

    def held_out(self, tokens: np.ndarray, batch_size: int, *, start: int) -> Mapping[str, np.ndarray]:
        """A whole text `[N]` for `language.whole_text`."""
        cut = data.text.windows(tokens, self.length, start=start, stride=self.stride)
        return data.padded(cut, batch_size)

    def variables(self, state: Learner) -> PyTree:
        """Of the model."""
        return state.variables

    def pieces(self, state: Learner, size: int) -> tuple[Read, PyTree]:
        """`(read, carry)` of `size` pieces of up to T tokens, each for itself."""
        return lambda token, carry: (self.model.apply(self.variables(state), token), carry), ()

    def stepwise(self, state: Learner, size: int) -> tuple[Read, PyTree]:
        """`(read, carry)` of `size` texts token by token, of which it sees the last T."""
        return sliding(functools.partial(self.model.apply, self.variables(state)), size, self.length)


class OnAndOn(NamedTuple):
    """A model that reads on from what it remembers, T tokens a step; the state is a `Reader`."""

    model: nn.Module
    length: int  # T

    def learns(self, tx: optax.GradientTransformation, *, microbatches: int = 1, axis: str | None = None) -> Algorithm:
        """`truncated_bptt`, whose rows read on together.

        Raises:
          BadInput: for microbatches.
        """
        if microbatches > 1:
            raise BadInput(f"--microbatches {microbatches}: models that remember read whole batches, 1")
        return truncated_bptt(self.model, tx, axis=axis)

    def batches(self, tokens: np.ndarray, batch_size: int) -> Batches:
        """Streams through a text `[N]`."""
        return data.text.streams(tokens, batch_size, self.length)

    def held_out(self, tokens: np.ndarray, batch_size: int, *, start: int) -> Mapping[str, np.ndarray]:
        """A whole text `[N]` for `language.whole_text`."""
        return data.text.parallel_streams(tokens, batch_size, self.length, start=start)

    def variables(self, state: Reader) -> PyTree:
        """Of the model."""
        return state.learner.variables

    def pieces(self, state: Reader, size: int) -> tuple[Read, PyTree]:
        """`(read, carry)` of `size` texts, piece by piece."""
        return reading(self.model, self.variables(state)), self.model.empty_cache(size)

    def stepwise(self, state: Reader, size: int) -> tuple[Read, PyTree]:
        """The same."""
        return self.pieces(state, size)


Reading = InPieces | OnAndOn


def surprise_at(reads: Reading, text: np.ndarray, tokens: data.tokens.Tokens) -> Probe:
    """Probe of the `loss` at a whole text `[N]`, in nats a unit, and the `accuracy`, as in `language.whole_text`."""
    rows = max(AT_ONCE // reads.length, 1)
    held_out = reads.held_out(text, rows, start=tokens.start)
    return whole_text(functools.partial(reads.pieces, size=rows), held_out, size=tokens.size)


def surprise_along(reads: Reading, passage: np.ndarray, *, start: int) -> Probe:
    """Probe: `nats` `[N]` at each token of a passage `[N]`, in windows that do not overlap, or on and on.

    Args:
      reads: the model.
      passage: `[N]` tokens.
      start: the token that stands before it.
    """
    length = reads.length if isinstance(reads, InPieces) else len(passage)

    def probe(token, key, state):
        read, carry = reads.pieces(state, len(token))
        log_prob = jax.nn.log_softmax(read(token[:, :-1], carry)[0])
        nats = -jnp.take_along_axis(log_prob, token[:, 1:, None], -1)
        return {"nats": nats.reshape(-1)[: len(passage)]}

    return Partial(probe, data.text.windows(passage, length, start=start).arrays["token"])


def going_on(reads: Reading, num_tokens: int, *, choose: Choose = DRAWN, name: str = "") -> Callable[..., jax.Array]:
    """What a model goes on with: `(key, state, prompt [B, P], num_tokens=) -> [B, N]`.

    Args:
      reads: the model.
      num_tokens: N >= 1, where no other is asked for.
      choose: picks each next token.
      name: of the model among those of `beside`, whose states are by name; empty: there is one.
    """

    def goes_on(key, state, prompt, num_tokens=num_tokens):
        read, carry = reads.stepwise(state[name] if name else state, len(prompt))
        return generate(key, read, carry, prompt, num_tokens, choose=choose).token

    return goes_on


def made_up(reads: Reading, num_tokens: int, *, start: int, count: int = 2, choose: Choose = DRAWN) -> Probe:
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
