"""What latents stand for: rendered things whose factors are known, coded, and the mutual information gap.

Chen et al. 2018, arXiv:1802.04942; Higgins et al. 2017 (ICLR) for beta. Each picture `[32, 32, 3]` is of one thing cut
out on grey, drawn by its class, its colour, its place and its height, all independent; a factor that is continuous is
counted in tenths. Beside it, as many principal components of the pixels, with the noise that a code of theirs has in
probabilistic PCA.

    python -m experiments.autoencoder.factors
    >>> codes = run.load("runs/autoencoder/factors").embed(pictures)
    python -m experiments.autoencoder.factors --beta 8

Not measured yet.
"""

import functools
from collections.abc import Callable
from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from adl import data, run, show
from adl.autoencoder import evaluation, pixels
from adl.autoencoder.convolutional import PictureDecoder, PictureEncoder, halvings
from adl.autoencoder.vae import VAE, Gaussian, beta_vae
from adl.core import full_pass, optimizer
from adl.data.scenes import drawn, layout
from adl.latent import principal
from adl.measure import disentanglement, latents

PLAIN = layout.Variation(viewpoint=1.0, illumination=0, deformation=0, occlusion=0, clutter=0, within_class=0)
SIZE = 32  # of a side, in pixels
GREY = 128  # of all that is not the thing
TENTHS = np.arange(1, 10) / 10  # quantiles between the values of what is continuous


@dataclass(frozen=True)
class Config(run.Averaged, run.Config):
    """The default is the run that the claims are about."""

    num_steps: run.Count = 2000
    batch_size: run.Count = 64
    eval_every: run.Count = 500
    num_train: run.Several = 3000  # pictures to learn from, rendered
    num_test: run.Several = 1000  # others, on which information is told
    latent_dim: run.Several = 10  # size of the code
    channels: run.Widths = (8, 16, 32)  # of the encoder's levels, each of which halves the picture
    std: run.Positive = 0.1  # of the noise of each pixel in [0, 1], by which errors are weighed
    beta: run.NonNegative = 4.0  # weight of the KL divergence; above 1 codes are shorter
    ema: run.Rate = 0.995  # decay of the parameter average, which is evaluated


CLAIMS = (
    run.Claim(
        **{"metric": "information/mig", "at_least": 0.02},
        protocol="3,000 rendered things to learn from, 1,000 others to test; mutual information gap of 5 factors",
        reference="principal components of as many numbers: 0.012",
    ),
)
SMOKE = {"num_steps": 3, "batch_size": 8, "num_train": 20, "num_test": 20, "latent_dim": 3, "channels": (4, 4)}


def load(cfg: Config) -> tuple[data.Split, data.Split]:
    """Pictures, and what they were drawn by."""
    halvings((SIZE, SIZE), len(cfg.channels))  # what cannot be is said before anything is drawn
    make = functools.partial(drawn.single, size=SIZE, variation=PLAIN, noise=0.0)
    return tuple(_split(make, seed, num) for seed, num in ((21, cfg.num_train), (22, cfg.num_test)))


def _split(make: Callable, seed: int, num: int) -> data.Split:
    scenes = drawn.rendered(make, seed, num)
    top, left, bottom, right = scenes.box[:, 0].T
    places = {"column": (left + right) / 2, "row": (top + bottom) / 2, "height": bottom - top}
    bins = {name: np.searchsorted(np.quantile(at, TENTHS), at).astype(np.int32) for name, at in places.items()}
    image = np.where(scenes.instance[..., None] == 1, scenes.image, np.uint8(GREY))
    return data.Split({"image": image, "class": scenes.label[:, 0], "colour": scenes.colour[:, 0], **bins})


def build(cfg: Config, loaded: tuple[data.Split, data.Split], axis: str | None) -> run.Experiment:
    """A VAE of rendered things, and what each of its latents says of each factor."""
    train, test = loaded
    seen, shape = pixels.fixed(cfg.std), train.example_shape
    of = {"dtype": jnp.dtype(cfg.precision)}
    encoder = Gaussian(PictureEncoder(2 * cfg.latent_dim, shape, cfg.channels, **of))
    model = VAE(encoder, PictureDecoder(shape, cfg.channels, seen.num_outputs, **of))
    encode, decode = evaluation.coder(model, seen, shape)
    factors = {name: jnp.asarray(values) for name, values in test.arrays.items() if name != "image"}
    x = seen.observe(jax.random.key(0), jnp.asarray(test.arrays["image"]))
    more = {"likelihood": seen.likelihood, "axis": axis, "prepare": lambda key, b: seen.observe(key, b["image"])}
    bound = full_pass(evaluation.bounds(model, seen.likelihood), data.padded(data.Split({"x": x}), 100), len(x))
    embed = run.Offer(lambda key, *of: encode(of[0], seen.observe(key, of[1])), run.Images(shape), run.Cells())
    return run.Experiment(
        beta_vae(model, optimizer.adam(**cfg.adam, shape=optimizer.cosine(cfg.num_steps)), beta=cfg.beta, **more),
        data.shuffled(train, cfg.batch_size),
        probes={"test": bound},
        final={
            "information": disentanglement.gaps(lambda state, x: model.bind(state.averaged).encode(x), x, factors),
            "components": disentanglement.gaps(lambda state, x: principal_codes(x, cfg.latent_dim), x, factors),
            "perturbed": latents.perturbed(encode, decode, x),
            "straight": latents.straight(encode, decode, x[:12]),
        },
        offers={"model": model, "embed": embed},
        figures=show.figures(
            bound=show.curves({"test": "test/elbo"}, y_label="nats per image", title="Bound on log p(x)", settled=0.25),
            perturbed=show.perturbed,
            straight=show.straight,
        ),
    )


def principal_codes(x: Array, num: int) -> tuple[Array, Array]:
    """Means and log deviations `[N, num]` of the latents of probabilistic PCA, given x."""
    found = principal.found(x, num)
    noise = (found.total - found.variance.sum()) / (x.shape[1] - num)
    code = principal.whiten(found, x)
    return code, jnp.broadcast_to(0.5 * jnp.log(noise / found.variance)[None], code.shape)


if __name__ == "__main__":
    run.main(__name__)
