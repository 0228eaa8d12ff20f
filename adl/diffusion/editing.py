"""Pictures from pictures: what is given is kept, and the sampler makes the rest.

`repainted` holds known pixels to what they are at every noise level, and goes to and fro so that the others agree with
them; `edited` begins not in pure noise but in a picture with some noise on it, and keeps what that noise leaves.
"""

import jax
import jax.numpy as jnp
from jax import Array, lax

from adl.core import BadInput, Key
from adl.diffusion.solver import Denoiser, Solver, sample


def repainted(solver: Solver, image: Array, mask: Array, *, num_visits: int = 10) -> Solver:
    """A solver that knows part of the result: inpainting by a denoiser that was never taught to.

    At each step, `num_visits` times: the solver steps down to the next level; what is known is put in its place there,
    with fresh noise of that level; and but for the last time, noise carries all back up.

    Args:
      solver: of the steps.
      image: `[B, ...]` of which some numbers are known.
      mask: `[B, ...]`, or of a shape that broadcasts to it: 1 is known, 0 is to be made.
      num_visits: >= 1, of each noise level; 1 only replaces, and what is made does not look at what is known.
    Raises:
      BadInput: of no visits.
    Source: Lugmayr et al. 2022, arXiv:2201.09865, algorithm 1, of jumps of one step.
    """
    if num_visits < 1:
        raise BadInput(f"{num_visits} visits of each noise level; at least 1")

    def step(key, denoiser, x, sigma, sigma_next):
        def visit(x, keys):
            down_key, known_key, up_key = keys
            x = solver(down_key, denoiser, x, sigma, sigma_next)
            known = image + sigma_next * jax.random.normal(known_key, x.shape, x.dtype)
            x = jnp.where(mask > 0, known, x)
            rise = jnp.sqrt((sigma - sigma_next) * (sigma + sigma_next))
            return x + rise * jax.random.normal(up_key, x.shape, x.dtype), x

        keys = jax.random.split(key, (num_visits, 3))
        return lax.scan(visit, x, keys)[1][-1]

    return step


def edited(key: Key, denoiser: Denoiser, image: Array, sigmas: Array, solver: Solver, *, strength: float) -> Array:
    """`[B, ...]` pictures that keep of others what survives noise: image to image.

    Args:
      key: consumed.
      denoiser: of the kind of picture that is wanted.
      image: `[B, ...]` that they begin with.
      sigmas: `[N + 1]` falling noise levels, as in `solver.sample`.
      solver: as in `solver.sample`.
      strength: in [0, 1], share of the steps that are taken: 0 returns `image`, 1 keeps next to nothing of it.
    Raises:
      BadInput: of another strength.
    Source: Meng et al. 2022, arXiv:2108.01073, algorithm 1.
    """
    if not 0 <= strength <= 1:
        raise BadInput(f"strength is {strength:g}; it must be in [0, 1], the share of the steps that are taken")
    taken = round(strength * (len(sigmas) - 1))
    if not taken:
        return image
    noise_key, key = jax.random.split(key)
    levels = sigmas[-1 - taken :]
    return sample(key, denoiser, image + levels[0] * jax.random.normal(noise_key, image.shape), levels, solver)
