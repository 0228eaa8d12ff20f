"""The rows that stand in every table of pictures: one Gaussian, probabilistic PCA, a mixture of Gaussians.

Learned from the first `MOST` pictures. Of large pictures less is there, and no row stands for what was not fitted: no
mixture above `WIDEST` numbers a picture, nothing above `baselines.LARGEST`.
"""

import jax
import jax.numpy as jnp
import numpy as np
from jax.tree_util import Partial

from adl import data
from adl.core import probe
from adl.core.types import Array, Key, Mean, Probe, State
from adl.latent import baselines, factors
from adl.latent.baselines import Density
from adl.measure import levels as in_levels
from adl.measure.pictures import random_features
from adl.measure.side_by_side import judged_together
from adl.prob import moments
from adl.prob.gaussian import MultivariateNormal

MOST = 5000
WIDEST = 1024
NUM_FACTORS, NUM_COMPONENTS = 16, 10  # of PPCA, or as many as there can be, and of the mixture


def densities(image: np.ndarray, *, levels: int) -> dict[str, Density]:
    """Those of `baselines.picture_densities`, "gaussian", "ppca" and "mixture", that the size of pictures allows.

    Args:
      image: `[N, H, W, C]` uint8, two or more that differ.
      levels: L >= 2 of grey.
    Raises:
      BadInput: for a single picture, or pictures all alike.
    """
    image, dim = image[:MOST], int(np.prod(image.shape[1:]))
    if dim > baselines.LARGEST:
        return {}
    if dim <= WIDEST:
        size = {"num_factors": NUM_FACTORS, "num_components": NUM_COMPONENTS}
        return baselines.picture_densities(image, levels=levels, **size)
    x = baselines.middles(image, levels=levels)
    of = moments.of(x, jnp.ones(len(x)))
    covariance = of.covariance() + jnp.eye(dim) / (12 * levels**2)
    return {
        "gaussian": MultivariateNormal(of.mean, covariance),
        "ppca": factors.ppca(of.mean, covariance, min(NUM_FACTORS, dim - 1)),
    }


def plain_bits(train: data.Split, test: data.Split, *, asked: int = 0) -> dict[str, float]:
    """Bits a dimension of test pictures: those of `levels.baseline_bits`, and of `densities`, of the same levels.

    One Gaussian's are in closed form; the others' by one draw of the spreading for each test picture.

    Args:
      train: "image", two or more that differ.
      test: "image".
      asked: grey levels, or 0, as in `data.image.num_levels`.
    Raises:
      BadInput: as `data.image.num_levels`, and `densities`.
    """
    num_levels = data.image.num_levels(train, test, asked=asked)
    image = [split.column("image") for split in (train, test)]
    seen = [np.asarray(data.image.level_of(part, levels=num_levels)) for part in image]
    found = baselines.bits_of(densities(image[0], levels=num_levels), image[1], levels=num_levels)
    return {name: float(value) for name, value in found.items()} | in_levels.baseline_bits(*seen, num_levels=num_levels)


def plain_bounds(train: data.Split, test: data.Split, *, asked: int = 0) -> Probe:
    """Probe of the same in nats a picture: log p(x), or a bound below it, of test pictures.

    Args:
      train: as in `plain_bits`.
      test: as in `plain_bits`.
      asked: as in `plain_bits`.
    """
    nats = -test.column("image")[0].size * np.log(2)
    return in_levels.known({name: value * nats for name, value in plain_bits(train, test, asked=asked).items()})


def judged(train: data.Split, reference: data.Split, *, num_shown: int = 12) -> Probe:
    """Probe: as many samples of each of `densities` as there are pictures in the reference, judged as a model's are.

    Args:
      train: "image", from which they learn.
      reference: as in `samples.judged_samples`.
      num_shown: samples of each in `grid` `[R, num_shown, H, W, C]`.
    Returns:
      "ROW_NUMBER" of each row and number of `side_by_side.judged_together`, but for `class_accuracy` and `nearest`,
      as they are asked for no class, and the reference may be what they learned from; and `grid`, where there is a row.
    Raises:
      BadInput: as `data.image.num_levels`, and `densities`.
    """
    levels, image = data.image.num_levels(train, reference), reference.column("image")
    of = densities(train.column("image"), levels=levels)
    if not of:
        return Partial(lambda key, state: {})

    def draw(of: dict[str, Density], keys: dict[str, Key]) -> dict[str, Array]:
        return {name: baselines.drawn_pictures(keys[name], of[name], len(image), image, levels=levels) for name in of}

    keys = jax.random.split(jax.random.key(0), 3)
    found = jax.device_get(probe.jitted(draw)(of, dict(zip(of, keys, strict=False))))
    drawn = {name: found[name] for name in of}  # programs sort names
    known = data.Split({"image": image, "label": np.zeros(len(image), np.int32)})
    features = {"random": random_features(image.shape[1:])}
    together = judged_together(drawn, known, train.first(MOST), features=features, num_shown=num_shown)

    def looked(together: Probe, key: Key, state: State) -> dict[str, Mean | Array]:
        told = together(key, state)
        return {name: value for name, value in told.items() if not name.endswith(("class_accuracy", "nearest"))}

    return Partial(looked, together)
