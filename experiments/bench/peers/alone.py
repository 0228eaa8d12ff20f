"""The convolutions of a network, each by itself: what the rest of a step is added to."""

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

Part = Literal["forward", "input gradients", "kernel gradients"]
PARTS: tuple[Part, ...] = ("forward", "input gradients", "kernel gradients")


class Convolution(NamedTuple):
    """What decides how long one takes."""

    shape: tuple[int, ...]  # [B, H, W, C] of the picture
    kernel: tuple[int, ...]  # [h, w, C, D]
    strides: int


def convolutions(learned: Callable[[], Algorithm], batch: PyTree) -> Counter[Convolution]:
    """Those of a network that an algorithm learns, with how often each is there; none is grouped or dilated."""
    found: Counter[Convolution] = Counter()

    def look(call, args, kwargs, context):
        own = context.module
        if isinstance(own, Conv) and context.method_name == "__call__":
            shape = args[0].shape
            found[Convolution(shape, (*own.kernel_size, shape[-1], own.features), own.strides)] += 1
        return call(*args, **kwargs)

    with nn.intercept_methods(look):
        jax.eval_shape(learned().init, jax.random.key(0), batch)
    return found


def ours(kinds: Counter[Convolution], part: Part) -> Callable[[], float]:
    """Milliseconds that all of them take, one after the other."""
    return _timed({kind: _our_call(kind, part) for kind in kinds}, kinds)


def theirs(kinds: Counter[Convolution], part: Part) -> Callable[[], float]:
    """The same by PyTorch, channels last."""
    torch.set_num_threads(len(os.sched_getaffinity(0)))
    return _timed({kind: _their_call(kind, part) for kind in kinds}, kinds)


def _timed(calls: dict[Convolution, Callable[[], None]], counts: Counter[Convolution]) -> Callable[[], float]:
    for call in calls.values():
        call()

    def run() -> float:
        started = time.perf_counter()
        for kind, call in calls.items():
            for _ in range(counts[kind]):
                call()
        return 1e3 * (time.perf_counter() - started)

    return run


def _arrays(kind: Convolution) -> list[np.ndarray]:
    """Picture, kernel and cotangent."""
    luck, (batch, *sides, _) = np.random.default_rng(0), kind.shape
    output = (batch, *(-(-side // kind.strides) for side in sides), kind.kernel[-1])
    return [luck.normal(size=shape).astype(np.float32) for shape in (kind.shape, kind.kernel, output)]


def _our_call(kind: Convolution, part: Part) -> Callable[[], None]:
    x, kernel, y = map(jnp.asarray, _arrays(kind))

    def output(x, kernel):
        return convolve(x, kernel, strides=kind.strides)

    of = {
        "forward": lambda x, kernel, y: output(x, kernel),
        "input gradients": lambda x, kernel, y: jax.linear_transpose(lambda x: output(x, kernel), x)(y),
        "kernel gradients": lambda x, kernel, y: jax.linear_transpose(lambda kernel: output(x, kernel), kernel)(y),
    }
    compiled = jax.jit(of[part])
    return lambda: jax.block_until_ready(compiled(x, kernel, y))


def _their_call(kind: Convolution, part: Part) -> Callable[[], None]:
    arrays = _arrays(kind)
    x, y = (torch.from_numpy(array).permute(0, 3, 1, 2) for array in arrays[::2])
    kernel = torch.from_numpy(arrays[1].transpose(3, 2, 0, 1).copy()).contiguous(memory_format=torch.channels_last)
    sides = [kind.strides] * 2, [side // 2 for side in kind.kernel[:2]], [1, 1]
    if part == "forward":
        return lambda: torch.ops.aten.convolution(x, kernel, None, *sides, False, [0, 0], 1)
    wanted = [part == "input gradients", part == "kernel gradients", False]
    return lambda: torch.ops.aten.convolution_backward(y, x, kernel, None, *sides, False, [0, 0], 1, wanted)
