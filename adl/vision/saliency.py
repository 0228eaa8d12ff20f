"""Saliency: which pixels a network's answer hangs on, by gradients, by what they sum to, and by what is covered.

`score(x) -> [B]` is what is explained of pictures `x` `[B, H, W, C]`: the logit of a class. Maps are `[B, H, W, C]`, or
`[B, H, W]` where a method knows places alone; `heat` makes places of the former. What a map promises is in its name:
integrated gradients sum to what the score gains over a baseline; all else is a picture of the network's taste, and the
`cascade` shows whether it is one of the network at all.
"""

from collections.abc import Callable

import chex
import jax
import jax.numpy as jnp
from flax import linen as nn
from jax import Array, lax

from adl.core import Key, PyTree
from adl.core.errors import BadInput, did_you_mean

Score = Callable[[Array], Array]  # x [B, H, W, C] -> [B]


def mean_slope(
    key: Key, score: Score, x: Array, *, baseline: Array, num: Array | int, std: Array | float = 0.0
) -> Array:
    """`[B, H, W, C]` mean slope of the score on the way from a baseline to the picture, in noise: what follows in one.

    mean over i < n of grad score(b + (i + 1/2) / n (x - b) + std e_i),   e_i ~ N(0, 1)

    Args:
      key: consumed, by the noise.
      score: as the module says.
      x: `[B, H, W, C]`.
      baseline: b `[B, H, W, C]`; x itself: no way.
      num: n >= 1, places; may be traced.
      std: >= 0, of the noise, in units of the pixels; may be traced.
    """
    slope = jax.grad(lambda x: score(x).sum())

    def more(i, total):
        noise = std * jax.random.normal(jax.random.fold_in(key, i), x.shape)
        return total + slope(baseline + (i + 0.5) / num * (x - baseline) + noise)

    return lax.fori_loop(0, num, more, jnp.zeros_like(x)) / num


def input_gradient(score: Score, x: Array) -> Array:
    """`[B, H, W, C]` slope of each picture's score along its pixels.

    Source: Simonyan, Vedaldi & Zisserman 2014, arXiv:1312.6034, section 3.
    """
    return jax.grad(lambda x: score(x).sum())(x)


def gradient_times_input(score: Score, x: Array) -> Array:
    """`[B, H, W, C]` slope times pixel: what a network without biases, of ReLUs alone, sums to its score.

    Source: Shrikumar et al. 2017, arXiv:1605.01713, section 3.1.
    """
    return x * input_gradient(score, x)


def integrated_gradients(score: Score, x: Array, *, baseline: Array, num_steps: int = 64) -> Array:
    """`[B, H, W, C]` shares of the pixels in what the score gains from a baseline to the picture, their sum.

    (x - b) * mean over t in [0, 1] of grad score(b + t (x - b)),   the mean by the midpoints of equal parts

    Args:
      score: as the module says.
      x: `[B, H, W, C]`.
      baseline: b, broadcastable to x: black, a blur, a mean.
      num_steps: >= 1, gradients on the straight line; a few for smooth scores, more where ReLUs bend it.
    Source: Sundararajan, Taly & Yan 2017, arXiv:1703.01365, eq. 1 and 3.
    """
    baseline = jnp.broadcast_to(baseline, x.shape)
    return (x - baseline) * mean_slope(jax.random.key(0), score, x, baseline=baseline, num=num_steps)


def smooth_gradient(key: Key, score: Score, x: Array, *, std: float, num_samples: int = 32) -> Array:
    """`[B, H, W, C]` mean slope around the picture: SmoothGrad.

    mean over n of grad score(x + std e_n),   e_n ~ N(0, 1)

    Args:
      key: consumed.
      score: as the module says.
      x: `[B, H, W, C]`.
      std: >= 0, of the noise, in units of the pixels; 0 is the gradient itself.
      num_samples: >= 1.
    Source: Smilkov et al. 2017, arXiv:1706.03825, section 3.
    """
    return mean_slope(key, score, x, baseline=x, num=num_samples, std=std)


