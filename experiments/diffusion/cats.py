"""Random cats: drawn ones by default, photographs by name, beside those of probabilistic PCA.

The denoiser of EDM (Karras et al. 2022, arXiv:2206.00364), told no class. Samples are judged as those of all families
(`measure.samples`), and so are PPCA's, of the same pictures, and cats of the test split, which none need surpass.

    python -m experiments.diffusion.cats
    >>> pictures = run.load("runs/diffusion/cats").sample(12)
    python -m experiments.diffusion.cats --dataset cats_dogs_64 --only cat --data_dir FOLDER --patch 4
    python -m experiments.diffusion.cats --dataset ./my_cats --picture_size 64x64 --picture_fit crop --patch 4

Expected of drawn cats: of the data a nearest neighbour takes 0.50 for data, of the samples 0.53 for samples (0.5 each:
cannot be told apart), where PPCA has 0.71 and 0.37; Frechet distance in pixels 17.6 (PPCA 18.8, test pictures 13.2);
but PPCA is nearer in kernel distance, 0.007 against 0.012 in features of a random network, for it has the data's mean
and covariance. They are cats, with ears, bellies and tails, but speckled, few with eyes. 32 minutes on 2 busy cores.
"""

from dataclasses import dataclass
from typing import Annotated

import jax.numpy as jnp
import numpy as np
from jax import Array

from adl import data, run, show
from adl.core import BadInput, Key, Learner, Probe, full_pass, optimizer
from adl.data.classes import named_class
from adl.diffusion import evaluation, preconditioner, schedule
from adl.diffusion.denoising import Conditioned, untold
from adl.diffusion.edm import denoiser, edm
from adl.diffusion.solver import Denoiser
from adl.latent import baselines
from adl.measure.samples import judged_samples
from adl.measure.side_by_side import against
from adl.nn.embed import Conditioner
from adl.nn.unet import UNet, widths

COLS = 12  # pictures of a row
ROWS = ("samples", "nearest training picture", "PPCA", "test pictures")
WHO = ("diffusion", "PPCA", "test pictures")


@dataclass(frozen=True)
class Config(run.Averaged, run.Pictured, run.Parts, run.Config):
    """The default is the run that the claims are about."""

    dataset: str = "scenes/cats"  # TFDS name, or path, with "image"
    only: str = ""  # the class to keep, of data that have classes: cat, of cats_dogs_64; empty: all pictures
    num_steps: run.Count = 1600
    batch_size: run.Count = 64
    eval_every: run.Count = 400
    steps_per_call: run.Count = 10
    learning_rate: run.Positive = 0.02  # of Muon: the peak, after 100 steps, before a cosine to 0
    weight_decay: run.NonNegative = 0.0  # of kernels, times the learning rate
    width: run.Eights = 32  # channels at full resolution; twice as many after each halving
    num_blocks: run.Natural = 1  # residual blocks a resolution on the way down; one more on the way up
    patch: run.Count = 2  # pixels a side that are folded into the channels of one
    p_mean: run.Logarithm = 0.3  # mean of ln(sigma) in training; pixels are in [-1, 1], and colours drown late
    p_std: run.Positive = 1.6  # standard deviation of ln(sigma)
    sigma_min: Annotated[run.Positive, run.below("sigma_max")] = 0.01  # last noise level of the sampler before 0
    sigma_max: run.Positive = 80.0  # its first
    solver_steps: run.Count = 18  # of Heun, two network calls each
    num_samples: Annotated[run.Count, run.Range(low=COLS)] = 500  # and reference pictures; all, where there are fewer
    num_factors: run.Count = 64  # latents of PPCA


