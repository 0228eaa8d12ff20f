"""What samples cost and what they are worth: quality by the number of evaluations of the network.

An evaluation is one pass of the network over a batch; a step of a solver takes one or several. All ways begin with the
same noise, draw by draw, so that what differs is the way alone; error bars are over draws.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array, lax
from jax.tree_util import Partial

from adl import data
from adl.core import BadInput, Key, Mean, Probe, State
from adl.diffusion.evaluation import DenoiserOf
from adl.diffusion.solver import Denoiser, Solver
from adl.measure.distance import frechet_distance
from adl.measure.pictures import as_arguments
from adl.measure.samples import recognised, rounded

METRICS = ("frechet", "two_sample_data", "two_sample_samples")


class Way(NamedTuple):
    """How noise becomes data."""

    denoiser: DenoiserOf  # judged
    schedule: Callable[[int], Array]  # `steps -> [steps + 1]` falling noise levels
    solver: Callable[[Array], Solver]  # of the number of steps []
    calls: int = 1  # evaluations a step


def plain_draws(image: np.ndarray, num_draws: int, size: int) -> dict[str, np.ndarray]:
    """`[num_draws, size, ...]` of what takes no evaluations: "training" pictures, and one "gaussian" fitted to them.

    Args:
      image: `[N, ...]` in [0, 1].
      num_draws: of each.
      size: pictures of a draw.
    """
    rng, middle = np.random.default_rng(0), image.mean(0)
    # Of covariance that of the pictures, without forming it: a matrix of all pixels' pairs may be large.
    shares = rng.normal(size=(num_draws, size, len(image))).astype(np.float32) / np.sqrt(max(len(image) - 1, 1))
    gaussian = middle + np.tensordot(shares, image - middle, 1)
    return {"training": image[rng.integers(len(image), size=(num_draws, size))], "gaussian": gaussian.clip(0, 1)}


class Budget(NamedTuple):
    """Draws of a way by its number of steps."""

    sigmas: Array  # [E, S + 1] falling noise levels, of which so many steps are taken
    num_steps: Array  # [E]


def budget(way: Way, evaluations: Sequence[int], *, name: str) -> Budget:
    """Steps and noise levels of a way for each number of evaluations.

    Args:
      way: that takes them.
      evaluations: E of them, each of 2 steps or more.
      name: of the way, for errors.
    Raises:
      BadInput: of a number that is no multiple of the way's calls, or of fewer than two steps.
    """
    for count in evaluations:
        if count % way.calls or count < 2 * way.calls:
            raise BadInput(
                f"{count} evaluations: {name} takes {way.calls} a step, so it must be a multiple of {way.calls}, "
                f"{2 * way.calls} or more"
            )
    steps = [count // way.calls for count in evaluations]
    sigmas = [jnp.pad(way.schedule(count), (0, max(steps) - count)) for count in steps]
    return Budget(jnp.stack(sigmas), jnp.array(steps))


def sample_first(
    key: Key, denoiser: Denoiser, x: Array, sigmas: Array, num_steps: Array, make: Callable[[Array], Solver]
) -> Array:
    """`[B, ...]`: `solver.sample`, of which only the first steps are taken; their number is no part of the program.

    Args:
      key: consumed; only stochastic solvers draw from it.
      denoiser: as in `solver.sample`.
      x: `[B, ...]` noise of standard deviation `sigmas[0]`.
      sigmas: `[S + 1]` falling noise levels.
      num_steps: `[]` in 0 ... S.
      make: the solver for so many steps.
    """
    solver, keys = make(num_steps), jax.random.split(key, len(sigmas) - 1)
    return lax.fori_loop(0, num_steps, lambda i, x: solver(keys[i], denoiser, x, sigmas[i], sigmas[i + 1]), x)


def by_evaluations(
    ways: Mapping[str, Way],
    reference: data.Split,
    others: Mapping[str, np.ndarray],
    *,
    evaluations: Sequence[int],
    features: Callable[[Array], Array],
    decode: Callable[[Array], Array],
    num_shown: int = 12,
) -> Probe:
    """Probe that draws by each way, for each number of evaluations, as often as the others were drawn, and judges.

    Args:
      ways: by name.
      reference: "image" `[N, H, W, C]` uint8 and "label" `[N]`, N >= 3: as many samples are drawn, of these classes.
      others: by name, samples `[R, N, H, W, C]` in [0, 1] of what knows of no evaluations, R >= 2 draws.
      evaluations: E of them.
      features: of pictures in [0, 1], in which Frechet distances are taken.
      decode: from what is diffused to pixels in [0, 1].
      num_shown: samples of each way and number that are shown.
    Returns:
      "WAY_E_METRIC" means over draws, of the `METRICS`: Frechet distance from the reference, and the halves of the
      two-sample test; arrays "WAY METRIC" `[E]` with "WAY METRIC error" `[E]`, their standard errors; of the others
      "NAME_METRIC" and `[]`; `evaluations` `[E]`; and `grid` `[ways E, num_shown, H, W, C]`, of the first draw.
    Raises:
      BadInput: as `budget`.
    """
    budgets = {name: budget(way, evaluations, name=name) for name, way in ways.items()}
    image = reference.arrays["image"] / np.float32(255)
    carried = image, reference.arrays["label"], np.unique(image), dict(others), as_arguments({"": features})[""]
    num_draws = len(next(iter(others.values())))

    def probe(carried, key: Key, state: State) -> dict[str, Mean | Array]:
        image, label, levels, others, features = jax.tree.map(jnp.asarray, carried)
        keys = jax.random.split(key, num_draws)

        def judged(samples: Array) -> dict[str, Array]:
            shares = recognised(image.reshape(len(image), -1), samples.reshape(len(image), -1))
            distance = frechet_distance(features(samples), features(image))
            return dict(zip(METRICS, (distance, *shares), strict=True))

        def draws(name: str) -> Array:
            """`[E R, N, ...]`."""
            denoise = ways[name].denoiser(state, label)

            def one(at):
                key, (sigmas, num_steps) = at
                noise_key, key = jax.random.split(key)
                x = sigmas[0] * jax.random.normal(noise_key, image.shape)
                return decode(sample_first(key, denoise, x, sigmas, num_steps, ways[name].solver))

            size = len(evaluations) * num_draws
            each = jax.tree.map(lambda leaf: leaf.repeat(num_draws, 0), budgets[name])
            return lax.map(one, (keys[jnp.arange(size) % num_draws], each))

        drawn = rounded(jnp.concatenate([*map(draws, ways), *others.values()]), levels)
        told, found = lax.map(judged, drawn), {"evaluations": jnp.array(evaluations)}  # one program of all
        split = len(ways) * len(evaluations) * num_draws
        for metric in METRICS:
            by_way = told[metric][:split].reshape(len(ways), len(evaluations), num_draws)
            for name, values in zip(ways, by_way, strict=True):
                found |= {f"{name}_{e}_{metric}": Mean.of(values[i]) for i, e in enumerate(evaluations)}
                error = values.std(1, ddof=1) / np.sqrt(num_draws)
                found |= {f"{name} {metric}": values.mean(1), f"{name} {metric} error": error}
            for name, values in zip(others, told[metric][split:].reshape(-1, num_draws), strict=True):
                found |= {f"{name}_{metric}": Mean.of(values), f"{name} {metric}": values.mean()}
        return {**found, "grid": drawn[:split:num_draws, :num_shown]}

    return Partial(probe, carried)
