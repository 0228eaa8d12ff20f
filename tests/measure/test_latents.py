"""Arcs keep the law of their latents, and each class its own."""

import jax
import jax.numpy as jnp
import numpy as np

from adl.measure.latents import arc

KEY = jax.random.key(0)


def test_arc_goes_from_one_latent_to_another_of_the_same_law():
    """The examples are the latents themselves, beside their labels and the state."""

    def generate(state, z, label):
        return jnp.concatenate([z, label[:, None], jnp.full((len(z), 1), state)], 1)

    seen = arc(generate, 500, 3, num=5)(KEY, 7.0)
    assert seen["grid"].shape == (3, 5, 502)
    np.testing.assert_array_equal(seen["grid"][..., 500], np.repeat(np.arange(3)[:, None], 5, 1))
    assert (seen["grid"][..., 501] == 7).all()
    z = np.asarray(seen["grid"][..., :500])
    np.testing.assert_allclose(z.std(-1), 1, atol=0.15)  # four standard errors and more, at every angle
    np.testing.assert_allclose(z[:, 2], (z[:, 0] + z[:, 4]) / np.sqrt(2), atol=1e-5)
    assert abs(np.corrcoef(z[0, 0], z[0, 4])[0, 1]) < 0.2 and abs(np.corrcoef(z[0, 0], z[1, 0])[0, 1]) < 0.2
    np.testing.assert_allclose(seen["degrees"], [0, 22.5, 45, 67.5, 90], rtol=1e-6)
