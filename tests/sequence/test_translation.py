"""A translator's loss is the surprise at real tokens of the target, and it learns to reverse."""

import jax
import numpy as np
import optax
from scipy.special import log_softmax

from adl.core import jitted
from adl.nn.encoder_decoder import EncoderDecoder
from adl.sequence.translation import translation

MODEL = EncoderDecoder(9, 1, 2, 16)
RNG = np.random.default_rng(0)


def reversing(size: int) -> dict[str, np.ndarray]:
    """Texts of two to four of eight letters, and after a 0 the same backwards."""
    length = RNG.integers(2, 5, size)
    place = np.arange(4)[None]
    source = RNG.integers(1, 9, (size, 4))
    backwards = np.take_along_axis(source, (length[:, None] - 1 - place).clip(0), 1)
    mask = place < length[:, None]
    start = np.zeros((size, 1), int)
    return {
        "source": source,
        "source_mask": mask,
        "target": np.concatenate([start, np.where(mask, backwards, 0)], 1),
        "target_mask": np.concatenate([start == 0, mask], 1),
    }


def test_the_loss_is_the_surprise_at_real_tokens():
    algorithm, batch = translation(MODEL, optax.sgd(0.0)), reversing(5)
    learner = algorithm.init(jax.random.key(0), batch)
    total, count = 0.0, 0
    for source, target, mask in zip(batch["source"], batch["target"], batch["source_mask"], strict=True):
        n = mask.sum()  # each text alone, without its padding
        logits = MODEL.apply(learner.variables, source[None, :n], target[None, :n])
        total -= np.take_along_axis(log_softmax(np.asarray(logits[0], float), -1), target[1 : n + 1, None], -1).sum()
        count += n
    _, metrics = algorithm.step(jax.random.key(1), learner, batch)
    assert metrics["loss"].count == count
    np.testing.assert_allclose(metrics["loss"].value, total / count, rtol=1e-5)


def test_it_learns_to_reverse():
    algorithm = jitted(translation(MODEL, optax.adam(1e-2)))
    state = algorithm.init(jax.random.key(0), reversing(64))
    for step in range(300):
        state, metrics = algorithm.step(jax.random.key(step), state, reversing(64))
    assert metrics["accuracy"].value > 0.95
