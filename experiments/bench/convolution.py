"""Gradients of convolutions: plain, in a loop, for several kernels at once, and of other kinds; ours beside XLA's."""

import functools
import time
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from adl.nn.convolution import convolve
from experiments.bench import Contenders

NUM_LAYERS, NUM_STEPS, NUM_KERNELS = 4, 2, 4
KINDS = {  # axes of the kernel, whether each channel is a group of its own, and further words
    "strided": (2, False, {"strides": 2}),
    "depthwise": (2, True, {}),
    "of three axes": (3, False, {}),
}


def xla(x: jax.Array, kernel: jax.Array, *, strides: int = 1, groups: int = 1) -> jax.Array:
    """What XLA makes of the same."""
    axes = "DHW"[5 - x.ndim :]
    return lax.conv_general_dilated(
        *(x, kernel, [strides] * len(axes), "SAME"),
        dimension_numbers=(f"N{axes}C", f"{axes}IO", f"N{axes}C"),
        feature_group_count=groups,
    )


def contenders(batch_size: int = 128, side: int = 8, channels: int = 32, num_calls: int = 10) -> Contenders:
    """Four 3x3 convolutions, 128x8x8x32, each by its gradient; a unit is one gradient of all four, of one network.

    Plain steps, loops of two, and four networks under `vmap`. And one convolution alone of other kinds, of as many
    numbers: its gradients of picture and kernel, where a row is to be read beside that of the other. The first
    gradients agree to 1e-5 of the largest.
    """
    rng = np.random.default_rng(0)
    x = jnp.asarray(rng.normal(size=(batch_size, side, side, channels)), jnp.float32)
    scale = (9 * channels / 2) ** -0.5
    kernels = jnp.asarray(scale * rng.normal(size=(NUM_KERNELS, NUM_LAYERS, 3, 3, channels, channels)), jnp.float32)
    alone = kernels[0]

    def gradient(convolution: Callable, kernels: jax.Array) -> jax.Array:
        def loss(kernels):
            h = x
            for kernel in kernels:
                h = jax.nn.relu(convolution(h, kernel))
            return jnp.square(h).mean()

        return jax.grad(loss)(kernels)

    def timed(step: Callable, kernels: jax.Array, count: int, calls: int) -> Callable[[], float]:
        step = jax.jit(step)
        jax.block_until_ready(step(kernels))

        def run() -> float:
            started = time.perf_counter()
            for _ in range(calls):
                jax.block_until_ready(step(kernels))
            return 1e3 * (time.perf_counter() - started) / (count * calls)

        return run

    def ways(convolution: Callable, calls_in_a_loop: int) -> Contenders:
        one = functools.partial(gradient, convolution)

        def loop(kernels):
            return lax.scan(lambda k, _: (k - one(k), None), kernels, length=NUM_STEPS)[0]

        return {
            "plain": timed(one, alone, 1, num_calls),
            "in a loop": timed(loop, alone, NUM_STEPS, calls_in_a_loop),
            f"of {NUM_KERNELS} networks": timed(jax.vmap(one), kernels, NUM_KERNELS, num_calls),
        }

    agree(*(jax.jit(functools.partial(gradient, convolution))(alone) for convolution in (convolve, xla)))
    both = {"adl": ways(convolve, num_calls), "XLA": ways(xla, 1)}
    rows = {f"{name}, {way}": run for name, runs in both.items() for way, run in runs.items()}
    for kind, (num_axes, is_depthwise, how) in KINDS.items():
        shape = (batch_size, side, side, channels) if num_axes == 2 else (batch_size // 4, 4, side, side, channels)
        volume = jnp.asarray(rng.normal(size=shape), jnp.float32)
        inputs, groups = (1, {"groups": channels}) if is_depthwise else (channels, {})
        kernel = jnp.asarray(rng.normal(size=(*[3] * num_axes, inputs, channels)), jnp.float32)
        of = [functools.partial(both_gradients, functools.partial(fn, **how, **groups)) for fn in (convolve, xla)]
        agree(*(jax.jit(fn)(volume, kernel) for fn in of))
        for name, fn in zip(("adl", "XLA"), of, strict=True):
            rows[f"{name}, {kind}"] = timed(functools.partial(fn, volume), kernel, 1, num_calls)
    return rows


def both_gradients(convolution: Callable, x: jax.Array, kernel: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Of the mean square of a convolution, in the picture and in the kernel."""
    return jax.grad(lambda x, kernel: jnp.square(convolution(x, kernel)).mean(), (0, 1))(x, kernel)


def agree(ours: Any, theirs: Any) -> None:
    """Exits in one line where gradients are apart by 1e-5 of the largest or more."""
    for one, other in zip(jax.tree.leaves(ours), jax.tree.leaves(theirs), strict=True):
        error = float(jnp.abs(one - other).max() / jnp.abs(other).max())
        if not error < 1e-5:
            raise SystemExit(f"error: the contenders do not agree: gradients apart by {error}")
