"""Gradients of convolutions: plain, in a loop, for several kernels at once; ours beside XLA's own."""

import functools
import time
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from adl.nn.convolution import convolve
from experiments.bench import Contenders

NUM_LAYERS, NUM_STEPS, NUM_KERNELS = 4, 2, 4

xla = functools.partial(
    lax.conv_general_dilated, window_strides=(1, 1), padding="SAME", dimension_numbers=("NHWC", "HWIO", "NHWC")
)


def contenders(batch_size: int = 128, side: int = 8, channels: int = 32, num_calls: int = 10) -> Contenders:
    """Four 3x3 convolutions, 128x8x8x32, each by its gradient; a unit is one gradient of all four, of one network.

    Plain steps, loops of two, and four networks under `vmap`. The first gradients agree to 1e-5 of the largest.
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

    ours, want = (jax.jit(functools.partial(gradient, convolution))(alone) for convolution in (convolve, xla))
    error = float(jnp.abs(ours - want).max() / jnp.abs(want).max())
    if not error < 1e-5:
        raise SystemExit(f"error: the contenders do not agree: gradients apart by {error}")
    both = {"adl": ways(convolve, num_calls), "XLA": ways(xla, 1)}
    return {f"{name}, {way}": run for name, runs in both.items() for way, run in runs.items()}
