"""Convolutions whose gradients are fast in loops too.

<y, x * k>, of pictures x, a kernel k and a cotangent y of the output, is linear in each of the three. So there are
three products of two of them: the output from x and k, the cotangent of x from y and k, that of k from x and y. Each is
a primitive here, whose derivatives are the other two: to any order, forward and reverse.

On GPU and TPU they lower to the compiler's own forms. On CPU they do not, since there XLA
- brings a convolution into the layout that it is fast in (pictures `[B, H, W, C]`, kernels `[H, W, C, D]`) outside of
  loops only; in loops both gradients took 4 to 150 times as long (github.com/jax-ml/jax/issues/12868). So the operands
  are transposed first;
- makes groups of channels of the networks under a `vmap`, and takes twice as long for them as for one network after
  the other. So one after the other they are;
- takes 100 times as long where each channel is a group as for the sum over the taps, and 28 for the gradient of the
  kernel of wider groups as for the groups side by side;
- takes 10 to 60 times as long for pictures that are smaller than the kernel (2x2 under 3x3) as for the sum over the
  taps.
"""

import functools
from collections.abc import Callable, Sequence

import chex
import jax
import jax.numpy as jnp
import numpy as np
from flax import linen as nn
from jax import Array, lax
from jax.extend.core import Primitive
from jax.interpreters import ad, batching, mlir

from adl.nn.geometry import Geometry, Padding
from adl.nn.mlp import Initializer


