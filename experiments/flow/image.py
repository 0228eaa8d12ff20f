"""Handwritten digits by an exact likelihood: Glow, or RealNVP, at two scales, in bits a dimension.

Kingma & Dhariwal 2018, arXiv:1807.03039; by `--flow real_nvp` Dinh et al. 2017, arXiv:1605.08803; `--coupling` chooses
what a coupling does: adds (NICE), scales, or bends by splines. Grey levels are spread over their width, so the bits
bound those of the levels themselves. Digits have 17 levels: uniform is 4.09 bits, and no number here compares with one
of 256 levels. Beside it: one Gaussian of full covariance.

    python -m experiments.flow.image
    >>> pictures = run.load("runs/flow/image").sample(12)
    python -m experiments.flow.image --dataset mnist --num_levels 2 --num_layers 8

Expected on digits, three seeds: 2.147 bits, where one Gaussian has 2.94 and the VAE's bound is 2.62; under four minutes
for all three on 2 cores. MNIST, of 256 levels, wants a GPU: a reference of 1.10, not measured here.
"""

import functools
from dataclasses import dataclass
from typing import Literal

import jax.numpy as jnp

from adl import data, run, show
from adl.core import full_pass, optimizer
from adl.data.image import PROTOCOLS
from adl.flow import coupling, evaluation, glow, spline
from adl.flow.likelihood import Flow, flow, logit
from adl.latent import rows
from adl.measure.levels import known

ROWS, COLS = 6, 12  # of samples that are shown


@dataclass(frozen=True)
class Config(run.Averaged, run.Pictured, run.Parts, run.Config):
    """The default is the run that the claim is about."""

    dataset: str = "digits"  # TFDS name, or path, with "image"
    flow: Literal["glow", "real_nvp"] = "glow"  # layers of a scale
    coupling: Literal["additive", "affine", "spline"] = "affine"  # how numbers are moved
    num_steps: run.Count = 800
    batch_size: run.Count = 128
    eval_every: run.Count = 100
    levels: run.Natural = 0  # grey levels; 0: those of the pictures (digits 17, most 256)
    num_levels: run.Count = 2  # scales; both sides of pictures divide by 2 as often
    num_layers: run.Count = 6  # steps of Glow at each scale; RealNVP's are 6 couplings
    width: run.Count = 64  # channels of the couplings' networks
    num_bins: run.Count = 8  # pieces of a spline
    learning_rate: run.Positive = 1e-3  # of Adam, reached after 100 steps, before a cosine to 0
    ema: run.Rate = 0.995  # decay of the parameters' average, which is evaluated


CLAIMS = (
    run.Claim(
        **{"metric": "test/bits", "at_most": 2.17, "overrides": {"num_seeds": 3}},
        protocol=f"{PROTOCOLS['digits']}, as 17 levels plus U[0, 1); bits a dimension of the levels, 3 seeds",
        reference="in the run: each pixel alone 2.39, one Gaussian 2.94, ten 2.79, PPCA 3.53; the VAE's bound 2.62",
    ),
)
SMOKE = {
    **{"num_steps": 4, "batch_size": 16, "width": 4, "num_layers": 1, "num_levels": 1},
    **{"train_split": "train[:100]", "test_split": "test[:20]", "picture_size": "4x4", "picture_fit": "resize"},
}


def load(cfg: Config) -> tuple[data.Split, data.Split, dict[str, float]]:
    """Pictures to learn from and to test, and the bits of baselines."""
    train, test = data.splits(cfg.dataset, "image", of=cfg.parts, **cfg.source)
    data.image.require_different(train)
    least = 2 if cfg.flow == "real_nvp" else 1  # a checkerboard has two fields a side
    glow.require_halves(train.example_shape, cfg.num_levels, least=least)
    return train, test, rows.plain_bits(train, test, asked=cfg.levels)


def build(cfg: Config, loaded: tuple[data.Split, data.Split, dict[str, float]], axis: str | None) -> run.Experiment:
    """A flow of the data set's pictures, its bits a dimension, and what it draws."""
    train, test, bits = loaded
    levels = round(2 ** bits["uniform"])
    model, shape = network(cfg), train.example_shape
    spread = functools.partial(data.image.dequantised, levels=levels)
    judge = evaluation.in_bits(model, lambda key, batch: spread(key, batch["image"]), shape, num_levels=levels)
    tx = optimizer.adam(
        **cfg.adam, shape=optimizer.cosine(cfg.num_steps, warmup=min(100, cfg.num_steps // 10)), clip=10.0
    )
    draw = evaluation.sampled(model, shape, num=1)

    def pictures(key, learner):
        drawn = evaluation.sampled(model, shape, num=ROWS * COLS)(key, learner)
        return {"images": jnp.clip(drawn, 0, 1).reshape(ROWS, COLS, *shape)}

    return run.Experiment(
        flow(model, tx, prepare=lambda key, batch: spread(key, batch["image"]), axis=axis),
        data.shuffled(train, cfg.batch_size),
        probes={"test": full_pass(judge, data.padded(test, 500), len(test))},
        final={"samples": pictures, "baseline": known(bits)},
        offers={
            "model": model,
            "sample": run.Offer(lambda *of: jnp.clip(draw(*of)[0], 0, 1), run.Repeats(), run.Images(shape)),
        },
        figures=show.figures(
            bits=show.curves(
                {"flow": "test/bits"},
                **{"y_label": "bits a dimension", "title": f"Bound on the bits of {levels} grey levels"},
                references={f"{name} {{:.2f}}": value for name, value in bits.items()},
            ),
            samples=show.pictures("samples/images", title="Samples"),
        ),
    )


def network(cfg: Config) -> Flow:
    """The flow of that name, of numbers in [0, 1)."""
    if cfg.coupling == "spline":
        move = spline.spline_move(cfg.num_bins, 6.0)
    else:
        move = coupling.additive_move if cfg.coupling == "additive" else coupling.affine_move()
    net = glow.convolutional_network(cfg.width, jnp.dtype(cfg.precision))
    if cfg.flow == "glow":
        pictures = glow.glow(cfg.num_levels, cfg.num_layers, net, move=move)
    else:
        pictures = glow.real_nvp(cfg.num_levels, net, move=move)
    return Flow((logit(), pictures))


if __name__ == "__main__":
    run.main(__name__)
