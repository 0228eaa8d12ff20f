"""The functions of `sampling` at the edges; what draws at random is held elsewhere."""

import jax.numpy as jnp
import numpy as np
from scipy.special import logsumexp

from adl.sampling import adaptation, annealed, chains, diagnostics, hmc, importance, inversion, metropolis, nuts, smc
from adl.sampling import targets as target
from adl.sampling.adaptation import DualAveraging, WindowMoments
from adl.sampling.hmc import Point
from adl.sampling.importance import Weighted
from tests.edge import Edge

RNG = np.random.default_rng(0)


def autoregressive() -> np.ndarray:
    x = np.zeros((3, 24, 2))
    for t in range(1, 24):
        x[:, t] = 0.5 * x[:, t - 1] + RNG.normal(size=(3, 2))
    return x


MOVING = autoregressive()
ENDLESS = np.where(np.arange(24)[None, :, None] == 5, np.inf, MOVING)
NAN = np.where(np.arange(24)[None, :, None] == 5, np.nan, MOVING)
DRAWS = {
    "plain": (MOVING,),
    "offset 1e3": (MOVING + 1e3,),
    "offset 1e4": (MOVING - 1e4,),
    "scale 1e-15": (1e-15 * MOVING,),
    "scale 1e15": (1e15 * MOVING,),
    "duplicates": (np.round(MOVING),),
    "one stuck": (np.where(np.arange(3)[:, None, None] == 1, 0.3, MOVING),),
}
STUCK = {"constant": (np.full((3, 24, 2), 0.1),), "constant, far": (np.full((3, 24, 2), 1e4 + 0.1),), "nan": (NAN,)}


def of_draws(of, slopes: tuple[int, ...] = (0,), without: tuple[str, ...] = (), **options) -> Edge:
    inputs = {name: x for name, x in (DRAWS | STUCK).items() if name not in without}
    return Edge(of, inputs, slopes=slopes, blank=tuple(STUCK), **options)


WEIGHT = np.array([0.0, -1.0, -2.5, 0.3, -7.0])
WEIGHTS = {"plain": (WEIGHT,), "equal": (np.zeros(5),), "far apart": (1e4 * WEIGHT,)}
LEVELS = {"1e6": (np.full(5, 1e6),), "-1e7": (WEIGHT - 1e7,), "1e15": (np.full(5, 1e15),)}
EXCLUDED = {
    "zero weights": (np.array([0.0, -np.inf, -1.0, -np.inf, -np.inf]),),
    "one": (np.where(np.arange(5), -np.inf, 3.0),),
}
NONE_LEFT = {
    "no weight": (np.full(5, -np.inf),),
    "infinite weight": (np.where(np.arange(5), 0.0, np.inf),),
    "nan weight": (np.where(np.arange(5), 0.0, np.nan),),
}


def weight(log_weight):
    return np.exp(log_weight - log_weight.max())


def effective(log_weight):
    w = weight(log_weight)
    return w.sum() ** 2 / (w**2).sum()


def normaliser(log_weight):
    return logsumexp(log_weight) - np.log(len(log_weight))


def normaliser_error(log_weight):
    w = weight(log_weight)
    return w.std(ddof=1) / w.mean() / np.sqrt(len(w))


def mean(log_weight, values):
    return importance.mean(Weighted(None, log_weight), values)


def mean_wanted(log_weight, values):
    w = weight(log_weight) / weight(log_weight).sum()
    values = np.where(w > 0, values, 0)
    average = w @ values
    return average, np.sqrt(w**2 @ (values - average) ** 2)


VALUES = RNG.normal(size=5)
SEVERAL = {
    "plain": (WEIGHT, VALUES),
    "level 1e6": (WEIGHT + 1e6, VALUES),
    "offset 1e4": (WEIGHT, VALUES + 1e4),
    "scale 1e15": (WEIGHT, 1e15 * VALUES),
    "scale 1e-15": (WEIGHT - 1e4, 1e-15 * VALUES),
}

