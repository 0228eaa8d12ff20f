"""Detection: whether boxes were found, as COCO judges it, and the probes made of it.

A detection is right if it overlaps an object of its class by enough, and no surer one had that object before. Of all
detections of a class from the surest on, precision and recall make a curve, whose area is its average precision.
"""

import itertools
from collections.abc import Callable, Sequence
from typing import NamedTuple

import chex
import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.tree_util import Partial

from adl.core.probe import full_pass
from adl.core.types import Array, Key, Mean, Probe, State
from adl.data.batches import padded
from adl.data.split import Split
from adl.measure.boxes import box_area, box_iou

THRESHOLDS = tuple(np.linspace(0.5, 0.95, 10))  # of the overlap from which on an object is found
RECALLS = np.linspace(0.0, 1.0, 101)  # at which precision is read
EVERYTHING = (0.0, 1e10)
COCO_AREAS = (EVERYTHING, (0.0, 32.0**2), (32.0**2, 96.0**2), (96.0**2, 1e10))  # all, small, medium, large; pixels


class Detections(NamedTuple):
    """What a detector says of N pictures, D boxes each."""

    box: Array  # [N, D, 4] (ymin, xmin, ymax, xmax)
    label: Array  # [N, D] integers in 0 ... K - 1
    score: Array  # [N, D], the surer the higher
    mask: Array  # [N, D]: 1 is a detection, 0 is none


class Objects(NamedTuple):
    """What there is in them, S slots each."""

    box: Array  # [N, S, 4]
    label: Array  # [N, S] integers in 0 ... K - 1
    present: Array  # [N, S]: 1 is an object, 0 an empty slot
    area: Array | None = None  # [N, S] by which ranges tell them; None: of the box
    is_crowd: Array | None = None  # [N, S] bool: many objects, which may be found more than once and do not count


class PrecisionRecall(NamedTuple):
    """T thresholds, K classes, A ranges of area; nan where the class has no objects."""

    precision: Array  # [T, R, K, A] the best at the R = 101 recalls `RECALLS` or beyond; 0 beyond what was reached
    recall: Array  # [T, K, A] that all detections together reach
    num_objects: Array  # [K, A] that count

    @property
    def average_precision(self) -> Array:
        """`[T, K, A]`."""
        return self.precision.mean(1)

    def mean_average_precision(self, area: int = 0) -> Array:
        """`[T]` mean over the classes that have objects; nan where none has."""
        return jnp.nanmean(self.average_precision[:, :, area], 1)


def precision_recall(
    found: Detections,
    objects: Objects,
    *,
    num_classes: int,
    thresholds: Sequence[float] = THRESHOLDS,
    areas: Sequence[tuple[float, float]] = (EVERYTHING,),
    max_detections: int = 100,
) -> PrecisionRecall:
    """Precision at each recall, of each class, as `pycocotools` counts them.

    In each picture a detection of a class, from the surest on, takes of the objects that none has the one that it
    overlaps most, if by the threshold at least. An object outside of a range of areas does not count there, nor does
    what finds it, nor a detection outside of the range that finds nothing.

    Args:
      found: of N pictures.
      objects: of the same.
      num_classes: K.
      thresholds: `[T]` in (0, 1].
      areas: `[A]` (least, most) of objects that count, both within.
      max_detections: of a class in a picture that count, the surest.
    Source: Lin et al. 2014, arXiv:1405.0312, section 4; github.com/cocodataset/cocoapi, `cocoeval.py`.
    """
    chex.assert_rank([found.box, found.score, objects.box, objects.present], [3, 2, 3, 2])
    chex.assert_equal_shape([found.label, found.score, found.mask])
    chex.assert_equal_shape([objects.label, objects.present])
    chex.assert_equal_shape_prefix([found.box, objects.box], 1)
    found = _surest_first(found)
    overlap, is_outside, objects = _compared(found, objects, areas)
    least = jnp.asarray([_at_least(threshold) for threshold in thresholds], jnp.float32)
    ranked = jnp.argsort(jnp.where(found.mask > 0, -found.score, jnp.inf).ravel(), stable=True)

    def of_class(label):
        is_mine = (found.label == label) & (found.mask > 0)
        is_mine &= jnp.cumsum(is_mine, 1) <= max_detections
        is_there = (objects.label == label) & (objects.present > 0)
        each = jax.vmap(_judged, (0, 0, 0, 0, 0, None, 0))  # pictures
        wide = jax.vmap(each, (None, None, None, None, None, 0, None))  # thresholds
        right, wrong = jax.vmap(wide, (None, None, None, 0, 0, None, None))(  # ranges
            overlap, is_mine, is_there, *is_outside, least, objects.is_crowd
        )
        right, wrong = (x.reshape(*x.shape[:2], -1)[..., ranked].cumsum(-1) for x in (right, wrong))  # [A, T, N D]
        number = (is_there[None] & ~is_outside[1] & ~objects.is_crowd[None]).sum((1, 2))
        return (*jax.vmap(jax.vmap(_read, (0, 0, None)))(right, wrong, number), number)

    precision, recall, number = lax.map(of_class, jnp.arange(num_classes))
    return PrecisionRecall(jnp.moveaxis(precision, (2, 3, 0, 1), (0, 1, 2, 3)), jnp.moveaxis(recall, 2, 0), number)


