"""Style transfer: one picture's places with another's textures, found by descent on the pixels themselves.

A network's features f_l `[B, H, W, C]` say what is where; their Gram matrices, which forget where, say what goes
together: colours, strokes, textures.

    G_l[c, d] = mean over places of f_l[c] f_l[d]
    loss(x) = mean over l of |G_l(x) - G_l(style)|^2 / |G_l(style)|^2
              + content_weight |f_L(x) - f_L(content)|^2 / |f_L(content) - its mean|^2 + smooth_weight TV(x)

The source divides by sizes instead of by the targets, so that its weights are those of one network; here they are
shares, and mean the same for any.
Source: Gatys, Ecker & Bethge 2016, "Image Style Transfer Using Convolutional Neural Networks", CVPR, eq. 1 to 7; total
variation: Mahendran & Vedaldi 2015, arXiv:1412.0035, section 3.2.
"""

import functools
from collections.abc import Callable, Sequence
from typing import NamedTuple

import chex
import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import linen as nn
from jax import Array, lax
from jax.tree_util import Partial

from adl.core import Algorithm, Key, Learner, Mean, Metrics, Probe, PyTree, border
from adl.data.image import unit
from adl.nn.convolution import Conv

Features = Callable[[Array], Sequence[Array]]  # x [B, H, W, C] in [0, 1] -> f_l [B, H_l, W_l, C_l], the first first


class Textures(nn.Module):
    """A classifier of small pictures whose features say what style is: convolutions, two by two, and mean pooling.

    Source: Simonyan & Zisserman 2015, arXiv:1409.1556, with the mean pooling that Gatys et al. 2016 found better.
    """

    num_classes: int  # K
    channels: Sequence[int] = (24, 48, 96)  # of each stage, each at half the last's resolution
    dtype: jnp.dtype = jnp.float32  # of the computation; parameters and logits are float32

    def setup(self) -> None:
        """The layers."""
        conv = functools.partial(Conv, kernel_size=(3, 3), kernel_init=nn.initializers.he_normal(), dtype=self.dtype)
        self.convolutions = [[conv(width), conv(width)] for width in self.channels]
        self.head = nn.Dense(self.num_classes, dtype=jnp.float32)

    def features(self, x: Array) -> list[Array]:
        """`[B, H, W, C]` after each convolution, of pictures `x` `[B, H, W, 3]` in [0, 1]; and first these with ones.

        The Gram matrix of the first knows means and covariances of the colours, which no filter needs to keep.
        """
        h, found = 4 * (x - 0.5), [jnp.concatenate([x, jnp.ones_like(x[..., :1])], -1)]
        for stage, pair in enumerate(self.convolutions):
            h = nn.avg_pool(h, (2, 2), (2, 2)) if stage else h
            for conv in pair:
                h = nn.relu(conv(h))
                found.append(h.astype(jnp.float32))
        return found

    def __call__(self, x: Array) -> Array:
        """`[B, K]` logits."""
        return self.head(self.features(x)[-1].mean((1, 2)))


class Aims(NamedTuple):
    """What the pictures that are made should have of others."""

    grams: Sequence[Array]  # [B, C_l, C_l] of the styles
    content: Array  # [B, H_L, W_L, C_L] of the contents


class Canvas(NamedTuple):
    """Pictures in the making."""

    x: Array  # [B, H, W, C] in [0, 1]
    opt_state: PyTree  # optax
    targets: Aims


def gram(features: Array) -> Array:
    """`[B, C, C]` mean products of the channels of `features` `[B, H, W, C]` over all places."""
    chex.assert_rank(features, 4)
    places = features.reshape(len(features), -1, features.shape[-1])
    return jnp.einsum("bnc,bnd->bcd", places, places) / places.shape[1]


def roughness(x: Array) -> Array:
    """`[B]` mean squared difference of neighbouring pixels of `x` `[B, H, W, C]`, down and across, their sum."""
    chex.assert_rank(x, 4)
    return sum(jnp.square(jnp.diff(x, axis=axis)).mean((1, 2, 3)) for axis in (1, 2))


