"""Causal networks for language models: a transformer, a recurrent network, linear recurrences."""

import functools
import math
from collections.abc import Sequence
from typing import Any, Literal

import jax.numpy as jnp
from flax import linen as nn
from jax import Array

from adl.core import BadInput, PyTree
from adl.nn.recurrence import LRU, Layers, Mamba
from adl.nn.recurrent import Recurrents, lstm
from adl.nn.sequence_classifier import SequenceClassifier, Summary
from adl.nn.tcn import TCN
from adl.nn.token import TokenModel
from adl.nn.transformer import GPT, Blocks, swiglu

Kind = Literal["gpt", "lstm", "ssm", "lru", "tcn"]  # ssm: layers of Mamba; lru: linear recurrent units, perceptrons
NAMES: dict[Kind, str] = {"gpt": "transformer", "lstm": "LSTM", "ssm": "Mamba", "lru": "linear recurrence"}
NAMES |= {"tcn": "temporal convolutions"}


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
    of = {"num_layers": num_layers, "width": width, "num_heads": num_heads, "dropout": dropout, "dtype": dtype}
    layers = causal_layers(kind, **of)
    return TokenModel(vocab_size, width, layers, dropout, dtype)


def causal_layers(
    kind: Kind,
    *,
    num_layers: int,
    width: int,
    num_heads: int = 1,
    memory: float | None = None,
    dropout: float = 0.0,
    dtype: jnp.dtype = jnp.float32,
) -> nn.Module:
    """`(x [B, T, D], length=[B]) -> ([B, T, width], state)`: what each place knows of itself and of all before it.

    Args:
      kind: of the layers, "tcn" among them.
      num_layers: >= 1.
      width: of each; but for "lstm" and "tcn" it is D, too.
      num_heads: of attention, a divisor of the width (gpt).
      memory: >= 2, steps in which what recurrent states hold fades to 1 / e at the start: in all of an LSTM's, by the
        bias of its forget gates (Tallec & Ollivier 2018, arXiv:1804.11188, section 2), in the slowest of linear ones
        (lru); None: as they are by default, 3 and 1,000. Others have no such number.
      dropout: in [0, 1).
      dtype: of the computation.
    """
    of = {"dropout": dropout, "dtype": dtype}
    if kind == "gpt":
        return Blocks(num_layers, num_heads, **of)
    if kind == "tcn":
        return TCN((width,) * num_layers, **of)
    if kind == "lstm":
        keep = None if memory is None else -math.log(math.expm1(1 / memory))  # sigmoid(keep) = exp(-1 / memory)
        return Recurrents(
            lstm if keep is None else lstm._replace(bias=(-keep, keep, 0, 0)), (width,) * num_layers, **of
        )
    if kind == "ssm":
        return Layers(functools.partial(Mamba, dtype=dtype), num_layers, **of)
    slow = {} if memory is None else {"slowest": math.exp(-1 / memory)}
    return Layers(functools.partial(LRU, width, **slow), num_layers, swiglu, **of)


def causal_classifier(
    kind: Kind, num_outputs: int, *, length: int, num_layers: int, width: int, summary: Summary = "last", **of: Any
) -> SequenceClassifier:
    """`[B, T, C] -> [B, num_outputs]`, by networks of about one size, whatever their kind.

    An LSTM has one layer, twice as wide; convolutions have as many as see the whole sequence.

    Args:
      kind: of the layers.
      num_outputs: logits, or any numbers.
      length: T.
      num_layers: of the others.
      width: of what the layers see, and of all but the LSTM.
      summary: of what they put out.
      **of: as in `causal_layers`.
    """
    layers = {"lstm": 1, "tcn": max((length // 4).bit_length(), 1)}.get(kind, num_layers)
    read = causal_layers(kind, num_layers=layers, width=2 * width if kind == "lstm" else width, **of)
    return SequenceClassifier(read, num_outputs, width, summary=summary, dtype=of.get("dtype", jnp.float32))


def require_kinds(models: Sequence[Kind]) -> None:
    """Refuses `--models` that are none, or one of them twice, by BadInput."""
    if not models or len(set(models)) < len(models):
        raise BadInput(f"--models {' '.join(models)}: one or several of {', '.join(NAMES)}, each once")


def attention_weights(model: GPT, variables: PyTree, token: Array) -> Array:
    """`[layers, H, T, T]` weights by which each position of `token` `[T]` sees those before it."""
    _, seen = model.apply(variables, token[None], mutable=["intermediates"])
    blocks = [seen["intermediates"][f"Block_{layer}"] for layer in range(model.num_layers)]
    return jnp.stack([block["MultiHeadAttention_0"]["weights"][0][0] for block in blocks])
