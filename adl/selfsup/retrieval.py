"""What a space of pictures and texts is judged by: whether each finds the other, and is told from what is nearly it."""

from collections.abc import Callable, Mapping
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.tree_util import Partial

from adl.core import Key, Mean, Probe, State
from adl.selfsup.embedder import normalised

PROTOCOL = {  # what `found_by_each_other` measures
    "text": "how often the nearest of all captions is a picture's own, in words",
    "picture": "how often the nearest of all pictures has a caption's words",
    "exchanged": "how often a picture is nearer to its caption than to that with two colours exchanged",
    "pair": "how often a single thing's colour and shape, one of 30 pairs, are those of the nearest prompts",
}


class Gallery(NamedTuple):
    """N pictures, their captions, and captions that they must be told from."""

    image: Array  # [N, ...]
    token: Array  # [N, T]
    exchanged: Array  # [N, T] nearly the right ones
    differs: Array  # [N] whether they differ
    prompts: Array  # [K, M, T] texts of K classes
    label: Array  # [N] which class a picture is of; -1: of none


def found_by_each_other(
    see: Callable[[State, Array], Array], read: Callable[[State, Array], Array], parts: Mapping[str, Gallery]
) -> Probe:
    """Probe: what pictures and texts find in one space, of several galleries of one size.

    Args:
      see: `(state, image [B, ...]) -> [B, P]` of unit length.
      read: `(state, token [B, T]) -> [B, P]` of unit length.
      parts: by name; their prompts are the same.
    Returns:
      `probe(key, state)`: of each part `PART_text`, `PART_picture`, `PART_exchanged` and `PART_pair`, as `PROTOCOL` has
      them, and `PART_chance`, how often any caption of the gallery has a picture's words; arrays `every` `[4 G]` of the
      four in each of G parts, `chance` of the same, and `likeness` of the first 12 pictures and captions of the first.
    """
    several = Gallery(*(np.stack(leaves) for leaves in zip(*parts.values(), strict=True)))

    def flat_rows(x: Array, num: int) -> Array:
        return x.reshape(-1, *x.shape[num:])

    def probe(several, key: Key, state: State) -> dict[str, Mean | Array]:
        shape, prompts = several.token.shape[:2], several.prompts[0]
        u = see(state, flat_rows(several.image, 2)).reshape(*shape, -1)
        texts = jnp.concatenate([flat_rows(x, 2) for x in (several.token, several.exchanged)] + [flat_rows(prompts, 2)])
        v = read(state, texts)
        own, nearly = v[: 2 * shape[0] * shape[1]].reshape(2, *shape, -1)
        centre = normalised(v[2 * shape[0] * shape[1] :].reshape(*prompts.shape[:2], -1).mean(1))
        told, every, chance = {}, [], []
        for g, part in enumerate(parts):
            of = Gallery(*(leaf[g] for leaf in several))
            likeness = u[g] @ own[g].T
            same = (of.token[:, None] == of.token[None]).all(-1)
            rows = jnp.arange(len(same))
            nearer = (u[g] * own[g]).sum(-1) > (u[g] * nearly[g]).sum(-1)
            found = {
                "text": Mean.of(same[rows, likeness.argmax(1)].astype(jnp.float32)),
                "picture": Mean.of(same[rows, likeness.argmax(0)].astype(jnp.float32)),
                "exchanged": Mean.of(nearer.astype(jnp.float32), of.differs),
                "pair": Mean.of(((u[g] @ centre.T).argmax(1) == of.label).astype(jnp.float32), of.label >= 0),
            }
            told |= {f"{part}_{name}": mean for name, mean in found.items()}
            told[f"{part}_chance"] = Mean.of(same.mean(1))
            chance.append(jnp.stack([same.mean(), same.mean(), jnp.asarray(0.5), jnp.asarray(1 / len(centre))]))
            every.append(jnp.stack([mean.value for mean in found.values()]))
        arrays = {"every": jnp.concatenate(every), "chance": jnp.concatenate(chance)}
        return told | arrays | {"likeness": u[0, :12] @ own[0, :12].T}

    return Partial(probe, several)
