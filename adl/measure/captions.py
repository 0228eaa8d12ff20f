"""How alike a text and the one that is wanted are: as a whole, and by the pieces that they share."""

import chex
import jax.numpy as jnp

from adl.core.types import Array, Mean

PIECES = 4  # tokens of a piece


def caption_scores(said: Array, wanted: Array, *, end: int) -> dict[str, Mean]:
    """`exact`, the share of texts that are wholly right, and `bleu`, of all texts together, both in [0, 1].

    Args:
      said: `[M, N]` tokens, behind the first `end` of each nothing counts.
      wanted: `[M, N]` the same of the right ones.
      end: the token behind a text.
    """
    is_said, is_wanted = _before(said, end), _before(wanted, end)
    is_right = ((said == wanted) | ~is_wanted).all(1) & (is_said == is_wanted).all(1)
    return {"exact": Mean.of(is_right.astype(jnp.float32)), "bleu": Mean.of(bleu_of_tokens(said, wanted, end=end))}


def bleu_of_tokens(said: Array, wanted: Array, *, end: int) -> Array:
    """`[]` BLEU in [0, 1] of M texts, each beside one that is wanted: 1 where all are the same.

    BLEU = exp(min(0, 1 - r / c)) prod_n (hits_n / pieces_n)^(1 / 4),   n = 1 ... 4

    r and c are the tokens of all wanted and all said texts; a piece is n tokens in a row, and hits as often as the text
    that is wanted has it. Without smoothing: 0 where no piece of some length hits.

    Args:
      said: as in `caption_scores`.
      wanted: as in `caption_scores`.
      end: as in `caption_scores`.
    Source: Papineni et al. 2002, "BLEU: a Method for Automatic Evaluation of Machine Translation", section 2.3.
    """
    chex.assert_rank([said, wanted], 2)
    chex.assert_equal_shape_prefix([said, wanted], 1)
    is_said, is_wanted = _before(said, end), _before(wanted, end)
    shares = []
    for n in range(1, PIECES + 1):
        mine, mine_real = _pieces(said, is_said, n)
        right, right_real = _pieces(wanted, is_wanted, n)
        same = (mine[:, :, None] == mine[:, None]).all(-1) & mine_real[:, None]
        earlier = jnp.tril(same, -1).sum(-1)  # how often a piece has come before
        there = ((mine[:, :, None] == right[:, None]).all(-1) & right_real[:, None]).sum(-1)
        shares.append((mine_real & (earlier < there)).sum() / jnp.maximum(mine_real.sum(), 1))
    brevity = jnp.minimum(0.0, 1 - is_wanted.sum() / jnp.maximum(is_said.sum(), 1))
    return jnp.exp(brevity + jnp.log(jnp.stack(shares)).mean())


def _before(token: Array, end: int) -> Array:
    """`[M, N]` whether a token stands before the first end."""
    return jnp.cumsum(token == end, 1) == 0


def _pieces(token: Array, is_real: Array, n: int) -> tuple[Array, Array]:
    """`[M, N - n + 1, n]` pieces, and whether all of each is real, `[M, N - n + 1]`."""
    at = jnp.arange(max(token.shape[1] - n + 1, 0))[:, None] + jnp.arange(n)[None]
    return jnp.asarray(token)[:, at], is_real[:, at].all(-1)
