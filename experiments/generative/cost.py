"""What a sample costs: the quality of digits out of noise by the number of evaluations of the network, by solver.

One denoiser (EDM, Karras et al. 2022, arXiv:2206.00364), and the ways from noise to data: Euler's steps, which are
DDIM's (Song et al. 2021, arXiv:2010.02502), Heun's, and Heun's with fresh noise. Judged by Frechet distance in random
features, and by both halves of the two-sample test, of as many samples as there are test pictures, which other hands
wrote; error bars are over draws. Beside them training pictures, which no model need surpass, one Gaussian, and by
`--workdirs` any run that samples. Milliseconds a picture, of all families: `python -m experiments.bench sampling`.

    python -m experiments.generative.cost
    >>> pictures = run.load("runs/generative/cost").sample([3, 1, 4])
    python -m experiments.generative.cost --workdirs gan=runs/gan/image vae=runs/autoencoder/vae

Expected on digits, one seed: Frechet distances 0.54, 0.35 and 0.31 by 4, 8 and 32 evaluations of Euler, 7.1, 0.79 and
0.32 of Heun, whose few steps are too long, where training pictures have 0.34 and one Gaussian 0.58: few evaluations are
better spent on Euler's steps, and from 16 on all solvers reach what training pictures have. Euler's few steps blur, and
are told by it: samples are taken for samples. 5 minutes on two busy CPU cores.
"""

import functools
from dataclasses import dataclass
from typing import Annotated, Literal, get_args

import jax.numpy as jnp
import numpy as np
from jax import Array

from adl import data, run, show
from adl.core import BadInput, Learner, optimizer
from adl.diffusion import cost, evaluation, preconditioner, schedule, solver
from adl.diffusion.denoising import Conditioned, labelled
from adl.diffusion.edm import denoiser, edm
from adl.diffusion.solver import Denoiser
from adl.measure.pictures import random_features
from adl.nn.embed import Conditioner
from adl.nn.unet import UNet, widths
from adl.run import members

WAYS = {
    "euler": cost.Way(lambda num_steps: solver.euler, 1),
    "heun": cost.Way(lambda num_steps: solver.heun, 2),
    "churned": cost.Way(lambda num_steps: solver.churned(solver.heun, gamma=jnp.minimum(4 / num_steps, 0.41)), 2),
}
Loaded = tuple[data.Split, data.Split, dict[str, np.ndarray]]  # to learn, to test, and draws of what takes no solver
Ways = Literal["euler", "heun", "churned"]
TITLES = {"euler": "Euler (DDIM)", "heun": "Heun", "churned": "Heun, fresh noise"}


@dataclass(frozen=True)
class Config(run.Averaged, run.Pictured, run.Parts, run.Config):
    """The default is the run that the claims are about."""

    dataset: str = "digits"  # TFDS name, or path, with "image" and "label"
    num_steps: run.Count = 1500
    batch_size: run.Count = 128
    eval_every: run.Count = 500
    steps_per_call: run.Count = 10
    width: run.Eights = 32  # channels at full resolution; twice as many after each halving
    p_mean: run.Logarithm = -0.2  # mean of ln(sigma) in training; pixels are in [-1, 1]
    p_std: run.Positive = 1.2  # standard deviation of ln(sigma)
    sigma_min: Annotated[run.Positive, run.below("sigma_max")] = 0.02  # last noise level of the sampler before 0
    sigma_max: run.Positive = 40.0  # its first
    solvers: tuple[Ways, ...] = get_args(Ways)  # ways from noise to data
    evaluations: run.Widths = (4, 8, 16, 32)  # of the network a sample, each even and 4 or more
    num_draws: run.Several = 3  # of samples, by keys of their own
    num_samples: Annotated[run.Count, run.Range(low=3)] = 360  # a draw, and test pictures; all, where there are fewer
    workdirs: tuple[str, ...] = ()  # other runs that are judged beside, NAME=FOLDER


PROTOCOL = "digits, one seed, averaged parameters; Frechet distance of 360 samples from 360 test pictures, in random "
BOUNDS = {"euler_8": {"at_most": 0.42}, "heun_8": {"at_least": 0.6}, "heun_32": {"at_most": 0.37}}
CLAIMS = tuple(
    run.Claim(
        **{"metric": f"cost/{name}_frechet", **bound},
        protocol=PROTOCOL + "features, mean of 3 draws, by the solver and its number of evaluations",
        reference="in the same run: as many training pictures 0.34, one Gaussian 0.58",
    )
    for name, bound in BOUNDS.items()
)
SMOKE = {
    **{"num_steps": 4, "batch_size": 16, "width": 8, "num_draws": 2, "num_samples": 16},
    **{"solvers": ("heun",), "evaluations": (4, 6), "train_split": "train[:100]", "test_split": "test[:20]"},
    **{"picture_size": "7x7", "picture_fit": "resize"},
}


