"""Handwritten digits by two levels of codes: a ladder beside the plain way, and one level and its encoder's loss.

Sønderby et al. 2016, arXiv:1602.02282. Grey levels are filled up by U[0, 1); bounds are in nats per image. Of one level
of as many latents the amortisation gap is told, what the encoder loses against each test picture's own best Gaussian
(Cremer et al. 2018, arXiv:1801.03558). All learn on the same batches.

    python -m experiments.autoencoder.hierarchical
    >>> pictures = run.load("runs/autoencoder/hierarchical").sample(16)

Expected, three seeds: a bound of -114.2 of two levels the plain way, -116.8 by the ladder, whose divergence is the
smaller one, and -116.6 of one level, whose encoder loses 2.8 of them. Each pixel alone, as 17 categories, has -106.1:
a Gaussian pays for the borders that never change. A minute and a half on 2 cores.
"""

from dataclasses import dataclass
from typing import Annotated, Literal

import jax
import jax.numpy as jnp
from flax import linen as nn

from adl import data, run, show
from adl.autoencoder import evaluation, gap, pixels
from adl.autoencoder.hierarchical import TwoLevels, two_levels
from adl.autoencoder.vae import VAE, perceptrons, vae
from adl.core import BadInput, Probe, beside, full_pass, optimizer, probe
from adl.data.image import PROTOCOLS
from adl.latent import rows

NAMES = {"ladder": "two levels, ladder", "plain": "two levels, plain", "one": "one level"}


@dataclass(frozen=True)
class Config(run.Averaged, run.Pictured, run.Parts, run.Config):
    """The default is the run that the claims are about."""

    dataset: str = "digits"  # TFDS name, or path, with "image"
    num_steps: run.Count = 2000
    batch_size: run.Count = 128
    eval_every: run.Count = 500
    levels: run.Natural = 0  # grey levels; 0: those of the pictures (digits 17, most 256)
    models: tuple[Literal["ladder", "plain", "one"], ...] = ("ladder", "plain", "one")  # which learn
    latent_dim: run.Count = 10  # of the low level, or of the one that there is
    high_dim: run.Count = 5  # of the high level
    hidden: run.Widths = (256, 256)  # widths of the encoder's hidden layers, one or more; the decoder mirrors them
    ema: run.Rate = 0.995  # decay of the parameter average, which is evaluated
    num_importance_samples: Annotated[run.Count, run.multiple_of(50)] = 500  # latents of the final bound
    num_gap_steps: run.Count = 300  # of Adam, to each test picture's own Gaussian
    num_gap_pictures: run.Count = 100  # test pictures whose gap is told, first ones


OF = f"{PROTOCOLS['digits']}, as 17 levels plus U[0, 1); nats an image, mean of 3 seeds"
SEEDS = {"num_seeds": 3}
ELSE = "in the same run: one level of 10 -116.6, one Gaussian -130.5, each pixel alone -106.1"
GAP = f"{OF}; of one level, the first 100 test pictures, 300 steps of Adam to each one's Gaussian"
CLAIMS = (
    run.Claim("plain/elbo", f"{OF}; sampled bound, 10 and 5 latents", SEEDS, at_least=-115.0, reference=ELSE),
    run.Claim("gap/gap", GAP, SEEDS, at_least=2.5, reference="an encoder that is as good as descent: 0"),
)
SMOKE = {
    **{"num_steps": 4, "batch_size": 16, "hidden": (16,), "latent_dim": 3, "high_dim": 2, "models": ("ladder", "one")},
    **{"num_importance_samples": 50, "num_gap_steps": 2, "num_gap_pictures": 10},
    **{"train_split": "train[:100]", "test_split": "test[:50]"},
}


Loaded = tuple[data.Split, data.Split, pixels.Pixels, Probe]  # the last of bounds that need no network


def load(cfg: Config) -> Loaded:
    """Pictures to learn from; to test, seen once with a fixed key; how they are seen; and bounds without a network."""
    if not cfg.hidden:
        raise BadInput("--hidden: at least one layer, whose width the ways between the levels have")
    if not cfg.models or len({*cfg.models}) < len(cfg.models):
        raise BadInput(f"--models {' '.join(cfg.models)}: at least one, and each once")
    train, test = data.splits(cfg.dataset, "image", of=cfg.parts, **cfg.source)
    seen = pixels.of_pictures(train, test, asked=cfg.levels)
    x = data.Split({"x": seen.observe(jax.random.key(0), jnp.asarray(test.arrays["image"]))})
    return train, x, seen, rows.plain_bounds(train, test, asked=cfg.levels)


def build(cfg: Config, loaded: Loaded, axis: str | None) -> run.Experiment:
    """Each model, its bounds on the test split, and what one encoder for all pictures costs."""
    train, test, seen, plain = loaded
    shape = train.example_shape
    models = {name: network(cfg, name, test.arrays["x"].shape[1] * seen.num_outputs) for name in cfg.models}
    tx = optimizer.adam(**cfg.adam, shape=optimizer.cosine(cfg.num_steps))
    more = {"likelihood": seen.likelihood, "axis": axis, "prepare": lambda key, b: seen.observe(key, b["image"])}

    def each(make, split, batch_size, names):
        batches = data.padded(split, batch_size)
        return {name: probe.of_one(name, full_pass(make(models[name]), batches, len(split))) for name in names}

    def draw(key, state):
        name, model = next(iter(models.items()))
        bound = model.bind(state[name].averaged)
        size = cfg.latent_dim if name == "one" else cfg.high_dim
        return seen.mean(bound.decode(bound.prior().sample(key, (1, size)))).reshape(shape)

    many = cfg.num_importance_samples
    gaps = {}
    if "one" in models:
        few, own = test.first(cfg.num_gap_pictures), {"num_steps": cfg.num_gap_steps}
        gaps = each(lambda model: gap.amortisation(model, seen.likelihood, **own), few, 50, ("one",))
    nlls = each(lambda model: evaluation.importance(model, seen.likelihood, num_samples=many), test, 20, models)
    last = {"baseline": plain} | ({"gap": gaps["one"]} if gaps else {})
    return run.Experiment(
        beside({name: vae(model, tx, **more) for name, model in models.items()}),
        data.shuffled(train, cfg.batch_size),
        probes=each(lambda model: evaluation.bounds(model, seen.likelihood), test, 500, models),
        final={f"{name}_importance": nll for name, nll in nlls.items()} | last,
        offers={**models, "sample": run.Offer(draw, run.Repeats(), run.Images(shape))},  # of the first model
        figures=show.figures(
            bound=show.curves(
                {NAMES[name]: f"{name}/elbo" for name in models},
                **{"y_label": "nats per image", "title": "Bound on log p(x), test pictures", "settled": 0.25},
            )
        ),
    )


def network(cfg: Config, name: str, num_outputs: int) -> VAE | TwoLevels:
    """Perceptrons around one level of codes, or two."""
    if name == "one":
        return perceptrons(cfg.latent_dim, cfg.hidden, num_outputs, nn.silu, jnp.dtype(cfg.precision))
    more = {"inference": name, "dtype": jnp.dtype(cfg.precision)}
    return two_levels((cfg.latent_dim, cfg.high_dim), cfg.hidden, num_outputs, **more)


if __name__ == "__main__":
    run.main(__name__)
