"""Variational diffusion: the noise's schedule is learned, and the loss bounds the probability of levels of pixels.

    -log P(x) <= KL(q(z_1|x) || N(0, I)) + E[-log P(x|z_0)] + E_{t, n} gamma'(t) |n - n(z_t; gamma_t)|^2 / 2

    z_t = alpha x + sigma n,   gamma = log sigma^2 / alpha^2,   alpha^2 = 1 - sigma^2

In T steps it is the bound of a hierarchical VAE of T + 1 levels of latents, z_0 to z_1, whose encoder adds noise: the
last term is then T (exp(gamma_t - gamma_s) - 1) |n - n(z_t)|^2 / 2 with s = t - 1 / T, the mean of T divergences.
Without end of T the bound does not depend on gamma but at its ends. What is between them is learned so that the
estimate by one t has little variance.
Source: Kingma et al. 2021, arXiv:2107.00630, eq. 11 to 18.
"""

import math
from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax
from flax import linen as nn
from jax import Array

from adl.core import Algorithm, BadInput, Key, Learner, Mean, border, descend, forward
from adl.diffusion import process, target
from adl.diffusion.denoising import Prepare, denoising_errors
from adl.measure.rate import bits
from adl.prob.distributions import normal_kl
from adl.prob.labels import cross_entropy

V_OF_NOISE = target.angular._replace(error=lambda *of: of[-1].alpha * target.angular.error(*of))
"""The network tells v = alpha n - sigma x, and is judged by the noise in it, sigma z + alpha v."""


class Schedule(nn.Module):
    """gamma(t), which rises over t in [0, 1] between two ends, all of it learned.

    gamma = gamma_0 + (gamma_1 - gamma_0) (m(t) - m(0)) / (m(1) - m(0)),
    m(t) = |a| t + mean_j |c_j| sigmoid(|b_j| (4 t - 2) + d_j)

    Source: Kingma et al. 2021, arXiv:2107.00630, appendix H.
    """

    low: float = -8.0  # gamma_0 at first
    high: float = 5.0  # gamma_1 at first
    hidden: int = 64  # sigmoids

    def setup(self):
        """Five parameters.

        Raises:
          BadInput: of ends of which the first is not the lower.
        """
        if not self.low < self.high:
            raise BadInput(f"a schedule from {self.low:g} to {self.high:g}; it must rise")
        normal, size = nn.initializers.normal(1.0), (self.hidden,)
        self.bounds = self.param(
            "bounds", lambda key: jnp.array([self.low, math.log(self.high - self.low)], jnp.float32)
        )
        self.slope = self.param("slope", nn.initializers.ones, ())
        self.height, self.rate, self.place = (self.param(n, normal, size) for n in ("height", "rate", "place"))

    def __call__(self, t: Array) -> Array:
        """gamma `[B]` of `t [B]`."""
        first, last = self.ends()
        return first + (last - first) * self.share(t)

    def ends(self) -> Array:
        """`[2]`, gamma_0 and gamma_1, the larger."""
        return jnp.array([self.bounds[0], self.bounds[0] + jnp.exp(self.bounds[1])])

    def share(self, t: Array) -> Array:
        """`[B]` in [0, 1], how much of the way between the ends is gone."""

        def height(t):
            bends = jnp.abs(self.height)[None] * jax.nn.sigmoid(
                jnp.abs(self.rate)[None] * (4 * t - 2)[:, None] + self.place[None]
            )
            return jnp.abs(self.slope) * t + bends.mean(-1)

        first, last = height(jnp.arange(2.0))
        return (height(t) - first) / (last - first)


class Bound(NamedTuple):
    """What bounds -log P(x), part by part, `[B]` nats an example."""

    prior: Array  # of what is left of x at t = 1
    reconstruction: Array  # of the levels, seen through the last noise
    diffusion: Array  # of all that is between

    @property
    def total(self) -> Array:
        """The bound."""
        return self.prior + self.reconstruction + self.diffusion

    def in_bits(self, level: Array, *, num_levels: int, mask: Array | None = None) -> dict[str, Mean]:
        """`measure.rate.bits` of the bound, and bits a dimension of its parts by their names.

        Args:
          level: `[B, ...]`, by which a dimension is known.
          num_levels: K.
          mask: `[B]` in {0, 1}, which examples count; None: all.
        """
        of = {"num_dims": level[0].size, "levels": num_levels, "mask": mask}
        parts = {name: bits(-part, **of)["bits"] for name, part in self._asdict().items()}
        return {**parts, **bits(-self.total, **of)}


