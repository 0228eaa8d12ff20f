"""What a sample costs: the quality of digits out of noise by the number of evaluations of the network, by solver.

Ways from noise to data by a denoiser (EDM, Karras et al. 2022, arXiv:2206.00364): Euler's steps, which are DDIM's (Song
et al. 2021, arXiv:2010.02502), ancestral ones, DDPM's, Heun's, and Heun's with fresh noise; and by flow matching (Liu
et al. 2023, arXiv:2209.03003), which learns beside, Euler's at even times. Judged by Frechet distance in random
features, and both halves of the two-sample test, of as many samples as there are test pictures, which other hands
wrote; bars are over draws. Beside them training pictures, which no model need surpass, one Gaussian, and any run that
samples, by `--workdirs`. Milliseconds a picture, of all families: `python -m experiments.bench sampling`.

    python -m experiments.generative.cost
    >>> pictures = run.load("runs/generative/cost").sample([3, 1, 4])
    python -m experiments.generative.cost --ways even heun runge_kutta --evaluations 8 16 --workdirs gan=runs/gan/image

Measured on digits, one seed: Frechet distances 0.37, 0.32 and 0.31 by 4, 8 and 32 evaluations of flow matching, 0.54,
0.36 and 0.31 of Euler, 0.64, 0.47 and 0.36 of ancestral steps, 6.8, 0.77 and 0.31 of Heun, whose few steps are too
long, where training pictures have 0.34 and one Gaussian 0.58. Few evaluations are better spent on Euler's steps; they
blur, and are told by it: samples are taken for samples. 6 minutes on two busy CPU cores, 8.5 of processor time.
"""

import functools
from dataclasses import dataclass
from typing import Annotated, Literal

import jax.numpy as jnp
import numpy as np
from jax import Array

from adl import data, run, show
from adl.core import BadInput, PyTree, beside, optimizer
from adl.diffusion import cost, denoising, evaluation, preconditioner, process, schedule, solver, target
from adl.diffusion.solver import Denoiser
from adl.measure.pictures import random_features
from adl.nn.embed import Conditioner
from adl.nn.unet import UNet, widths
from adl.run import members

Way = Literal["euler", "even", "ancestral", "heun", "churned", "runge_kutta", "flow"]
WAYS = {  # what the page calls each; network and spacing of levels; solver, of the number of steps; evaluations a step
    "euler": ("Euler (DDIM)", "edm", "karras", lambda n: solver.euler, 1),
    "even": ("Euler, even times", "edm", "even", lambda n: solver.euler, 1),
    "ancestral": ("ancestral (DDPM)", "edm", "karras", lambda n: solver.ddim(1.0), 1),
    "heun": ("Heun", "edm", "karras", lambda n: solver.heun, 2),
    "churned": ("Heun, noised", "edm", "karras", lambda n: solver.churned(solver.heun, gamma=jnp.fmin(4 / n, 0.41)), 2),
    "runge_kutta": ("Runge-Kutta 4", "edm", "karras", lambda n: solver.runge_kutta, 4),
    "flow": ("flow matching, Euler", "flow", "even", lambda n: solver.euler, 1),
}
Loaded = tuple[data.Split, data.Split, dict[str, np.ndarray]]  # to learn, to test, and draws of what takes no solver


@dataclass(frozen=True)
class Config(run.Averaged, run.Pictured, run.Parts, run.Config):
    """The default is the run that the claims are about."""

    dataset: str = "digits"  # TFDS name, or path, with "image" and "label"
    num_steps: run.Count = 1500
    batch_size: run.Count = 128
    eval_every: run.Count = 500
    steps_per_call: run.Count = 10
    width: run.Eights = 32  # channels at full resolution; twice as many after each halving
    num_blocks: run.Natural = 1  # residual blocks a resolution on the way down; one more on the way up
    sigma_min: Annotated[run.Positive, run.below("sigma_max")] = 0.02  # last noise level of the sampler before 0
    sigma_max: run.Positive = 40.0  # its first
    ways: tuple[Way, ...] = ("euler", "ancestral", "heun", "churned", "flow")  # from noise to data
    evaluations: run.Settings = (4, 8, 16, 32)  # of the network a sample, each even and 4 or more
    num_draws: run.Several = 3  # of samples, by keys of their own
    num_samples: Annotated[run.Count, run.Range(low=3)] = 360  # a draw, and test pictures; all, where there are fewer
    workdirs: tuple[str, ...] = ()  # other runs that are judged beside, NAME=FOLDER


