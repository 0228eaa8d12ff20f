"""Products whose digits count: in full float32, which TPUs and recent GPUs otherwise round to far fewer bits."""

import functools

import jax.numpy as jnp
from jax import lax

matmul = functools.partial(jnp.matmul, precision=lax.Precision.HIGHEST)
einsum = functools.partial(jnp.einsum, precision=lax.Precision.HIGHEST)
