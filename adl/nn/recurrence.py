"""Linear recurrences: a state that each input adds to, and that fades by factors; along time all at once.

h_t = a_t h_{t-1} + b_t is a product of affine maps, which may be bracketed in any way: T steps take log T rounds
where there are cores enough.
Layers map `(x [B, T, D], state, length [B])` to `(outputs [B, T, D], state)`, as the recurrent layers do.
"""

import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from flax import linen as nn
from jax import Array, lax

from adl.nn.convolution import Conv
from adl.nn.dropout import Dropout

PyTree = Any


def linear_scan(a: Array, b: Array, start: Array) -> Array:
    """`[B, T, ...]` states h_t = a_t h_{t-1} + b_t.

    Args:
      a: `[B, T, ...]` factors, real or complex.
      b: `[B, T, ...]` what is added.
      start: `[B, ...]` h_0, before the first.
    On a CPU, whose few cores are busy with one step already, in turn (three times as fast), elsewhere by association.
    """
    return lax.platform_dependent(a, b, start, cpu=in_turn, default=by_association)


def in_turn(a: Array, b: Array, start: Array) -> Array:
    """`linear_scan`, one step after the other."""

    def step(h, now):
        h = now[0] * h + now[1]
        return h, h

    return lax.scan(step, start.astype(b.dtype), (a.swapaxes(0, 1), b.swapaxes(0, 1)))[1].swapaxes(0, 1)


def by_association(a: Array, b: Array, start: Array) -> Array:
    """`linear_scan` in log T rounds.

    Source: Blelloch 1990, "Prefix Sums and Their Applications", section 1.4.
    """

    def then(first, second):
        return first[0] * second[0], second[0] * first[1] + second[1]

    return lax.associative_scan(then, (a, b.at[:, 0].add(a[:, 0] * start)), axis=1)[1]


class LRU(nn.Module):
    """The linear recurrent unit: complex states that turn and fade, each at a rate of its own.

    h_t = lambda h_{t-1} + gamma B x_t,   y_t = Re(C h_t) + d x_t,
    lambda = exp(-exp(nu) + i exp(theta)),   gamma = sqrt(1 - |lambda|^2) at the start

    Source: Orvieto et al. 2023, arXiv:2303.06349, eq. 6 and 7 and section 3.4; as in S5 (Smith et al. 2023,
    arXiv:2208.04933) one diagonal state for all inputs.
    """

    num_states: int  # N
    slowest: float = 0.999  # in (0, 1), the largest |lambda| at the start
    fastest: float = 0.4  # in (0, slowest), the smallest
    max_angle: float = 2 * jnp.pi  # the largest angle of lambda at the start, radians a step; long texts want less

    @nn.compact
    def __call__(self, x: Array, state: Array | None = None, *, length: Array | None = None) -> tuple[Array, Array]:
        """(`[B, T, D]` float32, state `[B, N]` complex64) of inputs `x` `[B, T, D]`; `length` as in `Recurrent`."""
        size, time, dim = x.shape
        state = self.empty(size, dim) if state is None else state
        rate = self.param("log_rate", self._rates, (self.num_states,))
        angle = self.param("log_angle", self._angles, (self.num_states,))
        gamma = self.param("log_gamma", lambda _: 0.5 * jnp.log(-jnp.expm1(-2 * jnp.exp(rate))))
        factor = jnp.exp(lax.complex(-jnp.exp(rate), jnp.exp(angle)))

        def matrix(name: str, shape: tuple[int, int], scale: float) -> Array:
            normal = nn.initializers.normal((scale / 2) ** 0.5)  # of variance `scale` over both parts
            return lax.complex(*(self.param(f"{name}_{part}", normal, shape) for part in ("real", "imaginary")))

        write = matrix("input", (dim, self.num_states), 1 / dim) * jnp.exp(gamma)[None]
        added = (x.reshape(-1, dim).astype(jnp.float32) @ write).reshape(size, time, -1)
        factors, added = _held(jnp.broadcast_to(factor, added.shape), added, length)
        states = linear_scan(factors, added, state)
        read = matrix("output", (self.num_states, dim), 1 / self.num_states)
        out = (states.reshape(-1, self.num_states) @ read).real.reshape(x.shape)
        return out + self.param("skip", nn.initializers.normal(1.0), (dim,))[None, None] * x, states[:, -1]

    def empty(self, size: int, dim: int) -> Array:
        """State of B = `size` rows before the first input, whatever its size `dim`."""
        return jnp.zeros((size, self.num_states), jnp.complex64)

    def _rates(self, key: Array, shape: tuple[int, ...]) -> Array:
        """Logarithms of nu, such that lambda is uniform on the ring: lemma 3.2 of the source."""
        square = jax.random.uniform(key, shape, minval=self.fastest**2, maxval=self.slowest**2)
        return jnp.log(-0.5 * jnp.log(square))

    def _angles(self, key: Array, shape: tuple[int, ...]) -> Array:
        return jnp.log(self.max_angle * jax.random.uniform(key, shape, minval=1e-4))