PROTOCOL = "digits, one seed, averaged parameters; Frechet distance of 360 samples from 360 test pictures, in random "
BOUNDS = {"flow_4": {"at_most": 0.43}, "heun_8": {"at_least": 0.6}, "heun_32": {"at_most": 0.37}}
CLAIMS = tuple(
    run.Claim(
        **{"metric": f"cost/{name}_frechet", **bound},
        protocol=PROTOCOL + "features, mean of 3 draws, by the way and its number of evaluations",
        reference="in the same run: as many training pictures 0.34, one Gaussian 0.58, four evaluations of Euler 0.54",
    )
    for name, bound in BOUNDS.items()
)
SMOKE = {
    **{"num_steps": 4, "batch_size": 16, "width": 8, "num_blocks": 0, "num_draws": 2, "num_samples": 16},
    **{"ways": ("heun", "flow"), "evaluations": (4, 6), "train_split": "train[:100]", "test_split": "test[:20]"},
    **{"picture_size": "7x7", "picture_fit": "resize"},
}


def load(cfg: Config) -> Loaded:
    """Pictures to learn from, as many test pictures as are drawn, and draws of what takes no evaluations."""
    train, test = data.splits(cfg.dataset, "image", "label", of=cfg.parts, **cfg.source)
    train, test = data.image.require_different(train), test.first(cfg.num_samples)
    if not cfg.ways or not cfg.evaluations:
        raise BadInput("--ways and --evaluations: one of each or more, or there is nothing to draw")
    if len(test) < 3:
        raise BadInput(f"--test_split {cfg.test_split}: {len(test)} pictures; samples are judged by 3 or more")
    drawn = cost.plain_draws(train.first(5000).column("image") / np.float32(255), cfg.num_draws, len(test))
    asked = {"dataset": cfg.dataset, **members.same_data(cfg)}
    for name, path in members.named_folders(cfg.workdirs, (*drawn, *WAYS)).items():
        member = members.given_member(path, asked=asked)
        drawn[name] = np.stack([member.sample(test.column("label"), key=10**6 * i) for i in range(cfg.num_draws)])
        if drawn[name].shape[2:] != (shape := train.example_shape):
            raise BadInput(f"{path}: samples {list(drawn[name].shape[2:])}; the pictures here are {list(shape)}")
    return train, test, drawn


def build(cfg: Config, loaded: Loaded, axis: str | None) -> run.Experiment:
    """Networks of the data set's pictures, and what each way makes of them at each cost."""
    train, test, others = loaded
    channels, shape = widths(cfg.width, train.example_shape[0]), train.example_shape
    unet = UNet(channels, num_blocks=cfg.num_blocks, attention=(len(channels) - 1,), dtype=jnp.dtype(cfg.precision))
    model = denoising.Conditioned(unet, Conditioner(train.num_classes, cfg.width, dtype=unet.dtype))
    scaled = target.preconditioned(preconditioner.karras(float(np.std(train.column("image") / 127.5))))
    kinds = {
        "edm": {"process": process.exploding, "target": scaled, "levels": denoising.log_normal(-0.2, 1.2)},
        "flow": {"process": process.straight, "target": target.velocity, "levels": denoising.uniform()},
    }
    sigmas = {
        "karras": functools.partial(schedule.karras, sigma_min=cfg.sigma_min, sigma_max=cfg.sigma_max),
        "even": functools.partial(schedule.even, process.straight, first=process.straight.time(cfg.sigma_max)),
    }
    tx = optimizer.adam(**cfg.adam, shape=optimizer.warm_up(100), clip=1.0)
    prepare = denoising.labelled(data.image.symmetric, num_classes=train.num_classes, label_dropout=0.0)

    def denoiser_of(name: str, state: PyTree, label: Array) -> Denoiser:
        of = {what: kinds[name][what] for what in ("process", "target")}
        return denoising.denoiser(model, state[name].averaged, label, **of)

    chosen = {way: WAYS[way] for way in cfg.ways}
    of = {name: functools.partial(denoiser_of, name) for name in sorted({name for _, name, *_ in chosen.values()})}
    learns = functools.partial(denoising.denoising, model, tx, prepare=prepare, axis=axis)
    ways = {way: cost.Way(of[name], sigmas[levels], *how) for way, (_, name, levels, *how) in chosen.items()}
    sampler = evaluation.Sampler(next(iter(of.values())), sigmas["karras"](18), shape, data.image.from_symmetric)
    judged = {"features": random_features(shape), "decode": data.image.from_symmetric, "evaluations": cfg.evaluations}
    titles, losses = {way: title for way, (title, *_) in chosen.items()}, {name: f"train/{name}_loss" for name in of}
    return run.Experiment(
        beside({name: learns(**kinds[name]) for name in of}),
        data.shuffled(train, cfg.batch_size),
        final={"cost": cost.by_evaluations(ways, test, others, **judged)},
        offers={"model": model, "sample": run.Offer.of_classes(sampler.draw, train)},
        figures=show.figures(
            quality=show.quality_by_cost("cost", titles, [*others], counts=cfg.evaluations),
            samples=show.samples_by_cost("cost", titles),
            loss=show.curves(losses, y_label="weighted error, each in its unit", title="Training loss"),
        ),
    )


if __name__ == "__main__":
    run.main(__name__)
