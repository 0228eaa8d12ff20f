"""Pictures drawn pixel by pixel, by network: remembering what was made of the pixels before, or seeing all anew.

On 2 busy cores, a picture took 0.9 ms by MADE, 1.2 by either PixelCNN and 3.0 by the transformer; anew 3.7, 28, 55 and
256: what is remembered makes them 4, 23, 47 and 87 times as fast.
"""

import time
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np

from adl.pixel.gated_pixelcnn import GatedPixelCNN
from adl.pixel.image_transformer import ImageTransformer
from adl.pixel.likelihood import categories
from adl.pixel.made import MADE
from adl.pixel.pixelcnn import PixelCNN
from adl.pixel.raster import completed, looking_anew, looking_back
from experiments.bench import Contenders


def contenders(size: int = 12, num_levels: int = 17, *, width: int = 32, num_pictures: int = 16) -> Contenders:
    """Grey pictures of 12 x 12, 16 at a time, by networks with random weights; in milliseconds a picture.

    Each sampler is one program. Before anything is timed, the pictures of both ways must be equal, level for level.
    """
    shape = (size, size, 1)
    of = {"shape": shape, "num_levels": num_levels, "num_outputs": num_levels}
    networks = {
        "MADE": MADE(**of, hidden=(512, 512)),
        "PixelCNN": PixelCNN(**of, width=2 * width),
        "gated PixelCNN": GatedPixelCNN(**of, width=width),
        "transformer": ImageTransformer(**of, width=2 * width),
    }
    nothing, known = jnp.zeros((num_pictures, *shape), jnp.int32), jnp.zeros(shape, bool)

    def sampler(model, variables, ways):
        @jax.jit
        def sample(key, variables):
            return completed(key, *ways(model, variables), nothing, known, likelihood=categories(num_levels))

        return lambda: sample(jax.random.key(0), variables)

    def timed(sample: Callable[[], jax.Array]) -> Callable[[], float]:
        def run() -> float:
            started = time.perf_counter()
            jax.block_until_ready(sample())
            return 1e3 * (time.perf_counter() - started) / num_pictures

        return run

    found = {}
    for name, model in networks.items():
        variables = model.init(jax.random.key(1), nothing)
        anew = sampler(model, variables, looking_anew)
        back = sampler(model, variables, lambda model, variables: looking_back(model, variables, num_pictures))
        np.testing.assert_array_equal(anew(), back())
        found |= {f"{name}, anew": timed(anew), f"{name}, remembered": timed(back)}
    return found
