"""All samplers on a banana, a funnel and two modes in the plane: draws, traces, known moments, speed beside BlackJAX.

Densities are normalised and their moments known, so that every error can be told from Monte-Carlo noise: `z` is the
largest error of two means and two variances in Monte-Carlo standard errors. A run's steps are the warm-up of the chains
(and all of annealing); the draws come after it. Sources are named in `adl/sampling`; the targets are those of Haario,
Saksman & Tamminen 1999, Computational Statistics 14(3), and of Neal 2003, Annals of Statistics 31(3), sec. 8.

    python -m experiments.sampling.compare
    python -m experiments.sampling.compare --methods nuts slice_sampler --num_draws 20000

Expected: z below 4 by tempering everywhere, by slices and a random walk; log Z of annealing within 4 standard errors
of 0. Two modes are found in their proportion by tempering alone (R-hat 1.002; HMC, NUTS and MALA 1.6 and more). At the
step that the warm-up finds, HMC and NUTS do not enter the far arms of the banana, and R-hat hardly says so: z 4.1 and
7.1 at 1.008 and 1.006; of the funnel's neck NUTS has z 5.3. At a step of 0.1 they are right there (z below 1 in 20,000
draws, as BlackJAX's). Two and a half minutes on two cores, most for compilation and the figure "speed", which times the
samplers beside BlackJAX's with the same steps and masses.
"""

import functools
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, get_args

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array, lax
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter

from adl import run, show
from adl.core import Algorithm, Key, Mean, PyTree, beside, trace
from adl.prob.distributions import normal_log_prob
from adl.sampling import adaptation, diagnostics, hmc, metropolis, nuts
from adl.sampling.annealed import annealed_importance
from adl.sampling.importance import Weighted, log_normaliser, log_normaliser_error, resampled
from adl.sampling.langevin import mala, ula
from adl.sampling.slice import slice_sampler
from adl.sampling.smc import smc_sampler
from adl.sampling.tempering import parallel_tempering

WIDE = 6.0  # standard deviation of the reference that tempering and annealing begin from, and of where chains do / 2
LADDER = (0.0, 0.05, 0.15, 0.4, 1.0)  # inverse temperatures of the replicas
LEAPFROG = 8  # steps of HMC's trajectories
POPULATIONS = ("annealed", "smc")  # one draw a particle, and the normaliser
Method = Literal["ula", "random_walk", "slice_sampler", "mala", "hmc", "nuts", "tempering", "annealed", "smc"]


class Target(NamedTuple):
    """A normalised density of the plane, and what is known of it."""

    log_density: Callable[[Array], Array]
    mean: tuple[float, float]
    variance: tuple[float, float]
    low: tuple[float, float]  # of the part that figures show
    high: tuple[float, float]


def banana(x: Array) -> Array:
    """x_0 ~ N(0, 2^2), x_1 | x_0 ~ N(x_0^2 / 2, 1)."""
    return normal_log_prob(x[0], 0.0, jnp.log(2.0)) + normal_log_prob(x[1], 0.5 * x[0] ** 2, 0.0)


def funnel(x: Array) -> Array:
    """x_0 ~ N(0, 1.5^2), x_1 | x_0 ~ N(0, exp(x_0))."""
    return normal_log_prob(x[0], 0.0, jnp.log(1.5)) + normal_log_prob(x[1], 0.0, 0.5 * x[0])


def modes(x: Array) -> Array:
    """0.3 N((-5, 0), I) + 0.7 N((5, 0), I): between them density falls by exp(12)."""
    left, right = (normal_log_prob(x[0], mean, 0.0) for mean in (-5.0, 5.0))
    return jnp.logaddexp(jnp.log(0.3) + left, jnp.log(0.7) + right) + normal_log_prob(x[1], 0.0, 0.0)


TARGETS = {
    "banana": Target(banana, (0.0, 2.0), (4.0, 9.0), (-8.5, -4.0), (8.5, 14.0)),
    "funnel": Target(funnel, (0.0, 0.0), (2.25, float(np.exp(1.125))), (-8.5, -7.0), (8.5, 7.0)),
    "modes": Target(modes, (2.0, 0.0), (22.0, 1.0), (-8.5, -4.5), (8.5, 4.5)),
}
MOMENTS = np.array([[*target.mean, *target.variance] for target in TARGETS.values()], np.float32)  # [3, 4]


