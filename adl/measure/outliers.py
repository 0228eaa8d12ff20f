"""How well scores tell what is unlike the data: the area under the ROC of strangers against data never seen.

1/2 is chance; below it strangers look more like the data than the data do, as they do to plain likelihoods.
Sources: Hendrycks & Gimpel 2017, arXiv:1610.02136, for the area; Nalisnick et al. 2019, arXiv:1810.09136, for the
failure of likelihoods.
"""

from collections.abc import Callable, Mapping, Sequence

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.tree_util import Partial

from adl.core import carrying
from adl.core.types import Key, Mean, Probe, State
from adl.measure.roc import area_under_roc, threshold_curve

BLENDED = 4  # pictures in a blend
Scores = Callable[[Key, State, Array], Mapping[str, Array]]  # (key, state, examples [N, ...]) -> by name [N]


def outlier_area(score: Array, is_stranger: Array) -> Array:
    """`[]` in [0, 1]: how often a stranger scores above an example of the data, ties counted by half; nan of nan.

    Args:
      score: `[N]`, higher for what is more of a stranger.
      is_stranger: `[N]` of 0 and 1, not all equal.
    """
    return area_under_roc(threshold_curve(score, is_stranger.astype(int)))


def told_apart(scores: Scores, inside: Array, outside: Mapping[str, Array]) -> Probe:
    """Probe: `outlier_area` "SCORE_KIND" of each score and each kind of strangers.

    Args:
      scores: `(key, state, examples) -> {name: [N]}`, higher for what is more of a stranger.
      inside: `[N, ...]` data that were not learned.
      outside: `[M, ...]` strangers by kind.
    """

    def probe(carried, key: Key, state: State) -> dict[str, Mean]:
        inside, outside = carried
        keys = jax.random.split(key, len(outside) + 1)
        of_data, seen = scores(keys[0], state, inside), {}
        for own, (kind, examples) in zip(keys[1:], outside.items(), strict=True):
            for name, found in scores(own, state, examples).items():
                both = jnp.concatenate([of_data[name], found])
                seen[f"{name}_{kind}"] = Mean.of(outlier_area(both, jnp.arange(len(both)) >= len(inside)))
        return seen

    return Partial(probe, (inside, dict(outside)))


def left_out_areas(
    names: Sequence[str],
    scores: Callable[[Key, State, Array], Mapping[str, Array]],
    inside: Array,
    label: Array,
    classes: Array,
    outside: Mapping[str, Array],
) -> Probe:
    """Probe: `outlier_area` of each class, by what never learned it, and of strangers, by what learned all classes.

    Args:
      names: S of the scores, in the order in which they are told.
      scores: `(key, state, examples [N, ...]) -> {name: [K + 1, N]}`, higher for what is more of a stranger: of what
        learned without each of the classes in turn, and last of what learned from all. A `Partial` where it has
        arrays.
      inside: `[M, ...]` data that were not learned, of all classes.
      label: `[M]` of these.
      classes: `[K]` that are left out.
      outside: `[., ...]` strangers by kind.
    Returns:
      By kind, of which "left_out" is one, the areas `[S]` by score; and each alone, "KIND_SCORE".
      That of a class left out is the mean over the classes, each found among the data of the others.
    """
    sizes, pictures = {kind: len(x) for kind, x in outside.items()}, jnp.concatenate([inside, *outside.values()])

    def probe(carried, key: Key, state: State) -> dict[str, Mean | Array]:
        scores, pictures, label, classes = carried
        table = {kind: {} for kind in ("left_out", *sizes)}
        found = scores(key, state, pictures)
        for name in names:
            score = found[name]
            of_data, start = score[:, : len(label)], len(label)
            held = jax.vmap(lambda s, k: outlier_area(s, label == k))(of_data[:-1], classes)
            table["left_out"][name] = Mean.of(held)
            for kind, num in sizes.items():
                both = jnp.concatenate([of_data[-1], score[-1, start : start + num]])
                table[kind][name], start = Mean.of(outlier_area(both, jnp.arange(len(both)) >= len(label))), start + num
        single = {f"{kind}_{name}": mean for kind, told in table.items() for name, mean in told.items()}
        return {**single, **{kind: jnp.stack([mean.value for mean in told.values()]) for kind, told in table.items()}}

    return Partial(probe, (carrying(scores), pictures, jnp.asarray(label), jnp.asarray(classes)))


def strangers(image: np.ndarray, *, seed: int = 0) -> dict[str, np.ndarray]:
    """Pictures unlike those given, made of them: `[N, H, W, C]` by kind.

    "turned" by 90 degrees, where they are square, else by 180; "inverted", white for black; "scrambled": each pixel
    that of another picture at the same place, so that all that is known of single pixels is as it was. "blended": the
    mean of `BLENDED` pictures, nearer to the mean of all than any: to plain likelihoods likelier than what was learned.

    Args:
      image: `[N, H, W, C]` uint8.
      seed: of who lends whom a pixel, and who is blended.
    """
    rng = np.random.default_rng(seed)
    rows = rng.permuted(np.tile(np.arange(len(image))[:, None], (1, image[0].size)), axis=0)
    flat = np.take_along_axis(image.reshape(len(image), -1), rows, 0)
    turns = 1 if image.shape[1] == image.shape[2] else 2
    return {
        "turned": np.rot90(image, turns, axes=(1, 2)).copy(),
        "inverted": 255 - image,
        "scrambled": flat.reshape(image.shape),
        "blended": image[rng.integers(len(image), size=(len(image), BLENDED))].mean(1).round().astype(np.uint8),
    }
