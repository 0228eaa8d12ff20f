"""Networks of agents: what each action is worth, from vectors or from small pictures."""

from collections.abc import Callable, Sequence
from typing import Literal

import jax
import jax.numpy as jnp
from flax import linen as nn

from adl.core import BadInput
from adl.core.types import Array
from adl.nn.convolution import Conv
from adl.rl.policy import orthogonal


class NoisyDense(nn.Module):
    """An affine map whose weights are noisy by as much as is learned, so that an agent explores by its own doubt.

    y = (W + S * f(e_out) f(e_in)^T) x + b + s * f(e_out),   f(e) = sign(e) sqrt |e|,   e ~ N(0, I)

    One noise serves a batch. It is drawn where there is a `dropout` key, as by `core.forward`; to look, without one,
    the weights are their means.

    Source: Fortunato et al. 2018, arXiv:1706.10295, eq. 9 to 11 and section 3.2 (factorised).
    """

    features: int  # size of the output
    dtype: jnp.dtype = jnp.float32  # of the computation; parameters are float32
    noise: float = 0.5  # > 0, of the first weights, in units of 1 / sqrt(inputs)

    @nn.compact
    def __call__(self, x: Array) -> Array:
        """`[..., features]` from `x` `[..., D]`."""
        shape, bound = (x.shape[-1], self.features), x.shape[-1] ** -0.5

        def even(key, shape):
            return jax.random.uniform(key, shape, minval=-bound, maxval=bound)

        level = nn.initializers.constant(self.noise * bound)
        kernel, bias = self.param("kernel", even, shape), self.param("bias", even, shape[1:])
        spread, bias_spread = self.param("spread", level, shape), self.param("bias_spread", level, shape[1:])
        if self.has_rng("dropout"):
            keys = jax.random.split(self.make_rng("dropout"))
            into, out = (_rooted(jax.random.normal(key, (n,))) for key, n in zip(keys, shape, strict=True))
            kernel, bias = kernel + spread * jnp.outer(into, out), bias + bias_spread * out
        y = x.astype(self.dtype) @ kernel.astype(self.dtype)
        return y + jnp.broadcast_to(bias.astype(self.dtype), y.shape)


def _rooted(noise: Array) -> Array:
    return jnp.sign(noise) * jnp.sqrt(jnp.abs(noise))


# Windows and strides of the network that plays Atari from frames of 84 x 84. Mnih et al. 2015, Nature 518, methods.
NATURE = ((8, 4), (4, 2), (3, 1))


class Senses(nn.Module):
    """What a network sees: convolutions of a picture `[H, W, C]`, if any; then hidden layers. Bytes are taken / 255.

    Attributes:
      hidden: widths of the layers, each with a rectifier.
      channels: of the convolutions; empty: none, and what is seen goes to the layers as one vector.
      windows: (size, stride) of each of them, without padding; empty: 3 and 2 each, padded.
      norm: `norm(dtype=...)` before each rectifier; None: none.
      dtype: of the computation.
      rank: axes of an observation; None: those of a picture where there are convolutions, else of a vector.
    """

    hidden: Sequence[int]
    channels: Sequence[int] = ()
    norm: Callable[..., nn.Module] | None = None
    dtype: jnp.dtype = jnp.float32
    windows: Sequence[tuple[int, int]] = ()
    rank: int | None = None

    @nn.compact
    def __call__(self, obs: Array) -> Array:
        """`[..., hidden[-1]]` from `obs`, `[..., D]` or `[..., H, W, C]`."""

        def rectified(h):
            return nn.relu(h if self.norm is None else self.norm(dtype=self.dtype)(h))

        rank = self.rank or (3 if self.channels else 1)
        before = obs.shape[:-rank]
        h = obs.reshape(-1, *obs.shape[-rank:]).astype(self.dtype)
        h = h / 255 if obs.dtype == jnp.uint8 else h
        padding = "VALID" if self.windows else "SAME"
        windows = self.windows or ((3, 2),) * len(self.channels)
        if len(windows) != len(self.channels):
            raise BadInput(f"{len(self.channels)} convolutions of {len(windows)} windows: each has one")
        for width, (size, stride) in zip(self.channels, windows, strict=True):
            if self.windows and min(h.shape[1:3]) < size:
                raise BadInput(f"a picture of {h.shape[1]} x {h.shape[2]} has no window of {size}; take a larger one")
            h = rectified(Conv(width, (size, size), stride, padding, dtype=self.dtype)(h))
        h = h.reshape(len(h), -1)
        for width in self.hidden:
            h = rectified(nn.Dense(width, dtype=self.dtype, kernel_init=nn.initializers.he_normal())(h))
        return h.reshape(*before, h.shape[-1])


