"""log p(x) less the bound is KL(q || p(k | x)), for any q: of a mixture of Gaussians, and of SciPy's numbers."""

import jax
import jax.numpy as jnp
import numpy as np
from scipy import special, stats

from adl.latent import mixture
from adl.latent.bound import elbo
from adl.latent.mixture import GaussianMixture

RNG = np.random.default_rng(7)
N, K, D = 50, 4, 3


def test_gap_of_a_gaussian_mixture_is_the_divergence_from_the_responsibilities():
    roots = RNG.normal(size=(K, D, D))
    covariances = roots @ roots.swapaxes(1, 2) + np.eye(D)
    weights, means, x = RNG.dirichlet(np.ones(K)), RNG.normal(size=(K, D)), RNG.normal(size=(N, D))
    fitted = GaussianMixture(*(jnp.asarray(leaf, "f") for leaf in (weights, means, covariances)))
    joint = np.stack(
        [
            np.log(w) + stats.multivariate_normal(m, c).logpdf(x)
            for w, m, c in zip(weights, means, covariances, strict=True)
        ],
        1,
    )
    log_p, posterior = special.logsumexp(joint, axis=1), special.softmax(joint, axis=1)
    q = RNG.dirichlet(np.ones(K), N)
    q[0] = [0, 1, 0, 0]
    bound = jax.jit(lambda q: jax.vmap(elbo)(mixture.log_joint(fitted, jnp.asarray(x, "f")), q))
    gap = special.rel_entr(q, posterior).sum(1)
    assert np.median(gap) > 0.1
    np.testing.assert_allclose(log_p - bound(jnp.asarray(q, "f")), gap, atol=2e-5)
    np.testing.assert_allclose(bound(jnp.asarray(posterior, "f")), log_p, atol=2e-5)


def test_bound_is_largest_at_the_posterior():
    """Its gradient along the simplex vanishes there, and nowhere else is it higher."""
    joint = jnp.asarray(RNG.normal(size=K), "f")
    slope = jax.grad(lambda logits: elbo(joint, jax.nn.softmax(logits)))
    np.testing.assert_allclose(slope(joint), 0, atol=1e-6)
    others = jnp.asarray(RNG.dirichlet(np.ones(K), 100), "f")
    assert (jax.vmap(elbo, (None, 0))(joint, others) <= jax.nn.logsumexp(joint) + 1e-6).all()
