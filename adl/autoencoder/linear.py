"""The linear variational autoencoder, whose bound is known in closed form, and whose optimum is probabilistic PCA.

    p(x|z) = N(W z + m, s^2 I),   q(z|x) = N(V (x - m), diag d),   p(z) = N(0, I)

    elbo = -(tr(W d W^T) + |x - m - W V (x - m)|^2) / (2 s^2) - D/2 log (2 pi s^2) - KL(q || p)

Where it is largest it equals the likelihood, and W holds the principal components, scaled, each in a column of its own:
a diagonal d tells rotations apart that the likelihood does not. There are no other local maxima.

Source: Lucas et al. 2019, arXiv:1911.02469, section 4 and appendix C; the optimum: Tipping & Bishop 1999, JRSS B 61(3).
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import optax
from flax import linen as nn
from jax import Array

from adl.core import Algorithm, Key, Mean, learning
from adl.core.types import PyTree
from adl.prob.distributions import normal_kl


class LinearVAE(nn.Module):
    """Affine maps both ways, of one noise for all numbers of x and one spread of each latent for all examples."""

    latent_dim: int  # Z >= 1

    @nn.compact
    def __call__(self, x: Array) -> dict[str, Array]:
        """`elbo`, and its parts `reconstruction` and `kl`, `[B]` each, in nats, of `x` `[B, D]`."""
        dim, num = x.shape[1], self.latent_dim
        small, zeros = nn.initializers.normal(0.1), nn.initializers.zeros
        loadings = self.param("loadings", small, (num, dim))  # W^T
        gain = self.param("gain", small, (dim, num))  # V^T
        log_std = self.param("log_std", zeros, (num,))  # log d / 2
        mean, log_noise = self.param("mean", zeros, (dim,)), self.param("log_noise", zeros, ())
        away = x - mean[None]
        z = away @ gain
        spread = (jnp.exp(2 * log_std) * jnp.square(loadings).sum(1)).sum()
        square = spread + jnp.square(away - z @ loadings).sum(1)
        given = -0.5 * square * jnp.exp(-2 * log_noise) - dim * (log_noise + 0.5 * jnp.log(2 * jnp.pi))
        kl = normal_kl(z, log_std[None]).sum(1)
        return {"elbo": given - kl, "reconstruction": given, "kl": kl}


def linear_vae(
    model: LinearVAE,
    tx: optax.GradientTransformation,
    *,
    prepare: Callable[[Key, PyTree], Array] = lambda key, x: x,
    axis: str | None = None,
) -> Algorithm:
    """Descent of the exact negative bound; state is a `Learner`, batches are `[B, D]`.

    Args:
      model: the maps.
      tx: optax transformation.
      prepare: `prepare(key, batch) -> x [B, D]`.
      axis: name of the mapped axis, or None.
    """

    def loss(parts, y):
        del y
        return {"loss": Mean.of(-parts["elbo"]), **jax.tree.map(Mean.of, parts)}

    def alone(key, batch):
        x = prepare(key, batch)
        return x, x

    return learning(model, tx, loss=loss, prepare=alone, axis=axis, x="float [B, D]")
