"""Handwritten digits out of codes out of noise: a variational autoencoder first, then diffusion of what it codes.

Latent diffusion (Rombach et al. 2022, arXiv:2112.10752). The plain alternatives draw codes of the same autoencoder from
its own prior N(0, I), and from the one Gaussian that is nearest to the codes that training pictures have.

    python -m experiments.diffusion.latent
    >>> pictures = run.load("runs/diffusion/latent").sample(16)
    python -m experiments.diffusion.latent --dataset scenes/single --channels 32 64 --num_samples 1000

Expected on digits, one seed: Frechet distance on pixels 0.68, where codes from the prior come to 5.05 and from one
Gaussian to 0.81; of the data a nearest neighbour takes 0.87 for data, 0.99 and 0.95 of the others; samples are all
taken for samples (0.99 and more in all ways), for the decoder blurs. Under 4 minutes on 2 busy cores.
"""

from dataclasses import dataclass
from typing import Annotated

import jax
import jax.numpy as jnp
import numpy as np

from adl import data, run, show
from adl.autoencoder import evaluation, pixels, vae
from adl.autoencoder.convolutional import grid_vae, halvings
from adl.core import full_pass, optimizer
from adl.diffusion import edm, latent, preconditioner, schedule
from adl.diffusion.denoising import Conditioned
from adl.diffusion.evaluation import Sampler
from adl.measure import latents, samples
from adl.nn.embed import Conditioner
from adl.nn.unet import UNet, widths


@dataclass(frozen=True)
class Config(run.Averaged, run.Pictured, run.Parts, run.Config):
    """The default is the run that the claims are about; the denoiser's learning rate is reached after 100 steps."""

    dataset: str = "digits"  # TFDS name, or path, with "image"
    num_steps: run.Count = 3500
    code_steps: Annotated[run.Count, run.below("num_steps")] = 1500  # of those, the first, of the autoencoder
    batch_size: run.Count = 128
    eval_every: run.Count = 500
    steps_per_call: run.Count = 10
    levels: run.Natural = 0  # grey levels; 0: those of the pictures (digits 17, most 256)
    beta: run.NonNegative = 1.0  # weight of the KL divergence; less: sharper, and codes further from the prior
    channels: run.Widths = (32,)  # of the encoder's levels, each of which halves the picture; the decoder mirrors them
    code_dim: run.Count = 4  # numbers of each cell of the code
    width: run.Eights = 64  # channels of the denoiser at full resolution; twice as many after each halving
    num_blocks: run.Count = 1  # residual blocks a resolution
    ema: run.Rate = 0.995  # decay of the parameter averages, which are evaluated
    p_mean: run.Logarithm = -0.4  # mean of ln(sigma) in training; codes are of scale 1
    p_std: run.Positive = 1.2  # standard deviation of ln(sigma)
    sigma_min: Annotated[run.Positive, run.below("sigma_max")] = 0.02  # last noise level of the sampler before 0
    sigma_max: run.Positive = 40.0  # its first
    solver_steps: run.Count = 18  # of Heun, two network calls each
    num_samples: run.Count = 1437  # compared with as many training images; all, where there are fewer: 1,437 of digits


ELBO = {"test": "test/elbo", "training": "train/autoencoder_elbo"}
BOUND = show.curves(ELBO, y_label="nats per image", title="Bound on log p(x) of the autoencoder", settled=0.25)
SAMPLES = show.of(show.image_grid, "samples/grid", row_labels=(*latent.WAYS, "data"), title="Codes drawn, and decoded")
LOSS = show.curves({"train": "train/loss"}, y_label="weighted denoising error", title="Denoising loss of the codes")
PROTOCOL = {**samples.PROTOCOL, "frechet": "of as many samples and training images, pixels in [0, 1]"}
ELSE = "in the same run: of codes from the prior {}, from one Gaussian {}"
FOUND = {"frechet": (0.75, ELSE.format(5.05, 0.81)), "two_sample_data": (0.89, ELSE.format(0.994, 0.952))}
CLAIMS = tuple(
    run.Claim(f"samples/diffusion_{name}", f"digits, one seed; {PROTOCOL[name]}", {}, -np.inf, *found)
    for name, found in FOUND.items()
)
SMOKE = {
    **{"num_steps": 4, "code_steps": 2, "batch_size": 16, "channels": (4,), "code_dim": 1, "width": 8},
    **{"num_samples": 20, "solver_steps": 2, "train_split": "train[:100]", "test_split": "test[:20]"},
}


