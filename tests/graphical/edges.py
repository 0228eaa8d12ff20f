"""The functions of `graphical` at the edges: exact inference against float64 by other formulas, or by enumeration."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np

from adl.graphical import baum_welch, directed, factor_graph, hmm, ising, kalman, parallel_hmm, restoration
from adl.graphical.directed import Directed
from adl.graphical.factor_graph import FactorGraph
from adl.graphical.hmm import MarkovChain
from adl.graphical.ising import Ising
from adl.prob import exponential_family as ef
from adl.prob.gaussian import LinearGaussian, MultivariateNormal
from tests.edge import Edge

RNG = np.random.default_rng(0)

# Chains of states.
INITIAL = np.array([0.6, 0.3, 0.1])
TRANSITION = np.array([[0.8, 0.15, 0.05], [0.1, 0.7, 0.2], [0.25, 0.25, 0.5]])
LOG_P = 2 * RNG.normal(size=(6, 3))
LEFT_RIGHT = np.array([[0.5, 0.5, 0.0], [0.0, 0.5, 0.5], [0.0, 0.0, 1.0]])
SEEN = {
    "plain": (INITIAL, TRANSITION, LOG_P),
    "level -1e4": (INITIAL, TRANSITION, np.round(LOG_P, 1) - 1e4),
    "level 1e6": (INITIAL, TRANSITION, np.round(4 * LOG_P) / 4 + 1e6),
    "far apart": (INITIAL, TRANSITION, 20 * LOG_P),
    "nothing seen": (INITIAL, TRANSITION, np.zeros((6, 3))),
    "rare": (INITIAL, np.array([[1.0, 1e-12, 1e-12], [1e-12, 1.0, 1e-12], [1e-12, 1e-12, 1.0]]), LOG_P),
    "duplicates": (np.full(3, 1 / 3), np.full((3, 3), 1 / 3), LOG_P[:, :1] + np.zeros((6, 3))),
}
ZEROS = {
    "left to right": (np.array([1.0, 0.0, 0.0]), LEFT_RIGHT, LOG_P),
    "impossible": (INITIAL, TRANSITION, np.where(np.arange(6)[:, None] == np.arange(3), -np.inf, LOG_P)),
    "never first": (np.array([0.0, 0.0, 1.0]), TRANSITION, LOG_P),
}


def levelled(log_p):
    top = log_p.max(1)
    return np.exp(log_p - top[:, None]), top


def forward_wanted(initial, transition, log_p):
    p, top = levelled(log_p)
    predicted, rows = initial, []
    for t in range(len(p)):
        joint = predicted * p[t]
        filtered = joint / joint.sum()
        rows.append((filtered, predicted, np.log(joint.sum()) + top[t]))
        predicted = filtered @ transition
    return tuple(np.stack(part) for part in zip(*rows, strict=True))


def paths_wanted(initial, transition, log_p):
    p, top = levelled(log_p)
    paths = np.array(list(itertools.product(range(3), repeat=len(p))))
    joint = initial[paths[:, 0]] * transition[paths[:, :-1], paths[:, 1:]].prod(1) * p[np.arange(len(p)), paths].prod(1)
    return paths, joint, top.sum()


def smooth_wanted(initial, transition, log_p):
    paths, joint, _ = paths_wanted(initial, transition, log_p)
    share = joint / joint.sum()
    return np.stack([np.bincount(at, share, 3) for at in paths.T])


def transitions_wanted(initial, transition, log_p):
    paths, joint, _ = paths_wanted(initial, transition, log_p)
    pairs = np.zeros((3, 3))
    for t in range(len(log_p) - 1):
        np.add.at(pairs, (paths[:, t], paths[:, t + 1]), joint / joint.sum())
    return pairs


def best_wanted(initial, transition, log_p):
    _, joint, top = paths_wanted(initial, transition, log_p)
    return np.log(joint.max()) + top


def on_chain(of, want, read, *, ties=False, infinite=()) -> dict[str, Edge]:
    def call(initial, transition, log_p):
        return read(of(MarkovChain(initial, transition), log_p), MarkovChain(initial, transition))

    # Levels are values only: in float64, too, steps of 1e-5 of 1e6 leave differences nothing. So are ties of paths.
    only = {name for name in SEEN if "level" in name or (ties and name in ("duplicates", "nothing seen"))}
    inputs = {name: row for name, row in SEEN.items() if name not in only}
    levels = {name: SEEN[name] for name in only}
    return {
        "": Edge(call, inputs, want, (2,), atol=3e-7),
        ", zeros": Edge(call, levels | ZEROS, want, (), atol=3e-7, infinite=infinite),
    }


def named(name: str, edges: dict[str, Edge]) -> dict[str, Edge]:
    return {name + more: edge for more, edge in edges.items()}


def of_smoothed(seen, chain):
    return seen.smoothed


def of_filtered(seen, chain):
    return tuple(seen)


def blocks(of, num_blocks):
    return lambda chain, log_p: of(chain, log_p, num_blocks=num_blocks)


PATH = np.array([0, 0, 1, 2, 2, 1])


def path_wanted(initial, transition, log_p):
    return np.log(initial[0]) + np.log(transition[PATH[:-1], PATH[1:]]).sum() + log_p[np.arange(6), PATH].sum()


# Linear-Gaussian systems: two dimensions, of which the first is seen.
WIDE = {
    "plain": np.array([[2.0, 0.5], [0.5, 1.0]]),
    "wide": 1e7 * np.eye(2),
    "wider": np.diag([1e8, 1e8]),
    "unlike": np.diag([1e-4, 1e8]),
    "sure": 1e-8 * np.eye(2),
}
MOVE = np.array([[1.0, 1.0], [0.0, 1.0]])
DRIFT = 0.09 * np.array([[1 / 3, 1 / 2], [1 / 2, 1.0]])
TRACK = np.array([[0.3], [1.5], [2.1], [3.9], [5.2]])
TRACKS = {name: (np.array([0.1, -0.2]), prior, DRIFT, np.eye(1), TRACK) for name, prior in WIDE.items()}
UNITS = {
    "small": (np.zeros(2), 1e-18 * np.eye(2), 1e-18 * DRIFT, 1e-18 * np.eye(1), 1e-9 * TRACK),
    "large": (np.zeros(2), 1e18 * np.eye(2), 1e18 * DRIFT, 1e18 * np.eye(1), 1e9 * TRACK),
    "still": (np.zeros(2), 1e8 * np.eye(2), 0 * DRIFT, np.eye(1), TRACK),
}
FAR = np.array([1e4, 0.0]), np.eye(2), DRIFT, np.eye(1), 1e4 + TRACK
EXACT = np.zeros(2), 1e8 * np.eye(2), DRIFT, np.zeros((1, 1)), TRACK


def symmetric(x):
    return (x + x.T) / 2


def system(loc, prior, drift, noise):
    return kalman.LDS(
        MultivariateNormal(loc, symmetric(prior)),
        LinearGaussian(jnp.asarray(MOVE, loc.dtype), jnp.zeros(2, loc.dtype), symmetric(drift)),
        LinearGaussian(jnp.eye(1, 2, dtype=loc.dtype), jnp.zeros(1, loc.dtype), noise),
    )


def filtered(loc, prior, drift, noise, x):
    seen = kalman.forward(system(loc, prior, drift, noise), x)
    return *seen.filtered, seen.log_evidence


def filtered_wanted(loc, prior, drift, noise, x, smooth=False):
    m, p, f, h = loc, symmetric(prior), MOVE, np.eye(1, 2)
    rows, steps = [], []
    for y in x:
        s = (h @ p @ h.T + noise)[0, 0]
        gain = p @ h.T / s
        error = (y - h @ m)[0]
        left = np.eye(2) - gain @ h
        steps.append([m, p, m + gain[:, 0] * error, left @ p @ left.T + gain @ noise @ gain.T])
        rows.append((*steps[-1][2:], -0.5 * (error**2 / s + np.log(2 * np.pi * s))))
        m, p = f @ steps[-1][2], f @ steps[-1][3] @ f.T + symmetric(drift)
    if not smooth:
        return tuple(np.stack(part) for part in zip(*rows, strict=True))
    return steps


def smoothed(*row):
    seen = kalman.smooth(system(*row[:4]), row[4])
    return *seen.smoothed, seen.across, seen.noise, seen.noise_across


def smoothed_wanted(loc, prior, drift, noise, x):
    """By the joint Gaussian of all states in information form, which is the same whatever the prior."""
    big, num = np.zeros((10, 10)), np.zeros(10)
    first, move = np.linalg.inv(symmetric(prior)), np.linalg.inv(symmetric(drift))
    big[:2, :2] += first
    num[:2] += first @ loc
    both = np.concatenate([-MOVE, np.eye(2)], 1)
    for t in range(4):
        big[2 * t : 2 * t + 4, 2 * t : 2 * t + 4] += both.T @ move @ both
    for t in range(5):
        big[2 * t, 2 * t] += 1 / noise[0, 0]
        num[2 * t] += x[t, 0] / noise[0, 0]
    spread = np.linalg.inv(big)
    block = spread.reshape(5, 2, 5, 2)
    w = np.stack([both @ spread[2 * t : 2 * t + 4, 2 * t : 2 * t + 4] @ both.T for t in range(4)])
    across = np.stack([both @ spread[2 * t : 2 * t + 4, 2 * t : 2 * t + 2] for t in range(4)])
    return (
        (spread @ num).reshape(5, 2),
        np.stack([block[t, :, t] for t in range(5)]),
        np.stack([block[t + 1, :, t] for t in range(4)]),
        w,
        across,
    )


# Factor graphs: a chain of three variables of two states.
GRAPH = FactorGraph(3, 2, (np.arange(3)[:, None], np.array([[0, 1], [1, 2]])))
OWN, PAIR = RNG.normal(size=(3, 2)), RNG.normal(size=(2, 2, 2))
HUB = np.array([[0.0, -1e6], [0.1, 0.3], [-0.2, 0.2]])
POTENTIALS = {
    "plain": (OWN, PAIR),
    "nothing": (0 * OWN, 0 * PAIR),
    "strong": (30 * OWN, 30 * PAIR),
}
BIG = {
    "level 1e4": (np.round(OWN, 1) + 1e4, np.round(PAIR, 1) - 1e4),
    "level 1e6": (np.round(16 * OWN) / 16 + 1e6, np.round(16 * PAIR) / 16 + 1e6),
    "one of -1e6": (HUB, PAIR),
    "impossible": (np.where(HUB < -1, -np.inf, HUB), PAIR),
    "never alike": (OWN, np.where(np.eye(2), -np.inf, PAIR)),
    "1e15": (np.round(4 * OWN), 1e15 * np.round(4 * PAIR)),
}
STATES = np.array(list(itertools.product((0, 1), repeat=3)))


def scores(own, pair):
    first, middle, last = STATES.T
    return own[0][first] + own[1][middle] + own[2][last] + pair[0][first, middle] + pair[1][middle, last]


def marginals(own, pair):
    found = factor_graph.sum_product(GRAPH, (own, pair))
    return jnp.exp(found.variables), jax.tree.map(jnp.exp, found.factors), found.log_partition


def marginals_wanted(own, pair):
    total = scores(own, pair)
    p = np.exp(total - total.max())
    log_z, p = total.max() + np.log(p.sum()), p / p.sum()
    table = p.reshape(2, 2, 2)
    single = np.stack([table.sum((1, 2)), table.sum((0, 2)), table.sum((0, 1))])
    return single, (single, np.stack([table.sum(2), table.sum(0)])), log_z


def best(own, pair):
    return factor_graph.max_product(GRAPH, (own, pair))


def best_of_graph(own, pair):
    total = scores(own, pair)
    return STATES[total.argmax()], total.max()


def sent(own, pair):
    messages = factor_graph.start(GRAPH)
    for _ in range(4):
        messages = factor_graph.passed(GRAPH, (own, pair), messages)
    return jax.tree.map(jnp.exp, messages)


ROOT = np.array([0.3, 0.7])
LEAF = np.array([[0.9, 0.1], [0.2, 0.8]])
TABLES = {"plain": (ROOT, LEAF), "zeros": (np.array([0.0, 1.0]), np.eye(2)), "rare": (np.array([1e-30, 1.0]), LEAF)}
PAIR_OF_NODES = Directed.of(2, [(0, 1)])

# Pixels.
IMAGE = np.where(RNG.random((3, 4)) < 0.5, -1.0, 1.0)
PIXELS = {
    "plain": (0.5, 0.7, IMAGE, np.roll(IMAGE, 1)),
    "strong": (1e4, 3e4, IMAGE, IMAGE),
    "weak": (1e-15, 3e-15, IMAGE, np.roll(IMAGE, 1)),
    "means": (0.5, 0.7, 0.3 * IMAGE, IMAGE),
}


def said(emission, x):
    return baum_welch.log_likelihood(ef.bernoulli(), emission[:, None], x)


EDGES = (
    named("hmm.forward", on_chain(hmm.forward, forward_wanted, of_filtered))
    | named("hmm.smooth", on_chain(hmm.smooth, smooth_wanted, of_smoothed))
    | named("hmm.viterbi", on_chain(hmm.viterbi, best_wanted, lambda found, chain: found[1], ties=True))
    | named(
        "hmm.Smoothed.transitions",
        on_chain(hmm.smooth, transitions_wanted, lambda seen, chain: seen.transitions(chain)),
    )
    | named("parallel_hmm.forward", on_chain(blocks(parallel_hmm.forward, 2), forward_wanted, of_filtered))
    | named("parallel_hmm.forward, tree", on_chain(blocks(parallel_hmm.forward, 9), forward_wanted, of_filtered))
    | named("parallel_hmm.smooth", on_chain(blocks(parallel_hmm.smooth, 2), smooth_wanted, of_smoothed))
    | named("parallel_hmm.smooth, tree", on_chain(blocks(parallel_hmm.smooth, 9), smooth_wanted, of_smoothed))
    | named(
        "parallel_hmm.viterbi",
        on_chain(blocks(parallel_hmm.viterbi, 2), best_wanted, lambda found, chain: found[1], ties=True),
    )
    | named(
        "hmm.log_joint",
        on_chain(
            lambda chain, x: hmm.log_joint(chain, x, jnp.asarray(PATH)),
            path_wanted,
            lambda found, chain: found,
            infinite=("left to right", "never first", "impossible"),
        ),
    )
    | {
        "hmm.advance": Edge(
            lambda initial, transition, log_p: hmm.advance(transition, initial, log_p[0]),
            {name: row for name, row in SEEN.items() if "level" not in name},
            slopes=(0, 1, 2),
            atol=3e-7,
        ),
        "hmm.common": Edge(
            lambda log_p: hmm.common(log_p), {"plain": (LOG_P,), "none": (np.full((6, 3), -np.inf),)}, slopes=()
        ),
        "hmm.onward": Edge(
            lambda p, a: hmm.onward(a, p), {"plain": (INITIAL, TRANSITION), "zeros": (np.eye(3)[0], LEFT_RIGHT)}
        ),
        "hmm.retreat": Edge(
            lambda p, a: hmm.retreat(a, p, p @ a, jnp.ones_like(p)),
            {"plain": (INITIAL, TRANSITION), "zeros": (np.eye(3)[1], LEFT_RIGHT)},
            slopes=(),
        ),
        "hmm.stationary": Edge(
            hmm.stationary,
            {
                "plain": (TRANSITION,),
                "rare": (np.array([[1.0, 1e-8, 0.0], [3e-8, 1.0, 1e-8], [0.0, 2e-8, 1.0]]),),
                "absorbing": (LEFT_RIGHT,),
                "periodic": (np.roll(np.eye(3), 1, 1),),
                "forgets nothing": (np.eye(3),),
            },
            slopes=(),
            atol=1e-7,
            blank=("forgets nothing",),
        ),
        "kalman.forward": Edge(
            filtered,
            {name: TRACKS[name] for name in ("plain", "wide", "sure")},
            filtered_wanted,
            slopes=(0, 1, 2, 3, 4),
            rtol=3e-4,
            atol=2e-6,
            slope_rtol=3e-3,
        ),
        "kalman.forward, values": Edge(
            filtered, TRACKS | {"exact": EXACT}, filtered_wanted, slopes=(), rtol=3e-4, atol=2e-6
        ),
        "kalman.forward, units": Edge(filtered, UNITS, filtered_wanted, slopes=(), rtol=3e-4, atol=1e-25),
        # A position of 1e4 is rounded to 1e-3.
        "kalman.forward, far": Edge(filtered, {"far": FAR}, filtered_wanted, slopes=(), rtol=1e-6, atol=2e-3),
        "kalman.smooth": Edge(smoothed, TRACKS, smoothed_wanted, slopes=(0, 4), rtol=5e-4, atol=1e-5, slope_rtol=3e-3),
        "kalman.joint": Edge(lambda *row: kalman.joint(system(*row[:4]), 2), TRACKS | {"far": FAR}, slopes=(0, 1, 2)),
        "kalman.constant_velocity": Edge(
            lambda process, noise: kalman.constant_velocity(process, noise).dynamics.covariance * noise,
            {"plain": (0.3, 1.0), "small": (1e-15, 1e-3)},
        ),
        "factor_graph.sum_product": Edge(marginals, POTENTIALS, marginals_wanted, slopes=(0, 1), atol=1e-6),
        "factor_graph.sum_product, big": Edge(marginals, BIG, marginals_wanted, slopes=(), atol=1e-6),
        "factor_graph.beliefs": Edge(
            lambda own, pair: factor_graph.beliefs(GRAPH, (own, pair), factor_graph.start(GRAPH))[2], POTENTIALS
        ),
        "factor_graph.max_product": Edge(best, POTENTIALS | BIG, best_of_graph, slopes=(), atol=1e-6),
        "factor_graph.passed": Edge(sent, POTENTIALS, slopes=(0, 1), atol=1e-6),
        "factor_graph.passed, big": Edge(sent, BIG, slopes=(), atol=1e-6),
        "factor_graph.score": Edge(
            lambda own, pair: factor_graph.score(GRAPH, (own, pair), np.array([0, 1, 1])),
            POTENTIALS | {name: BIG[name] for name in ("level 1e4", "level 1e6", "1e15")},
            slopes=(0, 1),
        ),
        "factor_graph.of_directed": Edge(
            lambda *tables: jax.tree.map(jnp.exp, factor_graph.of_directed(PAIR_OF_NODES, tables)[1]), TABLES, slopes=()
        ),
        "directed.joint": Edge(lambda *tables: directed.joint(PAIR_OF_NODES, tables), TABLES, slopes=(0, 1)),
        "ising.energy": Edge(
            lambda b, e, x, y: ising.energy(Ising(b, e), x, y), PIXELS, slopes=(0, 1, 2, 3), atol=1e-19
        ),
        "ising.field": Edge(lambda b, e, x, y: ising.field(Ising(b, e), x, y), PIXELS, slopes=(0, 1, 2, 3), atol=1e-19),
        "ising.potentials": Edge(lambda b, e, x, y: ising.potentials(Ising(b, e), y), PIXELS, slopes=(0, 1, 3)),
        "restoration.energies": Edge(
            lambda b, e, x, y: restoration.energies(Ising(b, e), x[None], y[None]),
            PIXELS,
            slopes=(0, 1, 2, 3),
            atol=1e-19,
        ),
        "baum_welch.log_likelihood": Edge(
            said,
            {
                "plain": (np.array([0.3, -2.0]), np.array([0.0, 1.0, 1.0])),
                "sure": (np.array([40.0, -80.0]), np.array([0.0, 1.0, 1.0])),
                "one value": (np.array([1e-15, 1e4]), np.ones(3)),
            },
            slopes=(0,),
        ),
    }
)

NONE = {
    "graphs alone, no numbers: exhaustive tests stand beside": """
        directed.Directed.ancestors directed.Directed.markov_blanket directed.Directed.moral directed.Directed.of
        directed.Directed.parents directed.d_separated factor_graph.FactorGraph.is_tree factor_graph.grid
        factor_graph.start hmm.lanes baum_welch.observed""",
    "draws at random": "hmm.sample kalman.sample restoration.restored",
    "builds an algorithm, whose steps are held at edges beside its laws": """
        baum_welch.baum_welch baum_welch.likeliest factor_graph.belief_propagation ising.gibbs ising.icm
        ising.mean_field lds_em.lds_em""",
    "host code in integers, held against enumeration at any scale": "minimum_cut.minimum_cut",
    "what trained runs are asked: its parts are held here, the whole in tests/test_experiments.py": """
        baum_welch.goes_on kalman.smoothed_path restoration.cleaned""",
}
