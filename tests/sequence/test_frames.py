"""Probabilities of frames sum to one over all frames, are those of what is drawn, and never look ahead."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from adl.sequence import frames

ODDS = (0.5, -1.0, 0.2, 0.0)
OF = {"width": 3, "num_hidden": 5, "dropout": 0.0, "dtype": jnp.float32}
BITS = np.array([*itertools.product((0, 1), repeat=4)])  # all frames of four keys
NOTES = np.array([*itertools.product(range(3), repeat=4)])  # of four voices with two keys


def shaken(model, x):
    """Variables of a model, far from where it starts."""
    variables = model.init(jax.random.key(0), x)
    leaves, tree = jax.tree.flatten(variables)
    keys = jax.random.split(jax.random.key(1), len(leaves))
    return tree.unflatten(leaf + jax.random.normal(key, leaf.shape) for leaf, key in zip(leaves, keys, strict=True))


def outputs(kind):
    return (NOTES, ODDS[:2]) if kind == "voices" else (BITS, ODDS)


@pytest.mark.parametrize("kind", frames.NAMES)
def test_all_frames_together_have_probability_one(kind):
    """After any beginning, and what is drawn is as likely as it is said to be."""
    every, odds = outputs(kind)
    model = frames.frame_model(kind, odds, **OF)
    begin = np.tile(every[[0, 5, 7]], (len(every), 1, 1))
    x = jnp.asarray(np.concatenate([begin, every[:, None]], 1))
    variables = shaken(model, x)
    share = np.exp(np.asarray(model.apply(variables, x))[:, -1])
    assert abs(share.sum() - 1) < 1e-4 and share.min() > 0
    _, state = model.apply(variables, x[:1, :2], method="remember")
    many = jax.tree.map(lambda leaf: jnp.repeat(leaf, 20_000, 0), state)
    follow = jax.jit(lambda key, frame, state: model.apply(variables, key, frame, state, method="follow")[0])
    drawn = np.asarray(follow(jax.random.key(2), jnp.repeat(x[:1, 2], 20_000, 0), many))
    base = 3 if kind == "voices" else 2
    came = np.bincount((drawn @ base ** np.arange(4)[::-1]).astype(int), minlength=len(every)) / 20_000
    np.testing.assert_allclose(came, share, atol=5 * np.sqrt(share.max() / 20_000))


@pytest.mark.parametrize("kind", frames.NAMES)
def test_nothing_looks_ahead(kind):
    """A later frame leaves the probabilities of those before it as they were."""
    every, odds = outputs(kind)
    model = frames.frame_model(kind, odds, **OF)
    x = jnp.asarray(every[:6][None])
    variables = shaken(model, x)
    found = [np.asarray(model.apply(variables, each)) for each in (x, x.at[0, 4].set(every[-1]))]
    np.testing.assert_array_equal(found[0][:, :3], found[1][:, :3])
    assert (found[0][:, 3:] != found[1][:, 3:]).any()


def test_logistic_regression_is_scikit_learn_s():
    """Its weights give its probabilities."""
    piece = np.random.default_rng(0).integers(0, 2, (300, 2)).astype("f")
    before = np.concatenate([piece[1:-1], piece[:-2]], 1)
    theirs = [LogisticRegression().fit(before, piece[2:, k]) for k in range(2)]
    kernel = np.stack([one.coef_[0] for one in theirs], 1).astype("f")
    bias = np.array([one.intercept_[0] for one in theirs], "f")
    variables = {"params": {"output": {"head": {"kernel": kernel, "bias": bias}}}}
    found = frames.frame_model("logistic", ODDS[:2], **OF).apply(variables, jnp.asarray(piece[None]))[0, 1:]
    want = sum(one.predict_log_proba(before)[np.arange(298), piece[2:, k].astype(int)] for k, one in enumerate(theirs))
    np.testing.assert_allclose(found, want, atol=1e-5)


@pytest.mark.parametrize("name", ["frame", "voices"])
def test_excerpts_are_parts_in_another_key(name):
    """Steps between notes are as they were; short pieces are whole, and masked behind."""
    voices = np.zeros((2, 13, 4), np.int32)
    voices[0, 1:] = 8 + np.arange(12)[:, None] % 3 + np.arange(4)
    voices[1, 1:4] = 9
    frame = np.zeros((2, 13, 24), np.uint8)
    for row, time, voice in np.argwhere(voices):
        frame[row, time, voices[row, time, voice] - 1] = 1
    batch = {"frame": frame, "voices": voices, "length": np.array([12, 3])}
    batch = {key: jnp.asarray(value) for key, value in batch.items()}
    x, mask = frames.excerpts(name, length=5, moved=4)(jax.random.key(3), batch)
    assert x.shape[:2] == (2, 6) and mask.tolist() == [[1] * 5, [1, 1, 1, 0, 0]]
    x = np.asarray(x)
    if name == "voices":
        np.testing.assert_array_equal(np.diff(x[0, 1:], axis=1), 1)
        assert (x[1, 0] == 0).all() and len({*x[1, 1:4].ravel()}) == 1 and (x[1, 4:] == 0).all()
    else:
        assert (x[0, 1:].sum(1) == 4).all() and x[1].sum(1).tolist() == [0, 1, 1, 1, 0, 0]
