"""The multilayer perceptron: affine maps with a pointwise nonlinearity between them."""

import functools
from collections.abc import Callable, Sequence

import jax.numpy as jnp
from flax import linen as nn
from jax import Array

from adl.nn.dropout import Dropout

Initializer = Callable[..., Array]  # of flax: (key, shape, dtype) -> array


def flat(x: Array) -> Array:
    """`[B, D]` each example's numbers in a row, of `x` `[B, ...]`."""
    return x.reshape(len(x), -1)


class MLP(nn.Module):
    """Fully connected network; the last layer is affine.

    h_0 = x,   h_l = activation(norm(W_l^T h_{l-1} + b_l)),   output = W_L^T h_{L-1} + b_L

    Dropout acts on the hidden layers when a `dropout` key is given to `apply`, and only then.

    Source: Rumelhart, Hinton & Williams 1986, Nature 323; dropout: Srivastava et al. 2014, JMLR 15.
    """

    features: Sequence[int]  # width of each layer; the last is the size of the output
    activation: Callable[[Array], Array] = nn.relu  # of the hidden layers
    dropout: float = 0.0  # in [0, 1), share of hidden units that are silenced
    dtype: jnp.dtype = jnp.float32  # of the computation; parameters are float32
    kernel_init: Initializer = nn.initializers.lecun_normal()
    output_init: Initializer | None = None  # of the last layer's kernel; None: as the others'
    norm: Callable[..., nn.Module] | None = None  # of the hidden layers, `norm(dtype=...)`; None: none
    use_bias: bool = True  # of the affine maps; a hidden layer with a norm has that of the norm

    @nn.compact
    def __call__(self, x: Array) -> Array:
        """`[..., features[-1]]` from `x` `[..., D]`."""
        # Rows of one matrix: on CPU the kernel's gradient is three times slower when it contracts two axes.
        h = x.reshape(-1, x.shape[-1])
        for width in self.features[:-1]:
            # A bias would be taken away by the norm, which has one of its own.
            h = nn.Dense(
                width, use_bias=self.use_bias and self.norm is None, dtype=self.dtype, kernel_init=self.kernel_init
            )(h)
            if self.norm is not None:
                h = self.norm(dtype=self.dtype)(h)
            h = self.activation(h)
            h = Dropout(self.dropout)(h)
        output_init = self.output_init or self.kernel_init
        h = nn.Dense(self.features[-1], use_bias=self.use_bias, dtype=self.dtype, kernel_init=output_init)(h)
        return h.reshape(*x.shape[:-1], self.features[-1])


class TimedMLP(nn.Module):
    """A perceptron of rows and the time, as a velocity or a denoiser of points: the time is one number more.

    Its activation is smooth, so that its slope is: flows are integrated by steps.
    """

    features: Sequence[int]  # width of each hidden layer
    dtype: jnp.dtype = jnp.float32  # of the computation; parameters are float32

    @nn.compact
    def __call__(self, x: Array, time: Array, condition: None = None) -> Array:
        """`[B, D]` from `x [B, D]` and `time [B]`; `condition`, of denoisers, is none."""
        network = MLP((*self.features, x.shape[-1]), activation=nn.silu, dtype=self.dtype)
        return network(jnp.concatenate([x, time[:, None].astype(x.dtype)], -1)).astype(x.dtype)


class GatedMLP(nn.Module):
    """A perceptron of one hidden layer whose units are products: one affine map lets through what another says.

    output = W_down (activation(W_gate x) * W_up x)

    With the default activation, SwiGLU; with `nn.gelu`, GEGLU; with `nn.sigmoid`, GLU.

    Source: Shazeer 2020, arXiv:2002.05202, eq. 6.
    """

    hidden: int  # width of the hidden layer
    features: int  # size of the output
    activation: Callable[[Array], Array] = nn.silu  # of the gate
    dtype: jnp.dtype = jnp.float32  # of the computation; parameters are float32
    output_init: Initializer = nn.initializers.lecun_normal()  # of the last layer's kernel
    use_bias: bool = False  # of the three maps

    @nn.compact
    def __call__(self, x: Array) -> Array:
        """`[..., features]` from `x` `[..., D]`."""
        dense = functools.partial(nn.Dense, use_bias=self.use_bias, dtype=self.dtype)
        h = x.reshape(-1, x.shape[-1])  # rows of one matrix, as above
        h = self.activation(dense(self.hidden, name="gate")(h)) * dense(self.hidden, name="up")(h)
        out = dense(self.features, kernel_init=self.output_init, name="down")(h)
        return out.reshape(*x.shape[:-1], self.features)
