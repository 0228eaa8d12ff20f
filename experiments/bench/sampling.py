"""Pictures drawn by each family of generative models, as its experiment has it: what a sample costs, not what it is.

Measured on two busy CPU cores, digits a second: 96,000 by the VAE, 53,000 by the GAN, 3,000 by the gated PixelCNN, 720
by Glow, 110 by the energy; by diffusion 400 to 460 of 8 evaluations and 100 to 110 of 32, whichever the solver.
"""

import functools
import importlib
import time
from collections.abc import Callable, Mapping, Sequence

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from adl.core import Key, PyTree, jitted
from adl.diffusion import solver
from adl.diffusion.schedule import karras
from adl.run import Repeats
from adl.run.experiment import Experiment
from experiments.bench import Contenders

FAMILIES = {  # the first is the reference: one evaluation of a perceptron
    "GAN": "gan.image",
    "VAE": "autoencoder.vae",
    "Glow": "flow.image",
    "energy, 600 Langevin steps": "energy.image",
    "gated PixelCNN, 64 pixels": "pixel.image",
    "diffusion": "diffusion.image",
}
WAYS = {  # with the evaluations that a step takes
    "Euler": (solver.euler, 1),
    "ancestral": (solver.ddim(1.0), 1),
    "Heun": (solver.heun, 2),
    "Runge-Kutta": (solver.runge_kutta, 4),
}
EVALUATIONS = (8, 32)
Draw = Callable[[Key, PyTree], Array]  # (key, state) -> [N, H, W, C]


def contenders(
    num_pictures: int = 64,
    *,
    families: Mapping[str, str] = FAMILIES,
    evaluations: Sequence[int] = EVALUATIONS,
) -> Contenders:
    """Digits of 8 x 8 by the default networks, with random weights, 64 at a time; in milliseconds a picture.

    1,000 over it are samples a second. Of diffusion each solver, by the evaluations of the network. Each sampler is one
    program; before anything is timed, the same key must draw the same pictures, which must be finite.
    """
    found = {}
    for name, module in families.items():
        experiment = built(module)
        state = jitted(experiment.algorithm).init(jax.random.key(0), experiment.batches[0])
        for label, draw in draws(name, experiment, num_pictures, evaluations).items():
            found[label] = timed(jax.jit(draw), state, num_pictures)
    return found


def built(name: str) -> Experiment:
    """An experiment by its default."""
    module = importlib.import_module(f"experiments.{name}")
    config = module.Config()
    return module.build(config, module.load(config), None)


def draws(name: str, experiment: Experiment, num_pictures: int, evaluations: Sequence[int]) -> dict[str, Draw]:
    """What an experiment draws with: one sampler, or where it solves an equation one for each solver and number."""
    label = jnp.arange(num_pictures) % 10
    if "sampler" in experiment.offers and hasattr(experiment.offers["sampler"], "sigmas"):
        sampler = experiment.offers["sampler"]
        ends = {"sigma_min": float(sampler.sigmas[-2]), "sigma_max": float(sampler.sigmas[0])}
        return {
            f"{name}, {way} {count}": functools.partial(
                _of_classes, sampler._replace(sigmas=karras(count // calls, **ends), solver=step).draw, label
            )
            for way, (step, calls) in WAYS.items()
            for count in evaluations
        }
    offer = experiment.offers["sample"]
    if isinstance(offer.takes, Repeats):
        return {name: lambda key, state: jax.vmap(offer.fn, (0, None))(jax.random.split(key, num_pictures), state)}
    return {name: functools.partial(_of_classes, offer.fn, label)}


def timed(draw: Draw, state: PyTree, num_pictures: int) -> Callable[[], float]:
    """Milliseconds a picture, of one call."""
    first, again = (np.asarray(draw(jax.random.key(0), state)) for _ in range(2))
    np.testing.assert_array_equal(first, again)
    assert len(first) == num_pictures and np.isfinite(first).all()

    def run() -> float:
        started = time.perf_counter()
        jax.block_until_ready(draw(jax.random.key(1), state))
        return 1e3 * (time.perf_counter() - started) / num_pictures

    return run


def _of_classes(draw: Callable[[Key, PyTree, Array], Array], label: Array, key: Key, state: PyTree) -> Array:
    return draw(key, state, label)
