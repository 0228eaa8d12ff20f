"""Detectors, of pictures with one to three bright squares; in one there is none."""

import jax
import numpy as np
import optax
from flax import linen as nn
from jax import Array

from adl import data
from adl.core import Algorithm
from adl.vision.centernet import CenterNet, centernet
from adl.vision.detr import Answers, detr
from adl.vision.objects import boxed_pictures
from tests.case import Case

RNG = np.random.default_rng(0)


def squares(num: int) -> dict[str, np.ndarray]:
    """Pictures of 16x16, S = 3 slots, two classes: large and small."""
    image = RNG.integers(0, 60, (num, 16, 16, 1), dtype=np.uint8)
    box, label = np.zeros((num, 3, 4), np.float32), np.zeros((num, 3), np.int32)
    present = (np.arange(3) < RNG.integers(1, 4, (num, 1))).astype(np.float32)
    present[0] = 0
    for n, s in zip(*np.nonzero(present), strict=True):
        label[n, s] = RNG.integers(0, 2)
        side = (7, 4)[label[n, s]]
        y, x = RNG.integers(0, 16 - side, 2)
        image[n, y : y + side, x : x + side] = 200 + 20 * s
        box[n, s] = np.array([y, x, y + side, x + side]) / 16
    return {"image": image, "box": box, "label": label, "present": present}


BATCHES = [squares(16) for _ in range(4)]
PREPARE = boxed_pictures(data.image.symmetric)


def batch(step: int) -> dict[str, np.ndarray]:
    return BATCHES[step % 4]


def find_centres(axis: str | None) -> Algorithm:
    return centernet(CenterNet(2, (8,), cell=2), optax.adam(0.003), cell=2, prepare=PREPARE, axis=axis)


class Guesses(nn.Module):
    """Four queries' answers after each of two layers: laws are about the sets' loss, whatever answers."""

    @nn.compact
    def __call__(self, x: Array) -> Answers:
        h = nn.relu(nn.Dense(16)(x.reshape(len(x), -1)))
        told = nn.Dense(2 * 4 * 7)(h).reshape(len(x), 2, 4, 7).swapaxes(0, 1)
        return Answers(told[..., :3], jax.nn.sigmoid(told[..., 3:]))


def find_sets(axis: str | None) -> Algorithm:
    return detr(Guesses(), optax.adam(0.003), prepare=PREPARE, axis=axis)


CASES = {
    "centernet": Case(find_centres, batch, "loss"),
    "detr": Case(find_sets, batch, "loss"),
}
