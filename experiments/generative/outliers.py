"""What plain models hold for no digit: a digit that training never showed, digits that are turned, other pictures.

Each class is left out of training in turn, and found among the test pictures by scores of `adl.latent.novelty`; and
models of all classes are shown test pictures turned, inverted, scrambled and blended, and `--others` by name. Areas
under the ROC: 1/2 is chance, and below it strangers look more like digits than digits do.

    python -m experiments.generative.outliers
    python -m experiments.generative.outliers --dataset mnist --others not_mnist --num_train 5000

Expected on digits, means of three seeds: of a class left out 0.952 by a mixture and 0.957 by its likelihood ratio, 0.79
to 0.82 by one Gaussian, PPCA or the error of 16 components, 0.966 by the nearest picture that is known, 0.50 by
brightness. Turned and inverted all but brightness see (1.00). Means of four pictures are likelier than digits to plain
likelihoods (0.004 by one Gaussian, 0.50 by the mixture): the ratio has 0.75. Half a minute on 2 cores.
"""

from dataclasses import dataclass

import jax
import jax.numpy as jnp
from jax.tree_util import Partial

from adl import data, run, show
from adl.latent import novelty
from adl.latent.unfamiliar import Unfamiliar, unfamiliar
from adl.measure.outliers import left_out_areas


@dataclass(frozen=True)
class Config(run.Pictured, run.Parts, run.Study):
    """The default is the study that the claims are about."""

    dataset: str = "digits"  # TFDS name, or path, with "image" and "label"
    others: str = ""  # TFDS name, or path, of further strangers, with "image" of the same shape; empty: none
    num_train: run.Count = 5000  # pictures to learn from; all, where there are fewer
    num_test: run.Count = 2000  # to test; all, where there are fewer
    num_factors: run.Count = 16  # principal components, and latents of PPCA
    num_components: run.Count = 10  # of the mixture of Gaussians


PROTOCOL = f"{data.image.PROTOCOLS['digits']}; area under the ROC, mean of 3 seeds"
BOUNDS = {  # of a metric, with what it is, and what others have there
    "left_out_mixture": (
        {"at_least": 0.948},
        "each digit left out of learning in its turn, by a mixture of ten Gaussians; mean of the ten",
        "one Gaussian 0.79, the error of 16 components 0.81, the nearest picture known 0.966, brightness 0.50",
    ),
    "blended_ratio": (
        {"at_least": 0.735},
        "means of four pictures, by the mixture's likelihood over that of pixels alone",
        "the mixture's likelihood itself 0.50",
    ),
    "blended_gaussian": (
        {"at_most": 0.01},
        "means of four pictures, by a Gaussian's likelihood: they are likelier than digits",
        "0.5: chance",
    ),
}
CLAIMS = tuple(
    run.Claim(f"areas/{name}", f"{PROTOCOL}; {text}", {"num_seeds": 3}, **bound, reference=seen)
    for name, (bound, text, seen) in BOUNDS.items()
)
SMOKE = {"num_train": 60, "num_test": 40, "num_factors": 3, "num_components": 2}


def load(cfg: Config) -> Unfamiliar:
    """Pictures, and strangers made of them."""
    splits = data.splits(cfg.dataset, "image", "label", of=cfg.parts, num_classes=2, **cfg.source)
    other = data.splits(cfg.others, "image", of=(cfg.test_split,), **cfg.source)[0] if cfg.others else None
    size = {name: getattr(cfg, name) for name in ("num_train", "num_test", "num_factors")}
    return unfamiliar(*splits, other, **size)


def build(cfg: Config, loaded: Unfamiliar, axis: str | None) -> run.Experiment:
    """Areas of every score, for every class left out and every kind of strangers."""
    size = {"levels": loaded.levels, "num_factors": cfg.num_factors, "num_components": cfg.num_components}

    def scores(known, key, state, pictures):
        x, label, classes = map(jnp.asarray, known)
        weights = jnp.concatenate([label[None] != classes[:, None], jnp.ones((1, len(x)), bool)]).astype(float)
        return jax.lax.map(lambda weight: novelty.novelty(novelty.judges(key, x, weight, **size), pictures), weights)

    asked = (novelty.NAMES, Partial(scores, (loaded.x, loaded.label, loaded.classes)))
    kinds, frame = ("left_out", *loaded.others), {"x_lim": (-0.03, 1.03), "verticals": {"": 0.5}}
    dots = [show.dots(novelty.NAMES, {"": f"areas/{kind}"}, x_label=kind.replace("_", " "), **frame) for kind in kinds]
    return run.Experiment(
        final={"areas": left_out_areas(*asked, loaded.new, loaded.new_label, loaded.classes, loaded.others)},
        figures=show.figures(
            areas=show.page(dots, size=(2.6, 3.0), title="Area under the ROC of strangers against test pictures"),
        ),
    )


if __name__ == "__main__":
    run.main(__name__)
