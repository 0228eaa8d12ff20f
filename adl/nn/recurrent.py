"""Recurrent networks: a state that each input moves, and that is all the network remembers of what came before.

A sequence of inputs to a sequence of outputs (many to many) is a `Recurrent` or a `Recurrents`; to one output (many to
one) what their state is at the end; from one input (one to many) `unrolled`; and a sequence of one is one to one.
"""

from collections.abc import Callable, Sequence
from typing import Literal, NamedTuple

import jax
import jax.numpy as jnp
from flax import linen as nn
from jax import Array, lax

from adl.nn.dropout import Dropout

State = tuple[Array, ...]  # [B, D] each, float32; the first is what the cell puts out


class Cell(NamedTuple):
    """One step of a recurrence, of affine maps of the input and of the output before: G gates of each."""

    num_states: int
    bias: tuple[float, ...]  # [G] of the gates, at the start
    update: Callable[[Array, Array, State], State]  # (gates of the input [B, G D], of the output [B, G D], state)


def _elman(of_input: Array, of_output: Array, state: State) -> State:
    return (jnp.tanh(of_input + of_output),)


def _lstm(of_input: Array, of_output: Array, state: State) -> State:
    write, keep, content, show = jnp.split(of_input + of_output, 4, -1)
    memory = nn.sigmoid(keep) * state[1] + nn.sigmoid(write) * jnp.tanh(content)
    return nn.sigmoid(show) * jnp.tanh(memory), memory


def _gru(of_input: Array, of_output: Array, state: State) -> State:
    (reset, keep, content), (reset_, keep_, content_) = (jnp.split(h, 3, -1) for h in (of_input, of_output))
    keep = nn.sigmoid(keep + keep_)
    return ((1 - keep) * jnp.tanh(content + nn.sigmoid(reset + reset_) * content_) + keep * state[0],)


elman = Cell(1, (0.0,), _elman)
"""h' = tanh(W x + U h + b). Elman 1990, Cognitive Science 14."""

lstm = Cell(2, (0.0, 1.0, 0.0, 0.0), _lstm)
"""c' = f c + i g,   h' = o tanh(c'),   gates i, f, g, o; f starts open.

Hochreiter & Schmidhuber 1997, Neural Computation 9(8), with the forget gate of Gers et al. 2000; its bias: Jozefowicz
et al. 2015, section 2.
"""

gru = Cell(1, (0.0, 0.0, 0.0), _gru)
"""h' = (1 - z) tanh(W x + r (U h + b)) + z h,   gates r, z and the content. Cho et al. 2014, arXiv:1406.1078."""


class Recurrent(nn.Module):
    """A layer of one cell, along time or against it.

    What the gates take from the inputs is one matrix product over all times, before the recurrence, which then holds
    one product with the state a step.
    """

    cell: Cell
    features: int  # D
    direction: Literal["forward", "backward"] = "forward"
    dtype: jnp.dtype = jnp.float32  # of the products; parameters and state are float32

    @nn.compact
    def __call__(self, x: Array, state: State | None = None, *, length: Array | None = None) -> tuple[Array, State]:
        """(`[B, T, D]` float32 outputs, the state after all).

        Args:
          x: `[B, T, E]` inputs.
          state: `[B, D]` each, before them; None: zeros.
          length: `[B]` integers in 0 ... T, of each row; what is beyond moves no state and puts out 0. None: all are T.
        """
        size, time, _ = x.shape
        num_gates = len(self.cell.bias)
        bias = jnp.repeat(jnp.array(self.cell.bias), self.features)
        of_input = nn.Dense(num_gates * self.features, dtype=self.dtype, bias_init=lambda *_: bias, name="input")(
            x.reshape(size * time, -1)
        )
        of_input = of_input.reshape(size, time, -1).swapaxes(0, 1)
        kernel = self.param("hidden_kernel", _orthogonal, (self.features, num_gates * self.features))
        kernel = kernel.astype(self.dtype)
        hidden_bias = self.param("hidden_bias", nn.initializers.zeros, (num_gates * self.features,))

        def step(state: State, now) -> tuple[State, Array]:
            gates, is_real = now
            of_output = (state[0].astype(self.dtype) @ kernel).astype(jnp.float32) + hidden_bias[None]
            new = self.cell.update(gates.astype(jnp.float32), of_output, state)
            if is_real is None:
                return new, new[0]
            new = tuple(jnp.where(is_real[:, None], after, before) for after, before in zip(new, state, strict=True))
            return new, jnp.where(is_real[:, None], new[0], 0)

        real = None if length is None else jnp.arange(time)[:, None] < length[None]
        state = self.empty(size, x.shape[-1]) if state is None else state
        state, out = lax.scan(step, state, (of_input, real), reverse=self.direction == "backward")
        return out.swapaxes(0, 1), state

    def empty(self, size: int, dim: int) -> State:
        """State of B = `size` rows before the first input, whatever its size `dim`."""
        return tuple(jnp.zeros((size, self.features)) for _ in range(self.cell.num_states))


