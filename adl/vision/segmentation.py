"""Segmentation: a class for each pixel, by what telling it wrong costs; pictures and their masks are moved alike.

A segmenter is `supervised.regression.fit(model, tx, loss=pixel_surprise(), prepare=paired(...))` of a network that has
logits `[B, H, W, K]` of pictures `[B, H, W, C]`, `nn.unet.UNet(features=K)` (Long, Shelhamer & Darrell 2015,
arXiv:1411.4038, section 3). Its losses also report the `accuracy` in [0, 1] over the pixels that count.
"""

from collections.abc import Callable

import chex
import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.tree_util import Partial

from adl import data
from adl.core import Key, Learner, Mean, Metrics, Probe, border, full_pass
from adl.data.segments import IGNORED, Segments
from adl.measure.segmentation import ObjectPixels, PixelCounts, scores
from adl.prob.labels import cross_entropy, is_correct
from adl.vision.dense import Prepare, View, at_once

TINY = 1e-12
Loss = Callable[[Array, Array], Metrics]  # (logits [B, H, W, K], segment [B, H, W]) -> metrics


def pixel_surprise(weights: Array | None = None) -> Loss:
    """Mean surprise at the class of each pixel, in nats.

    sum_i w(y_i) (-log p_i(y_i)) / sum_i w(y_i)

    Args:
      weights: `[K]` >= 0, of pixels of each class: larger for rare ones; None: 1.
    Source: Ronneberger et al. 2015, arXiv:1505.04597, eq. 1, with weights of the classes alone.
    """

    def loss(logits, segment):
        surprise, weight = _surprise(logits, segment)
        if weights is not None:
            weight = weight * jnp.asarray(weights, logits.dtype)[jnp.where(weight > 0, segment, 0)]
        return {"loss": Mean.of(surprise, weight), "accuracy": _accuracy(logits, segment)}

    return loss


def focal_loss(gamma: float = 2.0) -> Loss:
    """Surprise of each pixel, less of those that are told well already: -(1 - p)^gamma log p of the right class.

    Args:
      gamma: >= 0; 0 is `pixel_surprise`, 1 or more leaves the ease of most pixels little to say.
    Source: Lin et al. 2017, arXiv:1708.02002, eq. 4.
    """

    def loss(logits, segment):
        surprise, weight = _surprise(logits, segment)
        missing = jnp.maximum(-jnp.expm1(-surprise), TINY)  # 1 - p, of which a root has a slope
        losses = missing**gamma * surprise if gamma else surprise
        return {"loss": Mean.of(losses, weight), "accuracy": _accuracy(logits, segment)}

    return loss


def dice_loss(smooth: float = 1.0) -> Loss:
    """What is missing to the overlap of what is told and what is there, of each picture, a mean over the classes.

    1 - (2 sum_i p_ik y_ik + s) / (sum_i p_ik + sum_i y_ik + s),   a mean over k

    Classes weigh alike however few their pixels. A class that a picture does not have costs what is told of it.

    Args:
      smooth: s > 0, in pixels.
    Source: Milletari, Navab & Ahmadi 2016, arXiv:1606.04797, section 3, without squares, for many classes and with s.
    """

    def loss(logits, segment):
        counts = (segment != IGNORED)[..., None]
        p = jax.nn.softmax(logits) * counts
        y = jax.nn.one_hot(segment, logits.shape[-1], dtype=bool) & counts
        both, either = (p * y).sum((1, 2)), p.sum((1, 2)) + y.sum((1, 2))
        losses = (1 - (2 * both + smooth) / (either + smooth)).mean(-1)
        return {"loss": Mean.of(losses), "accuracy": _accuracy(logits, segment)}

    return loss


LOSSES = {"surprise": pixel_surprise, "dice": dice_loss, "focal": focal_loss}


