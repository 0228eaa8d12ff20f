"""All chains on a banana, a funnel and two modes in the plane: draws, traces, known moments.

Densities are normalised and their moments known: `z` is the largest error of two means and two variances in
Monte-Carlo standard errors. A run's steps are the warm-up of the chains; the draws come after it.

    python -m experiments.sampling.compare
    >>> draws = run.load("runs/sampling/compare").sample(16)
    python -m experiments.sampling.compare --methods nuts slice_sampler --num_draws 20000

Expected: z below 4 by tempering everywhere, by slices and a random walk. Two modes are found in their proportion by
tempering alone (R-hat 1.002; HMC, NUTS and MALA 1.6 and more). At the step that the warm-up finds, HMC and NUTS do not
enter the far arms of the banana, and R-hat hardly says so: z 4.1 and 7.1 at 1.008 and 1.006; of the funnel's neck NUTS
has z 5.3. At a step of 0.1 they are right there (z below 1 in 20,000 draws, as BlackJAX's). Two minutes on two cores,
most for compilation; `experiments.bench plane` times the samplers beside BlackJAX's with the same steps and masses.
"""

import functools
from dataclasses import dataclass
from typing import Any, Literal, get_args

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from adl import run, show
from adl.core import Algorithm, Mean, PyTree, beside, in_turn, reporting, trace
from adl.sampling import diagnostics, hmc, langevin, metropolis, nuts, slice, targets, tempering
from adl.sampling.chains import any_one
from adl.sampling.targets import PLANE

WIDE = 6.0  # standard deviation of the reference that tempering begins from, and of where chains do / 2
LADDER = (0.0, 0.05, 0.15, 0.4, 1.0)  # inverse temperatures of the replicas
LEAPFROG = 8  # steps of HMC's trajectories
Method = Literal["ula", "random_walk", "slice_sampler", "mala", "hmc", "nuts", "tempering"]
NAMES = ("ULA", "random walk", "slice", "MALA", "HMC", "NUTS", "parallel\ntempering")  # of these, in figures


@dataclass(frozen=True)
class Config(run.Config):
    """The default is the run that the claims are about."""

    num_steps: run.Count = 500  # warm-up transitions of a chain
    steps_per_call: run.Count = 50
    log_every: run.Count = 50
    methods: tuple[Method, ...] = get_args(Method)  # which samplers
    num_chains: run.Split = 16  # split over devices
    num_draws: run.Count = 2000  # of a chain, after the warm-up; all are kept
    step_size: run.Positive = 0.4  # of the unadjusted Langevin chains, which find none, in units of the plane
    target_acceptance: run.Rate = 0.8  # that the warm-up of HMC, NUTS and tempering aims at


PROTOCOL = "2 means and 2 variances of a density of the plane, 16 chains, 500 + 2,000 transitions; "
RHAT = f"{PROTOCOL}rank-normalised split R-hat, the larger of two coordinates"
MIXED = "Vehtari et al. 2021: below 1.01"
KNOWN = {"random_walk": ["banana"], "slice_sampler": ["banana", "funnel"], "hmc": ["funnel"], "tempering": [*PLANE]}
CLAIMS = (
    *(
        run.Claim(
            f"draws/{method}_{target}_z",
            f"{target}, {method}: {PROTOCOL}largest error in Monte-Carlo standard errors",
            **{"at_most": 4.0, "reference": "closed form; the largest of 4 normal |z| is above 4 once in 4,000 runs"},
        )
        for method, where in KNOWN.items()
        for target in where
    ),
    *(
        run.Claim(f"draws/{method}_{target}_rhat", f"{target}, {method}: {RHAT}", at_most=1.01, reference=MIXED)
        for method, target in (("slice_sampler", "funnel"), ("tempering", "banana"), ("tempering", "modes"))
    ),
    run.Claim(
        "draws/hmc_modes_rhat",
        f"modes, HMC at one temperature: {RHAT}",
        **{"at_least": 1.2, "reference": "chains that never cross: R-hat tells; parallel tempering's is below 1.01"},
    ),
)
SMOKE = {"num_steps": 4, "num_draws": 8, "num_chains": 8, "methods": ("ula", "tempering")}
SWEEP = "target_acceptance=0.7,0.9"  # of the tests


