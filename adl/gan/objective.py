"""What each of two players wants, as functions of the discriminator's logits: objectives are data.

A discriminator sees `real` and `fake` examples and answers with logits a(x), of any sign; a generator makes the fakes.
Each function returns the losses `[B]` that its player lowers.
"""

from collections.abc import Callable
from typing import Literal, NamedTuple

from jax import Array, nn

Game = Literal["non_saturating", "minimax", "hinge", "wasserstein", "least_squares"]  # the objectives by name


class Objective(NamedTuple):
    """A game, by the losses of its players."""

    disc: Callable[[Array, Array], Array]  # (logits of real [B], logits of fake [B]) -> [B]
    gen: Callable[[Array], Array]  # logits of fake [B] -> [B]


def _cross_entropy(real: Array, fake: Array) -> Array:
    """-log D(x) - log(1 - D(G(z))), D = sigmoid(a), in nats: at its least, for the best D, log 4 - 2 JSD(p, q)."""
    return nn.softplus(-real) + nn.softplus(fake)


# The generator raises -log(1 - D): it plays for JSD(p, q), and learns nothing where D is sure of its fakes.
# Source: Goodfellow et al. 2014, arXiv:1406.2661, eq. 1.
minimax = Objective(_cross_entropy, lambda fake: -nn.softplus(fake))

# The generator lowers -log D instead: the same equilibrium, and a gradient where D is sure.
# Source: Goodfellow et al. 2014, arXiv:1406.2661, section 3.
non_saturating = Objective(_cross_entropy, lambda fake: nn.softplus(-fake))

# The discriminator wants margins of 1, and what is beyond them moves it no more.
# Source: Lim & Ye 2017, arXiv:1705.02894; Miyato et al. 2018, arXiv:1802.05957, eq. 16 and 17.
hinge = Objective(lambda real, fake: nn.relu(1 - real) + nn.relu(1 + fake), lambda fake: -fake)

# The critic estimates W_1(p, q) = max E a(real) - E a(fake) over functions of slope at most 1, which a penalty or
# spectral normalisation must see to. Source: Arjovsky et al. 2017, arXiv:1701.07875, eq. 2.
wasserstein = Objective(lambda real, fake: fake - real, lambda fake: -fake)

# The discriminator's numbers are to be 1 of data and 0 of fakes, and the generator's fakes are to be taken for 1: none
# has a flat side. For the best discriminator p / (p + q). Source: Mao et al. 2017, arXiv:1611.04076, eq. 2.
least_squares = Objective(lambda real, fake: (real - 1) ** 2 + fake**2, lambda fake: (fake - 1) ** 2)
