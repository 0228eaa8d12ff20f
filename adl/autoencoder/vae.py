"""The variational autoencoder: a decoder p(x|z), an encoder q(z|x), and bounds on log p(x).

    log p(x) >= L_K = E_{z_1..z_K ~ q} log 1/K sum_k w_k,    w_k = p(x|z_k) p(z_k) / q(z_k|x)

L_1 is the evidence lower bound (ELBO), L_K rises with K to log p(x). Images are `[B, ...]`, as encoder and likelihood
take them, latents what the encoder's `Latents` say, everything in nats per image. Sources: Kingma & Welling 2014,
arXiv:1312.6114, eq. 3; Burda et al. 2016, arXiv:1509.00519, eq. 8.
"""

from collections.abc import Callable, Sequence

import flax.linen as nn
import jax
import jax.numpy as jnp
import optax
from jax import lax

from adl.autoencoder.latents import DiagonalNormal, Latents, standard
from adl.core import Algorithm, Learner, Mean, border, descend, forward
from adl.core.types import Array, Key, PyTree
from adl.nn.mlp import MLP
from adl.prob.distributions import bernoulli_log_prob, normal_log_prob

Likelihood = Callable[[Array, Array], Array]  # (x [..., D], decoder output [..., P]) -> log p(x|z) [...]


def bernoulli(x: Array, logits: Array) -> Array:
    """Log-likelihood `[...]` of binary pixels `[..., D]` given logits `[..., D]`."""
    return bernoulli_log_prob(x, logits).sum(-1)


def gaussian(x: Array, output: Array) -> Array:
    """Log-likelihood `[...]` of real pixels `[..., D]` given means and log standard deviations `[..., 2 D]`."""
    mean, log_std = jnp.split(output, 2, -1)
    return normal_log_prob(x, mean, log_std).sum(-1)


class VAE(nn.Module):
    """Any encoder and any decoder around a latent.

    Attributes:
      encoder: `x [B, ...] -> q(z|x)`, `Latents` of each example: `Gaussian(network)`, or any other module.
      decoder: `z -> parameters of p(x|z)`, leaves of z `[N, ...]`: as many numbers `[N, P]` as the likelihood wants.
      prior: `() -> p(z)`; a module where it is learned.
    """

    encoder: nn.Module
    decoder: nn.Module
    prior: Callable[[], Latents] = standard

    def encode(self, x: Array) -> Latents:
        """q(z|x) for `x [B, ...]`."""
        return self.encoder(x)

    def decode(self, z: PyTree, num_axes: int | None = None) -> Array:
        """Parameters `[..., P]` of p(x|z) for latents with leaves `[..., Z]`.

        Args:
          z: the latents.
          num_axes: how many of the leading axes count latents; None: all but the last of each leaf. The decoder sees
            one in their place.
        """
        leaf = jax.tree.leaves(z)[0]
        lead = leaf.shape[: leaf.ndim - 1 if num_axes is None else num_axes]
        output = self.decoder(jax.tree.map(lambda z: z.reshape(-1, *z.shape[len(lead) :]), z))
        return output.astype(jnp.float32).reshape(*lead, *output.shape[1:])

    def __call__(self, key: Key, x: Array) -> Array:
        """Parameters of p(x|z) at one draw of z; for initialisation. The key is consumed."""
        self.prior()
        return self.decode(self.encode(x).sample(key), 1)


class Gaussian(nn.Module):
    """A network's 2 Z numbers as the mean and log standard deviation of independent Gaussian latents."""

    network: nn.Module  # x [B, ...] -> [B, 2 Z]

    def setup(self):
        """Its parameters stand where the network's would."""
        nn.share_scope(self, self.network)

    def __call__(self, x: Array) -> DiagonalNormal:
        """q(z|x), `[B, Z]`."""
        return DiagonalNormal(*jnp.split(self.network(x).astype(jnp.float32), 2, -1))


