"""The auxiliary-classifier GAN: a discriminator that is not told the class, but has to name it.

    min over G of  E f(a(G(z, c))) + w E -log p(c | G(z, c)),
    min over a, p of  E d(a(x), a(G(z, c))) + w (E -log p(c | x) + E -log p(c | G(z, c)))

What helps to name the class is what both players want, so that samples are clear of their class, and less various.
Source: Odena et al. 2017, arXiv:1610.09585, eq. 2 and 3.
"""

from collections.abc import Callable, Sequence
from typing import Any

from flax import linen as nn
from jax import Array

from adl.core import Algorithm, Key, PyTree
from adl.gan import objective as objectives
from adl.gan.adversarial import Players, gan
from adl.gan.objective import Objective
from adl.gan.penalty import Penalty
from adl.prob.labels import cross_entropy


def acgan(
    model: Players[nn.Module],
    tx: Players[Any],
    *,
    latent_dim: int,
    prepare: Callable[[Key, PyTree], tuple[Array, Array]],
    weight: float = 1.0,
    objective: Objective = objectives.non_saturating,
    penalties: Sequence[Penalty] = (),
    n_critic: int = 1,
    axis: str | None = None,
) -> Algorithm:
    """The game of `gan`, in which both players also lower the surprise at the class; a step reports it as `also`.

    Args:
      model: generator `(z [B, Z], label [B]) -> x [B, ...]`, and discriminator `(x [B, ...], label) -> [B, 1 + K]`: the
        logit of being data, and log-odds of the classes, as the head `heads.Auxiliary` gives them.
      tx: as in `gan`.
      latent_dim: as in `gan`.
      prepare: `prepare(key, batch) -> (x [B, ...], label [B])`.
      weight: w >= 0, of the surprise in nats; 0 is a game whose discriminator knows of no class.
      objective: as in `gan`.
      penalties: as in `gan`.
      n_critic: as in `gan`.
      axis: as in `core.descend`.
    Source: Odena et al. 2017, arXiv:1610.09585, eq. 2 and 3.
    """
    return gan(
        model,
        tx,
        latent_dim=latent_dim,
        objective=objective,
        penalties=penalties,
        n_critic=n_critic,
        also=lambda odds, label: weight * cross_entropy(odds, label),
        prepare=prepare,
        axis=axis,
    )
