"""Networks that learn poses, and which way clips go."""

import numpy as np
import optax

from adl.core import Algorithm
from adl.data.joints import MIRRORED
from adl.supervised.classification import classifier
from adl.supervised.regression import fit
from adl.vision.clips import labelled_clips
from adl.vision.pose import PoseNet, heat_surprise, posed_views
from adl.vision.video import clip_net
from tests.case import IMAGES, LABELS, Case

JOINTS = np.stack([7.5 * np.cos(np.arange(14)), 7.5 * np.sin(np.arange(14))], -1).astype("f") / 2 + 4


def poses(step: int) -> dict[str, np.ndarray]:
    image = np.repeat(IMAGES[step % 4], 3, -1)
    columns = {"image": image, "joints": np.tile(JOINTS, (16, 1, 1))}
    return columns | {"visible": np.tile(np.arange(14) % 3 > 0, (16, 1)), "known": np.ones((16, 14), bool)}


def clips(step: int) -> dict[str, np.ndarray]:
    return {"clip": np.repeat(IMAGES[step % 4][:, None, :4, :4], 2, 1), "label": LABELS[step % 4]}


def pose(axis: str | None, mirrored) -> Algorithm:
    return fit(PoseNet(14, (8, 8)), optax.sgd(0.1), loss=heat_surprise(), prepare=posed_views(mirrored), axis=axis)


def video(axis: str | None, kind: str) -> Algorithm:
    model = clip_net(kind, 2, channels=(8,), width=8)
    return classifier(model, optax.sgd(0.1), prepare=labelled_clips, axis=axis)


CASES = {
    "fit, heat maps": Case(lambda axis: pose(axis, MIRRORED), poses, "loss", is_deterministic=False),
    "classifier, clips": Case(lambda axis: video(axis, "lstm"), clips, "loss"),
}