def load(cfg: Config) -> Loaded:
    """Pictures to learn from, as many test pictures as are drawn, and draws of what takes no evaluations."""
    train, test = data.splits(cfg.dataset, "image", "label", of=cfg.parts, **cfg.source)
    test, rng = test.first(cfg.num_samples), np.random.default_rng(0)
    if not cfg.solvers or not cfg.evaluations:
        raise BadInput("--solvers and --evaluations: one of each or more, or there is nothing to draw")
    if len(test) < 3:
        raise BadInput(f"--test_split {cfg.test_split}: {len(test)} pictures; samples are judged by 3 or more")
    image = train.first(5000).column("image") / np.float32(255)
    size, middle = (cfg.num_draws, len(test)), image.mean(0)
    # Of covariance that of the pictures, without forming it: a matrix of all pixels' pairs may be large.
    shares = rng.normal(size=(*size, len(image))).astype(np.float32) / np.sqrt(max(len(image) - 1, 1))
    gaussian = middle + np.tensordot(shares, image - middle, 1)
    drawn = {"training": image[rng.integers(len(image), size=size)], "gaussian": gaussian.clip(0, 1)}
    for name, path in members.named_folders(cfg.workdirs).items():
        if name in {*drawn, *WAYS}:
            raise BadInput(f"--workdirs {name}={path}: {name} is what the page calls another row")
        member = members.given_member(path, dataset=cfg.dataset)
        drawn[name] = np.stack([member.sample(test.column("label"), key=10**6 * i) for i in range(cfg.num_draws)])
        if drawn[name].shape[2:] != (shape := train.example_shape):
            raise BadInput(f"{path}: samples {list(drawn[name].shape[2:])}; the pictures here are {list(shape)}")
    return train, test, drawn


def build(cfg: Config, loaded: Loaded, axis: str | None) -> run.Experiment:
    """A denoiser of the data set's pictures, and what each way makes of it at each cost."""
    train, test, others = loaded
    channels, shape = widths(cfg.width, train.example_shape[0]), train.example_shape
    unet = UNet(channels, num_blocks=1, attention=(len(channels) - 1,), dtype=jnp.dtype(cfg.precision))
    model = Conditioned(unet, Conditioner(train.num_classes, cfg.width, dtype=unet.dtype))
    scaled = preconditioner.karras(float(np.std(train.column("image") / 127.5)))
    prepare = labelled(data.image.symmetric, num_classes=train.num_classes, label_dropout=0.0)
    levels = functools.partial(schedule.karras, sigma_min=cfg.sigma_min, sigma_max=cfg.sigma_max)

    def denoiser_of(learner: Learner, label: Array) -> Denoiser:
        return denoiser(model, learner.averaged, label, preconditioner=scaled)

    ways = {"evaluations": cfg.evaluations, "schedule": levels, "decode": data.image.from_symmetric}
    solvers, titles = ({name: of[name] for name in cfg.solvers} for of in (WAYS, TITLES))
    judge = cost.by_evaluations(denoiser_of, solvers, test, others, **ways, features=random_features(shape))
    sampler = evaluation.Sampler(denoiser_of, levels(18), shape, data.image.from_symmetric)
    tx = optimizer.adam(**cfg.adam, shape=optimizer.warm_up(100), clip=1.0)
    noise = {"preconditioner": scaled, "p_mean": cfg.p_mean, "p_std": cfg.p_std}
    return run.Experiment(
        edm(model, tx, **noise, prepare=prepare, axis=axis),
        data.shuffled(train, cfg.batch_size),
        final={"cost": judge},
        offers={"model": model, "sample": run.Offer.of_classes(sampler.draw, train)},
        figures=show.figures(
            quality=show.quality_by_cost("cost", titles, [*others], counts=cfg.evaluations),
            samples=show.samples_by_cost("cost", titles),
            loss=show.curves({"training": "train/loss"}, y_label="weighted denoising error", title="Denoising loss"),
        ),
    )


if __name__ == "__main__":
    run.main(__name__)
