"""What a variational autoencoder is judged by: its bounds on the likelihood of a split; and the coder that it is.

Measures are for `core.full_pass` over "x" `[N, D]`, in nats an image. The state is a `Learner` that keeps an average of
its parameters, which is what is looked at.
"""

from collections.abc import Callable, Mapping, Sequence

import jax
from flax import linen as nn
from jax import Array

from adl.autoencoder.conditional import ConditionalVAE, OfCondition, of_class
from adl.autoencoder.deterministic import distances
from adl.autoencoder.pixels import Pixels
from adl.autoencoder.quantised import VQVAE, Both, codes_log_prob, preceding
from adl.autoencoder.vae import VAE, Likelihood, elbo, log_likelihood
from adl.core import BadInput, Key, Learner, Mean, State
from adl.measure.latents import Decode, Encode

Measure = Callable[[Key, Learner, dict[str, Array]], dict[str, Mean]]
CHUNK = 50  # latents an image in one pass


def bounds(model: VAE, likelihood: Likelihood) -> Measure:
    """The `elbo` and its parts, `reconstruction` and `kl`, of one latent an image.

    Args:
      model: encoder and decoder.
      likelihood: as in training.
    """

    def measure(key: Key, learner: Learner, batch: dict[str, Array]) -> dict[str, Mean]:
        parts = elbo(key, model.bind(learner.averaged), batch["x"], likelihood=likelihood)
        return {name: Mean.of(values, batch["mask"]) for name, values in parts.items()}

    return measure


def importance(model: VAE, likelihood: Likelihood, *, num_samples: int) -> Measure:
    """`nll`, the negative of the importance-weighted bound, which nears the likelihood as latents grow many.

    Args:
      model: encoder and decoder.
      likelihood: as in training.
      num_samples: latents an image, a multiple of `CHUNK`.
    Raises:
      BadInput: if they are none.
    """
    if num_samples % CHUNK:
        raise BadInput(f"--num_importance_samples {num_samples}: it must be a multiple of {CHUNK}")

    def measure(key: Key, learner: Learner, batch: dict[str, Array]) -> dict[str, Mean]:
        bound = log_likelihood(
            key, model.bind(learner.averaged), batch["x"], likelihood=likelihood, num_samples=num_samples, chunk=CHUNK
        )
        return {"nll": Mean.of(-bound, batch["mask"])}

    return measure


def reconstruction_errors(coder: Callable[[State, int], Callable], exact: Mapping[int, float]) -> Measure:
    """`error_Z` of autoencoders of codes of Z numbers, squared, and `share_Z`, of that of as many components.

    Args:
      coder: `(state, Z) -> (x [B, D] -> (codes, what is made of them [B, D]))`.
      exact: by Z, the error of as many principal components, > 0.
    """

    def measure(key: Key, state: State, batch: dict[str, Array]) -> dict[str, Mean]:
        told = {}
        for size, least in exact.items():
            error = Mean.of(distances(batch["x"], coder(state, size)(batch["x"])[1]), batch["mask"])
            told |= {f"error_{size}": error, f"share_{size}": Mean(error.total / least, error.count)}
        return told

    return measure


def conditional_bounds(model: ConditionalVAE, likelihood: Likelihood, num_classes: int) -> Measure:
    """`bounds` on log p(x|class), over "x" and "label" `[N]`.

    Args:
      model: encoder and decoder, of one-hot conditions.
      likelihood: as in training.
      num_classes: of the labels.
    """

    def measure(key: Key, learner: Learner, batch: dict[str, Array]) -> dict[str, Mean]:
        given = OfCondition(model.bind(learner.averaged), of_class(batch["label"], num_classes))
        parts = elbo(key, given, batch["x"], likelihood=likelihood)
        return {name: Mean.of(values, batch["mask"]) for name, values in parts.items()}

    return measure


def code_bounds(model: VQVAE, prior: nn.Module, likelihood: Likelihood, num_codes: int) -> Measure:
    """The bound of a quantised autoencoder, `elbo`, and its parts `reconstruction` and `code_nll`; of a state `Both`.

    Args:
      model: encoder, codebook and decoder.
      prior: of the codes, as in `vq_vae`.
      likelihood: as in training.
      num_codes: K.
    """

    def measure(key: Key, state: Both, batch: dict[str, Array]) -> dict[str, Mean]:
        found, output = model.apply(state.autoencoder.averaged, batch["x"])
        index = found.index.reshape(len(batch["x"]), -1)
        logits = prior.apply(state.prior.averaged, preceding(index, num_codes))[..., :num_codes]
        given, nll = likelihood(batch["x"], output), -codes_log_prob(logits, index)
        parts = {"elbo": given - nll, "reconstruction": given, "code_nll": nll}
        return {name: Mean.of(values, batch["mask"]) for name, values in parts.items()}

    return measure


def coder(model: VAE, pixels: Pixels, shape: Sequence[int]) -> tuple[Encode, Decode]:
    """The mean latents `[B, Z]` of `x [B, D]`, and the expected pictures `[..., *shape]` of latents `[..., Z]`.

    Args:
      model: encoder and decoder.
      pixels: how it sees pictures.
      shape: of a picture, `(H, W, C)`.
    """

    def encode(learner: Learner, x: Array) -> Array:
        return model.bind(learner.averaged).encode(x).mean

    def decode(learner: Learner, z: Array) -> Array:
        return pixels.mean(model.bind(learner.averaged).decode(z)).reshape(*z.shape[:-1], *shape)

    return encode, decode


def drawn_codes(model: VAE, pixels: Pixels, shape: Sequence[int]) -> Callable[[Key, Learner, dict[str, Array]], Array]:
    """`(key, learner, batch) -> [B, *shape]`: one code of each "image" of a batch, drawn of q(z|x).

    Args:
      model: encoder and decoder.
      pixels: how it sees pictures.
      shape: in which the numbers of a code are arranged.
    """

    def code(key: Key, learner: Learner, batch: dict[str, Array]) -> Array:
        see, draw = jax.random.split(key)
        x = pixels.observe(see, batch["image"])
        return model.bind(learner.averaged).encode(x).sample(draw).reshape(-1, *shape)

    return code