PROTOCOL = "scenes/cats, 500 samples and as many training pictures, one seed, averaged parameters; "
SHARE = "share of the {} whose nearest other picture is of them"
CLAIMS = tuple(
    run.Claim(f"samples/{name}", PROTOCOL + what, {}, *bounds, known)
    for name, what, bounds, known in (
        ("two_sample_data", SHARE.format("training pictures"), (0.45, 0.55), "0.5: the same; PPCA 0.71, test 0.46"),
        ("two_sample_samples", SHARE.format("samples"), (0.48, 0.58), "0.5: the same; PPCA 0.37, test 0.48"),
        ("gain_two_sample_data", "how much nearer to 0.5 the first is than PPCA's", (0.16, 0.5), "0: as far as PPCA's"),
        ("gain_two_sample_samples", "and how much nearer the second", (0.04, 0.5), "0: as far as PPCA's"),
    )
)
SMOKE = {
    **{"dataset": "scenes/cats_sample", "num_steps": 4, "batch_size": 8, "width": 8, "patch": 2, "num_samples": 16},
    **{"num_blocks": 0, "solver_steps": 2, "num_factors": 2, "picture_size": "8x8", "picture_fit": "resize"},
}


def load(cfg: Config) -> tuple[data.Split, data.Split, data.Split, Probe]:
    """Cats to learn from, some of them to judge by, as many to test, and what is said of these and of PPCA."""
    wanted = ("image", "label") if cfg.only else ("image",)
    train, test = data.splits(cfg.dataset, *wanted, of=cfg.parts, **cfg.source)
    if cfg.only:
        train, test = (named_class(split, cfg.only) for split in (train, test))
    num = min(cfg.num_samples, len(train), len(test))
    if num < COLS:
        raise BadInput(f"{len(train)} pictures to learn from, {len(test)} to test: {COLS} of each at least are wanted")
    few = train.first(num), test.first(num)
    return train, *few, baselines.beside_principal(train, *few, num_factors=cfg.num_factors, num_shown=COLS)


def build(cfg: Config, loaded: tuple, axis: str | None) -> run.Experiment:
    """A denoiser of cats, what a sampler makes of it, and the same of PPCA."""
    train, reference, test, plain = loaded
    shape = train.example_shape
    model = network(cfg, max(shape[:2]))
    scaled = preconditioner.karras(float(np.std(reference.column("image") / 127.5)))
    noise = {
        "preconditioner": scaled,
        "p_mean": cfg.p_mean,
        "p_std": cfg.p_std,
        "prepare": untold(data.image.symmetric),
    }

    def denoiser_of(learner: Learner, label: Array) -> Denoiser:
        return denoiser(model, learner.averaged, label, preconditioner=scaled)

    def one(key: Key, learner: Learner) -> Array:
        return sampler.draw(key, learner, jnp.zeros(1, int))[0]

    sigmas = schedule.karras(cfg.solver_steps, sigma_min=cfg.sigma_min, sigma_max=cfg.sigma_max)
    sampler = evaluation.Sampler(denoiser_of, sigmas, shape, data.image.from_symmetric)
    judge = evaluation.denoising_loss(denoiser_of, **noise)
    tx = optimizer.muon(**cfg.adam, shape=optimizer.cosine(cfg.num_steps, warmup=100))
    return run.Experiment(
        edm(model, tx, **noise, axis=axis),
        data.shuffled(train, cfg.batch_size),
        probes={"test": full_pass(judge, data.padded(test, 250), len(test))},
        final={
            "samples": against(judged_samples(sampler.draw, reference, num_shown=COLS), plain, "ppca"),
            "path": sampler.path((0, 0, 0)),
        },
        offers={"model": model, "sampler": sampler, "sample": run.Offer(one, run.Repeats(), run.Images(shape))},
        figures=show.figures(
            samples=show.of(show.image_grid, "samples/rows", row_labels=ROWS, title="Random cats"),
            numbers=show.beside_plain(WHO),
            path=show.denoising(("cat",)),
            loss=show.denoising_losses(),
        ),
    )


def network(cfg: Config, size: int) -> Conditioned:
    """A U-Net for pictures of this size, which attends at its lowest resolution."""
    channels, dtype = widths(cfg.width, -(-size // cfg.patch)), jnp.dtype(cfg.precision)
    look = {"attention": (len(channels) - 1,), "patch": cfg.patch}
    unet = UNet(channels, num_blocks=cfg.num_blocks, **look, dtype=dtype)
    return Conditioned(unet, Conditioner(0, cfg.width, dtype=dtype))


if __name__ == "__main__":
    run.main(__name__)
