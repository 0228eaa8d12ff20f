"""What a denoiser is judged and shown by: its error at even noise levels, its samples, the way to them, its guidance.

A `DenoiserOf` is a state's denoiser of given classes: whose parameters it has and which preconditioner, it says itself.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array, lax
from jax.scipy.stats import norm

from adl.core import Key, Mean, Probe, State
from adl.diffusion.denoising import Prepare
from adl.diffusion.edm import weighted_errors
from adl.diffusion.guidance import away_from
from adl.diffusion.preconditioner import Preconditioner
from adl.diffusion.solver import Denoiser, Solver, heun, path, sample

DenoiserOf = Callable[[State, Array], Denoiser]  # (state, labels [B]) -> the denoiser for these classes


def denoising_loss(
    denoiser: DenoiserOf,
    *,
    preconditioner: Preconditioner,
    prepare: Prepare,
    p_mean: float,
    p_std: float,
) -> Callable[..., dict[str, Mean]]:
    """Measure for `core.full_pass`: the training loss, at noise levels spread evenly over their law in training.

    Args:
      denoiser: judged.
      preconditioner: that sets the weights, as in training.
      prepare: from a batch to what is diffused, and what the denoiser is told of it, none of it hidden.
      p_mean: mean of ln(sigma) in training.
      p_std: > 0, its standard deviation.
    """

    def measure(key: Key, state: State, batch) -> dict[str, Mean]:
        image, condition = prepare(jax.random.fold_in(key, 1), batch)
        # Multiples of the golden ratio: even over any number of images, and the same levels each time.
        quantiles = (jnp.arange(len(image)) + 0.5) * 0.6180339887 % 1
        sigma = jnp.exp(p_mean + p_std * norm.ppf(quantiles))
        denoise = denoiser(state, condition)
        errors = weighted_errors(key, denoise, image, sigma, preconditioner=preconditioner)
        return {"loss": Mean.of(errors, batch["mask"])}

    return measure


class Sampler(NamedTuple):
    """How a state draws: from pure noise, down the noise levels, step by step."""

    denoiser: DenoiserOf
    sigmas: Array  # [N + 1] falling noise levels
    shape: Sequence[int]  # of one sample
    decode: Callable[[Array], Array] = lambda x: x  # from what is diffused to what is shown: pixels in [0, 1]
    solver: Solver = heun

    def draw(self, key: Key, state: State, label: Array) -> Array:
        """One sample `[B, ...]` of each of the classes `[B]`."""
        return self._down(key, self.denoiser(state, label), len(label))

    def guided(self, scales: Sequence[float], classes: Sequence[int], *, num_classes: int) -> Probe:
        """Probe: one sample of each of the classes at each scale of guidance, all scales from the same noise.

        It returns `scale` `[W]`, `label` `[C]` and `grid` `[W, C, ...]`.

        Args:
          scales: W of them, as in `guidance.classifier_free`.
          classes: C of them, in 0 ... K - 1.
          num_classes: K, of a denoiser whose label K is none.
        """
        label = jnp.asarray(classes)
        none = jnp.full_like(label, num_classes)

        def probe(key: Key, state: State) -> dict[str, Array]:
            grid = lax.map(lambda scale: self.guide(key, state, label, none, scale), jnp.array(scales))
            return {"grid": grid, "scale": jnp.array(scales), "label": label}

        return probe

    def guide(self, key: Key, state: State, condition: Array, none: Array, scale: Array | float) -> Array:
        """One sample `[B, ...]` of each of the conditions, away from what none of them would have been.

        Args:
          key: consumed.
          state: that the denoiser is of.
          condition: `[B, ...]` classes or captions.
          none: `[B, ...]` what the denoiser is told where it is told nothing.
          scale: `[]`, as in `guidance.classifier_free`.
        """
        both = self.denoiser(state, jnp.concatenate([condition, none]))

        # One pass of twice the batch, which is compiled once; sigma is a scalar, as solvers give it, so that it is the
        # same for both halves.
        def denoise(x, sigma):
            known, unknown = jnp.split(both(jnp.concatenate([x, x]), sigma), 2)
            return away_from(unknown, known, scale)

        return self._down(key, denoise, len(condition))

    def path(self, classes: Sequence[int], *, num_shown: int = 10) -> Probe:
        """Probe: the way of one sample of each of the classes, from noise to data, `num_shown` states of it at most.

        It returns `label` `[C]`, `sigma` `[S]`, and `[C, S, ...]` each the `state`, scaled to unit variance, and what
        is `seen` in it by the denoiser.
        """
        # Fewer of the first states: all noise looks alike.
        last = len(self.sigmas) - 1
        steps = np.unique((last * np.linspace(0, 1, num_shown) ** 0.7).round().astype(int))

        def probe(key: Key, state: State) -> dict[str, Array]:
            denoise = self.denoiser(state, jnp.array(classes))
            noise_key, key = jax.random.split(key)
            start = self._noise(noise_key, len(classes))
            states, levels = path(key, denoise, start, self.sigmas, self.solver)[steps], self.sigmas[steps]
            seen = lax.map(lambda at: denoise(at[0], jnp.maximum(at[1], self.sigmas[-2])), (states, levels))
            scaled = states / jnp.sqrt(1 + levels**2).reshape(-1, *[1] * (states.ndim - 1))
            shown = {name: self.decode(x).swapaxes(0, 1) for name, x in (("state", scaled), ("seen", seen))}
            return {**shown, "sigma": levels, "label": jnp.array(classes)}

        return probe

    def _down(self, key: Key, denoise: Denoiser, size: int) -> Array:
        noise_key, key = jax.random.split(key)
        return self.decode(sample(key, denoise, self._noise(noise_key, size), self.sigmas, self.solver))

    def _noise(self, key: Key, size: int) -> Array:
        return self.sigmas[0] * jax.random.normal(key, (size, *self.shape))