def load(cfg: Config) -> dict[str, tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """The densities' heights, for the figures."""
    return {name: targets.heights(name) for name in PLANE}


def build(cfg: Config, loaded: dict[str, tuple[np.ndarray, ...]], axis: str | None) -> run.Experiment:
    """Every sampler on every target at once, and at the end their draws."""
    chains = {name: in_turn(functools.partial(sampler, cfg, name), jnp.arange(len(PLANE))) for name in cfg.methods}
    every = beside(chains)
    mean, variance = jnp.array([(target.mean, target.std**2) for target in PLANE.values()]).swapaxes(0, 1)  # [3, 2]

    def draws(key, state):
        found: dict[str, Any] = {}
        for own, (name, alg) in zip(jax.random.split(key, len(chains)), chains.items(), strict=True):
            _, position = trace(alg, cfg.num_draws, functools.partial(target_position, name))(own, state[name])
            position = jnp.moveaxis(position, 0, 2)  # [3, C, N, 2]
            told = jax.vmap(diagnostics.judged)(position, mean, variance)
            for i, target in enumerate(PLANE):
                found[f"{name}_{target}"] = position[i]
                found |= {f"{name}_{target}_{what}": Mean.of(all_[i]) for what, all_ in told._asdict().items()}
        return found

    one = any_one(lambda key, state: target_position(cfg.methods[0], state[cfg.methods[0]]), axis=1)
    methods = {method: name for method, name in zip(get_args(Method), NAMES, strict=True) if method in cfg.methods}
    return run.Experiment(
        reporting(every, "potential", "*_acceptance"),
        final={"draws": draws},
        offers={"sample": run.Offer(one, run.Repeats(), run.Cells())},  # of the first method: x and y on each target
        figures=show.figures(
            draws=show.clouds(methods, loaded),
            traces=show.first_coordinates(methods, {name: window[0] for name, window in targets.WINDOWS.items()}),
            moments=show.moments(methods, [*PLANE]),
        ),
    )


def sampler(cfg: Config, name: str, which: Array) -> Algorithm:
    """One method on target number `which` `[]`; chains begin where the reference is, at half its width."""
    target = targets.rounded(targets.one_of([t.log_density for t in PLANE.values()], which), cfg.precision)

    def start(key, share=0.5):
        return share * WIDE * jax.random.normal(key, (2,))

    of = {"num_chains": cfg.num_chains}
    warm = {**of, "num_warmup": cfg.num_steps}
    aimed = {**warm, "target_acceptance": cfg.target_acceptance}
    move = functools.partial(hmc.transition, num_leapfrog=LEAPFROG)
    replicas = {"log_reference": targets.isotropic(WIDE).log_density, "inverse_temperatures": LADDER, "move": move}
    return {
        "ula": lambda: langevin.ula(target, start, step_size=cfg.step_size, **of),
        "random_walk": lambda: metropolis.random_walk(target, start, **warm),
        "slice_sampler": lambda: slice.slice_sampler(target, start, width=3.0, **of),
        "mala": lambda: langevin.mala(target, start, **warm),
        "hmc": lambda: hmc.hmc(target, start, num_leapfrog=LEAPFROG, **aimed),
        "nuts": lambda: nuts.nuts(target, start, max_depth=6, **aimed),
        "tempering": lambda: tempering.parallel_tempering(
            target, functools.partial(start, share=1.0), **replicas, **aimed
        ),
    }[name]()


def target_position(name: str, state: PyTree) -> Array:
    """Positions `[..., C, 2]` of the chains of a method, and of replicas those of the target."""
    return tempering.coldest(state) if name == "tempering" else state.position


if __name__ == "__main__":
    run.main(__name__)