@dataclass(frozen=True)
class Config(run.Config):
    """The default is the run that the claims are about."""

    num_steps: run.Count = 500  # warm-up transitions of a chain, and steps of the annealing
    steps_per_call: run.Count = 50
    log_every: run.Count = 50
    methods: tuple[Method, ...] = get_args(Method)  # which samplers
    num_chains: run.Count = 16  # split over devices
    num_particles: run.Count = 1024  # of the populations, split over devices
    num_draws: run.Count = 2000  # of a chain, after the warm-up; all are kept
    step_size: run.Positive = 0.4  # of the unadjusted Langevin chains, which find none, in units of the plane
    target_acceptance: run.Rate = 0.8  # that the warm-up of HMC, NUTS and tempering aims at
    num_timed: run.Natural = 2  # runs of a sampler that are timed, of which the fastest counts; 0: none


PROTOCOL = "2 means and 2 variances of a density of the plane, 16 chains, 500 + 2,000 transitions; "
CLAIMS = (
    *(
        run.Claim(
            metric=f"draws/{method}_{target}_z",
            at_most=4.0,
            protocol=f"{target}, {method}: {PROTOCOL}largest error in Monte-Carlo standard errors",
            reference="closed form; the largest of 4 normal |z| is above 4 once in 4,000 runs",
        )
        for method, target in (
            ("random_walk", "banana"),
            ("slice_sampler", "banana"),
            ("slice_sampler", "funnel"),
            ("hmc", "funnel"),
            *(("tempering", target) for target in TARGETS),
        )
    ),
    *(
        run.Claim(
            metric=f"draws/{method}_{target}_rhat",
            at_most=1.01,
            protocol=f"{target}, {method}: {PROTOCOL}rank-normalised split R-hat, the larger of two coordinates",
            reference="Vehtari et al. 2021: below 1.01",
        )
        for method, target in (("slice_sampler", "funnel"), ("tempering", "banana"), ("tempering", "modes"))
    ),
    run.Claim(
        metric="draws/hmc_modes_rhat",
        at_least=1.2,
        protocol=f"modes, HMC at one temperature: {PROTOCOL}split R-hat, the larger of two coordinates",
        reference="chains that never cross: R-hat tells; parallel tempering's is below 1.01",
    ),
    *(
        run.Claim(
            metric=f"draws/annealed_{target}_z",
            at_most=4.0,
            protocol=f"{target}: log of the mean weight of 1,024 annealed particles, 500 steps, in standard errors",
            reference="closed form: the density is normalised, log Z = 0",
        )
        for target in TARGETS
    ),
)
SMOKE = {
    "num_steps": 4,
    "num_draws": 8,
    "num_chains": 8,
    "num_particles": 16,
    "methods": ("mala", "tempering", "annealed", "smc"),
    "num_timed": 1,
}
SWEEP = "target_acceptance=0.7,0.9"  # of the tests


def build(cfg: Config, loaded: None, axis: str | None) -> run.Experiment:
    """Every sampler on every target at once, and at the end their draws."""
    chains = {name: on_all_targets(functools.partial(sampler, cfg, axis, name)) for name in cfg.methods}

    every = beside(chains)

    def step(key, state, batch):
        state, told = every.step(key, state, batch)
        return state, {name: mean for name, mean in told.items() if name == "potential" or name.endswith("_acceptance")}

    def draws(key, state):
        found: dict[str, Any] = {}
        for own, (name, alg) in zip(jax.random.split(key, len(chains)), chains.items(), strict=True):
            if name in POPULATIONS:
                position, told = population(own, name, state[name])
            else:
                _, position = trace(alg, cfg.num_draws, functools.partial(coldest, name))(own, state[name])
                position = jnp.moveaxis(position, 0, 2)  # [3, C, N, 2]
                told = dict(zip(("z", "rhat", "ess"), jax.vmap(judged)(position, MOMENTS), strict=True))
            found[name] = position
            for what, values in told.items():
                found |= {f"{name}_{target}_{what}": Mean.of(v) for target, v in zip(TARGETS, values, strict=True)}
        return {**found, **{f"known_{name}": known for name, known in adapted(cfg, state).items()}}

    return run.Experiment(
        every._replace(step=step),
        final={"draws": draws},
        figures=show.figures(
            draws=functools.partial(draws_figure, cfg=cfg),
            traces=functools.partial(traces_figure, cfg=cfg),
            moments=functools.partial(moments_figure, cfg=cfg),
            **({"speed": functools.partial(speed_figure, cfg=cfg)} if cfg.num_timed else {}),
        ),
    )


