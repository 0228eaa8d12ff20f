"""Stages that a batch names: the same numbers as the steps by themselves, and each traced once."""

import jax
import jax.numpy as jnp
import numpy as np

from adl.core import Mean, over_seeds, staged


def test_a_batch_says_which_step_it_is_and_others_report_nothing():
    traces = []

    def add(key, state, batch):
        traces.append("add")
        return state + batch["x"].sum(), {"added": Mean.of(batch["x"])}

    def double(key, state, batch):
        traces.append("double")
        return 2 * state, {"doubled": Mean.of(state)}

    alg = staged(lambda key, batch: jnp.ones(()), (add, double, add), lambda batch: batch["stage"][0])
    both = over_seeds(alg, 2)
    state, step = both.init(jax.random.key(0), {}), jax.jit(both.step)
    for stage, wanted in ((0, 4), (1, 8), (2, 11)):
        batch = {"x": jnp.ones(3), "stage": jnp.full(3, stage)}
        state, metrics = step(jax.random.key(1), state, batch)
        np.testing.assert_array_equal(state, [wanted, wanted])
        counts = {name: float(mean.count[0]) for name, mean in metrics.items()}
        assert counts == ({"added": 0, "doubled": 1} if stage == 1 else {"added": 3, "doubled": 0})
    assert sorted(traces) == ["add", "double"]
