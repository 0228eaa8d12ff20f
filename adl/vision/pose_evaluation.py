"""How right poses are on a whole split, by every way to read a heat map, beside a pose that is always the same."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.tree_util import Partial

from adl import data
from adl.core import Key, Learner, Mean, Probe, full_pass
from adl.core.types import Array
from adl.measure.pose import joint_errors, pck, pose_scores, segment_length
from adl.vision.heatmaps import DECODERS, places_of
from adl.vision.pose import Posture, joint_surprise

THRESHOLDS = np.linspace(0, 0.5, 26).astype(np.float32)  # of the curve, in parts of the torso
READ_BY = "parabola"  # what poses are read by, where no other way is named
AT_ONCE = 250  # pictures


def mean_pose(split: data.Split) -> np.ndarray:
    """`[J, 2]` mean place of each joint where it is known; the middle of the others', where one never is."""
    joints, known = (split.arrays[name] for name in ("joints", "known"))
    count = known.sum(0)[:, None]
    mean = np.where(known[..., None], joints, 0).sum(0) / np.maximum(count, 1)
    return np.where(count > 0, mean, mean.sum(0) / max((count > 0).sum(), 1)).astype(np.float32)


def judged_poses(
    postures: Callable[[Learner, Array], Posture], train: data.Split, test: data.Split, *, stride: int, std: float
) -> Probe:
    """Probe of the poses of a whole split.

    Args:
      postures: `(learner, image [B, H, W, C]) -> Posture`.
      train: whose mean pose is the baseline; with "joints" and "known".
      test: "image", "joints", "visible" and "known", as `data.joints.with_joints` reads them.
      stride: as in `joint_surprise`.
      std: as in `joint_surprise`.
    Returns:
      Of places read by `READ_BY`: what `measure.pose.pose_scores` says; "seen", the share of joints that are rightly
      called visible or not; and "loss", the mean of `joint_surprise`'s first, in nats. "pck_argmax" and "error_argmax",
      and so of each of `DECODERS`; and "mean_pose_pck". The arrays are "joints" `[N, J, 2]` and "seen_probability"
      `[N, J]`; "joint_pck" and "joint_error" `[J]` of each joint where it is visible; and the shares of right joints at
      `THRESHOLDS`, "curve", "mean_pose_curve" and, where hidden joints are known, "hidden_curve".
    """
    columns = {name: test.arrays[name] for name in ("joints", "visible", "known")}
    has_hidden = bool((columns["known"] & ~columns["visible"]).any())

    def measure(key: Key, learner: Learner, batch) -> dict[str, Any]:
        posture = postures(learner, batch["image"])
        heat, _, known = joint_surprise(posture, batch, stride=stride, std=std)
        read = {name: places_of(posture.log_heat, way, stride=stride) for name, way in DECODERS.items()}
        return {"loss": Mean.of(heat, known * batch["mask"][:, None]), "seen": posture.seen, **read}

    def judge(said, columns, mean, key, learner):
        said = said(key, learner)
        joints, visible, known = (columns[name] for name in ("joints", "visible", "known"))
        hidden = known if has_hidden else None
        places = {name: said[name] for name in DECODERS} | {"mean_pose": jnp.broadcast_to(mean[None], joints.shape)}
        scores = {name: pose_scores(of, joints, visible, hidden) for name, of in places.items()}
        reference = segment_length(joints, known)

        def curve(places, weight):
            errors = joint_errors(places, joints)
            return jax.vmap(lambda threshold: pck(errors, reference, weight, threshold).value)(THRESHOLDS)

        errors = joint_errors(places[READ_BY], joints)
        by_joint = jax.vmap(lambda error, weight: pck(error, reference, weight, 0.2).value, 1)(errors, visible)
        each = {f"{of}_{name}": scores[name][of] for name in DECODERS for of in ("pck", "error")}
        found = {
            **{"loss": said["loss"], **scores[READ_BY], **each, "mean_pose_pck": scores["mean_pose"]["pck"]},
            **{"seen": Mean.of((said["seen"] > 0) == visible), "seen_probability": jax.nn.sigmoid(said["seen"])},
            **{"joints": places[READ_BY], "joint_pck": by_joint},
            "joint_error": jax.vmap(lambda error, weight: Mean.of(error, weight).value, 1)(errors, visible),
            **{"curve": curve(places[READ_BY], visible), "mean_pose_curve": curve(places["mean_pose"], visible)},
        }
        return found | ({"hidden_curve": curve(places[READ_BY], known & ~visible)} if has_hidden else {})

    said = full_pass(measure, data.padded(test.require("image", *columns), AT_ONCE), len(test))
    return Partial(judge, said, columns, mean_pose(train))
