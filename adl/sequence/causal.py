"""Causal networks for language models: a transformer, a recurrent network, linear recurrences."""

import functools
from typing import Literal

import jax.numpy as jnp
from flax import linen as nn
from jax import Array

from adl.core import PyTree
from adl.nn.recurrence import LRU, Layers, Mamba
from adl.nn.recurrent import Recurrents, lstm
from adl.nn.token import TokenModel
from adl.nn.transformer import GPT, swiglu

Kind = Literal["gpt", "lstm", "ssm", "lru"]  # ssm: layers of Mamba; lru: linear recurrent units and perceptrons
NAMES: dict[Kind, str] = {"gpt": "transformer", "lstm": "LSTM", "ssm": "Mamba", "lru": "linear recurrence"}


def network(
    kind: Kind,
    vocab_size: int,
    *,
    num_layers: int,
    width: int,
    length: int,
    num_heads: int,
    position: str = "learned",
    dropout: float = 0.0,
    dtype: jnp.dtype = jnp.float32,
) -> nn.Module:
    """`[B, T] -> [B, T, V]` logits of the next token, or with a cache `([B, T], cache=) -> ([B, T, V], cache)`.

    Args:
      kind: of the network; all but "gpt" remember texts of any length.
      vocab_size: V.
      num_layers: >= 1.
      width: D of embedding and layers.
      length: longest T (gpt).
      num_heads: of attention, a divisor of the width (gpt).
      position: as in `GPT` (gpt).
      dropout: in [0, 1).
      dtype: of the computation.
    """
    if kind == "gpt":
        return GPT(vocab_size, length, num_layers, num_heads, width, dropout, dtype, position)
    if kind == "lstm":
        layers = Recurrents(lstm, (width,) * num_layers, dropout=dropout, dtype=dtype)
    elif kind == "ssm":
        layers = Layers(functools.partial(Mamba, dtype=dtype), num_layers, dropout=dropout, dtype=dtype)
    else:
        layers = Layers(functools.partial(LRU, width), num_layers, swiglu, dropout=dropout, dtype=dtype)
    return TokenModel(vocab_size, width, layers, dropout, dtype)


def attention_weights(model: GPT, variables: PyTree, token: Array) -> Array:
    """`[layers, H, T, T]` weights by which each position of `token` `[T]` sees those before it."""
    _, seen = model.apply(variables, token[None], mutable=["intermediates"])
    blocks = [seen["intermediates"][f"Block_{layer}"] for layer in range(model.num_layers)]
    return jnp.stack([block["MultiHeadAttention_0"]["weights"][0][0] for block in blocks])
