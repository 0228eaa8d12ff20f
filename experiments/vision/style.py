"""A pagoda in the colours and petals of a flower, and a flower like a pagoda: style transfer by descent on pixels.

Gatys, Ecker & Bethge 2016 ("Image Style Transfer Using Convolutional Neural Networks", CVPR). Features are the colours
and those of a small network of our own, which learned to tell from which region of the two photographs a patch comes.
Beside it the same network as it was before, and the style's colours alone, by matching histograms. Styles are judged by
the features that painted, and by a third network, which nobody looked at while painting.

    python -m experiments.vision.style
    >>> painted = run.load("runs/vision/style").predict(pictures)
    python -m experiments.vision.style --content ./mine.jpg --style ./theirs.jpg
"""

import functools
from dataclasses import dataclass
from typing import Annotated, NamedTuple

import jax.numpy as jnp
import numpy as np
from jax import Array

from adl import data, run, show
from adl.core import BadInput, Key, Learner, PyTree, full_pass, optimizer
from adl.data.image import unit
from adl.data.photographs import patches, photograph
from adl.supervised.classification import classifier, evaluation, views
from adl.vision.style import Textures, painted, seen_by, style_transfer, styles_compared

SIDE, ROWS, COLUMNS = 32, 3, 4  # of patches, and the regions of a photograph
ACCURACY = {"train": "train/accuracy", "test": "test/accuracy"}


@dataclass(frozen=True)
class Config(run.Optimised, run.Config):
    """The default is the run that the claims are about."""

    content: str = "china"  # whose places are kept: china or flower, of scikit-learn, or the path of a picture
    style: str = "flower"  # whose textures are taken: the same
    height: Annotated[run.Count, run.multiple_of(16)] = 128  # of what is painted, in pixels
    width: Annotated[run.Count, run.multiple_of(16)] = 192  # of it; of photographs the middle of these proportions
    num_steps: run.Count = 250  # of learning the features
    batch_size: run.Split = 32
    log_every: run.Count = 50
    eval_every: run.Count = 250
    learning_rate: run.Positive = 3e-3  # of Adam: the peak, after a tenth of the run, before a cosine to 0
    channels: run.Widths = (24, 48, 96)  # of the network's stages, two convolutions each
    paint_steps: run.Count = 100  # of Adam on the pixels
    paint_rate: run.Positive = 0.02  # its learning rate at the start, of the pixels' range, before a cosine to 0
    content_layer: run.Natural = 4  # convolution by whose features places are known, from 1; 0: the pixels
    content_weight: run.NonNegative = 0.1  # of the content distance, where the style's is 1
    smooth_weight: run.NonNegative = 0.3  # of the total variation


PAIR = "china.jpg and flower.jpg at 128 x 192, each in the other's style, by a network that did not paint; 3 seeds"
BOUNDS = {  # of a share, with what it is, and what one seed had
    "own": (0.3, "style distance by the features that painted, over the content's", "0.11; its colours alone 3.1"),
    "style": (0.6, "style distance, over the content's", "0.41; its colours alone, which that network sees best, 0.14"),
    "content": (0.8, "content distance, over that of the style's photograph", "0.60; its colours alone 0.95"),
}
CLAIMS = tuple(
    run.Claim(f"painted/learned_{name}_share", f"{PAIR}: {text}", {"num_seeds": 3}, at_most=most, reference=reference)
    for name, (most, text, reference) in BOUNDS.items()
)
SMOKE = {"num_steps": 2, "batch_size": 16, "height": 32, "width": 48, "channels": (4, 8), "paint_steps": 3}


class Photographs(NamedTuple):
    """Patches to learn from and to test, and the two photographs."""

    train: data.Split
    test: data.Split
    pair: np.ndarray  # [2, H, W, 3] content and style


def load(cfg: Config) -> Photographs:
    """Both photographs at the size that is painted; patches are of twice that size."""
    num_layers = 2 * len(cfg.channels)
    if min(SIDE, cfg.height, cfg.width) < 2 ** (len(cfg.channels) - 1):
        raise BadInput(f"--channels of {len(cfg.channels)} stages: nothing is left of {SIDE} pixels, halved so often")
    if cfg.content_layer > num_layers:
        raise BadInput(f"--content_layer {cfg.content_layer}: it must be at most {num_layers}, of --channels two each")
    words = {"--content": cfg.content, "--style": cfg.style}
    large, small = (
        np.stack([photograph(word, (k * cfg.height, k * cfg.width), flag=flag) for flag, word in words.items()])
        for k in (2, 1)
    )
    cut = functools.partial(patches, large, side=SIDE, rows=ROWS, columns=COLUMNS)
    return Photographs(cut(4000, seed=0), cut(500, seed=1), small)


def build(cfg: Config, loaded: Photographs, axis: str | None) -> run.Experiment:
    """A classifier of patches, and what is painted by its features."""
    model = Textures(2 * ROWS * COLUMNS, cfg.channels, dtype=jnp.dtype(cfg.precision))
    rate = optimizer.cosine(cfg.num_steps, warmup=max(cfg.num_steps // 10, 1))
    pixels = optimizer.adam(cfg.paint_rate, optimizer.cosine(cfg.paint_steps))

    weights = {"content_weight": cfg.content_weight, "smooth_weight": cfg.smooth_weight}
    transfer = functools.partial(style_transfer, tx=pixels, content_layer=cfg.content_layer, **weights)

    def paint(key: Key, variables: PyTree, content: Array, style: Array) -> Array:
        return painted(transfer(seen_by(model, variables)), key, content, style, num_steps=cfg.paint_steps)[0]

    def predict(key: Key, learner: Learner, image: Array) -> Array:
        style = jnp.broadcast_to(unit(jnp.asarray(loaded.pair[1])), image.shape)
        return paint(key, learner.variables, unit(image), style)

    def logits(learner: Learner, image: Array) -> Array:
        return model.apply(learner.variables, unit(image))

    picture = run.Images(loaded.pair.shape[1:])
    return run.Experiment(
        classifier(model, optimizer.adam(**cfg.adam, shape=rate, clip=1.0), prepare=views(unit), axis=axis),
        data.shuffled(loaded.train, cfg.batch_size),
        probes={"test": full_pass(evaluation(logits), data.padded(loaded.test, 100), len(loaded.test))},
        final={"painted": styles_compared(model, paint, loaded.pair, layer=cfg.content_layer)},
        offers={"model": model, "predict": run.Offer(predict, picture, picture)},
        figures=show.figures(
            painted=show.in_styles("painted"),
            accuracy=show.curves(
                {"train": "train/accuracy", "test": "test/accuracy"},
                y_label="accuracy",
                title="Regions of patches",
                y_lim=(0, 1),
            ),
        ),
    )


if __name__ == "__main__":
    run.main(__name__)