class VDM(nn.Module):
    """A network and its schedule. It sees beside z its sine and cosine, by which near levels are told apart."""

    network: nn.Module  # (z [B, ..., 3 C], gamma / 8 [B], condition) -> [B, ..., C]
    schedule: nn.Module  # a `Schedule`
    num_levels: int  # K >= 2, of pixels

    def __call__(self, z: Array, gamma: Array, condition=None) -> Array:
        """F like `z [B, ..., C]`, of the target `angular` at the times `gamma [B]` of the process `log_ratio`."""
        turned = jnp.pi * (self.num_levels - 1) * z
        seen = jnp.concatenate([z, jnp.sin(turned), jnp.cos(turned)], -1)
        return self.network(seen, gamma / 8, condition)

    def bound(
        self, key: Key, level: Array, condition=None, *, time: Array, num_steps: int | Array | None = None
    ) -> Bound:
        """The bound, each example's diffusion at one time of its own.

        Args:
          key: consumed, by the noise.
          level: `[B, ..., C]` integers in 0 ... K - 1.
          condition: what the network is told of each.
          time: `[B]` in [0, 1).
          num_steps: T >= 1, of which the bound is; None: without end.
        """
        first_key, noise_key = jax.random.split(key)
        x, size = 2 * level / (self.num_levels - 1) - 1, level[0].size
        gamma_0, gamma_1 = self.schedule.ends()
        last = process.log_ratio.signal(gamma_1)
        prior = normal_kl(last.alpha * x, jnp.log(last.sigma)).reshape(len(x), -1).sum(-1)
        near = x + jnp.exp(gamma_0 / 2) * jax.random.normal(first_key, x.shape)
        unseen = cross_entropy(self.log_odds(near), level).reshape(len(x), -1).sum(-1)

        if num_steps is None:
            moved = jax.jvp(self.schedule.share, (time,), (jnp.ones_like(time),))
            (share, slope), own = squared(*moved)
            gamma, weight = gamma_0 + (gamma_1 - gamma_0) * share, (gamma_1 - gamma_0) * slope
        else:
            step = jnp.floor(time * num_steps)
            gamma, own = self.schedule((step + 1) / num_steps), 0.0
            weight = num_steps * jnp.expm1(gamma - self.schedule(step / num_steps))
        of = {"process": process.log_ratio, "target": V_OF_NOISE}
        errors = denoising_errors(noise_key, lambda z, t: self(z, t, condition), x, gamma, **of)
        diffusion = weight * size * errors / 2
        return Bound(prior, unseen, diffusion + own * jax.lax.stop_gradient(diffusion))

    def log_odds(self, near: Array) -> Array:
        """`[..., K]` of the levels of pixels `near [...]`, which have the noise of t = 0 over alpha on them."""
        values = 2 * jnp.arange(self.num_levels) / (self.num_levels - 1) - 1
        away = near[..., None] - values.reshape(*[1] * near.ndim, -1)
        return -jnp.exp(-self.schedule.ends()[0]) * jnp.square(away) / 2

    def sigmas(self, num_steps: int) -> Array:
        """`[N + 1]` falling noise levels over alpha at even times from 1 to 0, for solvers and likelihoods."""
        return jnp.exp(self.schedule(jnp.linspace(1, 0, num_steps + 1)) / 2)


def vdm(
    model: VDM,
    tx: optax.GradientTransformation,
    *,
    prepare: Prepare = lambda key, batch: (batch, None),
    num_steps: int | None = None,
    axis: str | None = None,
) -> Algorithm:
    """Variational diffusion; the state is a `Learner`.

    Metrics, means over the data: "loss", the bound in nats a dimension, and what `Bound.in_bits` says.

    Args:
      model: network and schedule.
      tx: optax transformation.
      prepare: `prepare(key, batch) -> (level [B, ..., C] int in 0 ... K - 1, condition)`.
      num_steps: as in `VDM.bound`. Without end, the schedule between its ends descends the loss's square, example by
        example, which in expectation is its variance and what the schedule cannot change.
      axis: as in `core.descend`.
    Source: Kingma et al. 2021, arXiv:2107.00630, eq. 17; the square, appendix D.
    """
    prepare = border.prepared(prepare, "int [B, ...]")

    def init(key: Key, batch) -> Learner:
        level, condition = prepare(jax.random.fold_in(key, 1), batch)
        return Learner.create(model.init(key, key, level, condition, time=jnp.zeros(len(level)), method="bound"), tx)

    def loss(key: Key, params, extras, batch):
        prepare_key, time_key, bound_key, dropout_key = jax.random.split(key, 4)
        level, condition = prepare(prepare_key, batch)
        of = {"time": even_times(time_key, len(level)), "num_steps": num_steps, "method": "bound"}
        found, extras = forward(model, dropout_key, params, extras, bound_key, level, condition, **of)
        return {
            "loss": Mean.of(found.total / level[0].size),
            **found.in_bits(level, num_levels=model.num_levels),
        }, extras

    return Algorithm(init, descend(loss, tx, axis))


def even_times(key: Key, size: int) -> Array:
    """`[B]` times in [0, 1), evenly apart, of which each by itself is uniform: their mean has less variance.

    Source: Kingma et al. 2021, arXiv:2107.00630, appendix I.1.
    """
    return (jax.random.uniform(key) + jnp.arange(size) / size) % 1


@jax.custom_vjp
def squared(share: Array, slope: Array) -> tuple[tuple[Array, Array], Array]:
    """Both, and `[B]` zeros: what is added to a loss of them as zeros times the loss has them descend its square.

    The loss's gradient by them is multiplied by 2 and by what the zeros' gradient is, the loss itself; so one pass
    serves two losses, that of the network and that of the schedule.
    """
    return (share, slope), jnp.zeros_like(share)


def _squared_forward(share, slope):
    return squared(share, slope), None


def _squared_backward(_, gradients):
    (of_share, of_slope), loss = gradients
    return 2 * loss * of_share, 2 * loss * of_slope


squared.defvjp(_squared_forward, _squared_backward)