def style_distance(features: Sequence[Array], grams: Sequence[Array]) -> Array:
    """`[B]` of features `f_l` to the Gram matrices of styles: 0 is the same, 1 is as far as blank features are."""
    apart = [_share(gram(f) - target, target) for f, target in zip(features, grams, strict=True)]
    return jnp.stack(apart).mean(0)


def content_distance(features: Array, content: Array) -> Array:
    """`[B]` of features to those of contents, both `[B, H, W, C]`: 1 is as far as their mean is everywhere."""
    return _share(features - content, content - content.mean((1, 2), keepdims=True))


@border.columns(content="float [B, H, W, C]", style="float [B, U, V, C]")
def style_transfer(
    model: Features,
    tx: optax.GradientTransformation,
    *,
    content_layer: int,
    content_weight: Array | float,
    smooth_weight: Array | float = 0.0,
) -> Algorithm:
    """Pictures that come to have the places of contents and the textures of styles; they begin as the contents.

    The state is a `Canvas`, a row for each row of the batch, which is the same at each step: `{"content": [B, H, W, C],
    "style": [B, U, V, C]}`, pixels in [0, 1], where they are kept. A step reports the `loss`, and of it the `style` and
    the `content` distance.

    Args:
      model: features of pictures, by a network and its variables.
      tx: optax transformation of the pixels.
      content_layer: L, index of the features by which contents are known; styles are known by all.
      content_weight: >= 0, of the content distance; the style's is 1.
      smooth_weight: >= 0, of the total variation.
    Source: Gatys, Ecker & Bethge 2016, CVPR, eq. 7, with the scales of the module.
    """

    def init(key: Key, batch) -> Canvas:
        content, style = (batch[name].astype(jnp.float32) for name in ("content", "style"))
        targets = Aims([gram(f) for f in model(style)], model(content)[content_layer])
        return Canvas(jnp.array(content), tx.init(content), targets)

    def loss(x: Array, targets: Aims) -> tuple[Array, Metrics]:
        found = model(x)
        style = style_distance(found, targets.grams)
        content = content_distance(found[content_layer], targets.content)
        total = style + content_weight * content + smooth_weight * roughness(x)
        return total.sum(), {"loss": Mean.of(total), "style": Mean.of(style), "content": Mean.of(content)}

    def step(key: Key, canvas: Canvas, batch) -> tuple[Canvas, Metrics]:
        slope, metrics = jax.grad(loss, has_aux=True)(canvas.x, canvas.targets)
        updates, opt_state = tx.update(slope, canvas.opt_state, canvas.x)
        x = jnp.clip(optax.apply_updates(canvas.x, updates), 0, 1)
        return canvas._replace(x=x, opt_state=opt_state), metrics

    of_pixels = jax.tree.map(
        lambda leaf: 0 if leaf.shape[:1] == (7,) else None,
        jax.eval_shape(tx.init, jax.ShapeDtypeStruct((7, 2, 2, 3), jnp.float32)),
    )
    return Algorithm(init, step, Canvas(0, of_pixels, 0))


def painted(algorithm: Algorithm, key: Key, content: Array, style: Array, *, num_steps: int) -> tuple[Array, Metrics]:
    """Pictures `[B, H, W, C]` after so many steps of `style_transfer`, and the metrics of the last of them.

    Args:
      algorithm: from `style_transfer`.
      key: consumed.
      content: `[B, H, W, C]` in [0, 1].
      style: `[B, U, V, C]` in [0, 1].
      num_steps: >= 1.
    """
    batch = {"content": content, "style": style}
    canvas = algorithm.init(key, batch)

    def paint(canvas, key):
        return algorithm.step(key, canvas, batch)

    canvas, metrics = lax.scan(paint, canvas, jax.random.split(key, num_steps))
    return canvas.x, jax.tree.map(lambda values: values[-1], metrics)


