"""Texts: how much they repeat themselves and surprise, beside what people wrote."""

from collections.abc import Mapping

import chex
import jax
import jax.numpy as jnp

from adl.core.types import Array, Mean

GRAM = 8  # tokens


def repeated(text: Array, *, num_tokens: int = GRAM) -> Array:
    """`[]` share of the n-grams of `text` `[N]` that it has had before, in [0, 1).

    Args:
      text: `[N]` tokens, N >= n.
      num_tokens: n >= 1.
    Source: Welleck et al. 2020, arXiv:1908.04319, eq. 11, of the continuation alone.
    """
    chex.assert_rank(text, 1)
    grams = text[jnp.arange(len(text) - num_tokens + 1)[:, None] + jnp.arange(num_tokens)[None]]
    is_same = (grams[:, None] == grams[None]).all(-1)
    return jnp.tril(is_same, -1).any(1).mean()


def beside_people(
    texts: Mapping[str, Array], surprise: Mapping[str, Array], *, people: str = "text"
) -> dict[str, Mean]:
    """What tells texts that were made in several ways from those that people wrote, in the mean over M texts.

    Args:
      texts: `[M, N]` tokens by the name of the way.
      surprise: `[M]` nats a token of each, by the same names.
      people: the name of those that people wrote.
    Returns:
      For each way `NAME_surprise`; `NAME_gap`, that less people's; `NAME_repeated`, as in `repeated`; and
      `NAME_repeated_more`, that less people's.
    """
    chex.assert_equal_shape(list(texts.values()))
    repeats = dict(zip(texts, jax.vmap(jax.vmap(repeated))(jnp.stack([*texts.values()])), strict=True))
    found: dict[str, Mean] = {}
    for name in texts:
        found |= {
            f"{name}_surprise": Mean.of(surprise[name]),
            f"{name}_gap": Mean.of(surprise[name] - surprise[people]),
            f"{name}_repeated": Mean.of(repeats[name]),
            f"{name}_repeated_more": Mean.of(repeats[name] - repeats[people]),
        }
    return found
