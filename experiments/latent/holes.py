"""Tables with holes: what is hidden, filled by Gaussians, by nearest neighbours and by means.

Expectation maximisation over what is seen of each row (Little & Rubin 2002, Statistical Analysis with Missing Data,
section 11.3; Ghahramani & Jordan 1994, NIPS 6). Numbers are hidden at random, in the rows that are learned from as in
those that are tested; errors are in standard deviations of a column, likelihoods in nats a hidden number.

    python -m experiments.latent.holes
    python -m experiments.latent.holes --dataset wine --shares 0.1 0.3 0.5

Expected: not measured yet. A minute on 2 cores.
"""

from dataclasses import dataclass

from adl import run, show
from adl.core import BadInput
from adl.data import tables
from adl.latent import holes
from adl.latent.filling import SIMPLE, hidden_and_filled


@dataclass(frozen=True)
class Config(run.Table, run.Study):
    """The default is the study that the claims are about."""

    dataset: str = "breast_cancer"  # TFDS name, or path, of any table of classes
    shares: tuple[float, ...] = (0.1, 0.3, 0.5)  # of the numbers that are hidden, each in (0, 1)
    num_neighbours: run.Count = 5  # in whose mean a hidden number is filled
    num_factors: run.Count = 5  # of probabilistic PCA
    num_components: run.Count = 2  # of the mixture
    reg_covar: run.Positive = 1e-3  # added to each variance, of standardised columns
    max_steps: run.Count = 100  # of EM


SMOKE = {"shares": (0.2,), "max_steps": 3, "num_factors": 2}
SWEEP = "reg_covar=1e-3,1e-2"  # of the tests


def load(cfg: Config) -> tuple[tables.Labels, tables.Labels]:
    """Rows to learn from and to test, standardised."""
    if not cfg.shares or not all(0 < share < 1 for share in cfg.shares):
        raise BadInput(f"--shares {' '.join(map(str, cfg.shares))}: each must be in (0, 1)")
    learned, tested = tables.labels(cfg.dataset, **cfg.table)
    if cfg.num_factors >= learned.x.shape[1]:
        raise BadInput(f"--num_factors {cfg.num_factors}: it must be below the table's {learned.x.shape[1]} columns")
    return learned, tested


def build(cfg: Config, loaded: tuple[tables.Labels, tables.Labels], axis: str | None) -> run.Experiment:
    """Errors and likelihoods of what is hidden, by share and method."""
    shape, ridge = holes.ppca_shaped(cfg.num_factors), cfg.reg_covar
    models = {
        "gaussian": holes.mixture_with_holes(1, reg_covar=ridge),
        "ppca": holes.mixture_with_holes(1, reg_covar=ridge, shape=shape),
        "mixture": holes.mixture_with_holes(cfg.num_components, reg_covar=ridge),
    }
    how = {"shares": cfg.shares, "num_neighbours": cfg.num_neighbours, "steps": cfg.max_steps}
    frame = {"x_label": "share of the numbers hidden", "x_ticks": cfg.shares}
    error = show.lines(
        cfg.shares,
        show.Line("hidden/rmse", (*SIMPLE, *models), "o-"),
        **{**frame, "title": "Error of what is filled", "y_label": "RMSE (deviations of a column)"},
    )
    nats = show.lines(
        cfg.shares,
        show.Line("hidden/nats", (*models,), "o-"),
        **{**frame, "title": "Likelihood of what is hidden", "y_label": "log p (nats a number)"},
    )
    return run.Experiment(
        final={"hidden": hidden_and_filled(models, loaded[0].x, loaded[1].x, **how)},
        figures=show.figures(holes=show.page([error], [nats], size=(4.4, 2.9))),
    )


if __name__ == "__main__":
    run.main(__name__)
