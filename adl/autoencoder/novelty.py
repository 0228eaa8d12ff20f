"""What a variational autoencoder holds for unlike what it learned, a score each: higher is stranger.

By reconstruction: what a code does not keep. By likelihood: the importance-weighted bound. A plain likelihood takes for
best what is near the mean of all; a ratio to a background model, which the caller adds, takes that away.
Sources: Nalisnick et al. 2019, arXiv:1810.09136, for the failure; Ren et al. 2019, arXiv:1906.02845, for the ratio.
"""

import jax.numpy as jnp

from adl.autoencoder.pixels import Pixels
from adl.autoencoder.vae import VAE, iwae_bound
from adl.core.types import Array, Key


def coded_novelty(key: Key, model: VAE, x: Array, *, pixels: Pixels, num_samples: int = 16) -> dict[str, Array]:
    """`error` and `nats` `[B]`: the squared distance of a picture from what its mean code is decoded to, and -L_K.

    Args:
      key: consumed, by the latents of the bound.
      model: encoder and decoder, bound.
      x: `[B, D]` pictures in [-1, 1], as `pixels` sees them.
      pixels: dequantised, as in training.
      num_samples: K >= 1 latents of the bound.
    """
    made = pixels.mean(model.decode(model.encode(x).mean))
    bound = iwae_bound(key, model, x, likelihood=pixels.likelihood, num_samples=num_samples)
    return {"error": jnp.square(made - (x + 1) / 2).sum(-1), "nats": -bound}
