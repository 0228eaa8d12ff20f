"""Poses of people from pictures: a heat map for each joint, and whether the joint is seen.

Learning is `supervised.regression.fit` of a `PoseNet` with `heat_surprise` and `posed_views`; a place is read of a map
by `heatmaps`.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import chex
import jax
import jax.numpy as jnp
import optax
from flax import linen as nn
from jax import Array

from adl.core import Key, Mean, Metrics, border
from adl.data.image import symmetric
from adl.data.views import affine
from adl.nn.convolution import Conv
from adl.nn.resnet import ResidualBlock, group_norm
from adl.nn.unet import depth_to_space, space_to_depth
from adl.vision.heatmaps import bumps


class Posture(NamedTuple):
    """What is said of the joints in B pictures."""

    log_heat: Array  # [B, H / 2, W / 2, J] log-odds of where each joint is
    seen: Array  # [B, J] log-odds that it is visible


class PoseNet(nn.Module):
    """A residual network down and up again, to a map of half the picture's resolution for each joint.

    Blocks of 2 x 2 pixels are channels, and a convolution of stride 2 is the first stage; each later stage halves the
    picture, and on the way up joins what the way down had at its size. Cells of 2 x 2 of the maps are channels of the
    last. Whether a joint is visible is read of the features where its map says that it is.

    Source: Xiao et al. 2018, arXiv:1804.06208, section 2, whose deconvolutions are a repetition and a convolution here;
    the joins: Newell et al. 2016, arXiv:1603.06937, section 3.1.
    """

    num_joints: int  # J
    channels: Sequence[int] = (32, 64, 128)  # of each stage, multiples of 8, from a quarter of the resolution down
    num_blocks: int = 1  # residual blocks of a stage, on either way
    norm: Callable[..., nn.Module] = group_norm  # `norm(dtype=...)`; or `BatchNorm`, with the axis that it needs
    dtype: jnp.dtype = jnp.float32  # of the computation; parameters and outputs are float32

    @nn.compact
    def __call__(self, x: Array) -> Posture:
        """`Posture` of pictures `x` `[B, H, W, C]`, H and W multiples of 2 to the number of stages plus one."""
        chex.assert_rank(x, 4)
        chex.assert_is_divisible(x.shape[1], 2 ** (len(self.channels) + 1))
        chex.assert_is_divisible(x.shape[2], 2 ** (len(self.channels) + 1))

        def blocks(h: Array, width: int, stride: int = 1) -> Array:
            for block in range(self.num_blocks):
                h = ResidualBlock(width, stride if block == 0 else 1, self.norm, self.dtype)(h)
            return h

        h = Conv(self.channels[0], (3, 3), 2, dtype=self.dtype)(space_to_depth(x.astype(self.dtype), 2))
        skips = []
        for stage, width in enumerate(self.channels):
            h = blocks(h, width, 1 if stage == 0 else 2)
            skips.append(h)
        for skip in skips[-2::-1]:
            h = Conv(skip.shape[-1], (1, 1), dtype=self.dtype)(h).repeat(2, 1).repeat(2, 2)
            h = blocks(h + skip, skip.shape[-1])
        h = nn.relu(self.norm(dtype=self.dtype)(h))
        heat = Conv(4 * self.num_joints, (1, 1), dtype=jnp.float32)(h.astype(jnp.float32))
        share = jax.nn.softmax(heat.reshape(len(x), -1, 4, self.num_joints), (1, 2)).sum(2)
        there = jnp.einsum("bsj,bsc->bjc", share, h.reshape(len(x), -1, h.shape[-1]).astype(jnp.float32))
        weight = self.param("seen_kernel", nn.initializers.lecun_normal(), (self.num_joints, h.shape[-1]))
        seen = (there * weight[None]).sum(-1) + self.param("seen_bias", nn.initializers.zeros, (self.num_joints,))[None]
        return Posture(depth_to_space(heat, 2), seen)


def heat_surprise(*, stride: int = 2, std: float = 1.0, seen_weight: float = 0.1) -> Callable[..., Metrics]:
    """Loss of a `Posture` for where joints are, and whether they are seen.

    mean over joints of known KL(bump || softmax(log_heat)) + seen_weight (-log p(visible))

    where the bump is a Gaussian around the joint that sums to 1.

    Args:
      stride: pixels from one cell of the maps to the next.
      std: > 0, of the bumps, in cells.
      seen_weight: >= 0.
    Returns:
      `loss(posture, y) -> metrics` with "loss", and its parts "heat" and "seen", in nats a joint; `y` is
      `{"joints": [B, J, 2] in pixels, "visible": [B, J], "known": [B, J]}`.
    Source: cross-entropy in place of the squared error: Luvizon et al. 2019, arXiv:1710.02322, section 3.2.
    """

    def loss(posture: Posture, y) -> Metrics:
        heat, seen, known = joint_surprise(posture, y, stride=stride, std=std)
        both = known * heat + seen_weight * seen
        return {"loss": Mean.of(both), "heat": Mean.of(heat, known), "seen": Mean.of(seen)}

    return loss


def joint_surprise(posture: Posture, y: dict, *, stride: int, std: float) -> tuple[Array, Array, Array]:
    """KL(bump || softmax(log_heat)), -log p(visible), and whether the first counts, 1 or 0; `[B, J]` each.

    Arguments as of `heat_surprise` and its loss.
    """
    size = posture.log_heat.shape[1:3]
    log_q = jax.nn.log_softmax(posture.log_heat, (1, 2))
    bump = jax.vmap(lambda joints: bumps(joints, size, stride=stride, std=std))(y["joints"])
    mass = bump.sum((1, 2))
    p = bump / jnp.where(mass > 0, mass, 1)[:, None, None]
    terms = p * (jnp.log(jnp.where(p > 0, p, 1)) - jnp.where(p > 0, log_q, 0))
    heat = terms.sum((1, 2))
    seen = optax.sigmoid_binary_cross_entropy(posture.seen, y["visible"].astype(jnp.float32))
    return heat, seen, ((y["known"] > 0) & (mass > 0)).astype(jnp.float32)


def posed_views(
    mirrored: Sequence[int] = (),
    maps: Callable[[Key, int], tuple[Array, Array]] | None = None,
    colours: Callable[[Key, Array], Array] | None = None,
) -> Callable[[Key, dict], tuple[Array, dict]]:
    """Pictures and their joints seen in another way: half of them in a mirror; turned, scaled and moved; of other hues.

    Args:
      mirrored: J joints that each joint becomes in a mirror; empty: there is no mirror.
      maps: `(key, B) -> (A [B, 2, 2], t [B, 2])` of points, as `data.views.random_maps`; None: nothing is moved.
      colours: `(key, [B, H, W, C]) -> [B, H, W, C]` that moves no pixel, as `data.views.random_channels`; None: none.
    Returns:
      `prepare(key, batch)` of "image" `[B, H, W, C]` uint8, "joints" `[B, J, 2]`, "visible" and "known" `[B, J]`:
      pictures in [-1, 1], and the other columns; joints that have left the picture are neither known nor visible.
    """

    def prepare(key: Key, batch) -> tuple[Array, dict]:
        border.check(batch, image="[B, H, W, C]", joints="float [B, J, 2]", visible="[B, J]", known="[B, J]")
        x = symmetric(batch["image"])
        y = {name: batch[name] for name in ("joints", "visible", "known")}
        flip_key, map_key, colour_key = jax.random.split(key, 3)
        x = x if colours is None else colours(colour_key, x)
        if mirrored:
            own, other = (x, y), mirror(x, y, mirrored)
            is_turned = jax.random.bernoulli(flip_key, shape=(len(x),))
            x, y = jax.tree.map(lambda turned, as_is: jax.vmap(jnp.where)(is_turned, turned, as_is), other, own)
        if maps is not None:
            matrix, shift = maps(map_key, len(x))
            x, y = affine(x, matrix, shift), _moved(y, matrix, shift, x.shape[1:3])
        return x, y

    return prepare


def mirror(x: Array, y: dict, mirrored: Sequence[int]) -> tuple[Array, dict]:
    """Pictures `[B, H, W, C]` with left and right changed, and their joints, of which left ones are now right ones.

    Args:
      x: pictures.
      y: "joints" `[B, J, 2]`, "visible" and "known" `[B, J]`.
      mirrored: as in `posed_views`.
    """
    order = jnp.array(mirrored)
    turned = {name: y[name][:, order] for name in ("joints", "visible", "known")}
    return x[:, :, ::-1], turned | {
        "joints": jnp.asarray(turned["joints"]).at[..., 0].set(x.shape[2] - turned["joints"][..., 0])
    }


def _moved(y: dict, matrix: Array, shift: Array, size: tuple[int, int]) -> dict:
    """Joints under p -> A p + t of points (row, column) from the centre of a picture, as `affine` moves its pixels."""
    side = jnp.array(size[::-1], jnp.float32)[None, None]  # (width, height)
    points = (y["joints"] - side / 2)[..., ::-1]
    joints = (jnp.einsum("bij,bkj->bki", matrix, points) + shift[:, None])[..., ::-1] + side / 2
    is_within = ((joints >= 0) & (joints <= side)).all(-1)
    return {"joints": joints, "visible": y["visible"] * is_within, "known": y["known"] * is_within}
