"""Every family of generative models on one page: the same pictures, the same seconds, the same judges.

The commands of `--members` are started one after the other, each stopped when its seconds are over; their samples are
judged beside those of a Gaussian, PPCA and a mixture of Gaussians, and beside training pictures, which no model need
surpass. The reference is the test split: as many samples, of its classes where a model takes any. Likelihoods, exact or
bounds, are bits a dimension of so many grey levels: digits have 17, uniform is 4.09.

    python -m experiments.generative
    python -m experiments.generative --members --workdirs mine=runs/gan/image
    python -m experiments.generative --features runs/supervised/classify

Expected of the page, 15 minutes on 2 cores: bits a dimension 1.76 pixel by pixel, 2.16 by the flow, 2.62 by the VAE,
2.79 by ten Gaussians, 2.95 by one as drawn, 3.53 by PPCA. Frechet distance in random features 0.30 by the GAN, 0.31 by
diffusion and pixels (training pictures 0.32), 0.42 by the energy and ten Gaussians, 0.46 by the flow, 1.43 by the VAE.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Literal, NamedTuple, get_args

import jax
import jax.numpy as jnp
import numpy as np
from jax.tree_util import Partial

from adl import data, run, show
from adl.core import BadInput, Mean
from adl.latent import baselines
from adl.measure.pictures import random_features
from adl.measure.side_by_side import judged_together, training_pictures
from adl.run import folder, members

Family = Literal["vae", "flow", "pixel", "gan", "diffusion", "energy"]
MODULES = {name: f"experiments.{name}.image" for name in get_args(Family)} | {"vae": "experiments.autoencoder.vae"}
PLAIN = ("training", "gaussian", "ppca", "mixture")  # rows that are always there


@dataclass(frozen=True)
class Config(run.Pictured, run.Parts, run.Study):
    """The default is the whole page."""

    dataset: str = "digits"  # TFDS name, or path, with "image" and "label"
    members: tuple[Family, ...] = get_args(Family)  # families whose default command is run
    workdirs: tuple[str, ...] = ()  # further runs that are there, NAME=FOLDER
    seconds: run.Positive = 180.0  # of each member, after which it is told to stop
    features: str = "random"  # in which distances are taken, beside pixels: random, or the folder of a classifier's run
    num_samples: Annotated[run.Count, run.Range(low=4)] = 360  # and test pictures; all, where there are fewer
    num_factors: run.Count = 16  # latents of PPCA
    num_components: run.Count = 10  # of the mixture of Gaussians


ROWS = f"{data.image.PROTOCOLS['digits']}; bits a dimension, at most, of 17 levels by ten Gaussians"
PAGE = "digits, the page: one seed, 180 s a member at most; bits a dimension, or a bound on them, of 17 levels"
MOST = {"pixel": 1.8, "flow": 2.22, "vae": 2.67}
CLAIMS = (
    run.Claim("compare/mixture_bits", ROWS, {"members": ()}, at_most=2.82, reference="one Gaussian 2.95, PPCA 3.53"),
    *(run.Claim(f"compare/{name}_bits", PAGE, {}, -np.inf, most, "mixture 2.79", True) for name, most in MOST.items()),
)
SMOKE = {"members": (), "num_samples": 24, "train_split": "train[:100]", "test_split": "test[:24]", "num_components": 2}


class Row(NamedTuple):
    """What is said of a model before it is judged."""

    pictures: np.ndarray  # [N, H, W, C] in [0, 1]
    bits: float = np.nan  # a dimension of test pictures; nan: it has no likelihood
    seconds: float = np.nan  # nan: not measured here
    has_classes: bool = False  # whether it drew what it was asked for


class Loaded(NamedTuple):
    """Pictures, the rows of the page, and what judges them."""

    train: data.Split
    test: data.Split  # of as many pictures as there are samples
    levels: int  # of grey
    rows: dict[str, Row]
    features: Callable[[jax.Array], jax.Array]  # pictures [B, H, W, C] in [0, 1] -> [B, D]


def load(cfg: Config) -> Loaded:
    """Members are run, and baselines fitted."""
    train, test = data.splits(cfg.dataset, "image", "label", of=cfg.parts, **cfg.source)
    levels, test = data.image.num_levels(data.image.require_different(train), test), test.first(cfg.num_samples)
    if len(test) < 4:
        raise BadInput(f"--test_split {cfg.test_split}: {len(test)} pictures; samples are judged by 4 or more")
    is_random, given = cfg.features == "random", members.named_folders(cfg.workdirs, (*PLAIN, *cfg.members))
    features = random_features(test.example_shape) if is_random else members.outside_features(cfg.features)
    asked = members.same_data(cfg)
    found = {name: members.given_member(path, asked={"dataset": cfg.dataset, **asked}) for name, path in given.items()}
    if cfg.members:
        home = members.place(folder.chosen(cfg, "generative.compare"), asked, cfg.seconds)
        found |= {n: members.started_member(MODULES[n], home / n, asked, seconds=cfg.seconds) for n in cfg.members}
    rows = plain_rows(cfg, train, test, levels)
    return Loaded(train, test, levels, rows | {name: row(one, test, levels) for name, one in found.items()}, features)


def plain_rows(cfg: Config, train: data.Split, test: data.Split, levels: int) -> dict[str, Row]:
    """Training pictures of the same classes, and the baselines."""
    image, key = train.arrays["image"], jax.random.key(cfg.seed)
    rows = {"training": Row(training_pictures(train, test.arrays["label"], seed=cfg.seed), has_classes=True)}
    size = {"num_factors": cfg.num_factors, "num_components": cfg.num_components, "seed": cfg.seed}
    densities = baselines.picture_densities(image, levels=levels, **size)
    bits = baselines.bits_of(densities, test.arrays["image"], levels=levels)
    for name, density in densities.items():
        drawn = baselines.drawn_pictures(key, density, len(test), image, levels=levels)
        rows[name] = Row(np.asarray(drawn), float(bits[name]))
    return rows


def row(member: members.Member, test: data.Split, levels: int) -> Row:
    """What a run drew, and its likelihood: in bits, or as a bound in nats a picture of dequantised pixels."""
    shape = test.example_shape
    is_bound = getattr(member.trained.config, "pixels", "") == "dequantised"
    theirs = (member.trained.config.levels or levels) if is_bound else member.last("test/levels")
    bits = -member.last("test/elbo") / (np.prod(shape) * np.log(2)) if is_bound else member.last("test/bits")
    if np.isfinite(bits) and theirs != levels:
        raise BadInput(f"{member.trained.folder}: bits of {theirs:g} levels; here are {levels}")
    drawn = member.sample(test.arrays["label"])
    if drawn.shape[1:] != shape:
        raise BadInput(f"{member.trained.folder}: samples {list(drawn.shape[1:])}; the pictures here are {list(shape)}")
    return Row(drawn, bits, member.seconds, member.has_classes())


def build(cfg: Config, loaded: Loaded, axis: str | None) -> run.Experiment:
    """The page."""
    rows, names = loaded.rows, [*loaded.rows]
    drawn = {name: row.pictures for name, row in rows.items()}
    together = judged_together(drawn, loaded.test, loaded.train, features={"features": loaded.features})
    known = {name: np.array([getattr(row, name) for row in rows.values()]) for name in ("bits", "seconds")}
    asked = np.array([row.has_classes for row in rows.values()])

    def compare(together, key, state):
        told = together(key, state)
        told["class_accuracy"] = jnp.where(asked, told["class_accuracy"], jnp.nan)
        free = {f"{name}_class_accuracy" for name, row in rows.items() if not row.has_classes}
        pairs = {f"{name}_{what}": getattr(row, what) for name, row in rows.items() for what in known}
        finite = {name: Mean.of(value) for name, value in pairs.items() if np.isfinite(value)}
        return {what: value for what, value in told.items() if what not in free} | finite

    labels = {f"bits a dimension, {loaded.levels} levels\n(uniform: {np.log2(loaded.levels):.2f})": known["bits"]}
    numbers = show.compared_numbers(names, labels | {"seconds": known["seconds"]})
    return run.Experiment(
        final={"compare": Partial(compare, together)},
        figures=show.figures(samples=show.compared_samples(names), numbers=numbers),
    )


if __name__ == "__main__":
    run.main(__name__)
