"""HMC on the breast-cancer posterior, warm-up included, beside BlackJAX's: milliseconds for an effective draw."""

import blackjax

from experiments.bench import Contenders
from experiments.bench.nuts import warmed
from experiments.sampling import nuts as posterior


def contenders(num_chains: int = 8, num_warmup: int = 500, num_draws: int = 1000) -> Contenders:
    """HMC of 16 leapfrog steps with Stan's warm-up on `sampling.nuts --method hmc`, ours and BlackJAX's.

    Ours scales each trajectory's step by a random number in [0.8, 1.2]; BlackJAX's steps are all alike.
    """
    config = posterior.Config(method="hmc", num_chains=num_chains, num_steps=num_warmup, num_draws=num_draws)
    return warmed(config, blackjax.hmc, num_integration_steps=config.num_leapfrog)
