"""Clips in a step, and how right what is said of them is: as they are, and changed in ways that tell what was learned.

The columns are "clip" `[N, T, H, W, C]` uint8 and "label", `[N]` of clips or `[N, T]` of frames.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
from flax import linen as nn
from jax import Array

from adl import data
from adl.core import BadInput, Key, Learner, Mean, Probe, border, full_pass
from adl.data.files.found import About, ClassNames
from adl.data.scenes import WAYS
from adl.prob.labels import cross_entropy, is_correct

OPPOSITE = {"left": "right", "nearer": "farther", "up": "down", "open": "close", "in": "out", "still": "still"}
OPPOSITE |= {after: before for before, after in OPPOSITE.items()}
AT_ONCE = 100  # clips


def clips_of(name: str, *, of: Sequence[str], labels: str, **how) -> tuple[data.Split, ...]:
    """Splits of clips, "clip" and "label", the label `[N]` of the clip or `[N, T]` of each frame.

    Args:
      name: as in `data.load`.
      of: the splits, in TFDS's words.
      labels: "clip" or "frame"; labels of frames are in "ways", if there is one and `--columns` names no other.
      **how: as in `data.load`.
    Raises:
      BadInput: as `data.splits`; or if labels are of another shape, or a clip is a single frame.
    """
    given = how.get("columns", "")
    if labels == "frame" and "label=" not in given and "ways" in data.load(name, of[0], **how).names:
        how["columns"] = ",".join(filter(None, [given, "label=ways"]))
    found = data.splits(name, "clip", "label", of=of, num_classes=2, **how)
    if labels == "frame" and name.startswith("scenes/"):
        found = tuple(_named(split, ("still", *WAYS)) for split in found)
    for split, words in zip(found, of, strict=True):
        where, shape, label = f"data set {name}, split {words}", split.example_shape, split.column("label")
        if shape[0] < 2:
            raise BadInput(f"{where}: its clips have one frame, in which nothing moves; they must have two or more")
        if label.shape[1:] != ((shape[0],) if labels == "frame" else ()):
            wanted = f"[N, {shape[0]}], one of each frame" if labels == "frame" else "[N], one of each clip"
            told = f"--labels {labels}: label is {label.dtype} [{', '.join(['N', *map(str, label.shape[1:])])}]"
            raise BadInput(f"{where}: {told}; it must be {wanted}; --columns label=NAME names another column")
    return found


def labelled_clips(key: Key, batch: Mapping[str, Array]) -> tuple[Array, Array]:
    """`prepare` of "clip" and "label": frames in [-1, 1], and the labels."""
    border.check(batch, clip="[B, T, H, W, C]", label="int [B, ...]")
    return frames(batch["clip"]), batch["label"]


def frames(clip: Array) -> Array:
    """`[...]` float32 in [-1, 1] of uint8 pixels, as the networks see them."""
    return data.image.symmetric(clip)


class Change(NamedTuple):
    """What is done to clips, and what is then right to say of them."""

    clip: Callable[[Key, Array], Array]  # (key, [B, T, H, W, C]) -> [B, T', H, W, C]
    label: Callable[[Array], Array] = lambda label: label  # [B] or [B, T] -> [B] or [B, T']


def changes(class_names: Sequence[str], labels: str) -> dict[str, Change]:
    """The ways in which clips are changed, by name.

    "shuffled" frames and a "frozen" one leave the label, but not what tells it: right is what is seen without an order,
    or in one frame. "faster" has every second frame, "slower" each twice. "backwards" has opposite labels: there is
    none where classes have no opposites. Labels of frames must tell what has happened since the frame before, and the
    first of them be "still": of others there is no change.

    Args:
      class_names: of the K classes.
      labels: "clip" or "frame"; of frames that are shuffled or frozen there is nothing right to say.
    """
    is_frame = labels == "frame"
    if is_frame and class_names[0] != "still":
        return {}
    found = {
        "faster": Change(lambda key, x: x[:, ::2], _every_second if is_frame else _same),
        "slower": Change(lambda key, x: x.repeat(2, 1), _each_twice if is_frame else _same),
    }
    if not is_frame:
        found["shuffled"] = Change(_shuffled_frames)
        found["frozen"] = Change(lambda key, x: jnp.broadcast_to(x[:, x.shape[1] // 2][:, None], x.shape))
    if all(OPPOSITE.get(name) in class_names for name in class_names):
        order = jnp.array([class_names.index(OPPOSITE[name]) for name in class_names])

        def opposite(label: Array) -> Array:
            # A frame's label is of what was before it; backwards, of what was after it.
            return order[jnp.roll(label[:, ::-1], 1, 1)] if is_frame else order[label]

        found["backwards"] = Change(lambda key, x: x[:, ::-1], opposite)
    return found


def judged_clips(models: Mapping[str, nn.Module], test: data.Split, change: Change | None = None) -> Probe:
    """Probe of what models say of a whole split of clips, and perhaps of changed ones.

    Args:
      models: by name, as in the state `{name: Learner}`; the parameters are the averaged ones.
      test: "clip" and "label".
      change: what is done to the clips; None: nothing.
    Returns:
      Of each model "name_accuracy", of clips or of frames; of unchanged ones also "name_loss" in nats, "loss", which is
      the first's, and "name_probability", `[N, K]` or `[N, T, K]`.
    """

    def measure(key: Key, state: Mapping[str, Learner], batch) -> dict[str, Mean | Array]:
        x, label, found = frames(batch["clip"]), batch["label"], {}
        if change is not None:
            x, label = change.clip(key, x), change.label(label)
        mask = batch["mask"] if label.ndim == 1 else batch["mask"][:, None]
        for name, model in models.items():
            logits = model.apply(state[name].averaged, x)
            found[f"{name}_accuracy"] = Mean.of(is_correct(logits, label), mask)
            if change is None:
                loss = Mean.of(cross_entropy(logits, label), mask)
                found |= {"loss": found.get("loss", loss), f"{name}_loss": loss}
                found[f"{name}_probability"] = jax.nn.softmax(logits)
        return found

    return full_pass(measure, data.padded(test, AT_ONCE), len(test))


def _named(split: data.Split, names: Sequence[str]) -> data.Split:
    """The same clips, whose labels have names."""
    info = split.info
    return data.Split(split.arrays, About(info.name, {"label": ClassNames(tuple(names))}, info.splits))


def _same(label: Array) -> Array:
    return label


def _every_second(label: Array) -> Array:
    """`[B, T']` of every second frame: it has moved since the last where either of the two steps is one."""
    kept = label[:, ::2]
    skipped = jnp.pad(label[:, 1::2], ((0, 0), (1, 0)))[:, : kept.shape[1]]
    return jnp.maximum(kept, skipped)


def _each_twice(label: Array) -> Array:
    """`[B, 2 T]`: the second of each pair is like the first, and has not moved."""
    return jnp.stack([label, jnp.zeros_like(label)], -1).reshape(len(label), -1)


def _shuffled_frames(key: Key, x: Array) -> Array:
    """Each clip's frames in an order of its own."""
    return jax.vmap(jax.random.permutation)(jax.random.split(key, len(x)), x)
