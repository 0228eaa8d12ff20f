"""Clips: networks that see how things move, by kernels in time, by a memory, or by attention along space and time.

Each turns frames `[B, T, H, W, C]` into features of every frame `[B, T, D]`, which may know of all the others; a
`ClipNet` says a class of the clip, or of each frame. Sides that a network cannot halve are padded with zeros.
"""

import functools
from collections.abc import Callable, Sequence
from typing import Literal

import chex
import jax.numpy as jnp
from flax import linen as nn
from jax import Array

from adl.nn import embed, recurrent
from adl.nn.attention import MultiHeadAttention
from adl.nn.convolution import Conv
from adl.nn.resnet import group_norm
from adl.nn.transformer import gelu_mlp, layer_norm
from adl.nn.unet import space_to_depth

Kind = Literal["conv3d", "r2plus1d", "lstm", "attention", "frame"]
NAMES = {
    "conv3d": "3-D convolutions",
    "r2plus1d": "(2+1)-D convolutions",
    "lstm": "frame features and LSTM",
    "attention": "space-time attention",
    "frame": "one frame alone",
}


class ClipNet(nn.Module):
    """What happens in clips, or in each of their frames, as log-odds of classes."""

    features: nn.Module  # [B, T, H, W, C] -> [B, T, D]
    num_classes: int  # K
    labels: Literal["clip", "frame"] = "clip"  # what has a class: the clip, by its frames' mean, or each frame
    given: Literal["frames", "changes"] = "frames"  # or frames, and beside each what has changed since the last one

    @nn.compact
    def __call__(self, x: Array) -> Array:
        """`[B, K]` or `[B, T, K]` of clips `x` `[B, T, H, W, C]`, floats of about unit variance."""
        chex.assert_rank(x, 5)
        h = self.features(x if self.given == "frames" else _with_changes(x)).astype(jnp.float32)
        return nn.Dense(self.num_classes)(h.mean(1) if self.labels == "clip" else h)


def _with_changes(x: Array) -> Array:
    """`[B, T, H, W, 2 C]`: each frame, and 4 times its difference from the last; of the first none.

    Without them 600 steps on rendered clips taught (2+1)-D convolutions nothing.

    Source: Wang et al. 2016, arXiv:1608.00859, section 3.2 (RGB differences).
    """
    change = jnp.pad(x[:, 1:] - x[:, :-1], ((0, 0), (1, 0), (0, 0), (0, 0), (0, 0)))
    return jnp.concatenate([x, 4 * change], -1)


class Convolutions(nn.Module):
    """Residual convolutions along space and time: features of frames that have seen those before and after.

    Each stage halves height and width; a block is h + conv(relu(norm(conv(relu(norm(h)))))), all of whose convolutions
    are 3 x 3 x 3, or 1 x 3 x 3 and then 3 x 1 x 1 with a rectifier between ((2+1)-D), or 1 x 3 x 3 alone (no time).

    Source: 3-D: Tran et al. 2015, arXiv:1412.0767; (2+1)-D: Tran et al. 2018, arXiv:1711.11248, section 3.5, where the
    width between the two is that of the block here.
    """

    kernel: Literal["3d", "2+1d", "2d"]
    channels: Sequence[int] = (32, 64)  # of each stage, multiples of 8
    dim: int = 128  # D of "2d"; of the others it is the last of the channels
    dtype: jnp.dtype = jnp.float32  # of the computation; parameters are float32

    @nn.compact
    def __call__(self, x: Array) -> Array:
        """`[B, T, D]` of clips `x` `[B, T, H, W, C]`."""
        h = _squares(x.astype(self.dtype), 2)
        if self.kernel == "2d":  # a clip of its own each, or the normalisation would be over all of them
            h = h.reshape(-1, 1, *h.shape[2:])
        norm = functools.partial(group_norm, dtype=self.dtype)
        for width in self.channels:
            h = self._conv(width, 2)(h)
            inner = self._conv(width)(nn.relu(norm()(h)))
            h = h + self._conv(width)(nn.relu(norm()(inner)))
        h = nn.relu(norm()(h))
        if self.kernel != "2d":  # how things move is the same wherever they are
            return h.mean((2, 3))
        # Without time there is nothing but where they are, which a mean would lose.
        return nn.relu(nn.Dense(self.dim, dtype=self.dtype)(h.reshape(*x.shape[:2], -1)))

    def _conv(self, width: int, stride: int = 1) -> Callable[[Array], Array]:
        conv = functools.partial(Conv, width, dtype=self.dtype)
        space = conv((3, 3), stride)
        if self.kernel == "3d":
            return lambda h: _each_frame(space, _with_neighbours(h))
        if self.kernel == "2d":
            return lambda h: _each_frame(space, h)
        time = conv((3, 1))
        return lambda h: _each_place(time, nn.relu(_each_frame(space, h)))


def _with_neighbours(h: Array) -> Array:
    """`[B, T, H, W, 3 C]`: each frame beside the one before and the one after it, zeros beyond the ends.

    A kernel of 3 x 3 on these is one of 3 x 3 x 3, which on CPU takes four times as long.
    """
    framed = jnp.pad(h, ((0, 0), (1, 1), (0, 0), (0, 0), (0, 0)))
    return jnp.concatenate([framed[:, :-2], h, framed[:, 2:]], -1)


