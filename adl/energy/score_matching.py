"""Score matching of an energy: it is learned by its slope, which has no constant, and no chain is run.

    s(x) = -grad E(x),   E_data |s(x) - grad log p(x)|^2 / 2 by an objective of `prob.score`

Sources: Hyvarinen 2005, JMLR 6, eq. 4; sliced: Song et al. 2019, arXiv:1905.07088, eq. 8; denoising: Vincent 2011,
Neural Computation 23(7), eq. 9.
"""

from collections.abc import Callable

import flax.linen as nn
import jax
import jax.numpy as jnp
import optax

from adl.core import Algorithm, Learner, Mean, border, descend, forward
from adl.core.types import Array, Key, PyTree
from adl.prob.score import Objective


def score_matching(
    model: nn.Module,
    tx: optax.GradientTransformation,
    *,
    objective: Objective,
    prepare: Callable[[Key, PyTree], Array] = lambda key, batch: batch,
    axis: str | None = None,
) -> Algorithm:
    """Score matching of an energy; state is a `Learner`.

    Metrics, means over the data: "loss", the objective; "slope", |s|. A network that drops units drops the same ones
    all through a step.

    Args:
      model: `x [B, ...] -> E [B]` in nats, with two slopes everywhere: no rectifiers.
      tx: optax transformation.
      objective: of `prob.score`: `by_trace`, `by_slices(...)` or `by_noise(...)`.
      prepare: `prepare(key, batch) -> x [B, ...]`; what has few levels wants noise: its own density has no score.
      axis: as in `core.descend`.
    """
    prepare = border.prepared(prepare, "float [B, D, ...]")

    def loss(key, params, extras, batch):
        prepare_key, model_key, key = jax.random.split(key, 3)
        x = prepare(prepare_key, batch)

        def score(x):
            return -jax.grad(lambda x: forward(model, model_key, params, extras, x)[0].sum())(x)

        values = objective(key, score, x)
        slopes = jnp.sqrt(jnp.square(score(x)).reshape(len(x), -1).sum(1))
        _, moved = forward(model, model_key, params, extras, x)
        return {"loss": Mean.of(values), "slope": Mean.of(jax.lax.stop_gradient(slopes))}, moved

    def init(key, batch):
        prepare_key, key = jax.random.split(key)
        return Learner.create(model.init(key, prepare(prepare_key, batch)), tx)

    return Algorithm(init, descend(loss, tx, axis))