def log_density(cfg: Config, which: Array) -> Callable[[Array], Array]:
    """Of target number `which` `[]`, computed in the precision that is asked for."""
    dtype = jnp.dtype(cfg.precision)
    branches = [target.log_density for target in TARGETS.values()]
    return lambda x: lax.switch(which, branches, x.astype(dtype)).astype(jnp.float32)


def wide(x: Array) -> Array:
    """Log-density of the reference, N(0, 6^2 I)."""
    return normal_log_prob(x, 0.0, jnp.log(WIDE)).sum()


def sampler(cfg: Config, axis: str | None, name: str, which: Array) -> Algorithm:
    """One method on one target; chains begin where the reference is, at half its width."""
    target = log_density(cfg, which)
    move = functools.partial(hmc.transition, num_leapfrog=LEAPFROG)

    def start(key):
        return 0.5 * WIDE * jax.random.normal(key, (2,))

    def reference(key):
        return WIDE * jax.random.normal(key, (2,))

    of = {"num_chains": cfg.num_chains}
    warm = {**of, "num_warmup": cfg.num_steps}
    aimed = {**warm, "target_acceptance": cfg.target_acceptance}
    schedule = jnp.linspace(0, 1, cfg.num_steps + 1) ** 2
    make = {
        "ula": lambda: ula(target, start, step_size=cfg.step_size, **of),
        "random_walk": lambda: metropolis.random_walk(target, start, **warm),
        "slice_sampler": lambda: slice_sampler(target, start, width=3.0, **of),
        "mala": lambda: mala(target, start, **warm),
        "hmc": lambda: hmc.hmc(target, start, num_leapfrog=LEAPFROG, **aimed),
        "nuts": lambda: nuts.nuts(target, start, max_depth=6, **aimed),
        "tempering": lambda: parallel_tempering(
            target, reference, log_reference=wide, inverse_temperatures=LADDER, move=move, **aimed
        ),
        "annealed": lambda: annealed_importance(
            target,
            reference,
            log_reference=wide,
            inverse_temperatures=schedule,
            move=metropolis.transition,
            num_chains=cfg.num_particles,
            step_size=lambda b: 3.0 - 2.0 * b,
        ),
        "smc": lambda: smc_sampler(
            target,
            reference,
            log_reference=wide,
            move=functools.partial(hmc.transition, num_leapfrog=4),
            num_particles=cfg.num_particles,
            step_size=0.4,
            axis=axis,
        ),
    }
    return make[name]()


def on_all_targets(make: Callable[[Array], Algorithm]) -> Algorithm:
    """One method on the three targets, one after the other: each state leaf gains a leading axis `[3]`.

    Not `over_values`, under which every target would be computed for each.
    """
    which = jnp.arange(len(TARGETS))

    def init(key, batch):
        return lax.map(lambda own: make(own[1]).init(own[0], batch), (jax.random.split(key, len(which)), which))

    def step(key, state, batch):
        def one(own):
            return make(own[2]).step(own[0], own[1], batch)

        state, metrics = lax.map(one, (jax.random.split(key, len(which)), state, which))
        return state, jax.tree.map(lambda x: x.sum(0), metrics)

    return Algorithm(init, step, jax.tree.map(lambda at: at + 1, make(which[0]).axes))


def coldest(name: str, state: PyTree) -> Array:
    """Positions `[..., C, 2]`; of replicas those of the target."""
    return state.position[..., -1, :] if name == "tempering" else state.position


@jax.jit
def judged(position: Array, moments: Array) -> tuple[Array, Array, Array]:
    """Of draws `[C, N, 2]`: error over standard error, R-hat, and the least effective size of means and variances."""
    values = jnp.concatenate([position, (position - moments[None, None, :2]) ** 2], -1)
    error = jnp.abs(values.mean((0, 1)) - moments) / diagnostics.standard_error(values)
    ess = diagnostics.effective_sample_size(diagnostics.split(values))
    return error.max(), diagnostics.split_rhat(position).max(), ess.min()


