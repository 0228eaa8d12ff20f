"""What latents stand for: rendered things whose factors are known, coded, and the mutual information gap.

Chen et al. 2018, arXiv:1802.04942; Higgins et al. 2017 (ICLR) for beta. Each picture `[32, 32, 3]` is of one thing in a
plain room, drawn by its class, its colour, its place and its height, all independent; a factor that is continuous is
counted in tenths. Beside it, as many principal components of the pixels, with the noise that a code of theirs has in
probabilistic PCA.

    python -m experiments.autoencoder.factors
    >>> codes = run.load("runs/autoencoder/factors").embed(pictures)
    python -m experiments.autoencoder.factors --beta 8

EXPECTED
"""

import functools
from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
from jax.tree_util import Partial

from adl import data, run, show
from adl.autoencoder import evaluation, pixels
from adl.autoencoder.convolutional import PictureDecoder, PictureEncoder
from adl.autoencoder.vae import VAE, Gaussian, beta_vae
from adl.core import Mean, full_pass, optimizer
from adl.data.scenes import drawn, layout
from adl.latent import principal
from adl.measure import disentanglement, latents

FACTORS = ("class", "colour", "column", "row", "height")
PLAIN = layout.Variation(viewpoint=1.0, illumination=0, deformation=0, occlusion=0, clutter=0, within_class=0)
BINS = 10  # of what is continuous
LEVELS = 256  # of grey, which rendered pictures have


@dataclass(frozen=True)
class Config(run.Averaged, run.Config):
    """The default is the run that the claims are about."""

    num_steps: run.Count = 2500
    batch_size: run.Count = 64
    eval_every: run.Count = 500
    num_train: run.Points = 3000  # pictures to learn from, rendered
    num_test: run.Points = 1000  # others, on which information is told
    latent_dim: run.Several = 10  # size of the code
    channels: run.Widths = (16, 32, 32)  # of the encoder's levels, each of which halves the picture
    beta: run.NonNegative = 1.0  # weight of the KL divergence; above 1 codes are shorter
    ema: run.Rate = 0.995  # decay of the parameter average, which is evaluated


CLAIMS = ()
SMOKE = {"num_steps": 3, "batch_size": 8, "num_train": 20, "num_test": 20, "latent_dim": 3, "channels": (4, 4)}


def load(cfg: Config) -> tuple[data.Split, data.Split]:
    """Pictures, and what they were drawn by."""
    make = functools.partial(drawn.single, variation=PLAIN, noise=0.0)
    return tuple(_split(make, seed, num) for seed, num in ((21, cfg.num_train), (22, cfg.num_test)))


def _split(make, seed: int, num: int) -> data.Split:
    scenes = drawn.rendered(make, seed, num)
    box = scenes.box[:, 0]
    places = (box[:, 1] + box[:, 3]) / 2, (box[:, 0] + box[:, 2]) / 2, box[:, 2] - box[:, 0]
    bins = [np.searchsorted(np.quantile(place, np.arange(1, BINS) / BINS), place) for place in places]
    factors = np.stack([scenes.label[:, 0], scenes.colour[:, 0], *bins], 1).astype(np.int32)
    return data.Split({"image": scenes.image, "factors": factors})


def build(cfg: Config, loaded: tuple[data.Split, data.Split], axis: str | None) -> run.Experiment:
    """A VAE of rendered things, and what each of its latents says of each factor."""
    train, test = loaded
    seen, shape = pixels.dequantised(LEVELS), train.example_shape
    of = {"dtype": jnp.dtype(cfg.precision)}
    encoder = Gaussian(PictureEncoder(2 * cfg.latent_dim, shape, cfg.channels, **of))
    model = VAE(encoder, PictureDecoder(shape, cfg.channels, seen.num_outputs, **of))
    tx = optimizer.adam(**cfg.adam, shape=optimizer.cosine(cfg.num_steps))
    encode, decode = evaluation.coder(model, seen, shape)
    image = jnp.asarray(test.arrays["image"])
    x, factors = seen.observe(jax.random.key(0), image), jnp.asarray(test.arrays["factors"])

    def told(key, mean, log_std, factors):
        gap = disentanglement.information_gap(key, mean, log_std, factors)
        each = {f"gap_{name}": Mean.of(gap.gap[i]) for i, name in enumerate(FACTORS)}
        return {"mig": Mean.of(gap.score), **each, "share": gap.information / gap.entropy[None]}

    def information(columns, key, state):
        x, factors = columns
        return told(key, *model.bind(state.averaged).encode(x), factors)

    def components(columns, key, state):
        x, factors = columns
        found = principal.found(x, cfg.latent_dim)
        noise = (found.total - found.variance.sum()) / (x.shape[1] - cfg.latent_dim)
        code = principal.whiten(found, x)
        return told(key, code, jnp.broadcast_to(0.5 * jnp.log(noise / found.variance)[None], code.shape), factors)

    bound = full_pass(evaluation.bounds(model, seen.likelihood), data.padded(data.Split({"x": x}), 100), len(x))
    return run.Experiment(
        beta_vae(
            model,
            tx,
            likelihood=seen.likelihood,
            beta=cfg.beta,
            prepare=lambda key, b: seen.observe(key, b["image"]),
            axis=axis,
        ),
        data.shuffled(train, cfg.batch_size),
        probes={"test": bound},
        final={
            "information": Partial(information, (x, factors)),
            "components": Partial(components, (x, factors)),
            "perturbed": latents.perturbed(encode, decode, x),
            "straight": latents.straight(encode, decode, x[:12]),
        },
        offers={
            "model": model,
            "embed": run.Offer(
                lambda key, state, image: encode(state, seen.observe(key, image)), run.Images(shape), run.Cells()
            ),
        },
        figures=show.figures(
            bound=show.curves(
                {"test": "test/elbo", "training": "train/elbo"},
                y_label="nats per image",
                title="Bound on log p(x)",
                settled=0.25,
            ),
            perturbed=show.perturbed,
            straight=show.straight,
        ),
    )


if __name__ == "__main__":
    run.main(__name__)
