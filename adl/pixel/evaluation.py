"""What a model of pixels is judged and shown by: bits a dimension, what it draws, and what it completes.

The state is a `Learner` that keeps an average of its parameters, which is what is looked at.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from flax import linen as nn
from jax import Array
from jax.tree_util import Partial

from adl import data
from adl.core import Key, Learner, Mean, Probe
from adl.measure import rate, samples
from adl.pixel.likelihood import Likelihood
from adl.pixel.raster import Prepare, completed, looking_back, upper_half
from adl.prob import neighbours


def picture_bits(model: nn.Module, likelihood: Likelihood, prepare: Prepare) -> Callable[..., dict[str, Mean]]:
    """Measure for `core.full_pass`: `measure.rate.bits` of the exact likelihood, and `nll` in nats a picture.

    Args:
      model: as in `pixelwise`.
      likelihood: as in training.
      prepare: as in training.
    """

    def measure(key: Key, learner: Learner, batch: Mapping[str, Array]) -> dict[str, Mean]:
        x, *given = prepare(key, batch)
        nats = picture_nats(model, learner, likelihood, x, *given)
        told = rate.bits(-nats, num_dims=math.prod(x.shape[1:]), levels=likelihood.num_levels, mask=batch["mask"])
        return {**told, "nll": Mean.of(nats, batch["mask"])}

    return measure


def picture_nats(model: nn.Module, learner: Learner, likelihood: Likelihood, x: Array, *given: Array) -> Array:
    """`[B]` -log p(x) of pictures of levels `[B, H, W, C]`, in nats a picture."""
    output = model.apply(learner.averaged, x, *given).astype(jnp.float32)
    return likelihood.surprise(output, x).reshape(len(x), -1).sum(1)


class Painter(NamedTuple):
    """How pictures are drawn, by averaged parameters: pixel after pixel, in one program."""

    model: nn.Module  # with `read` and `empty_cache`
    likelihood: Likelihood
    shape: Sequence[int]  # (H, W, C)
    has_label: bool = False  # whether the model sees the class

    def draw(self, key: Key, learner: Learner, label: Array) -> Array:
        """One picture `[B, H, W, C]` in [0, 1] for each label `[B]`; of its class where the model sees it."""
        return self.complete(key, learner, jnp.zeros((len(label), *self.shape), jnp.int32), None, label)

    def one(self, key: Key, learner: Learner) -> Array:
        """`[H, W, C]`, one picture of a model that sees no class."""
        return self.draw(key, learner, jnp.zeros(1, jnp.int32))[0]

    def complete(self, key: Key, learner: Learner, x: Array, known: Array | None, label: Array) -> Array:
        """`[B, H, W, C]` in [0, 1]: levels `x` where they are known `[H, W, C]`, the others drawn; None: all."""
        known = jnp.zeros(self.shape, bool) if known is None else known
        given = (label,) if self.has_label else ()
        look, memory = looking_back(self.model, learner.averaged, len(x), *given)
        drawn = completed(key, look, memory, x, known, likelihood=self.likelihood)
        return drawn / (self.likelihood.num_levels - 1)

    def judged(self, reference: data.Split) -> Probe:
        """`measure.samples.judged_samples`, by class where the model sees one."""
        return samples.judged_samples(self.draw, reference if self.has_label else reference.require("image"))

    def completions(self, x: Array, label: Array, reference: Array, classes: Array, *, num: int = 3) -> Probe:
        """Probe: pictures whose upper half is kept and whose lower half is drawn.

        Args:
          x: `[N, H, W, C]` levels, of pictures that were not learned from.
          label: `[N]` their classes.
          reference: `[M, H, W, C]` levels that were learned from, by which classes are recognised.
          classes: `[M]` of these, in 0 ... K - 1.
          num: completions of each of the first 12 that are shown.
        Returns:
          `kept`: share of the upper pixels that are as they were; `grid` `[2 + num, 12, H, W, C]`: pictures, what was
          known of them, and completions. Where there are two classes or more also `class_accuracy`: share of the
          completed pictures that 3 nearest neighbours among the reference recognise as the picture's class;
          `mean_accuracy`: the same where the lower half is the reference's mean, drawn by nobody; `true_accuracy`: of
          the pictures themselves.
        """
        mask, num_classes = upper_half(self.shape), int(np.max(classes)) + 1
        scale = self.likelihood.num_levels - 1

        def share(pictures: Array, label: Array, rows: Array, classes: Array) -> Mean:
            found = neighbours.classify(
                pictures.reshape(len(pictures), -1), rows, classes, k=3, num_classes=num_classes
            )
            return Mean.of((found == label).astype(jnp.float32))

        def probe(columns, key: Key, learner: Learner) -> dict[str, Mean | Array]:
            x, label, reference, classes = map(jnp.asarray, columns)
            few, true, seen = min(12, len(x)), x / scale, reference / scale
            again = (jnp.concatenate([rows, *[rows[:few]] * (num - 1)]) for rows in (x, label))
            drawn = self.complete(key, learner, next(again), mask, next(again))
            done, more = drawn[: len(x)], drawn[len(x) :].reshape(num - 1, few, *self.shape)
            rows = seen.reshape(len(seen), -1)
            blank = jnp.where(mask[None], true, seen.mean(0, keepdims=True))
            recognised = {"class_accuracy": done, "mean_accuracy": blank, "true_accuracy": true}
            shares = {name: share(each, label, rows, classes) for name, each in recognised.items()}
            return {
                **(shares if num_classes > 1 else {}),
                "kept": Mean.of((done == true)[:, : self.shape[0] // 2].astype(jnp.float32)),
                "grid": jnp.stack([true[:few], jnp.where(mask[None], true, 0.5)[:few], done[:few], *more]),
            }

        return Partial(probe, (x, label, reference, classes))
