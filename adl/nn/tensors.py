"""How a network's parameters are read from a checkpoint's tensors, and written as these again.

An `Architecture` says it of one `model_type` of config.json; there are those of `adl.nn.architectures`, which read
texts, and those of `adl.nn.vision_architectures`. A field of the configuration that changes what Hugging Face's own
network computes is read there, or refused.
"""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax
import numpy as np
from flax import linen as nn

from adl.core import PyTree
from adl.nn.fields import Config

Tensors = Mapping[str, np.ndarray]  # of a checkpoint, by name
A_TOKEN = jax.ShapeDtypeStruct((1, 1), np.int32)
ONLY = {"quantization_config": None, "per_layer_config": None, "pruned_heads": {}}  # of every architecture


class From(NamedTuple):
    """Where a parameter comes from, and goes back to."""

    tensor: str  # its name in the checkpoint
    change: Callable[[np.ndarray], np.ndarray] = np.asarray  # what makes the parameter of it
    part: int = 0  # which of `parts` equal parts of its last axis, where several parameters are one tensor
    parts: int = 1
    back: Callable[[np.ndarray], np.ndarray] | None = None  # what makes it of the parameter; None: `change` does both

    def read(self, tensor: np.ndarray) -> np.ndarray:
        """The parameter."""
        return self.change(tensor if self.parts == 1 else np.array_split(tensor, self.parts, -1)[self.part])

    def written(self, parameter: np.ndarray) -> np.ndarray:
        """The tensor, or its part."""
        return (self.back or self.change)(parameter)


class Architecture(NamedTuple):
    """How checkpoints of one `model_type` are read."""

    model: Callable[[Config, Tensors], nn.Module]
    sources: Callable[[Config], PyTree]  # the model's parameters, `From` in place of arrays
    sizes: tuple[str, ...]  # fields that must be there, whole numbers
    other_sizes: tuple[str, ...] = ()  # that may be
    divide: Mapping[str, str] = {}  # of a width into heads
    only: Mapping[str, Any] = {}  # fields of variants that are not computed here, and what they must say
    aliases: Mapping[str, str] = {}  # other names of fields, that must say the same
    prefix: str = ""  # that some checkpoints put before every name
    optional: tuple[str, ...] = ()  # parameters of heads that a checkpoint may lack, or have as copies
    copies: Mapping[str, str] = {}  # tensors that may be another's again; those that no source reads must be
    plain: str = "\0"  # beginning of the names that never have the prefix
    series: tuple[str, ...] = ()  # fields that must be there, whole numbers in lists of one length
    extras: Callable[[Config], PyTree] = lambda config: {}  # sources of the model's other collections, by their names
    inputs: Callable[[Config], tuple] = lambda config: (A_TOKEN,)  # of the model, by which its parameters are made


def of(sources: PyTree) -> list[From]:
    """The leaves of a tree of sources."""
    return jax.tree.leaves(sources, is_leaf=is_source)


def is_source(leaf: Any) -> bool:
    """Whether a node is a leaf of such a tree."""
    return isinstance(leaf, From)


def is_copy(tensors: Tensors, name: str, other: str) -> bool:
    """Whether both are there and hold the same numbers."""
    return name in tensors and other in tensors and np.array_equal(tensors[name], tensors[other])


def of_linear(name: str) -> PyTree:
    """Parameters of `nn.Dense` from PyTorch's `Linear`, whose weight is `[out, in]`."""
    return {**of_matrix(name), "bias": From(f"{name}.bias")}


def of_matrix(name: str) -> PyTree:
    """The same without a bias."""
    return {"kernel": From(f"{name}.weight", np.transpose)}


def of_conv(name: str) -> PyTree:
    """Kernel and bias of a convolution, of PyTorch's `[out, in, height, width]`."""
    return {**of_kernel(name), "bias": From(f"{name}.bias")}


def of_kernel(name: str) -> PyTree:
    """The same without a bias."""
    return {"kernel": From(f"{name}.weight", lambda w: w.transpose(2, 3, 1, 0), back=lambda w: w.transpose(3, 2, 0, 1))}


def of_norm(name: str) -> PyTree:
    """Scale and bias, of PyTorch's weight and bias."""
    return {"scale": From(f"{name}.weight"), "bias": From(f"{name}.bias")}
