"""Sliced score matching of noised data: the score at all levels of noise, without a look at the noise that was added.

    E |s(x_t) - grad log p_t(x_t)|^2 = E [2 v' (ds/dx) v + |s|^2] + constant,   v of random signs

What `denoising_errors` does by the noise of each example this does by the derivative of the score along a direction,
which costs a second pass and has more variance. In expectation both are the same, and so are their minima.
Source: Song et al. 2019, arXiv:1905.07088, eq. 8; at many levels of noise, Song & Ermon 2019, arXiv:1907.05600, eq. 3.
"""

from collections.abc import Callable

import jax
from jax import Array

from adl.core import Key
from adl.diffusion.denoising import Errors
from adl.diffusion.process import Process
from adl.diffusion.target import Aim
from adl.prob.score import by_slices


def sliced_errors(num_slices: int = 1) -> Errors:
    """`errors` of `denoising` by slices: in expectation those of the noise that the network tells, of whatever target.

    sigma^2 (2 v' (ds/dx) v + |s|^2) / D + 1,   s = (alpha C(F) - x_t) / sigma^2,   C(F) the target's clean data

    Args:
      num_slices: >= 1, directions v of each example.
    Source: Song et al. 2019, arXiv:1905.07088, eq. 8; the weight sigma^2, Song & Ermon 2019, arXiv:1907.05600, eq. 6.
    """
    objective = by_slices(num_slices)

    def errors(
        key: Key, network: Callable[[Array, Array], Array], x: Array, time: Array, *, process: Process, target: Aim
    ) -> Array:
        noise_key, key = jax.random.split(key)
        signal = process.signal(time).like(x)
        noisy = signal.alpha * x + signal.sigma * jax.random.normal(noise_key, x.shape)

        def score(noisy):
            output = network(*target.seen(noisy, time, signal))
            return (signal.alpha * target.clean(output, noisy, signal) - noisy) / signal.sigma**2

        return 2 * process.signal(time).sigma ** 2 * objective(key, score, noisy) / x[0].size + 1

    return errors
