"""Linear regression of diabetes: one pass over the patients, and from its sums the paths of ridge and lasso.

Bishop 2006, Pattern Recognition and Machine Learning, chapter 3. The run is ridge regression of the target of 352
patients on ten measurements, batch by batch, in one pass. At the end the same sums give the weights for every penalty,
and the precisions of most evidence choose one.

    python -m experiments.linear
    >>> outcome = run.load("runs/linear/regress").predict(rows)
    python -m experiments.linear.regress --dataset iris --target petal_width

Expected: root mean square error 54.35 of ridge regression, 54.42 with the precisions of most evidence, both as
scikit-learn's. Seconds on 2 cores.
"""

from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
from jax.tree_util import Partial

from adl import data, run, show
from adl.core import Mean
from adl.data import tables
from adl.linear import evidence, regression
from adl.measure.regression import rmse

PENALTIES = np.logspace(-2, 5, 71)  # of ridge regression's path
SHARES = np.logspace(0, -3, 61)  # of the least lasso penalty that leaves no weight
LOOSE = 1e-3  # prior precision that posteriors begin with, and the evidence takes out again


@dataclass(frozen=True)
class Config(run.Table, run.Config):
    """The default is the run that the claims are about."""

    dataset: str = "diabetes"  # TFDS name, or path, of any table
    num_steps: run.Count = 22  # at most one pass: examples seen twice would count twice
    batch_size: run.Natural = 0  # rows a step; 0: all, dealt among the steps
    log_every: run.Count = 1
    eval_every: run.Count = 1
    penalty: run.Positive = 10.0  # of ridge regression, on standardised measurements


PROTOCOL = f"{tables.PROTOCOLS['diabetes']}; root mean square error"
CLAIMS = (
    run.Claim(
        metric="test/rmse",
        at_most=54.36,
        protocol=f"{PROTOCOL}; ridge regression",
        reference="scikit-learn's Ridge(alpha=10) 54.35 on the same split",
    ),
    run.Claim(
        metric="path/evidence_rmse",
        at_most=54.43,
        protocol=f"{PROTOCOL}; precisions of most evidence",
        reference="scikit-learn's BayesianRidge 54.42 on the same split",
    ),
    run.Claim(
        metric="path/evidence_rmse",
        at_most=0.2116,
        overrides={"dataset": "iris", "target": "petal_width"},
        protocol=f"{tables.PROTOCOLS['iris']}; root mean square error of petal widths, cm; precisions of most evidence",
        reference="scikit-learn's BayesianRidge 0.2115 on the same rows",
    ),
)
SMOKE = {"num_steps": 4}
SWEEP = "penalty=1,100"  # of the tests


def load(cfg: Config) -> tuple[tables.Targets, tables.Targets]:
    """Both splits."""
    return tables.targets(cfg.dataset, **cfg.table)


def build(cfg: Config, loaded: tuple[tables.Targets, tables.Targets], axis: str | None) -> run.Experiment:
    """A regression of the target, and its paths."""
    train, test = loaded
    batches = data.once(data.Split({"x": train.x, "y": train.y}), cfg.batch_size, cfg.num_steps)

    def error(rows, weights):
        return rmse(rows[0] @ weights, rows[1], test.unit)

    def look(rows, key, sums):
        found = error(rows, regression.ridge_weights(sums, cfg.penalty))
        return {"rmse": Mean.of(found), "loss": Mean.of(jnp.square(found / test.unit))}

    def path(rows, key, sums):
        largest = jnp.abs(sums.projection()).max()
        ridge = jax.vmap(lambda penalty: regression.ridge_weights(sums, penalty))(jnp.asarray(PENALTIES, jnp.float32))
        lasso = jax.lax.map(
            lambda share: regression.lasso_weights(sums, share * largest)[0], jnp.asarray(SHARES, jnp.float32)
        )
        (*held_out, x, y), seen = rows, {}
        for name, weights in {"ridge": ridge, "lasso": lasso}.items():
            seen |= {name: weights.T, f"{name} rmse": jax.vmap(lambda w: error(held_out, w))(weights)}
        best = evidence.maximise(evidence.learned(x, y, prior_precision=LOOSE), prior_precision=LOOSE)
        chosen = best.weight_precision / best.noise_precision
        return {**seen, "chosen": chosen, "evidence_rmse": Mean.of(error(held_out, best.mean))}

    told = run.Offer.of_table(lambda key, sums, x: x @ regression.ridge_weights(sums, cfg.penalty), train)
    return run.Experiment(
        regression.ridge(cfg.penalty, axis=axis),
        batches,
        probes={"test": Partial(look, (test.x, test.y))},
        final={"path": Partial(path, (test.x, test.y, train.x, train.y))},
        offers={"predict": told},
        figures=show.figures(
            paths=paths_page(train.columns),
            loss=show.curves(
                {f"next {train.rows}": "train/loss", f"test {train.rows}": "test/loss"},
                **{"y_label": "squared error (variances of the target)", "title": f"{batches.batch_size} a step"},
            ),
        ),
    )


def paths_page(columns: list[str]) -> show.Draw:
    """Every weight, and the error on the test, along the paths of ridge and lasso."""
    rows = {"ridge": PENALTIES, "lasso": SHARES}
    chosen = {"ridge": {"most evidence": "path/chosen"}}
    weights = [
        show.lines(
            *(x, show.Line(f"path/{name}", columns)),
            **{"x_scale": "log", "title": name, "y_label": "weight (sd per sd)"},
            **{"horizontals": {"": 0}, "verticals": chosen.get(name, {})},
        )
        for name, x in rows.items()
    ]
    labels = ("penalty of the squares", "penalty of the sizes (1: no weight is left)")
    errors = [
        show.lines(
            *(x, show.Line(f"path/{name} rmse", color="black")),
            **{"x_scale": "log", "x_label": label, "y_label": "rmse, test"},
            verticals=chosen.get(name, {}),
        )
        for (name, x), label in zip(rows.items(), labels, strict=True)
    ]
    return show.page(weights, errors, size=(3.5, 2.2), legend="right")


if __name__ == "__main__":
    run.main(__name__)
