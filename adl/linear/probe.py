"""The linear probe: how much of the classes a frozen representation makes linearly readable."""

from collections.abc import Callable, Mapping

import jax.numpy as jnp

from adl import data
from adl.core import Key, Mean, Probe, State, full_pass
from adl.core.types import Array
from adl.linear.softmax import log_odds, softmax_regression

Represent = Callable[[Key, State, Array], Array]  # (key, state, images [B, ...]) -> features [B, D]


def linear_probe(
    represent: Represent,
    train: data.Split,
    test: data.Split,
    *,
    num_classes: int,
    l2: float | None = None,
    references: Mapping[str, Represent] = {},
) -> Probe:
    """Probe: softmax regression on the features of one split, tested on those of another.

    Features are standardised by their means and deviations on the training split; the fit is convex, and has no luck.

    Args:
      represent: the features.
      train: "image" and "label", all of which are fitted.
      test: "image" and "label", all of which are tested.
      num_classes: K >= 2.
      l2: > 0, as in `softmax_regression`; None: 1 / N, which is C = 1 in scikit-learn.
      references: other features, to compare with.
    Returns:
      `probe(key, state)`: `accuracy` on the test split; that of each reference, by its name, and the `margin` over the
      best of them where there are any; and the test split's `features` `[M, D]`, as they came.
    Source: Alain & Bengio 2016, arXiv:1610.01644.
    """
    l2 = 1 / len(train) if l2 is None else l2
    label, wanted = (jnp.asarray(split.arrays["label"]) for split in (train, test))

    def features(represent, key, state, split):
        def measure(_, state, batch):  # of one key throughout: a reference may be a random network, but it is one
            return {"features": represent(key, state, batch["image"])}

        return full_pass(measure, data.padded(split.require("image"), 500), len(split))(key, state)["features"]

    def accuracy(represent, key, state):
        x, shown = (features(represent, key, state, split) for split in (train, test))
        mean, std = x.mean(0, keepdims=True), x.std(0, keepdims=True)
        x, y = ((z - mean) / jnp.where(std > 0, std, 1) for z in (x, shown))
        weights = softmax_regression(x, label, num_classes=num_classes, l2=l2)
        return (log_odds(weights, y).argmax(-1) == wanted).astype(jnp.float32), shown

    def probe(key, state):
        correct, shown = accuracy(represent, key, state)
        others = {name: accuracy(other, key, state)[0] for name, other in references.items()}
        means = {name: Mean.of(values) for name, values in {"accuracy": correct, **others}.items()}
        if others:
            best = jnp.stack([values.mean() for values in others.values()]).max()
            means["margin"] = Mean.of(correct - best)
        return {**means, "features": shown}

    return probe
