"""Samples of several models beside each other, by the same judges: for a page that compares them."""

from collections.abc import Callable, Mapping

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array, lax
from jax.tree_util import Partial

from adl import data
from adl.core.types import Key, Mean, Probe, State
from adl.measure.pictures import as_arguments
from adl.measure.samples import Features, fidelity, in_features, rounded
from adl.prob import neighbours


def training_pictures(train: data.Split, label: np.ndarray, *, seed: int = 0) -> np.ndarray:
    """`[N, H, W, C]` in [0, 1], training pictures of these classes: what samples may look like, at best.

    Args:
      train: "image" `[M, H, W, C]` uint8 and "label" `[M]`.
      label: `[N]` classes; of one that training lacks, any picture.
      seed: of the draw, with replacement.
    """
    rng, known = np.random.default_rng(seed), train.arrays["label"]
    chosen = [rng.choice(np.flatnonzero((known == k) | (k not in known))) for k in label]
    return train.arrays["image"][np.array(chosen)] / np.float32(255)


def judged_together(
    drawn: Mapping[str, np.ndarray],
    reference: data.Split,
    train: data.Split,
    *,
    features: Features,
    draws: Mapping[str, Callable[[Key, State, Array], Array]] | None = None,
    num_shown: int = 12,
) -> Probe:
    """Probe: each model's samples, judged in one program by `samples.fidelity` and `samples.in_features`.

    Pixels are set to the nearest of the grey levels that training pictures have.

    Args:
      drawn: by model, `[N, H, W, C]` in [0, 1], the i-th of the class of the i-th picture of the reference.
      reference: "image" `[N, H, W, C]` uint8 and "label" `[N]`, N >= 3.
      train: "image" `[M, H, W, C]` uint8, what the models have seen.
      features: by name, of pictures in [0, 1].
      draws: by model, `(key, state, label [N]) -> [N, H, W, C]`: what the state draws, below those drawn before.
      num_shown: of samples in `grid`.
    Returns:
      Of each model and number "MODEL_NUMBER", and `[R]` of all in order the "NUMBER"; "nearest" among them is the mean
      distance of samples to the nearest training picture over that of the reference: 1 where neither is a copy, 0 of
      copies; and `grid` `[R, num_shown, H, W, C]`.
    """
    image, seen = (split.arrays["image"] / np.float32(255) for split in (reference, train))
    label, num_classes = reference.arrays["label"], int(reference.arrays["label"].max()) + 1

    def probe(carried, key: Key, state: State) -> dict[str, Mean | Array]:
        arrays, features = carried
        drawn, image, label, seen, levels = map(jnp.asarray, arrays)
        now = [draw(jax.random.fold_in(key, i), state, label) for i, draw in enumerate((draws or {}).values())]
        drawn = jnp.concatenate([drawn, *(one[None] for one in now)])

        def judged(one):
            one = rounded(one, levels)
            told = fidelity(one, image, label, num_classes=num_classes) | in_features(one, image, features)
            near = [_distance_to_nearest(x, seen) for x in (one, image)]
            return {**told, "nearest": Mean(near[0], near[1])}

        told = lax.map(judged, drawn)
        single = {
            f"{who}_{what}": Mean(m.total[i], m.count[i]) for what, m in told.items() for i, who in enumerate(names)
        }
        shown = rounded(drawn[:, :num_shown], levels)
        return {**single, **{what: mean.value for what, mean in told.items()}, "grid": shown}

    names = [*drawn, *(draws or {})]
    return Partial(probe, ((np.stack([*drawn.values()]), image, label, seen, np.unique(seen)), as_arguments(features)))


def against(judged: Probe, plain: Probe, who: str) -> Probe:
    """Probe: a model's samples beside those of others, and how much nearer to 1/2 its halves of the test are.

    Args:
      judged: of `samples.judged_samples`.
      plain: of `judged_together`, by the same reference.
      who: of them is surpassed.
    Returns:
      The numbers that both have, of the model "NUMBER", of the others "WHO_NUMBER", and of all "NUMBER_each" `[1 + R]`,
      the model's first; "gain_two_sample_data" and "gain_two_sample_samples": |s - 1/2| of `who` less the model's;
      "gain_kernel" and, in features, "gain_kernel_NAME": the kernel distance of `who` less the model's; and `rows`
      `[2 + R, num_shown, H, W, C]`: the model's samples, the training pictures nearest to them, and the others'.
    """

    def probe(both, key: Key, state: State) -> dict[str, Mean | Array]:
        told, others = (one(key, state) for one in both)
        found: dict[str, Mean | Array] = {}
        for name in (name for name, mean in told.items() if isinstance(mean, Mean) and name in others):
            ours, theirs = told[name], others[f"{who}_{name}"]
            found |= {other: mean for other, mean in others.items() if other.endswith(f"_{name}")}
            found |= {name: ours, f"{name}_each": jnp.append(ours.value, others[name])}
            if name in ("two_sample_data", "two_sample_samples"):
                found[f"gain_{name}"] = Mean.of(jnp.abs(theirs.value - 0.5) - jnp.abs(ours.value - 0.5))
            elif name.startswith("kernel"):
                found[f"gain_{name}"] = Mean.of(theirs.value - ours.value)
        return {**found, "rows": jnp.concatenate([told["grid"], told["nearest"], others["grid"]])}

    return Partial(probe, (judged, plain))


def _distance_to_nearest(x: Array, known: Array) -> Array:
    """`[]` mean over `x [N, ...]` of the distance to the nearest of `known [M, ...]`; nan of nan."""
    distances = neighbours.squared_distances(x.reshape(len(x), -1), known.reshape(len(known), -1))
    return jnp.sqrt(distances.min(1)).mean()
