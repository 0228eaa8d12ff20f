"""How like the data samples are: by nearest neighbours, by moments, by known modes; without a trained judge.

`judged_samples` is the one evaluation of all generative families: it draws as many pictures as there are in the
reference, and says of them everything that this package knows.
"""

import math
from collections.abc import Callable, Mapping
from typing import NamedTuple

import chex
import jax
import jax.numpy as jnp
import numpy as np
from jax import Array, lax
from jax.tree_util import Partial

from adl import data
from adl.core import BadInput
from adl.core.types import Key, Mean, Probe, State
from adl.measure import distance, support
from adl.measure.pictures import as_arguments, random_features
from adl.prob import neighbours

# What `judged_samples` measures, for the protocols of claims; and what others reach on digits, for their references.
_ROUNDED = (
    "one sample for each training image, of its class, rounded to the nearest of the grey levels that the data have; "
)
PROTOCOL = {
    "two_sample_accuracy": f"{_ROUNDED}leave-one-out 1-NN accuracy of telling samples from training images",
    "two_sample_data": f"{_ROUNDED}share of the training images whose nearest other image is a training image",
    "two_sample_samples": f"{_ROUNDED}share of the samples whose nearest other image is a sample",
    "class_accuracy": f"{_ROUNDED}share that 3-NN on the training images recognises as the class asked for",
}
DIGITS = {
    "two_sample_accuracy": "0.5: cannot be told apart. Memorised digits 0.12, one Gaussian a class 0.73, "
    "test digits 0.71",
    "two_sample_data": "0.5: cannot be told apart; 1 where samples lie wide around the data, as noise does",
    "two_sample_samples": "0.5: cannot be told apart; 0 where samples lie wide around the data, as noise does",
    "class_accuracy": "the training images themselves, each left out in its turn: 0.989",
}

Features = Mapping[str, Callable[[Array], Array]]  # by name, of pictures [N, H, W, C] in [0, 1] -> [N, D]
PIXELS = 2**18  # that are drawn at a time: 4,096 digits, or 25 photographs of 112 x 92


def closeness(samples: Array, reference: Array) -> dict[str, Mean]:
    """How two samples of features lie: `frechet` and `kernel` distance, `precision` and `recall`.

    As in `distance.frechet_distance`, `distance.kernel_distance` and `support.shared_support`, of k = 3 or of as many
    as there are.

    Args:
      samples: `[N, D]`, N >= 2.
      reference: `[N, D]` data.
    """
    chex.assert_equal_shape([samples, reference])
    covered = support.shared_support(samples, reference, k=min(3, len(samples) - 1))
    found = {
        "frechet": distance.frechet_distance(samples, reference),
        "kernel": distance.kernel_distance(samples, reference),
        **covered._asdict(),
    }
    return {name: Mean.of(value) for name, value in found.items()}


def fidelity(samples: Array, reference: Array, label: Array, *, num_classes: int) -> dict[str, Mean | Array]:
    """What tells samples from a reference, one sample for each reference example and of its class.

    Args:
      samples: `[N, ...]`, the i-th asked to be of class `label[i]`.
      reference: `[N, ...]` data, in the unit of the samples, N >= 3.
      label: `[N]` integers in 0 ... num_classes - 1.
      num_classes: K >= 1.
    Returns:
      `two_sample_data` and `two_sample_samples`, as in `recognised`: 1/2 each where the two cannot be told apart, and
      `two_sample_accuracy`, their mean, which alone does not say so; `class_accuracy`: share of the samples that 3
      nearest neighbours in the reference recognise as their class; `frechet`, `kernel`, `precision` and `recall`: as in
      `closeness`, of the raw numbers; and `nearest` `[N, ...]`: the reference example nearest to each sample. All are
      nan where a sample is.
    """
    chex.assert_equal_shape([samples, reference])
    chex.assert_shape(label, (len(samples),))
    rows, known = samples.reshape(len(samples), -1), reference.reshape(len(reference), -1)
    classes = neighbours.classify(rows, known, label, k=3, num_classes=num_classes)
    data_share, samples_share = recognised(known, rows)
    distances = neighbours.squared_distances(rows, known)
    is_known = (classes >= 0).reshape(-1, *(1,) * (samples.ndim - 1))
    return {
        "two_sample_data": Mean.of(data_share),
        "two_sample_samples": Mean.of(samples_share),
        "two_sample_accuracy": Mean.of((data_share + samples_share) / 2),
        "class_accuracy": Mean.of(jnp.where(classes >= 0, classes == label, jnp.nan)),
        **closeness(rows, known),
        "nearest": jnp.where(is_known, reference[distances.argmin(1)], jnp.nan),
    }