def histogram_matched(x: Array, reference: Array) -> Array:
    """Pictures whose pixels have, channel by channel, the distribution of others': their colours without textures.

    The pixel of rank r of N becomes the one of the same rank, (r + 1/2) / N, of the reference, between two of them.

    Args:
      x: `[B, H, W, C]`.
      reference: `[B, U, V, C]`.
    Source: Gonzalez & Woods 2008, Digital Image Processing, section 3.3.2.
    """
    chex.assert_rank([x, reference], 4)

    def one(values, wanted):
        rank = jnp.argsort(jnp.argsort(values))
        place = (rank + 0.5) / len(values) * len(wanted) - 0.5
        return jnp.interp(place, jnp.arange(len(wanted)), jnp.sort(wanted))

    flat, wanted = (image.reshape(len(image), -1, image.shape[-1]) for image in (x, reference))
    return jax.vmap(jax.vmap(one, 1, 1))(flat, wanted).reshape(x.shape)


def seen_by(model: Textures, variables: PyTree) -> Features:
    """The features of a network."""
    return lambda x: model.apply(variables, x, method="features")


def styles_compared(
    model: Textures, paint: Callable[[Key, PyTree, Array, Array], Array], pair: np.ndarray, *, layer: int
) -> Probe:
    """Probe of two photographs, each in the other's style: with the other's colours, by untrained and learned features.

    Args:
      model: of the state, a `Learner`.
      paint: `(key, variables, content [B, ...], style [B, ...]) -> [B, ...]`.
      pair: `[2, H, W, 3]` uint8.
      layer: of the features by which contents are known.
    Returns:
      `probe(key, learner)`: pictures `[2, H, W, 3]` "content", "style", "colours", "random" and "learned"; and of the
      last three `..._own_share`, the style distance by the learned features over that of the contents, and the same by
      a network of another seed that learned nothing and painted nothing, `..._style_share`; and by that network
      `..._content_share`, the content distance over that of the style's photograph.
    """

    def probe(pair, key: Key, learner: Learner) -> dict[str, Mean | Array]:
        content = unit(jnp.asarray(pair))
        style = content[::-1]
        judge, before = (model.init(jax.random.fold_in(key, k), content) for k in (0, 1))
        found = {
            "content": content,
            "style": style,
            "colours": histogram_matched(content, style),
        }
        networks = jax.tree.map(lambda *leaves: jnp.stack(leaves), before, learner.variables)
        made = lax.map(lambda variables: paint(key, variables, content, style), networks)
        found |= dict(zip(("random", "learned"), made, strict=True))
        see, own = seen_by(model, judge), seen_by(model, learner.variables)
        places = see(content)[layer]

        own_grams, grams = ([gram(f) for f in look(style)] for look in (own, see))

        def judged(x):
            by_own, seen = own(x), see(x)
            misses = style_distance(by_own, own_grams), style_distance(seen, grams)
            return jnp.stack([miss.sum() for miss in (*misses, content_distance(seen[layer], places))])

        names = ("colours", "random", "learned")
        pictures = jnp.stack([found[name] for name in ("content", "style", *names)])
        of_content, of_style, *of_made = lax.map(judged, pictures)
        wholes = of_content[0], of_content[1], of_style[2]
        told = {
            f"{name}_{what}_share": Mean(miss, whole)
            for name, misses in zip(names, of_made, strict=True)
            for what, miss, whole in zip(("own", "style", "content"), misses, wholes, strict=True)
        }
        return {**told, **found}

    return Partial(probe, pair)


def _share(apart: Array, whole: Array) -> Array:
    """`[B]` sums of squares, one over the other."""
    apart, whole = (jnp.square(values).reshape(len(values), -1).sum(-1) for values in (apart, whole))
    return apart / jnp.maximum(whole, jnp.finfo(jnp.float32).tiny)