LOG_DENSITIES = {
    "inside": (-1.0, -2.0),
    "level": (-1e6, -1e6 - 3),
    "from outside": (-3.0, -np.inf),
    "to outside": (-np.inf, -3.0),
    "outside": (-np.inf, -np.inf),
    "nan": (np.nan, -3.0),
    "+inf": (np.inf, -3.0),
    "from nan": (-3.0, np.nan),
}


def ratio_wanted(there, here):
    there, here = (x if x < np.inf else -np.inf for x in (there, here))
    if here == -np.inf:
        return np.inf if there > -np.inf else -np.inf
    return there - here


def searched(count, center, error, log_step, average, acceptance):
    state = DualAveraging(count, center, error, log_step, average)
    return adaptation.searched(state, acceptance, target=0.8)


SEARCH = {
    "first": (0.0, 2.3, 0.0, 0.0, 0.0, 1.0),
    "refused": (5.0, 2.3, 0.2, -1.0, -0.8, 0.0),
    "late": (1e6, -30.0, 1e-3, -32.0, -32.0, 0.79),
}
MEAN = np.array([1e4, -3.0, 0.5])
SEEN = {
    "plain": (4.0, np.ones(3), 2 * np.ones(3), np.array([0.5, -1.0, 2.0])),
    "first": (0.0, np.zeros(3), np.zeros(3), MEAN),
    "far": (9.0, MEAN, np.array([2.0, 5.0, 7.0]), MEAN + np.array([0.5, -0.25, 1.5])),
    "small": (9.0, 1e-15 * np.ones(3), np.full(3, 1e-30), 2e-15 * np.ones(3)),
    "large": (9.0, 1e15 * np.ones(3), np.full(3, 1e30), 2e15 * np.ones(3)),
}


def observed(count, mean, squares, position):
    return adaptation.observed(WindowMoments(count, mean, squares), position)


def regularised(count, mean, squares):
    return adaptation.regularised(WindowMoments(count, mean, squares))


def adapted(log_step, position, acceptance):
    state = adaptation.begun(jnp.ones_like(position), 1.0)
    state = state._replace(averaging=state.averaging._replace(log_step=log_step))
    found = adaptation.adapted(state, position, acceptance, num_warmup=10, target=0.8)
    return found.averaging, found.inverse_mass


def normal_at(x, scale):
    return -0.5 * ((x / scale) ** 2).sum()


def point(x, p, scale):
    return Point(x, p, normal_at(x, scale), -x / scale**2)


def energy(x, p, scale):
    return hmc.energy(scale**2, point(x, p, scale))


def leapfrog(x, p, scale):
    there = hmc.leapfrog(lambda y: normal_at(y, scale), point(x, p, scale), 0.3 * jnp.ones_like(x[0]), scale**2)
    return there.position, there.momentum


PHASE = {
    "plain": (np.array([0.5, -1.0]), np.array([0.3, 0.8]), np.ones(2)),
    "narrow": (1e-9 * np.array([0.5, -1.0]), 1e9 * np.array([0.3, 0.8]), np.full(2, 1e-9)),
    "wide": (1e9 * np.array([0.5, -1.0]), 1e-9 * np.array([0.3, 0.8]), np.full(2, 1e9)),
    "unlike": (np.array([5e-4, -1e3]), np.array([3e2, 8e-4]), np.array([1e-3, 1e3])),
}
PLACES = {
    "origin": (np.zeros(2),),
    "plain": (np.array([0.5, -1.0]),),
    "far": (np.array([10.0, 30.0]),),
    "neck": (np.array([-20.0, 1e-4]),),
    "1e-15": (np.full(2, 1e-15),),
}


def of_place(log_density) -> Edge:
    return Edge(log_density, PLACES)


def logistic(w):
    x = np.array([[1e3, 0.0], [-1e3, 1.0], [0.5, -1.0]])
    return target.logistic(x, np.array([1, 0, 1]), ["a", "b"]).log_density(w)