def paired(
    segments: Segments, encode: Callable[[Array], Array], view: View | None = None, *, tint: View | None = None
) -> Prepare:
    """Pictures with their masks, `{"image": [B, H, W, C], "segment": [B, H, W]}`, both seen in the same way.

    A mask is moved as a picture with a channel a class: where it is interpolated a pixel has the class with the most of
    it, and what comes in from outside is `IGNORED`.

    Args:
      segments: how masks are understood.
      encode: from the batch's pictures to what the model sees, `[B, H, W, C]` float.
      view: of encoded pictures, as of `data.views`; None for none.
      tint: of encoded pictures alone, which moves nothing, as `data.views.random_channels`; None for none.
    """

    def prepare(key, batch):
        border.check(batch, image="[B, ...]", segment="[B, ...]")
        chex.assert_equal_shape_prefix([batch["image"], batch["segment"]], 3)
        x, segment = encode(batch["image"]), segments.encode(batch["segment"])
        if tint is not None:
            key, own = jax.random.split(key)
            x = tint(own, x)
        if view is None:
            return x, segment
        channels = x.shape[-1]
        classes = jax.nn.one_hot(segment, segments.num_classes, dtype=x.dtype)
        seen = view(key, jnp.concatenate([x, classes], -1))
        x, classes = seen[..., :channels], seen[..., channels:]
        return x, jnp.where(classes.sum(-1) > 0.5, classes.argmax(-1), IGNORED)

    return prepare


def pixel_evaluation(logits: Callable[[Learner, Array], Array], segments: Segments, *, num_slots: int = 0) -> Callable:
    """Measure for `core.full_pass` over a split with masks.

    Args:
      logits: `(learner, batch["image"]) -> [B, H, W, K]`.
      segments: how masks are understood.
      num_slots: S, of the batch's "instance" `[B, H, W]`; 0: it has none.
    Returns:
      `measure(key, learner, batch)`: `loss`, the mean surprise of a pixel in nats; `both`, `told`, `true` `[B, K]`, the
      fields of `PixelCounts`; and of objects `object_iou` and `object_size` `[B, S]`.
    """

    def measure(key: Key, learner: Learner, batch) -> dict[str, Mean | Array]:
        outputs, segment = logits(learner, batch["image"]), segments.encode(batch["segment"])
        surprise, weight = _surprise(outputs, segment)
        told = outputs.argmax(-1)
        found = {
            "loss": Mean.of(surprise, weight * batch["mask"][:, None, None]),
            **PixelCounts.of(told, segment, segments.num_classes)._asdict(),
        }
        if num_slots:
            objects = ObjectPixels.of(told, segment, batch["instance"], num_slots)
            found |= {"object_iou": objects.iou, "object_size": objects.size}
        return found

    return measure


def judged(
    logits: Callable[[Learner, Array], Array], test: data.Split, segments: Segments, *, num_slots: int = 0
) -> Probe:
    """Probe: what is usually said of segmentation, `measure.segmentation.scores`, over a whole split.

    Args:
      logits: as in `pixel_evaluation`.
      test: "image", "segment", and where there are slots "instance" and "seen" `[N, S]`.
      segments: how masks are understood.
      num_slots: S of objects; 0: nothing is known of them.
    Returns:
      A probe, that also returns `loss`, and the arrays of `pixel_evaluation`.
    """
    columns = data.Split({name: test.column(name) for name in ("image", "segment") + ("instance",) * (num_slots > 0)})
    seen = full_pass(
        pixel_evaluation(logits, segments, num_slots=num_slots), data.padded(columns, at_once(columns)), len(test)
    )

    def probe(seen, key, state):
        found = seen(key, state)
        counts = PixelCounts(*(found.pop(name) for name in PixelCounts._fields))
        return {**found, **scores(counts, segments.names), "counts": jnp.stack(counts.total)}

    return Partial(probe, seen)


def compared(told: np.ndarray, test: data.Split, segments: Segments) -> Probe:
    """Probe: the same `scores` of what something else told of a split, once and for all.

    Args:
      told: `[N, H, W]` integers, the classes.
      test: "segment".
      segments: how masks are understood.
    """
    columns = data.Split({"told": told.astype(np.uint8), "segment": test.column("segment")})

    def measure(key, state, batch):
        return PixelCounts.of(batch["told"], segments.encode(batch["segment"]), segments.num_classes)._asdict()

    seen = full_pass(measure, data.padded(columns, at_once(test)), len(test))
    return Partial(lambda seen, key, state: scores(PixelCounts(**seen(key, state)), segments.names), seen)


def _accuracy(logits: Array, segment: Array) -> Mean:
    counts = segment != IGNORED
    return Mean.of(is_correct(logits, jnp.where(counts, segment, 0)), counts)


def _surprise(logits: Array, segment: Array) -> tuple[Array, Array]:
    """`[B, H, W]` surprise at the class of each pixel in nats, and the pixel's weight, 0 or 1."""
    chex.assert_shape(logits, (*segment.shape, None))
    chex.assert_rank(segment, 3)
    counts = segment != IGNORED
    surprise = cross_entropy(logits, jnp.where(counts, segment, 0))
    return surprise, counts.astype(surprise.dtype)