def in_features(samples: Array, reference: Array, features: Features) -> dict[str, Mean]:
    """`closeness` in each of the features: "frechet_NAME" and so on.

    Args:
      samples: `[N, ...]`.
      reference: `[N, ...]` data, in the unit of the samples.
      features: by name.
    """
    found = {name: closeness(of(samples), of(reference)) for name, of in features.items()}
    return {f"{what}_{name}": mean for name, told in found.items() for what, mean in told.items()}


def judged_samples(
    draw: Callable[[Key, State, Array], Array],
    reference: data.Split,
    *,
    features: Features | None = None,
    num_shown: int = 12,
    num_rows: int = 12,
) -> Probe:
    """Probe that draws one sample for each reference image, of its class, and judges them by `fidelity`.

    Data have few grey levels (digits 17). Each pixel is set to the nearest of them: its rounding would else give a
    sample away. Of large pictures `PIXELS` at most are drawn at a time, by keys of their own. Where the reference has
    no "label", samples are of no class, and `class_accuracy` and `label` are not reported.

    Args:
      draw: `(key, state, label [N]) -> [N, H, W, C]`, in [0, 1]; values outside the range of the data are clipped.
      reference: "image" `[N, H, W, C]` uint8 and perhaps "label" `[N]` in 0 ... K - 1.
      features: by name, `features(x) -> [N, D]` of pictures in [0, 1], in which `closeness` is reported besides, as
        "frechet_NAME" and so on; None: "random", those of `pictures.random_features`.
      num_shown: samples of each class in `grid` `[R, num_shown, H, W, C]` and, most like them, `nearest`.
      num_rows: classes R that are shown, at most: of those in the reference, evenly; their numbers are `label` `[R]`.
    """
    require_several(reference)
    has_classes = "label" in reference.names
    image = reference.arrays["image"] / np.float32(255)
    label = reference.arrays["label"] if has_classes else np.zeros(len(reference), np.int32)
    num_classes = int(label.max()) + 1
    rows = reference.some_classes(num_rows) if has_classes else np.zeros(1, np.int32)
    shown = np.stack([np.resize(np.flatnonzero(label == c), num_shown) for c in rows])
    features = {"random": random_features(image.shape[1:])} if features is None else as_arguments(features)

    def probe(columns, key, state):
        (image, label, levels), features = columns
        image, label, levels = map(jnp.asarray, (image, label, levels))
        samples = rounded(_drawn_in_parts(draw, key, state, label, image.shape[1:]), levels)
        judged = fidelity(samples, image, label, num_classes=num_classes)
        judged |= in_features(samples, image, features)
        judged |= {"grid": samples[shown], "nearest": judged["nearest"][shown], "label": jnp.asarray(rows)}
        return judged if has_classes else {k: v for k, v in judged.items() if k not in ("class_accuracy", "label")}

    return Partial(probe, ((image, label, np.unique(image)), features))


def judged_ways(
    draws: Mapping[str, Callable[[Key, State, Array], Array]], reference: data.Split, *, num_shown: int = 12
) -> Probe:
    """Probe of pictures of no class, drawn in several ways from one state, as many each as there are in the reference.

    As of `judged_samples`, pixels are set to the nearest of the grey levels of the data. All are judged in one loop.

    Args:
      draws: by name, as in `judged_samples`, of labels that are all 0. What one carries as a `Partial` the probe
        carries.
      reference: "image" `[N, H, W, C]` uint8, N >= 3.
      num_shown: pictures of each way in `grid`.
    Returns:
      Of each way "WAY_two_sample_data", "WAY_two_sample_samples", "WAY_two_sample_accuracy", and "WAY_frechet" and the
      others of `closeness`, of pixels; and `grid` `[R + 1, num_shown, H, W, C]`, whose last row are data.
    """
    require_several(reference)
    image, names = reference.arrays["image"] / np.float32(255), [*draws]  # a program sorts what it carries by name

    def probe(columns, key, state):
        image, levels, draws = columns
        image, levels = jnp.asarray(image), jnp.asarray(levels)
        label, keys = jnp.zeros(len(image), jnp.int32), jax.random.split(key, len(draws))
        key_of = dict(zip(sorted(names), keys, strict=True))
        ways = [(key_of[name], draws[name]) for name in names]
        drawn = jnp.stack([_drawn_in_parts(draw, key, state, label, image.shape[1:]) for key, draw in ways])
        drawn, known = rounded(drawn, levels), image.reshape(len(image), -1)

        def judged(samples):
            rows = samples.reshape(known.shape)
            shares = recognised(known, rows)
            what = ("two_sample_data", "two_sample_samples", "two_sample_accuracy")
            told = dict(zip(what, map(Mean.of, (*shares, sum(shares) / 2)), strict=True))
            return told | closeness(rows, known)

        told = lax.map(judged, drawn)
        each = {
            f"{way}_{what}": Mean(mean.total[i], mean.count[i])
            for i, way in enumerate(names)
            for what, mean in told.items()
        }
        return {**each, "grid": jnp.concatenate([drawn[:, :num_shown], image[None, :num_shown]])}

    return Partial(probe, (image, np.unique(image), as_arguments(draws)))