def population(key: Key, name: str, state: PyTree) -> tuple[Array, dict[str, Array]]:
    """Draws `[3, N, 2]` that count alike, and what is known of the normaliser."""
    if name == "smc":
        return state.position, {"log_z": state.log_normaliser}

    def one(key, position, log_weight):
        return resampled(key, Weighted(position, log_weight), len(position))

    position = jax.vmap(one)(jax.random.split(key, len(TARGETS)), state.position, state.log_weight)
    log_z = jax.vmap(log_normaliser)(state.log_weight)
    return position, {"log_z": log_z, "z": jnp.abs(log_z) / jax.vmap(log_normaliser_error)(state.log_weight)}


def adapted(cfg: Config, state: Mapping[str, PyTree]) -> dict[str, Array]:
    """Of samplers that adapt: step size and variances `[3, C, 1 + 2]` that the warm-up found."""
    sizes = jax.vmap(jax.vmap(lambda known: adaptation.step_size(known, cfg.num_steps)))
    return {
        name: jnp.concatenate([sizes(own.adaptation)[..., None], own.adaptation.inverse_mass], -1)
        for name, own in state.items()
        if isinstance(own, hmc.Chain)
    }


def peers(cfg: Config) -> dict[str, Callable]:
    """BlackJAX's samplers, `kernel(log_density, known [3]) -> (init, step)`, with the step and the mass of ours."""
    try:  # of the extra `bench`; its import starts JAX, which must wait for the devices
        import blackjax
    except ModuleNotFoundError:
        return {}

    def walk(target, known):
        normal = blackjax.mcmc.random_walk.normal(known[0] * jnp.sqrt(known[1:]))
        return blackjax.additive_step_random_walk(target, normal)

    # It has no mass: the target is scaled instead, and so are its draws.
    def langevin(target, known):
        return blackjax.mala(lambda z: target(z * jnp.sqrt(known[1:])), 0.5 * known[0] ** 2)

    def hamiltonian(target, known):
        return blackjax.hmc(target, known[0], known[1:], LEAPFROG)

    def no_u_turn(target, known):
        return blackjax.nuts(target, known[0], known[1:], max_num_doublings=6)

    return {"random_walk": walk, "mala": langevin, "hmc": hamiltonian, "nuts": no_u_turn}


def timed(cfg: Config, outcome: run.Outcome) -> dict[tuple[str, str], np.ndarray]:
    """(method, whose) -> effective draws a second `[3]`, and z `[3]`, of the targets: `[3, 2]`."""
    found = {}
    kernels = peers(cfg)
    for name in (name for name in cfg.methods if name not in POPULATIONS):
        programs = {"adl": jax.jit(functools.partial(ours, cfg, name))}
        if name in kernels:
            programs["BlackJAX"] = jax.jit(functools.partial(theirs, cfg, name, kernels[name]))
        rows = [measured(cfg, name, programs, outcome, i) for i in range(len(TARGETS))]
        for whose in programs:
            found[name, whose] = np.stack([row[whose] for row in rows])
    return found


def ours(cfg: Config, name: str, key: Key, position: Array, known: Array, which: Array) -> Array:
    """Draws `[C, N, 2]` of our sampler, that goes on from positions `[C, 2]` with steps and masses `[C, 3]`."""
    alg = sampler(cfg, None, name, which)
    state = alg.init(key, ())
    if isinstance(state, hmc.Chain):
        done = jnp.full_like(state.adaptation.count, cfg.num_steps)
        averaging = state.adaptation.averaging._replace(log_average=jnp.log(known[:, 0]))
        points = jax.vmap(functools.partial(hmc.at, log_density(cfg, which)))(position, jnp.zeros_like(position))
        warm = state.adaptation._replace(count=done, averaging=averaging, inverse_mass=known[:, 1:])
        state = hmc.Chain(position, points.log_density, points.gradient, warm)
    elif name == "tempering":
        state, _ = trace(alg, cfg.num_steps, lambda state: ())(key, state)
    else:
        state = state._replace(position=position, log_density=jax.vmap(log_density(cfg, which))(position))
    return trace(alg, cfg.num_draws, functools.partial(coldest, name))(key, state)[1].swapaxes(0, 1)


