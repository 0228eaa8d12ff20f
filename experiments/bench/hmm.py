"""Forward-backward of one sequence: step by step, in blocks side by side, and by a tree of products."""

import functools
import time
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np

from adl.graphical import hmm, parallel_hmm
from adl.graphical.hmm import MarkovChain
from experiments.bench import Contenders


def contenders(num_steps: int = 4096, num_states: int = 2, num_calls: int = 50) -> Contenders:
    """Smoothed states and evidence of 4,096 steps of two states; a unit is one call. All agree to 1e-4."""
    rng = np.random.default_rng(0)
    chain = MarkovChain(
        jnp.full(num_states, 1 / num_states, jnp.float32),
        jnp.asarray(rng.dirichlet(np.ones(num_states), num_states), jnp.float32),
    )
    log_likelihood = jnp.asarray(rng.normal(size=(num_steps, num_states)), jnp.float32)

    def timed(smooth: Callable) -> Callable[[], float]:
        smooth = jax.jit(smooth)
        seen = smooth(chain, log_likelihood)
        error = max(
            float(jnp.abs(seen.smoothed - want.smoothed).max()),
            float(jnp.abs(seen.filtered.log_evidence - want.filtered.log_evidence).max()),
        )
        if not error < 1e-4:
            raise SystemExit(f"error: the contenders do not agree: they differ by {error}")

        def run() -> float:
            started = time.perf_counter()
            for _ in range(num_calls):
                jax.block_until_ready(smooth(chain, log_likelihood))
            return 1e3 * (time.perf_counter() - started) / num_calls

        return run

    want = hmm.smooth(chain, log_likelihood)
    blocks = {f"{n} blocks": functools.partial(parallel_hmm.smooth, num_blocks=n) for n in (64, 128, 256, 512)}
    tree = functools.partial(parallel_hmm.smooth, num_blocks=num_steps)
    ways = {"step by step": hmm.smooth, **blocks, "tree": tree}
    return {name: timed(smooth) for name, smooth in ways.items()}
