"""Latent diffusion: an autoencoder learns first, and what is diffused is its code, not the picture.

The code is smaller than the picture, and holds of it what is not noise; what the autoencoder's own prior says of codes
is replaced by what diffusion learns of those that pictures really have. In training codes are divided by their root
mean square, as it was while the autoencoder learned; what is sampled is multiplied by it.

Source: Rombach et al. 2022, arXiv:2112.10752, section 3; the scale of the codes: appendix G.
"""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import Array, lax
from jax.tree_util import Partial

from adl.core import Algorithm, Key, Probe, PyTree, alternate, carrying
from adl.core.lift import Phases
from adl.diffusion.evaluation import Sampler
from adl.nn.mlp import flat

WAYS = ("prior", "gaussian", "diffusion")  # to draw codes
DECAY = 0.99  # of the running mean square of the codes


class InLatents(NamedTuple):
    """The two that learn one after the other, and the scale between them."""

    autoencoder: PyTree
    diffusion: PyTree
    square: Array  # [] running mean of the squared numbers of the codes

    @property
    def scale(self) -> Array:
        """`[]` root mean square of the codes."""
        return jnp.sqrt(self.square)


def latent_diffusion(
    autoencoder: Algorithm,
    diffusion: Algorithm,
    *,
    code: Callable[[Key, PyTree, PyTree], Array],
    periods: tuple[int, int],
    axis: str | None = None,
) -> Algorithm:
    """An autoencoder, then diffusion of its codes; the state is `Phases` of `InLatents`.

    While the autoencoder learns, its metrics are reported as "autoencoder_loss" and so on; then those of the diffusion,
    by their names.

    Args:
      autoencoder: learns from the batches.
      diffusion: learns from batches that are scaled codes `[B, ...]`: `edm` of a preconditioner of data of scale 1.
      code: `code(key, autoencoder's state, batch) -> [B, ...]`, drawn of q(z|x).
      periods: steps >= 1 that the autoencoder learns, and after it the diffusion.
      axis: as in `core.descend`, and as both were built with.
    Source: Rombach et al. 2022, arXiv:2112.10752, sections 3.1 and 3.2, eq. 2.
    """

    def init(key: Key, batch) -> InLatents:
        own, code_key, theirs = jax.random.split(key, 3)
        first = autoencoder.init(own, batch)
        return InLatents(first, diffusion.init(theirs, code(code_key, first, batch)), jnp.ones((), jnp.float32))

    def learn_to_code(key: Key, state: InLatents, batch):
        own, code_key = jax.random.split(key)
        first, metrics = autoencoder.step(own, state.autoencoder, batch)
        square = jnp.square(code(code_key, first, batch)).mean()
        square = square if axis is None else lax.pmean(square, axis)
        square = DECAY * state.square + (1 - DECAY) * square
        metrics = {f"autoencoder_{name}": mean for name, mean in metrics.items()}
        return InLatents(first, state.diffusion, square), metrics

    def learn_the_codes(key: Key, state: InLatents, batch):
        code_key, own = jax.random.split(key)
        codes = code(code_key, state.autoencoder, batch) / state.scale
        second, metrics = diffusion.step(own, state.diffusion, codes)
        return state._replace(diffusion=second), metrics

    return alternate(init, (learn_to_code, learn_the_codes), periods)


def of_autoencoder(probe: Probe) -> Partial:
    """A probe, or a measure of a batch, of the autoencoder's state as one of both; what it carries is carried on."""
    return Partial(lambda probe, key, phases, *batch: probe(key, phases.state.autoencoder, *batch), carrying(probe))


class Codes(NamedTuple):
    """What is made of a state's codes, `[B, *shape]`, however they are drawn; pictures are of no class.

    Each way is a draw of `measure.samples.judged_ways`, whose labels say how many, and nothing else.
    """

    code: Callable[[Key, PyTree, PyTree], Array]  # as of `latent_diffusion`
    decode: Callable[[PyTree, Array], Array]  # (autoencoder's state, codes as rows [B, Z]) -> pictures [B, H, W, C]
    sampler: Sampler  # of the diffusion's state, of scaled codes

    def ways(self, batch: PyTree) -> dict[str, Callable[[Key, Phases, Array], Array]]:
        """All three by `WAYS`; those of the Gaussian know the codes of a batch, and carry it."""
        return dict(zip(WAYS, (self.from_prior, Partial(self.from_gaussian, batch), self.diffused), strict=True))

    def one(self, key: Key, phases: Phases) -> Array:
        """`[H, W, C]` of a code out of noise."""
        return self.diffused(key, phases, jnp.zeros(1, jnp.int32))[0]

    def diffused(self, key: Key, phases: Phases, label: Array) -> Array:
        """`[B, H, W, C]` of codes out of noise."""
        return self._decoded(phases, self.sampler.draw(key, phases.state.diffusion, label) * phases.state.scale)

    def from_prior(self, key: Key, phases: Phases, label: Array) -> Array:
        """`[B, H, W, C]` of codes from N(0, I), the prior of the autoencoder."""
        return self._decoded(phases, jax.random.normal(key, (len(label), *self.sampler.shape)))

    def from_gaussian(self, batch: PyTree, key: Key, phases: Phases, label: Array) -> Array:
        """`[B, H, W, C]` of codes from the Gaussian that has the mean and covariance of those of a batch.

        Source: Ghosh et al. 2020, arXiv:1903.12436, section 4, of one component.
        """
        known_key, key = jax.random.split(key)
        known = flat(self.code(known_key, phases.state.autoencoder, batch))
        mean = known.mean(0, keepdims=True)
        # Of noise that weighs the centred codes: their covariance exactly, and no matrix to factor.
        weight = jax.random.normal(key, (len(label), len(known))) / jnp.sqrt(max(len(known) - 1, 1))
        return self._decoded(phases, mean + weight @ (known - mean))

    def _decoded(self, phases: Phases, codes: Array) -> Array:
        return self.decode(phases.state.autoencoder, flat(codes))
