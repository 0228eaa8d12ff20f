"""Pictures a pixel a step: every pixel comes once, and what needs no order knows as much in any."""

import jax
import jax.numpy as jnp
import numpy as np
from flax import linen as nn
from sklearn.neighbors import KNeighborsClassifier

from adl import data
from adl.core import Learner, average_params
from adl.nn.sequence_classifier import SequenceClassifier
from adl.sequence import causal, scanned

RNG = np.random.default_rng(0)
IMAGE = RNG.integers(0, 256, (9, 2, 3, 1)).astype(np.uint8)
SPLIT = data.arrays({"image": IMAGE, "label": np.arange(9) % 3})


def test_rows_are_row_after_row_and_an_order_is_a_permutation():
    x = scanned.scanned(data.image.unit(jnp.asarray(IMAGE)), scanned.scan_order(6, "rows"))
    np.testing.assert_allclose(x[..., 0], IMAGE.reshape(9, 6) / 127.5 - 1, atol=1e-6)
    order = scanned.scan_order(784, "permuted")
    assert sorted(order) == list(range(784)) and (order != np.arange(784)).mean() > 0.99
    np.testing.assert_array_equal(order, scanned.scan_order(784, "permuted"))


def test_without_order_is_scikit_learn_s():
    """Votes of three neighbours in pixels; and the same whatever order pixels are in."""
    digits = data.load("digits", "train").first(300)
    train, test = (data.Split(digits.take(rows), digits.info) for rows in (np.arange(200), np.arange(200, 300)))
    probe = jax.jit(scanned.without_order(train, test))
    found = {name: float(mean.value) for name, mean in probe(jax.random.key(0), ()).items()}
    flat = [split.arrays["image"].reshape(len(split), -1) / 255 for split in (train, test)]
    peer = KNeighborsClassifier(3).fit(flat[0], train.arrays["label"])
    assert abs(found["nearest"] - peer.score(flat[1], test.arrays["label"])) < 0.011  # a draw
    assert 0.8 < found["linear"] <= 1


def test_what_is_forgotten_has_no_slope():
    """A network that sees the last pixel alone: nothing hangs on those before."""

    class Last(nn.Module):
        @nn.compact
        def __call__(self, x):
            return nn.Dense(3)(x[:, -1])

    models = {"last": Last(), "lru": reader()}
    state = {name: learner(model) for name, model in models.items()}
    order = scanned.scan_order(6, "rows")
    slopes = scanned.far_seeing(models, SPLIT, order)(jax.random.key(0), state)
    assert (slopes["last_slope"][:-1] == 0).all() and slopes["last_slope"][-1] > 0
    assert (slopes["lru_slope"] > 0).all()
    told = scanned.judged_scans(models, SPLIT, order)(jax.random.key(0), state)
    said = told["lru_probability"].argmax(-1) == SPLIT.arrays["label"]
    np.testing.assert_allclose(told["lru_accuracy"].value, said.mean(), rtol=1e-6)
    np.testing.assert_allclose(told["loss"].value, told["last_loss"].value)


def reader() -> SequenceClassifier:
    return SequenceClassifier(causal.causal_layers("lru", num_layers=1, width=4), 3, 4, summary="last")


def learner(model: nn.Module) -> Learner:
    return Learner.create(model.init(jax.random.key(0), jnp.zeros((1, 6, 1))), average_params(0.9))