def bisected(p, scale):
    return inversion.bisection(lambda x: x / scale, p, low=jnp.zeros_like(p), high=scale, num_steps=50)


def tempered(b, reference, density):
    return annealed.geometric(lambda x: reference, lambda x: density, b)(b)


def tempered_wanted(b, reference, density):
    return (0.0 if b == 1 else (1 - b) * reference) + (0.0 if b == 0 else b * density)


EDGES = {
    "adaptation.searched": Edge(searched, SEARCH, slopes=(2, 5)),
    "adaptation.observed": Edge(observed, SEEN, slopes=(1, 2, 3), atol=1e-35),
    "adaptation.regularised": Edge(regularised, {name: row[:3] for name, row in SEEN.items()}, slopes=(2,)),
    "adaptation.adapted": Edge(
        adapted,
        {"plain": (0.0, np.ones(2), 0.5), "far": (-30.0, np.full(2, 1e15), 0.0), "refused": (30.0, np.zeros(2), 0.0)},
        slopes=(2,),
    ),
    "adaptation.begun": Edge(
        lambda mass: adaptation.begun(mass, 0.5)[1:], {"plain": (np.ones(2),), "small": (np.full(2, 1e-15),)}
    ),
    "adaptation.dual_averaging": Edge(
        lambda size: adaptation.dual_averaging(size), {"plain": (1.0,), "small": (1e-15,), "large": (1e15,)}
    ),
    "adaptation.moments": Edge(lambda mass: adaptation.moments(mass), {"plain": (np.ones(2),)}, slopes=()),
    "adaptation.step_size": Edge(
        lambda size: adaptation.step_size(adaptation.begun(size[None], 0.5), 5) * size,
        {"plain": (1.0,), "small": (1e-15,), "large": (1e15,)},
    ),
    "annealed.geometric": Edge(
        tempered,
        {"between": (0.3, -2.0, -5.0), "level": (0.5, -1e6, -1e6), "near 0": (1e-15, -2.0, -5e6)},
        tempered_wanted,
        slopes=(0, 1, 2),
    ),
    "annealed.geometric, ends": Edge(
        tempered, {"at 0": (0.0, -2.0, -np.inf), "at 1": (1.0, -np.inf, -2.0)}, tempered_wanted, slopes=()
    ),
    "chains.acceptance": Edge(
        chains.acceptance,
        {"sure": (1e6,), "even": (0.0,), "rare": (-80.0,), "never": (-np.inf,), "nan": (np.nan,), "inf": (np.inf,)},
        lambda ratio: 0.0 if np.isnan(ratio) else np.exp(min(ratio, 0.0)),
        slopes=(),
    ),
    "chains.log_ratio": Edge(
        chains.log_ratio,
        LOG_DENSITIES,
        ratio_wanted,
        slopes=(),
        infinite=tuple(set(LOG_DENSITIES) - {"inside", "level"}),
    ),
    "chains.supported": Edge(
        chains.supported,
        {"inside": (-1e6,), "outside": (-np.inf,), "nan": (np.nan,), "+inf": (np.inf,)},
        lambda x: x if x < np.inf else -np.inf,
        slopes=(),
        infinite=("outside", "nan", "+inf"),
    ),
    "diagnostics.autocovariance": Edge(lambda x: diagnostics.autocovariance(x)[:, :3], DRAWS, rtol=2e-3, slopes=()),
    "diagnostics.autocovariance, slopes": Edge(
        diagnostics.autocovariance, {name: DRAWS[name] for name in ("plain", "offset 1e3")}, rtol=1e-2, atol=1e-5
    ),
    "diagnostics.autocorrelation": of_draws(diagnostics.autocorrelation, (), ("one stuck",), rtol=1e-2, atol=1e-5),
    "diagnostics.scale_reduction": of_draws(diagnostics.scale_reduction),
    "diagnostics.effective_sample_size": of_draws(diagnostics.effective_sample_size, (), rtol=1e-3),
    "diagnostics.standard_error": of_draws(diagnostics.standard_error, (), rtol=1e-3),
    "diagnostics.rank_normalised": Edge(diagnostics.rank_normalised, DRAWS | {"inf": (ENDLESS,)}, slopes=(), atol=1e-6),
    "diagnostics.rank_normalised, nan": Edge(diagnostics.rank_normalised, {"nan": (NAN,)}, slopes=(), blank=("nan",)),
    "diagnostics.split_rhat": of_draws(diagnostics.split_rhat, ()),
    "diagnostics.bulk_ess": of_draws(diagnostics.bulk_ess, (), rtol=1e-3),
    "diagnostics.tail_ess": of_draws(diagnostics.tail_ess, (), rtol=1e-3),
    "diagnostics.split": Edge(diagnostics.split, DRAWS),
    "diagnostics.judged": of_draws(
        lambda x: diagnostics.judged(x, 1.1 * x[0, 0], (x[0, 1] - x[0, 2]) ** 2), (), ("offset 1e4",), rtol=1e-2
    ),
    "diagnostics.z_scores": of_draws(lambda x: diagnostics.z_scores(x, x[0, 0]), (), rtol=1e-3),
    "hmc.at": Edge(
        lambda x, scale: hmc.at(lambda y: normal_at(y, scale), x, x)[2:], {n: (r[0], r[2]) for n, r in PHASE.items()}
    ),
    "hmc.energy": Edge(energy, PHASE, slopes=(0, 1)),
    "hmc.leapfrog": Edge(leapfrog, PHASE, slopes=(0, 1)),
    "hmc.velocity": Edge(lambda x, p, scale: hmc.velocity(scale**2, p), PHASE, slopes=(1,)),
    "importance.effective_size": Edge(importance.effective_size, WEIGHTS, effective, atol=1e-6),
    "importance.effective_size, none": Edge(
        importance.effective_size, LEVELS | EXCLUDED | NONE_LEFT, effective, slopes=(), blank=tuple(NONE_LEFT)
    ),
    "importance.log_normaliser": Edge(importance.log_normaliser, WEIGHTS, normaliser, atol=1e-6),
    "importance.log_normaliser, none": Edge(
        importance.log_normaliser,
        LEVELS | EXCLUDED | {"no weight": NONE_LEFT["no weight"]},
        normaliser,
        slopes=(),
        infinite=("no weight",),
    ),
    "importance.log_normaliser_error": Edge(
        importance.log_normaliser_error,
        WEIGHTS | LEVELS | EXCLUDED | NONE_LEFT,
        normaliser_error,
        slopes=(),
        blank=tuple(NONE_LEFT),
    ),
    "importance.mean": Edge(mean, SEVERAL, mean_wanted, slopes=(1,), rtol=3e-4),
    "importance.mean, without weight": Edge(
        mean,
        {"infinite": (EXCLUDED["zero weights"][0], np.where(np.arange(5) == 1, np.inf, VALUES))}
        | {name: (row[0], VALUES) for name, row in NONE_LEFT.items()},
        mean_wanted,
        slopes=(),
        blank=tuple(NONE_LEFT),
    ),
    "inversion.bisection": Edge(
        bisected,
        {
            "plain": (0.3, 2.0),
            "small": (0.3, 1e-15),
            "large": (0.3, 1e15),
            "tail": (1e-6, 1.0),
            "below": (-0.1, 1.0),
            "above": (1.1, 1.0),
            "nan": (np.nan, 1.0),
        },
        lambda p, scale: p * scale,
        slopes=(),
        blank=("below", "above", "nan"),
    ),
    "inversion.lookup": Edge(
        inversion.lookup,
        {
            "plain": (np.array([1.0, 2.0, 0.0]), 0.5),
            "small": (np.array([1e-38, 0.0, 3e-38]), 0.3),
            "large": (np.array([0.0, 3e37, 3e37]), 0.6),
            "end": (np.array([0.5, 0.5, 0.0]), 1.0),
            "none": (np.zeros(3), 0.5),
            "nan": (np.array([np.nan, 1.0, 1.0]), 0.5),
            "negative": (np.array([2.0, -1.0, 1.0]), 0.5),
        },
        lambda p, u: (
            3
            if not (p >= 0).all() or p.sum() == 0
            else min(np.searchsorted(p.cumsum(), u * p.sum(), side="right"), np.flatnonzero(p).max())
        ),
        slopes=(),
    ),
    "metropolis.standing": Edge(
        lambda x: metropolis.standing(lambda y: -(y**2).sum(), x, x),
        {"plain": (np.ones(2),), "wide": (np.full(2, 1e15),)},
        slopes=(),
    ),
    "nuts.is_turning": Edge(
        lambda p, first, last: nuts.is_turning(jnp.ones_like(p), p, first, last),
        {
            "on": (np.ones(2), np.ones(2), np.ones(2)),
            "back": (np.ones(2), np.ones(2), -np.ones(2)),
            "small": (1e-15 * np.ones(2), 1e-15 * np.ones(2), 3e-15 * np.ones(2)),
        },
        slopes=(),
    ),
    "smc.increment": Edge(
        lambda gain: smc.increment(gain, jnp.ones_like(gain[0]), share=0.5),
        {
            "plain": (20 * RNG.normal(size=20),),
            "equal": (np.full(20, 1e6),),
            "strong": (1e5 * RNG.normal(size=20),),
            "half outside": (np.where(np.arange(20) % 3, -np.inf, 10 * RNG.normal(size=20)),),
        },
        slopes=(),
        rtol=1e-3,
    ),
    "targets.banana": of_place(target.banana().log_density),
    "targets.funnel": of_place(target.funnel(3.0).log_density),
    "targets.two_modes": of_place(target.two_modes().log_density),
    "targets.isotropic": of_place(target.isotropic(2.0).log_density),
    "targets.correlated": Edge(
        target.correlated(4).log_density, {"plain": (np.ones(4),), "small": (np.full(4, 1e-15),)}
    ),
    "targets.logistic": Edge(
        logistic,
        {"plain": (np.array([0.1, 0.2, -0.3]),), "sure": (np.array([0.0, -50.0, 0.0]),), "zero": (np.zeros(3),)},
    ),
    "targets.one_of": of_place(
        lambda x: target.one_of([target.banana().log_density, target.funnel(3.0).log_density], jnp.ones((), int))(x)
    ),
    "targets.rounded": of_place(lambda x: target.rounded(target.isotropic(2.0).log_density, str(x.dtype))(x)),
}

NONE = {
    "draws at random; tests of what is drawn, from outside the support and at the edges too, stand beside": """
        adaptive_rejection.adaptive_rejection ancestral.ancestral chains.accepted gibbs.two_layers hmc.draw_momentum
        hmc.transition
        hmc.warmed importance.importance importance.resampled inversion.inverse_transform langevin.langevin
        chains.run metropolis.transition nuts.transition rejection.rejection resampling.resample
        simulation_based.calibration_ranks slice.along tempering.swaps""",
    "builds an algorithm that draws at random": """
        annealed.annealed_importance chains.side_by_side gibbs.gibbs hmc.chains hmc.hmc langevin.mala langevin.ula
        metropolis.metropolis_hastings metropolis.random_walk nuts.nuts particle_filter.particle_filter sgld.sgld
        slice.slice_sampler smc.smc_sampler tempering.parallel_tempering""",
    "what they say is the diagnostics' own, which are held here, and ArviZ's": """
        summary.summarised summary.Summary.warnings""",
    "no numbers go in, or none are computed": """
        adaptation.windows position.flattening resampling.taken targets.heights
        tempering.coldest""",
    "what trained runs are asked: its parts are held here, the whole in tests/test_experiments.py": """
        chains.any_one""",
}
