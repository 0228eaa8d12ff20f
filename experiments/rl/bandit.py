"""One of ten arms pays best: rules that find it, and what they lose meanwhile, beside the least that can be lost.

Epsilon-greedy, UCB1, KL-UCB and Thompson sampling side by side, many players of each in one program. Lai & Robbins
1985; Auer, Cesa-Bianchi & Fischer 2002; Garivier & Cappe 2011; Thompson 1933; Lattimore & Szepesvari 2020.

    python -m experiments.rl.bandit
    >>> believed = run.load("runs/rl/bandit").sample(16)
    python -m experiments.rl.bandit --arms close --sweep epsilon=0.01,0.1

Expected: after 10,000 pulls Thompson sampling lost 80, KL-UCB 117, epsilon-greedy 138 and UCB1 502; for a nat of log T
the first now loses 0.9 of the bound, KL-UCB 1.6, epsilon-greedy 4 and UCB1 23. Half a minute on two cores.
"""

from dataclasses import dataclass
from typing import Literal

import jax.numpy as jnp
import numpy as np

from adl import run, show
from adl.core import Key, Mean, beside, reporting
from adl.rl import bandit
from adl.rl.bandit import Pulls

ARMS = {  # probabilities that an arm pays
    "rare": (0.1, 0.05, 0.05, 0.05, 0.02, 0.02, 0.02, 0.01, 0.01, 0.01),  # Garivier & Cappe 2011, scenario 3
    "close": (0.5, 0.45, 0.45, 0.45, 0.45, 0.45, 0.45, 0.45, 0.45, 0.45),
    "two": (0.9, 0.8),  # Garivier & Cappe 2011, scenario 1
}
Method = Literal["epsilon_greedy", "ucb1", "kl_ucb", "thompson"]
TITLES = {"epsilon_greedy": "epsilon-greedy", "ucb1": "UCB1", "kl_ucb": "KL-UCB", "thompson": "Thompson"}


@dataclass(frozen=True)
class Config(run.Config):
    """The default is the run that the claims are about."""

    num_steps: run.Count = 10_000  # pulls of each player
    batch_size: run.Split = 128  # players of each rule, who do not know each other
    steps_per_call: run.Count = 100
    log_every: run.Count = 2_500
    eval_every: run.Count = 500
    checkpoint_every: run.Count = 10_000
    arms: Literal["rare", "close", "two"] = "rare"  # the bandit
    methods: tuple[Method, ...] = ("epsilon_greedy", "ucb1", "kl_ucb", "thompson")  # the rules
    epsilon: run.Fraction = 0.1  # share of epsilon-greedy's pulls that are of any arm
    width: run.Positive = 2.0  # of UCB1's bounds, as its proof wants it


CLAIMS = tuple(
    run.Claim(
        f"train/{name}_growth",
        "growth of regret by a nat of log T over that of the bound, pulls 9,501 to 10,000, mean of 128 players; ten "
        "arms that pay 0.1 and less",
        at_least=least,
        at_most=most,
        reference=f"Lai & Robbins 1985: no good rule has less than 1 in the long run; {theirs}",
    )
    for name, least, most, theirs in (
        ("thompson", 0.0, 1.0, "Thompson sampling comes to 1"),
        ("kl_ucb", 0.0, 2.2, "KL-UCB comes to 1, from above"),
        ("ucb1", 20.0, np.inf, "UCB1 has more"),
        ("epsilon_greedy", 3.3, np.inf, "epsilon-greedy has ever more: its regret is linear in T"),
    )
)
SMOKE = {"num_steps": 4, "batch_size": 8}
SWEEP = "epsilon=0.1,0.2"  # of the tests


def build(cfg: Config, loaded: None, axis: str | None) -> run.Experiment:
    """Players of each rule, and what they have lost by now."""
    means = np.array(ARMS[cfg.arms])
    gaps, bound = means.max() - means, bandit.lai_robbins(means)
    made = {
        "epsilon_greedy": lambda: bandit.epsilon_greedy(cfg.epsilon),
        "ucb1": lambda: bandit.ucb(cfg.width),
        "kl_ucb": bandit.kl_ucb,
        "thompson": bandit.thompson,
    }
    rules, num, first = {name: made[name]() for name in cfg.methods}, cfg.batch_size, cfg.methods[0]
    players = {name: bandit.bandit(means, rule=rule, num_copies=num) for name, rule in rules.items()}

    def now(key: Key, state: dict[str, Pulls]) -> dict[str, Mean]:
        found = {}
        for name, pulls in state.items():
            lost = bandit.regret(means, pulls.count)
            told = {"regret": lost, "error": lost.std() / num**0.5}
            found |= {f"{name}_{what}": Mean.of(value) for what, value in told.items()}
        return found

    def last(key: Key, state: dict[str, Pulls]) -> dict[str, jnp.ndarray]:
        return {name: pulls.count.mean(0) for name, pulls in state.items()}

    def believed(key: Key, state: dict[str, Pulls]) -> jnp.ndarray:
        """Means of the arms, as the first player of the first rule may believe."""
        count, pay = (x[0] for x in state[first])
        return bandit.thompson()(key, count.sum(), count, pay)

    pulls = np.array([bandit.lai_robbins([means.max(), mean]) for mean in means]) / np.where(gaps > 0, gaps, 1)
    draw = show.regrets({TITLES[name]: name for name in rules}, bound=bound, gaps=gaps, pulls=pulls)
    return run.Experiment(
        reporting(beside(players), "loss", "*_growth"),
        probes={"now": now},
        final={"last": last},
        offers={"sample": run.Offer(believed, run.Repeats(), run.Cells())},
        figures=show.figures(regret=draw),
    )


if __name__ == "__main__":
    run.main(__name__)