def load(cfg: Config) -> tuple[data.Split, data.Split, pixels.Pixels]:
    """Pictures to learn from; to test, seen once with a fixed key; and how they are seen."""
    train, test = data.splits(cfg.dataset, "image", of=cfg.parts, **cfg.source)
    seen, image = pixels.of_pictures(train, test, asked=cfg.levels), jnp.asarray(test.arrays["image"])
    return train, data.Split({"x": seen.observe(jax.random.key(0), image), "image": image}), seen


def build(cfg: Config, loaded: tuple[data.Split, data.Split, pixels.Pixels], axis: str | None) -> run.Experiment:
    """Both networks, the bound of the first, and pictures of codes that are drawn in three ways."""
    train, test, seen = loaded
    coder, network, grid = networks(cfg, train.example_shape, seen.num_outputs)
    reference, of = train.first(cfg.num_samples), {"preconditioner": preconditioner.karras(1.0)}

    def observed(key, batch):
        return seen.observe(key, batch["image"])

    def denoiser(learner, label):
        return edm.denoiser(network, learner.averaged, None, **of)

    first = optimizer.adam(**cfg.adam, shape=optimizer.cosine(cfg.code_steps))
    second = optimizer.adam(**cfg.adam, shape=optimizer.warm_up(100), clip=1.0)
    learns = {"likelihood": seen.likelihood, "beta": cfg.beta, "prepare": observed, "axis": axis}
    coding = vae.beta_vae(coder, first, **learns)
    denoising = edm.edm(network, second, **of, p_mean=cfg.p_mean, p_std=cfg.p_std, axis=axis)
    code, periods = evaluation.drawn_codes(coder, seen, grid), (cfg.code_steps, cfg.num_steps - cfg.code_steps)
    encode, decode = evaluation.coder(coder, seen, train.example_shape)
    sigmas = schedule.karras(cfg.solver_steps, sigma_min=cfg.sigma_min, sigma_max=cfg.sigma_max)
    codes = latent.Codes(code, decode, Sampler(denoiser, sigmas, grid))
    x, image = (test.arrays[name][:10] for name in ("x", "image"))
    bound = latent.of_autoencoder(evaluation.bounds(coder, seen.likelihood))
    again = latents.reconstructions(encode, decode, x, data.image.unit(image))
    draws = codes.ways({"image": reference.arrays["image"]})
    return run.Experiment(
        latent.latent_diffusion(coding, denoising, code=code, periods=periods, axis=axis),
        data.shuffled(train, cfg.batch_size),
        probes={"test": full_pass(bound, data.padded(test.require("x"), 500), len(test))},
        final={"samples": samples.judged_ways(draws, reference), "reconstruction": latent.of_autoencoder(again)},
        offers={"model": network, "sample": run.Offer(codes.one, run.Repeats(), run.Images(train.example_shape))},
        figures=show.figures(bound=BOUND, loss=LOSS, reconstruction=show.reconstructed, samples=SAMPLES),
    )


def networks(cfg: Config, shape: tuple[int, ...], num_outputs: int) -> tuple[vae.VAE, Conditioned, tuple[int, ...]]:
    """The autoencoder of pictures, the denoiser of its codes, and their shape."""
    dtype = jnp.dtype(cfg.precision)
    height, width = halvings(shape[:2], len(cfg.channels))[-1]
    channels = widths(cfg.width, height)
    unet = UNet(channels, num_blocks=cfg.num_blocks, attention=(len(channels) - 1,), dtype=dtype)
    coder = grid_vae(cfg.code_dim, cfg.channels, shape, num_outputs, dtype=dtype)
    return coder, Conditioned(unet, Conditioner(0, cfg.width, dtype=dtype)), (height, width, cfg.code_dim)


if __name__ == "__main__":
    run.main(__name__)
