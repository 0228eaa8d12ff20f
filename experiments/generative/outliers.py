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
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.tree_util import Partial

from adl import data, run, show
from adl.core import BadInput, Mean
from adl.latent import baselines, novelty
from adl.measure.outliers import outlier_area, strangers


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


class Loaded(NamedTuple):
    """Pictures as the middles of their levels."""

    x: np.ndarray  # [N, D] to learn from
    label: np.ndarray  # [N]
    new: np.ndarray  # [M, D] to test
    new_label: np.ndarray  # [M]
    others: dict[str, np.ndarray]  # [., D] strangers by kind
    levels: int  # of grey


def load(cfg: Config) -> Loaded:
    """Pictures, and strangers made of them."""
    splits = data.splits(cfg.dataset, "image", "label", of=cfg.parts, num_classes=2, **cfg.source)
    levels = data.image.num_levels(*splits)
    train, test = splits[0].first(cfg.num_train), splits[1].first(cfg.num_test)
    image = test.arrays["image"]
    kinds = strangers(image)
    if cfg.others:
        other = data.splits(cfg.others, "image", of=(cfg.test_split,), **cfg.source)[0].first(cfg.num_test)
        if other.example_shape != train.example_shape:
            shapes = f"{list(other.example_shape)}, and those of {cfg.dataset} {list(train.example_shape)}"
            raise BadInput(f"--others {cfg.others}: its pictures are {shapes}; --picture_size brings both to one size")
        kinds["others"] = np.resize(other.arrays["image"], image.shape)  # as many as there are test pictures
    seen, unseen = (part.arrays["image"] for part in (train, test))
    x, new = (np.asarray(baselines.middles(part, levels=levels, learned=part is seen)) for part in (seen, unseen))
    if cfg.num_factors >= x.shape[1]:
        raise BadInput(f"--num_factors {cfg.num_factors}: pictures of {x.shape[1]} numbers have fewer components")
    of = {kind: 256 if kind == "others" else levels for kind in kinds}
    others = {
        kind: np.asarray(baselines.middles(image, levels=of[kind], learned=False)) for kind, image in kinds.items()
    }
    return Loaded(x, train.arrays["label"], new, test.arrays["label"], others, levels)


def build(cfg: Config, loaded: Loaded, axis: str | None) -> run.Experiment:
    """Areas of every score, for every class left out and every kind of strangers."""
    size = {"levels": loaded.levels, "num_factors": cfg.num_factors, "num_components": cfg.num_components}

    def fitted(key, x, weight):
        return novelty.judges(key, x, weight, **size)

    def areas(carried, key, state):
        x, label, new_label, classes, pictures = map(jnp.asarray, carried)
        weights = jnp.concatenate([label[None] != classes[:, None], jnp.ones((1, len(x)), bool)]).astype(float)
        scores = jax.lax.map(lambda weight: novelty.novelty(fitted(key, x, weight), pictures), weights)
        num, kinds = len(new_label), ["left_out", *others]
        table = {kind: {} for kind in kinds}
        for name, score in scores.items():
            of_test, strange = score[:, :num], score[-1, num:].reshape(len(others), -1)
            held = jax.vmap(lambda s, k: outlier_area(s, new_label == k))(of_test[:-1], classes)
            table["left_out"][name] = Mean.of(held)
            for kind, found in zip(others, strange, strict=True):
                both = jnp.concatenate([of_test[-1], found])
                table[kind][name] = Mean.of(outlier_area(both, jnp.arange(len(both)) >= num))
        single = {f"{kind}_{name}": mean for kind, told in table.items() for name, mean in told.items()}
        return {**single, **{kind: jnp.stack([table[kind][n].value for n in novelty.NAMES]) for kind in kinds}}

    x, label, new, new_label, others = loaded[:5]
    pictures = np.concatenate([new, *others.values()])
    frame = {"x_lim": (-0.03, 1.03), "verticals": {"": 0.5}}
    dots = [
        show.dots(novelty.NAMES, {"": f"areas/{kind}"}, x_label=kind.replace("_", " "), **frame)
        for kind in ("left_out", *others)
    ]
    arrays = (x, label, new_label, np.intersect1d(label, new_label), pictures)
    return run.Experiment(
        final={"areas": Partial(areas, arrays)},
        figures=show.figures(
            areas=show.page(dots, size=(2.6, 3.0), title="Area under the ROC of strangers against test pictures"),
        ),
    )


if __name__ == "__main__":
    run.main(__name__)