def theirs(cfg: Config, name: str, make: Callable, key: Key, position: Array, known: Array, which: Array) -> Array:
    """The same of BlackJAX's."""

    def chain(key, position, known):
        scale = jnp.sqrt(known[1:]) if name == "mala" else jnp.ones(2)
        kernel = make(log_density(cfg, which), known)

        def body(state, key):
            state, _ = kernel.step(key, state)
            return state, state.position * scale

        return lax.scan(body, kernel.init(position / scale), jax.random.split(key, cfg.num_draws))[1]

    return jax.vmap(chain)(jax.random.split(key, len(position)), position, known)


def measured(
    cfg: Config, name: str, programs: Mapping[str, Callable], outcome: run.Outcome, which: int
) -> dict[str, np.ndarray]:
    """Effective draws a second of each program's fastest run, and its last run's z; the programs take turns."""
    position = jnp.asarray(outcome.arrays[f"draws/{name}"][which, :, -1])
    unknown = np.ones((len(TARGETS), len(position), 3), np.float32)
    known = jnp.asarray(outcome.arrays.get(f"draws/known_{name}", unknown)[which])
    best, draws = dict.fromkeys(programs, np.inf), {}
    for repeat in range(cfg.num_timed + 1):  # the first compiles
        for whose, program in programs.items():
            started = time.perf_counter()
            key = jax.random.key(repeat)
            draws[whose] = jax.block_until_ready(program(key, position, known, jnp.asarray(which)))
            if repeat:
                best[whose] = min(best[whose], time.perf_counter() - started)
    found = {}
    for whose, drawn in draws.items():
        z, _, ess = judged(drawn, jnp.asarray(MOMENTS[which]))
        found[whose] = np.array([ess / best[whose], z], float)
    return found


TITLES = {
    "ula": "ULA",
    "random_walk": "random walk",
    "slice_sampler": "slice",
    "mala": "MALA",
    "hmc": "HMC",
    "nuts": "NUTS",
    "tempering": "parallel\ntempering",
    "annealed": "annealed\nimportance",
    "smc": "SMC",
}