class Selective(nn.Module):
    """A selective state space: each input decides how far its channel's states fade, and what is written and read.

    h_t = exp(delta_t A) h_{t-1} + delta_t B_t x_t,   y_t = C_t h_t + d x_t,
    delta_t = softplus(W_2 W_1 x_t + b),   B_t = W_B x_t,   C_t = W_C x_t,   A < 0

    Source: Gu & Dao 2023, arXiv:2312.00752, algorithm 2 and section 3.6.
    """

    num_states: int = 16  # N, of each channel
    rank: int | None = None  # of what decides delta; None: D / 16, rounded up

    @nn.compact
    def __call__(self, x: Array, state: Array | None = None, *, length: Array | None = None) -> tuple[Array, Array]:
        """(`[B, T, D]` float32, state `[B, D, N]`) of inputs `x` `[B, T, D]`; `length` as in `Recurrent`."""
        size, time, dim = x.shape
        rank = self.rank or -(-dim // 16)
        state = self.empty(size, dim) if state is None else state
        x = x.astype(jnp.float32)
        decided = nn.Dense(rank + 2 * self.num_states, use_bias=False, name="select")(x.reshape(-1, dim))
        step, write, read = jnp.split(decided, [rank, rank + self.num_states], -1)
        step_init = nn.initializers.variance_scaling(1 / 3, "fan_in", "uniform")
        step = nn.softplus(nn.Dense(dim, kernel_init=step_init, bias_init=_step_bias, name="step")(step))
        rate = -jnp.exp(
            self.param("log_rate", lambda _: jnp.log(jnp.tile(jnp.arange(1.0, self.num_states + 1), (dim, 1))))
        )
        factors = jnp.exp(step[..., None] * rate[None]).reshape(size, time, dim, -1)
        added = (step * x.reshape(-1, dim))[..., None] * write[:, None]
        factors, added = _held(factors, added.reshape(factors.shape), length)
        states = linear_scan(factors, added, state)
        out = jnp.einsum("btdn,btn->btd", states, read.reshape(size, time, -1))
        return out + self.param("skip", nn.initializers.ones, (dim,))[None, None] * x, states[:, -1]

    def empty(self, size: int, dim: int) -> Array:
        """State of B = `size` rows of D = `dim` channels before the first input."""
        return jnp.zeros((size, dim, self.num_states))


class Mamba(nn.Module):
    """A `Selective` recurrence of short convolutions of the inputs, behind a gate.

    u, z = W_in x,   output = W_out (selective(silu(convolution(u))) silu(z))

    Source: Gu & Dao 2023, arXiv:2312.00752, figure 3.
    """

    num_states: int = 16  # N, of each channel
    expand: int = 2  # channels, as a multiple of D
    kernel_size: int = 4  # inputs that the convolution sees
    rank: int | None = None  # of what decides delta; None: D / 16, rounded up
    dtype: jnp.dtype = jnp.float32  # of the projections; parameters and state are float32

    @nn.compact
    def __call__(self, x: Array, state: PyTree | None = None, *, length: Array | None = None) -> tuple[Array, PyTree]:
        """(`[B, T, D]`, state) of inputs `x` `[B, T, D]`; `length` as in `Recurrent`."""
        size, time, dim = x.shape
        recent, slow = self.empty(size, dim) if state is None else state
        h = nn.Dense(2 * self.expand * dim, use_bias=False, dtype=self.dtype, name="in")(x.reshape(-1, dim))
        h, gate = jnp.split(h.reshape(size, time, -1), 2, -1)
        seen, recent = remembered(recent, h.astype(jnp.float32), length)
        width = self.expand * dim
        convolution = Conv(width, (self.kernel_size,), padding="VALID", feature_group_count=width, name="convolution")
        h = nn.silu(convolution(seen))
        h, slow = Selective(self.num_states, self.rank or -(-dim // 16))(h, slow, length=length)
        h = (h.astype(self.dtype) * nn.silu(gate)).reshape(size * time, -1)
        out = nn.Dense(dim, use_bias=False, dtype=self.dtype, name="out")(h)
        return out.reshape(x.shape), (recent, slow)

    def empty(self, size: int, dim: int) -> PyTree:
        """State of B = `size` rows of D = `dim` before the first input: what the convolution still sees, and h."""
        width = self.expand * dim
        return jnp.zeros((size, self.kernel_size - 1, width)), jnp.zeros((size, width, self.num_states))


class Layers(nn.Module):
    """Layers with a state, each around a stream: x + layer(norm(x)), then perhaps x + perceptron(norm(x)).

    Dropout acts on what is added when a `dropout` key is given to `apply`, and only then.
    """

    layer: Callable[..., nn.Module]  # `LRU`, `Mamba`, with what they need
    num_layers: int
    feedforward: Callable[..., nn.Module] | None = None  # `feedforward(D, dtype=...)`; None: none
    norm: Callable[..., nn.Module] = functools.partial(nn.RMSNorm, epsilon=1e-6)  # `norm(dtype=...)`
    dropout: float = 0.0  # in [0, 1)
    dtype: jnp.dtype = jnp.float32  # of norms and perceptrons; parameters are float32

    @nn.compact
    def __call__(self, x: Array, state: PyTree | None = None, *, length: Array | None = None) -> tuple[Array, PyTree]:
        """(`[B, T, D]`, states) of `x` `[B, T, D]`; `length` as in `Recurrent`."""
        drop = Dropout(self.dropout)
        after = []
        for before in self.empty(len(x), x.shape[-1]) if state is None else state:
            out, last = self.layer()(self.norm(dtype=self.dtype)(x), before, length=length)
            after.append(last)
            x = x + drop(out)
            if self.feedforward is not None:
                x = x + drop(self.feedforward(x.shape[-1], dtype=self.dtype)(self.norm(dtype=self.dtype)(x)))
        return self.norm(dtype=self.dtype)(x), tuple(after)

    def empty(self, size: int, dim: int) -> PyTree:
        """States of B = `size` rows of D = `dim` before the first input."""
        return tuple(self.layer(parent=None).empty(size, dim) for _ in range(self.num_layers))


def remembered(recent: Array, x: Array, length: Array | None) -> tuple[Array, Array]:
    """(`[B, K + T, D]` what a causal convolution sees, `[B, K, D]` what it will still see).

    Args:
      recent: `[B, K, D]` the K inputs before.
      x: `[B, T, D]` inputs.
      length: `[B]` of each row; None: T.
    """
    seen = jnp.concatenate([recent, x], 1)
    if length is None:
        return seen, seen[:, x.shape[1] :]
    last = jax.vmap(lambda row, start: lax.dynamic_slice_in_dim(row, start, recent.shape[1]))(seen, length)
    return seen, last


def _held(factors: Array, added: Array, length: Array | None) -> tuple[Array, Array]:
    """Factors and what is added, such that the state stays as it is beyond each row's length."""
    if length is None:
        return factors, added
    real = (jnp.arange(added.shape[1])[None] < length[:, None]).reshape(*added.shape[:2], *(1,) * (added.ndim - 2))
    return jnp.where(real, factors, 1), jnp.where(real, added, 0)


def _step_bias(key: Array, shape: tuple[int, ...], dtype: jnp.dtype = jnp.float32) -> Array:
    """Such that delta is log-uniform from 0.001 to 0.1: section 3.6 of the source."""
    step = jnp.exp(jax.random.uniform(key, shape, minval=jnp.log(1e-3), maxval=jnp.log(1e-1)))
    return jnp.log(jnp.expm1(step))
