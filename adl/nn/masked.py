"""The masked perceptron: what it says of each number follows from the numbers before it in an order, in one pass.

Every unit has a degree, how many of the first numbers it may see; a weight between two units is kept where the degrees
allow it, and is 0 elsewhere. So the product of what is said of all numbers is a density, and it is learned like any
perceptron; to draw, the numbers come one after the other.
Source: Germain et al. 2015, arXiv:1502.03509, section 4.
"""

from collections.abc import Callable, Sequence

import chex
import flax.linen as nn
import jax.numpy as jnp
import numpy as np
from jax import Array

from adl.core import BadInput
from adl.nn.mlp import Initializer


class MaskedMLP(nn.Module):
    """A perceptron of which the output about x_d depends on what is before x_d in the order, and on the context.

    h_l = activation((M_l * W_l)^T h_{l-1} + b_l + V_l^T context),   M_l[i, j] = 1 where degree_l(j) >= degree_{l-1}(i)

    and > in place of >= at the output. The degree of an input is its place in the order, from 1; those of the hidden
    units are spread evenly from 1 to D - 1.

    Source: Germain et al. 2015, arXiv:1502.03509, eq. 12 and 13; the context: Papamakarios et al. 2017,
      arXiv:1705.07057, section 3.4.
    """

    features: Sequence[int]  # width of each hidden layer
    num_outputs: int = 1  # P, numbers that are said of each input
    activation: Callable[[Array], Array] = nn.relu  # of the hidden layers
    direct: bool = False  # whether inputs reach the output directly too: with fewer hidden units than inputs they must
    dtype: jnp.dtype = jnp.float32  # of the computation; parameters are float32
    kernel_init: Initializer = nn.initializers.lecun_normal()
    output_init: Initializer | None = None  # of the last layer's kernels; None: as the others'

    @nn.compact
    def __call__(self, x: Array, context: Array | None = None, *, order: Array | None = None) -> Array:
        """`[..., D, P]` what is said of each number, of those before it.

        Args:
          x: `[..., D]` numbers.
          context: `[..., N]` what all may see, or None.
          order: `[D]` place of each number, a permutation of 0 ... D - 1; None: as they stand. It is an argument, so
            that one network serves many orders.
        """
        num_inputs, shape = x.shape[-1], x.shape
        x = h = x.reshape(-1, num_inputs).astype(self.dtype)  # rows of one matrix, as in `MLP`
        context = None if context is None else context.reshape(-1, context.shape[-1])
        order = jnp.arange(num_inputs) if order is None else jnp.asarray(order)
        chex.assert_shape(order, (num_inputs,))
        inputs = degrees = order + 1
        for layer, width in enumerate(self.features):
            wanted = jnp.asarray(hidden_degrees(width, num_inputs))
            h = self._masked(f"hidden_{layer}", h, wanted[None, :] >= degrees[:, None], self.kernel_init)
            if context is not None:
                h = h + nn.Dense(width, use_bias=False, dtype=self.dtype, name=f"context_{layer}")(context)
            h, degrees = self.activation(h), wanted
        init, told = self.output_init or self.kernel_init, jnp.repeat(inputs, self.num_outputs)
        out = self._masked("output", h, told[None, :] > degrees[:, None], init)
        if self.direct:
            out = out + self._masked("direct", x, told[None, :] > inputs[:, None], init, use_bias=False)
        if context is not None:
            told_of = nn.Dense(len(told), use_bias=False, dtype=self.dtype, kernel_init=init, name="context_output")
            out = out + told_of(context)
        return out.reshape(*shape, self.num_outputs)

    def _masked(self, name: str, x: Array, mask: Array, init: Initializer, *, use_bias: bool = True) -> Array:
        kernel = self.param(f"{name}_kernel", init, mask.shape)
        out = x @ (kernel * mask).astype(self.dtype)
        if not use_bias:
            return out
        return out + self.param(f"{name}_bias", nn.initializers.zeros, mask.shape[1:]).astype(self.dtype)[None]


def hidden_degrees(width: int, num_inputs: int) -> np.ndarray:
    """`[width]` int, how many of the first inputs each hidden unit sees: from 1 to D - 1 evenly, D - 1 among them.

    Args:
      width: >= 1.
      num_inputs: D >= 1; of a single input all have degree 1, and none reaches the output.
    Raises:
      BadInput: of a width below 1.
    """
    if width < 1:
        raise BadInput(f"a hidden layer of {width} units is none; at least 1")
    return -(-(np.arange(1, width + 1) * max(1, num_inputs - 1)) // width)