def perceptrons(
    latent_dim: int,
    hidden: Sequence[int],
    output_dim: int,
    activation: Callable[[Array], Array] = nn.relu,
    dtype: jnp.dtype = jnp.float32,
) -> VAE:
    """Multilayer-perceptron encoder and decoder of rows around a Gaussian latent.

    Args:
      latent_dim: Z >= 1.
      hidden: widths of the encoder's hidden layers; the decoder mirrors them.
      output_dim: numbers that the likelihood wants for an image: D logits, or D means and D log deviations.
      activation: of the hidden layers.
      dtype: of the computation.
    """
    encoder = MLP((*hidden, 2 * latent_dim), activation=activation, dtype=dtype)
    decoder = MLP((*reversed(hidden), output_dim), activation=activation, dtype=dtype)
    return VAE(Gaussian(encoder), decoder)


# What looks at a model takes it bound to its variables, `model.bind(variables)`; a step binds it by `forward`.


def log_weights(key: Key, model: VAE, x: Array, *, likelihood: Likelihood, num_samples: int) -> Array:
    """Log importance weights log w_k `[K, B]` of latents drawn from the encoder.

    Args:
      key: consumed.
      model: encoder and decoder, bound.
      x: `[B, ...]`.
      likelihood: log p(x|z) from the decoder's output.
      num_samples: K >= 1.
    """
    z, log_q = model.encode(x).sample_and_log_prob(key, (num_samples,))
    return likelihood(x[None], model.decode(z, 2)) + model.prior().log_prob(z) - log_q


def elbo(key: Key, model: VAE, x: Array, *, likelihood: Likelihood) -> dict[str, Array]:
    """The evidence lower bound from one latent an image, in its parts.

    elbo = reconstruction - kl,   reconstruction = log p(x|z),   kl = KL(q(z|x) || p(z)), as the latents know it.

    Args:
      key: consumed.
      model: encoder and decoder, bound.
      x: `[B, ...]`.
      likelihood: log p(x|z) from the decoder's output.

    Returns:
      "elbo", "reconstruction" and "kl", `[B]` each, in nats.
    """
    q = model.encode(x)
    z = q.sample(key)
    reconstruction = likelihood(x, model.decode(z, 1))
    kl = q.kl(model.prior(), z)
    return {"elbo": reconstruction - kl, "reconstruction": reconstruction, "kl": kl}


def iwae_bound(key: Key, model: VAE, x: Array, *, likelihood: Likelihood, num_samples: int) -> Array:
    """L_K `[B]` of the module's formula; `num_samples` latents an image in one pass."""
    weights = log_weights(key, model, x, likelihood=likelihood, num_samples=num_samples)
    return jax.nn.logsumexp(weights, 0) - jnp.log(num_samples)


