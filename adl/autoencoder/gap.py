"""The amortisation gap: what an encoder loses for having one answer for all, against each example's own best Gaussian.

    log p(x) - elbo(encoder) = [log p(x) - elbo(q*_x)] + [elbo(q*_x) - elbo(encoder)]

The first is the gap of the family of q, the second that of amortisation: q*_x, a diagonal Gaussian, is found by descent
for each example alone, the decoder as it is. Source: Cremer et al. 2018, arXiv:1801.03558, section 3.
"""

import jax
import jax.numpy as jnp
import optax
from jax import Array, lax

from adl.autoencoder.evaluation import Measure
from adl.autoencoder.latents import DiagonalNormal
from adl.autoencoder.vae import VAE, Likelihood
from adl.core import Key, Learner, Mean


def local_elbo(key: Key, model: VAE, q: DiagonalNormal, x: Array, *, likelihood: Likelihood, num_samples: int) -> Array:
    """`[B]` the bound of any q, one of each example, as the mean over draws.

    Args:
      key: consumed.
      model: decoder and prior, bound.
      q: means and log deviations `[B, Z]`.
      x: `[B, ...]`.
      likelihood: log p(x|z) from the decoder's output.
      num_samples: draws an example, >= 1.
    """
    z = q.sample(key, (num_samples,))
    return likelihood(x[None], model.decode(z, 2)).mean(0) - q.kl(model.prior())


def local_optimum(
    key: Key,
    model: VAE,
    x: Array,
    *,
    likelihood: Likelihood,
    num_steps: int,
    num_samples: int = 16,
    learning_rate: float = 0.03,
) -> DiagonalNormal:
    """The Gaussian of each example of the largest bound, by Adam from where the encoder has it.

    Args:
      key: consumed.
      model: encoder and decoder, bound; the encoder's latents are a `DiagonalNormal`.
      x: `[B, ...]`.
      likelihood: as in `local_elbo`.
      num_steps: of Adam, >= 1.
      num_samples: draws of a step and an example.
      learning_rate: of Adam at the start, before a cosine to 0.
    """
    unbound, variables = model.unbind()  # flax wants a module bound within the loop that calls it
    tx = optax.adam(optax.cosine_decay_schedule(learning_rate, num_steps))
    start = jax.tree.map(lax.stop_gradient, model.encode(x))

    def negative(q, key):
        bound = unbound.bind(variables)
        return -local_elbo(key, bound, q, x, likelihood=likelihood, num_samples=num_samples).sum()

    def descent(carry, key):
        q, state = carry
        updates, state = tx.update(jax.grad(negative)(q, key), state, q)
        return (optax.apply_updates(q, updates), state), None

    return lax.scan(descent, (start, tx.init(start)), jax.random.split(key, num_steps))[0][0]


def amortisation(
    model: VAE, likelihood: Likelihood, *, num_steps: int, num_samples: int = 16, num_judged: int = 100
) -> Measure:
    """Measure of the gap, in nats an example, for `core.full_pass` over "x".

    Both bounds are of the same `num_judged` draws of noise, other ones than those that the optimum was found by.

    Args:
      model: encoder and decoder.
      likelihood: as in training.
      num_steps: of the descent of each example.
      num_samples: draws of a step and an example.
      num_judged: draws that the bounds are means over.
    Returns:
      `amortised`, the encoder's bound; `local`, that of each example's own Gaussian; and `gap`, their difference.
    """

    def measure(key: Key, learner: Learner, batch: dict[str, Array]) -> dict[str, Mean]:
        bound, x, mask = model.bind(learner.averaged), batch["x"], batch["mask"]
        x = jnp.where(mask.reshape(-1, *[1] * (x.ndim - 1)) > 0, x, 0)  # of padding, whatever it holds
        find, judge = jax.random.split(key)
        best = local_optimum(find, bound, x, likelihood=likelihood, num_steps=num_steps, num_samples=num_samples)
        first, own = (
            local_elbo(judge, bound, q, x, likelihood=likelihood, num_samples=num_judged)
            for q in (bound.encode(x), best)
        )
        found = {"amortised": first, "local": own, "gap": own - first}
        return {name: Mean.of(values, mask) for name, values in found.items()}

    return measure