def draws_figure(outcome: run.Outcome, *, cfg: Config) -> Figure:
    """2,000 draws of each sampler over contours of each density."""
    figure, axes = show.panel(len(TARGETS), len(cfg.methods), size=(1.45, 1.5))
    for row, (what, target) in enumerate(TARGETS.items()):
        grid = np.stack(
            np.meshgrid(*(np.linspace(a, b, 160) for a, b in zip(target.low, target.high, strict=True))), -1
        )
        log_p = np.asarray(jax.vmap(jax.vmap(target.log_density))(jnp.asarray(grid, jnp.float32)))
        levels = log_p.max() - np.array([9.0, 6.0, 4.0, 2.0, 0.7])
        for ax, name in zip(axes[row], cfg.methods, strict=True):
            x = outcome.arrays[f"draws/{name}"][row].reshape(-1, 2)
            x = x[:: max(1, len(x) // 2000)]
            ax.plot(*x.T, ".", color=show.COLORS[0], markersize=2, markeredgewidth=0, alpha=0.35, rasterized=True)
            ax.contour(grid[..., 0], grid[..., 1], log_p, levels, colors="0.25", linewidths=0.45, linestyles="solid")
            ax.set(xlim=(target.low[0], target.high[0]), ylim=(target.low[1], target.high[1]), xlabel="$x_0$")
            ax.label_outer()
            if not row:
                ax.set_title(TITLES[name], fontsize=9)
        axes[row, 0].set_ylabel(f"{what}\n$x_1$")
    figure.suptitle("2,000 of the draws, over contours of the density", fontsize=10)
    return figure


def traces_figure(outcome: run.Outcome, *, cfg: Config) -> Figure:
    """The first coordinate of three chains, draw after draw."""
    names = [name for name in cfg.methods if name not in POPULATIONS]
    figure, axes = show.panel(len(names), len(TARGETS), size=(3.2, 0.95))
    for i, name in enumerate(names):
        for j, what in enumerate(TARGETS):
            ax, x = axes[i, j], outcome.arrays[f"draws/{name}"][j][:3, :500, 0]
            for chain, color in zip(x, show.COLORS, strict=False):
                ax.plot(chain, color=color, linewidth=0.5, alpha=0.8)
            low, high = list(TARGETS.values())[j].low[0], list(TARGETS.values())[j].high[0]
            ax.set(ylim=(low, high), ylabel="$x_0$", xlabel="draw after the warm-up")
            rhat = outcome.last(f"draws/{name}_{what}_rhat")
            ax.text(0.995, 0.97, f"R-hat {rhat:.3f}", transform=ax.transAxes, ha="right", va="top", fontsize=7)
            ax.margins(x=0.005)
            if j:
                ax.set_ylabel("")
            if i < len(names) - 1:
                ax.set_xlabel("")
                ax.set_xticklabels([])
            if not i:
                ax.set_title(what)
        axes[i, 0].set_ylabel(f"{TITLES[name]}\n$x_0$", fontsize=8)
    figure.suptitle("Three of the chains", fontsize=10)
    return figure


def moments_figure(outcome: run.Outcome, *, cfg: Config) -> Figure:
    """How far off the known moments are, and whether the chains agree."""
    names = [name for name in cfg.methods if name not in POPULATIONS]
    figure, axes = show.panel(1, 2, size=(3.8, 0.8 + 0.33 * len(names)))
    marks = zip(TARGETS, show.COLORS, ("o", "s", "^"), strict=False)
    for k, (what, color, mark) in enumerate(marks):
        place = np.arange(len(names)) + 0.18 * (k - 1)
        for ax, metric in zip(axes[0], ("z", "rhat"), strict=True):
            values = np.array([outcome.last(f"draws/{name}_{what}_{metric}") for name in names])
            values = values - 1 if metric == "rhat" else values
            ax.plot(
                np.clip(np.nan_to_num(values, nan=np.inf), 1e-5, 1e3),
                place,
                mark,
                color=color,
                markersize=5,
                label=what,
            )
    for ax, bound, label in zip(
        axes[0], (4, 0.01), ("largest error of a moment (Monte-Carlo standard errors)", "split R-hat - 1"), strict=True
    ):
        ax.axvline(bound, color="0.4", linewidth=0.8, linestyle=":")
        ax.set(xscale="log", xlabel=label)
        ax.xaxis.set_major_locator(LogLocator(subs=(1.0, 3.0)))
        ax.xaxis.set_major_formatter("{x:g}")
        ax.xaxis.set_minor_formatter(NullFormatter())
        ax.set_yticks(range(len(names)), [TITLES[name].replace("\n", " ") for name in names])
        ax.invert_yaxis()
    axes[0, 1].set_yticklabels([])
    figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside right center", fontsize=8, frameon=False)
    figure.suptitle("Two means and two variances beside the truth; dotted: 4 and 0.01", fontsize=10)
    return figure


def speed_figure(outcome: run.Outcome, *, cfg: Config) -> Figure:
    """Effective draws a second, ours and BlackJAX's with the same settings; of tempering with its warm-up."""
    found = timed(cfg, outcome)
    names = list(dict.fromkeys(name for name, _ in found))
    figure, axes = show.panel(1, len(TARGETS), size=(2.9, 0.9 + 0.33 * len(names)))
    for j, (ax, what) in enumerate(zip(axes[0], TARGETS, strict=True)):
        for whose, color, mark in (("adl", show.COLORS[0], "o"), ("BlackJAX", show.COLORS[1], "D")):
            rows = [(i, *found[name, whose][j]) for i, name in enumerate(names) if (name, whose) in found]
            for i, speed, z in rows:
                ax.plot(speed, i, mark, color=color, markersize=6, fillstyle="full" if z <= 4 else "none")
                ax.annotate(f"{z:.1f}", (speed, i), (0, 5), textcoords="offset points", ha="center", fontsize=6)
            ax.plot([], [], mark, color=color, label=whose)
        ax.set(xscale="log", xlabel="effective draws a second", title=what)
        ax.set_yticks(range(len(names)), [TITLES[name].replace("\n", " ") for name in names] if not j else [])
        ax.set_ylim(len(names) - 0.5, -0.5)
        ax.grid(axis="x", linewidth=0.3)
    figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside right center", fontsize=8, frameon=False)
    title = "Speed of the least known moment; above: largest error in standard errors, hollow beyond 4"
    figure.suptitle(title, fontsize=10)
    return figure


if __name__ == "__main__":
    run.main(__name__)
