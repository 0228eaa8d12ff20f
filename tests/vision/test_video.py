"""Networks of clips see what they should of time, and clips are changed with what is right to say of them."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import linen as nn

from adl import data
from adl.core import BadInput, Learner
from adl.nn.convolution import convolve
from adl.vision import clips, video

RNG = np.random.default_rng(0)
WAYS = ("left", "right", "nearer", "farther")
SMALL = {"channels": (8,), "width": 8}


def frames_seen(kind: str, labels: str, time: int = 5) -> np.ndarray:
    """Whether what is said (of the clip; or of each frame, the rows) depends on each frame, by the gradient."""
    model = video.clip_net(kind, 3, labels=labels, **SMALL)
    x = jnp.asarray(RNG.normal(size=(1, time, 8, 8, 3)), jnp.float32)
    variables = model.init(jax.random.key(0), x)
    weight = jnp.asarray(RNG.normal(size=3), jnp.float32)
    slopes = jax.jit(jax.jacobian(lambda x: (model.apply(variables, x)[0] @ weight).reshape(-1)))(x)
    return np.abs(slopes).sum((1, -3, -2, -1)) > 0


@pytest.mark.parametrize("kind", video.NAMES)
def test_what_is_said_depends_on_the_frames_that_are_seen(kind):
    """Of one frame alone only that; of all others every one, be it only through the normalisation."""
    np.testing.assert_array_equal(frames_seen(kind, "frame"), np.eye(5, dtype=bool) | (kind != "frame"))
    np.testing.assert_array_equal(frames_seen(kind, "clip")[0], (np.arange(5) == 2) | (kind != "frame"))


def test_frames_beside_their_neighbours_under_a_kernel_of_pictures_are_a_3d_convolution():
    x, kernel = (jnp.asarray(RNG.normal(size=shape), jnp.float32) for shape in ((2, 5, 6, 4, 3), (3, 3, 3, 3, 7)))
    flat = jnp.concatenate([kernel[0], kernel[1], kernel[2]], 2)
    found = video._each_frame(lambda h: convolve(h, flat, strides=2), video._with_neighbours(x))
    np.testing.assert_allclose(found, convolve(x, kernel, strides=(1, 2, 2)), atol=1e-4)


@pytest.mark.parametrize("kind", video.NAMES)
def test_clips_of_any_length_and_odd_sides_are_seen(kind):
    model = video.clip_net(kind, 3, labels="frame", **SMALL)
    variables = jax.eval_shape(model.init, jax.random.key(0), jnp.zeros((2, 4, 7, 9, 1)))
    for time in (2, 4, 9):
        assert jax.eval_shape(model.apply, variables, jnp.zeros((2, time, 7, 9, 1))).shape == (2, time, 3)


def test_changes_leave_right_what_they_say():
    """Frames are their own numbers: which way a number goes from frame to frame is what is right."""
    label, x = np.array([0, 1]), np.broadcast_to(np.arange(6.0)[None, :, None, None, None], (2, 6, 1, 1, 1))
    x = np.where(label[:, None, None, None, None] == 0, -x, x)
    key = jax.random.key(3)

    def way(x):
        return (np.diff(x[:, :, 0, 0, 0], axis=1) > 0).astype(int)

    of = clips.changes(WAYS, "clip")
    assert {*of} == {"faster", "slower", "shuffled", "frozen", "backwards"}
    for name, times in (("faster", 3), ("backwards", 6)):
        changed, right = of[name].clip(key, x), of[name].label(label)
        assert changed.shape[1] == times and (way(changed) == np.asarray(right)[:, None]).all()
    assert (np.asarray(of["backwards"].label(np.arange(4))) == [1, 0, 3, 2]).all()
    np.testing.assert_array_equal(of["slower"].clip(key, x)[:, ::2], x)
    shuffled = np.asarray(of["shuffled"].clip(key, jnp.asarray(x)))
    assert (np.sort(shuffled, 1) == np.sort(x, 1)).all() and (shuffled != x).any((1, 2, 3, 4)).all()
    assert (of["frozen"].clip(key, jnp.asarray(x)) == x[:, 3:4]).all()
    assert {*clips.changes(("walk", "run"), "clip")} == {"faster", "slower", "shuffled", "frozen"}


def test_changes_of_frames_tell_what_has_happened_since_the_last():
    """A thing at places on a line, which moves in some frames: labels of changed clips are those of changed places."""
    names = ("still", *WAYS)
    moves = np.where(RNG.random((50, 9)) < 0.5, RNG.integers(1, 3, (50, 1)), 0)
    moves[:, 0] = 0
    place = np.cumsum(np.array([0, -1, 1])[moves], 1).astype(float)

    def told(place):
        return np.pad(np.array([1, 0, 2])[np.sign(np.diff(place, axis=1)).astype(int) + 1], ((0, 0), (1, 0)))

    assert (told(place) == moves).all()
    of = clips.changes(names, "frame")
    assert {*of} == {"faster", "slower", "backwards"}
    for change in of.values():
        changed = np.asarray(change.clip(jax.random.key(0), jnp.asarray(place)[..., None, None, None]))[..., 0, 0, 0]
        np.testing.assert_array_equal(change.label(jnp.asarray(moves)), told(changed))
    assert clips.changes(("walk", "run"), "frame") == {}


class Bright(nn.Module):
    """Says of a clip, or of each frame, whether it is bright."""

    labels: str

    @nn.compact
    def __call__(self, x):
        light = x.mean((2, 3, 4)) if self.labels == "frame" else x.mean((1, 2, 3, 4))
        return 50 * jnp.stack([-light, light], -1) * self.param("scale", nn.initializers.ones, ())


@pytest.mark.parametrize("labels", ["clip", "frame"])
def test_what_is_said_is_judged_by_clip_or_by_frame(labels):
    label = RNG.integers(0, 2, (230, 3) if labels == "frame" else (230,))
    clip = np.where(label.reshape(230, -1, 1, 1, 1) == 1, 200, 10).astype(np.uint8)
    clip = np.broadcast_to(clip, (230, 3, 4, 4, 1))
    wrong = label.copy()
    wrong[:23] = 1 - wrong[:23]
    model = Bright(labels)
    learner = Learner({"scale": jnp.ones(())}, {"average": {"scale": jnp.ones(())}}, {})
    probe = clips.judged_clips({"bright": model}, data.arrays({"clip": clip, "label": wrong}))
    said = probe(jax.random.key(0), {"bright": learner})
    np.testing.assert_allclose(said["bright_accuracy"].value, 0.9, rtol=1e-6)
    assert said["bright_accuracy"].count == label.size and said["loss"] == said["bright_loss"]
    assert said["bright_probability"].shape == (*label.shape, 2)


def test_clips_of_ones_own_and_those_that_are_none(tmp_path):
    path = tmp_path / "own.npz"
    columns = {"clip": RNG.integers(0, 256, (30, 4, 6, 6, 3)).astype(np.uint8), "label": np.arange(30) % 3}
    columns["ways"] = np.arange(120).reshape(30, 4) % 5

    def read(labels="clip", columns_flag="", **changed):
        np.savez(path, **{name: column for name, column in {**columns, **changed}.items() if column is not None})
        return clips.clips_of(str(path), of=("train", "test"), labels=labels, columns=columns_flag)

    train, test = read()
    assert len(train) + len(test) == 30 and train.example_shape == (4, 6, 6, 3) and train.num_classes == 3
    assert read(label=np.array(["a", "b", "c"])[columns["label"]])[0].class_names == ["a", "b", "c"]
    assert read(clip=columns["clip"][..., 0])[0].example_shape == (4, 6, 6, 1)
    by_frame, _ = read("frame")
    assert by_frame.arrays["label"].shape[1:] == (4,) and by_frame.num_classes == 5
    assert read("frame", ways=None, label=columns["ways"])[0].num_classes == 5
    by_frame, _ = read("frame", "label=each", each=columns["ways"] % 2)
    assert by_frame.num_classes == 2
    (frame, _), named = read("frame", "clip=film", clip=None, film=columns["clip"]), "clip=film,label=ways"
    assert frame.example_shape == (4, 6, 6, 3) and named
    for labels, changed, told in (
        ("clip", {"clip": columns["clip"][:, :1]}, "one frame, in which nothing moves"),
        ("clip", {"clip": columns["clip"] / 255.0}, "clip must be uint8 [N, T, H, W, C], not float"),
        ("clip", {"clip": columns["clip"][..., 0, 0]}, "clip must be uint8 [N, T, H, W, C], not uint8 [28, 4, 6]"),
        ("clip", {"clip": columns["clip"][..., None]}, "clip must be uint8 [N, T, H, W, C], not uint8"),
        ("clip", {"label": columns["ways"]}, "one of each clip"),
        ("clip", {"label": 0 * columns["label"]}, "nothing can be told apart"),
        ("frame", {"ways": columns["label"]}, "one of each frame"),
        ("frame", {"ways": columns["ways"][:, :3]}, "one of each frame"),
        ("frame", {"ways": None}, "one of each frame; --columns label=NAME names another"),
        ("clip", {"clip": None, "image": columns["clip"][:, 0]}, "--columns clip=NAME names a column that is one"),
        ("clip", {"clip": None, "film": columns["clip"]}, "--columns clip=film says that these are meant"),
        ("clip", {"label": columns["label"] / 2}, "label must be integers"),
    ):
        with pytest.raises(BadInput) as caught:
            read(labels, **changed)
        assert told in str(caught.value) and "\n" not in str(caught.value), caught.value
