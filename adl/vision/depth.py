"""Depth from one picture: the logarithm of how far away each pixel is, known up to a factor better than in metres.

What learns is `supervised.regression.fit(model, tx, loss=scale_invariant_error(), prepare=depth_views(...))` of a
network that has `[B, H, W, 1]` logarithms of pictures `[B, H, W, C]`: `nn.unet.UNet(features=1)`.
"""

from collections.abc import Callable

import chex
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.tree_util import Partial

from adl import data
from adl.core import BadInput, Key, Learner, Mean, Metrics, Probe, border, full_pass
from adl.measure.depth import depth_errors, finished, is_known
from adl.vision.dense import Prepare, View, at_once


def scale_invariant_error(balance: float = 0.5) -> Callable[[Array, Array], Metrics]:
    """Loss of logarithms `[B, H, W, 1]` given depths `[B, H, W]`; the `relative` error beside it.

    1/n sum_i d_i^2 - balance / n^2 (sum_i d_i)^2,   d = log told - log true over a picture's n pixels that are known

    Args:
      balance: in [0, 1]: 0 is the squared error of logarithms; 1 their variance, of which a picture's scale is no part.
    Source: Eigen et al. 2014, arXiv:1406.2283, eq. 4, with 0.5.
    """

    def loss(output, depth):
        chex.assert_shape(output, (*depth.shape, 1))
        known = is_known(depth)
        safe = jnp.where(known, depth, 1.0)
        d = jnp.where(known, output[..., 0] - jnp.log(safe), 0)
        number = known.sum((1, 2))
        shared = d.sum((1, 2)) / jnp.maximum(number, 1)
        # The variance and the rest of the squared mean: a difference of the two sums would cancel.
        variance = jnp.where(known, d - shared[:, None, None], 0) ** 2
        errors = variance.sum((1, 2)) / jnp.maximum(number, 1) + (1 - balance) * shared**2
        return {"loss": Mean.of(errors, number > 0), "relative": Mean.of(jnp.abs(jnp.expm1(d)), known)}

    return loss


def depth_views(unit: float, encode: Callable[[Array], Array], view: View | None = None) -> Prepare:
    """Pictures with their depths, `{"image": [B, H, W, C], "depth": [B, H, W]}`, both seen in the same way.

    Args:
      unit: > 0, in metres, in which depths are given to the loss: their geometric mean.
      encode: from the batch's pictures to what the model sees, `[B, H, W, C]` float.
      view: of encoded pictures, that moves whole pixels: between two depths there is none; None for none.
    """

    def prepare(key, batch):
        border.check(batch, image="[B, ...]", depth="float [B, ...]")
        chex.assert_equal_shape_prefix([batch["image"], batch["depth"]], 3)
        x, depth = encode(batch["image"]), _plane(batch["depth"]) / unit
        if view is None:
            return x, depth
        seen = view(key, jnp.concatenate([x, depth[..., None]], -1))
        return seen[..., :-1], seen[..., -1]

    return prepare


def judged_depth(depth: Callable[[Learner, Array], Array], test: data.Split, *, num_bins: int = 8) -> Probe:
    """Probe: what is usually said of depths, `measure.depth`, over all pixels of a split, and by how far away they are.

    Args:
      depth: `(learner, batch["image"]) -> [B, H, W]` in metres.
      test: "image" and "depth".
      num_bins: T of depths, with equally many pixels each.
    Returns:
      A probe, which also returns the `loss` (squared error of logarithms), and `depth` and `error` `[T]`: the middles
      of the bins, and the relative error there.
    """
    true = test.column("depth")
    ends = np.unique(np.quantile(true[is_known(true)], np.linspace(0, 1, num_bins + 1)))[1:-1]

    def measure(key: Key, learner: Learner, batch) -> dict[str, Mean]:
        told, depth_m = depth(learner, batch["image"]), _plane(batch["depth"])
        index, known = jnp.searchsorted(jnp.asarray(ends, depth_m.dtype), depth_m), is_known(depth_m)
        bins = [known & (index == b) & (batch["mask"] > 0)[:, None, None] for b in range(len(ends) + 1)]
        by_bin = {
            f"{name}_{b}": Mean.of(values, there)
            for b, there in enumerate(bins)
            for name, values in {"depth": depth_m, "error": jnp.abs(told - depth_m) / depth_m}.items()
        }
        return {**depth_errors(told, depth_m, batch["mask"]), **by_bin}

    seen = full_pass(measure, data.padded(test, at_once(test)), len(test))

    def probe(seen, key, state):
        found = finished(seen(key, state))
        arrays = {
            name: jnp.stack([found.pop(f"{name}_{b}").value for b in range(len(ends) + 1)])
            for name in ("depth", "error")
        }
        return {"loss": found["rmse_log"]._replace(total=found["rmse_log"].total ** 2), **found, **arrays}

    return Partial(probe, seen)


def require_depths(split: data.Split, where: str) -> data.Split:
    """The same split, whose depths are known to be there, of the size of their pictures.

    Args:
      split: "image" and "depth".
      where: the data set and the split, in words.
    Raises:
      BadInput: if depths are of another size than their pictures, negative, or nowhere known.
    """
    height, width = split.example_shape[:2]
    depth = split.column("depth")
    if depth.dtype == object or list(depth.shape[1:]) not in ([height, width], [height, width, 1]):
        found = "of several sizes" if depth.dtype == object else list(depth.shape[1:])
        raise BadInput(f"{where}: its depths are {found} and its pictures {list(split.example_shape)}; they must fit")
    if (below := np.flatnonzero((depth < 0).reshape(len(depth), -1).any(1))).size:
        raise BadInput(f"{where}: depths of example {below[0]} are negative; they are metres, and 0 where unknown")
    if not is_known(depth).any():
        raise BadInput(f"{where}: no depth is a number > 0: nothing is known")
    return split


def geometric_mean(depth: np.ndarray) -> float:
    """The geometric mean of the depths that are known: from it the logarithms are least far away."""
    return float(np.exp(np.log(depth[is_known(depth)]).mean()))


def mean_by_pixel(depth: np.ndarray) -> np.ndarray:
    """`[H, W]` the mean depth of each pixel of `[N, H, W]`, over what is known; where nothing is, the mean of all."""
    depth = np.asarray(_plane(depth), np.float32)
    known = is_known(depth)
    number = known.sum(0)
    mean = np.where(known, depth, 0).sum(0) / np.maximum(number, 1)
    return np.where(number > 0, mean, depth[known].mean()).astype(np.float32)


def always(depth: np.ndarray) -> Callable[[Learner, Array], Array]:
    """What tells of each picture the same depths, `[H, W]` or one: `(learner, image) -> [B, H, W]`."""
    return lambda learner, image: jnp.broadcast_to(depth, image.shape[:3])


def _plane(depth: Array) -> Array:
    """`[B, H, W]` of depths `[B, H, W]` or `[B, H, W, 1]`."""
    return depth[..., 0] if depth.ndim == 4 else depth