def _surest_first(found: Detections) -> Detections:
    """The detections of each picture by score; of equal ones in their order, and last what is none."""
    order = jnp.argsort(jnp.where(found.mask > 0, -found.score, jnp.inf), axis=1, stable=True)
    return jax.tree.map(lambda x: jnp.take_along_axis(x, order.reshape(*order.shape, *[1] * (x.ndim - 2)), 1), found)


def _compared(found: Detections, objects: Objects, areas: Sequence[tuple[float, float]]):
    """`[N, D, S]` overlaps; whether detections `[A, N, D]` and objects `[A, N, S]` are outside of each range."""
    crowd = jnp.zeros_like(objects.present, bool) if objects.is_crowd is None else objects.is_crowd.astype(bool)
    own, theirs = box_area(found.box), box_area(objects.box)
    overlap = box_iou(found.box[:, :, None], objects.box[:, None])
    share = overlap / (1 + overlap) * (own[:, :, None] + theirs[:, None])  # the intersection
    of_crowd = share / jnp.where(own > 0, own, 1)[:, :, None]
    overlap = jnp.where(crowd[:, None], of_crowd, overlap)
    area = theirs if objects.area is None else objects.area
    ends = jnp.asarray(areas, jnp.float32)[:, :, None, None]
    outside = [(x[None] < ends[:, 0]) | (x[None] > ends[:, 1]) for x in (own, area)]
    return overlap, outside, objects._replace(is_crowd=crowd)


def _judged(overlap, is_mine, is_there, is_outside, is_object_outside, least, is_crowd):
    """Which detections `[D]` of a picture are right, and which wrong; neither is what does not count."""
    does_not_count = is_object_outside | is_crowd

    def one(is_taken, detection):
        overlap, is_mine, is_outside = detection
        may_be = is_there & (overlap >= least) & is_mine & (~is_taken | is_crowd)
        counted, rest = may_be & ~does_not_count, may_be & does_not_count
        may_be = jnp.where(counted.any(), counted, rest)  # objects that count come before those that do not
        score = jnp.where(may_be, overlap, -1.0)
        at = len(score) - 1 - jnp.argmax(score[::-1])  # of equal ones the last
        is_hit = may_be.any()
        is_left_out = jnp.where(is_hit, ~counted.any(), is_outside)
        is_taken = is_taken.at[at].set(is_taken[at] | is_hit)
        return is_taken, (is_mine & is_hit & ~is_left_out, is_mine & ~is_hit & ~is_left_out)

    return lax.scan(one, jnp.zeros_like(is_there), (overlap, is_mine, is_outside))[1]


