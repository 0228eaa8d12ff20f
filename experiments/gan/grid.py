"""Twenty-five Gaussians on a grid, and a generator that is to find every one.

The test of Dumoulin et al. 2017 (arXiv:1606.00704) and Srivastava et al. 2017 (VEEGAN, arXiv:1705.07761, section 4.1),
played by the non-saturating game with the R1 penalty (Mescheder et al. 2018, arXiv:1801.04406).

    python -m experiments.gan.grid --num_seeds 5
    >>> points = run.load("runs/gan/grid").sample(16)

Expected: all 25 modes in each of 5 seeds, and 92 % of the samples within 3 standard deviations of one (of the data:
98.9 %). 1.2 minutes on two CPU cores.
"""

import functools
from dataclasses import dataclass
from typing import Annotated, Literal

import jax
import jax.numpy as jnp
import numpy as np

from adl import data, run, show
from adl.core import optimizer
from adl.data import toys
from adl.gan import networks, objective, penalty
from adl.gan.adversarial import Players, from_noise, gan
from adl.gan.objective import Game
from adl.measure.samples import mode_coverage

STD = 0.05  # of a mode; modes are 2 apart
RADIUS = 3 * STD  # within which a sample is of high quality: 98.9 % of the data are
NUM_SAMPLES = 2500  # that are judged, 100 for each mode
NEEDED = 20  # of high quality, for a mode to be covered: a fifth of its share
LIMIT = 5.2  # of the coordinates that are drawn
COVERAGE = {"modes covered": "samples/modes"}


@dataclass(frozen=True)
class Config(run.Config):
    """The default is a run of the claim, of one seed."""

    num_steps: run.Count = 15000  # updates of the generator
    batch_size: run.Count = 128  # examples a step, dealt among the updates of the discriminator
    steps_per_call: run.Count = 20
    log_every: run.Count = 500
    eval_every: run.Count = 1000
    checkpoint_every: run.Count = 5000
    num_points: run.Points = 100000  # of the training data
    objective: Game = "non_saturating"  # of the game
    penalty: Literal["r1", "gradient", "none"] = "r1"  # on the discriminator's slope: 0 on data, or 1 in between
    penalty_weight: run.NonNegative = 0.3  # larger covers sooner, smaller is sharper
    n_critic: Annotated[run.Count, run.divisor_of("batch_size")] = 1  # updates of the discriminator a step
    hidden: run.Widths = (128, 128, 128, 128)  # widths of the hidden layers of both players
    latent_dim: run.Count = 2  # size of the noise
    learning_rate: run.Positive = 2e-3  # of Adam at the start, before a cosine to 0, both players
    beta1: run.Rate = 0.0  # of Adam; the other player moves, so there is little to remember
    beta2: run.Rate = 0.9  # of Adam
    ema: run.Rate = 0.999  # decay of the generator's parameter average, from which samples are drawn


CLAIMS = (
    run.Claim(
        metric="samples/modes",
        at_least=25,
        overrides={"num_seeds": 5},
        reduce="worst",
        protocol=f"25 Gaussians of standard deviation {STD}, 2 apart; modes with at least {NEEDED} of {NUM_SAMPLES:,} "
        "samples, from averaged parameters, within 3 standard deviations; the worst of 5 seeds",
        reference="all there are; with one sample being enough: VEEGAN 24.6, unrolled GAN 23.6, ALI 15.8, GAN 3.3",
    ),
)
SMOKE = {"num_steps": 4, "batch_size": 16, "hidden": (16,), "num_points": 64, "n_critic": 2}


def load(cfg: Config) -> tuple[data.Split, np.ndarray]:
    """Points of the grid, and its modes."""
    points, _ = toys.grid_gaussians(jax.random.key(0), cfg.num_points, noise=STD)
    return data.Split({"x": points}), np.asarray(toys.grid_means())


def build(cfg: Config, loaded: tuple[data.Split, np.ndarray], axis: str | None) -> run.Experiment:
    """The game over the grid, and which of its modes the generator finds."""
    train, modes = loaded
    model = networks.perceptrons((2,), cfg.hidden, output=lambda x: x, dtype=jnp.dtype(cfg.precision))
    rate = {"shape": optimizer.cosine(cfg.num_steps), "b1": cfg.beta1, "b2": cfg.beta2}
    adam = functools.partial(optimizer.adam, cfg.learning_rate, **rate)
    algorithm = gan(
        model,
        Players(adam(average=cfg.ema), adam()),
        latent_dim=cfg.latent_dim,
        objective=getattr(objective, cfg.objective),
        penalties=[make(cfg.penalty_weight) for make in penalty.PENALTIES[cfg.penalty]],
        n_critic=cfg.n_critic,
        prepare=lambda key, batch: (batch["x"],),
        axis=axis,
    )

    def samples(key, state):
        x = from_noise(model, cfg.latent_dim, NUM_SAMPLES)(key, state)
        return {**mode_coverage(x, jnp.asarray(modes), radius=RADIUS, num_needed=NEEDED), "x": x}

    def landscape(key, state):
        line = jnp.linspace(-LIMIT, LIMIT, 261)
        logits = model.disc.apply(state.disc.variables, jnp.stack(jnp.meshgrid(line, line), -1).reshape(-1, 2))
        ends = jnp.quantile(jnp.abs(logits), 0.98) * jnp.array([-1, 1])
        return {"logits": logits.reshape(len(line), -1), "ends": ends}

    return run.Experiment(
        algorithm,
        data.shuffled(train, cfg.batch_size),
        probes={"samples": samples},
        final={"disc": landscape},
        offers={"model": model, "sample": run.Offer(from_noise(model, cfg.latent_dim), run.Repeats(), run.Cells())},
        figures=show.figures(
            samples=samples_page(modes),
            counts=counts_page(modes),
            coverage=show.curves(COVERAGE, y_label="modes", title="Modes covered", y_lim=(0, 26)),
            loss=show.players,
        ),
    )


def samples_page(modes: np.ndarray) -> show.Draw:
    """Samples over the grid, and what the discriminator thinks of the plane."""
    frame = {"x_lim": (-LIMIT, LIMIT), "y_lim": (-LIMIT, LIMIT)}
    shades = {"scale": "disc/ends", "cmap": "RdBu_r", "bar_label": "logit (positive: data)"}
    panels = [
        show.at_modes("samples/x", modes, "samples/counts", radius=RADIUS, num_needed=NEEDED, **frame),
        show.field("disc/logits", LIMIT, title="The discriminator", **shades, **frame),
    ]
    return show.page(panels, size=(3.9, 3.7), x_label="first coordinate", y_label="second coordinate")


def counts_page(modes: np.ndarray) -> show.Draw:
    """How many samples each mode gets."""
    title = "Samples of high quality at each mode"
    panel = show.mode_counts("samples/counts", np.unique(modes[:, 0]), fair=NUM_SAMPLES / len(modes), title=title)
    return show.page([panel], size=(3.7, 3.1), x_label="first coordinate", y_label="second coordinate")


if __name__ == "__main__":
    run.main(__name__)