def require_several(reference: data.Split) -> None:
    """Refuses a reference of fewer than three pictures, of which neighbours and distances say nothing.

    Args:
      reference: whose pictures samples are compared with.
    Raises:
      BadInput: in one line.
    """
    if len(reference) < 3:
        raise BadInput(
            f"{len(reference)} pictures to compare samples with: three or more are wanted, of --num_samples too"
        )


def _drawn_in_parts(draw: Callable, key: Key, state: State, label: Array, shape: tuple[int, ...]) -> Array:
    """`[N, *shape]` pictures of the labels `[N]`, `PIXELS` at most at a time."""
    size = max(1, PIXELS // math.prod(shape))
    if size >= len(label):
        return draw(key, state, label)
    parts = jnp.resize(label, (-(-len(label) // size), size))
    drawn = lax.map(lambda part: draw(part[0], state, part[1]), (jax.random.split(key, len(parts)), parts))
    return drawn.reshape(-1, *shape)[: len(label)]


def rounded(x: Array, levels: Array) -> Array:
    """`[...]` each value of `x` as the nearest of `levels`; nan stays nan.

    Args:
      x: `[...]` floats.
      levels: `[L]` ascending, L >= 1.
    """
    return jnp.where(jnp.isnan(x), jnp.nan, levels[jnp.searchsorted((levels[1:] + levels[:-1]) / 2, x)])


def mode_coverage(samples: Array, modes: Array, *, radius: float, num_needed: int) -> dict[str, Mean | Array]:
    """How many of the modes of a mixture, whose places are known, samples reach, and how many samples reach one.

    Args:
      samples: `[N, D]`.
      modes: `[K, D]` centres, further apart than `2 radius`.
      radius: > 0, of the ball around a mode in which a sample is of high quality, in units of the data.
      num_needed: >= 1, of these that a mode needs to be covered.
    Returns:
      `modes`: number of modes covered, in 0 ... K; `quality`: share of the samples of high quality; and `counts`
      `[K]`: such samples of each mode.
    Source: Srivastava et al. 2017, arXiv:1705.07761, section 4.1.
    """
    chex.assert_rank([samples, modes], 2)
    chex.assert_equal_shape_suffix([samples, modes], 1)
    distances = neighbours.squared_distances(samples, modes)
    counts = (distances <= radius**2).sum(0)
    return {
        "modes": Mean.of((counts >= num_needed).sum().astype(jnp.float32)),
        "quality": Mean.of(jnp.where(jnp.isnan(distances).any(1), jnp.nan, distances.min(1) <= radius**2)),
        "counts": counts,
    }


class Recognised(NamedTuple):
    """Shares of two samples whose rows' nearest other row is of their own."""

    x: Array  # []
    y: Array  # []


def recognised(x: Array, y: Array) -> Recognised:
    """How much of each of two samples a leave-one-out 1-nearest-neighbour classifier recognises, `[]` in [0, 1].

    1/2 each in expectation where both come from one distribution; near 0 where each row of one is a copy of a row of
    the other, for then the nearest neighbour is always of the other sample; 1 where they lie apart. Where one lies
    wide around the other, noise around pictures, all is called by the narrow one's name: 1 of it is recognised, and 0
    of the wide one. Of rows that are equally near each counts alike; all is nan where any row holds nan or infinity.

    Args:
      x: `[N, D]` one sample.
      y: `[N, D]` the other, of the same size, or 1/2 is no longer chance.
    Source: Lopez-Paz & Oquab 2017, arXiv:1610.06545; as a test of generative models, in these halves, Xu et al. 2018,
    arXiv:1806.07755, section 2.
    """
    chex.assert_rank([x, y], 2)
    chex.assert_equal_shape_suffix([x, y], 1)
    both = jnp.concatenate([x, y])
    is_x = jnp.arange(len(both)) < len(x)
    distances = neighbours.squared_distances(both, both).at[jnp.diag_indices(len(both))].set(jnp.inf)
    nearest = distances <= distances.min(1, keepdims=True)
    own = (nearest & (is_x[:, None] == is_x[None])).sum(1) / nearest.sum(1)
    own = jnp.where(jnp.isfinite(both).all(), own, jnp.nan)
    return Recognised(own[: len(x)].mean(), own[len(x) :].mean())


def two_sample_accuracy(x: Array, y: Array) -> Array:
    """`[]` mean of the shares of `recognised`: the classifier's accuracy. 1/2 is not enough to be taken for chance.

    Args:
      x: as in `recognised`.
      y: as in `recognised`.
    """
    return sum(recognised(x, y)) / 2
