"""The same as `plane`, on two modes."""

from experiments.bench import Contenders, plane


def contenders() -> Contenders:
    """Chains on two modes, of which most never find the other, ours and BlackJAX's."""
    return plane.contenders("modes")
