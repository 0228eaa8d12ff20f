"""A picture that is decoded as it is has no error; the bound is the IWAE's."""

import jax
import numpy as np

from adl.autoencoder.novelty import coded_novelty
from adl.autoencoder.pixels import dequantised
from adl.autoencoder.vae import iwae_bound, perceptrons

SEEN = dequantised(17)


def test_scores_are_the_error_of_the_mean_code_and_the_bound():
    x = np.random.default_rng(0).uniform(-1, 1, (5, 6)).astype("f")
    model = perceptrons(2, (8,), 12)

    @jax.jit
    def found(x):
        bound = model.bind(model.init(jax.random.key(0), jax.random.key(1), x))
        made = bound.decode(bound.encode(x).mean)[:, :6]
        want = iwae_bound(jax.random.key(2), bound, x, likelihood=SEEN.likelihood, num_samples=3)
        return made, want, coded_novelty(jax.random.key(2), bound, x, pixels=SEEN, num_samples=3)

    made, want, told = found(x)
    np.testing.assert_allclose(told["error"], np.square((made - x) / 2).sum(1), rtol=1e-5)  # in [0, 1], as pictures are
    np.testing.assert_allclose(told["nats"], -want, rtol=1e-6)
