"""Bits a dimension of variational diffusion: by its bound, in any number of steps, and by its probability flow."""

from collections.abc import Callable, Mapping, Sequence

import jax
import jax.numpy as jnp
from jax import Array, lax

from adl.core import Key, Learner, Mean, Probe, PyTree
from adl.diffusion.denoising import Prepare, denoiser
from adl.diffusion.likelihood import log_likelihood
from adl.diffusion.process import log_ratio
from adl.diffusion.solver import Denoiser, Solver, ddim, sample
from adl.diffusion.target import angular
from adl.diffusion.vdm import VDM, Bound, even_times
from adl.measure.rate import bits
from adl.prob.distributions import normal_log_prob
from adl.prob.labels import cross_entropy

ANCESTRAL = ddim(1.0)
Measured = Callable[[Key, Learner, Mapping[str, Array]], dict[str, Mean]]  # for `core.full_pass`


def bound_bits(model: VDM, prepare: Prepare, *, num_draws: int = 1) -> Measured:
    """Measure for `core.full_pass`: the bound without end as `Bound.in_bits` says it, by averaged parameters.

    Args:
      model: as in training.
      prepare: from a batch to levels and condition.
      num_draws: of noise and time, over which each example's bound is averaged.
    """

    def measure(key: Key, learner: Learner, batch: Mapping[str, Array]) -> dict[str, Mean]:
        level, condition = _prepared(key, prepare, batch)
        mean = _mean_bound(key, model, learner, level, condition, num_draws, None)
        return mean.in_bits(level, num_levels=model.num_levels, mask=batch["mask"])

    return measure


def bits_by_steps(model: VDM, prepare: Prepare, *, steps: Sequence[int], num_draws: int = 1) -> Measured:
    """Measure for `core.full_pass`: `bits_<T>`, the bound in T steps, each that of a hierarchical VAE.

    Args:
      model: as in training.
      prepare: as in `bound_bits`.
      steps: T of each, >= 1.
      num_draws: as in `bound_bits`.
    """

    def measure(key: Key, learner: Learner, batch: Mapping[str, Array]) -> dict[str, Mean]:
        level, condition = _prepared(key, prepare, batch)
        of = {"num_dims": level[0].size, "levels": model.num_levels, "mask": batch["mask"]}

        def total(num_steps):
            return _mean_bound(key, model, learner, level, condition, num_draws, num_steps).total

        nats = lax.map(total, jnp.asarray(steps, jnp.float32))  # one program for all
        return {f"bits_{num}": bits(-each, **of)["bits"] for num, each in zip(steps, nats, strict=True)}

    return measure


def flow_bits(model: VDM, prepare: Prepare, *, num_steps: int) -> Measured:
    """Measure for `core.full_pass`: bits of the levels by the exact likelihood of the probability flow.

    It is the mean of `flow_log_weight`, so a bound by Jensen's inequality; the divergence is told by random signs.

    Args:
      model: as in training.
      prepare: as in `bound_bits`.
      num_steps: of Heun, at even times of the schedule.
    """

    def measure(key: Key, learner: Learner, batch: Mapping[str, Array]) -> dict[str, Mean]:
        level, condition = _prepared(key, prepare, batch)
        noise_key, sign_key = jax.random.split(key)
        of = {"noise": jax.random.normal(noise_key, level.shape), "num_steps": num_steps, "key": sign_key}
        log_weight = flow_log_weight(model, learner, level, condition, **of)
        return bits(log_weight, num_dims=level[0].size, levels=model.num_levels, mask=batch["mask"])

    return measure


def flow_log_weight(
    model: VDM, learner: Learner, level: Array, condition=None, *, noise: Array, num_steps: int, key: Key | None = None
) -> Array:
    """`[B]` log p(x_0) + log P(x|x_0) - log q(x_0|x) in nats, x_0 = x + e^(gamma_0 / 2) n, p the flow's density of x_0.

    Its exponential is in the mean over n the probability of the levels, and it itself a bound on the logarithm:
    variational dequantisation by the noise that the model itself has at t = 0.

    Args:
      model: as in training.
      learner: its state.
      level: `[B, ..., C]`.
      condition: of each.
      noise: n `[B, ..., C]`, drawn from N(0, I).
      num_steps: of Heun, at even times of the schedule.
      key: as in `log_likelihood`.
    Source: Ho et al. 2019, arXiv:1902.00275, eq. 9; of the density, Song et al. 2021, arXiv:2011.13456, eq. 39.
    """
    bound = model.bind(learner.averaged)
    sigmas = bound.sigmas(num_steps)
    near = 2 * level / (model.num_levels - 1) - 1 + sigmas[-1] * noise
    told = -cross_entropy(bound.log_odds(near), level) - normal_log_prob(noise, 0.0, 0.0) + jnp.log(sigmas[-1])
    log_prob = log_likelihood(of_levels(model, learner, condition), near, sigmas, key=key)
    return log_prob + told.reshape(len(level), -1).sum(-1)


def of_levels(model: VDM, learner: Learner, condition=None) -> Denoiser:
    """The averaged network as a denoiser `(x [B, ..., C], sigma []) -> [B, ..., C]` of pixels in [-1, 1]."""
    return denoiser(model, learner.averaged, condition, process=log_ratio, target=angular)


def drawn_levels(
    key: Key, model: VDM, learner: Learner, shape: tuple[int, ...], *, num_steps: int, solver: Solver = ANCESTRAL
) -> Array:
    """`[B, ..., C]` levels of that shape, by the averaged network, from noise, the likeliest by what is left of it.

    Args:
      key: consumed.
      model: as in training, of no condition.
      learner: its state.
      shape: `[B, ..., C]`.
      num_steps: at even times of the schedule.
      solver: of each of them.
    """
    bound, (noise_key, key) = model.bind(learner.averaged), jax.random.split(key)
    sigmas = bound.sigmas(num_steps)
    noise = sigmas[0] * jax.random.normal(noise_key, shape)
    return bound.log_odds(sample(key, of_levels(model, learner), noise, sigmas, solver)).argmax(-1)


def schedule_curve(model: VDM, num: int = 101) -> Probe:
    """Probe: `time` `[num]` in [0, 1], `learned`, the schedule there, and `straight`, the line between its ends."""

    def probe(key: Key, learner: Learner) -> dict[str, Array]:
        del key
        time, schedule = jnp.linspace(0, 1, num), model.bind(learner.averaged).schedule
        return {"time": time, "learned": schedule(time), "straight": jnp.linspace(*schedule.ends(), num)}

    return probe


def _prepared(key: Key, prepare: Prepare, batch: Mapping[str, Array]) -> tuple[Array, PyTree]:
    """Levels and condition, by a key that none of those has which this one is split into."""
    return prepare(jax.random.fold_in(key, 2**32 - 1), batch)


def _mean_bound(
    key: Key, model: VDM, learner: Learner, level: Array, condition, num_draws: int, num_steps: Array | None
) -> Bound:
    def drawn(key):
        time_key, key = jax.random.split(key)
        of = {"time": even_times(time_key, len(level)), "num_steps": num_steps, "method": "bound"}
        return model.apply(learner.averaged, key, level, condition, **of)

    return Bound(*(part.mean(0) for part in lax.map(drawn, jax.random.split(key, num_draws))))
