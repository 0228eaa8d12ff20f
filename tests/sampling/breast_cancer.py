"""The posterior of the breast-cancer regression by BlackJAX's NUTS, in double precision: the reference of a claim.

`python tests/sampling/breast_cancer.py` makes `experiments/sampling/nuts.json` anew, in a minute or two. The density is
written here from scikit-learn's data, apart from the experiment's.
"""

import json
from pathlib import Path

import blackjax
import jax
import jax.numpy as jnp
import numpy as np
from sklearn.datasets import load_breast_cancer
from sklearn.preprocessing import StandardScaler

TABLE = Path(__file__).parents[2] / "experiments" / "sampling" / "nuts.json"


def posterior(dtype):
    """log p(w | x, y) for w = (intercept, 30 weights) ~ N(0, 1), up to a constant."""
    x, y = load_breast_cancer(return_X_y=True)
    design = jnp.asarray(np.column_stack([np.ones(len(x)), StandardScaler().fit_transform(x)]), dtype)
    y = jnp.asarray(y, dtype)

    def log_density(w):
        logits = design @ w
        return (y * logits - jnp.logaddexp(0.0, logits)).sum() - 0.5 * (w**2).sum()

    return log_density


def sample(key, num_chains, num_warmup, num_draws, dtype="float32"):
    """Draws `[C, N, 31]`."""
    log_density = posterior(dtype)
    warmup = blackjax.window_adaptation(blackjax.nuts, log_density)

    def chain(key):
        start_key, warmup_key, draw_key = jax.random.split(key, 3)
        start = jax.random.normal(start_key, (31,), dtype)
        (state, found), _ = warmup.run(warmup_key, start, num_warmup)
        kernel = blackjax.nuts(log_density, **found).step

        def body(state, key):
            state, _ = kernel(key, state)
            return state, state.position

        return jax.lax.scan(body, state, jax.random.split(draw_key, num_draws))[1]

    return jax.jit(jax.vmap(chain))(jax.random.split(key, num_chains))


def main():
    with jax.enable_x64():
        draws = np.asarray(sample(jax.random.key(0), 8, 1000, 20_000, "float64"))
        rhat, ess = (np.asarray(of(draws)) for of in (blackjax.diagnostics.rhat, blackjax.diagnostics.ess_bulk))
    mean, std = draws.mean((0, 1)), draws.std((0, 1))
    assert rhat.max() < 1.001 and ess.min() > 50_000
    columns = {"mean": mean, "std": std, "standard_error": std / np.sqrt(ess)}
    lines = [f' "{name}": {json.dumps([round(float(x), 5) for x in values])}' for name, values in columns.items()]
    TABLE.write_text("{\n" + ",\n".join(lines) + "\n}\n")
    print(f"{TABLE}: R-hat {rhat.max():.5f}, effective sample size {ess.min():.0f}")


if __name__ == "__main__":
    main()