class Recurrents(nn.Module):
    """Layers of one cell, each of what the last put out; in both directions, of both beside each other.

    Dropout acts between layers when a `dropout` key is given to `apply`, and only then. Both directions: Schuster &
    Paliwal 1997, IEEE Transactions on Signal Processing 45(11).
    """

    cell: Cell
    features: Sequence[int]  # D of each layer
    direction: Literal["forward", "both"] = "forward"
    dropout: float = 0.0  # in [0, 1)
    dtype: jnp.dtype = jnp.float32  # of the products; parameters and state are float32

    @nn.compact
    def __call__(
        self, x: Array, state: Sequence[State] | None = None, *, length: Array | None = None
    ) -> tuple[Array, tuple[State, ...]]:
        """(`[B, T, D]` or `[B, T, 2 D]` outputs of the last layer, the states after all).

        `x`, `length` as in `Recurrent`; `state` of each layer and, of both directions, forward and backward.
        """
        states = iter(self.empty(*x.shape[::2]) if state is None else state)
        after = []
        for layer, width in enumerate(self.features):
            if layer > 0:
                x = Dropout(self.dropout)(x)
            outputs = []
            for direction in self._directions():
                out, last = Recurrent(self.cell, width, direction, self.dtype)(x, next(states), length=length)
                outputs.append(out)
                after.append(last)
            x = jnp.concatenate(outputs, -1)
        return x, tuple(after)

    def empty(self, size: int, dim: int) -> tuple[State, ...]:
        """States of B = `size` rows before the first input, whatever its size `dim`."""
        layers = [Recurrent(self.cell, width, parent=None) for width in self.features for _ in self._directions()]
        return tuple(layer.empty(size, dim) for layer in layers)

    def _directions(self) -> tuple[str, ...]:
        return ("forward",) if self.direction == "forward" else ("forward", "backward")


def unrolled(step: Callable, x: Array, state, length: int) -> tuple[Array, State]:
    """(`[B, length, E]` outputs, the last state): each output is the next input (one to many).

    Args:
      step: `(x [B, E], state) -> (y [B, E], state)`.
      x: `[B, E]` the first input.
      state: before it, of any structure.
      length: >= 1.
    """

    def move(carried, _):
        y, state = step(*carried)
        return (y, state), y

    (_, state), outputs = lax.scan(move, (x, state), length=length)
    return outputs.swapaxes(0, 1), state


def _orthogonal(key: Array, shape: tuple[int, int]) -> Array:
    """`[D, G D]`: a rotation for each gate, which neither lets the state vanish nor explode."""
    dim, width = shape
    rotations = jax.vmap(lambda key: nn.initializers.orthogonal()(key, (dim, dim)))(jax.random.split(key, width // dim))
    return rotations.swapaxes(0, 1).reshape(shape)