class Conv(nn.Module):
    """A convolution along the axes between the first and the last, with parameters as of flax's `nn.Conv`.

    y[b, t, d] = bias[d] + sum over u, c of kernel[u, c, d] x[b, stride t + dilation u - padding, c]
    """

    features: int  # D, channels of the output
    kernel_size: Sequence[int]  # along each axis
    strides: int | Sequence[int] = 1
    padding: Padding = "SAME"
    kernel_dilation: int | Sequence[int] = 1  # inputs from one tap of the kernel to the next
    feature_group_count: int = 1  # groups of channels that do not see each other; divides C and D
    use_bias: bool = True
    dtype: jnp.dtype = jnp.float32  # of the computation; parameters are float32
    kernel_init: Initializer = nn.initializers.lecun_normal()

    @nn.compact
    def __call__(self, x: Array) -> Array:
        """`[B, ..., D]` from `x` `[B, ..., C]`."""
        chex.assert_rank(x, len(self.kernel_size) + 2)
        chex.assert_is_divisible(x.shape[-1], self.feature_group_count)
        shape = (*self.kernel_size, x.shape[-1] // self.feature_group_count, self.features)
        out = convolve(
            x.astype(self.dtype),
            self.param("kernel", self.kernel_init, shape).astype(self.dtype),
            strides=self.strides,
            padding=self.padding,
            dilation=self.kernel_dilation,
            groups=self.feature_group_count,
        )
        if not self.use_bias:
            return out
        bias = self.param("bias", nn.initializers.zeros, (self.features,)).astype(self.dtype)
        return out + bias.reshape(*[1] * (out.ndim - 1), -1)


def convolve(
    x: Array,
    kernel: Array,
    *,
    strides: int | Sequence[int] = 1,
    padding: Padding = "SAME",
    dilation: int | Sequence[int] = 1,
    groups: int = 1,
) -> Array:
    """`[B, ..., D]` products of the kernel with each place of x: `lax.conv_general_dilated`, channels last.

    y[b, t, d] = sum over u, c of kernel[u, c, d] x[b, stride t + dilation u - padding, c]

    Args:
      x: `[B, ..., C]`, as many axes between as the kernel has: one to three.
      kernel: `[..., C / groups, D]`, of x's type.
      strides: inputs from one output to the next, along all axes or each.
      padding: "SAME", as many outputs as inputs over the stride; "VALID", no zeros; or (before, after) of each axis.
      dilation: inputs from one tap of the kernel to the next, along all axes or each.
      groups: output d sees only the C / groups inputs of its group.
    Raises:
      AssertionError: at trace time, if shapes or types do not fit.
    """
    chex.assert_equal_rank([x, kernel])
    chex.assert_type(kernel, x.dtype)
    chex.assert_axis_dimension(x, -1, groups * kernel.shape[-2])
    chex.assert_is_divisible(kernel.shape[-1], groups)
    geometry = Geometry.of(x.shape[1:-1], kernel.shape[:-2], strides, padding, dilation, groups)
    return _output_p.bind(x[None], kernel[None], geometry=geometry)[0]


def adjoint(y: Array, kernel: Array, geometry: Geometry) -> Array:
    """`[B, ..., C]`, the cotangent of the input of a convolution with `kernel` `[..., C / groups, D]`.

    <y, x * k> = <adjoint(y, k), x>

    Args:
      y: `[B, ..., D]`, of its output.
      kernel: of y's type.
      geometry: of the convolution.
    """
    return _input_p.bind(y[None], kernel[None], geometry=geometry)[0]


def _output(x: Array, kernel: Array, geometry: Geometry, layout: Sequence[str] = ("N_C", "_IO", "N_C")) -> Array:
    axes = "DHW"[-len(geometry.size) :]
    return lax.conv_general_dilated(
        x,
        kernel,
        geometry.strides,
        geometry.padding,
        rhs_dilation=geometry.dilation,
        dimension_numbers=tuple(letters.replace("_", axes) for letters in layout),
        feature_group_count=geometry.groups,
    )


def _input(y: Array, kernel: Array, geometry: Geometry, output: Callable = _output) -> Array:
    x = jax.ShapeDtypeStruct(geometry.input(y, kernel), y.dtype)
    return jax.linear_transpose(lambda x: output(x, kernel, geometry), x)(y)[0]


def _kernel(x: Array, y: Array, geometry: Geometry, output: Callable = _output) -> Array:
    kernel = jax.ShapeDtypeStruct(geometry.kernel(x, y), y.dtype)
    return jax.linear_transpose(lambda kernel: output(x, kernel, geometry), kernel)(y)[0]


# On CPU. The gradients of a convolution in these layouts are convolutions of pictures `N_C` and kernels `_IO`.


def _output_on_cpu(x: Array, kernel: Array, geometry: Geometry) -> Array:
    by_taps = geometry.groups == x.shape[-1] > 1 or geometry.is_small
    return (_tap_by_tap if by_taps else _output)(x, kernel, geometry)


def _input_on_cpu(y: Array, kernel: Array, geometry: Geometry) -> Array:
    if geometry.groups > kernel.shape[-2] == 1 or geometry.is_small:
        return _input(y, kernel, geometry, _tap_by_tap)
    swapped = kernel.swapaxes(-1, -2)
    return _input(y, kernel, geometry, lambda x, _, geometry: _output(x, swapped, geometry, ("N_C", "_OI", "N_C")))


def _kernel_on_cpu(x: Array, y: Array, geometry: Geometry) -> Array:
    if geometry.groups == x.shape[-1] > 1 or geometry.is_small:
        return _kernel(x, y, geometry, _tap_by_tap)
    if geometry.groups > 1:
        of_a_group = functools.partial(_kernel_on_cpu, geometry=geometry._replace(groups=1))
        x, y = (array.reshape(*array.shape[:-1], geometry.groups, -1) for array in (x, y))
        kernel = jax.vmap(of_a_group, -2, -2)(x, y)
        return kernel.reshape(*kernel.shape[:-2], -1)
    *window, channels, features = geometry.kernel(x, y)
    x, y = x.swapaxes(0, -1), jnp.moveaxis(y, 0, -2)
    kernel = jax.ShapeDtypeStruct((channels, *window, features), y.dtype)
    pull = jax.linear_transpose(lambda kernel: _output(x, kernel, geometry, ("C_N", "I_O", "_NC")), kernel)
    return jnp.moveaxis(pull(y)[0], 0, -2)


def _tap_by_tap(x: Array, kernel: Array, geometry: Geometry) -> Array:
    """`_output` of one group, or where each channel is a group, as the sum over the taps that see more than zeros."""
    shape, dtype = geometry.output(x, kernel), x.dtype
    x, kernel = (array.astype(jnp.promote_types(dtype, jnp.float32)) for array in (x, kernel))
    x = lax.pad(x, jnp.zeros((), x.dtype), [(0, 0, 0), *((*pad, 0) for pad in geometry.padding), (0, 0, 0)])
    strides, y = (1, *geometry.strides, 1), jnp.zeros(shape, x.dtype)
    if geometry.groups > 1:
        x = x.repeat(shape[-1] // x.shape[-1], -1)
    seen = (*shape[:-1], x.shape[-1])
    for tap in filter(geometry.sees, np.ndindex(geometry.window)):
        start = (0, *np.multiply(tap, geometry.dilation), 0)
        stop = np.add(start, np.multiply(np.subtract(seen, 1), strides)) + 1
        part = lax.slice(x, start, stop, strides)
        if geometry.groups > 1:
            y += part * kernel[tap].reshape(*[1] * (len(shape) - 1), -1)
        else:  # rows of one matrix: a gradient that contracts several axes is slow
            y += (part.reshape(-1, x.shape[-1]) @ kernel[tap]).reshape(shape)
    return y.astype(dtype)


def _primitive(name: str, roles: str, shape: Callable, product: Callable, on_cpu: Callable) -> Primitive:
    """The product of two of x, k, y (`roles`) that is like the third, of S networks: all arrays are `[S, ...]`."""

    def at_once(a, b, *, geometry):
        alone = functools.partial(product, geometry=geometry)
        return alone(a[0], b[0])[None] if len(a) == 1 else jax.vmap(alone)(a, b)

    def in_turn(a, b, *, geometry):
        alone = functools.partial(on_cpu, geometry=geometry)
        return alone(a[0], b[0])[None] if len(a) == 1 else lax.map(lambda operands: alone(*operands), (a, b))

    primitive = Primitive(f"convolution_{name}")
    primitive.def_impl(at_once)  # outside of a trace nothing is in a loop
    primitive.def_abstract_eval(lambda a, b, geometry: jax.core.ShapedArray(shape(geometry, a, b), a.dtype))
    mlir.register_lowering(primitive, mlir.lower_fun(at_once, multiple_results=False))
    mlir.register_lowering(primitive, mlir.lower_fun(in_turn, multiple_results=False), platform="cpu")
    batching.primitive_batchers[primitive] = functools.partial(_batched, primitive, roles)
    return primitive


_MERGED = {  # which of the three is the same for all runs of a `vmap` -> the axes of the others that take theirs in
    "k": {"x": 1, "y": 1},  # more examples
    "x": {"k": -1, "y": -1},  # more features
    "y": {"k": -2, "x": -1},  # more channels
    None: {"x": 0, "k": 0, "y": 0},  # more networks
}


def _batched(primitive: Primitive, roles: str, arrays: Sequence[Array], dims: Sequence[int | None], *, geometry):
    """(the product of each of the n runs, the axis of the runs)."""
    operands = list(zip(roles[:2], arrays, dims, strict=True))
    n = next(array.shape[dim] for _, array, dim in operands if dim is not None)
    same = next((role for role, _, dim in operands if dim is None), None)
    if same != "k" and geometry.groups > 1:  # features of several runs would not be beside those of their group
        same = None
    merged = []
    for role, array, dim in operands:
        if same is None and dim is None:
            array, dim = jnp.broadcast_to(array, (n, *array.shape)), 0
        if dim is not None:
            axis = _MERGED[same][role] % (array.ndim - 1)
            array = jnp.moveaxis(array, dim, axis)
            array = array.reshape(*array.shape[:axis], -1, *array.shape[axis + 2 :])
        merged.append(array)
    out = primitive.bind(*merged, geometry=geometry)
    axis = _MERGED[same][roles[2]] % out.ndim
    return out.reshape(*out.shape[:axis], n, -1, *out.shape[axis + 1 :]), axis


_output_p = _primitive("output", "xky", Geometry.output, _output, _output_on_cpu)
_input_p = _primitive("input", "ykx", Geometry.input, _input, _input_on_cpu)
_kernel_p = _primitive("kernel", "xyk", Geometry.kernel, _kernel, _kernel_on_cpu)

ad.defbilinear(
    _output_p,
    lambda y, x, kernel, geometry: _input_p.bind(y, kernel, geometry=geometry),
    lambda y, x, kernel, geometry: _kernel_p.bind(x, y, geometry=geometry),
)
ad.defbilinear(
    _input_p,
    lambda x, y, kernel, geometry: _output_p.bind(x, kernel, geometry=geometry),
    lambda x, y, kernel, geometry: _kernel_p.bind(x, y, geometry=geometry),
)
ad.defbilinear(
    _kernel_p,
    lambda kernel, x, y, geometry: _input_p.bind(y, kernel, geometry=geometry),
    lambda kernel, x, y, geometry: _output_p.bind(x, kernel, geometry=geometry),
)
