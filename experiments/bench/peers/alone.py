"""The convolutions of a network, each by itself: what the rest of a step is added to.

Of random arrays, whose products are not compared: that is done of whole steps. The gradient of the first one's picture
is among them, which no step needs.
"""

import functools
import os
import time
from collections import Counter
from collections.abc import Callable
from typing import Literal, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import torch
from flax import linen as nn

from adl.core import Algorithm, PyTree
from adl.nn.convolution import Conv, convolve
from adl.nn.geometry import Geometry

Part = Literal["forward", "input gradients", "kernel gradients"]
PARTS: tuple[Part, ...] = ("forward", "input gradients", "kernel gradients")
TIMES = 10  # that all are computed in a timed call


class Convolution(NamedTuple):
    """What decides how long one takes."""

    shape: tuple[int, ...]  # [B, H, W, C] of the picture
    kernel: tuple[int, ...]  # [h, w, C, D]
    strides: tuple[int, ...]
    padding: tuple[tuple[int, int], ...]


def convolutions(learned: Callable[[], Algorithm], batch: PyTree) -> Counter[Convolution]:
    """Those of a network that an algorithm learns, with how often each is there."""
    found: Counter[Convolution] = Counter()

    def look(call, args, kwargs, context):
        own = context.module
        if isinstance(own, Conv) and context.method_name == "__call__":
            assert own.feature_group_count == own.kernel_dilation == 1, own
            shape, window = args[0].shape, tuple(own.kernel_size)
            of = Geometry.of(shape[1:-1], window, own.strides, own.padding, 1, 1)
            found[Convolution(shape, (*window, shape[-1], own.features), of.strides, of.padding)] += 1
        return call(*args, **kwargs)

    with nn.intercept_methods(look):
        jax.eval_shape(learned().init, jax.random.key(0), batch)
    return found


def ours(kinds: Counter[Convolution], part: Part) -> Callable[[], float]:
    """Milliseconds that all of them take, in one program, each of arrays of its own."""
    each = [kind for kind, count in kinds.items() for _ in range(count)]
    arrays = [[jnp.asarray(array) for array in _arrays(kind)] for kind in each]
    program = jax.jit(lambda arrays: [_product(kind, part, *of) for kind, of in zip(each, arrays, strict=True)])
    return _timed(lambda: jax.block_until_ready(program(arrays)))


def theirs(kinds: Counter[Convolution], part: Part) -> Callable[[], float]:
    """The same by PyTorch, channels last, one after the other."""
    torch.set_num_threads(len(os.sched_getaffinity(0)))
    calls = [call for kind, count in kinds.items() for call in [_their_call(kind, part)] * count]
    return _timed(lambda: [call() for call in calls])


def _timed(call: Callable[[], object]) -> Callable[[], float]:
    call()

    def run() -> float:
        started = time.perf_counter()
        for _ in range(TIMES):
            call()
        return 1e3 * (time.perf_counter() - started) / TIMES

    return run


def _arrays(kind: Convolution) -> list[np.ndarray]:
    """Picture, kernel and cotangent."""
    luck = np.random.default_rng(0)
    x, kernel = (luck.normal(size=shape).astype(np.float32) for shape in (kind.shape, kind.kernel))
    y = jax.eval_shape(functools.partial(_output, kind), x, kernel)
    return [x, kernel, luck.normal(size=y.shape).astype(np.float32)]


def _output(kind: Convolution, x: jax.Array, kernel: jax.Array) -> jax.Array:
    return convolve(x, kernel, strides=kind.strides, padding=kind.padding)


def _product(kind: Convolution, part: Part, x: jax.Array, kernel: jax.Array, y: jax.Array) -> jax.Array:
    """Of two of the three arrays of a convolution, the third."""
    if part == "forward":
        return _output(kind, x, kernel)
    if part == "input gradients":
        return jax.linear_transpose(lambda x: _output(kind, x, kernel), x)(y)[0]
    return jax.linear_transpose(lambda kernel: _output(kind, x, kernel), kernel)(y)[0]


def _their_call(kind: Convolution, part: Part) -> Callable[[], None]:
    arrays = _arrays(kind)
    x, y = (torch.from_numpy(array).permute(0, 3, 1, 2) for array in arrays[::2])
    kernel = torch.from_numpy(arrays[1].transpose(3, 2, 0, 1).copy()).contiguous(memory_format=torch.channels_last)
    sides = kind.strides, [max(pad) for pad in kind.padding], [1, 1]  # as many outputs, where one more zero comes after
    if part == "forward":
        return lambda: torch.ops.aten.convolution(x, kernel, None, *sides, False, [0, 0], 1)
    wanted = [part == "input gradients", part == "kernel gradients", False]
    return lambda: torch.ops.aten.convolution_backward(y, x, kernel, None, *sides, False, [0, 0], 1, wanted)