def log_likelihood(
    key: Key, model: VAE, x: Array, *, likelihood: Likelihood, num_samples: int, chunk: int = 50
) -> Array:
    """L_K `[B]` for many latents, `chunk` of them at a time: memory does not grow with K.

    Args:
      key: consumed.
      model: encoder and decoder, bound.
      x: `[B, ...]`.
      likelihood: log p(x|z) from the decoder's output.
      num_samples: K, a multiple of `chunk`.
      chunk: latents an image in one pass.

    Raises:
      ValueError: if `chunk` does not divide `num_samples`.
    """
    if num_samples % chunk:
        raise ValueError(f"num_samples {num_samples} must be a multiple of chunk {chunk}")

    unbound, variables = model.unbind()  # flax wants a module bound within the loop that calls it

    def add(total, key):
        weights = log_weights(key, unbound.bind(variables), x, likelihood=likelihood, num_samples=chunk)
        return jnp.logaddexp(total, jax.nn.logsumexp(weights, 0)), None

    start = jnp.full(x.shape[0], -jnp.inf)
    total, _ = lax.scan(add, start, jax.random.split(key, num_samples // chunk))
    return total - jnp.log(num_samples)


def vae(
    model: VAE,
    tx: optax.GradientTransformation,
    *,
    likelihood: Likelihood,
    prepare: Callable[[Key, Array], Array] = lambda key, x: x,
    axis: str | None = None,
) -> Algorithm:
    """The variational autoencoder; state is a `Learner`, batches are images, loss is -ELBO.

    Args:
      model: encoder and decoder.
      tx: optax transformation.
      likelihood: log p(x|z) from the decoder's output (`bernoulli`, `gaussian`).
      prepare: `prepare(key, batch) -> x [B, ...]`: flattening, and the noise that makes pixels binary or real.
      axis: name of the mapped axis, or None.
    """
    return beta_vae(model, tx, likelihood=likelihood, prepare=prepare, beta=1.0, axis=axis)


def beta_vae(
    model: VAE,
    tx: optax.GradientTransformation,
    *,
    likelihood: Likelihood,
    beta: float,
    prepare: Callable[[Key, Array], Array] = lambda key, x: x,
    axis: str | None = None,
) -> Algorithm:
    """The VAE with the rate weighted: loss = -reconstruction + beta kl.

    Args:
      model: encoder and decoder.
      tx: optax transformation.
      likelihood: as in `vae`.
      beta: >= 0; 1 is the VAE, above 1 codes are shorter, 0 is an autoencoder with noise.
      prepare: as in `vae`.
      axis: name of the mapped axis, or None.

    Source: Higgins et al. 2017 (ICLR), eq. 4.
    """

    def loss(key, model, x):
        parts = elbo(key, model, x, likelihood=likelihood)
        return {"loss": beta * parts["kl"] - parts["reconstruction"], **parts}

    return trained(model, tx, loss=loss, prepare=prepare, axis=axis)


def iwae(
    model: VAE,
    tx: optax.GradientTransformation,
    *,
    likelihood: Likelihood,
    num_samples: int,
    prepare: Callable[[Key, Array], Array] = lambda key, x: x,
    axis: str | None = None,
) -> Algorithm:
    """The importance-weighted autoencoder: loss = -L_K.

    Args:
      model: encoder and decoder.
      tx: optax transformation.
      likelihood: as in `vae`.
      num_samples: K >= 1.
      prepare: as in `vae`.
      axis: name of the mapped axis, or None.

    Source: Burda et al. 2016, arXiv:1509.00519, eq. 8 and 14.
    """

    def loss(key, model, x):
        bound = iwae_bound(key, model, x, likelihood=likelihood, num_samples=num_samples)
        return {"loss": -bound, "bound": bound}

    return trained(model, tx, loss=loss, prepare=prepare, axis=axis)


def trained(
    model: VAE,
    tx: optax.GradientTransformation,
    *,
    loss: Callable[..., dict[str, Array]],
    prepare: Callable[[Key, Array], Array],
    axis: str | None,
) -> Algorithm:
    """Descent of the mean of any bound of an image.

    Args:
      model: encoder and decoder.
      tx: optax transformation.
      loss: `loss(key, model, x) -> {name: [B]}` of the bound model, with an entry "loss"; the others are reported.
      prepare: as in `vae`.
      axis: name of the mapped axis, or None.
    """
    prepare = border.prepared(prepare)

    def mean_loss(key, params, extras, batch):
        prepare_key, loss_key, dropout_key = jax.random.split(key, 3)
        x = prepare(prepare_key, batch)
        parts, extras = forward(model, dropout_key, params, extras, method=lambda bound: loss(loss_key, bound, x))
        return {name: Mean.of(values) for name, values in parts.items()}, extras

    def init(key, batch):
        prepare_key, model_key = jax.random.split(key)
        return Learner.create(model.init(model_key, key, prepare(prepare_key, batch)), tx)

    return Algorithm(init, descend(mean_loss, tx, axis))
