"""Handwritten digits in black and white by a restricted Boltzmann machine, whose likelihood is exact.

Persistent contrastive divergence (Tieleman 2008, ICML), or contrastive divergence (Hinton 2002, Neural Computation
14(8)) by --method contrastive. So few hidden units have a partition function that is summed by brute force; beside it
stands what annealing estimates (Salakhutdinov & Murray 2008, ICML), which is all that there is of larger machines.

    python -m experiments.energy.rbm --num_seeds 3
    >>> pictures = run.load("runs/energy/rbm").sample(16)
    python -m experiments.energy.rbm --method contrastive
    python -m experiments.energy.rbm --num_hidden 200

Expected: 17.92 nats a test picture, mean of three seeds, where a mixture of ten Bernoullis has 19.78 and each pixel
alone 24.80; annealing is within 0.05 nats of the partition function. A quarter of a minute a seed on 2 cores.
"""

from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np

from adl import data, run, show
from adl.core import optimizer
from adl.data.image import PROTOCOLS
from adl.energy import rbm
from adl.energy.contrastive_divergence import Points, contrastive_divergence, persistent_contrastive_divergence
from adl.energy.machine import Machine, coins
from adl.measure.levels import independent_bits, known

COLS = 10  # pictures in a row


@dataclass(frozen=True)
class Config(run.Averaged, run.Pictured, run.Parts, run.Config):
    """The default is the run that the claims are about."""

    dataset: str = "digits"  # TFDS name, or path, with "image"
    num_steps: run.Count = 6000
    batch_size: run.Count = 128
    steps_per_call: run.Count = 20
    eval_every: run.Count = 1000
    checkpoint_every: run.Count = 2000
    method: Literal["persistent", "contrastive"] = "persistent"  # chains go on, or start at the data at each step
    num_hidden: run.Count = 20  # hidden units; up to 20 the likelihood is exact, beyond it is estimated at the end
    num_gibbs: run.Count = 5  # times that both layers of a chain are drawn a step
    num_chains: run.Split = 1024  # of the persistent method, split over devices
    learning_rate: run.Positive = 1e-2  # of Adam at the start, before a cosine to 0
    ema: run.Rate = 0.998  # decay of the parameter average, which is evaluated
    threshold: run.Fraction = 0.5  # of grey levels in [0, 1], from which on a pixel is white
    num_annealed: run.Count = 200  # annealed chains of the final estimate
    num_temperatures: run.Count = 500  # through which each goes
    sample_steps: run.Count = 1000  # of Gibbs, from coins to a picture


TEST = f"{PROTOCOLS['digits']}, white from 0.5 on; persistent chains, averaged parameters"
SEEDS = {"num_seeds": 3}
CLAIMS = (
    run.Claim(
        **{"metric": "test/nll", "overrides": SEEDS, "at_most": 17.98},
        protocol=f"{TEST}; exact, nats a test picture, mean of 3 seeds",
        reference="ten Bernoullis mixed 19.78, each pixel alone 24.80",
    ),
    run.Claim(
        **{"metric": "annealed/gap", "overrides": SEEDS, "at_least": -0.15, "at_most": 0.15, "reduce": "worst"},
        protocol=f"{TEST}; log-partition by 200 chains at 500 temperatures less the exact one, nats; the worst of 3",
        reference="0: brute force, over all 2^20 states of the hidden layer",
    ),
)
SMOKE = {"num_steps": 4, "batch_size": 16, "num_hidden": 3, "num_chains": 32, "num_temperatures": 4, "sample_steps": 3}


class Loaded(NamedTuple):
    """Pictures in white (1) and black (0)."""

    train: data.Split  # "x" [N, D]
    test: data.Split  # "x" [M, D]
    shape: tuple[int, ...]  # (H, W, C)
    alone: float  # nats a test picture of pixels that know nothing of each other


def load(cfg: Config) -> Loaded:
    """Both splits by the threshold."""
    splits = data.splits(cfg.dataset, "image", of=cfg.parts, **cfg.source)
    data.image.require_different(splits[0])
    flat = [data.image.flat(split, data.image.binary(split.arrays["image"], cfg.threshold)) for split in splits]
    train, test = (split.require("x") for split in flat)
    levels, dim = [split.arrays["x"].astype(int) for split in (train, test)], train.arrays["x"].shape[1]
    alone = independent_bits(*levels, num_levels=2) * dim * np.log(2)
    return Loaded(train, test, splits[1].example_shape, float(alone))


def build(cfg: Config, loaded: Loaded, axis: str | None) -> run.Experiment:
    """A machine, how likely it finds test pictures, and what its chains draw."""
    train, test, shape, alone = loaded
    model, dim = rbm.RBM(cfg.num_hidden), train.arrays["x"].shape[1]
    tx = optimizer.adam(**cfg.adam, shape=optimizer.cosine(cfg.num_steps))
    of = {"sampler": rbm.block_gibbs(cfg.num_gibbs), "prepare": lambda key, batch: Points(batch["x"]), "axis": axis}
    if cfg.method == "persistent":
        algorithm = persistent_contrastive_divergence(model, tx, num_chains=cfg.num_chains, noise=coins, **of)
    else:
        algorithm = contrastive_divergence(model, tx, **of)
    is_exact = min(cfg.num_hidden, dim) <= rbm.ENUMERATED
    machine, x = Machine(model, shape, cfg.sample_steps), test.arrays["x"]
    how = {"num_chains": cfg.num_annealed, "num_temperatures": cfg.num_temperatures}
    cols = min(COLS, len(x))
    beside = x[: cols * min(2, len(x) // cols)].reshape(-1, cols, *shape)
    curve = {"y_label": "−log p(x) (nats a picture)", "title": "Negative log-likelihood, by brute force"}
    curve["references"] = {"each pixel alone {:.2f}": alone}
    energies = {"data": "train/data_energy", "chains": "train/sample_energy"}
    return run.Experiment(
        algorithm,
        data.shuffled(train, cfg.batch_size),
        probes={"test": machine.exact(x)} if is_exact else {},
        final={
            "annealed": machine.annealed(x, train.arrays["x"].mean(0), **how),
            "samples": machine.samples(beside),
            "baseline": known({"nll": alone}),
        },
        offers={"model": model, "sample": run.Offer(machine.draw, run.Repeats(), run.Images(shape))},
        figures=show.figures(
            **({"likelihood": show.curves({"test pictures": "test/nll"}, **curve)} if is_exact else {}),
            energy=show.curves(energies, y_label="F(v) (nats)", title="Free energies in training"),
            samples=show.of(show.beside_data, "samples/drawn", "samples/data", title="Pictures that the machine draws"),
        ),
    )


if __name__ == "__main__":
    run.main(__name__)
