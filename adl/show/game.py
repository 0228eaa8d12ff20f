"""Games: what the players pay, and what they make of each other's pictures."""

from matplotlib.figure import Figure

from adl.run.experiment import Outcome
from adl.show.curve import curves
from adl.show.images import image_grid


def players(outcome: Outcome) -> Figure:
    """The losses of a discriminator and of its generator, as the steps of `gan` report them."""
    losses = {"discriminator": "train/loss", "generator": "train/generator_loss"}
    return curves(losses, y_label="loss", title="Losses of the two players")(outcome)


def translations(outcome: Outcome) -> Figure:
    """What `gan.translation.translated`, as the probe "translation", made of test pictures.

    What comes back must look like what went; what is translated looks like what is true where classes are kept, and
    else like others of its kind.
    """
    rows = ["test picture", "translated", "true translation", "translated back"]
    return image_grid(outcome.of("translation")["grid"], row_labels=rows, title="Pictures translated without pairs")