def _each_frame(module: Callable[[Array], Array], h: Array) -> Array:
    """A map of pictures, of each frame: on CPU a kernel of 1 x 3 x 3 takes three times as long."""
    out = module(h.reshape(-1, *h.shape[2:]))
    return out.reshape(*h.shape[:2], *out.shape[1:])


def _each_place(module: Callable[[Array], Array], h: Array) -> Array:
    """A map of pictures whose rows are frames and whose columns places."""
    out = module(h.reshape(*h.shape[:2], -1, h.shape[-1]))
    return out.reshape(*h.shape[:-1], -1)


class Remembered(nn.Module):
    """Features of each frame alone, and what an LSTM in both directions makes of their sequence.

    Source: Donahue et al. 2015, arXiv:1411.4389, section 3.
    """

    frames: nn.Module  # [B, T, H, W, C] -> [B, T, D], of each frame alone
    width: int = 64  # of the LSTM in each direction: D is twice that
    dtype: jnp.dtype = jnp.float32  # of the products

    @nn.compact
    def __call__(self, x: Array) -> Array:
        """`[B, T, 2 width]` of clips `x` `[B, T, H, W, C]`."""
        return recurrent.Recurrents(recurrent.lstm, (self.width,), "both", dtype=self.dtype)(self.frames(x))[0]


class OneFrame(nn.Module):
    """Features of frames of which none knows another: of the frame in the middle alone, or of each."""

    frames: nn.Module  # [B, T, H, W, C] -> [B, T, D], of each frame alone
    labels: Literal["clip", "frame"] = "clip"  # as in `ClipNet`

    @nn.compact
    def __call__(self, x: Array) -> Array:
        """`[B, 1, D]` of the frame T // 2, or `[B, T, D]`, of clips `x` `[B, T, H, W, C]`."""
        middle = x.shape[1] // 2
        return self.frames(x[:, middle : middle + 1] if self.labels == "clip" else x)


class SpaceTime(nn.Module):
    """A transformer of patches of frames that look along time and along space in turn.

    h + attention(norm(h)) among the frames at one place; then among the places of one frame; then a perceptron. Places
    have learned embeddings and times sinusoids, so that clips of any length can be seen; the features of a frame are
    the mean over its places.

    Source: Bertasius et al. 2021, arXiv:2102.05095, section 3 (divided attention); Arnab et al. 2021, arXiv:2103.15691,
    section 3.3 (model 3).
    """

    patch: int = 8  # pixels of a side
    width: int = 64  # D
    num_layers: int = 3
    num_heads: int = 4
    dtype: jnp.dtype = jnp.float32  # of the computation; parameters are float32

    @nn.compact
    def __call__(self, x: Array) -> Array:
        """`[B, T, width]` of clips `x` `[B, T, H, W, C]`."""
        x = _squares(x.astype(self.dtype), self.patch)
        size, time, rows, columns, _ = x.shape
        normal = nn.initializers.normal(0.02)
        h = nn.Dense(self.width, dtype=self.dtype)(x.reshape(size, time, rows * columns, -1))
        places = self.param("places", normal, (rows * columns, self.width)).astype(self.dtype)
        times = embed.sinusoidal(jnp.arange(time)[None], self.width).astype(self.dtype)
        h = h + places[None, None] + times[:, :, None]
        init = nn.initializers.normal(0.02 / (3 * self.num_layers) ** 0.5)  # the stream's variance grows with every sum
        norm, attention = (functools.partial(of, dtype=self.dtype) for of in (layer_norm, MultiHeadAttention))

        def attend(h: Array) -> Array:
            flat = h.reshape(-1, *h.shape[2:])
            return h + attention(self.num_heads, output_init=init)(norm()(flat)).reshape(h.shape)

        for _ in range(self.num_layers):
            h = attend(h.swapaxes(1, 2)).swapaxes(1, 2)
            h = attend(h)
            h = h + gelu_mlp(self.width, dtype=self.dtype, output_init=init)(norm()(h))
        return norm()(h).mean(2)


def clip_net(
    kind: Kind,
    num_classes: int,
    *,
    labels: Literal["clip", "frame"] = "clip",
    channels: Sequence[int] = (32, 64),
    width: int = 64,
    dtype: jnp.dtype = jnp.float32,
) -> ClipNet:
    """A network of some kind.

    Args:
      kind: of `NAMES`.
      num_classes: K.
      labels: as in `ClipNet`.
      channels: of the convolutions, also of those that see a frame.
      width: of the LSTM's state and of the transformer, a multiple of 4; convolutions end in twice as many features.
      dtype: of the computation.
    """
    convolutions = functools.partial(Convolutions, channels=channels, dim=2 * width, dtype=dtype)
    if kind in ("conv3d", "r2plus1d"):
        features = convolutions("3d" if kind == "conv3d" else "2+1d")
    elif kind == "lstm":
        features = Remembered(convolutions("2d"), width, dtype)
    elif kind == "attention":
        features = SpaceTime(width=width, dtype=dtype)
    else:
        features = OneFrame(convolutions("2d"), labels)
    return ClipNet(features, num_classes, labels, "frames" if kind == "frame" else "changes")


def _squares(x: Array, side: int) -> Array:
    """`[B, T, H / side, W / side, side^2 C]`: each square of pixels as channels; zeros where it is not whole."""
    below, right = (-pixels % side for pixels in x.shape[2:4])
    x = jnp.pad(x, ((0, 0), (0, 0), (0, below), (0, right), (0, 0)))
    return _each_frame(lambda h: space_to_depth(h, side), x)
