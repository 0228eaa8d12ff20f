"""A casino whose die is sometimes loaded: where it is believed to be in play, and what a machine learns of the dice.

The game of Durbin et al. 1998, Biological Sequence Analysis, section 3.1: filter, smoother and best path by the true
model, in 16 games of 300 rolls; and what eight starts of Baum-Welch (Baum et al. 1970) learn from these 4,800 rolls.

    python -m experiments.graphical.casino

Expected: the best start is 11.9 nats likelier than the truth. 20 seconds.
"""

from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np

from adl import run, show
from adl.core import Mean, trace
from adl.graphical import hmm
from adl.graphical.baum_welch import HMM, baum_welch, log_likelihood
from adl.graphical.hmm import MarkovChain
from adl.prob import exponential_family as ef

NUM_ROLLS, NUM_GAMES = 300, 16
FAIR, LOADED = np.full(6, 1 / 6), np.array([0.1, 0.1, 0.1, 0.1, 0.1, 0.5])
SWITCH = np.array([[0.95, 0.05], [0.1, 0.9]])


@dataclass(frozen=True)
class Config(run.Study):
    """The default is the run that the claims are about."""

    num_starts: run.Count = 8  # of Baum-Welch
    num_steps_each: run.Count = 100  # steps of each start


CLAIMS = (
    run.Claim(
        metric="casino/learned",
        at_least=0.0,
        protocol="casino, 16 games of 300 rolls: log-likelihood of the best of 8 starts less the truth's, in nats",
        reference="above 0: the truth has not more than the maximum",
    ),
    run.Claim(
        metric="casino/calibration",
        at_least=-3.5,
        at_most=3.5,
        protocol="casino, 16 games: errors of the likelier state less their expectation by the smoothed posterior, in "
        "standard errors over games",
        reference="0: the posterior is exact",
    ),
)
SMOKE = {"num_starts": 2, "num_steps_each": 3}


def build(cfg: Config, loaded: None, axis: str | None) -> run.Experiment:
    """Games, what is known of them, and what is learned from them."""
    return run.Experiment(
        final={"casino": lambda key, state: casino(cfg)},
        figures=show.figures(casino=show.casino, learned=show.learned_dice((FAIR, LOADED), ("fair", "loaded"))),
    )


def casino(cfg: Config) -> dict[str, Mean | jax.Array]:
    """Rolls of a die that is sometimes changed: what is known of it, and what is learned."""
    family, dice = ef.categorical(6), jnp.asarray(np.stack([FAIR, LOADED]), jnp.float32)
    truth = HMM(
        MarkovChain(hmm.stationary(jnp.asarray(SWITCH, jnp.float32)), jnp.asarray(SWITCH, jnp.float32)), jnp.log(dice)
    )
    state_key, roll_key, start_key = jax.random.split(jax.random.key(0), 3)  # the casino is not the run's own luck
    states = jax.vmap(lambda key: hmm.sample(key, truth.chain, NUM_ROLLS))(jax.random.split(state_key, NUM_GAMES))
    rolls = jax.random.categorical(roll_key, truth.emission[states])

    def log_p(model, x):
        return hmm.forward(model.chain, log_likelihood(family, model.emission, x)).log_evidence.sum()

    def total(model):
        return jax.vmap(log_p, (None, 0))(model, rolls).sum()

    def learn(key):
        algorithm = baum_welch(2, family)
        first = algorithm.init(key, {"x": rolls})
        learned, path = trace(algorithm, cfg.num_steps_each, total)(key, first, {"x": rolls})
        return learned, jnp.concatenate([total(first)[None], path])

    learned, paths = jax.vmap(learn)(jax.random.split(start_key, cfg.num_starts))
    best = paths[:, -1].argmax()
    given = jax.vmap(lambda x: log_likelihood(family, truth.emission, x))(rolls)
    seen = jax.vmap(hmm.smooth, (None, 0))(truth.chain, given)
    path, _ = jax.vmap(hmm.viterbi, (None, 0))(truth.chain, given)
    wrong = seen.smoothed.argmax(-1) != states
    surplus = (wrong - seen.smoothed.min(-1)).mean(1)
    return {
        "learned": Mean.of(paths[best, -1] - total(truth)),
        "calibration": Mean.of(surplus.mean() / (surplus.std(ddof=1) / NUM_GAMES**0.5)),
        "smoothed_error": Mean.of(wrong.astype(jnp.float32)),
        "viterbi_error": Mean.of((path != states).astype(jnp.float32)),
        "filtered_error": Mean.of((seen.filtered.filtered.argmax(-1) != states).astype(jnp.float32)),
        "states": states[0],
        "rolls": rolls[0],
        "filtered": seen.filtered.filtered[0, :, 1],
        "smoothed": seen.smoothed[0, :, 1],
        "path": path[0],
        "paths": paths,
        "truth": total(truth),
        "dice": jax.nn.softmax(learned.emission[best]),
    }


if __name__ == "__main__":
    run.main(__name__)
