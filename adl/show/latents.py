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


def straight(outcome: Outcome) -> Figure:
    """What `measure.latents.straight`, as the probe "straight", saw: pictures between two codes, from left to right."""
    return image_grid(outcome.arrays["straight/images"], title="Decoded on the straight line between two codes")


def perturbed(outcome: Outcome) -> Figure:
    """What `measure.latents.perturbed`, as the probe "perturbed", saw: each latent of one picture moved alone."""
    seen = outcome.of("perturbed")
    return image_grid(
        seen["images"],
        row_labels=[f"z{number}" for number in seen["latent"]],
        col_labels=[f"{value:.1f}" for value in seen["ticks"]],
        x_label="value of the latent",
        title="One latent moved, the others as they were",
    )


def exchanged(outcome: Outcome) -> Figure:
    """What `measure.latents.arithmetic`, as the probe "arithmetic", saw: each class's picture as each other class."""
    images = outcome.arrays["arithmetic/images"]
    return image_grid(
        images,
        row_labels=range(len(images)),
        col_labels=range(len(images)),
        x_label="class that it is made into",
        y_label="its own class",
        title="The mean code of a class exchanged for another's",
    )
