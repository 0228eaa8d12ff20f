"""Games: what the players pay."""

from matplotlib.figure import Figure

from adl.run.experiment import Outcome
from adl.show.curve import curves


def players(outcome: Outcome) -> Figure:
    """The losses of a discriminator and of its generator, as the steps of `gan` report them."""
    losses = {"discriminator": "train/loss", "generator": "train/generator_loss"}
    return curves(losses, y_label="loss", title="Losses of the two players")(outcome)