class QNetwork(nn.Module):
    """What each action is worth: one stream, or two, of the place and of what an action adds there.

    dueling:  Q(s, a) = V(s) + A(s, a) - mean_a' A(s, a')                                        (eq. 9 of Wang et al.)

    Source: Mnih et al. 2015, Nature 518; dueling: Wang et al. 2016, arXiv:1511.06581.

    Attributes:
      num_actions: A >= 1.
      hidden: widths of the layers, of which the last is of each stream.
      channels: of convolutions before them, as in `Senses`.
      num_atoms: K numbers of each action, `[..., A, K]`; None: one, `[..., A]`.
      streams: of the last two layers.
      dense: `dense(features, dtype=...)`, the last two layers: `nn.Dense` or `NoisyDense`.
      norm: as in `Senses`, and of the streams.
      dtype: of the computation.
      windows: as in `Senses`.
      rank: as in `Senses`.
    """

    num_actions: int
    hidden: Sequence[int] = (120, 84)
    channels: Sequence[int] = ()
    num_atoms: int | None = None
    streams: Literal["one", "dueling"] = "one"
    dense: Callable[..., nn.Module] = nn.Dense
    norm: Callable[..., nn.Module] | None = None
    dtype: jnp.dtype = jnp.float32
    windows: Sequence[tuple[int, int]] = ()
    rank: int | None = None

    @nn.compact
    def __call__(self, obs: Array) -> Array:
        """`[..., A]` or `[..., A, K]` from observations `[..., D]` or `[..., H, W, C]`."""
        if self.streams not in ("one", "dueling"):
            raise BadInput(f"no streams {self.streams!r}: there are one and dueling")
        seen = Senses(self.hidden[:-1], self.channels, self.norm, self.dtype, self.windows, self.rank)(obs)

        def stream(num_actions: int) -> Array:
            h = self.dense(self.hidden[-1], dtype=self.dtype)(seen)
            h = nn.relu(h if self.norm is None else self.norm(dtype=self.dtype)(h))
            out = self.dense(num_actions * (self.num_atoms or 1), dtype=self.dtype)(h).astype(jnp.float32)
            return out.reshape(*out.shape[:-1], num_actions, self.num_atoms or 1)

        numbers = stream(self.num_actions)
        if self.streams == "dueling":
            numbers = stream(1) + numbers - numbers.mean(-2, keepdims=True)
        return numbers if self.num_atoms else numbers[..., 0]


class PictureActorCritic(nn.Module):
    """A policy and a value from a small picture, which both see through the same first layers.

    Orthogonal heads as of `policy.ActorCritic`.

    Attributes:
      num_outputs: P, numbers that the distribution of actions wants.
      hidden: widths of the layers that both share.
      channels: of the convolutions, as in `Senses`.
      dtype: of the computation.
      windows: as in `Senses`.
    """

    num_outputs: int
    hidden: Sequence[int] = (128,)
    channels: Sequence[int] = (16,)
    dtype: jnp.dtype = jnp.float32
    windows: Sequence[tuple[int, int]] = ()

    @nn.compact
    def __call__(self, obs: Array) -> tuple[Array, Array]:
        """Numbers of the actions' distribution `[..., P]` and value `[...]` of observations `[..., H, W, C]`."""
        seen = Senses(self.hidden, self.channels, None, self.dtype, self.windows, 3)(obs)

        def head(name: str, size: int, gain: float) -> Array:
            return nn.Dense(size, dtype=self.dtype, kernel_init=orthogonal(gain), name=name)(seen).astype(jnp.float32)

        return head("actor", self.num_outputs, 0.01), head("critic", 1, 1.0)[..., 0]
