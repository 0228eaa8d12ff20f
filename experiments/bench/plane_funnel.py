"""The same as `plane`, on a funnel."""

from experiments.bench import Contenders, plane


def contenders() -> Contenders:
    """Chains on a funnel, ours and BlackJAX's."""
    return plane.contenders("funnel")