def occlusion(score: Score, x: Array, *, size: int, stride: int = 1, fill: Array | float = 0.5) -> Array:
    """`[B, H, W]` what the score loses when a square is laid over a place, the mean over all squares that cover it.

    Args:
      score: as the module says.
      x: `[B, H, W, C]`.
      size: side of the square, in pixels, >= 1; at the edge it hangs over.
      stride: pixels from one square to the next, in 1 ... size.
      fill: of the square, broadcastable to x.
    Source: Zeiler & Fergus 2014, arXiv:1311.2901, section 4.2.
    Raises:
      AssertionError: if squares would leave places uncovered.
    """
    chex.assert_scalar_in(stride, 1, size)
    _, height, width, _ = x.shape
    whole = score(x)
    tops, lefts = (jnp.arange(1 - size, length, stride) for length in (height, width))
    corners = jnp.stack(jnp.meshgrid(tops, lefts, indexing="ij"), -1).reshape(-1, 2)

    def more(carry, corner):
        total, count = carry
        rows, columns = (
            (jnp.arange(length) >= start) & (jnp.arange(length) < start + size)
            for length, start in zip((height, width), corner, strict=True)
        )
        inside = rows[:, None] & columns[None]
        loss = whole - score(jnp.where(inside[None, :, :, None], fill, x))
        return (total + loss[:, None, None] * inside[None], count + inside), None

    start = jnp.zeros(x.shape[:3]), jnp.zeros((height, width), jnp.int32)
    (total, count), _ = lax.scan(more, start, corners)
    return total / count[None]


def grad_cam(model: nn.Module, variables: PyTree, x: Array, label: Array, *, layer: str) -> Array:
    """`[B, H, W]` >= 0 where a layer's channels, weighted by the class's slope along each, are in favour of the class.

    relu(sum over k of a_k A_k),   a_k = mean over places of d logit_label / d A_k,   enlarged to the picture

    Args:
      model: `[B, H, W, C] -> [B, K]`, any of flax.
      variables: of the model.
      x: `[B, H, W, C]`.
      label: `[B]` integers, the class that is explained.
      layer: name of the submodule whose output `[B, H', W', C']` it is, one of `layers`.
    Source: Selvaraju et al. 2017, arXiv:1610.02391, eq. 1 and 2.
    Raises:
      BadInput: if there is no such layer, or its output has no places.
    """
    shapes = layers(model, variables, x)
    if layer not in shapes:
        raise BadInput(f"no layer {layer!r}: there are {', '.join(shapes)}{did_you_mean(layer, shapes)}")
    shape = shapes[layer]
    if len(shape.shape) != 4:
        places = ", ".join(name for name, each in shapes.items() if len(each.shape) == 4)
        raise BadInput(f"layer {layer!r} gives {list(shape.shape)}, which has no places; of those that have: {places}")

    def logit(change):
        kept = []

        def added(call, args, options, context):
            out = call(*args, **options)
            if _is_named(context, layer):
                kept.append(out)
                out = out + change.astype(out.dtype)
            return out

        with nn.intercept_methods(added):
            logits = model.apply(variables, x)
        return jnp.take_along_axis(logits, label[:, None], -1).sum(), kept[-1]

    slope, value = jax.grad(logit, has_aux=True)(jnp.zeros(shape.shape, jnp.float32))
    cam = jax.nn.relu((slope.mean((1, 2), keepdims=True) * value.astype(jnp.float32)).sum(-1))
    return jax.image.resize(cam, x.shape[:3], "bilinear")


def layers(model: nn.Module, variables: PyTree, x: Array) -> dict[str, jax.ShapeDtypeStruct]:
    """The model's own submodules by their names, in the order of their last calls, and what each gives for `x`."""
    found: dict[str, jax.ShapeDtypeStruct] = {}

    def seen(call, args, options, context):
        out = call(*args, **options)
        if len(context.module.path) == 1 and context.method_name == "__call__" and hasattr(out, "shape"):
            found.pop(context.module.name, None)
            found[context.module.name] = jax.ShapeDtypeStruct(out.shape, out.dtype)
        return out

    def pass_through(variables, x):
        with nn.intercept_methods(seen):
            return model.apply(variables, x)

    jax.eval_shape(pass_through, variables, x)
    return found


def cascade(key: Key, model: nn.Module, variables: PyTree, x: Array) -> dict[str, PyTree]:
    """Variables with more and more layers as they were before learning, from the last down, by the last name of these.

    A map that stays what it was, when the layers that it explains are drawn anew, does not explain them.

    Args:
      key: consumed, by the fresh layers.
      model: of flax.
      variables: learned.
      x: `[B, H, W, C]`.
    Source: Adebayo et al. 2018, arXiv:1810.03292, section 3.
    """
    fresh = model.init(key, x)["params"]
    params, found = dict(variables["params"]), {}
    for name in reversed([name for name in layers(model, variables, x) if name in params]):
        params[name] = fresh[name]
        found[name] = {**variables, "params": dict(params)}
    return found


def heat(found: Array) -> Array:
    """`[B, H, W]` sizes of a map: of `[B, H, W, C]` the largest over the channels, of `[B, H, W]` what is above 0."""
    return jnp.abs(found).max(-1) if found.ndim == 4 else jax.nn.relu(found)


def _is_named(context, layer: str) -> bool:
    return context.module.path == (layer,) and context.method_name == "__call__"
