"""What latents hold: pictures made of them, beside the pictures that they are of."""

from matplotlib.figure import Figure

from adl.run.experiment import Outcome
from adl.show.images import image_grid


def reconstructed(outcome: Outcome) -> Figure:
    """What `measure.latents.reconstructions`, as the probe "reconstruction", saw: test pictures, and decoded again."""
    images = outcome.arrays["reconstruction/images"]
    return image_grid(images, row_labels=["test", "decoded"], title="Mean reconstructions")


def prior(outcome: Outcome) -> Figure:
    """What `measure.latents.prior`, as the probe "prior", saw: pictures of latents from the prior."""
    return image_grid(outcome.arrays["prior/images"], title="Decoded means of latents from the prior")


def traversal(outcome: Outcome) -> Figure:
    """What `measure.latents.traversal`, as the probe "traversal", saw: pictures over the plane of two latents."""
    seen = outcome.of("traversal")
    ticks = [f"{value:.1f}" for value in seen["ticks"]]
    return image_grid(
        seen["images"],
        row_labels=ticks[::-1],
        col_labels=ticks,
        x_label="most informative latent",
        y_label="second",
        title="Decoded means over two latents",
    )