def _read(right: Array, wrong: Array, number: Array) -> tuple[Array, Array]:
    """Precision at the recalls `[R]`, and the recall `[]`, of running counts `[M]` from the surest on."""
    precision = right / jnp.maximum(right + wrong, 1)
    best = lax.cummax(precision, reverse=True)
    # `recall >= r` in integers, where doubles say the same of k / n as of r / 100: not everywhere of equal ones.
    percent = np.arange(101)
    is_above = (RECALLS > percent / 100).astype(np.int32)  # by a rounding
    needed = jnp.maximum((percent * number + is_above + 99) // 100, 0)
    at = jnp.searchsorted(right, needed, side="left", method="sort")
    value = jnp.where(at < len(right), best[jnp.minimum(at, len(right) - 1)], 0.0)
    reached = right[-1] / jnp.maximum(number, 1)
    return jnp.where(number > 0, value, jnp.nan), jnp.where(number > 0, reached, jnp.nan)


def _at_least(threshold: float) -> np.float32:
    """The least float32 overlap that passes: a double that is a rounding above its decimals lets these not pass."""
    near = np.float32(round(threshold, 6))
    return np.nextafter(near, np.float32(2)) if threshold > round(threshold, 6) else near


def objects_found(found: Detections, objects: Objects, *, threshold: float = 0.5) -> Array:
    """`[N, S]` bool: which objects are found, each by a detection of its own of its class, the surest choosing first.

    Args:
      found: of N pictures; those that do not count have a mask of 0.
      objects: of the same, without crowds.
      threshold: in (0, 1], of the overlap.
    """
    found = _surest_first(found)
    may_be = (found.label[:, :, None] == objects.label[:, None]) * found.mask[..., None] * objects.present[:, None]
    may_be = may_be * box_iou(found.box[:, :, None], objects.box[:, None])

    def one(is_taken, overlap):
        overlap = jnp.where(is_taken, 0, overlap)
        return is_taken.at[jnp.argmax(overlap)].max(overlap.max() >= _at_least(threshold)), None

    return jax.vmap(lambda overlap: lax.scan(one, jnp.zeros(overlap.shape[1], bool), overlap)[0])(may_be)


def judged_once(found: Detections, split: Split) -> Probe:
    """Probe of `map50` and `map` of detections that are known already, of all pictures of a split."""
    columns = [split.arrays[name] for name in ("box", "label", "present")]

    def probe(carried, key, state):
        curves = precision_recall(Detections(*carried[0]), Objects(*carried[1]), num_classes=split.num_classes)
        mean = curves.mean_average_precision()
        return {"map50": Mean.of(mean[0]), "map": Mean.of(mean.mean())}

    return Partial(probe, (tuple(found), tuple(columns)))


def surest_boxes(found: Detections) -> Array:
    """`[N, D, 6]` of class, score and box of each detection, the surest first; of what is none the score is 0."""
    found = _surest_first(found)
    pair = jnp.stack([found.label.astype(jnp.float32), found.score * found.mask], -1)
    return jnp.concatenate([pair, found.box], -1)


def average_precisions(
    detect: Callable[[Key, State, Array], Detections],
    split: Split,
    *,
    batch_size: int = 100,
    sure: float = 0.3,
    seen: Sequence[float] = tuple(np.linspace(0, 1, 11)),
) -> Probe:
    """Probe that finds the objects of a whole split.

    Args:
      detect: `(key, state, image [B, H, W, C] uint8) -> Detections` of B pictures.
      split: N pictures with boxes (`data.boxes`), some with objects.
      batch_size: pictures that are looked at together.
      sure: the score from which on a detection counts where it is asked which objects are found.
      seen: ends of the bins, of one width, of how much of an object is seen.
    Returns:
      A probe of `map50` and `map75`, the mean over the classes that have objects of the average precision at overlaps
      of 0.5 and 0.75, `map`, that over 0.5, 0.55, ..., 0.95, and `ap50_CLASS` of each class that has objects; all
      detections, with the names of their fields; `precision` `[R, K]` at 0.5; `by_size` `[3]`, `map50` of the small,
      the middle and the large third of the objects, with `sizes` `[3]`, the mean shares of their sides in the
      picture's; `by_seen` `[bins]`, the share of objects that are found by how much of them is seen, nan of an empty
      bin, and `error` `[bins]`, its standard error.
    """
    names, columns = split.class_names, {name: split.arrays[name] for name in ("box", "label", "present", "seen")}
    is_there = columns["present"] > 0
    area = (columns["box"][..., 2:] - columns["box"][..., :2]).prod(-1)[is_there]
    ends = [0.0, *np.quantile(area, (1 / 3, 2 / 3)).tolist(), 1.0]
    sizes = [np.sqrt(area[(area >= low) & (area <= high)]).mean() for low, high in itertools.pairwise(ends)]
    there = np.unique(columns["label"][is_there])
    bins = np.clip(np.digitize(columns["seen"], seen[1:-1]), 0, len(seen) - 2)
    weights = np.eye(len(seen) - 1, dtype=np.float32)[bins] * is_there[..., None]
    look = full_pass(
        lambda key, state, batch: detect(key, state, batch["image"])._asdict(),
        padded({"image": split.arrays["image"]}, batch_size),
        len(split),
    )

    def probe(carried, key, state):
        look, columns, weights = carried
        found = Detections(**look(key, state))
        objects = Objects(*(columns[name] for name in ("box", "label", "present")))
        areas = (EVERYTHING, *itertools.pairwise(ends))
        curves = precision_recall(found, objects, num_classes=len(names), areas=areas)
        each, mean = curves.average_precision[:, :, 0], curves.mean_average_precision()
        is_sure = found._replace(mask=found.mask * (found.score >= sure))
        is_found = objects_found(is_sure, objects)[..., None]
        share = (weights * is_found).sum((0, 1)) / weights.sum((0, 1))
        return {
            **{"map50": Mean.of(mean[0]), "map75": Mean.of(mean[5]), "map": Mean.of(mean.mean())},
            **{f"ap50_{names[k]}": Mean.of(each[0, k]) for k in there},
            **found._asdict(),
            "precision": curves.precision[0, :, :, 0],
            "by_size": jnp.stack([curves.mean_average_precision(area)[0] for area in (1, 2, 3)]),
            "sizes": jnp.asarray(sizes),
            "by_seen": share,
            "error": jnp.sqrt(share * (1 - share) / weights.sum((0, 1))),
        }

    return Partial(probe, (look, columns, weights))
