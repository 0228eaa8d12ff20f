"""Of a sequence as a whole: layers that read it, what they put out pooled over what is real, and an affine map."""

from typing import Literal

import jax.numpy as jnp
from flax import linen as nn
from jax import Array

from adl.nn.dropout import Dropout

Summary = Literal["last", "mean", "max"]


class SequenceClassifier(nn.Module):
    """Logits, or any numbers, of a whole sequence of tokens or of vectors.

    Tokens are embedded, vectors mapped affinely; layers read them, and what these put out is pooled over time. Dropout
    acts on what the layers see and on what was pooled when a `dropout` key is given to `apply`, and only then.

    Source: of a recurrent network's last state: Sutskever et al. 2014, arXiv:1409.3215, section 2; the largest over
      time: Collobert et al. 2011, JMLR 12, section 3.3.2.
    """

    layers: nn.Module  # `(x [B, T, D], length=[B]) -> ([B, T, E], state)`: `Recurrents`, `Layers`, `TCN`
    num_outputs: int  # K
    width: int  # D
    vocab_size: int = 0  # V of tokens; 0: the inputs are vectors
    summary: Summary = "mean"  # of all times; the last, which a causal network has seen all of; the largest
    dropout: float = 0.0  # in [0, 1)
    dtype: jnp.dtype = jnp.float32  # of embedding and layers' inputs; parameters and outputs are float32

    def setup(self):
        """Parts."""
        if self.vocab_size:
            self.tokens = nn.Embed(self.vocab_size, self.width, dtype=self.dtype)
        else:
            self.inputs = nn.Dense(self.width, dtype=self.dtype)
        self.head = nn.Dense(self.num_outputs)
        self.drop = Dropout(self.dropout)

    def __call__(self, x: Array, *, mask: Array | None = None) -> Array:
        """`[B, K]` of each sequence.

        Args:
          x: `[B, T]` integers in 0 ... V - 1, or `[B, T, C]` vectors.
          mask: `[B, T]` boolean, True from the start of each row; None: everywhere.
        """
        whole = over_time(self.encode(x, mask=mask).astype(jnp.float32), mask, self.summary)
        return self.head(self.drop(whole))

    def encode(self, x: Array, *, mask: Array | None = None) -> Array:
        """`[B, T, E]` what the layers put out; the arguments as of a call."""
        h = self.tokens(x) if self.vocab_size else self.inputs(x)
        return self.layers(self.drop(h), length=None if mask is None else mask.sum(-1))[0]


def over_time(h: Array, mask: Array | None, summary: Summary) -> Array:
    """`[B, E]` the last, the mean or the largest over time of `h` `[B, T, E]`, where `mask` `[B, T]` is True.

    Rows without a real place, with which a last batch is filled up, give zeros.
    """
    if mask is None:
        return {"last": lambda: h[:, -1], "mean": lambda: h.mean(1), "max": lambda: h.max(1)}[summary]()
    count, real = mask.sum(-1)[:, None], mask[..., None]
    if summary == "mean":
        return jnp.where(real, h, 0).sum(1) / jnp.maximum(count, 1)
    if summary == "last":
        whole = jnp.take_along_axis(h, jnp.maximum(count - 1, 0)[..., None], 1)[:, 0]
    else:
        whole = jnp.where(real, h, -jnp.inf).max(1)
    return jnp.where(count > 0, whole, 0)
