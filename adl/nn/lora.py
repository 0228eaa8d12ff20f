"""Low-rank adapters: of a network that is tuned further, kernels move by products of thin matrices, and all else stays.

    W + (alpha / r) A B,   A [in, r] drawn, B [r, out] of zeros

What is adapted looks like the network itself, to whatever calls `init`, `apply` and `empty_cache`: parameters are the
adapters, and what the network knew is a collection of its own, "frozen", which no optimizer sees.
"""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from flax import linen as nn
from flax.traverse_util import flatten_dict, unflatten_dict

from adl.core.types import Key, PyTree


def every_matrix(name: str) -> bool:
    """All affine maps, of attention and of perceptrons."""
    return name.endswith("/kernel")


class WithAdapters(NamedTuple):
    """A network with low-rank adapters.

    Source: Hu et al. 2021, arXiv:2106.09685, section 4.1, eq. 3.
    """

    model: nn.Module
    rank: int  # r >= 1
    alpha: float = 16.0  # > 0
    chosen: Callable[[str], bool] = every_matrix  # of matrices, by path: "Block_0/MLP_0/Dense_0/kernel"
    whole: tuple[str, ...] = ("values",)  # parts that are trained as they are, such as a new head

    def init(self, key: Key, *inputs, **more) -> dict[str, PyTree]:
        """Variables of a network that knows nothing yet, and of its adapters."""
        own, other = jax.random.split(key)
        return self.adapting(own, self.model.init(other, *inputs, **more))

    def adapting(self, key: Key, variables: Mapping[str, PyTree]) -> dict[str, PyTree]:
        """Variables that compute what the network's own do, and from there move by adapters alone.

        Args:
          key: consumed.
          variables: of the network, with "params".
        """
        params = variables["params"]
        flat = flatten_dict(params, sep="/")
        kernels = {
            name: kernel
            for name, kernel in flat.items()
            if kernel.ndim == 2 and self.chosen(name) and name.partition("/")[0] not in self.whole
        }
        keys = jax.random.split(key, max(len(kernels), 1))
        low = {
            name: {
                "a": jax.random.normal(own, (kernel.shape[0], self.rank), kernel.dtype) / kernel.shape[0] ** 0.5,
                "b": jnp.zeros((self.rank, kernel.shape[1]), kernel.dtype),
            }
            for own, (name, kernel) in zip(keys, kernels.items(), strict=False)
        }
        whole = {name: params[name] for name in self.whole if name in params}
        frozen = {name: of for name, of in params.items() if name not in whole}
        return {**variables, "params": {"low": low, **whole}, "frozen": frozen}

    def merged(self, variables: Mapping[str, PyTree]) -> dict[str, PyTree]:
        """The network's own variables, its kernels moved; what has no adapters as it is."""
        if "frozen" not in variables:
            return dict(variables)
        given = dict(variables["params"])
        flat = flatten_dict(variables["frozen"], sep="/")
        for name, matrix in given.pop("low").items():
            flat[name] = flat[name] + self.alpha / self.rank * matrix["a"] @ matrix["b"]
        rest = {name: of for name, of in variables.items() if name not in ("params", "frozen")}
        return {**rest, "params": {**unflatten_dict(flat, sep="/"), **given}}

    def apply(self, variables: Mapping[str, PyTree], *inputs, mutable: Any = False, **more) -> Any:
        """As the network's own `apply`."""
        inner = [name for name in mutable if name != "frozen"] if isinstance(mutable, list) else mutable
        output = self.model.apply(self.merged(variables), *inputs, mutable=inner, **more)
        if not isinstance(mutable, list) or "frozen" not in mutable:
            return output
        return output[0], {**output[1], "frozen": variables["frozen"]}

    def clone(self, **changes) -> "WithAdapters":
        """The same of the network with other fields."""
        return self._replace(model=self.model.clone(**changes))

    def empty_cache(self, *args, **more) -> PyTree:
        """The network's own."""
        return self.model.empty_cache(*args, **more)

    @property
    def max_length(self) -> int:
        """The network's own."""
        return self.model.max_length


def unadapted(model: nn.Module | WithAdapters, variables: Mapping[str, PyTree]) -> dict[str, PyTree]:
    """Variables of the network itself, whether it has adapters or not."""
    return model.merged(variables) if isinstance(model, WithAdapters) else dict(variables)
