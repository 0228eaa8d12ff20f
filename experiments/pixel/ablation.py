"""Networks that tell pixels one after the other, at one budget: as many parameters, the same batches, as many steps.

A masked perceptron (Germain et al. 2015, arXiv:1502.03509), PixelCNN (van den Oord et al. 2016, arXiv:1601.06759), the
gated one (arXiv:1606.05328), and a transformer over pixels (Chen et al. 2020, ICML), each as wide as the budget lets it
be. Bits a dimension are exact, of pictures with so many grey levels: digits have 17, of which uniform noise takes 4.09.

    python -m experiments.pixel.ablation --num_seeds 3
    >>> pictures = run.load("runs/pixel/ablation").sample(3)
    python -m experiments.pixel.ablation --sweep num_parameters=20000,66000

Expected on digits, means of 3 seeds, 66,000 parameters (the transformer's width allows for 53,000) and 800 steps: 1.825
bits by PixelCNN, 1.826 gated, 1.95 by the transformer, 2.29 by MADE; each pixel alone takes 2.39, one Gaussian up to
2.94. That rows above to the right are out of PixelCNN's sight does not show here. Six minutes for all three on 2 busy
cores.
"""

from dataclasses import dataclass
from typing import NamedTuple

import jax.numpy as jnp
from flax import linen as nn

from adl import data, run, show
from adl.core import BadInput, beside, full_pass, optimizer
from adl.data.image import PROTOCOLS
from adl.latent import rows
from adl.measure.levels import known
from adl.pixel import evaluation
from adl.pixel.likelihood import categories
from adl.pixel.networks import OPTIONS, Kind, num_weights, of_size
from adl.pixel.raster import pixelwise


@dataclass(frozen=True)
class Config(run.Averaged, run.Pictured, run.Parts, run.Config):
    """The default is a run of the claims, of one seed."""

    dataset: str = "digits"  # TFDS name, or path, with "image"
    networks: tuple[Kind, ...] = ("made", "pixelcnn", "transformer", "gated")  # which are compared
    num_parameters: run.Count = 66_000  # that each may have, and of which it has as many as its width lets it
    num_steps: run.Count = 800
    batch_size: run.Count = 64
    eval_every: run.Count = 100
    learning_rate: run.Positive = 2e-3  # of Adam, the highest, before a cosine to 0
    num_layers: run.Count = 4  # convolutions, blocks; a MADE has two hidden layers
    dropout: run.Rate = 0.2  # of what layers make; a MADE has none
    ema: run.Rate = 0.99  # decay of the parameter average, which is evaluated


BOUNDS = {"made": 2.31, "pixelcnn": 1.832, "transformer": 1.98, "gated": 1.83}
CLAIMS = tuple(
    run.Claim(
        **{"metric": f"test/{name}_bits", "at_most": bound, "overrides": {"num_seeds": 3}},
        protocol=f"{PROTOCOLS['digits']}; exact bits a dimension of 17 levels, mean of 3 seeds of 800 steps, averaged "
        "parameters, of which there are at most 66,000",
        reference="in the same run: uniform 4.09, one Gaussian 2.94, ten 2.79, PPCA 3.53, each pixel alone 2.39",
    )
    for name, bound in BOUNDS.items()
)
SMOKE = {
    **{"num_steps": 4, "batch_size": 16, "networks": ("made", "pixelcnn"), "num_parameters": 4000, "num_layers": 1},
    **{"train_split": "train[:100]", "test_split": "test[:20]"},
}


class Loaded(NamedTuple):
    """Both splits, the networks, and what is known of the data before."""

    train: data.Split
    test: data.Split
    models: dict[str, nn.Module]
    bits: dict[str, float]  # a dimension, of baselines


def load(cfg: Config) -> Loaded:
    """Pictures, and networks of the budget's size."""
    if not cfg.networks:
        raise BadInput(f"--networks: at least one of {', '.join(OPTIONS)}")
    train, test = data.splits(cfg.dataset, "image", of=cfg.parts, **cfg.source)
    levels = data.image.num_levels(data.image.require_different(train), test)
    taken = {option for name in cfg.networks for option in OPTIONS[name]} & {"num_layers", "dropout"}
    of = {"num_levels": levels, "num_outputs": levels, "dtype": jnp.dtype(cfg.precision)}
    of |= {option: getattr(cfg, option) for option in taken}
    models = {name: of_size(name, train.example_shape, cfg.num_parameters, **of) for name in cfg.networks}
    return Loaded(train, test, models, rows.plain_bits(train, test))


def build(cfg: Config, loaded: Loaded, axis: str | None) -> run.Experiment:
    """All networks on the same batches, their bits on the test split, and pictures by the last."""
    train, test, models, bits = loaded
    told, shape = categories(round(2 ** bits["uniform"])), train.example_shape
    tx = optimizer.adam(**cfg.adam, shape=optimizer.cosine(cfg.num_steps), clip=1.0)

    def prepare(key, batch):
        return (data.image.level_of(batch["image"], levels=told.num_levels),)

    judges = {name: evaluation.picture_bits(model, told, prepare) for name, model in models.items()}

    def measure(key, state, batch):
        return {f"{name}_bits": judge(key, state[name], batch)["bits"] for name, judge in judges.items()}

    painter = evaluation.Painter(models[cfg.networks[-1]], told, shape)

    def draw(key, state):
        return painter.one(key, state[cfg.networks[-1]])

    return run.Experiment(
        beside({n: pixelwise(m, tx, likelihood=told, prepare=prepare, axis=axis) for n, m in models.items()}),
        data.shuffled(train, cfg.batch_size),
        probes={"test": full_pass(measure, data.padded(test, evaluation.pictures_at_once(told, shape)), len(test))},
        final={
            "baseline": known(bits),
            "parameters": known({name: num_weights(model) for name, model in models.items()}),
        },
        offers={"sample": run.Offer(draw, run.Repeats(), run.Images(shape))},  # of the last network
        figures=show.figures(
            bits=show.curves(
                {name: f"test/{name}_bits" for name in models},
                **{"y_label": f"bits a dimension, {told.num_levels} levels", "settled": 0.25},
                title=f"Networks of at most {cfg.num_parameters:,} parameters",
                references={f"{name} {{:.2f}}": bits[name] for name in ("independent", "gaussian") if name in bits},
            ),
        ),
    )


if __name__ == "__main__":
    run.main(__name__)
